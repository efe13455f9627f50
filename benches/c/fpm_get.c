/*
 * Requests to PHP-FPM, one after another, each on a new connection as web servers make them by default:
 *
 *     fpm_get SOCKET SCRIPT WHAT OPTIONS [WARM]
 *
 * WHAT and OPTIONS reach the script as the FastCGI parameters BENCH_WHAT and BENCH_OPTIONS. The script answers with the
 * nanoseconds that it took by its own clock. The protocol is that of blocks.h; each answer has "inside" too, the sum of
 * those times in seconds. Before the first, WARM requests are made (20).
 */
#include "blocks.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Types of FastCGI's records, https://fastcgi-archives.github.io/FastCGI_Specification.html */
enum { BEGIN_REQUEST = 1, PARAMS = 4, STDIN = 5, STDOUT = 6 };

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static unsigned char request[16384];
static size_t request_length;

static void give_up(const char *what)
{
  perror(what);
  exit(1);
}

static void add(const void *bytes, size_t length)
{
  if (request_length + length > sizeof request) {
    fputs("the request is too long\n", stderr);
    exit(1);
  }
  memcpy(request + request_length, bytes, length);
  request_length += length;
}

static void add_record(int type, const void *content, size_t length)
{
  unsigned char head[8] = {1, (unsigned char)type, 0, 1, (unsigned char)(length >> 8), (unsigned char)length, 0, 0};
  add(head, sizeof head);
  add(content, length);
}

static size_t put_length(unsigned char *place, size_t length)
{
  if (length < 128) {
    place[0] = (unsigned char)length;
    return 1;
  }
  place[0] = (unsigned char)(length >> 24) | 0x80;
  place[1] = (unsigned char)(length >> 16);
  place[2] = (unsigned char)(length >> 8);
  place[3] = (unsigned char)length;
  return 4;
}

static void add_parameter(const char *name, const char *value)
{
  unsigned char pair[8192];
  size_t name_length = strlen(name), value_length = strlen(value), length;
  if (name_length + value_length + 8 > sizeof pair) {
    fprintf(stderr, "%s is too long\n", name);
    exit(1);
  }
  length = put_length(pair, name_length);
  length += put_length(pair + length, value_length);
  memcpy(pair + length, name, name_length);
  memcpy(pair + length + name_length, value, value_length);
  add_record(PARAMS, pair, length + name_length + value_length);
}

static void prepare(char **argv)
{
  static const unsigned char responder[8] = {0, 1};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
  add_record(BEGIN_REQUEST, responder, sizeof responder);
  add_parameter("REQUEST_METHOD", "GET");
  add_parameter("SCRIPT_FILENAME", argv[2]);
  add_parameter("BENCH_WHAT", argv[3]);
  add_parameter("BENCH_OPTIONS", argv[4]);
  add_record(PARAMS, "", 0);
  add_record(STDIN, "", 0);
}

/* Takes the script's output out of the records, in place; the answer fits in one buffer. */
static const char *body_of(unsigned char *records, size_t length)
{
  size_t taken = 0;
  for (size_t at = 0; at + 8 <= length;) {
    size_t content = (size_t)records[at + 4] << 8 | records[at + 5], whole = 8 + content + records[at + 6];
    if (records[at + 1] == STDOUT && at + 8 + content <= length) {
      memmove(records + taken, records + at + 8, content);
      taken += content;
    }
    at += whole;
  }
  records[taken] = '\0';
  const char *end = strstr((char *)records, "\r\n\r\n");
  return end == NULL ? (char *)records : end + 4;
}

/* One request; the seconds that its script took. */
static double get(void)
{
  static unsigned char answer[65536];
  size_t length = 0;
  ssize_t got;
  int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0) {
    give_up("connect");
  }
  if (send(connection, request, request_length, MSG_NOSIGNAL) != (ssize_t)request_length) {
    give_up("send");
  }
  while (length < sizeof answer - 1 && (got = recv(connection, answer + length, sizeof answer - 1 - length, 0)) > 0) {
    length += (size_t)got;
  }
  close(connection);
  const char *body = body_of(answer, length);
  char *end;
  double nanoseconds = strtod(body, &end);
  if (end == body) {
    fprintf(stderr, "the script failed: %s\n", body);
    exit(1);
  }
  return nanoseconds / 1e9;
}

int main(int argc, char **argv)
{
  char line[64];
  if (argc != 5 && argc != 6) {
    return 2;
  }
  prepare(argv);
  for (long warm = argc == 6 ? atol(argv[5]) : 20; warm > 0; warm--) {
    get();
  }
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    long calls = atol(line);
    double inside = 0, cpu = cpu_seconds(), wall = seconds();
    for (long made = 0; made < calls; made++) {
      inside += get();
    }
    wall = seconds() - wall;
    cpu = cpu_seconds() - cpu;
    printf("{\"calls\":%ld,\"wall\":%.9f,\"cpu\":%.9f,\"inside\":%.9f}\n", calls, wall, cpu, inside);
    fflush(stdout);
  }
  return 0;
}
