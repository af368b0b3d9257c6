/* dying.c - a process dies that shares a socket, or while control of it goes from one to another: the peer gets its error in bounded time, and so does
 * who has a handle here. Contract 8.10 ("Failure"), Q26, 14.3; the bound is PROTOCOL.md 10: RESUME or SUSPENDED do not come in time
 * (WSD_SAN_SUSPEND_MS), unless the connection breaks before. Over TCP/IP nothing happens as long as this process has the socket, and neither does over a
 * SAN, as long as the other one has not used it. */
#include "sp.h"

#define BOUND "500" /* milliseconds, in place of ten seconds */

/* A peer with operations of all kinds. */
struct peer {
    SOCKET s;
    char room[100];
    WSAOVERLAPPED receive;
    struct sp_traffic sends;
};

static void peer_start(struct peer *p, SOCKET s)
{
    WSABUF buffer = {sizeof(p->room), p->room};

    memset(p, 0, sizeof(*p));
    p->s = s;
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(s, &buffer, 1, 0, &p->receive));
    sp_ok(sp_traffic_start(&p->sends, s, 1, 0));
}

/* All of it ends, with these codes or, of the sends, with success: a send may be over with what its switch has taken. */
static void peer_ends(struct peer *p)
{
    sp_one_of(sp_finish(p->s, &p->receive, NULL), WSAECONNRESET, WSAECONNABORTED);
    sp_one_of(sp_traffic_finish(&p->sends), 0, WSAECONNRESET, WSAECONNABORTED);
    sp_one_of(sp_send(p->s, "x", 1, 0, NULL), WSAECONNRESET, WSAECONNABORTED);
}

