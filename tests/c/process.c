/* The library as a guest in a process: what it must not do to its host, and what the host may do to it. */
#include "endpoint.h"

#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static _Thread_local store_error error;

/* Counts the open descriptors above the standard ones that are sockets, or all of them. */
static int descriptors(int only_sockets)
{
  int count = 0;
  DIR *directory = opendir("/proc/self/fd");
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    struct stat status;
    int number = atoi(entry->d_name);
    if (isdigit((unsigned char)entry->d_name[0]) && number > 2 && number != dirfd(directory) &&
        fstat(number, &status) == 0) {
      count += !only_sockets || S_ISSOCK(status.st_mode) ? 1 : 0;
    }
  }
  closedir(directory);
  return count;
}

/* SIGPIPE */

static _Atomic uint64_t shared, silent;

static atomic_int gave_up;

static void *write_until_it_fails(void *argument)
{
  static char payload[300000];
  char key[32];
  int32_t code;
  int64_t version = 0;
  snprintf(key, sizeof key, "flag-%d", (int)(intptr_t)argument);
  do {
    code = store_upsert(shared, TEXT("features"), key, strlen(key), version++, 0, payload, sizeof payload, NULL, &error);
  } while (code == STORE_OK);
  CHECK_INT(1, error.retriable);
  store_error_free(&error);
  atomic_fetch_add(&gave_up, 1);
  return NULL;
}

static void a_server_that_dies_sends_the_host_no_sigpipe(void)
{
  enum { THREADS = 8, SERVERS = 3 };
  pthread_t threads[THREADS];
  CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
  for (int round = 0; round < SERVERS; round++) {
    struct server server;
    start_server(&server);
    shared = open_store_at(server.url, "\"timeout_ms\":1000");
    for (int place = 0; place < THREADS; place++) {
      CHECK_INT(0, pthread_create(&threads[place], NULL, write_until_it_fails, (void *)(intptr_t)place));
    }
    /* On a machine that is starved of CPU all may meet their deadline first. */
    AWAIT(statistic(shared, "requests") >= THREADS || atomic_load(&gave_up) == THREADS);
    kill_server(&server);
    for (int place = 0; place < THREADS; place++) {
      pthread_join(threads[place], NULL);
    }
    atomic_store(&gave_up, 0);
    CHECK_INT(STORE_OK, store_close(shared, NULL));
  }
}

