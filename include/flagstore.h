/*
 * flagstore: the LaunchDarkly DynamoDB feature store behind a C ABI.
 *
 * Generated from src/abi.rs and src/ffi/ by `make headers`; do not edit. flagstore_cdef.h is the same without
 * preprocessor lines and comments, for parsers that read declarations (PHP FFI, Python cffi).
 *
 * Conventions
 *
 * Results.   A function returns 0 (STORE_OK), a positive outcome, or a negative error. Out-params are written only
 *            with the outcome that their function names; there are no partial successes. The `error` argument may
 *            be NULL. Numbers are stable and never reused.
 * Text.      Goes in as pointer and length in bytes, UTF-8, with any characters, NUL included; NULL with length 0
 *            is the empty text. It is copied, or not needed, when the function returns. Payloads are opaque and
 *            come back byte for byte.
 * Ownership. What comes out belongs to the caller and is freed by the one function named at its type or argument:
 *            store_item_free, store_items_free, store_membership_free, store_result_free, store_string_free,
 *            store_error_free. All of them accept NULL.
 * Stores.    Handles are numbers. A zero, closed or invented one is STORE_ERROR_INVALID_HANDLE, from any thread,
 *            also while another thread closes it; no number is given out twice. Handles stay valid in forked
 *            children, and where the process closed every descriptor that it found.
 * Threads.   Every function may be called from any thread at any time. No lock is held while one waits for
 *            DynamoDB: one slow call delays no other.
 * Ends.      An asynchronous call ends exactly once, whatever happens: in a function of the host, or in a completion
 *            queue for hosts that must not be called back. `store_cancel` ends one early. Numbers of stores, queues
 *            and calls are never given out twice, and none is taken for another kind's.
 * Deadlines. Every call that blocks ends at the deadline that the options set for it. Blocking functions must not
 *            be called inside callbacks (STORE_ERROR_CALLED_IN_CALLBACK). A child that is forked inside a callback
 *            is not inside it, and ends with exit or exec: returning from the callback ends it.
 * The host.  The library prints nothing, installs no signal handler, calls nothing that was not registered, and
 *            starts its threads, with all signals masked, at the first call that needs DynamoDB. Of the descriptors
 *            0 to 2, those that are closed then are opened on /dev/null, so that no connection takes their place.
 */


#ifndef FLAGSTORE_H
#define FLAGSTORE_H

#include <stddef.h>
#include <stdint.h>

/*
 Number of this ABI. It grows when a function changes its meaning or goes; new functions do not change it.
 Compare it with `store_abi_version()` right after loading the library, and refuse another number.
 */
#define STORE_ABI_VERSION 1

/*
 The call did what it says.
 */
#define STORE_OK 0

/*
 Outcome, not an error: there is no such row (or event).
 */
#define STORE_NOT_FOUND 1

/*
 Outcome, not an error: the stored row has this version or a newer one, and stays.
 */
#define STORE_NEWER_EXISTS 2

/*
 Outcome, not an error: the item is over DynamoDB's 400 KB; the older row, if any, stays.
 */
#define STORE_TOO_LARGE 3

/*
 Outcome, not an error: the cache does not have it, or there is no cache.
 */
#define STORE_NOT_CACHED 4

/*
 A bug in the library, contained. Report it.
 */
#define STORE_ERROR_PANIC -1

/*
 A pointer that must not be NULL is NULL.
 */
#define STORE_ERROR_NULL_ARGUMENT -2

/*
 Text that is not UTF-8.
 */
#define STORE_ERROR_INVALID_UTF8 -3

/*
 A length that cannot be right, such as a negative one that was converted.
 */
#define STORE_ERROR_INVALID_LENGTH -4

/*
 The handle is zero, closed, or never was what it is used as: a store, a completion queue, a call, a descriptor.
 */
#define STORE_ERROR_INVALID_HANDLE -5

/*
 Too many handles are open: close some.
 */
#define STORE_ERROR_TOO_MANY_STORES -6

/*
 There is no option of this name.
 */
#define STORE_ERROR_UNKNOWN_OPTION -7

/*
 The option takes another JSON type.
 */
#define STORE_ERROR_OPTION_TYPE -8

/*
 The option's value is out of range.
 */
#define STORE_ERROR_OPTION_VALUE -9

/*
 The table name is missing or empty.
 */
#define STORE_ERROR_EMPTY_TABLE_NAME -10

/*
 A key is empty; DynamoDB takes no empty keys.
 */
#define STORE_ERROR_EMPTY_KEY -11

/*
 A kind is empty.
 */
#define STORE_ERROR_EMPTY_KIND -12

/*
 A key is over 1,024 bytes, or a namespace over 2,048.
 */
#define STORE_ERROR_KEY_TOO_LONG -13

/*
 A version is negative, not a whole number, or beyond 64 bits.
 */
#define STORE_ERROR_INVALID_VERSION -14

/*
 Text that should be a JSON object and is not.
 */
#define STORE_ERROR_INVALID_JSON -15

/*
 A kind or key stands twice in one data set.
 */
#define STORE_ERROR_DUPLICATE_KEY -16

/*
 A live item has no payload.
 */
#define STORE_ERROR_EMPTY_ITEM -17

