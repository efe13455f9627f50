/* What every function of a store does when it is used as the header says. */
#include "endpoint.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A literal as a live item of a data set. */
#define ITEM(key, version, payload) \
  {(key), sizeof(key) - 1, (payload), sizeof(payload) - 1, (version), 0, 0, NULL}

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static store_error error;

/* A report of init and what it must say. The members have no promised order. Frees the report. */
struct counts {
  int written, unchanged, deleted, kept_newer;
};

static void check_report(char *report, struct counts expected)
{
  const struct {
    const char *name;
    int count;
  } members[] = {{"written", expected.written},
                 {"unchanged", expected.unchanged},
                 {"deleted", expected.deleted},
                 {"kept_newer", expected.kept_newer}};
  for (size_t place = 0; place < LENGTH(members); place++) {
    char member[64];
    snprintf(member, sizeof member, "\"%s\":%d", members[place].name, members[place].count);
    CHECK_CONTAINS(member, report);
  }
  CHECK_CONTAINS("\"too_large\":[", report);
  store_string_free(report);
}

/* Initialises a store with these items as "features" and checks the report. */
static void init_features(uint64_t store, const store_item *items, size_t count, struct counts expected)
{
  store_collection features = {TEXT("features"), items, count};
  char *report = NULL;
  CHECK_CODE(STORE_OK, store_init(store, &features, 1, &report, &error), &error);
  check_report(report, expected);
}

static void check_not_found(uint64_t store, const char *kind, const char *key)
{
  store_item item = {.version = 4711};
  CHECK_CODE(STORE_NOT_FOUND, store_get(store, kind, strlen(kind), key, strlen(key), &item, &error), &error);
  CHECK_INT(4711, item.version);
}

static void check_deleted(uint64_t store, const char *kind, const char *key, int64_t version)
{
  store_item item;
  CHECK_CODE(STORE_OK, store_get(store, kind, strlen(kind), key, strlen(key), &item, &error), &error);
  CHECK_INT(1, item.deleted);
  CHECK_INT(version, item.version);
  CHECK(item.item == NULL && item.item_len == 0);
  store_item_free(&item);
}

static int32_t is_initialized(uint64_t store)
{
  int32_t initialized = -1;
  CHECK_CODE(STORE_OK, store_initialized(store, &initialized, &error), &error);
  return initialized;
}

static void close_store(uint64_t store)
{
  CHECK_CODE(STORE_OK, store_close(store, &error), &error);
}

static size_t threads(void)
{
  size_t count = 0;
  DIR *directory = opendir("/proc/self/task");
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    count += isdigit((unsigned char)entry->d_name[0]) ? 1 : 0;
  }
  closedir(directory);
  return count;
}

/* Opening */

static void the_library_is_the_one_of_the_header(void)
{
  CHECK_INT(STORE_ABI_VERSION, store_abi_version());
  /* The build passes what pkg-config says. */
  CHECK_TEXT(PACKAGE_VERSION, store_version(), strlen(store_version()));
}

static void every_number_has_its_name(void)
{
  static const struct {
    int32_t code;
    const char *name;
  } codes[] = {
#define NAMED(code) {code, #code}
      NAMED(STORE_OK), NAMED(STORE_NOT_FOUND), NAMED(STORE_NEWER_EXISTS), NAMED(STORE_TOO_LARGE),
      NAMED(STORE_ERROR_PANIC), NAMED(STORE_ERROR_NULL_ARGUMENT), NAMED(STORE_ERROR_INVALID_UTF8),
      NAMED(STORE_ERROR_INVALID_LENGTH), NAMED(STORE_ERROR_INVALID_HANDLE), NAMED(STORE_ERROR_TOO_MANY_STORES),
      NAMED(STORE_ERROR_UNKNOWN_OPTION), NAMED(STORE_ERROR_OPTION_TYPE), NAMED(STORE_ERROR_OPTION_VALUE),
      NAMED(STORE_ERROR_EMPTY_TABLE_NAME), NAMED(STORE_ERROR_EMPTY_KEY), NAMED(STORE_ERROR_EMPTY_KIND),
      NAMED(STORE_ERROR_KEY_TOO_LONG), NAMED(STORE_ERROR_INVALID_VERSION), NAMED(STORE_ERROR_INVALID_JSON),
      NAMED(STORE_ERROR_DUPLICATE_KEY), NAMED(STORE_ERROR_EMPTY_ITEM), NAMED(STORE_ERROR_TABLE_NOT_FOUND),
      NAMED(STORE_ERROR_KEY_SCHEMA), NAMED(STORE_ERROR_ACCESS_DENIED), NAMED(STORE_ERROR_INVALID_CREDENTIALS),
      NAMED(STORE_ERROR_EXPIRED_CREDENTIALS), NAMED(STORE_ERROR_NO_CREDENTIALS), NAMED(STORE_ERROR_NO_REGION),
      NAMED(STORE_ERROR_CLOCK_SKEW), NAMED(STORE_ERROR_THROTTLED), NAMED(STORE_ERROR_TIMEOUT),
      NAMED(STORE_ERROR_CONNECTION), NAMED(STORE_ERROR_SERVICE), NAMED(STORE_ERROR_UNEXPECTED_RESPONSE),
      NAMED(STORE_ERROR_REJECTED), NAMED(STORE_ERROR_CALLED_IN_CALLBACK), NAMED(STORE_ERROR_RUNTIME),
      NAMED(STORE_NOT_CACHED),
  };
  for (size_t place = 0; place < LENGTH(codes); place++) {
    CHECK_TEXT(codes[place].name, store_code_name(codes[place].code), strlen(codes[place].name));
  }
  CHECK_TEXT("STORE_UNKNOWN", store_code_name(INT32_MIN), 13);
  CHECK_TEXT("STORE_UNKNOWN", store_code_name(5), 13);
}

