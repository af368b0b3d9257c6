/* events.c - WSPEventSelect and WSPEnumNetworkEvents: what is recorded, how often, and what enables it again. Contract 10.1, functions 9,
 * 10; 10.3 "Event recording"; B150 to B173. */
#include "sp.h"

static WSAEVENT event, other_event;
static struct sp_pair pair;

static int events_setup(void **state)
{
    int result = sp_setup(state);

    event = sw_event_create(true, false);
    other_event = sw_event_create(true, false);
    return result;
}

static int events_teardown(void **state)
{
    int result = sp_teardown(state);

    sp_ok(sw_event_close(event));
    sp_ok(sw_event_close(other_event));
    return result;
}

/* A connected pair; a is selected for `events`. */
static void open_selected(LONG events)
{
    sp_pair_open(&pair);
    sp_ok(sp_event_select(pair.a, event, events));
}

static void an_unconnected_socket_has_no_event(void **state)
{
    SOCKET s = sp_stream();

    (void)state;
    sp_ok(sp_bind(s, &sp_env.here));
    sp_ok(sp_event_select(s, event, FD_READ | FD_WRITE));
    sp_expect_no_event(s, event);
    sp_ok(sp_close(s));
}

/* B150 */
static void a_connected_one_may_write_once(void **state)
{
    (void)state;
    open_selected(FD_READ | FD_WRITE | FD_CLOSE | FD_OOB);
    sp_expect_events(pair.a, event, FD_WRITE, NULL);
    sp_expect_no_event(pair.a, event);
    sp_pair_close(&pair);
}

/* B156, B157 */
static void reading_enables_reading(void **state)
{
    char byte;

    (void)state;
    open_selected(FD_READ);
    sp_send_all(pair.b, "ab", 2);
    sp_expect_events(pair.a, event, FD_READ, NULL);
    sp_send_all(pair.b, "c", 1); /* more data, not enabled */
    sp_expect_no_event(pair.a, event);
    sp_ok(sp_recv(pair.a, &byte, 1, 0, NULL)); /* leaves some: told again */
    sp_expect_events(pair.a, event, FD_READ, NULL);
    sp_ok(sp_recv(pair.a, &byte, 1, 0, NULL));
    sp_expect_events(pair.a, event, FD_READ, NULL);
    sp_ok(sp_recv(pair.a, &byte, 1, 0, NULL));
    assert_int_equal(byte, 'c');
    sp_expect_no_event(pair.a, event);
    sp_send_all(pair.b, "d", 1);
    sp_expect_events(pair.a, event, FD_READ, NULL);
    sp_ok(sp_recv(pair.a, &byte, 1, WS_MSG_PEEK, NULL)); /* peeking is a receive call, too */
    sp_expect_events(pair.a, event, FD_READ, NULL);
    sp_pair_close(&pair);
}

/* "Even a failing call re-enables." */
static void a_failing_receive_enables_too(void **state)
{
    char byte;

    (void)state;
    open_selected(FD_READ);
    sp_fails(WSAEWOULDBLOCK, sp_recv(pair.a, &byte, 1, 0, NULL));
    sp_send_all(pair.b, "a", 1);
    sp_expect_events(pair.a, event, FD_READ, NULL);
    sp_ok(sp_recv(pair.a, &byte, 1, 0, NULL));
    sp_fails(WSAEWOULDBLOCK, sp_recv(pair.a, &byte, 1, 0, NULL));
    sp_send_all(pair.b, "b", 1);
    sp_expect_events(pair.a, event, FD_READ, NULL);
    sp_pair_close(&pair);
}

/* B159, B160 */
static void selecting_again_replays_nothing(void **state)
{
    char byte;

    (void)state;
    open_selected(FD_READ | FD_WRITE);
    sp_expect_events(pair.a, event, FD_WRITE, NULL);
    sp_send_all(pair.b, "ab", 2);
    sp_expect_events(pair.a, event, FD_READ, NULL);
    sp_ok(sp_event_select(pair.a, event, FD_READ | FD_WRITE));
    sp_expect_no_event(pair.a, event);
    sp_ok(sp_event_select(pair.a, event, 0));
    sp_ok(sp_event_select(pair.a, event, FD_READ | FD_WRITE));
    sp_expect_no_event(pair.a, event);
    sp_ok(sp_recv(pair.a, &byte, 1, 0, NULL));
    sp_expect_events(pair.a, event, FD_READ, NULL);
    sp_pair_close(&pair);
}

static void what_holds_already_is_told_at_once(void **state)
{
    unsigned ready;

    (void)state;
    sp_pair_open(&pair);
    sp_send_all(pair.b, "ab", 2);
    sp_ok(sp_select(pair.a, SP_READ, sp_env.wait_ms, &ready));
    sp_ok(sp_event_select(pair.a, event, FD_READ));
    sp_expect_events(pair.a, event, FD_READ, NULL);
    sp_pair_close(&pair);
}

