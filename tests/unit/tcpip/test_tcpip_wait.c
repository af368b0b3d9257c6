/* test_tcpip_wait.c - threads that block, and what ends that: data, time, another thread, close. */
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

#include "pal/atomic.h"
#include "pal/thread.h"
#include "pal/time.h"

#define V4 WS_AF_INET

/* A thread inside wait() for one operation. */
struct blocked {
    struct op o;
    struct sw_interrupt interrupt;
    struct pal_thread *thread;
    uint64_t deadline_ns;
    int code; /* of wait() */
};

static void block(void *arg)
{
    struct blocked *b = arg;
    struct sw_carrier *c = b->o.end->c;

    b->code = c->ops->wait(c, &b->o.r, b->deadline_ns, &b->interrupt);
}

/* The request is queued when this returns; its thread is in wait(), or about to be. */
static void block_start(struct blocked *b)
{
    b->o.r.is_waited = true;
    b->deadline_ns = test_deadline();
    assert_int_equal(op_submit(&b->o), WSA_IO_PENDING);
    b->thread = pal_thread_start(block, b, "blocked");
    assert_non_null(b->thread);
}

static void await_sleeper(struct blocked *b)
{
    uint64_t deadline = test_deadline();
    bool sleeps = false;

    while (!sleeps) {
        while (pal_swap_acq_rel(&b->interrupt.lock_word, 1u) != 0)
            pal_cpu_relax();
        sleeps = b->interrupt.poke != NULL;
        pal_store_release(&b->interrupt.lock_word, 0u);
        assert_true(pal_now_ns() < deadline);
        pal_thread_yield();
    }
}

static void receive_blocked(struct blocked *b, struct end *e, void *memory, size_t bytes)
{
    memset(b, 0, sizeof *b);
    op_init(&b->o, e, SW_REQUEST_RECEIVE, memory, bytes, 0);
    block_start(b);
}

static void data_ends_a_wait(void **state)
{
    struct end a, b;
    struct blocked w;
    char text[4];

    (void)state;
    pair_open(&a, &b, V4);
    receive_blocked(&w, &b, text, sizeof text);
    await_sleeper(&w);
    end_send(&a, "ok", 2);
    pal_thread_join(w.thread);
    assert_int_equal(w.code, 0);
    assert_int_equal(w.o.r.op.error, 0);
    assert_int_equal(w.o.r.op.bytes, 2);
    assert_int_equal(b.completions, 0); /* reported by wait(), and there only */
    pair_close(&a, &b);
}

static void a_deadline_ends_a_wait_and_the_request_can_be_taken_back(void **state)
{
    struct end a, b;
    struct op o;
    char text[4];

    (void)state;
    pair_open(&a, &b, V4);
    op_init(&o, &b, SW_REQUEST_RECEIVE, text, sizeof text, 0);
    o.r.is_waited = true;
    assert_int_equal(op_submit(&o), WSA_IO_PENDING);
    assert_int_equal(b.c->ops->wait(b.c, &o.r, pal_now_ns() + 5000000, NULL), WSAETIMEDOUT);
    assert_true(b.c->ops->cancel(b.c, &o.r));
    assert_int_equal(b.c->ops->wait(b.c, &o.r, UINT64_MAX, NULL), 0);
    assert_int_equal(o.r.op.error, WSA_OPERATION_ABORTED);
    assert_false(b.c->ops->cancel(b.c, &o.r));
    end_send(&a, "next", 4); /* nothing was lost */
    end_receive(&b, text, 4);
    assert_memory_equal(text, "next", 4);
    pair_close(&a, &b);
}

static void an_interrupt_ends_a_wait(void **state)
{
    struct end a, b;
    struct blocked w;
    char text[4];

    (void)state;
    pair_open(&a, &b, V4);
    receive_blocked(&w, &b, text, sizeof text);
    await_sleeper(&w);
    sw_interrupt_raise(&w.interrupt);
    pal_thread_join(w.thread);
    assert_int_equal(w.code, WSAEINTR);
    end_send(&a, "late", 4); /* still the carrier's: it takes them */
    assert_int_equal(b.c->ops->wait(b.c, &w.o.r, test_deadline(), NULL), 0);
    assert_int_equal(w.o.r.op.bytes, 4);
    pair_close(&a, &b);
}

