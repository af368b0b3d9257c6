/* moving.c - a connection under load goes to another process and back: no byte is lost, none comes twice. What waits at the source when
 * it goes. Contract 8.10, 14.2 (10), 14.3.
 * Source of the rules for operations that are open: 8.10, "wait until sends and RDMA are finished" - sends end with success before it goes; and
 * "exactly one process controls the underlying socket" - receives wait until control is back, or end with what they have. Over TCP/IP, which
 * shares the socket, they go on. What moves it is use (control.c has the rest of that): a send of nothing will do. */
#include "sp.h"

#include <unistd.h>

enum { OWNERS = 5 }; /* here, there, here, there, here */
enum { SEED_MOVER = 5, SEED_STAYER = 6 };

/* --- the end that stays --- */

struct stayer {
    SOCKET s;
    struct sp_reader reader;
    struct sp_call writer;
};

static int write_all(void *context)
{
    static const uint32_t sizes[] = {70000, 1, 2, 3, 4000, 200000, 50, 9000, 500000, 16};
    const struct stayer *y = context;
    const uint64_t total = OWNERS * sp_traffic_bytes();
    uint64_t at = 0;
    int error = 0;

    for (unsigned i = 0; at < total && error == 0; i++) {
        uint32_t n = sizes[i % 10];
        char *data = malloc(n);
        DWORD sent = 0;

        n = total - at < n ? (uint32_t)(total - at) : n;
        sp_fill(data, n, SEED_STAYER, at);
        error = sp_send(y->s, data, n, 0, &sent);
        if (error == 0 && sent != n)
            error = -2;
        at += n;
        free(data);
    }
    return error != 0 ? error : sp_shutdown(y->s, SD_SEND);
}

static void stayer_start(struct stayer *y, SOCKET s)
{
    y->s = s;
    y->reader = (struct sp_reader){
        .s = s, .seed = SEED_MOVER, .piece_bytes = 30000, .want = OWNERS * sp_traffic_bytes()};
    sp_reader_start(&y->reader);
    sp_call_start(&y->writer, write_all, y);
}

static void stayer_join(struct stayer *y)
{
    sp_ok(sp_call_join(&y->writer));
    sp_reader_join(&y->reader);
}

/* --- the end that moves --- */

/* One owner's share of both streams, as it is done here. Its sends are still on their way when this returns. */
static void share_here(struct sp_traffic *t, SOCKET s, unsigned owner)
{
    const uint64_t at = owner * sp_traffic_bytes();

    sp_ok(sp_traffic_take(s, SEED_STAYER, at, sp_traffic_bytes()));
    sp_ok(sp_traffic_start(t, s, SEED_MOVER, at));
}

static void share_there(struct second_process *p, unsigned owner)
{
    const unsigned long long at = owner * sp_traffic_bytes();

    second_process_tell(p, "take %d %llu", SEED_STAYER, at);
    second_process_tell(p, "load %d %llu", SEED_MOVER, at);
}

static void move_under_load(SOCKET mover, SOCKET stays)
{
    struct second_process p;
    struct stayer stayer;
    struct sp_traffic t;
    char text[SP_INFO_TEXT];

    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    stayer_start(&stayer, stays);
    for (unsigned owner = 0; owner < OWNERS; owner++) {
        if (owner % 2 == 0) {
            share_here(&t, mover, owner); /* it comes, with the other's sends on their way */
            if (owner > 0) {
                second_process_tell(&p, "loaded");
                second_process_tell(&p, "close");
                sp_carried(mover);
            }
            if (owner + 1 < OWNERS) {
                sp_ok(sp_give(mover, p.pid, text));
                second_process_tell(&p, "adopt %s", text);
            }
        } else {
            share_there(&p, owner); /* it goes, with all of ours on their way */
            sp_ok(sp_traffic_finish(&t));
            sp_ok(sp_close(mover));
            sp_ok(sp_take(second_process_tell(&p, "give %u", (unsigned)getpid()), &mover));
        }
    }
    sp_ok(sp_traffic_finish(&t));
    sp_expect_end(mover); /* and not a byte more */
    sp_ok(sp_close(mover));
    stayer_join(&stayer);
    sp_expect_end(stays);
    second_process_end(&p);
}

static void move_end(bool is_acceptor)
{
    struct sp_pair pair;

    sp_pair_open(&pair);
    move_under_load(is_acceptor ? pair.b : pair.a, is_acceptor ? pair.a : pair.b);
    if (is_acceptor)
        pair.b = INVALID_SOCKET;
    else
        pair.a = INVALID_SOCKET;
    sp_pair_close(&pair);
}

static void the_connector_moves_under_load(void **state)
{
    (void)state;
    move_end(false);
}

static void the_acceptor_moves_under_load(void **state)
{
    (void)state;
    move_end(true);
}

