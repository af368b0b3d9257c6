/* test_tcpip_options.c - options, control codes, names, and what is asked of the host. */
#include <string.h>

#include "fixture.h"

#define V4 WS_AF_INET

static int set(struct end *e, int level, int name, int value)
{
    return e->c->ops->set_option(e->c, level, name, (const char *)&value, sizeof value);
}

static int get(struct end *e, int level, int name)
{
    int value = 0, bytes = sizeof value;

    assert_int_equal(e->c->ops->get_option(e->c, level, name, (char *)&value, &bytes), 0);
    assert_true(bytes == (int)sizeof value || bytes == 1); /* flags: Windows answers some in one byte */
    return value;
}

static void numbers_read_back_as_they_were_set(void **state)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {WS_SOL_SOCKET, WS_SO_SNDBUF, 30000},     {WS_SOL_SOCKET, WS_SO_RCVBUF, 40000}, /* trap 2 */
        {WS_SOL_SOCKET, WS_SO_KEEPALIVE, 1},      {WS_SOL_SOCKET, WS_SO_OOBINLINE, 1},
        {WS_SOL_SOCKET, WS_SO_REUSEADDR, 1},      {WS_IPPROTO_TCP, WS_TCP_NODELAY, 1},
        {0 /* IPPROTO_IP */, 4 /* IP_TTL */, 77},
    };
    struct end e;

    (void)state;
    end_open(&e, V4, WS_SOCK_STREAM);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        assert_int_equal(set(&e, options[i].level, options[i].name, options[i].value), 0);
        assert_int_equal(get(&e, options[i].level, options[i].name), options[i].value);
    }
    assert_int_equal(get(&e, WS_SOL_SOCKET, WS_SO_TYPE), WS_SOCK_STREAM);
    assert_int_equal(get(&e, WS_SOL_SOCKET, WS_SO_ERROR), 0);
    assert_int_equal(end_close(&e, 0), 0);
}

static void lengths_are_checked(void **state)
{
    struct end e;
    char value[4] = {0, 1, 0, 0};
    int bytes = 1;

    (void)state;
    end_open(&e, V4, WS_SOCK_STREAM);
    assert_int_equal(e.c->ops->set_option(e.c, WS_IPPROTO_TCP, WS_TCP_NODELAY, value, 0), WSAEFAULT);
    assert_int_equal(e.c->ops->set_option(e.c, WS_IPPROTO_TCP, WS_TCP_NODELAY, value, 4), 0);
    assert_int_equal(get(&e, WS_IPPROTO_TCP, WS_TCP_NODELAY), 0); /* B191: the low byte only */
    assert_int_equal(e.c->ops->set_option(e.c, WS_SOL_SOCKET, WS_SO_SNDBUF, value, 1), WSAEFAULT);
    assert_int_equal(e.c->ops->get_option(e.c, WS_SOL_SOCKET, WS_SO_ERROR, value, &bytes), WSAEFAULT);
    assert_int_equal(end_close(&e, 0), 0);
}

static void unknown_and_read_only_options_are_refused(void **state)
{
    struct end e;
    int value = 1, bytes = sizeof value;

    (void)state;
    end_open(&e, V4, WS_SOCK_STREAM);
    assert_int_equal(set(&e, WS_SOL_SOCKET, 0x6F01, 1), WSAENOPROTOOPT);
    assert_int_equal(e.c->ops->get_option(e.c, WS_SOL_SOCKET, 0x6F01, (char *)&value, &bytes),
                     WSAENOPROTOOPT);
    assert_int_equal(set(&e, WS_SOL_SOCKET, WS_SO_ACCEPTCONN, 1), WSAENOPROTOOPT); /* B034 */
    assert_int_equal(set(&e, 0, 10 /* IP_MULTICAST_TTL */, 3), WSAEINVAL);         /* B197 */
    assert_int_equal(end_close(&e, 0), 0);
}

static void the_two_rules_for_addresses_exclude_each_other(void **state)
{
    struct end e;

    (void)state;
    end_open(&e, V4, WS_SOCK_STREAM);
    assert_int_equal(set(&e, WS_SOL_SOCKET, WS_SO_REUSEADDR, 1), 0);
    assert_int_equal(set(&e, WS_SOL_SOCKET, WS_SO_EXCLUSIVEADDRUSE, 1), WSAEINVAL); /* B028 */
    assert_int_equal(set(&e, WS_SOL_SOCKET, WS_SO_REUSEADDR, 0), 0);
    assert_int_equal(set(&e, WS_SOL_SOCKET, WS_SO_EXCLUSIVEADDRUSE, 1), 0);
    assert_int_equal(set(&e, WS_SOL_SOCKET, WS_SO_REUSEADDR, 1), WSAEINVAL);
    assert_int_equal(end_close(&e, 0), 0);
}

