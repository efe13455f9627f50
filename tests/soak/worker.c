/* What every answer is checked with, and counted. */
#include "worker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const char *const call_names[CALLS] = {
    "get",       "cached get", "all",  "upsert",   "init",       "initialized",
    "available", "async get",  "open", "metadata", "membership", "events",
};

static atomic_long succeeded[CALLS], failed[CALLS], failed_with[64];

uint64_t any(struct worker *worker, uint64_t below)
{
  worker->random ^= worker->random << 13;
  worker->random ^= worker->random >> 7;
  worker->random ^= worker->random << 17;
  return worker->random % below;
}

int did(enum call call, int32_t code, store_error *error)
{
  if (code >= 0) {
    atomic_fetch_add(&succeeded[call], 1);
    return 1;
  }
  if (error->retriable != 1) {
    FAIL("%s gave %s: %s", call_names[call], store_code_name(code), error->message);
  }
  atomic_fetch_add(&failed[call], 1);
  atomic_fetch_add(&failed_with[-code], 1);
  store_error_free(error);
  return 0;
}

void print_counts(void)
{
  printf("{\"calls\":{");
  for (int call = 0; call < CALLS; call++) {
    printf("%s\"%s\":{\"succeeded\":%ld,\"failed\":%ld}", call == 0 ? "" : ",", call_names[call], succeeded[call],
           failed[call]);
  }
  printf("},\"errors\":{");
  for (int code = 1, count = 0; code < 64; code++) {
    if (failed_with[code] > 0) {
      printf("%s\"%s\":%ld", count++ == 0 ? "" : ",", store_code_name(-code), failed_with[code]);
    }
  }
  printf("}}\n");
}

int is_deletion(int64_t version)
{
  return version % 9 == 0;
}

size_t payload(char text[MOST_PAYLOAD], const char *key, int64_t version)
{
  size_t length = (size_t)snprintf(text, MOST_PAYLOAD, "{\"key\":\"%s\",\"version\":%lld,\"pad\":\"", key, (long long)version);
  size_t pad = (size_t)(version * 7919 + key[1] * 131 + key[strlen(key) - 1] * 17) % 3000;
  memset(text + length, 'a' + (int)(version % 26), pad);
  memcpy(text + length + pad, "\"}", 3);
  return length + pad + 2;
}

void check_payload(const store_item *item)
{
  char key[32], text[MOST_PAYLOAD];
  CHECK(item->key_len < sizeof key);
  memcpy(key, item->key, item->key_len);
  key[item->key_len] = '\0';
  CHECK_INT(is_deletion(item->version), item->deleted);
  if (item->deleted) {
    CHECK(item->item == NULL);
    return;
  }
  size_t length = payload(text, key, item->version);
  CHECK(item->item_len == length && memcmp(item->item, text, length) == 0);
}

void on_done(void *user_data, store_result *result)
{
  struct request *request = user_data;
  request->result = result;
  sem_post(&request->done);
}

store_result *result_of(struct request *request)
{
  while (sem_wait(&request->done) != 0) {
  }
  sem_destroy(&request->done);
  return request->result;
}
