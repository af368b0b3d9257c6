/* test_loop_threads.c - two threads at once: completions are exact whatever happens. */
#include "test_loop.h"

/* ---- two threads ---- */

enum { ROUNDS = 3000 };

struct player {
    struct side *s;
    bool serves;
    unsigned bad;
};

static bool wait_wc(struct vb_cq *cq, uint64_t id)
{
    struct vb_wc wc;
    for (;;) {
        if (vb_cq_poll(cq, &wc, 1))
            return wc.status == VB_OK && wc.id == id;
        if (vb_cq_arm(cq) != VB_OK)
            return false;
        if (vb_cq_poll(cq, &wc, 1))
            return wc.status == VB_OK && wc.id == id;
        pal_waitable w = vb_cq_waitable(cq);
        if (!pal_wait(&w, 1, WAIT_MS))
            return false;
        (void)vb_cq_ack(cq);
    }
}

static void play(void *arg)
{
    struct player *p = arg;
    for (uint32_t i = 0; i < ROUNDS && !p->bad; i++) {
        if (p->serves || i) {
            memcpy(p->s->mem, &i, sizeof i);
            p->bad += post_recv(p->s, i + 1, 64, 8) != VB_OK;
        }
        if (p->serves) {
            p->bad += post_send(p->s, i, 0, 4, VB_WR_SIGNALED) != VB_OK;
            p->bad += !wait_wc(p->s->scq, i);
        }
        p->bad += !wait_wc(p->s->rcq, p->serves || i ? i + 1 : 1);
        p->bad += memcmp(p->s->mem + 64, &i, sizeof i) != 0;
        if (!p->serves) {
            memcpy(p->s->mem, &i, sizeof i);
            p->bad += post_send(p->s, i, 0, 4, VB_WR_SIGNALED) != VB_OK;
            p->bad += !wait_wc(p->s->scq, i);
        }
    }
}

static void two_threads_play_ping_pong(void **state)
{
    struct fixture *f = *state;
    struct player a = {.s = &f->a, .serves = true}, b = {.s = &f->b};
    assert_int_equal(post_recv(&f->b, 1, 64, 8), VB_OK);
    struct pal_thread *ta = pal_thread_start(play, &a, "a"), *tb = pal_thread_start(play, &b, "b");
    pal_thread_join(ta);
    pal_thread_join(tb);
    assert_int_equal(a.bad + b.bad, 0);
}

/* Both ends of one connection do random things on their own threads until one of them stops its QP. */
struct brawler {
    struct side *s, *peer;
    uint64_t random;
    unsigned rounds;
    uint32_t sends_signaled, sends_quiet, recvs; /* posted */
    uint32_t done_signaled, done_quiet, done_recvs;
    unsigned bad;
};

static uint32_t dice(struct brawler *b, uint32_t sides)
{
    b->random = b->random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(b->random >> 33) % sides;
}

/* True when a completion was an error. */
static bool brawl_poll(struct brawler *b)
{
    struct vb_wc wc[4];
    bool failed = false;
    unsigned n = vb_cq_poll(b->s->scq, wc, 1 + dice(b, 4));
    for (unsigned i = 0; i < n; i++) {
        failed = failed || wc[i].status != VB_OK;
        b->bad += wc[i].status == VB_OK && !(wc[i].id & 1);
        if (wc[i].id & 1)
            b->bad += wc[i].id >> 1 != b->done_signaled++;
        else
            b->done_quiet++;
    }
    n = vb_cq_poll(b->s->rcq, wc, 1 + dice(b, 4));
    for (unsigned i = 0; i < n; i++) {
        failed = failed || wc[i].status != VB_OK;
        b->bad += wc[i].id != b->done_recvs++;
    }
    return failed;
}

