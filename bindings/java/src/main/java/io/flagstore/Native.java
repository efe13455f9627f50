package io.flagstore;

/**
 * The functions of {@code flagstore_jni.c}, one crossing for each call of the store. {@link Library} loads them.
 *
 * <p>Text goes in as UTF-8. Everything comes back as one array that {@link Answer} reads; an exception other than
 * {@link OutOfMemoryError} is never thrown here.
 */
final class Native {
    private Native() {}

    /** Uses a library: the file at {@code path}, which ends with NUL, or the one that is linked in for null. */
    static native byte[] use(byte[] path);

    /** Whether the library is linked into the bridge. */
    static native boolean linked();

    /** Text: the library's version. */
    static native byte[] version();

    /** Text: the name of an outcome or error. */
    static native byte[] codeName(int code);

    /** Number: the handle. */
    static native byte[] open(byte[] options);

    static native void close(long store);

    /** An item, or {@code NOT_FOUND}; null if the cache does not know. */
    static native byte[] getCached(long store, byte[] kind, byte[] key);

    /** Text: JSON. */
    static native byte[] statistics(long store);

    /** Text: JSON. Blocks for long. */
    static native byte[] doctor(byte[] options);

    static native byte[] clearCache(long store);

    /** Flags: the level. Text: the message. Or {@code NOT_FOUND}. */
    static native byte[] nextEvent(long store);

    // What follows starts a call under a number that is the caller's own. Null, with the number to cancel it by in call[0], and
    // the call's result comes from nextResult; or the answer of a call that was not accepted.

    /** {@link #ITEM}, or {@code NOT_FOUND}. */
    static native byte[] get(long store, long number, long[] call, byte[] kind, byte[] key);

    /** {@link #ITEMS}. */
    static native byte[] getAll(long store, long number, long[] call, byte[] kind);

    /** With {@code NEWER_EXISTS} the stored {@link #ITEM}; {@code item} may be null. */
    static native byte[] upsert(
            long store, long number, long[] call, byte[] kind, byte[] key, long version, boolean deleted, byte[] item);

    /**
     * {@link #REPORT}. {@code data} has for each collection the length of its kind, how many items (4 bytes each), the
     * kind, and the items as {@link #ITEMS} has them. {@code items} is their number in all collections.
     */
    static native byte[] init(long store, long number, long[] call, int collections, int items, byte[] data);

    /** {@link #REPORT}. */
    static native byte[] initJson(long store, long number, long[] call, byte[] json);

    /** {@link #INITIALIZED}. */
    static native byte[] initialized(long store, long number, long[] call);

    /** {@link #NOTHING}. */
    static native byte[] available(long store, long number, long[] call);

    /** {@link #METADATA}, or {@code NOT_FOUND}. */
    static native byte[] bigSegmentsMetadata(long store, long number, long[] call);

    /** {@link #MEMBERSHIP}, or {@code NOT_FOUND}. */
    static native byte[] bigSegmentsMembership(long store, long number, long[] call, byte[] hash);

    /** Ends a call as soon as that can be; its result comes all the same. */
    static native void cancel(long call);

    /** Waits for the end of a call, and sets {@code number[0]} to its number. The result is for {@link #answer}; 0 if there will be none. */
    static native long nextResult(long[] number);

    /** The answer that a result holds, which is freed. {@code content} is one of the numbers below. */
    static native byte[] answer(long result, int content);

    /** A code alone. */
    static final int NOTHING = 0;

    /** An item: its version as the number, its flags, its payload. */
    static final int ITEM = 1;

    /**
     * Items: their number, and for each its version (8 bytes), flags, length of the key, length of the payload, nothing
     * (4 bytes each), key and payload.
     */
    static final int ITEMS = 2;

    /** Number: 1 or 0. */
    static final int INITIALIZED = 3;

    /** Text: JSON. An error has it too, behind its message. */
    static final int REPORT = 4;

    /** Number: milliseconds. */
    static final int METADATA = 5;

    /** Entries: their number, and for each whether it is included, its length (4 bytes each) and the segment. */
    static final int MEMBERSHIP = 6;
}
