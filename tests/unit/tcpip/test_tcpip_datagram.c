/* test_tcpip_datagram.c - datagrams: one at a time, whole or cut, and what Windows says of a port that nobody has. */
#include <string.h>

#include "fixture.h"

#define V4 WS_AF_INET

struct name {
    WSD_SOCKADDR_STORAGE at;
    int bytes;
};

static struct name name_of(struct end *e)
{
    struct name n = {.bytes = 0};

    assert_int_equal(e->c->ops->local(e->c, &n.at, &n.bytes), 0);
    return n;
}

static void open_bound(struct end *e, int family)
{
    end_open(e, family, WS_SOCK_DGRAM);
    end_bind_any(e, family);
}

static int send_to(struct end *e, struct name *to, const void *data, size_t bytes)
{
    struct op o;

    op_init(&o, e, SW_REQUEST_SEND, (void *)(uintptr_t)data, bytes, 0);
    if (to != NULL) {
        o.r.address = (WSD_SOCKADDR *)&to->at;
        o.r.address_bytes = &to->bytes;
    }
    return op_block(&o);
}

static int receive_from(struct end *e, struct name *from, void *data, size_t bytes, struct op *o)
{
    op_init(o, e, SW_REQUEST_RECEIVE, data, bytes, 0);
    if (from != NULL) {
        from->bytes = (int)sizeof from->at;
        o->r.address = (WSD_SOCKADDR *)&from->at;
        o->r.address_bytes = &from->bytes;
    }
    return op_block(o);
}

static void exchange(int family)
{
    struct end a, b;
    struct name from, at_a, at_b;
    struct op o;
    char text[16];

    open_bound(&a, family);
    open_bound(&b, family);
    at_a = name_of(&a);
    at_b = name_of(&b);
    assert_int_equal(send_to(&a, &at_b, "one", 3), 0);
    assert_int_equal(send_to(&a, &at_b, "", 0), 0);
    assert_int_equal(send_to(&a, &at_b, "three", 5), 0);
    assert_int_equal(receive_from(&b, &from, text, sizeof text, &o), 0);
    assert_int_equal(o.r.op.bytes, 3);
    assert_memory_equal(text, "one", 3);
    assert_int_equal(from.bytes, at_a.bytes);
    assert_memory_equal(&from.at, &at_a.at, (size_t)from.bytes);
    assert_int_equal(receive_from(&b, &from, text, sizeof text, &o), 0);
    assert_int_equal(o.r.op.bytes, 0);
    assert_int_equal(receive_from(&b, NULL, text, sizeof text, &o), 0);
    assert_int_equal(o.r.op.bytes, 5);
    pair_close(&a, &b);
}

static void datagrams_arrive_one_by_one_over_ipv4(void **state)
{
    (void)state;
    exchange(WS_AF_INET);
}

static void datagrams_arrive_one_by_one_over_ipv6(void **state)
{
    (void)state;
    exchange(WS_AF_INET6);
}

static void what_does_not_fit_is_lost_and_said(void **state)
{
    struct end a, b;
    struct name at_b, from;
    struct op o;
    char text[4];

    (void)state;
    open_bound(&a, V4);
    open_bound(&b, V4);
    at_b = name_of(&b);
    assert_int_equal(send_to(&a, &at_b, "too long", 8), 0);
    assert_int_equal(send_to(&a, &at_b, "next", 4), 0);
    assert_int_equal(receive_from(&b, &from, text, sizeof text, &o), WSAEMSGSIZE);
    assert_int_equal(o.r.op.bytes, 4);
    assert_int_equal(o.r.result_flags, WS_MSG_PARTIAL);
    assert_memory_equal(text, "too ", 4);
    assert_int_equal(receive_from(&b, &from, text, sizeof text, &o), 0);
    assert_memory_equal(text, "next", 4);
    pair_close(&a, &b);
}

static void a_datagram_that_is_too_long_is_not_sent(void **state)
{
    struct end a, b;
    struct name at_b;
    static char data[70000];

    (void)state;
    open_bound(&a, V4);
    open_bound(&b, V4);
    at_b = name_of(&b);
    assert_int_equal(send_to(&a, &at_b, data, sizeof data), WSAEMSGSIZE);
    pair_close(&a, &b);
}

