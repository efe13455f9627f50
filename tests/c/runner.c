/* The runner of the tests, where there is fork. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The exit statuses of a test that cannot run here, and of one that failed and has said so: automake's and meson's. */
enum { SKIPPED = 77, FAILED = 99 };

/* Longest time that a forked child may take. */
enum { CHILD_PATIENCE_SECONDS = 30 };

const char *current_test = "none";

/* Where the harness itself writes once standard output and error are captured. */
static int report = STDOUT_FILENO;

void fail(const char *file, int line, const char *format, ...)
{
  char text[4096];
  int length = snprintf(text, sizeof text, "FAILED %s: %s:%d: ", current_test, file, line);
  va_list arguments;
  va_start(arguments, format);
  length += vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
  va_end(arguments);
  if ((size_t)length > sizeof text - 2) {
    length = sizeof text - 2;
  }
  text[length] = '\n';
  /* One write, and no stdio: the test may have failed in a forked child whose stdio locks belong to lost threads. */
  if (write(report, text, (size_t)length + 1) < 0) {
    _exit(1);
  }
  _exit(FAILED);
}

void skip(const char *reason)
{
  dprintf(report, "skipped %s: %s\n", current_test, reason);
  _exit(SKIPPED);
}

void check_child(const char *file, int line, pid_t child)
{
  int status = 0;
  pid_t ended;
  if (child < 0) {
    fail(file, line, "fork failed: %s", strerror(errno));
  }
  do {
    ended = waitpid(child, &status, 0);
  } while (ended < 0 && errno == EINTR);
  if (ended != child) {
    fail(file, line, "waiting for the child failed: %s", strerror(errno));
  }
  if (WIFSIGNALED(status)) {
    fail(file, line, "the child was ended by %s%s", strsignal(WTERMSIG(status)),
         WTERMSIG(status) == SIGALRM ? ": it hung" : "");
  }
  if (WEXITSTATUS(status) != 0) {
    fail(file, line, "the child ended with status %d", WEXITSTATUS(status));
  }
}

int64_t milliseconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void pause_briefly(void)
{
  nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

pid_t fork_with_watchdog(void)
{
  pid_t child = fork();
  if (child == 0) {
    signal(SIGALRM, SIG_DFL);
    alarm((unsigned)times_slower(CHILD_PATIENCE_SECONDS));
  }
  return child;
}

/* How many tests a child has passed, which it says as it goes on, since it may not come to an end. */
static volatile size_t *passed;

/* Waits for a child, at most as long as each of its tests may take. Returns 0 if it did not end. */
static int ended_in_time(pid_t child, int *status)
{
  int64_t since = milliseconds();
  size_t before = 0;
  sigset_t child_ended;
  sigemptyset(&child_ended);
  sigaddset(&child_ended, SIGCHLD);
  while (waitpid(child, status, WNOHANG) == 0) {
    if (*passed != before) {
      before = *passed;
      since = milliseconds();
    }
    if (milliseconds() - since >= times_slower(PATIENCE_SECONDS * 1000)) {
      return 0;
    }
    sigtimedwait(&child_ended, NULL, &(struct timespec){.tv_sec = 1});
  }
  return 1;
}

/* Shows what a test printed; returns whether it did. */
static int show_output(int output)
{
  char text[4096];
  ssize_t length;
  int any = 0;
  lseek(output, 0, SEEK_SET);
  while ((length = read(output, text, sizeof text)) > 0) {
    any = 1;
    fwrite(text, 1, (size_t)length, stdout);
  }
  return any;
}

enum outcome { PASS, FAILURE, SKIP };

/* The name of a test, with the number of the round from the second on. */
static const char *name_of(const struct test *test, int round)
{
  static char name[256];
  if (round == 1) {
    return test->name;
  }
  snprintf(name, sizeof name, "%s.%d", test->name, round);
  return name;
}

/*
 * Runs tests one after the other in one process, until one fails. `passed` then says how many did not; all of them, if
 * what failed is the end of the process.
 */
static enum outcome run_in_a_process(const struct test *const *tests, size_t count, int round)
{
  enum outcome outcome = PASS;
  int status = 0;
  int output = memfd_create("output", MFD_CLOEXEC);
  sigset_t child_ended, before;
  sigemptyset(&child_ended);
  sigaddset(&child_ended, SIGCHLD);
  /* Blocked, so that sigtimedwait finds it however early it comes. */
  sigprocmask(SIG_BLOCK, &child_ended, &before);
  fflush(stdout);
  *passed = 0;
  pid_t child = fork();
  if (child == 0) {
    /* A group of its own, so that everything it forks can be ended with it; and it dies with the runner. */
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    report = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 100);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    for (size_t place = 0; place < count; place++) {
      current_test = name_of(tests[place], round);
      tests[place]->run();
      *passed = place + 1;
    }
    exit(0);
  }
  setpgid(child, child);
  int in_time = ended_in_time(child, &status);
  const char *name = *passed < count ? name_of(tests[*passed], round) : "the end of the process";
  if (!in_time) {
    printf("FAILED %s: it did not end within %d s\n", name, (int)times_slower(PATIENCE_SECONDS));
    kill(-child, SIGKILL);
    waitpid(child, &status, 0);
    outcome = FAILURE;
  } else if (WIFSIGNALED(status)) {
    printf("FAILED %s: ended by %s\n", name, strsignal(WTERMSIG(status)));
    outcome = FAILURE;
  } else if (WEXITSTATUS(status) == SKIPPED) {
    outcome = SKIP;
  } else if (WEXITSTATUS(status) == FAILED) {
    outcome = FAILURE;
  } else if (WEXITSTATUS(status) != 0) {
    printf("FAILED %s: ended with status %d\n", name, WEXITSTATUS(status));
    outcome = FAILURE;
  }
  kill(-child, SIGKILL);
  if (show_output(output)) {
    printf("FAILED %s: it printed the above\n", name);
    outcome = FAILURE;
  }
  close(output);
  sigprocmask(SIG_SETMASK, &before, NULL);
  return outcome;
}