/* B162 */
static void overlapped_receives_take_data_silently(void **state)
{
    WSAOVERLAPPED ov = {.hEvent = NULL};
    char data[10];
    WSABUF buffer = {sizeof(data), data};

    (void)state;
    open_selected(FD_READ);
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &buffer, 1, 0, &ov));
    sp_send_all(pair.b, "ab", 2);
    sp_ok(sp_finish(pair.a, &ov, NULL));
    sp_expect_no_event(pair.a, event);
    sp_send_all(pair.b, "cd", 2);
    sp_expect_events(pair.a, event, FD_READ, NULL);
    sp_pair_close(&pair);
}

/* B167 */
static void room_is_told_after_it_was_refused(void **state)
{
    enum { PIECE = 50000 };
    static char piece[PIECE];
    WSANETWORKEVENTS record;
    uint64_t total = 0, have = 0, end = sp_deadline();
    int error;

    (void)state;
    open_selected(FD_WRITE);
    sp_expect_events(pair.a, event, FD_WRITE, NULL);
    /* what was refused may go on its way a moment later, until the peer's side is full, too */
    do {
        assert_true(pal_now_ns() < end);
        for (error = 0; error == 0;) {
            DWORD sent = 0;

            error = sp_send(pair.a, piece, PIECE, 0, &sent);
            total += error == 0 ? sent : 0;
        }
        sp_fails(WSAEWOULDBLOCK, error);
    } while (sw_event_wait(event, 250) == 0 && sp_next_events(pair.a, event, &record) == FD_WRITE);
    sp_expect_no_event(pair.a, event);
    while (have < total) {
        DWORD got = 0;

        sp_ok(sp_recv(pair.b, piece, PIECE, 0, &got));
        have += got;
    }
    sp_expect_events(pair.a, event, FD_WRITE, NULL);
    sp_expect_no_event(pair.a, event);
    sp_pair_close(&pair);
}

/* B168, B171 */
static void a_graceful_end_is_told_once(void **state)
{
    WSANETWORKEVENTS record;

    (void)state;
    open_selected(FD_CLOSE);
    sp_ok(sp_shutdown(pair.b, SD_SEND));
    sp_expect_events(pair.a, event, FD_CLOSE, &record);
    assert_int_equal(record.iErrorCode[FD_CLOSE_BIT], 0);
    sp_ok(sp_close(pair.b));
    pair.b = INVALID_SOCKET;
    sp_expect_no_event(pair.a, event);
    sp_pair_close(&pair);

    sp_pair_open(&pair); /* it happened before the selection */
    sp_ok(sp_close(pair.b));
    pair.b = INVALID_SOCKET;
    sp_expect_end(pair.a);
    sp_ok(sp_event_select(pair.a, event, FD_CLOSE));
    sp_expect_events(pair.a, event, FD_CLOSE, NULL);
    sp_pair_close(&pair);
}

static void a_reset_is_told_once(void **state)
{
    WSANETWORKEVENTS record;

    (void)state;
    sp_skip_on_wine_tcp("tells a reset as an end of the stream");
    open_selected(FD_CLOSE | FD_READ);
    sp_ok(sp_set_linger(pair.b, true, 0));
    sp_ok(sp_close(pair.b));
    pair.b = INVALID_SOCKET;
    sp_expect_events(pair.a, event, FD_CLOSE, &record);
    sp_one_of(record.iErrorCode[FD_CLOSE_BIT], WSAECONNRESET, WSAECONNABORTED);
    sp_expect_no_event(pair.a, event);
    sp_pair_close(&pair);
}

/* B153 */
static void what_is_masked_is_kept(void **state)
{
    (void)state;
    open_selected(FD_READ);
    sp_send_all(pair.b, "ab", 2);
    sp_ok(sw_event_wait(event, sp_env.wait_ms));
    sp_ok(sp_event_select(pair.a, other_event, FD_CLOSE)); /* recorded, and not asked for now */
    sp_expect_no_event(pair.a, other_event);
    sp_ok(sp_event_select(pair.a, other_event, FD_CLOSE | FD_READ));
    sp_expect_events(pair.a, other_event, FD_READ, NULL);
    sp_pair_close(&pair);
}

static void the_newest_event_object_wins(void **state)
{
    (void)state;
    open_selected(FD_READ);
    sp_ok(sp_event_select(pair.a, other_event, FD_READ));
    sp_send_all(pair.b, "ab", 2);
    sp_expect_events(pair.a, other_event, FD_READ, NULL);
    assert_int_equal(sw_event_wait(event, 0), WSAETIMEDOUT);
    sp_pair_close(&pair);
}

