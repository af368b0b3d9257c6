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

/* The source keeps its handles: they work all the time, whichever process has control (8.10). */
static void the_old_handles_work_too(void **state)
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
        sp_echo(pair.a, pair.b, i); /* nothing has moved yet */
        second_process_tell(&p, "adopt %s", text);
        second_process_tell(&p, "send 3 10");
        char ten[10];
        sp_recv_all(pair.b, ten, 10);
        sp_expect_pattern(ten, 10, 3, 0);
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

/* The connection ends with the last handle, whoever had control before. */
static void the_other_process_closes(void **state)
{
    struct sp_pair pair;
    struct second_process p;
    char text[SP_INFO_TEXT];

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sp_pair_open(&pair);
    sp_ok(sp_give(pair.a, p.pid, text));
    second_process_tell(&p, "adopt %s", text);
    sp_send_all(pair.b, "kept", 4);
    assert_string_equal(second_process_tell(&p, "recvtext 4"), "kept");
    second_process_tell(&p, "close"); /* with control: it comes here */
    sp_echo(pair.a, pair.b, 1);
    sp_echo(pair.b, pair.a, 2);
    sp_ok(sp_give(pair.a, p.pid, text));
    second_process_tell(&p, "adopt %s", text);
    second_process_tell(&p, "close"); /* without */
    sp_echo(pair.a, pair.b, 3);
    sp_ok(sp_close(pair.a));
    sp_expect_end(pair.b);
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

/* A connection to `at`, accepted by `l` here. */
static void connect_and_accept(SOCKET l, const WSD_SOCKADDR_IN *at, const char *lane)
{
    SOCKET s = sp_stream(), b;

    sp_ok(sp_connect(s, at));
    sp_carried_name(s, lane);
    sp_ok(sp_accept(l, &b));
    sp_echo(s, b, 1);
    sp_ok(sp_close(b));
    sp_ok(sp_close(s));
}

/* The other process accepts one, so that the SAN half is there. */
static void connect_and_accept_there(struct second_process *p, const WSD_SOCKADDR_IN *at)
{
    SOCKET s = sp_stream();

    sp_ok(sp_connect(s, at));
    sp_carried(s);
    second_process_tell(p, "accept");
    assert_string_equal(second_process_tell(p, "carried"), sp_env.lane);
    second_process_tell(p, "send 5 10");
    second_process_tell(p, "close");
    sp_ok(sp_close(s));
}

static bool is_carried_by_san(SOCKET l, const WSD_SOCKADDR_IN *at)
{
    SOCKET s = sp_stream(), b;
    char name[16];

    sp_ok(sp_connect(s, at));
    sp_ok(sp_accept(l, &b));
    sp_ok(sp.carried_by(s, name, sizeof(name)));
    sp_ok(sp_close(b));
    sp_ok(sp_close(s));
    return strcmp(name, "san") == 0;
}

/* Who has the SAN half ends with it: peers fall back (8.2), and the next one that accepts here has a new one made. Who has taken none takes
 * nothing along. */
static void the_new_owner_of_a_listener_dies(void **state)
{
    struct second_process p;
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at);
    char text[SP_INFO_TEXT];

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        sp_process_start(&p, sp_env.is_san ? "on" : "off");
        sp_ok(sp_give(l, p.pid, text));
        if (round >= 1)
            second_process_tell(&p, "adoptlistener %s", text);
        if (round == 2)
            connect_and_accept_there(&p, &at);
        sp_process_kill(&p);
        connect_and_accept(l, &at, sp_env.is_san && round < 2 ? "san" : "tcp");
    }
    if (sp_env.is_san)
        sp_until(is_carried_by_san(l, &at));
    sp_ok(sp_close(l));
}

/* Both have the listener: connections go to who accepts, whichever side carries them; what waits goes with the SAN half, and so does what waits
 * when this process closes. */
static void a_listener_in_both_processes(void **state)
{
    struct second_process p;
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), waiting[3];
    char text[SP_INFO_TEXT], data[10];

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sp_ok(sp_give(l, p.pid, text));
    second_process_tell(&p, "adoptlistener %s", text);
    for (unsigned round = 0; round < 3; round++) {
        connect_and_accept(l, &at, sp_env.lane);
        connect_and_accept_there(&p, &at);
    }
    connect_and_accept(l, &at, sp_env.lane); /* the SAN half is here */
    for (unsigned i = 0; i < 3; i++) {
        waiting[i] = sp_stream();
        sp_ok(sp_connect(waiting[i], &at));
        sp_carried(waiting[i]);
        sp_send_all(waiting[i], "first", 5);
    }
    sp_ok(sp_close(l));
    for (unsigned i = 0; i < 3; i++) {
        second_process_tell(&p, "accept");
        assert_string_equal(second_process_tell(&p, "carried"), sp_env.lane);
        assert_string_equal(second_process_tell(&p, "recvtext 5"), "first");
        second_process_tell(&p, "send 7 10");
        sp_recv_all(waiting[i], data, sizeof(data)); /* in the order in which they came */
        sp_expect_pattern(data, sizeof(data), 7, 0);
        second_process_tell(&p, "close");
        sp_expect_end(waiting[i]);
        sp_ok(sp_close(waiting[i]));
    }
    second_process_end(&p);
}

/* The peer is gone when the other process comes to it: what it sent is there all the same, and how it ended. */
static void the_peer_has_closed(void **state)
{
    struct sp_pair pair;
    struct second_process p;
    char text[SP_INFO_TEXT];
    unsigned ready = 0;

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    for (unsigned round = 0; round < 4; round++) {
        const bool is_seen = round % 2 == 1, stays = round >= 2;
        char rest[4];

        sp_pair_open(&pair);
        sp_ok(sp_give(pair.a, p.pid, text));
        second_process_tell(&p, "adopt %s", text);
        sp_send_all(pair.b, "kept", 4);
        sp_send_all(pair.b, "rest", 4);
        sp_ok(sp_close(pair.b));
        pair.b = INVALID_SOCKET;
        if (is_seen) {
            sp_ok(sp_select(pair.a, SP_READ, sp_env.wait_ms, &ready));
            suite_relax();
        }
        assert_string_equal(second_process_tell(&p, "recvtext 4"), "kept");
        if (stays) { /* and back, the rest of the rest */
            sp_recv_all(pair.a, rest, 4);
            assert_memory_equal(rest, "rest", 4);
            sp_expect_end(pair.a);
        } else {
            sp_ok(sp_close(pair.a));
            pair.a = INVALID_SOCKET;
            assert_string_equal(second_process_tell(&p, "recvtext 4"), "rest");
        }
        second_process_tell(&p, "end");
        second_process_tell(&p, "close");
        sp_pair_close(&pair);
    }
    second_process_end(&p);
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
        sp_test(the_old_handles_work_too),
        sp_test(the_other_process_closes),
        sp_test(a_listener_given_away),
        sp_test(a_listener_goes_and_comes_back),
        sp_test(the_new_owner_of_a_listener_dies),
        sp_test(a_listener_in_both_processes),
        sp_test(the_peer_has_closed),
        sp_test(pending_receives_when_it_moves),
    };

    return cmocka_run_group_tests_name("duplicate", tests, NULL, NULL);
}
