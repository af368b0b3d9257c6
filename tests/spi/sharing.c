/* sharing.c - WSPDuplicateSocket for this very process: two handles that mean one socket. Page of WSADuplicateSocket; contract 10.1,
 * function 8; B087, B213, B214. */
#include "sp.h"

#include <unistd.h>

static int offer(SOCKET s, WSAPROTOCOL_INFOW *info)
{
    INT error = 0;

    return sp.procs->lpWSPDuplicateSocket(s, (DWORD)getpid(), info, &error) == SOCKET_ERROR ? error : 0;
}

static int take(WSAPROTOCOL_INFOW *info, SOCKET *out)
{
    INT error = 0;

    *out = sp.procs->lpWSPSocket(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, info, 0,
                                 WSA_FLAG_OVERLAPPED, &error);
    return *out == INVALID_SOCKET ? error : 0;
}

static SOCKET another(SOCKET s)
{
    WSAPROTOCOL_INFOW info;
    SOCKET out;

    sp_ok(offer(s, &info));
    assert_int_not_equal(info.dwProviderReserved, 0);
    sp_ok(take(&info, &out));
    assert_true(out != s);
    return out;
}

static void both_handles_work(void **state)
{
    struct sp_pair pair;
    WSAPROTOCOL_INFOW info;
    SOCKET again, third;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(offer(pair.a, &info));
    sp_ok(take(&info, &again));
    assert_true(again != pair.a);
    sp_fails(WSAEINVAL, take(&info, &third)); /* usable once */
    sp_carried(again);
    sp_echo(again, pair.b, 1);
    sp_echo(pair.b, again, 2);
    sp_echo(pair.a, pair.b, 3);
    sp_echo(pair.b, pair.a, 4);
    sp_ok(sp_close(pair.a)); /* B213 */
    sp_fails(WSAENOTSOCK, sp_close(pair.a));
    sp_fails(WSAENOTSOCK, sp_send(pair.a, "x", 1, 0, NULL));
    pair.a = again;
    sp_echo(again, pair.b, 5);
    third = another(again); /* and on: the first handle is long gone */
    sp_ok(sp_close(again));
    pair.a = INVALID_SOCKET;
    sp_echo(pair.b, third, 6);
    sp_ok(sp_close(third));
    sp_expect_end(pair.b); /* the last one ends it */
    sp_pair_close(&pair);
}

/* "A process can call closesocket on a duplicated socket", also before anybody has taken it. */
static void the_first_closes_before_the_second_is_there(void **state)
{
    struct sp_pair pair;
    WSAPROTOCOL_INFOW info;

    (void)state;
    sp_pair_open(&pair);
    sp_send_all(pair.b, "kept", 4);
    sp_ok(offer(pair.a, &info));
    sp_ok(sp_close(pair.a));
    sp_ok(take(&info, &pair.a));
    char text[4];
    sp_recv_all(pair.a, text, 4);
    assert_memory_equal(text, "kept", 4);
    sp_echo(pair.a, pair.b, 1);
    sp_echo(pair.b, pair.a, 2);
    sp_pair_close(&pair);
}

/* What nobody takes is cleaned up with the switch: the teardown finds neither handle nor file. */
static void nobody_takes_it(void **state)
{
    struct sp_pair pair;
    WSAPROTOCOL_INFOW info;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(offer(pair.a, &info));
    sp_ok(offer(pair.a, &info));
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    sp_pair_close(&pair);
}

static void options_and_modes_are_shared(void **state)
{
    struct sp_pair pair;
    SOCKET again;
    ULONG on = 1;
    DWORD bytes, got;
    int value = 0;
    char byte;

    (void)state;
    sp_pair_open(&pair);
    again = another(pair.a);
    sp_ok(sp_set_int(pair.a, WS_SOL_SOCKET, WS_SO_RCVTIMEO, 12345));
    sp_ok(sp_get_int(again, WS_SOL_SOCKET, WS_SO_RCVTIMEO, &value));
    assert_int_equal(value, 12345);
    sp_ok(sp_ioctl(again, WS_FIONBIO, &on, sizeof(on), NULL, 0, &bytes));
    sp_fails(WSAEWOULDBLOCK, sp_recv(pair.a, &byte, 1, 0, &got));
    sp_ok(sp_shutdown(again, SD_SEND));
    sp_fails(WSAESHUTDOWN, sp_send(pair.a, "x", 1, 0, NULL));
    sp_expect_end(pair.b);
    sp_ok(sp_close(again));
    sp_pair_close(&pair);
}