static void opening_needs_no_network_and_starts_no_thread(void)
{
#ifdef _WIN32
  skip("the threads are counted in Linux's /proc");
#endif
  /* An emulator of a processor has threads of its own. */
  int before = threads();
  /* Port 1 refuses connections. */
  uint64_t store = open_store_at("http://127.0.0.1:1", "");
  CHECK(store != 0);
  CHECK_INT(before, threads());
  close_store(store);
  CHECK_INT(before, threads());
}

static void a_wrong_option_is_an_error_that_names_it(void)
{
  static const struct {
    const char *options;
    int32_t code;
    const char *part;
  } wrong[] = {
      {"", STORE_ERROR_INVALID_JSON, "options"},
      {"[]", STORE_ERROR_INVALID_JSON, "object"},
      {"{", STORE_ERROR_INVALID_JSON, "line 1"},
      {"{}", STORE_ERROR_EMPTY_TABLE_NAME, "table"},
      {"{\"table\":\"\"}", STORE_ERROR_EMPTY_TABLE_NAME, "table"},
      {"{\"table\":\"t\",\"cash_ttl\":1}", STORE_ERROR_UNKNOWN_OPTION, "cash_ttl"},
      {"{\"table\":7}", STORE_ERROR_OPTION_TYPE, "table"},
      {"{\"table\":\"t\",\"timeout_ms\":\"5\"}", STORE_ERROR_OPTION_TYPE, "timeout_ms"},
      {"{\"table\":\"t\",\"timeout_ms\":-1}", STORE_ERROR_OPTION_VALUE, "timeout_ms"},
      {"{\"table\":\"t\",\"endpoint\":\"localhost\"}", STORE_ERROR_OPTION_VALUE, "endpoint"},
  };
  for (size_t place = 0; place < LENGTH(wrong); place++) {
    uint64_t store = 4711;
    CHECK_ERROR(wrong[place].code, wrong[place].part,
                store_open(wrong[place].options, strlen(wrong[place].options), &store, &error), &error);
    CHECK_INT(4711, store);
  }
}

static void equal_options_share_one_live_store(void)
{
  uint64_t first = open_store(""), second = open_store(""), other = open_store("\"shared\":false");
  CHECK(first != second);
  put_flag(first, "flag", 1, "{}");
  CHECK(statistic(first, "requests") > 0);
  CHECK_INT(statistic(first, "requests"), statistic(second, "requests"));
  CHECK_INT(0, statistic(other, "requests"));
  close_store(first);
  check_flag(second, "flag", 1, "{}");
  check_flag(other, "flag", 1, "{}");
  close_store(second);
  close_store(other);
}

static void a_persistent_store_outlives_its_handles(void)
{
  uint64_t store = open_store("\"persistent\":true");
  put_flag(store, "flag", 1, "{}");
  int64_t requests = statistic(store, "requests");
  close_store(store);
  store = open_store("\"persistent\":true");
  CHECK_INT(requests, statistic(store, "requests"));
  close_store(store);
}

/* Data sets */

static void init_stores_every_kind_and_marks_the_store(void)
{
  uint64_t store = open_store("");
  static const store_item flags[] = {ITEM("one", 1, "{\"key\":\"one\",\"version\":1}"), ITEM("two", 2, "{\"version\":2}")};
  static const store_item segments[] = {ITEM("staff", 3, "{\"key\":\"staff\",\"version\":3}")};
  store_collection all[] = {{TEXT("features"), flags, 2}, {TEXT("segments"), segments, 1}};
  char *report = NULL;
  CHECK_INT(0, is_initialized(store));
  CHECK_CODE(STORE_OK, store_init(store, all, 2, &report, &error), &error);
  check_report(report, (struct counts){3, 0, 0, 0});
  CHECK_INT(1, is_initialized(store));
  check_flag(store, "one", 1, "{\"key\":\"one\",\"version\":1}");
  check_flag(store, "two", 2, "{\"version\":2}");
  store_item item;
  CHECK_CODE(STORE_OK, store_get(store, TEXT("segments"), TEXT("staff"), &item, &error), &error);
  CHECK_INT(3, item.version);
  store_item_free(&item);
  close_store(store);
}

static void init_again_writes_what_changed_and_deletes_what_is_gone(void)
{
  uint64_t store = open_store("");
  static const store_item before[] = {ITEM("same", 1, "{\"a\":1}"), ITEM("changed", 1, "{}"), ITEM("gone", 1, "{}")};
  static const store_item after[] = {ITEM("same", 1, "{\"a\":1}"), ITEM("changed", 2, "{\"b\":2}"), ITEM("new", 1, "{}")};
  init_features(store, before, 3, (struct counts){3, 0, 0, 0});
  init_features(store, after, 3, (struct counts){2, 1, 1, 0});
  check_not_found(store, "features", "gone");
  check_flag(store, "changed", 2, "{\"b\":2}");
  int64_t write_units = statistic(store, "write_units");
  init_features(store, after, 3, (struct counts){0, 3, 0, 0});
  CHECK_INT(write_units, statistic(store, "write_units"));
  close_store(store);
}

