#include "environment.h"

#include <stdlib.h>

#include "platform.h"

/* Promises resolved at a time, so that a flood of answers leaves turns of the event loop for others. */
enum { MOST_AT_A_TIME = 64 };

struct environment {
  napi_env env;
  /* Answers wake the first. What they left is for the other: one that wakes itself gets no turns in between. */
  napi_threadsafe_function wake[2];
  /* One for the environment and one for each call under way, whose answer may come after the environment's end. */
  atomic_size_t references;
  /* JavaScript thread only. */
  size_t calls;
  struct call *newest;
  int64_t calls_made;
  uint64_t *stores;
  size_t stores_count, stores_capacity;
  double *cached;
  napi_ref cached_array;

  platform_lock lock;
  /* Under the lock, since answers come on other threads. */
  bool ended;
  struct call *first, **last;
};

static void unreference(struct environment *environment)
{
  if (atomic_fetch_sub(&environment->references, 1) == 1) {
    free(environment->stores);
    free(environment);
  }
}

void call_hold(struct call *call)
{
  atomic_fetch_add(&call->holders, 1);
}

void call_release(struct call *call)
{
  if (atomic_fetch_sub(&call->holders, 1) != 1) {
    return;
  }
  if (library.store_result_free != NULL) {
    library.store_result_free(call->result);
    library.store_error_free(&call->error);
    library.store_string_free(call->text);
  }
  unreference(call->environment);
  free(call);
}

/* Takes the oldest answered calls, at most so many; `more` says whether others are left. */
static struct call *take(struct environment *environment, int most, bool *more)
{
  platform_acquire(&environment->lock);
  struct call *taken = environment->first, **end = &taken;
  while (*end != NULL && most-- > 0) {
    end = &(*end)->next;
  }
  environment->first = *end;
  if (*end == NULL) {
    environment->last = &environment->first;
  }
  *end = NULL;
  *more = environment->first != NULL;
  platform_release(&environment->lock);
  return taken;
}

/* The event loop stays alive for calls under way, and not for stores that are merely open. */
static void call_ended(struct call *call)
{
  struct environment *environment = call->environment;
  if (call->older != NULL) {
    call->older->newer = call->newer;
  }
  if (call->newer != NULL) {
    call->newer->older = call->older;
  } else {
    environment->newest = call->older;
  }
  if (--environment->calls == 0) {
    napi_unref_threadsafe_function(environment->env, environment->wake[0]);
  }
}

static void resolve(napi_env env, struct call *call)
{
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) == napi_ok) {
    napi_resolve_deferred(env, call->promise, call->to_value(env, call));
    napi_close_handle_scope(env, scope);
  }
  call_ended(call);
  call_release(call);
}

static void on_wake(napi_env env, napi_value function, void *context, void *data)
{
  struct environment *environment = context;
  bool more;
  uintptr_t other = data == NULL;
  (void)function;
  if (env == NULL) {
    return;
  }
  for (struct call *call = take(environment, MOST_AT_A_TIME, &more), *next; call != NULL; call = next) {
    next = call->next;
    resolve(env, call);
  }
  if (more) {
    napi_call_threadsafe_function(environment->wake[other], (void *)other, napi_tsfn_nonblocking);
  }
}

static void answered(struct call *call)
{
  struct environment *environment = call->environment;
  platform_acquire(&environment->lock);
  bool ended = environment->ended;
  if (!ended) {
    bool asleep = environment->first == NULL;
    *environment->last = call;
    environment->last = &call->next;
    /* Under the lock: the environment's end waits for it, and takes what wakes it along. */
    if (asleep) {
      napi_call_threadsafe_function(environment->wake[0], NULL, napi_tsfn_nonblocking);
    }
  }
  platform_release(&environment->lock);
  if (ended) {
    call_release(call);
  }
}

void call_answered(void *data, struct store_result *result)
{
  struct call *call = data;
  call->result = result;
  answered(call);
}

void call_refused(struct call *call, int32_t code, const struct store_error *error)
{
  call->code = code;
  call->error = *error;
  answered(call);
}

void call_told(struct call *call, char *text)
{
  call->text = text;
  answered(call);
}