static void before_it_is_connected(void **state)
{
    WSD_SOCKADDR_IN at, name, same;
    SOCKET l = sp_stream(), l2 = another(l), s = sp_stream(), s2 = another(s), b;

    (void)state;
    sp_ok(sp_bind(l, &sp_env.here));
    sp_ok(sp_listen(l2, 5)); /* bound by the other */
    sp_ok(sp_local(l, &at));
    sp_ok(sp_close(l));
    sp_ok(sp_connect(s, &at));
    sp_ok(sp_accept(l2, &b));
    sp_carried(s2);
    sp_ok(sp_peer(s2, &name));
    assert_memory_equal(&name, &at, sizeof(at));
    sp_ok(sp_local(s, &name));
    sp_ok(sp_local(s2, &same));
    assert_memory_equal(&name, &same, sizeof(name));
    sp_echo(s2, b, 1);
    sp_ok(sp_close(s));
    sp_ok(sp_close(s2));
    sp_expect_end(b);
    sp_ok(sp_close(b));
    sp_ok(sp_close(l2));
}

/* Each operation ends at the handle that it was started through, also when that is closed before. */
static void operations_of_a_closed_handle_go_on(void **state)
{
    struct sp_pair pair;
    SOCKET again;
    char first[10], second[10];
    WSABUF one = {sizeof(first), first}, two = {sizeof(second), second};
    WSAOVERLAPPED ov1 = {.hEvent = NULL}, ov2 = {.hEvent = NULL};
    struct sw_iocp *queue = sw_iocp_create();
    struct sw_packet packet;
    DWORD bytes = 0;

    (void)state;
    sp_pair_open(&pair);
    again = another(pair.a);
    sp_ok(ws2_bind_queue(pair.a, queue, 7));
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &one, 1, 0, &ov1));
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(again, &two, 1, 0, &ov2));
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    sp_send_all(pair.b, "1234567890", 10);
    sp_ok(sw_iocp_get(queue, &packet, sp_env.wait_ms));
    assert_true(packet.key == 7 && packet.ov == &ov1 && packet.bytes == 10 && packet.error == 0);
    sp_send_all(pair.b, "abc", 3);
    sp_ok(sp_finish(again, &ov2, &bytes));
    assert_int_equal(bytes, 3);
    sp_ok(sp_close(again));
    sp_expect_end(pair.b);
    sp_pair_close(&pair);
    sw_iocp_destroy(queue);
}

/* B087 */
static void an_accept_ends_with_the_last_handle(void **state)
{
    static char out[2 * SP_ACCEPT_ROOM];
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(1, &at), l2 = another(l), b = sp_stream();
    WSAOVERLAPPED ov = {.hEvent = NULL};
    struct sw_iocp *queue = sw_iocp_create();
    struct sw_packet packet;

    (void)state;
    sp_ok(ws2_bind_queue(l2, queue, 8));
    sp_fails(WSA_IO_PENDING, sp_accept_ex(l2, b, out, 0, &ov));
    sp_ok(sp_close(l2));
    sp_fails(WSAETIMEDOUT, sw_iocp_get(queue, &packet, 20)); /* nothing is queued */
    sp_ok(sp_close(l));
    sp_ok(sw_iocp_get(queue, &packet, sp_env.wait_ms));
    assert_true(packet.ov == &ov && packet.error == WSA_OPERATION_ABORTED);
    sp_fails(WSAETIMEDOUT, sw_iocp_get(queue, &packet, 20)); /* a single one */
    sp_ok(sp_close(b));
    sw_iocp_destroy(queue);
}

