enum {
  STORE_ABI_VERSION = 1,
  STORE_OK = 0,
  STORE_NOT_FOUND = 1,
  STORE_NEWER_EXISTS = 2,
  STORE_TOO_LARGE = 3,
  STORE_NOT_CACHED = 4,
  STORE_ERROR_PANIC = -1,
  STORE_ERROR_NULL_ARGUMENT = -2,
  STORE_ERROR_INVALID_UTF8 = -3,
  STORE_ERROR_INVALID_LENGTH = -4,
  STORE_ERROR_INVALID_HANDLE = -5,
  STORE_ERROR_TOO_MANY_STORES = -6,
  STORE_ERROR_UNKNOWN_OPTION = -7,
  STORE_ERROR_OPTION_TYPE = -8,
  STORE_ERROR_OPTION_VALUE = -9,
  STORE_ERROR_EMPTY_TABLE_NAME = -10,
  STORE_ERROR_EMPTY_KEY = -11,
  STORE_ERROR_EMPTY_KIND = -12,
  STORE_ERROR_KEY_TOO_LONG = -13,
  STORE_ERROR_INVALID_VERSION = -14,
  STORE_ERROR_INVALID_JSON = -15,
  STORE_ERROR_DUPLICATE_KEY = -16,
  STORE_ERROR_EMPTY_ITEM = -17,
  STORE_ERROR_TABLE_NOT_FOUND = -30,
  STORE_ERROR_KEY_SCHEMA = -31,
  STORE_ERROR_ACCESS_DENIED = -32,
  STORE_ERROR_INVALID_CREDENTIALS = -33,
  STORE_ERROR_EXPIRED_CREDENTIALS = -34,
  STORE_ERROR_NO_CREDENTIALS = -35,
  STORE_ERROR_NO_REGION = -36,
  STORE_ERROR_CLOCK_SKEW = -37,
  STORE_ERROR_THROTTLED = -38,
  STORE_ERROR_TIMEOUT = -39,
  STORE_ERROR_CONNECTION = -40,
  STORE_ERROR_SERVICE = -41,
  STORE_ERROR_UNEXPECTED_RESPONSE = -42,
  STORE_ERROR_REJECTED = -43,
  STORE_ERROR_CALLED_IN_CALLBACK = -44,
  STORE_ERROR_RUNTIME = -45,
  STORE_CANCELLED = -46,
  STORE_LEVEL_ERROR = 1,
  STORE_LEVEL_WARN = 2,
  STORE_LEVEL_INFO = 3,
  STORE_LEVEL_DEBUG = 4
};
typedef struct store_items store_items;
typedef struct store_membership store_membership;
typedef struct store_result store_result;
typedef struct store_error {
  int32_t code;
  int32_t retriable;
  char *message;
} store_error;
typedef struct store_item {
  const char *key;
  size_t key_len;
  const char *item;
  size_t item_len;
  int64_t version;
  int32_t deleted;
  int32_t stale;
  void *owner;
} store_item;
typedef struct store_collection {
  const char *kind;
  size_t kind_len;
  const struct store_item *items;
  size_t items_len;
} store_collection;
typedef void (*store_logger)(void *user_data, int32_t level, const char *message, size_t message_len);
typedef void (*store_callback)(void *user_data, struct store_result *result);
uint32_t store_abi_version(void);
const char *store_version(void);
const char *store_code_name(int32_t code);
int32_t store_open(const char *options,
                   size_t options_len,
                   uint64_t *store,
                   struct store_error *error);
int32_t store_close(uint64_t store,
                    struct store_error *error);
int32_t store_init(uint64_t store,
                   const struct store_collection *collections,
                   size_t collections_len,
                   char **report,
                   struct store_error *error);
int32_t store_init_json(uint64_t store,
                        const char *json,
                        size_t json_len,
                        char **report,
                        struct store_error *error);
int32_t store_get(uint64_t store,
                  const char *kind,
                  size_t kind_len,
                  const char *key,
                  size_t key_len,
                  struct store_item *item,
                  struct store_error *error);
int32_t store_get_cached(uint64_t store,
                         const char *kind,
                         size_t kind_len,
                         const char *key,
                         size_t key_len,
                         struct store_item *item,
                         struct store_error *error);
int32_t store_get_all(uint64_t store,
                      const char *kind,
                      size_t kind_len,
                      struct store_items **items,
                      struct store_error *error);
int32_t store_items_view(const struct store_items *items,
                         const struct store_item **first,
                         size_t *count,
                         struct store_error *error);
int32_t store_upsert(uint64_t store,
                     const char *kind,
                     size_t kind_len,
                     const char *key,
                     size_t key_len,
                     int64_t version,
                     int32_t deleted,
                     const char *item,
                     size_t item_len,
                     struct store_item *stored,
                     struct store_error *error);
