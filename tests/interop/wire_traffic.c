/* wire_traffic.c - a known amount of iWARP between two ends of softiwarp in this process, for whoever listens on the wire.
 * Usage:  wire_traffic IP [--one-less]; --one-less posts one Send less than it says, so that the listener can be tried.
 * Result: on standard output what was sent, a line "NAME COUNT" each: messages by kind, and the DDP segments they make. The
 *         last message is a Write that the other end must refuse, with a Terminate. 0: all went as it should; 1: not so. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pal/memory.h"
#include "pal/time.h"
#include "pal/wait.h"
#include "vb/vb.h"

#define DEADLINE_NS  UINT64_C(20000000000)
#define MEMORY       (1u << 20)
#define FPDU_PLAIN   65472u /* payload of our largest segments, without markers and with (PROTOCOL.md 3) */
#define FPDU_MARKERS 8192u
#define SLOTS        16u
#define COUNT(a)     (sizeof(a) / sizeof(a)[0])

/* Nothing, less than padding, more than a TCP segment of Ethernet, our longest FPDU and one more byte, many FPDUs. */
static const uint32_t sends[] = {16, 0, 1, 3, 1461, FPDU_PLAIN, FPDU_PLAIN + 1, 200000};
static const uint32_t solicited[] = {0, 5, 70001};
static const uint32_t writes[] = {1, 4096, FPDU_PLAIN, FPDU_PLAIN + 1, 300007};
static const uint32_t reads[] = {1, 4096, FPDU_PLAIN, 150001};

struct end {
    struct vb_cq *cq;
    struct vb_qp *qp;
    struct vb_mr *mr;
    struct vb_conn *conn;
    uint8_t *mem;
    bool is_up, is_over;
};

static struct vb_backend *be;
static struct vb_dev *dev;
static struct vb_pd *pd;
static struct vb_cm *cm;
static struct end a, b; /* a connects */
static uint64_t segments;

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
    va_list args;
    (void)fputs("wire_traffic: ", stderr);
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

/* ---- ends ---- */

static void open_end(struct end *e)
{
    struct vb_qp_caps caps = {.send_wr = SLOTS, .recv_wr = SLOTS, .send_sge = 1, .recv_sge = 1};

    e->mem = pal_pages_alloc(MEMORY);
    if (!e->mem)
        fail("out of memory");
    need(vb_mr_reg(pd, e->mem, MEMORY, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE,
                   &e->mr),
         "registering memory");
    need(vb_cq_create(dev, 2 * SLOTS, &e->cq), "completion queue");
    need(vb_qp_create(pd, e->cq, e->cq, &caps, e, &e->qp), "queue pair");
}

static void close_end(struct end *e)
{
    vb_qp_stop(e->qp);
    vb_conn_destroy(e->conn);
    vb_qp_destroy(e->qp);
    vb_mr_dereg(e->mr);
    vb_cq_destroy(e->cq);
    pal_pages_free(e->mem, MEMORY);
}

static const struct vb_conn_params params = {.read_in = 4, .read_out = 4, .timeout_ms = 5000};

static void take_event(void)
{
    struct vb_cm_event ev;

    if (vb_cm_poll(cm, &ev) != VB_OK)
        return;
    if (ev.kind == VB_CM_REQUEST) {
        b.conn = ev.conn;
        need(vb_conn_bind_qp(b.conn, b.qp), "binding the queue pair");
        need(vb_conn_accept(b.conn, &params), "accepting");
        return;
    }
    struct end *e = ev.conn == a.conn ? &a : &b;
    e->is_up |= ev.kind == VB_CM_ESTABLISHED;
    e->is_over |= ev.kind == VB_CM_DISCONNECTED;
    if (ev.kind != VB_CM_ESTABLISHED && ev.kind != VB_CM_DISCONNECTED)
        fail("connection event %d: %s", (int)ev.kind, vb_status_name(ev.status));
}

/* ---- requests ---- */

/* The next completion of e; both ends move meanwhile. */
static struct vb_wc completion(const struct end *e, const struct end *other)
{
    const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
    struct vb_wc wc;

    while (vb_cq_poll(e->cq, &wc, 1) == 0) {
        struct vb_wc stray;
        if (vb_cq_poll(other->cq, &stray, 1) > 0)
            fail("a completion at the other end: request %" PRIu64 ", %s", stray.id,
                 vb_status_name(stray.status));
        take_event();
        if (pal_now_ns() > deadline)
            fail("a request does not end");
    }
    return wc;
}

static void post(const struct end *from, const struct end *to, enum vb_wr_op op, uint32_t bytes,
                 uint8_t flags)
{
    const struct vb_sge sge = {(uintptr_t)from->mem, bytes, vb_mr_lkey(from->mr)};
    struct vb_send_wr wr = {.id = op, .sge = &sge, .sge_count = 1, .op = (uint8_t)op};

    wr.flags = (uint8_t)(flags | VB_WR_SIGNALED);
    wr.u.rdma.remote_addr = (uintptr_t)to->mem;
    wr.u.rdma.rkey = vb_mr_rkey(to->mr);
    need(vb_post_send(from->qp, &wr, NULL), "posting");
}

static void count_segments(uint32_t bytes)
{
    const char *markers = getenv("WSD_SOFTIWARP_MARKERS");
    const uint32_t most = markers && strcmp(markers, "on") == 0 ? FPDU_MARKERS : FPDU_PLAIN;

    segments += bytes == 0 ? 1 : (bytes + most - 1) / most;
}

