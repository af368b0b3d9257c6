/* test_loop_data.c - what queue pairs, memory and completion queues of the loop backend do, and what delays them. */
#include "test_loop.h"

/* ---- data ---- */

static void sends_wait_for_receives_and_arrive_in_order(void **state)
{
    struct fixture *f = *state;
    struct vb_wc wc;
    memcpy(f->a.mem, "onetwo", 6);
    assert_int_equal(post_send(&f->a, 1, 0, 3, VB_WR_SIGNALED), VB_OK);
    assert_int_equal(post_send(&f->a, 2, 3, 3, 0), VB_OK);
    expect_no_wc(f->a.scq);
    assert_int_equal(post_recv(&f->b, 11, 100, 10), VB_OK);
    assert_int_equal(vb_cq_poll(f->b.rcq, &wc, 1), 1);
    assert_int_equal(wc.op, VB_WC_RECV);
    assert_int_equal(wc.bytes, 3);
    expect_wc(f->a.scq, 1, VB_OK);
    assert_int_equal(post_recv(&f->b, 12, 200, 10), VB_OK);
    expect_wc(f->b.rcq, 12, VB_OK);
    expect_no_wc(f->a.scq); /* unsignaled */
    assert_memory_equal(f->b.mem + 100, "one", 4);
    assert_memory_equal(f->b.mem + 200, "two", 4);
}

static void inline_payload_is_copied_at_the_post(void **state)
{
    struct fixture *f = *state;
    memcpy(f->a.mem, "old", 3);
    assert_int_equal(post_send(&f->a, 1, 0, 3, VB_WR_INLINE), VB_OK);
    assert_int_equal(post_send(&f->a, 1, 0, 65, VB_WR_INLINE), VB_E_INVAL);
    memcpy(f->a.mem, "new", 3);
    assert_int_equal(post_recv(&f->b, 11, 0, 3), VB_OK);
    assert_memory_equal(f->b.mem, "old", 3);
}

static void pieces_are_gathered_and_scattered(void **state)
{
    struct fixture *f = *state;
    memcpy(f->a.mem, "abcdefgh", 8);
    struct vb_sge from[2] = {sge_of(&f->a, 0, 5), sge_of(&f->a, 5, 3)};
    struct vb_sge to[2] = {sge_of(&f->b, 0, 2), sge_of(&f->b, 100, 6)};
    struct vb_recv_wr r = {.id = 1, .sge = to, .sge_count = 2};
    struct vb_send_wr s = {.id = 2, .sge = from, .sge_count = 2, .op = VB_WR_SEND};
    assert_int_equal(vb_post_recv(f->b.qp, &r, NULL), VB_OK);
    assert_int_equal(vb_post_send(f->a.qp, &s, NULL), VB_OK);
    assert_memory_equal(f->b.mem, "ab\0", 3);
    assert_memory_equal(f->b.mem + 100, "cdefgh\0", 7);
}

static void too_long_message_kills_both_ends(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(post_recv(&f->b, 11, 0, 2), VB_OK);
    assert_int_equal(post_recv(&f->b, 12, 0, 2), VB_OK);
    assert_int_equal(post_send(&f->a, 1, 0, 3, 0), VB_OK);
    assert_int_equal(post_send(&f->a, 2, 0, 1, 0), VB_OK);
    expect_wc(f->b.rcq, 11, VB_E_LENGTH);
    expect_wc(f->b.rcq, 12, VB_E_FLUSHED);
    expect_wc(f->a.scq, 1, VB_E_REMOTE_OP);
    expect_wc(f->a.scq, 2, VB_E_FLUSHED); /* unsignaled, but failed */
    expect_no_event(f->a.cm);
}

static void a_slot_is_free_again_only_after_its_completion_was_polled(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < DEPTH; i++) {
        assert_int_equal(post_recv(&f->b, 10, 0, 8), VB_OK);
        assert_int_equal(post_send(&f->a, 1, 0, 1, i == DEPTH - 2 ? VB_WR_SIGNALED : 0), VB_OK);
    }
    assert_int_equal(post_recv(&f->b, 10, 0, 8), VB_E_AGAIN);
    assert_int_equal(post_send(&f->a, 1, 0, 1, 0), VB_E_AGAIN);
    expect_wc(f->b.rcq, 10, VB_OK);
    expect_wc(f->a.scq, 1, VB_OK);
    assert_int_equal(post_recv(&f->b, 10, 0, 8), VB_OK);
    assert_int_equal(post_recv(&f->b, 10, 0, 8), VB_E_AGAIN);
    for (int i = 0; i < DEPTH - 1; i++)
        assert_int_equal(post_send(&f->a, 1, 0, 1, 0), VB_OK);
    assert_int_equal(post_send(&f->a, 1, 0, 1, 0), VB_E_AGAIN);
}

