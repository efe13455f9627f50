/*
 * A network with a fixed round trip, on loopback: delay MICROSECONDS PORT
 *
 * Forwards connections to PORT, and holds every piece of bytes back for half of the round trip in each direction; to
 * connect takes a whole one, as it does between machines. It prints its own port, and ends with its standard input.
 *
 * Since everything is held back equally long, what is due first is what came first: one queue holds it all.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http.h"

#define PIECE_BYTES 65536

/* One direction's end; `other` is where its bytes go. */
struct end {
  int socket;
  int closed;
  struct end *other;
};

/* Something that happens when it is due: bytes arrive, or (without bytes) the other side closed, or connected. */
struct event {
  int64_t due;
  struct end *to;
  char *bytes;
  size_t length;
  int connects; /* how many half round trips more until the connection is there; 0 for bytes */
  struct event *next;
};

static struct event *first, **last = &first;
static int64_t half_round_trip; /* nanoseconds */
static int watched, listener, target;

static int64_t now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void later(struct event event)
{
  struct event *queued = malloc(sizeof *queued);
  *queued = event;
  queued->due = now() + half_round_trip;
  queued->next = NULL;
  *last = queued;
  last = &queued->next;
}

static void watch(int socket, struct end *end)
{
  struct epoll_event interest = {.events = EPOLLIN, .data.ptr = end};
  epoll_ctl(watched, EPOLL_CTL_ADD, socket, &interest);
}

static struct end *new_end(int socket)
{
  int one = 1;
  struct end *end = calloc(1, sizeof *end);
  end->socket = socket;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return end;
}

static void accept_one(void)
{
  int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (connection < 0) {
    return;
  }
  struct end *client = new_end(connection), *server = new_end(connect_to(target));
  client->other = server;
  server->other = client;
  later((struct event){.to = client, .connects = 2});
}

/* Both ends are freed when both have closed and nothing more is on its way to them: the close itself is queued. */
static void close_end(struct end *end)
{
  end->closed = 1;
  shutdown(end->socket, SHUT_WR);
  if (end->other->closed) {
    close(end->socket);
    close(end->other->socket);
    free(end->other);
    free(end);
  }
}

static void receive(struct end *from)
{
  static char piece[PIECE_BYTES];
  struct event arrives = {.to = from->other};
  ssize_t got = recv(from->socket, piece, sizeof piece, 0);
  if (got > 0) {
    arrives.bytes = malloc((size_t)got);
    arrives.length = (size_t)got;
    memcpy(arrives.bytes, piece, (size_t)got);
  } else {
    epoll_ctl(watched, EPOLL_CTL_DEL, from->socket, NULL);
  }
  later(arrives);
}

static void happen(struct event *event)
{
  if (event->bytes != NULL) {
    send_all(event->to->socket, event->bytes, event->length);
    free(event->bytes);
  } else if (event->connects > 1) {
    later((struct event){.to = event->to, .connects = event->connects - 1});
  } else if (event->connects == 1) {
    watch(event->to->socket, event->to);
    watch(event->to->other->socket, event->to->other);
  } else {
    close_end(event->to);
  }
}

static void forward_what_is_due(void)
{
  while (first != NULL && first->due <= now()) {
    struct event *event = first;
    first = event->next;
    if (first == NULL) {
      last = &first;
    }
    happen(event);
    free(event);
  }
}

static int wait_until_due(struct epoll_event *ready, int most)
{
  int64_t left = first == NULL ? 0 : first->due - now();
  left = left < 0 ? 0 : left;
  struct timespec timeout = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
  return epoll_pwait2(watched, ready, most, first == NULL ? NULL : &timeout, NULL);
}

int main(int argc, char **argv)
{
  struct epoll_event ready[256];
  char byte;
  int port = 0;
  if (argc != 3) {
    return 2;
  }
  half_round_trip = atoll(argv[1]) * 1000 / 2;
  target = atoi(argv[2]);
  /* The kernel's usual slack of 50 us would add itself to every wait. */
  prctl(PR_SET_TIMERSLACK, 1000);
  watched = epoll_create1(EPOLL_CLOEXEC);
  listener = listen_on(&port);
  struct end listening = {.socket = listener}, input = {.socket = STDIN_FILENO};
  watch(listener, &listening);
  watch(STDIN_FILENO, &input);
  printf("%d\n", port);
  fflush(stdout);
  for (;;) {
    int count = wait_until_due(ready, 256);
    for (int place = 0; place < count; place++) {
      struct end *end = ready[place].data.ptr;
      if (end == &listening) {
        accept_one();
      } else if (end != &input) {
        receive(end);
      } else if (read(STDIN_FILENO, &byte, 1) <= 0) {
        return 0;
      }
    }
    forward_what_is_due();
  }
}
