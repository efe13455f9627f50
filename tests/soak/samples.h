/* What this process holds at a moment. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <stdint.h>

/*
 * Prints a line of JSON: `ms` since the start, `rss`, `pss`, `private_dirty` (memory, as the kernel counts it) and
 * `allocated` (by malloc, and not freed) in bytes, `descriptors` and `threads`.
 */
void print_sample(const char *when, int64_t ms);

#endif
