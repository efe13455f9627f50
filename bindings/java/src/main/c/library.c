#include "library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct library library;

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

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

enum { MOST_PATH = 32768 };

static void *opened(const char *path, char *why, size_t size) {
  HMODULE handle = NULL;
  wchar_t *wide = calloc(MOST_PATH, sizeof *wide);
  if (wide != NULL && MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, MOST_PATH) > 0) {
    handle = LoadLibraryW(wide);
  }
  if (handle == NULL) snprintf(why, size, "Windows cannot load it: error %lu", (unsigned long)GetLastError());
  free(wide);
  return handle;
}

static void *symbol(void *handle, const char *name) {
  return (void *)GetProcAddress(handle, name);
}
#else
#include <dlfcn.h>

static void *opened(const char *path, char *why, size_t size) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) snprintf(why, size, "%s", dlerror());
  return handle;
}

static void *symbol(void *handle, const char *name) {
  return dlsym(handle, name);
}
#endif

/* What cannot be used stays open: who runs into it stops here. */
bool library_use(const char *path, char *why, size_t size) {
  struct library found;
  if (path == NULL) {
    library = linked;
    if (!library_linked) snprintf(why, size, "none is linked into this bridge");
    return library_linked;
  }
  void *handle = opened(path, why, size);
  if (handle == NULL) return false;
  for (size_t place = 0; place < sizeof functions / sizeof functions[0]; place++) {
    void *function = symbol(handle, functions[place].name);
    if (function == NULL) {
      snprintf(why, size, "it has no function %s: install versions that match", functions[place].name);
      return false;
    }
    memcpy((char *)&found + functions[place].place, &function, sizeof function);
    if (place > 0) continue;
    uint32_t abi = found.store_abi_version();
    if (abi == STORE_ABI_VERSION) continue;
    snprintf(why, size, "it has ABI %u, this jar needs ABI %d: install versions that match", (unsigned)abi,
             STORE_ABI_VERSION);
    return false;
  }
  library = found;
  return true;
}
