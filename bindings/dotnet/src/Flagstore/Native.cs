using System;
using System.Runtime.InteropServices;

namespace Flagstore
{
    // The C ABI: structs and functions with the names, types and order of include/flagstore_cdef.h. A test compares them.
    // Everything is blittable, so that nothing is copied or converted on the way; text is a pointer and a length in bytes.

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct store_error
    {
        public int code;
        public int retriable;
        public byte* message;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct store_item
    {
        public byte* key;
        public UIntPtr key_len;
        public byte* item;
        public UIntPtr item_len;
        public long version;
        public int deleted;
        public int stale;
        public void* owner;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct store_collection
    {
        public byte* kind;
        public UIntPtr kind_len;
        public store_item* items;
        public UIntPtr items_len;
    }

    /// <summary>
    /// The functions, each a delegate of its address in the library that <see cref="Library"/> has loaded by then. Not imported by
    /// a name: that the name of a library leads to the one that was loaded by its path, only glibc's loader grants.
    /// </summary>
    internal static unsafe class Native
    {
        internal const int Abi = 1;

        internal const int Ok = 0;
        internal const int NotFound = 1;
        internal const int NewerExists = 2;
        internal const int TooLarge = 3;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate byte* store_version_type();
        internal static store_version_type store_version;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate byte* store_code_name_type(int code);
        internal static store_code_name_type store_code_name;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_open_type(byte* options, UIntPtr options_len, ulong* store, store_error* error);
        internal static store_open_type store_open;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_close_type(ulong store, store_error* error);
        internal static store_close_type store_close;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_init_type(
            ulong store, store_collection* collections, UIntPtr collections_len, byte** report, store_error* error);
        internal static store_init_type store_init;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_init_json_type(ulong store, byte* json, UIntPtr json_len, byte** report, store_error* error);
        internal static store_init_json_type store_init_json;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_get_type(
            ulong store, byte* kind, UIntPtr kind_len, byte* key, UIntPtr key_len, store_item* item, store_error* error);
        internal static store_get_type store_get;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_get_cached_type(
            ulong store, byte* kind, UIntPtr kind_len, byte* key, UIntPtr key_len, store_item* item, store_error* error);
        internal static store_get_cached_type store_get_cached;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_get_all_type(ulong store, byte* kind, UIntPtr kind_len, void** items, store_error* error);
        internal static store_get_all_type store_get_all;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_items_view_type(void* items, store_item** first, UIntPtr* count, store_error* error);
        internal static store_items_view_type store_items_view;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_upsert_type(
            ulong store, byte* kind, UIntPtr kind_len, byte* key, UIntPtr key_len, long version, int deleted, byte* item,
            UIntPtr item_len, store_item* stored, store_error* error);
        internal static store_upsert_type store_upsert;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_initialized_type(ulong store, int* initialized, store_error* error);
        internal static store_initialized_type store_initialized;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_available_type(ulong store, store_error* error);
        internal static store_available_type store_available;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_big_segments_metadata_type(ulong store, long* synchronized_on, store_error* error);
        internal static store_big_segments_metadata_type store_big_segments_metadata;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_big_segments_membership_type(
            ulong store, byte* hash, UIntPtr hash_len, void** membership, store_error* error);
        internal static store_big_segments_membership_type store_big_segments_membership;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate UIntPtr store_membership_count_type(void* membership);
        internal static store_membership_count_type store_membership_count;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_membership_entry_type(
            void* membership, UIntPtr place, byte** segment, UIntPtr* segment_len, int* included, store_error* error);
        internal static store_membership_entry_type store_membership_entry;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_statistics_type(ulong store, byte** json, store_error* error);
        internal static store_statistics_type store_statistics;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_doctor_type(byte* options, UIntPtr options_len, byte** report_json, store_error* error);
        internal static store_doctor_type store_doctor;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_clear_cache_type(ulong store, store_error* error);
        internal static store_clear_cache_type store_clear_cache;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_next_event_type(ulong store, int* level, byte** message, store_error* error);
        internal static store_next_event_type store_next_event;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_get_async_type(
            ulong store, byte* kind, UIntPtr kind_len, byte* key, UIntPtr key_len, IntPtr done, IntPtr user_data, ulong* call,
            store_error* error);
        internal static store_get_async_type store_get_async;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_get_all_async_type(
            ulong store, byte* kind, UIntPtr kind_len, IntPtr done, IntPtr user_data, ulong* call, store_error* error);
        internal static store_get_all_async_type store_get_all_async;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_upsert_async_type(
            ulong store, byte* kind, UIntPtr kind_len, byte* key, UIntPtr key_len, long version, int deleted, byte* item,
            UIntPtr item_len, IntPtr done, IntPtr user_data, ulong* call, store_error* error);
        internal static store_upsert_async_type store_upsert_async;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_init_async_type(
            ulong store, store_collection* collections, UIntPtr collections_len, IntPtr done, IntPtr user_data, ulong* call,
            store_error* error);
        internal static store_init_async_type store_init_async;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_init_json_async_type(
            ulong store, byte* json, UIntPtr json_len, IntPtr done, IntPtr user_data, ulong* call, store_error* error);
        internal static store_init_json_async_type store_init_json_async;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_initialized_async_type(
            ulong store, IntPtr done, IntPtr user_data, ulong* call, store_error* error);
        internal static store_initialized_async_type store_initialized_async;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_available_async_type(
            ulong store, IntPtr done, IntPtr user_data, ulong* call, store_error* error);
        internal static store_available_async_type store_available_async;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_big_segments_metadata_async_type(
            ulong store, IntPtr done, IntPtr user_data, ulong* call, store_error* error);
        internal static store_big_segments_metadata_async_type store_big_segments_metadata_async;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_big_segments_membership_async_type(
            ulong store, byte* hash, UIntPtr hash_len, IntPtr done, IntPtr user_data, ulong* call, store_error* error);
        internal static store_big_segments_membership_async_type store_big_segments_membership_async;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_cancel_type(ulong call, store_error* error);
        internal static store_cancel_type store_cancel;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_completions_open_type(ulong* queue, store_error* error);
        internal static store_completions_open_type store_completions_open;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_complete_to_type(ulong store, ulong queue, store_error* error);
        internal static store_complete_to_type store_complete_to;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_completions_next_type(
            ulong queue, long timeout_ms, void** user_data, void** result, store_error* error);
        internal static store_completions_next_type store_completions_next;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_completions_close_type(ulong queue, store_error* error);
        internal static store_completions_close_type store_completions_close;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_result_code_type(void* result);
        internal static store_result_code_type store_result_code;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_result_error_type(void* result, store_error* error);
        internal static store_result_error_type store_result_error;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_result_item_type(void* result, store_item* item, store_error* error);
        internal static store_result_item_type store_result_item;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_result_items_type(void* result, void** items, store_error* error);
        internal static store_result_items_type store_result_items;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_result_initialized_type(void* result, int* initialized, store_error* error);
        internal static store_result_initialized_type store_result_initialized;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_result_metadata_type(void* result, long* synchronized_on, store_error* error);
        internal static store_result_metadata_type store_result_metadata;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_result_membership_type(void* result, void** membership, store_error* error);
        internal static store_result_membership_type store_result_membership;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int store_result_report_type(void* result, byte** report, store_error* error);
        internal static store_result_report_type store_result_report;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void store_error_free_type(store_error* error);
        internal static store_error_free_type store_error_free;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void store_item_free_type(store_item* item);
        internal static store_item_free_type store_item_free;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void store_items_free_type(void* items);
        internal static store_items_free_type store_items_free;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void store_membership_free_type(void* membership);
        internal static store_membership_free_type store_membership_free;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void store_result_free_type(void* result);
        internal static store_result_free_type store_result_free;

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void store_string_free_type(byte* @string);
        internal static store_string_free_type store_string_free;

        /// <summary>Binds them all to addresses. Each by its type, which is what can be compiled ahead of time.</summary>
        internal static void Bind(Func<string, IntPtr> address)
        {
            Bind(address, nameof(store_version), out store_version);
            Bind(address, nameof(store_code_name), out store_code_name);
            Bind(address, nameof(store_open), out store_open);
            Bind(address, nameof(store_close), out store_close);
            Bind(address, nameof(store_init), out store_init);
            Bind(address, nameof(store_init_json), out store_init_json);
            Bind(address, nameof(store_get), out store_get);
            Bind(address, nameof(store_get_cached), out store_get_cached);
            Bind(address, nameof(store_get_all), out store_get_all);
            Bind(address, nameof(store_items_view), out store_items_view);
            Bind(address, nameof(store_upsert), out store_upsert);
            Bind(address, nameof(store_initialized), out store_initialized);
            Bind(address, nameof(store_available), out store_available);
            Bind(address, nameof(store_big_segments_metadata), out store_big_segments_metadata);
            Bind(address, nameof(store_big_segments_membership), out store_big_segments_membership);
            Bind(address, nameof(store_membership_count), out store_membership_count);
            Bind(address, nameof(store_membership_entry), out store_membership_entry);
            Bind(address, nameof(store_statistics), out store_statistics);
            Bind(address, nameof(store_doctor), out store_doctor);
            Bind(address, nameof(store_clear_cache), out store_clear_cache);
            Bind(address, nameof(store_next_event), out store_next_event);
            Bind(address, nameof(store_get_async), out store_get_async);
            Bind(address, nameof(store_get_all_async), out store_get_all_async);
            Bind(address, nameof(store_upsert_async), out store_upsert_async);
            Bind(address, nameof(store_init_async), out store_init_async);
            Bind(address, nameof(store_init_json_async), out store_init_json_async);
            Bind(address, nameof(store_initialized_async), out store_initialized_async);
            Bind(address, nameof(store_available_async), out store_available_async);
            Bind(address, nameof(store_big_segments_metadata_async), out store_big_segments_metadata_async);
            Bind(address, nameof(store_big_segments_membership_async), out store_big_segments_membership_async);
            Bind(address, nameof(store_cancel), out store_cancel);
            Bind(address, nameof(store_completions_open), out store_completions_open);
            Bind(address, nameof(store_complete_to), out store_complete_to);
            Bind(address, nameof(store_completions_next), out store_completions_next);
            Bind(address, nameof(store_completions_close), out store_completions_close);
            Bind(address, nameof(store_result_code), out store_result_code);
            Bind(address, nameof(store_result_error), out store_result_error);
            Bind(address, nameof(store_result_item), out store_result_item);
            Bind(address, nameof(store_result_items), out store_result_items);
            Bind(address, nameof(store_result_initialized), out store_result_initialized);
            Bind(address, nameof(store_result_metadata), out store_result_metadata);
            Bind(address, nameof(store_result_membership), out store_result_membership);
            Bind(address, nameof(store_result_report), out store_result_report);
            Bind(address, nameof(store_error_free), out store_error_free);
            Bind(address, nameof(store_item_free), out store_item_free);
            Bind(address, nameof(store_items_free), out store_items_free);
            Bind(address, nameof(store_membership_free), out store_membership_free);
            Bind(address, nameof(store_result_free), out store_result_free);
            Bind(address, nameof(store_string_free), out store_string_free);
        }

        private static void Bind<T>(Func<string, IntPtr> address, string name, out T function) =>
            function = Marshal.GetDelegateForFunctionPointer<T>(address(name));
    }
}
