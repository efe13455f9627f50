/* The asynchronous forms: exactly one callback per accepted call, on a thread of the library, and none otherwise. */
#include "endpoint.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static store_error error;

/* One asynchronous call: its callback keeps the result and announces it. */
struct request {
  sem_t done;
  atomic_int calls;
  pthread_t thread;
  store_result *result;
};

static void on_done(void *user_data, store_result *result)
{
  struct request *request = user_data;
  request->result = result;
  request->thread = pthread_self();
  atomic_fetch_add(&request->calls, 1);
  sem_post(&request->done);
}

static void await_semaphore(sem_t *semaphore)
{
  while (sem_wait(semaphore) != 0) {
  }
}

/* For callbacks that go on with a second call, as event loops do. */
struct chain {
  uint64_t store;
  struct request last;
};

/* Waits for the callback and returns the result, to be freed. */
static store_result *result_of(struct request *request)
{
  await_semaphore(&request->done);
  CHECK_INT(1, atomic_load(&request->calls));
  CHECK(!pthread_equal(request->thread, pthread_self()));
  return request->result;
}

#define REQUEST(name) \
  struct request name = {0}; \
  sem_init(&name.done, 0, 0)

/* What a result may hold. */
enum value { NONE, ITEM, ITEMS, INITIALIZED, REPORT, METADATA, MEMBERSHIP };

/* A result gives its own kind of value, and refuses the others with an error, leaving the places untouched. */
static void check_holds(const store_result *result, enum value held)
{
  store_item item = {.version = 4711};
  store_items *items = NULL;
  int32_t initialized = 4711;
  char *report = NULL;
  int64_t synchronized_on = 4711;
  store_membership *membership = NULL;
  const int32_t refused = STORE_ERROR_NULL_ARGUMENT;
  int32_t none_or_refused = held == NONE ? STORE_NOT_FOUND : refused;
  CHECK_CODE(held == ITEM ? STORE_OK : none_or_refused, store_result_item(result, &item, &error), &error);
  CHECK_CODE(held == ITEMS ? STORE_OK : refused, store_result_items(result, &items, &error), &error);
  CHECK_CODE(held == INITIALIZED ? STORE_OK : refused, store_result_initialized(result, &initialized, &error), &error);
  CHECK_CODE(held == REPORT ? STORE_OK : refused, store_result_report(result, &report, &error), &error);
  CHECK_CODE(held == METADATA ? STORE_OK : refused, store_result_metadata(result, &synchronized_on, &error), &error);
  CHECK_CODE(held == MEMBERSHIP ? STORE_OK : refused, store_result_membership(result, &membership, &error), &error);
  CHECK((item.version != 4711) == (held == ITEM));
  CHECK((items != NULL) == (held == ITEMS));
  CHECK((initialized != 4711) == (held == INITIALIZED));
  CHECK((report != NULL) == (held == REPORT));
  CHECK((synchronized_on != 4711) == (held == METADATA));
  CHECK((membership != NULL) == (held == MEMBERSHIP));
  if (held == ITEM) {
    store_item_free(&item);
  }
  store_items_free(items);
  store_string_free(report);
  store_membership_free(membership);
}

static void check_succeeded(const store_result *result)
{
  CHECK_INT(STORE_OK, store_result_code(result));
  CHECK_CODE(STORE_OK, store_result_error(result, &error), &error);
}

static void get_gives_the_item(void)
{
  uint64_t store = open_store("");
  REQUEST(request);
  store_item item;
  put_flag(store, "flag", 7, "{\"a\":1}");
  CHECK_CODE(STORE_OK, store_get_async(store, TEXT("features"), TEXT("flag"), on_done, &request, NULL, &error), &error);
  store_result *result = result_of(&request);
  check_succeeded(result);
  check_holds(result, ITEM);
  CHECK_CODE(STORE_OK, store_result_item(result, &item, &error), &error);
  /* What was taken out of a result stays when the result goes. */
  store_result_free(result);
  store_close(store, NULL);
  CHECK_TEXT("{\"a\":1}", item.item, item.item_len);
  CHECK_INT(7, item.version);
  store_item_free(&item);
}

