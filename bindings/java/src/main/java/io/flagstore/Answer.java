package io.flagstore;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Reads what {@link Native} returns: code, flags (4 bytes each), a number (8 bytes) and a body, in native order. An error's
 * number is the length of its message, with which the body begins.
 */
final class Answer {
    static final int OK = 0;
    static final int NOT_FOUND = 1;
    static final int NEWER_EXISTS = 2;
    static final int TOO_LARGE = 3;

    static final int DELETED = 1;
    static final int STALE = 2;

    /** Of an item in a list: version, flags, two lengths, nothing. */
    static final int ITEM_HEAD = 24;

    private static final int HEAD = 16;
    private static final VarHandle INT =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.nativeOrder());
    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());

    private Answer() {}

    static int code(byte[] answer) {
        return (int) INT.get(answer, 0);
    }

    static int flags(byte[] answer) {
        return (int) INT.get(answer, 4);
    }

    static long number(byte[] answer) {
        return (long) LONG.get(answer, 8);
    }

    static String text(byte[] answer) {
        return new String(answer, HEAD, answer.length - HEAD, StandardCharsets.UTF_8);
    }

    static String message(byte[] error) {
        return new String(error, HEAD, (int) number(error), StandardCharsets.UTF_8);
    }

    /** What comes behind an error's message; empty if there is nothing. */
    static String behindMessage(byte[] error) {
        int start = HEAD + (int) number(error);
        return new String(error, start, error.length - start, StandardCharsets.UTF_8);
    }

    static Item item(byte[] answer) {
        int flags = flags(answer);
        boolean deleted = (flags & DELETED) != 0;
        return new Item(number(answer), deleted ? null : text(answer), deleted, (flags & STALE) != 0);
    }

    static Map<String, Item> items(byte[] answer) {
        ByteBuffer body = body(answer);
        Map<String, Item> items = new LinkedHashMap<>((int) (number(answer) * 4 / 3) + 1);
        while (body.hasRemaining()) {
            long version = body.getLong();
            int flags = body.getInt();
            int keyLength = body.getInt();
            int itemLength = body.getInt();
            body.getInt();
            String key = text(body, keyLength);
            String payload = text(body, itemLength);
            boolean deleted = (flags & DELETED) != 0;
            items.put(key, new Item(version, deleted ? null : payload, deleted, (flags & STALE) != 0));
        }
        return items;
    }

    static Map<String, Boolean> membership(byte[] answer) {
        ByteBuffer body = body(answer);
        Map<String, Boolean> segments = new LinkedHashMap<>();
        while (body.hasRemaining()) {
            boolean included = body.getInt() != 0;
            segments.put(text(body, body.getInt()), included);
        }
        return segments;
    }

    private static ByteBuffer body(byte[] answer) {
        return ByteBuffer.wrap(answer, HEAD, answer.length - HEAD).order(ByteOrder.nativeOrder());
    }

    private static String text(ByteBuffer body, int length) {
        String text = new String(body.array(), body.position(), length, StandardCharsets.UTF_8);
        body.position(body.position() + length);
        return text;
    }
}
