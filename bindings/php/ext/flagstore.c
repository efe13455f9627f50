/*
 * The class Flagstore\Native: libflagstore for PHP processes that may not use FFI. flagstore.stub.php documents it.
 *
 * The extension has no globals and no settings: what outlives a request lives in the library, which gives stores that
 * are opened again with equal options the same connections and cache.
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "php.h"
#include "ext/spl/spl_exceptions.h"
#include "ext/standard/info.h"
#include "zend_exceptions.h"
#if PHP_VERSION_ID >= 80200
#include "zend_attributes.h"
#endif

#include <flagstore.h>

#include "flagstore_arginfo.h"

#if SIZEOF_ZEND_LONG != 8
#error "versions are 64-bit numbers, which this PHP does not have"
#endif

#define FLAGSTORE_VERSION "0.1.0"

/*
 * What a call gets from the library is kept here until it is copied: running into memory_limit while copying leaves
 * the function by a jump, and then free_native is what frees it.
 */
typedef struct native {
	uint64_t store;
	zend_class_entry *item_class;
	store_item item;
	store_items *items;
	store_membership *membership;
	char *text;
	store_error error;
	zend_object std;
} native;

static zend_class_entry *native_class;
static zend_object_handlers native_handlers;

static native *native_of(zend_object *object)
{
	return (native *) ((char *) object - XtOffsetOf(native, std));
}

#define THIS native_of(Z_OBJ_P(ZEND_THIS))

static zend_object *create_native(zend_class_entry *class)
{
	native *created = zend_object_alloc(sizeof(native), class);

	memset(created, 0, XtOffsetOf(native, std));
	zend_object_std_init(&created->std, class);
	object_properties_init(&created->std, class);
	created->std.handlers = &native_handlers;
	return &created->std;
}

static void free_text(native *this)
{
	store_string_free(this->text);
	this->text = NULL;
}

static void free_native(zend_object *object)
{
	native *this = native_of(object);

	store_item_free(&this->item);
	store_items_free(this->items);
	store_membership_free(this->membership);
	store_string_free(this->text);
	store_error_free(&this->error);
	if (this->store != 0) {
		store_close(this->store, NULL);
	}
	zend_object_std_dtor(object);
}

/* What the package's StoreException::of() makes of a failure; false where there is none, or nothing to throw. */
static bool package_exception(zval *exception, const char *code_name, zend_long code, bool retriable, zend_string *message)
{
	zend_string *name = zend_string_init(ZEND_STRL("Flagstore\\StoreException"), 0);
	zend_class_entry *class = zend_lookup_class(name);
	zend_function *of = class != NULL ? zend_hash_str_find_ptr(&class->function_table, ZEND_STRL("of")) : NULL;
	zval arguments[4];

	zend_string_release(name);
	ZVAL_UNDEF(exception);
	if (of == NULL || (of->common.fn_flags & ZEND_ACC_STATIC) == 0) {
		return false;
	}
	ZVAL_STR_COPY(&arguments[0], message);
	ZVAL_LONG(&arguments[1], code);
	ZVAL_STRING(&arguments[2], code_name);
	ZVAL_BOOL(&arguments[3], retriable);
	zend_call_known_function(of, NULL, class, exception, 4, arguments, NULL);
	zval_ptr_dtor(&arguments[0]);
	zval_ptr_dtor(&arguments[2]);
	if (!EG(exception) && Z_TYPE_P(exception) == IS_OBJECT && instanceof_function(Z_OBJCE_P(exception), zend_ce_exception)) {
		return true;
	}
	zval_ptr_dtor(exception);
	return false;
}

/* Throws the package's exception, so that callers see one class whichever way the library is called. */
static void throw_failure(store_error *error)
{
	const char *code_name = store_code_name(error->code);
	zend_long code = error->code;
	bool retriable = error->retriable != 0;
	zend_string *message = zend_string_init(error->message, strlen(error->message), 0);
	zval exception;

	/* Before loading the class, which may run any code, this object's methods included. */
	store_error_free(error);
	if (package_exception(&exception, code_name, code, retriable, message)) {
		zend_throw_exception_object(&exception);
	} else if (!EG(exception)) {
		zend_throw_exception_ex(spl_ce_RuntimeException, code, "%s: %s", code_name, ZSTR_VAL(message));
	}
	zend_string_release(message);
}

