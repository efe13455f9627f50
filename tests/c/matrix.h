/*
 * The misuse matrix: every exported function, every argument, every fault. `misuse_matrix` reads the header and writes
 * the table of functions and cells; matrix.c carries a cell out.
 */
#ifndef MATRIX_H
#define MATRIX_H

#include "endpoint.h"

enum { MOST_ARGUMENTS = 20 };

/* What an argument is, which decides which faults it can have. */
enum kind {
  HANDLE,    /* the number of a store, a queue or a call */
  TEXT_IN,   /* pointer and length */
  ARRAY,     /* pointer to structs, and how many */
  NUMBER,    /* any number */
  IGNORED,   /* a member of a struct that the library does not read */
  OUT,       /* a place for what comes out */
  ERROR_OUT, /* the place for the error */
  LIST,      /* a store_items */
  MEMBERSHIP,
  RESULT, /* a store_result */
  FREED,  /* what a free function frees */
  CALLBACK,
  LOGGER,
  USER_DATA,
};

/* What comes out of a place, and how it is freed; or what a number stands for. */
enum owned { NOTHING, A_HANDLE, A_QUEUE, A_CALL, A_STRING, AN_ITEM, A_LIST, A_MEMBERSHIP, A_RESULT, AN_ERROR };

enum results { OF_GET, OF_GET_ALL, OF_UPSERT, OF_INITIALIZED, OF_INIT, OF_METADATA, OF_MEMBERSHIP, RESULTS };

struct argument {
  const char *name;
  enum kind kind;
  const char *text;      /* a valid text, for TEXT_IN */
  int64_t number;        /* a valid number; for RESULT, which of `enum results`; for HANDLE, whether the call changes it */
  enum owned owned;      /* of OUT, FREED and HANDLE */
  int may_be_null;       /* of OUT and LOGGER */
  int32_t written_on;    /* of OUT: the outcome that it is written with */
};

/* What a wrapper passes. Which members it reads depends on the kind. */
struct value {
  const void *pointer;
  size_t length;
  uint64_t number;
  store_callback callback;
  store_logger logger;
};

struct function {
  const char *name;
  /* Calls the function. What returns nothing, or a text, gives 0. */
  int64_t (*call)(const struct value *values);
  int returns_code;
  int consumes_handle;
  int count;
  struct argument arguments[MOST_ARGUMENTS];
  /* The numbers that its documentation names, itself or through what it refers to. */
  const int32_t *documented;
  int documented_count;
};

enum fault {
  NONE, /* the valid call, which shows that the cells differ from it in one thing */
  NULL_POINTER,
  NULL_WITH_LENGTH,
  NULL_WITHOUT_LENGTH,
  ADDRESS_WITHOUT_LENGTH,
  NULL_WITH_HUGE_LENGTH,
  HUGE_LENGTH,
  NUL_INSIDE,
  STRAY_BYTE,
  CUT_SEQUENCE,
  SURROGATE,
  OVERLONG,
  BEYOND_UNICODE,
  ZERO,
  ALL_ONES,
  ONE_BIT_WRONG,
  OTHER_KIND,
  CLOSED,
  PLACE_TAKEN,
  RANDOM,
  CLOSED_MEANWHILE,
  LEAST,
  MINUS_ONE,
  MOST,
  GARBAGE,
  OTHER_RESULT,
  TWICE,
  INSIDE_A_LIST,
};

/* One cell; it fails the test if the function does not answer as it must. */
void check_cell(const struct function *function, int argument, enum fault fault);

#endif