static void init_with_an_empty_kind_deletes_its_rows_only(void)
{
  uint64_t store = open_store("");
  put_flag(store, "flag", 1, "{}");
  CHECK_CODE(STORE_OK, store_upsert(store, TEXT("segments"), TEXT("staff"), 1, 0, TEXT("{}"), NULL, &error), &error);
  init_features(store, NULL, 0, (struct counts){0, 0, 1, 0});
  check_not_found(store, "features", "flag");
  store_item item;
  CHECK_CODE(STORE_OK, store_get(store, TEXT("segments"), TEXT("staff"), &item, &error), &error);
  store_item_free(&item);
  /* No kind at all is a data set too, and NULL is fine for a report that nobody wants. */
  CHECK_CODE(STORE_OK, store_init(store, NULL, 0, NULL, &error), &error);
  close_store(store);
}

static void init_keeps_a_newer_version(void)
{
  uint64_t store = open_store("");
  static const store_item old[] = {ITEM("flag", 3, "{\"old\":true}")};
  static const store_item new[] = {ITEM("flag", 10, "{\"new\":true}")};
  init_features(store, new, 1, (struct counts){1, 0, 0, 0});
  init_features(store, old, 1, (struct counts){0, 0, 0, 1});
  check_flag(store, "flag", 10, "{\"new\":true}");
  close_store(store);
}

static void init_reports_what_is_too_large_and_does_the_rest(void)
{
  uint64_t store = open_store("");
  size_t length = 400001;
  char *large = malloc(length);
  memset(large, ' ', length);
  put_flag(store, "large", 1, "{\"older\":true}");
  store_item items[] = {ITEM("small", 1, "{}"), {TEXT("large"), large, length, 2, 0, 0, NULL}};
  store_collection features = {TEXT("features"), items, 2};
  char *report = NULL;
  CHECK_CODE(STORE_OK, store_init(store, &features, 1, &report, &error), &error);
  CHECK_CONTAINS("\"kind\":\"features\"", report);
  CHECK_CONTAINS("\"key\":\"large\"", report);
  CHECK_CONTAINS("\"bytes\":400", report);
  check_report(report, (struct counts){1, 0, 0, 0});
  check_flag(store, "small", 1, "{}");
  check_flag(store, "large", 1, "{\"older\":true}");
  CHECK_INT(1, is_initialized(store));
  free(large);
  close_store(store);
}

static void init_writes_deletions_in_a_data_set(void)
{
  uint64_t store = open_store("");
  static const store_item items[] = {{TEXT("gone"), NULL, 0, 5, 1, 0, NULL}, ITEM("here", 1, "{}")};
  init_features(store, items, 2, (struct counts){2, 0, 0, 0});
  check_deleted(store, "features", "gone", 5);
  close_store(store);
}

static void init_refuses_wrong_data_before_anything_is_sent(void)
{
  static const store_item negative[] = {ITEM("flag", -1, "{}")};
  static const store_item no_payload[] = {ITEM("flag", 1, "")};
  static const store_item twice[] = {ITEM("flag", 1, "{}"), ITEM("flag", 2, "{}")};
  static const store_item not_utf8[] = {ITEM("fl\xff", 1, "{}")};
  static char long_key[1100];
  memset(long_key, 'k', sizeof long_key);
  const store_item too_long[] = {{long_key, sizeof long_key, TEXT("{}"), 1, 0, 0, NULL}};
  const struct {
    store_collection kinds[2];
    size_t count;
    int32_t code;
    const char *part;
  } wrong[] = {
      {{{TEXT(""), NULL, 0}}, 1, STORE_ERROR_EMPTY_KIND, "kind"},
      {{{TEXT("features"), negative, 1}}, 1, STORE_ERROR_INVALID_VERSION, "version"},
      {{{TEXT("features"), no_payload, 1}}, 1, STORE_ERROR_EMPTY_ITEM, "flag"},
      {{{TEXT("features"), twice, 2}}, 1, STORE_ERROR_DUPLICATE_KEY, "flag"},
      {{{TEXT("features"), not_utf8, 1}}, 1, STORE_ERROR_INVALID_UTF8, "features"},
      {{{TEXT("features"), too_long, 1}}, 1, STORE_ERROR_KEY_TOO_LONG, "1100"},
      {{{TEXT("features"), NULL, 0}, {TEXT("features"), NULL, 0}}, 2, STORE_ERROR_DUPLICATE_KEY, "features"},
  };
  uint64_t store = open_store("");
  for (size_t place = 0; place < LENGTH(wrong); place++) {
    char *report = (char *)&wrong;
    CHECK_ERROR(wrong[place].code, wrong[place].part,
                store_init(store, wrong[place].kinds, wrong[place].count, &report, &error), &error);
    CHECK(report == (char *)&wrong);
  }
  CHECK_INT(0, statistic(store, "requests"));
  close_store(store);
}

