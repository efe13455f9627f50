/* Whatever a caller gets wrong is an error with a number: no crash, no read of what is not there, no half result. */
#include "endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define FLAG TEXT("features"), TEXT("flag")

static store_error error;

/* Its calls are all refused, so it must never run. */
static void on_done(void *user_data, store_result *result)
{
  (void)user_data;
  (void)result;
  FAIL("the callback of a refused call ran");
}

/* Handles */

/* Places for results; a refused call leaves them as they are. */
static struct {
  store_item item;
  store_items *items;
  store_membership *membership;
  char *text;
  int64_t number;
  int32_t small;
} out;

static const store_collection nothing = {TEXT("features"), NULL, 0};

static int32_t close_it(uint64_t s, store_error *e) { return store_close(s, e); }
static int32_t init_it(uint64_t s, store_error *e) { return store_init(s, &nothing, 1, &out.text, e); }
static int32_t init_json(uint64_t s, store_error *e) { return store_init_json(s, TEXT("{}"), &out.text, e); }
static int32_t get(uint64_t s, store_error *e) { return store_get(s, FLAG, &out.item, e); }
static int32_t get_all(uint64_t s, store_error *e) { return store_get_all(s, TEXT("features"), &out.items, e); }
static int32_t upsert(uint64_t s, store_error *e) { return store_upsert(s, FLAG, 1, 0, TEXT("{}"), &out.item, e); }
static int32_t initialized(uint64_t s, store_error *e) { return store_initialized(s, &out.small, e); }
static int32_t available(uint64_t s, store_error *e) { return store_available(s, e); }
static int32_t metadata(uint64_t s, store_error *e) { return store_big_segments_metadata(s, &out.number, e); }
static int32_t membership(uint64_t s, store_error *e)
{
  return store_big_segments_membership(s, TEXT("hash"), &out.membership, e);
}
static int32_t statistics(uint64_t s, store_error *e) { return store_statistics(s, &out.text, e); }
static int32_t clear_cache(uint64_t s, store_error *e) { return store_clear_cache(s, e); }
static int32_t next_event(uint64_t s, store_error *e) { return store_next_event(s, &out.small, &out.text, e); }
static int32_t set_logger(uint64_t s, store_error *e) { return store_set_logger(s, NULL, NULL, e); }
static int32_t get_async(uint64_t s, store_error *e) { return store_get_async(s, FLAG, on_done, NULL, e); }
static int32_t get_all_async(uint64_t s, store_error *e)
{
  return store_get_all_async(s, TEXT("features"), on_done, NULL, e);
}
static int32_t upsert_async(uint64_t s, store_error *e)
{
  return store_upsert_async(s, FLAG, 1, 0, TEXT("{}"), on_done, NULL, e);
}
static int32_t init_async(uint64_t s, store_error *e) { return store_init_async(s, &nothing, 1, on_done, NULL, e); }
static int32_t init_json_async(uint64_t s, store_error *e)
{
  return store_init_json_async(s, TEXT("{}"), on_done, NULL, e);
}
static int32_t initialized_async(uint64_t s, store_error *e) { return store_initialized_async(s, on_done, NULL, e); }

/* Every function that takes a handle. */
static int32_t (*const functions[])(uint64_t, store_error *) = {
    close_it,    init_it,    init_json,  get,        get_all,   upsert,        initialized,  available,  metadata,        membership,
    statistics,  clear_cache, next_event, set_logger, get_async, get_all_async, upsert_async, init_async, init_json_async, initialized_async,
};

static void check_invalid(uint64_t store)
{
  for (size_t function = 0; function < LENGTH(functions); function++) {
    CHECK_ERROR(STORE_ERROR_INVALID_HANDLE, "handle", functions[function](store, &error), &error);
    CHECK_CODE(STORE_ERROR_INVALID_HANDLE, functions[function](store, NULL), NULL);
  }
  CHECK(out.item.owner == NULL && out.items == NULL && out.membership == NULL && out.text == NULL);
  CHECK(out.number == 0 && out.small == 0);
}

