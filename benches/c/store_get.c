/*
 * Gets through the library: store_get OPTIONS THREADS KEYS. The options decide whether they come out of the cache.
 * With one key all threads ask for the same, else each goes round the keys, from a place of its own.
 */
#include "blocks.h"

static uint64_t store;
static int threads, keys;
static char (*key_texts)[KEY_LENGTH + 1];

/* What a caller does: get, look at the payload, free. */
static inline unsigned get(const char *key)
{
  store_item item;
  MUST(store_get(store, TEXT("features"), key, KEY_LENGTH, &item, e));
  unsigned seen = (unsigned char)item.item[item.item_len - 1];
  store_item_free(&item);
  return seen;
}

static volatile unsigned kept;

static void gets(int thread, long count)
{
  unsigned seen = 0;
  int place = thread * (keys / threads) % keys;
  for (long made = 0; made < count; made++) {
    seen += get(key_texts[place]);
    if (++place == keys) {
      place = 0;
    }
  }
  kept = seen;
}

int main(int argc, char **argv)
{
  if (argc != 4) {
    return 2;
  }
  threads = atoi(argv[2]);
  keys = atoi(argv[3]);
  key_texts = calloc((size_t)keys, sizeof *key_texts);
  MUST(store_open(argv[1], strlen(argv[1]), &store, e));
  for (int key = 0; key < keys; key++) {
    snprintf(key_texts[key], sizeof *key_texts, KEY_FORMAT, key % 1000000);
    get(key_texts[key]);
  }
  serve_blocks(threads, gets);
}
