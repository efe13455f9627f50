/*
 * Queues of finished calls where the process is not what it was: in a forked child, and where every descriptor was closed.
 */
#include "queue.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t shared_queue;

static void a_child_finds_the_queue_empty_and_may_use_it_and_nothing_of_it_reaches_the_parent(void)
{
  char url[64];
  int32_t code;
  int pipe_ends[2], listener = black_hole(url);
  struct pollfd asked = {.events = POLLIN};
  uint64_t queue = open_queue();
  uint64_t silent = open_queued(queue, url, "\"timeout_ms\":300000,\"attempt_timeout_ms\":300000");
  uint64_t store = open_queued(queue, NULL, "");
  CHECK_INT(0, pipe(pipe_ends));
  asked.fd = pipe_ends[0];
  put_flag(store, "flag", 1, "{}");
  uint64_t call = start_get(silent, "flag", 1);
  await_requests(listener, 1);
  /* Over, and not taken. */
  start_get(store, "flag", 2);
  CHECK_CODE(STORE_OK, store_completions_notify(queue, pipe_ends[1], &error), &error);
  CHECK_INT(1, read_number(pipe_ends[0]));
  pid_t child = fork_with_watchdog();
  if (child == 0) {
    check_empty(queue);
    CHECK_CODE(STORE_OK, store_cancel(call, &error), &error);
    check_empty(queue);
    start_get(store, "flag", 3);
    CHECK_INT(3, take(queue, &code));
    CHECK_INT(STORE_OK, code);
    call = start_get(silent, "flag", 4);
    CHECK_CODE(STORE_OK, store_cancel(call, &error), &error);
    CHECK_INT(4, take(queue, &code));
    CHECK_INT(STORE_CANCELLED, code);
    CHECK_CODE(STORE_OK, store_completions_close(queue, &error), &error);
    exit(0);
  }
  CHECK_CHILD(child);
  CHECK_INT(0, poll(&asked, 1, 0));
  CHECK_INT(2, take(queue, &code));
  CHECK_INT(STORE_OK, code);
  check_empty(queue);
  CHECK_CODE(STORE_OK, store_cancel(call, &error), &error);
  CHECK_INT(1, take(queue, &code));
  CHECK_INT(STORE_CANCELLED, code);
  CHECK_INT(1, read_number(pipe_ends[0]));
  CHECK_CODE(STORE_OK, store_completions_close(queue, &error), &error);
}

static void *wait_for_ever(void *unused)
{
  void *user_data;
  store_result *result;
  CHECK_INT(STORE_ERROR_INVALID_HANDLE, store_completions_next(shared_queue, -1, &user_data, &result, NULL));
  return unused;
}

static void a_fork_does_not_mind_who_waits(void)
{
  int32_t code;
  pthread_t thread;
  shared_queue = open_queue();
  CHECK_INT(0, pthread_create(&thread, NULL, wait_for_ever, NULL));
  for (int round = 0; round < 20; round++) {
    pid_t child = fork_with_watchdog();
    if (child == 0) {
      uint64_t store = open_queued(shared_queue, NULL, "");
      start_get(store, "none", 1);
      CHECK_INT(1, take(shared_queue, &code));
      CHECK_CODE(STORE_OK, store_completions_close(shared_queue, &error), &error);
      exit(0);
    }
    CHECK_CHILD(child);
  }
  CHECK_CODE(STORE_OK, store_completions_close(shared_queue, &error), &error);
  pthread_join(thread, NULL);
}

/* A process that becomes a daemon closes everything, the library's descriptors and the queue's copy of the host's too. */
static void calls_whose_runtime_died_end_in_the_queue_and_what_the_host_opens_then_is_not_written_to(void)
{
  char url[64];
  int32_t code;
  int listener = black_hole(url), pipe_ends[2];
  uint64_t queue = open_queue();
  uint64_t silent = open_queued(queue, url, "\"timeout_ms\":300000,\"attempt_timeout_ms\":300000");
  uint64_t store = open_queued(queue, NULL, "");
  CHECK_INT(0, pipe(pipe_ends));
  CHECK_CODE(STORE_OK, store_completions_notify(queue, pipe_ends[1], &error), &error);
  uint64_t call = start_get(silent, "flag", 1);
  await_requests(listener, 1);
  for (int number = 3; number < 1024; number++) {
    close(number);
  }
  FILE *files[512] = {NULL};
  for (int place = 0; place < 512; place++) {
    CHECK((files[place] = tmpfile()) != NULL);
  }
  CHECK_CODE(STORE_OK, store_cancel(call, &error), &error);
  CHECK_INT(1, take(queue, &code));
  CHECK(code == STORE_ERROR_RUNTIME || code == STORE_CANCELLED);
  start_get(store, "none", 2);
  CHECK_INT(2, take(queue, &code));
  CHECK_INT(STORE_NOT_FOUND, code);
  CHECK_CODE(STORE_OK, store_completions_close(queue, &error), &error);
  for (int place = 0; place < 512; place++) {
    CHECK_INT(0, fseek(files[place], 0, SEEK_END));
    CHECK_INT(0, ftell(files[place]));
    CHECK_INT(0, fclose(files[place]));
  }
  store_close(store, NULL);
}

int main(int argc, char **argv)
{
  static const struct test tests[] = {
      TEST(a_child_finds_the_queue_empty_and_may_use_it_and_nothing_of_it_reaches_the_parent),
      TEST(a_fork_does_not_mind_who_waits),
      TEST(calls_whose_runtime_died_end_in_the_queue_and_what_the_host_opens_then_is_not_written_to),
  };
  start_server(&endpoint);
  return RUN(argc, argv, tests);
}
