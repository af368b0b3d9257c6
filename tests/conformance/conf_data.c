/* conf_data.c - sends and receives: data, order, chains, inline, full queues, flow control, notification,
 * flush. */
#include "conf.h"

#include "pal/atomic.h"

static void messages_of_all_sizes_arrive_unchanged(void **state)
{
    static const uint32_t sizes[] = {
        0,    1,    2,    3,    63,    64,    65,    255,   256,    511,    1023,   1024,           2047,
        4095, 4096, 4097, 8191, 16384, 65535, 65536, 65537, 100001, 262144, 524289, (1u << 20) - 1, 1u << 20};
    const uint32_t half = 1u << 20;
    struct conf_pair *p = *state;
    p->mem_bytes = 2 * half;
    conf_pair_open(p);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (unsigned direction = 0; direction < 2; direction++) {
            struct conf_end *from = direction ? &p->b : &p->a, *to = direction ? &p->a : &p->b;
            conf_fill(from->mem, sizes[i], i + 1);
            memset(to->mem + half, 0xEE, half);
            assert_ok(conf_recv(to, 100 + i, half, half));
            assert_ok(conf_send(from, 200 + i, 0, sizes[i], VB_WR_SIGNALED));
            struct vb_wc wc = conf_expect(to, CONF_RECV, 100 + i, VB_OK);
            assert_int_equal(wc.bytes, sizes[i]);
            assert_int_equal(wc.op, VB_WC_RECV);
            wc = conf_expect(from, CONF_SEND, 200 + i, VB_OK);
            assert_int_equal(wc.op, VB_WC_SEND);
            conf_check(to->mem + half, sizes[i], i + 1);
            if (sizes[i] < half)
                assert_int_equal(to->mem[half + sizes[i]], 0xEE);
        }
    }
}

static void an_empty_message_arrives_in_a_receive_without_pieces(void **state)
{
    struct conf_pair *p = *state;
    assert_ok(conf_recv(&p->b, 1, 0, 0));
    assert_ok(conf_send(&p->a, 2, 0, 0, VB_WR_SIGNALED | VB_WR_INLINE));
    assert_int_equal(conf_expect(&p->b, CONF_RECV, 1, VB_OK).bytes, 0);
    conf_expect(&p->a, CONF_SEND, 2, VB_OK);
}

/* Post `count` receives of 64 bytes at b in one chain. */
static void post_receives(struct conf_end *e, unsigned count, uint64_t first_id)
{
    struct vb_recv_wr wr[64];
    struct vb_sge sge[64];
    assert_true(count <= 64);
    for (unsigned i = 0; i < count; i++) {
        sge[i] = conf_sge(e, i * 64, 64);
        wr[i] = (struct vb_recv_wr){
            .next = i + 1 < count ? &wr[i + 1] : NULL, .id = first_id + i, .sge = &sge[i], .sge_count = 1};
    }
    assert_ok(conf_post_recv(e, wr, NULL));
}

static void chains_longer_than_any_batch_keep_their_order(void **state)
{
    struct conf_pair *p = *state;
    for (unsigned round = 0; round < 8; round++) {
        enum { COUNT = 61 };
        struct vb_send_wr wr[COUNT];
        struct vb_sge sge[COUNT];
        post_receives(&p->b, COUNT, 1000);
        for (unsigned i = 0; i < COUNT; i++) {
            const uint32_t word = round * 1000 + i;
            memcpy(p->a.mem + i * 64, &word, sizeof word);
            sge[i] = conf_sge(&p->a, i * 64, 64);
            wr[i] = (struct vb_send_wr){.next = i + 1 < COUNT ? &wr[i + 1] : NULL,
                                        .id = 2000 + i,
                                        .sge = &sge[i],
                                        .sge_count = 1,
                                        .op = VB_WR_SEND,
                                        .flags = VB_WR_SIGNALED};
        }
        assert_ok(conf_post(&p->a, wr, NULL));
        for (unsigned i = 0; i < COUNT; i++) {
            uint32_t word;
            conf_expect(&p->b, CONF_RECV, 1000 + i, VB_OK);
            conf_expect(&p->a, CONF_SEND, 2000 + i, VB_OK);
            memcpy(&word, p->b.mem + i * 64, sizeof word);
            assert_int_equal(word, round * 1000 + i);
        }
    }
}

