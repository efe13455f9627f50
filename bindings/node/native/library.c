#include "library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct library library;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool loaded;

static const struct {
  const char *name;
  size_t place;
} functions[] = {
#define NAME_AND_PLACE(name) {#name, offsetof(struct library, name)},
  LIBRARY_FUNCTIONS(NAME_AND_PLACE)
#undef NAME_AND_PLACE
};

static const char *load(const char *path)
{
  static _Thread_local char why[512];
  struct library found;
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) {
    snprintf(why, sizeof why, "%s", dlerror());
    return why;
  }
  for (size_t place = 0; place < sizeof functions / sizeof functions[0]; place++) {
    void *function = dlsym(handle, functions[place].name);
    if (function == NULL) {
      snprintf(why, sizeof why, "it has no function %s: install versions that match", functions[place].name);
      dlclose(handle);
      return why;
    }
    memcpy((char *)&found + functions[place].place, &function, sizeof function);
    if (place == 0 && found.store_abi_version() != STORE_ABI_VERSION) {
      snprintf(why, sizeof why, "it has ABI %u, this package needs ABI %d: install versions that match",
               (unsigned)found.store_abi_version(), STORE_ABI_VERSION);
      dlclose(handle);
      return why;
    }
  }
  library = found;
  return NULL;
}

const char *library_load(const char *path)
{
  pthread_mutex_lock(&lock);
  const char *why = loaded ? NULL : load(path);
  loaded = why == NULL;
  pthread_mutex_unlock(&lock);
  return why;
}
