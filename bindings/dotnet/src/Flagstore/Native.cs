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
    /// The functions, of the library that <see cref="Library"/> has loaded by then: the system's loader gives it for its SONAME.
    /// </summary>
    internal static unsafe class Native
    {
        internal const int Abi = 1;
        internal const string Soname = "libflagstore.so.1";

        internal const int Ok = 0;
        internal const int NotFound = 1;
        internal const int NewerExists = 2;
        internal const int TooLarge = 3;

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern byte* store_version();

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern byte* store_code_name(int code);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_open(byte* options, UIntPtr options_len, ulong* store, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_close(ulong store, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_init(
             ulong store, store_collection* collections, UIntPtr collections_len, byte** report, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_init_json( ulong store, byte* json, UIntPtr json_len, byte** report, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_get(
             ulong store, byte* kind, UIntPtr kind_len, byte* key, UIntPtr key_len, store_item* item, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_get_cached(
             ulong store, byte* kind, UIntPtr kind_len, byte* key, UIntPtr key_len, store_item* item, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_get_all( ulong store, byte* kind, UIntPtr kind_len, void** items, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_items_view(void* items, store_item** first, UIntPtr* count, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_upsert(
             ulong store, byte* kind, UIntPtr kind_len, byte* key, UIntPtr key_len, long version, int deleted, byte* item,
            UIntPtr item_len, store_item* stored, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_initialized(ulong store, int* initialized, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_available(ulong store, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_big_segments_metadata(ulong store, long* synchronized_on, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_big_segments_membership(
             ulong store, byte* hash, UIntPtr hash_len, void** membership, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern UIntPtr store_membership_count(void* membership);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_membership_entry(
             void* membership, UIntPtr place, byte** segment, UIntPtr* segment_len, int* included, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_statistics(ulong store, byte** json, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_doctor(byte* options, UIntPtr options_len, byte** report_json, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_clear_cache(ulong store, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_next_event(ulong store, int* level, byte** message, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_get_async(
             ulong store, byte* kind, UIntPtr kind_len, byte* key, UIntPtr key_len, IntPtr done, IntPtr user_data, ulong* call,
            store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_get_all_async(
             ulong store, byte* kind, UIntPtr kind_len, IntPtr done, IntPtr user_data, ulong* call, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_upsert_async(
             ulong store, byte* kind, UIntPtr kind_len, byte* key, UIntPtr key_len, long version, int deleted, byte* item,
            UIntPtr item_len, IntPtr done, IntPtr user_data, ulong* call, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_init_async(
             ulong store, store_collection* collections, UIntPtr collections_len, IntPtr done, IntPtr user_data, ulong* call,
            store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_init_json_async(
             ulong store, byte* json, UIntPtr json_len, IntPtr done, IntPtr user_data, ulong* call, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_initialized_async( ulong store, IntPtr done, IntPtr user_data, ulong* call, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_available_async(ulong store, IntPtr done, IntPtr user_data, ulong* call, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_big_segments_metadata_async(
             ulong store, IntPtr done, IntPtr user_data, ulong* call, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_big_segments_membership_async(
             ulong store, byte* hash, UIntPtr hash_len, IntPtr done, IntPtr user_data, ulong* call, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_cancel(ulong call, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_completions_open(ulong* queue, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_complete_to(ulong store, ulong queue, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_completions_next(
             ulong queue, long timeout_ms, void** user_data, void** result, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_completions_close(ulong queue, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_result_code(void* result);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_result_error(void* result, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_result_item(void* result, store_item* item, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_result_items(void* result, void** items, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_result_initialized(void* result, int* initialized, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_result_metadata(void* result, long* synchronized_on, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_result_membership(void* result, void** membership, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern int store_result_report(void* result, byte** report, store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void store_error_free(store_error* error);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void store_item_free(store_item* item);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void store_items_free(void* items);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void store_membership_free(void* membership);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void store_result_free(void* result);

        [DllImport(Soname, CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        internal static extern void store_string_free(byte* @string);
    }
}
