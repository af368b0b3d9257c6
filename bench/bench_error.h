/* bench_error.h - one sentence that says what failed, on what, and what to do.
 * Layer:   bench. Every function that can fail returns false and leaves its sentence here; main() prints it
 *          once.
 * Threads: an error object belongs to one thread. */
#ifndef BENCH_ERROR_H
#define BENCH_ERROR_H

#include <stdbool.h>

#include "pal/compiler.h"

struct bench_error {
    char text[768]; /* empty: nothing failed yet */
};

/* Store a sentence unless there is one already: the first cause counts. Always returns false. */
bool bench_fail(struct bench_error *err, const char *format, ...) PAL_PRINTF(2, 3);

/* Put "while doing this: " before the sentence that is there. Always returns false. */
bool bench_fail_in(struct bench_error *err, const char *format, ...) PAL_PRINTF(2, 3);

/* Put more behind the sentence that is there. */
void bench_add(struct bench_error *err, const char *format, ...) PAL_PRINTF(2, 3);

#endif