static void init_json_takes_the_data_of_an_sdk_and_of_a_stream(void)
{
  static const char polled[] =
      "{\"flags\":{\"one\":{\"version\": 1, \"on\":true}},\"segments\":{\"staff\":{\"version\":2,\"deleted\":true}}}";
  static const char streamed[] =
      "{\"path\":\"/\",\"data\":{\"features\":{\"one\":{\"version\": 1, \"on\":true},\"two\":{\"version\":1}},\"segments\":{}}}";
  uint64_t store = open_store("");
  char *report = NULL;
  CHECK_CODE(STORE_OK, store_init_json(store, TEXT(polled), &report, &error), &error);
  check_report(report, (struct counts){2, 0, 0, 0});
  check_flag(store, "one", 1, "{\"version\": 1, \"on\":true}");
  check_deleted(store, "segments", "staff", 2);
  CHECK_CODE(STORE_OK, store_init_json(store, TEXT(streamed), &report, &error), &error);
  check_report(report, (struct counts){1, 1, 0, 0});
  check_flag(store, "two", 1, "{\"version\":1}");
  /* A tombstone stays, since it stops late updates. */
  check_deleted(store, "segments", "staff", 2);

  int64_t requests = statistic(store, "requests");
  CHECK_CODE(STORE_ERROR_INVALID_JSON, store_init_json(store, TEXT("{\"flags\":"), NULL, &error), &error);
  CHECK_CODE(STORE_ERROR_INVALID_JSON, store_init_json(store, TEXT("[]"), NULL, &error), &error);
  CHECK_CODE(STORE_ERROR_INVALID_VERSION, store_init_json(store, TEXT("{\"flags\":{\"f\":{}}}"), NULL, &error), &error);
  CHECK_CODE(STORE_ERROR_DUPLICATE_KEY,
             store_init_json(store, TEXT("{\"flags\":{\"f\":{\"version\":1},\"f\":{\"version\":1}}}"), NULL, &error),
             &error);
  CHECK_INT(requests, statistic(store, "requests"));
  close_store(store);
}

/* Reading and writing one item */

static void a_payload_comes_back_byte_for_byte(void)
{
  static const char *const payloads[] = {"{}", " {\"b\" : 1,\"a\":1.0} ", "not JSON", "{\"\\u00e9\":\"\xc3\xa9\xf0\x9f\x8e\x89\"}",
                                         "\n\t\r\x01", "\"\\\\\""};
  static const char *const keys[] = {"key", "k\xc3\xa9y \xf0\x9f\x8e\x89", "a:b/c.d", "\"quoted\"", " "};
  uint64_t store = open_store("");
  for (size_t key = 0; key < LENGTH(keys); key++) {
    for (size_t payload = 0; payload < LENGTH(payloads); payload++) {
      put_flag(store, keys[key], (int64_t)payload + 1, payloads[payload]);
      check_flag(store, keys[key], (int64_t)payload + 1, payloads[payload]);
    }
  }
  close_store(store);
}

static void text_may_hold_nul(void)
{
  uint64_t store = open_store("");
  store_item item;
  CHECK_CODE(STORE_OK, store_upsert(store, TEXT("features"), TEXT("a\0b"), 1, 0, TEXT("{\0}"), NULL, &error), &error);
  CHECK_CODE(STORE_OK, store_get(store, TEXT("features"), TEXT("a\0b"), &item, &error), &error);
  CHECK(item.key_len == 3 && memcmp(item.key, "a\0b", 3) == 0);
  CHECK(item.item_len == 3 && memcmp(item.item, "{\0}", 3) == 0);
  store_item_free(&item);
  check_not_found(store, "features", "a");
  close_store(store);
}

static void a_missing_row_is_not_found_and_writes_nothing(void)
{
  uint64_t store = open_store("");
  check_not_found(store, "features", "nowhere");
  close_store(store);
}

static void an_item_outlives_its_store(void)
{
  uint64_t store = open_store("");
  store_item item, again;
  put_flag(store, "flag", 1, "{\"a\":1}");
  CHECK_CODE(STORE_OK, store_get(store, TEXT("features"), TEXT("flag"), &item, &error), &error);
  CHECK_CODE(STORE_OK, store_get(store, TEXT("features"), TEXT("flag"), &again, &error), &error);
  close_store(store);
  store_item_free(&again);
  CHECK_TEXT("{\"a\":1}", item.item, item.item_len);
  store_item_free(&item);
  CHECK(item.key == NULL && item.item == NULL && item.owner == NULL);
  store_item_free(&item);
}

static void upsert_writes_only_newer_versions(void)
{
  uint64_t store = open_store("");
  store_item stored = {.version = 4711};
  put_flag(store, "flag", 0, "{\"v\":0}");
  CHECK_CODE(STORE_OK, store_upsert(store, TEXT("features"), TEXT("flag"), 5, 0, TEXT("{\"v\":5}"), &stored, &error),
             &error);
  CHECK_INT(4711, stored.version);
  for (int64_t version = 4; version <= 5; version++) {
    CHECK_CODE(STORE_NEWER_EXISTS,
               store_upsert(store, TEXT("features"), TEXT("flag"), version, 0, TEXT("{}"), &stored, &error), &error);
    CHECK_TEXT("flag", stored.key, stored.key_len);
    CHECK_TEXT("{\"v\":5}", stored.item, stored.item_len);
    CHECK_INT(5, stored.version);
    store_item_free(&stored);
  }
  CHECK_CODE(STORE_NEWER_EXISTS, store_upsert(store, TEXT("features"), TEXT("flag"), 1, 0, TEXT("{}"), NULL, &error),
             &error);
  CHECK_CODE(STORE_OK, store_upsert(store, TEXT("features"), TEXT("flag"), INT64_MAX, 0, TEXT("{}"), NULL, &error),
             &error);
  check_flag(store, "flag", INT64_MAX, "{}");
  close_store(store);
}