/* A process that takes connections, reads a little and resets them: writes in progress meet a closed socket. */
static pid_t resetting_server(char url[64])
{
  int listener = black_hole(url), small = 4096;
  setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  pid_t server = fork();
  if (server == 0) {
    char bytes[2048];
    for (;;) {
      int connection = accept(listener, NULL, NULL);
      if (read(connection, bytes, sizeof bytes) > 0) {
        setsockopt(connection, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
      }
      close(connection);
    }
  }
  close(listener);
  return server;
}

static void a_peer_that_resets_sends_the_host_no_sigpipe(void)
{
  static char payload[300000];
  char url[64];
  CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
  pid_t server = resetting_server(url);
  uint64_t store = open_store_at(url, "\"timeout_ms\":100");
  for (int round = 0; round < 10; round++) {
    int32_t code =
        store_upsert(store, TEXT("features"), TEXT("flag"), 1, 0, payload, sizeof payload, NULL, &error);
    CHECK(code == STORE_ERROR_CONNECTION || code == STORE_ERROR_TIMEOUT);
    store_error_free(&error);
  }
  CHECK_INT(STORE_OK, store_close(store, NULL));
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
}

static atomic_int pipes_break, broken_pipes;

/*
 * Stands before the C library's, also for the library under test: does what the kernel does once a connection is known to
 * be broken. Real peers bring that about too rarely for a test, since most writes meet the reset itself.
 */
ssize_t writev(int descriptor, const struct iovec *parts, int count)
{
  static ssize_t (*real)(int, const struct iovec *, int);
  if (atomic_load(&pipes_break)) {
    atomic_fetch_add(&broken_pipes, 1);
    pthread_kill(pthread_self(), SIGPIPE);
    errno = EPIPE;
    return -1;
  }
  *(void **)&real = dlsym(RTLD_NEXT, "writev");
  return real(descriptor, parts, count);
}

static void a_write_to_a_broken_connection_sends_the_host_no_sigpipe(void)
{
  store_item item;
  CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
  uint64_t store = open_store_at(endpoint.url, "\"timeout_ms\":300");
  put_flag(store, "flag", 1, "{}");
  atomic_store(&pipes_break, 1);
  int32_t code = store_get(store, TEXT("features"), TEXT("flag"), &item, &error);
  CHECK(code == STORE_ERROR_CONNECTION || code == STORE_ERROR_TIMEOUT);
  store_error_free(&error);
  atomic_store(&pipes_break, 0);
  CHECK(atomic_load(&broken_pipes) > 0);
  check_flag(store, "flag", 1, "{}");
  CHECK_INT(STORE_OK, store_close(store, NULL));
}

/* Exit */

static void *blocked_get(void *argument)
{
  store_item item;
  char key[32];
  snprintf(key, sizeof key, "flag-%d", (int)(intptr_t)argument);
  store_get(shared, TEXT("features"), key, strlen(key), &item, NULL);
  return NULL;
}

static void ignore(void *user_data, store_result *result)
{
  (void)user_data;
  store_result_free(result);
}

/* Has 16 calls wait for an answer that never comes. */
static void sixteen_calls_in_flight(void)
{
  enum { EACH = 8 };
  pthread_t thread;
  char url[64], key[32];
  int listener = black_hole(url);
  shared = open_store_at(url, "\"timeout_ms\":20000,\"attempt_timeout_ms\":20000");
  for (int place = 0; place < EACH; place++) {
    CHECK_INT(0, pthread_create(&thread, NULL, blocked_get, (void *)(intptr_t)place));
    int length = snprintf(key, sizeof key, "async-%d", place);
    CHECK_INT(STORE_OK, store_get_async(shared, TEXT("features"), key, (size_t)length, ignore, NULL, NULL, NULL));
  }
  await_requests(listener, 2 * EACH);
}

static void a_host_may_exit_with_calls_in_flight(void)
{
  int64_t start = milliseconds();
  for (int closing = 0; closing <= 1; closing++) {
    pid_t child = fork_with_watchdog();
    if (child == 0) {
      sixteen_calls_in_flight();
      if (closing) {
        CHECK_INT(STORE_OK, store_close(shared, NULL));
      }
      exit(0);
    }
    CHECK_CHILD(child);
  }
  /* It waited for no deadline. */
  CHECK(milliseconds() - start < times_slower(15000));
}

static void exit_at_once(void *user_data, store_result *result)
{
  (void)user_data;
  (void)result;
  exit(0);
}

static void a_host_may_exit_inside_a_callback(void)
{
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    uint64_t store = open_store("");
    CHECK_INT(STORE_OK, store_get_async(store, TEXT("features"), TEXT("flag"), exit_at_once, NULL, NULL, NULL));
    for (;;) {
      pause();
    }
  }
  CHECK_CHILD(child);
}

static void use_and_close(void)
{
  put_flag(shared, "flag", 1, "{}");
  check_flag(shared, "flag", 1, "{}");
  CHECK_INT(STORE_OK, store_close(shared, NULL));
}

static void an_exit_handler_may_use_the_store(void)
{
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    shared = open_store("");
    CHECK_CODE(STORE_OK, store_available(shared, &error), &error);
    atexit(use_and_close);
    exit(0);
  }
  CHECK_CHILD(child);
}

static void at_thread_end(void *value)
{
  (void)value;
  use_and_close();
}

static void *set_value(void *key)
{
  pthread_setspecific(*(pthread_key_t *)key, key);
  CHECK_CODE(STORE_OK, store_available(shared, &error), &error);
  return NULL;
}

static void a_thread_may_use_the_store_while_it_ends(void)
{
  pthread_key_t key;
  pthread_t thread;
  pthread_key_create(&key, at_thread_end);
  shared = open_store("");
  CHECK_INT(0, pthread_create(&thread, NULL, set_value, &key));
  pthread_join(thread, NULL);
}

