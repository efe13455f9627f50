/*
 * A process that meets the library for the first time: fresh LIBRARY OPTIONS GETS KEYS
 *
 * Loads it, opens a store, gets one flag, then further ones round the keys, and prints how long it took to the first
 * payload, and its resident memory at each stage: {"first":seconds,"memory":{"before":bytes,"first":…,"all":…}}
 */
#include "blocks.h"

#include <dlfcn.h>

static long resident(void)
{
  char line[128];
  long kilobytes = -1;
  FILE *file = fopen("/proc/self/smaps_rollup", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL && sscanf(line, "Rss: %ld", &kilobytes) != 1) {
  }
  if (file != NULL) {
    fclose(file);
  }
  return kilobytes * 1024;
}

static void *library;

static void *function(const char *name)
{
  void *found = dlsym(library, name);
  if (found == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  return found;
}

int main(int argc, char **argv)
{
  store_item item;
  uint64_t store;
  char key[KEY_LENGTH + 1] = "flag-000000";
  if (argc != 5) {
    return 2;
  }
  long before = resident();
  double start = seconds();
  library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  int32_t (*open)(const char *, size_t, uint64_t *, store_error *) = function("store_open");
  int32_t (*get)(uint64_t, const char *, size_t, const char *, size_t, store_item *, store_error *) =
      function("store_get");
  void (*free_item)(store_item *) = function("store_item_free");
  MUST(open(argv[2], strlen(argv[2]), &store, e));
  MUST(get(store, TEXT("features"), key, KEY_LENGTH, &item, e));
  double first = seconds() - start;
  free_item(&item);
  long after_first = resident();
  for (int number = 1; number < atoi(argv[3]); number++) {
    snprintf(key, sizeof key, KEY_FORMAT, number % atoi(argv[4]) % 1000000);
    MUST(get(store, TEXT("features"), key, KEY_LENGTH, &item, e));
    free_item(&item);
  }
  printf("{\"first\":%.9f,\"memory\":{\"before\":%ld,\"first\":%ld,\"all\":%ld}}\n", first, before, after_first,
         resident());
  return 0;
}
