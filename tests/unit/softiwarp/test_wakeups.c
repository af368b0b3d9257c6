/* test_wakeups.c - what a message costs whoever sleeps or polls: calls to TCP and to the poller, counted at the platform's
 * edge, wake-ups of the cm's thread, and memory of queues; and that nothing is lost for it. Both ends are here, in one thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pal/socket.h"
#include "pal/time.h"
#include "softiwarp/si.h"
#include "vb/vb.h"

enum { MESSAGES = 200, BYTES = 64, RECEIVES = 16, WAIT_MS = 5000 };
#define DEADLINE_NS  20000000000ull /* against hangs */
#define assert_ok(e) assert_int_equal((e), VB_OK)

/* ---- the edge ---- */

static struct {
    unsigned receives, looks, signals;
} calls;

enum pal_net __real_pal_socket_recv(pal_socket s, const struct pal_iov *iov, unsigned n, size_t *got);
enum pal_net __wrap_pal_socket_recv(pal_socket s, const struct pal_iov *iov, unsigned n, size_t *got);
unsigned __real_pal_poller_poll(struct pal_poller *p, struct pal_ready *out, unsigned max);
unsigned __wrap_pal_poller_poll(struct pal_poller *p, struct pal_ready *out, unsigned max);
void __real_pal_poller_signal(struct pal_poller *p);
void __wrap_pal_poller_signal(struct pal_poller *p);

enum pal_net __wrap_pal_socket_recv(pal_socket s, const struct pal_iov *iov, unsigned n, size_t *got)
{
    calls.receives++;
    return __real_pal_socket_recv(s, iov, n, got);
}

unsigned __wrap_pal_poller_poll(struct pal_poller *p, struct pal_ready *out, unsigned max)
{
    calls.looks++;
    return __real_pal_poller_poll(p, out, max);
}

void __wrap_pal_poller_signal(struct pal_poller *p)
{
    calls.signals++;
    __real_pal_poller_signal(p);
}

/* ---- two ends, twice ---- */

struct end {
    struct vb_conn *conn;
    struct vb_qp *qp;
    bool is_up;
};

struct pair {
    struct end from, to;
};

static struct {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct vb_cm *cm;
    struct vb_cq *from_cq, *to_cq; /* of both pairs */
    struct vb_listener *listener;
    struct vb_mr *mr;
    struct pair pair[2];
} v;

static uint8_t memory[4096];

static void give_qp(struct end *e, struct vb_cq *cq)
{
    struct vb_qp_caps caps = {.send_wr = RECEIVES, .recv_wr = RECEIVES, .send_sge = 1, .recv_sge = 1};
    assert_ok(vb_qp_create(v.pd, cq, cq, &caps, e, &e->qp));
    assert_ok(vb_conn_bind_qp(e->conn, e->qp));
}

static void post_receive(struct end *e)
{
    struct vb_sge sge = {(uint64_t)(uintptr_t)memory, BYTES, vb_mr_lkey(v.mr)};
    struct vb_recv_wr wr = {.id = (uint64_t)(uintptr_t)e, .sge = &sge, .sge_count = 1};
    assert_ok(vb_post_recv(e->qp, &wr, NULL));
}

static void take_event(struct pair *p)
{
    const struct vb_conn_params params = {.read_in = 1, .read_out = 1, .timeout_ms = 1000};
    struct vb_cm_event ev;
    if (vb_cm_poll(v.cm, &ev) != VB_OK)
        return;
    if (ev.kind == VB_CM_REQUEST) {
        p->to.conn = ev.conn;
        give_qp(&p->to, v.to_cq);
        for (unsigned i = 0; i < RECEIVES; i++)
            post_receive(&p->to);
        assert_ok(vb_conn_accept(ev.conn, &params));
    } else {
        assert_int_equal(ev.kind, VB_CM_ESTABLISHED);
        (ev.conn == p->to.conn ? &p->to : &p->from)->is_up = true;
    }
}