static void an_accepted_socket_inherits(void **state)
{
    struct end listener, a, b;

    (void)state;
    end_listen(&listener, V4);
    assert_int_equal(get(&listener, WS_SOL_SOCKET, WS_SO_ACCEPTCONN), 1); /* B033 */
    assert_int_equal(set(&listener, WS_SOL_SOCKET, WS_SO_RCVBUF, 30000), 0);
    assert_int_equal(set(&listener, WS_SOL_SOCKET, WS_SO_KEEPALIVE, 1), 0);
    assert_int_equal(set(&listener, WS_SOL_SOCKET, WS_SO_OOBINLINE, 1), 0);
    end_open(&a, V4, WS_SOCK_STREAM);
    end_connect(&a, &listener);
    end_accept(&listener, &b);
    assert_int_equal(get(&b, WS_SOL_SOCKET, WS_SO_RCVBUF), 30000); /* B040 */
    assert_int_equal(get(&b, WS_SOL_SOCKET, WS_SO_KEEPALIVE), 1);
    assert_int_equal(get(&b, WS_SOL_SOCKET, WS_SO_OOBINLINE), 1);
    assert_int_equal(get(&b, WS_SOL_SOCKET, WS_SO_ACCEPTCONN), 0);
    assert_int_equal(end_close(&listener, 0), 0);
    pair_close(&a, &b);
}

static void control_codes(void **state)
{
    struct end a, b;
    ULONG alive[3] = {1, 5000, 1000};
    DWORD returned = 7;

    (void)state;
    pair_open(&a, &b, V4);
    assert_int_equal(a.c->ops->ioctl(a.c, SIO_KEEPALIVE_VALS, alive, sizeof alive, NULL, 0, &returned), 0);
    assert_int_equal(returned, 0);
    assert_int_equal(a.c->ops->ioctl(a.c, SIO_KEEPALIVE_VALS, alive, 8, NULL, 0, &returned),
                     WSAEFAULT); /* B208 */
    assert_int_equal(a.c->ops->ioctl(a.c, 0x98001234u, alive, sizeof alive, NULL, 0, &returned),
                     WSAEOPNOTSUPP);
    assert_int_equal(b.c->ops->readable(b.c), 0);
    end_send(&a, "four", 4);
    end_await_ready(&b, FD_READ);
    assert_int_equal(b.c->ops->readable(b.c), 4);
    pair_close(&a, &b);
}

/* --- names ---------------------------------------------------------------------------------------------- */

static void what_is_not_bound_has_no_name(void **state)
{
    struct end e;
    WSD_SOCKADDR_STORAGE name;
    WSD_SOCKADDR_IN in;
    int bytes = 0;

    (void)state;
    end_open(&e, V4, WS_SOCK_STREAM);
    assert_int_equal(e.c->ops->local(e.c, &name, &bytes), WSAEINVAL);
    assert_int_equal(e.c->ops->peer(e.c, &name, &bytes), WSAENOTCONN);
    assert_int_equal(e.c->ops->listen(e.c, 1), WSAEINVAL); /* B031 */
    memset(&name, 0, sizeof name);
    name.ss_family = WS_AF_INET;
    assert_int_equal(e.c->ops->bind(e.c, NULL, sizeof in), WSAEFAULT);                           /* B019 */
    assert_int_equal(e.c->ops->bind(e.c, (WSD_SOCKADDR *)&name, (int)sizeof in - 1), WSAEFAULT); /* B020 */
    assert_int_equal(e.c->ops->bind(e.c, (WSD_SOCKADDR *)&name, (int)sizeof in), 0);
    assert_int_equal(e.c->ops->local(e.c, &name, &bytes), 0);
    assert_int_equal(bytes, sizeof in); /* B025 */
    memcpy(&in, &name, sizeof in);
    assert_int_equal(in.sin_family, WS_AF_INET);
    assert_int_equal(in.sin_addr.s_addr, 0);
    assert_int_not_equal(in.sin_port, 0);
    assert_int_equal(e.c->ops->bind(e.c, (WSD_SOCKADDR *)&name, bytes), WSAEINVAL);
    assert_int_equal(end_close(&e, 0), 0);
}

static int bind_to_port_of(struct end *e, struct end *of)
{
    WSD_SOCKADDR_STORAGE name;
    int bytes = 0;

    assert_int_equal(of->c->ops->local(of->c, &name, &bytes), 0);
    end_open(e, V4, WS_SOCK_STREAM);
    return e->c->ops->bind(e->c, (WSD_SOCKADDR *)&name, bytes);
}

static void a_port_belongs_to_one_socket(void **state)
{
    struct end a, b, listener;

    (void)state;
    end_open(&a, V4, WS_SOCK_STREAM);
    end_bind_any(&a, V4);
    assert_int_equal(bind_to_port_of(&b, &a), WSAEADDRINUSE); /* B024 */
    assert_int_equal(end_close(&b, 0), 0);
    assert_int_equal(end_close(&a, 0), 0);
    end_listen(&listener, V4);
    assert_int_equal(bind_to_port_of(&b, &listener), WSAEADDRINUSE);
    assert_int_equal(end_close(&b, 0), 0);
    assert_int_equal(end_close(&listener, 0), 0);
}

