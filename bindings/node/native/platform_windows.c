#ifdef _WIN32
#include "platform.h"

#include <stdio.h>
#include <stdlib.h>

enum { STACK_BYTES = 1024 * 1024, MOST_PATH = 32768 };

void platform_acquire(platform_lock *lock)
{
  AcquireSRWLockExclusive(lock);
}

void platform_release(platform_lock *lock)
{
  ReleaseSRWLockExclusive(lock);
}

void *platform_open(const char *path, char *why, size_t size)
{
  HMODULE library = NULL;
  wchar_t *wide = calloc(MOST_PATH, sizeof *wide);
  if (wide != NULL && MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, MOST_PATH) > 0) {
    library = LoadLibraryW(wide);
  }
  if (library == NULL) {
    snprintf(why, size, "Windows cannot load it: error %lu", (unsigned long)GetLastError());
  }
  free(wide);
  return library;
}

void platform_close(void *library)
{
  FreeLibrary(library);
}

void *platform_symbol(void *library, const char *name)
{
  return (void *)GetProcAddress(library, name);
}

struct task {
  void (*run)(void *);
  void *data;
};

static DWORD WINAPI start(void *value)
{
  struct task task = *(struct task *)value;
  free(value);
  task.run(task.data);
  return 0;
}

bool platform_start(void (*run)(void *), void *data)
{
  struct task *task = malloc(sizeof *task);
  if (task == NULL) {
    return false;
  }
  *task = (struct task){run, data};
  HANDLE thread = CreateThread(NULL, STACK_BYTES, start, task, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
  if (thread == NULL) {
    free(task);
    return false;
  }
  CloseHandle(thread);
  return true;
}
#endif
