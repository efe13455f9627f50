#include "values.h"

#include <stdlib.h>
#include <string.h>

static bool fail(napi_env env, const char *message)
{
  napi_throw_error(env, NULL, message);
  return false;
}

bool text_of(napi_env env, napi_value value, struct text *text)
{
  napi_valuetype type;
  text->bytes = NULL;
  text->length = 0;
  napi_typeof(env, value, &type);
  if (type == napi_undefined) {
    return true;
  }
  if (napi_get_value_string_utf8(env, value, text->small, sizeof text->small, &text->length) != napi_ok) {
    return fail(env, "a string was expected");
  }
  /* A character of four bytes may be what did not fit. */
  if (text->length < sizeof text->small - 4) {
    text->bytes = text->small;
    return true;
  }
  text->bytes = text_taken(env, value, &text->length);
  return text->bytes != NULL;
}

void text_free(struct text *text)
{
  if (text->bytes != text->small) {
    free(text->bytes);
  }
}

char *text_taken(napi_env env, napi_value value, size_t *length)
{
  char *bytes;
  if (napi_get_value_string_utf8(env, value, NULL, 0, length) != napi_ok) {
    fail(env, "a string was expected");
    return NULL;
  }
  bytes = malloc(*length + 1);
  if (bytes == NULL) {
    fail(env, "no memory for a string");
    return NULL;
  }
  napi_get_value_string_utf8(env, value, bytes, *length + 1, length);
  return bytes;
}

void set(napi_env env, napi_value object, const char *name, napi_value value)
{
  napi_set_named_property(env, object, name, value);
}

napi_value number_value(napi_env env, double number)
{
  napi_value value = NULL;
  napi_create_double(env, number, &value);
  return value;
}

napi_value string_value(napi_env env, const char *bytes, size_t length)
{
  napi_value value = NULL;
  napi_create_string_utf8(env, bytes == NULL ? "" : bytes, length, &value);
  return value;
}

static napi_value boolean_value(napi_env env, bool boolean)
{
  napi_value value = NULL;
  napi_get_boolean(env, boolean, &value);
  return value;
}

static napi_value undefined_value(napi_env env)
{
  napi_value value = NULL;
  napi_get_undefined(env, &value);
  return value;
}

static napi_value outcome(napi_env env, int32_t code)
{
  napi_value object = NULL;
  napi_create_object(env, &object);
  set(env, object, "code", number_value(env, code));
  return object;
}

napi_value failure_value(napi_env env, int32_t code, struct store_error *error)
{
  napi_value failure = outcome(env, code);
  set(env, failure, "message", string_value(env, error->message, NAPI_AUTO_LENGTH));
  set(env, failure, "retriable", boolean_value(env, error->retriable != 0));
  library.store_error_free(error);
  return failure;
}

napi_value plain_outcome(napi_env env, struct call *call)
{
  if (call->result != NULL) {
    call->code = library.store_result_code(call->result);
    if (call->code < STORE_OK) {
      library.store_result_error(call->result, &call->error);
    }
  }
  return call->code < STORE_OK ? failure_value(env, call->code, &call->error) : outcome(env, call->code);
}

/* Versions beyond 2^53 come as the nearest number: JavaScript has no other, and the SDKs use few digits. */
static void item_members(const struct store_item *item, napi_env env, napi_value values[4])
{
  values[0] = number_value(env, (double)item->version);
  values[1] = item->deleted ? undefined_value(env) : string_value(env, item->item, item->item_len);
  values[2] = boolean_value(env, item->deleted != 0);
  values[3] = boolean_value(env, item->stale != 0);
}

napi_value found_value(napi_env env, int32_t code, struct store_item *item)
{
  static const char *const names[4] = {"version", "item", "deleted", "stale"};
  napi_value object = outcome(env, code), members = NULL, values[4];
  if (item != NULL) {
    napi_create_object(env, &members);
    item_members(item, env, values);
    for (int place = 0; place < 4; place++) {
      set(env, members, names[place], values[place]);
    }
    set(env, object, "item", members);
    library.store_item_free(item);
  }
  return object;
}

