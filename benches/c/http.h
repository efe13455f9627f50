/* Just enough HTTP/1.1 over sockets for the raw client and the responder. */
#ifndef HTTP_H
#define HTTP_H

#include <stddef.h>

/* What was received on a connection and not consumed yet; grows as needed. */
struct inbox {
  int socket;
  char *bytes; /* NUL-terminated at `length` */
  size_t length, capacity;
};

/*
 * Waits for a whole message, head and body, at the front of the inbox. Returns its length, and where its body starts;
 * 0 if the peer closed.
 */
size_t receive_message(struct inbox *inbox, size_t *body);

/* Takes a message off the front. */
void consume(struct inbox *inbox, size_t length);

/* Returns 0 if the peer closed. */
int send_all(int socket, const char *bytes, size_t length);

/* A socket on loopback; the program ends if that fails. `port` 0 takes any free one, which is written there. */
int listen_on(int *port);
int connect_to(int port);

#endif
