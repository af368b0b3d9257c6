/* conf_rdma.c - RDMA writes and reads: data, order, fences, depth, and what happens when a key does not allow
 * it. */
#include "conf.h"

static uint64_t at(const struct conf_end *e, size_t offset)
{
    return (uintptr_t)e->mem + offset;
}

static void writes_of_all_sizes_put_the_data_and_nothing_else(void **state)
{
    static const uint32_t sizes[] = {0, 1, 3, 64, 255, 4095, 4096, 4097, 65536, 100001, 1u << 20};
    const uint32_t half = 1u << 20;
    struct conf_pair *p = *state;
    p->mem_bytes = 2 * half + 4096;
    conf_pair_open(p);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const uint32_t n = sizes[i];
        conf_fill(p->a.mem, n, i);
        memset(p->b.mem, 0x55, p->b.mem_bytes);
        assert_ok(
            conf_rdma(&p->a, VB_WR_WRITE, i, 0, n, at(&p->b, half), vb_mr_rkey(p->b.mr), VB_WR_SIGNALED));
        assert_int_equal(conf_expect(&p->a, CONF_SEND, i, VB_OK).op, VB_WC_WRITE);
        /* a send behind the write arrives behind it; on iWARP the write's own completion says less */
        assert_ok(conf_recv(&p->b, 50, 0, 64));
        assert_ok(conf_send(&p->a, 51, 0, 0, VB_WR_SIGNALED));
        conf_expect(&p->b, CONF_RECV, 50, VB_OK);
        conf_expect(&p->a, CONF_SEND, 51, VB_OK);
        conf_check(p->b.mem + half, n, i);
        assert_int_equal(p->b.mem[half - 1], 0x55);
        assert_int_equal(p->b.mem[half + n], 0x55);
    }
}

static void inline_writes_need_no_local_key(void **state)
{
    struct conf_pair *p = *state;
    char word[] = "mailbox";
    struct vb_sge sge = {.addr = (uintptr_t)word, .bytes = sizeof word};
    struct vb_send_wr wr = {
        .id = 1, .sge = &sge, .sge_count = 1, .op = VB_WR_WRITE, .flags = VB_WR_SIGNALED | VB_WR_INLINE};
    wr.u.rdma.remote_addr = at(&p->b, 128);
    wr.u.rdma.rkey = vb_mr_rkey(p->b.mr);
    if (p->a.caps.inline_bytes < sizeof word) {
        conf_skip("grants no inline payload");
        return;
    }
    assert_ok(conf_post(&p->a, &wr, NULL));
    memset(word, 0, sizeof word);
    conf_expect(&p->a, CONF_SEND, 1, VB_OK);
    assert_ok(conf_recv(&p->b, 2, 0, 64));
    assert_ok(conf_send(&p->a, 3, 0, 8, VB_WR_SIGNALED));
    conf_expect(&p->b, CONF_RECV, 2, VB_OK);
    conf_expect(&p->a, CONF_SEND, 3, VB_OK);
    assert_string_equal((char *)p->b.mem + 128, "mailbox");
}

static bool no_reads(void)
{
    if (g.caps.flags & VB_CAP_RDMA_READ)
        return false;
    conf_skip("has no RDMA read");
    return true;
}

static void reads_of_all_sizes_fetch_the_data(void **state)
{
    static const uint32_t sizes[] = {0, 1, 3, 64, 255, 4095, 4096, 4097, 65536, 100001, 1u << 20};
    const uint32_t half = 1u << 20;
    struct conf_pair *p = *state;
    if (no_reads())
        return;
    p->mem_bytes = 2 * half + 4096;
    conf_pair_open(p);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const uint32_t n = sizes[i];
        conf_fill(p->b.mem + half, n, i);
        memset(p->a.mem, 0x55, p->a.mem_bytes);
        assert_ok(
            conf_rdma(&p->a, VB_WR_READ, i, 4096, n, at(&p->b, half), vb_mr_rkey(p->b.mr), VB_WR_SIGNALED));
        assert_int_equal(conf_expect(&p->a, CONF_SEND, i, VB_OK).op, VB_WC_READ);
        conf_check(p->a.mem + 4096, n, i);
        assert_int_equal(p->a.mem[4095], 0x55);
        assert_int_equal(p->a.mem[4096 + n], 0x55);
    }
}