/* The peer has no WSPRdmaRead: transfers are pushed (8.7). */
static void it_moves_while_transfers_are_pushed(void **state)
{
    (void)state;
    if (!sp_env.is_san)
        sp_skip("no transfers over TCP/IP");
    sp_reload_with("WSD_SAN_FORCE_PUSH", "1");
    move_end(false);
    move_end(true);
    sp_reload_without("WSD_SAN_FORCE_PUSH");
}

/* The smallest buffers: suspensions meet senders that wait for credits and for room. */
static void it_moves_with_the_smallest_buffers(void **state)
{
    (void)state;
    if (!sp_env.is_san)
        sp_skip("no buffers of ours over TCP/IP");
    setenv("WSD_SAN_RECEIVES", "4", 1);
    setenv("WSD_SAN_SEND_BUFFERS", "1", 1);
    setenv("WSD_SAN_STORAGE_BYTES", "8192", 1);
    sp_reload_with("WSD_SAN_TRANSFERS", "1");
    move_end(false);
    move_end(true);
    unsetenv("WSD_SAN_RECEIVES");
    unsetenv("WSD_SAN_SEND_BUFFERS");
    unsetenv("WSD_SAN_STORAGE_BYTES");
    sp_reload_without("WSD_SAN_TRANSFERS");
}

/* The new owner's first message is there before the peer's provider has come back from taking the connection, and what the peer sends next
 * needs a registration (4.14: a connection that moved is connected). */
static void the_first_message_is_faster_than_the_providers_thread(void **state)
{
    const char *backend = getenv("WSD_BACKEND");
    struct sp_pair pair;
    struct second_process p;
    struct sp_traffic t;
    char text[SP_INFO_TEXT];

    (void)state;
    if (!sp_env.is_san || backend == NULL || strcmp(backend, "softiwarp") != 0)
        sp_skip("needs a backend that can be delayed");
    sp_reload_with("WSD_BACKEND",
                   "softiwarp+fault=conn_accept:2:late=50"); /* the first is sp_pair_open()'s */
    setenv("WSD_BACKEND", "softiwarp", 1);
    sp_process_start(&p, "on");
    sp_pair_open(&pair);
    for (unsigned i = 0; i < 30; i++) { /* so that b looks for its messages itself */
        sp_echo(pair.a, pair.b, i);
        sp_echo(pair.b, pair.a, i);
    }
    sp_ok(sp_give(pair.a, p.pid, text));
    sp_ok(sp_traffic_start(&t, pair.b, SEED_STAYER, 0));
    second_process_order(&p, "adopt %s", text);
    second_process_order(&p, "take %d 0", SEED_STAYER);
    sp_ok(sp_traffic_finish(&t)); /* which looks for it all the time */
    second_process_answer(&p);
    second_process_answer(&p);
    second_process_tell(&p, "close");
    sp_pair_close(&pair);
    second_process_end(&p);
}

/* --- both ends at once --- */

/* Two processes that are told to go on at the same time, as their sends need each other's receives. */
static void exchange(struct second_process *one, struct second_process *two, uint64_t at)
{
    second_process_tell(one, "load 5 %llu", (unsigned long long)at);
    second_process_tell(two, "load 6 %llu", (unsigned long long)at);
    second_process_order(one, "take 6 %llu", (unsigned long long)at);
    second_process_order(two, "take 5 %llu", (unsigned long long)at);
    second_process_answer(one);
    second_process_answer(two);
    second_process_tell(one, "loaded");
    second_process_tell(two, "loaded");
}

/* One end's suspension holds, the connector's when they cross; the other end moves after RESUME (PROTOCOL.md 10). */
static void both_ends_move_at_once(void **state)
{
    struct sp_pair pair;
    struct second_process one, two;
    char text[SP_INFO_TEXT];

    (void)state;
    sp_process_start(&one, sp_env.is_san ? "on" : "off");
    sp_process_start(&two, sp_env.is_san ? "on" : "off");
    sp_pair_open(&pair);
    sp_echo(pair.a, pair.b, 1);
    sp_send_all(pair.a, "for b", 5); /* unread at both ends */
    sp_send_all(pair.b, "for a", 5);
    sp_ok(sp_give(pair.a, one.pid, text));
    second_process_tell(&one, "adopt %s", text);
    sp_ok(sp_give(pair.b, two.pid, text));
    second_process_tell(&two, "adopt %s", text);
    second_process_order(&one, "recvtext 5");
    second_process_order(&two, "recvtext 5");
    assert_string_equal(second_process_answer(&one), "for a");
    assert_string_equal(second_process_answer(&two), "for b");
    sp_ok(sp_close(pair.a));
    sp_ok(sp_close(pair.b));
    pair.a = pair.b = INVALID_SOCKET;
    exchange(&one, &two, 0);
    exchange(&one, &two, sp_traffic_bytes());
    second_process_tell(&one, "close");
    second_process_tell(&two, "end");
    second_process_tell(&two, "close");
    sp_pair_close(&pair);
    second_process_end(&one);
    second_process_end(&two);
}

/* --- what waits at the source --- */

static void needs_a_move(void)
{
    if (!sp_env.is_san)
        sp_skip("TCP/IP shares the socket: nothing moves, and operations go on");
}