static void another_thread_takes_back_what_one_waits_for(void **state)
{
    struct end a, b;
    struct blocked w;
    char text[4];

    (void)state;
    pair_open(&a, &b, V4);
    receive_blocked(&w, &b, text, sizeof text);
    await_sleeper(&w);
    assert_true(b.c->ops->cancel(b.c, &w.o.r));
    pal_thread_join(w.thread);
    assert_int_equal(w.code, 0);
    assert_int_equal(w.o.r.op.error, WSA_OPERATION_ABORTED);
    pair_close(&a, &b);
}

static void close_ends_every_wait(void **state)
{
    struct end a, b;
    struct blocked in, out;
    char text[4];
    size_t bytes = 4u << 20;
    char *large = calloc(1, bytes);

    (void)state;
    assert_non_null(large);
    pair_open(&a, &b, V4);
    (void)end_fill(&b, 50000);
    receive_blocked(&in, &b, text, sizeof text);
    memset(&out, 0, sizeof out);
    op_init(&out.o, &b, SW_REQUEST_SEND, large, bytes, 0);
    block_start(&out);
    await_sleeper(&in);
    await_sleeper(&out);
    b.c->ops->close(b.c, 0);
    pal_thread_join(in.thread);
    pal_thread_join(out.thread);
    assert_int_equal(in.code, 0);
    assert_int_equal(in.o.r.op.error, WSA_OPERATION_ABORTED);
    assert_int_equal(out.code, 0);
    assert_int_equal(out.o.r.op.error, WSA_OPERATION_ABORTED);
    end_await_closed(&b);
    assert_int_equal(end_close(&a, 0), 0);
    free(large);
}

/* The rule for spi/: close() may come before a thread calls wait(), and closed() comes after it. */
static void a_request_is_fetched_after_close_too(void **state)
{
    struct end a, b;
    struct op o;
    char text[4];

    (void)state;
    pair_open(&a, &b, V4);
    op_init(&o, &b, SW_REQUEST_RECEIVE, text, sizeof text, 0);
    o.r.is_waited = true;
    assert_int_equal(op_submit(&o), WSA_IO_PENDING);
    b.c->ops->close(b.c, SW_SESSION_LINGER_FOREVER);
    assert_false(b.is_closed);
    assert_int_equal(b.c->ops->wait(b.c, &o.r, test_deadline(), NULL), 0);
    assert_int_equal(o.r.op.error, WSA_OPERATION_ABORTED);
    end_await_closed(&b);
    assert_int_equal(end_close(&a, 0), 0);
}

static void a_cancelled_operation_completes_once_and_the_others_stay(void **state)
{
    struct end a, b;
    struct op one, two;
    char memory[8];

    (void)state;
    pair_open(&a, &b, V4);
    op_init(&one, &b, SW_REQUEST_RECEIVE, memory, 4, 0);
    op_init(&two, &b, SW_REQUEST_RECEIVE, memory + 4, 4, 0);
    assert_int_equal(op_submit(&one), WSA_IO_PENDING);
    assert_int_equal(op_submit(&two), WSA_IO_PENDING);
    assert_true(b.c->ops->cancel(b.c, &one.r));
    op_await(&one);
    assert_int_equal(one.r.op.error, WSA_OPERATION_ABORTED);
    assert_false(b.c->ops->cancel(b.c, &one.r));
    end_send(&a, "data", 4);
    op_await(&two);
    assert_int_equal(two.r.op.bytes, 4);
    assert_int_equal(b.completions, 2);
    pair_close(&a, &b);
}

static void a_send_that_has_begun_ends_with_what_has_gone(void **state)
{
    struct end a, b;
    struct op o;
    size_t bytes = 16u << 20;
    char *large = calloc(1, bytes);

    (void)state;
    assert_non_null(large);
    pair_open(&a, &b, V4);
    op_init(&o, &a, SW_REQUEST_SEND, large, bytes, 0);
    assert_int_equal(op_submit(&o), WSA_IO_PENDING);
    assert_true(a.c->ops->cancel(a.c, &o.r));
    op_await(&o);
    assert_int_equal(o.r.op.error, WSA_OPERATION_ABORTED);
    assert_true(o.r.op.bytes > 0 && o.r.op.bytes < bytes);
    assert_int_equal(end_close(&a, 0), 0);
    assert_int_equal(end_close(&b, 0), 0);
    free(large);
}

static void a_receive_of_all_ends_with_what_it_has(void **state)
{
    struct end a, b;
    struct op o;
    char text[8];

    (void)state;
    pair_open(&a, &b, V4);
    end_send(&a, "abc", 3);
    end_await_ready(&b, FD_READ);
    op_init(&o, &b, SW_REQUEST_RECEIVE, text, sizeof text, WS_MSG_WAITALL);
    assert_int_equal(op_submit(&o), WSA_IO_PENDING);
    assert_false(b.c->ops->cancel(b.c, &o.r));
    op_await(&o);
    assert_int_equal(o.r.op.error, 0);
    assert_int_equal(o.r.op.bytes, 3);
    assert_memory_equal(text, "abc", 3);
    pair_close(&a, &b);
}

