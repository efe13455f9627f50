/* Queues of finished calls, for tests. */
#ifndef QUEUE_H
#define QUEUE_H

#include "endpoint.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

static _Thread_local store_error error;

static inline uint64_t open_queue(void)
{
  uint64_t queue;
  CHECK_CODE(STORE_OK, store_completions_open(&queue, &error), &error);
  return queue;
}

/* A store whose calls end in a queue. */
static inline uint64_t open_queued(uint64_t queue, const char *url, const char *options)
{
  uint64_t store = url == NULL ? open_store(options) : open_store_at(url, options);
  CHECK_CODE(STORE_OK, store_complete_to(store, queue, &error), &error);
  return store;
}

static inline uint64_t start_get(uint64_t store, const char *key, uintptr_t user_data)
{
  uint64_t call;
  CHECK_CODE(STORE_OK,
             store_get_async(store, TEXT("features"), key, strlen(key), NULL, (void *)user_data, &call, &error), &error);
  return call;
}

/* Takes the next call that is over, which must come, and gives its user data and its code. */
static inline uintptr_t take(uint64_t queue, int32_t *code)
{
  void *user_data;
  store_result *result;
  CHECK_CODE(STORE_OK, store_completions_next(queue, 60000, &user_data, &result, &error), &error);
  *code = store_result_code(result);
  store_result_free(result);
  return (uintptr_t)user_data;
}

static inline void check_empty(uint64_t queue)
{
  void *user_data = &user_data;
  store_result *result = NULL;
  CHECK_CODE(STORE_NOT_FOUND, store_completions_next(queue, 0, &user_data, &result, &error), &error);
  CHECK(user_data == &user_data && result == NULL);
}

/* What was written to a descriptor; waits for it. */
static inline uint64_t read_number(int descriptor)
{
  uint64_t number = 0;
  struct pollfd asked = {.fd = descriptor, .events = POLLIN};
  CHECK_INT(1, poll(&asked, 1, 60000));
  CHECK_INT(sizeof number, read(descriptor, &number, sizeof number));
  return number;
}

#endif
