/*
 * What a caller gets wrong, where one argument alone does not say it. The misuse matrix has every fault of every argument.
 */
#include "endpoint.h"

#include <stdlib.h>
#include <string.h>

#define FLAG TEXT("features"), TEXT("flag")

static store_error error;
static store_item item;

static void a_handle_is_never_given_twice(void)
{
  uint64_t first = open_store("");
  CHECK_CODE(STORE_OK, store_close(first, &error), &error);
  /* More than 16 bits of a number could tell apart, as a process that opens a store for each request comes to in a day. */
  for (int round = 0; round < 70000; round++) {
    uint64_t next;
    CHECK_INT(STORE_OK, store_open(TEXT("{\"table\":\"flags\"}"), &next, NULL));
    CHECK(next != first);
    CHECK_INT(STORE_OK, store_close(next, NULL));
  }
  CHECK_CODE(STORE_ERROR_INVALID_HANDLE, store_available(first, &error), &error);
  CHECK_CODE(STORE_ERROR_INVALID_HANDLE, store_close(first, &error), &error);
}

static void too_many_handles_are_an_error_that_passes(void)
{
  enum { MOST = 80000 };
  static uint64_t stores[MOST];
  const char options[] = "{\"table\":\"flags\"}";
  int count = 0;
  int32_t code = STORE_OK;
  while (count < MOST && (code = store_open(TEXT(options), &stores[count], &error)) == STORE_OK) {
    count++;
  }
  CHECK(count >= 10000);
  CHECK_ERROR(STORE_ERROR_TOO_MANY_STORES, "close", code, &error);
  CHECK_CODE(STORE_OK, store_clear_cache(stores[count - 1], &error), &error);
  CHECK_CODE(STORE_OK, store_close(stores[0], &error), &error);
  CHECK_CODE(STORE_OK, store_open(TEXT(options), &stores[0], &error), &error);
  for (int place = 0; place < count; place++) {
    CHECK_CODE(STORE_OK, store_close(stores[place], NULL), NULL);
  }
  uint64_t store = open_store("");
  put_flag(store, "flag", 1, "{}");
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

/* The first byte of what is empty is never read, wherever it is said to be. */
static void an_empty_text_is_what_is_wrong_not_its_address(void)
{
  uint64_t store = open_store("");
  const char *nowhere = (const char *)(uintptr_t)1;
  const store_collection none = {TEXT("features"), (const store_item *)(uintptr_t)8, 0};
  CHECK_CODE(STORE_ERROR_EMPTY_KEY, store_get(store, TEXT("features"), nowhere, 0, &item, &error), &error);
  CHECK_CODE(STORE_ERROR_EMPTY_KIND, store_get(store, nowhere, 0, TEXT("flag"), &item, &error), &error);
  CHECK_CODE(STORE_ERROR_EMPTY_ITEM, store_upsert(store, FLAG, 1, 0, nowhere, 0, NULL, &error), &error);
  CHECK_CODE(STORE_OK, store_init(store, (const store_collection *)(uintptr_t)8, 0, NULL, &error), &error);
  CHECK_CODE(STORE_OK, store_init(store, &none, 1, NULL, &error), &error);
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

static void credentials_and_payloads_are_in_no_message(void)
{
  static const char options[] = "{\"table\":\"flags\",\"endpoint\":\"http://127.0.0.1:1\",\"timeout_ms\":100,"
                                "\"access_key_id\":\"AKIASECRETID\",\"secret_access_key\":\"S3cretKey\","
                                "\"session_token\":\"T0ken\",\"region\":\"us-east-1\",\"log_level\":\"debug\"}";
  uint64_t store;
  int32_t level;
  char *message;
  CHECK_CODE(STORE_OK, store_open(TEXT(options), &store, &error), &error);
  CHECK(store_upsert(store, FLAG, 1, 0, TEXT("{\"pay\":\"load\"}"), NULL, &error) < 0);
#define CHECK_HARMLESS(text)                                                                                          \
  CHECK(strstr(text, "AKIASECRETID") == NULL && strstr(text, "S3cret") == NULL && strstr(text, "T0ken") == NULL && \
        strstr(text, "load") == NULL)
  CHECK_HARMLESS(error.message);
  store_error_free(&error);
  while (store_next_event(store, &level, &message, &error) == STORE_OK) {
    CHECK_HARMLESS(message);
    store_string_free(message);
  }
  CHECK_INT(STORE_ERROR_INVALID_JSON, store_init_json(store, TEXT("{\"flags\":{\"f\":{\"pay\":\"load\",]}}"), NULL, &error));
  CHECK_HARMLESS(error.message);
  store_error_free(&error);
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

int main(int argc, char **argv)
{
  static const struct test tests[] = {
      TEST(a_handle_is_never_given_twice),
      TEST(too_many_handles_are_an_error_that_passes),
      TEST(an_empty_text_is_what_is_wrong_not_its_address),
      TEST(credentials_and_payloads_are_in_no_message),
  };
  start_server(&endpoint);
  return RUN(argc, argv, tests);
}