static void inline_payload_may_be_overwritten_after_the_post(void **state)
{
    struct conf_pair *p = *state;
    const uint32_t most = p->a.caps.inline_bytes;
    if (most == 0) {
        conf_skip("grants no inline payload");
        return;
    }
    for (unsigned i = 0; i < 32; i++) {
        const uint32_t bytes = 1 + i * (most - 1) / 31;
        assert_ok(conf_recv(&p->b, i, 1024, 1024));
        conf_fill(p->a.mem, bytes, i);
        assert_ok(conf_send(&p->a, i, 0, bytes, VB_WR_SIGNALED | VB_WR_INLINE));
        memset(p->a.mem, 0xFF, bytes);
        assert_int_equal(conf_expect(&p->b, CONF_RECV, i, VB_OK).bytes, bytes);
        conf_expect(&p->a, CONF_SEND, i, VB_OK);
        conf_check(p->b.mem + 1024, bytes, i);
    }
}

static void inline_payload_needs_no_registration_and_may_come_in_pieces(void **state)
{
    struct conf_pair *p = *state;
    char one[] = "in two", two[] = " pieces";
    struct vb_sge sge[2] = {{.addr = (uintptr_t)one, .bytes = 6, .lkey = 0},
                            {.addr = (uintptr_t)two, .bytes = 7, .lkey = 0}};
    struct vb_send_wr wr = {
        .id = 1, .sge = sge, .sge_count = 2, .op = VB_WR_SEND, .flags = VB_WR_SIGNALED | VB_WR_INLINE};
    if (p->a.caps.inline_bytes < 13) {
        conf_skip("grants too little inline payload");
        return;
    }
    assert_ok(conf_recv(&p->b, 2, 0, 64));
    assert_ok(conf_post(&p->a, &wr, NULL));
    assert_int_equal(conf_expect(&p->b, CONF_RECV, 2, VB_OK).bytes, 13);
    conf_expect(&p->a, CONF_SEND, 1, VB_OK);
    assert_memory_equal(p->b.mem, "in two pieces", 13);
}

static void inline_payload_beyond_the_grant_is_refused(void **state)
{
    struct conf_pair *p = *state;
    assert_int_equal(conf_send(&p->a, 1, 0, p->a.caps.inline_bytes + 1, VB_WR_SIGNALED | VB_WR_INLINE),
                     VB_E_INVAL);
    conf_quiet(&p->a, CONF_SEND);
}

static void unsignaled_sends_that_succeed_complete_silently(void **state)
{
    struct conf_pair *p = *state;
    for (unsigned round = 0; round < 20; round++) {
        post_receives(&p->b, 16, 0);
        for (unsigned i = 0; i < 15; i++)
            assert_ok(conf_send(&p->a, 900 + i, 0, 16, 0));
        assert_ok(conf_send(&p->a, 7000 + round, 0, 16, VB_WR_SIGNALED));
        for (unsigned i = 0; i < 16; i++)
            conf_expect(&p->b, CONF_RECV, i, VB_OK);
        conf_expect(&p->a, CONF_SEND, 7000 + round, VB_OK);
        p->a.unsignaled = 0; /* all behind a success: none may come any more */
    }
    conf_quiet(&p->a, CONF_SEND);
}

static void a_full_send_queue_says_so_and_loses_nothing(void **state)
{
    struct conf_pair *p = *state;
    const unsigned limit = 4 * p->a.caps.send_wr + 64;
    unsigned posted = 0;
    if (!(g.caps.flags & VB_CAP_RECV_FLOW_CONTROL)) {
        conf_skip("sends without a receive would end the connection, and others complete at once");
        return;
    }
    while (posted < limit && conf_send(&p->a, posted, 0, 16, VB_WR_SIGNALED) == VB_OK)
        posted++;
    assert_true(posted >= p->a.caps.send_wr && posted < limit);
    assert_int_equal(conf_send(&p->a, 77777, 0, 16, VB_WR_SIGNALED), VB_E_AGAIN);

    for (unsigned done = 0; done < posted; done++) {
        assert_ok(conf_recv(&p->b, done, 0, 64));
        conf_expect(&p->b, CONF_RECV, done, VB_OK);
        conf_expect(&p->a, CONF_SEND, done, VB_OK);
    }
    assert_ok(conf_recv(&p->b, 1, 0, 64));
    assert_ok(conf_send(&p->a, 88888, 0, 16, VB_WR_SIGNALED));
    conf_expect(&p->a, CONF_SEND, 88888, VB_OK);
    conf_expect(&p->b, CONF_RECV, 1, VB_OK);
}

