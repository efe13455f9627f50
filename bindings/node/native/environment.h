/*
 * One environment is one JavaScript thread: the main one or a worker's. Calls that were answered are queued for it here,
 * whichever thread brings the answer, and also when the environment has ended meanwhile.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "library.h"

struct environment;

/* One asynchronous call, from the moment it is made until its promise is resolved. */
struct call {
  struct environment *environment;
  napi_deferred promise;
  struct call *next;
  /* The others under way; JavaScript thread only. */
  struct call *older, *newer;
  /* Its number in the environment, from 1. */
  int64_t number;
  /* Who still looks at it: whoever tells the answer, and a thread that begins it. */
  atomic_int holders;
  /* The library's number, 0 until it has one, and whether it is to be cancelled then; under the environment's lock. */
  uint64_t begun;
  bool unwanted;
  /* Turns the answer into what the promise resolves to; on the JavaScript thread. */
  napi_value (*to_value)(napi_env, struct call *);

  /* The library's answer. NULL if it did not accept the call: then why. */
  struct store_result *result;
  int32_t code;
  struct store_error error;
  /* What a call was answered with that has no result. */
  char *text;
};

/* Where what the cache has is told, code, version and flags, in the memory of an array that JavaScript has. */
double *environment_cached(const struct environment *environment);
/* That array. */
napi_value environment_cached_array(struct environment *environment);

/* Makes the environment, to be ended by Node's own clean-up. NULL without memory. */
struct environment *environment_new(napi_env env);

/* A call, and its promise. NULL, with an exception pending, without memory. */
struct call *call_new(struct environment *environment, napi_value *promise);

/* The callback of the library's asynchronous functions; `call` is a struct call. */
void call_answered(void *call, struct store_result *result);

/* The same for a call that the library did not accept, with the error that it gave; any thread. */
void call_refused(struct call *call, int32_t code, const struct store_error *error);

/* The same for a call that a thread of the addon's own made, with the string that it was given by the library. */
void call_told(struct call *call, char *text);

/* To be called once the library has accepted a call, under the number that it gave: on the JavaScript thread, where no call
 * ends meanwhile, or by who holds the call. */
void call_begun(struct call *call, uint64_t begun);

/* For a thread that begins a call, which may have ended before it is done with it. */
void call_hold(struct call *call);
void call_release(struct call *call);

/* The number of the call that was made last. */
int64_t environment_last_call(const struct environment *environment);

/* Has the library end a call as soon as that can be; it is answered all the same. Nothing for one that was answered. */
void environment_cancel(struct environment *environment, int64_t number);

/* Stores that are open are closed with their environment, also when a worker is terminated. */
bool environment_opened(struct environment *environment, uint64_t store);
void environment_closed(struct environment *environment, uint64_t store);

#endif
