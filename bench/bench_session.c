/* bench_session.c - the client's side of a session: agrees with the server, runs the loops, fills the
 * report. */
#include "bench_session.h"

#include <stdlib.h>
#include <string.h>

#include "bench_echo.h"
#include "bench_idle.h"
#include "bench_many.h"
#include "bench_run.h"
#include "pal/time.h"

struct client {
    const struct bench_options *o;
    const struct bench_test *test;
    struct bench_control *c;
    struct bench_error *err;
    struct bench_report *report;
    const struct bench_layer_ops *ops;
    struct bench_layer *layer;
    struct bench_ready ready;
    struct bench_ep *ep; /* NULL for connect and echo */
    struct bench_echo *echo;
    struct bench_ep bare;       /* stands in for it: progress and patience */
    struct bench_idle_set many; /* bw --connections */
    uint64_t *times;
    size_t times_room;
};

/* --- before the runs ------------------------------------------------------------------------------------ */

static bool say_hello(struct client *k)
{
    uint8_t body[BENCH_BODY_MAX];
    size_t bytes = bench_hello_encode(k->test, body);
    struct bench_device *remote = &k->report->remote;

    if (!bench_control_send(k->c, BENCH_MSG_HELLO, body, bytes) ||
        !bench_control_expect(k->c, BENCH_MSG_READY, body, &bytes))
        return false;
    if (!bench_ready_decode(body, bytes, &k->ready))
        return bench_fail(k->err, "the server's READY message is malformed");
    memcpy(remote->device, k->ready.device, sizeof remote->device);
    memcpy(remote->transport, k->ready.transport, sizeof remote->transport);
    remote->mtu_bytes = k->ready.mtu_bytes;
    (void)vb_addr_text(&k->ready.addr, remote->address);
    return true;
}

static bool open_layer(struct client *k)
{
    struct bench_layer_config config = {k->o, &k->ready.addr, k->c};

    if (!k->ops->open(&config, &k->layer))
        return false;
    k->ops->describe(k->layer, &k->report->local);
    return true;
}

static void ep_config(const struct bench_test *t, struct bench_ep_config *out)
{
    if (t->command == BENCH_BW)
        bench_bw_config(t, true, out);
    else
        bench_lat_config(t, out);
}

static bool exchange_windows(struct client *k)
{
    uint8_t body[BENCH_BODY_MAX];
    size_t bytes = bench_window_encode(&k->ep->mine, body);
    struct bench_window peer;

    if (!bench_control_send(k->c, BENCH_MSG_DESC, body, bytes) ||
        !bench_control_expect(k->c, BENCH_MSG_DESC, body, &bytes))
        return false;
    if (!bench_window_decode(body, bytes, &peer))
        return bench_fail(k->err, "the server's DESC message is malformed");
    if (k->test->op != BENCH_SEND && k->test->command != BENCH_REG &&
        peer.piece_bytes < bench_piece_bytes(k->test))
        return bench_fail(k->err, "the server's window takes %u bytes, this test needs %u", peer.piece_bytes,
                          bench_piece_bytes(k->test));
    return k->ep->ops->set_peer(k->ep, &peer);
}

static bool connect_main(struct client *k)
{
    struct bench_ep_config config;

    if (k->test->command == BENCH_CONNECT)
        return true;
    if (k->test->command == BENCH_ECHO)
        return bench_echo_connect(k->layer, k->test, &k->ready.addr, k->c, &k->echo);
    ep_config(k->test, &config);
    return k->ops->connect(k->layer, &config, &k->ready.addr, k->test->timeout_s * 1000, &k->ep) &&
           exchange_windows(k);
}

/* --- one run -------------------------------------------------------------------------------------------- */

static bool reserve_times(struct client *k, uint32_t count)
{
    size_t need = (size_t)count * (k->test->command == BENCH_CONNECT ? 2 : 1) + 1;

    if (need > k->times_room) {
        free(k->times);
        k->times = malloc(need * sizeof *k->times);
        k->times_room = k->times == NULL ? 0 : need;
        if (k->times == NULL)
            return bench_fail(k->err, "out of memory for %u samples: lower --iters", count);
    }
    memset(k->times, 0, need * sizeof *k->times); /* the pages exist before the clock runs */
    return true;
}

/* What is timed between the server's GO and our END. */
struct client_run {
    struct bench_run_args args;
    enum bench_reg_kind kind; /* reg */
    bool is_cold;
    bool is_supported;
};

