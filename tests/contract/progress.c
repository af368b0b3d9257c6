/* progress.c - who drives completion, in which order, behind which slow thing, and the fence behind reads.
 * Source: contract 4.12, 6.6, 7.5, Q16; checklist 12, 15; peers.md W13, W19, W24, W26, W28. */
#include "ct.h"

/* Nothing but the question moves it: no upcall is wanted, so no thread has a reason to look. */
static void checklist_12_asking_for_the_result_drives_progress(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {0}, out = {0};
    DWORD bytes;
    int error = 0;

    ct_pair(f, &p, 4096);
    for (unsigned i = 0; i < ct.rounds; i++) {
        ct_ok(ct_recv(&p.b, 0, 64, &in, SW_POLL));
        ct_ok(ct_send(&p.a, 0, 64, &out, SW_POLL));
        assert_true(ct_until(sw_poll(p.b.c, &in, &bytes, &error)));
        ct_ok(error);
        assert_true(ct_until(sw_poll(p.a.c, &out, &bytes, &error)));
        ct_ok(error);
    }
}

/* ---- order ---- */

struct arrivals {
    pal_atomic_u32 taken, count; /* places given out, places filled */
    WSAOVERLAPPED *order[4000];
    uint64_t thread[4000];
};

static void note_arrival(void *context, SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes)
{
    struct arrivals *a = context;
    uint32_t i = pal_add_relaxed(&a->taken, 1u);

    (void)handle, (void)error, (void)bytes;
    if (i < sizeof a->order / sizeof a->order[0]) {
        a->order[i] = ov;
        a->thread[i] = pal_thread_id();
    }
    pal_add_acq_rel(&a->count, 1u); /* release: publishes the place */
}

struct polled {
    struct sw_companion *c;
    WSAOVERLAPPED *last; /* a notified receive: asking for it harvests whatever is there (Q17) */
};

static void poll_something(struct ct_thread *t)
{
    struct polled *p = t->arg;
    DWORD bytes;
    int error;

    while (!pal_load_acquire(&t->f->stop)) {
        (void)sw_poll(p->c, p->last, &bytes, &error);
        pal_thread_yield(); /* two of them on two processors: who sends has to have one as well */
    }
}

/* The sleeper and two pollers harvest the same queue; upcalls of one socket must still come in the order of its receives. */
static void w13_upcalls_of_one_socket_keep_their_order_with_several_pollers(void **state)
{
    enum { N = 1000 };
    struct fixture *f = *state;
    struct ct_pair p;
    static struct arrivals a;
    static WSAOVERLAPPED in[N];
    struct sw_notify notify = {SW_NOTIFY_CALLBACK, note_arrival, &a, NULL, 0};

    memset(&a, 0, sizeof a);
    memset(in, 0, sizeof in);
    ct_pair(f, &p, 65536);
    ct_ok(sw_handle_set_notify(p.b.c->handle, &notify));
    for (unsigned i = 0; i < N; i++)
        ct_ok(ct_recv(&p.b, 0, 64, &in[i], SW_NOTIFY));
    struct polled polled = {p.b.c, &in[N - 1]};
    struct ct_thread *t[2] = {ct_start(f, poll_something, &polled), ct_start(f, poll_something, &polled)};
    for (unsigned i = 0; i < N; i++) {
        WSAOVERLAPPED out = {0};
        ct_ok(ct_send(&p.a, 0, 16, &out, SW_POLL));
        ct_done(p.a.c, &out, 0);
    }
    assert_true(ct_until(pal_load_acquire(&a.count) == N));
    pal_store_release(&f->stop, true);
    ct_join(t[0]);
    ct_join(t[1]);
    for (unsigned i = 0; i < N; i++)
        assert_ptr_equal(a.order[i], &in[i]);
}

struct slow {
    WSAEVENT may_go;
    pal_atomic_bool is_in, is_out;
    uint64_t thread;
};

static void slow_upcall(void *context, SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes)
{
    struct slow *s = context;

    (void)handle, (void)ov, (void)error, (void)bytes;
    s->thread = pal_thread_id();
    pal_store_release(&s->is_in, true);
    (void)sw_event_wait(s->may_go, ct.wait_ms / 3);
    pal_store_release(&s->is_out, true);
}

/* A completion routine of one socket that takes its time must not stop whoever polls another one. */
static void w13_a_slow_upcall_of_one_socket_does_not_hold_up_polling_of_another(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p, q;
    static struct slow s;
    struct sw_notify notify = {SW_NOTIFY_CALLBACK, slow_upcall, &s, NULL, 0};
    WSAOVERLAPPED in = {0}, out = {0};

    memset(&s, 0, sizeof s);
    s.may_go = ct_event(f, true);
    ct_pair(f, &p, 4096);
    ct_pair(f, &q, 4096);
    ct_ok(sw_handle_set_notify(p.b.c->handle, &notify));
    ct_ok(ct_recv(&p.b, 0, 64, &in, SW_NOTIFY));
    ct_ok(ct_send(&p.a, 0, 64, &out, SW_POLL));
    /* nobody polls here: the upcall comes from a thread of the provider */
    assert_true(ct_until(pal_load_acquire(&s.is_in)));
    for (int i = 0; i < 20; i++) {
        ct_transfer(&q.a, &q.b, 100, SW_POLL);
        ct_transfer(&q.b, &q.a, 100, SW_POLL);
    }
    assert_false(pal_load_acquire(&s.is_out));
    ct_ok(sw_event_set(s.may_go));
    ct_done(p.b.c, &in, 0);
    ct_done(p.a.c, &out, 0);
    assert_true(ct_until(pal_load_acquire(&s.is_out)));
}

