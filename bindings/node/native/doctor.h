/* store_doctor, which blocks for long and has no asynchronous form, on a thread of its own. */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "environment.h"

/* Asks with the options, memory that it frees, and answers the call. */
void doctor_start(char *options, size_t length, struct call *call);

#endif
