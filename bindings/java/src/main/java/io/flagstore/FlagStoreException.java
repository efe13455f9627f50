package io.flagstore;

import java.util.Optional;

/**
 * A call that failed.
 *
 * <p>The message says what was attempted, what happened and what to do. It never holds a credential or a payload.
 */
public final class FlagStoreException extends RuntimeException {
    static final int INVALID_UTF8 = -3;
    static final int INVALID_LENGTH = -4;
    static final int INVALID_HANDLE = -5;
    static final int OPTION_TYPE = -8;
    static final int CANCELLED = -46;

    private static final long serialVersionUID = 1L;

    /** The number of the C ABI. */
    private final int code;

    /** Its name in the C ABI. */
    private final String codeName;

    /** Whether trying again may help. */
    private final boolean retriable;

    /** Of an init; else null. */
    private transient InitReport report;

    /**
     * For what is refused in Java, with a number of the C ABI.
     *
     * @param code the number
     * @param codeName its name
     * @param retriable whether the same call may succeed later
     * @param message what was attempted, what happened, what to do
     */
    public FlagStoreException(int code, String codeName, boolean retriable, String message) {
        super(message);
        this.code = code;
        this.codeName = codeName;
        this.retriable = retriable;
    }

    static FlagStoreException of(byte[] answer) {
        int code = Answer.code(answer);
        String name = Answer.text(Native.codeName(code));
        FlagStoreException error =
                new FlagStoreException(code, name, Answer.flags(answer) != 0, Answer.message(answer));
        String report = Answer.behindMessage(answer);
        if (!report.isEmpty()) error.report = InitReport.of(report);
        return error;
    }

    /**
     * What an {@code init} had done when it failed or was cancelled.
     *
     * @return empty for what is no init, or one that had not begun
     */
    public Optional<InitReport> report() {
        return Optional.ofNullable(report);
    }

    /**
     * The number of the C ABI, which flagstore.h lists.
     *
     * @return a negative number that is stable and never reused
     */
    public int code() {
        return code;
    }

    /**
     * The name of {@link #code}.
     *
     * @return a name such as {@code STORE_ERROR_TIMEOUT}
     */
    public String codeName() {
        return codeName;
    }

    /**
     * Whether the same call may succeed later without anyone changing anything.
     *
     * @return true for throttling, deadlines and broken connections, for example
     */
    public boolean retriable() {
        return retriable;
    }
}