static void overlapped_receives_take_one_datagram_each(void **state)
{
    struct end a, b;
    struct name at_b;
    struct op one, two;
    char memory[8];

    (void)state;
    open_bound(&a, V4);
    open_bound(&b, V4);
    at_b = name_of(&b);
    op_init(&one, &b, SW_REQUEST_RECEIVE, memory, 4, 0);
    op_init(&two, &b, SW_REQUEST_RECEIVE, memory + 4, 4, 0);
    assert_int_equal(op_submit(&one), WSA_IO_PENDING);
    assert_int_equal(op_submit(&two), WSA_IO_PENDING);
    assert_int_equal(send_to(&a, &at_b, "ab", 2), 0);
    op_await(&one);
    assert_int_equal(one.r.op.bytes, 2);
    assert_false(op_is_over(&two));
    assert_int_equal(send_to(&a, &at_b, "cut off", 7), 0);
    op_await(&two);
    assert_int_equal(two.r.op.error, WSAEMSGSIZE);
    pair_close(&a, &b);
}

static void a_connected_socket_has_a_peer_until_it_is_dissolved(void **state)
{
    struct end a, b, c;
    struct name at_a, at_b, nobody, got;
    struct op o;
    char text[4];

    (void)state;
    open_bound(&a, V4);
    open_bound(&b, V4);
    open_bound(&c, V4);
    at_a = name_of(&a);
    at_b = name_of(&b);
    assert_int_equal(send_to(&a, NULL, "x", 1), WSAENOTCONN);
    assert_int_equal(a.c->ops->peer(a.c, &got.at, &got.bytes), WSAENOTCONN);
    end_connect(&a, &b);
    assert_int_equal(a.c->ops->peer(a.c, &got.at, &got.bytes), 0);
    assert_memory_equal(&got.at, &at_b.at, (size_t)at_b.bytes);
    assert_int_equal(send_to(&c, &at_a, "no", 2), 0); /* not from the peer */
    assert_int_equal(send_to(&a, NULL, "x", 1), 0);
    assert_int_equal(receive_from(&b, NULL, text, sizeof text, &o), 0);
    assert_int_equal(send_to(&b, &at_a, "yes", 3), 0);
    assert_int_equal(receive_from(&a, NULL, text, sizeof text, &o), 0);
    assert_memory_equal(text, "yes", 3);
    memset(&nobody, 0, sizeof nobody);
    nobody.at.ss_family = WS_AF_INET;
    assert_int_equal(a.c->ops->connect(a.c, (WSD_SOCKADDR *)&nobody.at, sizeof(WSD_SOCKADDR_IN)), 0);
    assert_int_equal(a.c->ops->peer(a.c, &got.at, &got.bytes), WSAENOTCONN);
    assert_int_equal(end_close(&c, SW_SESSION_LINGER_FOREVER), 0);
    pair_close(&a, &b);
}

/* A port nobody has: taken and given back. */
static struct name unused_port(void)
{
    struct end e;
    struct name n;

    open_bound(&e, V4);
    n = name_of(&e);
    assert_int_equal(end_close(&e, SW_SESSION_LINGER_FOREVER), 0);
    return n;
}

static void events_are_as_for_streams(void **state)
{
    struct end a, b;
    struct name at_b;
    struct op o;
    char text[4];

    (void)state;
    open_bound(&a, V4);
    open_bound(&b, V4);
    at_b = name_of(&b);
    assert_int_equal(end_ready(&b), FD_WRITE);
    b.c->ops->want(b.c, FD_READ | FD_WRITE);
    assert_int_equal(end_take_events(&b), FD_WRITE);
    assert_int_equal(send_to(&a, &at_b, "x", 1), 0);
    end_await_events(&b, FD_READ);
    assert_int_equal(end_ready(&b), FD_WRITE | FD_READ);
    assert_int_equal(b.c->ops->readable(b.c), 1);
    op_init(&o, &b, SW_REQUEST_RECEIVE, text, sizeof text, 0);
    assert_int_equal(op_now(&o), 0);
    assert_int_equal(op_now(&o), WSAEWOULDBLOCK);
    assert_int_equal(end_ready(&b), FD_WRITE);
    pair_close(&a, &b);
}

