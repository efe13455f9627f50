package io.flagstore.launchdarkly;

import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.DataKind;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.FullDataSet;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.KeyedItems;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.SerializedItemDescriptor;
import com.launchdarkly.sdk.server.subsystems.PersistentDataStore;
import io.flagstore.FlagStore;
import io.flagstore.Item;
import java.util.LinkedHashMap;
import java.util.Map;

/** What the SDK's caching wrapper asks for. */
final class DynamoDbDataStore implements PersistentDataStore {
    private final FlagStore store;
    private final RowReader rows;
    private final Failures failures;

    DynamoDbDataStore(FlagStore store, Log log) {
        this.store = store;
        this.rows = new RowReader(log);
        this.failures = new Failures(log);
    }

    @Override
    public void init(FullDataSet<SerializedItemDescriptor> allData) {
        Map<String, Map<String, Item>> collections = new LinkedHashMap<>();
        for (Map.Entry<DataKind, KeyedItems<SerializedItemDescriptor>> collection : allData.getData()) {
            Map<String, Item> items =
                    collections.computeIfAbsent(collection.getKey().getName(), name -> new LinkedHashMap<>());
            for (Map.Entry<String, SerializedItemDescriptor> item : collection.getValue().getItems()) {
                items.put(item.getKey(), written(item.getValue()));
            }
        }
        failures.watched(() -> store.init(collections));
    }

    @Override
    public SerializedItemDescriptor get(DataKind kind, String key) {
        return failures.watched(() -> store.get(kind.getName(), key))
                .map(row -> rows.read(kind, key, row))
                .orElse(null);
    }

    @Override
    public KeyedItems<SerializedItemDescriptor> getAll(DataKind kind) {
        return rows.readAll(kind, failures.watched(() -> store.getAll(kind.getName())));
    }

    /** False also for an item that is too large: the SDK then reads, and caches, what all other processes read. */
    @Override
    public boolean upsert(DataKind kind, String key, SerializedItemDescriptor item) {
        return failures.watched(() -> store.upsert(kind.getName(), key, written(item))).written();
    }

    @Override
    public boolean isInitialized() {
        return failures.watched(store::initialized);
    }

    @Override
    public boolean isStoreAvailable() {
        return store.available();
    }

    @Override
    public void close() {
        store.close();
    }

    private static Item written(SerializedItemDescriptor item) {
        return new Item(item.getVersion(), item.getSerializedItem(), item.isDeleted(), false);
    }
}
