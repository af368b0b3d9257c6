/* bench_winsock.h - the Winsock calls of an application in the shape of the table below them, so that one data path
 * (bench_app.c) measures both, and the difference is what the calls cost: here one function more for each.
 * Layer: bench, below bench_app_conn.c; posix/winsock.c over libws2. Windows has no such layer: there the calls are the
 *        system's, and --layer tcp measures them. */
#ifndef BENCH_WINSOCK_H
#define BENCH_WINSOCK_H

#include <stdbool.h>

#include "bench_error.h"
#include "winsock/ws2.h"

/* WSAStartup. Of the table only what bench_app*.c calls is filled. False: the sentence is in err. */
bool bench_winsock_start(const WSPPROC_TABLE **out, struct bench_error *err);
/* WSACleanup. */
void bench_winsock_stop(void);

#endif
