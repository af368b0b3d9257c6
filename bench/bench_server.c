/* bench_server.c - the server's side of a session: does what the client asks, within what bench_test_check()
 * allows. */
#include <string.h>

#include "bench_echo.h"
#include "bench_idle.h"
#include "bench_many.h"
#include "bench_run.h"
#include "bench_session.h"

struct server {
    const struct bench_options *o;
    struct bench_test test;
    struct bench_control *c;
    struct bench_error *err;
    const struct bench_layer_ops *ops;
    struct bench_layer *layer;
    struct bench_ep *ep; /* NULL for connect and echo */
    struct bench_echo *echo;
    struct bench_idle_set many; /* bw --connections */
    bool must_poll; /* verbs without a device: what the client does to our memory, this thread carries out */
};

static bool hear_hello(struct server *s)
{
    uint8_t body[BENCH_BODY_MAX];
    size_t bytes;

    return bench_control_expect(s->c, BENCH_MSG_HELLO, body, &bytes) &&
           bench_hello_decode(body, bytes, &s->test, s->err);
}

static bool open_and_listen(struct server *s)
{
    struct bench_layer_config config = {s->o, NULL, s->c};
    struct bench_ready ready;
    struct bench_device device;
    uint8_t body[BENCH_BODY_MAX];

    s->ops = bench_layer_of(s->test.layer);
    s->c->timeout_ms = s->test.timeout_s * 1000;
    memset(&ready, 0, sizeof ready);
    if (!s->ops->open(&config, &s->layer) || !s->ops->listen(s->layer, &ready.addr))
        return false;
    s->ops->describe(s->layer, &device);
    s->must_poll = s->test.layer == BENCH_RAW && strncmp(device.device, "softiwarp", 9) == 0;
    memcpy(ready.device, device.device, sizeof ready.device);
    memcpy(ready.transport, device.transport, sizeof ready.transport);
    ready.mtu_bytes = device.mtu_bytes;
    return bench_control_send(s->c, BENCH_MSG_READY, body, bench_ready_encode(&ready, body));
}

static bool accept_main(struct server *s)
{
    struct bench_ep_config config;
    struct bench_window peer;
    uint8_t body[BENCH_BODY_MAX];
    size_t bytes;

    if (s->test.command == BENCH_CONNECT)
        return true;
    if (s->test.command == BENCH_ECHO)
        return bench_echo_accept(s->layer, &s->test, s->c, &s->echo);
    if (s->test.command == BENCH_BW)
        bench_bw_config(&s->test, false, &config);
    else
        bench_lat_config(&s->test, &config);
    if (!s->ops->accept(s->layer, &config, s->test.timeout_s * 1000, &s->ep) ||
        !bench_control_expect(s->c, BENCH_MSG_DESC, body, &bytes))
        return false;
    if (!bench_window_decode(body, bytes, &peer))
        return bench_fail(s->err, "the client's DESC message is malformed");
    if (s->test.command == BENCH_LAT && s->test.op == BENCH_WRITE &&
        peer.piece_bytes < bench_piece_bytes(&s->test))
        return bench_fail(s->err, "the client's window is too small (%u bytes)", peer.piece_bytes);
    return s->ep->ops->set_peer(s->ep, &peer) &&
           bench_control_send(s->c, BENCH_MSG_DESC, body, bench_window_encode(&s->ep->mine, body));
}

/* --- runs ----------------------------------------------------------------------------------------------- */

static bool say_go(void *context)
{
    struct server *s = context;

    return bench_control_send(s->c, BENCH_MSG_GO, NULL, 0);
}

static bool check_run(struct server *s, const struct bench_run *run)
{
    if (s->test.command == BENCH_CONNECT || s->test.command == BENCH_REG)
        return true;
    if (s->test.command == BENCH_ECHO)
        return bench_echo_takes(s->echo, run->size) ||
               bench_fail(s->err, "the client asks for messages of %u bytes, which is not what it announced",
                          run->size);
    if (run->size > s->ep->config.piece_bytes || (run->size == 0 && s->test.op != BENCH_SEND))
        return bench_fail(s->err, "the client asks for a run of %u bytes, which is not what it announced",
                          run->size);
    return true;
}

