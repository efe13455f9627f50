/*
 * Whole data sets: data_set OPTIONS FILE
 *
 * For each line "init" or "all" on standard input it stores the data set in FILE, or reads all flags, and prints
 * {"wall":seconds,"cpu":seconds,"rows":n,"peak":bytes}, where the peak is how far resident memory rose at most. Each
 * init opens a store of its own, so that none knows of the one before.
 */
#include "blocks.h"

static char *json;
static size_t json_length;

static void read_file(const char *path)
{
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  fseek(file, 0, SEEK_END);
  json_length = (size_t)ftell(file);
  rewind(file);
  json = malloc(json_length);
  if (fread(json, 1, json_length, file) != json_length) {
    exit(1);
  }
  fclose(file);
}

static long status(const char *format)
{
  char line[128];
  long kilobytes = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL && sscanf(line, format, &kilobytes) != 1) {
  }
  fclose(file);
  return kilobytes * 1024;
}

static void reset_peak(void)
{
  FILE *file = fopen("/proc/self/clear_refs", "w");
  fputs("5", file);
  fclose(file);
}

/* The options say "shared":false, so that no store knows of the one before. */
static uint64_t open_store(const char *options)
{
  uint64_t store;
  MUST(store_open(options, strlen(options), &store, e));
  return store;
}

static long init(uint64_t store)
{
  char *report;
  MUST(store_init_json(store, json, json_length, &report, e));
  long written = atol(strstr(report, "\"written\":") + strlen("\"written\":"));
  store_string_free(report);
  return written;
}

static long all(uint64_t store, const char *kind)
{
  store_items *items;
  const store_item *first;
  size_t count;
  MUST(store_get_all(store, kind, strlen(kind), &items, e));
  MUST(store_items_view(items, &first, &count, e));
  store_items_free(items);
  return (long)count;
}

int main(int argc, char **argv)
{
  char line[64];
  if (argc != 3) {
    return 2;
  }
  read_file(argv[2]);
  uint64_t store = open_store(argv[1]);
  all(store, "segments");
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    int is_init = line[0] == 'i';
    uint64_t used = is_init ? open_store(argv[1]) : store;
    reset_peak();
    long before = status("VmRSS: %ld");
    double cpu = cpu_seconds(), wall = seconds();
    long rows = is_init ? init(used) : all(used, "features");
    wall = seconds() - wall;
    cpu = cpu_seconds() - cpu;
    printf("{\"wall\":%.9f,\"cpu\":%.9f,\"rows\":%ld,\"peak\":%ld}\n", wall, cpu, rows, status("VmHWM: %ld") - before);
    fflush(stdout);
    if (is_init) {
      MUST(store_close(used, e));
    }
  }
  return 0;
}