static void get_of_a_missing_row_is_an_outcome(void)
{
  uint64_t store = open_store("");
  REQUEST(request);
  CHECK_CODE(STORE_OK, store_get_async(store, TEXT("features"), TEXT("none"), on_done, &request, NULL, &error), &error);
  store_result *result = result_of(&request);
  CHECK_INT(STORE_NOT_FOUND, store_result_code(result));
  CHECK_CODE(STORE_OK, store_result_error(result, &error), &error);
  check_holds(result, NONE);
  store_result_free(result);
  store_close(store, NULL);
}

static void get_all_gives_the_list(void)
{
  uint64_t store = open_store("");
  REQUEST(request);
  store_items *items;
  const store_item *first;
  size_t count;
  put_flag(store, "one", 1, "{}");
  put_flag(store, "two", 2, "{}");
  CHECK_CODE(STORE_OK, store_get_all_async(store, TEXT("features"), on_done, &request, NULL, &error), &error);
  store_result *result = result_of(&request);
  check_succeeded(result);
  check_holds(result, ITEMS);
  CHECK_CODE(STORE_OK, store_result_items(result, &items, &error), &error);
  store_result_free(result);
  CHECK_CODE(STORE_OK, store_items_view(items, &first, &count, &error), &error);
  CHECK_INT(2, count);
  CHECK_INT(3, first[0].version + first[1].version);
  store_items_free(items);
  store_close(store, NULL);
}

static void upsert_gives_its_outcome_and_the_newer_item(void)
{
  uint64_t store = open_store("");
  static char large[400001];
  memset(large, 'x', sizeof large);
  store_item item;
  REQUEST(written);
  CHECK_CODE(STORE_OK,
             store_upsert_async(store, TEXT("features"), TEXT("flag"), 5, 0, TEXT("{\"v\":5}"), on_done, &written, NULL,
                                &error),
             &error);
  store_result *result = result_of(&written);
  check_succeeded(result);
  check_holds(result, NONE);
  store_result_free(result);

  REQUEST(older);
  CHECK_CODE(STORE_OK,
             store_upsert_async(store, TEXT("features"), TEXT("flag"), 4, 0, TEXT("{}"), on_done, &older, NULL, &error),
             &error);
  result = result_of(&older);
  CHECK_INT(STORE_NEWER_EXISTS, store_result_code(result));
  CHECK_CODE(STORE_OK, store_result_error(result, &error), &error);
  check_holds(result, ITEM);
  CHECK_CODE(STORE_OK, store_result_item(result, &item, &error), &error);
  store_result_free(result);
  CHECK_TEXT("{\"v\":5}", item.item, item.item_len);
  store_item_free(&item);

  REQUEST(too_large);
  CHECK_CODE(STORE_OK,
             store_upsert_async(store, TEXT("features"), TEXT("flag"), 6, 0, large, sizeof large, on_done, &too_large,
                                NULL,
                                &error),
             &error);
  result = result_of(&too_large);
  CHECK_INT(STORE_TOO_LARGE, store_result_code(result));
  store_result_free(result);

  REQUEST(deleted);
  CHECK_CODE(STORE_OK,
             store_upsert_async(store, TEXT("features"), TEXT("flag"), 7, 1, NULL, 0, on_done, &deleted, NULL, &error),
             &error);
  result = result_of(&deleted);
  check_succeeded(result);
  store_result_free(result);
  CHECK_CODE(STORE_OK, store_get(store, TEXT("features"), TEXT("flag"), &item, &error), &error);
  CHECK(item.deleted == 1 && item.version == 7);
  store_item_free(&item);
  store_close(store, NULL);
}