static void a_chain_is_posted_up_to_the_bad_request(void **state)
{
    struct fixture *f = *state;
    struct vb_send_wr w[3] = {{.id = 1, .op = VB_WR_SEND, .next = &w[1]},
                              {.id = 2, .op = VB_WR_SEND, .sge_count = 99, .next = &w[2]},
                              {.id = 3, .op = VB_WR_SEND}};
    const struct vb_send_wr *bad = NULL;
    assert_int_equal(vb_post_send(f->a.qp, w, &bad), VB_E_INVAL);
    assert_ptr_equal(bad, &w[1]);
    vb_qp_stop(f->a.qp);
    expect_wc(f->a.scq, 1, VB_E_FLUSHED);
    expect_no_wc(f->a.scq);
}

static void local_keys_bounds_and_rights_are_checked(void **state)
{
    struct fixture *f = *state;
    struct vb_sge e = sge_of(&f->a, MEM - 4, 5);
    struct vb_send_wr wr = {.id = 1, .sge = &e, .sge_count = 1, .op = VB_WR_SEND};
    assert_int_equal(vb_post_send(f->a.qp, &wr, NULL), VB_OK);
    expect_wc(f->a.scq, 1, VB_E_PROTECTION);
    /* The receiver's fault is the receiver's protection error and the sender's remote error: other direction,
     * dead already. */
    assert_int_equal(post_send(&f->b, 2, 0, 1, 0), VB_OK);
    expect_wc(f->b.scq, 2, VB_E_RETRY);
}

static void an_rkey_is_no_lkey(void **state)
{
    struct fixture *f = *state;
    struct vb_sge e = sge_of(&f->b, 0, 5);
    e.lkey = vb_mr_rkey(f->b.mr);
    struct vb_recv_wr r = {.id = 11, .sge = &e, .sge_count = 1};
    assert_int_equal(vb_post_recv(f->b.qp, &r, NULL), VB_OK);
    assert_int_equal(post_send(&f->a, 1, 0, 1, VB_WR_SIGNALED), VB_OK);
    expect_wc(f->b.rcq, 11, VB_E_PROTECTION);
    expect_wc(f->a.scq, 1, VB_E_REMOTE_OP);
}

static void rdma_moves_bytes_and_refuses_what_lies_outside(void **state)
{
    struct fixture *f = *state;
    uint32_t rkey = vb_mr_rkey(f->b.mr);
    struct vb_async_event ev;
    memcpy(f->a.mem, "write", 5);
    memcpy(f->b.mem + 50, "read", 4);
    assert_int_equal(post_rdma(&f->a, VB_WR_WRITE, 1, 0, 5, f->b.mem, rkey, VB_WR_SIGNALED), VB_OK);
    assert_int_equal(post_rdma(&f->a, VB_WR_READ, 2, 100, 4, f->b.mem + 50, rkey, VB_WR_SIGNALED), VB_OK);
    expect_wc(f->a.scq, 1, VB_OK);
    expect_wc(f->a.scq, 2, VB_OK);
    assert_memory_equal(f->b.mem, "write", 6);
    assert_memory_equal(f->a.mem + 100, "read", 5);
    assert_int_equal(vb_async_poll(f->be, &ev), VB_E_AGAIN);
    assert_int_equal(post_rdma(&f->a, VB_WR_WRITE, 3, 0, 5, f->b.mem + MEM - 4, rkey, 0), VB_OK);
    expect_wc(f->a.scq, 3, VB_E_REMOTE_ACCESS);
    assert_int_equal(f->b.mem[MEM - 4], 0);
    assert_int_equal(vb_async_poll(f->be, &ev), VB_OK);
    assert_int_equal(ev.kind, VB_ASYNC_QP_FATAL);
    assert_ptr_equal(ev.qp_context, &f->b);
}

static void an_lkey_is_no_rkey(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(post_rdma(&f->a, VB_WR_READ, 1, 0, 4, f->b.mem, vb_mr_lkey(f->b.mr), 0), VB_OK);
    expect_wc(f->a.scq, 1, VB_E_REMOTE_ACCESS);
}

