#include "matrix.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACE_BYTES = 64, UNTOUCHED = 0xa5, RANDOM_HANDLES = 4000, CLOSING_THREADS = 16, CLOSING_ROUNDS = 4 };

/* The numbers are the same in every run. */
static const uint64_t SEED = 88172645463325252u;

/* What valid calls are made with; made once in each process. */
static uint64_t live;
/* A store of its own whose calls end in the queue, and the number of one that is over. */
static uint64_t queued, live_queue, live_call;
static store_items *list;
static store_membership *membership;
static store_result *results[RESULTS];

static _Alignas(16) unsigned char untouched[PLACE_BYTES];

/* Callbacks */

static sem_t called;
static atomic_int callbacks;
static void *const data = &callbacks;
static store_result *last_result;

/* Of calls that are made one after the other. */
static void keep(void *user_data, store_result *result)
{
  CHECK(user_data == data || user_data == NULL || user_data == (void *)(uintptr_t)1);
  last_result = result;
  atomic_fetch_add(&callbacks, 1);
  sem_post(&called);
}

/* Of calls that threads make at once, each waiting for its own. */
static void count(void *user_data, store_result *result)
{
  store_result_free(result);
  atomic_fetch_add(&callbacks, 1);
  sem_post(user_data);
}

static void on_event(void *user_data, int32_t level, const char *message, size_t length)
{
  (void)user_data;
  (void)level;
  (void)message;
  (void)length;
}

static store_result *awaited(void)
{
  while (sem_wait(&called) != 0) {
  }
  return last_result;
}

static void prepare(void)
{
  store_error error;
  char marker[200];
  if (live != 0) {
    return;
  }
  memset(untouched, UNTOUCHED, sizeof untouched);
  sem_init(&called, 0, 0);
  live = open_store("");
  queued = open_store("\"shared\":false");
  CHECK_CODE(STORE_OK, store_completions_open(&live_queue, &error), &error);
  CHECK_CODE(STORE_OK, store_complete_to(queued, live_queue, &error), &error);
  put_flag(live, "flag", 1, "{}");
  snprintf(marker, sizeof marker, "%s:big_segments_metadata", current_test);
  put_row("big_segments_metadata", marker, "\"synchronizedOn\":{\"N\":\"1\"}");
  put_row("big_segments_user", "hash", "\"included\":{\"SS\":[\"a.g1\"]}");
  CHECK_CODE(STORE_OK, store_get_all(live, TEXT("features"), &list, &error), &error);
  CHECK_CODE(STORE_OK, store_big_segments_membership(live, TEXT("hash"), &membership, &error), &error);
  CHECK_INT(STORE_OK, store_get_async(live, TEXT("features"), TEXT("flag"), keep, data, &live_call, NULL));
  results[OF_GET] = awaited();
  CHECK_INT(STORE_OK, store_get_all_async(live, TEXT("features"), keep, data, NULL, NULL));
  results[OF_GET_ALL] = awaited();
  CHECK_INT(STORE_OK, store_upsert_async(live, TEXT("features"), TEXT("flag"), 1, 0, TEXT("{}"), keep, data, NULL, NULL));
  results[OF_UPSERT] = awaited();
  CHECK_INT(STORE_OK, store_initialized_async(live, keep, data, NULL, NULL));
  results[OF_INITIALIZED] = awaited();
  CHECK_INT(STORE_OK, store_init_json_async(live, TEXT("{\"kind\":{}}"), keep, data, NULL, NULL));
  results[OF_INIT] = awaited();
  CHECK_INT(STORE_OK, store_big_segments_metadata_async(live, keep, data, NULL, NULL));
  results[OF_METADATA] = awaited();
  CHECK_INT(STORE_OK, store_big_segments_membership_async(live, TEXT("hash"), keep, data, NULL, NULL));
  results[OF_MEMBERSHIP] = awaited();
}

/* Calls */

/* What one call is made with and where it writes. */
struct attempt {
  struct value values[MOST_ARGUMENTS];
  _Alignas(16) unsigned char places[MOST_ARGUMENTS][PLACE_BYTES];
  store_error error;
};

