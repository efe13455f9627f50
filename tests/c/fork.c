/*
 * A process that used the library forks, as gunicorn, Puma, PHP-FPM and Ray do: every child answers correctly, closes
 * and exits with status 0 in time, whatever the other threads did at that moment, and the parent notices nothing.
 */
#include "endpoint.h"

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Thread_local store_error error;

/* Everything that waits for DynamoDB, once, on a store that has "flag" with version 1. */
static void use(uint64_t store)
{
  store_items *items;
  const store_item *first;
  size_t count;
  int32_t initialized;
  char key[48];
  static atomic_int uses;
  check_flag(store, "flag", 1, "{\"v\":1}");
  snprintf(key, sizeof key, "%d-%d", (int)getpid(), atomic_fetch_add(&uses, 1));
  CHECK_CODE(STORE_OK, store_upsert(store, TEXT("other"), key, strlen(key), 1, 0, TEXT("{}"), NULL, &error), &error);
  CHECK_CODE(STORE_OK, store_get_all(store, TEXT("features"), &items, &error), &error);
  CHECK_CODE(STORE_OK, store_items_view(items, &first, &count, &error), &error);
  CHECK_INT(1, count);
  store_items_free(items);
  CHECK_CODE(STORE_OK, store_initialized(store, &initialized, &error), &error);
  CHECK_CODE(STORE_OK, store_available(store, &error), &error);
}

static void use_and_close(uint64_t store)
{
  use(store);
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
  CHECK_CODE(STORE_ERROR_INVALID_HANDLE, store_available(store, &error), &error);
}

/* A store that was used. */
static uint64_t used_store(const char *options)
{
  uint64_t store = open_store(options);
  put_flag(store, "flag", 1, "{\"v\":1}");
  check_flag(store, "flag", 1, "{\"v\":1}");
  return store;
}

static void a_child_goes_on_with_its_parents_store(void)
{
  uint64_t store = used_store("");
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    use_and_close(store);
    exit(0);
  }
  use(store);
  CHECK_CHILD(child);
  use_and_close(store);
}

static void a_child_of_a_parent_that_only_opened_uses_the_store(void)
{
  uint64_t store = open_store("");
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    put_flag(store, "flag", 1, "{\"v\":1}");
    use_and_close(store);
    exit(0);
  }
  CHECK_CHILD(child);
  use_and_close(store);
}

static void a_child_may_open_stores_of_its_own(void)
{
  uint64_t store = used_store("");
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    uint64_t same = open_store(""), other = open_store("\"shared\":false");
    use_and_close(other);
    use_and_close(same);
    use_and_close(store);
    exit(0);
  }
  CHECK_CHILD(child);
  use_and_close(store);
}

static void a_child_may_exit_without_closing_or_without_any_call(void)
{
  uint64_t store = used_store("");
  for (int uses = 0; uses <= 1; uses++) {
    for (int quickly = 0; quickly <= 1; quickly++) {
      pid_t child = fork_with_watchdog();
      if (child == 0) {
        if (uses) {
          use(store);
        }
        if (quickly) {
          _exit(0);
        }
        exit(0);
      }
      CHECK_CHILD(child);
      use(store);
    }
  }
  use_and_close(store);
}

static void a_child_may_close_what_it_never_used(void)
{
  uint64_t store = used_store("");
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    CHECK_CODE(STORE_OK, store_close(store, &error), &error);
    exit(0);
  }
  CHECK_CHILD(child);
  use_and_close(store);
}

static void the_parent_may_close_first(void)
{
  int closed[2];
  char byte;
  uint64_t store = used_store("");
  CHECK_INT(0, pipe(closed));
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    close(closed[1]);
    CHECK_INT(0, read(closed[0], &byte, 1));
    use_and_close(store);
    exit(0);
  }
  use_and_close(store);
  close(closed[1]);
  CHECK_CHILD(child);
}

static void fork_deeper(uint64_t store, int depth)
{
  use(store);
  if (depth > 0) {
    pid_t child = fork_with_watchdog();
    if (child == 0) {
      fork_deeper(store, depth - 1);
      exit(0);
    }
    use(store);
    CHECK_CHILD(child);
  }
  use_and_close(store);
}