static void a_chain_that_does_not_fit_is_posted_up_to_the_bad_one(void **state)
{
    struct conf_pair *p = *state;
    enum { COUNT = 600 };
    static struct vb_recv_wr wr[COUNT];
    struct vb_sge sge = conf_sge(&p->b, 0, 64);
    const struct vb_recv_wr *bad;
    if (p->b.caps.recv_wr >= COUNT) {
        conf_skip("grants much longer queues than asked for");
        return;
    }
    for (unsigned i = 0; i < COUNT; i++)
        wr[i] = (struct vb_recv_wr){
            .next = i + 1 < COUNT ? &wr[i + 1] : NULL, .id = i, .sge = &sge, .sge_count = 1};
    assert_int_equal(conf_post_recv(&p->b, wr, &bad), VB_E_AGAIN);
    assert_true(bad >= &wr[p->b.caps.recv_wr] && bad < &wr[COUNT]);
    for (unsigned i = 0; i < 8; i++) {
        assert_ok(conf_send(&p->a, i, 0, 8, VB_WR_SIGNALED));
        conf_expect(&p->b, CONF_RECV, i, VB_OK);
        conf_expect(&p->a, CONF_SEND, i, VB_OK);
    }
    const unsigned posted = (unsigned)(bad - wr);
    vb_qp_stop(p->b.qp);
    for (unsigned i = 8; i < posted; i++)
        conf_expect(&p->b, CONF_RECV, i, VB_E_FLUSHED);
    conf_quiet(&p->b, CONF_RECV);
}

static void a_bad_request_in_a_chain_lets_those_before_it_through(void **state)
{
    struct conf_pair *p = *state;
    struct vb_send_wr wr[3];
    const uint32_t too_many = p->a.caps.send_sge + 1;
    struct vb_sge *sge = calloc(too_many, sizeof *sge); /* all there: a hook may look at them */
    const struct vb_send_wr *bad;
    assert_non_null(sge);
    for (uint32_t i = 0; i < too_many; i++)
        sge[i] = conf_sge(&p->a, 0, 8);
    for (unsigned i = 0; i < 3; i++)
        wr[i] = (struct vb_send_wr){.next = i < 2 ? &wr[i + 1] : NULL,
                                    .id = i,
                                    .sge = sge,
                                    .sge_count = 1,
                                    .op = VB_WR_SEND,
                                    .flags = VB_WR_SIGNALED};
    wr[1].sge_count = too_many;
    post_receives(&p->b, 2, 0);
    assert_int_equal(conf_post(&p->a, wr, &bad), VB_E_INVAL);
    assert_ptr_equal(bad, &wr[1]);
    free(sge);
    conf_expect(&p->a, CONF_SEND, 0, VB_OK);
    conf_expect(&p->b, CONF_RECV, 0, VB_OK);
    conf_quiet(&p->b, CONF_RECV);
}

static void pieces_up_to_the_limit_are_gathered_and_scattered(void **state)
{
    struct conf_pair *p = *state;
    const uint32_t most = g.caps.max_sge;
    struct vb_sge *out = calloc(most, sizeof *out), *in = calloc(most, sizeof *in);
    p->want = (struct vb_qp_caps){.send_wr = 8, .recv_wr = 8, .send_sge = most, .recv_sge = most};
    p->mem_bytes = 1u << 20;
    conf_pair_open(p);
    for (uint32_t pieces = 1; pieces <= most;
         pieces = pieces < most && pieces * 2 > most ? most : pieces * 2) {
        uint32_t total = 0, at = 0;
        conf_fill(p->a.mem, 1u << 19, pieces);
        memset(p->b.mem, 0, 1u << 19);
        for (uint32_t i = 0; i < pieces; i++) { /* unequal pieces, with gaps, of one MR */
            const uint32_t bytes = 1 + i * 37;
            out[i] = conf_sge(&p->a, at, bytes);
            in[pieces - 1 - i] = conf_sge(&p->b, at, bytes);
            at += bytes + 5;
            total += bytes;
        }
        struct vb_recv_wr rwr = {.id = 1, .sge = in, .sge_count = pieces};
        struct vb_send_wr swr = {
            .id = 2, .sge = out, .sge_count = pieces, .op = VB_WR_SEND, .flags = VB_WR_SIGNALED};
        assert_ok(conf_post_recv(&p->b, &rwr, NULL));
        assert_ok(conf_post(&p->a, &swr, NULL));
        assert_int_equal(conf_expect(&p->b, CONF_RECV, 1, VB_OK).bytes, total);
        conf_expect(&p->a, CONF_SEND, 2, VB_OK);
        uint8_t *sent = malloc(total), *got = malloc(total);
        for (uint32_t i = 0, s = 0, r = 0; i < pieces; i++) {
            memcpy(sent + s, (void *)(uintptr_t)out[i].addr, out[i].bytes);
            memcpy(got + r, (void *)(uintptr_t)in[i].addr, in[i].bytes);
            s += out[i].bytes;
            r += in[i].bytes;
        }
        assert_memory_equal(sent, got, total);
        free(sent);
        free(got);
        if (pieces == most)
            break;
    }
    free(out);
    free(in);
}

