/* test_tcpip_stream.c - streams: data both ways, order, flags, shutdown, reset, close. */
#include <string.h>

#include "fixture.h"

#include "pal/thread.h"
#include "pal/time.h"

#define V4 WS_AF_INET

static void talk(int family)
{
    struct end a, b;
    char text[16];
    WSD_SOCKADDR_STORAGE la, pb;
    int n = 0, m = 0;

    pair_open(&a, &b, family);
    end_send(&a, "hello", 5);
    end_receive(&b, text, 5);
    assert_memory_equal(text, "hello", 5);
    end_send(&b, "world!", 6);
    end_receive(&a, text, 6);
    assert_memory_equal(text, "world!", 6);
    assert_int_equal(a.c->ops->local(a.c, &la, &n), 0);
    assert_int_equal(b.c->ops->peer(b.c, &pb, &m), 0);
    assert_int_equal(n, m);
    assert_memory_equal(&la, &pb, (size_t)n);
    pair_close(&a, &b);
}

static void bytes_go_both_ways_over_ipv4(void **state)
{
    (void)state;
    talk(WS_AF_INET);
}

static void bytes_go_both_ways_over_ipv6(void **state)
{
    (void)state;
    talk(WS_AF_INET6);
}

static void a_pending_receive_completes_and_the_next_stays(void **state)
{
    struct end a, b;
    struct op first, second;
    char one[8], two[8];

    (void)state;
    pair_open(&a, &b, V4);
    op_init(&first, &b, SW_REQUEST_RECEIVE, one, sizeof one, 0);
    op_init(&second, &b, SW_REQUEST_RECEIVE, two, sizeof two, 0);
    assert_int_equal(op_submit(&first), WSA_IO_PENDING);
    assert_int_equal(op_submit(&second), WSA_IO_PENDING);
    end_send(&a, "abc", 3);
    op_await(&first); /* B113 */
    assert_int_equal(first.r.op.error, 0);
    assert_int_equal(first.r.op.bytes, 3);
    assert_false(op_is_over(&second));
    assert_int_equal(end_close(&a, SW_SESSION_LINGER_FOREVER), 0);
    op_await(&second); /* B114 */
    assert_int_equal(second.r.op.error, 0);
    assert_int_equal(second.r.op.bytes, 0);
    assert_int_equal(end_close(&b, SW_SESSION_LINGER_FOREVER), 0);
}

static void buffers_are_filled_in_order(void **state)
{
    struct end a, b;
    struct op o;
    char one[2], two[4];
    WSABUF buffers[2] = {{sizeof one, one}, {sizeof two, two}};

    (void)state;
    pair_open(&a, &b, V4);
    end_send(&a, "abcdef", 6);
    op_init(&o, &b, SW_REQUEST_RECEIVE, NULL, 0, WS_MSG_WAITALL);
    o.r.op.buffers = buffers;
    o.r.op.buffer_count = 2;
    assert_int_equal(op_block(&o), 0); /* B093 */
    assert_int_equal(o.r.op.bytes, 6);
    assert_memory_equal(one, "ab", 2);
    assert_memory_equal(two, "cdef", 4);
    pair_close(&a, &b);
}

static void more_buffers_than_the_system_takes_at_once_are_all_sent(void **state)
{
    struct end a, b;
    struct op o;
    static char data[200];
    char got[200];
    WSABUF buffers[200];

    (void)state;
    pair_open(&a, &b, V4);
    for (unsigned i = 0; i < 200; i++) {
        data[i] = (char)i;
        buffers[i].buf = &data[i];
        buffers[i].len = 1;
    }
    op_init(&o, &a, SW_REQUEST_SEND, NULL, 0, 0);
    o.r.op.buffers = buffers;
    o.r.op.buffer_count = 200;
    assert_int_equal(op_block(&o), 0);
    assert_int_equal(o.r.op.bytes, 200);
    end_receive(&b, got, sizeof got);
    assert_memory_equal(got, data, sizeof got);
    pair_close(&a, &b);
}

