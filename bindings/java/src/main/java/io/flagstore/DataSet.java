package io.flagstore;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A data set laid out as {@link Native#init} reads it. */
record DataSet(int collections, int items, byte[] bytes) {
    DataSet(Map<String, ? extends Map<String, Item>> given) {
        this(given.size(), given.values().stream().mapToInt(Map::size).sum(), laidOut(given));
    }

    private static byte[] laidOut(Map<String, ? extends Map<String, Item>> given) {
        List<byte[]> parts = new ArrayList<>();
        given.forEach((kind, items) -> {
            byte[] ofKind = Text.utf8("kind", kind);
            parts.add(head(8).putInt(ofKind.length).putInt(items.size()).array());
            parts.add(ofKind);
            items.forEach((key, item) -> {
                byte[] ofKey = Text.utf8("key", key);
                byte[] payload = item.item() == null ? new byte[0] : FlagStore.payload(item);
                parts.add(head(Answer.ITEM_HEAD)
                        .putLong(item.version())
                        .putInt(item.deleted() ? Answer.DELETED : 0)
                        .putInt(ofKey.length)
                        .putInt(payload.length)
                        .array());
                parts.add(ofKey);
                parts.add(payload);
            });
        });
        ByteBuffer all = ByteBuffer.allocate(length(parts));
        parts.forEach(all::put);
        return all.array();
    }

    private static ByteBuffer head(int length) {
        return ByteBuffer.allocate(length).order(ByteOrder.nativeOrder());
    }

    private static int length(List<byte[]> parts) {
        long length = parts.stream().mapToLong(part -> part.length).sum();
        if (length <= Integer.MAX_VALUE - 64) return (int) length;
        String message = "init: the data set takes " + length + " bytes, and no Java array holds over 2 GB: split it";
        throw new FlagStoreException(
                FlagStoreException.INVALID_LENGTH, "STORE_ERROR_INVALID_LENGTH", false, message);
    }
}
