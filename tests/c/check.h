/*
 * The harness of the C tests.
 *
 * Each test runs in a process of its own, forked from a runner that never used the library. A test that crashes or
 * hangs fails alone, and each one meets the library cold. What the process prints is captured, and printing anything
 * fails the test, because the library prints nothing.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <flagstore.h>

struct test {
  const char *name; /* the promise that it checks */
  void (*run)(void);
  int times; /* how often one run meets what it is about */
};

/* Longest time that one test may take. Valgrind on a busy machine needs most of it, everything else a second. */
enum { PATIENCE_SECONDS = 180 };

#define TEST(function) {#function, function, 1}
#define TEST_OF(times, function) {#function, function, times}
#define RUN(argc, argv, tests) run_tests(argc, argv, tests, sizeof(tests) / sizeof((tests)[0]))

/*
 * Runs the tests whose names contain one of the arguments, or all without arguments. "-v" names those that pass.
 * "--together" runs all in one process, and what follows a failure in another: under valgrind, meeting the library cold
 * takes two seconds. "--rounds=N" runs each test again, each time in a new process, until it has met what it is about N
 * times; one that fails is not run again. Closes with "N passed, N failed" and returns what main should.
 */
int run_tests(int argc, char **argv, const struct test *tests, size_t count);

/* The name of the test that runs in this process, with the number of the round from the second on. */
extern const char *current_test;

/* A literal as the pointer and the length that the library takes. */
#define TEXT(literal) (literal), (sizeof(literal) - 1)

/* Each of these ends the test, from any thread and from any child process, if it does not hold. */
#define CHECK(condition) check_true(__FILE__, __LINE__, #condition, (condition) ? 1 : 0)
#define CHECK_INT(expected, actual) check_int(__FILE__, __LINE__, #actual, (long long)(expected), (long long)(actual))
#define CHECK_TEXT(expected, actual, length) check_text(__FILE__, __LINE__, #actual, expected, actual, length)
#define CHECK_CONTAINS(part, text) check_contains(__FILE__, __LINE__, #text, part, text)
#define FAIL(...) fail(__FILE__, __LINE__, __VA_ARGS__)

/*
 * A call of the library gave this number. `error` is what the call filled, and is checked to agree with the number
 * and freed.
 */
#define CHECK_CODE(expected, call, error) check_code(__FILE__, __LINE__, #call, expected, call, error)

/* The same, and the error's message contains this text. */
#define CHECK_ERROR(expected, part, call, error) check_error(__FILE__, __LINE__, #call, expected, part, call, error)

/* The test cannot run here; the reason is printed. */
void skip(const char *reason) __attribute__((noreturn));

/* Waits for a child process and checks that it ended with status 0. */
#define CHECK_CHILD(child) check_child(__FILE__, __LINE__, child)

/*
 * Waits until the condition holds. For conditions that nothing announces, such as the state of another process; fails
 * after 30 seconds.
 */
#define AWAIT(condition)                                                  \
  for (int64_t awaited_since = milliseconds(); !(condition); pause_briefly()) \
  check_true(__FILE__, __LINE__, "in time: " #condition, milliseconds() - awaited_since < times_slower(30000))

/* A time that nothing takes longer than, on a machine that is $FLAGSTORE_TESTS_SLOWER times as slow: an emulated one. */
int64_t times_slower(int64_t patience);

/* Monotonic time. */
int64_t milliseconds(void);
void pause_briefly(void);

/*
 * fork(), with an alarm in the child, so that one that hangs is killed and fails its parent's CHECK_CHILD. The child
 * must end with exit or _exit.
 */
pid_t fork_with_watchdog(void);

void fail(const char *file, int line, const char *format, ...) __attribute__((noreturn, format(printf, 3, 4)));
void check_true(const char *file, int line, const char *condition, int holds);
void check_int(const char *file, int line, const char *what, long long expected, long long actual);
void check_text(const char *file, int line, const char *what, const char *expected, const char *actual, size_t length);
void check_contains(const char *file, int line, const char *what, const char *part, const char *text);
void check_code(const char *file, int line, const char *call, int32_t expected, int32_t actual, store_error *error);
void check_error(const char *file, int line, const char *call, int32_t expected, const char *part, int32_t actual,
                 store_error *error);
void check_child(const char *file, int line, pid_t child);

#endif