static void peek_leaves_the_bytes(void **state)
{
    struct end a, b;
    struct op o;
    char text[4] = {0};

    (void)state;
    pair_open(&a, &b, V4);
    end_send(&a, "xyz", 3);
    op_init(&o, &b, SW_REQUEST_RECEIVE, text, sizeof text, WS_MSG_PEEK);
    assert_int_equal(op_block(&o), 0); /* B094 */
    assert_int_equal(o.r.op.bytes, 3);
    memset(text, 0, sizeof text);
    end_receive(&b, text, 3);
    assert_memory_equal(text, "xyz", 3);
    pair_close(&a, &b);
}

static void an_empty_receive_waits_and_takes_nothing(void **state)
{
    struct end a, b;
    struct op o;
    char text[4];

    (void)state;
    pair_open(&a, &b, V4);
    op_init(&o, &b, SW_REQUEST_RECEIVE, text, 0, 0);
    assert_int_equal(op_submit(&o), WSA_IO_PENDING); /* B100 */
    end_send(&a, "q", 1);
    op_await(&o);
    assert_int_equal(o.r.op.bytes, 0);
    end_receive(&b, text, 1);
    assert_int_equal(text[0], 'q');
    pair_close(&a, &b);
}

static void without_a_connection_nothing_is_taken(void **state)
{
    struct end e;
    struct op o;
    char byte = 0;

    (void)state;
    end_open(&e, V4, WS_SOCK_STREAM);
    op_init(&o, &e, SW_REQUEST_SEND, &byte, 0, 0);
    assert_int_equal(op_submit(&o), WSAENOTCONN); /* B090 */
    op_init(&o, &e, SW_REQUEST_RECEIVE, &byte, 1, 0);
    assert_int_equal(op_now(&o), WSAENOTCONN);
    assert_int_equal(e.c->ops->shutdown(e.c, SD_SEND), WSAENOTCONN);
    assert_int_equal(end_ready(&e), 0); /* B176 */
    assert_int_equal(end_close(&e, SW_SESSION_LINGER_FOREVER), 0);
}

static void a_refused_connection_is_reported_and_another_try_works(void **state)
{
    struct end e, listener, b;
    WSD_SOCKADDR_STORAGE name;
    int bytes = 0, code;

    (void)state;
    end_listen(&listener, V4);
    assert_int_equal(listener.c->ops->local(listener.c, &name, &bytes), 0);
    assert_int_equal(end_close(&listener, 0), 0);
    end_open(&e, V4, WS_SOCK_STREAM);
    code = e.c->ops->connect(e.c, (WSD_SOCKADDR *)&name, bytes);
    if (code == WSA_IO_PENDING) {
        end_await_events(&e, FD_CONNECT);
        code = e.event_error;
    }
    assert_int_equal(code, WSAECONNREFUSED);
    assert_int_equal(e.c->ops->ready(e.c).events, 0);
    end_listen(&listener, V4);
    end_connect(&e, &listener); /* B054 */
    assert_int_equal(e.c->ops->ready(e.c).connect_error, 0);
    end_accept(&listener, &b);
    assert_int_equal(end_close(&listener, 0), 0);
    pair_close(&e, &b);
}

static void a_connection_is_made_once(void **state)
{
    struct end a, b, listener;
    WSD_SOCKADDR_STORAGE name;
    int bytes = 0;

    (void)state;
    pair_open(&a, &b, V4);
    end_listen(&listener, V4);
    assert_int_equal(listener.c->ops->local(listener.c, &name, &bytes), 0);
    assert_int_equal(a.c->ops->connect(a.c, (WSD_SOCKADDR *)&name, bytes), WSAEISCONN); /* B051 */
    assert_int_equal(b.c->ops->connect(b.c, (WSD_SOCKADDR *)&name, bytes), WSAEISCONN);
    assert_int_equal(listener.c->ops->connect(listener.c, (WSD_SOCKADDR *)&name, bytes), WSAEINVAL);
    assert_int_equal(a.c->ops->listen(a.c, 1), WSAEISCONN);
    assert_int_equal(end_close(&listener, 0), 0);
    pair_close(&a, &b);
}

