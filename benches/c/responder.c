/*
 * Answers as DynamoDB would, out of prepared bytes, so that the client is measured and not an emulator.
 *
 *     responder FILE N DELAY
 *
 * FILE holds the JSON of a flag with the key "flag-000000"; the table holds N such flags, with the keys up to N. GetItem
 * finds any flag, Query pages through the N in pages of 1 MB, and writes are acknowledged and forgotten, each after
 * DELAY microseconds. It prints its port, and ends with its standard input. One thread serves one connection: nothing is
 * faster on loopback.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"

#define KEY "flag-000000"
#define KEY_LENGTH (sizeof KEY - 1)
#define PAGE_BYTES (1 << 20) /* of items, as DynamoDB counts them */

struct answer {
  char *bytes; /* head and body */
  size_t length;
};

static char *flag;        /* one item in DynamoDB's JSON */
static size_t flag_bytes; /* its size as DynamoDB counts */
static struct answer *pages;
static int flags, flags_per_page, page_count;
static useconds_t delay;

static uint32_t crc_table[256];

static void prepare_crc(void)
{
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
    }
    crc_table[byte] = crc;
  }
}

static uint32_t crc32_of(const char *bytes, size_t length)
{
  uint32_t crc = ~0u;
  while (length-- > 0) {
    crc = crc >> 8 ^ crc_table[(crc ^ (unsigned char)*bytes++) & 0xFF];
  }
  return ~crc;
}

/* The heads are DynamoDB's own; clients check the checksum. */
static void set_answer(struct answer *answer, const char *body, size_t length)
{
  char head[512];
  int head_length =
      snprintf(head, sizeof head,
               "HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
               "Content-Type: application/x-amz-json-1.0\r\nContent-Length: %zu\r\nConnection: keep-alive\r\n"
               "x-amzn-RequestId: 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEF\r\nx-amz-crc32: %u\r\n\r\n",
               length, crc32_of(body, length));
  answer->length = (size_t)head_length + length;
  answer->bytes = realloc(answer->bytes, answer->length);
  memcpy(answer->bytes, head, (size_t)head_length);
  memcpy(answer->bytes + head_length, body, length);
}

static void set_key(char *item, const char *key)
{
  for (char *place = item; (place = strstr(place, KEY)) != NULL; place += KEY_LENGTH) {
    memcpy(place, key, KEY_LENGTH);
  }
}

