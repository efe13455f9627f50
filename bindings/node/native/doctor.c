#include "doctor.h"

#include <stdlib.h>

#include "platform.h"

struct question {
  char *options;
  size_t length;
  struct call *call;
};

static void ask(void *value)
{
  struct question *question = value;
  struct store_error error;
  char *report;
  int32_t code = library.store_doctor(question->options, question->length, &report, &error);
  if (code < STORE_OK) {
    call_refused(question->call, code, &error);
  } else {
    call_told(question->call, report);
  }
  free(question->options);
  free(question);
}

void doctor_start(char *options, size_t length, struct call *call)
{
  struct question *question = malloc(sizeof *question);
  if (question != NULL) {
    *question = (struct question){options, length, call};
    if (platform_start(ask, question)) {
      return;
    }
  }
  struct store_error error = {.code = STORE_ERROR_RUNTIME, .retriable = 1};
  call_refused(call, STORE_ERROR_RUNTIME, &error);
  free(options);
  free(question);
}