static void a_wrong_local_key_fails_the_send_and_the_qp(void **state)
{
    struct conf_pair *p = *state;
    struct vb_sge sge = conf_sge(&p->a, 0, 64);
    struct vb_send_wr wr = {.id = 1, .sge = &sge, .sge_count = 1, .op = VB_WR_SEND, .flags = VB_WR_SIGNALED};
    sge.lkey ^= 0x55500;
    assert_ok(conf_recv(&p->b, 2, 0, 64));
    assert_ok(conf_post(&p->a, &wr, NULL));
    struct vb_wc wc;
    assert_true(conf_wait(&p->a, CONF_SEND, &wc, CONF_DEADLINE_MS));
    print_message("           wrong lkey: %s\n", vb_status_name(wc.status));
    assert_int_equal(wc.id, 1);
    assert_true(wc.status == VB_E_PROTECTION || wc.status == VB_E_FLUSHED || wc.status == VB_E_FATAL);
}

/* ---- flow control ---- */

static void a_message_without_a_receive_waits_for_one(void **state)
{
    struct conf_pair *p = *state;
    if (!(g.caps.flags & VB_CAP_RECV_FLOW_CONTROL)) {
        conf_skip("has no flow control for receives");
        return;
    }
    uint64_t shortest = UINT64_MAX;
    for (unsigned i = 0; i < 5; i++) {
        conf_fill(p->a.mem, 5000, i);
        assert_ok(conf_send(&p->a, 1, 0, 5000, VB_WR_SIGNALED));
        if (!g.is_iwarp) /* iWARP completes a send when it is on its way */
            conf_quiet(&p->a, CONF_SEND);
        const uint64_t from = pal_now_ns();
        assert_ok(conf_recv(&p->b, 2, 8192, 8192));
        conf_expect(&p->b, CONF_RECV, 2, VB_OK);
        const uint64_t took = pal_now_ns() - from;
        shortest = took < shortest ? took : shortest;
        conf_expect(&p->a, CONF_SEND, 1, VB_OK);
        conf_check(p->b.mem + 8192, 5000, i);
    }
    print_message("           from the receive to the message: at best %llu us\n",
                  (unsigned long long)(shortest / 1000));
    /* The CM's own default would be 655 ms, in every round; one that is slow may be the machine's doing. */
    assert_true(shortest < 300u * 1000 * 1000);
}

static void a_message_waits_even_for_seconds(void **state)
{
    struct conf_pair *p = *state;
    if (!(g.caps.flags & VB_CAP_RECV_FLOW_CONTROL)) {
        conf_skip("has no flow control for receives");
        return;
    }
    assert_ok(conf_send(&p->a, 1, 0, 64, VB_WR_SIGNALED));
    pal_sleep_ms(3000);
    assert_ok(conf_recv(&p->b, 2, 0, 64));
    conf_expect(&p->b, CONF_RECV, 2, VB_OK);
    conf_expect(&p->a, CONF_SEND, 1, VB_OK);
}

static void a_message_without_a_receive_ends_the_connection_where_nothing_holds_it_back(void **state)
{
    struct conf_pair *p = *state;
    if (g.caps.flags & VB_CAP_RECV_FLOW_CONTROL) {
        conf_skip("has flow control for receives");
        return;
    }
    assert_ok(conf_send(&p->a, 1, 0, 64, 0));
    conf_await(p->a.conn, VB_CM_DISCONNECTED, NULL);
    conf_await(p->b.conn, VB_CM_DISCONNECTED, NULL);
}

