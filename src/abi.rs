//! Every function that `libflagstore` exports: a table of contents. What each promises is its documentation, which
//! becomes the C header; how it is kept is in `src/ffi` and `src/store`.
#![allow(
    clippy::missing_safety_doc,
    reason = "the documentation of each function, as the header's reader sees it, is its contract with C"
)]
#![allow(clippy::too_many_arguments, reason = "text crosses as pointer and length")]

#[cfg(test)]
mod tests;

use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::Ordering;

use crate::ffi::buffers::{StoreCollection, StoreItem, StoreItems, StoreMembership, data_set};
use crate::ffi::callbacks::{StoreCallback, StoreLogger, StoreResult, completion, logger};
use crate::ffi::codes;
use crate::ffi::completions;
use crate::ffi::error::{StoreError, c_string, free_c_string};
use crate::ffi::guard::{MAX_NAME_BYTES, MAX_OPTIONS_BYTES, MAX_TEXT_BYTES, guarded, not_null, text};
use crate::ffi::handles;
use crate::model::data_set as data;
use crate::model::options::Options;
use crate::model::row::Item;
use crate::model::{Code, Error};
use crate::numbers::{self, Kind};
use crate::runtime::{self, panics};
use crate::store::init::Progress;
use crate::store::{Found, Upserted, doctor};

/// The number of the ABI that this library implements. Compare it with `STORE_ABI_VERSION` of the header you were
/// built with, before any other call. Never fails, never blocks, any thread.
///
/// Example: `if (store_abi_version() != STORE_ABI_VERSION) abort();`
#[unsafe(no_mangle)]
pub extern "C" fn store_abi_version() -> u32 {
    codes::STORE_ABI_VERSION
}

/// The library's version, such as "0.1.0": NUL-terminated, static, not to be freed. Never fails, never blocks.
///
/// Example: `puts(store_version());`
#[unsafe(no_mangle)]
pub extern "C" fn store_version() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"unknown",
    };
    VERSION.as_ptr()
}

/// The name of an outcome or error, such as "STORE_ERROR_TIMEOUT"; "STORE_UNKNOWN" for any other number.
/// NUL-terminated, static, not to be freed. Never fails, never blocks, any thread.
///
/// Example: `fprintf(stderr, "%s: %s\n", store_code_name(error.code), error.message);`
#[unsafe(no_mangle)]
pub extern "C" fn store_code_name(code: i32) -> *const c_char {
    codes::NAMES.iter().find(|(number, _)| *number == code).map_or(c"STORE_UNKNOWN", |(_, name)| *name).as_ptr()
}

/// Opens a store.
///
/// `options` is a JSON object, `options_len` bytes of UTF-8; only `"table"` is required, and an unknown or
/// mistyped option is an error that names it. On success `*store` is the handle, to be closed with `store_close`.
/// Any thread may use it. Costs no network I/O and starts no thread: a missing table or credential shows at the
/// first call. Opening equal options again returns another handle to the same live store (connections, cache,
/// events), unless `"shared"` is false.
///
/// What the options leave to the process's environment (`AWS_…`, `HOME`, `SSL_CERT_FILE`, `HTTPS_PROXY`, …) is taken now, on
/// the calling thread, as by getenv: do not set variables in other threads while opening. Later changes do not matter to this
/// store, and no call looks for a variable any more; only the C library may, when it looks up the endpoint's name on a thread of
/// this library (`RES_OPTIONS`, `LOCALDOMAIN`, `HOSTALIASES`; glibc before 2.41 may crash if one is set just then). Stores are
/// shared only if these variables are equal too. With `"endpoint"` and the keys given, no file is read, and only the variables
/// about certificates and proxies, which do not matter to loopback without TLS.
///
/// With `"compress_large"` an item over DynamoDB's 400 KB, of up to 16 MiB, is stored deflated in two attributes of its own,
/// `flagstore_version` (a number) and `flagstore_item` (zlib), of its row. The row's `version` and `item` stay what other
/// SDKs read there, or are a tombstone of the version before. Every store of this library, whatever its options, reads
/// the newer of the two forms and compares its writes with both. Another SDK compares with `version` alone and replaces
/// the whole row: what it writes with a version between the two is read until this library writes the item again.
///
/// Errors: INVALID_JSON, UNKNOWN_OPTION, OPTION_TYPE, OPTION_VALUE, EMPTY_TABLE_NAME, TOO_MANY_STORES.
///
/// Example: `store_open("{\"table\":\"flags\"}", 17, &store, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_open(
    options: *const c_char,
    options_len: usize,
    store: *mut u64,
    error: *mut StoreError,
) -> i32 {
    panics::silence();
    guarded(error, || {
        not_null("store", store)?;
        // SAFETY: the header asks for `options_len` readable bytes.
        let options = Options::from_json(unsafe { text("options", options, options_len, MAX_OPTIONS_BYTES) }?)?;
        let handle = handles::open(options.in_this_process())?;
        // SAFETY: not NULL; the header asks for a pointer to a uint64_t.
        unsafe { store.write(handle) };
        Ok(codes::STORE_OK)
    })
}

/// Closes a handle. Calls in flight on it finish undisturbed, asynchronous ones with their callback, or in their queue;
/// later calls get INVALID_HANDLE. The last handle to a store closes its connections and frees its cache, unless the store is
/// `"persistent"`. Does not block. Any thread; also in a forked child, without effect on the parent.
///
/// Errors: INVALID_HANDLE.
///
/// Example: `store_close(store, NULL);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_close(store: u64, error: *mut StoreError) -> i32 {
    guarded(error, || handles::close(store).map(|()| codes::STORE_OK))
}

