#include "library.h"

#include <stdio.h>
#include <string.h>

#include "platform.h"

struct library library;

static platform_lock lock = PLATFORM_LOCK;
static bool used;

static const struct {
  const char *name;
  size_t place;
} functions[] = {
#define NAME_AND_PLACE(name) {#name, offsetof(struct library, name)},
  LIBRARY_FUNCTIONS(NAME_AND_PLACE)
#undef NAME_AND_PLACE
};

#ifdef FLAGSTORE_LINKED
const bool library_linked = true;
static const struct library linked = {
#define OWN(name) .name = name,
  LIBRARY_FUNCTIONS(OWN)
#undef OWN
};
#else
const bool library_linked = false;
static const struct library linked;
#endif

/* What a library has of the functions that are used; NULL, or why it cannot be used. */
static const char *found_in(void *opened, struct library *found, char *why, size_t size)
{
  for (size_t place = 0; place < sizeof functions / sizeof functions[0]; place++) {
    void *function = platform_symbol(opened, functions[place].name);
    if (function == NULL) {
      snprintf(why, size, "it has no function %s: install versions that match", functions[place].name);
      return why;
    }
    memcpy((char *)found + functions[place].place, &function, sizeof function);
    if (place == 0 && found->store_abi_version() != STORE_ABI_VERSION) {
      snprintf(why, size, "it has ABI %u, this package needs ABI %d: install versions that match",
               (unsigned)found->store_abi_version(), STORE_ABI_VERSION);
      return why;
    }
  }
  return NULL;
}

static const char *use(const char *path)
{
  static _Thread_local char why[512];
  struct library found;
  if (path == NULL) {
    library = linked;
    return library_linked ? NULL : "none is linked into this addon";
  }
  void *opened = platform_open(path, why, sizeof why);
  if (opened == NULL) {
    return why;
  }
  if (found_in(opened, &found, why, sizeof why) != NULL) {
    platform_close(opened);
    return why;
  }
  library = found;
  return NULL;
}

const char *library_use(const char *path)
{
  platform_acquire(&lock);
  const char *why = used ? NULL : use(path);
  used = why == NULL;
  platform_release(&lock);
  return why;
}
