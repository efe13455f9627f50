/* Between JavaScript's values and the library's. */
#ifndef VALUES_H
#define VALUES_H

#include "environment.h"

/* A string's UTF-8; `undefined` is NULL with length 0. */
struct text {
  char *bytes;
  size_t length;
  char small[256];
};

/* False, with an exception pending, if the value is neither a string nor undefined, or memory ran out. */
bool text_of(napi_env env, napi_value value, struct text *text);
void text_free(struct text *text);
/* The text in memory of its own, for the caller to free; NULL as above. */
char *text_taken(napi_env env, napi_value value, size_t *length);

/* {code, message, retriable}; frees the error. */
napi_value failure_value(napi_env env, int32_t code, struct store_error *error);

/* {code, item}; frees the item. Without one it is NULL. */
napi_value found_value(napi_env env, int32_t code, struct store_item *item);

/* What promises resolve to: {code}, with the members that the function's name tells, or a failure. */
napi_value plain_outcome(napi_env env, struct call *call);
napi_value item_outcome(napi_env env, struct call *call);
napi_value items_outcome(napi_env env, struct call *call);
napi_value initialized_outcome(napi_env env, struct call *call);
napi_value report_outcome(napi_env env, struct call *call);
napi_value text_outcome(napi_env env, struct call *call);
napi_value metadata_outcome(napi_env env, struct call *call);
napi_value membership_outcome(napi_env env, struct call *call);

/*
 * A part of the list that items_outcome gave, as [key, version, item or undefined, deleted, stale, key, …]. The last part
 * frees the list, which the garbage collector would take for small and keep for long.
 */
napi_value items_part(napi_env env, napi_value list, uint32_t from, uint32_t count);

napi_value number_value(napi_env env, double number);
napi_value string_value(napi_env env, const char *bytes, size_t length);
void set(napi_env env, napi_value object, const char *name, napi_value value);

#endif