static void a_port_that_nobody_has_is_a_reset_to_the_next_receive(void **state)
{
    struct end a, b;
    struct name nowhere = unused_port(), at_b;
    struct op o;
    char text[4];

    (void)state;
    if (test_system() == TEST_WINE)
        skip();
    open_bound(&a, V4);
    open_bound(&b, V4);
    at_b = name_of(&b);
    assert_int_equal(send_to(&a, &nowhere, "x", 1), 0);
    end_await_ready(&a, FD_READ);
    assert_int_equal(send_to(&a, &at_b, "y", 1), 0); /* a send neither fails for it nor makes it forgotten */
    assert_int_equal(receive_from(&a, NULL, text, sizeof text, &o), WSAECONNRESET);
    op_init(&o, &a, SW_REQUEST_RECEIVE, text, sizeof text, 0);
    assert_int_equal(op_now(&o), WSAEWOULDBLOCK); /* said once */
    assert_int_equal(end_ready(&a), FD_WRITE);
    assert_int_equal(receive_from(&b, NULL, text, sizeof text, &o), 0);
    pair_close(&a, &b);
}

static void a_pending_receive_hears_of_the_reset(void **state)
{
    struct end a;
    struct name nowhere = unused_port();
    struct op o;
    char text[4];

    (void)state;
    if (test_system() == TEST_WINE)
        skip();
    open_bound(&a, V4);
    op_init(&o, &a, SW_REQUEST_RECEIVE, text, sizeof text, 0);
    assert_int_equal(op_submit(&o), WSA_IO_PENDING);
    assert_int_equal(send_to(&a, &nowhere, "x", 1), 0);
    op_await(&o);
    assert_int_equal(o.r.op.error, WSAECONNRESET);
    assert_int_equal(end_close(&a, SW_SESSION_LINGER_FOREVER), 0);
}

static void the_reset_can_be_switched_off(void **state)
{
    struct end a, b;
    struct name nowhere = unused_port(), at_a;
    struct op o;
    char text[4];
    BOOL off = 0;
    DWORD returned = 1;

    (void)state;
    open_bound(&a, V4);
    open_bound(&b, V4);
    at_a = name_of(&a);
    assert_int_equal(
        a.c->ops->ioctl(a.c, 0x9800000Cu /* SIO_UDP_CONNRESET */, &off, sizeof off, NULL, 0, &returned), 0);
    assert_int_equal(returned, 0);
    assert_int_equal(send_to(&a, &nowhere, "x", 1), 0);
    assert_int_equal(send_to(&b, &at_a, "ok", 2), 0);
    assert_int_equal(receive_from(&a, NULL, text, sizeof text, &o), 0);
    assert_int_equal(o.r.op.bytes, 2);
    pair_close(&a, &b);
}

static void a_group_receives_what_is_sent_to_it(void **state)
{
    struct end a, b;
    struct name to;
    struct op o;
    char text[8];
    unsigned char member[8] = {239, 77, 3, 9, 127, 0, 0, 1}; /* group, interface */
    int bytes = 4;

    (void)state;
    open_bound(&a, V4);
    end_open(&b, V4, WS_SOCK_DGRAM);
    memset(&to, 0, sizeof to);
    to.at.ss_family = WS_AF_INET;
    to.bytes = sizeof(WSD_SOCKADDR_IN);
    assert_int_equal(b.c->ops->bind(b.c, (WSD_SOCKADDR *)&to.at, to.bytes), 0);
    to = name_of(&b);
    memcpy((char *)&to.at + 4, member, 4);
    assert_int_equal(b.c->ops->set_option(b.c, 0, 12 /* IP_ADD_MEMBERSHIP */, (char *)member, sizeof member),
                     0);
    assert_int_equal(a.c->ops->set_option(a.c, 0, 9 /* IP_MULTICAST_IF */, (char *)member + 4, 4), 0);
    assert_int_equal(b.c->ops->get_option(b.c, 0, 12, (char *)member, &bytes), WSAENOPROTOOPT); /* B197 */
    assert_int_equal(send_to(&a, &to, "group", 5), 0);
    assert_int_equal(receive_from(&b, NULL, text, sizeof text, &o), 0);
    assert_memory_equal(text, "group", 5);
    assert_int_equal(b.c->ops->set_option(b.c, 0, 13 /* IP_DROP_MEMBERSHIP */, (char *)member, sizeof member),
                     0);
    pair_close(&a, &b);
}