static void init_and_initialized_give_report_and_answer(void)
{
  static const store_item flags[] = {{TEXT("one"), TEXT("{\"v\":1}"), 1, 0, 0, NULL}};
  static const store_collection all[] = {{TEXT("features"), flags, 1}};
  uint64_t store = open_store("");
  char *report;
  int32_t initialized;
  for (int32_t expected = 0; expected <= 1; expected++) {
    REQUEST(asked);
    CHECK_CODE(STORE_OK, store_initialized_async(store, on_done, &asked, NULL, &error), &error);
    store_result *result = result_of(&asked);
    check_succeeded(result);
    check_holds(result, INITIALIZED);
    CHECK_CODE(STORE_OK, store_result_initialized(result, &initialized, &error), &error);
    CHECK_INT(expected, initialized);
    store_result_free(result);

    REQUEST(given);
    CHECK_CODE(STORE_OK, store_init_async(store, all, 1, on_done, &given, NULL, &error), &error);
    result = result_of(&given);
    check_succeeded(result);
    check_holds(result, REPORT);
    CHECK_CODE(STORE_OK, store_result_report(result, &report, &error), &error);
    store_result_free(result);
    CHECK_CONTAINS(expected == 0 ? "\"written\":1" : "\"unchanged\":1", report);
    store_string_free(report);
  }
  REQUEST(json);
  CHECK_CODE(STORE_OK,
             store_init_json_async(store, TEXT("{\"flags\":{\"two\":{\"version\":2}}}"), on_done, &json, NULL, &error),
             &error);
  store_result *result = result_of(&json);
  check_succeeded(result);
  CHECK_CODE(STORE_OK, store_result_report(result, &report, &error), &error);
  CHECK_CONTAINS("\"deleted\":1", report);
  store_string_free(report);
  store_result_free(result);
  check_flag(store, "two", 2, "{\"version\":2}");
  store_close(store, NULL);
}

static void available_gives_its_code(void)
{
  uint64_t store = open_store("");
  REQUEST(request);
  CHECK_CODE(STORE_OK, store_available_async(store, on_done, &request, NULL, &error), &error);
  store_result *result = result_of(&request);
  check_succeeded(result);
  check_holds(result, NONE);
  store_result_free(result);
  store_close(store, NULL);

  store = open_store_at("http://127.0.0.1:1", "\"timeout_ms\":300");
  REQUEST(refused);
  CHECK_CODE(STORE_OK, store_available_async(store, on_done, &refused, NULL, &error), &error);
  result = result_of(&refused);
  CHECK_CODE(STORE_ERROR_CONNECTION, store_result_error(result, &error), &error);
  store_result_free(result);
  store_close(store, NULL);
}

static void big_segments_give_time_and_membership(void)
{
  uint64_t store = open_store("");
  char marker[200];
  int64_t synchronized_on = 0;
  store_membership *membership;
  const char *segment;
  size_t length;
  int32_t included;
  for (int written = 0; written <= 1; written++) {
    REQUEST(metadata);
    CHECK_CODE(STORE_OK, store_big_segments_metadata_async(store, on_done, &metadata, NULL, &error), &error);
    store_result *result = result_of(&metadata);
    CHECK_INT(written ? STORE_OK : STORE_NOT_FOUND, store_result_code(result));
    check_holds(result, written ? METADATA : NONE);
    if (written) {
      CHECK_CODE(STORE_OK, store_result_metadata(result, &synchronized_on, &error), &error);
      CHECK_INT(1700000000123, synchronized_on);
    }
    store_result_free(result);

    REQUEST(named);
    CHECK_CODE(STORE_OK, store_big_segments_membership_async(store, TEXT("hash"), on_done, &named, NULL, &error),
               &error);
    result = result_of(&named);
    CHECK_INT(written ? STORE_OK : STORE_NOT_FOUND, store_result_code(result));
    check_holds(result, written ? MEMBERSHIP : NONE);
    if (written) {
      CHECK_CODE(STORE_OK, store_result_membership(result, &membership, &error), &error);
      CHECK_INT(1, store_membership_count(membership));
      CHECK_CODE(STORE_OK, store_membership_entry(membership, 0, &segment, &length, &included, &error), &error);
      CHECK_TEXT("a.g1", segment, length);
      CHECK_INT(0, included);
      store_membership_free(membership);
    }
    store_result_free(result);
    snprintf(marker, sizeof marker, "%s:big_segments_metadata", current_test);
    put_row("big_segments_metadata", marker, "\"synchronizedOn\":{\"N\":\"1700000000123\"}");
    put_row("big_segments_user", "hash", "\"excluded\":{\"SS\":[\"a.g1\"]}");
  }
  REQUEST(empty);
  CHECK_CODE(STORE_OK, store_big_segments_membership_async(store, NULL, 0, on_done, &empty, NULL, &error), &error);
  store_result *result = result_of(&empty);
  CHECK_CODE(STORE_ERROR_EMPTY_KEY, store_result_error(result, &error), &error);
  store_result_free(result);
  store_close(store, NULL);
}

