/* test_tuning.c - what Linux does to an accepted socket: the options that pal_socket_listen() sets on the listener are those of
 * the connection, so pal_socket_accept() need not set them again (seven system calls of each connection). */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "pal/socket.h"
#include "pal/time.h"

static int option(pal_socket s, int level, int name)
{
    int value = -1;
    socklen_t room = sizeof value;
    assert_int_equal(getsockopt(s, level, name, &value, &room), 0);
    return value;
}

static pal_socket accept_one(pal_socket listener, const struct pal_socket_tuning *tuning,
                             struct pal_addr *from)
{
    pal_socket s = PAL_SOCKET_NONE;
    for (int i = 0; i < 1000 && pal_socket_accept(listener, tuning, from, &s) == PAL_NET_AGAIN; i++)
        pal_sleep_ms(10);
    return s;
}

static void an_accepted_socket_has_the_options_of_one_that_connected(void **state)
{
    (void)state;
    static const struct {
        int level, name;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY},  {IPPROTO_TCP, TCP_USER_TIMEOUT}, {SOL_SOCKET, SO_KEEPALIVE},
        {IPPROTO_TCP, TCP_KEEPIDLE}, {IPPROTO_TCP, TCP_KEEPINTVL},    {IPPROTO_TCP, TCP_KEEPCNT},
        {SOL_SOCKET, SO_SNDBUF},     {SOL_SOCKET, SO_RCVBUF},
    };
    const struct pal_socket_tuning tuning = {
        .send_buffer_bytes = 100000, .recv_buffer_bytes = 120000, .dead_peer_ms = 28000};
    struct pal_addr any = {.family = 4, .ip = {127, 0, 0, 1}}, at = any, local, from;
    pal_socket listener, a, b;

    assert_int_equal(pal_socket_listen(&at, 1, &tuning, &listener), PAL_NET_OK);
    assert_true(pal_socket_addrs(listener, &at, NULL));
    assert_int_equal(pal_socket_connect(&any, &at, &tuning, &a), PAL_NET_OK);
    b = accept_one(listener, &tuning, &from);
    assert_true(b != PAL_SOCKET_NONE);
    assert_true(pal_socket_addrs(a, &local, NULL));
    assert_int_equal(from.port, local.port);
    assert_int_equal(option(b, IPPROTO_TCP, TCP_USER_TIMEOUT), 28000);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        assert_int_equal(option(b, options[i].level, options[i].name),
                         option(a, options[i].level, options[i].name));
    pal_socket_close(a);
    pal_socket_close(b);
    pal_socket_close(listener);
}

/* Twice as much as is asked for, up to half of tcp_rmem's limit, which is 6 MB where nobody changed it. */
static void a_peer_may_send_ahead_and_the_first_byte_is_told(void **state)
{
    (void)state;
    const struct pal_socket_tuning tuning = {0};
    struct pal_addr any = {.family = 4, .ip = {127, 0, 0, 1}}, at = any;
    pal_socket listener, a;

    assert_int_equal(pal_socket_listen(&at, 1, &tuning, &listener), PAL_NET_OK);
    assert_true(pal_socket_addrs(listener, &at, NULL));
    assert_int_equal(pal_socket_connect(&any, &at, &tuning, &a), PAL_NET_OK);
    assert_true(option(a, SOL_SOCKET, SO_RCVBUF) < 1500000);
    pal_socket_recv_ahead(a, 1048576);
    assert_true(option(a, SOL_SOCKET, SO_RCVBUF) > 1500000);
    assert_int_equal(option(a, SOL_SOCKET, SO_RCVLOWAT), 1);
    pal_socket_close(a);
    pal_socket_close(listener);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_accepted_socket_has_the_options_of_one_that_connected),
        cmocka_unit_test(a_peer_may_send_ahead_and_the_first_byte_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