/// Replaces the whole data set of the given kinds, then marks the store as initialised.
///
/// Rows are written only where they differ, segments first, then flags after their prerequisites; rows of these
/// kinds that are not given are deleted after that, dependents first, and the `$inited` row is written last. Within one
/// version a row that says more is written over one that says less, and never the other way round. A row that another
/// writer gave a newer version stays, and then nothing is deleted: the data set is older than the table. An init of a
/// store that was not initialised, and one over another environment's data (most flags have another salt), replaces
/// what it read whatever its version; so does one that meets a flag made anew, or a row that cannot be read. An item
/// over 400 KB is not written, unless `"compress_large"` lets it be stored deflated (see `store_open`): the older row stays,
/// an event and the report name it, and the rest is done. An item with an empty key is left out. Writes are paced to what the table takes and repeated when throttled. Success means that
/// everything is stored; after an error, calling again goes on where it stopped.
///
/// `report` may be NULL; else it receives a JSON object to be freed with `store_string_free`:
/// `{"written":n,"unchanged":n,"deleted":n,"kept_newer":n,"too_large":[{"kind":…,"key":…,"bytes":n}],
/// "deflated":{"count":n,"keys":[…]},"replaced":{…},"kept":{…},"left_out":{…}}`. `deflated` are those of the rows written
/// that other SDKs read in an older form, or as deleted. The last three have a member for each reason that occurred, with the
/// number of rows and the first ten of them: `{"newer":{"count":n,"keys":[{"kind":…,"key":…},…]}}`.
/// - `replaced`, rows written over what a version alone would have kept: `unreadable`, `not_initialised`,
///   `other_environment`, `made_anew`, `newer` (the option `"init_overwrites_newer"`).
/// - `kept`, rows that the data set would not have: `newer` (their number is `kept_newer`), `older_data_set` (not given,
///   but the data set is older than the table), `changed` (by somebody, since they were read), `needed_after_all` (by a
///   row that came meanwhile), `tombstone` (they stop late updates).
/// - `left_out`, items that were not taken: `empty_key`.
///
/// The data is copied before anything is sent. Blocks, at most `"init_timeout_ms"`.
///
/// Errors: those of checking the data (nothing was sent: EMPTY_KIND, KEY_TOO_LONG, INVALID_VERSION, EMPTY_ITEM,
/// DUPLICATE_KEY, INVALID_UTF8), and those of DynamoDB.
///
/// Example: `store_collection all[2] = {segments, features}; store_init(store, all, 2, NULL, &error);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_init(
    store: u64,
    collections: *const StoreCollection,
    collections_len: usize,
    report: *mut *mut c_char,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        let store = handles::get(store)?;
        // SAFETY: the header asks for `collections_len` readable structs and valid pointers in them.
        let data = data::from_items(unsafe { data_set(collections, collections_len) }?)?;
        give_text(report, &store.init(data, &Progress::default()).wait()?.to_json());
        Ok(codes::STORE_OK)
    })
}

/// `store_init` with the JSON that a LaunchDarkly SDK or `/sdk/latest-all` has at hand:
/// `{"features":{"key":{…},…},"segments":{…}}`, with `flags` accepted for `features`, also inside the
/// `{"path":"/","data":{…}}` of a stream's `put`. Each item's text is stored byte for byte; its version is its
/// member `version`, and `"deleted":true` makes it a deletion. Other kinds of objects may stand beside.
///
/// `report`, blocking and errors as for `store_init`; in addition INVALID_JSON.
///
/// Example: `store_init_json(store, body, body_len, NULL, &error);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_init_json(
    store: u64,
    json: *const c_char,
    json_len: usize,
    report: *mut *mut c_char,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        let store = handles::get(store)?;
        // SAFETY: the header asks for `json_len` readable bytes.
        let data = data::from_json(unsafe { text("json", json, json_len, MAX_TEXT_BYTES) }?)?;
        give_text(report, &store.init(data, &Progress::default()).wait()?.to_json());
        Ok(codes::STORE_OK)
    })
}

/// Reads one item.
///
/// Returns STORE_OK and fills `item` (free it with `store_item_free`), deleted items included: look at
/// `item->deleted`. Returns STORE_NOT_FOUND, with `item` untouched, if there is no row, or one that cannot be read,
/// which an event reports. With a cache, a hit does not block and copies nothing. Else blocks, at most
/// `"timeout_ms"`. Any thread.
///
/// Errors: EMPTY_KEY, EMPTY_KIND, KEY_TOO_LONG, and those of DynamoDB.
///
/// Example: `if (store_get(store, "features", 8, "my-flag", 7, &item, &error) == STORE_OK) …`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_get(
    store: u64,
    kind: *const c_char,
    kind_len: usize,
    key: *const c_char,
    key_len: usize,
    item: *mut StoreItem,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("item", item)?;
        // SAFETY: the header asks for readable bytes of the lengths given.
        let (kind, key) =
            unsafe { (text("kind", kind, kind_len, MAX_NAME_BYTES)?, text("key", key, key_len, MAX_NAME_BYTES)?) };
        let found = match handles::with(store, |store| store.cached(kind, key))? {
            Some(found) => found,
            None => handles::get(store)?.get(kind, key)?,
        };
        // SAFETY: not NULL; the header asks for a pointer to a store_item, which may be uninitialised.
        Ok(unsafe { give_item(item, found) })
    })
}

/// What memory has of an item: STORE_OK or STORE_NOT_FOUND where `store_get` would answer so without asking DynamoDB
/// or reading a file of `"cache_dir"`, else STORE_NOT_CACHED, with `item` untouched. For event loops, which take a hit
/// at once and turn to `store_get_async` for the rest: neither does any I/O on the calling thread. Does not block. Any
/// thread, also inside callbacks.
///
/// Example: `if (store_get_cached(store, "features", 8, "my-flag", 7, &item, &error) == STORE_NOT_CACHED) …`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_get_cached(
    store: u64,
    kind: *const c_char,
    kind_len: usize,
    key: *const c_char,
    key_len: usize,
    item: *mut StoreItem,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("item", item)?;
        // SAFETY: the header asks for readable bytes of the lengths given.
        let (kind, key) =
            unsafe { (text("kind", kind, kind_len, MAX_NAME_BYTES)?, text("key", key, key_len, MAX_NAME_BYTES)?) };
        let Some(found) = handles::with(store, |store| store.cached(kind, key))? else {
            return Ok(codes::STORE_NOT_CACHED);
        };
        // SAFETY: not NULL; the header asks for a pointer to a store_item, which may be uninitialised.
        Ok(unsafe { give_item(item, found) })
    })
}

