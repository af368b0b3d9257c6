/* suite.h - what the contract suites of the two edges share: tests/contract below the switch, tests/spi above it.
 * Layer:   tests/support; over cmocka. Codes are Winsock's and are printed by name.
 * Threads: suite_fail() and the checks belong to the thread that runs the test; suite_relax() to any. */
#ifndef SUITE_H
#define SUITE_H

#include <stddef.h>

#include "pal/compiler.h"

/* End the test unless got is what was expected, or one of a set; `what` is the call as it stands in the test. */
void suite_check(int got, int expected, const char *what, const char *file, int line);
void suite_one_of(int got, const int *set, size_t count, const char *what, const char *file, int line);
void suite_fail(const char *file, int line, const char *format, ...) PAL_PRINTF(3, 4)
    __attribute__((noreturn));
void suite_relax(void); /* between two looks: yields, after a while sleeps a millisecond */

#endif
