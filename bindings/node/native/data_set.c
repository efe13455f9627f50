#include "data_set.h"

#include <stdlib.h>

#include "platform.h"

struct data_set {
  struct store_collection *kinds;
  size_t count;
  /* Instead of the kinds; else NULL. */
  char *json;
  size_t json_length, json_capacity;
  /* From data_set_start on. */
  uint64_t store;
  struct call *call;
};

static void *grown(void *array, size_t count, size_t element)
{
  /* Capacities are powers of two, and so need not be kept. */
  return count & (count - 1) ? array : realloc(array, (count ? count * 2 : 1) * element);
}

void data_set_free(struct data_set *data)
{
  for (size_t kind = 0; data != NULL && kind < data->count; kind++) {
    struct store_item *items = (struct store_item *)data->kinds[kind].items;
    for (size_t item = 0; item < data->kinds[kind].items_len; item++) {
      free((char *)items[item].key);
      free((char *)items[item].item);
    }
    free(items);
    free((char *)data->kinds[kind].kind);
  }
  if (data != NULL) {
    free(data->kinds);
    free(data->json);
  }
  free(data);
}

static void finalize(napi_env env, void *place, void *hint)
{
  struct data_set **data = place;
  (void)env, (void)hint;
  data_set_free(*data);
  free(data);
}

napi_value data_set_new(napi_env env, napi_callback_info info)
{
  napi_value value = NULL;
  struct data_set **place = malloc(sizeof *place);
  (void)info;
  if (place == NULL || (*place = calloc(1, sizeof **place)) == NULL) {
    free(place);
    napi_throw_error(env, NULL, "no memory for a data set");
  } else if (napi_create_external(env, place, finalize, NULL, &value) != napi_ok) {
    finalize(env, place, NULL);
  }
  return value;
}

struct data_set *data_set_taken(napi_env env, napi_value value)
{
  struct data_set **place, *data = NULL;
  if (napi_get_value_external(env, value, (void **)&place) == napi_ok) {
    data = *place;
    *place = NULL;
  }
  return data;
}

static struct data_set *data_set_of(napi_env env, napi_callback_info info, napi_value *argument)
{
  napi_value arguments[2];
  size_t count = 2;
  struct data_set **place;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  *argument = arguments[1];
  return napi_get_value_external(env, arguments[0], (void **)&place) == napi_ok ? *place : NULL;
}

napi_value data_set_kind(napi_env env, napi_callback_info info)
{
  napi_value argument;
  struct data_set *data = data_set_of(env, info, &argument);
  struct store_collection *kinds = data == NULL ? NULL : grown(data->kinds, data->count, sizeof *kinds);
  if (kinds == NULL) {
    napi_throw_error(env, NULL, "no memory for a kind");
    return NULL;
  }
  data->kinds = kinds;
  kinds[data->count] = (struct store_collection){0};
  kinds[data->count].kind = text_taken(env, argument, &kinds[data->count].kind_len);
  if (kinds[data->count].kind != NULL) {
    data->count++;
  }
  return NULL;
}

static bool add(napi_env env, struct store_collection *kind, napi_value row, uint32_t place)
{
  napi_value key, version, item, deleted;
  napi_valuetype type = napi_undefined;
  bool is_deleted = false;
  struct store_item *items = grown((struct store_item *)kind->items, kind->items_len, sizeof *items);
  if (items == NULL) {
    napi_throw_error(env, NULL, "no memory for an item");
    return false;
  }
  kind->items = items;
  items += kind->items_len;
  *items = (struct store_item){0};
  if (napi_get_element(env, row, place, &key) != napi_ok || napi_get_element(env, row, place + 1, &version) != napi_ok ||
      napi_get_element(env, row, place + 2, &item) != napi_ok || napi_get_element(env, row, place + 3, &deleted) != napi_ok) {
    return false;
  }
  napi_get_value_int64(env, version, &items->version);
  napi_get_value_bool(env, deleted, &is_deleted);
  items->deleted = is_deleted;
  items->key = text_taken(env, key, &items->key_len);
  napi_typeof(env, item, &type);
  if (items->key != NULL && type != napi_undefined) {
    items->item = text_taken(env, item, &items->item_len);
  }
  if (items->key == NULL || (type != napi_undefined && items->item == NULL)) {
    free((char *)items->key);
    return false;
  }
  kind->items_len++;
  return true;
}

napi_value data_set_add(napi_env env, napi_callback_info info)
{
  napi_value rows;
  uint32_t length = 0;
  bool good = true;
  struct data_set *data = data_set_of(env, info, &rows);
  napi_get_array_length(env, rows, &length);
  for (uint32_t place = 0; data != NULL && data->count > 0 && good && place < length; place += 4) {
    napi_handle_scope scope;
    good = napi_open_handle_scope(env, &scope) == napi_ok;
    if (good) {
      good = add(env, &data->kinds[data->count - 1], rows, place);
      napi_close_handle_scope(env, scope);
    }
  }
  return NULL;
}

napi_value data_set_json(napi_env env, napi_callback_info info)
{
  napi_value part;
  size_t length;
  struct data_set *data = data_set_of(env, info, &part);
  if (data == NULL || napi_get_value_string_utf8(env, part, NULL, 0, &length) != napi_ok) {
    napi_throw_error(env, NULL, "a string was expected");
    return NULL;
  }
  if (data->json_capacity - data->json_length <= length) {
    size_t capacity = data->json_capacity * 2 + length + 1;
    char *json = realloc(data->json, capacity);
    if (json == NULL) {
      napi_throw_error(env, NULL, "no memory for a data set");
      return NULL;
    }
    data->json = json;
    data->json_capacity = capacity;
  }
  napi_get_value_string_utf8(env, part, data->json + data->json_length, length + 1, &length);
  data->json_length += length;
  return NULL;
}

static void start(void *value)
{
  struct data_set *data = value;
  struct call *call = data->call;
  struct store_error error;
  uint64_t begun;
  int32_t code = data->json != NULL ? library.store_init_json_async(data->store, data->json, data->json_length,
                                                                    call_answered, call, &begun, &error)
                                    : library.store_init_async(data->store, data->kinds, data->count, call_answered, call,
                                                               &begun, &error);
  data_set_free(data);
  if (code < STORE_OK) {
    call_refused(call, code, &error);
  } else {
    call_begun(call, begun);
  }
  call_release(call);
}

void data_set_start(struct data_set *data, uint64_t store, struct call *call)
{
  data->store = store;
  data->call = call;
  call_hold(call);
  if (!platform_start(start, data)) {
    struct store_error error = {.code = STORE_ERROR_RUNTIME, .retriable = 1};
    call_refused(call, STORE_ERROR_RUNTIME, &error);
    call_release(call);
    data_set_free(data);
  }
}