static void a_receive_that_is_too_small_fails_with_length_and_ends_the_connection(void **state)
{
    struct conf_pair *p = *state;
    memset(p->b.mem, 0xAB, 4096);
    assert_ok(conf_recv(&p->b, 1, 0, 100));
    assert_ok(conf_recv(&p->b, 2, 0, 100));
    assert_ok(conf_send(&p->a, 3, 0, 2000, VB_WR_SIGNALED));
    struct vb_wc wc;
    assert_true(conf_wait(&p->b, CONF_RECV, &wc, CONF_DEADLINE_MS));
    print_message("           the receiver sees %s\n", vb_status_name(wc.status));
    assert_int_equal(wc.id, 1);
    assert_true(wc.status == VB_E_LENGTH ||
                wc.status == VB_E_PROTECTION); /* the latter: rxe does not tell them apart */
    for (unsigned i = 100; i < 4096; i++)
        assert_int_equal(p->b.mem[i], 0xAB);
    assert_true(conf_wait(&p->a, CONF_SEND, &wc, CONF_DEADLINE_MS));
    print_message("           the sender of a message that is too long sees %s\n", vb_status_name(wc.status));
    if (!g.is_iwarp) /* iWARP completes a send when it is on its way */
        assert_int_equal(wc.status, VB_E_REMOTE_OP);
    vb_qp_stop(p->b.qp);
    conf_expect(&p->b, CONF_RECV, 2, VB_E_FLUSHED);
    /* nothing gets through any more */
    vb_status_t st = conf_send(&p->a, 4, 0, 10, VB_WR_SIGNALED);
    if (st == VB_OK) {
        vb_qp_stop(p->a.qp);
        assert_true(conf_wait(&p->a, CONF_SEND, &wc, CONF_DEADLINE_MS));
        if (!g.is_iwarp)
            assert_int_equal(wc.status, VB_E_FLUSHED);
    }
    if (g.is_iwarp) {
        conf_await(p->a.conn, VB_CM_DISCONNECTED, NULL);
        conf_await(p->b.conn, VB_CM_DISCONNECTED, NULL);
    }
}

/* ---- notification ---- */

/* The pattern of every waiter: poll; when empty arm, poll again, then wait. Must never miss a completion. */
static struct vb_wc wait_armed(struct conf_end *e, enum conf_queue q)
{
    const pal_waitable w = vb_cq_waitable(e->cq[q]);
    const uint64_t deadline = pal_now_ns() + (uint64_t)CONF_DEADLINE_MS * 1000000;
    struct vb_wc wc;

    while (conf_poll(e, q, &wc, 1) == 0) {
        assert_ok(vb_cq_arm(e->cq[q]));
        if (conf_poll(e, q, &wc, 1) != 0)
            break;
        if (pal_now_ns() >= deadline)
            fail_msg("the waitable never became ready");
        if (pal_wait(&w, 1, 5000))
            (void)vb_cq_ack(e->cq[q]);
    }
    return wc;
}

static void an_armed_queue_announces_the_next_completion_once(void **state)
{
    struct conf_pair *p = *state;
    const pal_waitable w = vb_cq_waitable(p->b.cq[CONF_RECV]);
    assert_ok(vb_cq_arm(p->b.cq[CONF_RECV]));
    assert_int_equal(pal_wait(&w, 1, CONF_QUIET_MS), 0);
    assert_ok(conf_recv(&p->b, 1, 0, 64));
    assert_ok(conf_recv(&p->b, 2, 0, 64));
    assert_ok(conf_send(&p->a, 3, 0, 64, VB_WR_SIGNALED));
    assert_int_equal(pal_wait(&w, 1, CONF_DEADLINE_MS), 1);
    assert_int_equal(vb_cq_ack(p->b.cq[CONF_RECV]), 1);
    assert_int_equal(pal_wait(&w, 1, CONF_QUIET_MS), 0);
    conf_expect(&p->b, CONF_RECV, 1, VB_OK);
    conf_expect(&p->a, CONF_SEND, 3, VB_OK);
    /* not armed again: silent */
    assert_ok(conf_send(&p->a, 4, 0, 64, VB_WR_SIGNALED));
    conf_expect(&p->b, CONF_RECV, 2, VB_OK);
    assert_int_equal(pal_wait(&w, 1, CONF_QUIET_MS), 0);
    conf_expect(&p->a, CONF_SEND, 4, VB_OK);
}