/// Reads all items of a kind, deleted ones included. A row that cannot be read is left out, and an event reports
/// it. On success `*items` is a list to be freed with `store_items_free`; it may be empty. Blocks, at most
/// `"all_timeout_ms"`, unless the list is cached. Any thread.
///
/// Errors: EMPTY_KIND, KEY_TOO_LONG, and those of DynamoDB.
///
/// Example: `store_get_all(store, "features", 8, &items, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_get_all(
    store: u64,
    kind: *const c_char,
    kind_len: usize,
    items: *mut *mut StoreItems,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("items", items)?;
        let store = handles::get(store)?;
        // SAFETY: the header asks for `kind_len` readable bytes.
        let kind = unsafe { text("kind", kind, kind_len, MAX_NAME_BYTES) }?;
        let list = StoreItems::into_raw(store.all(kind)?);
        // SAFETY: not NULL; the header asks for a pointer to a pointer.
        unsafe { items.write(list) };
        Ok(codes::STORE_OK)
    })
}

/// The items of a list, as one array. `*first` points to `*count` structs that belong to the list and live until
/// `store_items_free`; it is NULL for an empty list. Does not block. Any thread.
///
/// Errors: NULL_ARGUMENT.
///
/// Example: `store_items_view(items, &first, &count, NULL); for (i = 0; i < count; i++) use(&first[i]);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_items_view(
    items: *const StoreItems,
    first: *mut *const StoreItem,
    count: *mut usize,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("items", items)?;
        not_null("first", first)?;
        not_null("count", count)?;
        // SAFETY: none is NULL; the header asks for a list of the library and two writable places.
        unsafe {
            let views = (*items).views();
            first.write(if views.is_empty() { std::ptr::null() } else { views.as_ptr() });
            count.write(views.len());
        }
        Ok(codes::STORE_OK)
    })
}

/// Writes one item if there is no row for it, or one with a smaller version or none, in one request. A row that cannot be
/// read, or whose version is no whole number of 64 bits, is replaced if it is still as it was read.
///
/// A deletion is an upsert with `deleted` other than 0: for "features" and "segments" the library writes the form
/// that every SDK reads, and `item` may be NULL; for other kinds `item` is stored, or a minimal JSON if NULL.
///
/// Returns STORE_OK if it was written. Returns STORE_NEWER_EXISTS if the stored version is the same or newer; then
/// `stored`, unless NULL, is filled with the stored item (free it with `store_item_free`). Returns
/// STORE_TOO_LARGE if the item is over 400 KB, with `"compress_large"` also deflated; the older row stays, and an event
/// reports it. `stored` is untouched
/// in every other case. Blocks, at most `"timeout_ms"`. Any thread.
///
/// Errors: EMPTY_KEY, EMPTY_KIND, KEY_TOO_LONG, INVALID_VERSION, EMPTY_ITEM, and those of DynamoDB. After
/// TIMEOUT and CONNECTION the item may have been written or not; calling again is safe.
///
/// Example: `store_upsert(store, "features", 8, "my-flag", 7, 12, 0, json, json_len, NULL, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_upsert(
    store: u64,
    kind: *const c_char,
    kind_len: usize,
    key: *const c_char,
    key_len: usize,
    version: i64,
    deleted: i32,
    item: *const c_char,
    item_len: usize,
    stored: *mut StoreItem,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        let store = handles::get(store)?;
        // SAFETY: the header asks for readable bytes of the lengths given.
        let (kind, item) = unsafe { given(kind, kind_len, key, key_len, version, deleted, item, item_len) }?;
        match store.upsert(&kind, &item)? {
            Upserted::Written => Ok(codes::STORE_OK),
            Upserted::TooLarge => Ok(codes::STORE_TOO_LARGE),
            Upserted::NewerExists(row) => {
                if !stored.is_null() {
                    // SAFETY: not NULL; the header asks for a pointer to a store_item, which may be uninitialised.
                    unsafe { stored.write(StoreItem::owning(Found { row, stale: false })) };
                }
                Ok(codes::STORE_NEWER_EXISTS)
            }
        }
    })
}

/// Whether a full data set was ever stored under this prefix: `*initialized` is 1 or 0. Once 1, or after an init
/// through this handle, it is answered without I/O; another handle asks for itself. Else blocks, at most
/// `"timeout_ms"`. Any thread.
///
/// Errors: those of DynamoDB.
///
/// Example: `store_initialized(store, &initialized, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_initialized(store: u64, initialized: *mut i32, error: *mut StoreError) -> i32 {
    guarded(error, || {
        not_null("initialized", initialized)?;
        let answer = handles::get(store)?.initialized().wait()?;
        // SAFETY: not NULL; the header asks for a pointer to an int32_t.
        unsafe { initialized.write(i32::from(answer)) };
        Ok(codes::STORE_OK)
    })
}

/// Whether the table answers: STORE_OK, or the error that a read would get. One small read, never cached. With
/// `"keep_told"`, what could not be written before is written first, so that STORE_OK says that the table has what this
/// store was told. Blocks, at most `"timeout_ms"`. Any thread.
///
/// Errors: those of DynamoDB.
///
/// Example: `while (store_available(store, NULL) != STORE_OK) sleep(1);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_available(store: u64, error: *mut StoreError) -> i32 {
    guarded(error, || handles::get(store)?.available().map(|()| codes::STORE_OK))
}

/// When the big segments were last brought up to date: `*synchronized_on` is Unix time in milliseconds.
/// STORE_NOT_FOUND, with it untouched, if nothing ever wrote big segments. Blocks, at most `"timeout_ms"`.
///
/// Errors: those of DynamoDB; UNEXPECTED_RESPONSE if the row holds something else.
///
/// Example: `store_big_segments_metadata(store, &milliseconds, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_big_segments_metadata(
    store: u64,
    synchronized_on: *mut i64,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("synchronized_on", synchronized_on)?;
        let Some(milliseconds) = handles::get(store)?.big_segments_metadata()? else {
            return Ok(codes::STORE_NOT_FOUND);
        };
        // SAFETY: not NULL; the header asks for a pointer to an int64_t.
        unsafe { synchronized_on.write(milliseconds) };
        Ok(codes::STORE_OK)
    })
}