static void completions_of_reads_and_sends_keep_posting_order(void **state)
{
    struct conf_pair *p = *state;
    enum { ROUNDS = 30 };
    if (no_reads())
        return;
    p->mem_bytes = 1u << 20;
    conf_pair_open(p);
    for (unsigned i = 0; i < ROUNDS; i++) {
        conf_fill(p->b.mem, 1u << 19, i);
        assert_ok(conf_recv(&p->b, 9, 1u << 19, 64));
        assert_ok(
            conf_rdma(&p->a, VB_WR_READ, 1, 0, 1u << 17, at(&p->b, 0), vb_mr_rkey(p->b.mr), VB_WR_SIGNALED));
        assert_ok(conf_send(&p->a, 2, 1u << 19, 8, VB_WR_SIGNALED));
        assert_ok(conf_rdma(&p->a, VB_WR_READ, 3, 1u << 17, 10, at(&p->b, 1u << 17), vb_mr_rkey(p->b.mr),
                            VB_WR_SIGNALED));
        assert_ok(conf_rdma(&p->a, VB_WR_WRITE, 4, 1u << 19, 64, at(&p->b, (1u << 19) + 4096),
                            vb_mr_rkey(p->b.mr), VB_WR_SIGNALED));
        for (unsigned id = 1; id <= 4; id++)
            conf_expect(&p->a, CONF_SEND, id, VB_OK);
        conf_expect(&p->b, CONF_RECV, 9, VB_OK);
        conf_check(p->a.mem, 1u << 17, i);
    }
}

static void an_unsignaled_read_is_done_when_a_later_request_completes(void **state)
{
    struct conf_pair *p = *state;
    if (no_reads())
        return;
    for (unsigned i = 0; i < 30; i++) {
        conf_fill(p->b.mem, 30000, i);
        memset(p->a.mem, 0, 30000);
        assert_ok(conf_recv(&p->b, 9, 32768, 64));
        assert_ok(conf_rdma(&p->a, VB_WR_READ, 1, 0, 30000, at(&p->b, 0), vb_mr_rkey(p->b.mr), 0));
        assert_ok(conf_send(&p->a, 2, 40000, 8, VB_WR_SIGNALED));
        conf_expect(&p->a, CONF_SEND, 2, VB_OK);
        conf_check(p->a.mem, 30000, i);
        conf_expect(&p->b, CONF_RECV, 9, VB_OK);
        p->a.unsignaled = 0;
    }
}

static void a_fenced_send_carries_what_the_read_before_it_fetched(void **state)
{
    struct conf_pair *p = *state;
    if (no_reads())
        return;
    for (unsigned i = 0; i < 30; i++) {
        conf_fill(p->b.mem, 20000, i);
        memset(p->a.mem, 0, 20000);
        assert_ok(conf_recv(&p->b, 9, 32768, 20000));
        assert_ok(conf_rdma(&p->a, VB_WR_READ, 1, 0, 20000, at(&p->b, 0), vb_mr_rkey(p->b.mr), 0));
        assert_ok(conf_send(&p->a, 2, 0, 20000, VB_WR_SIGNALED | VB_WR_FENCE));
        conf_expect(&p->b, CONF_RECV, 9, VB_OK);
        conf_expect(&p->a, CONF_SEND, 2, VB_OK);
        conf_check(p->b.mem + 32768, 20000, i);
        p->a.unsignaled = 0;
    }
}

static void a_fenced_read_is_carried_out(void **state)
{
    struct conf_pair *p = *state;
    if (no_reads())
        return;
    conf_fill(p->b.mem, 2000, 1);
    assert_ok(conf_rdma(&p->a, VB_WR_READ, 1, 0, 1000, at(&p->b, 0), vb_mr_rkey(p->b.mr), VB_WR_SIGNALED));
    assert_ok(conf_rdma(&p->a, VB_WR_READ, 2, 4096, 1000, at(&p->b, 0), vb_mr_rkey(p->b.mr),
                        VB_WR_SIGNALED | VB_WR_FENCE));
    conf_expect(&p->a, CONF_SEND, 1, VB_OK);
    conf_expect(&p->a, CONF_SEND, 2, VB_OK);
    conf_check(p->a.mem + 4096, 1000, 1);
}

static void more_reads_than_the_agreed_depth_wait_for_their_turn(void **state)
{
    struct conf_pair *p = *state;
    enum { COUNT = 40 };
    if (no_reads())
        return;
    conf_fill(p->b.mem, COUNT * 1000, 7);
    for (unsigned i = 0; i < COUNT; i++)
        assert_ok(conf_rdma(&p->a, VB_WR_READ, i, i * 1000, 1000, at(&p->b, i * 1000), vb_mr_rkey(p->b.mr),
                            VB_WR_SIGNALED));
    for (unsigned i = 0; i < COUNT; i++)
        conf_expect(&p->a, CONF_SEND, i, VB_OK);
    conf_check(p->a.mem, COUNT * 1000, 7);
}

