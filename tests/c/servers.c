/* What the tests talk to, by POSIX's sockets and processes. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

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

void exchange(const char *request, size_t request_length, char *answer, size_t room)
{
  size_t got = 0;
  ssize_t piece;
  int connection = connected(endpoint.url);
  CHECK(write(connection, request, request_length) == (ssize_t)request_length);
  while (got < room - 1 && (piece = read(connection, answer + got, room - 1 - got)) > 0) {
    got += (size_t)piece;
  }
  answer[got] = '\0';
  close(connection);
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