static void *use_everything(void *argument)
{
  store_items *items;
  char *report;
  (void)argument;
  CHECK_CODE(STORE_OK, store_init_json(shared, TEXT("{\"features\":{}}"), &report, &error), &error);
  store_string_free(report);
  CHECK_CODE(STORE_OK, store_get_all(shared, TEXT("features"), &items, &error), &error);
  store_items_free(items);
  use_and_close();
  return NULL;
}

static void a_thread_with_a_small_stack_may_use_the_store(void)
{
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  /* What threads have with musl. */
  CHECK_INT(0, pthread_attr_setstacksize(&attributes, 128 * 1024));
  shared = open_store("");
  CHECK_INT(0, pthread_create(&thread, &attributes, use_everything, NULL));
  pthread_join(thread, NULL);
}

/* Asynchronous calls */

/* What came of one. */
struct outcome {
  sem_t done;
  atomic_int calls;
  int32_t code, retriable;
};

static void on_outcome(void *user_data, store_result *result)
{
  struct outcome *outcome = user_data;
  store_error mine;
  outcome->code = store_result_error(result, &mine);
  outcome->retriable = mine.retriable;
  store_error_free(&mine);
  store_result_free(result);
  atomic_fetch_add(&outcome->calls, 1);
  sem_post(&outcome->done);
}

static void start_get(uint64_t store, struct outcome *outcome)
{
  sem_init(&outcome->done, 0, 0);
  atomic_store(&outcome->calls, 0);
  CHECK_CODE(STORE_OK, store_get_async(store, TEXT("features"), TEXT("flag"), on_outcome, outcome, NULL, &error), &error);
}

static int32_t await_outcome(struct outcome *outcome)
{
  while (sem_wait(&outcome->done) != 0) {
  }
  CHECK_INT(1, atomic_load(&outcome->calls));
  return outcome->code;
}

/* Resources */

/* How many threads may still be started; below 0 there is no limit. */
static atomic_int threads_left = -1;

/* Stands before the C library's, also for the library under test: a system that starts no more threads. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
  static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  if (atomic_load(&threads_left) == 0) {
    return EAGAIN;
  }
  if (atomic_load(&threads_left) > 0) {
    atomic_fetch_sub(&threads_left, 1);
  }
  *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
  return real(thread, attributes, start, argument);
}

/*
 * Refused its first or second thread, the library says so. Refused the third, which comes after it has tried whether
 * threads can be had, its runtime panics, deep below the library. No panic gets out of an exported function, and the next
 * call finds nothing broken.
 */
static void a_panic_below_the_library_is_an_error_that_passes(void)
{
  uint64_t store = open_store("");
  store_item item;
  for (int left = 0; left < 3; left++) {
    for (int round = 0; round < 3; round++) {
      atomic_store(&threads_left, left);
      CHECK_INT(STORE_ERROR_RUNTIME, store_get(store, TEXT("features"), TEXT("flag"), &item, &error));
      CHECK_INT(1, error.retriable);
      CHECK(error.message != NULL);
      store_error_free(&error);
      CHECK_INT(STORE_ERROR_RUNTIME, store_get_async(store, TEXT("features"), TEXT("flag"), ignore, NULL, NULL, NULL));
    }
  }
  atomic_store(&threads_left, -1);
  put_flag(store, "flag", 1, "{}");
  check_flag(store, "flag", 1, "{}");
  CHECK_INT(STORE_OK, store_close(store, NULL));
}

static void running_out_of_descriptors_is_an_error_that_passes(void)
{
  struct rlimit all, none;
  uint64_t store = open_store("");
  store_item item;
  CHECK_INT(0, getrlimit(RLIMIT_NOFILE, &all));
  none = all;
  none.rlim_cur = 3;
  CHECK_INT(0, setrlimit(RLIMIT_NOFILE, &none));
  CHECK_INT(STORE_ERROR_RUNTIME, store_get(store, TEXT("features"), TEXT("flag"), &item, &error));
  store_error_free(&error);
  CHECK_INT(0, setrlimit(RLIMIT_NOFILE, &all));
  put_flag(store, "flag", 1, "{}");
  CHECK_INT(STORE_OK, store_close(store, NULL));
  AWAIT(descriptors(1) == 0);

  /* With the threads there, and no descriptor for a connection. */
  store = open_store_at(endpoint.url, "\"timeout_ms\":300");
  CHECK_INT(0, setrlimit(RLIMIT_NOFILE, &none));
  CHECK_INT(STORE_ERROR_CONNECTION, store_get(store, TEXT("features"), TEXT("flag"), &item, &error));
  store_error_free(&error);
  CHECK_INT(0, setrlimit(RLIMIT_NOFILE, &all));
  check_flag(store, "flag", 1, "{}");
  CHECK_INT(STORE_OK, store_close(store, NULL));
}

