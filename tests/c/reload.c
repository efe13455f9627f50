/*
 * reload LIBRARY OPTIONS: loads the library, uses it and unloads it, again and again, as PHP's FFI does with every
 * request. It is not linked against the library; exits with 0 if every round worked.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <flagstore.h>

enum { ROUNDS = 1000 };

static void *symbol(void *library, const char *name)
{
  void *address = dlsym(library, name);
  if (address == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  return address;
}

/* POSIX says that an object pointer from dlsym may be a function's; C has no cast for it. */
#define FUNCTION(library, name) \
  __typeof__(&name) call_##name; \
  *(void **)&call_##name = symbol(library, #name)

static void use(void *library, const char *options, int round)
{
  uint64_t store = 0;
  store_error error;
  store_item item;
  char payload[32];
  FUNCTION(library, store_open);
  FUNCTION(library, store_upsert);
  FUNCTION(library, store_get);
  FUNCTION(library, store_item_free);
  FUNCTION(library, store_close);
  int length = snprintf(payload, sizeof payload, "{\"round\":%d}", round);
  if (call_store_open(options, strlen(options), &store, &error) != STORE_OK ||
      call_store_upsert(store, "features", 8, "flag", 4, round, 0, payload, (size_t)length, NULL, &error) != STORE_OK ||
      call_store_get(store, "features", 8, "flag", 4, &item, &error) != STORE_OK) {
    fprintf(stderr, "round %d: %s\n", round, error.message);
    exit(1);
  }
  if (item.item_len != (size_t)length || memcmp(item.item, payload, (size_t)length) != 0) {
    fprintf(stderr, "round %d read something else\n", round);
    exit(1);
  }
  call_store_item_free(&item);
  /* Every other round leaves the store open, as a request that ended early does. */
  if (round % 2 == 0 && call_store_close(store, &error) != STORE_OK) {
    fprintf(stderr, "round %d: %s\n", round, error.message);
    exit(1);
  }
}

int main(int argc, char **argv)
{
  if (argc != 3) {
    fprintf(stderr, "usage: reload LIBRARY OPTIONS\n");
    return 2;
  }
  for (int round = 0; round < ROUNDS; round++) {
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
      fprintf(stderr, "%s\n", dlerror());
      return 1;
    }
    use(library, argv[2], round);
    dlclose(library);
  }
  return 0;
}