static void a_conflict_costs_one_request(void)
{
  uint64_t store = open_store("");
  store_item stored;
  put_flag(store, "flag", 5, "{}");
  int64_t requests = statistic(store, "requests");
  CHECK_CODE(STORE_NEWER_EXISTS, store_upsert(store, TEXT("features"), TEXT("flag"), 4, 0, TEXT("{}"), &stored, &error),
             &error);
  CHECK_INT(requests + 1, statistic(store, "requests"));
  store_item_free(&stored);
  close_store(store);
}

static void an_item_over_the_limit_is_refused_and_the_older_row_stays(void)
{
  uint64_t store = open_store("");
  size_t length = 400001;
  char *large = malloc(length);
  store_item stored = {.version = 4711};
  int32_t level;
  char *message;
  memset(large, 'x', length);
  put_flag(store, "flag", 1, "{}");
  CHECK_CODE(STORE_TOO_LARGE,
             store_upsert(store, TEXT("features"), TEXT("flag"), 2, 0, large, length, &stored, &error), &error);
  CHECK_INT(4711, stored.version);
  check_flag(store, "flag", 1, "{}");
  CHECK_CODE(STORE_OK, store_next_event(store, &level, &message, &error), &error);
  CHECK_INT(STORE_LEVEL_ERROR, level);
  CHECK_CONTAINS("flag", message);
  store_string_free(message);
  free(large);
  close_store(store);
}

static void a_deletion_is_a_version_without_payload(void)
{
  uint64_t store = open_store("");
  static const char *const kinds[] = {"features", "segments", "other"};
  for (size_t place = 0; place < LENGTH(kinds); place++) {
    const char *kind = kinds[place];
    size_t length = strlen(kind);
    store_item stored;
    CHECK_CODE(STORE_OK, store_upsert(store, kind, length, TEXT("key"), 1, 0, TEXT("{}"), NULL, &error), &error);
    CHECK_CODE(STORE_OK, store_upsert(store, kind, length, TEXT("key"), 2, 1, NULL, 0, NULL, &error), &error);
    check_deleted(store, kind, "key", 2);
    CHECK_CODE(STORE_NEWER_EXISTS, store_upsert(store, kind, length, TEXT("key"), 2, 0, TEXT("{}"), &stored, &error),
               &error);
    CHECK(stored.deleted == 1 && stored.version == 2 && stored.item == NULL);
    store_item_free(&stored);
    CHECK_CODE(STORE_OK, store_upsert(store, kind, length, TEXT("key"), 3, 0, TEXT("{\"back\":1}"), NULL, &error), &error);
  }
  check_flag(store, "key", 3, "{\"back\":1}");
  close_store(store);
}

static void tombstones_of_other_writers_are_deletions(void)
{
  uint64_t store = open_store("");
  static const char *const forms[] = {
      "{\\\"key\\\":\\\"$deleted\\\",\\\"version\\\":7,\\\"deleted\\\":true}",
      "{\\\"version\\\":7,\\\"deleted\\\":true}",
      "null",
  };
  for (size_t place = 0; place < LENGTH(forms); place++) {
    char attributes[200];
    snprintf(attributes, sizeof attributes, "\"version\":{\"N\":\"7\"},\"item\":{\"S\":\"%s\"}", forms[place]);
    put_row("features", "gone", attributes);
    check_deleted(store, "features", "gone", 7);
  }
  put_row("features", "gone", "\"version\":{\"N\":\"7\"}");
  check_deleted(store, "features", "gone", 7);
  close_store(store);
}

static void a_call_with_wrong_arguments_says_which(void)
{
  uint64_t store = open_store("");
  store_item item;
  store_items *items;
  static char long_key[1100];
  memset(long_key, 'k', sizeof long_key);
  CHECK_CODE(STORE_ERROR_EMPTY_KEY, store_get(store, TEXT("features"), TEXT(""), &item, &error), &error);
  CHECK_CODE(STORE_ERROR_EMPTY_KIND, store_get(store, TEXT(""), TEXT("flag"), &item, &error), &error);
  CHECK_CODE(STORE_ERROR_KEY_TOO_LONG, store_get(store, TEXT("features"), long_key, sizeof long_key, &item, &error),
             &error);
  CHECK_CODE(STORE_ERROR_EMPTY_KIND, store_get_all(store, NULL, 0, &items, &error), &error);
  CHECK_CODE(STORE_ERROR_EMPTY_KEY, store_upsert(store, TEXT("features"), TEXT(""), 1, 0, TEXT("{}"), NULL, &error),
             &error);
  CHECK_CODE(STORE_ERROR_INVALID_VERSION,
             store_upsert(store, TEXT("features"), TEXT("flag"), -1, 0, TEXT("{}"), NULL, &error), &error);
  CHECK_CODE(STORE_ERROR_INVALID_VERSION,
             store_upsert(store, TEXT("features"), TEXT("flag"), INT64_MIN, 1, NULL, 0, NULL, &error), &error);
  CHECK_CODE(STORE_ERROR_EMPTY_ITEM, store_upsert(store, TEXT("features"), TEXT("flag"), 1, 0, NULL, 0, NULL, &error),
             &error);
  CHECK_INT(0, statistic(store, "requests"));
  close_store(store);
}

