/*
 * Prints every flag and segment that a table holds: key, version and size.
 *
 *     read_flags TABLE [PREFIX [ENDPOINT]]
 *
 * Without ENDPOINT it asks AWS, with the region and credentials that are set up on this machine. With one, such as the
 * URL that flagstore-local prints, it uses credentials that only a local endpoint accepts.
 *
 * How to build it is in README.md beside this file.
 */
#include <flagstore.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Says what went wrong and frees the message. Every function of the library that can fail fills a store_error. */
static void complain(const char *what, store_error *error)
{
  fprintf(stderr, "read_flags: %s: %s (%s)\n", what, error->message, store_code_name(error->code));
  store_error_free(error);
}

/* Writes a member of a JSON object. Names and URLs may hold characters that JSON wants escaped. */
static void write_member(FILE *json, const char *name, const char *value)
{
  fprintf(json, "\"%s\":\"", name);
  for (; *value != '\0'; value++) {
    if (*value == '"' || *value == '\\' || (unsigned char)*value < ' ') {
      fprintf(json, "\\u%04x", (unsigned char)*value);
    } else {
      fputc(*value, json);
    }
  }
  fputc('"', json);
}

/* Opens the store. Opening only looks at the options; the network comes with the first call that reads or writes. */
static int open_store(const char *table, const char *prefix, const char *endpoint, uint64_t *store)
{
  char *options = NULL;
  size_t length = 0;
  store_error error;
  FILE *json = open_memstream(&options, &length);
  if (json == NULL) {
    perror("read_flags");
    return 0;
  }
  fputc('{', json);
  write_member(json, "table", table);
  fputc(',', json);
  write_member(json, "prefix", prefix);
  if (endpoint != NULL) {
    fputc(',', json);
    write_member(json, "endpoint", endpoint);
    fputs(",\"region\":\"us-east-1\",\"access_key_id\":\"local\",\"secret_access_key\":\"local\"", json);
  }
  fputc('}', json);
  if (fclose(json) != 0) {
    perror("read_flags");
    return 0;
  }
  int32_t code = store_open(options, length, store, &error);
  free(options);
  if (code != STORE_OK) {
    complain("the store cannot be opened", &error);
    return 0;
  }
  return 1;
}

/* Prints the items of one kind and counts those that are not deleted. */
static int print_kind(uint64_t store, const char *kind, size_t *count)
{
  store_items *items;
  const store_item *first;
  size_t length;
  store_error error;
  if (store_get_all(store, kind, strlen(kind), &items, &error) != STORE_OK) {
    complain(kind, &error);
    return 0;
  }
  /* The view belongs to the list: it is valid until store_items_free, and nothing in it is freed by itself. */
  if (store_items_view(items, &first, &length, &error) != STORE_OK) {
    complain(kind, &error);
    store_items_free(items);
    return 0;
  }
  *count = 0;
  for (size_t place = 0; place < length; place++) {
    const store_item *item = &first[place];
    /* Keys and payloads have a length instead of a NUL at their end, hence %.*s. */
    if (item->deleted) {
      printf("%-10s %8lld  deleted      %.*s\n", kind, (long long)item->version, (int)item->key_len, item->key);
    } else {
      printf("%-10s %8lld %8zu B  %.*s\n", kind, (long long)item->version, item->item_len, (int)item->key_len,
             item->key);
      (*count)++;
    }
  }
  store_items_free(items);
  return 1;
}

int main(int argc, char **argv)
{
  uint64_t store;
  size_t flags, segments;
  if (argc < 2 || argc > 4) {
    fprintf(stderr, "usage: read_flags TABLE [PREFIX [ENDPOINT]]\n");
    return 2;
  }
  /* The header this was built with and the library it runs with must speak the same ABI. */
  if (store_abi_version() != STORE_ABI_VERSION) {
    fprintf(stderr, "read_flags: libflagstore %s has another ABI\n", store_version());
    return 2;
  }
  if (!open_store(argv[1], argc > 2 ? argv[2] : "", argc > 3 ? argv[3] : NULL, &store)) {
    return 1;
  }
  int done = print_kind(store, "features", &flags) && print_kind(store, "segments", &segments);
  /* Closing frees connections and memory. It cannot fail here, so nobody asks for the reason. */
  store_close(store, NULL);
  if (!done) {
    return 1;
  }
  printf("%zu flags, %zu segments\n", flags, segments);
  return 0;
}