/* The connection has ended with the process that had control. */
static void it_is_lost(SOCKET s)
{
    char byte;
    DWORD got;
    unsigned ready = 0;
    WSD_SOCKADDR_IN name;

    sp_fails(WSAECONNRESET, sp_send(s, "x", 1, 0, NULL));
    sp_fails(WSAECONNRESET, sp_recv(s, &byte, 1, 0, &got));
    sp_fails(WSAECONNRESET, sp_shutdown(s, SD_SEND));
    sp_ok(sp_select(s, SP_READ, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_READ);
    sp_ok(sp_local(s, &name));
    sp_ok(sp_close(s));
    sp_fails(WSAENOTSOCK, sp_close(s));
}

static void needs_a_move(void)
{
    if (!sp_env.is_san)
        sp_skip("TCP/IP shares the socket: nobody waits for the other process");
}

static void needs_sockets_that_end_with_their_process(void)
{
    if (POSIX_KILL_KEEPS_SOCKETS)
        sp_skip("the Wine server may keep sockets of a process that was killed: nobody is told");
}

static void a_target_that_dies_leaves_a_shared_socket(void **state)
{
    struct sp_pair pair;
    struct second_process p;
    char text[SP_INFO_TEXT];

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sp_pair_open(&pair);
    sp_ok(sp_give(pair.a, p.pid, text));
    sp_process_kill(&p); /* before */
    sp_echo(pair.a, pair.b, 1);
    sp_echo(pair.b, pair.a, 2);
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sp_ok(sp_give(pair.a, p.pid, text));
    second_process_tell(&p, "adopt %s", text);
    sp_process_kill(&p); /* after */
    sp_echo(pair.a, pair.b, 1);
    sp_echo(pair.b, pair.a, 2);
    sp_pair_close(&pair);
}

enum { MOMENTS = 12, STEP_US = 300 };

static void wait_us(unsigned us)
{
    const uint64_t end = pal_now_ns() + us * UINT64_C(1000);

    while (pal_now_ns() < end)
        pal_thread_yield();
}

/* Sooner and later while it takes the connection, which lasts a few milliseconds. */
static void the_target_dies_half_way(void **state)
{
    char text[SP_INFO_TEXT];

    (void)state;
    needs_a_move();
    needs_sockets_that_end_with_their_process();
    sp_reload_with("WSD_SAN_SUSPEND_MS", BOUND);
    for (unsigned moment = 0; moment < MOMENTS; moment++) {
        struct sp_pair pair;
        struct second_process p;
        struct peer peer;
        unsigned ready;

        sp_process_start(&p, "on");
        sp_pair_open(&pair);
        peer_start(&peer, pair.b);
        sp_ok(
            sp_select(pair.a, SP_READ, sp_env.wait_ms, &ready)); /* what the peer sends is here: see below */
        assert_int_equal(ready, SP_READ);
        sp_ok(sp_give(pair.a, p.pid, text));
        second_process_tell(&p, "adopt %s", text);
        second_process_order(&p, "send 1 0");
        wait_us(moment * STEP_US);
        sp_process_kill(&p);
        sp_one_of(sp_send(pair.a, "", 0, 0, NULL), 0, WSAECONNRESET); /* it was here still, or is gone */
        sp_ok(sp_close(pair.a));                                      /* unread bytes: abortively */
        peer_ends(&peer);
        pair.a = INVALID_SOCKET;
        sp_pair_close(&pair);
    }
    sp_reload_without("WSD_SAN_SUSPEND_MS");
}

static void the_target_dies_with_the_socket(void **state)
{
    struct sp_pair pair;
    struct second_process p;
    struct peer peer;
    char text[SP_INFO_TEXT];

    (void)state;
    needs_a_move();
    needs_sockets_that_end_with_their_process();
    sp_process_start(&p, "on");
    sp_pair_open(&pair);
    sp_ok(sp_give(pair.a, p.pid, text));
    second_process_tell(&p, "adopt %s", text);
    second_process_tell(&p, "send 1 0");
    peer_start(&peer, pair.b);
    sp_process_kill(&p);
    peer_ends(&peer); /* at once: the connection broke */
    it_is_lost(pair.a);
    pair.a = INVALID_SOCKET;
    sp_pair_close(&pair);
}

/* --- the source dies --- */

/* A process that is connected with us, and moves its end. */
static SOCKET connected_with(struct second_process *source, SOCKET listener, const WSD_SOCKADDR_IN *at)
{
    char name[32];
    SOCKET s;

    second_process_order(source, "connect %s", sw_format_address(at, name, sizeof(name)));
    sp_ok(sp_accept(listener, &s));
    second_process_answer(source);
    sp_carried(s);
    return s;
}

static void the_source_dies_half_way(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l;
    struct second_process target;

    (void)state;
    needs_a_move();
    needs_sockets_that_end_with_their_process();
    sp_reload_with("WSD_SAN_SUSPEND_MS", BOUND);
    l = sp_listener(5, &at);
    sp_process_start(&target, "on");
    for (unsigned moment = 0; moment < MOMENTS; moment++) {
        struct second_process source;
        struct peer peer;
        SOCKET s;

        sp_process_start(&source, "on");
        s = connected_with(&source, l, &at);
        peer_start(&peer, s);
        second_process_order(&source, "give %u", (unsigned)target.pid);
        wait_us(moment * STEP_US);
        sp_process_kill(&source);
        peer_ends(&peer); /* nobody takes it: the target was not told */
        sp_ok(sp_close(s));
    }
    sp_ok(sp_close(l));
    second_process_end(&target);
    sp_reload_without("WSD_SAN_SUSPEND_MS");
}

/* What it gave is given. (Before the target has used it, the connection ends with its process.) */
static void the_source_dies_when_the_target_has_the_socket(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), s;
    struct second_process source, target;
    char text[4096], data[1000];

    (void)state;
    sp_process_start(&source, sp_env.is_san ? "on" : "off");
    sp_process_start(&target, sp_env.is_san ? "on" : "off");
    s = connected_with(&source, l, &at);
    sp_send_all(s, "kept", 4);
    snprintf(text, sizeof(text), "%s", second_process_tell(&source, "give %u", (unsigned)target.pid));
    second_process_tell(&target, "adopt %s", text);
    assert_string_equal(second_process_tell(&target, "recvtext 4"), "kept");
    sp_process_kill(&source);
    second_process_tell(&target, "send 3 1000");
    sp_recv_all(s, data, sizeof(data));
    sp_expect_pattern(data, sizeof(data), 3, 0);
    second_process_tell(&target, "close");
    sp_expect_end(s);
    sp_ok(sp_close(s));
    sp_ok(sp_close(l));
    second_process_end(&target);
}

int sp_dying(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(a_target_that_dies_leaves_a_shared_socket),
        sp_test(the_target_dies_half_way),
        sp_test(the_target_dies_with_the_socket),
        sp_test(the_source_dies_half_way),
        sp_test(the_source_dies_when_the_target_has_the_socket),
    };

    return cmocka_run_group_tests_name("dying", tests, NULL, NULL);
}
