/*
 * What the tests talk to: the local DynamoDB endpoint, rows written past the library, and servers that misbehave.
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include "check.h"

/* A process that serves the DynamoDB API on loopback with the table "flags". It ends with the one that started it. */
struct server {
  pid_t process;
  int input; /* the server ends when this closes */
  char url[64];
};

/* The server of all tests; main starts it before the tests run. */
extern struct server endpoint;

/* Starts $FLAGSTORE_LOCAL. Ends the process with a message if that fails. */
void start_server(struct server *server);
void kill_server(struct server *server);

/*
 * Opens a store on the endpoint, with the test's name as prefix, so that tests share a server but no row, and with
 * deadlines that no busy machine misses. `options` are further members of the options, such as "\"shared\":false".
 */
uint64_t open_store(const char *options);

/* The same on any URL, with the library's own deadlines unless `options` names others. */
uint64_t open_store_at(const char *url, const char *options);

/* Sends the endpoint a request that asks it to close the connection, and takes its answer as text. */
void exchange(const char *request, size_t request_length, char *answer, size_t room);

/*
 * Writes a row with a raw request. `namespace` is prefixed with the test's name, `key` is taken as it is, and
 * `attributes` is DynamoDB's JSON for the others, such as "\"version\":{\"N\":\"1\"}".
 */
void put_row(const char *namespace, const char *key, const char *attributes);

/* Writes and reads an item in "features" through the library, which must succeed. */
void put_flag(uint64_t store, const char *key, int64_t version, const char *payload);
void check_flag(uint64_t store, const char *key, int64_t version, const char *payload);

/* A number out of the statistics. */
int64_t statistic(uint64_t store, const char *name);

/* A socket that takes connections and never answers. Returns it, and its URL. */
int black_hole(char url[64]);

/* Waits until so many requests arrived at a black hole, and returns. The connections stay open. */
void await_requests(int black_hole, int count);

#endif