/* True if the call went well; else its failure is thrown. */
static bool succeeded(native *this, int32_t code)
{
	if (EXPECTED(code >= STORE_OK)) {
		return true;
	}
	throw_failure(&this->error);
	return false;
}

static void set_item(zval *place, const store_item *item)
{
	zval value;

	array_init_size(place, 4);
	zend_hash_real_init_packed(Z_ARRVAL_P(place));
	ZVAL_LONG(&value, item->version);
	zend_hash_next_index_insert_new(Z_ARRVAL_P(place), &value);
	if (item->deleted) {
		ZVAL_NULL(&value);
	} else {
		ZVAL_STRINGL(&value, item->item, item->item_len);
	}
	zend_hash_next_index_insert_new(Z_ARRVAL_P(place), &value);
	ZVAL_BOOL(&value, item->deleted);
	zend_hash_next_index_insert_new(Z_ARRVAL_P(place), &value);
	ZVAL_BOOL(&value, item->stale);
	zend_hash_next_index_insert_new(Z_ARRVAL_P(place), &value);
}

/* The members of an item, in the order of the constructor's parameters. */
static const char *const item_members[] = { "version", "item", "deleted", "stale" };
enum { ITEM_MEMBERS = sizeof(item_members) / sizeof(item_members[0]) };

static bool has_members(const zend_class_entry *class)
{
	for (uint32_t place = 0; place < ITEM_MEMBERS; place++) {
		const zend_property_info *info = zend_hash_str_find_ptr(&class->properties_info, item_members[place], strlen(item_members[place]));

		if (info == NULL || (info->flags & ZEND_ACC_STATIC) != 0 || info->offset != (uint32_t) OBJ_PROP_TO_OFFSET(place)) {
			return false;
		}
	}
	return class->default_properties_count == ITEM_MEMBERS;
}

/*
 * The package's class of items, which is another one in each request. Its constructor only sets the members, and calling it
 * would take as long as all the rest of a read out of the cache. Before the library is asked: loading the class may run any
 * code, this object's methods included.
 */
static bool find_item_class(native *this)
{
	zend_string *name = zend_string_init(ZEND_STRL("Flagstore\\Item"), 0);
	zend_class_entry *class = zend_lookup_class(name);

	zend_string_release(name);
	if (class != NULL && has_members(class)) {
		this->item_class = class;
		return true;
	}
	if (!EG(exception)) {
		zend_throw_error(NULL, "there is no class Flagstore\\Item as this extension needs it: install versions that match");
	}
	return false;
}

static void set_property(zend_object *object, uint32_t place, zval *value)
{
	zval *property = OBJ_PROP_NUM(object, place);

	ZVAL_COPY_VALUE(property, value);
	/* It is no longer one that was never set. */
	Z_PROP_FLAG_P(property) = 0;
}

static void set_item_object(zval *place, zend_class_entry *class, const store_item *item)
{
	zval members[ITEM_MEMBERS];

	object_init_ex(place, class);
	ZVAL_LONG(&members[0], item->version);
	if (item->deleted) {
		ZVAL_NULL(&members[1]);
	} else {
		ZVAL_STRINGL(&members[1], item->item, item->item_len);
	}
	ZVAL_BOOL(&members[2], item->deleted);
	ZVAL_BOOL(&members[3], item->stale);
	for (uint32_t member = 0; member < ITEM_MEMBERS; member++) {
		set_property(Z_OBJ_P(place), member, &members[member]);
	}
}

/* Numbers among the keys become integers, as everywhere in PHP. */
static void set_at_key(zval *array, const char *key, size_t key_len, zval *value)
{
	zend_symtable_str_update(Z_ARRVAL_P(array), key, key_len, value);
}

