/* Every function may be called from any thread at any time, and the library's own threads disturb nobody. */
#include "endpoint.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Runs a function on so many threads at once, each with its own number, and waits for all. */
static void on_threads(int count, void *(*function)(void *))
{
  pthread_t threads[64];
  CHECK(count <= 64);
  for (int place = 0; place < count; place++) {
    CHECK_INT(0, pthread_create(&threads[place], NULL, function, (void *)(intptr_t)place));
  }
  for (int place = 0; place < count; place++) {
    pthread_join(threads[place], NULL);
  }
}

/* The store that the threads of a test use. */
static _Atomic uint64_t shared;

/* Echo */

enum { ECHO_THREADS = 64, ECHO_ROUNDS = 20, CACHED_ROUNDS = 1000 };

static void *echo(void *argument)
{
  int number = (int)(intptr_t)argument;
  char key[32], payload[64];
  snprintf(key, sizeof key, "flag-%d", number);
  for (int round = 0; round < ECHO_ROUNDS; round++) {
    snprintf(payload, sizeof payload, "{\"thread\":%d,\"round\":%d}", number, round);
    put_flag(shared, key, round, payload);
    check_flag(shared, key, round, payload);
  }
  return NULL;
}

static void sixty_four_threads_each_read_what_they_wrote(void)
{
  shared = open_store("");
  on_threads(ECHO_THREADS, echo);
  store_items *items;
  const store_item *first;
  size_t count;
  store_error error;
  CHECK_CODE(STORE_OK, store_get_all(shared, TEXT("features"), &items, &error), &error);
  CHECK_CODE(STORE_OK, store_items_view(items, &first, &count, &error), &error);
  CHECK_INT(ECHO_THREADS, count);
  store_items_free(items);
  store_close(shared, NULL);
}

static void *echo_cached(void *argument)
{
  int number = (int)(intptr_t)argument;
  char key[32], payload[64];
  snprintf(key, sizeof key, "flag-%d", number);
  snprintf(payload, sizeof payload, "{\"thread\":%d,\"round\":%d}", number, ECHO_ROUNDS - 1);
  for (int round = 0; round < CACHED_ROUNDS; round++) {
    check_flag(shared, key, ECHO_ROUNDS - 1, payload);
  }
  return NULL;
}

static void sixty_four_threads_each_read_their_own_item_from_the_cache(void)
{
  shared = open_store("\"cache_ttl_ms\":-1");
  on_threads(ECHO_THREADS, echo);
  int64_t before = statistic(shared, "hits");
  on_threads(ECHO_THREADS, echo_cached);
  CHECK(statistic(shared, "hits") - before >= ECHO_THREADS * (CACHED_ROUNDS - 1));
  store_close(shared, NULL);
}

/* Closing */

static atomic_int calling;

static void *get_until_closed(void *argument)
{
  char key[32];
  store_item item;
  store_error error;
  int32_t code;
  snprintf(key, sizeof key, "flag-%d", (int)(intptr_t)argument);
  do {
    code = store_get(shared, TEXT("features"), key, strlen(key), &item, &error);
    atomic_fetch_add(&calling, 1);
    if (code == STORE_OK) {
      CHECK_TEXT(key, item.key, item.key_len);
      store_item_free(&item);
    } else {
      CHECK_CODE(STORE_ERROR_INVALID_HANDLE, code, &error);
    }
  } while (code == STORE_OK);
  return NULL;
}

static void closing_under_sixteen_calling_threads_ends_their_calls_in_order(void)
{
  enum { THREADS = 16 };
  pthread_t threads[THREADS];
  char key[32];
  uint64_t keeper = open_store("\"cache_ttl_ms\":1");
  for (int place = 0; place < THREADS; place++) {
    snprintf(key, sizeof key, "flag-%d", place);
    put_flag(keeper, key, 1, "{}");
  }
  for (int round = 0; round < 50; round++) {
    /* Every other round closes the last handle, and with it the connections and the cache under the calls. */
    shared = open_store(round % 2 == 0 ? "\"cache_ttl_ms\":1" : "\"shared\":false");
    atomic_store(&calling, 0);
    for (int place = 0; place < THREADS; place++) {
      CHECK_INT(0, pthread_create(&threads[place], NULL, get_until_closed, (void *)(intptr_t)place));
    }
    AWAIT(atomic_load(&calling) >= THREADS);
    store_error error;
    CHECK_CODE(STORE_OK, store_close(shared, &error), &error);
    for (int place = 0; place < THREADS; place++) {
      pthread_join(threads[place], NULL);
    }
  }
  store_close(keeper, NULL);
}

