/* What flagstore.stub.php declares; tests/TransportsTest.php compares the two through reflection. */

ZEND_BEGIN_ARG_INFO_EX(arginfo_native___construct, 0, 0, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_OBJ_INFO_EX(arginfo_native_open, 0, 1, Flagstore\\Native, 0)
	ZEND_ARG_TYPE_INFO(0, options, IS_STRING, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_native_doctor, 0, 1, IS_STRING, 0)
	ZEND_ARG_TYPE_INFO(0, options, IS_STRING, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_native_string, 0, 0, IS_STRING, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_native_void, 0, 0, IS_VOID, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_OBJ_INFO_EX(arginfo_native_get, 0, 2, Flagstore\\Item, 1)
	ZEND_ARG_TYPE_INFO(0, kind, IS_STRING, 0)
	ZEND_ARG_TYPE_INFO(0, key, IS_STRING, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_native_all, 0, 1, IS_ARRAY, 0)
	ZEND_ARG_TYPE_INFO(0, kind, IS_STRING, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_native_upsert, 0, 5, IS_ARRAY, 0)
	ZEND_ARG_TYPE_INFO(0, kind, IS_STRING, 0)
	ZEND_ARG_TYPE_INFO(0, key, IS_STRING, 0)
	ZEND_ARG_TYPE_INFO(0, version, IS_LONG, 0)
	ZEND_ARG_TYPE_INFO(0, deleted, _IS_BOOL, 0)
	ZEND_ARG_TYPE_INFO(0, item, IS_STRING, 1)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_native_init, 0, 1, IS_STRING, 0)
	ZEND_ARG_TYPE_INFO(0, collections, IS_ARRAY, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_native_initJson, 0, 1, IS_STRING, 0)
	ZEND_ARG_TYPE_INFO(0, json, IS_STRING, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_native_initialized, 0, 0, _IS_BOOL, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_native_bigSegmentsMetadata, 0, 0, IS_LONG, 1)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_native_bigSegmentsMembership, 0, 1, IS_ARRAY, 1)
	ZEND_ARG_TYPE_INFO(0, hash, IS_STRING, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_native_nextEvent, 0, 0, IS_ARRAY, 1)
ZEND_END_ARG_INFO()

ZEND_METHOD(Flagstore_Native, __construct);
ZEND_METHOD(Flagstore_Native, open);
ZEND_METHOD(Flagstore_Native, libraryVersion);
ZEND_METHOD(Flagstore_Native, doctor);
ZEND_METHOD(Flagstore_Native, close);
ZEND_METHOD(Flagstore_Native, get);
ZEND_METHOD(Flagstore_Native, all);
ZEND_METHOD(Flagstore_Native, upsert);
ZEND_METHOD(Flagstore_Native, init);
ZEND_METHOD(Flagstore_Native, initJson);
ZEND_METHOD(Flagstore_Native, initialized);
ZEND_METHOD(Flagstore_Native, available);
ZEND_METHOD(Flagstore_Native, bigSegmentsMetadata);
ZEND_METHOD(Flagstore_Native, bigSegmentsMembership);
ZEND_METHOD(Flagstore_Native, statistics);
ZEND_METHOD(Flagstore_Native, clearCache);
ZEND_METHOD(Flagstore_Native, nextEvent);

static const zend_function_entry native_methods[] = {
	ZEND_ME(Flagstore_Native, __construct, arginfo_native___construct, ZEND_ACC_PRIVATE)
	ZEND_ME(Flagstore_Native, open, arginfo_native_open, ZEND_ACC_PUBLIC | ZEND_ACC_STATIC)
	ZEND_ME(Flagstore_Native, libraryVersion, arginfo_native_string, ZEND_ACC_PUBLIC | ZEND_ACC_STATIC)
	ZEND_ME(Flagstore_Native, doctor, arginfo_native_doctor, ZEND_ACC_PUBLIC | ZEND_ACC_STATIC)
	ZEND_ME(Flagstore_Native, close, arginfo_native_void, ZEND_ACC_PUBLIC)
	ZEND_ME(Flagstore_Native, get, arginfo_native_get, ZEND_ACC_PUBLIC)
	ZEND_ME(Flagstore_Native, all, arginfo_native_all, ZEND_ACC_PUBLIC)
	ZEND_ME(Flagstore_Native, upsert, arginfo_native_upsert, ZEND_ACC_PUBLIC)
	ZEND_ME(Flagstore_Native, init, arginfo_native_init, ZEND_ACC_PUBLIC)
	ZEND_ME(Flagstore_Native, initJson, arginfo_native_initJson, ZEND_ACC_PUBLIC)
	ZEND_ME(Flagstore_Native, initialized, arginfo_native_initialized, ZEND_ACC_PUBLIC)
	ZEND_ME(Flagstore_Native, available, arginfo_native_void, ZEND_ACC_PUBLIC)
	ZEND_ME(Flagstore_Native, bigSegmentsMetadata, arginfo_native_bigSegmentsMetadata, ZEND_ACC_PUBLIC)
	ZEND_ME(Flagstore_Native, bigSegmentsMembership, arginfo_native_bigSegmentsMembership, ZEND_ACC_PUBLIC)
	ZEND_ME(Flagstore_Native, statistics, arginfo_native_string, ZEND_ACC_PUBLIC)
	ZEND_ME(Flagstore_Native, clearCache, arginfo_native_void, ZEND_ACC_PUBLIC)
	ZEND_ME(Flagstore_Native, nextEvent, arginfo_native_nextEvent, ZEND_ACC_PUBLIC)
	ZEND_FE_END
};