static void return_text(native *this, int32_t code, zval *return_value)
{
	if (succeeded(this, code)) {
		ZVAL_STRING(return_value, this->text);
		free_text(this);
	}
}

ZEND_METHOD(Flagstore_Native, __construct)
{
	ZEND_PARSE_PARAMETERS_NONE();
}

ZEND_METHOD(Flagstore_Native, open)
{
	zend_string *options;

	ZEND_PARSE_PARAMETERS_START(1, 1)
		Z_PARAM_STR(options)
	ZEND_PARSE_PARAMETERS_END();

	if (store_abi_version() != STORE_ABI_VERSION) {
		zend_throw_exception_ex(spl_ce_RuntimeException, 0,
			"libflagstore has ABI %u, and this extension needs ABI %d: install versions that match",
			store_abi_version(), STORE_ABI_VERSION);
		RETURN_THROWS();
	}
	object_init_ex(return_value, native_class);
	native *opened = native_of(Z_OBJ_P(return_value));
	int32_t code = store_open(ZSTR_VAL(options), ZSTR_LEN(options), &opened->store, &opened->error);
	if (!succeeded(opened, code)) {
		zval_ptr_dtor(return_value);
		ZVAL_NULL(return_value);
		RETURN_THROWS();
	}
}

ZEND_METHOD(Flagstore_Native, libraryVersion)
{
	ZEND_PARSE_PARAMETERS_NONE();
	RETURN_STRING(store_version());
}

ZEND_METHOD(Flagstore_Native, doctor)
{
	zend_string *options;
	zval holder;

	ZEND_PARSE_PARAMETERS_START(1, 1)
		Z_PARAM_STR(options)
	ZEND_PARSE_PARAMETERS_END();

	/* An object that has no store, for what is to be freed. */
	object_init_ex(&holder, native_class);
	native *asked = native_of(Z_OBJ(holder));
	int32_t code = store_doctor(ZSTR_VAL(options), ZSTR_LEN(options), &asked->text, &asked->error);
	return_text(asked, code, return_value);
	zval_ptr_dtor(&holder);
}

ZEND_METHOD(Flagstore_Native, close)
{
	ZEND_PARSE_PARAMETERS_NONE();

	native *this = THIS;
	uint64_t store = this->store;
	/* Zero is never a store, while the number of a closed one comes round again after many thousands. */
	this->store = 0;
	if (store != 0) {
		store_close(store, NULL);
	}
}

ZEND_METHOD(Flagstore_Native, get)
{
	zend_string *kind, *key;

	ZEND_PARSE_PARAMETERS_START(2, 2)
		Z_PARAM_STR(kind)
		Z_PARAM_STR(key)
	ZEND_PARSE_PARAMETERS_END();

	native *this = THIS;
	if (UNEXPECTED(this->item_class == NULL) && !find_item_class(this)) {
		RETURN_THROWS();
	}
	int32_t code = store_get(this->store, ZSTR_VAL(kind), ZSTR_LEN(kind), ZSTR_VAL(key), ZSTR_LEN(key),
		&this->item, &this->error);
	if (succeeded(this, code) && code == STORE_OK) {
		set_item_object(return_value, this->item_class, &this->item);
		store_item_free(&this->item);
	}
}

ZEND_METHOD(Flagstore_Native, all)
{
	zend_string *kind;
	const store_item *first;
	size_t count;

	ZEND_PARSE_PARAMETERS_START(1, 1)
		Z_PARAM_STR(kind)
	ZEND_PARSE_PARAMETERS_END();

	native *this = THIS;
	if (!succeeded(this, store_get_all(this->store, ZSTR_VAL(kind), ZSTR_LEN(kind), &this->items, &this->error))
			|| !succeeded(this, store_items_view(this->items, &first, &count, &this->error))) {
		RETURN_THROWS();
	}
	array_init_size(return_value, (uint32_t) MIN(count, HT_MAX_SIZE / 2));
	for (size_t i = 0; i < count; i++) {
		zval item;

		set_item(&item, &first[i]);
		set_at_key(return_value, first[i].key, first[i].key_len, &item);
	}
	store_items_free(this->items);
	this->items = NULL;
}

