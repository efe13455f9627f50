/*
 * check.h and endpoint.h for Windows, which has no fork: the tests run one after the other in one process, and what follows a
 * failure, a crash, a hang or a skip in another one, which is started with what was counted so far. The endpoint is somebody else's:
 * $FLAGSTORE_ENDPOINT says where it is. That nothing is printed is checked elsewhere.
 */
#include "../endpoint.h"

#include <winsock2.h>

#include <process.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

enum outcome { PASS, FAILURE, SKIP };

const char *current_test = "none";
static const char *program;
static volatile size_t place;
static size_t numbers[3];
/* Whether this process waited in vain for its test. */
static int hung;

/* Counts how the test of this process ended, and has another process go on: once, whoever says so first. */
static void go_on(enum outcome outcome)
{
  static LONG gone_on;
  while (InterlockedExchange(&gone_on, 1) != 0) {
    /* This process ends with the other one. */
    Sleep(INFINITE);
  }
  if (hung) {
    printf("FAILED %s: it did not end within %d s\n", current_test, (int)times_slower(PATIENCE_SECONDS));
  }
  char counted[4][32];
  const char *arguments[] = {program, counted[0], counted[1], counted[2], counted[3], NULL};
  numbers[outcome]++;
  snprintf(counted[0], sizeof counted[0], "--from=%zu", place + 1);
  for (int kind = PASS; kind <= SKIP; kind++) {
    snprintf(counted[kind + 1], sizeof counted[0], "%zu", numbers[kind]);
  }
  fflush(stdout);
  _exit((int)_spawnv(_P_WAIT, program, arguments));
}

void fail(const char *file, int line, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  printf("FAILED %s: %s:%d: ", current_test, file, line);
  vprintf(format, arguments);
  printf("\n");
  va_end(arguments);
  go_on(FAILURE);
  abort();
}

static LONG WINAPI crashed(EXCEPTION_POINTERS *exception)
{
  printf("FAILED %s: ended by the exception %#lx\n", current_test, exception->ExceptionRecord->ExceptionCode);
  go_on(FAILURE);
  return EXCEPTION_CONTINUE_SEARCH;
}

/* Sees to it that a test which hangs fails alone. */
static DWORD WINAPI watch(void *nothing)
{
  size_t seen = place;
  int64_t since = milliseconds();
  while (milliseconds() - since < times_slower(PATIENCE_SECONDS * 1000)) {
    Sleep(100);
    if (place != seen) {
      seen = place;
      since = milliseconds();
    }
  }
  hung = 1;
  go_on(FAILURE);
  return (DWORD)(uintptr_t)nothing;
}

void skip(const char *reason)
{
  printf("skipped %s: %s\n", current_test, reason);
  go_on(SKIP);
  abort();
}

void check_child(const char *file, int line, pid_t child)
{
  (void)child;
  fail(file, line, "there are no children");
}

int64_t milliseconds(void)
{
  return (int64_t)GetTickCount64();
}

void pause_briefly(void)
{
  Sleep(1);
}

int run_tests(int argc, char **argv, const struct test *tests, size_t count)
{
  size_t from = 0;
  program = argv[0];
  if (argc == 5 && sscanf(argv[1], "--from=%zu", &from) == 1) {
    for (int kind = PASS; kind <= SKIP; kind++) {
      numbers[kind] = strtoul(argv[kind + 2], NULL, 10);
    }
  }
  place = from;
  SetErrorMode(SEM_NOGPFAULTERRORBOX);
  SetUnhandledExceptionFilter(crashed);
  CreateThread(NULL, 0, watch, NULL, 0, NULL);
  for (; place < count; place++) {
    current_test = tests[place].name;
    tests[place].run();
    numbers[PASS]++;
  }
  printf("%zu passed, %zu failed, %zu skipped\n", numbers[PASS], numbers[FAILURE], numbers[SKIP]);
  fflush(stdout);
  return numbers[FAILURE] > 0 || count == 0;
}

void start_server(struct server *server)
{
  WSADATA data;
  const char *url = getenv("FLAGSTORE_ENDPOINT");
  if (WSAStartup(MAKEWORD(2, 2), &data) != 0 || url == NULL || strlen(url) >= sizeof server->url) {
    printf("FLAGSTORE_ENDPOINT does not say where the endpoint is\n");
    exit(1);
  }
  strcpy(server->url, url);
}

void kill_server(struct server *server)
{
  (void)server;
}

static struct sockaddr_in loopback(unsigned port)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void exchange(const char *request, size_t request_length, char *answer, size_t room)
{
  unsigned port = 0;
  size_t got = 0;
  int piece;
  CHECK(sscanf(endpoint.url, "http://127.0.0.1:%u", &port) == 1);
  struct sockaddr_in address = loopback(port);
  SOCKET connection = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connect(connection, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK(send(connection, request, (int)request_length, 0) == (int)request_length);
  while (got < room - 1 && (piece = recv(connection, answer + got, (int)(room - 1 - got), 0)) > 0) {
    got += (size_t)piece;
  }
  answer[got] = '\0';
  closesocket(connection);
}

int black_hole(char url[64])
{
  struct sockaddr_in address = loopback(0);
  int length = sizeof address;
  SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK(listen(listener, 256) == 0);
  CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
  snprintf(url, 64, "http://127.0.0.1:%d", ntohs(address.sin_port));
  return (int)listener;
}

void await_requests(int black_hole, int count)
{
  for (int number = 0; number < count; number++) {
    char byte;
    SOCKET connection = accept((SOCKET)black_hole, NULL, NULL);
    CHECK(connection != INVALID_SOCKET);
    CHECK(recv(connection, &byte, 1, 0) == 1);
  }
}