/* Something that a free function may free. */
static void make_freeable(enum owned owned, void *place)
{
  store_error error;
  switch (owned) {
  case AN_ERROR:
    CHECK_INT(STORE_ERROR_INVALID_HANDLE, store_close(0, place));
    break;
  case AN_ITEM:
    CHECK_CODE(STORE_OK, store_get(live, TEXT("features"), TEXT("flag"), place, &error), &error);
    break;
  case A_LIST:
    CHECK_CODE(STORE_OK, store_get_all(live, TEXT("features"), place, &error), &error);
    break;
  case A_MEMBERSHIP:
    CHECK_CODE(STORE_OK, store_big_segments_membership(live, TEXT("hash"), place, &error), &error);
    break;
  case A_RESULT:
    CHECK_INT(STORE_OK, store_initialized_async(live, keep, data, NULL, NULL));
    *(store_result **)place = awaited();
    break;
  case A_STRING:
    CHECK_CODE(STORE_OK, store_statistics(live, place, &error), &error);
    break;
  case NOTHING:
  case A_HANDLE:
  case A_QUEUE:
  case A_CALL:
    FAIL("there is nothing to free");
  }
}

static int is_struct(enum owned owned)
{
  return owned == AN_ERROR || owned == AN_ITEM;
}

static uint64_t live_number(enum owned owned)
{
  return owned == A_HANDLE ? live : owned == A_QUEUE ? live_queue : live_call;
}

static uint64_t opened(enum owned owned, const char *options)
{
  uint64_t queue;
  if (owned == A_HANDLE) {
    return open_store(options);
  }
  CHECK_INT(STORE_OK, store_completions_open(&queue, NULL));
  return queue;
}

static int32_t closed(enum owned owned, uint64_t number)
{
  return owned == A_HANDLE ? store_close(number, NULL) : store_completions_close(number, NULL);
}

/* A valid call. */
static void fill(const struct function *function, struct attempt *attempt)
{
  memset(attempt, 0, sizeof *attempt);
  memset(attempt->places, UNTOUCHED, sizeof attempt->places);
  memset(&attempt->error, UNTOUCHED, sizeof attempt->error);
  for (int place = 0; place < function->count; place++) {
    const struct argument *argument = &function->arguments[place];
    struct value *value = &attempt->values[place];
    value->number = (uint64_t)argument->number;
    switch (argument->kind) {
    case HANDLE:
      value->number = function->consumes_handle ? opened(argument->owned, "")
                      : argument->number        ? queued
                                                : live_number(argument->owned);
      break;
    case TEXT_IN:
      value->pointer = argument->text;
      value->length = strlen(argument->text);
      break;
    case ARRAY:
      /* The wrapper makes one struct out of the members, and passes it unless this is NULL. */
      value->pointer = attempt->values;
      value->length = 1;
      break;
    case OUT:
      value->pointer = attempt->places[place];
      if (argument->owned == A_RESULT) {
        /* Whoever waits for one as long as it takes, gets one. */
        CHECK_INT(STORE_OK, store_initialized_async(queued, NULL, data, NULL, NULL));
      }
      break;
    case ERROR_OUT:
      value->pointer = &attempt->error;
      break;
    case LIST:
      value->pointer = list;
      break;
    case MEMBERSHIP:
      value->pointer = membership;
      break;
    case RESULT:
      value->pointer = results[argument->number];
      break;
    case FREED:
      make_freeable(argument->owned, attempt->places[place]);
      value->pointer = is_struct(argument->owned) ? attempt->places[place] : *(void **)attempt->places[place];
      break;
    case CALLBACK:
      value->callback = keep;
      break;
    case LOGGER:
      value->logger = on_event;
      break;
    case USER_DATA:
      value->pointer = data;
      break;
    case NUMBER:
    case IGNORED:
      break;
    }
  }
}