/* --- shutdown ------------------------------------------------------------------------------------------- */

static void after_sd_send_the_other_way_goes_on(void **state)
{
    struct end a, b;
    struct op o;
    char text[4];
    size_t got = 1;

    (void)state;
    pair_open(&a, &b, V4);
    end_send(&a, "x", 1);
    assert_int_equal(a.c->ops->shutdown(a.c, SD_SEND), 0);
    assert_int_equal(a.c->ops->shutdown(a.c, SD_SEND), 0); /* B134 */
    end_receive(&b, text, 1);
    assert_int_equal(end_receive_some(&b, text, 1, &got), 0); /* B137 */
    assert_int_equal(got, 0);
    end_send(&b, "back", 4);
    end_receive(&a, text, 4);
    op_init(&o, &a, SW_REQUEST_SEND, text, 1, 0);
    assert_int_equal(op_submit(&o), WSAESHUTDOWN);
    assert_true((end_ready(&a) & FD_CLOSE) == 0); /* its own end breaks nothing */
    pair_close(&a, &b);
}

static void sd_receive_leaves_a_pending_receive_alive(void **state)
{
    struct end a, b;
    struct op pending, later;
    char text[4];

    (void)state;
    pair_open(&a, &b, V4);
    op_init(&pending, &b, SW_REQUEST_RECEIVE, text, sizeof text, 0);
    assert_int_equal(op_submit(&pending), WSA_IO_PENDING);
    assert_int_equal(b.c->ops->shutdown(b.c, SD_RECEIVE), 0);
    op_init(&later, &b, SW_REQUEST_RECEIVE, text, sizeof text, 0);
    assert_int_equal(op_submit(&later), WSAESHUTDOWN); /* B136 */
    assert_int_equal(op_submit(&later), WSAESHUTDOWN);
    end_send(&a, "zz", 2);
    op_await(&pending); /* windows.md, trap 6 */
    assert_int_equal(pending.r.op.bytes, 2);
    pair_close(&a, &b);
}

static void the_peer_is_known_when_both_ways_have_ended(void **state)
{
    struct end a, b;
    WSD_SOCKADDR_STORAGE before, after;
    int n = 0, m = 0;

    (void)state;
    pair_open(&a, &b, V4);
    assert_int_equal(a.c->ops->peer(a.c, &before, &n), 0);
    assert_int_equal(a.c->ops->shutdown(a.c, SD_BOTH), 0);
    assert_int_equal(b.c->ops->shutdown(b.c, SD_BOTH), 0);
    end_await_ready(&a, FD_CLOSE);
    assert_int_equal(a.c->ops->shutdown(a.c, SD_BOTH), 0);
    assert_int_equal(a.c->ops->peer(a.c, &after, &m), 0); /* B140 */
    assert_int_equal(n, m);
    assert_memory_equal(&before, &after, (size_t)n);
    pair_close(&a, &b);
}

/* --- the end of a connection ---------------------------------------------------------------------------- */

static void an_abortive_close_is_a_reset_to_every_receive(void **state)
{
    struct end a, b;
    struct op pending, later;
    char byte;

    (void)state;
    pair_open(&a, &b, V4);
    op_init(&pending, &b, SW_REQUEST_RECEIVE, &byte, 1, 0);
    assert_int_equal(op_submit(&pending), WSA_IO_PENDING);
    assert_int_equal(end_close(&a, 0), 0);
    op_await(&pending);
    assert_int_equal(pending.r.op.error, WSAECONNRESET); /* B127 */
    for (int i = 0; i < 3; i++) {                        /* B142 */
        op_init(&later, &b, SW_REQUEST_RECEIVE, &byte, 1, 0);
        assert_int_equal(op_submit(&later), WSAECONNRESET);
        op_init(&later, &b, SW_REQUEST_SEND, &byte, 1, 0);
        assert_int_equal(op_now(&later), WSAECONNRESET);
    }
    assert_int_equal(end_close(&b, SW_SESSION_LINGER_FOREVER), 0);
}