static bool run_loop(struct client *k, struct client_run *run)
{
    switch (k->test->command) {
    case BENCH_LAT: return bench_lat_client(&run->args);
    case BENCH_BW: return bench_bw_client(&run->args);
    case BENCH_CONNECT: return bench_connect_client(&run->args);
    case BENCH_ECHO: return bench_echo_client(&run->args);
    default: return bench_reg_client(&run->args, run->kind, run->is_cold, &run->is_supported);
    }
}

static bool ask_to_run(struct client *k, uint32_t size, uint32_t count)
{
    struct bench_run run = {size, count};
    uint8_t body[BENCH_BODY_MAX];
    size_t bytes = bench_run_encode(&run, body);

    return bench_control_send(k->c, BENCH_MSG_RUN, body, bytes) &&
           bench_control_expect(k->c, BENCH_MSG_GO, body, &bytes);
}

static bool end_run(struct client *k, uint64_t *checked_bytes)
{
    uint8_t body[BENCH_BODY_MAX];
    size_t bytes;
    struct bench_done done;

    if (!bench_control_send(k->c, BENCH_MSG_END, NULL, 0) ||
        !bench_control_expect(k->c, BENCH_MSG_DONE, body, &bytes))
        return false;
    if (!bench_done_decode(body, bytes, &done))
        return bench_fail(k->err, "the server's DONE message is malformed");
    *checked_bytes += done.checked_bytes;
    return true;
}

static bool run_once(struct client *k, struct client_run *run, uint32_t size, uint32_t count)
{
    struct bench_ep *ep = k->ep != NULL ? k->ep : &k->bare;
    struct bench_progress *progress;
    uint64_t start;
    bool is_good;

    if (!reserve_times(k, count) || !ask_to_run(k, size, count))
        return false;
    run->args.test = k->test;
    run->args.ep = ep;
    run->args.more = k->many.eps;
    run->args.more_count = k->many.count;
    run->args.echo = k->echo;
    run->args.layer = k->layer;
    run->args.layer_ops = k->ops;
    run->args.remote = &k->ready.addr;
    run->args.control = k->c;
    run->args.size = size;
    run->args.count = count;
    run->args.times = k->times;
    run->args.elapsed_ns = run->args.checked_bytes = 0;
    bench_patience_start(ep, k->c, k->test->timeout_s);
    ep->shares_cpu = k->test->command == BENCH_BW;
    progress = bench_progress_start(&ep->progress, count, size, k->o->quiet);
    start = pal_now_ns();
    is_good = run_loop(k, run);
    if (run->args.elapsed_ns == 0)
        run->args.elapsed_ns = pal_now_ns() - start;
    bench_progress_stop(progress);
    return is_good && end_run(k, &run->args.checked_bytes);
}

/* How many fit into --seconds: the first runs are too short to tell, so ever longer ones are tried. */
static bool calibrate(struct client *k, struct client_run *run, uint32_t size, uint32_t *count)
{
    double wanted_ns = (double)k->test->seconds * 1e9;
    uint32_t trial = k->test->warmup < 20 ? 20 : k->test->warmup;

    for (;;) {
        double elapsed;
        double fit;

        if (!run_once(k, run, size, trial))
            return false;
        elapsed = run->args.elapsed_ns == 0 ? 1 : (double)run->args.elapsed_ns;
        fit = wanted_ns / elapsed * trial;
        *count = fit < 10 ? 10 : fit > BENCH_ITERS_MAX ? BENCH_ITERS_MAX : (uint32_t)fit;
        if (elapsed > wanted_ns / 20 || *count / 10 <= trial)
            return true;
        trial = *count / 10 < trial * 8 ? *count / 10 : trial * 8;
    }
}

/* Untimed operations. */
static bool warm_up(struct client *k, struct client_run *run, uint32_t size, uint32_t *count)
{
    *count = k->test->iters;
    if (k->test->seconds != 0)
        return calibrate(k, run, size, count);
    return k->test->warmup == 0 || run_once(k, run, size, k->test->warmup);
}

/* --- results -------------------------------------------------------------------------------------------- */

static void lat_row(struct client *k, struct client_run *run, struct bench_row *row)
{
    row->kind = BENCH_ROW_LAT;
    bench_stats_differences(k->times, row->count);
    bench_stats_of(k->times, row->count, &row->stats);
    bench_stats_scale(&row->stats, (k->test->op == BENCH_READ ? 1.0 : 0.5) / 1e3);
    (void)run;
}

static void connect_row(struct client *k, struct bench_row *row)
{
    row->kind = BENCH_ROW_CONNECT;
    bench_stats_of(k->times, row->count, &row->stats);
    bench_stats_of(k->times + row->count, row->count, &row->close);
    bench_stats_scale(&row->stats, 1e-3);
    bench_stats_scale(&row->close, 1e-3);
}

