#define _GNU_SOURCE
#include "http.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Makes room for what is still to come, and one byte for the end. */
static void reserve(struct inbox *inbox, size_t length)
{
  if (length >= inbox->capacity) {
    inbox->capacity = length + 16384;
    inbox->bytes = realloc(inbox->bytes, inbox->capacity);
  }
}

static int receive_more(struct inbox *inbox)
{
  reserve(inbox, inbox->length + 8192);
  ssize_t got = recv(inbox->socket, inbox->bytes + inbox->length, inbox->capacity - inbox->length - 1, 0);
  if (got <= 0) {
    return 0;
  }
  inbox->length += (size_t)got;
  inbox->bytes[inbox->length] = '\0';
  return 1;
}

static size_t content_length(const char *head, const char *end)
{
  const char *found = strcasestr(head, "\r\ncontent-length:");
  return found == NULL || found > end ? 0 : strtoul(found + strlen("\r\ncontent-length:"), NULL, 10);
}

size_t receive_message(struct inbox *inbox, size_t *body)
{
  char *end;
  while (inbox->length == 0 || (end = strstr(inbox->bytes, "\r\n\r\n")) == NULL) {
    if (!receive_more(inbox)) {
      return 0;
    }
  }
  *body = (size_t)(end - inbox->bytes) + 4;
  size_t whole = *body + content_length(inbox->bytes, end);
  reserve(inbox, whole);
  while (inbox->length < whole) {
    if (!receive_more(inbox)) {
      return 0;
    }
  }
  return whole;
}

void consume(struct inbox *inbox, size_t length)
{
  inbox->length -= length;
  memmove(inbox->bytes, inbox->bytes + length, inbox->length);
  inbox->bytes[inbox->length] = '\0';
}

int send_all(int socket, const char *bytes, size_t length)
{
  while (length > 0) {
    ssize_t sent = send(socket, bytes, length, MSG_NOSIGNAL);
    if (sent <= 0) {
      return 0;
    }
    bytes += sent;
    length -= (size_t)sent;
  }
  return 1;
}

static void give_up(const char *what)
{
  perror(what);
  exit(1);
}

int listen_on(int *port)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  address.sin_port = htons((unsigned short)*port);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
    give_up("listen");
  }
  *port = ntohs(address.sin_port);
  return listener;
}

int connect_to(int port)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1;
  address.sin_port = htons((unsigned short)port);
  int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0) {
    give_up("connect");
  }
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return connection;
}
