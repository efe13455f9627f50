/*
 * Calls that end in a queue, and calls that are ended early: each ends once, what it held is let go, and nothing of the
 * host's is touched.
 */
#include "queue.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/eventfd.h>
#endif

static int descriptors(void)
{
  int count = 0;
  DIR *directory = opendir("/proc/self/fd");
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    count += isdigit((unsigned char)entry->d_name[0]) ? 1 : 0;
  }
  closedir(directory);
  return count;
}

/* Many go-betweens of one process take what belongs to all, each thing once. */

enum { TAKERS = 8, TAKEN = 2000 };

static uint64_t shared_queue;
static atomic_int taken[TAKEN];

static void *take_until_closed(void *unused)
{
  void *user_data;
  store_result *result;
  int32_t code;
  while ((code = store_completions_next(shared_queue, -1, &user_data, &result, &error)) == STORE_OK) {
    store_item item;
    char key[24];
    snprintf(key, sizeof key, "flag-%d", (int)(uintptr_t)user_data);
    CHECK_CODE(STORE_OK, store_result_item(result, &item, NULL), NULL);
    CHECK_TEXT(key, item.key, item.key_len);
    store_item_free(&item);
    store_result_free(result);
    atomic_fetch_add(&taken[(uintptr_t)user_data], 1);
  }
  CHECK_ERROR(STORE_ERROR_INVALID_HANDLE, "was closed", code, &error);
  return unused;
}

static void each_call_is_taken_once_by_whoever_waits_and_closing_wakes_them_all(void)
{
  pthread_t threads[TAKERS];
  char key[24];
  shared_queue = open_queue();
  uint64_t store = open_queued(shared_queue, NULL, "");
  for (int place = 0; place < TAKERS; place++) {
    CHECK_INT(0, pthread_create(&threads[place], NULL, take_until_closed, NULL));
  }
  for (int number = 0; number < 20; number++) {
    snprintf(key, sizeof key, "flag-%d", number);
    put_flag(store, key, 1, key);
  }
  for (int number = 0; number < TAKEN; number++) {
    snprintf(key, sizeof key, "flag-%d", number % 20);
    start_get(store, key, (uintptr_t)number % 20);
  }
  for (int number = 0; number < 20; number++) {
    AWAIT(atomic_load(&taken[number]) == TAKEN / 20);
  }
  CHECK_CODE(STORE_OK, store_completions_close(shared_queue, &error), &error);
  for (int place = 0; place < TAKERS; place++) {
    pthread_join(threads[place], NULL);
  }
  store_close(store, NULL);
}

static void a_wait_ends_in_time(void)
{
  uint64_t queue = open_queue();
  void *user_data;
  store_result *result;
  int64_t begun = milliseconds();
  CHECK_CODE(STORE_NOT_FOUND, store_completions_next(queue, 50, &user_data, &result, &error), &error);
  CHECK(milliseconds() - begun >= 50);
  CHECK_CODE(STORE_OK, store_completions_close(queue, &error), &error);
}

/* Descriptors */

static void check_notified(int reader, int writer)
{
  int32_t code;
  uint64_t number, queue = open_queue(), store = open_queued(queue, NULL, "\"shared\":false");
  /* What is there already counts too. */
  start_get(store, "none", 1);
  AWAIT(statistic(store, "requests") == 1);
  CHECK_CODE(STORE_OK, store_completions_notify(queue, writer, &error), &error);
  /* The library has a descriptor of its own. */
  if (writer != reader) {
    CHECK_INT(0, close(writer));
  }
  for (uintptr_t round = 1; round < 4; round++) {
    CHECK_INT(1, read_number(reader));
    CHECK_INT(round, take(queue, &code));
    CHECK_INT(STORE_NOT_FOUND, code);
    check_empty(queue);
    start_get(store, "none", round + 1);
  }
  CHECK_INT(1, read_number(reader));
  CHECK_INT(4, take(queue, &code));
  CHECK_CODE(STORE_OK, store_completions_notify(queue, -1, &error), &error);
  start_get(store, "none", 5);
  CHECK_INT(5, take(queue, &code));
  /* There is nothing, or the end. */
  fcntl(reader, F_SETFL, O_NONBLOCK);
  CHECK(read(reader, &number, sizeof number) <= 0);
  CHECK_CODE(STORE_OK, store_completions_close(queue, &error), &error);
  store_close(store, NULL);
}

