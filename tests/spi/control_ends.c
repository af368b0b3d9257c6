/* control_ends.c - the ends of a connection of which several processes have handles: it ends with the last one, in order, whoever closes
 * first, whatever he has used, and whoever dies. Sources: contract 8.10; B213 ("ends only with the last close"); page of WSADuplicateSocket
 * ("a process can call closesocket on a duplicated socket and the descriptor will become deallocated; the underlying socket, however, will remain open
 * until closesocket is called by the last remaining descriptor"). Over TCP/IP a process that dies has only closed its descriptor; over a SAN the
 * connection is gone when it was in control (8.10, "Failure": treated like any error, the peer sees WSAECONNRESET). */
#include "sp.h"

#include <signal.h>

#define BOUND "500" /* WSD_SAN_SUSPEND_MS in place of ten seconds */

static const char *mode(void)
{
    return sp_env.is_san ? "on" : "off";
}

static void wait_us(unsigned us)
{
    const uint64_t end = pal_now_ns() + us * UINT64_C(1000);

    while (pal_now_ns() < end)
        pal_thread_yield();
}

/* Who has used it last: nobody yet, this process, the other one. */
enum used { NOBODY, HERE, THERE, USES };

static void use(struct sp_shared *x, enum used by)
{
    if (by == HERE)
        sp_use_here(x);
    else if (by == THERE)
        sp_use_there(x);
}

/* --- one closes, the other one goes on --- */

static void the_source_closes_first(void **state)
{
    struct sp_shared x;

    (void)state;
    for (unsigned by = 0; by < USES; by++) {
        sp_shared_open(&x);
        use(&x, (enum used)by);
        sp_send_all(x.pair.b, "unread", 6);
        sp_ok(sp_close(x.pair.a));
        x.pair.a = INVALID_SOCKET;
        assert_string_equal(second_process_tell(&x.p, "recvtext 6"), "unread");
        assert_string_equal(second_process_tell(&x.p, "carried"), sp_env.lane);
        second_process_order(&x.p, "write 3 0 100000");
        sp_ok(sp_traffic_take(x.pair.b, 3, 0, 100000));
        second_process_answer(&x.p);
        sp_shared_close(&x);
    }
}

static void the_other_closes_first(void **state)
{
    struct sp_shared x;
    char text[6];

    (void)state;
    for (unsigned by = 0; by < USES; by++) {
        sp_shared_open(&x);
        use(&x, (enum used)by);
        sp_send_all(x.pair.b, "unread", 6);
        second_process_tell(&x.p, "close");
        sp_recv_all(x.pair.a, text, 6);
        assert_memory_equal(text, "unread", 6);
        sp_carried(x.pair.a);
        sp_echo(x.pair.a, x.pair.b, 1);
        sp_echo(x.pair.b, x.pair.a, 2);
        sp_ok(sp_close(x.pair.a));
        x.pair.a = INVALID_SOCKET;
        sp_expect_end(x.pair.b);
        sp_pair_close(&x.pair);
        second_process_end(&x.p);
    }
}

/* What was sent just before arrives, also when the other one's handle is the last one. */
static void bytes_on_their_way(void **state)
{
    struct sp_shared x;
    struct sp_mixed reader;
    static char data[400000];

    (void)state;
    for (unsigned first = 0; first < 2; first++) {
        sp_shared_open(&x);
        sp_mixed_read(&reader, x.pair.b);
        if (first == 1)
            second_process_tell(&x.p, "mixed 2 0 300000");
        sp_mixed_fill(data, sizeof(data), 1, 0);
        sp_send_all(x.pair.a, data, sizeof(data));
        sp_ok(sp_close(x.pair.a));
        x.pair.a = INVALID_SOCKET;
        if (first == 0)
            second_process_tell(&x.p, "mixed 2 0 300000");
        second_process_tell(&x.p, "close");
        sp_mixed_join(&reader);
        assert_int_equal(pal_load_relaxed(&reader.got[1]), sizeof(data));
        assert_int_equal(pal_load_relaxed(&reader.got[2]), 300000);
        sp_pair_close(&x.pair);
        second_process_end(&x.p);
    }
}

