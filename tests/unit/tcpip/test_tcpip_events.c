/* test_tcpip_events.c - want() and ready(): each event once, when it has become true. */
#include "fixture.h"

#include <string.h>

#include "pal/time.h"

#define V4 WS_AF_INET

static void want(struct end *e, uint32_t events)
{
    e->c->ops->want(e->c, events);
}

static void what_is_true_already_is_reported_at_once(void **state)
{
    struct end a, b;

    (void)state;
    pair_open(&a, &b, V4);
    want(&a, FD_WRITE | FD_READ | FD_CLOSE);
    assert_int_equal(end_take_events(&a), FD_WRITE);
    pair_close(&a, &b);
}

static void each_event_is_reported_once_per_question(void **state)
{
    struct end a, b;
    char text[4];

    (void)state;
    pair_open(&a, &b, V4);
    want(&b, FD_READ | FD_CLOSE);
    assert_int_equal(end_take_events(&b), 0);
    end_send(&a, "x", 1);
    end_await_events(&b, FD_READ);
    end_send(&a, "y", 1); /* nobody has asked again */
    end_receive(&b, text, 2);
    assert_int_equal(end_take_events(&b), 0);
    assert_int_equal(b.event_calls, 1);
    want(&b, FD_READ);
    end_send(&a, "z", 1);
    end_await_events(&b, FD_READ);
    end_receive(&b, text, 1);
    pair_close(&a, &b);
}

static void the_peers_end_is_reported_with_bytes_unread(void **state)
{
    struct end a, b;
    char text[4];
    size_t got = 1;

    (void)state;
    pair_open(&a, &b, V4);
    end_send(&a, "last", 4);
    assert_int_equal(a.c->ops->shutdown(a.c, SD_SEND), 0);
    want(&b, FD_READ | FD_CLOSE);
    end_await_events(&b, FD_READ);
    if (test_system() != TEST_WINE) {
        end_await_events(&b, FD_CLOSE);                                 /* B170 */
        assert_int_equal(end_ready(&b), FD_READ | FD_CLOSE | FD_WRITE); /* B187 */
    }
    end_receive(&b, text, 4);
    if (test_system() == TEST_WINE)
        end_await_events(&b, FD_CLOSE);
    assert_int_equal(b.event_error, 0);
    assert_int_equal(end_receive_some(&b, text, 1, &got), 0);
    assert_int_equal(got, 0);
    assert_int_equal(end_ready(&b), FD_CLOSE | FD_WRITE);
    pair_close(&a, &b);
}

static void an_end_before_the_question_is_reported(void **state)
{
    struct end a, b;

    (void)state;
    pair_open(&a, &b, V4);
    assert_int_equal(a.c->ops->shutdown(a.c, SD_SEND), 0);
    end_await_ready(&b, FD_CLOSE);
    want(&b, FD_CLOSE); /* B171 */
    assert_int_equal(end_take_events(&b), FD_CLOSE);
    pair_close(&a, &b);
}

static void a_reset_is_reported_as_aborted(void **state)
{
    struct end a, b;

    (void)state;
    pair_open(&a, &b, V4);
    want(&b, FD_CLOSE);
    assert_int_equal(end_close(&a, 0), 0);
    end_await_events(&b, FD_CLOSE);
    assert_int_equal(b.event_error, WSAECONNABORTED); /* windows.md, trap 5 */
    assert_int_equal(end_close(&b, SW_SESSION_LINGER_FOREVER), 0);
}

static void room_is_reported_when_the_peer_has_read(void **state)
{
    struct end a, b;
    size_t sent;

    (void)state;
    pair_open(&a, &b, V4);
    sent = end_fill(&a, 50000);
    assert_int_equal(end_ready(&a) & FD_WRITE, 0); /* B182 */
    want(&a, FD_WRITE);
    assert_int_equal(end_take_events(&a), 0);
    end_drain(&b, sent);
    end_await_events(&a, FD_WRITE); /* B167 */
    assert_int_equal(end_ready(&a) & FD_WRITE, FD_WRITE);
    pair_close(&a, &b);
}

/* Small sends, too, are whole or refused; then everything that was taken arrives. */
static void small_sends_are_taken_whole(void **state)
{
    struct end a, b;
    size_t sent;

    (void)state;
    pair_open(&a, &b, V4);
    sent = end_fill(&a, 1001);
    assert_int_equal(end_drain(&b, sent), sent);
    pair_close(&a, &b);
}

