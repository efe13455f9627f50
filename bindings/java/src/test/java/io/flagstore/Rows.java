package io.flagstore;

import com.launchdarkly.sdk.LDValue;

/** Reads and writes the rows of a table past the library. */
public final class Rows {
    private final Endpoint endpoint;
    private final String table;

    public Rows(Endpoint endpoint, String table) {
        this.endpoint = endpoint;
        this.table = table;
    }

    public static String prefixed(String prefix, String name) {
        return prefix == null || prefix.isEmpty() ? name : prefix + ":" + name;
    }

    /** Writes a row with these attributes, typed as DynamoDB types them. */
    public void put(String namespace, String key, String attributes) {
        LDValue given = LDValue.parse(attributes);
        var row = LDValue.buildObject();
        given.keys().forEach(name -> row.put(name, given.get(name)));
        row.put("namespace", text(namespace)).put("key", text(key));
        ask("PutItem", request().put("Item", row.build()).build());
    }

    /** A row of an item with this text. */
    public void putItem(String namespace, String key, long version, String item) {
        LDValue attributes = LDValue.buildObject()
                .put("version", LDValue.buildObject().put("N", Long.toString(version)).build())
                .put("item", text(item))
                .build();
        put(namespace, key, attributes.toJsonString());
    }

    /** All attributes of a row; null if there is none. */
    public LDValue get(String namespace, String key) {
        LDValue keys = LDValue.buildObject().put("namespace", text(namespace)).put("key", text(key)).build();
        return ask("GetItem", request().put("Key", keys).put("ConsistentRead", true).build()).get("Item");
    }

    public void clear() {
        for (LDValue row : ask("Scan", request().put("ConsistentRead", true).build()).get("Items").values()) {
            LDValue keys = LDValue.buildObject()
                    .put("namespace", row.get("namespace"))
                    .put("key", row.get("key"))
                    .build();
            ask("DeleteItem", request().put("Key", keys).build());
        }
    }

    private com.launchdarkly.sdk.ObjectBuilder request() {
        return LDValue.buildObject().put("TableName", table);
    }

    private static LDValue text(String text) {
        return LDValue.buildObject().put("S", text).build();
    }

    private LDValue ask(String operation, LDValue request) {
        return endpoint.ask(operation, request.toJsonString());
    }
}