static bool run_loop(struct server *s, struct bench_run_args *a)
{
    switch (s->test.command) {
    case BENCH_LAT: return bench_lat_server(a);
    case BENCH_BW: return bench_bw_server(a);
    case BENCH_ECHO: return bench_echo_server(a);
    case BENCH_CONNECT: return say_go(s) && s->ops->serve_connects(s->layer, s->c);
    default: return say_go(s);
    }
}

/* The client may be busy for as long as it likes (one-sided loops, a debugger): wait for its next word
 * without limit. */
static bool wait_for_word(struct server *s)
{
    uint32_t bytes;
    if (s->must_poll && s->ep != NULL) {
        for (uint32_t spins = 1; (spins & 255u) != 0 || !bench_control_readable(s->c, 0); spins++)
            if (s->ep->ops->poll_rx(s->ep, s->ep->rx_next, &bytes) == BENCH_FAILED)
                break; /* the connection has ended: the client says why */
    }
    while (!bench_control_readable(s->c, 60000)) {
    }
    return true;
}

static bool serve_run(struct server *s, const uint8_t *body, size_t bytes)
{
    struct bench_run_args args = {.test = &s->test,
                                  .ep = s->ep,
                                  .more = s->many.eps,
                                  .more_count = s->many.count,
                                  .echo = s->echo,
                                  .layer = s->layer,
                                  .layer_ops = s->ops,
                                  .control = s->c,
                                  .go = say_go,
                                  .go_context = s};
    struct bench_done done;
    struct bench_run run;
    uint8_t answer[BENCH_BODY_MAX];
    size_t answer_bytes;

    if (!bench_run_decode(body, bytes, &run))
        return bench_fail(s->err, "the client's RUN message is malformed");
    if (!check_run(s, &run))
        return false;
    args.size = run.size;
    args.count = run.count;
    if (s->ep != NULL)
        bench_patience_start(s->ep, s->c, s->test.timeout_s);
    if (s->ep != NULL)
        s->ep->shares_cpu = s->test.command == BENCH_BW;
    if (!run_loop(s, &args) || !wait_for_word(s) ||
        !bench_control_expect(s->c, BENCH_MSG_END, answer, &answer_bytes))
        return false;
    done.checked_bytes = args.checked_bytes;
    return bench_control_send(s->c, BENCH_MSG_DONE, answer, bench_done_encode(&done, answer));
}

/* echo */
static bool tell_memory(struct server *s)
{
    struct bench_idle mine = bench_echo_memory(s->echo);
    uint8_t body[BENCH_BODY_MAX];

    return bench_control_send(s->c, BENCH_MSG_IDLE, body, bench_idle_encode(&mine, body));
}

static bool serve_runs(struct server *s)
{
    uint8_t body[BENCH_BODY_MAX];
    enum bench_message_type type;
    size_t bytes;

    for (;;) {
        if (!wait_for_word(s) || !bench_control_receive(s->c, &type, body, &bytes))
            return false;
        if (type == BENCH_MSG_BYE)
            return s->echo == NULL || tell_memory(s);
        if (type != BENCH_MSG_RUN)
            return bench_fail(s->err, "the client sent control message %d where RUN belongs", (int)type);
        if (!serve_run(s, body, bytes))
            return false;
    }
}

bool bench_session_server(const struct bench_options *o, struct bench_control *c)
{
    struct server s = {.o = o, .c = c, .err = c->err};
    struct bench_idle_set idle = {0};
    bool is_good = hear_hello(&s) && open_and_listen(&s) && accept_main(&s) &&
                   (s.echo != NULL || bench_many_accept(&s.many, s.ops, s.layer, &s.test, s.ep, c)) &&
                   bench_idle_accept(&idle, s.ops, s.layer, &s.test, c) && serve_runs(&s);

    if (!is_good)
        bench_control_send_error(c);
    bench_idle_close(&idle);
    bench_idle_close(&s.many);
    bench_echo_close(s.echo);
    if (s.ep != NULL)
        s.ep->ops->close(s.ep);
    if (s.layer != NULL)
        s.ops->close(s.layer);
    return is_good;
}