static void connect_pair(struct pair *p)
{
    const struct vb_conn_params params = {.read_in = 1, .read_out = 1, .timeout_ms = 1000};
    const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
    struct vb_addr to, here;
    vb_listener_addr(v.listener, &to);
    here = to;
    here.port = 0;
    assert_ok(vb_conn_create(v.cm, &here, &p->from, &p->from.conn));
    give_qp(&p->from, v.from_cq);
    assert_ok(vb_conn_connect(p->from.conn, &to, &params));
    while (!p->from.is_up || !p->to.is_up) {
        take_event(p);
        assert_true(pal_now_ns() < deadline);
    }
}

static int setup(void **state)
{
    char why[256];
    struct vb_addr here;
    (void)state;
    memset(&v, 0, sizeof v);
    if (vb_open("softiwarp", &v.be, why, sizeof why) != VB_OK || !vb_addr_parse("127.0.0.1", &here) ||
        vb_dev_open(v.be, &here, &v.dev) != VB_OK || vb_pd_create(v.dev, &v.pd) != VB_OK ||
        vb_cm_create(v.be, &v.cm) != VB_OK || vb_cq_create(v.dev, 8 * RECEIVES, &v.from_cq) != VB_OK ||
        vb_cq_create(v.dev, 8 * RECEIVES, &v.to_cq) != VB_OK ||
        vb_mr_reg(v.pd, memory, sizeof memory, VB_ACCESS_LOCAL_WRITE, &v.mr) != VB_OK ||
        vb_listen(v.cm, &here, 4, NULL, &v.listener) != VB_OK)
        return -1;
    return 0;
}

static void drop(struct end *e)
{
    if (e->qp)
        vb_qp_destroy(e->qp);
    if (e->conn)
        vb_conn_destroy(e->conn);
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        drop(&v.pair[i].from);
        drop(&v.pair[i].to);
    }
    vb_listener_destroy(v.listener);
    vb_mr_dereg(v.mr);
    vb_cq_destroy(v.to_cq);
    vb_cq_destroy(v.from_cq);
    vb_cm_destroy(v.cm);
    vb_pd_destroy(v.pd);
    vb_dev_close(v.dev);
    vb_close(v.be);
    return 0;
}

/* ---- messages ---- */

static void send_message(struct pair *p)
{
    struct vb_sge sge = {(uint64_t)(uintptr_t)memory, BYTES, vb_mr_lkey(v.mr)};
    struct vb_send_wr wr = {.op = VB_WR_SEND, .flags = VB_WR_SIGNALED, .sge = &sge, .sge_count = 1};
    struct vb_wc wc;
    assert_ok(vb_post_send(p->from.qp, &wr, NULL));
    while (vb_cq_poll(v.from_cq, &wc, 1) == 0)
        ;
    assert_ok(wc.status);
}

/* Takes what the queue has without being waited for; each message is followed by its receive. */
static unsigned take_messages(void)
{
    struct vb_wc wc;
    unsigned n = 0;
    for (; vb_cq_poll(v.to_cq, &wc, 1) == 1; n++) {
        assert_ok(wc.status);
        assert_int_equal(wc.bytes, BYTES);
        post_receive((struct end *)(uintptr_t)wc.id); /* NOLINT: the id of the receive is its end */
    }
    return n;
}

static void arm(void)
{
    assert_ok(vb_cq_arm(v.to_cq));
    assert_int_equal(take_messages(), 0);
}

static bool is_ready(pal_waitable w, int ms)
{
    return pal_wait(&w, 1, ms) != 0;
}

/* ---- the tests ---- */

static void a_message_to_a_sleeper_takes_one_receive_and_no_signal(void **state)
{
    (void)state;
    connect_pair(&v.pair[0]);
    (void)take_messages();
    arm();
    memset(&calls, 0, sizeof calls);
    for (unsigned i = 0; i < MESSAGES; i++) {
        const unsigned before = calls.receives;
        unsigned of_sender;
        send_message(&v.pair[0]);
        of_sender = calls.receives - before;
        assert_true(is_ready(vb_cq_waitable(v.to_cq), WAIT_MS));
        assert_int_equal(vb_cq_ack(v.to_cq), 1);
        assert_int_equal(take_messages(), 1);
        arm();
        assert_false(is_ready(vb_cq_waitable(v.to_cq), 0));
        calls.receives -= of_sender;
    }
    assert_true(calls.receives <= MESSAGES + MESSAGES / 8); /* now and then one looks for others too */
    assert_true(calls.looks <= MESSAGES / 8);
    assert_int_equal(calls.signals, 0);
}

