package io.flagstore.launchdarkly;

import com.launchdarkly.sdk.LDValue;
import com.launchdarkly.sdk.ObjectBuilder;
import com.launchdarkly.sdk.server.DataModel;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.DataKind;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.KeyedItems;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.SerializedItemDescriptor;
import io.flagstore.Item;
import java.util.AbstractMap.SimpleImmutableEntry;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Gives the SDK the rows that it can use, and no others: it deserialises a kind as a whole, and fails for all of its items
 * at the first one that it cannot. So each is tried here with the SDK's own deserialiser. The SDK then does it once more,
 * since a store can hand it nothing but text.
 */
final class RowReader {
    /** More bad rows than this are warned about again rather than remembered. */
    private static final int REMEMBERED = 10_000;

    private final Log log;
    /** The version of each row, by kind and key, that was warned about last. */
    private final Map<List<String>, Long> warned = new ConcurrentHashMap<>();

    RowReader(Log log) {
        this.log = log;
    }

    /** Null for a row that is left out. */
    SerializedItemDescriptor read(DataKind kind, String key, Item row) {
        return read(kind, key, row, new HashSet<>());
    }

    KeyedItems<SerializedItemDescriptor> readAll(DataKind kind, Map<String, Item> rows) {
        Set<String> taken = new HashSet<>(rows.keySet());
        List<Map.Entry<String, SerializedItemDescriptor>> items = new ArrayList<>(rows.size());
        rows.forEach((key, row) -> {
            SerializedItemDescriptor item = read(kind, key, row, taken);
            if (item != null) items.add(new SimpleImmutableEntry<>(key, item));
        });
        return new KeyedItems<>(items);
    }

    private SerializedItemDescriptor read(DataKind kind, String key, Item row, Set<String> taken) {
        // Cut off, it would lose against versions that are older.
        if (row.version() > Integer.MAX_VALUE) {
            return leftOut(kind, key, row, "over " + Integer.MAX_VALUE);
        }
        int version = (int) row.version();
        if (row.deleted()) return new SerializedItemDescriptor(version, true, null);
        try {
            kind.deserialize(row.item());
            if (mayOverflow(row.item()) && !finite(LDValue.parse(row.item()))) {
                return leftOut(kind, key, row, "a number that it cannot write again");
            }
            String payload = kind == DataModel.FEATURES ? withKey(key, row.item(), taken) : row.item();
            return new SerializedItemDescriptor(version, false, payload);
        } catch (RuntimeException | StackOverflowError error) {
            // Older versions of the SDK run out of stack. Not the text of the error, which may quote the payload.
            return leftOut(kind, key, row, error.getClass().getSimpleName());
        }
    }

    /**
     * Whether there is something like a number that a double has as infinity, which is read, and written as what is no
     * JSON: one variation of that kind spoils the JSON of all flags.
     */
    private static boolean mayOverflow(String payload) {
        int digits = 0;
        boolean exponent = false;
        for (int at = 0; at < payload.length(); at++) {
            char unit = payload.charAt(at);
            if (unit >= '0' && unit <= '9') {
                digits++;
                // With fewer of both, a number stays below 10^299.
                if (digits == (exponent ? 3 : 200)) return true;
            } else {
                exponent = (digits > 0 && (unit == 'e' || unit == 'E')) || (exponent && unit == '+');
                digits = 0;
            }
        }
        return false;
    }

    private static boolean finite(LDValue value) {
        if (value.isNumber()) return Double.isFinite(value.doubleValue());
        for (LDValue element : value.values()) {
            if (!finite(element)) return false;
        }
        return true;
    }

    /**
     * A flag's payload with a key that is no other's, its row's if need be: the SDK puts all flags together by the keys
     * inside of them, and fails for all where one has none, or where two have the same, as copies of rows do.
     */
    private static String withKey(String key, String payload, Set<String> taken) {
        // As the SDKs write it, Python's with a space: most payloads need not be read once more.
        String start = payload.startsWith("{\"key\": ") ? "{\"key\": \"" : "{\"key\":\"";
        if (payload.startsWith(start + key + "\"")) return payload;
        LDValue flag = LDValue.parse(payload);
        String own = flag.get("key").stringValue();
        if (own != null && (own.equals(key) || taken.add(own))) return payload;
        ObjectBuilder keyed = LDValue.buildObject();
        flag.keys().forEach(name -> keyed.put(name, flag.get(name)));
        return keyed.put("key", key).build().toJsonString();
    }

    /** Null, with a warning that is the first one of this version. */
    private SerializedItemDescriptor leftOut(DataKind kind, String key, Item row, String reason) {
        Long before = warned.put(List.of(kind.getName(), key), row.version());
        if (before != null && before == row.version()) return null;
        if (warned.size() > REMEMBERED) warned.clear();
        log.write(
                System.Logger.Level.WARNING,
                "the item " + Text.quoted(key) + " in " + Text.quoted(kind.getName()) + " is left out: the SDK cannot read its version "
                        + row.version() + " (" + reason + "); write it again with a newer version, or delete the row");
        return null;
    }
}
