/*
 * libflagstore in Python's terms, on the stable ABI of Python 3.10 and later: one file for all of them. It loads the
 * library by its path, and is otherwise the same as _ctypes_calls.py, which serves interpreters that it does not fit.
 *
 * No code of this file runs on a thread of the library. The interpreter's lock is let go while a call waits, and only then:
 * what does not block takes less time than letting go would. Between the library's answer and the Python object that is
 * made of it no signal handler runs, so that one that raises leaves nothing behind.
 */
#define Py_LIMITED_API 0x030A0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <structmember.h>
#include <time.h>

#include "flagstore.h"

#ifdef _WIN32
#include <process.h>
#include <windows.h>
#define getpid _getpid
#else
#include <dlfcn.h>
#include <unistd.h>
#endif

/* Every function that is used. Pointers to them have the types that the header gives them. */
#define FUNCTIONS(X) \
  X(store_abi_version) X(store_version) X(store_code_name) X(store_open) X(store_close) X(store_get_cached) \
  X(store_get_async) X(store_get_all_async) X(store_upsert_async) X(store_init_async) X(store_init_json_async) \
  X(store_initialized_async) X(store_available_async) X(store_big_segments_metadata_async) \
  X(store_big_segments_membership_async) X(store_cancel) X(store_completions_open) X(store_complete_to) \
  X(store_completions_next) X(store_completions_notify) X(store_completions_close) X(store_result_code) \
  X(store_result_error) X(store_result_item) X(store_result_items) X(store_result_initialized) \
  X(store_result_metadata) X(store_result_membership) X(store_result_report) X(store_items_view) \
  X(store_membership_count) X(store_membership_entry) X(store_statistics) X(store_doctor) X(store_clear_cache) \
  X(store_next_event) X(store_error_free) X(store_item_free) X(store_items_free) X(store_membership_free) \
  X(store_result_free) X(store_string_free)

#define MEMBER(name) __typeof__(&name) name;
static struct {
  FUNCTIONS(MEMBER)
} library;

/* What load() was given: makes the exception of an error; the type of items; what stands for "not in the cache". */
static PyObject *failure, *not_cached;
static PyTypeObject *item_type;

/* As in _library.py. */
enum { GET, GET_ALL, UPSERT, INIT, INIT_JSON, INITIALIZED, AVAILABLE, METADATA, MEMBERSHIP };

/* What goes along with a call: its operation, and the number that its caller knows it by. No memory, so that none is lost
   where a queue is closed before the call ends. */
enum { OPERATIONS = 16 };

static void *label(int operation, unsigned long long number)
{
  return (void *)(uintptr_t)(number * OPERATIONS + (unsigned)operation);
}

/* Looking for events costs about as much as a cached read, so reads that go well do it so often only. */
static const int64_t NANOSECONDS_BETWEEN_LOOKS = 100000000;

/* Queues that no blocking call waits at. A call borrows one, since each of its own would cost more than the call. */
enum { SPARE_QUEUES = 64 };
static uint64_t spare_queues[SPARE_QUEUES];
static int spares;

/* Errors */

static PyObject *raise_error(store_error *error)
{
  const char *message = error->message == NULL ? "" : error->message;
  const char *name = library.store_code_name(error->code);
  PyObject *exception = PyObject_CallFunction(failure, "issO", (int)error->code, name, message, error->retriable ? Py_True : Py_False);
  if (exception != NULL)
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
  Py_XDECREF(exception);
  library.store_error_free(error);
  return NULL;
}

static PyObject *taken_string(char *string)
{
  PyObject *text = PyUnicode_DecodeUTF8(string, (Py_ssize_t)strlen(string), NULL);
  library.store_string_free(string);
  return text;
}

/* The base of items: four values that nothing changes, set without the call of a descriptor that each of Python's own slots
   would take. */

enum { VERSION, ITEM, DELETED, STALE, MEMBERS };

typedef struct {
  PyObject_HEAD
  PyObject *of[MEMBERS];
} values;

static PyObject *values_new(PyTypeObject *type, PyObject *by_place, PyObject *by_name)
{
  static char *names[] = {"version", "item", "deleted", "stale", NULL};
  PyObject *given[MEMBERS] = {NULL, Py_None, Py_False, Py_False};
  if (!PyArg_ParseTupleAndKeywords(by_place, by_name, "O|OOO:Item", names, &given[VERSION], &given[ITEM], &given[DELETED],
                                   &given[STALE]))
    return NULL;
  values *item = (values *)PyType_GenericAlloc(type, 0);
  for (int member = 0; item != NULL && member < MEMBERS; member++) {
    Py_INCREF(given[member]);
    item->of[member] = given[member];
  }
  return (PyObject *)item;
}

