/* conf_window.c - type-2 memory windows: bounds, rights, the QP they belong to, invalidation and reuse. */
#include "conf.h"

/* The window is always at b, over part of its memory; a is the peer that uses the key. */
enum { WINDOW_AT = 8192, WINDOW_BYTES = 4096 };
#define BOTH (VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE)

struct window_test {
    struct conf_pair p;
    struct vb_mw *mw;
};

static uint64_t at(const struct conf_end *e, size_t offset)
{
    return (uintptr_t)e->mem + offset;
}

static int setup(void **state)
{
    struct window_test *t = calloc(1, sizeof *t);
    *state = t;
    if (!t)
        return -1;
    if (!(g.caps.flags & VB_CAP_MW_TYPE2))
        return 0;
    conf_pair_open(&t->p);
    memset(t->p.a.mem, 0xAA, t->p.a.mem_bytes);
    memset(t->p.b.mem, 0x55, t->p.b.mem_bytes);
    return vb_mw_alloc(t->p.b.pd, &t->mw) == VB_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct window_test *t = *state;
    if (t->p.b.qp) {
        conf_drain(&t->p.a);
        conf_drain(&t->p.b);
    }
    vb_mw_free(t->mw); /* before the QP it may be bound to */
    void *pair = calloc(1, sizeof t->p);
    memcpy(pair, &t->p, sizeof t->p);
    free(t);
    return conf_teardown(&pair);
}

static bool no_windows(void)
{
    if (g.caps.flags & VB_CAP_MW_TYPE2)
        return false;
    conf_skip("has no type-2 memory windows");
    return true;
}

static void bind_window(struct window_test *t, uint32_t access)
{
    assert_ok(conf_bind(&t->p.b, 70, t->mw, WINDOW_AT, WINDOW_BYTES, access, VB_WR_SIGNALED));
    assert_int_equal(conf_expect(&t->p.b, CONF_SEND, 70, VB_OK).op, VB_WC_BIND);
}

static void expect_untouched(const struct conf_end *e, size_t from, size_t to, uint8_t value)
{
    for (size_t i = from; i < to; i++)
        if (e->mem[i] != value)
            fail_msg("byte %zu was changed", i);
}

/* The request fails. On iWARP a write may have completed by then, and the end of the connection says it. */
static void expect_refused(struct conf_pair *p, uint64_t id, enum vb_wr_op op)
{
    struct vb_wc wc;
    if (!g.is_iwarp || op == VB_WR_READ) {
        conf_expect(&p->a, CONF_SEND, id, VB_E_REMOTE_ACCESS);
        return;
    }
    assert_true(conf_wait(&p->a, CONF_SEND, &wc, CONF_DEADLINE_MS));
    assert_int_equal(wc.id, id);
    conf_await(p->a.conn, VB_CM_DISCONNECTED, NULL);
    conf_await(p->b.conn, VB_CM_DISCONNECTED, NULL);
}

/* What was written is there once a message that was sent behind it is. */
static void barrier(struct conf_pair *p)
{
    if (!g.is_iwarp)
        return;
    assert_ok(conf_recv(&p->b, 88, 0, 0));
    assert_ok(conf_send(&p->a, 89, 0, 0, VB_WR_SIGNALED));
    conf_expect(&p->b, CONF_RECV, 88, VB_OK);
    conf_expect(&p->a, CONF_SEND, 89, VB_OK);
}

static void remote_access_fails(struct conf_pair *p, enum vb_wr_op op, size_t offset, uint32_t bytes,
                                uint32_t rkey)
{
    assert_ok(conf_rdma(&p->a, op, 5, 0, bytes, at(&p->b, offset), rkey, VB_WR_SIGNALED));
    expect_refused(p, 5, op);
}