/* A hit for an event loop: taken where it is, also inside a callback, and never waited for. */
static void on_done_cached(void *user_data, store_result *result)
{
  struct chain *chain = user_data;
  store_item item;
  CHECK_INT(STORE_OK, store_get_cached(chain->store, TEXT("features"), TEXT("flag"), &item, NULL));
  CHECK_TEXT("{\"a\":1}", item.item, item.item_len);
  store_item_free(&item);
  on_done(&chain->last, result);
}

static void what_is_cached_is_had_without_waiting(void)
{
  struct chain chain = {.store = open_store("\"cache_ttl_ms\":-1")};
  uint64_t uncached = open_store("");
  store_item item = {.version = 4711};
  sem_init(&chain.last.done, 0, 0);
  put_flag(uncached, "flag", 7, "{\"a\":1}");
  CHECK_CODE(STORE_NOT_CACHED, store_get_cached(uncached, TEXT("features"), TEXT("flag"), &item, &error), &error);
  CHECK_CODE(STORE_NOT_CACHED, store_get_cached(chain.store, TEXT("features"), TEXT("flag"), &item, &error), &error);
  CHECK_INT(4711, item.version);
  CHECK_INT(0, statistic(chain.store, "requests"));
  CHECK_CODE(STORE_OK,
             store_get_async(chain.store, TEXT("features"), TEXT("flag"), on_done_cached, &chain, NULL, &error),
             &error);
  store_result_free(result_of(&chain.last));
  CHECK_CODE(STORE_NOT_FOUND, store_get(chain.store, TEXT("features"), TEXT("none"), &item, &error), &error);
  CHECK_CODE(STORE_NOT_FOUND, store_get_cached(chain.store, TEXT("features"), TEXT("none"), &item, &error), &error);
  CHECK_INT(2, statistic(chain.store, "requests"));
  store_close(uncached, NULL);
  store_close(chain.store, NULL);
}

static void a_failure_reaches_the_callback(void)
{
  uint64_t store = open_store_at("http://127.0.0.1:1", "\"timeout_ms\":300");
  REQUEST(request);
  CHECK_CODE(STORE_OK, store_get_async(store, TEXT("features"), TEXT("flag"), on_done, &request, NULL, &error), &error);
  store_result *result = result_of(&request);
  CHECK_INT(STORE_ERROR_CONNECTION, store_result_code(result));
  CHECK_INT(STORE_ERROR_CONNECTION, store_result_error(result, &error));
  CHECK_INT(1, error.retriable);
  CHECK(error.message != NULL && strlen(error.message) > 20);
  store_result_free(result);
  store_error_free(&error);
  store_close(store, NULL);

  store = open_store("");
  REQUEST(empty);
  CHECK_CODE(STORE_OK, store_get_async(store, TEXT("features"), TEXT(""), on_done, &empty, NULL, &error), &error);
  result = result_of(&empty);
  CHECK_CODE(STORE_ERROR_EMPTY_KEY, store_result_error(result, &error), &error);
  check_holds(result, NONE);
  store_result_free(result);
  store_close(store, NULL);
}