/* An abortive close is one of the connection: with the last handle (page of closesocket, "the underlying socket ... last remaining descriptor"). */
static void an_abortive_close_is_not_the_others(void **state)
{
    struct sp_shared x;

    (void)state;
    for (unsigned by = 0; by < USES; by++) {
        sp_shared_open(&x);
        use(&x, (enum used)by);
        sp_ok(sp_set_linger(x.pair.a, true, 0));
        sp_ok(sp_close(x.pair.a));
        x.pair.a = INVALID_SOCKET;
        sp_use_there(&x);
        second_process_tell(&x.p, "close");
        sp_pair_close(&x.pair);
        second_process_end(&x.p);
    }
}

/* --- both close at nearly the same time --- */

enum { MOMENTS = 40, STEP_US = 60, BYTES = 3000 };

/* Neither knows whether it is the last one. */
static void both_close_at_once(void **state)
{
    struct second_process p;
    struct sp_shared x;
    struct sp_mixed reader;

    (void)state;
    sp_process_start(&p, mode());
    for (unsigned moment = 0; moment < MOMENTS; moment++) {
        sp_pair_open(&x.pair);
        sp_lend(x.pair.a, &p);
        sp_mixed_read(&reader, x.pair.b);
        if (moment % 3 != 1)
            second_process_tell(&p, "mixed 2 0 %u", BYTES);
        sp_ok(sp_mixed_send(x.pair.a, 1, 0, BYTES));
        if (moment % 3 == 1)
            second_process_tell(&p, "mixed 2 0 %u", BYTES);
        second_process_order(&p, "after %u close", moment % 2 == 0 ? 0 : moment * STEP_US);
        wait_us(moment % 2 == 0 ? moment * STEP_US : 0);
        sp_ok(sp_close(x.pair.a));
        x.pair.a = INVALID_SOCKET;
        second_process_answer(&p);
        sp_mixed_join(&reader);
        assert_int_equal(pal_load_relaxed(&reader.got[1]), BYTES);
        assert_int_equal(pal_load_relaxed(&reader.got[2]), BYTES);
        sp_pair_close(&x.pair);
    }
    second_process_end(&p);
}

/* One sends still when the other one closes, and closes then. */
static void one_closes_while_the_other_sends(void **state)
{
    struct second_process p;
    struct sp_shared x;
    struct sp_mixed reader;

    (void)state;
    sp_process_start(&p, mode());
    for (unsigned moment = 0; moment < MOMENTS; moment++) {
        sp_pair_open(&x.pair);
        sp_lend(x.pair.a, &p);
        sp_mixed_read(&reader, x.pair.b);
        if (moment % 2 == 0) {
            second_process_order(&p, "mixed 2 0 %u", BYTES);
            wait_us(moment * STEP_US);
            sp_ok(sp_close(x.pair.a));
            second_process_answer(&p);
            second_process_tell(&p, "close");
        } else {
            second_process_order(&p, "after %u close", moment * STEP_US);
            sp_ok(sp_mixed_send(x.pair.a, 2, 0, BYTES));
            sp_ok(sp_close(x.pair.a));
            second_process_answer(&p);
        }
        x.pair.a = INVALID_SOCKET;
        sp_mixed_join(&reader);
        assert_int_equal(pal_load_relaxed(&reader.got[2]), BYTES);
        sp_pair_close(&x.pair);
    }
    second_process_end(&p);
}

/* --- three processes --- */

struct three {
    struct sp_pair pair;
    struct second_process p[2];
};

static void close_one(struct three *t, unsigned who)
{
    if (who < 2) {
        second_process_tell(&t->p[who], "close");
    } else {
        sp_ok(sp_close(t->pair.a));
        t->pair.a = INVALID_SOCKET;
    }
}