static void *open_use_close(void *argument)
{
  char key[32];
  snprintf(key, sizeof key, "flag-%d", (int)(intptr_t)argument);
  for (int round = 0; round < 20; round++) {
    /* Half of them share a live store and race its last close against the next open. */
    uint64_t store = open_store((intptr_t)argument % 2 == 0 ? "" : "\"shared\":false");
    put_flag(store, key, round, "{}");
    check_flag(store, key, round, "{}");
    CHECK_INT(STORE_OK, store_close(store, NULL));
    CHECK_INT(STORE_ERROR_INVALID_HANDLE, store_close(store, NULL));
  }
  return NULL;
}

static void threads_open_and_close_the_same_store_at_will(void)
{
  on_threads(16, open_use_close);
}

static void *close_it(void *argument)
{
  (void)argument;
  if (store_close(shared, NULL) == STORE_OK) {
    atomic_fetch_add(&calling, 1);
  }
  return NULL;
}

static void of_many_closes_of_one_handle_one_succeeds(void)
{
  for (int round = 0; round < 50; round++) {
    shared = open_store("");
    atomic_store(&calling, 0);
    on_threads(16, close_it);
    CHECK_INT(1, atomic_load(&calling));
  }
}

/* Slow calls */

static void *slow_get(void *argument)
{
  char key[32];
  store_item item;
  snprintf(key, sizeof key, "flag-%d", (int)(intptr_t)argument);
  CHECK_INT(STORE_ERROR_TIMEOUT, store_get(shared, TEXT("features"), key, strlen(key), &item, NULL));
  return NULL;
}

static void a_slow_call_delays_no_other(void)
{
  enum { THREADS = 16 };
  pthread_t threads[THREADS];
  char url[64];
  int listener = black_hole(url);
  uint64_t quick = open_store("");
  put_flag(quick, "flag", 1, "{}");
  shared = open_store_at(url, "\"timeout_ms\":2000");
  int64_t start = milliseconds();
  for (int place = 0; place < THREADS; place++) {
    CHECK_INT(0, pthread_create(&threads[place], NULL, slow_get, (void *)(intptr_t)place));
  }
  await_requests(listener, THREADS);
  for (int round = 0; round < 20; round++) {
    check_flag(quick, "flag", 1, "{}");
    uint64_t other = open_store("\"shared\":false");
    check_flag(other, "flag", 1, "{}");
    store_close(other, NULL);
  }
  CHECK_INT(STORE_OK, store_close(shared, NULL));
  CHECK(milliseconds() - start < times_slower(2000));
  for (int place = 0; place < THREADS; place++) {
    pthread_join(threads[place], NULL);
  }
  store_close(quick, NULL);
}

/* The library's own threads */

/* Reads a file of a thread, such as "comm". */
static void read_task(const char *task, const char *name, char *text, size_t size)
{
  char path[320];
  snprintf(path, sizeof path, "/proc/self/task/%s/%s", task, name);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? 0 : read(file, text, size - 1);
  text[length < 0 ? 0 : length] = '\0';
  close(file);
}

