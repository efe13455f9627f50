package io.flagstore;

/**
 * Something that a store reports besides the results of calls, such as a row that was left out.
 *
 * @param level how severe it is
 * @param message what happened; it holds neither a credential nor a payload
 */
public record Event(System.Logger.Level level, String message) {
    /** Of the numbers 1 to 4 in flagstore.h. */
    private static final System.Logger.Level[] LEVELS = {
        System.Logger.Level.ERROR, System.Logger.Level.WARNING, System.Logger.Level.INFO, System.Logger.Level.DEBUG
    };

    static Event of(byte[] answer) {
        int level = Answer.flags(answer);
        boolean known = level >= 1 && level <= LEVELS.length;
        return new Event(known ? LEVELS[level - 1] : System.Logger.Level.INFO, Answer.text(answer));
    }
}