static void after_a_reset_select_finds_it_readable_and_writable(void **state)
{
    struct end a, b;
    struct sw_ready ready;

    (void)state;
    pair_open(&a, &b, V4);
    assert_int_equal(end_close(&a, 0), 0);
    end_await_ready(&b, FD_CLOSE | FD_WRITE); /* B144 */
    ready = b.c->ops->ready(b.c);
    assert_int_equal(ready.close_error, WSAECONNABORTED); /* windows.md, trap 5 */
    assert_int_equal(ready.events & (FD_READ | FD_OOB), 0);
    assert_int_equal(end_close(&b, SW_SESSION_LINGER_FOREVER), 0);
}

static void close_takes_back_what_is_pending(void **state)
{
    struct end a, b;
    struct op one, two;
    char memory[2];

    (void)state;
    pair_open(&a, &b, V4);
    op_init(&one, &a, SW_REQUEST_RECEIVE, memory, 1, 0);
    op_init(&two, &a, SW_REQUEST_RECEIVE, memory + 1, 1, 0);
    assert_int_equal(op_submit(&one), WSA_IO_PENDING);
    assert_int_equal(op_submit(&two), WSA_IO_PENDING);
    a.c->ops->close(a.c, SW_SESSION_LINGER_FOREVER);
    op_await(&one); /* B120 */
    op_await(&two);
    assert_int_equal(one.r.op.error, WSA_OPERATION_ABORTED);
    assert_int_equal(two.r.op.error, WSA_OPERATION_ABORTED);
    end_await_closed(&a);
    assert_int_equal(end_close(&b, SW_SESSION_LINGER_FOREVER), 0);
}

/* What the system has not taken yet goes on after close(), and the peer reads all of it. */
static void what_was_sent_before_a_graceful_close_arrives(void **state)
{
    struct end a, b;
    size_t sent, got = 1;
    char byte;

    (void)state;
    pair_open(&a, &b, V4);
    sent = end_fill(&a, 50000);
    a.c->ops->close(a.c, SW_SESSION_LINGER_FOREVER);
    end_drain(&b, sent);
    assert_int_equal(end_receive_some(&b, &byte, 1, &got), 0);
    assert_int_equal(got, 0);
    end_await_closed(&a);
    assert_int_equal(end_close(&b, SW_SESSION_LINGER_FOREVER), 0);
}

static void the_end_of_sending_comes_after_what_was_sent(void **state)
{
    struct end a, b;
    size_t sent, got = 1;
    char byte;

    (void)state;
    pair_open(&a, &b, V4);
    sent = end_fill(&a, 50000);
    assert_int_equal(a.c->ops->shutdown(a.c, SD_SEND), 0);
    end_drain(&b, sent);
    assert_int_equal(end_receive_some(&b, &byte, 1, &got), 0);
    assert_int_equal(got, 0);
    pair_close(&a, &b);
}

static void a_linger_time_is_enough_when_the_peer_reads(void **state)
{
    struct end a, b;
    size_t sent;

    (void)state;
    pair_open(&a, &b, V4);
    sent = end_fill(&a, 50000);
    a.c->ops->close(a.c, TEST_MS);
    end_drain(&b, sent);
    end_await_closed(&a);
    assert_int_equal(a.closed_error, 0);
    assert_int_equal(end_close(&b, SW_SESSION_LINGER_FOREVER), 0);
}

static void a_linger_time_ends_with_a_reset_when_the_peer_does_not_read(void **state)
{
    struct end a, b;
    int code;
    size_t got;
    static char data[65536];

    (void)state;
    pair_open(&a, &b, V4);
    (void)end_fill(&a, 50000);
    assert_int_equal(end_close(&a, 20), WSAETIMEDOUT);
    do { /* no orderly end */
        code = end_receive_some(&b, data, sizeof data, &got);
    } while (code == 0 && got > 0);
    assert_int_equal(code, WSAECONNRESET);
    assert_int_equal(end_close(&b, SW_SESSION_LINGER_FOREVER), 0);
}

/* --- urgent data ---------------------------------------------------------------------------------------- */