static void the_librarys_threads_are_named_few_and_deaf_to_signals(void)
{
  /* A fault of a thread's own cannot be blocked with effect; everything else must be. */
  static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGKILL, SIGSTOP, SIGSYS};
  uint64_t expected = UINT64_MAX;
  /* The C library keeps those from 32 on to itself: glibc two, musl three. */
  for (int kept = 32; kept < SIGRTMIN; kept++) {
    expected &= ~(UINT64_C(1) << (kept - 1));
  }
  for (size_t place = 0; place < sizeof faults / sizeof faults[0]; place++) {
    expected &= ~(UINT64_C(1) << (faults[place] - 1));
  }
  char own[32], program[64];
  snprintf(own, sizeof own, "%d", (int)getpid());
  read_task(own, "comm", program, sizeof program);
  if (strncmp(program, "qemu-", 5) == 0) {
    skip("what /proc says of threads is the emulator's");
  }
  shared = open_store("");
  on_threads(ECHO_THREADS, echo);
  int count = 0;
  DIR *directory = opendir("/proc/self/task");
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    if (isdigit((unsigned char)entry->d_name[0]) && strcmp(entry->d_name, own) != 0) {
      char name[64], status[4096];
      read_task(entry->d_name, "comm", name, sizeof name);
      if (name[0] == '\0') {
        continue; /* ended meanwhile */
      }
      CHECK_CONTAINS("flagstore", name);
      read_task(entry->d_name, "status", status, sizeof status);
      CHECK_CONTAINS("SigBlk:", status);
      uint64_t blocked = strtoull(strstr(status, "SigBlk:") + 7, NULL, 16);
      if ((blocked & expected) != expected) {
        FAIL("a thread of the library blocks only %llx", (unsigned long long)blocked);
      }
      count++;
    }
  }
  closedir(directory);
  CHECK(count >= 1 && count <= 8);
  store_close(shared, NULL);
}

static atomic_int handled;

static void on_signal(int number)
{
  (void)number;
  atomic_fetch_add(&handled, 1);
}

static void the_hosts_signal_handlers_run_on_the_hosts_threads(void)
{
  struct sigaction action = {.sa_handler = on_signal};
  sigset_t mine;
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGALRM, &action, NULL);
  uint64_t store = open_store("");
  put_flag(store, "flag", 1, "{}");
  /* Any thread that does not block it may get a signal to the process; here that would be one of the library's. */
  sigemptyset(&mine);
  sigaddset(&mine, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &mine, NULL);
  kill(getpid(), SIGUSR1);
  for (int round = 0; round < 50; round++) {
    check_flag(store, "flag", 1, "{}");
  }
  CHECK_INT(0, atomic_load(&handled));
  pthread_sigmask(SIG_UNBLOCK, &mine, NULL);
  CHECK_INT(1, atomic_load(&handled));
  /* One that interrupts the calling thread again and again makes no call fail. */
  ualarm(1000, 1000);
  while (atomic_load(&handled) < 200) {
    check_flag(store, "flag", 1, "{}");
  }
  ualarm(0, 0);
  store_close(store, NULL);
}

static void a_host_that_blocks_every_signal_still_does_after_a_call(void)
{
  sigset_t all, before, after;
  sigemptyset(&all);
  sigaddset(&all, SIGUSR2);
  sigaddset(&all, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  uint64_t store = open_store("");
  put_flag(store, "flag", 1, "{}");
  store_close(store, NULL);
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  for (int number = 1; number < 32; number++) {
    CHECK_INT(sigismember(&before, number), sigismember(&after, number));
  }
}

int main(int argc, char **argv)
{
  static const struct test tests[] = {
      TEST(sixty_four_threads_each_read_what_they_wrote),
      TEST(sixty_four_threads_each_read_their_own_item_from_the_cache),
      TEST(closing_under_sixteen_calling_threads_ends_their_calls_in_order),
      TEST(threads_open_and_close_the_same_store_at_will),
      TEST(of_many_closes_of_one_handle_one_succeeds),
      TEST(a_slow_call_delays_no_other),
      TEST(the_librarys_threads_are_named_few_and_deaf_to_signals),
      TEST(the_hosts_signal_handlers_run_on_the_hosts_threads),
      TEST(a_host_that_blocks_every_signal_still_does_after_a_call),
  };
  start_server(&endpoint);
  return RUN(argc, argv, tests);
}
