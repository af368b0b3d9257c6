/* bench_main.c - wsdbench: subcommands, and who is client and who is server. */
#include <stdio.h>

#include "bench_compare.h"
#include "bench_net.h"
#include "bench_process.h"
#include "bench_session.h"

static int complain(const struct bench_error *err)
{
    fprintf(stderr, "wsdbench: error: %s\n", err->text);
    return 1;
}

static int run_client(const struct bench_options *o, pal_socket fd)
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

/* In a process of its own. The client prints what the server told it, so the server of one command is silent. */
static int run_server(const struct bench_options *o, pal_socket fd, bool is_loud)
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

/* A process of its own for each client: nothing of one test is left for the next. The processor was tried before. */
static int run_child(const struct bench_options *o, pal_socket fd)
{
    struct bench_error err = {{0}};

    return bench_process_stay_on(o->pin[1], &err) ? run_server(o, fd, o->role == BENCH_SERVER)
                                                  : complain(&err);
}

/* One command, two processes. */
static int run_both(const struct bench_options *o)
{
    struct bench_error err = {{0}};
    bench_child child;
    pal_socket pair[2];
    int status;

    if (!bench_process_stay_on(o->pin[1], &err) ||
        !bench_process_stay_on(o->pin[0], &err)) /* both are there: the server of this command is silent */
        return complain(&err);
    if (!bench_net_pair(pair)) {
        (void)bench_fail(&err, "cannot connect two processes: %s", bench_net_error_text(bench_net_error()));
        return complain(&err);
    }
    if (!bench_child_start(run_child, o, pair[1], pair[0], &child, &err))
        return complain(&err);
    bench_net_close(pair[1]);
    status = run_client(o, pair[0]);
    return bench_child_reap(child, "server of this command") != 0 && status == 0 ? 1 : status;
}

static int serve_one(const struct bench_options *o, pal_socket listener)
{
    struct bench_error err = {{0}};
    bench_child child;
    char who[64];
    pal_socket fd = bench_control_accept(listener, who, sizeof who, &err);
    bool is_started;

    if (fd == PAL_SOCKET_NONE)
        return -complain(&err);
    fprintf(stderr, "wsdbench: client %s\n", who);
    is_started = bench_child_start(run_child, o, fd, listener, &child, &err);
    bench_net_close(fd);
    return is_started ? bench_child_reap(child, "server process") : complain(&err);
}

static int serve(const struct bench_options *o)
{
    struct bench_error err = {{0}};
    pal_socket listener;
    int status;

    if (o->addr[0] != '\0' &&
        !bench_control_owns(o->addr, &err)) /* else it would turn out with the first client */
        return complain(&err);
    listener = bench_control_listen(o->port, &err);
    if (listener == PAL_SOCKET_NONE || !bench_process_stay_on(o->pin[1], &err))
        return complain(&err);
    fprintf(stderr, "wsdbench: serving on control port %u; end with Ctrl-C\n", o->port);
    do
        status = serve_one(o, listener);
    while (!o->once && status >= 0);
    bench_net_close(listener);
    return status < 0 ? 1 : status;
}

static int connect_to(const struct bench_options *o)
{
    struct bench_error err = {{0}};
    pal_socket fd = bench_control_connect(o->host, o->port, o->test.timeout_s * 1000, &err);

    return fd == PAL_SOCKET_NONE || !bench_process_stay_on(o->pin[0], &err) ? complain(&err)
                                                                            : run_client(o, fd);
}

int main(int argc, char *argv[])
{
    struct bench_options o;
    struct bench_error err = {{0}};
    pal_socket channel;

    if (!bench_child_channel(&argc, argv, &channel, &err))
        return complain(&err);
    switch (bench_options_parse(argc, argv, &o, &err)) {
    case BENCH_PARSED: break;
    case BENCH_PARSED_HELP: fputs(bench_help_text, stdout); return argc < 2 ? 2 : 0;
    case BENCH_PARSED_VERSION: puts("wsdbench " WSD_VERSION); return 0;
    case BENCH_PARSED_COMPARE: return bench_compare(argc - 2, argv + 2);
    case BENCH_PARSED_WRONG: (void)complain(&err); return 2;
    }
    bench_process_raise_limits();
    if (channel != PAL_SOCKET_NONE)
        return run_child(&o, channel);
    switch (o.role) {
    case BENCH_SERVER: return serve(&o);
    case BENCH_CLIENT: return connect_to(&o);
    case BENCH_FORK: break;
    }
    return run_both(&o);
}