/*
 The table does not exist in this region and account.
 */
#define STORE_ERROR_TABLE_NOT_FOUND -30

/*
 The table's key is not `namespace` (string) and `key` (string).
 */
#define STORE_ERROR_KEY_SCHEMA -31

/*
 The credentials may not do this: add the permission.
 */
#define STORE_ERROR_ACCESS_DENIED -32

/*
 AWS does not know the credentials, or the secret key is wrong.
 */
#define STORE_ERROR_INVALID_CREDENTIALS -33

/*
 The credentials have expired.
 */
#define STORE_ERROR_EXPIRED_CREDENTIALS -34

/*
 No credentials were found.
 */
#define STORE_ERROR_NO_CREDENTIALS -35

/*
 No region was found.
 */
#define STORE_ERROR_NO_REGION -36

/*
 This machine's clock is wrong.
 */
#define STORE_ERROR_CLOCK_SKEW -37

/*
 DynamoDB throttled the request until the deadline. Retriable.
 */
#define STORE_ERROR_THROTTLED -38

/*
 The deadline passed. Retriable.
 */
#define STORE_ERROR_TIMEOUT -39

/*
 The endpoint cannot be reached, or the connection broke. Retriable.
 */
#define STORE_ERROR_CONNECTION -40

/*
 DynamoDB reported a fault of its own. Retriable.
 */
#define STORE_ERROR_SERVICE -41

/*
 The answer is not what was asked for. Retriable.
 */
#define STORE_ERROR_UNEXPECTED_RESPONSE -42

/*
 DynamoDB refused the request for a reason not listed here; the message has it.
 */
#define STORE_ERROR_REJECTED -43

/*
 A blocking function was called inside a callback.
 */
#define STORE_ERROR_CALLED_IN_CALLBACK -44

/*
 The library's threads could not be started. Retriable.
 */
#define STORE_ERROR_RUNTIME -45

/*
 `store_cancel` ended the call before it was over. Somebody wanted that, so it is no fault, and not retriable.
 */
#define STORE_CANCELLED -46

/*
 Event level: something was not done.
 */
#define STORE_LEVEL_ERROR 1

/*
 Event level: something needs a look.
 */
#define STORE_LEVEL_WARN 2

/*
 Event level: something happened.
 */
#define STORE_LEVEL_INFO 3

/*
 Event level: for whoever looks for a fault.
 */
#define STORE_LEVEL_DEBUG 4

/*
 All items of one kind: an opaque list, freed with `store_items_free`.
 */
typedef struct store_items store_items;

/*
 The big segments that name one context: an opaque list, freed with `store_membership_free`.
 */
typedef struct store_membership store_membership;

/*
 The outcome of an asynchronous call: opaque, read with the `store_result_…` functions.
 */
typedef struct store_result store_result;

/*
 What went wrong. The caller owns the struct; the library fills it when a function returns a negative number.

 Every function that can fail takes a pointer to one, as its last argument, or NULL where the number is
 enough. The struct need not be initialised: it is overwritten at every call, without reading what it held.
 After a failure free the message with `store_error_free`, before the struct is used again.
 */
typedef struct store_error {
  /*
   The number that the function returned: 0 after success and after an outcome.
   */
  int32_t code;
  /*
   1 if the same call may succeed later without anyone changing anything, else 0.
   */
  int32_t retriable;
  /*
   What was attempted, what happened, what to do: UTF-8, ends with NUL, never holds a credential or a
   payload. NULL after success.
   */
  char *message;
} store_error;

/*
 One item, seen or given. The struct is fixed for the life of the ABI.

 As an out-param of `store_get` or `store_upsert` it is overwritten without being read, keeps what it points to
 alive through `owner`, and is freed with `store_item_free`. Inside a list (`store_items_view`) it belongs to
 the list. As input (`store_init`) only `key`, `item`, `version` and `deleted` are read.
 */
typedef struct store_item {
  /*
   The item's key: UTF-8, `key_len` bytes, no NUL at the end.
   */
  const char *key;
  /*
   Length of `key` in bytes.
   */
  size_t key_len;
  /*
   The payload exactly as it was stored: UTF-8, `item_len` bytes, no NUL at the end. NULL for a deleted item.
   */
  const char *item;
  /*
   Length of `item` in bytes.
   */
  size_t item_len;
  /*
   The item's version, 0 or more.
   */
  int64_t version;
  /*
   1 if the item was deleted, else 0.
   */
  int32_t deleted;
  /*
   1 if the item comes from the cache beyond its time to live because reading it failed, else 0.
   */
  int32_t stale;
  /*
   The library's own. NULL in items that you give.
   */
  void *owner;
} store_item;

/*
 One kind of a data set, as input of `store_init`. The struct is fixed for the life of the ABI.
 */
typedef struct store_collection {
  /*
   The kind, such as "features" or "segments", without prefix: UTF-8, `kind_len` bytes.
   */
  const char *kind;
  /*
   Length of `kind` in bytes.
   */
  size_t kind_len;
  /*
   The items of this kind; may be NULL if there are none, which deletes the kind's rows.
   */
  const struct store_item *items;
  /*
   How many items.
   */
  size_t items_len;
} store_collection;

