/* rping_peer.c - one end of rping's protocol over vb.h, so that our iWARP talks to code that nobody here wrote.
 * Usage:    rping_peer server|client IP:PORT BYTES ROUNDS; WSD_TEST_BACKEND chooses the backend (default softiwarp).
 * Protocol: as rping speaks it. Each round the client describes its source in a message of 16 bytes, the server
 *           reads it by RDMA and answers with 16 bytes that mean "go on"; the client describes its sink, the server
 *           writes there what it has read, and answers again. The client disconnects after the last round.
 * Result:   0: every byte was right, both ways and beside the buffers; 1: not so, or nothing moved in time.
 *           Waiting has a deadline throughout: a peer that says nothing fails the test, it does not hang it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pal/memory.h"
#include "pal/time.h"
#include "pal/wait.h"
#include "vb/vb.h"

#define DEADLINE_MS   20000
#define RETRY_MS      50
#define MESSAGE_BYTES 16
#define GUARD_BYTES   64 /* after each buffer: nothing may reach it */
#define GUARD         0xa5
#define UNTOUCHED     0x5a /* what comes ends with 0, so not that */
#define BYTES_MAX     (1u << 20)

enum request_id { ID_RECV = 1, ID_SEND, ID_READ, ID_WRITE };

static const char *role = "?";

struct peer {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_cm *cm;
    struct vb_pd *pd;
    struct vb_cq *cq;
    struct vb_qp *qp;
    struct vb_mr *mr;
    struct vb_listener *listener;
    struct vb_conn *conn;
    bool is_down; /* DISCONNECTED was seen */
    uint8_t *mem;
    size_t mem_bytes;
    uint8_t *in, *out, *source, *sink; /* parts of mem. in, out: messages */
    uint32_t bytes, rounds;
};

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
    va_list args;
    (void)fprintf(stderr, "rping_peer %s: ", role);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(1);
}

static void need(vb_status_t st, const char *what)
{
    if (st != VB_OK)
        fail("%s: %s", what, vb_status_name(st));
}

/* ---- bytes ---- */

static uint8_t *put_be(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
    return p + bytes;
}

