package io.flagstore;

import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes options, and reads the library's reports and statistics. What is read comes from the library alone, so a text
 * that is no JSON is a bug and not told in detail.
 */
final class Json {
    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** An object of options; those that are null are left out. */
    static String options(Map<String, ?> options) {
        StringBuilder json = new StringBuilder("{");
        options.forEach((name, value) -> {
            if (value == null) return;
            if (json.length() > 1) json.append(',');
            quote(json, name);
            json.append(':');
            if (value instanceof Boolean || value instanceof Integer || value instanceof Long) {
                json.append(value);
            } else if (value instanceof Duration time) {
                json.append(milliseconds(time));
            } else if (value instanceof String || value instanceof URI || value instanceof Path) {
                quote(json, value.toString());
            } else {
                String message = "the option \"" + name + "\" takes a String, boolean, int, long, Duration, URI or Path, not "
                        + value.getClass().getName();
                throw new FlagStoreException(
                        FlagStoreException.OPTION_TYPE, "STORE_ERROR_OPTION_TYPE", false, message);
            }
        });
        return json.append('}').toString();
    }

    /** Rounded away from zero: a time below a millisecond is not none, and a negative one means for ever. */
    private static long milliseconds(Duration time) {
        long whole = time.toMillis();
        if (time.equals(Duration.ofMillis(whole))) return whole;
        return time.isNegative() ? whole - 1 : whole + 1;
    }

    private static void quote(StringBuilder json, String text) {
        json.append('"');
        for (int i = 0; i < text.length(); i++) {
            char unit = text.charAt(i);
            if (unit == '"' || unit == '\\') json.append('\\').append(unit);
            else if (unit < ' ') json.append(String.format("\\u%04x", (int) unit));
            else json.append(unit);
        }
        json.append('"');
    }

    /** Maps in the order of the text, lists, strings, longs, doubles, booleans and null. */
    static Object read(String text) {
        return new Json(text).value();
    }

    private Object value() {
        switch (peek()) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return string();
            default:
                return word();
        }
    }

    private Map<String, Object> object() {
        Map<String, Object> members = new LinkedHashMap<>();
        at++;
        while (peek() != '}') {
            String name = string();
            peek();
            at++;
            members.put(name, value());
            if (peek() == ',') at++;
        }
        at++;
        return members;
    }

    private List<Object> array() {
        List<Object> elements = new ArrayList<>();
        at++;
        while (peek() != ']') {
            elements.add(value());
            if (peek() == ',') at++;
        }
        at++;
        return elements;
    }

    private String string() {
        StringBuilder string = new StringBuilder();
        peek();
        at++;
        while (true) {
            char unit = text.charAt(at++);
            if (unit == '"') return string.toString();
            string.append(unit == '\\' ? escaped() : unit);
        }
    }

    private char escaped() {
        char unit = text.charAt(at++);
        int simple = "bfnrt".indexOf(unit);
        if (simple >= 0) return "\b\f\n\r\t".charAt(simple);
        if (unit != 'u') return unit;
        at += 4;
        return (char) Integer.parseInt(text, at - 4, at, 16);
    }

    private Object word() {
        int start = at;
        while (at < text.length() && ",]} \n".indexOf(text.charAt(at)) < 0) at++;
        String word = text.substring(start, at);
        switch (word) {
            case "true":
                return true;
            case "false":
                return false;
            case "null":
                return null;
            default:
                boolean whole = word.chars().allMatch(unit -> unit == '-' || Character.isDigit(unit));
                if (whole) return Long.valueOf(word);
                return Double.valueOf(word);
        }
    }

    /** The next character that is no white space. */
    private char peek() {
        while (Character.isWhitespace(text.charAt(at))) at++;
        return text.charAt(at);
    }
}