static void free_place(enum owned owned, void *place)
{
  switch (owned) {
  case A_HANDLE:
  case A_QUEUE:
    CHECK_INT(STORE_OK, closed(owned, *(uint64_t *)place));
    break;
  case A_CALL:
    CHECK_INT(STORE_OK, store_cancel(*(uint64_t *)place, NULL));
    break;
  case A_STRING:
    store_string_free(*(char **)place);
    break;
  case AN_ITEM:
    store_item_free(place);
    break;
  case A_LIST:
    store_items_free(*(store_items **)place);
    break;
  case A_MEMBERSHIP:
    store_membership_free(*(store_membership **)place);
    break;
  case A_RESULT:
    store_result_free(*(store_result **)place);
    break;
  case AN_ERROR:
    store_error_free(place);
    break;
  case NOTHING:
    break;
  }
}

static int is_documented(const struct function *function, int64_t code)
{
  for (int place = 0; place < function->documented_count; place++) {
    if (function->documented[place] == code) {
      return 1;
    }
  }
  return 0;
}

/* What every call must keep to, whatever it is given. Frees what came out. */
static void check_kept(const struct function *function, struct attempt *attempt, int64_t code, int with_error)
{
  if (function->returns_code && !is_documented(function, code)) {
    FAIL("%s gave %s (%lld), which its documentation does not name", function->name, store_code_name((int32_t)code),
         (long long)code);
  }
  for (int place = 0; place < function->count; place++) {
    const struct argument *argument = &function->arguments[place];
    const struct value *value = &attempt->values[place];
    if (argument->kind == OUT && value->pointer != NULL) {
      int written = memcmp(attempt->places[place], untouched, PLACE_BYTES) != 0;
      if (written != (code == argument->written_on)) {
        FAIL("%s gave %s and has %s \"%s\"", function->name, store_code_name((int32_t)code),
             written ? "written" : "not written", argument->name);
      }
      if (written) {
        free_place(argument->owned, attempt->places[place]);
      }
    } else if (argument->kind == ERROR_OUT && with_error && value->pointer != NULL) {
      const store_error *error = &attempt->error;
      CHECK_INT(code < 0 ? code : 0, error->code);
      CHECK((error->message != NULL) == (code < 0));
      CHECK(error->retriable == 0 || (code < 0 && error->retriable == 1));
      /* Valgrind and ASan see whether it ends. */
      CHECK(error->message == NULL || strlen(error->message) > 10);
    } else if (argument->kind == CALLBACK && code == STORE_OK && value->callback == keep) {
      store_result *result = awaited();
      CHECK(is_documented(function, store_result_code(result)));
      store_result_free(result);
    } else if (argument->kind == HANDLE && function->consumes_handle && value->number != live_number(argument->owned)) {
      closed(argument->owned, value->number);
    }
  }
}

/* The code that a call must give; ANY is whatever its documentation names. */
enum { ANY = 1000 };

/* Makes the call, once with a place for the error and once without. `named` must be in the message. */
static void check_call(const struct function *function, int argument, const struct value *faulty, int64_t expected,
                       const char *named)
{
  for (int with_error = 1; with_error >= 0; with_error--) {
    struct attempt attempt;
    int has_error = 0;
    fill(function, &attempt);
    if (faulty != NULL) {
      if (function->consumes_handle && function->arguments[argument].kind == HANDLE) {
        closed(function->arguments[argument].owned, attempt.values[argument].number);
      }
      if (function->arguments[argument].kind == FREED) {
        free_place(function->arguments[argument].owned, attempt.places[argument]);
      }
      attempt.values[argument] = *faulty;
    }
    for (int place = 0; place < function->count; place++) {
      if (function->arguments[place].kind == ERROR_OUT) {
        has_error = 1;
        if (!with_error) {
          attempt.values[place].pointer = NULL;
        }
      }
    }
    int64_t requests = statistic(live, "requests");
    int64_t code = function->call(attempt.values);
    if (expected != ANY && code != expected) {
      FAIL("%s gave %lld (%s), not %s", function->name, (long long)code, store_code_name((int32_t)code),
           store_code_name((int32_t)expected));
    }
    /* What is refused for its arguments asks nobody. */
    CHECK(expected == ANY || expected >= 0 || statistic(live, "requests") == requests);
    check_kept(function, &attempt, code, has_error && with_error);
    if (has_error && with_error && code < 0) {
      if (named != NULL) {
        CHECK_CONTAINS(named, attempt.error.message);
      }
      store_error_free(&attempt.error);
      CHECK(attempt.error.message == NULL && attempt.error.code == 0);
      store_error_free(&attempt.error);
    }
    if (!has_error) {
      break;
    }
  }
}