/*
 Called for every event of a store, on whatever thread it happens, never twice at the same time for one
 store. `message` is UTF-8, `message_len` bytes, valid during the call. The function must not call the store.
 */
typedef void (*store_logger)(void *user_data, int32_t level, const char *message, size_t message_len);

/*
 Called once for every asynchronous call that was accepted, however it ends, on a thread of the library, never on the
 calling thread. `result` belongs to the callee, who frees it with `store_result_free`. The function must not block;
 it may call asynchronous functions and everything that takes a `store_result`.
 */
typedef void (*store_callback)(void *user_data, struct store_result *result);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The number of the ABI that this library implements. Compare it with `STORE_ABI_VERSION` of the header you were
 built with, before any other call. Never fails, never blocks, any thread.

 Example: `if (store_abi_version() != STORE_ABI_VERSION) abort();`
 */
uint32_t store_abi_version(void);

/*
 The library's version, such as "0.1.0": NUL-terminated, static, not to be freed. Never fails, never blocks.

 Example: `puts(store_version());`
 */
const char *store_version(void);

/*
 The name of an outcome or error, such as "STORE_ERROR_TIMEOUT"; "STORE_UNKNOWN" for any other number.
 NUL-terminated, static, not to be freed. Never fails, never blocks, any thread.

 Example: `fprintf(stderr, "%s: %s\n", store_code_name(error.code), error.message);`
 */
const char *store_code_name(int32_t code);

/*
 Opens a store.

 `options` is a JSON object, `options_len` bytes of UTF-8; only `"table"` is required, and an unknown or
 mistyped option is an error that names it. On success `*store` is the handle, to be closed with `store_close`.
 Any thread may use it. Costs no network I/O and starts no thread: a missing table or credential shows at the
 first call. Opening equal options again returns another handle to the same live store (connections, cache,
 events), unless `"shared"` is false.

 What the options leave to the process's environment (`AWS_…`, `HOME`, `SSL_CERT_FILE`, `HTTPS_PROXY`, …) is taken now, on
 the calling thread, as by getenv: do not set variables in other threads while opening. Later changes do not matter to this
 store, and no call looks for a variable any more; only the C library may, when it looks up the endpoint's name on a thread of
 this library (`RES_OPTIONS`, `LOCALDOMAIN`, `HOSTALIASES`; glibc before 2.41 may crash if one is set just then). Stores are
 shared only if these variables are equal too. With `"endpoint"` and the keys given, no file is read, and only the variables
 about certificates and proxies, which do not matter to loopback without TLS.

 With `"compress_large"` an item over DynamoDB's 400 KB, of up to 16 MiB, is stored deflated in two attributes of its own,
 `flagstore_version` (a number) and `flagstore_item` (zlib), of its row. The row's `version` and `item` stay what other
 SDKs read there, or are a tombstone of the version before. Every store of this library, whatever its options, reads
 the newer of the two forms and compares its writes with both. Another SDK compares with `version` alone and replaces
 the whole row: what it writes with a version between the two is read until this library writes the item again.

 Errors: INVALID_JSON, UNKNOWN_OPTION, OPTION_TYPE, OPTION_VALUE, EMPTY_TABLE_NAME, TOO_MANY_STORES.

 Example: `store_open("{\"table\":\"flags\"}", 17, &store, &error)`
 */
int32_t store_open(const char *options,
                   size_t options_len,
                   uint64_t *store,
                   struct store_error *error);

/*
 Closes a handle. Calls in flight on it finish undisturbed, asynchronous ones with their callback, or in their queue;
 later calls get INVALID_HANDLE. The last handle to a store closes its connections and frees its cache, unless the store is
 `"persistent"`. Does not block. Any thread; also in a forked child, without effect on the parent.

 Errors: INVALID_HANDLE.

 Example: `store_close(store, NULL);`
 */
int32_t store_close(uint64_t store,
                    struct store_error *error);

/*
 Replaces the whole data set of the given kinds, then marks the store as initialised.

 Rows are written only where they differ, segments first, then flags after their prerequisites; rows of these
 kinds that are not given are deleted after that, dependents first, and the `$inited` row is written last. Within one
 version a row that says more is written over one that says less, and never the other way round. A row that another
 writer gave a newer version stays, and then nothing is deleted: the data set is older than the table. An init of a
 store that was not initialised, and one over another environment's data (most flags have another salt), replaces
 what it read whatever its version; so does one that meets a flag made anew, or a row that cannot be read. An item
 over 400 KB is not written, unless `"compress_large"` lets it be stored deflated (see `store_open`): the older row stays,
 an event and the report name it, and the rest is done. An item with an empty key is left out. Writes are paced to what the table takes and repeated when throttled. Success means that
 everything is stored; after an error, calling again goes on where it stopped.

 `report` may be NULL; else it receives a JSON object to be freed with `store_string_free`:
 `{"written":n,"unchanged":n,"deleted":n,"kept_newer":n,"too_large":[{"kind":…,"key":…,"bytes":n}],
 "deflated":{"count":n,"keys":[…]},"replaced":{…},"kept":{…},"left_out":{…}}`. `deflated` are those of the rows written
 that other SDKs read in an older form, or as deleted. The last three have a member for each reason that occurred, with the
 number of rows and the first ten of them: `{"newer":{"count":n,"keys":[{"kind":…,"key":…},…]}}`.
 - `replaced`, rows written over what a version alone would have kept: `unreadable`, `not_initialised`,
   `other_environment`, `made_anew`, `newer` (the option `"init_overwrites_newer"`).
 - `kept`, rows that the data set would not have: `newer` (their number is `kept_newer`), `older_data_set` (not given,
   but the data set is older than the table), `changed` (by somebody, since they were read), `needed_after_all` (by a
   row that came meanwhile), `tombstone` (they stop late updates).
 - `left_out`, items that were not taken: `empty_key`.

 The data is copied before anything is sent. Blocks, at most `"init_timeout_ms"`.

 Errors: those of checking the data (nothing was sent: EMPTY_KIND, KEY_TOO_LONG, INVALID_VERSION, EMPTY_ITEM,
 DUPLICATE_KEY, INVALID_UTF8), and those of DynamoDB.

 Example: `store_collection all[2] = {segments, features}; store_init(store, all, 2, NULL, &error);`
 */
