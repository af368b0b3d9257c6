/* patterns.c - the traffic patterns that were slow or wrong in the original switch (KB 927620), and both
 * directions at once.
 * Source: contract 1.4, 14.3; peers.md 1.6. Here they must be right; bench/ looks at how fast they are. */
#include "ct.h"

/* A large message directly behind a small one, again and again. */
static void a_large_send_right_after_a_small_one_arrives_whole(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_pair(f, &p, 128 * 1024);
    for (unsigned round = 0; round < ct.rounds / 4 + 5; round++) {
        WSAOVERLAPPED in[2] = {{0}}, out[2] = {{0}};
        ct_fill(p.a.tx, 65536 + 8, round);
        ct_ok(ct_recv(&p.b, 0, 4096, &in[0], SW_POLL));
        ct_ok(ct_recv(&p.b, 4096, 65536, &in[1], SW_POLL));
        ct_ok(ct_send(&p.a, 0, 8, &out[0], SW_POLL));
        ct_ok(ct_send(&p.a, 8, 65536, &out[1], SW_POLL));
        assert_int_equal(ct_done(p.b.c, &in[0], 0), 8);
        assert_int_equal(ct_done(p.b.c, &in[1], 0), 65536);
        ct_done(p.a.c, &out[0], 0);
        ct_done(p.a.c, &out[1], 0);
        assert_memory_equal(p.b.rx, p.a.tx, 8);
        assert_memory_equal(p.b.rx + 4096, p.a.tx + 8, 65536);
    }
}

/* The switch made "nonblocking" sockets (WSPEventSelect) and overlapped ones alike; both notification
 * modes mixed. */
static void polled_and_notified_operations_mix_on_one_socket(void **state)
{
    enum { N = 32 };
    struct fixture *f = *state;
    struct ct_pair p;
    INT error = 0;

    ct_pair(f, &p, 65536);
    ct_ok(p.a.c->procs->lpWSPEventSelect(p.a.c->descriptor, ct_event(f, true), FD_CONNECT, &error) == 0
              ? 0
              : error);
    for (unsigned round = 0; round < ct.rounds / 10 + 2; round++) {
        WSAOVERLAPPED in[N], out[N];
        memset(in, 0, sizeof in);
        memset(out, 0, sizeof out);
        for (unsigned i = 0; i < N; i++)
            ct_ok(ct_recv(&p.b, 2048 * i, 2048, &in[i], (i ^ round) % 2 == 0 ? SW_POLL : SW_NOTIFY));
        for (unsigned i = 0; i < N; i++) {
            ct_fill(p.a.tx + 2048 * i, 1500, round * N + i);
            ct_ok(ct_send(&p.a, 2048 * i, 1500, &out[i], (i / 2) % 2 == 0 ? SW_POLL : SW_NOTIFY));
        }
        for (unsigned i = 0; i < N; i++) {
            assert_int_equal(ct_done(p.b.c, &in[N - 1 - i], 0), 1500); /* in any order of asking */
            ct_done(p.a.c, &out[i], 0);
        }
        for (unsigned i = 0; i < N; i++)
            assert_int_equal(ct_wrong_byte(p.b.rx + 2048 * i, 1500, round * N + i), -1);
    }
}

static void sends_of_several_buffers_follow_each_other_without_waiting(void **state)
{
    enum { N = 64, PIECES = 8 };
    struct fixture *f = *state;
    struct ct_pair p;
    static WSAOVERLAPPED in[N], out[N];

    memset(in, 0, sizeof in);
    memset(out, 0, sizeof out);
    ct_pair(f, &p, 512 * N);
    ct_fill(p.a.tx, 512 * N, 1);
    for (unsigned i = 0; i < N; i++)
        ct_ok(ct_recv(&p.b, 512 * i, 512, &in[i], SW_POLL));
    for (unsigned i = 0; i < N; i++) {
        WSABUF pieces[PIECES];
        for (unsigned n = 0; n < PIECES; n++)
            pieces[n] = (WSABUF){64, (CHAR *)p.a.tx + 512 * i + 64 * n};
        ct_ok(sw_send(p.a.c, pieces, PIECES, &out[i], SW_NOTIFY));
    }
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(ct_done(p.b.c, &in[i], 0), 512);
        ct_done(p.a.c, &out[i], 0);
    }
    assert_memory_equal(p.b.rx, p.a.tx, 512 * N);
}

struct stream {
    struct ct_end *from, *to;
    uint32_t seed;
    unsigned rounds;
};