/// The big segments that include or exclude one context. `hash` is base64(SHA-256(context key)), as SDKs pass it.
/// On success `*membership` is to be freed with `store_membership_free`. STORE_NOT_FOUND, with it untouched, if no
/// big segment names the context. Blocks, at most `"timeout_ms"`. Any thread.
///
/// Errors: EMPTY_KEY, KEY_TOO_LONG, and those of DynamoDB.
///
/// Example: `store_big_segments_membership(store, hash, hash_len, &membership, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_big_segments_membership(
    store: u64,
    hash: *const c_char,
    hash_len: usize,
    membership: *mut *mut StoreMembership,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("membership", membership)?;
        let store = handles::get(store)?;
        // SAFETY: the header asks for `hash_len` readable bytes.
        let hash = unsafe { text("hash", hash, hash_len, MAX_NAME_BYTES) }?;
        let Some(found) = store.big_segments_membership(hash)? else { return Ok(codes::STORE_NOT_FOUND) };
        // SAFETY: not NULL; the header asks for a pointer to a pointer.
        unsafe { membership.write(StoreMembership::into_raw(found)) };
        Ok(codes::STORE_OK)
    })
}

/// How many segments a membership names; 0 for NULL. Does not block.
///
/// Example: `for (i = 0; i < store_membership_count(membership); i++) …`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_membership_count(membership: *const StoreMembership) -> usize {
    // SAFETY: NULL, or a membership of the library as the header asks.
    unsafe { membership.as_ref() }.map_or(0, StoreMembership::count)
}

/// One entry of a membership: the segment reference (`<segment key>.g<generation>`, UTF-8, `*segment_len` bytes
/// that belong to the membership) and whether the context is included (1) or excluded (0). STORE_NOT_FOUND beyond
/// the end. Included wins where the table has both. Does not block.
///
/// Errors: NULL_ARGUMENT.
///
/// Example: `store_membership_entry(membership, i, &segment, &segment_len, &included, NULL)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_membership_entry(
    membership: *const StoreMembership,
    place: usize,
    segment: *mut *const c_char,
    segment_len: *mut usize,
    included: *mut i32,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("membership", membership)?;
        not_null("segment", segment)?;
        not_null("segment_len", segment_len)?;
        not_null("included", included)?;
        // SAFETY: none is NULL; the header asks for a membership of the library and three writable places.
        unsafe {
            let Some((name, is_included)) = (*membership).entry(place) else { return Ok(codes::STORE_NOT_FOUND) };
            segment.write(name.as_ptr().cast());
            segment_len.write(name.len());
            included.write(i32::from(is_included));
        }
        Ok(codes::STORE_OK)
    })
}

/// What the store did since it was opened in this process: `*json` receives a JSON object to be freed with
/// `store_string_free`. Its numbers only grow: `hits`, `misses`, `coalesced`, `stale`, `refreshes` (cache);
/// `requests`, `retries`, `throttles`, `errors` (DynamoDB); `read_units`, `write_units` (capacity consumed);
/// `skipped_rows`, `dropped_events`; `served_while_away` (of `stale`, those that did not wait since DynamoDB was known not to
/// answer), `oldest_stale_ms` (the greatest age of a value that was served as stale, in milliseconds), `uncached` (answers
/// too large to be kept); `host_hits` (values out of `"cache_dir"`), `host_trouble` (what went wrong with its files).
/// `cached_items`, `cached_lists` and `cached_bytes` say what the cache holds now; `unwritten` how many items are to be
/// written again; `away` is 1 from a failure on until DynamoDB answers again, else 0. Does not block.
///
/// Errors: NULL_ARGUMENT, INVALID_HANDLE.
///
/// Example: `store_statistics(store, &json, NULL); puts(json); store_string_free(json);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_statistics(store: u64, json: *mut *mut c_char, error: *mut StoreError) -> i32 {
    guarded(error, || {
        not_null("json", json)?;
        give_text(json, &handles::get(store)?.statistics());
        Ok(codes::STORE_OK)
    })
}

/// Looks for what may be wrong between this process and its flags, and says what to do about it.
///
/// `options` are those of `store_open`. `*report_json` receives a JSON object to be freed with `store_string_free`:
/// `{"problems":n,"warnings":n,"findings":[{"check":…,"level":…,"found":…,"remedy":…},…]}`. A finding's `level` is `"ok"`,
/// `"note"`, `"warning"` or `"problem"`; `found` and `remedy` are sentences for a person, `remedy` is null where there is
/// nothing to do; none of them holds a secret, of an access key id its last four characters. The checks are library,
/// cache directory, region, settings, profile, credentials, clock, name, proxy, certificate, connection, endpoint, table, schema,
/// capacity, service, request, get, query, put, delete, conditions, initialised, prefix, features, segments, unreadable rows, large
/// rows, big segments, and rest, which says that nothing else could be looked at; one that does not apply is missing.
///
/// It reads all flags and segments once, and makes two writes that cannot succeed (one write unit each) to see whether
/// this process may write. Nothing is written, kept or cached, and no store is shared with it. Blocks, at most four times
/// `"timeout_ms"` and twice `"all_timeout_ms"`. Any thread; the environment is taken as by `store_open`.
///
/// Whatever is wrong with table, network or credentials stands in the report, and the call is STORE_OK. Errors:
/// INVALID_JSON, UNKNOWN_OPTION, OPTION_TYPE, OPTION_VALUE, EMPTY_TABLE_NAME, TIMEOUT, RUNTIME, CALLED_IN_CALLBACK.
///
/// Example: `store_doctor("{\"table\":\"flags\"}", 17, &report, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_doctor(
    options: *const c_char,
    options_len: usize,
    report_json: *mut *mut c_char,
    error: *mut StoreError,
) -> i32 {
    panics::silence();
    guarded(error, || {
        not_null("report_json", report_json)?;
        // SAFETY: the header asks for `options_len` readable bytes.
        let options = Options::from_json(unsafe { text("options", options, options_len, MAX_OPTIONS_BYTES) }?)?;
        give_text(report_json, &doctor::examine(&options, codes::STORE_ABI_VERSION)?.to_json());
        Ok(codes::STORE_OK)
    })
}