/* Handles */

static uint64_t next_random(uint64_t *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static void check_handle(const struct function *function, int argument, uint64_t handle)
{
  const struct value value = {.number = handle};
  const char *named = function->arguments[argument].owned == A_HANDLE ? "handle" : "number";
  check_call(function, argument, &value, STORE_ERROR_INVALID_HANDLE, named);
}

/* Without the checks of a single call, so that there can be many. */
static void check_random_handles(const struct function *function, int argument)
{
  uint64_t state = SEED;
  struct attempt attempt;
  enum owned owned = function->arguments[argument].owned;
  fill(function, &attempt);
  if (function->consumes_handle) {
    closed(owned, attempt.values[argument].number);
  }
  attempt.values[function->count - 1].pointer = NULL;
  CHECK_INT(ERROR_OUT, function->arguments[function->count - 1].kind);
  for (int number = 0; number < RANDOM_HANDLES; number++) {
    /* Half of them are the live one but for its lower half, where place and generation are. */
    uint64_t random = next_random(&state);
    uint64_t right = live_number(owned);
    uint64_t handle = number % 2 == 0 ? random : (right & ~UINT64_C(0xffffffff)) | (random & 0xffffffff);
    attempt.values[argument].number = handle;
    if (handle != right) {
      CHECK_INT(STORE_ERROR_INVALID_HANDLE, function->call(attempt.values));
    }
  }
}

static uint64_t closed_handle(enum owned owned)
{
  uint64_t handle = opened(owned, "\"shared\":false");
  CHECK_INT(STORE_OK, closed(owned, handle));
  return handle;
}

/* Closing while sixteen threads call */

static const struct function *closing;
static int closing_argument;
static enum owned closing_what;
static _Atomic uint64_t closing_handle;
static atomic_int calls, accepted, closes;

static void *call_until_closed(void *unused)
{
  int64_t code;
  sem_t done;
  sem_init(&done, 0, 0);
  do {
    int asynchronous = 0;
    struct attempt attempt;
    memset(&attempt, 0, sizeof attempt);
    fill(closing, &attempt);
    if (closing->consumes_handle) {
      closed(closing_what, attempt.values[closing_argument].number);
    }
    attempt.values[closing_argument].number = closing_handle;
    for (int place = 0; place < closing->count; place++) {
      if (closing->arguments[place].kind == CALLBACK) {
        asynchronous = 1;
        attempt.values[place].callback = count;
        attempt.values[place + 1].pointer = &done;
      }
    }
    code = closing->call(attempt.values);
    while (asynchronous && code == STORE_OK && sem_wait(&done) != 0) {
    }
    if (code == STORE_OK) {
      atomic_fetch_add(&accepted, 1);
      atomic_fetch_add(&closes, closing->consumes_handle);
    } else if (code < 0) {
      CHECK_INT(STORE_ERROR_INVALID_HANDLE, code);
    }
    atomic_fetch_add(&calls, 1);
    struct attempt kept = attempt;
    if (closing->consumes_handle) {
      kept.values[closing_argument].number = live_number(closing_what);
    }
    check_kept(closing, &kept, code, 1);
    store_error_free(&attempt.error);
  } while (code != STORE_ERROR_INVALID_HANDLE);
  return unused;
}

static void check_closing_meanwhile(const struct function *function, int argument)
{
  pthread_t threads[CLOSING_THREADS];
  closing = function;
  closing_argument = argument;
  closing_what = function->arguments[argument].owned;
  for (int round = 0; round < CLOSING_ROUNDS; round++) {
    /* Every other one is the last handle of its store. */
    closing_handle = opened(closing_what, round % 2 == 0 ? "" : "\"shared\":false");
    atomic_store(&calls, 0);
    atomic_store(&accepted, 0);
    atomic_store(&callbacks, 0);
    atomic_store(&closes, 0);
    for (int place = 0; place < CLOSING_THREADS; place++) {
      CHECK_INT(0, pthread_create(&threads[place], NULL, call_until_closed, NULL));
    }
    /* Under valgrind this takes longer than AWAIT has patience; the harness has more. */
    while (atomic_load(&calls) < CLOSING_THREADS) {
      pause_briefly();
    }
    atomic_fetch_add(&closes, closed(closing_what, closing_handle) == STORE_OK);
    for (int place = 0; place < CLOSING_THREADS; place++) {
      pthread_join(threads[place], NULL);
    }
    CHECK_INT(1, atomic_load(&closes));
    CHECK(atomic_load(&callbacks) == 0 || atomic_load(&callbacks) == atomic_load(&accepted));
  }
}

/* Text and arrays */

static void check_lengths(const struct function *function, int argument, const void *pointer, int32_t expected,
                          const char *named)
{
  /* The last three are what negative numbers become. */
  static const size_t lengths[] = {SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX - 1, SIZE_MAX, (size_t)INT32_MIN, (size_t)-4096};
  for (size_t place = 0; place < sizeof lengths / sizeof lengths[0]; place++) {
    const struct value value = {.pointer = pointer, .length = lengths[place]};
    check_call(function, argument, &value, expected, named);
  }
}

static void check_bytes(const struct function *function, int argument, const char *text, size_t length, int32_t expected,
                       const char *named)
{
  /* On the heap and no byte longer, so that reading on is seen. */
  char *copy = malloc(length);
  memcpy(copy, text, length);
  const struct value value = {.pointer = copy, .length = length};
  check_call(function, argument, &value, expected, named);
  free(copy);
}

/* Freeing */

static void check_freeing_twice(const struct function *function, int argument)
{
  struct attempt attempt;
  fill(function, &attempt);
  function->call(attempt.values);
  for (size_t byte = 0; byte < (function->arguments[argument].owned == AN_ERROR ? sizeof(store_error) : sizeof(store_item));
       byte++) {
    CHECK_INT(0, attempt.places[argument][byte]);
  }
  function->call(attempt.values);
}

static void check_freeing_inside_a_list(const struct function *function, int argument)
{
  const store_item *first;
  size_t number;
  struct value values[MOST_ARGUMENTS] = {{0}};
  CHECK_INT(STORE_OK, store_items_view(list, &first, &number, NULL));
  CHECK(number >= 1);
  values[argument].pointer = first;
  function->call(values);
  CHECK(first->key_len > 0 && memchr(first->key, '\0', first->key_len) == NULL);
}

void check_cell(const struct function *function, int place, enum fault fault)
{
  prepare();
  const struct argument *argument = place < 0 ? NULL : &function->arguments[place];
  const struct value null = {0};
  struct value value = {0};
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\"", argument == NULL ? "" : argument->name);
  uint64_t handle;
  int64_t code;
  switch (fault) {
  case NONE:
    check_call(function, 0, NULL, ANY, NULL);
    return;
  case NULL_POINTER:
    if (argument->kind == ERROR_OUT || argument->kind == USER_DATA || argument->may_be_null) {
      check_call(function, place, &null, ANY, NULL);
    } else if (argument->kind == FREED || !function->returns_code) {
      check_call(function, place, &null, 0, NULL);
    } else {
      check_call(function, place, &null, STORE_ERROR_NULL_ARGUMENT, quoted);
    }
    return;
  case NULL_WITH_LENGTH:
    value.length = 1;
    check_call(function, place, &value, STORE_ERROR_NULL_ARGUMENT, quoted);
    return;
  case NULL_WITHOUT_LENGTH:
    check_call(function, place, &null, ANY, NULL);
    return;
  case ADDRESS_WITHOUT_LENGTH:
    value.pointer = (const void *)(uintptr_t)8;
    check_call(function, place, &value, ANY, NULL);
    return;
  case NULL_WITH_HUGE_LENGTH:
    check_lengths(function, place, NULL, STORE_ERROR_NULL_ARGUMENT, quoted);
    return;
  case HUGE_LENGTH:
    check_lengths(function, place, argument->kind == ARRAY ? (const void *)function : argument->text,
                  STORE_ERROR_INVALID_LENGTH, quoted);
    return;
  case NUL_INSIDE:
    check_bytes(function, place, "a\0b", 3, ANY, NULL);
    return;
  case STRAY_BYTE:
    check_bytes(function, place, "a\xff", 2, STORE_ERROR_INVALID_UTF8, quoted);
    check_bytes(function, place, "a\x80", 2, STORE_ERROR_INVALID_UTF8, "from byte 1");
    return;
  case CUT_SEQUENCE:
    check_bytes(function, place, "a\xc3", 2, STORE_ERROR_INVALID_UTF8, quoted);
    check_bytes(function, place, "\xf0\x9f\x98", 3, STORE_ERROR_INVALID_UTF8, "from byte 0");
    return;
  case SURROGATE:
    check_bytes(function, place, "a\xed\xa0\x80", 4, STORE_ERROR_INVALID_UTF8, quoted);
    return;
  case OVERLONG:
    check_bytes(function, place, "a\xc0\x80", 3, STORE_ERROR_INVALID_UTF8, quoted);
    return;
  case BEYOND_UNICODE:
    check_bytes(function, place, "a\xf4\x90\x80\x80", 5, STORE_ERROR_INVALID_UTF8, quoted);
    return;
  case ZERO:
    check_handle(function, place, 0);
    return;
  case ALL_ONES:
    check_handle(function, place, UINT64_MAX);
    return;
  case ONE_BIT_WRONG:
    for (int bit = 0; bit < 64; bit++) {
      check_handle(function, place, live_number(argument->owned) ^ (UINT64_C(1) << bit));
    }
    return;
  case OTHER_KIND:
    for (enum owned other = A_HANDLE; other <= A_CALL; other++) {
      if (other != argument->owned) {
        check_handle(function, place, live_number(other));
      }
    }
    return;
  case CLOSED:
    check_handle(function, place, closed_handle(argument->owned));
    return;
  case PLACE_TAKEN:
    handle = closed_handle(argument->owned);
    value.number = opened(argument->owned, "\"shared\":false");
    CHECK(value.number != handle);
    check_handle(function, place, handle);
    CHECK_INT(STORE_OK, closed(argument->owned, value.number));
    return;
  case RANDOM:
    check_random_handles(function, place);
    return;
  case CLOSED_MEANWHILE:
    check_closing_meanwhile(function, place);
    return;
  case LEAST:
    value.number = (uint64_t)INT64_MIN;
    check_call(function, place, &value, ANY, NULL);
    value.number = (uint64_t)(int64_t)INT32_MIN;
    check_call(function, place, &value, ANY, NULL);
    return;
  case MINUS_ONE:
    value.number = UINT64_MAX;
    check_call(function, place, &value, ANY, NULL);
    return;
  case MOST:
    value.number = INT64_MAX;
    check_call(function, place, &value, ANY, NULL);
    value.number = INT32_MAX;
    check_call(function, place, &value, ANY, NULL);
    return;
  case GARBAGE:
    value.pointer = (const void *)(uintptr_t)1;
    value.number = UINT64_C(0xa5a5a5a5a5a5a5a5);
    check_call(function, place, &value, ANY, NULL);
    return;
  case OTHER_RESULT:
    for (int kind = 0; kind < RESULTS; kind++) {
      value.pointer = results[kind];
      check_call(function, place, &value, ANY, NULL);
    }
    value.pointer = results[argument->number == OF_INIT ? OF_INITIALIZED : OF_INIT];
    code = function->count > 2 ? STORE_ERROR_NULL_ARGUMENT : STORE_OK;
    check_call(function, place, &value, code, code < 0 ? "\"result\"" : NULL);
    return;
  case TWICE:
    check_freeing_twice(function, place);
    return;
  case INSIDE_A_LIST:
    check_freeing_inside_a_list(function, place);
    return;
  }
}