static uint64_t get_be(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

/* What rping's client has in its buffer in round n: a line of text with n in it, then the characters from 'A' to 'z'
 * over and over, each round beginning one further; the last byte is 0. */
static void rping_text(uint8_t *p, uint32_t bytes, uint32_t round)
{
    const unsigned letters = 'z' - 'A' + 1;
    char head[32];
    const int head_bytes = snprintf(head, sizeof head, "rdma-ping-%" PRIu32 ": ", round);

    for (uint32_t i = 0; i < bytes; i++)
        p[i] = i < (uint32_t)head_bytes ? (uint8_t)head[i]
                                        : (uint8_t)('A' + (round + i - (uint32_t)head_bytes) % letters);
    p[bytes - 1] = 0;
}

static void compare(const struct peer *p, const uint8_t *got, const uint8_t *want, uint32_t round)
{
    for (uint32_t i = 0; i < p->bytes; i++)
        if (got[i] != want[i])
            fail("round %" PRIu32 ": byte %" PRIu32 " of %" PRIu32 " is %02x, should be %02x", round, i,
                 p->bytes, got[i], want[i]);
    for (unsigned i = 0; i < GUARD_BYTES; i++)
        if (got[p->bytes + i] != GUARD)
            fail("round %" PRIu32 ": byte %u behind the buffer was written", round, i);
}

/* ---- waiting ---- */

static void tell_async(struct peer *p)
{
    struct vb_async_event ev;
    while (vb_async_poll(p->be, &ev) == VB_OK)
        if (ev.kind == VB_ASYNC_QP_FATAL)
            (void)fprintf(stderr, "rping_peer %s: the queue pair has failed\n", role);
}

static void sleep_for_news(struct peer *p)
{
    pal_waitable waits[2] = {vb_cm_waitable(p->cm), PAL_WAITABLE_NONE};
    if (p->cq)
        waits[1] = vb_cq_waitable(p->cq);
    (void)pal_wait(waits, 2, 100);
    if (p->cq)
        (void)vb_cq_ack(p->cq);
    tell_async(p);
}

/* The next connection event; false at the deadline. */
static bool next_event(struct peer *p, struct vb_cm_event *ev)
{
    const uint64_t deadline = pal_now_ns() + DEADLINE_MS * UINT64_C(1000000);
    for (;;) {
        const vb_status_t st = vb_cm_poll(p->cm, ev);
        if (st == VB_OK)
            return true;
        if (st != VB_E_AGAIN)
            fail("connection events: %s", vb_status_name(st));
        if (pal_now_ns() > deadline)
            return false;
        sleep_for_news(p);
    }
}

static void expect_event(struct peer *p, enum vb_cm_event_kind kind, const char *name, struct vb_cm_event *ev)
{
    if (!next_event(p, ev))
        fail("no %s in time", name);
    if (ev->kind != kind)
        fail("event %d (%s) instead of %s", (int)ev->kind, vb_status_name(ev->status), name);
}

/* Polls one completion that is not the good end of a message: those may come at any time before the peer's answer. */
static bool poll_one(struct peer *p, struct vb_wc *wc)
{
    while (vb_cq_poll(p->cq, wc, 1) > 0)
        if (wc->id != ID_SEND || wc->status != VB_OK)
            return true;
    return false;
}

/* But for messages the next completion must be this one: the protocol leaves no other order. */
static void expect(struct peer *p, enum request_id id, const char *name, uint32_t round)
{
    const uint64_t deadline = pal_now_ns() + DEADLINE_MS * UINT64_C(1000000);
    struct vb_cm_event ev;
    struct vb_wc wc;

    while (!poll_one(p, &wc)) {
        if (!p->is_down && vb_cm_poll(p->cm, &ev) == VB_OK) {
            if (ev.kind != VB_CM_DISCONNECTED)
                fail("round %" PRIu32 ": event %d in place of %s", round, (int)ev.kind, name);
            p->is_down = true; /* may overtake the completion: the deadline tells */
        }
        if (pal_now_ns() > deadline)
            fail("round %" PRIu32 ": not in time: %s%s", round, name, p->is_down ? "; the peer left" : "");
        need(vb_cq_arm(p->cq), "arming the completion queue");
        if (poll_one(p, &wc)) /* came before it was armed */
            break;
        sleep_for_news(p);
    }
    if (wc.status != VB_OK || wc.id != id)
        fail("round %" PRIu32 ": request %" PRIu64 " completed with %s while waiting for %s", round, wc.id,
             vb_status_name(wc.status), name);
    if (id == ID_RECV && wc.bytes != MESSAGE_BYTES)
        fail("round %" PRIu32 ": a message of %" PRIu32 " bytes", round, wc.bytes);
}

/* ---- requests ---- */

static struct vb_sge piece(const struct peer *p, const uint8_t *at, uint32_t bytes)
{
    return (struct vb_sge){.addr = (uintptr_t)at, .bytes = bytes, .lkey = vb_mr_lkey(p->mr)};
}

static void post_receive(struct peer *p)
{
    const struct vb_sge sge = piece(p, p->in, MESSAGE_BYTES);
    const struct vb_recv_wr wr = {.id = ID_RECV, .sge = &sge, .sge_count = 1};
    need(vb_post_recv(p->qp, &wr, NULL), "posting a receive");
}

static void post_message(struct peer *p)
{
    const struct vb_sge sge = piece(p, p->out, MESSAGE_BYTES);
    const struct vb_send_wr wr = {
        .id = ID_SEND, .sge = &sge, .sge_count = 1, .op = VB_WR_SEND, .flags = VB_WR_SIGNALED};
    need(vb_post_send(p->qp, &wr, NULL), "posting a send");
}

static void describe(struct peer *p, const uint8_t *buffer)
{
    uint8_t *to = put_be(p->out, (uintptr_t)buffer, 8);
    to = put_be(to, vb_mr_rkey(p->mr), 4);
    (void)put_be(to, p->bytes, 4);
    post_message(p);
}

/* RDMA between p->source and the buffer that the message in p->in describes. */
static void move(struct peer *p, enum vb_wr_op op, enum request_id id)
{
    const struct vb_sge sge = piece(p, p->source, p->bytes);
    struct vb_send_wr wr = {
        .id = id, .sge = &sge, .sge_count = 1, .op = (uint8_t)op, .flags = VB_WR_SIGNALED};

    if (get_be(p->in + 12, 4) != p->bytes)
        fail("the peer has a buffer of %" PRIu64 " bytes", get_be(p->in + 12, 4));
    wr.u.rdma.remote_addr = get_be(p->in, 8);
    wr.u.rdma.rkey = (uint32_t)get_be(p->in + 8, 4);
    need(vb_post_send(p->qp, &wr, NULL), "posting RDMA");
}

/* ---- the two roles ---- */

static void clear(const struct peer *p, uint8_t *buffer)
{
    memset(buffer, UNTOUCHED, p->bytes);
    memset(buffer + p->bytes, GUARD, GUARD_BYTES);
}

static void serve(struct peer *p)
{
    uint8_t *want = malloc(p->bytes);
    if (!want)
        fail("out of memory");
    for (uint32_t round = 0; round < p->rounds; round++) {
        expect(p, ID_RECV, "the description of a source", round);
        clear(p, p->source);
        move(p, VB_WR_READ, ID_READ);
        expect(p, ID_READ, "the end of the read", round);
        rping_text(want, p->bytes, round);
        compare(p, p->source, want, round);
        post_receive(p);
        post_message(p);

        expect(p, ID_RECV, "the description of a sink", round);
        move(p, VB_WR_WRITE, ID_WRITE);
        expect(p, ID_WRITE, "the end of the write", round);
        post_receive(p);
        post_message(p);
    }
    free(want);
    /* That the client leaves by itself says that it got the last answer. */
    struct vb_cm_event ev;
    if (!p->is_down)
        expect_event(p, VB_CM_DISCONNECTED, "the end of the connection", &ev);
}

/* Another content in each round, so that nothing old can pass for new. rping's server takes what it has read for a text
 * and writes back only as much as strlen() finds, with the 0. */
static void fill(struct peer *p)
{
    if (!pal_random(p->source, p->bytes))
        fail("no random numbers");
    for (uint32_t i = 0; i < p->bytes; i++)
        p->source[i] |= p->source[i] == 0;
    p->source[p->bytes - 1] = 0;
}

static void call(struct peer *p)
{
    for (uint32_t round = 0; round < p->rounds; round++) {
        fill(p);
        describe(p, p->source);
        expect(p, ID_RECV, "the first answer", round);
        post_receive(p);

        clear(p, p->sink);
        describe(p, p->sink);
        expect(p, ID_RECV, "the second answer", round);
        post_receive(p);
        compare(p, p->sink, p->source, round);
    }
    struct vb_cm_event ev;
    vb_conn_disconnect(p->conn);
    if (!p->is_down)
        expect_event(p, VB_CM_DISCONNECTED, "the end of the connection", &ev);
}

/* ---- set-up ---- */

static void open_qp(struct peer *p)
{
    struct vb_qp_caps caps = {.send_wr = 8, .recv_wr = 4, .send_sge = 1, .recv_sge = 1};
    const uint32_t page = (uint32_t)pal_page_size();
    const size_t buffer = ((size_t)p->bytes + GUARD_BYTES + page - 1) / page * page;

    p->mem_bytes = page + 2 * buffer;
    p->mem = pal_pages_alloc(p->mem_bytes);
    if (!p->mem)
        fail("out of memory");
    p->in = p->mem;
    p->out = p->mem + MESSAGE_BYTES;
    p->source = p->mem + page;
    p->sink = p->source + buffer;
    memset(p->source + p->bytes, GUARD, GUARD_BYTES);
    need(vb_pd_create(p->dev, &p->pd), "protection domain");
    need(vb_mr_reg(p->pd, p->mem, p->mem_bytes,
                   VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE, &p->mr),
         "registering memory");
    need(vb_cq_create(p->dev, caps.send_wr + caps.recv_wr, &p->cq), "completion queue");
    need(vb_qp_create(p->pd, p->cq, p->cq, &caps, p, &p->qp), "queue pair");
}

/* The receive is there before the peer can send. */
static void bind_qp(struct peer *p)
{
    need(vb_conn_bind_qp(p->conn, p->qp), "binding the queue pair");
    post_receive(p);
}

static void close_qp(struct peer *p)
{
    vb_qp_stop(p->qp);
    vb_conn_destroy(p->conn);
    vb_qp_destroy(p->qp);
    vb_mr_dereg(p->mr);
    vb_cq_destroy(p->cq);
    vb_pd_destroy(p->pd);
    pal_pages_free(p->mem, p->mem_bytes);
    p->conn = NULL;
    p->cq = NULL;
}

static const struct vb_conn_params params = {.read_in = 1, .read_out = 1, .timeout_ms = 5000};

static void accept_client(struct peer *p, const struct vb_addr *at)
{
    struct vb_cm_event ev;

    need(vb_listen(p->cm, at, 1, p, &p->listener), "listening");
    (void)puts("listening"); /* rping.sh waits for it */
    expect_event(p, VB_CM_REQUEST, "connection request", &ev);
    p->conn = ev.conn;
    open_qp(p);
    bind_qp(p);
    need(vb_conn_accept(p->conn, &params), "accepting");
    expect_event(p, VB_CM_ESTABLISHED, "confirmation", &ev);
}

/* rping says nothing when it begins to listen; until then the port is closed. */
static void connect_server(struct peer *p, const struct vb_addr *local, const struct vb_addr *to)
{
    const uint64_t deadline = pal_now_ns() + DEADLINE_MS * UINT64_C(1000000);
    struct vb_cm_event ev;

    for (;;) {
        open_qp(p);
        need(vb_conn_create(p->cm, local, p, &p->conn), "connection");
        bind_qp(p);
        need(vb_conn_connect(p->conn, to, &params), "connecting");
        if (!next_event(p, &ev))
            fail("connecting has no end");
        if (ev.kind == VB_CM_ESTABLISHED)
            return;
        if (ev.kind != VB_CM_REJECTED || ev.status != VB_E_NOSERVICE || pal_now_ns() > deadline)
            fail("connecting: event %d (%s)", (int)ev.kind, vb_status_name(ev.status));
        close_qp(p);
        pal_sleep_ms(RETRY_MS);
    }
}

static uint32_t number(const char *text, uint32_t low, uint32_t high)
{
    char *end = NULL;
    const unsigned long v = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || v < low || v > high)
        fail("\"%s\" is no number from %" PRIu32 " to %" PRIu32, text, low, high);
    return (uint32_t)v;
}

