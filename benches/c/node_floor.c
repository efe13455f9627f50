/* The emptiest useful addon of Node.js: payload(n) sets how long the payload is, payload() gives a copy of it. */
#include <node_api.h>
#include <stdlib.h>
#include <string.h>

static char *bytes;
static size_t length;

static napi_value payload(napi_env env, napi_callback_info info)
{
  napi_value argument, text = NULL;
  size_t given = bytes == NULL ? 1 : 0;
  if (given == 1) {
    uint32_t wanted = 0;
    napi_get_cb_info(env, info, &given, &argument, NULL, NULL);
    napi_get_value_uint32(env, argument, &wanted);
    bytes = malloc(wanted);
    length = wanted;
    memset(bytes, 'x', length);
  }
  napi_create_string_utf8(env, bytes, length, &text);
  return text;
}

NAPI_MODULE_INIT()
{
  napi_value function;
  napi_create_function(env, "payload", NAPI_AUTO_LENGTH, payload, NULL, &function);
  napi_set_named_property(env, exports, "payload", function);
  return exports;
}