static void a_window_gives_access_within_its_bounds(void **state)
{
    struct window_test *t = *state;
    struct conf_pair *p = &t->p;
    if (no_windows())
        return;
    bind_window(t, BOTH);
    const uint32_t rkey = vb_mw_rkey(t->mw);
    assert_int_not_equal(rkey, vb_mr_rkey(p->b.mr));
    conf_fill(p->a.mem, WINDOW_BYTES, 3);
    assert_ok(conf_rdma(&p->a, VB_WR_WRITE, 1, 0, WINDOW_BYTES, at(&p->b, WINDOW_AT), rkey, VB_WR_SIGNALED));
    conf_expect(&p->a, CONF_SEND, 1, VB_OK);
    barrier(p);
    conf_check(p->b.mem + WINDOW_AT, WINDOW_BYTES, 3);
    expect_untouched(&p->b, 0, WINDOW_AT, 0x55);
    expect_untouched(&p->b, WINDOW_AT + WINDOW_BYTES, p->b.mem_bytes, 0x55);
    if (g.caps.flags & VB_CAP_RDMA_READ) {
        assert_ok(
            conf_rdma(&p->a, VB_WR_READ, 2, 16384, 100, at(&p->b, WINDOW_AT + 50), rkey, VB_WR_SIGNALED));
        conf_expect(&p->a, CONF_SEND, 2, VB_OK);
        assert_memory_equal(p->a.mem + 16384, p->b.mem + WINDOW_AT + 50, 100);
    }
}

static void the_key_is_valid_for_whatever_is_sent_after_the_bind(void **state)
{
    struct window_test *t = *state;
    struct conf_pair *p = &t->p;
    if (no_windows())
        return;
    /* unsignaled bind, then at once a message with the key: the way a provider uses it */
    for (unsigned i = 0; i < 50; i++) {
        uint32_t rkey;
        assert_ok(conf_recv(&p->a, 1, 32768, 64));
        assert_ok(conf_bind(&p->b, 70, t->mw, WINDOW_AT, WINDOW_BYTES, VB_ACCESS_REMOTE_WRITE, 0));
        rkey = vb_mw_rkey(t->mw);
        memcpy(p->b.mem, &rkey, sizeof rkey);
        assert_ok(conf_send(&p->b, 2, 0, sizeof rkey, VB_WR_SIGNALED));
        conf_expect(&p->a, CONF_RECV, 1, VB_OK);
        memcpy(&rkey, p->a.mem + 32768, sizeof rkey);
        conf_fill(p->a.mem, 512, i);
        assert_ok(conf_rdma(&p->a, VB_WR_WRITE, 3, 0, 512, at(&p->b, WINDOW_AT), rkey, VB_WR_SIGNALED));
        conf_expect(&p->a, CONF_SEND, 3, VB_OK);
        barrier(p);
        conf_check(p->b.mem + WINDOW_AT, 512, i);
        conf_expect(&p->b, CONF_SEND, 2, VB_OK);
        assert_ok(conf_invalidate(&p->b, 4, t->mw, VB_WR_SIGNALED));
        assert_int_equal(conf_expect(&p->b, CONF_SEND, 4, VB_OK).op, VB_WC_INVALIDATE);
        p->b.unsignaled = 0;
    }
}

static void access_beyond_either_end_of_a_window_fails(void **state)
{
    struct window_test *t = *state;
    static const struct {
        size_t offset;
        uint32_t bytes;
    } bad[] = {{WINDOW_AT - 1, 1},
               {WINDOW_AT - 1, 64},
               {WINDOW_AT + WINDOW_BYTES, 1},
               {WINDOW_AT + WINDOW_BYTES - 1, 2},
               {WINDOW_AT, WINDOW_BYTES + 1}};
    if (no_windows())
        return;
    if (strncmp(g.caps.device, "rxe", 3) == 0) {
        conf_skip("rxe looks at the bounds of the registration (rxe_resp.c, check_rkey), not of the window");
        return;
    }
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (i > 0) {
            assert_int_equal(teardown(state), 0);
            assert_int_equal(setup(state), 0);
            t = *state;
            if (!t)
                return;
        }
        bind_window(t, BOTH);
        remote_access_fails(&t->p, VB_WR_WRITE, bad[i].offset, bad[i].bytes, vb_mw_rkey(t->mw));
        /* iWARP looks at segments, not at messages: those that lie inside may have been written */
        expect_untouched(&t->p.b, 0, WINDOW_AT, 0x55);
        if (!g.is_iwarp)
            expect_untouched(&t->p.b, WINDOW_AT, WINDOW_AT + WINDOW_BYTES, 0x55);
        expect_untouched(&t->p.b, WINDOW_AT + WINDOW_BYTES, t->p.b.mem_bytes, 0x55);
    }
}

