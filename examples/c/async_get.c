/*
 * Reads several flags at once without a thread for each, and does something else meanwhile.
 *
 *     async_get OPTIONS KEY...
 *
 * OPTIONS is the JSON object that store_open takes, such as '{"table":"flags"}'. How to build this program is in
 * README.md beside it.
 *
 * A store_..._async function returns at once. Its callback comes later, exactly once, on a thread of the library: it
 * must not block, so it only hands the result over. An event loop would do that with an eventfd, uv_async_send or
 * ev_async_send; this program counts under a mutex.
 */
#include <flagstore.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the callbacks and main share. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static int waiting;

/* One read: its address is the callback's user_data, so it must live until the callback came. */
struct read {
  const char *key;
  store_result *result;
};

static void on_read(void *user_data, store_result *result)
{
  struct read *read = user_data;
  pthread_mutex_lock(&mutex);
  /* The result is ours now; main frees it. */
  read->result = result;
  waiting--;
  pthread_cond_signal(&arrived);
  pthread_mutex_unlock(&mutex);
}

/* Prints what a read brought. Returns whether it went well. */
static int print(const struct read *read)
{
  store_error error;
  store_item item;
  if (store_result_error(read->result, &error) != STORE_OK) {
    fprintf(stderr, "%s: %s (%s)\n", read->key, error.message, store_code_name(error.code));
    store_error_free(&error);
    return 0;
  }
  if (store_result_item(read->result, &item, NULL) != STORE_OK) {
    printf("%s: no such flag\n", read->key);
    return 1;
  }
  if (item.deleted) {
    printf("%s: deleted with version %lld\n", read->key, (long long)item.version);
  } else {
    printf("%s: version %lld: %.*s\n", read->key, (long long)item.version, (int)item.item_len, item.item);
  }
  store_item_free(&item);
  return 1;
}

int main(int argc, char **argv)
{
  uint64_t store;
  store_error error;
  int failed = 0;
  if (argc < 3) {
    fprintf(stderr, "usage: async_get OPTIONS KEY...\n");
    return 2;
  }
  if (store_open(argv[1], strlen(argv[1]), &store, &error) != STORE_OK) {
    fprintf(stderr, "async_get: %s (%s)\n", error.message, store_code_name(error.code));
    store_error_free(&error);
    return 1;
  }

  int count = argc - 2;
  struct read *reads = calloc((size_t)count, sizeof *reads);
  if (reads == NULL) {
    perror("async_get");
    store_close(store, NULL);
    return 1;
  }
  for (int place = 0; place < count; place++) {
    struct read *read = &reads[place];
    read->key = argv[place + 2];
    /* Counted before it starts, since the callback may come before the next line. */
    pthread_mutex_lock(&mutex);
    waiting++;
    pthread_mutex_unlock(&mutex);
    if (store_get_async(store, "features", 8, read->key, strlen(read->key), on_read, read, NULL, &error) != STORE_OK) {
      /* A call that is refused has no callback. */
      fprintf(stderr, "%s: %s (%s)\n", read->key, error.message, store_code_name(error.code));
      store_error_free(&error);
      failed = 1;
      pthread_mutex_lock(&mutex);
      waiting--;
      pthread_mutex_unlock(&mutex);
    }
  }
  /* Calls in flight go on; this only says that no new ones come. */
  store_close(store, NULL);

  pthread_mutex_lock(&mutex);
  while (waiting > 0) {
    pthread_cond_wait(&arrived, &mutex);
  }
  pthread_mutex_unlock(&mutex);

  for (int place = 0; place < count; place++) {
    if (reads[place].result != NULL) {
      failed |= !print(&reads[place]);
      store_result_free(reads[place].result);
    }
  }
  free(reads);
  return failed;
}
