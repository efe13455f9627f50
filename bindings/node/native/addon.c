/*
 * The functions that src/native.ts declares. Those that ask DynamoDB are the library's asynchronous functions: they return
 * a promise, never block, hold no thread while they wait, and any number of them is under way at once.
 */
#include <stdlib.h>

#include "data_set.h"
#include "doctor.h"

enum { MOST_ARGUMENTS = 6 };

/* What a JavaScript function was called with. */
struct arguments {
  struct environment *environment;
  napi_value values[MOST_ARGUMENTS];
  uint64_t store;
};

/* Fills in the arguments, the first of which is a store's handle in most functions. */
static void arguments_of(napi_env env, napi_callback_info info, struct arguments *arguments)
{
  size_t count = MOST_ARGUMENTS;
  bool lossless;
  void *environment = NULL;
  arguments->store = 0;
  napi_get_cb_info(env, info, &count, arguments->values, NULL, &environment);
  arguments->environment = environment;
  napi_get_value_bigint_uint64(env, arguments->values[0], &arguments->store, &lossless);
}

/* (path, or undefined for the library that is linked in) => undefined; throws why it cannot be used */
static napi_value use(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  struct text path;
  arguments_of(env, info, &arguments);
  if (text_of(env, arguments.values[0], &path)) {
    const char *why = library_use(path.bytes);
    if (why != NULL) {
      napi_throw_error(env, NULL, why);
    }
    text_free(&path);
  }
  return NULL;
}

/* () => whether the library is linked in */
static napi_value linked(napi_env env, napi_callback_info info)
{
  napi_value value = NULL;
  (void)info;
  napi_get_boolean(env, library_linked, &value);
  return value;
}

/* () => string */
static napi_value version(napi_env env, napi_callback_info info)
{
  (void)info;
  return string_value(env, library.store_version(), NAPI_AUTO_LENGTH);
}

/* (number) => string */
static napi_value code_name(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  int32_t code = 0;
  arguments_of(env, info, &arguments);
  napi_get_value_int32(env, arguments.values[0], &code);
  return string_value(env, library.store_code_name(code), NAPI_AUTO_LENGTH);
}

/* (JSON) => handle or failure */
static napi_value open(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  struct text options;
  struct store_error error;
  uint64_t store;
  napi_value handle = NULL;
  arguments_of(env, info, &arguments);
  if (!text_of(env, arguments.values[0], &options)) {
    return NULL;
  }
  int32_t code = library.store_open(options.bytes, options.length, &store, &error);
  text_free(&options);
  if (code < STORE_OK) {
    return failure_value(env, code, &error);
  }
  if (!environment_opened(arguments.environment, store)) {
    library.store_close(store, NULL);
    napi_throw_error(env, NULL, "no memory for another store");
    return NULL;
  }
  napi_create_bigint_uint64(env, store, &handle);
  return handle;
}

/* (handle) => undefined */
static napi_value close(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  arguments_of(env, info, &arguments);
  environment_closed(arguments.environment, arguments.store);
  library.store_close(arguments.store, NULL);
  return NULL;
}

/* () => the number of the call that was made last */
static napi_value last_call(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  arguments_of(env, info, &arguments);
  return number_value(env, (double)environment_last_call(arguments.environment));
}

/* (number of a call) => undefined */
static napi_value cancel(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  int64_t number = 0;
  arguments_of(env, info, &arguments);
  napi_get_value_int64(env, arguments.values[0], &number);
  environment_cancel(arguments.environment, number);
  return NULL;
}

/* Ends a function that made an asynchronous call: `code` is what the library said to it. */
static napi_value accepted(struct call *call, napi_value promise, int32_t code, uint64_t begun,
                           const struct store_error *error)
{
  if (code < STORE_OK) {
    call_refused(call, code, error);
  } else {
    call_begun(call, begun);
  }
  return promise;
}

static struct call *new_call(const struct arguments *arguments, napi_value (*to_value)(napi_env, struct call *),
                             napi_value *promise)
{
  struct call *call = call_new(arguments->environment, promise);
  if (call != NULL) {
    call->to_value = to_value;
  }
  return call;
}

/* An asynchronous function that takes a store only. */
static napi_value ask(napi_env env, napi_callback_info info, __typeof__(library.store_available_async) function,
                      napi_value (*to_value)(napi_env, struct call *))
{
  struct arguments arguments;
  struct store_error error;
  napi_value promise = NULL;
  arguments_of(env, info, &arguments);
  uint64_t begun;
  struct call *call = new_call(&arguments, to_value, &promise);
  if (call == NULL) {
    return NULL;
  }
  int32_t code = function(arguments.store, call_answered, call, &begun, &error);
  return accepted(call, promise, code, begun, &error);
}