static void a_window_has_exact_bounds_and_dies_by_invalidate(void **state)
{
    struct fixture *f = *state;
    struct vb_mw *mw;
    assert_int_equal(vb_mw_alloc(f->pd, &mw), VB_OK);
    uint32_t before = vb_mw_rkey(mw);
    assert_int_equal(post_bind(&f->b, mw, 10, 5, VB_ACCESS_REMOTE_WRITE), VB_OK);
    uint32_t key = vb_mw_rkey(mw);
    assert_int_not_equal(before, key);
    expect_wc(f->b.scq, 900, VB_OK);
    memcpy(f->a.mem, "12345", 5);
    assert_int_equal(post_rdma(&f->a, VB_WR_WRITE, 1, 0, 5, f->b.mem + 10, key, VB_WR_SIGNALED), VB_OK);
    expect_wc(f->a.scq, 1, VB_OK);
    assert_int_equal(post_invalidate(&f->b, mw), VB_OK);
    expect_wc(f->b.scq, 901, VB_OK);
    assert_int_equal(post_bind(&f->b, mw, 10, 5, VB_ACCESS_REMOTE_READ), VB_OK);
    expect_wc(f->b.scq, 900, VB_OK);
    assert_int_not_equal(vb_mw_rkey(mw), key);
    assert_int_equal(post_rdma(&f->a, VB_WR_WRITE, 2, 0, 5, f->b.mem + 10, key, 0), VB_OK);
    expect_wc(f->a.scq, 2, VB_E_REMOTE_ACCESS);
    vb_mw_free(mw); /* bound still: freeing unbinds */
}

static void a_bound_window_cannot_be_bound_again(void **state)
{
    struct fixture *f = *state;
    struct vb_mw *mw;
    assert_int_equal(vb_mw_alloc(f->pd, &mw), VB_OK);
    assert_int_equal(post_bind(&f->b, mw, 10, 5, VB_ACCESS_REMOTE_WRITE), VB_OK);
    assert_int_equal(post_bind(&f->b, mw, 10, 5, VB_ACCESS_REMOTE_WRITE), VB_OK);
    expect_wc(f->b.scq, 900, VB_OK);
    expect_wc(f->b.scq, 900, VB_E_PROTECTION);
    vb_mw_free(mw);
}

static void a_window_belongs_to_the_qp_that_bound_it(void **state)
{
    struct fixture *f = *state;
    struct vb_mw *mw;
    assert_int_equal(vb_mw_alloc(f->pd, &mw), VB_OK);
    assert_int_equal(post_bind(&f->a, mw, 0, 5, VB_ACCESS_REMOTE_READ), VB_OK);
    expect_wc(f->a.scq, 900, VB_OK);
    assert_int_equal(post_rdma(&f->a, VB_WR_READ, 1, 0, 1, f->a.mem, vb_mw_rkey(mw), 0), VB_OK);
    expect_wc(f->a.scq, 1, VB_E_REMOTE_ACCESS);
    vb_mw_free(mw);
}

/* ---- errors and ends of QPs ---- */

static void stop_flushes_in_order_and_again(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(post_send(&f->a, 1, 0, 1, VB_WR_SIGNALED), VB_OK);
    assert_int_equal(post_send(&f->a, 2, 0, 1, 0), VB_OK);
    assert_int_equal(post_recv(&f->a, 11, 0, 1), VB_OK);
    vb_qp_stop(f->a.qp);
    expect_wc(f->a.scq, 1, VB_E_FLUSHED);
    expect_wc(f->a.scq, 2, VB_E_FLUSHED);
    expect_wc(f->a.rcq, 11, VB_E_FLUSHED);
    assert_int_equal(post_send(&f->a, 3, 0, 1, 0), VB_OK);
    expect_wc(f->a.scq, 3, VB_E_FLUSHED);
    assert_int_equal(post_recv(&f->a, 12, 0, 1), VB_OK);
    expect_no_wc(f->a.rcq);
    vb_qp_stop(f->a.qp);
    expect_wc(f->a.rcq, 12, VB_E_FLUSHED);
    expect_no_wc(f->a.scq);
}

static void completions_outlive_their_qp(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(post_recv(&f->a, 11, 0, 1), VB_OK);
    assert_int_equal(post_recv(&f->a, 12, 0, 1), VB_OK);
    vb_qp_stop(f->a.qp);
    vb_qp_destroy(f->a.qp);
    f->a.qp = NULL;
    expect_wc(f->a.rcq, 11, VB_E_FLUSHED);
    expect_wc(f->a.rcq, 12, VB_E_FLUSHED);
    expect_no_wc(f->a.rcq);
}

