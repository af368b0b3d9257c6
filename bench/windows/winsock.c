/* winsock.c - no such layer: the calls are the system's here. */
#include "bench_winsock.h"

bool bench_winsock_start(const WSPPROC_TABLE **out, struct bench_error *err)
{
    (void)out;
    return bench_fail(err, "--layer winsock and winsocktcp are for Linux: on Windows the Winsock calls are "
                           "the system's, and --layer tcp measures them");
}

void bench_winsock_stop(void)
{
}
