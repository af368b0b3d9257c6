/* conf_held.c - a receiver that posts no receives, where the transport holds the sender back (VB_CAP_RECV_FLOW_CONTROL): nothing is
 * lost, the other direction goes on, and whoever closes need not wait. More is sent than anything below could keep. */
#include "conf.h"

enum { MESSAGES = 64, BULK = 1 << 20, HEADS = 4096, KINDS = 4, MESSAGE = 8 + BULK };

/* False: nothing holds a sender back here; the test is over. */
static bool open_pair(struct conf_pair *p)
{
    if (!(g.caps.flags & VB_CAP_RECV_FLOW_CONTROL)) {
        conf_skip("has no flow control for receives");
        return false;
    }
    p->want = (struct vb_qp_caps){.send_wr = MESSAGES, .recv_wr = MESSAGES, .send_sge = 2, .recv_sge = 1};
    p->mem_bytes = HEADS + (size_t)KINDS * BULK;
    conf_pair_open(p);
    return true;
}

/* Each message begins with eight bytes of its own; what follows is one of KINDS. */
static void post_all(struct conf_end *e)
{
    for (unsigned k = 0; k < KINDS; k++)
        conf_fill(e->mem + HEADS + (size_t)k * BULK, BULK, 1000 + k);
    for (unsigned i = 0; i < MESSAGES; i++) {
        const struct vb_sge sge[2] = {conf_sge(e, (size_t)i * 8, 8),
                                      conf_sge(e, HEADS + (size_t)(i % KINDS) * BULK, BULK)};
        struct vb_send_wr wr = {
            .id = i, .sge = sge, .sge_count = 2, .op = VB_WR_SEND, .flags = VB_WR_SIGNALED};
        conf_fill(e->mem + (size_t)i * 8, 8, i);
        assert_ok(conf_post(e, &wr, NULL));
    }
}

static void check_message(const struct conf_end *e, unsigned i, const struct vb_wc *wc)
{
    assert_int_equal(wc->id, i);
    assert_int_equal(wc->bytes, MESSAGE);
    conf_check(e->mem, 8, i);
    conf_check(e->mem + 8, BULK, 1000 + i % KINDS);
}

/* Takes what completes until nothing has for a while. Returns how many there were in all; they are in order. */
static unsigned take_sends(struct conf_end *e, unsigned taken)
{
    struct vb_wc wc;
    while (conf_wait(e, CONF_SEND, &wc, CONF_QUIET_MS)) {
        assert_int_equal(wc.status, VB_OK);
        assert_int_equal(wc.id, taken++);
    }
    return taken;
}

static void a_sender_that_is_held_back_loses_nothing(void **state)
{
    struct conf_pair *p = *state;
    if (!open_pair(p))
        return;
    post_all(&p->a);
    unsigned taken = take_sends(&p->a, 0);
    print_message("           %u of %u completed before there was a receive\n", taken, (unsigned)MESSAGES);
    assert_true(taken < MESSAGES);
    for (unsigned i = 0; i < MESSAGES; i++) {
        assert_ok(conf_recv(&p->b, i, 0, MESSAGE));
        const struct vb_wc wc = conf_expect(&p->b, CONF_RECV, i, VB_OK);
        check_message(&p->b, i, &wc);
    }
    while (taken < MESSAGES)
        (void)conf_expect(&p->a, CONF_SEND, taken++, VB_OK);
}

static void the_other_direction_goes_on_while_one_is_held_back(void **state)
{
    struct conf_pair *p = *state;
    if (!open_pair(p))
        return;
    post_all(&p->a);
    (void)take_sends(&p->a, 0);
    for (unsigned i = 0; i < 8; i++) {
        assert_ok(conf_recv(&p->a, 100 + i, HEADS - 8, 8)); /* no message begins there */
        conf_fill(p->b.mem, 8, 77 + i);
        assert_ok(conf_send(&p->b, i, 0, 8, VB_WR_SIGNALED));
        (void)conf_expect(&p->a, CONF_RECV, 100 + i, VB_OK);
        (void)conf_expect(&p->b, CONF_SEND, i, VB_OK);
        conf_check(p->a.mem + HEADS - 8, 8, 77 + i);
    }
}

/* What was on its way may still come, whole and in order; then comes the end. */
static void a_sender_that_is_held_back_can_close(void **state)
{
    struct conf_pair *p = *state;
    struct vb_cm_event ev;
    struct vb_wc wc = {0};
    bool is_gone = false;
    if (!open_pair(p))
        return;
    post_all(&p->a);
    const unsigned taken = take_sends(&p->a, 0);
    vb_conn_disconnect(p->a.conn);
    for (unsigned i = taken; i < MESSAGES; i++)
        (void)conf_expect(&p->a, CONF_SEND, i, VB_E_FLUSHED);
    conf_await(p->a.conn, VB_CM_DISCONNECTED, NULL);
    for (unsigned i = 0; wc.status == VB_OK; i++) {
        assert_ok(conf_recv(&p->b, i, 0, MESSAGE));
        const uint64_t deadline = pal_now_ns() + (uint64_t)CONF_DEADLINE_MS * 1000000;
        while (!conf_wait(&p->b, CONF_RECV, &wc, 10)) {
            assert_true(pal_now_ns() < deadline);
            if (is_gone || !conf_next(p->b.conn, &ev, 0))
                continue;
            assert_int_equal(ev.kind, VB_CM_DISCONNECTED);
            is_gone = true;
            vb_qp_stop(p->b.qp);
        }
        if (wc.status == VB_OK)
            check_message(&p->b, i, &wc);
    }
    assert_int_equal(wc.status, VB_E_FLUSHED);
    if (!is_gone)
        conf_await(p->b.conn, VB_CM_DISCONNECTED, NULL);
}

static void a_receiver_that_never_posted_can_close(void **state)
{
    struct conf_pair *p = *state;
    bool has_failed = false;
    if (!open_pair(p))
        return;
    post_all(&p->a);
    unsigned taken = take_sends(&p->a, 0);
    vb_conn_disconnect(p->b.conn);
    conf_await(p->b.conn, VB_CM_DISCONNECTED, NULL);
    conf_await(p->a.conn, VB_CM_DISCONNECTED, NULL);
    vb_qp_stop(p->a.qp);
    for (; taken < MESSAGES; taken++) {
        struct vb_wc wc;
        assert_true(conf_wait(&p->a, CONF_SEND, &wc, CONF_DEADLINE_MS));
        assert_int_equal(wc.id, taken);
        assert_true(!has_failed || wc.status == VB_E_FLUSHED);
        has_failed |= wc.status != VB_OK;
    }
}

static const struct CMUnitTest tests[] = {
    CONF_TEST_BARE(a_sender_that_is_held_back_loses_nothing),
    CONF_TEST_BARE(the_other_direction_goes_on_while_one_is_held_back),
    CONF_TEST_BARE(a_sender_that_is_held_back_can_close),
    CONF_TEST_BARE(a_receiver_that_never_posted_can_close),
};
const struct conf_group conf_group_held = {tests, sizeof tests / sizeof *tests};