static void arming_and_polling_again_never_misses_a_completion(void **state)
{
    struct conf_pair *p = *state;
    for (unsigned i = 0; i < 300; i++) {
        assert_ok(conf_recv(&p->b, i, 0, 64));
        assert_ok(conf_send(&p->a, i, 0, 64, VB_WR_SIGNALED));
        assert_int_equal(wait_armed(&p->b, CONF_RECV).id, i);
        assert_int_equal(wait_armed(&p->a, CONF_SEND).id, i);
    }
}

static void flushed_requests_are_announced_too(void **state)
{
    struct conf_pair *p = *state;
    post_receives(&p->b, 8, 0);
    assert_ok(vb_cq_arm(p->b.cq[CONF_RECV]));
    vb_qp_stop(p->b.qp);
    for (unsigned i = 0; i < 8; i++) {
        struct vb_wc wc = wait_armed(&p->b, CONF_RECV);
        assert_int_equal(wc.id, i);
        assert_int_equal(wc.status, VB_E_FLUSHED);
    }
}

/* ---- several threads ---- */

struct sender {
    struct conf_end *end;
    unsigned count;
    pal_atomic_u32 done, credits, failures;
    char first_failure[96]; /* read after the threads have ended */
};

static void check_in_order(struct sender *s, const struct vb_wc *wc, unsigned expected)
{
    if (wc->status == VB_OK && wc->id == expected)
        return;
    if (pal_add_acq_rel(&s->failures, 1) == 0)
        (void)snprintf(s->first_failure, sizeof s->first_failure, "completion of %llu, %s, where %u was due",
                       (unsigned long long)wc->id, vb_status_name(wc->status), expected);
}

static void post_from_thread(void *arg)
{
    struct sender *s = arg;
    for (unsigned i = 0; i < s->count; i++) {
        while (pal_load_acquire(&s->credits) == 0) /* acquire: the receives are posted */
            pal_thread_yield();
        while (i - pal_load_acquire(&s->done) >= 48) /* the completion queue has room for what is posted */
            pal_thread_yield();
        pal_sub_acq_rel(&s->credits, 1);
        struct vb_sge sge = conf_sge(s->end, (i % 64) * 64, 64);
        struct vb_send_wr wr = {
            .id = i, .sge = &sge, .sge_count = 1, .op = VB_WR_SEND, .flags = VB_WR_SIGNALED};
        memcpy((void *)(uintptr_t)sge.addr, &i, sizeof i);
        vb_status_t st;
        while ((st = vb_post_send(s->end->qp, &wr, NULL)) == VB_E_AGAIN) /* not polled yet */
            pal_thread_yield();
        if (st != VB_OK)
            pal_add_acq_rel(&s->failures, 1);
    }
}

static void poll_from_thread(void *arg)
{
    struct sender *s = arg;
    struct vb_cq *cq = s->end->cq[CONF_SEND];
    const pal_waitable w = vb_cq_waitable(cq);
    const uint64_t deadline = pal_now_ns() + (uint64_t)CONF_DEADLINE_MS * 1000000;
    bool is_armed = false;

    while (s->done < s->count && pal_now_ns() < deadline) {
        struct vb_wc wc[4];
        const unsigned got = vb_cq_poll(cq, wc, 4);
        for (unsigned i = 0; i < got; i++)
            check_in_order(s, &wc[i], s->done + i);
        pal_add_acq_rel(&s->done, got);
        if (got > 0) {
            is_armed = false;
        } else if (!is_armed) {
            (void)vb_cq_arm(cq);
            is_armed = true; /* and poll again before waiting */
        } else if (pal_wait(&w, 1, 100)) {
            (void)vb_cq_ack(cq);
            is_armed = false;
        }
    }
}

static void posting_polling_and_receiving_run_in_threads_of_their_own(void **state)
{
    struct conf_pair *p = *state;
    struct sender s = {.end = &p->a, .count = 1500};
    post_receives(&p->b, 32, 0);
    s.credits = 32;
    struct pal_thread *poster = pal_thread_start(post_from_thread, &s, "poster");
    struct pal_thread *poller = pal_thread_start(poll_from_thread, &s, "poller");
    assert_true(poster && poller);
    for (unsigned i = 0; i < s.count; i++) {
        unsigned got;
        struct vb_wc wc = wait_armed(&p->b, CONF_RECV);
        if (wc.status != VB_OK || wc.id != i % 32)
            print_message("receive %u: id %llu %s\n", i, (unsigned long long)wc.id,
                          vb_status_name(wc.status));
        assert_ok(wc.status);
        memcpy(&got, p->b.mem + (i % 32) * 64, sizeof got);
        assert_int_equal(got, i);
        if (i + 32 < s.count) {
            assert_ok(conf_recv(&p->b, i % 32, (i % 32) * 64, 64));
            pal_add_acq_rel(&s.credits, 1);
        }
    }
    pal_thread_join(poster);
    pal_thread_join(poller);
    if (s.failures > 0)
        fail_msg("%u failures, first: %s", s.failures, s.first_failure);
    assert_int_equal(s.done, s.count);
}

