/*
 * load URL ROWS_URL MS WARM_MS QUIET_MS SEED [item|descriptor|thread]: sixteen threads use the library in every way, for so
 * long, on an endpoint that fails now and then, and every answer is checked. Prints what the process holds, a line of
 * JSON a second, and at the end how often each call was made and what it gave. `run` starts it and judges the lines.
 *
 * Each thread is the only writer of its own keys, so it knows which versions a read may give: none below the last
 * acknowledged one, none above the last attempted one, and for each version one payload. Of the keys of others it knows
 * what it saw: no version ever goes down.
 *
 * Every QUIET_MS all threads stop between two calls, holding nothing, and the caches are emptied. What is allocated
 * then is what the library keeps for itself, which is to stay the same. The first time after WARM_MS, and at the end,
 * all stores are closed too: then nothing comes and goes any more, and the smallest leak shows.
 *
 * One of the stores has its keys from a program, whose keys end after seconds and which fails at times. And every now and
 * then the process may start no thread and no program for a moment; also where it is root.
 *
 * With the last argument one get in a hundred leaks what it is called, to show that it is found.
 */
#include "../c/endpoint.h"

#include <linux/capability.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "samples.h"
#include "worker.h"

enum { BATCH = 8, NOBODY = 65534, MS_BETWEEN_LIMITS = 2000, MS_OF_LIMIT = 300 };

/* The stores that all threads share. */
static uint64_t plain, cached, rotating;

static const char *url;
static const char *leak = "";
static atomic_int stop;

static size_t name_key(char key[32], int owner, int number)
{
  return (size_t)snprintf(key, 32, "t%d-k%d", owner, number);
}

/* A version of a key was read; NULL stands for no row. */
static void check_read(struct worker *worker, int from_cache, int owner, int number, const store_item *item)
{
  int64_t version = item == NULL ? 0 : item->version;
  if (item != NULL) {
    check_payload(item);
  }
  if (version < worker->seen[from_cache][owner][number]) {
    FAIL("t%d-k%d went down from %lld to %lld, %s the cache", owner, number,
         (long long)worker->seen[from_cache][owner][number], (long long)version, from_cache ? "with" : "without");
  }
  worker->seen[from_cache][owner][number] = version;
  if (owner == worker->number && (version > worker->own[number].attempted ||
                                  (!from_cache && version < worker->own[number].acknowledged))) {
    FAIL("t%d-k%d has version %lld; acknowledged is %lld, attempted %lld", owner, number, (long long)version,
         (long long)worker->own[number].acknowledged, (long long)worker->own[number].attempted);
  }
}

static void *do_nothing(void *argument)
{
  for (;;) {
    pause();
  }
  return argument;
}

/* Frees an item, unless it is the one in a hundred that is to leak something. */
static void let_go(struct worker *worker, store_item *item)
{
  pthread_t thread;
  int leaks = *leak != '\0' && ++worker->gets % 100 == 0;
  if (leaks && *leak == 'd') {
    CHECK(dup(STDIN_FILENO) >= 0);
  } else if (leaks && *leak == 't') {
    CHECK_INT(0, pthread_create(&thread, NULL, do_nothing, NULL));
  } else if (leaks) {
    return;
  }
  store_item_free(item);
}

static void get(struct worker *worker, uint64_t store, int from_cache)
{
  char key[32];
  store_item item;
  store_error error;
  int owner = any(worker, 2) ? worker->number : (int)any(worker, THREADS), number = (int)any(worker, KEYS);
  size_t length = name_key(key, owner, number);
  int32_t code = store_get(store, TEXT("features"), key, length, &item, &error);
  if (did(from_cache ? CACHED_GET : GET, code, &error)) {
    check_read(worker, from_cache, owner, number, code == STORE_OK ? &item : NULL);
    if (code == STORE_OK) {
      let_go(worker, &item);
    }
  }
}

static void get_all(struct worker *worker)
{
  store_items *items;
  const store_item *first;
  size_t count;
  store_error error;
  int present[THREADS][KEYS] = {{0}};
  if (!did(ALL, store_get_all(plain, TEXT("features"), &items, &error), &error)) {
    return;
  }
  CHECK_CODE(STORE_OK, store_items_view(items, &first, &count, &error), &error);
  for (size_t place = 0; place < count; place++) {
    int owner, number;
    char key[32] = "";
    memcpy(key, first[place].key, first[place].key_len < sizeof key ? first[place].key_len : sizeof key - 1);
    CHECK(sscanf(key, "t%d-k%d", &owner, &number) == 2 && owner < THREADS && number < KEYS);
    check_read(worker, 0, owner, number, &first[place]);
    present[owner][number]++;
  }
  for (int place = 0; place < THREADS * KEYS; place++) {
    int owner = place / KEYS, number = place % KEYS;
    CHECK(present[owner][number] == (worker->seen[0][owner][number] > 0));
  }
  store_items_free(items);
}