/* Lists */

static void get_all_has_every_item_and_deletions_too(void)
{
  uint64_t store = open_store("");
  store_items *items = NULL;
  const store_item *first = NULL;
  size_t count = 4711;
  put_flag(store, "one", 1, "{\"n\":1}");
  put_flag(store, "two", 2, "{\"n\":2}");
  CHECK_CODE(STORE_OK, store_upsert(store, TEXT("features"), TEXT("gone"), 3, 1, NULL, 0, NULL, &error), &error);
  CHECK_CODE(STORE_OK, store_get_all(store, TEXT("features"), &items, &error), &error);
  close_store(store);
  CHECK_CODE(STORE_OK, store_items_view(items, &first, &count, &error), &error);
  CHECK_INT(3, count);
  int64_t versions = 0;
  for (size_t place = 0; place < count; place++) {
    versions += first[place].version;
    CHECK_INT(first[place].version == 3, first[place].deleted);
    CHECK((first[place].item == NULL) == (first[place].deleted == 1));
    CHECK(first[place].owner == NULL);
    /* An item of a list is not the caller's to free, and freeing it does no harm. */
    store_item view = first[place];
    store_item_free(&view);
    CHECK(view.key == first[place].key);
  }
  CHECK_INT(6, versions);
  store_items_free(items);
}

static void get_all_of_an_empty_kind_is_an_empty_list(void)
{
  uint64_t store = open_store("");
  store_items *items = NULL;
  const store_item *first = (const store_item *)&items;
  size_t count = 4711;
  CHECK_CODE(STORE_OK, store_get_all(store, TEXT("features"), &items, &error), &error);
  CHECK(items != NULL);
  CHECK_CODE(STORE_OK, store_items_view(items, &first, &count, &error), &error);
  CHECK(first == NULL && count == 0);
  store_items_free(items);
  close_store(store);
}

static void get_all_reads_every_page(void)
{
  /* DynamoDB ends a page at 1 MB; this is 3 MB. */
  enum { ITEMS = 300, BYTES = 10000 };
  static store_item given[ITEMS];
  static char keys[ITEMS][16], payload[BYTES];
  uint64_t store = open_store("");
  store_items *items = NULL;
  const store_item *first = NULL;
  size_t count = 0;
  memset(payload, 'x', sizeof payload);
  for (int place = 0; place < ITEMS; place++) {
    int length = snprintf(keys[place], sizeof keys[place], "flag-%d", place);
    given[place] = (store_item){keys[place], (size_t)length, payload, sizeof payload, place + 1, 0, 0, NULL};
  }
  init_features(store, given, ITEMS, (struct counts){ITEMS, 0, 0, 0});
  CHECK_CODE(STORE_OK, store_get_all(store, TEXT("features"), &items, &error), &error);
  CHECK_CODE(STORE_OK, store_items_view(items, &first, &count, &error), &error);
  CHECK_INT(ITEMS, count);
  int64_t versions = 0;
  for (size_t place = 0; place < count; place++) {
    versions += first[place].version;
    CHECK(first[place].item_len == sizeof payload && memcmp(first[place].item, payload, sizeof payload) == 0);
  }
  CHECK_INT(ITEMS * (ITEMS + 1) / 2, versions);
  store_items_free(items);
  close_store(store);
}

/* The state of the table */

static void a_store_with_unreachable_data_says_what_is_wrong(void)
{
  uint64_t store = open_store("");
  CHECK_CODE(STORE_OK, store_available(store, &error), &error);
  close_store(store);

  store = open_store("\"table\":\"no-such-table\"");
  CHECK_ERROR(STORE_ERROR_TABLE_NOT_FOUND, "no-such-table", store_available(store, &error), &error);
  close_store(store);

  store = open_store_at("http://127.0.0.1:1", "\"timeout_ms\":300");
  CHECK_INT(STORE_ERROR_CONNECTION, store_available(store, &error));
  CHECK_INT(1, error.retriable);
  store_error_free(&error);
  CHECK(error.message == NULL && error.code == 0);
  CHECK_INT(STORE_ERROR_CONNECTION, store_available(store, NULL));
  close_store(store);
}

static void a_call_ends_at_its_deadline(void)
{
  char url[64];
  black_hole(url);
  uint64_t store = open_store_at(url, "\"timeout_ms\":300,\"all_timeout_ms\":300,\"init_timeout_ms\":300");
  store_item item;
  store_items *items;
  int64_t start = milliseconds();
  CHECK_CODE(STORE_ERROR_TIMEOUT, store_get(store, TEXT("features"), TEXT("flag"), &item, &error), &error);
  CHECK_CODE(STORE_ERROR_TIMEOUT, store_get_all(store, TEXT("features"), &items, &error), &error);
  CHECK_CODE(STORE_ERROR_TIMEOUT, store_init(store, NULL, 0, NULL, &error), &error);
  int64_t took = milliseconds() - start;
  /* Three deadlines and the 100 ms that each may be late; as much again for a machine that is busy. */
  CHECK(took >= 850 && took < times_slower(2400));
  close_store(store);
}