static void access_beyond_the_registration_through_a_window_fails(void **state)
{
    struct window_test *t = *state;
    if (no_windows())
        return;
    bind_window(t, BOTH);
    remote_access_fails(&t->p, VB_WR_WRITE, t->p.b.mem_bytes - 32, 64, vb_mw_rkey(t->mw));
    expect_untouched(&t->p.b, 0, t->p.b.mem_bytes, 0x55);
}

static void a_window_for_writing_does_not_let_read(void **state)
{
    struct window_test *t = *state;
    if (no_windows())
        return;
    bind_window(t, VB_ACCESS_REMOTE_WRITE);
    remote_access_fails(&t->p, VB_WR_READ, WINDOW_AT, 64, vb_mw_rkey(t->mw));
    expect_untouched(&t->p.a, 0, t->p.a.mem_bytes, 0xAA);
}

static void a_window_for_reading_does_not_let_write(void **state)
{
    struct window_test *t = *state;
    if (no_windows())
        return;
    bind_window(t, VB_ACCESS_REMOTE_READ);
    remote_access_fails(&t->p, VB_WR_WRITE, WINDOW_AT, 64, vb_mw_rkey(t->mw));
    expect_untouched(&t->p.b, 0, t->p.b.mem_bytes, 0x55);
}

static void a_key_is_dead_once_the_window_is_invalidated(void **state)
{
    struct window_test *t = *state;
    if (no_windows())
        return;
    bind_window(t, BOTH);
    const uint32_t rkey = vb_mw_rkey(t->mw);
    assert_ok(conf_invalidate(&t->p.b, 71, t->mw, VB_WR_SIGNALED | VB_WR_FENCE));
    conf_expect(&t->p.b, CONF_SEND, 71, VB_OK);
    remote_access_fails(&t->p, VB_WR_WRITE, WINDOW_AT, 64, rkey);
    expect_untouched(&t->p.b, 0, t->p.b.mem_bytes, 0x55);
}

static void a_window_is_bound_again_and_again_with_a_new_key_each_time(void **state)
{
    struct window_test *t = *state;
    struct conf_pair *p = &t->p;
    uint32_t previous = 0;
    if (no_windows())
        return;
    for (unsigned i = 0; i < 300; i++) { /* more than the 256 values of the key's variable part */
        bind_window(t, BOTH);
        assert_int_not_equal(vb_mw_rkey(t->mw), previous);
        previous = vb_mw_rkey(t->mw);
        if (i % 16 == 0) {
            conf_fill(p->a.mem, 64, i);
            assert_ok(
                conf_rdma(&p->a, VB_WR_WRITE, 1, 0, 64, at(&p->b, WINDOW_AT), previous, VB_WR_SIGNALED));
            conf_expect(&p->a, CONF_SEND, 1, VB_OK);
            barrier(p);
            conf_check(p->b.mem + WINDOW_AT, 64, i);
        }
        assert_ok(conf_invalidate(&p->b, 71, t->mw, VB_WR_SIGNALED));
        conf_expect(&p->b, CONF_SEND, 71, VB_OK);
    }
}

static void the_previous_key_is_dead_when_the_window_is_bound_again(void **state)
{
    struct window_test *t = *state;
    if (no_windows())
        return;
    bind_window(t, BOTH);
    const uint32_t old_key = vb_mw_rkey(t->mw);
    assert_ok(conf_invalidate(&t->p.b, 71, t->mw, VB_WR_SIGNALED));
    conf_expect(&t->p.b, CONF_SEND, 71, VB_OK);
    bind_window(t, BOTH);
    assert_int_not_equal(vb_mw_rkey(t->mw), old_key);
    remote_access_fails(&t->p, VB_WR_WRITE, WINDOW_AT, 64, old_key);
    expect_untouched(&t->p.b, 0, t->p.b.mem_bytes, 0x55);
}

