/* What this process holds at a moment. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <stdint.h>

/*
 * Prints a line of JSON: `when`, `ms` since the start (in milliseconds()), `rss`, `pss`, `private_dirty` (memory, as the kernel counts it) and
 * `allocated` (by malloc, and not freed) in bytes, `descriptors` and `threads`.
 */
void print_sample(const char *when, int64_t start);

/* The same, once the last socket is closed and nothing is allocated or freed any more. */
void print_sample_at_rest(const char *when, int64_t start);

#endif