int32_t store_init(uint64_t store,
                   const struct store_collection *collections,
                   size_t collections_len,
                   char **report,
                   struct store_error *error);

/*
 `store_init` with the JSON that a LaunchDarkly SDK or `/sdk/latest-all` has at hand:
 `{"features":{"key":{…},…},"segments":{…}}`, with `flags` accepted for `features`, also inside the
 `{"path":"/","data":{…}}` of a stream's `put`. Each item's text is stored byte for byte; its version is its
 member `version`, and `"deleted":true` makes it a deletion. Other kinds of objects may stand beside.

 `report`, blocking and errors as for `store_init`; in addition INVALID_JSON.

 Example: `store_init_json(store, body, body_len, NULL, &error);`
 */
int32_t store_init_json(uint64_t store,
                        const char *json,
                        size_t json_len,
                        char **report,
                        struct store_error *error);

/*
 Reads one item.

 Returns STORE_OK and fills `item` (free it with `store_item_free`), deleted items included: look at
 `item->deleted`. Returns STORE_NOT_FOUND, with `item` untouched, if there is no row, or one that cannot be read,
 which an event reports. With a cache, a hit does not block and copies nothing. Else blocks, at most
 `"timeout_ms"`. Any thread.

 Errors: EMPTY_KEY, EMPTY_KIND, KEY_TOO_LONG, and those of DynamoDB.

 Example: `if (store_get(store, "features", 8, "my-flag", 7, &item, &error) == STORE_OK) …`
 */
int32_t store_get(uint64_t store,
                  const char *kind,
                  size_t kind_len,
                  const char *key,
                  size_t key_len,
                  struct store_item *item,
                  struct store_error *error);

/*
 What memory has of an item: STORE_OK or STORE_NOT_FOUND where `store_get` would answer so without asking DynamoDB
 or reading a file of `"cache_dir"`, else STORE_NOT_CACHED, with `item` untouched. For event loops, which take a hit
 at once and turn to `store_get_async` for the rest: neither does any I/O on the calling thread. Does not block. Any
 thread, also inside callbacks.

 Example: `if (store_get_cached(store, "features", 8, "my-flag", 7, &item, &error) == STORE_NOT_CACHED) …`
 */
int32_t store_get_cached(uint64_t store,
                         const char *kind,
                         size_t kind_len,
                         const char *key,
                         size_t key_len,
                         struct store_item *item,
                         struct store_error *error);

/*
 Reads all items of a kind, deleted ones included. A row that cannot be read is left out, and an event reports
 it. On success `*items` is a list to be freed with `store_items_free`; it may be empty. Blocks, at most
 `"all_timeout_ms"`, unless the list is cached. Any thread.

 Errors: EMPTY_KIND, KEY_TOO_LONG, and those of DynamoDB.

 Example: `store_get_all(store, "features", 8, &items, &error)`
 */
int32_t store_get_all(uint64_t store,
                      const char *kind,
                      size_t kind_len,
                      struct store_items **items,
                      struct store_error *error);

/*
 The items of a list, as one array. `*first` points to `*count` structs that belong to the list and live until
 `store_items_free`; it is NULL for an empty list. Does not block. Any thread.

 Errors: NULL_ARGUMENT.

 Example: `store_items_view(items, &first, &count, NULL); for (i = 0; i < count; i++) use(&first[i]);`
 */
int32_t store_items_view(const struct store_items *items,
                         const struct store_item **first,
                         size_t *count,
                         struct store_error *error);

/*
 Writes one item if there is no row for it, or one with a smaller version or none, in one request. A row that cannot be
 read, or whose version is no whole number of 64 bits, is replaced if it is still as it was read.

 A deletion is an upsert with `deleted` other than 0: for "features" and "segments" the library writes the form
 that every SDK reads, and `item` may be NULL; for other kinds `item` is stored, or a minimal JSON if NULL.

 Returns STORE_OK if it was written. Returns STORE_NEWER_EXISTS if the stored version is the same or newer; then
 `stored`, unless NULL, is filled with the stored item (free it with `store_item_free`). Returns
 STORE_TOO_LARGE if the item is over 400 KB, with `"compress_large"` also deflated; the older row stays, and an event
 reports it. `stored` is untouched
 in every other case. Blocks, at most `"timeout_ms"`. Any thread.

 Errors: EMPTY_KEY, EMPTY_KIND, KEY_TOO_LONG, INVALID_VERSION, EMPTY_ITEM, and those of DynamoDB. After
 TIMEOUT and CONNECTION the item may have been written or not; calling again is safe.

 Example: `store_upsert(store, "features", 8, "my-flag", 7, 12, 0, json, json_len, NULL, &error)`
 */
