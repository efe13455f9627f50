package io.flagstore;

import java.nio.charset.StandardCharsets;
import java.util.Objects;

/** Text on its way to the library. */
final class Text {
    private Text() {}

    /** UTF-8; what UTF-8 cannot hold is refused, where {@link String#getBytes} would write a question mark. */
    static byte[] utf8(String name, String text) {
        Objects.requireNonNull(text, name);
        for (int at = 0; at < text.length(); at++) {
            char unit = text.charAt(at);
            if (!Character.isSurrogate(unit)) continue;
            boolean pair = at + 1 < text.length() && Character.isSurrogatePair(unit, text.charAt(at + 1));
            if (!pair) {
                String message = "the argument \"" + name + "\" has a lone surrogate at " + at
                        + ", which UTF-8 cannot hold: correct it";
                throw new FlagStoreException(
                        FlagStoreException.INVALID_UTF8, "STORE_ERROR_INVALID_UTF8", false, message);
            }
            at++;
        }
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