/* Big segments */

static void big_segments_are_read(void)
{
  uint64_t store = open_store("");
  char marker[200];
  int64_t synchronized_on = 4711;
  store_membership *membership = NULL;
  CHECK_CODE(STORE_NOT_FOUND, store_big_segments_metadata(store, &synchronized_on, &error), &error);
  CHECK_INT(4711, synchronized_on);
  CHECK_CODE(STORE_NOT_FOUND, store_big_segments_membership(store, TEXT("hash="), &membership, &error), &error);
  CHECK(membership == NULL);

  snprintf(marker, sizeof marker, "%s:big_segments_metadata", current_test);
  put_row("big_segments_metadata", marker, "\"synchronizedOn\":{\"N\":\"1700000000123\"}");
  CHECK_CODE(STORE_OK, store_big_segments_metadata(store, &synchronized_on, &error), &error);
  CHECK_INT(1700000000123, synchronized_on);

  put_row("big_segments_user", "hash=",
          "\"included\":{\"SS\":[\"a.g1\",\"both.g1\"]},\"excluded\":{\"SS\":[\"b.g2\",\"both.g1\"]}");
  CHECK_CODE(STORE_OK, store_big_segments_membership(store, TEXT("hash="), &membership, &error), &error);
  close_store(store);
  CHECK_INT(3, store_membership_count(membership));
  int seen = 0;
  for (size_t place = 0; place < 3; place++) {
    const char *segment;
    size_t length;
    int32_t included;
    CHECK_CODE(STORE_OK, store_membership_entry(membership, place, &segment, &length, &included, &error), &error);
    seen += length == 4 && memcmp(segment, "a.g1", 4) == 0 && included == 1 ? 1 : 0;
    seen += length == 4 && memcmp(segment, "b.g2", 4) == 0 && included == 0 ? 10 : 0;
    seen += length == 7 && memcmp(segment, "both.g1", 7) == 0 && included == 1 ? 100 : 0;
  }
  CHECK_INT(111, seen);
  const char *untouched = marker;
  size_t length = 4711;
  int32_t included = 4711;
  CHECK_CODE(STORE_NOT_FOUND, store_membership_entry(membership, 3, &untouched, &length, &included, &error), &error);
  CHECK_CODE(STORE_NOT_FOUND, store_membership_entry(membership, SIZE_MAX, &untouched, &length, &included, &error),
             &error);
  CHECK(untouched == marker && length == 4711 && included == 4711);
  store_membership_free(membership);
}

/* Statistics, events, cache */

static void statistics_have_every_number_and_only_grow(void)
{
  static const char *const names[] = {"hits", "misses", "coalesced", "stale", "refreshes", "requests", "retries",
                                      "throttles", "errors", "read_units", "write_units", "skipped_rows",
                                      "dropped_events", "cached_items", "cached_bytes"};
  uint64_t store = open_store("");
  int64_t before[LENGTH(names)];
  for (size_t place = 0; place < LENGTH(names); place++) {
    before[place] = statistic(store, names[place]);
    CHECK(before[place] >= 0);
  }
  put_flag(store, "flag", 1, "{}");
  check_flag(store, "flag", 1, "{}");
  for (size_t place = 0; place < LENGTH(names); place++) {
    CHECK(statistic(store, names[place]) >= before[place]);
  }
  CHECK_INT(2, statistic(store, "requests"));
  close_store(store);
}

static void write_unreadable_row(void)
{
  put_row("features", "unreadable", "\"version\":{\"N\":\"1\"},\"item\":{\"N\":\"5\"}");
}

static void a_row_that_cannot_be_read_is_an_event_and_hides_no_other(void)
{
  uint64_t store = open_store("");
  int32_t level = 4711;
  char *message = NULL;
  store_items *items;
  const store_item *first;
  size_t count;
  CHECK_CODE(STORE_NOT_FOUND, store_next_event(store, &level, &message, &error), &error);
  CHECK(level == 4711 && message == NULL);
  write_unreadable_row();
  put_flag(store, "flag", 1, "{}");
  CHECK_CODE(STORE_OK, store_get_all(store, TEXT("features"), &items, &error), &error);
  CHECK_CODE(STORE_OK, store_items_view(items, &first, &count, &error), &error);
  CHECK_INT(1, count);
  store_items_free(items);
  check_not_found(store, "features", "unreadable");
  CHECK_CODE(STORE_OK, store_next_event(store, &level, &message, &error), &error);
  CHECK(level >= STORE_LEVEL_ERROR && level <= STORE_LEVEL_WARN);
  CHECK_CONTAINS("unreadable", message);
  store_string_free(message);
  CHECK(statistic(store, "skipped_rows") >= 1);
  close_store(store);
}

struct log {
  int events;
  int32_t level;
  char message[512];
};

static void on_event(void *user_data, int32_t level, const char *message, size_t length)
{
  struct log *log = user_data;
  log->level = level;
  snprintf(log->message, sizeof log->message, "%.*s", (int)length, message);
  log->events++;
}