static void a_half_closed_socket_still_hears_of_room(void **state)
{
    struct end a, b;
    size_t sent;

    (void)state;
    pair_open(&a, &b, V4);
    sent = end_fill(&a, 50000);
    assert_int_equal(b.c->ops->shutdown(b.c, SD_SEND), 0);
    want(&a, FD_WRITE | FD_READ | FD_CLOSE);
    end_await_events(&a, FD_CLOSE);
    end_drain(&b, sent);
    end_await_events(&a, FD_WRITE);
    pair_close(&a, &b);
}

static void a_listener_hears_of_every_connection(void **state)
{
    struct end listener, a, b;

    (void)state;
    end_listen(&listener, V4);
    assert_int_equal(end_ready(&listener), 0);
    for (int i = 0; i < 3; i++) {
        want(&listener, FD_ACCEPT);
        assert_int_equal(end_take_events(&listener), 0);
        end_open(&a, V4, WS_SOCK_STREAM);
        end_connect(&a, &listener);
        end_await_events(&listener, FD_ACCEPT);
        assert_int_equal(end_ready(&listener), FD_ACCEPT); /* B177 */
        end_accept(&listener, &b);
        pair_close(&a, &b);
    }
    assert_int_equal(end_close(&listener, 0), 0);
}

static void nothing_to_accept_is_wouldblock(void **state)
{
    struct end listener, b;
    WSD_SOCKADDR_STORAGE remote;
    int bytes = 0;

    (void)state;
    end_listen(&listener, V4);
    assert_int_equal(listener.c->ops->accept(listener.c, &end_up, &b, &b.c, &remote, &bytes), WSAEWOULDBLOCK);
    assert_int_equal(end_close(&listener, 0), 0);
}

static void an_urgent_byte_is_reported(void **state)
{
    struct end a, b;
    struct op o;
    char byte = '!';

    (void)state;
    pair_open(&a, &b, V4);
    want(&b, FD_OOB);
    op_init(&o, &a, SW_REQUEST_SEND, &byte, 1, WS_MSG_OOB);
    assert_int_equal(op_block(&o), 0);
    end_await_events(&b, FD_OOB);
    op_init(&o, &b, SW_REQUEST_RECEIVE, &byte, 1, WS_MSG_OOB);
    assert_int_equal(op_now(&o), 0);
    assert_int_equal(byte, '!');
    pair_close(&a, &b);
}

/* An overlapped receive takes the data, so there is nothing to read (B162). */
static void a_pending_receive_comes_before_the_event(void **state)
{
    struct end a, b;
    struct op o;
    char text[4];

    (void)state;
    pair_open(&a, &b, V4);
    op_init(&o, &b, SW_REQUEST_RECEIVE, text, sizeof text, 0);
    assert_int_equal(op_submit(&o), WSA_IO_PENDING);
    want(&b, FD_READ);
    end_send(&a, "x", 1);
    op_await(&o);
    assert_int_equal(end_take_events(&b), 0);
    end_send(&a, "y", 1);
    end_await_events(&b, FD_READ);
    pair_close(&a, &b);
}

static void close_forgets_what_was_asked(void **state)
{
    struct end a, b;

    (void)state;
    pair_open(&a, &b, V4);
    want(&b, FD_READ | FD_CLOSE | FD_OOB);
    assert_int_equal(end_close(&b, SW_SESSION_LINGER_FOREVER), 0);
    assert_int_equal(b.event_calls, 0);
    assert_int_equal(end_close(&a, SW_SESSION_LINGER_FOREVER), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_true_already_is_reported_at_once),
        cmocka_unit_test(each_event_is_reported_once_per_question),
        cmocka_unit_test(the_peers_end_is_reported_with_bytes_unread),
        cmocka_unit_test(an_end_before_the_question_is_reported),
        cmocka_unit_test(a_reset_is_reported_as_aborted),
        cmocka_unit_test(room_is_reported_when_the_peer_has_read),
        cmocka_unit_test(small_sends_are_taken_whole),
        cmocka_unit_test(a_half_closed_socket_still_hears_of_room),
        cmocka_unit_test(a_listener_hears_of_every_connection),
        cmocka_unit_test(nothing_to_accept_is_wouldblock),
        cmocka_unit_test(an_urgent_byte_is_reported),
        cmocka_unit_test(a_pending_receive_comes_before_the_event),
        cmocka_unit_test(close_forgets_what_was_asked),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    sw_tcp_stop();
    return failed;
}