/// Forgets everything that is cached, for every process of the host where there is a `"cache_dir"`; the next reads ask
/// DynamoDB. What was told (`"keep_told"`) stays known. Does not block, but to remove the files.
///
/// Errors: INVALID_HANDLE.
///
/// Example: `store_clear_cache(store, NULL);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_clear_cache(store: u64, error: *mut StoreError) -> i32 {
    guarded(error, || {
        handles::get(store)?.clear_cache();
        Ok(codes::STORE_OK)
    })
}

/// Takes the oldest event that was not taken yet: `*level` is a STORE_LEVEL_… number, `*message` NUL-terminated
/// UTF-8 to be freed with `store_string_free`. STORE_NOT_FOUND, with both untouched, if there is none. The library
/// keeps the last 256 events; the statistics count those that were dropped. Does not block.
///
/// An outage is one event of level WARN when it begins ("DynamoDB does not answer …", with the failure) and one of level
/// INFO when it ends ("DynamoDB answers again …"); each read that failed and was served a stale value is one that says
/// for how long that was known. What was served without asking meanwhile makes no event: `store_statistics` counts it.
///
/// Errors: NULL_ARGUMENT, INVALID_HANDLE.
///
/// Example: `while (store_next_event(store, &level, &message, NULL) == STORE_OK) { log(level, message); … }`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_next_event(
    store: u64,
    level: *mut i32,
    message: *mut *mut c_char,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("level", level)?;
        not_null("message", message)?;
        let Some(event) = handles::get(store)?.next_event() else { return Ok(codes::STORE_NOT_FOUND) };
        // SAFETY: neither is NULL; the header asks for two writable places.
        unsafe { level.write(codes::level(event.level)) };
        give_text(message, &event.message);
        Ok(codes::STORE_OK)
    })
}

/// Has a function called for every event instead of keeping events to be taken; NULL goes back to keeping them.
/// `user_data` is handed through. After the call returns, the previous function is not called any more. Blocks only
/// while the previous function runs; must not be called inside it. Shared by all handles of the same live store.
///
/// Errors: INVALID_HANDLE.
///
/// Example: `store_set_logger(store, on_event, my_log, NULL);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_set_logger(
    store: u64,
    callback: StoreLogger,
    user_data: *mut c_void,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        handles::get(store)?.set_logger(logger(callback, user_data));
        Ok(codes::STORE_OK)
    })
}

/// `store_get` without blocking. If it returns STORE_OK, the call ends exactly once, later, whatever happens: `done` is
/// called with `user_data` and the result, on a thread of the library; where `done` is NULL, both go to the queue that
/// `store_complete_to` named. If it returns an error, nothing comes. The strings are copied before it returns.
///
/// `call` may be NULL; else it receives the number to cancel the call by, before the call begins: it is there when the end
/// is told. No number is given out twice.
///
/// Errors: NULL_ARGUMENT (also where `done` is NULL and there is no queue), INVALID_HANDLE (also where the queue is closed),
/// INVALID_UTF8, INVALID_LENGTH, RUNTIME; all others are in the result, and so is STORE_CANCELLED, see `store_cancel`.
///
/// Example: `store_get_async(store, "features", 8, "my-flag", 7, on_flag, request, &call, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_get_async(
    store: u64,
    kind: *const c_char,
    kind_len: usize,
    key: *const c_char,
    key_len: usize,
    done: StoreCallback,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        let store = handles::get(store)?;
        let done = completion(&store, done, user_data)?;
        // SAFETY: the header asks for readable bytes of the lengths given.
        let (kind, key) =
            unsafe { (text("kind", kind, kind_len, MAX_NAME_BYTES)?, text("key", key, key_len, MAX_NAME_BYTES)?) };
        store.get_then(kind, key, begun(call), |result| done(StoreResult::of_get(result)))?;
        Ok(codes::STORE_OK)
    })
}

/// `store_get_all` without blocking; otherwise as `store_get_async`.
///
/// Example: `store_get_all_async(store, "features", 8, on_flags, request, NULL, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_get_all_async(
    store: u64,
    kind: *const c_char,
    kind_len: usize,
    done: StoreCallback,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        let store = handles::get(store)?;
        let done = completion(&store, done, user_data)?;
        // SAFETY: the header asks for `kind_len` readable bytes.
        let kind = unsafe { text("kind", kind, kind_len, MAX_NAME_BYTES) }?;
        store.all_then(kind, begun(call), |result| done(StoreResult::of_all(result)))?;
        Ok(codes::STORE_OK)
    })
}

/// `store_upsert` without blocking; otherwise as `store_get_async`. On STORE_NEWER_EXISTS the stored item is read
/// with `store_result_item`.
///
/// Example: `store_upsert_async(store, "features", 8, "my-flag", 7, 12, 0, json, json_len, on_written, request, NULL, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_upsert_async(
    store: u64,
    kind: *const c_char,
    kind_len: usize,
    key: *const c_char,
    key_len: usize,
    version: i64,
    deleted: i32,
    item: *const c_char,
    item_len: usize,
    done: StoreCallback,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        let store = handles::get(store)?;
        let done = completion(&store, done, user_data)?;
        // SAFETY: the header asks for readable bytes of the lengths given.
        let (kind, item) = unsafe { given(kind, kind_len, key, key_len, version, deleted, item, item_len) }?;
        store.calls().upsert(&kind, &item).begin(begun(call), |result| done(StoreResult::of_upsert(result)))?;
        Ok(codes::STORE_OK)
    })
}

