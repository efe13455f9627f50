/*
 * The JNI side of io.flagstore.Native: one crossing for each call of the store.
 *
 * It is linked with neither libflagstore nor the JVM. Java names the library at run time, and every function gets its
 * type from flagstore.h itself, so there is no second declaration that could drift.
 *
 * Everything comes back as one byte array, an answer: `struct head`, then the body. An error's body is its message.
 * Answers that hold lists are laid out as described at Native's methods. NULL means that a Java exception is pending,
 * which can only be an OutOfMemoryError.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <jni.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flagstore.h"
#include "io_flagstore_Native.h"

/* Every function that this file calls, store_abi_version first. */
#define FUNCTIONS(F) \
  F(store_abi_version) F(store_version) F(store_code_name) F(store_open) F(store_close) F(store_init) \
  F(store_init_json) F(store_get) F(store_get_all) F(store_items_view) F(store_upsert) F(store_initialized) \
  F(store_available) F(store_big_segments_metadata) F(store_big_segments_membership) F(store_membership_count) \
  F(store_membership_entry) F(store_statistics) F(store_clear_cache) F(store_next_event) F(store_get_async) \
  F(store_get_all_async) F(store_upsert_async) F(store_result_code) F(store_result_error) F(store_result_item) \
  F(store_result_items) F(store_error_free) F(store_item_free) F(store_items_free) F(store_membership_free) \
  F(store_result_free) F(store_string_free)

static struct {
#define POINTER(name) __typeof__(name) *name;
  FUNCTIONS(POINTER)
} library;

struct head {
  int32_t code;
  int32_t flags;
  int64_t number;
};

enum { DELETED = 1, STALE = 2 };

/* What stands before each item of a list, or of a data set that is given; its key and payload follow. */
struct item_head {
  int64_t version;
  int32_t flags;
  int32_t key_len;
  int32_t item_len;
  int32_t unused;
};

/* What stands before each entry of a membership; the segment follows. */
struct entry_head {
  int32_t included;
  int32_t segment_len;
};

/* What stands before each collection of a data set; its kind and its items follow. */
struct collection_head {
  int32_t kind_len;
  int32_t items;
};

/* The longest array that every JVM makes. */
#define MOST_BYTES ((size_t)INT32_MAX - 64)

static void out_of_memory(JNIEnv *env) {
  jclass class = (*env)->FindClass(env, "java/lang/OutOfMemoryError");
  if (class != NULL) (*env)->ThrowNew(env, class, "no native memory for the arguments of a flagstore call");
}

/* Answers */

static jbyteArray answer(JNIEnv *env, struct head head, const void *body, size_t body_len) {
  static const char too_long[] = "reading: the answer takes over 2 GB, which no Java array holds: split the data";
  if (body_len > MOST_BYTES - sizeof head) {
    head = (struct head){.code = STORE_ERROR_INVALID_LENGTH};
    body = too_long;
    body_len = sizeof too_long - 1;
  }
  jsize head_len = (jsize)sizeof head;
  jbyteArray array = (*env)->NewByteArray(env, head_len + (jsize)body_len);
  if (array == NULL) return NULL;
  (*env)->SetByteArrayRegion(env, array, 0, head_len, (const jbyte *)&head);
  if (body_len > 0) (*env)->SetByteArrayRegion(env, array, head_len, (jsize)body_len, body);
  return array;
}

static jbyteArray outcome(JNIEnv *env, int32_t code, int64_t number) {
  return answer(env, (struct head){.code = code, .number = number}, NULL, 0);
}

static jbyteArray failure(JNIEnv *env, store_error *error) {
  struct head head = {.code = error->code, .flags = error->retriable};
  jbyteArray array = answer(env, head, error->message, error->message == NULL ? 0 : strlen(error->message));
  library.store_error_free(error);
  return array;
}

/* Takes the string. */
static jbyteArray text_answer(JNIEnv *env, int32_t flags, char *string) {
  jbyteArray array = answer(env, (struct head){.flags = flags}, string, strlen(string));
  library.store_string_free(string);
  return array;
}

static int32_t flags_of(const store_item *item) {
  return (item->deleted ? DELETED : 0) | (item->stale ? STALE : 0);
}