static void closing_the_last_handle_closes_its_connections(void)
{
  int before = descriptors(1);
  uint64_t first = open_store(""), second = open_store("");
  put_flag(first, "flag", 1, "{}");
  CHECK(descriptors(1) > before);
  CHECK_INT(STORE_OK, store_close(first, NULL));
  check_flag(second, "flag", 1, "{}");
  CHECK_INT(STORE_OK, store_close(second, NULL));
  AWAIT(descriptors(1) == before);
}

static void opening_and_closing_again_and_again_keeps_no_descriptor(void)
{
  int after_the_first = 0;
  for (int round = 0; round < 200; round++) {
    uint64_t store = open_store("\"shared\":false");
    put_flag(store, "flag", round, "{}");
    CHECK_INT(STORE_OK, store_close(store, NULL));
    if (round == 0) {
      AWAIT(descriptors(1) == 0);
      after_the_first = descriptors(0);
    }
  }
  AWAIT(descriptors(0) <= after_the_first);
}

static void every_descriptor_closes_in_a_program_that_the_host_starts(void)
{
  enum { MOST = 1024 };
  int hosts[MOST];
  for (int number = 0; number < MOST; number++) {
    hosts[number] = fcntl(number, F_GETFD);
  }
  uint64_t store = open_store("");
  put_flag(store, "flag", 1, "{}");
  for (int number = 0; number < MOST; number++) {
    int flags = fcntl(number, F_GETFD);
    if (hosts[number] < 0 && flags >= 0 && (flags & FD_CLOEXEC) == 0) {
      FAIL("descriptor %d of the library stays open across exec", number);
    }
  }
  CHECK_INT(STORE_OK, store_close(store, NULL));
}

/* Names */

/* The endpoint by its name, which has to be looked up. */
static uint64_t open_store_by_name(const char *options)
{
  char url[64];
  unsigned port;
  CHECK(sscanf(endpoint.url, "http://127.0.0.1:%u", &port) == 1);
  snprintf(url, sizeof url, "http://localhost:%u", port);
  return open_store_at(url, options);
}

/*
 * The process limit is reached for a moment, while a name has to be looked up on a thread. Blocking, asynchronous, and
 * through a cache: an error that may be tried again, and no trace of it afterwards.
 */
static void no_thread_to_look_a_name_up_on_is_an_error_that_passes(void)
{
  uint64_t warm = open_store("");
  put_flag(warm, "flag", 1, "{}");
  for (int with_cache = 0; with_cache <= 1; with_cache++) {
    pid_t child = fork_with_watchdog();
    if (child == 0) {
      store_item item;
      struct outcome outcome;
      uint64_t store = open_store_by_name(with_cache ? "\"cache_ttl_ms\":60000" : "");
      check_flag(warm, "flag", 1, "{}");
      atomic_store(&threads_left, 0);
      for (int round = 0; round < 2; round++) {
        int32_t code = store_get(store, TEXT("features"), TEXT("flag"), &item, &error);
        CHECK_INT(1, error.retriable);
        CHECK_ERROR(STORE_ERROR_CONNECTION, "DNS", code, &error);
        start_get(store, &outcome);
        CHECK_INT(STORE_ERROR_CONNECTION, await_outcome(&outcome));
        CHECK_INT(1, outcome.retriable);
      }
      atomic_store(&threads_left, -1);
      check_flag(store, "flag", 1, "{}");
      start_get(store, &outcome);
      CHECK_INT(STORE_OK, await_outcome(&outcome));
      CHECK_INT(STORE_OK, store_close(store, NULL));
      exit(0);
    }
    CHECK_CHILD(child);
  }
  CHECK_INT(STORE_OK, store_close(warm, NULL));
}