napi_value item_outcome(napi_env env, struct call *call)
{
  struct store_item item;
  if (call->result == NULL || library.store_result_item(call->result, &item, NULL) != STORE_OK) {
    return plain_outcome(env, call);
  }
  return found_value(env, library.store_result_code(call->result), &item);
}

static void free_items(napi_env env, void *list, void *hint)
{
  struct store_items **items = list;
  (void)env, (void)hint;
  library.store_items_free(*items);
  free(items);
}

napi_value items_outcome(napi_env env, struct call *call)
{
  napi_value object = plain_outcome(env, call), list = NULL;
  const struct store_item *first;
  size_t count;
  struct store_items **items = calloc(1, sizeof *items);
  if (items == NULL || call->code < STORE_OK || library.store_result_items(call->result, items, NULL) != STORE_OK) {
    free(items);
    return object;
  }
  library.store_items_view(*items, &first, &count, NULL);
  if (napi_create_external(env, items, free_items, NULL, &list) != napi_ok) {
    free_items(env, items, NULL);
    return object;
  }
  set(env, object, "list", list);
  set(env, object, "count", number_value(env, (double)count));
  return object;
}

napi_value items_part(napi_env env, napi_value list, uint32_t from, uint32_t count)
{
  napi_value array = NULL, values[4];
  struct store_items **items;
  const struct store_item *first;
  size_t all;
  uint32_t place = 0;
  if (napi_get_value_external(env, list, (void **)&items) != napi_ok || *items == NULL) {
    return NULL;
  }
  library.store_items_view(*items, &first, &all, NULL);
  size_t end = all - from < count ? all : from + (size_t)count;
  napi_create_array_with_length(env, (end - from) * 5, &array);
  for (size_t item = from; item < end; item++) {
    napi_handle_scope scope;
    if (napi_open_handle_scope(env, &scope) != napi_ok) {
      break;
    }
    napi_set_element(env, array, place++, string_value(env, first[item].key, first[item].key_len));
    item_members(&first[item], env, values);
    for (int member = 0; member < 4; member++) {
      napi_set_element(env, array, place++, values[member]);
    }
    napi_close_handle_scope(env, scope);
  }
  if (end == all) {
    library.store_items_free(*items);
    *items = NULL;
  }
  return array;
}

napi_value initialized_outcome(napi_env env, struct call *call)
{
  int32_t initialized = 0;
  napi_value object = plain_outcome(env, call);
  if (call->code >= STORE_OK) {
    library.store_result_initialized(call->result, &initialized, NULL);
    set(env, object, "initialized", boolean_value(env, initialized != 0));
  }
  return object;
}

napi_value report_outcome(napi_env env, struct call *call)
{
  char *report;
  napi_value object = plain_outcome(env, call);
  if (call->result != NULL && library.store_result_report(call->result, &report, NULL) == STORE_OK) {
    set(env, object, "report", string_value(env, report, NAPI_AUTO_LENGTH));
    library.store_string_free(report);
  }
  return object;
}

napi_value text_outcome(napi_env env, struct call *call)
{
  napi_value object = plain_outcome(env, call);
  if (call->text != NULL) {
    set(env, object, "text", string_value(env, call->text, NAPI_AUTO_LENGTH));
  }
  return object;
}

napi_value metadata_outcome(napi_env env, struct call *call)
{
  int64_t milliseconds;
  napi_value object = plain_outcome(env, call);
  if (call->code == STORE_OK && library.store_result_metadata(call->result, &milliseconds, NULL) == STORE_OK) {
    set(env, object, "synchronizedOn", number_value(env, (double)milliseconds));
  }
  return object;
}

napi_value membership_outcome(napi_env env, struct call *call)
{
  struct store_membership *membership;
  napi_value object = plain_outcome(env, call), segments = NULL;
  if (call->code != STORE_OK || library.store_result_membership(call->result, &membership, NULL) != STORE_OK) {
    return object;
  }
  napi_create_object(env, &segments);
  for (size_t place = 0, count = library.store_membership_count(membership); place < count; place++) {
    const char *segment;
    size_t length;
    int32_t included;
    library.store_membership_entry(membership, place, &segment, &length, &included, NULL);
    napi_set_property(env, segments, string_value(env, segment, length), boolean_value(env, included != 0));
  }
  library.store_membership_free(membership);
  set(env, object, "segments", segments);
  return object;
}
