/* events_connection.c - FD_CONNECT and FD_ACCEPT. Contract 10.1, functions 0, 7, 10; 10.3 "Event recording"; B154, B164. */
#include "sp.h"

/* B154 */
static void connecting_is_told(void **state)
{
    WSAEVENT event = sw_event_create(true, false);
    WSD_SOCKADDR_IN at;
    WSANETWORKEVENTS record;
    SOCKET l = sp_listener(1, &at), s = sp_stream();

    (void)state;
    sp_ok(sp_event_select(s, event, FD_CONNECT | FD_WRITE | FD_READ));
    sp_fails(WSAEWOULDBLOCK, sp_connect(s, &at)); /* selecting made it non-blocking */
    sp_expect_events(s, event, FD_CONNECT | FD_WRITE, &record);
    assert_int_equal(record.iErrorCode[FD_CONNECT_BIT], 0);
    assert_int_equal(record.iErrorCode[FD_WRITE_BIT], 0);
    sp_expect_no_event(s, event);
    sp_carried(s);
    sp_ok(sp_close(s));
    sp_ok(sp_close(l));
    sp_ok(sw_event_close(event));
}

static void a_failed_connect_is_told(void **state)
{
    WSAEVENT event = sw_event_create(true, false);
    WSD_SOCKADDR_IN nobody;
    WSANETWORKEVENTS record;
    SOCKET silent = sp_stream(), s = sp_stream();

    (void)state;
    sp_ok(sp_bind(silent, &sp_env.here));
    sp_ok(sp_local(silent, &nobody));
    sp_ok(sp_event_select(s, event, FD_CONNECT | FD_WRITE));
    sp_fails(WSAEWOULDBLOCK, sp_connect(s, &nobody));
    sp_expect_events(s, event, FD_CONNECT, &record);
    sp_fails(WSAECONNREFUSED, record.iErrorCode[FD_CONNECT_BIT]);
    sp_expect_no_event(s, event);
    sp_ok(sp_close(s));
    sp_ok(sp_close(silent));
    sp_ok(sw_event_close(event));
}

/* B164, "FD_ACCEPT: level" */
static void accepting_enables_accepting(void **state)
{
    WSAEVENT event = sw_event_create(true, false);
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), s[3], b;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        s[i] = sp_stream();
    sp_ok(sp_connect(s[0], &at)); /* before the selection */
    sp_ok(sp_event_select(l, event, FD_ACCEPT));
    sp_expect_events(l, event, FD_ACCEPT, NULL);
    sp_ok(sp_connect(s[1], &at)); /* not enabled */
    sp_expect_no_event(l, event);
    sp_ok(sp_accept(l, &b));
    sp_ok(sp_close(b));
    sp_expect_events(l, event, FD_ACCEPT, NULL); /* one is left */
    sp_ok(sp_accept(l, &b));
    sp_ok(sp_close(b));
    sp_expect_no_event(l, event);
    sp_ok(sp_connect(s[2], &at));
    sp_expect_events(l, event, FD_ACCEPT, NULL);
    for (unsigned i = 0; i < 3; i++)
        sp_ok(sp_close(s[i]));
    sp_ok(sp_close(l));
    sp_ok(sw_event_close(event));
}

/* 10.1, function 0: the accepted socket has the listener's registration. */
static void an_accepted_socket_inherits_the_selection(void **state)
{
    WSAEVENT event = sw_event_create(true, false);
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), s = sp_stream(), b;
    char byte;

    (void)state;
    sp_ok(sp_event_select(l, event, FD_ACCEPT | FD_READ | FD_WRITE | FD_CLOSE));
    sp_ok(sp_connect(s, &at));
    sp_expect_events(l, event, FD_ACCEPT, NULL);
    sp_ok(sp_accept(l, &b));
    sp_expect_events(b, event, FD_WRITE, NULL);
    sp_fails(WSAEWOULDBLOCK, sp_recv(b, &byte, 1, 0, NULL));
    sp_send_all(s, "x", 1);
    sp_expect_events(b, event, FD_READ, NULL);
    sp_ok(sp_recv(b, &byte, 1, 0, NULL)); /* Wine's TCP tells of an end behind the last byte only (B170) */
    sp_ok(sp_close(s));
    sp_expect_events(b, event, FD_CLOSE, NULL);
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
    sp_ok(sw_event_close(event));
}

int sp_events_connection(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(connecting_is_told),
        sp_test(a_failed_connect_is_told),
        sp_test(accepting_enables_accepting),
        sp_test(an_accepted_socket_inherits_the_selection),
    };

    return cmocka_run_group_tests_name("events_connection", tests, NULL, NULL);
}