/* 1: look-ups hang until they may go on. */
static atomic_int lookups_hang, lookups;

/* Stands before the C library's, also for the library under test: name servers that do not answer. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **addresses)
{
  static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  atomic_fetch_add(&lookups, 1);
  while (atomic_load(&lookups_hang)) {
    pause_briefly();
  }
  *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
  return real(name, service, hints, addresses);
}

static void a_lookup_that_hangs_holds_up_nobody_else(void)
{
  enum { HANGING = 8 };
  struct outcome outcomes[HANGING];
  uint64_t store = open_store("\"cache_ttl_ms\":60000");
  put_flag(store, "flag", 1, "{}");
  check_flag(store, "flag", 1, "{}");
  uint64_t named = open_store_by_name("\"timeout_ms\":400,\"shared\":false");
  atomic_store(&lookups_hang, 1);
  for (int call = 0; call < HANGING; call++) {
    start_get(named, &outcomes[call]);
  }
  AWAIT(atomic_load(&lookups) > 0);
  /* Other stores, what is cached, and forks. */
  put_flag(store, "other", 1, "{}");
  check_flag(store, "flag", 1, "{}");
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    atomic_store(&lookups_hang, 0);
    check_flag(named, "flag", 1, "{}");
    exit(0);
  }
  CHECK_CHILD(child);
  for (int call = 0; call < HANGING; call++) {
    int32_t code = await_outcome(&outcomes[call]);
    CHECK(code == STORE_ERROR_CONNECTION || code == STORE_ERROR_TIMEOUT);
  }
  /* One look-up for all of them, whose answer is there for who comes later. */
  CHECK_INT(1, atomic_load(&lookups));
  atomic_store(&lookups_hang, 0);
  AWAIT(store_available(named, NULL) == STORE_OK);
  CHECK(atomic_load(&lookups) <= 2);
  atomic_store(&lookups_hang, 1);
  check_flag(named, "flag", 1, "{}");
  CHECK_INT(STORE_OK, store_close(named, NULL));
  CHECK_INT(STORE_OK, store_close(store, NULL));
}

/* Descriptors that the host closes */

enum { MOST_DESCRIPTORS = 256 };

/* Which descriptors there are. */
static void list_descriptors(char open[MOST_DESCRIPTORS])
{
  for (int number = 0; number < MOST_DESCRIPTORS; number++) {
    open[number] = fcntl(number, F_GETFD) >= 0;
  }
}

/* What a daemon does; and the numbers become the host's. */
static void take_descriptors_away(const char before[MOST_DESCRIPTORS], int hosts[MOST_DESCRIPTORS])
{
  for (int number = 3; number < MOST_DESCRIPTORS; number++) {
    hosts[number] = !before[number] && fcntl(number, F_GETFD) >= 0;
    if (hosts[number]) {
      int file = memfd_create("hosts", MFD_CLOEXEC);
      CHECK_INT(4, write(file, "host", 4));
      CHECK_INT(number, dup2(file, number));
      close(file);
    }
  }
}

/* None was closed, and nothing was written to any. */
static void check_taken_away(const int hosts[MOST_DESCRIPTORS])
{
  char text[16];
  int count = 0;
  for (int number = 3; number < MOST_DESCRIPTORS; number++) {
    if (hosts[number]) {
      CHECK_INT(4, pread(number, text, sizeof text, 0));
      CHECK_TEXT("host", text, 4);
      CHECK_INT(4, lseek(number, 0, SEEK_CUR));
      count++;
    }
  }
  CHECK(count > 3);
}

static void *blocked_until_it_is_dead(void *argument)
{
  store_item item;
  store_error mine;
  (void)argument;
  CHECK_INT(STORE_ERROR_RUNTIME, store_get(silent, TEXT("features"), TEXT("blocking"), &item, &mine));
  CHECK_INT(1, mine.retriable);
  store_error_free(&mine);
  return NULL;
}

