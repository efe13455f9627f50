package io.flagstore;

/**
 * The functions of {@code flagstore_jni.c}, one crossing for each call of the store. {@link Library} loads them.
 *
 * <p>Text goes in as UTF-8. Everything comes back as one array that {@link Answer} reads; an exception other than
 * {@link OutOfMemoryError} is never thrown here.
 */
final class Native {
    private Native() {}

    /** Loads libflagstore; {@code path} ends with NUL. The answer's number is its ABI; an error's text has no code. */
    static native byte[] load(byte[] path);

    /** Text: the library's version. */
    static native byte[] version();

    /** Text: the name of an outcome or error. */
    static native byte[] codeName(int code);

    /** Number: the handle. */
    static native byte[] open(byte[] options);

    static native void close(long store);

    /** An item, or {@code NOT_FOUND}. */
    static native byte[] get(long store, byte[] kind, byte[] key);

    /**
     * Items: their number, and for each its version (8 bytes), flags, length of the key, length of the payload, nothing
     * (4 bytes each), key and payload.
     */
    static native byte[] getAll(long store, byte[] kind);

    /** With {@code NEWER_EXISTS} the stored item; {@code item} may be null. */
    static native byte[] upsert(
            long store, byte[] kind, byte[] key, long version, boolean deleted, byte[] item);

    /**
     * Text: the report. {@code data} has for each collection the length of its kind, how many items (4 bytes each), the
     * kind, and the items as {@link #getAll} gives them. {@code items} is their number in all collections.
     */
    static native byte[] init(long store, int collections, int items, byte[] data);

    /** Text: the report. */
    static native byte[] initJson(long store, byte[] json);

    /** Number: 1 or 0. */
    static native byte[] initialized(long store);

    static native byte[] available(long store);

    /** Number: milliseconds, or {@code NOT_FOUND}. */
    static native byte[] bigSegmentsMetadata(long store);

    /** Entries: their number, and for each whether it is included, its length (4 bytes each) and the segment. */
    static native byte[] bigSegmentsMembership(long store, byte[] hash);

    /** Text: JSON. */
    static native byte[] statistics(long store);

    static native byte[] clearCache(long store);

    /** Flags: the level. Text: the message. Or {@code NOT_FOUND}. */
    static native byte[] nextEvent(long store);

    /** Starts a call whose answer, that of {@link #get}, {@link #nextResult} gives under this number. */
    static native byte[] getAsync(long store, long number, byte[] kind, byte[] key);

    /** Starts a call whose answer, that of {@link #getAll}, {@link #nextResult} gives under this number. */
    static native byte[] getAllAsync(long store, long number, byte[] kind);

    /** Starts a call whose answer, that of {@link #upsert}, {@link #nextResult} gives under this number. */
    static native byte[] upsertAsync(
            long store, long number, byte[] kind, byte[] key, long version, boolean deleted, byte[] item);

    /** Waits for the end of an asynchronous call, and sets {@code number[0]} to its number. */
    static native byte[] nextResult(long[] number);
}