static void use_one(struct three *t, unsigned who)
{
    char byte = 0;

    if (who < 2)
        second_process_tell(&t->p[who], "sendtext %u", who);
    else
        sp_send_all(t->pair.a, "2", 1);
    sp_recv_all(t->pair.b, &byte, 1);
    assert_int_equal(byte, '0' + (int)who);
}

/* In all orders, with and without use in between. */
static void three_close_in_all_orders(void **state)
{
    static const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct three t;

    (void)state;
    sp_process_start(&t.p[0], mode());
    sp_process_start(&t.p[1], mode());
    for (unsigned i = 0; i < 24; i++) {
        const unsigned *order = orders[i % 6];
        const bool is_used_first = i / 6 % 2 != 0, is_used_last = i / 12 != 0;

        sp_pair_open(&t.pair);
        sp_lend(t.pair.a, &t.p[0]);
        sp_lend(t.pair.a, &t.p[1]);
        for (unsigned who = 0; who < 3 && is_used_first; who++)
            use_one(&t, order[2 - who]);
        close_one(&t, order[0]);
        if (is_used_last)
            use_one(&t, order[1]);
        close_one(&t, order[1]);
        use_one(&t, order[2]);
        close_one(&t, order[2]);
        sp_expect_end(t.pair.b);
        sp_pair_close(&t.pair);
    }
    second_process_end(&t.p[0]);
    second_process_end(&t.p[1]);
}

static void three_close_at_once(void **state)
{
    struct three t;

    (void)state;
    sp_process_start(&t.p[0], mode());
    sp_process_start(&t.p[1], mode());
    for (unsigned moment = 0; moment < 20; moment++) {
        sp_pair_open(&t.pair);
        sp_lend(t.pair.a, &t.p[0]);
        sp_lend(t.pair.a, &t.p[1]);
        use_one(&t, moment % 3);
        second_process_order(&t.p[0], "after %u close", moment % 5 * 100);
        second_process_order(&t.p[1], "after %u close", moment % 3 * 200);
        wait_us(moment % 4 * 100);
        close_one(&t, 2);
        second_process_answer(&t.p[0]);
        second_process_answer(&t.p[1]);
        sp_expect_end(t.pair.b);
        sp_pair_close(&t.pair);
    }
    second_process_end(&t.p[0]);
    second_process_end(&t.p[1]);
}

/* --- WSPCleanup --- */

/* It closes the handles of its process (contract 10.1, 5), and no others. */
static void clean_up_of_one(void **state)
{
    struct sp_shared x;

    (void)state;
    for (unsigned by = 0; by < USES; by++) {
        sp_shared_open(&x);
        use(&x, (enum used)by);
        sp_send_all(x.pair.b, "kept", 4);
        second_process_tell(&x.p, "cleanup");
        char kept[4];
        sp_recv_all(x.pair.a, kept, 4);
        assert_memory_equal(kept, "kept", 4);
        sp_use_here(&x);
        second_process_tell(&x.p, "start %s", mode()); /* the same process once more */
        sp_lend(x.pair.a, &x.p);
        sp_use_there(&x);
        sp_use_here(&x);
        sp_shared_close(&x);
    }
}

/* --- the peer ends it --- */

static void the_peer_closes(void **state)
{
    struct sp_shared x;
    char text[3];

    (void)state;
    for (unsigned by = 0; by < USES; by++) {
        sp_shared_open(&x);
        use(&x, (enum used)by);
        sp_send_all(x.pair.b, "last", 4);
        sp_ok(sp_close(x.pair.b));
        x.pair.b = INVALID_SOCKET;
        sp_recv_all(x.pair.a, text, 2);
        assert_memory_equal(text, "la", 2);
        assert_string_equal(second_process_tell(&x.p, "recvtext 2"), "st");
        sp_expect_end(x.pair.a);
        second_process_tell(&x.p, "end");
        second_process_tell(&x.p, "close");
        sp_pair_close(&x.pair);
        second_process_end(&x.p);
    }
}