static void what_comes_back_is_taken_again_and_an_empty_ring_begins_anew(void **state)
{
    const struct si_queue *sq, *rq;
    uint32_t in_use = 0;
    (void)state;
    connect_pair(&v.pair[0]);
    sq = &v.pair[0].from.qp->sq;
    rq = &v.pair[0].to.qp->rq;
    for (unsigned i = 0; i < MESSAGES; i++) {
        const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
        send_message(&v.pair[0]);
        while (take_messages() == 0)
            assert_true(pal_now_ns() < deadline);
        assert_int_equal(v.from_cq->first, 0);
    }
    for (unsigned i = 0; i < RECEIVES; i++) {
        assert_int_equal(sq->at[i], 0); /* one was under way at a time */
        in_use |= 1u << rq->at[i];
    }
    assert_int_equal(in_use, (1u << RECEIVES) - 1); /* all of them, each once */
}

static void a_queue_that_is_only_polled_asks_no_poller(void **state)
{
    struct vb_wc wc;
    (void)state;
    connect_pair(&v.pair[0]);
    memset(&calls, 0, sizeof calls);
    for (unsigned i = 0; i < 10 * MESSAGES; i++)
        assert_int_equal(vb_cq_poll(v.to_cq, &wc, 1), 0);
    assert_true(calls.receives >= 10 * MESSAGES);
    assert_true(calls.looks <= 10 * MESSAGES / 60); /* for the sake of QPs that nobody polls */
}

/* The poll behind an arm need not look: then the waitable says so. */
static void what_comes_between_arm_and_poll_is_not_lost(void **state)
{
    (void)state;
    connect_pair(&v.pair[0]);
    for (unsigned i = 0; i < MESSAGES; i++) {
        const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
        unsigned n;
        assert_ok(vb_cq_arm(v.to_cq));
        send_message(&v.pair[0]);
        for (n = take_messages(); n == 0; n = take_messages()) {
            assert_true(is_ready(vb_cq_waitable(v.to_cq), WAIT_MS));
            (void)vb_cq_ack(v.to_cq);
            assert_true(pal_now_ns() < deadline);
        }
        assert_int_equal(n, 1);
    }
}

/* A second thread would be woken by what a poller finds while the queue is armed. */
static void what_a_poll_finds_on_an_armed_queue_is_signalled(void **state)
{
    (void)state;
    connect_pair(&v.pair[0]);
    (void)take_messages();
    arm();
    for (unsigned i = 0; i < MESSAGES; i++) {
        const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
        send_message(&v.pair[0]);
        while (take_messages() == 0)
            assert_true(pal_now_ns() < deadline);
        assert_true(is_ready(vb_cq_waitable(v.to_cq), 0));
        assert_int_equal(vb_cq_ack(v.to_cq), 1);
        arm();
    }
}

/* One that is quiet beside a busy one is no longer asked by every poll (cq.c): the waitable, and the look of the ack, find it. */
static void a_busy_connection_does_not_hide_another_one(void **state)
{
    const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
    (void)state;
    connect_pair(&v.pair[0]);
    connect_pair(&v.pair[1]);
    for (unsigned i = 0; i < 4 * MESSAGES; i++) {
        unsigned sent = 1, n = 0;
        send_message(&v.pair[0]);
        if (i % (2 * MESSAGES) < 2 * MESSAGES - 10) { /* long enough to be left out */
            for (unsigned k = 0; k < 4 || n < sent; k++)
                n += take_messages();
            continue;
        }
        sent++, send_message(&v.pair[1]);
        while (n < sent) {
            arm();
            assert_true(is_ready(vb_cq_waitable(v.to_cq), WAIT_MS));
            (void)vb_cq_ack(v.to_cq);
            n += take_messages();
            assert_true(pal_now_ns() < deadline);
        }
        assert_int_equal(n, sent);
    }
}

