package io.flagstore.launchdarkly;

/** Text in messages. */
final class Text {
    private Text() {}

    /** On one line, whatever the table has for a key. */
    static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        text.codePoints().forEach(point -> {
            int type = Character.getType(point);
            boolean breaks = type == Character.CONTROL
                    || type == Character.LINE_SEPARATOR
                    || type == Character.PARAGRAPH_SEPARATOR;
            if (breaks) quoted.append(String.format("\\u%04x", point));
            else if (point == '"' || point == '\\') quoted.append('\\').appendCodePoint(point);
            else quoted.appendCodePoint(point);
        });
        return quoted.append('"').toString();
    }
}