static void a_handle_that_is_no_store_is_an_error_everywhere(void)
{
  static const uint64_t never[] = {0, 1, 2, 0xffff, INT64_MAX, UINT64_MAX, 0x4153000000000000u};
  for (size_t place = 0; place < LENGTH(never); place++) {
    check_invalid(never[place]);
  }
  uint64_t store = open_store("");
  check_invalid(0);
  /* The handle with one bit wrong, for every bit. */
  for (int bit = 0; bit < 64; bit++) {
    check_invalid(store ^ (UINT64_C(1) << bit));
  }
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

static void a_closed_handle_stays_closed(void)
{
  uint64_t first = open_store("");
  CHECK_CODE(STORE_OK, store_close(first, &error), &error);
  check_invalid(first);
  /* Whatever is opened later takes over its place, not its number. */
  for (int round = 0; round < 100; round++) {
    uint64_t next = open_store("");
    CHECK(next != first);
    CHECK_CODE(STORE_ERROR_INVALID_HANDLE, store_close(first, &error), &error);
    CHECK_CODE(STORE_OK, store_close(next, &error), &error);
  }
  check_invalid(first);
}

static void random_handles_are_errors(void)
{
  uint64_t store = open_store("");
  uint64_t state = 88172645463325252u; /* xorshift64, the same numbers in every run */
  for (int round = 0; round < 100000; round++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    if (state != store) {
      CHECK_INT(STORE_ERROR_INVALID_HANDLE, store_initialized(state, &out.small, NULL));
    }
  }
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

static void too_many_handles_are_an_error_that_passes(void)
{
  enum { MOST = 40000 };
  static uint64_t stores[MOST];
  const char options[] = "{\"table\":\"flags\"}";
  int count = 0;
  int32_t code = STORE_OK;
  while (count < MOST && (code = store_open(TEXT(options), &stores[count], &error)) == STORE_OK) {
    count++;
  }
  CHECK(count >= 10000);
  CHECK_ERROR(STORE_ERROR_TOO_MANY_STORES, "close", code, &error);
  CHECK_CODE(STORE_OK, store_clear_cache(stores[count - 1], &error), &error);
  CHECK_CODE(STORE_OK, store_close(stores[0], &error), &error);
  CHECK_CODE(STORE_OK, store_open(TEXT(options), &stores[0], &error), &error);
  for (int place = 0; place < count; place++) {
    CHECK_CODE(STORE_OK, store_close(stores[place], NULL), NULL);
  }
  uint64_t store = open_store("");
  put_flag(store, "flag", 1, "{}");
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

/* NULL */

#define CHECK_NULL(name, call) CHECK_ERROR(STORE_ERROR_NULL_ARGUMENT, "\"" name "\"", call, &error)

static void null_is_an_error_that_names_the_argument(void)
{
  uint64_t store = open_store("");
  const char *segment = NULL;
  size_t length = 0;
  const store_item *first = NULL;
  size_t count = 0;

  CHECK_NULL("options", store_open(NULL, 5, &store, &error));
  CHECK_NULL("store", store_open(TEXT("{\"table\":\"t\"}"), NULL, &error));
  CHECK_NULL("collections", store_init(store, NULL, 1, &out.text, &error));
  CHECK_NULL("kind", store_init(store, &(store_collection){NULL, 3, NULL, 0}, 1, &out.text, &error));
  CHECK_NULL("items", store_init(store, &(store_collection){TEXT("features"), NULL, 2}, 1, &out.text, &error));
  const store_item no_key = {NULL, 3, TEXT("{}"), 1, 0, 0, NULL};
  CHECK_NULL("key", store_init(store, &(store_collection){TEXT("features"), &no_key, 1}, 1, &out.text, &error));
  const store_item no_item = {TEXT("flag"), NULL, 2, 1, 0, 0, NULL};
  CHECK_NULL("item", store_init(store, &(store_collection){TEXT("features"), &no_item, 1}, 1, &out.text, &error));
  CHECK_NULL("json", store_init_json(store, NULL, 2, &out.text, &error));
  CHECK_NULL("kind", store_get(store, NULL, 8, TEXT("flag"), &out.item, &error));
  CHECK_NULL("key", store_get(store, TEXT("features"), NULL, 4, &out.item, &error));
  CHECK_NULL("item", store_get(store, FLAG, NULL, &error));
  CHECK_NULL("kind", store_get_all(store, NULL, 8, &out.items, &error));
  CHECK_NULL("items", store_get_all(store, TEXT("features"), NULL, &error));
  CHECK_NULL("items", store_items_view(NULL, &first, &count, &error));
  CHECK_NULL("kind", store_upsert(store, NULL, 8, TEXT("flag"), 1, 0, TEXT("{}"), &out.item, &error));
  CHECK_NULL("key", store_upsert(store, TEXT("features"), NULL, 4, 1, 0, TEXT("{}"), &out.item, &error));
  CHECK_NULL("item", store_upsert(store, FLAG, 1, 0, NULL, 2, &out.item, &error));
  CHECK_NULL("initialized", store_initialized(store, NULL, &error));
  CHECK_NULL("synchronized_on", store_big_segments_metadata(store, NULL, &error));
  CHECK_NULL("hash", store_big_segments_membership(store, NULL, 4, &out.membership, &error));
  CHECK_NULL("membership", store_big_segments_membership(store, TEXT("hash"), NULL, &error));
  CHECK_NULL("membership", store_membership_entry(NULL, 0, &segment, &length, &out.small, &error));
  CHECK_NULL("json", store_statistics(store, NULL, &error));
  CHECK_NULL("level", store_next_event(store, NULL, &out.text, &error));
  CHECK_NULL("message", store_next_event(store, &out.small, NULL, &error));
  CHECK_NULL("callback", store_get_async(store, FLAG, NULL, NULL, &error));
  CHECK_NULL("kind", store_get_async(store, NULL, 8, TEXT("flag"), on_done, NULL, &error));
  CHECK_NULL("key", store_get_async(store, TEXT("features"), NULL, 4, on_done, NULL, &error));
  CHECK_NULL("callback", store_get_all_async(store, TEXT("features"), NULL, NULL, &error));
  CHECK_NULL("kind", store_get_all_async(store, NULL, 8, on_done, NULL, &error));
  CHECK_NULL("callback", store_upsert_async(store, FLAG, 1, 0, TEXT("{}"), NULL, NULL, &error));
  CHECK_NULL("kind", store_upsert_async(store, NULL, 8, TEXT("flag"), 1, 0, TEXT("{}"), on_done, NULL, &error));
  CHECK_NULL("key", store_upsert_async(store, TEXT("features"), NULL, 4, 1, 0, TEXT("{}"), on_done, NULL, &error));
  CHECK_NULL("item", store_upsert_async(store, FLAG, 1, 0, NULL, 2, on_done, NULL, &error));
  CHECK_NULL("callback", store_init_async(store, &nothing, 1, NULL, NULL, &error));
  CHECK_NULL("collections", store_init_async(store, NULL, 1, on_done, NULL, &error));
  CHECK_NULL("callback", store_init_json_async(store, TEXT("{}"), NULL, NULL, &error));
  CHECK_NULL("json", store_init_json_async(store, NULL, 2, on_done, NULL, &error));
  CHECK_NULL("callback", store_initialized_async(store, NULL, NULL, &error));
  CHECK_INT(STORE_ERROR_NULL_ARGUMENT, store_result_code(NULL));
  CHECK_NULL("result", store_result_error(NULL, &error));
  CHECK_NULL("result", store_result_item(NULL, &out.item, &error));
  CHECK_NULL("result", store_result_items(NULL, &out.items, &error));
  CHECK_NULL("result", store_result_initialized(NULL, &out.small, &error));
  CHECK_NULL("result", store_result_report(NULL, &out.text, &error));
  CHECK_INT(0, store_membership_count(NULL));

  CHECK(out.item.owner == NULL && out.items == NULL && out.membership == NULL && out.text == NULL);
  CHECK(out.number == 0 && out.small == 0 && segment == NULL && first == NULL);
  CHECK_INT(0, statistic(store, "requests"));
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

/* The out-params of what works on a list, a membership or a result need one of these to exist. */
static void null_for_the_places_of_a_list_is_an_error(void)
{
  uint64_t store = open_store("");
  const store_item *first = NULL;
  const char *segment = NULL;
  size_t count = 0, length = 0;
  put_row("big_segments_user", "hash", "\"included\":{\"SS\":[\"a.g1\"]}");
  CHECK_CODE(STORE_OK, get_all(store, &error), &error);
  CHECK_NULL("first", store_items_view(out.items, NULL, &count, &error));
  CHECK_NULL("count", store_items_view(out.items, &first, NULL, &error));
  CHECK_CODE(STORE_OK, membership(store, &error), &error);
  CHECK_NULL("segment", store_membership_entry(out.membership, 0, NULL, &length, &out.small, &error));
  CHECK_NULL("segment_len", store_membership_entry(out.membership, 0, &segment, NULL, &out.small, &error));
  CHECK_NULL("included", store_membership_entry(out.membership, 0, &segment, &length, NULL, &error));
  store_items_free(out.items);
  store_membership_free(out.membership);
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

static store_result *kept;

static void keep(void *user_data, store_result *result)
{
  (void)user_data;
  __atomic_store_n(&kept, result, __ATOMIC_RELEASE);
}

static void null_for_the_place_of_a_result_is_an_error(void)
{
  uint64_t store = open_store("");
  CHECK_CODE(STORE_OK, store_get_async(store, FLAG, keep, NULL, &error), &error);
  AWAIT(__atomic_load_n(&kept, __ATOMIC_ACQUIRE) != NULL);
  CHECK_NULL("item", store_result_item(kept, NULL, &error));
  CHECK_NULL("items", store_result_items(kept, NULL, &error));
  CHECK_NULL("initialized", store_result_initialized(kept, NULL, &error));
  CHECK_NULL("report", store_result_report(kept, NULL, &error));
  CHECK_INT(STORE_OK, store_result_error(kept, NULL));
  store_result_free(kept);
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

static void freeing_null_and_freeing_twice_does_nothing(void)
{
  store_error_free(NULL);
  store_item_free(NULL);
  store_items_free(NULL);
  store_membership_free(NULL);
  store_result_free(NULL);
  store_string_free(NULL);
  CHECK_INT(STORE_ERROR_INVALID_HANDLE, store_close(0, &error));
  store_error_free(&error);
  CHECK(error.code == 0 && error.message == NULL);
  store_error_free(&error);
  uint64_t store = open_store("");
  put_flag(store, "flag", 1, "{}");
  CHECK_CODE(STORE_OK, get(store, &error), &error);
  store_item_free(&out.item);
  store_item_free(&out.item);
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

static void an_error_struct_needs_no_preparation(void)
{
  store_error dirty;
  memset(&dirty, 0xa5, sizeof dirty);
  CHECK_CODE(STORE_ERROR_INVALID_HANDLE, store_close(0, &dirty), &dirty);
  memset(&dirty, 0xa5, sizeof dirty);
  uint64_t store = open_store("");
  CHECK_CODE(STORE_OK, store_close(store, &dirty), &dirty);
  CHECK(dirty.message == NULL);
}

/* Text */

static void text_that_is_not_utf8_is_an_error_that_names_the_argument(void)
{
  /* A stray byte, a cut sequence, a surrogate, an overlong NUL, a number beyond Unicode. */
  static const char *const bad[] = {"a\xff", "a\xc3", "a\xed\xa0\x80", "a\xc0\x80", "a\xf4\x90\x80\x80"};
  uint64_t store = open_store("");
  for (size_t place = 0; place < LENGTH(bad); place++) {
    const char *text = bad[place];
    size_t length = strlen(text);
#define CHECK_UTF8(name, call) CHECK_ERROR(STORE_ERROR_INVALID_UTF8, "\"" name "\" is not UTF-8 from byte 1", call, &error)
    uint64_t other = 0;
    CHECK_UTF8("options", store_open(text, length, &other, &error));
    CHECK_UTF8("json", store_init_json(store, text, length, &out.text, &error));
    CHECK_UTF8("kind", store_get(store, text, length, TEXT("flag"), &out.item, &error));
    CHECK_UTF8("key", store_get(store, TEXT("features"), text, length, &out.item, &error));
    CHECK_UTF8("kind", store_get_all(store, text, length, &out.items, &error));
    CHECK_UTF8("kind", store_upsert(store, text, length, TEXT("flag"), 1, 0, TEXT("{}"), &out.item, &error));
    CHECK_UTF8("key", store_upsert(store, TEXT("features"), text, length, 1, 0, TEXT("{}"), &out.item, &error));
    CHECK_UTF8("item", store_upsert(store, FLAG, 1, 0, text, length, &out.item, &error));
    CHECK_UTF8("hash", store_big_segments_membership(store, text, length, &out.membership, &error));
    CHECK_UTF8("kind", store_init(store, &(store_collection){text, length, NULL, 0}, 1, &out.text, &error));
    const store_item key = {text, length, TEXT("{}"), 1, 0, 0, NULL};
    CHECK_UTF8("key", store_init(store, &(store_collection){TEXT("features"), &key, 1}, 1, &out.text, &error));
    const store_item item = {TEXT("flag"), text, length, 1, 0, 0, NULL};
    CHECK_UTF8("item", store_init(store, &(store_collection){TEXT("features"), &item, 1}, 1, &out.text, &error));
    CHECK_UTF8("kind", store_get_async(store, text, length, TEXT("flag"), on_done, NULL, &error));
    CHECK_UTF8("key", store_get_async(store, TEXT("features"), text, length, on_done, NULL, &error));
    CHECK_UTF8("kind", store_get_all_async(store, text, length, on_done, NULL, &error));
    CHECK_UTF8("item", store_upsert_async(store, FLAG, 1, 0, text, length, on_done, NULL, &error));
    CHECK_UTF8("json", store_init_json_async(store, text, length, on_done, NULL, &error));
    CHECK_UTF8("kind", store_init_async(store, &(store_collection){text, length, NULL, 0}, 1, on_done, NULL, &error));
  }
  CHECK_INT(0, statistic(store, "requests"));
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

static void a_length_that_cannot_be_is_an_error(void)
{
  /* What a negative number becomes when it is converted. */
  static const size_t lengths[] = {SIZE_MAX, (size_t)INT64_MIN, (size_t)-4096};
  uint64_t store = open_store("");
  for (size_t place = 0; place < LENGTH(lengths); place++) {
    size_t length = lengths[place];
    uint64_t other = 0;
    const store_item key = {"flag", length, TEXT("{}"), 1, 0, 0, NULL};
    const store_item item = {TEXT("flag"), "{}", length, 1, 0, 0, NULL};
#define CHECK_LENGTH(name, call) CHECK_ERROR(STORE_ERROR_INVALID_LENGTH, "\"" name "\"", call, &error)
    CHECK_LENGTH("options", store_open("{}", length, &other, &error));
    CHECK_LENGTH("json", store_init_json(store, "{}", length, &out.text, &error));
    CHECK_LENGTH("kind", store_get(store, "features", length, TEXT("flag"), &out.item, &error));
    CHECK_LENGTH("key", store_get(store, TEXT("features"), "flag", length, &out.item, &error));
    CHECK_LENGTH("kind", store_get_all(store, "features", length, &out.items, &error));
    CHECK_LENGTH("kind", store_upsert(store, "features", length, TEXT("flag"), 1, 0, TEXT("{}"), &out.item, &error));
    CHECK_LENGTH("key", store_upsert(store, TEXT("features"), "flag", length, 1, 0, TEXT("{}"), &out.item, &error));
    CHECK_LENGTH("item", store_upsert(store, FLAG, 1, 0, "{}", length, &out.item, &error));
    CHECK_LENGTH("hash", store_big_segments_membership(store, "hash", length, &out.membership, &error));
    CHECK_LENGTH("collections", store_init(store, &nothing, length, &out.text, &error));
    CHECK_LENGTH("items", store_init(store, &(store_collection){TEXT("features"), &item, length}, 1, &out.text, &error));
    CHECK_LENGTH("kind", store_init(store, &(store_collection){"features", length, NULL, 0}, 1, &out.text, &error));
    CHECK_LENGTH("key", store_init(store, &(store_collection){TEXT("features"), &key, 1}, 1, &out.text, &error));
    CHECK_LENGTH("item", store_init(store, &(store_collection){TEXT("features"), &item, 1}, 1, &out.text, &error));
    CHECK_LENGTH("key", store_get_async(store, TEXT("features"), "flag", length, on_done, NULL, &error));
    CHECK_LENGTH("kind", store_get_all_async(store, "features", length, on_done, NULL, &error));
    CHECK_LENGTH("item", store_upsert_async(store, FLAG, 1, 0, "{}", length, on_done, NULL, &error));
    CHECK_LENGTH("json", store_init_json_async(store, "{}", length, on_done, NULL, &error));
    CHECK_LENGTH("collections", store_init_async(store, &nothing, length, on_done, NULL, &error));
    CHECK_NULL("key", store_get(store, TEXT("features"), NULL, length, &out.item, &error));
    CHECK_NULL("options", store_open(NULL, length, &other, &error));
    CHECK_NULL("collections", store_init(store, NULL, length, &out.text, &error));
  }
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

static void a_pointer_to_no_bytes_is_not_read(void)
{
  uint64_t store = open_store("");
  const char *nowhere = (const char *)(uintptr_t)1;
  const store_collection none = {TEXT("features"), (const store_item *)(uintptr_t)8, 0};
  CHECK_CODE(STORE_ERROR_EMPTY_KEY, store_get(store, TEXT("features"), nowhere, 0, &out.item, &error), &error);
  CHECK_CODE(STORE_ERROR_EMPTY_KIND, store_get(store, nowhere, 0, TEXT("flag"), &out.item, &error), &error);
  CHECK_CODE(STORE_ERROR_EMPTY_ITEM, store_upsert(store, FLAG, 1, 0, nowhere, 0, NULL, &error), &error);
  CHECK_CODE(STORE_OK, store_init(store, (const store_collection *)(uintptr_t)8, 0, NULL, &error), &error);
  CHECK_CODE(STORE_OK, store_init(store, &none, 1, NULL, &error), &error);
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

static void credentials_and_payloads_are_in_no_message(void)
{
  static const char options[] = "{\"table\":\"flags\",\"endpoint\":\"http://127.0.0.1:1\",\"timeout_ms\":100,"
                                "\"access_key_id\":\"AKIASECRETID\",\"secret_access_key\":\"S3cretKey\","
                                "\"session_token\":\"T0ken\",\"region\":\"us-east-1\",\"log_level\":\"debug\"}";
  uint64_t store;
  int32_t level;
  char *message;
  CHECK_CODE(STORE_OK, store_open(TEXT(options), &store, &error), &error);
  CHECK(store_upsert(store, FLAG, 1, 0, TEXT("{\"pay\":\"load\"}"), NULL, &error) < 0);
#define CHECK_HARMLESS(text)                                                                                          \
  CHECK(strstr(text, "AKIASECRETID") == NULL && strstr(text, "S3cret") == NULL && strstr(text, "T0ken") == NULL && \
        strstr(text, "load") == NULL)
  CHECK_HARMLESS(error.message);
  store_error_free(&error);
  while (store_next_event(store, &level, &message, &error) == STORE_OK) {
    CHECK_HARMLESS(message);
    store_string_free(message);
  }
  CHECK_INT(STORE_ERROR_INVALID_JSON, store_init_json(store, TEXT("{\"flags\":{\"f\":{\"pay\":\"load\",]}}"), NULL, &error));
  CHECK_HARMLESS(error.message);
  store_error_free(&error);
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

int main(int argc, char **argv)
{
  static const struct test tests[] = {
      TEST(a_handle_that_is_no_store_is_an_error_everywhere),
      TEST(a_closed_handle_stays_closed),
      TEST(random_handles_are_errors),
      TEST(too_many_handles_are_an_error_that_passes),
      TEST(null_is_an_error_that_names_the_argument),
      TEST(null_for_the_places_of_a_list_is_an_error),
      TEST(null_for_the_place_of_a_result_is_an_error),
      TEST(freeing_null_and_freeing_twice_does_nothing),
      TEST(an_error_struct_needs_no_preparation),
      TEST(text_that_is_not_utf8_is_an_error_that_names_the_argument),
      TEST(a_length_that_cannot_be_is_an_error),
      TEST(a_pointer_to_no_bytes_is_not_read),
      TEST(credentials_and_payloads_are_in_no_message),
  };
  start_server(&endpoint);
  return RUN(argc, argv, tests);
}
