using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstore
{
    // Calls that hold no thread while they wait for DynamoDB. Their lambdas pin what they pass, since nothing that is pinned
    // outside of a lambda can be used in it; the library has copied it when they return.
    public sealed unsafe partial class FlagStore
    {
        /// <summary>
        /// <see cref="Get"/> without blocking. What the cache has, also that there is no row, comes in a task that has ended.
        /// </summary>
        /// <param name="kind">such as <c>features</c> or <c>segments</c></param>
        /// <param name="key">the item's key</param>
        /// <param name="cancellationToken">cancels the call, and lets go what it holds</param>
        /// <returns>a task that fails with the exception that <see cref="Get"/> would throw</returns>
        public Task<Item> GetAsync(string kind, string key, CancellationToken cancellationToken = default(CancellationToken))
        {
            byte[] ofKind = Text.Utf8(nameof(kind), kind);
            byte[] ofKey = Text.Utf8(nameof(key), key);
            if (cancellationToken.IsCancellationRequested) return Task.FromCanceled<Item>(cancellationToken);
            if (Cached(ofKind, ofKey, out Item cached)) return Task.FromResult(cached);
            return AsyncCall<Item>.Of(
                (userData, number) =>
                {
                    store_error error;
                    fixed (byte* startOfKind = ofKind, startOfKey = ofKey)
                    {
                        return Started(
                            Native.store_get_async(
                                handle.Completing, startOfKind, Length(ofKind), startOfKey, Length(ofKey), IntPtr.Zero, userData, number, &error),
                            &error);
                    }
                },
                result =>
                {
                    int code = Code(result);
                    store_item item = default(store_item);
                    try
                    {
                        if (code == Native.Ok) Native.store_result_item(result, &item, null);
                        return Got(code == Native.Ok ? Item.Of(&item) : null);
                    }
                    finally
                    {
                        Native.store_item_free(&item);
                    }
                },
                cancellationToken);
        }

        /// <summary>Whether the cache alone has the answer. It has none where a call would fail, which is left to that.</summary>
        private bool Cached(byte[] kind, byte[] key, out Item cached)
        {
            store_item item = default(store_item);
            try
            {
                int code;
                fixed (byte* startOfKind = kind, startOfKey = key)
                {
                    code = Native.store_get_cached(
                        handle.Number, startOfKind, Length(kind), startOfKey, Length(key), &item, null);
                }
                GC.KeepAlive(handle);
                cached = null;
                if (code != Native.Ok && code != Native.NotFound) return false;
                cached = Got(code == Native.Ok ? Item.Of(&item) : null);
                return true;
            }
            finally
            {
                Native.store_item_free(&item);
            }
        }

        /// <summary><see cref="GetAll"/> without blocking.</summary>
        /// <param name="kind">such as <c>features</c> or <c>segments</c></param>
        /// <param name="cancellationToken">cancels the call, and lets go what it holds</param>
        /// <returns>a task that fails with the exception that <see cref="GetAll"/> would throw</returns>
        public Task<IReadOnlyDictionary<string, Item>> GetAllAsync(
            string kind, CancellationToken cancellationToken = default(CancellationToken))
        {
            byte[] ofKind = Text.Utf8(nameof(kind), kind);
            return AsyncCall<IReadOnlyDictionary<string, Item>>.Of(
                (userData, number) =>
                {
                    store_error error;
                    fixed (byte* startOfKind = ofKind)
                    {
                        return Started(
                            Native.store_get_all_async(handle.Completing, startOfKind, Length(ofKind), IntPtr.Zero, userData, number, &error), &error);
                    }
                },
                result =>
                {
                    Code(result);
                    void* items;
                    Native.store_result_items(result, &items, null);
                    IReadOnlyDictionary<string, Item> all = Item.Taken(items);
                    DeliverEvents();
                    return all;
                },
                cancellationToken);
        }

        /// <summary><see cref="Upsert"/> without blocking.</summary>
        /// <param name="kind">such as <c>features</c> or <c>segments</c></param>
        /// <param name="key">the item's key</param>
        /// <param name="item">what to write</param>
        /// <param name="cancellationToken">cancels the call, which may have written or not</param>
        /// <returns>a task that fails with the exception that <see cref="Upsert"/> would throw</returns>
        public Task<UpsertResult> UpsertAsync(
            string kind, string key, Item item, CancellationToken cancellationToken = default(CancellationToken))
        {
            if (item == null) throw new ArgumentNullException(nameof(item));
            byte[] ofKind = Text.Utf8(nameof(kind), kind);
            byte[] ofKey = Text.Utf8(nameof(key), key);
            byte[] payload = Text.Utf8(nameof(item), item.Payload ?? "");
            return AsyncCall<UpsertResult>.Of(
                (userData, number) =>
                {
                    store_error error;
                    fixed (byte* startOfKind = ofKind, startOfKey = ofKey, start = payload)
                    {
                        return Started(
                            Native.store_upsert_async(
                                handle.Completing, startOfKind, Length(ofKind), startOfKey, Length(ofKey),
                                item.Version, item.Deleted ? 1 : 0, start, Length(payload), IntPtr.Zero, userData, number, &error),
                            &error);
                    }
                },
                result =>
                {
                    int code = Code(result);
                    DeliverEvents();
                    store_item stored = default(store_item);
                    try
                    {
                        if (code == Native.NewerExists) Native.store_result_item(result, &stored, null);
                        return Upserted(code, &stored);
                    }
                    finally
                    {
                        Native.store_item_free(&stored);
                    }
                },
                cancellationToken);
        }

        /// <summary><see cref="Delete"/> without blocking.</summary>
        /// <param name="kind">such as <c>features</c> or <c>segments</c></param>
        /// <param name="key">the item's key</param>
        /// <param name="version">the version of the deletion</param>
        /// <param name="cancellationToken">cancels the call, which may have written or not</param>
        /// <returns>a task that fails with the exception that <see cref="Delete"/> would throw</returns>
        public Task<UpsertResult> DeleteAsync(
            string kind, string key, long version, CancellationToken cancellationToken = default(CancellationToken)) =>
            UpsertAsync(kind, key, Item.Tombstone(version), cancellationToken);

        /// <summary><see cref="Init"/> without blocking. Errors of checking the data are the task's too.</summary>
        /// <param name="collections">the kinds, which are copied before it returns</param>
        /// <param name="cancellationToken">cancels the call: it begins no further write, and an event says what it had done</param>
        /// <returns>a task that fails with the exception that <see cref="Init"/> would throw</returns>
        public Task<InitReport> InitAsync(
            IEnumerable<ItemCollection> collections, CancellationToken cancellationToken = default(CancellationToken))
        {
            using (var data = new DataSet(collections))
            {
                return AsyncCall<InitReport>.Of(
                    (userData, number) =>
                    {
                        store_error error;
                        return Started(
                            Native.store_init_async(handle.Completing, data.Collections, data.Count, IntPtr.Zero, userData, number, &error), &error);
                    },
                    Reported,
                    cancellationToken);
            }
        }

        /// <summary><see cref="InitJson"/> without blocking. Errors of checking the data are the task's too.</summary>
        /// <param name="json">the data set</param>
        /// <param name="cancellationToken">cancels the call: it begins no further write, and an event says what it had done</param>
        /// <returns>a task that fails with the exception that <see cref="InitJson"/> would throw</returns>
        public Task<InitReport> InitJsonAsync(string json, CancellationToken cancellationToken = default(CancellationToken))
        {
            byte[] text = Text.Utf8(nameof(json), json);
            return AsyncCall<InitReport>.Of(
                (userData, number) =>
                {
                    store_error error;
                    fixed (byte* start = text)
                    {
                        return Started(
                            Native.store_init_json_async(handle.Completing, start, Length(text), IntPtr.Zero, userData, number, &error), &error);
                    }
                },
                Reported,
                cancellationToken);
        }

        /// <summary><see cref="Initialized"/> without blocking.</summary>
        /// <param name="cancellationToken">cancels the call, and lets go what it holds</param>
        /// <returns>a task that fails with the exception that <see cref="Initialized"/> would throw</returns>
        public Task<bool> InitializedAsync(CancellationToken cancellationToken = default(CancellationToken)) =>
            AsyncCall<bool>.Of(
                (userData, number) =>
                {
                    store_error error;
                    return Started(Native.store_initialized_async(handle.Completing, IntPtr.Zero, userData, number, &error), &error);
                },
                result =>
                {
                    Code(result);
                    DeliverEvents();
                    int initialized;
                    Native.store_result_initialized(result, &initialized, null);
                    return initialized != 0;
                },
                cancellationToken);

        /// <summary>
        /// <see cref="Available"/> without blocking. It never fails either: also of a closed store, the answer is false.
        /// </summary>
        /// <param name="cancellationToken">cancels the call, and lets go what it holds</param>
        /// <returns>whether the table answers</returns>
        public Task<bool> AvailableAsync(CancellationToken cancellationToken = default(CancellationToken)) =>
            AsyncCall<bool>.Of(
                (userData, number) =>
                {
                    store_error error;
                    return Started(Native.store_available_async(handle.Completing, IntPtr.Zero, userData, number, &error), &error);
                },
                result =>
                {
                    Code(result);
                    DeliverEvents();
                    return true;
                },
                cancellationToken,
                Unavailable);

        /// <summary><see cref="BigSegmentsMetadata"/> without blocking.</summary>
        /// <param name="cancellationToken">cancels the call, and lets go what it holds</param>
        /// <returns>a task that fails with the exception that <see cref="BigSegmentsMetadata"/> would throw</returns>
        public Task<long?> BigSegmentsMetadataAsync(CancellationToken cancellationToken = default(CancellationToken)) =>
            AsyncCall<long?>.Of(
                (userData, number) =>
                {
                    store_error error;
                    return Started(Native.store_big_segments_metadata_async(handle.Completing, IntPtr.Zero, userData, number, &error), &error);
                },
                result =>
                {
                    int code = Code(result);
                    DeliverEvents();
                    if (code != Native.Ok) return null;
                    long milliseconds;
                    Native.store_result_metadata(result, &milliseconds, null);
                    return milliseconds;
                },
                cancellationToken);

        /// <summary><see cref="BigSegmentsMembership"/> without blocking.</summary>
        /// <param name="contextHash">base64 of the SHA-256 of the context's key</param>
        /// <param name="cancellationToken">cancels the call, and lets go what it holds</param>
        /// <returns>a task that fails with the exception that <see cref="BigSegmentsMembership"/> would throw</returns>
        public Task<IReadOnlyDictionary<string, bool>> BigSegmentsMembershipAsync(
            string contextHash, CancellationToken cancellationToken = default(CancellationToken))
        {
            byte[] hash = Text.Utf8(nameof(contextHash), contextHash);
            return AsyncCall<IReadOnlyDictionary<string, bool>>.Of(
                (userData, number) =>
                {
                    store_error error;
                    fixed (byte* start = hash)
                    {
                        return Started(
                            Native.store_big_segments_membership_async(
                                handle.Completing, start, Length(hash), IntPtr.Zero, userData, number, &error),
                            &error);
                    }
                },
                result =>
                {
                    int code = Code(result);
                    DeliverEvents();
                    if (code != Native.Ok) return null;
                    void* membership;
                    Native.store_result_membership(result, &membership, null);
                    return Segments(membership);
                },
                cancellationToken);
        }

        private Exception Started(int code, store_error* error)
        {
            GC.KeepAlive(handle);
            return code < Native.Ok ? Failed(error) : null;
        }

        /// <summary>The outcome of a call; an error is thrown.</summary>
        private int Code(void* result)
        {
            int code = Native.store_result_code(result);
            if (code >= Native.Ok) return code;
            store_error error;
            Native.store_result_error(result, &error);
            throw Failed(&error);
        }

        private InitReport Reported(void* result)
        {
            Code(result);
            byte* report;
            Native.store_result_report(result, &report, null);
            return Reported(report);
        }
    }
}
