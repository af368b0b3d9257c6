/* compare.c - the comparison is a script for Linux. */
#include "bench_compare.h"

#include <stdio.h>

int bench_compare(int argc, char *const argv[])
{
    (void)argc, (void)argv;
    fputs(
        "wsdbench: error: compare works on Linux only: it starts perftest, rsockets and shell scripts there; here run "
        "wsdbench with --layer raw, san and tcp in turn, or from the source tree scripts/bench.sh --windows\n",
        stderr);
    return 1;
}
