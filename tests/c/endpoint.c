#include "endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct server endpoint;

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

void put_row(const char *namespace, const char *key, const char *attributes)
{
  char body[4096], request[8192], answer[4096];
  int length = snprintf(body, sizeof body,
                        "{\"TableName\":\"flags\",\"Item\":{\"namespace\":{\"S\":\"%s:%s\"},\"key\":{\"S\":\"%s\"}%s%s}}",
                        current_test, namespace, key, *attributes == '\0' ? "" : ",", attributes);
  CHECK(length > 0 && (size_t)length < sizeof body);
  int request_length = snprintf(
      request, sizeof request,
      "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n"
      "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\n"
      "X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 "
      "Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n%s",
      length, body);
  CHECK(request_length > 0 && (size_t)request_length < sizeof request);
  exchange(request, (size_t)request_length, answer, sizeof answer);
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