static void children_fork_three_deep(void)
{
  fork_deeper(used_store(""), 3);
}

static void a_daemon_goes_on_when_its_parents_have_exited(void)
{
  int done[2];
  char byte = 0;
  uint64_t store = used_store("");
  CHECK_INT(0, pipe(done));
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    pid_t parent = getpid();
    if (fork_with_watchdog() == 0) {
      AWAIT(getppid() != parent);
      use_and_close(store);
      CHECK_INT(1, write(done[1], "d", 1));
      exit(0);
    }
    exit(0);
  }
  CHECK_CHILD(child);
  close(done[1]);
  CHECK_INT(1, read(done[0], &byte, 1));
  use_and_close(store);
}

enum { CHILDREN = 16 };

static void sixteen_children_at_once_use_the_store_with_their_parent(void)
{
  pid_t children[CHILDREN];
  uint64_t store = used_store("");
  for (int place = 0; place < CHILDREN; place++) {
    children[place] = fork_with_watchdog();
    if (children[place] == 0) {
      for (int round = 0; round < 5; round++) {
        use(store);
      }
      exit(0);
    }
  }
  use(store);
  for (int place = 0; place < CHILDREN; place++) {
    CHECK_CHILD(children[place]);
  }
  use_and_close(store);
}

static void a_cache_is_each_process_own(void)
{
  uint64_t store = used_store("\"cache_ttl_ms\":-1");
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    check_flag(store, "flag", 1, "{\"v\":1}");
    put_flag(store, "flag", 2, "{\"v\":2}");
    check_flag(store, "flag", 2, "{\"v\":2}");
    CHECK_INT(STORE_OK, store_close(store, NULL));
    exit(0);
  }
  CHECK_CHILD(child);
  /* Still cached here, for ever, as was asked for. */
  check_flag(store, "flag", 1, "{\"v\":1}");
  store_clear_cache(store, NULL);
  check_flag(store, "flag", 2, "{\"v\":2}");
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

static void an_item_from_before_the_fork_is_valid_on_both_sides(void)
{
  uint64_t store = used_store("\"cache_ttl_ms\":-1");
  store_item item;
  store_items *items;
  CHECK_CODE(STORE_OK, store_get(store, TEXT("features"), TEXT("flag"), &item, &error), &error);
  CHECK_CODE(STORE_OK, store_get_all(store, TEXT("features"), &items, &error), &error);
  pid_t child = fork_with_watchdog();
  CHECK_TEXT("{\"v\":1}", item.item, item.item_len);
  use_and_close(store);
  CHECK_TEXT("{\"v\":1}", item.item, item.item_len);
  store_item_free(&item);
  store_items_free(items);
  if (child == 0) {
    exit(0);
  }
  CHECK_CHILD(child);
}

/* Threads */

static _Atomic uint64_t shared, cached, silent;
static atomic_int stop;
static atomic_int calls;

static void *keep_calling(void *argument)
{
  intptr_t number = (intptr_t)argument;
  store_error mine;
  store_item item;
  store_items *items;
  while (!atomic_load(&stop)) {
    switch (number % 4) {
    case 0:
      check_flag(shared, "flag", 1, "{\"v\":1}");
      break;
    case 1:
      CHECK_CODE(STORE_OK, store_get_all(shared, TEXT("features"), &items, &mine), &mine);
      store_items_free(items);
      break;
    case 2:
      check_flag(cached, "flag", 1, "{\"v\":1}");
      break;
    default:
      /* Inside a call nearly all the time: nobody answers. */
      CHECK_CODE(STORE_ERROR_TIMEOUT, store_get(silent, TEXT("features"), TEXT("flag"), &item, &mine), &mine);
    }
    atomic_fetch_add(&calls, 1);
  }
  return NULL;
}

enum { BUSY_FORKS = 50 };

