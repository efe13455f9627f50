#include "check.h"

#include <stdlib.h>
#include <string.h>

void check_true(const char *file, int line, const char *condition, int holds)
{
  if (!holds) {
    fail(file, line, "not so: %s", condition);
  }
}

void check_int(const char *file, int line, const char *what, long long expected, long long actual)
{
  if (expected != actual) {
    fail(file, line, "%s is %lld, not %lld", what, actual, expected);
  }
}

void check_text(const char *file, int line, const char *what, const char *expected, const char *actual, size_t length)
{
  if (actual == NULL) {
    fail(file, line, "%s is NULL, not \"%s\"", what, expected);
  }
  if (strlen(expected) != length || memcmp(expected, actual, length) != 0) {
    fail(file, line, "%s is \"%.*s\", not \"%s\"", what, (int)length, actual, expected);
  }
}

void check_contains(const char *file, int line, const char *what, const char *part, const char *text)
{
  if (text == NULL || strstr(text, part) == NULL) {
    fail(file, line, "%s is \"%s\", without \"%s\"", what, text == NULL ? "NULL" : text, part);
  }
}

void check_code(const char *file, int line, const char *call, int32_t expected, int32_t actual, store_error *error)
{
  check_error(file, line, call, expected, "", actual, error);
}

void check_error(const char *file, int line, const char *call, int32_t expected, const char *part, int32_t actual,
                 store_error *error)
{
  const char *message = error == NULL || error->message == NULL ? "" : error->message;
  if (actual != expected) {
    fail(file, line, "%s gave %s (%s), not %s", call, store_code_name(actual), message, store_code_name(expected));
  }
  if (error == NULL) {
    return;
  }
  if (error->code != (actual < 0 ? actual : 0) || (error->message == NULL) != (actual >= 0)) {
    fail(file, line, "%s gave %s, but the error says %d, \"%s\"", call, store_code_name(actual), error->code, message);
  }
  if (strstr(message, part) == NULL) {
    fail(file, line, "%s gave \"%s\", without \"%s\"", call, message, part);
  }
  store_error_free(error);
}

int64_t times_slower(int64_t patience)
{
  const char *slower = getenv("FLAGSTORE_TESTS_SLOWER");
  int64_t factor = slower == NULL ? 1 : atoll(slower);
  return factor > 1 ? patience * factor : patience;
}