/* Sends, counts whether that woke the thread of the cm, and lets it do what it does. */
static unsigned wakes_cm(bool before_taking)
{
    struct vb_cm_event ev;
    unsigned n;
    send_message(&v.pair[0]);
    n = is_ready(vb_cm_waitable(v.cm), 0);
    if (before_taking && n)
        assert_int_equal(vb_cm_poll(v.cm, &ev), VB_E_AGAIN);
    return n;
}

static void the_cm_is_left_alone_when_a_sleeper_takes_every_message_first(void **state)
{
    unsigned wakes = 0;
    struct vb_cm_event ev;
    (void)state;
    connect_pair(&v.pair[0]);
    (void)take_messages();
    arm();
    for (unsigned i = 0; i < MESSAGES; i++) {
        const unsigned woken = wakes_cm(false);
        assert_true(is_ready(vb_cq_waitable(v.to_cq), WAIT_MS));
        (void)vb_cq_ack(v.to_cq);
        assert_int_equal(take_messages(), 1);
        arm();
        if (woken) /* too late */
            assert_int_equal(vb_cm_poll(v.cm, &ev), VB_E_AGAIN);
        wakes += woken;
    }
    assert_true(wakes < MESSAGES / 4);
}

static void the_cm_is_left_alone_when_a_poller_always_finds_something(void **state)
{
    unsigned wakes = 0;
    (void)state;
    connect_pair(&v.pair[0]);
    (void)take_messages();
    for (unsigned i = 0; i < MESSAGES; i++) {
        const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
        struct vb_wc wc;
        wakes += wakes_cm(true);
        while (vb_cq_poll(v.to_cq, &wc, 1) == 0)
            assert_true(pal_now_ns() < deadline);
        post_receive(&v.pair[0].to);
    }
    assert_true(wakes < MESSAGES / 4);
}

static void whoever_polls_the_cm_does_not_signal_itself(void **state)
{
    (void)state;
    memset(&calls, 0, sizeof calls);
    connect_pair(&v.pair[0]);
    connect_pair(&v.pair[1]);
    assert_true(calls.signals <= 2); /* an event that one poll leaves for the next */
}

/* What comes up between two polls, and what one poll leaves for the next. */
static void events_that_are_left_keep_the_cm_ready(void **state)
{
    struct pair *const p = v.pair;
    struct vb_cm_event ev;
    (void)state;
    connect_pair(&p[0]);
    connect_pair(&p[1]);
    while (vb_cm_poll(v.cm, &ev) == VB_OK)
        ;
    drop(&p[0].from);
    drop(&p[1].from);
    p[0].from = p[1].from = (struct end){0};
    pal_sleep_ms(50); /* loopback: their ends have arrived */
    for (unsigned n = 0; n < 2; n++) {
        assert_true(is_ready(vb_cm_waitable(v.cm), WAIT_MS));
        while (vb_cm_poll(v.cm, &ev) != VB_OK)
            assert_true(is_ready(vb_cm_waitable(v.cm), WAIT_MS));
        assert_int_equal(ev.kind, VB_CM_DISCONNECTED);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_message_to_a_sleeper_takes_one_receive_and_no_signal),
        TEST(what_comes_back_is_taken_again_and_an_empty_ring_begins_anew),
        TEST(a_queue_that_is_only_polled_asks_no_poller),
        TEST(what_comes_between_arm_and_poll_is_not_lost),
        TEST(what_a_poll_finds_on_an_armed_queue_is_signalled),
        TEST(a_busy_connection_does_not_hide_another_one),
        TEST(the_cm_is_left_alone_when_a_sleeper_takes_every_message_first),
        TEST(the_cm_is_left_alone_when_a_poller_always_finds_something),
        TEST(whoever_polls_the_cm_does_not_signal_itself),
        TEST(events_that_are_left_keep_the_cm_ready),
    };
    return cmocka_run_group_tests_name("softiwarp: wake-ups", tests, NULL, NULL);
}