static bool add_row(struct client *k, struct client_run *run, uint32_t size, uint32_t count)
{
    struct bench_row row = {.kind = BENCH_ROW_BW,
                            .size = size,
                            .count = count,
                            .elapsed_ns = run->args.elapsed_ns,
                            .checked_bytes = run->args.checked_bytes};

    if (k->test->command == BENCH_LAT) {
        lat_row(k, run, &row);
    } else if (k->test->command == BENCH_CONNECT) {
        connect_row(k, &row);
    } else if (k->test->command == BENCH_REG) {
        static const char *const kinds[BENCH_REG_KINDS] = {"local", "rdma", "window"};

        row.kind = BENCH_ROW_REG;
        row.what = kinds[run->kind];
        row.cache = k->test->layer == BENCH_RAW ? "none" : run->is_cold ? "cold" : "cached";
        bench_stats_of(k->times, count, &row.stats);
        bench_stats_scale(&row.stats, 1e-3);
    }
    return bench_report_add(k->report, &row, k->err);
}

static bool measure(struct client *k, struct client_run *run, uint32_t size)
{
    uint32_t count;

    run->is_supported = true;
    if (!warm_up(k, run, size, &count))
        return false;
    if (!run->is_supported)
        return true;
    count = (count + k->many.count) / (k->many.count + 1) *
            (k->many.count + 1); /* as many for each connection */
    return run_once(k, run, size, count) && (!run->is_supported || add_row(k, run, size, count));
}

static bool measure_size(struct client *k, uint32_t size)
{
    struct client_run run = {.is_supported = true};

    if (k->test->command != BENCH_REG)
        return measure(k, &run, size);
    for (unsigned kind = 0; kind < BENCH_REG_KINDS; kind++) {
        run.kind = (enum bench_reg_kind)kind;
        run.is_cold = false;
        if (!measure(k, &run, size))
            return false;
        run.is_cold = true;
        if (k->test->layer == BENCH_SAN && run.is_supported && !measure(k, &run, size))
            return false;
    }
    return true;
}

/* echo: after all runs, so that everything that is touched only now and then has been. The server tells its part behind BYE. */
static bool weigh_connections(struct client *k)
{
    struct bench_idle mine = bench_echo_memory(k->echo), theirs;
    uint8_t body[BENCH_BODY_MAX];
    size_t bytes;
    struct bench_memory_row m;

    if (!bench_control_expect(k->c, BENCH_MSG_IDLE, body, &bytes))
        return false;
    if (!bench_idle_decode(body, bytes, &theirs) || theirs.count != mine.count)
        return bench_fail(k->err, "the server's IDLE message is malformed");
    m.count = mine.count;
    m.client_kib = ((double)mine.rss_after - (double)mine.rss_before) / 1024 / mine.count;
    m.server_kib = ((double)theirs.rss_after - (double)theirs.rss_before) / 1024 / mine.count;
    if (k->test->rss)
        bench_report_memory(k->report, &m);
    return true;
}

static bool measure_all(struct client *k)
{
    unsigned sizes = k->test->command == BENCH_CONNECT ? 1 : k->test->size_count;

    bench_report_begin(k->report);
    for (unsigned i = 0; i < sizes; i++) {
        uint32_t size = k->test->command == BENCH_CONNECT ? 0 : k->test->sizes[i];

        if (!measure_size(k, size))
            return bench_fail_in(k->err, "%s of %u bytes", bench_command_name(k->test->command), size);
    }
    return bench_control_send(k->c, BENCH_MSG_BYE, NULL, 0) && (k->echo == NULL || weigh_connections(k));
}

bool bench_session_client(const struct bench_options *o, struct bench_control *c, struct bench_report *r)
{
    struct client k = {
        .o = o, .test = &o->test, .c = c, .err = c->err, .report = r, .ops = bench_layer_of(o->test.layer)};
    struct bench_idle_set idle = {0};
    bool is_good;

    k.bare.err = c->err;
    is_good = say_hello(&k) && open_layer(&k) && connect_main(&k) &&
              (k.echo != NULL ||
               bench_many_connect(&k.many, k.ops, k.layer, k.test, k.ep, &k.ready.addr, c)) &&
              bench_idle_connect(&idle, k.ops, k.layer, k.test, &k.ready.addr, c, r) && measure_all(&k);
    if (!is_good)
        bench_control_send_error(c);
    bench_idle_close(&idle);
    bench_idle_close(&k.many);
    bench_echo_close(k.echo);
    if (k.ep != NULL)
        k.ep->ops->close(k.ep);
    if (k.layer != NULL)
        k.ops->close(k.layer);
    free(k.times);
    return is_good;
}