/* Who is told of a reset is told it by the first call; TCP/IP does not tell both. */
static void the_peer_resets(void **state)
{
    struct sp_shared x;
    char byte;
    DWORD got;

    (void)state;
    for (unsigned by = 0; by < USES; by++) {
        sp_shared_open(&x);
        use(&x, (enum used)by);
        sp_ok(sp_set_linger(x.pair.b, true, 0));
        sp_ok(sp_close(x.pair.b));
        x.pair.b = INVALID_SOCKET;
        sp_one_of(sp_recv(x.pair.a, &byte, 1, 0, &got), WSAECONNRESET, WSAECONNABORTED);
        if (sp_env.is_san) {
            int code = atoi(second_process_tell(&x.p, "code recvtext 1"));

            sp_one_of(code, WSAECONNRESET, WSAECONNABORTED);
        }
        second_process_tell(&x.p, "close");
        sp_pair_close(&x.pair);
        second_process_end(&x.p);
    }
}

/* --- one dies --- */

static void needs_sockets_that_end_with_their_process(void)
{
    if (POSIX_KILL_KEEPS_SOCKETS)
        sp_skip("the Wine server may keep sockets of a process that was killed: nobody is told");
}

/* Nothing happens here, and the close ends it in order. */
static void goes_on_here(struct sp_shared *x)
{
    sp_echo(x->pair.a, x->pair.b, 1);
    sp_echo(x->pair.b, x->pair.a, 2);
    sp_ok(sp_close(x->pair.a));
    x->pair.a = INVALID_SOCKET;
    sp_expect_end(x->pair.b);
    sp_pair_close(&x->pair);
}

static void one_without_control_dies(void **state)
{
    struct sp_shared x;
    char text[SP_INFO_TEXT];

    (void)state;
    needs_sockets_that_end_with_their_process();
    for (unsigned by = 0; by < USES; by++) {
        sp_shared_open(&x);
        use(&x, (enum used)by);
        sp_use_here(&x);
        sp_process_kill(&x.p);
        goes_on_here(&x);
    }
    sp_process_start(&x.p, mode()); /* it has not even taken its handle */
    sp_pair_open(&x.pair);
    sp_ok(sp_give(x.pair.a, x.p.pid, text));
    sp_process_kill(&x.p);
    goes_on_here(&x);
}

/* Closing is what tells it: nobody else is left. */
static void it_dies_and_this_one_closes(void **state)
{
    struct sp_shared x;

    (void)state;
    needs_sockets_that_end_with_their_process();
    for (unsigned i = 0; i < 5; i++) {
        sp_shared_open(&x);
        sp_use_there(&x);
        sp_use_here(&x);
        sp_process_kill(&x.p);
        sp_ok(sp_close(x.pair.a));
        x.pair.a = INVALID_SOCKET;
        sp_expect_end(x.pair.b);
        sp_pair_close(&x.pair);
    }
}

/* The one in control is stopped, so that what begins here waits for it, and then killed. */
static void open_and_stop(struct sp_shared *x)
{
    sp_shared_open(x);
    sp_use_there(x);
    assert_int_equal(kill((pid_t)x->p.pid, SIGSTOP), 0);
}

static void lost(struct sp_shared *x)
{
    char byte;
    DWORD got = 0;

    sp_fails(WSAECONNRESET, sp_recv(x->pair.a, &byte, 1, 0, &got));
    sp_fails(WSAECONNRESET, sp_send(x->pair.a, "x", 1, 0, NULL));
    sp_one_of(sp_recv(x->pair.b, &byte, 1, 0, &got), WSAECONNRESET, WSAECONNABORTED);
    sp_pair_close(&x->pair);
}