static void a_fork_while_eight_threads_are_in_calls(void)
{
  enum { THREADS = 8 };
  pthread_t threads[THREADS];
  char url[64];
  black_hole(url);
  shared = used_store("");
  cached = open_store("\"cache_ttl_ms\":1");
  silent = open_store_at(url, "\"timeout_ms\":200");
  for (intptr_t place = 0; place < THREADS; place++) {
    CHECK_INT(0, pthread_create(&threads[place], NULL, keep_calling, (void *)place));
  }
  for (int number = 0; number < BUSY_FORKS; number++) {
    int before = atomic_load(&calls);
    AWAIT(atomic_load(&calls) > before + number % 5);
    pid_t child = fork_with_watchdog();
    if (child == 0) {
      use(shared);
      check_flag(cached, "flag", 1, "{\"v\":1}");
      use_and_close(open_store("\"shared\":false"));
      use_and_close(shared);
      CHECK_INT(STORE_OK, store_close(cached, NULL));
      CHECK_INT(STORE_OK, store_close(silent, NULL));
      exit(0);
    }
    CHECK_CHILD(child);
  }
  atomic_store(&stop, 1);
  for (int place = 0; place < THREADS; place++) {
    pthread_join(threads[place], NULL);
  }
  use_and_close(shared);
}

static pthread_barrier_t all_ready;

/* A call on the shared store, and what it must give. */
static int32_t expected;

static void make_one_call(void)
{
  store_item item;
  CHECK_CODE(expected, store_get(shared, TEXT("features"), TEXT("flag"), &item, &error), &error);
  if (expected == STORE_OK) {
    store_item_free(&item);
  }
}

static void *first_call(void *argument)
{
  (void)argument;
  pthread_barrier_wait(&all_ready);
  make_one_call();
  return NULL;
}

/* Has eight threads make the first calls ever, and forks so long after that. */
static void fork_after_the_first_calls(int64_t microseconds)
{
  enum { THREADS = 8 };
  pthread_t threads[THREADS];
  struct timespec start, now;
  pthread_barrier_init(&all_ready, NULL, THREADS + 1);
  for (int place = 0; place < THREADS; place++) {
    CHECK_INT(0, pthread_create(&threads[place], NULL, first_call, NULL));
  }
  pthread_barrier_wait(&all_ready);
  clock_gettime(CLOCK_MONOTONIC, &start);
  do {
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while ((now.tv_sec - start.tv_sec) * 1000000 + (now.tv_nsec - start.tv_nsec) / 1000 < microseconds);
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    make_one_call();
    CHECK_CODE(STORE_OK, store_close(shared, &error), &error);
    exit(0);
  }
  for (int place = 0; place < THREADS; place++) {
    pthread_join(threads[place], NULL);
  }
  CHECK_CHILD(child);
  make_one_call();
}

/* For tests that fork while the library starts threads. Whatever emulates takes longer, and is qemu. */
static void needs_no_emulator(void)
{
  if (times_slower(1) > 1) {
    skip("while a thread starts, qemu holds a lock that a child is left with and can start none: seen as its clone_lock, "
         "held for 30 s by a thread that was not there");
  }
}

/*
 * Whatever is made at its first use, anywhere below the library, is half-made in some of these children. Each fork
 * happens to a library that was never used, in a process of its own.
 */
static void fork_during_the_first_calls(uint64_t (*open_first)(void), int forks, int at_once)
{
  for (int number = 0; number < forks; number += at_once) {
    pid_t fresh[16];
    for (int place = 0; place < at_once; place++) {
      fresh[place] = fork_with_watchdog();
      if (fresh[place] == 0) {
        shared = open_first();
        /* From the first microseconds to when the calls are surely under way; what is made first is made in 15 ms. */
        fork_after_the_first_calls((int64_t)(number + place) * 15000 / forks);
        exit(0);
      }
    }
    for (int place = 0; place < at_once; place++) {
      CHECK_CHILD(fresh[place]);
    }
  }
}

enum { FIRST_CALLS = 100, FIRST_CALLS_OVER_TLS = 40, FIRST_CREDENTIALS = 100 };

/* With the deadlines that users have. */
static uint64_t open_at_endpoint(void)
{
  return open_store_at(endpoint.url, "");
}