int main(int argc, char **argv)
{
    const char *spec = getenv("WSD_TEST_BACKEND");
    struct peer p = {0};
    struct vb_addr at, local;
    char why[512] = "";

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 5 || (strcmp(argv[1], "server") != 0 && strcmp(argv[1], "client") != 0)) {
        (void)fprintf(stderr, "usage: rping_peer server|client IP:PORT BYTES ROUNDS\n");
        return 2;
    }
    role = argv[1];
    if (!vb_addr_parse(argv[2], &at) || at.port == 0)
        fail("\"%s\" is not IP:PORT", argv[2]);
    p.bytes = number(argv[3], 32, BYTES_MAX); /* 32: room for the text of rping_text() */
    p.rounds = number(argv[4], 1, 1000000);
    if (vb_open(spec && *spec ? spec : "softiwarp", &p.be, why, sizeof why) != VB_OK)
        fail("%s", why);
    local = at;
    local.port = 0;
    need(vb_dev_open(p.be, &local, &p.dev), "device");
    need(vb_cm_create(p.be, &p.cm), "connection manager");

    if (strcmp(role, "server") == 0) {
        accept_client(&p, &at);
        serve(&p);
    } else {
        connect_server(&p, &local, &at);
        call(&p);
    }
    close_qp(&p);
    vb_listener_destroy(p.listener);
    vb_cm_destroy(p.cm);
    vb_dev_close(p.dev);
    vb_close(p.be);
    (void)printf("%s: %" PRIu32 " rounds of %" PRIu32 " bytes, all right\n", role, p.rounds, p.bytes);
    return 0;
}
