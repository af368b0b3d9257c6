/* alone.c - see alone.h. */
#include "alone.h"

#include <string.h>

#include "pal/thread.h"
#include "pal/time.h"

struct alone me;

const char *alone_address = "127.0.0.1";

int setup(void **state)
{
    char why[256];
    (void)state;
    if (vb_open("softiwarp", &me.be, why, sizeof why) != VB_OK || !vb_addr_parse(alone_address, &me.here) ||
        vb_dev_open(me.be, &me.here, &me.dev) != VB_OK || vb_pd_create(me.dev, &me.pd) != VB_OK ||
        vb_cm_create(me.be, &me.cm) != VB_OK || vb_cq_create(me.dev, 64, &me.cq) != VB_OK)
        return -1;
    return 0;
}

int teardown(void **state)
{
    (void)state;
    while (me.raws > 0)
        pal_socket_close(me.raw[--me.raws]);
    vb_cq_destroy(me.cq);
    vb_cm_destroy(me.cm);
    vb_pd_destroy(me.pd);
    vb_dev_close(me.dev);
    vb_close(me.be);
    memset(&me, 0, sizeof me);
    return 0;
}

/* ---- our side ---- */

void give_qp(struct end *e)
{
    struct vb_qp_caps caps = {.send_wr = 4, .recv_wr = 4, .send_sge = 1, .recv_sge = 1};
    assert_ok(vb_qp_create(me.pd, me.cq, me.cq, &caps, NULL, &e->qp));
    assert_ok(vb_conn_bind_qp(e->conn, e->qp));
}

struct vb_conn_params params(uint32_t timeout_ms)
{
    return (struct vb_conn_params){.read_in = 1, .read_out = 1, .timeout_ms = timeout_ms};
}

void start_connect_to(struct end *e, const struct vb_addr *to, uint32_t timeout_ms)
{
    const struct vb_conn_params p = params(timeout_ms);
    assert_ok(vb_conn_create(me.cm, &me.here, e, &e->conn));
    give_qp(e);
    assert_ok(vb_conn_connect(e->conn, to, &p));
}

void start_connect(struct end *e, uint16_t port, uint32_t timeout_ms)
{
    struct vb_addr to = me.here;
    to.port = port;
    start_connect_to(e, &to, timeout_ms);
}

void drop(struct end *e)
{
    vb_qp_destroy(e->qp);
    vb_conn_destroy(e->conn);
    *e = (struct end){0};
}

/* The next event, of anybody; false: none before the deadline. */
bool next_event(struct vb_cm_event *ev, uint64_t wait_ns)
{
    const uint64_t deadline = pal_now_ns() + wait_ns;
    const pal_waitable w = vb_cm_waitable(me.cm);
    while (vb_cm_poll(me.cm, ev) != VB_OK) {
        const uint64_t now = pal_now_ns();
        if (now >= deadline)
            return false;
        (void)pal_wait(&w, 1, (int)((deadline - now) / 1000000 + 1));
    }
    return true;
}

void expect(struct vb_cm_event *ev, const struct end *e, enum vb_cm_event_kind kind, vb_status_t st)
{
    if (!next_event(ev, DEADLINE_NS))
        fail_msg("nothing happened");
    if (ev->kind != kind || ev->status != st)
        fail_msg("event %d (%s), expected %d (%s)", (int)ev->kind, vb_status_name(ev->status), (int)kind,
                 vb_status_name(st));
    if (e)
        assert_ptr_equal(ev->conn, e->conn);
}

void expect_silence(void)
{
    struct vb_cm_event ev;
    if (next_event(&ev, 100000000))
        fail_msg("event %d (%s) where nothing should be", (int)ev.kind, vb_status_name(ev.status));
}

/* ---- sockets that are no peer ---- */

static void keep(pal_socket s)
{
    assert_true(me.raws < sizeof me.raw / sizeof *me.raw);
    me.raw[me.raws++] = s;
}

pal_socket raw_listen(uint32_t backlog, uint16_t *port)
{
    struct pal_addr at = {.family = 4, .ip = {127, 0, 0, 1}}, got;
    pal_socket s;
    assert_int_equal(pal_socket_listen(&at, backlog, &(const struct pal_socket_tuning){0}, &s), PAL_NET_OK);
    keep(s);
    assert_true(pal_socket_addrs(s, &got, NULL));
    *port = got.port;
    return s;
}

pal_socket raw_connect(uint16_t port)
{
    const struct pal_socket_tuning plain = {0};
    struct pal_addr from = {.family = 4, .ip = {127, 0, 0, 1}}, to = from;
    pal_socket s;
    to.port = port;
    assert_int_equal(pal_socket_connect(&from, &to, &plain, &s), PAL_NET_OK);
    keep(s);
    return s;
}

bool is_connected_within(pal_socket s, uint64_t wait_ns)
{
    const uint64_t deadline = pal_now_ns() + wait_ns;
    enum pal_net st;
    while ((st = pal_socket_outcome(s)) == PAL_NET_AGAIN && pal_now_ns() < deadline) {
        struct vb_cm_event ev;
        assert_true(vb_cm_poll(me.cm, &ev) == VB_E_AGAIN); /* a listener of ours may have to make room */
        pal_sleep_ms(1);
    }
    return st == PAL_NET_OK;
}

pal_socket raw_accept(pal_socket listener)
{
    const struct pal_socket_tuning plain = {0};
    const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
    pal_socket s;
    while (pal_socket_accept(listener, &plain, NULL, &s) != PAL_NET_OK) {
        struct vb_cm_event ev;
        assert_true(vb_cm_poll(me.cm, &ev) != VB_OK);
        assert_true(pal_now_ns() < deadline);
    }
    keep(s);
    return s;
}

void raw_send(pal_socket s, const void *bytes, size_t n)
{
    const struct pal_iov iov = {(void *)(uintptr_t)bytes, n};
    size_t done;
    assert_int_equal(pal_socket_send(s, &iov, 1, &done), PAL_NET_OK);
    assert_int_equal(done, n);
}