/* ---- flush ---- */

static void stop_flushes_everything_in_posting_order(void **state)
{
    struct conf_pair *p = *state;
    post_receives(&p->b, 48, 500);
    vb_qp_stop(p->b.qp);
    for (unsigned i = 0; i < 48; i++)
        conf_expect(&p->b, CONF_RECV, 500 + i, VB_E_FLUSHED);
    conf_quiet(&p->b, CONF_RECV);

    if (g.is_iwarp || !(g.caps.flags & VB_CAP_RECV_FLOW_CONTROL))
        return; /* sends cannot be kept outstanding */
    for (unsigned i = 0; i < 32; i++)
        assert_ok(conf_send(&p->a, i, 0, 64, VB_WR_SIGNALED));
    vb_qp_stop(p->a.qp);
    for (unsigned i = 0; i < 32; i++)
        conf_expect(&p->a, CONF_SEND, i, VB_E_FLUSHED);
    conf_quiet(&p->a, CONF_SEND);
}

static void what_finished_before_the_stop_keeps_its_status(void **state)
{
    struct conf_pair *p = *state;
    post_receives(&p->b, 10, 0);
    for (unsigned i = 0; i < 5; i++)
        assert_ok(conf_send(&p->a, i, 0, 64, VB_WR_SIGNALED));
    for (unsigned i = 0; i < 5; i++)
        conf_expect(&p->a, CONF_SEND, i, VB_OK);
    if (g.is_iwarp) /* a send completes when it is on its way: wait until the last one has arrived */
        while (p->b.out[CONF_RECV] > 5)
            conf_expect(&p->b, CONF_RECV, CONF_ANY_ID, VB_OK);
    vb_qp_stop(p->b.qp);
    for (unsigned i = 10 - p->b.out[CONF_RECV]; i < 10; i++)
        conf_expect(&p->b, CONF_RECV, i, i < 5 ? VB_OK : VB_E_FLUSHED);
}

static void stop_again_flushes_what_was_posted_since(void **state)
{
    struct conf_pair *p = *state;
    vb_qp_stop(p->b.qp);
    for (unsigned round = 0; round < 3; round++) {
        vb_status_t r = conf_recv(&p->b, 10 + round, 0, 64),
                    s = conf_send(&p->b, 20 + round, 0, 64, VB_WR_SIGNALED);
        assert_true(r == VB_OK || r == VB_E_STATE);
        assert_true(s == VB_OK || s == VB_E_STATE);
        vb_qp_stop(p->b.qp);
        if (r == VB_OK)
            conf_expect(&p->b, CONF_RECV, 10 + round, VB_E_FLUSHED);
        if (s == VB_OK)
            conf_expect(&p->b, CONF_SEND, 20 + round, VB_E_FLUSHED);
    }
    conf_quiet(&p->b, CONF_RECV);
    conf_quiet(&p->b, CONF_SEND);
}