/// `store_init` without blocking; otherwise as `store_get_async`. Errors of checking the data are returned, and nothing
/// comes. The report is read with `store_result_report`, also that of an init that failed or was cancelled.
///
/// Example: `store_init_async(store, all, 2, on_initialised, request, NULL, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_init_async(
    store: u64,
    collections: *const StoreCollection,
    collections_len: usize,
    done: StoreCallback,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        let store = handles::get(store)?;
        let done = completion(&store, done, user_data)?;
        // SAFETY: the header asks for `collections_len` readable structs and valid pointers in them.
        let data = data::from_items(unsafe { data_set(collections, collections_len) }?)?;
        let progress = Progress::default();
        let init = store.init(data, &progress);
        init.begin(begun(call), move |result| done(StoreResult::of_init(result, &progress)))?;
        Ok(codes::STORE_OK)
    })
}

/// `store_init_json` without blocking; otherwise as `store_init_async`.
///
/// Example: `store_init_json_async(store, body, body_len, on_initialised, request, NULL, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_init_json_async(
    store: u64,
    json: *const c_char,
    json_len: usize,
    done: StoreCallback,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        let store = handles::get(store)?;
        let done = completion(&store, done, user_data)?;
        // SAFETY: the header asks for `json_len` readable bytes.
        let data = data::from_json(unsafe { text("json", json, json_len, MAX_TEXT_BYTES) }?)?;
        let progress = Progress::default();
        let init = store.init(data, &progress);
        init.begin(begun(call), move |result| done(StoreResult::of_init(result, &progress)))?;
        Ok(codes::STORE_OK)
    })
}

/// `store_initialized` without blocking; otherwise as `store_get_async`.
///
/// Example: `store_initialized_async(store, on_answer, request, NULL, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_initialized_async(
    store: u64,
    done: StoreCallback,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        let store = handles::get(store)?;
        let done = completion(&store, done, user_data)?;
        store.initialized().begin(begun(call), |result| done(StoreResult::of_initialized(result)))?;
        Ok(codes::STORE_OK)
    })
}

/// `store_available` without blocking; otherwise as `store_get_async`. `store_result_code` has the answer.
///
/// Example: `store_available_async(store, on_answer, request, NULL, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_available_async(
    store: u64,
    done: StoreCallback,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        let store = handles::get(store)?;
        let done = completion(&store, done, user_data)?;
        store.calls().available().begin(begun(call), |result| done(StoreResult::of_available(result)))?;
        Ok(codes::STORE_OK)
    })
}

/// `store_big_segments_metadata` without blocking; otherwise as `store_get_async`. The time is read with
/// `store_result_metadata`.
///
/// Example: `store_big_segments_metadata_async(store, on_answer, request, NULL, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_big_segments_metadata_async(
    store: u64,
    done: StoreCallback,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        let store = handles::get(store)?;
        let done = completion(&store, done, user_data)?;
        store.calls().big_segments_metadata().begin(begun(call), |result| done(StoreResult::of_metadata(result)))?;
        Ok(codes::STORE_OK)
    })
}

/// `store_big_segments_membership` without blocking; otherwise as `store_get_async`. The membership is read with
/// `store_result_membership`.
///
/// Example: `store_big_segments_membership_async(store, hash, hash_len, on_answer, request, NULL, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_big_segments_membership_async(
    store: u64,
    hash: *const c_char,
    hash_len: usize,
    done: StoreCallback,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        let store = handles::get(store)?;
        let done = completion(&store, done, user_data)?;
        // SAFETY: the header asks for `hash_len` readable bytes.
        let hash = unsafe { text("hash", hash, hash_len, MAX_NAME_BYTES) }?;
        store
            .calls()
            .big_segments_membership(hash)
            .begin(begun(call), |result| done(StoreResult::of_membership(result)))?;
        Ok(codes::STORE_OK)
    })
}

/// Ends an asynchronous call as soon as that can be: what it waits for is given up, its request and its descriptors are
/// dropped, and it ends as every call does, exactly once, with STORE_CANCELLED, or with its outcome if it was over already.
/// A read that other calls wait for as well goes on for them. A cancelled upsert may have been written or not. A cancelled
/// init begins no further write, and its result has the report of what it had done; what it began goes on where it stopped
/// with the next init, and `$inited` is there only if everything was stored. What is cancelled is not written later, with
/// `"keep_told"` neither. A call that is over is STORE_OK, and so is one of the parent in a forked child: it is the parent's.
/// Does not block. Any thread, also inside callbacks, and after the store was closed.
///
/// Errors: INVALID_HANDLE, if `call` was never the number of a call.
///
/// Example: `store_cancel(call, NULL);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_cancel(call: u64, error: *mut StoreError) -> i32 {
    guarded(error, || {
        if numbers::kind_of(call) != Some(Kind::Call) {
            return Err(Error::new(
                Code::InvalidHandle,
                format!("the number {call} was never a call's: use the one that an asynchronous function gave"),
            ));
        }
        runtime::cancel(call);
        Ok(codes::STORE_OK)
    })
}

/// Opens a completion queue: where asynchronous calls end whose host cannot be called back on a thread of the library. On
/// success `*queue` is its number, to be closed with `store_completions_close`. Name it to stores with `store_complete_to`,
/// make calls with `done` NULL, and take what is finished with `store_completions_next`, from as many threads as you like.
///
/// In a forked child a queue of the parent can be used, is empty, and has no descriptor: the parent's calls end in the parent.
/// Does not block. Any thread.
///
/// Errors: NULL_ARGUMENT, TOO_MANY_STORES.
///
/// Example: `store_completions_open(&queue, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_completions_open(queue: *mut u64, error: *mut StoreError) -> i32 {
    guarded(error, || {
        not_null("queue", queue)?;
        let number = completions::open()?;
        // SAFETY: not NULL; the header asks for a pointer to a uint64_t.
        unsafe { queue.write(number) };
        Ok(codes::STORE_OK)
    })
}

/// Has the calls that are made from now on with this handle, and with `done` NULL, end in a queue. Several stores may share
/// one. Another queue may be named at any time; calls that have begun end where they were to. Does not block. Any thread.
///
/// Errors: INVALID_HANDLE, of the store or of the queue.
///
/// Example: `store_complete_to(store, queue, &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_complete_to(store: u64, queue: u64, error: *mut StoreError) -> i32 {
    guarded(error, || {
        let opened = handles::get(store)?;
        completions::get(queue)?;
        opened.completes_to().store(queue, Ordering::Relaxed);
        Ok(codes::STORE_OK)
    })
}

