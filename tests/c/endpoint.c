#include "endpoint.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct server endpoint;

static void give_up(const char *what)
{
  perror(what);
  exit(1);
}

void start_server(struct server *server)
{
  const char *program = getenv("FLAGSTORE_LOCAL");
  int input[2], output[2];
  char line[256];
  if (program == NULL) {
    program = "target/release/flagstore-local";
  }
  if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
    give_up("pipe");
  }
  server->process = fork();
  if (server->process == 0) {
    dup2(input[0], STDIN_FILENO);
    dup2(output[1], STDOUT_FILENO);
    execl(program, program, "--exit-with-stdin", (char *)NULL);
    give_up(program);
  }
  close(input[0]);
  close(output[1]);
  server->input = input[1];
  /* {"url":"http://127.0.0.1:40123",...} */
  FILE *ready = fdopen(output[0], "r");
  if (ready == NULL || fgets(line, sizeof line, ready) == NULL ||
      sscanf(line, "{\"url\":\"%63[^\"]\"", server->url) != 1) {
    fprintf(stderr, "%s did not say its URL\n", program);
    exit(1);
  }
  fclose(ready);
}

void kill_server(struct server *server)
{
  kill(server->process, SIGKILL);
  waitpid(server->process, NULL, 0);
  close(server->input);
}

uint64_t open_store_at(const char *url, const char *options)
{
  char text[1024];
  uint64_t store = 0;
  store_error error;
  int length = snprintf(text, sizeof text,
                        "{\"table\":\"flags\",\"endpoint\":\"%s\",\"prefix\":\"%s\",\"region\":\"us-east-1\","
                        "\"access_key_id\":\"test\",\"secret_access_key\":\"test\"%s%s}",
                        url, current_test, *options == '\0' ? "" : ",", options);
  CHECK(length > 0 && (size_t)length < sizeof text);
  CHECK_CODE(STORE_OK, store_open(text, (size_t)length, &store, &error), &error);
  return store;
}

uint64_t open_store(const char *options)
{
  char patient[512];
  int length = snprintf(patient, sizeof patient,
                        "\"connect_timeout_ms\":60000,\"attempt_timeout_ms\":60000,\"timeout_ms\":60000,"
                        "\"all_timeout_ms\":60000,\"init_timeout_ms\":60000%s%s",
                        *options == '\0' ? "" : ",", options);
  CHECK(length > 0 && (size_t)length < sizeof patient);
  return open_store_at(endpoint.url, patient);
}

static int connected(const char *url)
{
  unsigned port = 0;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  CHECK(sscanf(url, "http://127.0.0.1:%u", &port) == 1);
  address.sin_port = htons((uint16_t)port);
  int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(connect(connection, (struct sockaddr *)&address, sizeof address) == 0);
  return connection;
}

void put_row(const char *namespace, const char *key, const char *attributes)
{
  char body[4096], answer[4096];
  int length = snprintf(body, sizeof body,
                        "{\"TableName\":\"flags\",\"Item\":{\"namespace\":{\"S\":\"%s:%s\"},\"key\":{\"S\":\"%s\"}%s%s}}",
                        current_test, namespace, key, *attributes == '\0' ? "" : ",", attributes);
  CHECK(length > 0 && (size_t)length < sizeof body);
  int connection = connected(endpoint.url);
  dprintf(connection,
          "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n"
          "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\n"
          "X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 "
          "Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n%s",
          length, body);
  size_t got = 0;
  ssize_t piece;
  while (got < sizeof answer - 1 && (piece = read(connection, answer + got, sizeof answer - 1 - got)) > 0) {
    got += (size_t)piece;
  }
  answer[got] = '\0';
  close(connection);
  CHECK_CONTAINS("HTTP/1.1 200", answer);
}

void put_flag(uint64_t store, const char *key, int64_t version, const char *payload)
{
  store_error error;
  CHECK_CODE(STORE_OK,
             store_upsert(store, TEXT("features"), key, strlen(key), version, 0, payload, strlen(payload), NULL, &error),
             &error);
}

void check_flag(uint64_t store, const char *key, int64_t version, const char *payload)
{
  store_item item;
  store_error error;
  CHECK_CODE(STORE_OK, store_get(store, TEXT("features"), key, strlen(key), &item, &error), &error);
  CHECK_TEXT(key, item.key, item.key_len);
  CHECK_TEXT(payload, item.item, item.item_len);
  CHECK_INT(version, item.version);
  CHECK_INT(0, item.deleted);
  store_item_free(&item);
}

int64_t statistic(uint64_t store, const char *name)
{
  char *json, member[64];
  store_error error;
  snprintf(member, sizeof member, "\"%s\":", name);
  CHECK_CODE(STORE_OK, store_statistics(store, &json, &error), &error);
  CHECK_CONTAINS(member, json);
  int64_t value = atoll(strstr(json, member) + strlen(member));
  store_string_free(json);
  return value;
}

int black_hole(char url[64])
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK(listen(listener, 256) == 0);
  CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
  snprintf(url, 64, "http://127.0.0.1:%d", ntohs(address.sin_port));
  return listener;
}

void await_requests(int black_hole, int count)
{
  for (int number = 0; number < count; number++) {
    char byte;
    int connection = accept4(black_hole, NULL, NULL, SOCK_CLOEXEC);
    CHECK(connection >= 0);
    /* One request per connection: nothing is answered, so no connection is used again. */
    CHECK(read(connection, &byte, 1) == 1);
  }
}