static void upsert(struct worker *worker)
{
  char key[32], text[MOST_PAYLOAD];
  store_item stored;
  store_error error;
  int number = (int)any(worker, KEYS), from_cache = (int)any(worker, 2);
  size_t key_length = name_key(key, worker->number, number);
  int64_t version = ++worker->own[number].attempted;
  int deleted = is_deletion(version);
  size_t length = deleted ? 0 : payload(text, key, version);
  int32_t code = store_upsert(from_cache ? cached : plain, TEXT("features"), key, key_length, version, deleted,
                              deleted ? NULL : text, length, &stored, &error);
  if (!did(UPSERT, code, &error)) {
    return;
  }
  CHECK(code == STORE_OK || code == STORE_NEWER_EXISTS);
  worker->own[number].acknowledged = version;
  worker->seen[0][worker->number][number] = version;
  if (from_cache) {
    worker->seen[1][worker->number][number] = version;
  }
  if (code == STORE_NEWER_EXISTS) {
    /* Nobody else writes this key: it is this very write, whose first answer was lost. */
    CHECK_INT(version, stored.version);
    check_payload(&stored);
    store_item_free(&stored);
  }
}

static void get_several_at_once(struct worker *worker)
{
  struct request requests[BATCH];
  int numbers[BATCH], accepted[BATCH];
  store_error error;
  for (int place = 0; place < BATCH; place++) {
    char key[32];
    numbers[place] = (int)any(worker, KEYS);
    size_t length = name_key(key, worker->number, numbers[place]);
    sem_init(&requests[place].done, 0, 0);
    int32_t code = store_get_async(plain, TEXT("features"), key, length, on_done, &requests[place], NULL, &error);
    accepted[place] = code == STORE_OK;
    if (code != STORE_OK) {
      did(ASYNC_GET, code, &error);
    }
  }
  for (int place = 0; place < BATCH; place++) {
    if (accepted[place]) {
      store_item item;
      store_result *result = result_of(&requests[place]);
      if (did(ASYNC_GET, store_result_error(result, &error), &error)) {
        int32_t code = store_result_item(result, &item, &error);
        check_read(worker, 0, worker->number, numbers[place], code == STORE_OK ? &item : NULL);
        if (code == STORE_OK) {
          let_go(worker, &item);
        }
      }
      store_result_free(result);
    }
  }
}

static void initialized(struct worker *worker)
{
  int32_t answer;
  store_error error;
  if (did(INITIALIZED, store_initialized(worker->store, &answer, &error), &error)) {
    CHECK(answer == 1 || worker->data_set.acknowledged == 0);
  }
  /* Nobody ever stores a whole data set there, so that this asks every time. */
  if (did(INITIALIZED, store_initialized(plain, &answer, &error), &error)) {
    CHECK_INT(0, answer);
  }
}

/* The rest */

#define KEYS_GIVEN "\"region\":\"us-east-1\",\"access_key_id\":\"test\",\"secret_access_key\":\"test\""
/* In the configuration that `run` writes. */
#define KEYS_OF_A_PROGRAM "\"profile\":\"soak\""

static uint64_t open_with(const char *keys, const char *prefix, const char *options)
{
  char text[1024];
  uint64_t store;
  store_error error;
  int length = snprintf(text, sizeof text,
                        "{\"table\":\"flags\",\"endpoint\":\"%s\",\"prefix\":\"%s\",%s,\"attempt_timeout_ms\":1000,"
                        "\"timeout_ms\":3000,\"all_timeout_ms\":5000,\"init_timeout_ms\":15000%s}",
                        url, prefix, keys, options);
  CHECK_CODE(STORE_OK, store_open(text, (size_t)length, &store, &error), &error);
  return store;
}

static uint64_t open_as(const char *prefix, const char *options)
{
  return open_with(KEYS_GIVEN, prefix, options);
}

static void open_and_close(struct worker *worker)
{
  static const char *const forms[] = {"", ",\"shared\":false", ",\"shared\":false,\"cache_ttl_ms\":1000"};
  uint64_t store = open_as("soak", forms[any(worker, 3)]);
  did(OPEN, STORE_OK, NULL);
  get(worker, store, 0);
  CHECK_INT(STORE_OK, store_close(store, NULL));
  CHECK_INT(STORE_ERROR_INVALID_HANDLE, store_close(store, NULL));
}

