/*
 * What a server does with the library, without a test's harness: eight threads read while the process forks, and each child reads,
 * writes and exits.
 *
 *     smoke ENDPOINT PREFIX
 *
 * Says what it did, and ends with 0, or with 1 at the first call whose answer is wrong. On Windows, which has no fork, the threads
 * read and the process writes.
 */
#include <flagstore.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

#define READERS 8
#define CHILDREN 16
#define TEXT(text) text, strlen(text)

static const char *FLAG = "{\"key\":\"flag\",\"version\":1}";
static uint64_t store;
static atomic_int done;
static atomic_size_t reads;

/* Ends the process with what went wrong, in a thread and in a child too. */
static void must(const char *what, int32_t code, store_error *error)
{
  if (code != STORE_OK) {
    fprintf(stderr, "smoke: %s: %d: %s\n", what, (int)code, error->message != NULL ? error->message : "no message");
    _Exit(1);
  }
}

static void read_flag(void)
{
  store_error error = {0};
  store_item item;
  must("get", store_get(store, TEXT("features"), TEXT("flag"), &item, &error), &error);
  if (item.version != 1 || item.item_len != strlen(FLAG) || memcmp(item.item, FLAG, item.item_len) != 0) {
    fprintf(stderr, "smoke: get: %.*s of version %lld\n", (int)item.item_len, (const char *)item.item, (long long)item.version);
    _Exit(1);
  }
  store_item_free(&item);
}

static void *reader(void *unused)
{
  (void)unused;
  while (!atomic_load(&done)) {
    read_flag();
    atomic_fetch_add(&reads, 1);
  }
  return NULL;
}

/* Writes a row of its own, and reads that there are the flag and it. */
static void write_row(int number)
{
  store_error error = {0};
  char key[32];
  snprintf(key, sizeof key, "row-%d", number);
  must("upsert", store_upsert(store, TEXT("other"), TEXT(key), 1, 0, TEXT("{}"), NULL, &error), &error);
  store_item item;
  must("get of what was written", store_get(store, TEXT("other"), TEXT(key), &item, &error), &error);
  store_item_free(&item);
}

#ifndef _WIN32
#define WHO "children"

static int begin(int number)
{
  pid_t child = fork();
  if (child == 0) {
    read_flag();
    write_row(number);
    exit(0);
  }
  return (int)child;
}

static int ended_well(int child)
{
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
#else
#define WHO "writes"

static int begin(int number)
{
  write_row(number);
  return 1;
}

static int ended_well(int child)
{
  return child > 0;
}
#endif

int main(int count, char **arguments)
{
  if (count != 3) {
    fprintf(stderr, "usage: smoke ENDPOINT PREFIX\n");
    return 2;
  }
  char options[512];
  store_error error = {0};
  snprintf(options, sizeof options,
           "{\"table\":\"flags\",\"endpoint\":\"%s\",\"prefix\":\"%s\",\"region\":\"eu-west-1\",\"access_key_id\":\"local\","
           "\"secret_access_key\":\"local\"}",
           arguments[1], arguments[2]);
  must("open", store_open(TEXT(options), &store, &error), &error);
  must("upsert", store_upsert(store, TEXT("features"), TEXT("flag"), 1, 0, TEXT(FLAG), NULL, &error), &error);

  pthread_t readers[READERS];
  for (int place = 0; place < READERS; place++) {
    if (pthread_create(&readers[place], NULL, reader, NULL) != 0) {
      fprintf(stderr, "smoke: no thread\n");
      return 1;
    }
  }
  int well = 0;
  for (int round = 0; round < CHILDREN; round += 4) {
    int children[4];
    for (int place = 0; place < 4; place++) {
      children[place] = begin(round + place);
    }
    for (int place = 0; place < 4; place++) {
      well += ended_well(children[place]);
    }
  }
  atomic_store(&done, 1);
  for (int place = 0; place < READERS; place++) {
    pthread_join(readers[place], NULL);
  }
  write_row(CHILDREN);
  must("close", store_close(store, &error), &error);
  if (atomic_load(&reads) <= READERS) {
    fprintf(stderr, "smoke: the threads hardly read\n");
    return 1;
  }
  printf("%d of %d " WHO " beside %d threads\n", well, CHILDREN, READERS);
  return well == CHILDREN ? 0 : 1;
}
