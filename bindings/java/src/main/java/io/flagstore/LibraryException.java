package io.flagstore;

/** The shared library libflagstore is missing, unreadable or of another ABI; the message says where it was looked for. */
public final class LibraryException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    LibraryException(String message, Throwable cause) {
        super(message, cause);
    }

    LibraryException(String message) {
        super(message);
    }
}
