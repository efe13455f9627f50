package io.flagstore.launchdarkly;

import com.launchdarkly.logging.LDLogger;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.DataKind;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.FullDataSet;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.KeyedItems;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.SerializedItemDescriptor;
import com.launchdarkly.sdk.server.subsystems.PersistentDataStore;
import io.flagstore.FlagStore;
import io.flagstore.Item;
import java.util.AbstractMap.SimpleImmutableEntry;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What the SDK's caching wrapper asks for. */
final class DynamoDbDataStore implements PersistentDataStore {
    private final FlagStore store;
    private final LDLogger logger;
    private final Failures failures;

    DynamoDbDataStore(FlagStore store, LDLogger logger) {
        this.store = store;
        this.logger = logger;
        this.failures = new Failures(logger);
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
                .map(item -> read(kind, key, item))
                .orElse(null);
    }

    @Override
    public KeyedItems<SerializedItemDescriptor> getAll(DataKind kind) {
        List<Map.Entry<String, SerializedItemDescriptor>> items = new ArrayList<>();
        failures.watched(() -> store.getAll(kind.getName())).forEach((key, item) -> {
            SerializedItemDescriptor read = read(kind, key, item);
            if (read != null) items.add(new SimpleImmutableEntry<>(key, read));
        });
        return new KeyedItems<>(items);
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

    /** Null for a row whose version the SDK cannot hold: cut off, it would lose against versions that are older. */
    private SerializedItemDescriptor read(DataKind kind, String key, Item item) {
        if (item.version() > Integer.MAX_VALUE) {
            logger.error(
                    "the item \"{}\" of kind \"{}\" is left out: its version {} is over {}, the highest that this SDK reads",
                    key, kind.getName(), item.version(), Integer.MAX_VALUE);
            return null;
        }
        return new SerializedItemDescriptor((int) item.version(), item.deleted(), item.item());
    }
}