static void a_full_cq_kills_its_qps(void **state)
{
    struct fixture *f = *state;
    struct vb_async_event ev;
    for (int i = 0; i <= CQ_DEPTH; i++) {
        assert_int_equal(post_recv(&f->b, 11, 0, 1), VB_OK);
        assert_int_equal(post_send(&f->a, 1, 0, 0, VB_WR_SIGNALED), VB_OK);
        if (i < CQ_DEPTH)
            expect_wc(f->a.scq, 1, VB_OK);
        if (i == 0) { /* go on with QPs that are deep enough to fill b's receive CQ */
            vb_qp_destroy(f->a.qp);
            vb_conn_destroy(f->a.conn);
            vb_qp_destroy(f->b.qp);
            vb_conn_destroy(f->b.conn);
            side_qp(f, &f->a, CQ_DEPTH);
            side_qp(f, &f->b, CQ_DEPTH * 2);
            expect_wc(f->b.rcq, 11, VB_OK);
            f->a.conn = f->b.conn = NULL;
            connect_both(f);
        }
    }
    assert_int_equal(vb_async_poll(f->be, &ev), VB_E_AGAIN);
    assert_int_equal(post_recv(&f->b, 11, 0, 1), VB_OK);
    assert_int_equal(post_send(&f->a, 2, 0, 0, VB_WR_SIGNALED), VB_OK);
    assert_int_equal(vb_async_poll(f->be, &ev), VB_OK);
    assert_int_equal(ev.kind, VB_ASYNC_CQ_ERROR);
    assert_ptr_equal(ev.cq, f->b.rcq);
    assert_int_equal(vb_cq_arm(f->b.rcq), VB_E_FATAL);
}

static void arm_notifies_once_and_only_for_what_comes_later(void **state)
{
    struct fixture *f = *state;
    pal_waitable w = vb_cq_waitable(f->b.rcq);
    assert_int_equal(post_recv(&f->b, 11, 0, 1), VB_OK);
    assert_int_equal(post_send(&f->a, 1, 0, 0, 0), VB_OK);
    assert_int_equal(vb_cq_arm(f->b.rcq), VB_OK);
    assert_int_equal(vb_cq_arm(f->b.rcq), VB_OK);
    assert_int_equal(pal_wait(&w, 1, 0), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(post_recv(&f->b, 12, 0, 1), VB_OK);
        assert_int_equal(post_send(&f->a, 1, 0, 0, 0), VB_OK);
        assert_int_equal(pal_wait(&w, 1, 0), 1);
    }
    assert_int_equal(vb_cq_ack(f->b.rcq), 1);
    assert_int_equal(pal_wait(&w, 1, 0), 0);
    assert_int_equal(post_recv(&f->b, 12, 0, 1), VB_OK);
    assert_int_equal(post_send(&f->a, 1, 0, 0, 0), VB_OK);
    assert_int_equal(pal_wait(&w, 1, 0), 0);
    assert_int_equal(vb_cq_ack(f->b.rcq), 0);
}

/* ---- delays: long, so that a test is still early when it looks for what must not be there yet ---- */

static void slow_reads(struct loop_config *c)
{
    c->read_us = 500000;
}

static void an_unfenced_send_overtakes_a_read(void **state)
{
    struct fixture *f = *state;
    change_config(slow_reads);
    memcpy(f->b.mem, "read", 4);
    assert_int_equal(post_recv(&f->b, 11, 100, 8), VB_OK);
    assert_int_equal(post_recv(&f->b, 12, 200, 8), VB_OK);
    assert_int_equal(post_rdma(&f->a, VB_WR_READ, 1, 0, 4, f->b.mem, vb_mr_rkey(f->b.mr), VB_WR_SIGNALED),
                     VB_OK);
    assert_int_equal(post_send(&f->a, 2, 0, 4, VB_WR_SIGNALED), VB_OK);
    assert_int_equal(post_send(&f->a, 3, 0, 4, VB_WR_SIGNALED | VB_WR_FENCE), VB_OK);
    expect_wc(f->b.rcq, 11, VB_OK); /* arrived, */
    expect_no_wc(f->a.scq);         /* but completes after the read */
    assert_int_equal(f->b.mem[100], 0);
    expect_wc(f->a.scq, 1, VB_OK);
    expect_wc(f->a.scq, 2, VB_OK);
    expect_wc(f->a.scq, 3, VB_OK);
    expect_wc(f->b.rcq, 12, VB_OK);
    assert_memory_equal(f->b.mem + 200, "read", 4);
}

