/*
 * One environment is one JavaScript thread: the main one or a worker's. Calls that were answered are queued for it here,
 * whichever thread brings the answer, and also when the environment has ended meanwhile.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>

#include "library.h"

struct environment;
struct data_set;

/* One asynchronous call, from the moment it is made until its promise is resolved. */
struct call {
  struct environment *environment;
  napi_deferred promise;
  struct call *next;
  /* Turns the answer into what the promise resolves to; on the JavaScript thread. */
  napi_value (*to_value)(napi_env, struct call *);

  /* The answer of the library's asynchronous functions. */
  struct store_result *result;

  /* Of calls that have no asynchronous function, and block a thread of their own: arguments, then answers. */
  int32_t (*blocking)(struct call *);
  uint64_t store;
  char *text;
  size_t text_length;
  struct data_set *data;
  int32_t code;
  struct store_error error;
  int64_t number;
  char *report;
  struct store_membership *membership;
};

/* Makes the environment, to be ended by Node's own clean-up. NULL without memory. */
struct environment *environment_new(napi_env env);

/* A call, and its promise. NULL, with an exception pending, without memory. */
struct call *call_new(struct environment *environment, napi_value *promise);

/* Resolves the promise of a call that was not accepted, with this error, and frees both. */
void call_refuse(struct call *call, int32_t code, struct store_error *error);

/* The callback of the library's asynchronous functions; `call` is a struct call. */
void call_answered(void *call, struct store_result *result);

/* Runs `call->blocking` on a thread of its own. */
void call_start_blocking(struct call *call);

/* Stores that are open are closed with their environment, also when a worker is terminated. */
bool environment_opened(struct environment *environment, uint64_t store);
void environment_closed(struct environment *environment, uint64_t store);

#endif