int32_t store_initialized(uint64_t store, int32_t *initialized, struct store_error *error);
int32_t store_available(uint64_t store,
                        struct store_error *error);
int32_t store_big_segments_metadata(uint64_t store, int64_t *synchronized_on, struct store_error *error);
int32_t store_big_segments_membership(uint64_t store,
                                      const char *hash,
                                      size_t hash_len,
                                      struct store_membership **membership,
                                      struct store_error *error);
size_t store_membership_count(const struct store_membership *membership);
int32_t store_membership_entry(const struct store_membership *membership,
                               size_t place,
                               const char **segment,
                               size_t *segment_len,
                               int32_t *included,
                               struct store_error *error);
int32_t store_statistics(uint64_t store,
                         char **json,
                         struct store_error *error);
int32_t store_doctor(const char *options,
                     size_t options_len,
                     char **report_json,
                     struct store_error *error);
int32_t store_clear_cache(uint64_t store,
                          struct store_error *error);
int32_t store_next_event(uint64_t store,
                         int32_t *level,
                         char **message,
                         struct store_error *error);
int32_t store_set_logger(uint64_t store,
                         store_logger callback,
                         void *user_data,
                         struct store_error *error);
int32_t store_get_async(uint64_t store,
                        const char *kind,
                        size_t kind_len,
                        const char *key,
                        size_t key_len,
                        store_callback done,
                        void *user_data,
                        uint64_t *call,
                        struct store_error *error);
int32_t store_get_all_async(uint64_t store,
                            const char *kind,
                            size_t kind_len,
                            store_callback done,
                            void *user_data,
                            uint64_t *call,
                            struct store_error *error);
int32_t store_upsert_async(uint64_t store,
                           const char *kind,
                           size_t kind_len,
                           const char *key,
                           size_t key_len,
                           int64_t version,
                           int32_t deleted,
                           const char *item,
                           size_t item_len,
                           store_callback done,
                           void *user_data,
                           uint64_t *call,
                           struct store_error *error);
int32_t store_init_async(uint64_t store,
                         const struct store_collection *collections,
                         size_t collections_len,
                         store_callback done,
                         void *user_data,
                         uint64_t *call,
                         struct store_error *error);
int32_t store_init_json_async(uint64_t store,
                              const char *json,
                              size_t json_len,
                              store_callback done,
                              void *user_data,
                              uint64_t *call,
                              struct store_error *error);
int32_t store_initialized_async(uint64_t store,
                                store_callback done,
                                void *user_data,
                                uint64_t *call,
                                struct store_error *error);
int32_t store_available_async(uint64_t store,
                              store_callback done,
                              void *user_data,
                              uint64_t *call,
                              struct store_error *error);
int32_t store_big_segments_metadata_async(uint64_t store,
                                          store_callback done,
                                          void *user_data,
                                          uint64_t *call,
                                          struct store_error *error);
int32_t store_big_segments_membership_async(uint64_t store,
                                            const char *hash,
                                            size_t hash_len,
                                            store_callback done,
                                            void *user_data,
                                            uint64_t *call,
                                            struct store_error *error);
int32_t store_cancel(uint64_t call,
                     struct store_error *error);
int32_t store_completions_open(uint64_t *queue,
                               struct store_error *error);
int32_t store_complete_to(uint64_t store,
                          uint64_t queue,
                          struct store_error *error);
int32_t store_completions_next(uint64_t queue,
                               int64_t timeout_ms,
                               void **user_data,
                               struct store_result **result,
                               struct store_error *error);
int32_t store_completions_notify(uint64_t queue,
                                 int64_t descriptor,
                                 struct store_error *error);
int32_t store_completions_close(uint64_t queue,
                                struct store_error *error);
int32_t store_result_code(const struct store_result *result);
int32_t store_result_error(const struct store_result *result, struct store_error *error);
int32_t store_result_item(const struct store_result *result,
                          struct store_item *item,
                          struct store_error *error);
int32_t store_result_items(const struct store_result *result,
                           struct store_items **items,
                           struct store_error *error);
int32_t store_result_initialized(const struct store_result *result,
                                 int32_t *initialized,
                                 struct store_error *error);
int32_t store_result_metadata(const struct store_result *result,
                              int64_t *synchronized_on,
                              struct store_error *error);
int32_t store_result_membership(const struct store_result *result,
                                struct store_membership **membership,
                                struct store_error *error);
int32_t store_result_report(const struct store_result *result,
                            char **report,
                            struct store_error *error);
void store_error_free(struct store_error *error);
void store_item_free(struct store_item *item);
void store_items_free(struct store_items *items);
void store_membership_free(struct store_membership *membership);
void store_result_free(struct store_result *result);
void store_string_free(char *string);
