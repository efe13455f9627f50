using System.Collections.Generic;
using System.Linq;
using LaunchDarkly.Logging;
using LaunchDarkly.Sdk.Server.Subsystems;
using static LaunchDarkly.Sdk.Server.Subsystems.DataStoreTypes;

namespace Flagstore.LaunchDarkly
{
    /// <summary>What the SDK's caching wrapper asks for.</summary>
    internal sealed class DynamoDBDataStore : IPersistentDataStore
    {
        private readonly FlagStore store;
        private readonly Logger log;
        private readonly Failures failures;

        internal DynamoDBDataStore(FlagStore store, Logger log)
        {
            this.store = store;
            this.log = log;
            failures = new Failures(log);
        }

        // The SDK hands the kinds over in no order; the library writes segments first.
        public void Init(FullDataSet<SerializedItemDescriptor> allData) =>
            failures.Watched(() => store.Init(allData.Data.Select(collection => new ItemCollection(
                collection.Key.Name,
                collection.Value.Items.Select(item => new KeyValuePair<string, Item>(item.Key, Written(item.Value)))))));

        public SerializedItemDescriptor? Get(DataKind kind, string key)
        {
            Item item = failures.Watched(() => store.Get(kind.Name, key));
            return item == null ? null : Read(kind, key, item);
        }

        public KeyedItems<SerializedItemDescriptor> GetAll(DataKind kind)
        {
            var items = new List<KeyValuePair<string, SerializedItemDescriptor>>();
            foreach (KeyValuePair<string, Item> item in failures.Watched(() => store.GetAll(kind.Name)))
            {
                SerializedItemDescriptor? read = Read(kind, item.Key, item.Value);
                if (read.HasValue) items.Add(new KeyValuePair<string, SerializedItemDescriptor>(item.Key, read.Value));
            }
            return new KeyedItems<SerializedItemDescriptor>(items);
        }

        // False also for an item that is too large: the SDK then reads, and caches, what all other processes read.
        public bool Upsert(DataKind kind, string key, SerializedItemDescriptor item) =>
            failures.Watched(() => store.Upsert(kind.Name, key, Written(item))).Written;

        public bool Initialized() => failures.Watched(store.Initialized);

        public bool IsStoreAvailable() => store.Available();

        public void Dispose() => store.Dispose();

        private static Item Written(SerializedItemDescriptor item) =>
            item.Deleted ? Item.Tombstone(item.Version, item.SerializedItem) : new Item(item.Version, item.SerializedItem);

        /// <summary>Null for a row whose version the SDK cannot hold: cut off, it would lose against older ones.</summary>
        private SerializedItemDescriptor? Read(DataKind kind, string key, Item item)
        {
            if (item.Version <= int.MaxValue) return new SerializedItemDescriptor((int)item.Version, item.Deleted, item.Payload);
            log.Error(
                "the item \"{0}\" of kind \"{1}\" is left out: its version {2} is over {3}, the highest that this SDK reads",
                key, kind.Name, item.Version, int.MaxValue);
            return null;
        }
    }
}