static void a_refused_call_has_no_callback(void)
{
  static const store_item twice[] = {{TEXT("k"), TEXT("{}"), 1, 0, 0, NULL}, {TEXT("k"), TEXT("{}"), 1, 0, 0, NULL}};
  static const store_collection wrong[] = {{TEXT("features"), twice, 2}};
  uint64_t store = open_store("");
  REQUEST(request);
  CHECK_CODE(STORE_ERROR_NULL_ARGUMENT, store_get_async(store, TEXT("features"), TEXT("k"), NULL, &request, NULL,
                                                        &error),
             &error);
  CHECK_CODE(STORE_ERROR_INVALID_UTF8,
             store_get_async(store, TEXT("features"), TEXT("\xff"), on_done, &request, NULL, &error), &error);
  CHECK_CODE(STORE_ERROR_INVALID_HANDLE, store_get_async(0, TEXT("features"), TEXT("k"), on_done, &request, NULL,
                                                         &error),
             &error);
  CHECK_CODE(STORE_ERROR_DUPLICATE_KEY, store_init_async(store, wrong, 1, on_done, &request, NULL, &error), &error);
  CHECK_CODE(STORE_ERROR_INVALID_JSON, store_init_json_async(store, TEXT("{"), on_done, &request, NULL, &error),
             &error);
  /* What a refused call might have started all the same would be done before this, which starts later. */
  put_flag(store, "flag", 1, "{}");
  CHECK_INT(0, atomic_load(&request.calls));
  store_close(store, NULL);
}

static void on_written(void *user_data, store_result *result)
{
  struct chain *chain = user_data;
  CHECK_INT(STORE_OK, store_result_code(result));
  store_result_free(result);
  CHECK_CODE(STORE_OK, store_get_async(chain->store, TEXT("features"), TEXT("flag"), on_done, &chain->last, NULL, NULL),
             NULL);
}

static void a_callback_may_start_the_next_call(void)
{
  struct chain chain = {.store = open_store("")};
  sem_init(&chain.last.done, 0, 0);
  CHECK_CODE(STORE_OK,
             store_upsert_async(chain.store, TEXT("features"), TEXT("flag"), 1, 0, TEXT("{}"), on_written, &chain, NULL,
                                &error),
             &error);
  store_result *result = result_of(&chain.last);
  check_holds(result, ITEM);
  store_result_free(result);
  store_close(chain.store, NULL);
}

static void on_done_blocking(void *user_data, store_result *result)
{
  struct chain *chain = user_data;
  store_error inside;
  store_item item;
  store_items *items;
  int32_t initialized;
  uint64_t other;
  /* Every function that waits for DynamoDB refuses; those that do not wait work. */
  CHECK_CODE(STORE_ERROR_CALLED_IN_CALLBACK,
             store_get(chain->store, TEXT("features"), TEXT("flag"), &item, &inside), &inside);
  CHECK_CODE(STORE_ERROR_CALLED_IN_CALLBACK, store_get_all(chain->store, TEXT("features"), &items, &inside), &inside);
  CHECK_CODE(STORE_ERROR_CALLED_IN_CALLBACK, store_initialized(chain->store, &initialized, &inside), &inside);
  CHECK_CODE(STORE_ERROR_CALLED_IN_CALLBACK, store_available(chain->store, &inside), &inside);
  CHECK_CODE(STORE_ERROR_CALLED_IN_CALLBACK, store_init(chain->store, NULL, 0, NULL, &inside), &inside);
  CHECK_CODE(STORE_ERROR_CALLED_IN_CALLBACK,
             store_upsert(chain->store, TEXT("features"), TEXT("flag"), 1, 0, TEXT("{}"), NULL, &inside), &inside);
  CHECK_CODE(STORE_OK, store_open(TEXT("{\"table\":\"other\"}"), &other, &inside), &inside);
  CHECK_CODE(STORE_OK, store_close(other, &inside), &inside);
  CHECK_CODE(STORE_OK, store_clear_cache(chain->store, &inside), &inside);
  CHECK_CODE(STORE_OK, store_close(chain->store, &inside), &inside);
  on_done(&chain->last, result);
}

