#include "blocks.h"

#include <pthread.h>

static void (*make_calls)(int thread, long count);
static long calls_per_thread;
static pthread_barrier_t start, end;

static void *worker(void *number)
{
  for (;;) {
    pthread_barrier_wait(&start);
    make_calls((int)(intptr_t)number, calls_per_thread);
    pthread_barrier_wait(&end);
  }
  return NULL;
}

static void block(int threads)
{
  if (threads == 1) {
    make_calls(0, calls_per_thread);
    return;
  }
  pthread_barrier_wait(&start);
  pthread_barrier_wait(&end);
}

void serve_blocks(int threads, void (*calls)(int thread, long count))
{
  char line[64];
  make_calls = calls;
  if (threads > 1) {
    pthread_barrier_init(&start, NULL, (unsigned)threads + 1);
    pthread_barrier_init(&end, NULL, (unsigned)threads + 1);
    for (int number = 0; number < threads; number++) {
      pthread_t thread;
      if (pthread_create(&thread, NULL, worker, (void *)(intptr_t)number) != 0) {
        perror("pthread_create");
        exit(1);
      }
    }
  }
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    calls_per_thread = (atol(line) + threads - 1) / threads;
    double cpu = cpu_seconds(), wall = seconds();
    block(threads);
    wall = seconds() - wall;
    cpu = cpu_seconds() - cpu;
    printf("{\"calls\":%ld,\"wall\":%.9f,\"cpu\":%.9f}\n", calls_per_thread * threads, wall, cpu);
    fflush(stdout);
  }
  exit(0);
}