static void send_all(struct end *from, struct end *to, const uint32_t *sizes, size_t count, uint8_t flags)
{
    for (size_t i = 0; i < count; i++) {
        const struct vb_sge sge = {(uintptr_t)to->mem, MEMORY, vb_mr_lkey(to->mr)};
        const struct vb_recv_wr wr = {.sge = &sge, .sge_count = 1};
        count_segments(sizes[i]);
        need(vb_post_recv(to->qp, &wr, NULL), "posting a receive");
        post(from, to, VB_WR_SEND, sizes[i], flags);
        struct vb_wc sent = {0}, got = {0};
        const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
        for (int done = 0; done < 2;) { /* which end is first is open */
            done += sent.id == 0 && vb_cq_poll(from->cq, &sent, 1) > 0 ? (sent.id = 1, 1) : 0;
            done += got.id == 0 && vb_cq_poll(to->cq, &got, 1) > 0 ? (got.id = 1, 1) : 0;
            take_event();
            if (pal_now_ns() > deadline)
                fail("a message of %" PRIu32 " bytes does not arrive", sizes[i]);
        }
        if (sent.status != VB_OK || got.status != VB_OK || got.bytes != sizes[i])
            fail("a message of %" PRIu32 " bytes: %s, %s", sizes[i], vb_status_name(sent.status),
                 vb_status_name(got.status));
    }
}

static void move_all(struct end *from, struct end *to, enum vb_wr_op op, const uint32_t *sizes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        count_segments(sizes[i]);
        segments += op == VB_WR_READ; /* its request */
        post(from, to, op, sizes[i], 0);
        const struct vb_wc wc = completion(from, to);
        if (wc.status != VB_OK)
            fail("a transfer of %" PRIu32 " bytes: %s", sizes[i], vb_status_name(wc.status));
    }
}

/* A write with a key that is none: the other end says so in a Terminate, and the connection ends. */
static void be_refused(struct end *from, struct end *to)
{
    const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
    const struct vb_sge sge = {(uintptr_t)from->mem, 8, vb_mr_lkey(from->mr)};
    struct vb_send_wr wr = {.sge = &sge, .sge_count = 1, .op = VB_WR_WRITE, .flags = VB_WR_SIGNALED};
    struct vb_wc wc;

    wr.u.rdma.remote_addr = (uintptr_t)to->mem;
    wr.u.rdma.rkey = vb_mr_rkey(to->mr) ^ 0x00ff00ff;
    need(vb_post_send(from->qp, &wr, NULL), "posting");
    segments += 2; /* and the Terminate */
    while (!from->is_over) {
        take_event();
        (void)vb_cq_poll(from->cq, &wc, 1);
        (void)vb_cq_poll(to->cq, &wc, 1);
        if (pal_now_ns() > deadline)
            fail("the connection outlives a write with a wrong key");
    }
}

/* ---- all of it ---- */

static void connect_ends(const struct vb_addr *local, struct vb_listener **listener)
{
    const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
    struct vb_addr to;
    struct vb_wc wc;

    need(vb_listen(cm, local, 1, NULL, listener), "listening");
    vb_listener_addr(*listener, &to);
    need(vb_conn_create(cm, local, &a, &a.conn), "connection");
    need(vb_conn_bind_qp(a.conn, a.qp), "binding the queue pair");
    need(vb_conn_connect(a.conn, &to, &params), "connecting");
    while (!a.is_up || !b.is_up) {
        take_event();
        if (vb_cq_poll(a.cq, &wc, 1) > 0 || vb_cq_poll(b.cq, &wc, 1) > 0)
            fail("a completion before anything was posted");
        if (pal_now_ns() > deadline)
            fail("no connection");
    }
    segments++; /* ready to receive: a write of nothing */
}

int main(int argc, char **argv)
{
    const bool is_one_less = argc == 3 && strcmp(argv[2], "--one-less") == 0;
    struct vb_listener *listener;
    struct vb_addr local;
    char why[512] = "";

    if (argc < 2 || argc > 3 || (argc == 3 && !is_one_less) || !vb_addr_parse(argv[1], &local)) {
        (void)fprintf(stderr, "usage: wire_traffic IP [--one-less]\n");
        return 2;
    }
    if (vb_open("softiwarp", &be, why, sizeof why) != VB_OK)
        fail("%s", why);
    need(vb_dev_open(be, &local, &dev), "device");
    need(vb_pd_create(dev, &pd), "protection domain");
    need(vb_cm_create(be, &cm), "connection manager");
    open_end(&a);
    open_end(&b);
    connect_ends(&local, &listener);

    send_all(&a, &b, sends, COUNT(sends) - is_one_less, 0);
    send_all(&b, &a, sends, COUNT(sends), 0);
    send_all(&a, &b, solicited, COUNT(solicited), VB_WR_SOLICITED);
    move_all(&a, &b, VB_WR_WRITE, writes, COUNT(writes));
    move_all(&b, &a, VB_WR_WRITE, writes, COUNT(writes));
    move_all(&a, &b, VB_WR_READ, reads, COUNT(reads));
    move_all(&b, &a, VB_WR_READ, reads, COUNT(reads));
    be_refused(&a, &b);

    close_end(&a);
    close_end(&b);
    vb_listener_destroy(listener);
    vb_cm_destroy(cm);
    vb_pd_destroy(pd);
    vb_dev_close(dev);
    vb_close(be);
    (void)printf("sends %zu\nsolicited %zu\nwrites %zu\nread_requests %zu\nread_responses %zu\nterminates 1\n"
                 "segments %" PRIu64 "\n",
                 2 * COUNT(sends), COUNT(solicited), 2 * COUNT(writes) + 2, 2 * COUNT(reads),
                 2 * COUNT(reads), segments);
    return 0;
}
