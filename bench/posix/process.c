/* process.c - limits, processors, and children by fork(). */
#include "bench_process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

void bench_process_raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_MEMLOCK, &limit);
    }
}

bool bench_process_stay_on(int cpu, struct bench_error *err)
{
    cpu_set_t set;

    if (cpu < 0)
        return true;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0 ||
           bench_fail(err, "--pin: cannot run on processor %d: %s", cpu, strerror(errno));
}

/* A forked child goes on where it was forked. */
bool bench_child_channel(int *argc, char *argv[], pal_socket *channel, struct bench_error *err)
{
    (void)argc, (void)argv, (void)err;
    *channel = PAL_SOCKET_NONE;
    return true;
}

static void flush_and_leave(int status)
{
    (void)fflush(stdout);
    (void)fflush(stderr);
    _exit(status);
}

bool bench_child_start(bench_child_fn fn, const struct bench_options *o, pal_socket channel, pal_socket kept,
                       bench_child *out, struct bench_error *err)
{
    pid_t child = fork();

    if (child < 0)
        return bench_fail(err, "cannot fork a server: %s", strerror(errno));
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void)close(kept);
        flush_and_leave(fn(o, channel));
    }
    *out = child;
    return true;
}

int bench_child_reap(bench_child child, const char *who)
{
    int status = 0;

    while (waitpid((pid_t)child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "wsdbench: error: the %s was killed by signal %d (%s)\n", who, WTERMSIG(status),
                strsignal(WTERMSIG(status)));
        return 1;
    }
    return WEXITSTATUS(status);
}