static void a_host_may_close_every_descriptor_that_it_finds(void)
{
  static char before[MOST_DESCRIPTORS];
  static int hosts[MOST_DESCRIPTORS];
  char url[64];
  pthread_t thread;
  struct outcome outcome;
  int listener = black_hole(url);
  list_descriptors(before);
  uint64_t store = open_store("\"cache_ttl_ms\":60000");
  put_flag(store, "flag", 1, "{}");
  check_flag(store, "flag", 1, "{}");
  CHECK_INT(STORE_OK, store_clear_cache(store, NULL));
  silent = open_store_at(url, "\"timeout_ms\":20000,\"attempt_timeout_ms\":20000");
  CHECK_INT(0, pthread_create(&thread, NULL, blocked_until_it_is_dead, NULL));
  start_get(silent, &outcome);
  for (int request = 0; request < 2; request++) {
    char byte;
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(connection >= 0 && read(connection, &byte, 1) == 1);
    before[connection] = 1;
  }
  take_descriptors_away(before, hosts);
  int64_t start = milliseconds();
  check_flag(store, "flag", 1, "{}");
  CHECK(milliseconds() - start < times_slower(2000));
  /* Those in flight have their one outcome, long before their deadline. */
  CHECK_INT(STORE_ERROR_RUNTIME, await_outcome(&outcome));
  CHECK_INT(1, outcome.retriable);
  pthread_join(thread, NULL);
  CHECK(milliseconds() - start < times_slower(10000));
  for (int round = 0; round < 10; round++) {
    put_flag(store, "flag", round + 2, "{}");
    start_get(store, &outcome);
    CHECK_INT(STORE_OK, await_outcome(&outcome));
  }
  CHECK_INT(STORE_OK, store_close(store, NULL));
  CHECK_INT(STORE_OK, store_close(silent, NULL));
  CHECK_INT(1, atomic_load(&outcome.calls));
  check_taken_away(hosts);
}

/* Nobody calls again: the library's own threads find it out, at the latest at the deadline, before they touch anything. */
static void a_call_in_flight_has_its_outcome_though_its_descriptors_are_closed(void)
{
  static char before[MOST_DESCRIPTORS];
  static int hosts[MOST_DESCRIPTORS];
  char url[64], byte;
  struct outcome outcome;
  int listener = black_hole(url);
  list_descriptors(before);
  silent = open_store_at(url, "\"timeout_ms\":600");
  start_get(silent, &outcome);
  int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  CHECK(connection >= 0 && read(connection, &byte, 1) == 1);
  before[connection] = 1;
  take_descriptors_away(before, hosts);
  CHECK_INT(STORE_ERROR_RUNTIME, await_outcome(&outcome));
  CHECK_INT(1, outcome.retriable);
  check_taken_away(hosts);
  uint64_t store = open_store("");
  put_flag(store, "flag", 1, "{}");
  CHECK_INT(1, atomic_load(&outcome.calls));
  check_taken_away(hosts);
}

/* One number that the host closes by mistake: what the library wakes its threads with. */
static void a_descriptor_closed_by_mistake_is_an_error_that_passes(void)
{
  char path[64], target[64];
  store_item item;
  int closed = 0;
  uint64_t store = open_store("");
  put_flag(store, "flag", 1, "{}");
  for (int number = 3; number < MOST_DESCRIPTORS; number++) {
    snprintf(path, sizeof path, "/proc/self/fd/%d", number);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length > 0 && memmem(target, (size_t)length, "eventfd", 7) != NULL) {
      closed += close(number) == 0;
    }
  }
  CHECK(closed > 0);
  /* A thread that is awake needs no descriptor to be woken by: the first call may have its answer, and the next one find out. */
  for (int calls = 0; calls < 3; calls++) {
    int32_t code = store_get(store, TEXT("features"), TEXT("flag"), &item, &error);
    CHECK(code == STORE_OK || (code == STORE_ERROR_RUNTIME && error.retriable == 1));
    if (code == STORE_OK) {
      store_item_free(&item);
    }
    store_error_free(&error);
  }
  check_flag(store, "flag", 1, "{}");
  CHECK_INT(STORE_OK, store_close(store, NULL));
}

