/*
 * The protocol between the orchestrator and a program that it measures, and what the C programs share.
 *
 * A program gets ready, prints "ready", and then, for each line "N" on its standard input, makes N calls and prints
 * {"calls":N,"wall":seconds,"cpu":seconds}, until its input ends. So several programs live side by side, warm, and
 * take turns. clients/blocks.py and clients/blocks.mjs are the same for Python and JavaScript.
 */
#ifndef BLOCKS_H
#define BLOCKS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <flagstore.h>

/* A literal as the pointer and the length that the library takes. */
#define TEXT(literal) (literal), (sizeof(literal) - 1)

/* Ends the program with the library's message unless the call was successful. */
#define MUST(call)                                                                                \
  do {                                                                                            \
    store_error error = {0};                                                                      \
    store_error *e = &error;                                                                      \
    if ((call) != STORE_OK) {                                                                     \
      fprintf(stderr, "%s: %s\n", #call, error.message == NULL ? "not found" : error.message);    \
      exit(1);                                                                                    \
    }                                                                                             \
  } while (0)

/* Keys that the responder knows; all have the same length. */
#define KEY_FORMAT "flag-%06d"
#define KEY_LENGTH 11

static inline double seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* User and system time of this process. */
static inline double cpu_seconds(void)
{
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/*
 * Serves blocks until standard input ends. Each thread gets its number, and makes its share of the calls. The threads
 * are there before the first block, so that starting them is no part of it.
 */
void serve_blocks(int threads, void (*calls)(int thread, long count));

#endif