static void reads_go_both_ways_at_once(void **state)
{
    struct conf_pair *p = *state;
    if (no_reads())
        return;
    conf_fill(p->a.mem, 16384, 1);
    conf_fill(p->b.mem, 16384, 2);
    for (unsigned i = 0; i < 8; i++) {
        assert_ok(
            conf_rdma(&p->a, VB_WR_READ, i, 32768, 16384, at(&p->b, 0), vb_mr_rkey(p->b.mr), VB_WR_SIGNALED));
        assert_ok(
            conf_rdma(&p->b, VB_WR_READ, i, 32768, 16384, at(&p->a, 0), vb_mr_rkey(p->a.mr), VB_WR_SIGNALED));
    }
    for (unsigned i = 0; i < 8; i++) {
        conf_expect(&p->a, CONF_SEND, i, VB_OK);
        conf_expect(&p->b, CONF_SEND, i, VB_OK);
    }
    conf_check(p->a.mem + 32768, 16384, 2);
    conf_check(p->b.mem + 32768, 16384, 1);
}

static void an_rdma_write_needs_no_receive(void **state)
{
    struct conf_pair *p = *state;
    for (unsigned i = 0; i < 100; i++) {
        assert_ok(conf_rdma(&p->a, VB_WR_WRITE, i, 0, 0, at(&p->b, 0), vb_mr_rkey(p->b.mr), VB_WR_SIGNALED));
        conf_expect(&p->a, CONF_SEND, i, VB_OK);
    }
    conf_no_event(p->a.conn);
}

/* ---- violations ---- */

/* The request at a must fail and end the connection. IB: with VB_E_REMOTE_ACCESS. iWARP: a write may complete
 * before the target looks at it, so there the end of the connection is the answer. */
static void expect_violation(struct conf_pair *p, uint64_t id)
{
    struct vb_wc wc;
    if (g.is_iwarp) {
        conf_await(p->a.conn, VB_CM_DISCONNECTED, NULL);
        conf_await(p->b.conn, VB_CM_DISCONNECTED, NULL);
        vb_qp_stop(p->a.qp);
        assert_true(conf_wait(&p->a, CONF_SEND, &wc, CONF_DEADLINE_MS));
        print_message("           the requester sees %s\n", vb_status_name(wc.status));
        assert_int_equal(wc.id, id);
        return;
    }
    conf_expect(&p->a, CONF_SEND, id, VB_E_REMOTE_ACCESS);
    vb_status_t st = conf_send(&p->a, 999, 0, 8, VB_WR_SIGNALED);
    if (st == VB_OK) {
        vb_qp_stop(p->a.qp);
        conf_expect(&p->a, CONF_SEND, 999, VB_E_FLUSHED);
    } else {
        assert_int_equal(st, VB_E_STATE);
    }
}

static void expect_untouched(const struct conf_end *e)
{
    for (size_t i = 0; i < e->mem_bytes; i++)
        if (e->mem[i] != 0x55)
            fail_msg("byte %zu was changed", i);
}

static void a_write_with_a_wrong_key_changes_nothing_and_ends_the_connection(void **state)
{
    struct conf_pair *p = *state;
    memset(p->a.mem, 0xAA, p->a.mem_bytes);
    memset(p->b.mem, 0x55, p->b.mem_bytes);
    assert_ok(
        conf_rdma(&p->a, VB_WR_WRITE, 1, 0, 64, at(&p->b, 0), vb_mr_rkey(p->b.mr) ^ 0x3300, VB_WR_SIGNALED));
    expect_violation(p, 1);
    expect_untouched(&p->b);
}

static void a_write_across_the_end_of_the_registration_ends_the_connection(void **state)
{
    struct conf_pair *p = *state;
    memset(p->a.mem, 0xAA, p->a.mem_bytes);
    memset(p->b.mem, 0x55, p->b.mem_bytes);
    assert_ok(conf_rdma(&p->a, VB_WR_WRITE, 1, 0, 64, at(&p->b, p->b.mem_bytes - 63), vb_mr_rkey(p->b.mr),
                        VB_WR_SIGNALED));
    expect_violation(p, 1);
    expect_untouched(&p->b);
}