static int has_option(int argc, char **argv, const char *option)
{
  for (int place = 1; place < argc; place++) {
    if (strcmp(argv[place], option) == 0) {
      return 1;
    }
  }
  return 0;
}

/* The number in "--rounds=N", or 1. */
static int rounds_wanted(int argc, char **argv)
{
  for (int place = 1; place < argc; place++) {
    if (strncmp(argv[place], "--rounds=", 9) == 0) {
      return atoi(argv[place] + 9);
    }
  }
  return 1;
}

static int is_wanted(const char *name, int argc, char **argv)
{
  int any_named = 0;
  for (int place = 1; place < argc; place++) {
    if (argv[place][0] != '-') {
      any_named = 1;
      if (strstr(name, argv[place]) != NULL) {
        return 1;
      }
    }
  }
  return !any_named;
}

/* Runs one test in new processes until it has met what it is about often enough, or fails. */
static enum outcome run_rounds(const struct test *test, int times_wanted, int verbose)
{
  int64_t start = milliseconds();
  enum outcome outcome = PASS;
  int times = 0;
  for (int round = 1; outcome == PASS && times < times_wanted; round++) {
    outcome = run_in_a_process(&test, 1, round);
    times += test->times;
  }
  if (outcome == PASS && verbose) {
    printf("ok %s (%d times, %lld ms)\n", test->name, times, (long long)(milliseconds() - start));
    fflush(stdout);
  }
  return outcome;
}

int run_tests(int argc, char **argv, const struct test *tests, size_t count)
{
  const struct test **wanted = malloc(count * sizeof *wanted);
  size_t wanted_count = 0;
  size_t numbers[3] = {0, 0, 0};
  for (size_t place = 0; place < count; place++) {
    if (is_wanted(tests[place].name, argc, argv)) {
      wanted[wanted_count++] = &tests[place];
    }
  }
  passed = mmap(NULL, sizeof *passed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int together = has_option(argc, argv, "--together");
  for (size_t place = 0; place < wanted_count;) {
    if (!together) {
      numbers[run_rounds(wanted[place++], rounds_wanted(argc, argv), has_option(argc, argv, "-v"))]++;
      continue;
    }
    enum outcome outcome = run_in_a_process(&wanted[place], wanted_count - place, 1);
    numbers[PASS] += *passed;
    numbers[outcome] += outcome != PASS;
    /* The others go on in a new process. */
    place += *passed + (outcome != PASS);
  }
  printf("%zu passed, %zu failed", numbers[PASS], numbers[FAILURE]);
  if (numbers[SKIP] > 0) {
    printf(", %zu skipped", numbers[SKIP]);
  }
  printf("\n");
  free(wanted);
  return numbers[FAILURE] > 0 || wanted_count == 0;
}