/* Takes the item. */
static jbyteArray item_answer(JNIEnv *env, int32_t code, store_item *item) {
  struct head head = {.code = code, .flags = flags_of(item), .number = item->version};
  jbyteArray array = answer(env, head, item->item, item->item_len);
  library.store_item_free(item);
  return array;
}

/* Takes the list. It is laid out outside of the heap first: a JVM may not be kept from collecting for so long. */
static jbyteArray items_answer(JNIEnv *env, store_items *items) {
  const store_item *first;
  size_t count;
  library.store_items_view(items, &first, &count, NULL);
  size_t length = 0;
  for (size_t i = 0; i < count; i++) length += sizeof(struct item_head) + first[i].key_len + first[i].item_len;
  char *body = malloc(length + 1), *end = body;
  if (body == NULL) {
    library.store_items_free(items);
    out_of_memory(env);
    return NULL;
  }
  for (size_t i = 0; i < count; i++) {
    const store_item *item = &first[i];
    struct item_head head = {item->version, flags_of(item), (int32_t)item->key_len, (int32_t)item->item_len, 0};
    memcpy(end, &head, sizeof head);
    end += sizeof head;
    memcpy(end, item->key, item->key_len);
    end += item->key_len;
    if (item->item_len > 0) memcpy(end, item->item, item->item_len);
    end += item->item_len;
  }
  library.store_items_free(items);
  jbyteArray array = answer(env, (struct head){.number = (int64_t)count}, body, length);
  free(body);
  return array;
}

/* Arguments */

struct text {
  char *bytes;
  size_t len;
  char few[256];
};

/* Copies an array, which may be NULL. False with an exception pending. To be dropped in either case. */
static bool take(JNIEnv *env, jbyteArray array, struct text *text) {
  text->bytes = text->few;
  text->len = 0;
  if (array == NULL) return true;
  jsize len = (*env)->GetArrayLength(env, array);
  if ((size_t)len > sizeof text->few && (text->bytes = malloc((size_t)len)) == NULL) {
    out_of_memory(env);
    return false;
  }
  text->len = (size_t)len;
  /* Throws for a region outside of the array alone. */
  (*env)->GetByteArrayRegion(env, array, 0, len, (jbyte *)text->bytes);
  return true;
}

static void drop(struct text *text) {
  if (text->bytes != text->few) free(text->bytes);
}

