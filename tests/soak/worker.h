/* One of the threads of the load, what it knows, and how its answers are checked. */
#ifndef WORKER_H
#define WORKER_H

#include "../c/check.h"

#include <pthread.h>
#include <semaphore.h>

enum { THREADS = 16, KEYS = 8, MOST_PAYLOAD = 4096 };

/* Which versions a key may have. */
struct known {
  int64_t acknowledged;
  int64_t attempted;
};

struct worker {
  pthread_t thread;
  int number;
  uint64_t random;
  struct known own[KEYS];
  /* The highest version read or acknowledged, without and with the cache. */
  int64_t seen[2][THREADS][KEYS];
  /* The data set of a store of its own, whose version all items have. */
  uint64_t store;
  char prefix[16];
  struct known data_set;
  long gets;
};

enum call { GET, CACHED_GET, ALL, UPSERT, INIT, INITIALIZED, AVAILABLE, ASYNC_GET, OPEN, METADATA, MEMBERSHIP, EVENTS, CALLS };

/* A number from 0 to below this. */
uint64_t any(struct worker *worker, uint64_t below);

/* Counts a call. Returns whether it did what it says; the only other thing that may happen is a passing failure. */
int did(enum call call, int32_t code, store_error *error);

/* Prints what was counted as a line of JSON. */
void print_counts(void);

/*
 * What is stored as a version of a key: text of its own for every version, and now and then a deletion. Returns the length.
 */
int is_deletion(int64_t version);
size_t payload(char text[MOST_PAYLOAD], const char *key, int64_t version);
void check_payload(const store_item *item);

/* One asynchronous call: its callback is on_done, its user data this. */
struct request {
  sem_t done;
  store_result *result;
};

void on_done(void *user_data, store_result *result);
/* Waits for the callback and returns the result, to be freed. */
store_result *result_of(struct request *request);

/* Replaces the data set of the thread's own store, and checks that it is there; see data_sets.c. */
void init(struct worker *worker);

#endif