static void the_one_in_control_dies(void **state)
{
    struct sp_shared x;

    (void)state;
    needs_sockets_that_end_with_their_process();
    sp_shared_open(&x);
    sp_use_there(&x);
    sp_process_kill(&x.p);
    if (sp_env.is_san)
        lost(&x);
    else
        goes_on_here(&x);
}

static void needs_control(void)
{
    if (!sp_env.is_san)
        sp_skip("TCP/IP shares the socket: nothing happens here");
}

static void it_dies_and_a_receive_blocks(void **state)
{
    struct sp_shared x;
    struct sp_receiving receiving = {.got = 0};
    struct sp_call call;

    (void)state;
    needs_control();
    needs_sockets_that_end_with_their_process();
    open_and_stop(&x);
    receiving.s = x.pair.a;
    sp_call_start(&call, sp_receive_now, &receiving);
    wait_us(20000);
    sp_process_kill(&x.p);
    sp_fails(WSAECONNRESET, sp_call_join(&call));
    lost(&x);
}

static void it_dies_and_operations_wait(void **state)
{
    struct sp_shared x;
    char rooms[2][10];
    WSABUF in[2] = {{10, rooms[0]}, {10, rooms[1]}}, out = {4, (char *)(uintptr_t) "lost"};
    WSAOVERLAPPED ov[3];

    (void)state;
    needs_control();
    needs_sockets_that_end_with_their_process();
    open_and_stop(&x);
    memset(ov, 0, sizeof(ov));
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(x.pair.a, &in[0], 1, 0, &ov[0]));
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(x.pair.a, &in[1], 1, 0, &ov[1]));
    sp_fails(WSA_IO_PENDING, sp_send_overlapped(x.pair.a, &out, 1, &ov[2]));
    sp_process_kill(&x.p);
    for (unsigned i = 0; i < 3; i++)
        sp_fails(WSAECONNRESET, sp_finish(x.pair.a, &ov[i], NULL));
    lost(&x);
}

struct selecting {
    SOCKET s;
    unsigned ready;
};

static int select_now(void *context)
{
    struct selecting *w = context;

    return sp_select(w->s, SP_READ, sp_env.wait_ms, &w->ready);
}

static void it_dies_and_a_select_waits(void **state)
{
    struct sp_shared x;
    struct selecting w = {.ready = 0};
    struct sp_call call;

    (void)state;
    needs_control();
    needs_sockets_that_end_with_their_process();
    open_and_stop(&x);
    w.s = x.pair.a;
    sp_call_start(&call, select_now, &w);
    wait_us(20000);
    sp_process_kill(&x.p);
    sp_ok(sp_call_join(&call));
    assert_int_equal(w.ready, SP_READ);
    lost(&x);
}

static int select_long(void *context)
{
    struct selecting *w = context;

    return sp_select(w->s, SP_READ, 50000, &w->ready);
}

/* Longer than a call waits for control (1.5 s here) and control for what was sent (1 s): a select has no limit, and is told when control comes at last. */
static void the_peer_reads_late_and_a_select_waits(void **state)
{
    struct sp_shared x;
    struct selecting w = {.ready = 0};
    struct sp_reader reader = {.seed = 7, .piece_bytes = 100000, .want = 5000000};
    struct sp_call call;
    char text[4];

    (void)state;
    needs_control();
    sp_reload_with("WSD_SAN_CONTROL_MS", "1500");
    sp_shared_open(&x);
    sp_use_there(&x);
    second_process_order(&x.p, "send 7 5000000");
    wait_us(100000);
    w.s = x.pair.a;
    sp_call_start(&call, select_long, &w);
    wait_us(2500000);
    assert_int_equal(pal_load_acquire(&call.is_over), 0);
    reader.s = x.pair.b;
    sp_reader_start(&reader);
    sp_reader_join(&reader);
    second_process_answer(&x.p);
    sp_send_all(x.pair.b, "late", 4);
    sp_ok(sp_call_join(&call));
    assert_int_equal(w.ready, SP_READ);
    sp_recv_all(x.pair.a, text, 4);
    assert_memory_equal(text, "late", 4);
    sp_shared_close(&x);
    sp_reload_without("WSD_SAN_CONTROL_MS");
}