int32_t store_upsert(uint64_t store,
                     const char *kind,
                     size_t kind_len,
                     const char *key,
                     size_t key_len,
                     int64_t version,
                     int32_t deleted,
                     const char *item,
                     size_t item_len,
                     struct store_item *stored,
                     struct store_error *error);

/*
 Whether a full data set was ever stored under this prefix: `*initialized` is 1 or 0. Once 1, or after an init
 through this handle, it is answered without I/O; another handle asks for itself. Else blocks, at most
 `"timeout_ms"`. Any thread.

 Errors: those of DynamoDB.

 Example: `store_initialized(store, &initialized, &error)`
 */
int32_t store_initialized(uint64_t store, int32_t *initialized, struct store_error *error);

/*
 Whether the table answers: STORE_OK, or the error that a read would get. One small read, never cached. With
 `"keep_told"`, what could not be written before is written first, so that STORE_OK says that the table has what this
 store was told. Blocks, at most `"timeout_ms"`. Any thread.

 Errors: those of DynamoDB.

 Example: `while (store_available(store, NULL) != STORE_OK) sleep(1);`
 */
int32_t store_available(uint64_t store,
                        struct store_error *error);

/*
 When the big segments were last brought up to date: `*synchronized_on` is Unix time in milliseconds.
 STORE_NOT_FOUND, with it untouched, if nothing ever wrote big segments. Blocks, at most `"timeout_ms"`.

 Errors: those of DynamoDB; UNEXPECTED_RESPONSE if the row holds something else.

 Example: `store_big_segments_metadata(store, &milliseconds, &error)`
 */
int32_t store_big_segments_metadata(uint64_t store, int64_t *synchronized_on, struct store_error *error);

/*
 The big segments that include or exclude one context. `hash` is base64(SHA-256(context key)), as SDKs pass it.
 On success `*membership` is to be freed with `store_membership_free`. STORE_NOT_FOUND, with it untouched, if no
 big segment names the context. Blocks, at most `"timeout_ms"`. Any thread.

 Errors: EMPTY_KEY, KEY_TOO_LONG, and those of DynamoDB.

 Example: `store_big_segments_membership(store, hash, hash_len, &membership, &error)`
 */
int32_t store_big_segments_membership(uint64_t store,
                                      const char *hash,
                                      size_t hash_len,
                                      struct store_membership **membership,
                                      struct store_error *error);

/*
 How many segments a membership names; 0 for NULL. Does not block.

 Example: `for (i = 0; i < store_membership_count(membership); i++) …`
 */
size_t store_membership_count(const struct store_membership *membership);

/*
 One entry of a membership: the segment reference (`<segment key>.g<generation>`, UTF-8, `*segment_len` bytes
 that belong to the membership) and whether the context is included (1) or excluded (0). STORE_NOT_FOUND beyond
 the end. Included wins where the table has both. Does not block.

 Errors: NULL_ARGUMENT.

 Example: `store_membership_entry(membership, i, &segment, &segment_len, &included, NULL)`
 */
int32_t store_membership_entry(const struct store_membership *membership,
                               size_t place,
                               const char **segment,
                               size_t *segment_len,
                               int32_t *included,
                               struct store_error *error);

/*
 What the store did since it was opened in this process: `*json` receives a JSON object to be freed with
 `store_string_free`. Its numbers only grow: `hits`, `misses`, `coalesced`, `stale`, `refreshes` (cache);
 `requests`, `retries`, `throttles`, `errors` (DynamoDB); `read_units`, `write_units` (capacity consumed);
 `skipped_rows`, `dropped_events`; `served_while_away` (of `stale`, those that did not wait since DynamoDB was known not to
 answer), `oldest_stale_ms` (the greatest age of a value that was served as stale, in milliseconds), `uncached` (answers
 too large to be kept); `host_hits` (values out of `"cache_dir"`), `host_trouble` (what went wrong with its files).
 `cached_items`, `cached_lists` and `cached_bytes` say what the cache holds now; `unwritten` how many items are to be
 written again; `away` is 1 from a failure on until DynamoDB answers again, else 0. Does not block.

 Errors: NULL_ARGUMENT, INVALID_HANDLE.

 Example: `store_statistics(store, &json, NULL); puts(json); store_string_free(json);`
 */
int32_t store_statistics(uint64_t store,
                         char **json,
                         struct store_error *error);