static void big_segments(struct worker *worker)
{
  char hash[32];
  int64_t synchronized_on;
  int32_t code;
  store_error error;
  store_membership *membership;
  if (did(METADATA, store_big_segments_metadata(plain, &synchronized_on, &error), &error)) {
    CHECK_INT(4711, synchronized_on);
  }
  /* Half of the contexts are in no segment. */
  int number = (int)any(worker, 2 * THREADS);
  size_t length = (size_t)snprintf(hash, sizeof hash, "hash-%d", number);
  code = store_big_segments_membership(plain, hash, length, &membership, &error);
  if (did(MEMBERSHIP, code, &error)) {
    CHECK_INT(number < THREADS ? STORE_OK : STORE_NOT_FOUND, code);
    if (code == STORE_OK) {
      const char *segment;
      size_t segment_length;
      int32_t included;
      CHECK_INT(1, store_membership_count(membership));
      CHECK_INT(STORE_OK, store_membership_entry(membership, 0, &segment, &segment_length, &included, &error));
      CHECK_TEXT(hash, segment, segment_length);
      CHECK_INT(1, included);
      store_membership_free(membership);
    }
  }
}

static void events(struct worker *worker)
{
  int32_t level;
  char *text;
  store_error error;
  uint64_t stores[] = {plain, cached, rotating, worker->store};
  for (int place = 0; place < 4; place++) {
    while (store_next_event(stores[place], &level, &text, &error) == STORE_OK) {
      CHECK(strlen(text) > 0);
      store_string_free(text);
    }
    CHECK_CODE(STORE_OK, store_statistics(stores[place], &text, &error), &error);
    CHECK_CONTAINS("\"requests\":", text);
    store_string_free(text);
  }
  did(EVENTS, STORE_OK, NULL);
}

static void call_something(struct worker *worker)
{
  store_error error;
  uint64_t dice = any(worker, 1000);
  if (dice < 250) {
    get(worker, dice < 125 ? plain : rotating, 0);
  } else if (dice < 500) {
    get(worker, cached, 1);
  } else if (dice < 730) {
    upsert(worker);
  } else if (dice < 800) {
    get_several_at_once(worker);
  } else if (dice < 860) {
    big_segments(worker);
  } else if (dice < 900) {
    initialized(worker);
  } else if (dice < 930) {
    did(AVAILABLE, store_available(plain, &error), &error);
  } else if (dice < 960) {
    open_and_close(worker);
  } else if (dice < 975) {
    events(worker);
  } else if (dice < 995) {
    get_all(worker);
  } else {
    init(worker);
  }
}

/* Between two calls, where the threads wait for each other. */
static pthread_barrier_t quiet, go_on;
static atomic_int wanted_quiet, wanted_closed;

static void open_shared_stores(void)
{
  plain = open_as("soak", "");
  cached = open_as("soak", ",\"cache_ttl_ms\":50,\"cache_max_bytes\":100000");
  rotating = open_with(KEYS_OF_A_PROGRAM, "soak", ",\"shared\":false");
}

static void close_shared_stores(void)
{
  CHECK_INT(STORE_OK, store_close(plain, NULL));
  CHECK_INT(STORE_OK, store_close(cached, NULL));
  CHECK_INT(STORE_OK, store_close(rotating, NULL));
}

/* Now and then the process may start nothing. No limit on processes holds for root, who is somebody else meanwhile as far
 * as the kernel counts processes, nor for who may go beyond limits. */
static void *limit_now_and_then(void *argument)
{
  int root = geteuid() == 0;
  struct rlimit whole, none;
  CHECK_INT(0, getrlimit(RLIMIT_NPROC, &whole));
  none = whole;
  none.rlim_cur = 1;
  while (!atomic_load(&stop)) {
    usleep(MS_BETWEEN_LIMITS * 1000);
    CHECK_INT(0, setrlimit(RLIMIT_NPROC, &none));
    CHECK(!root || setreuid(NOBODY, (uid_t)-1) == 0);
    usleep(MS_OF_LIMIT * 1000);
    CHECK(!root || setreuid(0, (uid_t)-1) == 0);
    CHECK_INT(0, setrlimit(RLIMIT_NPROC, &whole));
  }
  return argument;
}