static void it_dies_and_an_event_is_selected(void **state)
{
    struct sp_shared x;
    WSAEVENT e = sw_event_create(true, false);
    WSANETWORKEVENTS seen;
    LONG came = 0;
    char byte;
    DWORD got = 0;

    (void)state;
    needs_control();
    needs_sockets_that_end_with_their_process();
    open_and_stop(&x);
    sp_ok(sp_event_select(x.pair.a, e, FD_READ | FD_CLOSE));
    sp_process_kill(&x.p);
    while ((came & FD_CLOSE) == 0)
        came = sp_next_events(x.pair.a, e, &seen);
    assert_int_equal(seen.iErrorCode[FD_CLOSE_BIT], WSAECONNRESET);
    sp_fails(WSAECONNRESET, sp_recv(x.pair.a, &byte, 1, 0, &got));
    sp_pair_close(&x.pair);
    sp_ok(sw_event_close(e));
}

static int send_a_byte(void *context)
{
    return sp_send(*(SOCKET *)context, "x", 1, 0, NULL);
}

/* Sooner and later while control moves to it, or back. The connection is lost, or it has not left: each call says one or the other, in bounded time,
 * and the peer sees an end, too. */
static void it_dies_while_control_moves(void **state)
{
    char byte;
    DWORD got;

    (void)state;
    needs_control();
    needs_sockets_that_end_with_their_process();
    sp_reload_with("WSD_SAN_SUSPEND_MS", BOUND);
    for (unsigned moment = 0; moment < 16; moment++) {
        struct sp_shared x;
        struct sp_call call;
        int code;

        sp_shared_open(&x);
        if (moment % 2 == 1)
            sp_use_there(&x);
        sp_call_start(&call, send_a_byte, &x.pair.a);
        if (moment % 2 == 0)
            sp_ok(sp_call_join(&call));
        second_process_order(&x.p, "sendtext t");
        wait_us(moment * 1000); /* it waits for its turn, and gets it */
        sp_process_kill(&x.p);
        if (moment % 2 == 1)
            sp_one_of(sp_call_join(&call), 0, WSAECONNRESET);
        sp_one_of(send_a_byte(&x.pair.a), 0, WSAECONNRESET);
        sp_ok(sp_close(x.pair.a));
        x.pair.a = INVALID_SOCKET;
        do
            code = sp_recv(x.pair.b, &byte, 1, 0, &got);
        while (code == 0 && got > 0);
        sp_one_of(code, 0, WSAECONNRESET, WSAECONNABORTED);
        sp_pair_close(&x.pair);
    }
    sp_reload_without("WSD_SAN_SUSPEND_MS");
}

int sp_control_ends(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(the_source_closes_first),
        sp_test(the_other_closes_first),
        sp_test(bytes_on_their_way),
        sp_test(an_abortive_close_is_not_the_others),
        sp_test(both_close_at_once),
        sp_test(one_closes_while_the_other_sends),
        sp_test(three_close_in_all_orders),
        sp_test(three_close_at_once),
        sp_test(clean_up_of_one),
        sp_test(the_peer_closes),
        sp_test(the_peer_resets),
        sp_test(one_without_control_dies),
        sp_test(it_dies_and_this_one_closes),
        sp_test(the_one_in_control_dies),
        sp_test(it_dies_and_a_receive_blocks),
        sp_test(it_dies_and_operations_wait),
        sp_test(it_dies_and_a_select_waits),
        sp_test(the_peer_reads_late_and_a_select_waits),
        sp_test(it_dies_and_an_event_is_selected),
        sp_test(it_dies_while_control_moves),
    };

    return cmocka_run_group_tests_name("control_ends", tests, NULL, NULL);
}