static void urgent(struct end *e, char byte)
{
    struct op o;

    op_init(&o, e, SW_REQUEST_SEND, &byte, 1, WS_MSG_OOB);
    assert_int_equal(op_block(&o), 0);
}

static void an_urgent_byte_comes_beside_the_stream(void **state)
{
    struct end a, b;
    struct op o;
    char text[4] = {0};

    (void)state;
    pair_open(&a, &b, V4);
    op_init(&o, &b, SW_REQUEST_RECEIVE, text, 1, WS_MSG_OOB);
    assert_int_equal(op_now(&o), WSAEINVAL);
    assert_true(b.c->ops->at_mark(b.c)); /* B202 */
    end_send(&a, "ab", 2);
    urgent(&a, '!');
    end_await_ready(&b, FD_OOB | FD_READ);
    assert_false(b.c->ops->at_mark(b.c));
    op_init(&o, &b, SW_REQUEST_RECEIVE, text, 1, WS_MSG_OOB);
    assert_int_equal(op_now(&o), 0);
    assert_int_equal(text[0], '!');
    assert_int_equal(end_ready(&b) & FD_OOB, 0);
    end_receive(&b, text, 2);
    assert_memory_equal(text, "ab", 2);
    end_send(&a, "c", 1); /* nothing is broken by the question that had no answer */
    end_receive(&b, text, 1);
    pair_close(&a, &b);
}

static void inline_an_urgent_byte_is_one_of_the_stream(void **state)
{
    struct end a, b;
    struct op o;
    char text[4] = {0};
    const int on = 1;

    (void)state;
    pair_open(&a, &b, V4);
    assert_int_equal(b.c->ops->set_option(b.c, WS_SOL_SOCKET, WS_SO_OOBINLINE, (const char *)&on, sizeof on),
                     0);
    end_send(&a, "a", 1);
    urgent(&a, '!');
    end_await_ready(&b, FD_READ);
    assert_int_equal(end_ready(&b) & FD_OOB, 0);
    op_init(&o, &b, SW_REQUEST_RECEIVE, text, 1, WS_MSG_OOB);
    assert_int_equal(op_now(&o), WSAEINVAL); /* B216 */
    end_receive(&b, text, 2);
    assert_memory_equal(text, "a!", 2);
    pair_close(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways_over_ipv4),
        cmocka_unit_test(bytes_go_both_ways_over_ipv6),
        cmocka_unit_test(a_pending_receive_completes_and_the_next_stays),
        cmocka_unit_test(buffers_are_filled_in_order),
        cmocka_unit_test(more_buffers_than_the_system_takes_at_once_are_all_sent),
        cmocka_unit_test(peek_leaves_the_bytes),
        cmocka_unit_test(an_empty_receive_waits_and_takes_nothing),
        cmocka_unit_test(without_a_connection_nothing_is_taken),
        cmocka_unit_test(a_refused_connection_is_reported_and_another_try_works),
        cmocka_unit_test(a_connection_is_made_once),
        cmocka_unit_test(after_sd_send_the_other_way_goes_on),
        cmocka_unit_test(sd_receive_leaves_a_pending_receive_alive),
        cmocka_unit_test(the_peer_is_known_when_both_ways_have_ended),
        cmocka_unit_test(an_abortive_close_is_a_reset_to_every_receive),
        cmocka_unit_test(after_a_reset_select_finds_it_readable_and_writable),
        cmocka_unit_test(close_takes_back_what_is_pending),
        cmocka_unit_test(what_was_sent_before_a_graceful_close_arrives),
        cmocka_unit_test(the_end_of_sending_comes_after_what_was_sent),
        cmocka_unit_test(a_linger_time_is_enough_when_the_peer_reads),
        cmocka_unit_test(a_linger_time_ends_with_a_reset_when_the_peer_does_not_read),
        cmocka_unit_test(an_urgent_byte_comes_beside_the_stream),
        cmocka_unit_test(inline_an_urgent_byte_is_one_of_the_stream),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    sw_tcp_stop();
    return failed;
}
