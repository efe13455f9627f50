/* What the addon needs of the system and each has its own functions for: platform_unix.c, platform_windows.c. */
#ifndef PLATFORM_H
#define PLATFORM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
typedef SRWLOCK platform_lock;
#define PLATFORM_LOCK SRWLOCK_INIT
#else
#include <pthread.h>
typedef pthread_mutex_t platform_lock;
#define PLATFORM_LOCK PTHREAD_MUTEX_INITIALIZER
#endif

/* A lock is set up by PLATFORM_LOCK, owns nothing, and is held for moments. */
void platform_acquire(platform_lock *lock);
void platform_release(platform_lock *lock);

/* Opens a shared library, for good if it is used. NULL, with why not in the buffer. The path is UTF-8. */
void *platform_open(const char *path, char *why, size_t size);
void platform_close(void *library);
void *platform_symbol(void *library, const char *name);

/* Runs the function on a thread of its own, to which the host's signals do not come. False if none can be started. */
bool platform_start(void (*run)(void *), void *data);

#endif
