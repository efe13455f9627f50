package io.flagstore.launchdarkly;

import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.DataKind;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.FullDataSet;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.KeyedItems;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.SerializedItemDescriptor;
import com.launchdarkly.sdk.server.subsystems.DataStoreUpdateSink;
import com.launchdarkly.sdk.server.subsystems.PersistentDataStore;
import io.flagstore.FlagStore;
import io.flagstore.Item;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What the SDK's caching wrapper asks for. */
final class DynamoDbDataStore implements PersistentDataStore {
    private final FlagStore store;
    private final RowReader rows;
    private final Failures failures;
    private final Outage outage;

    /** The SDK's status goes to {@code sink}, which may be null. */
    DynamoDbDataStore(FlagStore store, Log log, DataStoreUpdateSink sink) {
        this.store = store;
        this.rows = new RowReader(log);
        this.failures = new Failures(log);
        this.outage = new Outage(store, sink);
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
        Optional<Item> row = failures.watched(() -> store.get(kind.getName(), key));
        if (row.isEmpty()) return null;
        outage.look(List.of(row.get()));
        return rows.read(kind, key, row.get());
    }

    @Override
    public KeyedItems<SerializedItemDescriptor> getAll(DataKind kind) {
        Map<String, Item> all = failures.watched(() -> store.getAll(kind.getName()));
        outage.look(all.values());
        return rows.readAll(kind, all);
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
