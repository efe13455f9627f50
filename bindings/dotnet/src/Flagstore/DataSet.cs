using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;

namespace Flagstore
{
    /// <summary>The items of one kind, as part of a data set.</summary>
    public sealed class ItemCollection
    {
        /// <summary>The items of one kind, in the order in which they are to be written.</summary>
        /// <param name="kind">such as <c>features</c> or <c>segments</c></param>
        /// <param name="items">by key; none deletes the kind's rows</param>
        public ItemCollection(string kind, IEnumerable<KeyValuePair<string, Item>> items)
        {
            Kind = kind ?? throw new ArgumentNullException(nameof(kind));
            Items = items ?? throw new ArgumentNullException(nameof(items));
        }

        /// <summary>Such as <c>features</c> or <c>segments</c>.</summary>
        public string Kind { get; }

        /// <summary>By key.</summary>
        public IEnumerable<KeyValuePair<string, Item>> Items { get; }
    }

    /// <summary>
    /// A data set laid out as store_init reads it, in memory of its own: pinning a string per item would hold up the garbage
    /// collector for as long as the init takes.
    /// </summary>
    internal sealed unsafe class DataSet : IDisposable
    {
        private readonly IntPtr memory;
        private byte* next;

        internal readonly store_collection* Collections;
        internal readonly UIntPtr Count;

        internal DataSet(IEnumerable<ItemCollection> given)
        {
            if (given == null) throw new ArgumentNullException("collections");
            var kinds = given.Select(collection => new { collection.Kind, Items = collection.Items.ToList() }).ToList();
            long items = 0;
            long text = 0;
            foreach (var kind in kinds)
            {
                text += Length("kind", kind.Kind);
                items += kind.Items.Count;
                foreach (KeyValuePair<string, Item> item in kind.Items)
                {
                    if (item.Value == null) throw new ArgumentNullException("item", "the item of key \"" + item.Key + "\" is null");
                    text += Length("key", item.Key) + Length("payload", item.Value.Payload ?? "");
                }
            }
            long structs = kinds.Count * (long)sizeof(store_collection) + items * sizeof(store_item);
            memory = Marshal.AllocHGlobal(checked((IntPtr)(structs + text)));
            Count = (UIntPtr)(uint)kinds.Count;
            Collections = (store_collection*)memory;
            var itemPlace = (store_item*)(Collections + kinds.Count);
            next = (byte*)memory + structs;
            store_collection* place = Collections;
            foreach (var kind in kinds)
            {
                place->kind = Laid(kind.Kind, out place->kind_len);
                place->items = itemPlace;
                place->items_len = (UIntPtr)(uint)kind.Items.Count;
                place++;
                foreach (KeyValuePair<string, Item> item in kind.Items)
                {
                    *itemPlace = default(store_item);
                    itemPlace->key = Laid(item.Key, out itemPlace->key_len);
                    itemPlace->item = Laid(item.Value.Payload ?? "", out itemPlace->item_len);
                    itemPlace->version = item.Value.Version;
                    itemPlace->deleted = item.Value.Deleted ? 1 : 0;
                    itemPlace++;
                }
            }
        }

        private static long Length(string name, string text) => Text.Utf8Length(name, text);

        private byte* Laid(string text, out UIntPtr length)
        {
            length = UIntPtr.Zero;
            if (text.Length == 0) return null;
            byte* start = next;
            fixed (char* characters = text)
            {
                int bytes = Encoding.UTF8.GetBytes(characters, text.Length, start, int.MaxValue);
                length = (UIntPtr)(uint)bytes;
                next += bytes;
            }
            return start;
        }

        public void Dispose() => Marshal.FreeHGlobal(memory);
    }
}
