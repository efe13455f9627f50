/* A thread replaces the data set of a store of its own, again and again, in each of the three ways. */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLAGS = 20 };

/* Data sets grow and shrink with their version, so that there is something to delete. */
static int flags_in(int64_t version)
{
  return 5 + (int)(version % (FLAGS - 5));
}

static int32_t init_from_structs(struct worker *worker, int64_t version, int asynchronously, store_error *error)
{
  static const char *const kinds[] = {"segments", "features"};
  char keys[FLAGS][32], *texts = malloc((size_t)FLAGS * MOST_PAYLOAD);
  store_item items[FLAGS];
  memset(items, 0, sizeof items);
  for (int place = 0; place < flags_in(version); place++) {
    items[place].key_len = (size_t)snprintf(keys[place], sizeof keys[place], "f%d", place);
    items[place].key = keys[place];
    items[place].version = version;
    items[place].deleted = is_deletion(version);
    items[place].item = items[place].deleted ? NULL : texts + place * MOST_PAYLOAD;
    items[place].item_len = items[place].deleted ? 0 : payload(texts + place * MOST_PAYLOAD, keys[place], version);
  }
  store_collection all[2];
  for (int kind = 0; kind < 2; kind++) {
    all[kind] = (store_collection){kinds[kind], 8, items, (size_t)flags_in(version)};
  }
  int32_t code;
  if (asynchronously) {
    struct request request;
    sem_init(&request.done, 0, 0);
    code = store_init_async(worker->store, all, 2, on_done, &request, NULL, error);
    if (code == STORE_OK) {
      store_result *result = result_of(&request);
      code = store_result_error(result, error);
      store_result_free(result);
    }
  } else {
    char *report;
    code = store_init(worker->store, all, 2, &report, error);
    if (code == STORE_OK) {
      store_string_free(report);
    }
  }
  free(texts);
  return code;
}

static int32_t init_from_json(struct worker *worker, int64_t version, store_error *error)
{
  char text[MOST_PAYLOAD], key[32], *json = malloc(2 * FLAGS * (MOST_PAYLOAD + 64));
  size_t length = 1;
  json[0] = '{';
  for (int kind = 0; kind < 2; kind++) {
    length += (size_t)sprintf(json + length, "%s\"%s\":{", kind == 0 ? "" : ",", kind == 0 ? "segments" : "flags");
    for (int place = 0; place < flags_in(version); place++) {
      snprintf(key, sizeof key, "f%d", place);
      payload(text, key, version);
      if (is_deletion(version)) {
        snprintf(text, sizeof text, "{\"key\":\"%s\",\"version\":%lld,\"deleted\":true}", key, (long long)version);
      }
      length += (size_t)sprintf(json + length, "%s\"%s\":%s", place == 0 ? "" : ",", key, text);
    }
    length += (size_t)sprintf(json + length, "}");
  }
  length += (size_t)sprintf(json + length, "}");
  int32_t code = store_init_json(worker->store, json, length, NULL, error);
  free(json);
  return code;
}

/* Every item of the data set is there, in a version that may be. */
static void check_data_set(struct worker *worker)
{
  store_items *items;
  const store_item *first;
  size_t count, current = 0;
  store_error error;
  if (!did(ALL, store_get_all(worker->store, TEXT("features"), &items, &error), &error)) {
    return;
  }
  CHECK_CODE(STORE_OK, store_items_view(items, &first, &count, &error), &error);
  for (size_t place = 0; place < count; place++) {
    check_payload(&first[place]);
    CHECK(first[place].version <= worker->data_set.attempted);
    current += first[place].version >= worker->data_set.acknowledged;
  }
  if (worker->data_set.acknowledged == worker->data_set.attempted) {
    CHECK_INT(flags_in(worker->data_set.acknowledged), current);
  }
  store_items_free(items);
}

void init(struct worker *worker)
{
  store_error error;
  int64_t version = ++worker->data_set.attempted;
  int32_t code = version % 3 == 1 ? init_from_json(worker, version, &error)
                                  : init_from_structs(worker, version, version % 3 == 2, &error);
  if (did(INIT, code, &error)) {
    worker->data_set.acknowledged = version;
    check_data_set(worker);
  }
}
