/* duplicate.c - WSPDuplicateSocket and WSPSocket with what it wrote: to another process and back (sharing.c: within
 * one). Contract 8.10; 10.1, function 8; B211. */
#include "sp.h"

#include <unistd.h>

static int duplicate(SOCKET s, DWORD process_id, WSAPROTOCOL_INFOW *info)
{
    INT error = 0;

    return sp.procs->lpWSPDuplicateSocket(s, process_id, info, &error) == SOCKET_ERROR ? error : 0;
}

static int adopt(WSAPROTOCOL_INFOW *info, SOCKET *out)
{
    INT error = 0;

    *out = sp.procs->lpWSPSocket(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, info, 0,
                                 WSA_FLAG_OVERLAPPED, &error);
    return *out == INVALID_SOCKET ? error : 0;
}

static void refusals(void **state)
{
    struct sp_pair pair;
    WSAPROTOCOL_INFOW info;
    DWORD self = (DWORD)getpid();
    SOCKET out;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSAEFAULT, duplicate(pair.a, self, NULL));
    sp_fails(WSAEINVAL, duplicate(pair.a, 0x7FFFFFF0, &info));
    sp_echo(pair.a, pair.b, 1);
    info = *ws2_protocol_info(sp.ws2, WS2_TCP);
    info.dwProviderReserved = 0x12345; /* nobody wrote that */
    sp_fails(WSAEINVAL, adopt(&info, &out));
    sp_pair_close(&pair);
}

/* The other process takes it over; this one closes its handle. */
static void given_away(void **state)
{
    struct sp_pair pair;
    struct second_process p;
    char text[SP_INFO_TEXT];
    static char data[100000];

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sp_pair_open(&pair);
    sp_echo(pair.a, pair.b, 1);
    sp_send_all(pair.b, "kept", 4); /* unread when it moves */
    sp_ok(sp_give(pair.a, p.pid, text));
    second_process_tell(&p, "adopt %s", text);
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    assert_string_equal(second_process_tell(&p, "recvtext 4"), "kept");
    assert_string_equal(second_process_tell(&p, "carried"), sp_env.lane);
    second_process_order(&p, "send 5 100000");
    sp_recv_all(pair.b, data, sizeof(data));
    sp_expect_pattern(data, sizeof(data), 5, 0);
    second_process_answer(&p);
    second_process_order(&p, "recv 6 100000");
    sp_fill(data, sizeof(data), 6, 0);
    sp_send_all(pair.b, data, sizeof(data));
    second_process_answer(&p);
    second_process_tell(&p, "close");
    sp_expect_end(pair.b);
    sp_pair_close(&pair);
    second_process_end(&p);
}

static void and_back(void **state)
{
    struct sp_pair pair;
    struct second_process p;
    char text[SP_INFO_TEXT];
    static char data[50000];
    SOCKET home;

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sp_pair_open(&pair);
    sp_ok(sp_give(pair.a, p.pid, text));
    second_process_tell(&p, "adopt %s", text);
    sp_ok(sp_close(pair.a));
    second_process_order(&p, "send 5 50000");
    sp_recv_all(pair.b, data, sizeof(data));
    second_process_answer(&p);
    sp_ok(sp_take(second_process_tell(&p, "give %u", (unsigned)getpid()), &home));
    second_process_tell(&p, "close");
    pair.a = home;
    sp_carried(home);
    sp_echo(home, pair.b, 1);
    sp_echo(pair.b, home, 2);
    sp_pair_close(&pair);
    second_process_end(&p);
}

/* The source keeps its handle: it works again when the socket is back, beside the new one. While the socket is away only closing is left over a
 * SAN; over TCP/IP it is shared all the time. */
static void the_old_handle_works_again(void **state)
{
    enum { ROUNDS = 3 };
    struct sp_pair pair;
    struct second_process p;
    char text[SP_INFO_TEXT];
    SOCKET home[ROUNDS];

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sp_pair_open(&pair);
    for (unsigned i = 0; i < ROUNDS; i++) {
        sp_ok(sp_give(pair.a, p.pid, text));
        if (sp_env
                .is_san) /* the first handle is one of several now: all of them mean the socket that is away */
            sp_fails(WSAENOTCONN, sp_send(i == 0 ? pair.a : home[i - 1], "x", 1, 0, NULL));
        second_process_tell(&p, "adopt %s", text);
        sp_send_all(pair.b, "kept", 4); /* unread when it comes back */
        sp_ok(sp_take(second_process_tell(&p, "give %u", (unsigned)getpid()), &home[i]));
        second_process_tell(&p, "close");
        char kept[4];
        sp_recv_all(pair.a, kept, 4);
        assert_memory_equal(kept, "kept", 4);
        sp_carried(pair.a);
        sp_echo(pair.a, pair.b, i);
        sp_echo(pair.b, home[i], i);
        sp_echo(home[0], pair.b, i);
    }
    sp_ok(sp_close(pair.a));
    sp_ok(sp_close(home[1]));
    sp_ok(sp_close(home[0]));
    sp_echo(home[2], pair.b, 1);
    sp_ok(sp_close(home[2]));
    sp_expect_end(pair.b);
    pair.a = INVALID_SOCKET;
    sp_pair_close(&pair);
    second_process_end(&p);
}

