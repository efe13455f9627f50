package io.flagstore.launchdarkly;

import com.launchdarkly.sdk.server.subsystems.BigSegmentStore;
import com.launchdarkly.sdk.server.subsystems.PersistentDataStore;

/**
 * Stands in for {@code com.launchdarkly.sdk.server.integrations.DynamoDb}: change the import.
 *
 * <pre>{@code
 * LDConfig config = new LDConfig.Builder()
 *     .dataStore(Components.persistentDataStore(DynamoDb.dataStore("my-table").prefix("production")))
 *     .bigSegments(Components.bigSegments(DynamoDb.bigSegmentStore("my-table").prefix("production")))
 *     .build();
 * }</pre>
 *
 * <p>Same call shape, same table, same rows: processes with either one share a table.
 */
public final class DynamoDb {
    private DynamoDb() {}

    /**
     * A data store for {@code Components.persistentDataStore}, which caches as with the SDK's own integration.
     *
     * @param tableName name of an existing table, whose key is {@code namespace} (string) and {@code key} (string)
     * @return a builder for the store's options
     */
    public static DynamoDbStoreBuilder<PersistentDataStore> dataStore(String tableName) {
        return new DynamoDbStoreBuilder.ForDataStore(tableName);
    }

    /**
     * A Big Segment store for {@code Components.bigSegments}.
     *
     * @param tableName name of an existing table, whose key is {@code namespace} (string) and {@code key} (string)
     * @return a builder for the store's options
     */
    public static DynamoDbStoreBuilder<BigSegmentStore> bigSegmentStore(String tableName) {
        return new DynamoDbStoreBuilder.ForBigSegments(tableName);
    }
}