/* Polling one socket must not run the completion routines of strangers in the poller's thread. */
static void w13_polling_one_socket_does_not_run_the_upcalls_of_another(void **state)
{
    enum { N = 300 };
    struct fixture *f = *state;
    struct ct_pair p, q;
    static struct arrivals a;
    static WSAOVERLAPPED in[N], out[N];
    struct sw_notify notify = {SW_NOTIFY_CALLBACK, note_arrival, &a, NULL, 0};

    memset(&a, 0, sizeof a);
    memset(in, 0, sizeof in);
    memset(out, 0, sizeof out);
    ct_pair(f, &p, 4096);
    ct_pair(f, &q, 4096);
    ct_ok(sw_handle_set_notify(p.b.c->handle, &notify));
    for (int i = 0; i < N; i++)
        ct_ok(ct_recv(&p.b, 0, 64, &in[i], SW_NOTIFY));
    for (int i = 0; i < N; i++) {
        ct_ok(ct_send(&p.a, 0, 64, &out[i], SW_POLL));
        if (i % 8 == 0) {
            ct_transfer(&q.a, &q.b, 16, SW_POLL);
        }
    }
    /* The last sends may wait for room in a queue, which their own provider makes when it is polled. */
    assert_true(ct_until((ct_transfer(&q.a, &q.b, 16, SW_POLL), pal_load_acquire(&a.count) == N)));
    for (int i = 0; i < N; i++)
        assert_true(a.thread[i] != pal_thread_id());
    for (int i = 0; i < N; i++) {
        ct_done(p.a.c, &out[i], 0);
        ct_done(p.b.c, &in[i], 0);
    }
}

/* Every round arms the queue again exactly when the next completion comes in: none may be missed. */
static void w28_no_completion_slips_in_between_draining_and_arming(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_pair(f, &p, 4096);
    for (unsigned i = 0; i < ct.rounds * 10; i++) {
        WSAOVERLAPPED in = {0}, out = {0};
        ct_ok(ct_recv(&p.b, 0, 64, &in, SW_NOTIFY));
        ct_ok(ct_send(&p.a, 0, 64, &out, SW_NOTIFY));
        ct_done(p.b.c, &in, 0); /* sleeps; nobody polls */
        ct_done(p.a.c, &out, 0);
    }
}

struct chain {
    struct ct_end *end;
    WSAOVERLAPPED in;
    WSAEVENT over;
    unsigned left;
    int error;
    pal_atomic_u32 posted; /* receives so far: there must be one for every message (8.5) */
};

static void next_receive(void *context, SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes)
{
    struct chain *x = context;

    (void)handle, (void)ov, (void)bytes;
    x->error = (int)error;
    if (x->error == 0 && --x->left > 0)
        x->error = ct_recv(x->end, 0, 64, &x->in, SW_NOTIFY);
    pal_add_acq_rel(&x->posted, 1u);
    if (x->error != 0 || x->left == 0)
        sw_event_set(x->over);
}

static void a_completion_routine_may_submit_the_next_operation(void **state)
{
    enum { N = 300 };
    struct fixture *f = *state;
    struct ct_pair p;
    static struct chain x;
    struct sw_notify notify = {SW_NOTIFY_CALLBACK, next_receive, &x, NULL, 0};

    ct_pair(f, &p, 4096);
    memset(&x, 0, sizeof x);
    x.end = &p.b;
    x.over = ct_event(f, true);
    x.left = N;
    ct_ok(sw_handle_set_notify(p.b.c->handle, &notify));
    ct_ok(ct_recv(&p.b, 0, 64, &x.in, SW_NOTIFY));
    for (uint32_t i = 0; i < N; i++) {
        WSAOVERLAPPED out = {0};
        assert_true(ct_until(pal_load_acquire(&x.posted) == i));
        ct_ok(ct_send(&p.a, 0, 64, &out, SW_POLL));
        ct_done(p.a.c, &out, 0);
    }
    ct_ok(sw_event_wait(x.over, ct.wait_ms));
    ct_ok(x.error);
}

static const struct CMUnitTest progress_tests[] = {
    ct_test(checklist_12_asking_for_the_result_drives_progress),
    ct_test(w13_upcalls_of_one_socket_keep_their_order_with_several_pollers),
    ct_test(w13_a_slow_upcall_of_one_socket_does_not_hold_up_polling_of_another),
    ct_test(w13_polling_one_socket_does_not_run_the_upcalls_of_another),
    ct_test(w28_no_completion_slips_in_between_draining_and_arming),
    ct_test(a_completion_routine_may_submit_the_next_operation),
};
CT_GROUP(progress);
