/*
 * The floor under an uncached get: the same exchange of bytes over a plain socket, nothing signed, nothing parsed.
 * raw_get PORT THREADS
 */
#include "blocks.h"
#include "http.h"

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

int main(int argc, char **argv)
{
  if (argc != 3) {
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
  serve_blocks(threads, gets);
}
