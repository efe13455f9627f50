using System;
using System.Collections.Generic;

namespace Flagstore
{
    /// <summary>A flag, segment or other item without its key. It never changes.</summary>
    public sealed class Item : IEquatable<Item>
    {
        /// <summary>An item that is there.</summary>
        /// <param name="version">decides which of two writes wins: 0 or more; LaunchDarkly's .NET and Java SDKs read versions
        /// up to 2,147,483,647</param>
        /// <param name="payload">opaque text, which is stored and comes back character for character</param>
        public Item(long version, string payload) : this(version, payload, false, false)
        {
        }

        internal Item(long version, string payload, bool deleted, bool stale)
        {
            Version = version;
            Payload = payload;
            Deleted = deleted;
            Stale = stale;
        }

        /// <summary>A tombstone.</summary>
        /// <param name="version">the version of the deletion</param>
        /// <param name="payload">what to store for kinds other than <c>features</c> and <c>segments</c>, whose tombstones have
        /// a form that every SDK reads; null for a minimal JSON</param>
        /// <returns>an item that is deleted</returns>
        public static Item Tombstone(long version, string payload = null) => new Item(version, payload, true, false);

        /// <summary>Decides which of two writes wins: 0 or more.</summary>
        public long Version { get; }

        /// <summary>Exactly as it was stored; null of a deleted item that was read.</summary>
        public string Payload { get; }

        /// <summary>Whether the item was deleted.</summary>
        public bool Deleted { get; }

        /// <summary>Whether it comes from the cache beyond its time to live because reading it failed.</summary>
        public bool Stale { get; }

        /// <inheritdoc/>
        public bool Equals(Item other) =>
            other != null && Version == other.Version && Deleted == other.Deleted && Stale == other.Stale
            && string.Equals(Payload, other.Payload, StringComparison.Ordinal);

        /// <inheritdoc/>
        public override bool Equals(object other) => Equals(other as Item);

        /// <inheritdoc/>
        public override int GetHashCode() => Version.GetHashCode() ^ (Payload == null ? 0 : Payload.GetHashCode());

        /// <summary>For logs: without the payload.</summary>
        /// <returns>its version, and whether it is deleted or stale</returns>
        public override string ToString() =>
            "version " + Version + (Deleted ? ", deleted" : "") + (Stale ? ", stale" : "");

        /// <summary>Copies an item out of the library's memory.</summary>
        internal static unsafe Item Of(store_item* item)
        {
            bool deleted = item->deleted != 0;
            return new Item(item->version, deleted ? null : Text.Of(item->item, item->item_len), deleted, item->stale != 0);
        }

        /// <summary>Copies a list out of the library's memory, and frees it.</summary>
        internal static unsafe IReadOnlyDictionary<string, Item> Taken(void* list)
        {
            try
            {
                store_item* first;
                UIntPtr count;
                Native.store_items_view(list, &first, &count, null);
                int number = checked((int)(ulong)count);
                var items = new Dictionary<string, Item>(number, StringComparer.Ordinal);
                for (int at = 0; at < number; at++) items[Text.Of(first[at].key, first[at].key_len)] = Of(first + at);
                return items;
            }
            finally
            {
                Native.store_items_free(list);
            }
        }
    }
}