static char secure_url[80];

static uint64_t open_over_tls(void)
{
  return open_store_at(secure_url, "\"timeout_ms\":100");
}

/* With credentials that the library has to fetch, by clients that DynamoDB's own shares nothing with. */
static uint64_t open_without_credentials(void)
{
  char text[256];
  uint64_t store;
  int length = snprintf(text, sizeof text, "{\"table\":\"flags\",\"endpoint\":\"%s\",\"prefix\":\"%s\"}", endpoint.url,
                        current_test);
  CHECK(length > 0 && (size_t)length < sizeof text);
  CHECK_CODE(STORE_OK, store_open(text, (size_t)length, &store, &error), &error);
  return store;
}

static void a_fork_during_the_first_calls_ever(void)
{
  needs_no_emulator();
  put_row("features", "flag", "\"version\":{\"N\":\"1\"},\"item\":{\"S\":\"{}\"}");
  fork_during_the_first_calls(open_at_endpoint, FIRST_CALLS, 1);
}

static void a_fork_during_the_first_calls_ever_over_tls(void)
{
  char url[64];
  needs_no_emulator();
  /* Nobody answers, so that all that is made for the handshake is made, and no server is needed. */
  black_hole(url);
  snprintf(secure_url, sizeof secure_url, "https%s", url + strlen("http"));
  expected = STORE_ERROR_TIMEOUT;
  /* Each waits for its deadline, so several wait at once. */
  fork_during_the_first_calls(open_over_tls, FIRST_CALLS_OVER_TLS, 8);
}

/* A process that gives credentials to whoever asks, as the agent of a container does. It ends with this one. */
static void serve_credentials(char url[64])
{
  static const char answer[] = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 101\r\n\r\n"
                               "{\"AccessKeyId\":\"fetched\",\"SecretAccessKey\":\"x\",\"Token\":\"t\",\"Expiration\":"
                               "\"2099-01-01T00:00:00Z\"}      ";
  int listener = black_hole(url);
  if (fork() != 0) {
    close(listener);
    return;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) {
    char request[4096];
    int connection = accept(listener, NULL, NULL);
    if (connection >= 0 && read(connection, request, sizeof request) > 0) {
      (void)!write(connection, answer, sizeof answer - 1);
    }
    close(connection);
  }
}

static void a_fork_while_credentials_are_fetched_for_the_first_time(void)
{
  char url[64];
  needs_no_emulator();
  serve_credentials(url);
  clearenv();
  setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
  setenv("AWS_REGION", "us-east-1", 1);
  setenv("HOME", "/nonexistent", 1);
  put_row("features", "flag", "\"version\":{\"N\":\"1\"},\"item\":{\"S\":\"{}\"}");
  fork_during_the_first_calls(open_without_credentials, FIRST_CREDENTIALS, 1);
}

/* How far the one thread is that opens a store for the first time. */
static atomic_int stops_before_registering, stopped;
static sem_t may_register;

/* Stands before the C library's, whose pthread_atfork ends here: the moment between having begun and having done it. */
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *library)
{
  static int (*real)(void (*)(void), void (*)(void), void (*)(void), void *);
  if (atomic_exchange(&stops_before_registering, 0)) {
    atomic_store(&stopped, 1);
    while (sem_wait(&may_register) != 0) {
    }
  }
  *(void **)&real = dlsym(RTLD_NEXT, "__register_atfork");
  return real(prepare, parent, child, library);
}

static void *first_open(void *argument)
{
  (void)argument;
  shared = open_store("");
  atomic_fetch_add(&calls, 1);
  return NULL;
}