static void a_pipe_a_socket_and_an_eventfd_are_written_to_when_an_empty_queue_gets_something(void)
{
  int pipe_ends[2], sockets[2];
  CHECK_INT(0, pipe(pipe_ends));
  CHECK_INT(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
  check_notified(pipe_ends[0], pipe_ends[1]);
  check_notified(sockets[0], sockets[1]);
#if defined(__linux__)
  int number = eventfd(0, EFD_CLOEXEC);
  check_notified(number, number);
#endif
}

/* The default of SIGPIPE would end this process. */
static void a_descriptor_that_takes_nothing_disturbs_nobody(void)
{
  static const char full[4096];
  int pipe_ends[2], sockets[2], unread[2];
  int32_t code;
  signal(SIGPIPE, SIG_DFL);
  CHECK_INT(0, pipe(pipe_ends));
  CHECK_INT(0, pipe(unread));
  CHECK_INT(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
  fcntl(pipe_ends[1], F_SETFL, O_NONBLOCK);
  while (write(pipe_ends[1], full, sizeof full) > 0) {
  }
  CHECK_INT(EAGAIN, errno);
  /* Full, and would block. */
  fcntl(pipe_ends[1], F_SETFL, 0);
  uint64_t queue = open_queue(), store = open_queued(queue, NULL, "");
  const int writers[] = {pipe_ends[1], unread[1], sockets[1]};
  for (uintptr_t place = 0; place < 3; place++) {
    CHECK_CODE(STORE_OK, store_completions_notify(queue, writers[place], &error), &error);
    if (place == 1) {
      close(unread[0]);
    } else if (place == 2) {
      close(sockets[0]);
    }
    for (uintptr_t round = 0; round < 3; round++) {
      start_get(store, "none", place);
      CHECK_INT(place, take(queue, &code));
      CHECK_INT(STORE_NOT_FOUND, code);
    }
  }
  int closed = dup(pipe_ends[0]);
  close(closed);
  const int64_t refused[] = {closed, pipe_ends[0], -2, INT64_MAX, INT64_MIN, INT64_C(1) << 32};
  for (size_t place = 0; place < sizeof refused / sizeof refused[0]; place++) {
    CHECK_ERROR(STORE_ERROR_INVALID_HANDLE, "descriptor", store_completions_notify(queue, refused[place], &error), &error);
  }
  CHECK_CODE(STORE_OK, store_completions_close(queue, &error), &error);
  store_close(store, NULL);
}

/* Cancelling */

/* So many calls, a few at a time, all cancelled while the endpoint is silent. */
static void cancelled_calls_leave_nothing_behind(void)
{
  enum { CALLS = 9989, AT_ONCE = 97 };
  char url[64], key[24];
  uint64_t calls[AT_ONCE];
  int32_t code;
  int listener = black_hole(url), before = 0;
  uint64_t queue = open_queue(), store = open_queued(queue, url, "\"timeout_ms\":300000,\"attempt_timeout_ms\":300000");
  for (int begun = 0; begun < CALLS;) {
    int many = CALLS - begun < AT_ONCE ? CALLS - begun : AT_ONCE;
    for (int place = 0; place < many; place++) {
      snprintf(key, sizeof key, "flag-%d", begun + place);
      calls[place] = start_get(store, key, (uintptr_t)(begun + place));
    }
    /* Each has its connection by then, now and then. */
    if (begun % (10 * AT_ONCE) == 0) {
      for (int place = 0; place < many; place++) {
        close(accept(listener, NULL, NULL));
      }
    }
    for (int place = 0; place < many; place++) {
      CHECK_CODE(STORE_OK, store_cancel(calls[place], &error), &error);
    }
    for (int place = 0; place < many; place++) {
      uintptr_t which = take(queue, &code);
      CHECK(which >= (uintptr_t)begun && which < (uintptr_t)(begun + many));
      CHECK(code == STORE_CANCELLED || code == STORE_ERROR_CONNECTION);
    }
    check_empty(queue);
    begun += many;
    if (before == 0) {
      /* What the library keeps for the process is there now. */
      AWAIT(descriptors() < AT_ONCE);
      before = descriptors();
    }
  }
  AWAIT(descriptors() <= before);
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
  CHECK_CODE(STORE_OK, store_completions_close(queue, &error), &error);
}

static void a_cancelled_call_does_not_wait_for_its_deadline_and_gives_back_its_place(void)
{
  char url[64];
  int32_t code;
  int listener = black_hole(url);
  uint64_t queue = open_queue();
  /* One request at a time: the second has its place when the first is given up. Of two that begin at once either may. */
  uint64_t store =
      open_queued(queue, url, "\"timeout_ms\":300000,\"attempt_timeout_ms\":300000,\"max_connections\":1");
  uint64_t first = start_get(store, "first", 1);
  await_requests(listener, 1);
  uint64_t second = start_get(store, "second", 2);
  CHECK_CODE(STORE_OK, store_cancel(first, &error), &error);
  CHECK_INT(1, take(queue, &code));
  CHECK_INT(STORE_CANCELLED, code);
  await_requests(listener, 1);
  /* Also when nobody has the store any more. */
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
  CHECK_CODE(STORE_OK, store_cancel(second, &error), &error);
  CHECK_INT(2, take(queue, &code));
  CHECK_INT(STORE_CANCELLED, code);
  CHECK_CODE(STORE_OK, store_completions_close(queue, &error), &error);
}

/* A callback that cancels the other call, whose number it finds where it was promised. */
struct pair {
  sem_t done;
  uint64_t numbers[2];
  atomic_int ended;
  int32_t codes[2];
};

static struct pair pair;

static void on_ended(void *user_data, store_result *result)
{
  int which = (int)(uintptr_t)user_data;
  pair.codes[which] = store_result_code(result);
  store_result_free(result);
  CHECK(pair.numbers[which] != 0);
  CHECK_CODE(STORE_OK, store_cancel(pair.numbers[1], NULL), NULL);
  atomic_fetch_add(&pair.ended, 1);
  sem_post(&pair.done);
}

static void a_callback_may_cancel_also_itself(void)
{
  char url[64];
  int listener = black_hole(url);
  uint64_t silent = open_store_at(url, "\"timeout_ms\":300000,\"attempt_timeout_ms\":300000"), store = open_store("");
  sem_init(&pair.done, 0, 0);
  CHECK_CODE(STORE_OK,
             store_get_async(silent, TEXT("features"), TEXT("flag"), on_ended, (void *)1, &pair.numbers[1], &error),
             &error);
  await_requests(listener, 1);
  CHECK_CODE(STORE_OK,
             store_get_async(store, TEXT("features"), TEXT("flag"), on_ended, (void *)0, &pair.numbers[0], &error),
             &error);
  for (int which = 0; which < 2; which++) {
    while (sem_wait(&pair.done) != 0) {
    }
  }
  CHECK_INT(2, atomic_load(&pair.ended));
  CHECK_INT(STORE_NOT_FOUND, pair.codes[0]);
  CHECK_INT(STORE_CANCELLED, pair.codes[1]);
  store_close(silent, NULL);
  store_close(store, NULL);
}

/* Calls that answer and a thread that cancels each of them, sooner or later. */

enum { RACES = 4000 };

static _Atomic uint64_t racing[RACES];

static void *cancel_all(void *unused)
{
  for (int number = 0; number < RACES; number++) {
    uint64_t call;
    while ((call = atomic_load(&racing[number])) == 0) {
    }
    CHECK_INT(STORE_OK, store_cancel(call, NULL));
  }
  return unused;
}

static void a_call_that_is_cancelled_as_it_ends_ends_once(void)
{
  static unsigned char ended[RACES];
  int32_t code;
  int cancelled = 0, answered = 0;
  pthread_t thread;
  uint64_t queue = open_queue(), store = open_queued(queue, NULL, "");
  put_flag(store, "flag", 1, "{}");
  CHECK_INT(0, pthread_create(&thread, NULL, cancel_all, NULL));
  for (int number = 0; number < RACES; number++) {
    uint64_t call;
    int32_t is_write = number % 3 == 0;
    if (is_write) {
      CHECK_CODE(STORE_OK,
                 store_upsert_async(store, TEXT("features"), TEXT("other"), number, 0, TEXT("{}"), NULL,
                                    (void *)(uintptr_t)number, &call, &error),
                 &error);
    } else {
      call = start_get(store, "flag", (uintptr_t)number);
    }
    atomic_store(&racing[number], call);
  }
  pthread_join(thread, NULL);
  for (int number = 0; number < RACES; number++) {
    uintptr_t which = take(queue, &code);
    CHECK_INT(0, ended[which]);
    ended[which] = 1;
    CHECK(code == STORE_OK || code == STORE_CANCELLED || code == STORE_NEWER_EXISTS);
    cancelled += code == STORE_CANCELLED;
    answered += code != STORE_CANCELLED;
  }
  check_empty(queue);
  CHECK(cancelled > 0 && cancelled + answered == RACES);
  check_flag(store, "flag", 1, "{}");
  store_close(store, NULL);
  CHECK_CODE(STORE_OK, store_completions_close(queue, &error), &error);
}

int main(int argc, char **argv)
{
  static const struct test tests[] = {
      TEST(each_call_is_taken_once_by_whoever_waits_and_closing_wakes_them_all),
      TEST(a_wait_ends_in_time),
      TEST(a_pipe_a_socket_and_an_eventfd_are_written_to_when_an_empty_queue_gets_something),
      TEST(a_descriptor_that_takes_nothing_disturbs_nobody),
      TEST(cancelled_calls_leave_nothing_behind),
      TEST(a_cancelled_call_does_not_wait_for_its_deadline_and_gives_back_its_place),
      TEST(a_callback_may_cancel_also_itself),
      TEST(a_call_that_is_cancelled_as_it_ends_ends_once),
  };
  start_server(&endpoint);
  return RUN(argc, argv, tests);
}