/* An asynchronous function that takes a store and a text. */
static napi_value ask_for(napi_env env, napi_callback_info info, __typeof__(library.store_get_all_async) function,
                          napi_value (*to_value)(napi_env, struct call *))
{
  struct arguments arguments;
  struct text text;
  struct call *call;
  struct store_error error;
  napi_value promise = NULL;
  arguments_of(env, info, &arguments);
  if (text_of(env, arguments.values[1], &text)) {
    if ((call = new_call(&arguments, to_value, &promise)) != NULL) {
      uint64_t begun;
      int32_t code = function(arguments.store, text.bytes, text.length, call_answered, call, &begun, &error);
      accepted(call, promise, code, begun, &error);
    }
    text_free(&text);
  }
  return promise;
}

/*
 * (handle, kind, key) => the payload, with code, version and flags in the array `cached`. Apart from `get`, and without an
 * object made here, since making one costs more than all the rest.
 */
static napi_value get_cached(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  struct text kind, key = {0};
  struct store_item item;
  napi_value payload = NULL;
  arguments_of(env, info, &arguments);
  double *cached = environment_cached(arguments.environment);
  cached[0] = STORE_NOT_CACHED;
  if (text_of(env, arguments.values[1], &kind) && text_of(env, arguments.values[2], &key)) {
    int32_t code = library.store_get_cached(arguments.store, kind.bytes, kind.length, key.bytes, key.length, &item, NULL);
    cached[0] = code;
    if (code == STORE_OK) {
      cached[1] = (double)item.version;
      cached[2] = (item.deleted ? 1 : 0) | (item.stale ? 2 : 0);
      if (!item.deleted) {
        payload = string_value(env, item.item, item.item_len);
      }
      library.store_item_free(&item);
    }
  }
  text_free(&kind);
  text_free(&key);
  return payload;
}

/* What the cache has, which takes no turn of the event loop, or a promise of it. */
static napi_value get_item(napi_env env, const struct arguments *arguments, const struct text *kind,
                           const struct text *key)
{
  struct store_item item;
  struct store_error error;
  napi_value promise = NULL;
  int32_t code = library.store_get_cached(arguments->store, kind->bytes, kind->length, key->bytes, key->length, &item,
                                          &error);
  if (code < STORE_OK) {
    return failure_value(env, code, &error);
  }
  if (code != STORE_NOT_CACHED) {
    return found_value(env, code, code == STORE_OK ? &item : NULL);
  }
  struct call *call = new_call(arguments, item_outcome, &promise);
  if (call != NULL) {
    uint64_t begun;
    code = library.store_get_async(arguments->store, kind->bytes, kind->length, key->bytes, key->length, call_answered,
                                   call, &begun, &error);
    accepted(call, promise, code, begun, &error);
  }
  return promise;
}

/* (handle, kind, key) => {item} if it is cached, else promise of {item} */
static napi_value get(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  struct text kind, key;
  napi_value answer = NULL;
  arguments_of(env, info, &arguments);
  if (!text_of(env, arguments.values[1], &kind)) {
    return NULL;
  }
  if (text_of(env, arguments.values[2], &key)) {
    answer = get_item(env, &arguments, &kind, &key);
    text_free(&key);
  }
  text_free(&kind);
  return answer;
}

/* (handle, kind) => promise of {list, count} */
static napi_value get_all(napi_env env, napi_callback_info info)
{
  return ask_for(env, info, library.store_get_all_async, items_outcome);
}

/* (list, from, count) => array, see values.h */
static napi_value items(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  uint32_t from = 0, count = 0;
  arguments_of(env, info, &arguments);
  napi_get_value_uint32(env, arguments.values[1], &from);
  napi_get_value_uint32(env, arguments.values[2], &count);
  return items_part(env, arguments.values[0], from, count);
}

/* (handle, kind, key, version, deleted, item or undefined) => promise of {item} */
static napi_value upsert(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  struct text kind, key = {0}, item = {0};
  struct call *call;
  struct store_error error;
  napi_value promise = NULL;
  int64_t version = 0;
  bool deleted = false;
  arguments_of(env, info, &arguments);
  napi_get_value_int64(env, arguments.values[3], &version);
  napi_get_value_bool(env, arguments.values[4], &deleted);
  if (text_of(env, arguments.values[1], &kind) && text_of(env, arguments.values[2], &key) &&
      text_of(env, arguments.values[5], &item) && (call = new_call(&arguments, item_outcome, &promise)) != NULL) {
    uint64_t begun;
    int32_t code =
        library.store_upsert_async(arguments.store, kind.bytes, kind.length, key.bytes, key.length, version, deleted,
                                   item.bytes, item.length, call_answered, call, &begun, &error);
    accepted(call, promise, code, begun, &error);
  }
  text_free(&kind);
  text_free(&key);
  text_free(&item);
  return promise;
}

