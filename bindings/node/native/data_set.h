/*
 * A whole data set on its way to the library, so that no step of it holds up the event loop: items are put together in
 * parts, and a thread of its own makes the call, since the library copies and checks the data before it accepts them.
 */
#ifndef DATA_SET_H
#define DATA_SET_H

#include "values.h"

/* () => an empty data set. */
napi_value data_set_new(napi_env env, napi_callback_info info);

/* (data set, kind) => undefined; what is added next belongs to this kind. */
napi_value data_set_kind(napi_env env, napi_callback_info info);

/* (data set, [key, version, item or undefined, deleted, key, …]) => undefined */
napi_value data_set_add(napi_env env, napi_callback_info info);

/* (data set, part of a text) => undefined; the parts together are the data set in JSON, instead of kinds. */
napi_value data_set_json(napi_env env, napi_callback_info info);

/* Takes the data out of the value, which is empty afterwards. NULL if it is none. */
struct data_set *data_set_taken(napi_env env, napi_value value);

/* Has it stored and freed; `call` gets the answer. */
void data_set_start(struct data_set *data, uint64_t store, struct call *call);

void data_set_free(struct data_set *data);

#endif