/* Loading */

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_load(JNIEnv *env, jclass class, jbyteArray path) {
  (void)class;
  struct text name;
  void *opened = NULL;
  /* Java ends the path with NUL. */
  if (take(env, path, &name)) opened = dlopen(name.bytes, RTLD_NOW | RTLD_LOCAL);
  drop(&name);
  if ((*env)->ExceptionCheck(env)) return NULL;
  const char *missing = NULL;
  if (opened != NULL) {
#define FIND(name) \
  if (missing == NULL && (*(void **)&library.name = dlsym(opened, #name)) == NULL) missing = #name;
    FUNCTIONS(FIND)
  }
  if (opened != NULL && missing == NULL) return outcome(env, STORE_OK, library.store_abi_version());
  /* With another ABI a function may be missing: the number says more. */
  if (missing != NULL && library.store_abi_version != NULL) {
    uint32_t number = library.store_abi_version();
    if (number != STORE_ABI_VERSION) return outcome(env, STORE_OK, number);
  }
  const char *error = dlerror();
  if (error == NULL) error = missing == NULL ? "no reason given" : missing;
  return answer(env, (struct head){.code = -1}, error, strlen(error));
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_version(JNIEnv *env, jclass class) {
  (void)class;
  const char *version = library.store_version();
  return answer(env, (struct head){.code = STORE_OK}, version, strlen(version));
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_codeName(JNIEnv *env, jclass class, jint code) {
  (void)class;
  const char *name = library.store_code_name(code);
  return answer(env, (struct head){.code = STORE_OK}, name, strlen(name));
}

/* Stores */

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_open(JNIEnv *env, jclass class, jbyteArray options) {
  (void)class;
  struct text json;
  jbyteArray array = NULL;
  if (take(env, options, &json)) {
    uint64_t store;
    store_error error;
    int32_t code = library.store_open(json.bytes, json.len, &store, &error);
    array = code < 0 ? failure(env, &error) : outcome(env, code, (int64_t)store);
  }
  drop(&json);
  return array;
}

JNIEXPORT void JNICALL Java_io_flagstore_Native_close(JNIEnv *env, jclass class, jlong store) {
  (void)env, (void)class;
  library.store_close((uint64_t)store, NULL);
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_get(JNIEnv *env, jclass class, jlong store, jbyteArray kind,
                                                          jbyteArray key) {
  (void)class;
  struct text of_kind, of_key;
  jbyteArray array = NULL;
  bool taken = take(env, kind, &of_kind);
  if (take(env, key, &of_key) && taken) {
    store_item item;
    store_error error;
    int32_t code = library.store_get((uint64_t)store, of_kind.bytes, of_kind.len, of_key.bytes, of_key.len, &item,
                                     &error);
    if (code < 0) array = failure(env, &error);
    else array = code == STORE_OK ? item_answer(env, code, &item) : outcome(env, code, 0);
  }
  drop(&of_kind);
  drop(&of_key);
  return array;
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_getAll(JNIEnv *env, jclass class, jlong store, jbyteArray kind) {
  (void)class;
  struct text of_kind;
  jbyteArray array = NULL;
  if (take(env, kind, &of_kind)) {
    store_items *items;
    store_error error;
    int32_t code = library.store_get_all((uint64_t)store, of_kind.bytes, of_kind.len, &items, &error);
    array = code < 0 ? failure(env, &error) : items_answer(env, items);
  }
  drop(&of_kind);
  return array;
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_upsert(JNIEnv *env, jclass class, jlong store, jbyteArray kind,
                                                             jbyteArray key, jlong version, jboolean deleted,
                                                             jbyteArray item) {
  (void)class;
  struct text of_kind, of_key, payload;
  jbyteArray array = NULL;
  bool taken = take(env, kind, &of_kind);
  taken = take(env, key, &of_key) && taken;
  if (take(env, item, &payload) && taken) {
    store_item stored;
    store_error error;
    int32_t code = library.store_upsert((uint64_t)store, of_kind.bytes, of_kind.len, of_key.bytes, of_key.len, version,
                                        deleted, payload.bytes, payload.len, &stored, &error);
    if (code < 0) array = failure(env, &error);
    else array = code == STORE_NEWER_EXISTS ? item_answer(env, code, &stored) : outcome(env, code, 0);
  }
  drop(&of_kind);
  drop(&of_key);
  drop(&payload);
  return array;
}

/* Points the collections and items into the data, which has no alignment and which Native.init describes. */
static void lay_out(const char *data, int32_t count, store_collection *collections, store_item *items) {
  for (int32_t i = 0; i < count; i++) {
    struct collection_head collection;
    memcpy(&collection, data, sizeof collection);
    data += sizeof collection;
    collections[i] = (store_collection){data, (size_t)collection.kind_len, items, (size_t)collection.items};
    data += collection.kind_len;
    for (int32_t j = 0; j < collection.items; j++) {
      struct item_head head;
      memcpy(&head, data, sizeof head);
      const char *key = data + sizeof head, *payload = key + head.key_len;
      *items++ = (store_item){.key = key, .key_len = (size_t)head.key_len, .item = payload,
                              .item_len = (size_t)head.item_len, .version = head.version,
                              .deleted = head.flags & DELETED};
      data = payload + head.item_len;
    }
  }
}

static jbyteArray report_answer(JNIEnv *env, int32_t code, char *report, store_error *error) {
  return code < 0 ? failure(env, error) : text_answer(env, 0, report);
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_init(JNIEnv *env, jclass class, jlong store, jint collections,
                                                           jint items, jbyteArray data) {
  (void)class;
  struct text rows;
  jbyteArray array = NULL;
  store_collection *of_kinds = calloc((size_t)collections + 1, sizeof *of_kinds);
  store_item *all = calloc((size_t)items + 1, sizeof *all);
  if (of_kinds == NULL || all == NULL) {
    out_of_memory(env);
  } else {
    if (take(env, data, &rows)) {
      char *report;
      store_error error;
      lay_out(rows.bytes, collections, of_kinds, all);
      int32_t code = library.store_init((uint64_t)store, of_kinds, (size_t)collections, &report, &error);
      array = report_answer(env, code, report, &error);
    }
    drop(&rows);
  }
  free(all);
  free(of_kinds);
  return array;
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_initJson(JNIEnv *env, jclass class, jlong store,
                                                               jbyteArray json) {
  (void)class;
  struct text text;
  jbyteArray array = NULL;
  if (take(env, json, &text)) {
    char *report;
    store_error error;
    int32_t code = library.store_init_json((uint64_t)store, text.bytes, text.len, &report, &error);
    array = report_answer(env, code, report, &error);
  }
  drop(&text);
  return array;
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_initialized(JNIEnv *env, jclass class, jlong store) {
  (void)class;
  int32_t initialized;
  store_error error;
  int32_t code = library.store_initialized((uint64_t)store, &initialized, &error);
  return code < 0 ? failure(env, &error) : outcome(env, code, initialized);
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_available(JNIEnv *env, jclass class, jlong store) {
  (void)class;
  store_error error;
  int32_t code = library.store_available((uint64_t)store, &error);
  return code < 0 ? failure(env, &error) : outcome(env, code, 0);
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_bigSegmentsMetadata(JNIEnv *env, jclass class, jlong store) {
  (void)class;
  int64_t milliseconds = 0;
  store_error error;
  int32_t code = library.store_big_segments_metadata((uint64_t)store, &milliseconds, &error);
  return code < 0 ? failure(env, &error) : outcome(env, code, milliseconds);
}

/* Takes the membership. */
static jbyteArray membership_answer(JNIEnv *env, store_membership *membership) {
  size_t count = library.store_membership_count(membership), length = 0;
  const char *segment;
  size_t segment_len;
  int32_t included;
  for (size_t i = 0; i < count; i++) {
    library.store_membership_entry(membership, i, &segment, &segment_len, &included, NULL);
    length += sizeof(struct entry_head) + segment_len;
  }
  char *body = malloc(length + 1), *end = body;
  for (size_t i = 0; body != NULL && i < count; i++) {
    library.store_membership_entry(membership, i, &segment, &segment_len, &included, NULL);
    struct entry_head head = {included, (int32_t)segment_len};
    memcpy(end, &head, sizeof head);
    memcpy(end + sizeof head, segment, segment_len);
    end += sizeof head + segment_len;
  }
  library.store_membership_free(membership);
  if (body == NULL) {
    out_of_memory(env);
    return NULL;
  }
  jbyteArray array = answer(env, (struct head){.number = (int64_t)count}, body, length);
  free(body);
  return array;
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_bigSegmentsMembership(JNIEnv *env, jclass class, jlong store,
                                                                            jbyteArray hash) {
  (void)class;
  struct text text;
  jbyteArray array = NULL;
  if (take(env, hash, &text)) {
    store_membership *membership;
    store_error error;
    int32_t code = library.store_big_segments_membership((uint64_t)store, text.bytes, text.len, &membership, &error);
    if (code < 0) array = failure(env, &error);
    else array = code == STORE_OK ? membership_answer(env, membership) : outcome(env, code, 0);
  }
  drop(&text);
  return array;
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_statistics(JNIEnv *env, jclass class, jlong store) {
  (void)class;
  char *json;
  store_error error;
  int32_t code = library.store_statistics((uint64_t)store, &json, &error);
  return code < 0 ? failure(env, &error) : text_answer(env, 0, json);
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_clearCache(JNIEnv *env, jclass class, jlong store) {
  (void)class;
  store_error error;
  int32_t code = library.store_clear_cache((uint64_t)store, &error);
  return code < 0 ? failure(env, &error) : outcome(env, code, 0);
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_nextEvent(JNIEnv *env, jclass class, jlong store) {
  (void)class;
  int32_t level;
  char *message;
  store_error error;
  int32_t code = library.store_next_event((uint64_t)store, &level, &message, &error);
  if (code < 0) return failure(env, &error);
  return code == STORE_OK ? text_answer(env, level, message) : outcome(env, code, 0);
}

/*
 * Asynchronous calls
 *
 * The library's threads are not made known to the JVM: their small stacks are not for Java, and code that hangs on a
 * completed future must not hold them up. They leave results in a queue, which a Java thread waits for in nextResult.
 */

struct call {
  jlong number;
  bool list;
  store_result *result;
  struct call *next;
};

static struct {
  pthread_mutex_t mutex;
  pthread_cond_t filled;
  struct call *first, **end;
} results = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, &results.first};

static void completed(void *user_data, store_result *result) {
  struct call *call = user_data;
  call->result = result;
  call->next = NULL;
  pthread_mutex_lock(&results.mutex);
  *results.end = call;
  results.end = &call->next;
  pthread_cond_signal(&results.filled);
  pthread_mutex_unlock(&results.mutex);
}

static struct call *begin(JNIEnv *env, jlong number, bool list) {
  struct call *call = malloc(sizeof *call);
  if (call == NULL) out_of_memory(env);
  else *call = (struct call){.number = number, .list = list};
  return call;
}

/* The answer to the start of a call: one that was not accepted has no callback. */
static jbyteArray begun(JNIEnv *env, int32_t code, store_error *error, struct call *call) {
  if (code >= 0) return outcome(env, code, 0);
  free(call);
  return failure(env, error);
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_nextResult(JNIEnv *env, jclass class, jlongArray number) {
  (void)class;
  pthread_mutex_lock(&results.mutex);
  while (results.first == NULL) pthread_cond_wait(&results.filled, &results.mutex);
  struct call *call = results.first;
  results.first = call->next;
  if (results.first == NULL) results.end = &results.first;
  pthread_mutex_unlock(&results.mutex);

  store_result *result = call->result;
  jlong of_call = call->number;
  bool list = call->list;
  free(call);
  (*env)->SetLongArrayRegion(env, number, 0, 1, &of_call);

  jbyteArray array;
  store_error error;
  store_item item;
  store_items *items;
  int32_t code = library.store_result_code(result);
  if (code < 0) {
    library.store_result_error(result, &error);
    array = failure(env, &error);
  } else if (list && library.store_result_items(result, &items, NULL) == STORE_OK) {
    array = items_answer(env, items);
  } else if (!list && library.store_result_item(result, &item, NULL) == STORE_OK) {
    array = item_answer(env, code, &item);
  } else {
    array = outcome(env, code, 0);
  }
  library.store_result_free(result);
  return array;
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_getAsync(JNIEnv *env, jclass class, jlong store, jlong number,
                                                               jbyteArray kind, jbyteArray key) {
  (void)class;
  struct text of_kind, of_key;
  struct call *call;
  jbyteArray array = NULL;
  bool taken = take(env, kind, &of_kind);
  if (take(env, key, &of_key) && taken && (call = begin(env, number, false)) != NULL) {
    store_error error;
    int32_t code = library.store_get_async((uint64_t)store, of_kind.bytes, of_kind.len, of_key.bytes, of_key.len,
                                           completed, call, NULL, &error);
    array = begun(env, code, &error, call);
  }
  drop(&of_kind);
  drop(&of_key);
  return array;
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_getAllAsync(JNIEnv *env, jclass class, jlong store, jlong number,
                                                                  jbyteArray kind) {
  (void)class;
  struct text of_kind;
  struct call *call;
  jbyteArray array = NULL;
  if (take(env, kind, &of_kind) && (call = begin(env, number, true)) != NULL) {
    store_error error;
    int32_t code = library.store_get_all_async((uint64_t)store, of_kind.bytes, of_kind.len, completed, call, NULL, &error);
    array = begun(env, code, &error, call);
  }
  drop(&of_kind);
  return array;
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_upsertAsync(JNIEnv *env, jclass class, jlong store, jlong number,
                                                                  jbyteArray kind, jbyteArray key, jlong version,
                                                                  jboolean deleted, jbyteArray item) {
  (void)class;
  struct text of_kind, of_key, payload;
  struct call *call;
  jbyteArray array = NULL;
  bool taken = take(env, kind, &of_kind);
  taken = take(env, key, &of_key) && taken;
  if (take(env, item, &payload) && taken && (call = begin(env, number, false)) != NULL) {
    store_error error;
    int32_t code = library.store_upsert_async((uint64_t)store, of_kind.bytes, of_kind.len, of_key.bytes, of_key.len,
                                              version, deleted, payload.bytes, payload.len, completed, call, NULL, &error);
    array = begun(env, code, &error, call);
  }
  drop(&of_kind);
  drop(&of_key);
  drop(&payload);
  return array;
}