static void a_port_is_shared_by_two_who_want_to(void **state)
{
    struct end a, b;
    WSD_SOCKADDR_STORAGE name;
    int bytes = 0;

    (void)state;
    end_open(&a, V4, WS_SOCK_STREAM);
    end_open(&b, V4, WS_SOCK_STREAM);
    assert_int_equal(set(&a, WS_SOL_SOCKET, WS_SO_REUSEADDR, 1), 0);
    assert_int_equal(set(&b, WS_SOL_SOCKET, WS_SO_REUSEADDR, 1), 0);
    end_bind_any(&a, V4);
    assert_int_equal(a.c->ops->local(a.c, &name, &bytes), 0);
    assert_int_equal(b.c->ops->bind(b.c, (WSD_SOCKADDR *)&name, bytes), 0); /* B030 */
    assert_int_equal(end_close(&a, 0), 0);
    assert_int_equal(end_close(&b, 0), 0);
}

/* A server that starts again gets its port, whatever its connections of before are doing. */
static void a_port_with_old_connections_can_be_listened_on_again(void **state)
{
    struct end a, b, listener, again;

    (void)state;
    end_listen(&listener, V4);
    end_open(&a, V4, WS_SOCK_STREAM);
    end_connect(&a, &listener);
    end_accept(&listener, &b);
    assert_int_equal(end_close(&listener, 0), 0);
    assert_int_equal(bind_to_port_of(&again, &b), 0); /* a connection lives on */
    assert_int_equal(again.c->ops->listen(again.c, 1), 0);
    assert_int_equal(end_close(&b, SW_SESSION_LINGER_FOREVER),
                     0); /* closes first: its port is in TIME_WAIT */
    assert_int_equal(end_close(&a, SW_SESSION_LINGER_FOREVER), 0);
    assert_int_equal(bind_to_port_of(&b, &again), WSAEADDRINUSE);
    assert_int_equal(end_close(&b, 0), 0);
    assert_int_equal(end_close(&again, 0), 0);
}

static void a_foreign_address_cannot_be_bound(void **state)
{
    struct end e;
    WSD_SOCKADDR_IN in;

    (void)state;
    end_open(&e, V4, WS_SOCK_STREAM);
    memset(&in, 0, sizeof in);
    in.sin_family = WS_AF_INET;
    memcpy(&in.sin_addr, "\xC0\x00\x02\x01", 4); /* 192.0.2.1, RFC 5737 */
    assert_int_equal(e.c->ops->bind(e.c, (WSD_SOCKADDR *)&in, sizeof in), WSAEADDRNOTAVAIL); /* B022 */
    assert_int_equal(end_close(&e, 0), 0);
}

/* --- the host ------------------------------------------------------------------------------------------- */

static void the_way_to_this_host_is_its_own_address(void **state)
{
    WSD_SOCKADDR_IN to, from;
    WSD_SOCKADDR_STORAGE local;
    int bytes = 0;

    (void)state;
    memset(&to, 0, sizeof to);
    to.sin_family = WS_AF_INET;
    to.sin_port = 0x1234;
    memcpy(&to.sin_addr, "\x7F\0\0\x01", 4);
    assert_int_equal(sw_tcp_route((WSD_SOCKADDR *)&to, sizeof to, &local, &bytes), 0);
    assert_int_equal(bytes, sizeof from);
    memcpy(&from, &local, sizeof from);
    assert_memory_equal(&from.sin_addr, &to.sin_addr, 4);
    assert_int_equal(from.sin_port, 0);
    assert_int_equal(sw_tcp_route((WSD_SOCKADDR *)&to, 3, &local, &bytes), WSAEFAULT);
}

static void the_address_list_has_no_loopback(void **state)
{
    WSD_SOCKADDR_STORAGE list[64];
    unsigned n = sw_tcp_addresses(WS_AF_INET, list, 64);

    (void)state;
    assert_true(n <= 64);
    assert_int_equal(sw_tcp_addresses(WS_AF_INET, NULL, 0), n);
    for (unsigned i = 0; i < n; i++) { /* contract 10.3 */
        assert_int_equal(list[i].ss_family, WS_AF_INET);
        assert_int_not_equal(((unsigned char *)&list[i])[4], 127);
    }
    n = sw_tcp_addresses(WS_AF_INET6, list, 64);
    for (unsigned i = 0; i < n && i < 64; i++)
        assert_int_equal(list[i].ss_family, WS_AF_INET6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_read_back_as_they_were_set),
        cmocka_unit_test(lengths_are_checked),
        cmocka_unit_test(unknown_and_read_only_options_are_refused),
        cmocka_unit_test(the_two_rules_for_addresses_exclude_each_other),
        cmocka_unit_test(an_accepted_socket_inherits),
        cmocka_unit_test(control_codes),
        cmocka_unit_test(what_is_not_bound_has_no_name),
        cmocka_unit_test(a_port_belongs_to_one_socket),
        cmocka_unit_test(a_port_is_shared_by_two_who_want_to),
        cmocka_unit_test(a_port_with_old_connections_can_be_listened_on_again),
        cmocka_unit_test(a_foreign_address_cannot_be_bound),
        cmocka_unit_test(the_way_to_this_host_is_its_own_address),
        cmocka_unit_test(the_address_list_has_no_loopback),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    sw_tcp_stop();
    return failed;
}