/// Takes the call that was finished first: `*user_data` is what was given with it, `*result` its outcome, to be freed with
/// `store_result_free`. Waits for one at most `timeout_ms`: not at all with 0, as long as it takes with a negative number.
/// STORE_NOT_FOUND, with both untouched, if none came. Each is taken once; with several waiters each gets one of its own. Any
/// thread; inside callbacks only with 0.
///
/// Errors: NULL_ARGUMENT; INVALID_HANDLE, also where the queue is closed while one waits; CALLED_IN_CALLBACK.
///
/// Example: `while (store_completions_next(queue, -1, &user_data, &result, NULL) == STORE_OK) finish(user_data, result);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_completions_next(
    queue: u64,
    timeout_ms: i64,
    user_data: *mut *mut c_void,
    result: *mut *mut StoreResult,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("user_data", user_data)?;
        not_null("result", result)?;
        let Some(finished) = completions::next(queue, timeout_ms)? else { return Ok(codes::STORE_NOT_FOUND) };
        // SAFETY: neither is NULL; the header asks for two writable places.
        unsafe {
            user_data.write(finished.user_data);
            result.write(Box::into_raw(finished.result));
        }
        Ok(codes::STORE_OK)
    })
}

/// Has a queue write to a descriptor whenever it gets something while it is empty, and at once if it holds something now:
/// eight bytes, the number 1 in the machine's order, which is right for a pipe, a socket and an eventfd. Writing never
/// blocks and raises no SIGPIPE: what is full is readable anyway. So an event loop waits until the descriptor is readable,
/// reads it empty, and then takes what is finished until there is STORE_NOT_FOUND; in that order it misses nothing.
///
/// The library writes to a copy of the descriptor, which is closed with the queue, across exec, and by naming another; -1
/// names none. A pipe should have no other writer, or not block. Not on Windows, where a thread waits in
/// `store_completions_next`. Does not block. Any thread.
///
/// Errors: INVALID_HANDLE, also for what is no descriptor that can be written to.
///
/// Example: `store_completions_notify(queue, pipe_ends[1], &error)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_completions_notify(queue: u64, descriptor: i64, error: *mut StoreError) -> i32 {
    guarded(error, || completions::notify(queue, descriptor).map(|()| codes::STORE_OK))
}

/// Closes a queue. Who waits for it gets INVALID_HANDLE. What it holds and what still comes is freed, and its `user_data` is
/// not given out any more; new calls that would end in it are refused. Does not block. Any thread.
///
/// Errors: INVALID_HANDLE.
///
/// Example: `store_completions_close(queue, NULL);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_completions_close(queue: u64, error: *mut StoreError) -> i32 {
    guarded(error, || completions::close(queue).map(|()| codes::STORE_OK))
}

/// The number that the blocking form would have returned; NULL_ARGUMENT's for NULL. Does not block.
///
/// Example: `if (store_result_code(result) == STORE_OK) …`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_result_code(result: *const StoreResult) -> i32 {
    // SAFETY: NULL, or a result of the library as the header asks.
    unsafe { result.as_ref() }.map_or(Code::NullArgument.number(), StoreResult::code)
}

/// The error of a failed asynchronous call: returns its number and fills `error`, whose message is to be freed
/// with `store_error_free`. Returns STORE_OK if the call did not fail. Does not block.
///
/// Example: `if (store_result_error(result, &error) != STORE_OK) report(&error);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_result_error(result: *const StoreResult, error: *mut StoreError) -> i32 {
    guarded(error, || {
        not_null("result", result)?;
        // SAFETY: not NULL; the header asks for a result of the library.
        unsafe { &*result }.error().map_or(Ok(codes::STORE_OK), |failure| Err(failure.clone()))
    })
}

/// The item of an asynchronous get, or the stored item of an upsert that met a newer version: STORE_OK, to be freed
/// with `store_item_free`; STORE_NOT_FOUND, with `item` untouched, if there is none. Does not block.
///
/// Errors: NULL_ARGUMENT, also where the result belongs to another kind of call.
///
/// Example: `store_result_item(result, &item, NULL)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_result_item(
    result: *const StoreResult,
    item: *mut StoreItem,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("result", result)?;
        not_null("item", item)?;
        // SAFETY: neither is NULL; the header asks for a result of the library and a writable place.
        unsafe {
            let Some(found) = (*result).item()? else { return Ok(codes::STORE_NOT_FOUND) };
            item.write(found);
        }
        Ok(codes::STORE_OK)
    })
}

/// The list of an asynchronous get_all, to be freed with `store_items_free`. Does not block.
///
/// Errors: NULL_ARGUMENT, also where the result belongs to another kind of call.
///
/// Example: `store_result_items(result, &items, NULL)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_result_items(
    result: *const StoreResult,
    items: *mut *mut StoreItems,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("result", result)?;
        not_null("items", items)?;
        // SAFETY: neither is NULL; the header asks for a result of the library and a writable place.
        unsafe { items.write((*result).items()?) };
        Ok(codes::STORE_OK)
    })
}

/// The answer of an asynchronous initialized, 1 or 0. Does not block.
///
/// Errors: NULL_ARGUMENT, also where the result belongs to another kind of call.
///
/// Example: `store_result_initialized(result, &initialized, NULL)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_result_initialized(
    result: *const StoreResult,
    initialized: *mut i32,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("result", result)?;
        not_null("initialized", initialized)?;
        // SAFETY: neither is NULL; the header asks for a result of the library and a writable place.
        unsafe { initialized.write(i32::from((*result).initialized()?)) };
        Ok(codes::STORE_OK)
    })
}