static void bind_invalidate_and_bind_again_work_in_one_chain(void **state)
{
    struct window_test *t = *state;
    struct conf_pair *p = &t->p;
    struct vb_send_wr wr[3] = {{0}};
    if (no_windows())
        return;
    for (unsigned i = 0; i < 3; i++) {
        wr[i].id = 10 + i;
        wr[i].flags = VB_WR_SIGNALED;
        wr[i].op = VB_WR_BIND;
        wr[i].next = i < 2 ? &wr[i + 1] : NULL;
        wr[i].u.bind.mw = t->mw;
        wr[i].u.bind.mr = p->b.mr;
        wr[i].u.bind.addr = at(&p->b, WINDOW_AT);
        wr[i].u.bind.bytes = WINDOW_BYTES;
        wr[i].u.bind.access = BOTH;
    }
    wr[1].op = VB_WR_INVALIDATE;
    wr[1].u.invalidate = t->mw;
    assert_ok(conf_post(&p->b, wr, NULL));
    for (unsigned i = 0; i < 3; i++)
        conf_expect(&p->b, CONF_SEND, 10 + i, VB_OK);
    assert_ok(
        conf_rdma(&p->a, VB_WR_WRITE, 1, 0, 64, at(&p->b, WINDOW_AT), vb_mw_rkey(t->mw), VB_WR_SIGNALED));
    conf_expect(&p->a, CONF_SEND, 1, VB_OK);
}

static void a_window_works_through_its_own_qp_only(void **state)
{
    struct window_test *t = *state;
    struct conf_pair other = {0};
    if (no_windows())
        return;
    other.share_pd_b = t->p.b.pd;
    conf_pair_open(&other);
    memset(other.a.mem, 0xAA, other.a.mem_bytes);
    bind_window(t, BOTH);
    assert_ok(conf_rdma(&other.a, VB_WR_WRITE, 5, 0, 64, at(&t->p.b, WINDOW_AT), vb_mw_rkey(t->mw),
                        VB_WR_SIGNALED));
    expect_refused(&other, 5, VB_WR_WRITE);
    expect_untouched(&t->p.b, 0, t->p.b.mem_bytes, 0x55);
    /* and still works through its own */
    assert_ok(
        conf_rdma(&t->p.a, VB_WR_WRITE, 6, 0, 64, at(&t->p.b, WINDOW_AT), vb_mw_rkey(t->mw), VB_WR_SIGNALED));
    conf_expect(&t->p.a, CONF_SEND, 6, VB_OK);
    conf_pair_close(&other);
}

static void a_window_moves_to_another_qp_of_its_domain(void **state)
{
    struct window_test *t = *state;
    struct conf_pair other = {0};
    if (no_windows())
        return;
    other.share_pd_b = t->p.b.pd;
    conf_pair_open(&other);
    bind_window(t, BOTH);
    assert_ok(conf_invalidate(&t->p.b, 71, t->mw, VB_WR_SIGNALED));
    conf_expect(&t->p.b, CONF_SEND, 71, VB_OK);
    assert_ok(conf_bind(&other.b, 72, t->mw, WINDOW_AT, 128, BOTH, VB_WR_SIGNALED));
    conf_expect(&other.b, CONF_SEND, 72, VB_OK);
    assert_ok(conf_rdma(&other.a, VB_WR_WRITE, 6, 0, 64, at(&other.b, WINDOW_AT), vb_mw_rkey(t->mw),
                        VB_WR_SIGNALED));
    conf_expect(&other.a, CONF_SEND, 6, VB_OK);
    assert_ok(conf_invalidate(&other.b, 73, t->mw, VB_WR_SIGNALED));
    conf_expect(&other.b, CONF_SEND, 73, VB_OK);
    conf_pair_close(&other);
}