/*
 Looks for what may be wrong between this process and its flags, and says what to do about it.

 `options` are those of `store_open`. `*report_json` receives a JSON object to be freed with `store_string_free`:
 `{"problems":n,"warnings":n,"findings":[{"check":…,"level":…,"found":…,"remedy":…},…]}`. A finding's `level` is `"ok"`,
 `"note"`, `"warning"` or `"problem"`; `found` and `remedy` are sentences for a person, `remedy` is null where there is
 nothing to do; none of them holds a secret, of an access key id its last four characters. The checks are library,
 cache directory, region, settings, profile, credentials, clock, name, proxy, certificate, connection, endpoint, table, schema,
 capacity, service, request, get, query, put, delete, conditions, initialised, prefix, features, segments, unreadable rows, large
 rows, big segments, and rest, which says that nothing else could be looked at; one that does not apply is missing.

 It reads all flags and segments once, and makes two writes that cannot succeed (one write unit each) to see whether
 this process may write. Nothing is written, kept or cached, and no store is shared with it. Blocks, at most four times
 `"timeout_ms"` and twice `"all_timeout_ms"`. Any thread; the environment is taken as by `store_open`.

 Whatever is wrong with table, network or credentials stands in the report, and the call is STORE_OK. Errors:
 INVALID_JSON, UNKNOWN_OPTION, OPTION_TYPE, OPTION_VALUE, EMPTY_TABLE_NAME, TIMEOUT, RUNTIME, CALLED_IN_CALLBACK.

 Example: `store_doctor("{\"table\":\"flags\"}", 17, &report, &error)`
 */
int32_t store_doctor(const char *options,
                     size_t options_len,
                     char **report_json,
                     struct store_error *error);

/*
 Forgets everything that is cached, for every process of the host where there is a `"cache_dir"`; the next reads ask
 DynamoDB. What was told (`"keep_told"`) stays known. Does not block, but to remove the files.

 Errors: INVALID_HANDLE.

 Example: `store_clear_cache(store, NULL);`
 */
int32_t store_clear_cache(uint64_t store,
                          struct store_error *error);

/*
 Takes the oldest event that was not taken yet: `*level` is a STORE_LEVEL_… number, `*message` NUL-terminated
 UTF-8 to be freed with `store_string_free`. STORE_NOT_FOUND, with both untouched, if there is none. The library
 keeps the last 256 events; the statistics count those that were dropped. Does not block.

 An outage is one event of level WARN when it begins ("DynamoDB does not answer …", with the failure) and one of level
 INFO when it ends ("DynamoDB answers again …"); each read that failed and was served a stale value is one that says
 for how long that was known. What was served without asking meanwhile makes no event: `store_statistics` counts it.

 Errors: NULL_ARGUMENT, INVALID_HANDLE.

 Example: `while (store_next_event(store, &level, &message, NULL) == STORE_OK) { log(level, message); … }`
 */
int32_t store_next_event(uint64_t store,
                         int32_t *level,
                         char **message,
                         struct store_error *error);

/*
 Has a function called for every event instead of keeping events to be taken; NULL goes back to keeping them.
 `user_data` is handed through. After the call returns, the previous function is not called any more. Blocks only
 while the previous function runs; must not be called inside it. Shared by all handles of the same live store.

 Errors: INVALID_HANDLE.

 Example: `store_set_logger(store, on_event, my_log, NULL);`
 */
int32_t store_set_logger(uint64_t store,
                         store_logger callback,
                         void *user_data,
                         struct store_error *error);

/*
 `store_get` without blocking. If it returns STORE_OK, the call ends exactly once, later, whatever happens: `done` is
 called with `user_data` and the result, on a thread of the library; where `done` is NULL, both go to the queue that
 `store_complete_to` named. If it returns an error, nothing comes. The strings are copied before it returns.

 `call` may be NULL; else it receives the number to cancel the call by, before the call begins: it is there when the end
 is told. No number is given out twice.

 Errors: NULL_ARGUMENT (also where `done` is NULL and there is no queue), INVALID_HANDLE (also where the queue is closed),
 INVALID_UTF8, INVALID_LENGTH, RUNTIME; all others are in the result, and so is STORE_CANCELLED, see `store_cancel`.

 Example: `store_get_async(store, "features", 8, "my-flag", 7, on_flag, request, &call, &error)`
 */
int32_t store_get_async(uint64_t store,
                        const char *kind,
                        size_t kind_len,
                        const char *key,
                        size_t key_len,
                        store_callback done,
                        void *user_data,
                        uint64_t *call,
                        struct store_error *error);

/*
 `store_get_all` without blocking; otherwise as `store_get_async`.

 Example: `store_get_all_async(store, "features", 8, on_flags, request, NULL, &error)`
 */
int32_t store_get_all_async(uint64_t store,
                            const char *kind,
                            size_t kind_len,
                            store_callback done,
                            void *user_data,
                            uint64_t *call,
                            struct store_error *error);

/*
 `store_upsert` without blocking; otherwise as `store_get_async`. On STORE_NEWER_EXISTS the stored item is read
 with `store_result_item`.

 Example: `store_upsert_async(store, "features", 8, "my-flag", 7, 12, 0, json, json_len, on_written, request, NULL, &error)`
 */
int32_t store_upsert_async(uint64_t store,
                           const char *kind,
                           size_t kind_len,
                           const char *key,
                           size_t key_len,
                           int64_t version,
                           int32_t deleted,
                           const char *item,
                           size_t item_len,
                           store_callback done,
                           void *user_data,
                           uint64_t *call,
                           struct store_error *error);

