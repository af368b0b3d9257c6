/* bench_main.c - wsdbench: subcommands, and who is client and who is server. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_compare.h"
#include "bench_session.h"

static int complain(const struct bench_error *err)
{
    fprintf(stderr, "wsdbench: error: %s\n", err->text);
    return 1;
}

/* Idle connections cost descriptors, registered memory counts as locked. */
static void raise_limits(void)
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

/* --pin: before any thread starts, they inherit it. */
static bool stay_on(int cpu, struct bench_error *err)
{
    cpu_set_t set;

    if (cpu < 0)
        return true;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0 ||
           bench_fail(err, "--pin: cannot run on processor %d: %s", cpu, strerror(errno));
}

static int run_client(const struct bench_options *o, int fd)
{
    struct bench_error err = {{0}};
    struct bench_control control;
    struct bench_report report;
    bool is_good;

    bench_control_init(&control, fd, o->test.timeout_s * 1000, &err);
    bench_report_init(&report, o);
    is_good = bench_session_client(o, &control, &report) && bench_report_end(&report, &err);
    bench_report_fini(&report);
    bench_control_close(&control);
    return is_good ? 0 : complain(&err);
}

/* In a process of its own. The client prints what the server told it, so a forked server is silent. */
static int run_server(const struct bench_options *o, int fd, bool is_loud)
{
    struct bench_error err = {{0}};
    struct bench_control control;
    bool is_good;

    bench_control_init(&control, fd, o->test.timeout_s * 1000, &err);
    is_good = bench_session_server(o, &control);
    bench_control_close(&control);
    if (!is_good && is_loud)
        (void)complain(&err);
    return is_good ? 0 : 1;
}

static void flush_and_leave(int status)
{
    (void)fflush(stdout);
    (void)fflush(stderr);
    _exit(status);
}

/* Wait for one child; its death by a signal is worth a word. */
static int reap(pid_t child, const char *who)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "wsdbench: error: the %s was killed by signal %d (%s)\n", who, WTERMSIG(status),
                strsignal(WTERMSIG(status)));
        return 1;
    }
    return WEXITSTATUS(status);
}

/* One command, two processes. The fork comes before any RDMA device is opened: verbs objects do not survive
 * one. */
static int fork_both(const struct bench_options *o)
{
    struct bench_error err = {{0}};
    int pair[2];
    int status;
    pid_t child;

    if (!stay_on(o->pin[1], &err) || !stay_on(o->pin[0], &err)) /* both are there: the forked one is silent */
        return complain(&err);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        (void)bench_fail(&err, "cannot make a socket pair: %s", strerror(errno));
        return complain(&err);
    }
    child = fork();
    if (child < 0) {
        (void)bench_fail(&err, "cannot fork the server: %s", strerror(errno));
        return complain(&err);
    }
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void)close(pair[0]);
        flush_and_leave(stay_on(o->pin[1], &err) ? run_server(o, pair[1], false) : 1);
    }
    (void)close(pair[1]);
    status = run_client(o, pair[0]);
    return reap(child, "forked server") != 0 && status == 0 ? 1 : status;
}

/* Each client gets a fresh process: nothing of one test is left for the next. */
static int serve(const struct bench_options *o)
{
    struct bench_error err = {{0}};
    int listener;
    int status = 0;

    if (o->addr[0] != '\0' &&
        !bench_control_owns(o->addr, &err)) /* else it would turn out with the first client */
        return complain(&err);
    listener = bench_control_listen(o->port, &err);
    if (listener < 0 || !stay_on(o->pin[1], &err))
        return complain(&err);
    fprintf(stderr, "wsdbench: serving on control port %u; end with Ctrl-C\n", o->port);
    do {
        char who[64];
        int fd = bench_control_accept(listener, who, sizeof who, &err);
        pid_t child;

        if (fd < 0)
            return complain(&err);
        fprintf(stderr, "wsdbench: client %s\n", who);
        child = fork();
        if (child == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
            (void)close(listener);
            flush_and_leave(run_server(o, fd, true));
        }
        (void)close(fd);
        status = child < 0 ? 1 : reap(child, "server process");
    } while (!o->once);
    (void)close(listener);
    return status;
}

static int connect_to(const struct bench_options *o)
{
    struct bench_error err = {{0}};
    int fd = bench_control_connect(o->host, o->port, o->test.timeout_s * 1000, &err);

    return fd < 0 || !stay_on(o->pin[0], &err) ? complain(&err) : run_client(o, fd);
}

int main(int argc, char *argv[])
{
    struct bench_options o;
    struct bench_error err = {{0}};

    switch (bench_options_parse(argc, argv, &o, &err)) {
    case BENCH_PARSED: break;
    case BENCH_PARSED_HELP: fputs(bench_help_text, stdout); return argc < 2 ? 2 : 0;
    case BENCH_PARSED_VERSION: puts("wsdbench " WSD_VERSION); return 0;
    case BENCH_PARSED_COMPARE: return bench_compare(argc - 2, argv + 2);
    case BENCH_PARSED_WRONG: (void)complain(&err); return 2;
    }
    raise_limits();
    switch (o.role) {
    case BENCH_SERVER: return serve(&o);
    case BENCH_CLIENT: return connect_to(&o);
    case BENCH_FORK: break;
    }
    return fork_both(&o);
}