static void broadcast_must_be_asked_for(void **state)
{
    struct end a;
    struct name to = {.bytes = sizeof(WSD_SOCKADDR_IN)};
    int on = 1;

    (void)state;
    end_open(&a, V4, WS_SOCK_DGRAM);
    memset(&to.at, 0, sizeof to.at);
    to.at.ss_family = WS_AF_INET;
    assert_int_equal(a.c->ops->bind(a.c, (WSD_SOCKADDR *)&to.at, to.bytes), 0);
    memcpy((char *)&to.at + 4, "\x7F\xFF\xFF\xFF", 4); /* of the loopback network */
    ((char *)&to.at)[3] = 9;
    assert_int_equal(send_to(&a, &to, "x", 1), WSAEACCES);
    assert_int_equal(a.c->ops->set_option(a.c, WS_SOL_SOCKET, WS_SO_BROADCAST, (char *)&on, sizeof on), 0);
    assert_int_equal(send_to(&a, &to, "x", 1), 0);
    assert_int_equal(end_close(&a, SW_SESSION_LINGER_FOREVER), 0);
}

static void more_pieces_than_one_datagram_can_have_are_refused(void **state)
{
    struct end a, b;
    struct name at_b;
    struct op o;
    WSABUF buffers[100];
    char data[100] = {0};

    (void)state;
    open_bound(&a, V4);
    open_bound(&b, V4);
    at_b = name_of(&b);
    for (unsigned i = 0; i < 100; i++) {
        buffers[i].buf = &data[i];
        buffers[i].len = 1;
    }
    op_init(&o, &a, SW_REQUEST_SEND, NULL, 0, 0);
    o.r.op.buffers = buffers;
    o.r.op.buffer_count = 100;
    o.r.address = (WSD_SOCKADDR *)&at_b.at;
    o.r.address_bytes = &at_b.bytes;
    assert_int_equal(op_submit(&o), WSAENOBUFS);
    o.r.op.buffer_count = 40;
    assert_int_equal(op_submit(&o), 0);
    assert_int_equal(receive_from(&b, NULL, data, sizeof data, &o), 0);
    assert_int_equal(o.r.op.bytes, 40);
    pair_close(&a, &b);
}

static void after_sd_send_no_datagram_leaves(void **state)
{
    struct end a, b;
    struct name at_b;

    (void)state;
    open_bound(&a, V4);
    open_bound(&b, V4);
    at_b = name_of(&b);
    assert_int_equal(a.c->ops->shutdown(a.c, SD_SEND), 0);
    assert_int_equal(send_to(&a, &at_b, "x", 1), WSAESHUTDOWN);
    pair_close(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_arrive_one_by_one_over_ipv4),
        cmocka_unit_test(datagrams_arrive_one_by_one_over_ipv6),
        cmocka_unit_test(what_does_not_fit_is_lost_and_said),
        cmocka_unit_test(a_datagram_that_is_too_long_is_not_sent),
        cmocka_unit_test(overlapped_receives_take_one_datagram_each),
        cmocka_unit_test(a_connected_socket_has_a_peer_until_it_is_dissolved),
        cmocka_unit_test(events_are_as_for_streams),
        cmocka_unit_test(a_port_that_nobody_has_is_a_reset_to_the_next_receive),
        cmocka_unit_test(a_pending_receive_hears_of_the_reset),
        cmocka_unit_test(the_reset_can_be_switched_off),
        cmocka_unit_test(a_group_receives_what_is_sent_to_it),
        cmocka_unit_test(broadcast_must_be_asked_for),
        cmocka_unit_test(more_pieces_than_one_datagram_can_have_are_refused),
        cmocka_unit_test(after_sd_send_no_datagram_leaves),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    sw_tcp_stop();
    return failed;
}