/*
 `store_init` without blocking; otherwise as `store_get_async`. Errors of checking the data are returned, and nothing
 comes. The report is read with `store_result_report`, also that of an init that failed or was cancelled.

 Example: `store_init_async(store, all, 2, on_initialised, request, NULL, &error)`
 */
int32_t store_init_async(uint64_t store,
                         const struct store_collection *collections,
                         size_t collections_len,
                         store_callback done,
                         void *user_data,
                         uint64_t *call,
                         struct store_error *error);

/*
 `store_init_json` without blocking; otherwise as `store_init_async`.

 Example: `store_init_json_async(store, body, body_len, on_initialised, request, NULL, &error)`
 */
int32_t store_init_json_async(uint64_t store,
                              const char *json,
                              size_t json_len,
                              store_callback done,
                              void *user_data,
                              uint64_t *call,
                              struct store_error *error);

/*
 `store_initialized` without blocking; otherwise as `store_get_async`.

 Example: `store_initialized_async(store, on_answer, request, NULL, &error)`
 */
int32_t store_initialized_async(uint64_t store,
                                store_callback done,
                                void *user_data,
                                uint64_t *call,
                                struct store_error *error);

/*
 `store_available` without blocking; otherwise as `store_get_async`. `store_result_code` has the answer.

 Example: `store_available_async(store, on_answer, request, NULL, &error)`
 */
int32_t store_available_async(uint64_t store,
                              store_callback done,
                              void *user_data,
                              uint64_t *call,
                              struct store_error *error);

/*
 `store_big_segments_metadata` without blocking; otherwise as `store_get_async`. The time is read with
 `store_result_metadata`.

 Example: `store_big_segments_metadata_async(store, on_answer, request, NULL, &error)`
 */
int32_t store_big_segments_metadata_async(uint64_t store,
                                          store_callback done,
                                          void *user_data,
                                          uint64_t *call,
                                          struct store_error *error);

/*
 `store_big_segments_membership` without blocking; otherwise as `store_get_async`. The membership is read with
 `store_result_membership`.

 Example: `store_big_segments_membership_async(store, hash, hash_len, on_answer, request, NULL, &error)`
 */
int32_t store_big_segments_membership_async(uint64_t store,
                                            const char *hash,
                                            size_t hash_len,
                                            store_callback done,
                                            void *user_data,
                                            uint64_t *call,
                                            struct store_error *error);

/*
 Ends an asynchronous call as soon as that can be: what it waits for is given up, its request and its descriptors are
 dropped, and it ends as every call does, exactly once, with STORE_CANCELLED, or with its outcome if it was over already.
 A read that other calls wait for as well goes on for them. A cancelled upsert may have been written or not. A cancelled
 init begins no further write, and its result has the report of what it had done; what it began goes on where it stopped
 with the next init, and `$inited` is there only if everything was stored. What is cancelled is not written later, with
 `"keep_told"` neither. A call that is over is STORE_OK, and so is one of the parent in a forked child: it is the parent's.
 Does not block. Any thread, also inside callbacks, and after the store was closed.

 Errors: INVALID_HANDLE, if `call` was never the number of a call.

 Example: `store_cancel(call, NULL);`
 */
int32_t store_cancel(uint64_t call,
                     struct store_error *error);

/*
 Opens a completion queue: where asynchronous calls end whose host cannot be called back on a thread of the library. On
 success `*queue` is its number, to be closed with `store_completions_close`. Name it to stores with `store_complete_to`,
 make calls with `done` NULL, and take what is finished with `store_completions_next`, from as many threads as you like.

 In a forked child a queue of the parent can be used, is empty, and has no descriptor: the parent's calls end in the parent.
 Does not block. Any thread.

 Errors: NULL_ARGUMENT, TOO_MANY_STORES.

 Example: `store_completions_open(&queue, &error)`
 */
int32_t store_completions_open(uint64_t *queue,
                               struct store_error *error);

/*
 Has the calls that are made from now on with this handle, and with `done` NULL, end in a queue. Several stores may share
 one. Another queue may be named at any time; calls that have begun end where they were to. Does not block. Any thread.

 Errors: INVALID_HANDLE, of the store or of the queue.

 Example: `store_complete_to(store, queue, &error)`
 */
int32_t store_complete_to(uint64_t store,
                          uint64_t queue,
                          struct store_error *error);

/*
 Takes the call that was finished first: `*user_data` is what was given with it, `*result` its outcome, to be freed with
 `store_result_free`. Waits for one at most `timeout_ms`: not at all with 0, as long as it takes with a negative number.
 STORE_NOT_FOUND, with both untouched, if none came. Each is taken once; with several waiters each gets one of its own. Any
 thread; inside callbacks only with 0.

 Errors: NULL_ARGUMENT; INVALID_HANDLE, also where the queue is closed while one waits; CALLED_IN_CALLBACK.

 Example: `while (store_completions_next(queue, -1, &user_data, &result, NULL) == STORE_OK) finish(user_data, result);`
 */
int32_t store_completions_next(uint64_t queue,
                               int64_t timeout_ms,
                               void **user_data,
                               struct store_result **result,
                               struct store_error *error);