struct call *call_new(struct environment *environment, napi_value *promise)
{
  struct call *call = calloc(1, sizeof *call);
  if (call == NULL || napi_create_promise(environment->env, &call->promise, promise) != napi_ok) {
    free(call);
    napi_throw_error(environment->env, NULL, "no memory for another call");
    return NULL;
  }
  call->environment = environment;
  atomic_init(&call->holders, 1);
  atomic_fetch_add(&environment->references, 1);
  call->number = ++environment->calls_made;
  call->older = environment->newest;
  if (call->older != NULL) {
    call->older->newer = call;
  }
  environment->newest = call;
  if (environment->calls++ == 0) {
    napi_ref_threadsafe_function(environment->env, environment->wake[0]);
  }
  return call;
}

void call_begun(struct call *call, uint64_t begun)
{
  platform_acquire(&call->environment->lock);
  call->begun = begun;
  bool unwanted = call->unwanted;
  platform_release(&call->environment->lock);
  if (unwanted) {
    library.store_cancel(begun, NULL);
  }
}

int64_t environment_last_call(const struct environment *environment)
{
  return environment->calls_made;
}

void environment_cancel(struct environment *environment, int64_t number)
{
  struct call *call = environment->newest;
  while (call != NULL && call->number != number) {
    call = call->older;
  }
  if (call == NULL) {
    return;
  }
  platform_acquire(&environment->lock);
  call->unwanted = true;
  uint64_t begun = call->begun;
  platform_release(&environment->lock);
  if (begun != 0) {
    library.store_cancel(begun, NULL);
  }
}

enum { CACHED_NUMBERS = 3 };

napi_value environment_cached_array(struct environment *environment)
{
  napi_value buffer, array = NULL;
  void *memory;
  size_t size = CACHED_NUMBERS * sizeof(double);
  if (napi_create_arraybuffer(environment->env, size, &memory, &buffer) == napi_ok &&
      napi_create_typedarray(environment->env, napi_float64_array, CACHED_NUMBERS, buffer, 0, &array) == napi_ok &&
      napi_create_reference(environment->env, buffer, 1, &environment->cached_array) == napi_ok) {
    environment->cached = memory;
  }
  return array;
}

double *environment_cached(const struct environment *environment)
{
  return environment->cached;
}

bool environment_opened(struct environment *environment, uint64_t store)
{
  if (environment->stores_count == environment->stores_capacity) {
    size_t capacity = environment->stores_capacity * 2 + 4;
    uint64_t *stores = realloc(environment->stores, capacity * sizeof *stores);
    if (stores == NULL) {
      return false;
    }
    environment->stores = stores;
    environment->stores_capacity = capacity;
  }
  environment->stores[environment->stores_count++] = store;
  return true;
}

void environment_closed(struct environment *environment, uint64_t store)
{
  for (size_t place = 0; place < environment->stores_count; place++) {
    if (environment->stores[place] == store) {
      environment->stores[place] = environment->stores[--environment->stores_count];
      return;
    }
  }
}

/* Runs before Node frees what wakes the environment, since it was registered later. */
static void end(void *data)
{
  struct environment *environment = data;
  bool more;
  platform_acquire(&environment->lock);
  environment->ended = true;
  platform_release(&environment->lock);
  do {
    for (struct call *call = take(environment, MOST_AT_A_TIME, &more), *next; call != NULL; call = next) {
      next = call->next;
      call_release(call);
    }
  } while (more);
  for (size_t place = 0; place < environment->stores_count; place++) {
    library.store_close(environment->stores[place], NULL);
  }
  environment->stores_count = 0;
  unreference(environment);
}

struct environment *environment_new(napi_env env)
{
  napi_value name;
  struct environment *environment = calloc(1, sizeof *environment);
  if (environment == NULL) {
    return NULL;
  }
  environment->env = env;
  environment->last = &environment->first;
  atomic_init(&environment->references, 1);
  environment->lock = (platform_lock)PLATFORM_LOCK;
  for (int place = 0; place < 2; place++) {
    if (napi_create_string_utf8(env, "flagstore", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, environment, on_wake,
                                        &environment->wake[place]) != napi_ok) {
      /* What was made refers to the environment, which is therefore left to it. */
      return NULL;
    }
    napi_unref_threadsafe_function(env, environment->wake[place]);
  }
  napi_add_env_cleanup_hook(env, end, environment);
  return environment;
}