static void binding_beyond_the_registration_fails(void **state)
{
    struct window_test *t = *state;
    struct vb_wc wc;
    if (no_windows())
        return;
    vb_status_t st = conf_bind(&t->p.b, 70, t->mw, t->p.b.mem_bytes - 64, 65, BOTH, VB_WR_SIGNALED);
    if (st != VB_OK) {
        assert_int_equal(st, VB_E_INVAL);
        return;
    }
    assert_true(conf_wait(&t->p.b, CONF_SEND, &wc, CONF_DEADLINE_MS));
    assert_int_equal(wc.status, VB_E_PROTECTION);
}

static void an_empty_window_is_refused(void **state)
{
    struct window_test *t = *state;
    if (no_windows())
        return;
    assert_int_equal(conf_bind(&t->p.b, 70, t->mw, WINDOW_AT, 0, BOTH, VB_WR_SIGNALED), VB_E_INVAL);
}

static void windows_are_not_supported_where_the_capability_is_missing(void **state)
{
    (void)state;
    struct vb_pd *pd = NULL;
    struct vb_mw *mw = NULL;
    if (g.caps.flags & VB_CAP_MW_TYPE2) {
        conf_skip("has type-2 memory windows");
        return;
    }
    assert_ok(vb_pd_create(g.dev, &pd));
    assert_int_equal(vb_mw_alloc(pd, &mw), VB_E_NOTSUP);
    assert_null(mw);
    vb_pd_destroy(pd);
}

static void many_windows_live_at_once(void **state)
{
    struct window_test *t = *state;
    enum { COUNT = 64 };
    struct conf_pair *p = &t->p;
    struct vb_mw *mw[COUNT];
    if (no_windows())
        return;
    for (unsigned i = 0; i < COUNT; i++) {
        assert_ok(vb_mw_alloc(p->b.pd, &mw[i]));
        assert_ok(conf_bind(&p->b, i, mw[i], i * 64, 64, BOTH, VB_WR_SIGNALED));
        conf_expect(&p->b, CONF_SEND, i, VB_OK);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        memset(p->a.mem, (int)i + 1, 64);
        assert_ok(
            conf_rdma(&p->a, VB_WR_WRITE, i, 0, 64, at(&p->b, i * 64), vb_mw_rkey(mw[i]), VB_WR_SIGNALED));
        conf_expect(&p->a, CONF_SEND, i, VB_OK);
    }
    barrier(p);
    for (unsigned i = 0; i < COUNT; i++)
        expect_untouched(&p->b, i * 64, i * 64 + 64, (uint8_t)(i + 1));
    for (unsigned i = 0; i < COUNT; i++)
        vb_mw_free(mw[i]); /* bound: also allowed */
}

#define WINDOW_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
static const struct CMUnitTest tests[] = {
    WINDOW_TEST(a_window_gives_access_within_its_bounds),
    WINDOW_TEST(the_key_is_valid_for_whatever_is_sent_after_the_bind),
    WINDOW_TEST(access_beyond_either_end_of_a_window_fails),
    WINDOW_TEST(access_beyond_the_registration_through_a_window_fails),
    WINDOW_TEST(a_window_for_writing_does_not_let_read),
    WINDOW_TEST(a_window_for_reading_does_not_let_write),
    WINDOW_TEST(a_key_is_dead_once_the_window_is_invalidated),
    WINDOW_TEST(a_window_is_bound_again_and_again_with_a_new_key_each_time),
    WINDOW_TEST(the_previous_key_is_dead_when_the_window_is_bound_again),
    WINDOW_TEST(bind_invalidate_and_bind_again_work_in_one_chain),
    WINDOW_TEST(a_window_works_through_its_own_qp_only),
    WINDOW_TEST(a_window_moves_to_another_qp_of_its_domain),
    WINDOW_TEST(binding_beyond_the_registration_fails),
    WINDOW_TEST(an_empty_window_is_refused),
    WINDOW_TEST(many_windows_live_at_once),
    cmocka_unit_test(windows_are_not_supported_where_the_capability_is_missing),
};
const struct conf_group conf_group_window = {tests, sizeof tests / sizeof *tests};
