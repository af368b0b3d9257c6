/* second_process.h - the test's side of a second process: this very program again, told what to do over a pipe. One command a
 * line, one answer a line: "ok", "ok ..." or what went wrong. What it does is its suite's affair (ct_role.c, sp_process.c).
 * Layer:   tests/support; over cmocka and POSIX (on Windows: tests/support/windows). Anything unexpected fails the test. */
#ifndef SECOND_PROCESS_H
#define SECOND_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pal/compiler.h"

struct second_process {
    uint32_t pid;
    uint32_t wait_ms; /* patience with an answer */
    int to, from;     /* file descriptors */
    bool is_alive;
    char rest[4096]; /* read, and not yet part of a whole answer */
    size_t rest_bytes;
};

void second_process_start(struct second_process *p, char *const argv[], uint32_t wait_ms);
/* One command, one answer: what comes behind "ok ", valid until the next answer. */
const char *second_process_tell(struct second_process *p, const char *format, ...) PAL_PRINTF(2, 3);
/* The same without waiting for the answer, and the wait. */
void second_process_order(struct second_process *p, const char *format, ...) PAL_PRINTF(2, 3);
const char *second_process_answer(struct second_process *p);
void second_process_reap(struct second_process *p, int *status); /* waitpid(), and the pipes go */
void second_process_end(struct second_process *p);               /* politely; it must exit with 0 */

#endif