static void a_logger_gets_events_until_it_is_taken_away(void)
{
  struct log log = {0};
  uint64_t store = open_store("");
  int32_t level;
  char *message;
  write_unreadable_row();
  CHECK_CODE(STORE_OK, store_set_logger(store, on_event, &log, &error), &error);
  check_not_found(store, "features", "unreadable");
  /* Taking the logger away waits for it, so that `log` can be read, and freed. */
  CHECK_CODE(STORE_OK, store_set_logger(store, NULL, NULL, &error), &error);
  CHECK(log.events >= 1);
  CHECK_CONTAINS("unreadable", log.message);
  while (store_next_event(store, &level, &message, NULL) == STORE_OK) {
    FAIL("the event was kept although there was a logger: %s", message);
  }
  int events = log.events;
  check_not_found(store, "features", "unreadable");
  CHECK_INT(events, log.events);
  CHECK_CODE(STORE_OK, store_next_event(store, &level, &message, &error), &error);
  store_string_free(message);
  close_store(store);
}

static void a_cached_item_costs_no_request_until_it_is_forgotten(void)
{
  uint64_t store = open_store("\"cache_ttl_ms\":-1");
  store_item item, again;
  put_flag(store, "flag", 1, "{}");
  CHECK_CODE(STORE_OK, store_get(store, TEXT("features"), TEXT("flag"), &item, &error), &error);
  int64_t requests = statistic(store, "requests");
  CHECK_CODE(STORE_OK, store_get(store, TEXT("features"), TEXT("flag"), &again, &error), &error);
  CHECK_INT(requests, statistic(store, "requests"));
  /* A hit copies nothing. */
  CHECK(item.item == again.item);
  CHECK(statistic(store, "hits") >= 1 && statistic(store, "cached_items") >= 1);
  CHECK_CODE(STORE_OK, store_clear_cache(store, &error), &error);
  CHECK_INT(0, statistic(store, "cached_items"));
  check_flag(store, "flag", 1, "{}");
  CHECK_INT(requests + 1, statistic(store, "requests"));
  CHECK_TEXT("{}", again.item, again.item_len);
  store_item_free(&item);
  store_item_free(&again);
  close_store(store);
}

static void a_cached_item_stands_in_when_reading_fails_and_says_so(void)
{
#ifdef _WIN32
  skip("the tests have no server of their own there that they could end");
#endif
  struct server server;
  start_server(&server);
  uint64_t store = open_store_at(server.url, "\"cache_ttl_ms\":1,\"timeout_ms\":2000,\"cache_refresh_ahead\":false");
  store_item item;
  put_flag(store, "flag", 1, "{}");
  check_flag(store, "flag", 1, "{}");
  kill_server(&server);
  CHECK_CODE(STORE_OK, store_get(store, TEXT("features"), TEXT("flag"), &item, &error), &error);
  while (item.stale == 0) {
    /* It had not expired yet. */
    store_item_free(&item);
    CHECK_CODE(STORE_OK, store_get(store, TEXT("features"), TEXT("flag"), &item, &error), &error);
  }
  CHECK_TEXT("{}", item.item, item.item_len);
  store_item_free(&item);
  CHECK(statistic(store, "stale") >= 1);
  close_store(store);
}

int main(int argc, char **argv)
{
  static const struct test tests[] = {
      TEST(the_library_is_the_one_of_the_header),
      TEST(every_number_has_its_name),
      TEST(opening_needs_no_network_and_starts_no_thread),
      TEST(a_wrong_option_is_an_error_that_names_it),
      TEST(equal_options_share_one_live_store),
      TEST(a_persistent_store_outlives_its_handles),
      TEST(init_stores_every_kind_and_marks_the_store),
      TEST(init_again_writes_what_changed_and_deletes_what_is_gone),
      TEST(init_with_an_empty_kind_deletes_its_rows_only),
      TEST(init_keeps_a_newer_version),
      TEST(init_reports_what_is_too_large_and_does_the_rest),
      TEST(init_writes_deletions_in_a_data_set),
      TEST(init_refuses_wrong_data_before_anything_is_sent),
      TEST(init_json_takes_the_data_of_an_sdk_and_of_a_stream),
      TEST(a_payload_comes_back_byte_for_byte),
      TEST(text_may_hold_nul),
      TEST(a_missing_row_is_not_found_and_writes_nothing),
      TEST(an_item_outlives_its_store),
      TEST(upsert_writes_only_newer_versions),
      TEST(a_conflict_costs_one_request),
      TEST(an_item_over_the_limit_is_refused_and_the_older_row_stays),
      TEST(a_deletion_is_a_version_without_payload),
      TEST(tombstones_of_other_writers_are_deletions),
      TEST(a_call_with_wrong_arguments_says_which),
      TEST(get_all_has_every_item_and_deletions_too),
      TEST(get_all_of_an_empty_kind_is_an_empty_list),
      TEST(get_all_reads_every_page),
      TEST(a_store_with_unreachable_data_says_what_is_wrong),
      TEST(a_call_ends_at_its_deadline),
      TEST(big_segments_are_read),
      TEST(statistics_have_every_number_and_only_grow),
      TEST(a_row_that_cannot_be_read_is_an_event_and_hides_no_other),
      TEST(a_logger_gets_events_until_it_is_taken_away),
      TEST(a_cached_item_costs_no_request_until_it_is_forgotten),
      TEST(a_cached_item_stands_in_when_reading_fails_and_says_so),
  };
  start_server(&endpoint);
  return RUN(argc, argv, tests);
}