ZEND_METHOD(Flagstore_Native, upsert)
{
	zend_string *kind, *key, *item;
	zend_long version;
	bool deleted;

	ZEND_PARSE_PARAMETERS_START(5, 5)
		Z_PARAM_STR(kind)
		Z_PARAM_STR(key)
		Z_PARAM_LONG(version)
		Z_PARAM_BOOL(deleted)
		Z_PARAM_STR_OR_NULL(item)
	ZEND_PARSE_PARAMETERS_END();

	native *this = THIS;
	int32_t code = store_upsert(this->store, ZSTR_VAL(kind), ZSTR_LEN(kind), ZSTR_VAL(key), ZSTR_LEN(key), version,
		deleted, item ? ZSTR_VAL(item) : NULL, item ? ZSTR_LEN(item) : 0, &this->item, &this->error);
	if (!succeeded(this, code)) {
		RETURN_THROWS();
	}
	zval stored;
	ZVAL_NULL(&stored);
	if (code == STORE_NEWER_EXISTS) {
		set_item(&stored, &this->item);
		store_item_free(&this->item);
	}
	array_init_size(return_value, 2);
	add_next_index_long(return_value, code);
	add_next_index_zval(return_value, &stored);
}

/* The element at a place, if it has one of the two types; else NULL, and a TypeError says where it should be. */
static zval *element(HashTable *list, zend_ulong place, zend_uchar type, zend_uchar other, const char *what)
{
	zval *found = zend_hash_index_find_deref(list, place);

	if (found != NULL && (Z_TYPE_P(found) == type || Z_TYPE_P(found) == other)) {
		return found;
	}
	zend_argument_type_error(1, "must hold %s", what);
	return NULL;
}

#define KINDS "lists of a kind and its items"
#define ITEMS "items as lists of key, version, deleted, payload"

static bool read_item(zval *row, store_item *item)
{
	zval *key, *version, *deleted, *payload;

	if (Z_TYPE_P(row) != IS_ARRAY) {
		zend_argument_type_error(1, "must hold %s", ITEMS);
		return false;
	}
	key = element(Z_ARRVAL_P(row), 0, IS_STRING, IS_STRING, ITEMS);
	version = key ? element(Z_ARRVAL_P(row), 1, IS_LONG, IS_LONG, ITEMS) : NULL;
	deleted = version ? element(Z_ARRVAL_P(row), 2, IS_TRUE, IS_FALSE, ITEMS) : NULL;
	payload = deleted ? element(Z_ARRVAL_P(row), 3, IS_STRING, IS_NULL, ITEMS) : NULL;
	if (payload == NULL) {
		return false;
	}
	*item = (store_item) {
		.key = Z_STRVAL_P(key),
		.key_len = Z_STRLEN_P(key),
		.item = Z_TYPE_P(payload) == IS_STRING ? Z_STRVAL_P(payload) : NULL,
		.item_len = Z_TYPE_P(payload) == IS_STRING ? Z_STRLEN_P(payload) : 0,
		.version = Z_LVAL_P(version),
		.deleted = Z_TYPE_P(deleted) == IS_TRUE,
	};
	return true;
}

static bool read_collection(zval *given, store_collection *collection, store_item **next)
{
	zval *kind, *items, *row;

	if (Z_TYPE_P(given) != IS_ARRAY) {
		zend_argument_type_error(1, "must hold %s", KINDS);
		return false;
	}
	kind = element(Z_ARRVAL_P(given), 0, IS_STRING, IS_STRING, KINDS);
	items = kind ? element(Z_ARRVAL_P(given), 1, IS_ARRAY, IS_ARRAY, KINDS) : NULL;
	if (items == NULL) {
		return false;
	}
	*collection = (store_collection) { .kind = Z_STRVAL_P(kind), .kind_len = Z_STRLEN_P(kind), .items = *next };
	ZEND_HASH_FOREACH_VAL(Z_ARRVAL_P(items), row) {
		ZVAL_DEREF(row);
		if (!read_item(row, *next)) {
			return false;
		}
		(*next)++;
		collection->items_len++;
	} ZEND_HASH_FOREACH_END();
	return true;
}