static void values_dealloc(PyObject *self)
{
  PyTypeObject *type = Py_TYPE(self);
  for (int member = 0; member < MEMBERS; member++)
    Py_XDECREF(((values *)self)->of[member]);
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(type);
}

static PyMemberDef values_members[] = {
  {"version", T_OBJECT, offsetof(values, of[VERSION]), READONLY, "decides which of two writes wins: 0 or more"},
  {"item", T_OBJECT, offsetof(values, of[ITEM]), READONLY, "the payload, exactly as it was stored; None for a deleted item"},
  {"deleted", T_OBJECT, offsetof(values, of[DELETED]), READONLY, "whether the item was deleted"},
  {"stale", T_OBJECT, offsetof(values, of[STALE]), READONLY, "whether it stands in for one that could not be read"},
  {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(values_doc, "Values(version, item=None, deleted=False, stale=False)\n--\n\nThe four values of an item.");

static PyType_Slot values_slots[] = {
  {Py_tp_new, values_new},
  {Py_tp_dealloc, values_dealloc},
  {Py_tp_members, values_members},
  {Py_tp_doc, (void *)values_doc},
  {0, NULL},
};

static PyType_Spec values_spec = {
  .name = "flagstore._native.Values",
  .basicsize = sizeof(values),
  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
  .slots = values_slots,
};

/* Answers as Python objects */

static PyObject *none(void)
{
  Py_INCREF(Py_None);
  return Py_None;
}

static PyObject *made_item(const store_item *found)
{
  values *item = (values *)PyType_GenericAlloc(item_type, 0);
  if (item == NULL)
    return NULL;
  item->of[VERSION] = PyLong_FromLongLong(found->version);
  item->of[ITEM] = found->deleted ? none() : PyUnicode_DecodeUTF8(found->item, (Py_ssize_t)found->item_len, NULL);
  item->of[DELETED] = PyBool_FromLong(found->deleted);
  item->of[STALE] = PyBool_FromLong(found->stale);
  if (item->of[VERSION] == NULL || item->of[ITEM] == NULL) {
    Py_DECREF(item);
    return NULL;
  }
  return (PyObject *)item;
}

static PyObject *taken_item(store_item *found)
{
  PyObject *item = made_item(found);
  library.store_item_free(found);
  return item;
}

/* Rows that cached reads gave lately, and the items that were made of them. Making an item takes longer than finding its row,
   most of it for a text of its payload, and what is read often is the same few rows: while the library gives out the same row,
   the same item is given out, which nobody can change. What is kept is bounded: where it would be more, all is let go of. */

enum { REMEMBERED = 256, REMEMBERED_BYTES = 1 << 20, REMEMBERED_ITEM = 1 << 16 };

typedef struct {
  store_item row;
  PyObject *item;
} sighting;

typedef struct {
  sighting *sightings;
  size_t bytes;
} memory;

static void forget(memory *memory)
{
  sighting *sightings = memory->sightings;
  memory->sightings = NULL;
  memory->bytes = 0;
  for (int place = 0; sightings != NULL && place < REMEMBERED; place++) {
    library.store_item_free(&sightings[place].row);
    Py_XDECREF(sightings[place].item);
  }
  PyMem_Free(sightings);
}

/* Whether they show the same memory, which is the same row as long as one of them keeps it alive. */
static int same(const store_item *one, const store_item *other)
{
  return one->key == other->key && one->item == other->item && one->version == other->version && one->stale == other->stale;
}

static sighting *place_of(const memory *memory, const store_item *row)
{
  uintptr_t address = (uintptr_t)row->key;
  return &memory->sightings[(address >> 4 ^ address >> 12) % REMEMBERED];
}

/* Keeps a row with its item, or lets go of the row. */
static void remember(memory *memory, store_item *row, PyObject *item)
{
  if (memory->bytes + row->item_len > REMEMBERED_BYTES)
    forget(memory);
  if (memory->sightings == NULL)
    memory->sightings = PyMem_Calloc(REMEMBERED, sizeof *memory->sightings);
  if (memory->sightings == NULL || row->item_len > REMEMBERED_ITEM) {
    library.store_item_free(row);
    return;
  }
  sighting *place = place_of(memory, row), before = *place;
  *place = (sighting){*row, item};
  memory->bytes += row->item_len - before.row.item_len;
  Py_INCREF(item);
  library.store_item_free(&before.row);
  Py_XDECREF(before.item);
}

static PyObject *item_seen(memory *memory, store_item *found)
{
  sighting *place = memory->sightings == NULL ? NULL : place_of(memory, found);
  if (place != NULL && place->item != NULL && same(&place->row, found)) {
    library.store_item_free(found);
    Py_INCREF(place->item);
    return place->item;
  }
  /* Making it may collect garbage, which may run code that reads from this store, or closes it. */
  PyObject *item = made_item(found);
  if (item == NULL)
    library.store_item_free(found);
  else
    remember(memory, found, item);
  return item;
}

static PyObject *items_of(const store_result *result)
{
  store_items *items;
  if (library.store_result_items(result, &items, NULL) != STORE_OK)
    return PyDict_New();
  const store_item *first = NULL;
  size_t count = 0;
  library.store_items_view(items, &first, &count, NULL);
  PyObject *by_key = PyDict_New();
  for (size_t place = 0; by_key != NULL && place < count; place++) {
    PyObject *key = PyUnicode_DecodeUTF8(first[place].key, (Py_ssize_t)first[place].key_len, NULL);
    PyObject *item = key == NULL ? NULL : made_item(&first[place]);
    if (item == NULL || PyDict_SetItem(by_key, key, item) < 0)
      Py_CLEAR(by_key);
    Py_XDECREF(key);
    Py_XDECREF(item);
  }
  library.store_items_free(items);
  return by_key;
}

static PyObject *membership_of(const store_result *result)
{
  store_membership *membership;
  if (library.store_result_membership(result, &membership, NULL) != STORE_OK)
    return none();
  PyObject *by_segment = PyDict_New();
  size_t count = library.store_membership_count(membership);
  for (size_t place = 0; by_segment != NULL && place < count; place++) {
    const char *segment;
    size_t length;
    int32_t included;
    if (library.store_membership_entry(membership, place, &segment, &length, &included, NULL) != STORE_OK)
      continue;
    PyObject *name = PyUnicode_DecodeUTF8(segment, (Py_ssize_t)length, NULL);
    if (name == NULL || PyDict_SetItem(by_segment, name, included ? Py_True : Py_False) < 0)
      Py_CLEAR(by_segment);
    Py_XDECREF(name);
  }
  library.store_membership_free(membership);
  return by_segment;
}

/* What a call returned, or NULL with the exception for its error. */
static PyObject *answer(int operation, const store_result *result)
{
  int32_t code = library.store_result_code(result);
  if (code < STORE_OK) {
    store_error error;
    library.store_result_error(result, &error);
    return raise_error(&error);
  }
  store_item item;
  int32_t initialized = 0;
  int64_t milliseconds = 0;
  char *report;
  switch (operation) {
  case GET:
    return library.store_result_item(result, &item, NULL) == STORE_OK ? taken_item(&item) : none();
  case GET_ALL:
    return items_of(result);
  case UPSERT: {
    int stands = code == STORE_NEWER_EXISTS && library.store_result_item(result, &item, NULL) == STORE_OK;
    return Py_BuildValue("iN", (int)code, stands ? taken_item(&item) : none());
  }
  case INIT:
  case INIT_JSON:
    return library.store_result_report(result, &report, NULL) == STORE_OK ? taken_string(report) : none();
  case INITIALIZED:
    library.store_result_initialized(result, &initialized, NULL);
    return PyBool_FromLong(initialized);
  case METADATA:
    if (code != STORE_OK || library.store_result_metadata(result, &milliseconds, NULL) != STORE_OK)
      return none();
    return PyLong_FromLongLong(milliseconds);
  case MEMBERSHIP:
    return membership_of(result);
  default:
    return none();
  }
}

/* Calls */

/* The rows of one kind, out of a list of (key, payload, version, deleted). NULL with an exception if it is none. */
static store_item *rows_of(PyObject *list, Py_ssize_t count)
{
  store_item *rows = PyMem_Calloc(count == 0 ? 1 : (size_t)count, sizeof *rows);
  if (rows == NULL) {
    PyErr_NoMemory();
    return NULL;
  }
  for (Py_ssize_t place = 0; place < count; place++) {
    store_item *row = &rows[place];
    Py_ssize_t key_len, item_len;
    long long version;
    int deleted;
    PyObject *given = PyList_GetItem(list, place);
    if (given == NULL ||
        !PyArg_ParseTuple(given, "y#y#Lp", &row->key, &key_len, &row->item, &item_len, &version, &deleted)) {
      PyMem_Free(rows);
      return NULL;
    }
    row->key_len = (size_t)key_len;
    row->item_len = (size_t)item_len;
    row->version = version;
    row->deleted = deleted;
  }
  return rows;
}

/* Begins an init with a list of (kind, rows). Everything is copied before it returns. */
static int32_t begin_init(uint64_t store, PyObject *kinds, void *label, uint64_t *call, store_error *error)
{
  Py_ssize_t count = PyList_Size(kinds), filled = 0;
  if (count < 0)
    return STORE_ERROR_NULL_ARGUMENT;
  store_collection *collections = PyMem_Calloc(count == 0 ? 1 : (size_t)count, sizeof *collections);
  if (collections == NULL)
    PyErr_NoMemory();
  for (; collections != NULL && filled < count; filled++) {
    store_collection *collection = &collections[filled];
    PyObject *rows, *given = PyList_GetItem(kinds, filled);
    Py_ssize_t kind_len;
    if (given == NULL || !PyArg_ParseTuple(given, "y#O", &collection->kind, &kind_len, &rows))
      break;
    Py_ssize_t items_len = PyList_Size(rows);
    collection->items = items_len < 0 ? NULL : rows_of(rows, items_len);
    if (collection->items == NULL)
      break;
    collection->kind_len = (size_t)kind_len;
    collection->items_len = (size_t)items_len;
  }
  int32_t code = STORE_ERROR_NULL_ARGUMENT;
  if (!PyErr_Occurred())
    code = library.store_init_async(store, collections, (size_t)count, NULL, label, call, error);
  for (Py_ssize_t place = 0; place < filled; place++)
    PyMem_Free((void *)collections[place].items);
  PyMem_Free(collections);
  return code;
}

/* Begins a call that ends in a queue with a label. After an error either an exception is set or `error` is. */
static int32_t begin(uint64_t store, uint64_t queue, int operation, void *label, PyObject *arguments,
                     uint64_t *call, store_error *error)
{
  const char *first, *second, *third;
  Py_ssize_t first_len, second_len, third_len;
  long long version;
  int deleted;
  PyObject *kinds;
  /* Nobody else makes a call with this handle in between: this thread has the interpreter's lock. */
  int32_t code = library.store_complete_to(store, queue, error);
  if (code != STORE_OK)
    return code;
  switch (operation) {
  case GET:
    if (!PyArg_ParseTuple(arguments, "y#y#", &first, &first_len, &second, &second_len))
      break;
    return library.store_get_async(store, first, (size_t)first_len, second, (size_t)second_len, NULL, label, call, error);
  case GET_ALL:
    if (!PyArg_ParseTuple(arguments, "y#", &first, &first_len))
      break;
    return library.store_get_all_async(store, first, (size_t)first_len, NULL, label, call, error);
  case UPSERT:
    if (!PyArg_ParseTuple(arguments, "y#y#Lpy#", &first, &first_len, &second, &second_len, &version, &deleted, &third,
                          &third_len))
      break;
    return library.store_upsert_async(store, first, (size_t)first_len, second, (size_t)second_len, version, deleted, third,
                                      (size_t)third_len, NULL, label, call, error);
  case INIT:
    if (!PyArg_ParseTuple(arguments, "O", &kinds))
      break;
    return begin_init(store, kinds, label, call, error);
  case INIT_JSON:
    if (!PyArg_ParseTuple(arguments, "y#", &first, &first_len))
      break;
    return library.store_init_json_async(store, first, (size_t)first_len, NULL, label, call, error);
  case INITIALIZED:
    return library.store_initialized_async(store, NULL, label, call, error);
  case AVAILABLE:
    return library.store_available_async(store, NULL, label, call, error);
  case METADATA:
    return library.store_big_segments_metadata_async(store, NULL, label, call, error);
  case MEMBERSHIP:
    if (!PyArg_ParseTuple(arguments, "y#", &first, &first_len))
      break;
    return library.store_big_segments_membership_async(store, first, (size_t)first_len, NULL, label, call, error);
  default:
    PyErr_SetString(PyExc_SystemError, "there is no such operation");
  }
  return STORE_ERROR_NULL_ARGUMENT;
}

static PyObject *start(PyObject *module, PyObject *arguments)
{
  unsigned long long store, queue, number;
  int operation;
  PyObject *of_operation;
  uint64_t call = 0;
  store_error error;
  (void)module;
  if (!PyArg_ParseTuple(arguments, "KKiKO", &store, &queue, &operation, &number, &of_operation))
    return NULL;
  if (begin(store, queue, operation, label(operation, number), of_operation, &call, &error) == STORE_OK)
    return PyLong_FromUnsignedLongLong(call);
  return PyErr_Occurred() ? NULL : raise_error(&error);
}

static PyObject *next(PyObject *module, PyObject *arguments)
{
  unsigned long long queue;
  long long timeout_ms;
  (void)module;
  if (!PyArg_ParseTuple(arguments, "KL", &queue, &timeout_ms))
    return NULL;
  void *user_data = NULL;
  store_result *result = NULL;
  store_error error;
  int32_t code;
  if (timeout_ms == 0) {
    code = library.store_completions_next(queue, 0, &user_data, &result, &error);
  } else {
    Py_BEGIN_ALLOW_THREADS
    code = library.store_completions_next(queue, timeout_ms, &user_data, &result, &error);
    Py_END_ALLOW_THREADS
  }
  if (code == STORE_NOT_FOUND)
    return none();
  if (code != STORE_OK)
    return raise_error(&error);
  uintptr_t of_call = (uintptr_t)user_data;
  unsigned long long number = of_call / OPERATIONS;
  PyObject *value = answer((int)(of_call % OPERATIONS), result);
  library.store_result_free(result);
  if (value != NULL)
    return Py_BuildValue("KNN", number, value, none());
  PyObject *type, *exception, *traceback;
  PyErr_Fetch(&type, &exception, &traceback);
  PyErr_NormalizeException(&type, &exception, &traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  return Py_BuildValue("KNN", number, none(), exception);
}

/* The result of a call that ends in a borrowed queue. Where a signal handler raises meanwhile, the call is cancelled, its
   end awaited, and the result NULL. */
static store_result *awaited(uint64_t queue, uint64_t call, long long slice_ms)
{
  void *user_data = NULL;
  store_result *result = NULL;
  int32_t code = STORE_NOT_FOUND;
  int process = (int)getpid();
  while (code == STORE_NOT_FOUND) {
    Py_BEGIN_ALLOW_THREADS
    code = library.store_completions_next(queue, slice_ms, &user_data, &result, NULL);
    Py_END_ALLOW_THREADS
    if (code != STORE_NOT_FOUND)
      break;
    if (PyErr_CheckSignals() < 0)
      break;
    if ((int)getpid() != process) {
      /* A signal handler forked, and this is the child: the call ends in the parent. */
      PyErr_SetString(PyExc_InterruptedError, "this process was forked while the call waited, which its parent goes on with");
      return NULL;
    }
  }
  if (code == STORE_OK)
    return result;
  if (!PyErr_Occurred()) {
    PyErr_SetString(PyExc_SystemError, "a completion queue of flagstore was closed while a call waited at it");
    return NULL;
  }
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  library.store_cancel(call, NULL);
  Py_BEGIN_ALLOW_THREADS
  if (library.store_completions_next(queue, -1, &user_data, &result, NULL) == STORE_OK)
    library.store_result_free(result);
  Py_END_ALLOW_THREADS
  PyErr_Restore(type, value, traceback);
  return NULL;
}

static PyObject *call(PyObject *module, PyObject *arguments)
{
  unsigned long long store;
  long long slice_ms;
  int operation;
  PyObject *of_operation;
  (void)module;
  if (!PyArg_ParseTuple(arguments, "KiOL", &store, &operation, &of_operation, &slice_ms))
    return NULL;
  store_error error;
  uint64_t queue, number = 0;
  if (spares > 0)
    queue = spare_queues[--spares];
  else if (library.store_completions_open(&queue, &error) != STORE_OK)
    return raise_error(&error);
  PyObject *value = NULL;
  if (begin(store, queue, operation, label(operation, 0), of_operation, &number, &error) == STORE_OK) {
    store_result *result = awaited(queue, number, slice_ms);
    if (result != NULL)
      value = answer(operation, result);
    library.store_result_free(result);
  } else if (!PyErr_Occurred()) {
    raise_error(&error);
  }
  if (spares < SPARE_QUEUES)
    spare_queues[spares++] = queue;
  else
    library.store_completions_close(queue, NULL);
  return value;
}

static PyObject *cancel(PyObject *module, PyObject *number)
{
  unsigned long long call = PyLong_AsUnsignedLongLong(number);
  (void)module;
  if (PyErr_Occurred())
    return NULL;
  library.store_cancel(call, NULL);
  return none();
}

static PyObject *completions_open(PyObject *module, PyObject *nothing)
{
  uint64_t queue;
  store_error error;
  (void)module;
  (void)nothing;
  return library.store_completions_open(&queue, &error) == STORE_OK ? PyLong_FromUnsignedLongLong(queue) : raise_error(&error);
}

static PyObject *completions_notify(PyObject *module, PyObject *arguments)
{
  unsigned long long queue;
  long long descriptor;
  store_error error;
  (void)module;
  if (!PyArg_ParseTuple(arguments, "KL", &queue, &descriptor))
    return NULL;
  return library.store_completions_notify(queue, descriptor, &error) == STORE_OK ? none() : raise_error(&error);
}

static PyObject *completions_close(PyObject *module, PyObject *number)
{
  unsigned long long queue = PyLong_AsUnsignedLongLong(number);
  (void)module;
  if (PyErr_Occurred())
    return NULL;
  library.store_completions_close(queue, NULL);
  return none();
}

/* What does not block */

/* A hit, None for a row that is known not to be there, or NULL without an exception where neither is cached. */
static PyObject *hit(uint64_t store, memory *memory, PyObject *kind, PyObject *key, int *stale)
{
  Py_ssize_t kind_len, key_len;
  store_item found;
  const char *kind_text = PyUnicode_AsUTF8AndSize(kind, &kind_len);
  const char *key_text = kind_text == NULL ? NULL : PyUnicode_AsUTF8AndSize(key, &key_len);
  if (key_text == NULL) {
    /* Whoever asks DynamoDB next says what is wrong with them. */
    PyErr_Clear();
    return NULL;
  }
  int32_t code = library.store_get_cached(store, kind_text, (size_t)kind_len, key_text, (size_t)key_len, &found, NULL);
  if (code == STORE_NOT_FOUND)
    return none();
  if (code != STORE_OK)
    return NULL;
  *stale = found.stale;
  return memory == NULL ? taken_item(&found) : item_seen(memory, &found);
}

static PyObject *cached(PyObject *module, PyObject *arguments)
{
  unsigned long long store;
  PyObject *kind, *key;
  int stale = 0;
  (void)module;
  if (!PyArg_ParseTuple(arguments, "KOO", &store, &kind, &key))
    return NULL;
  PyObject *item = hit(store, NULL, kind, key, &stale);
  if (item == NULL && !PyErr_Occurred()) {
    Py_INCREF(not_cached);
    return not_cached;
  }
  return item;
}

static PyObject *open_store(PyObject *module, PyObject *arguments)
{
  const char *options;
  Py_ssize_t length;
  uint64_t store;
  store_error error;
  (void)module;
  if (!PyArg_ParseTuple(arguments, "y#", &options, &length))
    return NULL;
  /* With the interpreter's lock: nobody changes os.environ while the library reads the environment. */
  if (library.store_open(options, (size_t)length, &store, &error) != STORE_OK)
    return raise_error(&error);
  return PyLong_FromUnsignedLongLong(store);
}

static PyObject *close_store(PyObject *module, PyObject *number)
{
  unsigned long long store = PyLong_AsUnsignedLongLong(number);
  (void)module;
  if (PyErr_Occurred())
    return NULL;
  library.store_close(store, NULL);
  return none();
}

static PyObject *statistics(PyObject *module, PyObject *number)
{
  char *json;
  store_error error;
  unsigned long long store = PyLong_AsUnsignedLongLong(number);
  (void)module;
  if (PyErr_Occurred())
    return NULL;
  return library.store_statistics(store, &json, &error) == STORE_OK ? taken_string(json) : raise_error(&error);
}

static PyObject *doctor(PyObject *module, PyObject *arguments)
{
  const char *options;
  Py_ssize_t length;
  char *json;
  int32_t code;
  store_error error;
  (void)module;
  if (!PyArg_ParseTuple(arguments, "y#", &options, &length))
    return NULL;
  Py_BEGIN_ALLOW_THREADS
  code = library.store_doctor(options, (size_t)length, &json, &error);
  Py_END_ALLOW_THREADS
  return code == STORE_OK ? taken_string(json) : raise_error(&error);
}

static PyObject *clear_cache(PyObject *module, PyObject *number)
{
  store_error error;
  unsigned long long store = PyLong_AsUnsignedLongLong(number);
  (void)module;
  if (PyErr_Occurred())
    return NULL;
  return library.store_clear_cache(store, &error) == STORE_OK ? none() : raise_error(&error);
}

static PyObject *next_event(PyObject *module, PyObject *number)
{
  int32_t level;
  char *message;
  store_error error;
  unsigned long long store = PyLong_AsUnsignedLongLong(number);
  (void)module;
  if (PyErr_Occurred())
    return NULL;
  int32_t code = library.store_next_event(store, &level, &message, &error);
  if (code < STORE_OK)
    return raise_error(&error);
  return code == STORE_OK ? Py_BuildValue("iN", (int)level, taken_string(message)) : none();
}

static PyObject *version(PyObject *module, PyObject *nothing)
{
  (void)module;
  (void)nothing;
  return PyUnicode_FromString(library.store_version());
}

static PyObject *code_name(PyObject *module, PyObject *code)
{
  long number = PyLong_AsLong(code);
  (void)module;
  if (PyErr_Occurred())
    return NULL;
  return PyUnicode_FromString(library.store_code_name((int32_t)number));
}

/* The base of a store, for the one read that is worth a detour around Python's own code: that of a cached item. */

typedef struct {
  PyObject_HEAD
  unsigned long long handle;
  long long next_look;
  memory memory;
} base;

static int64_t nanoseconds(void)
{
#if defined(_WIN32)
  return (int64_t)GetTickCount64() * 1000000;
#else
  struct timespec now;
#ifdef CLOCK_MONOTONIC_COARSE
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
#else
  clock_gettime(CLOCK_MONOTONIC, &now);
#endif
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
#endif
}

static PyObject *called(PyObject *self, const char *method, PyObject *const *given, Py_ssize_t count, PyObject *names)
{
  PyObject *function = PyObject_GetAttrString(self, method), *by_place = PyTuple_New(count), *by_name = PyDict_New();
  PyObject *value = NULL;
  if (function == NULL || by_place == NULL || by_name == NULL)
    goto done;
  for (Py_ssize_t place = 0; place < count; place++) {
    Py_INCREF(given[place]);
    PyTuple_SetItem(by_place, place, given[place]);
  }
  for (Py_ssize_t place = 0; names != NULL && place < PyTuple_Size(names); place++)
    if (PyDict_SetItem(by_name, PyTuple_GetItem(names, place), given[count + place]) < 0)
      goto done;
  value = PyObject_Call(function, by_place, by_name);
done:
  Py_XDECREF(function);
  Py_XDECREF(by_place);
  Py_XDECREF(by_name);
  return value;
}

static PyObject *base_get(PyObject *self, PyObject *const *given, Py_ssize_t count, PyObject *names)
{
  base *store = (base *)self;
  int stale = 0;
  if (count != 2 || names != NULL || store->handle == 0)
    return called(self, "_get", given, count, names);
  PyObject *item = hit(store->handle, &store->memory, given[0], given[1], &stale);
  if (item == NULL)
    return PyErr_Occurred() ? NULL : called(self, "_get", given, count, names);
  int64_t now = nanoseconds();
  if (now < store->next_look && !stale)
    return item;
  if (store->next_look != INT64_MAX) {
    store->next_look = now + NANOSECONDS_BETWEEN_LOOKS;
    PyObject *nothing = called(self, "_deliver_events", NULL, 0, NULL);
    if (nothing == NULL)
      Py_CLEAR(item);
    Py_XDECREF(nothing);
  }
  return item;
}

PyDoc_STRVAR(get_doc,
             "get($self, kind, key)\n--\n\n"
             "Reads one item, a deleted one included: look at its ``deleted``.\n\n"
             "None if there is no row, or one that cannot be read, which an event reports. Blocks for at most\n"
             "``timeout_ms``, unless the item is cached.\n\n"
             ":raises UsageError: kind or key is empty or too long, or the store is closed\n"
             ":raises UnavailableError: DynamoDB did not answer in time\n"
             ":raises ConfigurationError: the table, credentials or region are wrong\n");

static PyObject *base_forget(PyObject *self, PyObject *nothing)
{
  (void)nothing;
  forget(&((base *)self)->memory);
  return none();
}

static void base_dealloc(PyObject *self)
{
  PyTypeObject *type = Py_TYPE(self);
  forget(&((base *)self)->memory);
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(type);
}

static PyMethodDef base_methods[] = {
  {"get", (PyCFunction)(void (*)(void))base_get, METH_FASTCALL | METH_KEYWORDS, get_doc},
  {"_forget", base_forget, METH_NOARGS, "_forget(): lets go of the items that cached reads gave"},
  {NULL, NULL, 0, NULL},
};

static PyMemberDef base_members[] = {
  {"_handle", T_ULONGLONG, offsetof(base, handle), 0, "the library's number of the store, 0 once it is closed"},
  {"_next_look", T_LONGLONG, offsetof(base, next_look), 0, "when cached reads look for events next, in nanoseconds"},
  {NULL, 0, 0, 0, NULL},
};

static PyType_Slot base_slots[] = {
  {Py_tp_dealloc, base_dealloc},
  {Py_tp_methods, base_methods},
  {Py_tp_members, base_members},
  {0, NULL},
};

static PyType_Spec base_spec = {
  .name = "flagstore._native.Base",
  .basicsize = sizeof(base),
  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
  .slots = base_slots,
};

/* The module */

static void *opened(PyObject *path)
{
#ifdef _WIN32
  wchar_t *name = PyUnicode_AsWideCharString(path, NULL);
  void *file = name == NULL ? NULL : (void *)LoadLibraryW(name);
  PyMem_Free(name);
  if (file == NULL && !PyErr_Occurred())
    PyErr_Format(PyExc_OSError, "Windows cannot load it (error %lu)", GetLastError());
  return file;
#else
  PyObject *name;
  if (!PyUnicode_FSConverter(path, &name))
    return NULL;
  void *file = dlopen(PyBytes_AsString(name), RTLD_NOW | RTLD_LOCAL);
  Py_DECREF(name);
  if (file == NULL)
    PyErr_SetString(PyExc_OSError, dlerror());
  return file;
#endif
}

static void *symbol(void *file, const char *name)
{
#ifdef _WIN32
  void *function = (void *)GetProcAddress((HMODULE)file, name);
#else
  void *function = dlsym(file, name);
#endif
  if (function == NULL)
    PyErr_Format(PyExc_OSError, "it has no function %s", name);
  return function;
}

static PyObject *load(PyObject *module, PyObject *arguments)
{
  PyObject *path, *fails, *type, *missing;
  (void)module;
  if (!PyArg_ParseTuple(arguments, "OOOO", &path, &fails, &type, &missing))
    return NULL;
  void *file = opened(path);
  if (file == NULL)
    return NULL;
#define FIND(name) \
  if ((library.name = (__typeof__(&name))symbol(file, #name)) == NULL) \
    return NULL;
  FUNCTIONS(FIND)
  Py_INCREF(fails);
  failure = fails;
  Py_INCREF(type);
  item_type = (PyTypeObject *)type;
  Py_INCREF(missing);
  not_cached = missing;
  return PyLong_FromUnsignedLong(library.store_abi_version());
}

static PyMethodDef functions[] = {
  {"load", load, METH_VARARGS, "load(path, failure, item, not_cached): loads the library; the number of its ABI"},
  {"version", version, METH_NOARGS, "version(): the library's"},
  {"code_name", code_name, METH_O, "code_name(code): the name of a number of the C ABI"},
  {"open", open_store, METH_VARARGS, "open(options): opens a store"},
  {"close", close_store, METH_O, "close(store)"},
  {"cached", cached, METH_VARARGS, "cached(store, kind, key): what the cache has"},
  {"call", call, METH_VARARGS, "call(store, operation, arguments, slice_ms): makes a call and waits for its end"},
  {"start", start, METH_VARARGS, "start(store, queue, operation, number, arguments): begins a call; what cancels it"},
  {"next", next, METH_VARARGS, "next(queue, timeout_ms): number, value and exception of a call that ended, or None"},
  {"cancel", cancel, METH_O, "cancel(call)"},
  {"completions_open", completions_open, METH_NOARGS, "completions_open(): the number of a queue"},
  {"completions_notify", completions_notify, METH_VARARGS, "completions_notify(queue, descriptor)"},
  {"completions_close", completions_close, METH_O, "completions_close(queue)"},
  {"statistics", statistics, METH_O, "statistics(store): JSON"},
  {"doctor", doctor, METH_VARARGS, "doctor(options): looks at everything, letting go of the interpreter's lock; JSON"},
  {"clear_cache", clear_cache, METH_O, "clear_cache(store)"},
  {"next_event", next_event, METH_O, "next_event(store): level and message, or None"},
  {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
  PyModuleDef_HEAD_INIT,
  .m_name = "flagstore._native",
  .m_doc = "libflagstore in Python's terms",
  .m_size = -1,
  .m_methods = functions,
};

static int added(PyObject *module, const char *name, PyType_Spec *spec)
{
  PyObject *type = PyType_FromSpec(spec);
  int failed = type == NULL || PyModule_AddObjectRef(module, name, type) < 0;
  Py_XDECREF(type);
  return !failed;
}

PyMODINIT_FUNC PyInit__native(void)
{
  PyObject *module = PyModule_Create(&definition);
  if (module != NULL && (!added(module, "Base", &base_spec) || !added(module, "Values", &values_spec)))
    Py_CLEAR(module);
  return module;
}