static void a_write_to_memory_registered_for_reading_ends_the_connection(void **state)
{
    struct conf_pair *p = *state;
    struct vb_mr *mr = NULL;
    memset(p->a.mem, 0xAA, p->a.mem_bytes);
    memset(p->b.mem, 0x55, p->b.mem_bytes);
    assert_ok(vb_mr_reg(p->b.pd, p->b.mem, 4096, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ, &mr));
    assert_ok(conf_rdma(&p->a, VB_WR_WRITE, 1, 0, 64, at(&p->b, 0), vb_mr_rkey(mr), VB_WR_SIGNALED));
    expect_violation(p, 1);
    expect_untouched(&p->b);
    conf_drain(&p->b);
    vb_mr_dereg(mr);
}

static void a_read_with_a_wrong_key_fetches_nothing_and_ends_the_connection(void **state)
{
    struct conf_pair *p = *state;
    if (no_reads())
        return;
    memset(p->a.mem, 0x55, p->a.mem_bytes);
    memset(p->b.mem, 0xAA, p->b.mem_bytes);
    assert_ok(
        conf_rdma(&p->a, VB_WR_READ, 1, 0, 64, at(&p->b, 0), vb_mr_rkey(p->b.mr) ^ 0x3300, VB_WR_SIGNALED));
    expect_violation(p, 1);
    expect_untouched(&p->a);
}

static void a_key_of_another_protection_domain_does_not_work(void **state)
{
    struct conf_pair *p = *state;
    struct vb_pd *pd = NULL;
    struct vb_mr *mr = NULL;
    memset(p->a.mem, 0xAA, p->a.mem_bytes);
    memset(p->b.mem, 0x55, p->b.mem_bytes);
    assert_ok(vb_pd_create(g.dev, &pd));
    assert_ok(vb_mr_reg(pd, p->b.mem, 4096, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_WRITE, &mr));
    assert_ok(conf_rdma(&p->a, VB_WR_WRITE, 1, 0, 64, at(&p->b, 0), vb_mr_rkey(mr), VB_WR_SIGNALED));
    expect_violation(p, 1);
    expect_untouched(&p->b);
    vb_mr_dereg(mr);
    vb_pd_destroy(pd);
}

static void a_key_that_was_deregistered_does_not_work(void **state)
{
    struct conf_pair *p = *state;
    struct vb_mr *mr = NULL;
    memset(p->a.mem, 0xAA, p->a.mem_bytes);
    memset(p->b.mem, 0x55, p->b.mem_bytes);
    assert_ok(vb_mr_reg(p->b.pd, p->b.mem, 4096, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_WRITE, &mr));
    const uint32_t rkey = vb_mr_rkey(mr);
    vb_mr_dereg(mr);
    assert_ok(conf_rdma(&p->a, VB_WR_WRITE, 1, 0, 64, at(&p->b, 0), rkey, VB_WR_SIGNALED));
    expect_violation(p, 1);
    expect_untouched(&p->b);
}

static const struct CMUnitTest tests[] = {
    CONF_TEST_BARE(writes_of_all_sizes_put_the_data_and_nothing_else),
    CONF_TEST(inline_writes_need_no_local_key),
    CONF_TEST_BARE(reads_of_all_sizes_fetch_the_data),
    CONF_TEST_BARE(completions_of_reads_and_sends_keep_posting_order),
    CONF_TEST(an_unsignaled_read_is_done_when_a_later_request_completes),
    CONF_TEST(a_fenced_send_carries_what_the_read_before_it_fetched),
    CONF_TEST(a_fenced_read_is_carried_out),
    CONF_TEST(more_reads_than_the_agreed_depth_wait_for_their_turn),
    CONF_TEST(reads_go_both_ways_at_once),
    CONF_TEST(an_rdma_write_needs_no_receive),
    CONF_TEST(a_write_with_a_wrong_key_changes_nothing_and_ends_the_connection),
    CONF_TEST(a_write_across_the_end_of_the_registration_ends_the_connection),
    CONF_TEST(a_write_to_memory_registered_for_reading_ends_the_connection),
    CONF_TEST(a_read_with_a_wrong_key_fetches_nothing_and_ends_the_connection),
    CONF_TEST(a_key_of_another_protection_domain_does_not_work),
    CONF_TEST(a_key_that_was_deregistered_does_not_work),
};
const struct conf_group conf_group_rdma = {tests, sizeof tests / sizeof *tests};