struct waiting {
    SOCKET s;
    unsigned ready;
};

static int wait_readable(void *context)
{
    struct waiting *w = context;

    return sp_select(w->s, SP_READ, sp_env.wait_ms, &w->ready);
}

/* B214 */
static void a_select_on_the_other_handle(void **state)
{
    struct sp_pair pair;
    struct waiting w = {INVALID_SOCKET, 0};
    struct sp_call call;
    char byte;
    DWORD got;

    (void)state;
    sp_pair_open(&pair);
    w.s = another(pair.a);
    sp_call_start(&call, wait_readable, &w);
    sp_ok(sp_close(pair.a));
    sp_send_all(pair.b, "x", 1);
    sp_ok(sp_call_join(&call));
    assert_int_equal(w.ready, SP_READ); /* by the byte, not by the close */
    sp_ok(sp_recv(w.s, &byte, 1, 0, &got));
    assert_int_equal(got, 1);
    sp_call_start(&call, wait_readable, &w);
    sp_ok(sp_close(w.s));
    sp_one_of(sp_call_join(&call), 0, WSAENOTSOCK, WSAEINTR); /* it ends */
    pair.a = INVALID_SOCKET;
    sp_pair_close(&pair);
}

/* The selection belongs to the socket: the later call wins, whichever handle it names (page of WSADuplicateSocket). */
static void one_event_selection(void **state)
{
    struct sp_pair pair;
    SOCKET again;
    WSANETWORKEVENTS seen;
    INT error = 0;
    WSAEVENT one = sw_event_create(true, false), two = sw_event_create(true, false);

    (void)state;
    sp_pair_open(&pair);
    again = another(pair.a);
    sp_ok(sp_event_select(pair.a, one, FD_READ));
    sp_ok(sp_event_select(again, two, FD_READ));
    sp_send_all(pair.b, "x", 1);
    sp_ok(sw_event_wait(two, sp_env.wait_ms));
    sp_fails(WSAETIMEDOUT, sw_event_wait(one, 0));
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(sp.procs->lpWSPEnumNetworkEvents(pair.a, two, &seen, &error), 0);
    assert_int_equal(seen.lNetworkEvents, FD_READ);
    sp_ok(sp_close(again));
    sp_pair_close(&pair);
    sp_ok(sw_event_close(one));
    sp_ok(sw_event_close(two));
}

enum { THREADS = 3, ROUNDS = 200 };

/* Handles come and go while another one is used. */
static int come_and_go(void *context)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        WSAPROTOCOL_INFOW info;
        SOCKET out;
        int error = offer(*(SOCKET *)context, &info);

        error = error == 0 ? take(&info, &out) : error;
        error = error == 0 ? sp_close(out) : error;
        if (error != 0)
            return error;
    }
    return 0;
}

static void handles_come_and_go(void **state)
{
    struct sp_pair pair;
    struct sp_call calls[THREADS];

    (void)state;
    sp_pair_open(&pair);
    for (unsigned i = 0; i < THREADS; i++)
        sp_call_start(&calls[i], come_and_go, &pair.a);
    for (unsigned i = 0; i < 50; i++) {
        sp_echo(pair.a, pair.b, i);
        sp_echo(pair.b, pair.a, i);
    }
    for (unsigned i = 0; i < THREADS; i++)
        sp_ok(sp_call_join(&calls[i]));
    sp_pair_close(&pair);
}

int sp_sharing(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(both_handles_work),
        sp_test(the_first_closes_before_the_second_is_there),
        sp_test(nobody_takes_it),
        sp_test(options_and_modes_are_shared),
        sp_test(before_it_is_connected),
        sp_test(operations_of_a_closed_handle_go_on),
        sp_test(an_accept_ends_with_the_last_handle),
        sp_test(a_select_on_the_other_handle),
        sp_test(one_event_selection),
        sp_test(handles_come_and_go),
    };

    return cmocka_run_group_tests_name("sharing", tests, NULL, NULL);
}