static void stream_one_way(struct ct_thread *t)
{
    enum { WINDOW = 8 };
    struct stream *s = t->arg;
    WSAOVERLAPPED in[WINDOW], out[WINDOW];

    for (unsigned r = 0; r < s->rounds && !pal_load_acquire(&t->f->stop); r++) {
        int error = 0;
        memset(in, 0, sizeof in);
        memset(out, 0, sizeof out);
        for (unsigned i = 0; i < WINDOW && error == 0; i++)
            error = ct_recv(s->to, 4096 * i, 4096, &in[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY);
        for (unsigned i = 0; i < WINDOW && error == 0; i++) {
            ct_fill(s->from->tx + 4096 * i, 3000, s->seed + r * WINDOW + i);
            error = ct_send(s->from, 4096 * i, 3000, &out[i], i % 3 == 0 ? SW_NOTIFY : SW_POLL);
        }
        if (error != 0) {
            ct_thread_fails(t, "submitting: %s", sw_error_name(error));
            return;
        }
        for (unsigned i = 0; i < WINDOW; i++) {
            DWORD bytes = 0;
            if (sw_wait(s->from->c, &out[i], ct.wait_ms, NULL, &error) != 0 || error != 0 ||
                sw_wait(s->to->c, &in[i], ct.wait_ms, &bytes, &error) != 0 || error != 0 || bytes != 3000) {
                ct_thread_fails(t, "round %u message %u: error %s, %u bytes", r, i, sw_error_name(error),
                                (unsigned)bytes);
                return;
            }
            if (ct_wrong_byte(s->to->rx + 4096 * i, 3000, s->seed + r * WINDOW + i) >= 0) {
                ct_thread_fails(t, "round %u message %u: wrong data", r, i);
                return;
            }
        }
    }
}

/* One thread a direction: both ends of the socket are used by two threads at the same time. */
static void both_directions_at_once_from_different_threads(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    unsigned rounds = (unsigned)ct.rounds / 2 + 5;

    ct_pair(f, &p, 65536);
    struct stream s[2] = {{&p.a, &p.b, 1000, rounds}, {&p.b, &p.a, 900000, rounds}};
    struct ct_thread *t[2] = {ct_start(f, stream_one_way, &s[0]), ct_start(f, stream_one_way, &s[1])};
    ct_join(t[0]);
    ct_join(t[1]);
}

static void eight_connections_work_side_by_side(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p[8];
    struct stream s[8];
    struct ct_thread *t[8];

    for (int i = 0; i < 8; i++) {
        ct_pair(f, &p[i], 65536);
        s[i] = (struct stream){&p[i].a, &p[i].b, (uint32_t)i * 100000, (unsigned)ct.rounds / 8 + 3};
    }
    for (int i = 0; i < 8; i++)
        t[i] = ct_start(f, stream_one_way, &s[i]);
    for (int i = 0; i < 8; i++)
        ct_join(t[i]);
}

static void sender_thread(struct ct_thread *t)
{
    struct ct_end *e = t->arg;

    for (unsigned i = 0; i < 200 && !pal_load_acquire(&t->f->stop); i++) {
        WSAOVERLAPPED ov = {0};
        int error = ct_send(e, 0, 32, &ov, SW_POLL), outcome = 0;
        if (error != 0 || sw_wait(e->c, &ov, ct.wait_ms, NULL, &outcome) != 0 || outcome != 0) {
            ct_thread_fails(t, "send %u: %s, %s", i, sw_error_name(error), sw_error_name(outcome));
            return;
        }
    }
}

static void several_threads_may_send_on_one_socket(void **state)
{
    enum { N = 800 };
    struct fixture *f = *state;
    struct ct_pair p;
    static WSAOVERLAPPED in[N];
    struct ct_thread *t[4];

    memset(in, 0, sizeof in);
    ct_pair(f, &p, 64 * N);
    for (unsigned i = 0; i < N; i++)
        ct_ok(ct_recv(&p.b, 64 * i, 64, &in[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    for (int i = 0; i < 4; i++)
        t[i] = ct_start(f, sender_thread, &p.a);
    for (int i = 0; i < 4; i++)
        ct_join(t[i]);
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(ct_done(p.b.c, &in[i], 0), 32);
}

static const struct CMUnitTest patterns_tests[] = {
    ct_test(a_large_send_right_after_a_small_one_arrives_whole),
    ct_test(polled_and_notified_operations_mix_on_one_socket),
    ct_test(sends_of_several_buffers_follow_each_other_without_waiting),
    ct_test(both_directions_at_once_from_different_threads),
    ct_test(eight_connections_work_side_by_side),
    ct_test(several_threads_may_send_on_one_socket),
};
CT_GROUP(patterns);