/*
 Has a queue write to a descriptor whenever it gets something while it is empty, and at once if it holds something now:
 eight bytes, the number 1 in the machine's order, which is right for a pipe, a socket and an eventfd. Writing never
 blocks and raises no SIGPIPE: what is full is readable anyway. So an event loop waits until the descriptor is readable,
 reads it empty, and then takes what is finished until there is STORE_NOT_FOUND; in that order it misses nothing.

 The library writes to a copy of the descriptor, which is closed with the queue, across exec, and by naming another; -1
 names none. A pipe should have no other writer, or not block. Not on Windows, where a thread waits in
 `store_completions_next`. Does not block. Any thread.

 Errors: INVALID_HANDLE, also for what is no descriptor that can be written to.

 Example: `store_completions_notify(queue, pipe_ends[1], &error)`
 */
int32_t store_completions_notify(uint64_t queue,
                                 int64_t descriptor,
                                 struct store_error *error);

/*
 Closes a queue. Who waits for it gets INVALID_HANDLE. What it holds and what still comes is freed, and its `user_data` is
 not given out any more; new calls that would end in it are refused. Does not block. Any thread.

 Errors: INVALID_HANDLE.

 Example: `store_completions_close(queue, NULL);`
 */
int32_t store_completions_close(uint64_t queue,
                                struct store_error *error);

/*
 The number that the blocking form would have returned; NULL_ARGUMENT's for NULL. Does not block.

 Example: `if (store_result_code(result) == STORE_OK) …`
 */
int32_t store_result_code(const struct store_result *result);

/*
 The error of a failed asynchronous call: returns its number and fills `error`, whose message is to be freed
 with `store_error_free`. Returns STORE_OK if the call did not fail. Does not block.

 Example: `if (store_result_error(result, &error) != STORE_OK) report(&error);`
 */
int32_t store_result_error(const struct store_result *result, struct store_error *error);

/*
 The item of an asynchronous get, or the stored item of an upsert that met a newer version: STORE_OK, to be freed
 with `store_item_free`; STORE_NOT_FOUND, with `item` untouched, if there is none. Does not block.

 Errors: NULL_ARGUMENT, also where the result belongs to another kind of call.

 Example: `store_result_item(result, &item, NULL)`
 */
int32_t store_result_item(const struct store_result *result,
                          struct store_item *item,
                          struct store_error *error);

/*
 The list of an asynchronous get_all, to be freed with `store_items_free`. Does not block.

 Errors: NULL_ARGUMENT, also where the result belongs to another kind of call.

 Example: `store_result_items(result, &items, NULL)`
 */
int32_t store_result_items(const struct store_result *result,
                           struct store_items **items,
                           struct store_error *error);

/*
 The answer of an asynchronous initialized, 1 or 0. Does not block.

 Errors: NULL_ARGUMENT, also where the result belongs to another kind of call.

 Example: `store_result_initialized(result, &initialized, NULL)`
 */
int32_t store_result_initialized(const struct store_result *result,
                                 int32_t *initialized,
                                 struct store_error *error);

/*
 The time of an asynchronous big_segments_metadata, Unix time in milliseconds. Does not block.

 Errors: NULL_ARGUMENT, also where the result belongs to another kind of call, or nothing was found.

 Example: `store_result_metadata(result, &milliseconds, NULL)`
 */
int32_t store_result_metadata(const struct store_result *result,
                              int64_t *synchronized_on,
                              struct store_error *error);

/*
 The membership of an asynchronous big_segments_membership, to be freed with `store_membership_free`. Does not block.

 Errors: NULL_ARGUMENT, also where the result belongs to another kind of call, or nothing was found.

 Example: `store_result_membership(result, &membership, NULL)`
 */
int32_t store_result_membership(const struct store_result *result,
                                struct store_membership **membership,
                                struct store_error *error);

/*
 The report of an asynchronous init, as of `store_init`, to be freed with `store_string_free`; of one that failed or was
 cancelled, what it had done by then. Does not block.

 Errors: NULL_ARGUMENT, also where the result belongs to another kind of call.

 Example: `store_result_report(result, &report, NULL)`
 */
int32_t store_result_report(const struct store_result *result,
                            char **report,
                            struct store_error *error);

/*
 Frees the message of an error and clears the struct, so that freeing it again does nothing. NULL is fine.

 Example: `store_error_free(&error);`
 */
void store_error_free(struct store_error *error);

/*
 Frees what an item points to and clears the struct, so that freeing it again does nothing. NULL is fine, and so
 is an item inside a list, which stays.

 Example: `store_item_free(&item);`
 */
void store_item_free(struct store_item *item);

/*
 Frees a list and everything its view points to. NULL is fine.

 Example: `store_items_free(items);`
 */
void store_items_free(struct store_items *items);

/*
 Frees a membership and everything its entries point to. NULL is fine.

 Example: `store_membership_free(membership);`
 */
void store_membership_free(struct store_membership *membership);

/*
 Frees the result of an asynchronous call. What was taken out of it stays. NULL is fine.

 Example: `store_result_free(result);`
 */
void store_result_free(struct store_result *result);

/*
 Frees a string that the library gave: a report, statistics, an event. NULL is fine.

 Example: `store_string_free(json);`
 */
void store_string_free(char *string);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FLAGSTORE_H */