static void prepare_flag(const char *path)
{
  FILE *file = fopen(path, "r");
  int byte;
  char *text;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  while ((byte = fgetc(file)) != EOF) {
    fprintf(out, byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
    flag_bytes++;
  }
  fclose(file);
  fclose(out);
  asprintf(&flag,
           "{\"namespace\":{\"S\":\"features\"},\"key\":{\"S\":\"" KEY "\"},\"version\":{\"N\":\"1\"},"
           "\"item\":{\"S\":\"%s\"}}",
           text);
  free(text);
  flag_bytes += strlen("namespacefeatureskey" KEY "versionitem") + 2;
}

static void prepare_page(int page)
{
  char *body, key[16];
  size_t length;
  int first = page * flags_per_page, end = first + flags_per_page < flags ? first + flags_per_page : flags;
  char *item = strdup(flag);
  FILE *out = open_memstream(&body, &length);
  fprintf(out, "{\"ConsumedCapacity\":{\"CapacityUnits\":%d,\"TableName\":\"flags\"},\"Count\":%d,\"ScannedCount\":%d,",
          PAGE_BYTES / 4096, end - first, end - first);
  if (end < flags) {
    fprintf(out, "\"LastEvaluatedKey\":{\"namespace\":{\"S\":\"features\"},\"key\":{\"S\":\"flag-%06d\"}},", end - 1);
  }
  fputs("\"Items\":[", out);
  for (int number = first; number < end; number++) {
    memcpy(item, flag, strlen(flag));
    snprintf(key, sizeof key, "flag-%06d", number % 1000000);
    set_key(item, key);
    fprintf(out, "%s%s", number == first ? "" : ",", item);
  }
  fputs("]}", out);
  fclose(out);
  set_answer(&pages[page], body, length);
  free(body);
  free(item);
}

static void prepare(const char *path, int count)
{
  prepare_crc();
  prepare_flag(path);
  flags = count;
  flags_per_page = (int)(PAGE_BYTES / flag_bytes);
  page_count = flags == 0 ? 1 : (flags + flags_per_page - 1) / flags_per_page;
  pages = calloc((size_t)page_count, sizeof *pages);
  for (int page = 0; page < page_count; page++) {
    prepare_page(page);
  }
}

/* What one connection answers with. */
struct session {
  struct inbox inbox;
  struct answer found; /* the flag that was asked for last */
  char found_key[KEY_LENGTH + 1];
  struct answer none, written, written_batch, empty_page;
};

static void answer_text(struct answer *answer, const char *body)
{
  set_answer(answer, body, strlen(body));
}

static struct answer *get_item(struct session *session, const char *key)
{
  if (key == NULL) {
    return &session->none;
  }
  if (strncmp(session->found_key, key, KEY_LENGTH) != 0) {
    char *body;
    asprintf(&body, "{\"ConsumedCapacity\":{\"CapacityUnits\":1,\"TableName\":\"flags\"},\"Item\":%s}", flag);
    memcpy(session->found_key, key, KEY_LENGTH);
    set_key(body, session->found_key);
    answer_text(&session->found, body);
    free(body);
  }
  return &session->found;
}

static struct answer *query(struct session *session, const char *body, const char *after)
{
  if (strstr(body, "features") == NULL) {
    return &session->empty_page;
  }
  int page = after == NULL ? 0 : (atoi(after + strlen("flag-")) + 1) / flags_per_page;
  return page < page_count ? &pages[page] : &session->empty_page;
}

static struct answer *answer_to(struct session *session, const char *body)
{
  const char *operation = strstr(session->inbox.bytes, "DynamoDB_20120810.");
  if (operation == NULL) {
    return &session->none;
  }
  operation += strlen("DynamoDB_20120810.");
  switch (*operation) {
  case 'G':
    return get_item(session, strstr(body, "flag-"));
  case 'Q':
    return query(session, body, strstr(body, "flag-"));
  case 'B':
    return &session->written_batch;
  default:
    return &session->written;
  }
}

static void *serve(void *socket)
{
  struct session session = {.inbox = {.socket = (int)(intptr_t)socket}};
  size_t body, length;
  int one = 1;
  setsockopt(session.inbox.socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  answer_text(&session.none, "{}");
  answer_text(&session.written, "{\"ConsumedCapacity\":{\"CapacityUnits\":1,\"TableName\":\"flags\"}}");
  answer_text(&session.written_batch, "{\"UnprocessedItems\":{}}");
  answer_text(&session.empty_page, "{\"Count\":0,\"ScannedCount\":0,\"Items\":[]}");
  while ((length = receive_message(&session.inbox, &body)) != 0) {
    struct answer *answer = answer_to(&session, session.inbox.bytes + body);
    if (delay > 0) {
      usleep(delay);
    }
    if (!send_all(session.inbox.socket, answer->bytes, answer->length)) {
      break;
    }
    consume(&session.inbox, length);
  }
  close(session.inbox.socket);
  free(session.inbox.bytes);
  free(session.found.bytes);
  free(session.none.bytes);
  free(session.written.bytes);
  free(session.written_batch.bytes);
  free(session.empty_page.bytes);
  return NULL;
}

static void *accept_all(void *listener)
{
  for (;;) {
    pthread_t thread;
    int connection = accept4((int)(intptr_t)listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection >= 0 && pthread_create(&thread, NULL, serve, (void *)(intptr_t)connection) == 0) {
      pthread_detach(thread);
    }
  }
  return NULL;
}

int main(int argc, char **argv)
{
  int port = 0;
  pthread_t thread;
  if (argc != 4) {
    return 2;
  }
  prepare(argv[1], atoi(argv[2]));
  delay = (useconds_t)atoi(argv[3]);
  /* The kernel's usual slack of 50 us would add itself to every delay. */
  prctl(PR_SET_TIMERSLACK, 1000);
  int listener = listen_on(&port);
  if (pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener) != 0) {
    return 1;
  }
  printf("%d\n", port);
  fflush(stdout);
  while (getchar() != EOF) {
  }
  return 0;
}
