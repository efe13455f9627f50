/* libflagstore, chosen once for the process. What the functions mean is documented in flagstore.h. */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flagstore.h"

/* Every function that the bridge calls, store_abi_version first. Their types come from the header. */
#define LIBRARY_FUNCTIONS(F) \
  F(store_abi_version) F(store_version) F(store_code_name) F(store_open) F(store_close) F(store_get_cached) \
  F(store_get_async) F(store_get_all_async) F(store_upsert_async) F(store_init_async) F(store_init_json_async) \
  F(store_initialized_async) F(store_available_async) F(store_big_segments_metadata_async) \
  F(store_big_segments_membership_async) F(store_cancel) F(store_completions_open) F(store_complete_to) \
  F(store_completions_next) F(store_result_code) F(store_result_error) F(store_result_item) F(store_result_items) \
  F(store_result_initialized) F(store_result_report) F(store_result_metadata) F(store_result_membership) \
  F(store_items_view) F(store_membership_count) F(store_membership_entry) F(store_statistics) F(store_doctor) \
  F(store_clear_cache) F(store_next_event) F(store_error_free) F(store_item_free) F(store_items_free) F(store_membership_free) \
  F(store_result_free) F(store_string_free)

struct library {
#define POINTER(name) __typeof__(name) *name;
  LIBRARY_FUNCTIONS(POINTER)
#undef POINTER
};

extern struct library library;

/* Whether the library is linked into the bridge, as it is into what is published. */
extern const bool library_linked;

/*
 * Uses the file, or the system's library for a name without a slash, or for NULL the one that is linked in. False, with why
 * in the buffer, if it cannot be used. One thread at a time.
 */
bool library_use(const char *path, char *why, size_t size);

#endif