/* For this thread and those that it starts. */
static void give_up_what_knows_no_limit(void)
{
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct capabilities[_LINUX_CAPABILITY_U32S_3];
  CHECK_INT(0, syscall(SYS_capget, &header, capabilities));
  capabilities[0].effective &= ~(1U << CAP_SYS_RESOURCE | 1U << CAP_SYS_ADMIN);
  CHECK_INT(0, syscall(SYS_capset, &header, capabilities));
}

/* All threads wait between two calls. */
static void sample_quietly(int64_t start)
{
  if (atomic_load(&wanted_closed)) {
    close_shared_stores();
    print_sample_at_rest("closed", start);
    open_shared_stores();
  } else {
    CHECK_INT(STORE_OK, store_clear_cache(cached, NULL));
    print_sample("quiet", start);
  }
}

static void *work(void *argument)
{
  struct worker *worker = argument;
  while (!atomic_load(&stop)) {
    worker->store = open_as(worker->prefix, ",\"shared\":false,\"write_concurrency\":8");
    /* So that all have the connections early that they will ever need. */
    init(worker);
    int closed = 0;
    while (!closed) {
      call_something(worker);
      if (atomic_load(&wanted_quiet)) {
        closed = atomic_load(&wanted_closed);
        if (closed) {
          CHECK_INT(STORE_OK, store_close(worker->store, NULL));
        }
        pthread_barrier_wait(&quiet);
        pthread_barrier_wait(&go_on);
      }
    }
  }
  return NULL;
}

/* The rows that the Relay Proxy writes, and this library only reads. */
static void put_big_segments(void)
{
  char hash[32], attributes[128];
  put_row("big_segments_metadata", "soak:big_segments_metadata", "\"synchronizedOn\":{\"N\":\"4711\"}");
  for (int number = 0; number < THREADS; number++) {
    snprintf(hash, sizeof hash, "hash-%d", number);
    snprintf(attributes, sizeof attributes, "\"included\":{\"SS\":[\"%s\"]}", hash);
    put_row("big_segments_user", hash, attributes);
  }
}

int main(int argc, char **argv)
{
  static struct worker workers[THREADS];
  if (argc < 7) {
    fprintf(stderr, "usage: load URL ROWS_URL MS WARM_MS QUIET_MS SEED [item|descriptor|thread]\n");
    return 2;
  }
  url = argv[1];
  snprintf(endpoint.url, sizeof endpoint.url, "%s", argv[2]);
  int64_t end = atoll(argv[3]), warm = atoll(argv[4]), quiet_ms = atoll(argv[5]);
  uint64_t seed = strtoull(argv[6], NULL, 10);
  leak = argc > 7 ? argv[7] : "";
  current_test = "soak";
  give_up_what_knows_no_limit();
  put_big_segments();
  open_shared_stores();
  pthread_barrier_init(&quiet, NULL, THREADS + 1);
  pthread_barrier_init(&go_on, NULL, THREADS + 1);
  int64_t start = milliseconds(), next_sample = start, next_quiet = start + quiet_ms;
  for (int number = 0; number < THREADS; number++) {
    workers[number].number = number;
    workers[number].random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)number;
    snprintf(workers[number].prefix, sizeof workers[number].prefix, "soak-%d", number);
    CHECK_INT(0, pthread_create(&workers[number].thread, NULL, work, &workers[number]));
  }
  pthread_t limiter;
  int limits = *leak == '\0';
  if (limits) {
    CHECK_INT(0, pthread_create(&limiter, NULL, limit_now_and_then, NULL));
  }
  while (!atomic_load(&stop)) {
    int64_t now = milliseconds(), next = next_sample < next_quiet ? next_sample : next_quiet;
    if (now < next) {
      usleep((useconds_t)(next - now) * 1000);
      continue;
    }
    if (now >= next_quiet) {
      int last = now - start >= end;
      atomic_store(&wanted_closed, last || (warm > 0 && now - start >= warm));
      atomic_store(&wanted_quiet, 1);
      pthread_barrier_wait(&quiet);
      sample_quietly(start);
      warm = atomic_load(&wanted_closed) ? 0 : warm;
      atomic_store(&wanted_quiet, 0);
      atomic_store(&stop, last);
      pthread_barrier_wait(&go_on);
      next_quiet = milliseconds() + quiet_ms;
    } else {
      print_sample("busy", start);
      next_sample += 1000 * ((now - next_sample) / 1000 + 1);
    }
  }
  for (int number = 0; number < THREADS; number++) {
    pthread_join(workers[number].thread, NULL);
  }
  if (limits) {
    pthread_join(limiter, NULL);
  }
  close_shared_stores();
  print_counts();
  return 0;
}