static void a_fork_during_the_first_open_ever(void)
{
  pthread_t thread;
  sem_init(&may_register, 0, 0);
  atomic_store(&stops_before_registering, 1);
  CHECK_INT(0, pthread_create(&thread, NULL, first_open, NULL));
  AWAIT(atomic_load(&stopped) || atomic_load(&calls) > 0);
  if (!atomic_load(&stopped)) {
    skip("the C library does not register fork handlers through __register_atfork");
  }
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    uint64_t store = used_store("");
    pid_t grandchild = fork_with_watchdog();
    if (grandchild == 0) {
      use_and_close(store);
      exit(0);
    }
    CHECK_CHILD(grandchild);
    use_and_close(store);
    exit(0);
  }
  CHECK_CHILD(child);
  /* Another thread may open meanwhile: what makes forks safe is then done by both, and must not disturb itself. */
  uint64_t other = open_store("\"shared\":false");
  use(other);
  sem_post(&may_register);
  pthread_join(thread, NULL);
  child = fork_with_watchdog();
  if (child == 0) {
    use_and_close(other);
    exit(0);
  }
  use(shared);
  CHECK_CHILD(child);
  use_and_close(other);
  use_and_close(shared);
}

static void *fork_here(void *argument)
{
  (void)argument;
  pthread_barrier_wait(&all_ready);
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    use_and_close(shared);
    exit(0);
  }
  CHECK_CHILD(child);
  use(shared);
  return NULL;
}

enum { FORKING_THREADS = 4, FORKS_OF_EACH = 10 };

static void several_threads_fork(void)
{
  pthread_t threads[FORKING_THREADS];
  shared = used_store("");
  for (int round = 0; round < FORKS_OF_EACH; round++) {
    /* At once, and not while this thread starts others: qemu's child of that moment can never start a thread, since a lock of
       qemu's own (clone_lock) is copied as it is. */
    pthread_barrier_init(&all_ready, NULL, FORKING_THREADS + 1);
    for (int place = 0; place < FORKING_THREADS; place++) {
      CHECK_INT(0, pthread_create(&threads[place], NULL, fork_here, NULL));
    }
    pthread_barrier_wait(&all_ready);
    for (int place = 0; place < FORKING_THREADS; place++) {
      pthread_join(threads[place], NULL);
    }
    pthread_barrier_destroy(&all_ready);
  }
  use_and_close(shared);
}

static void *keep_opening(void *argument)
{
  while (!atomic_load(&stop)) {
    uint64_t store = open_store((intptr_t)argument % 2 == 0 ? "\"shared\":false" : "\"consistent_reads\":false");
    check_flag(store, "flag", 1, "{\"v\":1}");
    CHECK_INT(STORE_OK, store_close(store, NULL));
    atomic_fetch_add(&calls, 1);
  }
  return NULL;
}

enum { OPENING_FORKS = 30 };

static void a_fork_while_threads_open_and_close_stores(void)
{
  enum { THREADS = 4 };
  pthread_t threads[THREADS];
  shared = used_store("");
  for (intptr_t place = 0; place < THREADS; place++) {
    CHECK_INT(0, pthread_create(&threads[place], NULL, keep_opening, (void *)place));
  }
  for (int number = 0; number < OPENING_FORKS; number++) {
    int before = atomic_load(&calls);
    AWAIT(atomic_load(&calls) > before);
    pid_t child = fork_with_watchdog();
    if (child == 0) {
      use_and_close(shared);
      exit(0);
    }
    CHECK_CHILD(child);
  }
  atomic_store(&stop, 1);
  for (int place = 0; place < THREADS; place++) {
    pthread_join(threads[place], NULL);
  }
  use_and_close(shared);
}

/* Callbacks */

static sem_t called;

static void on_timeout(void *user_data, store_result *result)
{
  CHECK_INT(STORE_ERROR_TIMEOUT, store_result_code(result));
  store_result_free(result);
  atomic_fetch_add((atomic_int *)user_data, 1);
  sem_post(&called);
}

enum { IN_FLIGHT_FORKS = 20 };

