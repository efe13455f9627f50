/*
 * The floor under an uncached get: the same exchange of bytes over a plain socket, nothing signed, nothing parsed.
 * raw_get PORT THREADS [handed]
 *
 * With "handed" (one thread only) the caller hands each request to another thread, which waits for its sockets with epoll,
 * and sleeps until that hands back the answer: what any library pays that keeps its sockets on threads of its own.
 */
#include "blocks.h"
#include "http.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct inbox *inboxes;
static char request[1024];

static void gets(int thread, long count)
{
  struct inbox *inbox = &inboxes[thread];
  for (long made = 0; made < count; made++) {
    size_t body, length;
    if (!send_all(inbox->socket, request, strlen(request)) || (length = receive_message(inbox, &body)) == 0) {
      fputs("the responder closed the connection\n", stderr);
      exit(1);
    }
    consume(inbox, length);
  }
}

static int asked;
static sem_t answered;

static void *exchange(void *unused)
{
  int queue = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = asked};
  epoll_ctl(queue, EPOLL_CTL_ADD, asked, &event);
  event.data.fd = inboxes[0].socket;
  epoll_ctl(queue, EPOLL_CTL_ADD, event.data.fd, &event);
  for (;;) {
    if (epoll_wait(queue, &event, 1, -1) != 1) {
      continue;
    }
    if (event.data.fd == asked) {
      uint64_t number;
      if (read(asked, &number, sizeof number) == sizeof number && !send_all(inboxes[0].socket, request, strlen(request))) {
        exit(1);
      }
    } else {
      size_t body, length = receive_message(&inboxes[0], &body);
      if (length == 0) {
        exit(1);
      }
      consume(&inboxes[0], length);
      sem_post(&answered);
    }
  }
  return unused;
}

static void handed_gets(int thread, long count)
{
  (void)thread;
  for (long made = 0; made < count; made++) {
    eventfd_write(asked, 1);
    while (sem_wait(&answered) != 0) {
    }
  }
}

int main(int argc, char **argv)
{
  int handed = argc == 4 && strcmp(argv[3], "handed") == 0;
  if (argc != 3 && !handed) {
    return 2;
  }
  const char *body = "{\"TableName\":\"flags\",\"Key\":{\"namespace\":{\"S\":\"features\"},\"key\":{\"S\":\"flag-000000\"}},"
                     "\"ConsistentRead\":true,\"ReturnConsumedCapacity\":\"TOTAL\"}";
  snprintf(request, sizeof request,
           "POST / HTTP/1.1\r\nhost: 127.0.0.1:%s\r\ncontent-type: application/x-amz-json-1.0\r\n"
           "x-amz-target: DynamoDB_20120810.GetItem\r\nx-amz-date: 20260101T000000Z\r\n"
           "authorization: AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/dynamodb/aws4_request, "
           "SignedHeaders=content-type;host;x-amz-date;x-amz-target, "
           "Signature=0000000000000000000000000000000000000000000000000000000000000000\r\n"
           "content-length: %zu\r\n\r\n%s",
           argv[1], strlen(body), body);
  int threads = atoi(argv[2]);
  inboxes = calloc((size_t)threads, sizeof *inboxes);
  for (int thread = 0; thread < threads; thread++) {
    inboxes[thread].socket = connect_to(atoi(argv[1]));
  }
  gets(0, 100);
  if (handed) {
    pthread_t thread;
    asked = eventfd(0, 0);
    sem_init(&answered, 0, 0);
    pthread_create(&thread, NULL, exchange, NULL);
  }
  serve_blocks(threads, handed ? handed_gets : gets);
}