static void a_failing_request_waits_for_earlier_reads(void **state)
{
    struct fixture *f = *state;
    change_config(slow_reads);
    for (uint64_t id = 1; id <= 3; id++) /* depth is two: the third waits for the first */
        assert_int_equal(
            post_rdma(&f->a, VB_WR_READ, id, 0, 4, f->b.mem, vb_mr_rkey(f->b.mr), VB_WR_SIGNALED), VB_OK);
    assert_int_equal(post_rdma(&f->a, VB_WR_WRITE, 4, 0, 4, f->b.mem, 12345, VB_WR_SIGNALED), VB_OK);
    for (uint64_t id = 1; id <= 3; id++)
        expect_wc(f->a.scq, id, VB_OK);
    expect_wc(f->a.scq, 4, VB_E_REMOTE_ACCESS);
}

static void slow_delivery(struct loop_config *c)
{
    c->delivery_us = 500000;
}

static void delivery_can_be_delayed(void **state)
{
    struct fixture *f = *state;
    change_config(slow_delivery);
    assert_int_equal(post_recv(&f->b, 11, 0, 1), VB_OK);
    uint64_t start = pal_now_ns();
    assert_int_equal(post_send(&f->a, 1, 0, 1, VB_WR_SIGNALED), VB_OK);
    expect_no_wc(f->a.scq);
    expect_wc(f->b.rcq, 11, VB_OK);
    expect_wc(f->a.scq, 1, VB_OK);
    assert_true(pal_now_ns() - start >= 500000000);
}

static void slow_disconnects(struct loop_config *c)
{
    c->disconnect_ms = 500;
}

static void a_silent_cut_ends_in_retry_errors_only(void **state)
{
    struct fixture *f = *state;
    change_config(slow_disconnects);
    /* This one waits for a receive when the wire goes. */
    assert_int_equal(post_send(&f->b, 9, 0, 1, VB_WR_SIGNALED), VB_OK);
    assert_int_equal(loop_cut(7000, LOOP_CUT_SILENT), 1);
    assert_int_equal(post_send(&f->a, 1, 0, 1, VB_WR_SIGNALED), VB_OK);
    assert_int_equal(post_send(&f->a, 2, 0, 1, VB_WR_SIGNALED), VB_OK);
    expect_wc(f->a.scq, 1, VB_E_RETRY);
    expect_wc(f->a.scq, 2, VB_E_FLUSHED);
    expect_wc(f->b.scq, 9, VB_E_RETRY);
    expect_no_event(f->a.cm);
    vb_conn_disconnect(f->a.conn);
    expect_no_event(f->a.cm);
    expect_event(f->a.cm, VB_CM_DISCONNECTED, VB_OK);
    expect_no_event(f->b.cm);
}

static void a_cut_can_be_announced(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(loop_cut(0, LOOP_CUT_NOTIFY), 1);
    expect_event(f->a.cm, VB_CM_DISCONNECTED, VB_OK);
    expect_event(f->b.cm, VB_CM_DISCONNECTED, VB_OK);
    assert_int_equal(loop_cut(0, LOOP_CUT_NOTIFY), 0);
}

const struct CMUnitTest loop_data_tests[] = {
    CONNECTED(sends_wait_for_receives_and_arrive_in_order),
    CONNECTED(inline_payload_is_copied_at_the_post),
    CONNECTED(pieces_are_gathered_and_scattered),
    CONNECTED(too_long_message_kills_both_ends),
    CONNECTED(a_slot_is_free_again_only_after_its_completion_was_polled),
    CONNECTED(a_chain_is_posted_up_to_the_bad_request),
    CONNECTED(local_keys_bounds_and_rights_are_checked),
    CONNECTED(an_rkey_is_no_lkey),
    CONNECTED(rdma_moves_bytes_and_refuses_what_lies_outside),
    CONNECTED(an_lkey_is_no_rkey),
    CONNECTED(a_window_has_exact_bounds_and_dies_by_invalidate),
    CONNECTED(a_bound_window_cannot_be_bound_again),
    CONNECTED(a_window_belongs_to_the_qp_that_bound_it),
    CONNECTED(stop_flushes_in_order_and_again),
    CONNECTED(completions_outlive_their_qp),
    CONNECTED(a_full_cq_kills_its_qps),
    CONNECTED(arm_notifies_once_and_only_for_what_comes_later),
    CONNECTED(an_unfenced_send_overtakes_a_read),
    CONNECTED(a_failing_request_waits_for_earlier_reads),
    CONNECTED(delivery_can_be_delayed),
    CONNECTED(a_silent_cut_ends_in_retry_errors_only),
    CONNECTED(a_cut_can_be_announced),
};
const size_t loop_data_test_count = sizeof(loop_data_tests) / sizeof(loop_data_tests[0]);