/* B173 */
static void selecting_makes_it_non_blocking(void **state)
{
    char byte;

    (void)state;
    open_selected(FD_CLOSE);
    sp_fails(WSAEWOULDBLOCK, sp_recv(pair.a, &byte, 1, 0, NULL));
    sp_fails(WSAEINVAL, sp_nonblocking(pair.a, false));
    sp_ok(sp_nonblocking(pair.a, true));
    sp_ok(sp_event_select(pair.a, NULL, 0));
    sp_fails(WSAEWOULDBLOCK, sp_recv(pair.a, &byte, 1, 0, NULL)); /* still */
    sp_ok(sp_nonblocking(pair.a, false));
    sp_ok(sp_set_int(pair.a, WS_SOL_SOCKET, WS_SO_RCVTIMEO, 20));
    sp_fails(WSAETIMEDOUT, sp_recv(pair.a, &byte, 1, 0, NULL));
    sp_pair_close(&pair);
}

/* B151, and the record without resetting the event object */
static void the_record_is_copied_as_it_is(void **state)
{
    WSANETWORKEVENTS record;

    (void)state;
    open_selected(FD_READ);
    sp_send_all(pair.b, "ab", 2);
    sp_ok(sw_event_wait(event, sp_env.wait_ms));
    memset(&record, 0x77, sizeof(record));
    sp_ok(sp_enum_events(pair.a, NULL, &record));
    assert_int_equal(record.lNetworkEvents, FD_READ);
    assert_int_equal(record.iErrorCode[FD_READ_BIT], 0);
    assert_int_equal(record.iErrorCode[FD_CLOSE_BIT], 0x77777777);
    assert_int_equal(sw_event_wait(event, 0), 0); /* no event was named: it stays set */
    sp_ok(sp_enum_events(pair.a, event, &record));
    assert_int_equal(record.lNetworkEvents, 0);
    assert_int_equal(sw_event_wait(event, 0), WSAETIMEDOUT);
    sp_one_of(sp_enum_events(pair.a, event, NULL), WSAEFAULT, WSAEINVAL);
    sp_pair_close(&pair);
}

/* Several sockets may share an event object. */
static void one_event_object_for_two_sockets(void **state)
{
    WSANETWORKEVENTS record;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_event_select(pair.a, event, FD_READ));
    sp_ok(sp_event_select(pair.b, event, FD_READ));
    sp_ok(sp_send(pair.a, "x", 1, 0, NULL));
    sp_ok(sw_event_wait(event, sp_env.wait_ms));
    sp_ok(sp_enum_events(pair.a, NULL, &record));
    assert_int_equal(record.lNetworkEvents, 0);
    sp_ok(sp_enum_events(pair.b, event, &record));
    assert_int_equal(record.lNetworkEvents, FD_READ);
    sp_pair_close(&pair);
}

#define event_test(fn) cmocka_unit_test_setup_teardown(fn, events_setup, events_teardown)
/* B170: the end behind a byte that nobody has read is told beside the byte; reading it tells nothing more. */
static void the_end_behind_an_unread_byte(void **state)
{
    WSANETWORKEVENTS events;
    char byte = 0;

    (void)state;
    sp_skip_on_wine_tcp("tells the end after the data only");
    open_selected(FD_READ | FD_CLOSE);
    sp_send_all(pair.b, "x", 1);
    sp_ok(sp_close(pair.b));
    pair.b = INVALID_SOCKET;
    sp_expect_events(pair.a, event, FD_READ | FD_CLOSE, &events);
    assert_int_equal(events.iErrorCode[FD_CLOSE_BIT], 0);
    sp_ok(sp_recv(pair.a, &byte, 1, 0, NULL));
    assert_int_equal(byte, 'x');
    sp_expect_no_event(pair.a, event);
    sp_expect_end(pair.a);
    sp_expect_no_event(pair.a, event);
    sp_pair_close(&pair);
}

int sp_events(void)
{
    const struct CMUnitTest tests[] = {
        event_test(an_unconnected_socket_has_no_event),
        event_test(a_connected_one_may_write_once),
        event_test(reading_enables_reading),
        event_test(a_failing_receive_enables_too),
        event_test(selecting_again_replays_nothing),
        event_test(what_holds_already_is_told_at_once),
        event_test(overlapped_receives_take_data_silently),
        event_test(room_is_told_after_it_was_refused),
        event_test(a_graceful_end_is_told_once),
        event_test(a_reset_is_told_once),
        event_test(what_is_masked_is_kept),
        event_test(the_newest_event_object_wins),
        event_test(selecting_makes_it_non_blocking),
        event_test(the_record_is_copied_as_it_is),
        event_test(one_event_object_for_two_sockets),
        event_test(the_end_behind_an_unread_byte),
    };

    return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