/* How many items there are at most; what is no collection has none, and is refused when it is read. */
static size_t count_items(HashTable *collections)
{
	size_t count = 0;
	zval *collection;

	ZEND_HASH_FOREACH_VAL(collections, collection) {
		ZVAL_DEREF(collection);
		zval *items = Z_TYPE_P(collection) == IS_ARRAY ? zend_hash_index_find_deref(Z_ARRVAL_P(collection), 1) : NULL;
		if (items != NULL && Z_TYPE_P(items) == IS_ARRAY) {
			count += zend_hash_num_elements(Z_ARRVAL_P(items));
		}
	} ZEND_HASH_FOREACH_END();
	return count;
}

ZEND_METHOD(Flagstore_Native, init)
{
	HashTable *given;
	zval *collection;
	size_t read = 0;

	ZEND_PARSE_PARAMETERS_START(1, 1)
		Z_PARAM_ARRAY_HT(given)
	ZEND_PARSE_PARAMETERS_END();

	native *this = THIS;
	/* They point into the array, which the caller holds until the call is over. */
	store_collection *collections = safe_emalloc(zend_hash_num_elements(given), sizeof(store_collection), 1);
	store_item *items = safe_emalloc(count_items(given), sizeof(store_item), 1);
	store_item *next = items;
	bool readable = true;

	ZEND_HASH_FOREACH_VAL(given, collection) {
		ZVAL_DEREF(collection);
		readable = read_collection(collection, &collections[read], &next);
		if (!readable) {
			break;
		}
		read++;
	} ZEND_HASH_FOREACH_END();
	if (readable) {
		return_text(this, store_init(this->store, collections, read, &this->text, &this->error), return_value);
	}
	efree(items);
	efree(collections);
}

ZEND_METHOD(Flagstore_Native, initJson)
{
	zend_string *json;

	ZEND_PARSE_PARAMETERS_START(1, 1)
		Z_PARAM_STR(json)
	ZEND_PARSE_PARAMETERS_END();

	native *this = THIS;
	int32_t code = store_init_json(this->store, ZSTR_VAL(json), ZSTR_LEN(json), &this->text, &this->error);
	return_text(this, code, return_value);
}

ZEND_METHOD(Flagstore_Native, initialized)
{
	int32_t initialized;

	ZEND_PARSE_PARAMETERS_NONE();

	native *this = THIS;
	if (succeeded(this, store_initialized(this->store, &initialized, &this->error))) {
		RETURN_BOOL(initialized);
	}
}

ZEND_METHOD(Flagstore_Native, available)
{
	ZEND_PARSE_PARAMETERS_NONE();

	native *this = THIS;
	succeeded(this, store_available(this->store, &this->error));
}

ZEND_METHOD(Flagstore_Native, bigSegmentsMetadata)
{
	int64_t milliseconds;

	ZEND_PARSE_PARAMETERS_NONE();

	native *this = THIS;
	int32_t code = store_big_segments_metadata(this->store, &milliseconds, &this->error);
	if (succeeded(this, code) && code == STORE_OK) {
		RETURN_LONG(milliseconds);
	}
}

ZEND_METHOD(Flagstore_Native, bigSegmentsMembership)
{
	zend_string *hash;

	ZEND_PARSE_PARAMETERS_START(1, 1)
		Z_PARAM_STR(hash)
	ZEND_PARSE_PARAMETERS_END();

	native *this = THIS;
	int32_t code = store_big_segments_membership(this->store, ZSTR_VAL(hash), ZSTR_LEN(hash), &this->membership,
		&this->error);
	if (!succeeded(this, code) || code == STORE_NOT_FOUND) {
		return;
	}
	const char *segment;
	size_t segment_len;
	int32_t included;
	array_init(return_value);
	for (size_t i = 0;
			store_membership_entry(this->membership, i, &segment, &segment_len, &included, NULL) == STORE_OK; i++) {
		zval value;

		ZVAL_BOOL(&value, included);
		set_at_key(return_value, segment, segment_len, &value);
	}
	store_membership_free(this->membership);
	this->membership = NULL;
}