/* --- many threads --------------------------------------------------------------------------------------- */

enum { THREADS = 4, MESSAGES = 400, MESSAGE_BYTES = 64 };

struct worker {
    struct end *e;
    struct pal_thread *thread;
    unsigned number, bad;
    pal_atomic_u32 *seen; /* of each thread, by number */
};

/* One send is one piece of the stream, whoever else sends. */
static void send_messages(void *arg)
{
    struct worker *w = arg;
    unsigned char message[MESSAGE_BYTES];

    memset(message, (int)w->number, sizeof message);
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct op o;

        op_init(&o, w->e, SW_REQUEST_SEND, message, sizeof message, 0);
        w->bad += op_block(&o) != 0 || o.r.op.bytes != sizeof message;
    }
}

static void receive_messages(void *arg)
{
    struct worker *w = arg;
    unsigned char message[MESSAGE_BYTES];

    for (unsigned i = 0; i < MESSAGES; i++) {
        struct op o;

        op_init(&o, w->e, SW_REQUEST_RECEIVE, message, sizeof message, WS_MSG_WAITALL);
        w->bad += op_block(&o) != 0 || o.r.op.bytes != sizeof message || message[0] >= THREADS;
        for (unsigned k = 1; k < MESSAGE_BYTES; k++)
            w->bad += message[k] != message[0];
        pal_add_relaxed(&w->seen[message[0] % THREADS], 1u);
    }
}

static void many_threads_share_a_socket(void **state)
{
    struct end a, b;
    struct worker in[THREADS], out[THREADS];
    pal_atomic_u32 seen[THREADS];

    (void)state;
    pair_open(&a, &b, V4);
    memset(seen, 0, sizeof seen);
    for (unsigned i = 0; i < THREADS; i++) {
        in[i] = (struct worker){.e = &b, .number = i, .seen = seen};
        out[i] = (struct worker){.e = &a, .number = i};
        in[i].thread = pal_thread_start(receive_messages, &in[i], "in");
        out[i].thread = pal_thread_start(send_messages, &out[i], "out");
        assert_non_null(in[i].thread);
        assert_non_null(out[i].thread);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pal_thread_join(in[i].thread);
        pal_thread_join(out[i].thread);
        assert_int_equal(in[i].bad, 0);
        assert_int_equal(out[i].bad, 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pal_load_relaxed(&seen[i]), MESSAGES);
    pair_close(&a, &b);
}

static void a_blocked_receive_and_overlapped_ones_keep_their_order(void **state)
{
    struct end a, b;
    struct op later[8];
    struct blocked first;
    char got[9];

    (void)state;
    pair_open(&a, &b, V4);
    for (unsigned round = 0; round < 50; round++) {
        receive_blocked(&first, &b, got, 1);
        for (unsigned i = 0; i < 8; i++) {
            op_init(&later[i], &b, SW_REQUEST_RECEIVE, &got[i + 1], 1, 0);
            assert_int_equal(op_submit(&later[i]), WSA_IO_PENDING);
        }
        end_send(&a, "012345678", 9);
        pal_thread_join(first.thread);
        assert_int_equal(first.code, 0);
        for (unsigned i = 0; i < 8; i++)
            op_await(&later[i]);
        assert_memory_equal(got, "012345678", 9);
    }
    pair_close(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_ends_a_wait),
        cmocka_unit_test(a_deadline_ends_a_wait_and_the_request_can_be_taken_back),
        cmocka_unit_test(an_interrupt_ends_a_wait),
        cmocka_unit_test(another_thread_takes_back_what_one_waits_for),
        cmocka_unit_test(close_ends_every_wait),
        cmocka_unit_test(a_request_is_fetched_after_close_too),
        cmocka_unit_test(a_cancelled_operation_completes_once_and_the_others_stay),
        cmocka_unit_test(a_send_that_has_begun_ends_with_what_has_gone),
        cmocka_unit_test(a_receive_of_all_ends_with_what_it_has),
        cmocka_unit_test(many_threads_share_a_socket),
        cmocka_unit_test(a_blocked_receive_and_overlapped_ones_keep_their_order),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    sw_tcp_stop();
    return failed;
}
