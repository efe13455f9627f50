using System.Collections.Generic;
using System.Linq;
using LaunchDarkly.Sdk.Server.Subsystems;
using static LaunchDarkly.Sdk.Server.Subsystems.DataStoreTypes;

namespace Flagstore.LaunchDarkly
{
    /// <summary>What the SDK's caching wrapper asks for.</summary>
    internal sealed class DynamoDBDataStore : IPersistentDataStore
    {
        private readonly FlagStore store;
        private readonly RowReader rows;
        private readonly Failures failures;
        private readonly Outage outage;

        internal DynamoDBDataStore(FlagStore store, Log log, IDataStoreUpdates status)
        {
            this.store = store;
            outage = new Outage(store.Available, status, Outage.BetweenProbes);
            rows = new RowReader(log);
            failures = new Failures(log);
        }

        // The SDK hands the kinds over in no order; the library writes segments first.
        public void Init(FullDataSet<SerializedItemDescriptor> allData) =>
            failures.Watched(() => store.Init(allData.Data.Select(collection => new ItemCollection(
                collection.Key.Name,
                collection.Value.Items.Select(item => new KeyValuePair<string, Item>(item.Key, Written(item.Value)))))));

        public SerializedItemDescriptor? Get(DataKind kind, string key)
        {
            Item row = failures.Watched(() => store.Get(kind.Name, key));
            if (row == null) return null;
            outage.Saw(row.Stale);
            return rows.Read(kind, key, row);
        }

        public KeyedItems<SerializedItemDescriptor> GetAll(DataKind kind)
        {
            IReadOnlyDictionary<string, Item> all = failures.Watched(() => store.GetAll(kind.Name));
            foreach (Item row in all.Values) outage.Saw(row.Stale);
            return rows.ReadAll(kind, all);
        }

        // False also for an item that is too large: the SDK then reads, and caches, what all other processes read.
        public bool Upsert(DataKind kind, string key, SerializedItemDescriptor item) =>
            failures.Watched(() => store.Upsert(kind.Name, key, Written(item))).Written;

        public bool Initialized() => failures.Watched(store.Initialized);

        public bool IsStoreAvailable() => store.Available();

        public void Dispose()
        {
            outage.Dispose();
            store.Dispose();
        }

        private static Item Written(SerializedItemDescriptor item) =>
            item.Deleted ? Item.Tombstone(item.Version, item.SerializedItem) : new Item(item.Version, item.SerializedItem);
    }
}