static void every_request_comes_back_exactly_once_when_stopped_midway(void **state)
{
    struct conf_pair *p = *state;
    enum { COUNT = 48 };
    for (unsigned round = 0; round < 6; round++) {
        unsigned sent[COUNT] = {0}, received[COUNT] = {0}, posted = 0, ok_sends = 0, ok_receives = 0;
        struct vb_wc wc;
        if (round > 0) {
            conf_pair_close(p);
            conf_pair_open(p);
        }
        const unsigned receives = g.caps.flags & VB_CAP_RECV_FLOW_CONTROL ? round * 7 : COUNT;
        if (receives)
            post_receives(&p->b, receives, 0);
        for (; posted < COUNT; posted++)
            if (conf_send(&p->a, posted, 0, 64, posted % 3 ? VB_WR_SIGNALED : 0) != VB_OK)
                break;
        vb_qp_stop(p->a.qp);
        const uint64_t until = pal_now_ns() + 200000000u;
        for (bool got = true; got || p->a.out[CONF_SEND] > 0 || pal_now_ns() < until;) {
            got = conf_poll(&p->a, CONF_SEND, &wc, 1) == 1;
            if (got) {
                assert_true(wc.id < posted);
                sent[wc.id]++;
                ok_sends += wc.status == VB_OK;
                assert_true(wc.status == VB_OK || wc.status == VB_E_FLUSHED);
            }
        }
        for (unsigned i = 0; i < posted; i++) {
            if (i % 3)
                assert_int_equal(sent[i], 1);
            else
                assert_true(sent[i] <= 1);
        }
        vb_qp_stop(p->b.qp);
        while (p->b.out[CONF_RECV] > 0) {
            wc = (struct vb_wc){0};
            assert_true(conf_wait(&p->b, CONF_RECV, &wc, CONF_DEADLINE_MS));
            received[wc.id]++;
            ok_receives += wc.status == VB_OK;
        }
        for (unsigned i = 0; i < receives; i++)
            assert_int_equal(received[i], 1);
        if (!g.is_iwarp) /* a send that succeeded has arrived */
            assert_true(ok_receives >= ok_sends);
    }
}

static void stopping_one_end_fails_the_sends_of_the_other(void **state)
{
    struct conf_pair *p = *state;
    struct vb_wc wc;
    if (g.is_iwarp || !(g.caps.flags & VB_CAP_RECV_FLOW_CONTROL)) {
        conf_skip("its sends complete when they are on their way");
        return;
    }
    if (strncmp(g.caps.device, "rxe", 3) == 0) {
        conf_skip("rxe repeats for ever (retry count 7); the end of the connection tells");
        return;
    }
    vb_qp_stop(p->b.qp);
    assert_ok(conf_send(&p->a, 1, 0, 64, VB_WR_SIGNALED));
    const uint64_t from = pal_now_ns();
    assert_true(conf_wait(&p->a, CONF_SEND, &wc, CONF_DEADLINE_MS));
    print_message("           a send to a stopped QP ends with %s after %llu ms\n", vb_status_name(wc.status),
                  (unsigned long long)((pal_now_ns() - from) / 1000000));
    assert_true(wc.status == VB_E_RETRY || wc.status == VB_E_REMOTE_OP || wc.status == VB_E_FLUSHED);
}

static const struct CMUnitTest tests[] = {
    CONF_TEST_BARE(messages_of_all_sizes_arrive_unchanged),
    CONF_TEST(an_empty_message_arrives_in_a_receive_without_pieces),
    CONF_TEST(chains_longer_than_any_batch_keep_their_order),
    CONF_TEST(inline_payload_may_be_overwritten_after_the_post),
    CONF_TEST(inline_payload_needs_no_registration_and_may_come_in_pieces),
    CONF_TEST(inline_payload_beyond_the_grant_is_refused),
    CONF_TEST(unsignaled_sends_that_succeed_complete_silently),
    CONF_TEST(a_full_send_queue_says_so_and_loses_nothing),
    CONF_TEST(a_chain_that_does_not_fit_is_posted_up_to_the_bad_one),
    CONF_TEST(a_bad_request_in_a_chain_lets_those_before_it_through),
    CONF_TEST_BARE(pieces_up_to_the_limit_are_gathered_and_scattered),
    CONF_TEST(a_wrong_local_key_fails_the_send_and_the_qp),
    CONF_TEST(a_message_without_a_receive_waits_for_one),
    CONF_TEST(a_message_waits_even_for_seconds),
    CONF_TEST(a_message_without_a_receive_ends_the_connection_where_nothing_holds_it_back),
    CONF_TEST(a_receive_that_is_too_small_fails_with_length_and_ends_the_connection),
    CONF_TEST(an_armed_queue_announces_the_next_completion_once),
    CONF_TEST(arming_and_polling_again_never_misses_a_completion),
    CONF_TEST(flushed_requests_are_announced_too),
    CONF_TEST(posting_polling_and_receiving_run_in_threads_of_their_own),
    CONF_TEST(stop_flushes_everything_in_posting_order),
    CONF_TEST(what_finished_before_the_stop_keeps_its_status),
    CONF_TEST(stop_again_flushes_what_was_posted_since),
    CONF_TEST(every_request_comes_back_exactly_once_when_stopped_midway),
    CONF_TEST(stopping_one_end_fails_the_sends_of_the_other),
};
const struct conf_group conf_group_data = {tests, sizeof tests / sizeof *tests};