static void brawl_send(struct brawler *b)
{
    bool is_signaled = dice(b, 3) != 0;
    uint64_t id = is_signaled ? (uint64_t)b->sends_signaled << 1 | 1 : 0;
    uint8_t flags = is_signaled ? VB_WR_SIGNALED : 0;
    uint32_t rkey = vb_mr_rkey(b->peer->mr);
    vb_status_t st;
    if (dice(b, 4) == 0)
        flags |= VB_WR_FENCE;
    switch (dice(b, 4)) {
    case 0: st = post_rdma(b->s, VB_WR_WRITE, id, 0, dice(b, 512), b->peer->mem + 2048, rkey, flags); break;
    case 1: st = post_rdma(b->s, VB_WR_READ, id, 1024, dice(b, 512), b->peer->mem, rkey, flags); break;
    default:
        st = post_send(b->s, id, 0, dice(b, 64), flags | (uint8_t)(dice(b, 2) ? VB_WR_INLINE : 0));
        break;
    }
    if (st == VB_OK && is_signaled)
        b->sends_signaled++;
    else if (st == VB_OK)
        b->sends_quiet++;
    else
        b->bad += st != VB_E_AGAIN;
}

static void brawl(void *arg)
{
    struct brawler *b = arg;
    uint64_t end = pal_now_ns() + WAIT_MS * 1000000ull;
    bool failed = false;
    for (unsigned i = 0; i < b->rounds && !failed; i++) {
        vb_status_t st = post_recv(b->s, b->recvs, 3072, 64);
        if (st == VB_OK)
            b->recvs++;
        else
            b->bad += st != VB_E_AGAIN;
        brawl_send(b);
        failed = brawl_poll(b);
        if (pal_now_ns() > end)
            break; /* all slots quiet: stuck as on hardware */
    }
    vb_qp_stop(b->s->qp);
    end = pal_now_ns() + WAIT_MS * 1000000ull;
    while (b->done_signaled < b->sends_signaled || b->done_recvs < b->recvs) {
        (void)brawl_poll(b);
        b->bad += pal_now_ns() > end;
        if (b->bad)
            return;
    }
    for (int i = 0; i < 2 * DEPTH; i++)
        (void)brawl_poll(b);
    b->bad += b->done_signaled != b->sends_signaled || b->done_recvs != b->recvs ||
              b->done_quiet > b->sends_quiet;
}

static void hurried(struct loop_config *c)
{
    c->delivery_us = 30;
    c->read_us = 50;
    c->retry_ms = 5;
}

static void completions_are_exact_whatever_happens(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = pal_now_ns();
    printf("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 40; round++) {
        struct brawler a = {.s = &f->a, .peer = &f->b, .random = seed + (uint64_t)round};
        struct brawler b = {.s = &f->b, .peer = &f->a, .random = seed ^ (uint64_t)round << 32};
        if (round == 20)
            change_config(hurried);
        a.rounds = 50 + dice(&a, 500);
        b.rounds = 50 + dice(&a, 500);
        connect_both(f);
        struct pal_thread *ta = pal_thread_start(brawl, &a, "a"), *tb = pal_thread_start(brawl, &b, "b");
        if (round % 3 == 0) {
            pal_sleep_ms(1);
            (void)loop_cut(0, round % 2 ? LOOP_CUT_SILENT : LOOP_CUT_NOTIFY);
        }
        pal_thread_join(ta);
        pal_thread_join(tb);
        assert_int_equal(a.bad, 0);
        assert_int_equal(b.bad, 0);
        struct side *sides[2] = {&f->a, &f->b};
        for (int i = 0; i < 2; i++) {
            vb_qp_destroy(sides[i]->qp);
            vb_conn_destroy(sides[i]->conn);
            sides[i]->conn = NULL;
            side_qp(f, sides[i], DEPTH);
        }
    }
}

const struct CMUnitTest loop_thread_tests[] = {
    CONNECTED(two_threads_play_ping_pong),
    UNCONNECTED(completions_are_exact_whatever_happens),
};
const size_t loop_thread_test_count = sizeof(loop_thread_tests) / sizeof(loop_thread_tests[0]);