/* A receive for 10 bytes or more that has 4: these 4 are its result, the next owner gets the rest. */
static void what_a_receive_has_it_has(void **state)
{
    struct sp_pair pair;
    struct second_process p;
    char room[10], text[SP_INFO_TEXT];
    WSABUF buffer = {sizeof(room), room};
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD bytes = 99;

    (void)state;
    needs_a_move();
    sp_process_start(&p, "on");
    sp_pair_open(&pair);
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &buffer, 1, WS_MSG_WAITALL, &ov));
    sp_send_all(pair.b, "1234", 4); /* there before SUSPENDED is */
    sp_ok(sp_give(pair.a, p.pid, text));
    second_process_tell(&p, "adopt %s", text);
    second_process_tell(&p, "send 3 0");
    sp_ok(sp_finish(pair.a, &ov, &bytes));
    assert_int_equal(bytes, 4);
    assert_memory_equal(room, "1234", 4);
    sp_send_all(pair.b, "567890", 6);
    assert_string_equal(second_process_tell(&p, "recvtext 6"), "567890");
    second_process_tell(&p, "close");
    sp_pair_close(&pair);
    second_process_end(&p);
}

/* The peer's transfers are fetched into the memory of a receive here, when the connection goes: what is fetched is this receive's. */
static void a_transfer_is_split_between_two_owners(void **state)
{
    struct sp_pair pair;
    struct second_process p;
    char text[SP_INFO_TEXT];
    const DWORD all = (DWORD)sp_traffic_bytes();
    WSABUF buffer = {2 * all, NULL};
    WSAOVERLAPPED ov = {.hEvent = NULL};
    struct sp_traffic t;
    DWORD bytes = 0;

    (void)state;
    needs_a_move();
    buffer.buf = malloc(buffer.len);
    sp_process_start(&p, "on");
    sp_pair_open(&pair);
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &buffer, 1, WS_MSG_WAITALL, &ov));
    sp_ok(sp_traffic_start(&t, pair.b, SEED_STAYER, 0));
    sp_ok(sp_give(pair.a, p.pid, text));
    second_process_tell(&p, "adopt %s", text);
    second_process_tell(&p, "send 3 0");
    (void)sw_cancel_io(pair.a, &ov, false); /* nothing had come, and it would take control back */
    sp_one_of(sp_finish(pair.a, &ov, &bytes), 0, WSA_OPERATION_ABORTED);
    sp_expect_pattern(buffer.buf, bytes, SEED_STAYER, 0);
    second_process_order(&p, "rest %d %u %u", SEED_STAYER, (unsigned)bytes, (unsigned)(all - bytes));
    second_process_answer(&p);
    sp_ok(sp_traffic_finish(&t));
    second_process_tell(&p, "close");
    sp_pair_close(&pair);
    free(buffer.buf);
    second_process_end(&p);
}

static int peek_now(void *context)
{
    struct sp_receiving *r = context;

    return sp_recv(r->s, r->data, sizeof(r->data), WS_MSG_PEEK, &r->got);
}

/* Threads that block here wait on, and control comes back for them when it is not used there. */
static void who_blocks_at_the_source_goes_on(void **state)
{
    struct sp_pair pair;
    struct second_process p;
    struct sp_receiving look = {.got = 0}, receive = {.got = 0};
    struct sp_call looks, receives;
    char text[SP_INFO_TEXT];

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sp_pair_open(&pair);
    look.s = receive.s = pair.a;
    sp_ok(sp_give(pair.a, p.pid, text));
    second_process_tell(&p, "adopt %s", text);
    sp_call_start(&receives, sp_receive_now, &receive);
    suite_relax();
    second_process_tell(&p, "send 3 0");
    sp_send_all(pair.b, "x", 1);
    sp_ok(sp_call_join(&receives));
    assert_int_equal(receive.got, 1);
    sp_call_start(&looks, peek_now, &look);
    suite_relax();
    second_process_tell(&p, "send 3 0");
    sp_send_all(pair.b, "y", 1);
    sp_ok(sp_call_join(&looks));
    assert_int_equal(look.got, 1);
    assert_string_equal(second_process_tell(&p, "recvtext 1"), "y");
    second_process_tell(&p, "close");
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    sp_expect_end(pair.b);
    sp_pair_close(&pair);
    second_process_end(&p);
}

int sp_moving(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(the_connector_moves_under_load),
        sp_test(the_acceptor_moves_under_load),
        sp_test(it_moves_while_transfers_are_pushed),
        sp_test(it_moves_with_the_smallest_buffers),
        sp_test(the_first_message_is_faster_than_the_providers_thread),
        sp_test(both_ends_move_at_once),
        sp_test(what_a_receive_has_it_has),
        sp_test(a_transfer_is_split_between_two_owners),
        sp_test(who_blocks_at_the_source_goes_on),
    };

    return cmocka_run_group_tests_name("moving", tests, NULL, NULL);
}