static void a_call_in_flight_stays_its_callers(void)
{
  char url[64];
  int listener = black_hole(url);
  atomic_int callbacks = 0;
  pid_t children[IN_FLIGHT_FORKS];
  uint64_t store = used_store("");
  silent = open_store_at(url, "\"timeout_ms\":500");
  sem_init(&called, 0, 0);
  CHECK_CODE(STORE_OK, store_get_async(silent, TEXT("features"), TEXT("flag"), on_timeout, &callbacks, NULL, &error), &error);
  await_requests(listener, 1);
  for (int number = 0; number < IN_FLIGHT_FORKS; number++) {
    children[number] = fork_with_watchdog();
    if (children[number] == 0) {
      store_item item;
      /* Waits as long as the parent's call would: in this process that call does not exist. */
      CHECK_CODE(STORE_ERROR_TIMEOUT, store_get(silent, TEXT("features"), TEXT("other"), &item, &error), &error);
      use_and_close(store);
      CHECK_INT(STORE_OK, store_close(silent, NULL));
      CHECK_INT(0, atomic_load(&callbacks));
      exit(0);
    }
  }
  for (int number = 0; number < IN_FLIGHT_FORKS; number++) {
    CHECK_CHILD(children[number]);
  }
  while (sem_wait(&called) != 0) {
  }
  CHECK_INT(1, atomic_load(&callbacks));
  use_and_close(store);
}

static sem_t inside, go_on;

static void on_event(void *user_data, int32_t level, const char *message, size_t length)
{
  (void)user_data;
  (void)level;
  (void)message;
  (void)length;
  sem_post(&inside);
  while (sem_wait(&go_on) != 0) {
  }
}

static void *get_unreadable(void *argument)
{
  store_item item;
  (void)argument;
  CHECK_INT(STORE_NOT_FOUND, store_get(shared, TEXT("segments"), TEXT("unreadable"), &item, NULL));
  return NULL;
}

static void a_fork_while_the_hosts_logger_runs(void)
{
  pthread_t thread;
  shared = used_store("");
  put_row("segments", "unreadable", "\"version\":{\"N\":\"1\"},\"item\":{\"N\":\"5\"}");
  sem_init(&inside, 0, 0);
  sem_init(&go_on, 0, 0);
  CHECK_CODE(STORE_OK, store_set_logger(shared, on_event, NULL, &error), &error);
  CHECK_INT(0, pthread_create(&thread, NULL, get_unreadable, NULL));
  while (sem_wait(&inside) != 0) {
  }
  /* The library holds whatever it holds while the logger runs. */
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    CHECK_CODE(STORE_OK, store_set_logger(shared, NULL, NULL, &error), &error);
    use_and_close(shared);
    exit(0);
  }
  CHECK_CHILD(child);
  sem_post(&go_on);
  pthread_join(thread, NULL);
  CHECK_CODE(STORE_OK, store_set_logger(shared, NULL, NULL, &error), &error);
  use_and_close(shared);
}

/* Forks inside a function of the host that the library called, and says how the child ended. */
static void fork_in_callback(int returns)
{
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    if (returns) {
      return;
    }
    use_and_close(shared);
    exit(0);
  }
  CHECK_CHILD(child);
}

static void fork_on_event(void *user_data, int32_t level, const char *message, size_t length)
{
  (void)level;
  (void)message;
  (void)length;
  fork_in_callback(*(int *)user_data);
  sem_post(&called);
}

static void fork_on_done(void *user_data, store_result *result)
{
  fork_in_callback(*(int *)user_data);
  store_result_free(result);
  sem_post(&called);
}

static void await_call(void)
{
  while (sem_wait(&called) != 0) {
  }
}

/* In the child there is no callback: it may block. One that returns from it ends, as a process does without threads. */
static void a_child_of_a_callback_is_not_inside_it(void)
{
  shared = used_store("");
  sem_init(&called, 0, 0);
  for (int returns = 0; returns <= 1; returns++) {
    CHECK_CODE(STORE_OK, store_get_async(shared, TEXT("features"), TEXT("flag"), fork_on_done, &returns, NULL, &error), &error);
    await_call();
    use(shared);
  }
  use_and_close(shared);
}

