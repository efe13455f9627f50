#include "samples.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../c/check.h"

/* Entries of a folder of /proc, without . and .. */
static int entries(const char *path)
{
  int count = 0;
  DIR *directory = opendir(path);
  CHECK(directory != NULL);
  while (readdir(directory) != NULL) {
    count++;
  }
  closedir(directory);
  return count - 2;
}

static size_t allocated(void)
{
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

void print_sample(const char *when, int64_t start)
{
  char line[256];
  long long kilobytes, rss = 0, pss = 0, private_dirty = 0;
  FILE *file = fopen("/proc/self/smaps_rollup", "re");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file) != NULL) {
    rss += sscanf(line, "Rss: %lld", &kilobytes) == 1 ? kilobytes : 0;
    pss += sscanf(line, "Pss: %lld", &kilobytes) == 1 ? kilobytes : 0;
    private_dirty += sscanf(line, "Private_Dirty: %lld", &kilobytes) == 1 ? kilobytes : 0;
  }
  fclose(file);
  /* One of the descriptors is the folder's own. */
  printf("{\"when\":\"%s\",\"ms\":%lld,\"rss\":%lld,\"pss\":%lld,\"private_dirty\":%lld,\"allocated\":%zu,"
         "\"descriptors\":%d,\"threads\":%d}\n",
         when, (long long)(milliseconds() - start), rss * 1024, pss * 1024, private_dirty * 1024, allocated(),
         entries("/proc/self/fd") - 1, entries("/proc/self/task"));
  fflush(stdout);
}

static int open_sockets(void)
{
  int count = 0;
  for (int number = 0; number < 4096; number++) {
    struct stat status;
    count += fstat(number, &status) == 0 && S_ISSOCK(status.st_mode);
  }
  return count;
}

void print_sample_at_rest(const char *when, int64_t start)
{
  AWAIT(open_sockets() == 0);
  size_t before = allocated();
  for (int same = 0; same < 10;) {
    usleep(20000);
    size_t now = allocated();
    same = now == before ? same + 1 : 0;
    before = now;
  }
  print_sample(when, start);
}