static void a_blocking_call_inside_a_callback_is_refused(void)
{
  struct chain chain = {.store = open_store("")};
  sem_init(&chain.last.done, 0, 0);
  CHECK_CODE(STORE_OK,
             store_get_async(chain.store, TEXT("features"), TEXT("flag"), on_done_blocking, &chain, NULL, &error),
             &error);
  store_result_free(result_of(&chain.last));
}

static void calls_in_flight_outlive_their_store(void)
{
  enum { CALLS = 16 };
  static struct request requests[CALLS];
  char url[64], key[16];
  int listener = black_hole(url);
  uint64_t store = open_store_at(url, "\"timeout_ms\":500");
  for (int call = 0; call < CALLS; call++) {
    int length = snprintf(key, sizeof key, "flag-%d", call);
    sem_init(&requests[call].done, 0, 0);
    CHECK_CODE(STORE_OK,
               store_get_async(store, TEXT("features"), key, (size_t)length, on_done, &requests[call], NULL, &error),
               &error);
  }
  await_requests(listener, CALLS);
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
  for (int call = 0; call < CALLS; call++) {
    store_result *result = result_of(&requests[call]);
    CHECK_CODE(STORE_ERROR_TIMEOUT, store_result_error(result, &error), &error);
    store_result_free(result);
  }
}

static void a_thousand_calls_at_once_each_get_their_own_answer(void)
{
  enum { CALLS = 1000 };
  static struct request requests[CALLS];
  static char keys[CALLS][16];
  uint64_t store = open_store("");
  for (int call = 0; call < CALLS; call++) {
    int length = snprintf(keys[call], sizeof keys[call], "flag-%d", call);
    sem_init(&requests[call].done, 0, 0);
    CHECK_CODE(STORE_OK,
               store_upsert_async(store, TEXT("features"), keys[call], (size_t)length, call, 0, keys[call],
                                  (size_t)length, on_done, &requests[call], NULL, &error),
               &error);
  }
  for (int call = 0; call < CALLS; call++) {
    store_result *result = result_of(&requests[call]);
    check_succeeded(result);
    store_result_free(result);
    atomic_store(&requests[call].calls, 0);
    CHECK_CODE(STORE_OK,
               store_get_async(store, TEXT("features"), keys[call], strlen(keys[call]), on_done, &requests[call], NULL,
                               &error),
               &error);
  }
  for (int call = 0; call < CALLS; call++) {
    store_result *result = result_of(&requests[call]);
    store_item item;
    CHECK_CODE(STORE_OK, store_result_item(result, &item, &error), &error);
    CHECK_TEXT(keys[call], item.item, item.item_len);
    store_item_free(&item);
    store_result_free(result);
  }
  store_close(store, NULL);
}

int main(int argc, char **argv)
{
  static const struct test tests[] = {
      TEST(get_gives_the_item),
      TEST(get_of_a_missing_row_is_an_outcome),
      TEST(get_all_gives_the_list),
      TEST(upsert_gives_its_outcome_and_the_newer_item),
      TEST(init_and_initialized_give_report_and_answer),
      TEST(available_gives_its_code),
      TEST(big_segments_give_time_and_membership),
      TEST(what_is_cached_is_had_without_waiting),
      TEST(a_failure_reaches_the_callback),
      TEST(a_refused_call_has_no_callback),
      TEST(a_callback_may_start_the_next_call),
      TEST(a_blocking_call_inside_a_callback_is_refused),
      TEST(calls_in_flight_outlive_their_store),
      TEST(a_thousand_calls_at_once_each_get_their_own_answer),
  };
  start_server(&endpoint);
  return RUN(argc, argv, tests);
}