static void a_host_without_standard_descriptors_keeps_them_to_itself(void)
{
  struct stat status, null;
  CHECK_INT(0, stat("/dev/null", &null));
  for (int number = 0; number < 3; number++) {
    close(number);
  }
  uint64_t store = open_store("");
  put_flag(store, "flag", 1, "{}");
  for (int round = 0; round < 3; round++) {
    for (int number = 0; number < 3; number++) {
      CHECK_INT(0, fstat(number, &status));
      CHECK(status.st_rdev == null.st_rdev && (fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
      /* A program that believes in its standard error. */
      (void)!write(number, "a line of a log\n", 16);
      /* Closed again, also while there are connections: the next call sees to it. */
      close(number);
    }
    uint64_t another = open_store("\"shared\":false");
    check_flag(another, "flag", 1, "{}");
    check_flag(store, "flag", 1, "{}");
    CHECK_INT(STORE_OK, store_close(another, NULL));
  }
  CHECK_INT(STORE_OK, store_close(store, NULL));
}

static void signal_handlers_are_the_hosts_alone(void)
{
  struct sigaction before[65], after;
  for (int number = 1; number <= 64; number++) {
    memset(&before[number], 0, sizeof before[number]);
    sigaction(number, NULL, &before[number]);
  }
  uint64_t store = open_store("");
  put_flag(store, "flag", 1, "{}");
  CHECK_INT(STORE_OK, store_close(store, NULL));
  for (int number = 1; number <= 64; number++) {
    memset(&after, 0, sizeof after);
    sigaction(number, NULL, &after);
    CHECK(before[number].sa_handler == after.sa_handler && before[number].sa_flags == after.sa_flags);
  }
}

/* Loading */

static void the_library_may_be_loaded_and_unloaded_again_and_again(void)
{
  char program[4096], options[512];
  const char *library = getenv("FLAGSTORE_LIBRARY");
  if (library == NULL) {
    skip("FLAGSTORE_LIBRARY does not say which library to load");
  }
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 32);
  CHECK(length > 0);
  program[length] = '\0';
  /* Next to the folder of this program. */
  strcpy(strrchr(program, '/'), "/../reload");
  snprintf(options, sizeof options,
           "{\"table\":\"flags\",\"endpoint\":\"%s\",\"prefix\":\"%s\",\"region\":\"us-east-1\","
           "\"access_key_id\":\"test\",\"secret_access_key\":\"test\"}",
           endpoint.url, current_test);
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    execl(program, program, library, options, (char *)NULL);
    FAIL("%s cannot be run: %s", program, strerror(errno));
  }
  CHECK_CHILD(child);
}

int main(int argc, char **argv)
{
  static const struct test tests[] = {
      TEST(a_server_that_dies_sends_the_host_no_sigpipe),
      TEST(a_peer_that_resets_sends_the_host_no_sigpipe),
      TEST(a_write_to_a_broken_connection_sends_the_host_no_sigpipe),
      TEST(a_host_may_exit_with_calls_in_flight),
      TEST(a_host_may_exit_inside_a_callback),
      TEST(an_exit_handler_may_use_the_store),
      TEST(a_thread_may_use_the_store_while_it_ends),
      TEST(a_thread_with_a_small_stack_may_use_the_store),
      TEST(a_panic_below_the_library_is_an_error_that_passes),
      TEST(running_out_of_descriptors_is_an_error_that_passes),
      TEST(closing_the_last_handle_closes_its_connections),
      TEST(opening_and_closing_again_and_again_keeps_no_descriptor),
      TEST(every_descriptor_closes_in_a_program_that_the_host_starts),
      TEST(no_thread_to_look_a_name_up_on_is_an_error_that_passes),
      TEST(a_lookup_that_hangs_holds_up_nobody_else),
      TEST(a_host_may_close_every_descriptor_that_it_finds),
      TEST(a_call_in_flight_has_its_outcome_though_its_descriptors_are_closed),
      TEST(a_descriptor_closed_by_mistake_is_an_error_that_passes),
      TEST(a_host_without_standard_descriptors_keeps_them_to_itself),
      TEST(signal_handlers_are_the_hosts_alone),
      TEST(the_library_may_be_loaded_and_unloaded_again_and_again),
  };
  start_server(&endpoint);
  return RUN(argc, argv, tests);
}
