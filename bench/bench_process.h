/* bench_process.h - limits, processors, and the second process that serves the other end of a test.
 * Layer: bench, below main; posix/process.c (fork) or windows/process.c (this program started again), CMake chooses. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench_error.h"
#include "bench_options.h"
#include "pal/socket.h"

/* Idle connections cost descriptors, registered memory counts as locked: as much as the system lets us have. */
void bench_process_raise_limits(void);

/* --pin: this process and the threads it starts from now on stay on one processor; cpu < 0: on any. */
bool bench_process_stay_on(int cpu, struct bench_error *err);

/* First in main(). Is this process a child of bench_child_start() that began at main()? Then *channel is its channel, and
 * what argv held for us is gone; otherwise PAL_SOCKET_NONE. False: it is, but has no channel. */
bool bench_child_channel(int *argc, char *argv[], pal_socket *channel, struct bench_error *err);

typedef int (*bench_child_fn)(const struct bench_options *o, pal_socket channel); /* returns an exit status */
typedef intptr_t bench_child; /* what the system knows a process by */

/* Start a process that runs fn(o, channel), there or from its main(), and that ends when this one dies. The caller closes its
 * own copy of channel; kept is closed in the child. Before any RDMA device is opened: verbs objects do not survive a fork. */
bool bench_child_start(bench_child_fn fn, const struct bench_options *o, pal_socket channel, pal_socket kept,
                       bench_child *out, struct bench_error *err);
/* Wait for its end. Its exit status; 1 and a line on stderr when it did not end by itself. */
int bench_child_reap(bench_child child, const char *who);

#endif
