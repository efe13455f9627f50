/* A whole data set on its way to store_init, put together in parts so that no part holds up the event loop. */
#ifndef DATA_SET_H
#define DATA_SET_H

#include "values.h"

/* () => an empty data set. */
napi_value data_set_new(napi_env env, napi_callback_info info);

/* (data set, kind) => undefined; what is added next belongs to this kind. */
napi_value data_set_kind(napi_env env, napi_callback_info info);

/* (data set, [key, version, item or undefined, deleted, key, …]) => undefined */
napi_value data_set_add(napi_env env, napi_callback_info info);

/* Takes the data out of the value, which is empty afterwards. NULL if it is none. */
struct data_set *data_set_taken(napi_env env, napi_value value);

int32_t data_set_store(struct data_set *data, uint64_t store, char **report, struct store_error *error);

void data_set_free(struct data_set *data);

#endif
