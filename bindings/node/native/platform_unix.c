#ifndef _WIN32
#include "platform.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* Checking a data set is the deepest of what a thread does. */
enum { STACK_BYTES = 1024 * 1024 };

void platform_acquire(platform_lock *lock)
{
  pthread_mutex_lock(lock);
}

void platform_release(platform_lock *lock)
{
  pthread_mutex_unlock(lock);
}

void *platform_open(const char *path, char *why, size_t size)
{
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    snprintf(why, size, "%s", dlerror());
  }
  return library;
}

void platform_close(void *library)
{
  dlclose(library);
}

void *platform_symbol(void *library, const char *name)
{
  return dlsym(library, name);
}

struct task {
  void (*run)(void *);
  void *data;
};

static void *start(void *value)
{
  struct task task = *(struct task *)value;
  free(value);
  task.run(task.data);
  return NULL;
}

bool platform_start(void (*run)(void *), void *data)
{
  pthread_t thread;
  pthread_attr_t attributes;
  sigset_t all, before;
  struct task *task = malloc(sizeof *task);
  if (task == NULL) {
    return false;
  }
  *task = (struct task){run, data};
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int status = pthread_create(&thread, &attributes, start, task);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if (status != 0) {
    free(task);
  }
  return status == 0;
}
#endif