/* The new owner ends the connection: the source is told nothing, and has a handle to close (8.12, MOVED). */
static void the_new_owner_closes(void **state)
{
    struct sp_pair pair;
    struct second_process p;
    char text[SP_INFO_TEXT];

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sp_pair_open(&pair);
    sp_ok(sp_give(pair.a, p.pid, text));
    second_process_tell(&p, "adopt %s", text);
    second_process_tell(&p, "close");
    if (sp_env.is_san) {
        sp_expect_end(pair.b);
        sp_fails(WSAENOTCONN, sp_send(pair.a, "x", 1, 0, NULL));
        sp_fails(WSAEINVAL, sp_give(pair.a, p.pid, text));
        sp_ok(sp_close(pair.a));
    } else {
        sp_echo(pair.a, pair.b, 1);
        sp_ok(sp_close(pair.a));
        sp_expect_end(pair.b);
    }
    pair.a = INVALID_SOCKET;
    sp_pair_close(&pair);
    second_process_end(&p);
}

static void a_listener_given_away(void **state)
{
    struct second_process p;
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), s = sp_stream();
    char text[SP_INFO_TEXT], data[100];

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sp_ok(sp_give(l, p.pid, text));
    second_process_tell(&p, "adoptlistener %s", text);
    sp_ok(sp_close(l));
    sp_ok(sp_connect(s, &at));
    sp_carried(s);
    second_process_tell(&p, "accept");
    assert_string_equal(second_process_tell(&p, "carried"), sp_env.lane);
    second_process_tell(&p, "send 5 100");
    sp_recv_all(s, data, sizeof(data));
    sp_expect_pattern(data, sizeof(data), 5, 0);
    second_process_tell(&p, "close");
    sp_expect_end(s);
    sp_ok(sp_close(s));
    second_process_end(&p);
}

/* The SAN half goes too, and comes back; whatever waits at the source is accepted there. */
static void a_listener_goes_and_comes_back(void **state)
{
    struct second_process p;
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), before = sp_stream(), during = sp_stream(), after = sp_stream(), b, home;
    char text[SP_INFO_TEXT];

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sp_ok(sp_connect(before, &at));
    sp_ok(sp_accept(l, &b));
    sp_ok(sp_close(before));
    sp_ok(sp_close(b));
    before = sp_stream();
    sp_ok(sp_connect(before, &at)); /* nobody has accepted it */
    sp_ok(sp_give(l, p.pid, text));
    sp_ok(sp_accept(l, &b));
    sp_carried(b);
    sp_echo(before, b, 1);
    sp_ok(sp_close(b));
    second_process_tell(&p, "adoptlistener %s", text);
    sp_ok(sp_connect(during, &at));
    sp_carried(during);
    second_process_tell(&p, "accept");
    assert_string_equal(second_process_tell(&p, "carried"), sp_env.lane);
    second_process_tell(&p, "close");
    sp_ok(sp_take(second_process_tell(&p, "givelistener %u", (unsigned)getpid()), &home));
    sp_ok(sp_connect(after, &at));
    sp_carried(after);
    sp_ok(sp_accept(home, &b));
    sp_carried(b);
    sp_echo(after, b, 2);
    sp_echo(b, after, 3);
    sp_ok(sp_close(b));
    sp_ok(sp_close(home));
    sp_ok(sp_close(l));
    sp_ok(sp_close(before));
    sp_ok(sp_close(during));
    sp_ok(sp_close(after));
    second_process_end(&p);
}

/* Who took the SAN half ends with it: the source still listens with TCP/IP, and peers fall back (8.2). */
static void the_new_owner_of_a_listener_dies(void **state)
{
    struct second_process p;
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), s = sp_stream(), b;
    char text[SP_INFO_TEXT];
    bool is_taken;

    (void)state;
    for (is_taken = false;; is_taken = true) {
        sp_process_start(&p, sp_env.is_san ? "on" : "off");
        sp_ok(sp_give(l, p.pid, text));
        if (is_taken)
            second_process_tell(&p, "adoptlistener %s", text);
        sp_process_kill(&p);
        sp_ok(sp_connect(s, &at));
        sp_carried_name(s, "tcp");
        sp_ok(sp_accept(l, &b));
        sp_echo(s, b, 1);
        sp_ok(sp_close(b));
        sp_ok(sp_close(s));
        sp_ok(sp_close(l));
        if (is_taken)
            return;
        l = sp_listener(5, &at);
        s = sp_stream();
    }
}

static void pending_receives_when_it_moves(void **state)
{
    struct sp_pair pair;
    struct second_process p;
    char text[SP_INFO_TEXT], room[10];
    WSABUF buffer = {sizeof(room), room};
    WSAOVERLAPPED ov = {.hEvent = NULL};

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sp_pair_open(&pair);
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.b, &buffer, 1, 0, &ov)); /* at the end that stays */
    sp_ok(sp_give(pair.a, p.pid, text));
    second_process_tell(&p, "adopt %s", text);
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    second_process_tell(&p, "send 3 10");
    DWORD bytes = 0;
    sp_ok(sp_finish(pair.b, &ov, &bytes));
    sp_expect_pattern(room, bytes, 3, 0);
    second_process_tell(&p, "close");
    if (bytes == sizeof(room))
        sp_expect_end(pair.b);
    sp_pair_close(&pair);
    second_process_end(&p);
}

int sp_duplicate(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(refusals),
        sp_test(given_away),
        sp_test(and_back),
        sp_test(the_old_handle_works_again),
        sp_test(the_new_owner_closes),
        sp_test(a_listener_given_away),
        sp_test(a_listener_goes_and_comes_back),
        sp_test(the_new_owner_of_a_listener_dies),
        sp_test(pending_receives_when_it_moves),
    };

    return cmocka_run_group_tests_name("duplicate", tests, NULL, NULL);
}