/* (handle) => promise of {initialized} */
static napi_value initialized(napi_env env, napi_callback_info info)
{
  return ask(env, info, library.store_initialized_async, initialized_outcome);
}

/* (handle, data set) => promise of {report} */
static napi_value init(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  napi_value promise = NULL;
  arguments_of(env, info, &arguments);
  struct data_set *data = data_set_taken(env, arguments.values[1]);
  struct call *call = data == NULL ? NULL : new_call(&arguments, report_outcome, &promise);
  if (call == NULL) {
    data_set_free(data);
    return NULL;
  }
  data_set_start(data, arguments.store, call);
  return promise;
}

/* (handle) => promise of {} */
static napi_value available(napi_env env, napi_callback_info info)
{
  return ask(env, info, library.store_available_async, plain_outcome);
}

/* (handle) => promise of {synchronizedOn} */
static napi_value big_segments_metadata(napi_env env, napi_callback_info info)
{
  return ask(env, info, library.store_big_segments_metadata_async, metadata_outcome);
}

/* (handle, hash) => promise of {segments} */
static napi_value big_segments_membership(napi_env env, napi_callback_info info)
{
  return ask_for(env, info, library.store_big_segments_membership_async, membership_outcome);
}

/* (handle) => JSON or failure */
static napi_value statistics(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  struct store_error error;
  char *json;
  arguments_of(env, info, &arguments);
  int32_t code = library.store_statistics(arguments.store, &json, &error);
  if (code < STORE_OK) {
    return failure_value(env, code, &error);
  }
  napi_value text = string_value(env, json, NAPI_AUTO_LENGTH);
  library.store_string_free(json);
  return text;
}

/* (JSON) => promise of {text} */
static napi_value doctor(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  napi_value promise = NULL;
  size_t length;
  arguments_of(env, info, &arguments);
  char *options = text_taken(env, arguments.values[0], &length);
  struct call *call = options == NULL ? NULL : new_call(&arguments, text_outcome, &promise);
  if (call == NULL) {
    free(options);
    return NULL;
  }
  doctor_start(options, length, call);
  return promise;
}

/* (handle) => undefined or failure */
static napi_value clear_cache(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  struct store_error error;
  arguments_of(env, info, &arguments);
  int32_t code = library.store_clear_cache(arguments.store, &error);
  return code < STORE_OK ? failure_value(env, code, &error) : NULL;
}

/* (handle) => {code: 0, level, text}, undefined if there is none, or failure */
static napi_value next_event(napi_env env, napi_callback_info info)
{
  struct arguments arguments;
  struct store_error error;
  int32_t level;
  char *text;
  napi_value event = NULL;
  arguments_of(env, info, &arguments);
  int32_t code = library.store_next_event(arguments.store, &level, &text, &error);
  if (code < STORE_OK) {
    return failure_value(env, code, &error);
  }
  if (code == STORE_OK) {
    napi_create_object(env, &event);
    set(env, event, "code", number_value(env, code));
    set(env, event, "level", number_value(env, level));
    set(env, event, "text", string_value(env, text, NAPI_AUTO_LENGTH));
    library.store_string_free(text);
  }
  return event;
}

NAPI_MODULE_INIT()
{
  static const struct {
    const char *name;
    napi_callback function;
  } functions[] = {
      {"use", use},
      {"linked", linked},
      {"version", version},
      {"codeName", code_name},
      {"open", open},
      {"close", close},
      {"lastCall", last_call},
      {"cancel", cancel},
      {"getCached", get_cached},
      {"get", get},
      {"getAll", get_all},
      {"items", items},
      {"upsert", upsert},
      {"initialized", initialized},
      {"dataSet", data_set_new},
      {"dataSetKind", data_set_kind},
      {"dataSetAdd", data_set_add},
      {"dataSetJson", data_set_json},
      {"init", init},
      {"available", available},
      {"bigSegmentsMetadata", big_segments_metadata},
      {"bigSegmentsMembership", big_segments_membership},
      {"statistics", statistics},
      {"doctor", doctor},
      {"clearCache", clear_cache},
      {"nextEvent", next_event},
  };
  struct environment *environment = environment_new(env);
  if (environment == NULL) {
    napi_throw_error(env, NULL, "flagstore could not be set up for this thread");
    return NULL;
  }
  for (size_t place = 0; place < sizeof functions / sizeof functions[0]; place++) {
    napi_value function = NULL;
    napi_create_function(env, functions[place].name, NAPI_AUTO_LENGTH, functions[place].function, environment,
                         &function);
    set(env, exports, functions[place].name, function);
  }
  napi_value cached = environment_cached_array(environment);
  if (environment_cached(environment) == NULL) {
    napi_throw_error(env, NULL, "no memory for flagstore");
    return NULL;
  }
  set(env, exports, "cached", cached);
  return exports;
}
