/*
 * The JNI side of io.flagstore.Native: one crossing for each call of the store.
 *
 * Everything comes back as one byte array, an answer: `struct head`, then the body. An error's body is its message, whose
 * length is the number.
 * Answers that hold lists are laid out as described at Native's methods. NULL means that a Java exception is pending,
 * which can only be an OutOfMemoryError, unless the method says what else it means.
 */

#include <jni.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io_flagstore_Native.h"
#include "library.h"

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

static jbyteArray refusal(JNIEnv *env, int32_t code, const char *why) {
  return answer(env, (struct head){.code = code, .number = (int64_t)strlen(why)}, why, strlen(why));
}

static jbyteArray failure(JNIEnv *env, store_error *error) {
  const char *message = error->message == NULL ? "" : error->message;
  struct head head = {.code = error->code, .flags = error->retriable, .number = (int64_t)strlen(message)};
  jbyteArray array = answer(env, head, message, strlen(message));
  library.store_error_free(error);
  return array;
}

/* Of an init that failed: behind the message comes the report of what it had done. Takes both. */
static jbyteArray failed_init(JNIEnv *env, store_error *error, char *report) {
  const char *message = error->message == NULL ? "" : error->message;
  size_t length = strlen(message), all = length + strlen(report);
  struct head head = {.code = error->code, .flags = error->retriable, .number = (int64_t)length};
  char *body = malloc(all + 1);
  jbyteArray array = NULL;
  if (body == NULL) {
    out_of_memory(env);
  } else {
    memcpy(body, message, length);
    memcpy(body + length, report, all - length);
    array = answer(env, head, body, all);
  }
  free(body);
  library.store_error_free(error);
  library.store_string_free(report);
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

/* Where calls end; once for the process. */
static uint64_t queue;

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_use(JNIEnv *env, jclass class, jbyteArray path) {
  (void)class;
  struct text name;
  char why[512] = "";
  store_error error;
  /* Java ends the path with NUL. */
  bool used = take(env, path, &name) && library_use(path == NULL ? NULL : name.bytes, why, sizeof why);
  drop(&name);
  if ((*env)->ExceptionCheck(env)) return NULL;
  if (!used) return refusal(env, -1, why);
  if (queue == 0 && library.store_completions_open(&queue, &error) < 0) return failure(env, &error);
  return outcome(env, STORE_OK, 0);
}

JNIEXPORT jboolean JNICALL Java_io_flagstore_Native_linked(JNIEnv *env, jclass class) {
  (void)env, (void)class;
  return library_linked ? JNI_TRUE : JNI_FALSE;
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
    if (code >= 0 && (code = library.store_complete_to(store, queue, &error)) < 0) library.store_close(store, NULL);
    array = code < 0 ? failure(env, &error) : outcome(env, code, (int64_t)store);
  }
  drop(&json);
  return array;
}

JNIEXPORT void JNICALL Java_io_flagstore_Native_close(JNIEnv *env, jclass class, jlong store) {
  (void)env, (void)class;
  library.store_close((uint64_t)store, NULL);
}

