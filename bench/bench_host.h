/* bench_host.h - this machine and this process: what the report says of the one, and what the bench changes in the other.
 * Layer: bench, lowest; posix/host.c or windows/host.c, CMake chooses. */
#ifndef BENCH_HOST_H
#define BENCH_HOST_H

#include <stdbool.h>
#include <stddef.h>

struct bench_host {
    char name[256];
    char system[256]; /* name and release of the kernel */
    char cpu[256];    /* model of the first processor, or the kind of machine */
    unsigned cpus;    /* that are on */
};

void bench_host_look(struct bench_host *out);

bool bench_host_stderr_is_terminal(void);

/* For this process and the libraries it loads. is_default: leave the variable alone when it is set already. */
void bench_host_setenv(const char *name, const char *value, bool is_default);

#endif
