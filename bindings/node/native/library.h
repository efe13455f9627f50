/* libflagstore, chosen once for the process. What the functions mean is documented in flagstore.h. */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <flagstore.h>
#include <stdbool.h>

/* Every function that the package uses. Their types come from the header, so the compiler checks each call. */
#define LIBRARY_FUNCTIONS(X) \
  X(store_abi_version) \
  X(store_version) \
  X(store_code_name) \
  X(store_open) \
  X(store_close) \
  X(store_get_cached) \
  X(store_membership_count) \
  X(store_membership_entry) \
  X(store_statistics) \
  X(store_doctor) \
  X(store_clear_cache) \
  X(store_cancel) \
  X(store_next_event) \
  X(store_get_async) \
  X(store_get_all_async) \
  X(store_upsert_async) \
  X(store_init_async) \
  X(store_init_json_async) \
  X(store_initialized_async) \
  X(store_available_async) \
  X(store_big_segments_metadata_async) \
  X(store_big_segments_membership_async) \
  X(store_result_code) \
  X(store_result_error) \
  X(store_result_item) \
  X(store_result_items) \
  X(store_result_initialized) \
  X(store_result_metadata) \
  X(store_result_membership) \
  X(store_result_report) \
  X(store_items_view) \
  X(store_error_free) \
  X(store_item_free) \
  X(store_items_free) \
  X(store_membership_free) \
  X(store_result_free) \
  X(store_string_free)

#define LIBRARY_MEMBER(name) __typeof__(name) *name;
struct library {
  LIBRARY_FUNCTIONS(LIBRARY_MEMBER)
};
#undef LIBRARY_MEMBER

/* Filled by library_use. */
extern struct library library;

/* Whether the library is linked into the addon, as it is into what is published. */
extern const bool library_linked;

/*
 * Uses the file, or the system's library for a name without a slash, or for NULL the one that is linked in; unless one is
 * used already, by whichever worker. Returns NULL, or why it cannot be used, in a buffer of the calling thread.
 */
const char *library_use(const char *path);

#endif