/* What the cache has, or NULL. */
JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_getCached(JNIEnv *env, jclass class, jlong store,
                                                                jbyteArray kind, jbyteArray key) {
  (void)class;
  struct text of_kind, of_key;
  jbyteArray array = NULL;
  bool taken = take(env, kind, &of_kind);
  if (take(env, key, &of_key) && taken) {
    store_item item;
    store_error error;
    int32_t code = library.store_get_cached((uint64_t)store, of_kind.bytes, of_kind.len, of_key.bytes, of_key.len,
                                            &item, &error);
    if (code < 0) array = failure(env, &error);
    else if (code != STORE_NOT_CACHED) {
      array = code == STORE_OK ? item_answer(env, code, &item) : outcome(env, code, 0);
    }
  }
  drop(&of_kind);
  drop(&of_key);
  return array;
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_statistics(JNIEnv *env, jclass class, jlong store) {
  (void)class;
  char *json;
  store_error error;
  int32_t code = library.store_statistics((uint64_t)store, &json, &error);
  return code < 0 ? failure(env, &error) : text_answer(env, 0, json);
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_doctor(JNIEnv *env, jclass class, jbyteArray options) {
  (void)class;
  struct text json;
  jbyteArray array = NULL;
  if (take(env, options, &json)) {
    char *report;
    store_error error;
    int32_t code = library.store_doctor(json.bytes, json.len, &report, &error);
    array = code < 0 ? failure(env, &error) : text_answer(env, 0, report);
  }
  drop(&json);
  return array;
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
 * Calls of DynamoDB
 *
 * The library's threads are not made known to the JVM: their small stacks are not for Java, and code that waits for a
 * result must not hold them up. Calls end in a queue, which one Java thread waits for in nextResult; what is in a result,
 * whoever waited for it reads on a thread of theirs. What goes along with a call is the number that Java knows it by.
 */

/* That number, as what the library hands through. */
static void *tag(jlong number) {
  return (void *)(intptr_t)number;
}

JNIEXPORT jlong JNICALL Java_io_flagstore_Native_nextResult(JNIEnv *env, jclass class, jlongArray number) {
  (void)class;
  void *user_data;
  store_result *result;
  if (library.store_completions_next(queue, -1, &user_data, &result, NULL) != STORE_OK) return 0;
  jlong of_call = (jlong)(intptr_t)user_data;
  (*env)->SetLongArrayRegion(env, number, 0, 1, &of_call);
  return (jlong)(intptr_t)result;
}

JNIEXPORT void JNICALL Java_io_flagstore_Native_cancel(JNIEnv *env, jclass class, jlong call) {
  (void)env, (void)class;
  library.store_cancel((uint64_t)call, NULL);
}

/* What a result holds, besides a code. Native has the same numbers. */
enum content { NOTHING, ITEM, ITEMS, INITIALIZED, REPORT, METADATA, MEMBERSHIP };

/* The answer of a result that is no error. */
static jbyteArray content_answer(JNIEnv *env, const store_result *result, int32_t code, enum content content) {
  store_item item;
  store_items *items;
  store_membership *membership;
  int32_t initialized;
  int64_t milliseconds;
  char *report;
  switch (content) {
  case ITEM:
    if (library.store_result_item(result, &item, NULL) == STORE_OK) return item_answer(env, code, &item);
    break;
  case ITEMS:
    if (library.store_result_items(result, &items, NULL) == STORE_OK) return items_answer(env, items);
    break;
  case INITIALIZED:
    if (library.store_result_initialized(result, &initialized, NULL) == STORE_OK) return outcome(env, code, initialized);
    break;
  case REPORT:
    if (library.store_result_report(result, &report, NULL) == STORE_OK) return text_answer(env, 0, report);
    break;
  case METADATA:
    if (library.store_result_metadata(result, &milliseconds, NULL) == STORE_OK) return outcome(env, code, milliseconds);
    break;
  case MEMBERSHIP:
    if (library.store_result_membership(result, &membership, NULL) == STORE_OK) return membership_answer(env, membership);
    break;
  case NOTHING:
    break;
  }
  return outcome(env, code, 0);
}

/* Takes the result. */
JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_answer(JNIEnv *env, jclass class, jlong of_call, jint content) {
  (void)class;
  store_result *result = (store_result *)(intptr_t)of_call;
  store_error error;
  int32_t code = library.store_result_code(result);
  jbyteArray array;
  if (code < 0) {
    char *report;
    library.store_result_error(result, &error);
    bool reported = content == REPORT && library.store_result_report(result, &report, NULL) == STORE_OK;
    array = reported ? failed_init(env, &error, report) : failure(env, &error);
  } else {
    array = content_answer(env, result, code, content);
  }
  library.store_result_free(result);
  return array;
}

/* The answer to the start of a call: NULL, and the number to cancel it by, if its result comes later. */
static jbyteArray begun(JNIEnv *env, int32_t code, store_error *error, uint64_t number, jlongArray call) {
  jlong started = (jlong)number;
  if (code < 0) return failure(env, error);
  (*env)->SetLongArrayRegion(env, call, 0, 1, &started);
  return NULL;
}

/* A call that takes a store alone. */
static jbyteArray ask(JNIEnv *env, jlong store, jlong number, jlongArray call,
                      __typeof__(library.store_available_async) function) {
  store_error error;
  uint64_t started;
  int32_t code = function((uint64_t)store, NULL, tag(number), &started, &error);
  return begun(env, code, &error, started, call);
}

/* A call that takes a store and a text. */
static jbyteArray ask_for(JNIEnv *env, jlong store, jlong number, jlongArray call, jbyteArray given,
                          __typeof__(library.store_get_all_async) function) {
  struct text text;
  jbyteArray array = NULL;
  if (take(env, given, &text)) {
    store_error error;
    uint64_t started;
    int32_t code = function((uint64_t)store, text.bytes, text.len, NULL, tag(number), &started, &error);
    array = begun(env, code, &error, started, call);
  }
  drop(&text);
  return array;
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_get(JNIEnv *env, jclass class, jlong store, jlong number,
                                                          jlongArray call, jbyteArray kind, jbyteArray key) {
  (void)class;
  struct text of_kind, of_key;
  jbyteArray array = NULL;
  bool taken = take(env, kind, &of_kind);
  if (take(env, key, &of_key) && taken) {
    store_error error;
    uint64_t started;
    int32_t code = library.store_get_async((uint64_t)store, of_kind.bytes, of_kind.len, of_key.bytes, of_key.len, NULL,
                                           tag(number), &started, &error);
    array = begun(env, code, &error, started, call);
  }
  drop(&of_kind);
  drop(&of_key);
  return array;
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_getAll(JNIEnv *env, jclass class, jlong store, jlong number,
                                                             jlongArray call, jbyteArray kind) {
  (void)class;
  return ask_for(env, store, number, call, kind, library.store_get_all_async);
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_upsert(JNIEnv *env, jclass class, jlong store, jlong number,
                                                             jlongArray call, jbyteArray kind, jbyteArray key,
                                                             jlong version, jboolean deleted, jbyteArray item) {
  (void)class;
  struct text of_kind, of_key, payload;
  jbyteArray array = NULL;
  bool taken = take(env, kind, &of_kind);
  taken = take(env, key, &of_key) && taken;
  if (take(env, item, &payload) && taken) {
    store_error error;
    uint64_t started;
    int32_t code = library.store_upsert_async((uint64_t)store, of_kind.bytes, of_kind.len, of_key.bytes, of_key.len,
                                              version, deleted, payload.bytes, payload.len, NULL, tag(number), &started,
                                              &error);
    array = begun(env, code, &error, started, call);
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

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_init(JNIEnv *env, jclass class, jlong store, jlong number,
                                                           jlongArray call, jint collections, jint items,
                                                           jbyteArray data) {
  (void)class;
  struct text rows;
  jbyteArray array = NULL;
  store_collection *of_kinds = calloc((size_t)collections + 1, sizeof *of_kinds);
  store_item *all = calloc((size_t)items + 1, sizeof *all);
  if (of_kinds == NULL || all == NULL) {
    out_of_memory(env);
  } else {
    if (take(env, data, &rows)) {
      store_error error;
      uint64_t started;
      lay_out(rows.bytes, collections, of_kinds, all);
      int32_t code = library.store_init_async((uint64_t)store, of_kinds, (size_t)collections, NULL, tag(number), &started,
                                              &error);
      array = begun(env, code, &error, started, call);
    }
    drop(&rows);
  }
  free(all);
  free(of_kinds);
  return array;
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_initJson(JNIEnv *env, jclass class, jlong store, jlong number,
                                                               jlongArray call, jbyteArray json) {
  (void)class;
  return ask_for(env, store, number, call, json, library.store_init_json_async);
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_initialized(JNIEnv *env, jclass class, jlong store, jlong number,
                                                                  jlongArray call) {
  (void)class;
  return ask(env, store, number, call, library.store_initialized_async);
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_available(JNIEnv *env, jclass class, jlong store, jlong number,
                                                                jlongArray call) {
  (void)class;
  return ask(env, store, number, call, library.store_available_async);
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_bigSegmentsMetadata(JNIEnv *env, jclass class, jlong store,
                                                                          jlong number, jlongArray call) {
  (void)class;
  return ask(env, store, number, call, library.store_big_segments_metadata_async);
}

JNIEXPORT jbyteArray JNICALL Java_io_flagstore_Native_bigSegmentsMembership(JNIEnv *env, jclass class, jlong store,
                                                                            jlong number, jlongArray call,
                                                                            jbyteArray hash) {
  (void)class;
  return ask_for(env, store, number, call, hash, library.store_big_segments_membership_async);
}