ZEND_METHOD(Flagstore_Native, statistics)
{
	ZEND_PARSE_PARAMETERS_NONE();

	native *this = THIS;
	return_text(this, store_statistics(this->store, &this->text, &this->error), return_value);
}

ZEND_METHOD(Flagstore_Native, clearCache)
{
	ZEND_PARSE_PARAMETERS_NONE();

	native *this = THIS;
	succeeded(this, store_clear_cache(this->store, &this->error));
}

ZEND_METHOD(Flagstore_Native, nextEvent)
{
	int32_t level;

	ZEND_PARSE_PARAMETERS_NONE();

	native *this = THIS;
	int32_t code = store_next_event(this->store, &level, &this->text, &this->error);
	if (succeeded(this, code) && code == STORE_OK) {
		array_init_size(return_value, 2);
		add_next_index_long(return_value, level);
		add_next_index_string(return_value, this->text);
		free_text(this);
	}
}

#if PHP_VERSION_ID >= 80200
/* Keeps options, which may hold credentials, and payloads out of stack traces. */
static void hide_in_traces(const char *method, size_t method_len, uint32_t parameter)
{
	zend_function *function = zend_hash_str_find_ptr(&native_class->function_table, method, method_len);

	zend_add_parameter_attribute(function, parameter, ZSTR_KNOWN(ZEND_STR_SENSITIVEPARAMETER), 0);
}
#endif

static PHP_MINIT_FUNCTION(flagstore)
{
	zend_class_entry class;

	INIT_NS_CLASS_ENTRY(class, "Flagstore", "Native", native_methods);
	native_class = zend_register_internal_class_ex(&class, NULL);
	native_class->ce_flags |= ZEND_ACC_FINAL | ZEND_ACC_NO_DYNAMIC_PROPERTIES | ZEND_ACC_NOT_SERIALIZABLE;
	native_class->create_object = create_native;

	memcpy(&native_handlers, &std_object_handlers, sizeof(native_handlers));
	native_handlers.offset = XtOffsetOf(native, std);
	native_handlers.free_obj = free_native;
	native_handlers.clone_obj = NULL;

#if PHP_VERSION_ID >= 80200
	hide_in_traces(ZEND_STRL("open"), 0);
	hide_in_traces(ZEND_STRL("doctor"), 0);
	hide_in_traces(ZEND_STRL("upsert"), 4);
	hide_in_traces(ZEND_STRL("init"), 0);
	hide_in_traces(ZEND_STRL("initjson"), 0);
#endif
	return SUCCESS;
}

static PHP_MINFO_FUNCTION(flagstore)
{
	char abi[64];

	snprintf(abi, sizeof(abi), "%u, %d needed", store_abi_version(), STORE_ABI_VERSION);
	php_info_print_table_start();
	php_info_print_table_row(2, "flagstore", "enabled");
	php_info_print_table_row(2, "Extension version", FLAGSTORE_VERSION);
	php_info_print_table_row(2, "libflagstore version", store_version());
	php_info_print_table_row(2, "libflagstore ABI", abi);
	php_info_print_table_end();
}

static const zend_module_dep dependencies[] = {
	ZEND_MOD_REQUIRED("spl")
	ZEND_MOD_END
};

zend_module_entry flagstore_module_entry = {
	STANDARD_MODULE_HEADER_EX,
	NULL,
	dependencies,
	"flagstore",
	NULL,
	PHP_MINIT(flagstore),
	NULL,
	NULL,
	NULL,
	PHP_MINFO(flagstore),
	FLAGSTORE_VERSION,
	STANDARD_MODULE_PROPERTIES
};

#ifdef COMPILE_DL_FLAGSTORE
ZEND_GET_MODULE(flagstore)
#endif