static void a_child_of_a_logger_is_not_inside_it(void)
{
  int returns = 0;
  store_item item;
  shared = used_store("");
  sem_init(&called, 0, 0);
  put_row("segments", "unreadable", "\"version\":{\"N\":\"1\"},\"item\":{\"N\":\"5\"}");
  CHECK_CODE(STORE_OK, store_set_logger(shared, fork_on_event, &returns, &error), &error);
  /* On a thread of the library, then on the caller's, which is told what was kept. */
  CHECK_INT(STORE_NOT_FOUND, store_get(shared, TEXT("segments"), TEXT("unreadable"), &item, NULL));
  await_call();
  CHECK_CODE(STORE_OK, store_set_logger(shared, NULL, NULL, &error), &error);
  CHECK_INT(STORE_NOT_FOUND, store_get(shared, TEXT("segments"), TEXT("unreadable"), &item, NULL));
  CHECK_CODE(STORE_OK, store_set_logger(shared, fork_on_event, &returns, &error), &error);
  await_call();
  CHECK_CODE(STORE_OK, store_set_logger(shared, NULL, NULL, &error), &error);
  use_and_close(shared);
}

/* Starts a program that succeeds, in one of the ways that there are. */
static void start_a_program(int way)
{
  pid_t child;
  char *const words[] = {"true", NULL};
  if (way == 0) {
    CHECK_INT(0, system("true"));
    return;
  }
  if (way == 1) {
    CHECK_INT(0, posix_spawnp(&child, "true", NULL, NULL, words, environ));
  } else {
    child = way == 2 ? vfork() : fork();
    if (child == 0) {
      execvp("true", words);
      _exit(1);
    }
  }
  CHECK_CHILD(child);
}

enum { PROGRAMS = 40 };

static void a_program_may_be_started_at_any_time(void)
{
  enum { THREADS = 4 };
  pthread_t threads[THREADS];
  shared = used_store("");
  cached = shared;
  for (intptr_t place = 0; place < THREADS; place++) {
    CHECK_INT(0, pthread_create(&threads[place], NULL, keep_calling, (void *)(place % 3)));
  }
  int64_t requests = statistic(shared, "requests");
  for (int number = 0; number < PROGRAMS; number++) {
    start_a_program(number % 4);
  }
  /* It is still the same store: what it counts since it was opened was not started anew. */
  CHECK(statistic(shared, "requests") >= requests && requests >= 2);
  atomic_store(&stop, 1);
  for (int place = 0; place < THREADS; place++) {
    pthread_join(threads[place], NULL);
  }
  use_and_close(shared);
}

int main(int argc, char **argv)
{
  static const struct test tests[] = {
      TEST(a_child_goes_on_with_its_parents_store),
      TEST(a_child_of_a_parent_that_only_opened_uses_the_store),
      TEST(a_child_may_open_stores_of_its_own),
      TEST(a_child_may_exit_without_closing_or_without_any_call),
      TEST(a_child_may_close_what_it_never_used),
      TEST(the_parent_may_close_first),
      TEST(children_fork_three_deep),
      TEST(a_daemon_goes_on_when_its_parents_have_exited),
      TEST_OF(CHILDREN, sixteen_children_at_once_use_the_store_with_their_parent),
      TEST(a_cache_is_each_process_own),
      TEST(an_item_from_before_the_fork_is_valid_on_both_sides),
      TEST_OF(BUSY_FORKS, a_fork_while_eight_threads_are_in_calls),
      TEST(a_fork_during_the_first_open_ever),
      TEST_OF(FIRST_CALLS, a_fork_during_the_first_calls_ever),
      TEST_OF(FIRST_CALLS_OVER_TLS, a_fork_during_the_first_calls_ever_over_tls),
      TEST_OF(FIRST_CREDENTIALS, a_fork_while_credentials_are_fetched_for_the_first_time),
      TEST_OF(FORKING_THREADS * FORKS_OF_EACH, several_threads_fork),
      TEST_OF(OPENING_FORKS, a_fork_while_threads_open_and_close_stores),
      TEST_OF(IN_FLIGHT_FORKS, a_call_in_flight_stays_its_callers),
      TEST(a_fork_while_the_hosts_logger_runs),
      TEST(a_child_of_a_callback_is_not_inside_it),
      TEST(a_child_of_a_logger_is_not_inside_it),
      TEST_OF(PROGRAMS, a_program_may_be_started_at_any_time),
  };
  start_server(&endpoint);
  return RUN(argc, argv, tests);
}