/// The time of an asynchronous big_segments_metadata, Unix time in milliseconds. Does not block.
///
/// Errors: NULL_ARGUMENT, also where the result belongs to another kind of call, or nothing was found.
///
/// Example: `store_result_metadata(result, &milliseconds, NULL)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_result_metadata(
    result: *const StoreResult,
    synchronized_on: *mut i64,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("result", result)?;
        not_null("synchronized_on", synchronized_on)?;
        // SAFETY: neither is NULL; the header asks for a result of the library and a writable place.
        unsafe { synchronized_on.write((*result).metadata()?) };
        Ok(codes::STORE_OK)
    })
}

/// The membership of an asynchronous big_segments_membership, to be freed with `store_membership_free`. Does not block.
///
/// Errors: NULL_ARGUMENT, also where the result belongs to another kind of call, or nothing was found.
///
/// Example: `store_result_membership(result, &membership, NULL)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_result_membership(
    result: *const StoreResult,
    membership: *mut *mut StoreMembership,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("result", result)?;
        not_null("membership", membership)?;
        // SAFETY: neither is NULL; the header asks for a result of the library and a writable place.
        unsafe { membership.write((*result).membership()?) };
        Ok(codes::STORE_OK)
    })
}

/// The report of an asynchronous init, as of `store_init`, to be freed with `store_string_free`; of one that failed or was
/// cancelled, what it had done by then. Does not block.
///
/// Errors: NULL_ARGUMENT, also where the result belongs to another kind of call.
///
/// Example: `store_result_report(result, &report, NULL)`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_result_report(
    result: *const StoreResult,
    report: *mut *mut c_char,
    error: *mut StoreError,
) -> i32 {
    guarded(error, || {
        not_null("result", result)?;
        not_null("report", report)?;
        // SAFETY: neither is NULL; the header asks for a result of the library and a writable place.
        unsafe { report.write((*result).report()?) };
        Ok(codes::STORE_OK)
    })
}

/// Frees the message of an error and clears the struct, so that freeing it again does nothing. NULL is fine.
///
/// Example: `store_error_free(&error);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_error_free(error: *mut StoreError) {
    // SAFETY: NULL, or an error that the library filled, as the header asks.
    freeing(|| unsafe {
        if let Some(error) = error.as_mut() {
            error.free();
        }
    });
}

/// Frees what an item points to and clears the struct, so that freeing it again does nothing. NULL is fine, and so
/// is an item inside a list, which stays.
///
/// Example: `store_item_free(&item);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_item_free(item: *mut StoreItem) {
    // SAFETY: NULL, or an item that the library filled, as the header asks.
    freeing(|| unsafe {
        if let Some(item) = item.as_mut().filter(|item| !item.owner.is_null()) {
            item.free();
        }
    });
}

/// Frees a list and everything its view points to. NULL is fine.
///
/// Example: `store_items_free(items);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_items_free(items: *mut StoreItems) {
    // SAFETY: NULL, or a list of the library that was not freed, as the header asks.
    unsafe { free_box(items) };
}

/// Frees a membership and everything its entries point to. NULL is fine.
///
/// Example: `store_membership_free(membership);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_membership_free(membership: *mut StoreMembership) {
    // SAFETY: NULL, or a membership of the library that was not freed, as the header asks.
    unsafe { free_box(membership) };
}

/// Frees the result of an asynchronous call. What was taken out of it stays. NULL is fine.
///
/// Example: `store_result_free(result);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_result_free(result: *mut StoreResult) {
    // SAFETY: NULL, or a result of the library that was not freed, as the header asks.
    unsafe { free_box(result) };
}

/// Frees a string that the library gave: a report, statistics, an event. NULL is fine.
///
/// Example: `store_string_free(json);`
#[unsafe(no_mangle)]
pub unsafe extern "C" fn store_string_free(string: *mut c_char) {
    // SAFETY: NULL, or a string of the library that was not freed, as the header asks.
    freeing(|| unsafe { free_c_string(string) });
}

/// An item as its arguments say.
///
/// # Safety
/// Each pointer must be NULL or valid for reads of its length.
unsafe fn given(
    kind: *const c_char,
    kind_len: usize,
    key: *const c_char,
    key_len: usize,
    version: i64,
    deleted: i32,
    item: *const c_char,
    item_len: usize,
) -> crate::model::Result<(String, Item)> {
    // SAFETY: the caller's promise.
    let (kind, key, payload) = unsafe {
        (
            text("kind", kind, kind_len, MAX_NAME_BYTES)?,
            text("key", key, key_len, MAX_NAME_BYTES)?,
            text("item", item, item_len, MAX_TEXT_BYTES)?,
        )
    };
    let item = (!payload.is_empty()).then(|| payload.to_owned());
    Ok((kind.to_owned(), Item { key: key.to_owned(), version, deleted: deleted != 0, item }))
}

/// Hands out the number of a call that begins, unless the caller does not want it.
fn begun(place: *mut u64) -> impl FnOnce(u64) {
    move |number| {
        if !place.is_null() {
            // SAFETY: not NULL; the header asks for a pointer to a uint64_t.
            unsafe { place.write(number) };
        }
    }
}

/// Hands out an item, if there is one, and says so.
///
/// # Safety
/// `place` must be valid for writes.
unsafe fn give_item(place: *mut StoreItem, found: Option<Found>) -> i32 {
    let Some(found) = found else { return codes::STORE_NOT_FOUND };
    // SAFETY: the caller's promise.
    unsafe { place.write(StoreItem::owning(found)) };
    codes::STORE_OK
}

/// Hands text to an out-param, unless the caller does not want it.
fn give_text(place: *mut *mut c_char, text: &str) {
    if !place.is_null() {
        // SAFETY: not NULL; the header asks for a pointer to a pointer.
        unsafe { place.write(c_string(text)) };
    }
}

/// # Safety
/// `pointer` must be NULL or come from Box::into_raw, and not have been freed.
unsafe fn free_box<T>(pointer: *mut T) {
    // SAFETY: the caller's promise.
    freeing(|| unsafe {
        if !pointer.is_null() {
            drop(Box::from_raw(pointer));
        }
    });
}

/// Freeing returns nothing, so a panic has nowhere to go; it ends here.
fn freeing(body: impl FnOnce()) {
    guarded(std::ptr::null_mut(), || {
        body();
        Ok(codes::STORE_OK)
    });
}
