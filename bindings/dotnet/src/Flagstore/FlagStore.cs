using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading.Tasks;

namespace Flagstore
{
    /// <summary>
    /// The LaunchDarkly DynamoDB feature store: one table, or one prefix of it.
    /// </summary>
    /// <remarks>
    /// <para>Any thread may use it, also several at the same time. Every call ends at the deadline that the options set for it. A
    /// blocking call holds its thread; the methods that return a task hold none while they wait.</para>
    /// <para>Errors are <see cref="FlagStoreException"/>. Keys may hold any characters; payloads are opaque and come back exactly
    /// as they were stored.</para>
    /// </remarks>
    /// <example>
    /// <code>
    /// using (FlagStore store = FlagStore.Open(new FlagStoreOptions("flags") { Prefix = "production", Region = "eu-west-1" }))
    /// {
    ///     Item flag = store.Get("features", "my-flag");
    /// }
    /// </code>
    /// </example>
    public sealed unsafe partial class FlagStore : IDisposable
#if !NO_ASYNC_DISPOSABLE
        , IAsyncDisposable
#endif
    {
        // A look for events costs about as much as a read out of the cache.
        private static readonly long BetweenLooks = Stopwatch.Frequency / 10;

        [ThreadStatic]
        private static bool delivering;

        private readonly StoreHandle handle;
        private readonly string table;
        private readonly Action<StoreEvent> onEvent;
        private long nextLook = Stopwatch.GetTimestamp();

        private FlagStore(StoreHandle handle, string table, Action<StoreEvent> onEvent)
        {
            this.handle = handle;
            this.table = table;
            this.onEvent = onEvent;
        }

        /// <summary>
        /// Gets events of stores whose options have no <see cref="FlagStoreOptions.OnEvent"/>. Its level is off until it is set,
        /// as in <c>FlagStore.Trace.Switch.Level = SourceLevels.Information</c>, or configured under the name "Flagstore".
        /// </summary>
        public static TraceSource Trace { get; } = new TraceSource("Flagstore", SourceLevels.Off);

        /// <summary>The version of the loaded libflagstore, such as <c>0.1.0</c>.</summary>
        /// <exception cref="LibraryException">it cannot be loaded</exception>
        public static string LibraryVersion
        {
            get
            {
                Library.Load();
                return Version();
            }
        }

        /// <summary>
        /// Opens a store. Costs no network I/O and needs no table yet: a wrong one shows at the first call.
        /// </summary>
        /// <param name="options">which are copied</param>
        /// <returns>a store, to be disposed</returns>
        /// <exception cref="FlagStoreException">an option is unknown, of the wrong type or out of range; the message names
        /// it</exception>
        /// <exception cref="LibraryException">libflagstore cannot be loaded</exception>
        public static FlagStore Open(FlagStoreOptions options)
        {
            byte[] json = Loaded(options);
            return new FlagStore(Opened(json), options.Table, options.OnEvent ?? ToTrace);
        }

        // Apart from what loads the library: see Library.IsImported.
        [MethodImpl(MethodImplOptions.NoInlining)]
        private static string Version() => Text.Terminated(Native.store_version());

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static StoreHandle Opened(byte[] json)
        {
            ulong number;
            store_error error;
            fixed (byte* start = json)
            {
                if (Native.store_open(start, (UIntPtr)(uint)json.Length, &number, &error) != Native.Ok)
                {
                    throw FlagStoreException.Taken(&error);
                }
            }
            return new StoreHandle(number);
        }

        /// <summary>
        /// Reads one item, a deleted one included: look at its <see cref="Item.Deleted"/>. Blocks for at most
        /// <see cref="FlagStoreOptions.Timeout"/>, unless the item is cached.
        /// </summary>
        /// <param name="kind">such as <c>features</c> or <c>segments</c></param>
        /// <param name="key">the item's key</param>
        /// <returns>null if there is no row, or one that cannot be read, which an event reports</returns>
        /// <exception cref="FlagStoreException">kind or key is empty or too long, the store is closed, or DynamoDB did not answer
        /// as it should</exception>
        public Item Get(string kind, string key)
        {
            byte[] ofKind = Text.Utf8(nameof(kind), kind);
            byte[] ofKey = Text.Utf8(nameof(key), key);
            store_item item = default(store_item);
            store_error error;
            try
            {
                int code;
                fixed (byte* startOfKind = ofKind, startOfKey = ofKey)
                {
                    code = Native.store_get(
                        handle.Number, startOfKind, Length(ofKind), startOfKey, Length(ofKey), &item, &error);
                }
                GC.KeepAlive(handle);
                if (code < Native.Ok) throw Failed(&error);
                return Got(code == Native.Ok ? Item.Of(&item) : null);
            }
            finally
            {
                Native.store_item_free(&item);
            }
        }

        /// <summary>
        /// Reads all items of a kind by key, deleted ones included. A row that cannot be read is left out, and an event reports
        /// it. Blocks for at most <see cref="FlagStoreOptions.AllTimeout"/>, unless the list is cached.
        /// </summary>
        /// <param name="kind">such as <c>features</c> or <c>segments</c></param>
        /// <returns>the items, in no particular order</returns>
        /// <exception cref="FlagStoreException">as for <see cref="Get"/></exception>
        public IReadOnlyDictionary<string, Item> GetAll(string kind)
        {
            byte[] ofKind = Text.Utf8(nameof(kind), kind);
            void* items;
            store_error error;
            fixed (byte* startOfKind = ofKind)
            {
                Checked(Native.store_get_all(handle.Number, startOfKind, Length(ofKind), &items, &error), &error);
            }
            IReadOnlyDictionary<string, Item> all = Item.Taken(items);
            DeliverEvents();
            return all;
        }

        /// <summary>
        /// Writes one item if the table has none of this key, or one with a smaller version, in one request. Blocks for at most
        /// <see cref="FlagStoreOptions.Timeout"/>. After an error that is retriable the item may have been written or not; calling
        /// again is safe.
        /// </summary>
        /// <param name="kind">such as <c>features</c> or <c>segments</c></param>
        /// <param name="key">the item's key</param>
        /// <param name="item">what to write; a deleted one may go without a payload, and then gets one that every SDK
        /// reads</param>
        /// <returns>what came of it</returns>
        /// <exception cref="FlagStoreException">kind, key or payload is empty, kind or key is too long or the version is negative;
        /// otherwise as for <see cref="Get"/></exception>
        public UpsertResult Upsert(string kind, string key, Item item)
        {
            if (item == null) throw new ArgumentNullException(nameof(item));
            byte[] ofKind = Text.Utf8(nameof(kind), kind);
            byte[] ofKey = Text.Utf8(nameof(key), key);
            byte[] payload = Text.Utf8(nameof(item), item.Payload ?? "");
            store_item stored = default(store_item);
            store_error error;
            try
            {
                int code;
                fixed (byte* startOfKind = ofKind, startOfKey = ofKey, start = payload)
                {
                    code = Native.store_upsert(
                        handle.Number, startOfKind, Length(ofKind), startOfKey, Length(ofKey),
                        item.Version, item.Deleted ? 1 : 0, start, Length(payload), &stored, &error);
                }
                Checked(code, &error);
                return Upserted(code, &stored);
            }
            finally
            {
                Native.store_item_free(&stored);
            }
        }

        /// <summary>
        /// Marks an item as deleted, by an upsert of a tombstone that every SDK reads. Blocking and errors as for
        /// <see cref="Upsert"/>.
        /// </summary>
        /// <param name="kind">such as <c>features</c> or <c>segments</c></param>
        /// <param name="key">the item's key</param>
        /// <param name="version">the version of the deletion</param>
        /// <returns>what came of it</returns>
        public UpsertResult Delete(string kind, string key, long version) => Upsert(kind, key, Item.Tombstone(version));

        /// <summary>
        /// Replaces all items of the given kinds, then marks the store as initialised.
        /// </summary>
        /// <remarks>
        /// Writes only what differs, segments first, then flags after their prerequisites; deletes the rows of these kinds that
        /// are not given; leaves alone what another writer gave a newer version. Success means that everything is stored; after an
        /// error, calling again goes on where it stopped. Blocks for at most <see cref="FlagStoreOptions.InitTimeout"/>.
        /// </remarks>
        /// <param name="collections">the kinds; their order is kept where flags do not depend on each other</param>
        /// <returns>what it did</returns>
        /// <exception cref="FlagStoreException">something in the data cannot be right, and nothing was sent; otherwise as for
        /// <see cref="Get"/></exception>
        public InitReport Init(IEnumerable<ItemCollection> collections)
        {
            byte* report;
            store_error error;
            using (var data = new DataSet(collections))
            {
                Checked(Native.store_init(handle.Number, data.Collections, data.Count, &report, &error), &error);
            }
            return Reported(report);
        }

        /// <summary>
        /// <see cref="Init"/> with JSON as a LaunchDarkly SDK has it: <c>{"flags": {key: item}, "segments": {key: item}}</c>, also
        /// inside the <c>{"path": "/", "data": …}</c> of a stream. Each item's text is stored as it is; its version is its member
        /// <c>version</c>, and <c>"deleted": true</c> makes it a deletion. Blocking and errors as there.
        /// </summary>
        /// <param name="json">the data set</param>
        /// <returns>what it did</returns>
        public InitReport InitJson(string json)
        {
            byte[] text = Text.Utf8(nameof(json), json);
            byte* report;
            store_error error;
            fixed (byte* start = text)
            {
                Checked(Native.store_init_json(handle.Number, start, Length(text), &report, &error), &error);
            }
            return Reported(report);
        }

        /// <summary>
        /// Whether a full data set was ever stored under this prefix. Once true it is answered without I/O, else it blocks for at
        /// most <see cref="FlagStoreOptions.Timeout"/>.
        /// </summary>
        /// <returns>whether it was</returns>
        /// <exception cref="FlagStoreException">as for <see cref="Get"/></exception>
        public bool Initialized()
        {
            int initialized;
            store_error error;
            Checked(Native.store_initialized(handle.Number, &initialized, &error), &error);
            return initialized != 0;
        }

        /// <summary>
        /// Whether the table answers, by one small read that is never cached. Blocks for at most
        /// <see cref="FlagStoreOptions.Timeout"/>. Never throws; why it is not available is an event at debug level, and any other
        /// call tells.
        /// </summary>
        /// <returns>whether it answers</returns>
        public bool Available()
        {
            try
            {
                store_error error;
                Checked(Native.store_available(handle.Number, &error), &error);
                return true;
            }
            catch (FlagStoreException error)
            {
                return Unavailable(error);
            }
        }

        /// <summary>
        /// When big segments were last brought up to date. Blocks for at most <see cref="FlagStoreOptions.Timeout"/>.
        /// </summary>
        /// <returns>Unix time in milliseconds; null if nothing ever wrote big segments</returns>
        /// <exception cref="FlagStoreException">as for <see cref="Get"/></exception>
        public long? BigSegmentsMetadata()
        {
            long milliseconds;
            store_error error;
            int code = Checked(Native.store_big_segments_metadata(handle.Number, &milliseconds, &error), &error);
            return code == Native.Ok ? milliseconds : (long?)null;
        }

        /// <summary>
        /// The big segments that name one context, by segment reference (<c>key.g&lt;generation&gt;</c>). Blocks for at most
        /// <see cref="FlagStoreOptions.Timeout"/>.
        /// </summary>
        /// <param name="contextHash">base64 of the SHA-256 of the context's key</param>
        /// <returns>true where the context is included, false where it is excluded; null if no big segment names it</returns>
        /// <exception cref="FlagStoreException">as for <see cref="Get"/></exception>
        public IReadOnlyDictionary<string, bool> BigSegmentsMembership(string contextHash)
        {
            byte[] hash = Text.Utf8(nameof(contextHash), contextHash);
            void* membership;
            store_error error;
            int code;
            fixed (byte* start = hash)
            {
                code = Native.store_big_segments_membership(handle.Number, start, Length(hash), &membership, &error);
            }
            return Checked(code, &error) == Native.Ok ? Segments(membership) : null;
        }

        /// <summary>
        /// What the store did since it was opened: <c>hits</c>, <c>misses</c>, <c>coalesced</c>, <c>stale</c> and
        /// <c>refreshes</c> of the cache; of the stale ones <c>served_while_away</c>, which did not wait, and
        /// <c>oldest_stale_ms</c>, the age of the oldest; <c>away</c>, 1 while DynamoDB does not answer, else 0;
        /// <c>requests</c>, <c>retries</c>, <c>throttles</c> and <c>errors</c> of DynamoDB; <c>read_units</c> and
        /// <c>write_units</c> consumed; <c>skipped_rows</c>, <c>dropped_events</c>; <c>uncached</c>, answers too large to be kept;
        /// <c>host_hits</c>, values out of <c>cache_dir</c>, and <c>host_trouble</c>, what went wrong with its files;
        /// <c>unwritten</c>, items that are to be written again; and what the cache holds now, <c>cached_items</c>,
        /// <c>cached_lists</c> and <c>cached_bytes</c>. Does not block.
        /// </summary>
        /// <returns>numbers by name</returns>
        /// <exception cref="FlagStoreException">the store is closed</exception>
        public IReadOnlyDictionary<string, double> Statistics()
        {
            byte* json;
            store_error error;
            Checked(Native.store_statistics(handle.Number, &json, &error), &error);
            var numbers = (IDictionary<string, object>)Json.Read(Text.Taken(json));
            return numbers.ToDictionary(number => number.Key, number => Convert.ToDouble(number.Value), StringComparer.Ordinal);
        }

        /// <summary>Forgets everything that is cached; the next reads ask DynamoDB. Does not block.</summary>
        /// <exception cref="FlagStoreException">the store is closed</exception>
        public void ClearCache()
        {
            store_error error;
            Checked(Native.store_clear_cache(handle.Number, &error), &error);
        }

        /// <summary>Whether the store was disposed.</summary>
        public bool Closed => handle.IsClosed;

        /// <summary>
        /// Closes the store; calls in flight on other threads finish undisturbed, later ones fail. Doing it again does nothing.
        /// Does not block. A store that is forgotten is closed when it is collected.
        /// </summary>
        public void Dispose()
        {
            if (Closed) return;
            DeliverEvents();
            handle.Dispose();
        }

#if !NO_ASYNC_DISPOSABLE
        /// <summary><see cref="Dispose"/>, which does not block.</summary>
        /// <returns>a task that has ended</returns>
        public ValueTask DisposeAsync()
        {
            Dispose();
            return default(ValueTask);
        }
#endif

        /// <summary>The table, and whether the store is closed.</summary>
        /// <returns>a text for logs</returns>
        public override string ToString() => "FlagStore of table \"" + table + "\"" + (Closed ? ", closed" : "");
    }
}
