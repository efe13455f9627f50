#include "samples.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

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

void print_sample(const char *when, int64_t ms)
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
  struct mallinfo2 info = mallinfo2();
  /* One of the descriptors is the folder's own. */
  printf("{\"when\":\"%s\",\"ms\":%lld,\"rss\":%lld,\"pss\":%lld,\"private_dirty\":%lld,\"allocated\":%zu,"
         "\"descriptors\":%d,\"threads\":%d}\n",
         when, (long long)ms, rss * 1024, pss * 1024, private_dirty * 1024, info.uordblks + info.hblkhd,
         entries("/proc/self/fd") - 1, entries("/proc/self/task"));
  fflush(stdout);
}
