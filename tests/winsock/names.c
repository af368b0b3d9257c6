/* names.c - bind, getsockname, getpeername: B019 to B030, B217. */
#include "wt.h"

static int bind_to(SOCKET s, const SOCKADDR_IN *name, int bytes)
{
    return bind(s, (const struct sockaddr *)name, bytes);
}

static void b019_bind_without_address(void **state)
{
    SOCKET s = wt_socket();

    (void)state;
    REFUSED(bind_to(s, NULL, sizeof(SOCKADDR_IN)), WSAEFAULT);
    REFUSED(bind_to(s, &wt_env.here, 0), WSAEFAULT);
}

static void b020_bind_one_byte_short(void **state)
{
    (void)state;
    REFUSED(bind_to(wt_socket(), &wt_env.here, sizeof(SOCKADDR_IN) - 1), WSAEFAULT);
}

static void b022_bind_to_a_foreign_address(void **state)
{
    SOCKADDR_IN foreign = wt_env.here;

    (void)state;
    foreign.sin_addr.s_addr = inet_addr("192.0.2.1"); /* TEST-NET-1, RFC 5737: nobody has it */
    REFUSED(bind_to(wt_socket(), &foreign, sizeof(foreign)), WSAEADDRNOTAVAIL);
}

static void b024_bind_to_what_is_taken(void **state)
{
    SOCKADDR_IN name;

    (void)state;
    (void)wt_bound(&name);
    REFUSED(bind_to(wt_socket(), &name, sizeof(name)), WSAEADDRINUSE);
}

static void b025_port_0_becomes_a_port(void **state)
{
    static const char zeros[8];
    SOCKADDR_IN name, any = wt_env.here;
    int bytes = sizeof(name);
    SOCKET s = wt_bound(&name);

    (void)state;
    assert_int_not_equal(name.sin_port, 0);
    assert_int_equal(name.sin_addr.s_addr, wt_env.here.sin_addr.s_addr);
    wt_close(s);
    s = wt_socket();
    any.sin_addr.s_addr = INADDR_ANY;
    OK(bind_to(s, &any, sizeof(any)));
    memset(&name, 0x5A, sizeof(name));
    OK(getsockname(s, (struct sockaddr *)&name, &bytes));
    assert_int_not_equal(name.sin_port, 0);
    assert_int_equal(name.sin_addr.s_addr, INADDR_ANY);
    assert_memory_equal(name.sin_zero, zeros, sizeof(zeros));
}

static void b027_getsockname_one_byte_short(void **state)
{
    SOCKADDR_IN name;
    int bytes = sizeof(name) - 1;

    (void)state;
    REFUSED(getsockname(wt_bound(&name), (struct sockaddr *)&name, &bytes), WSAEFAULT);
    assert_int_equal(bytes, sizeof(name) - 1);
}

static void b028_exclusive_and_shared_exclude_each_other(void **state)
{
    SOCKET s = wt_socket();

    (void)state;
    OK(wt_set(s, SOL_SOCKET, SO_REUSEADDR, 1));
    REFUSED(wt_set(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1), WSAEINVAL);
    OK(wt_set(s, SOL_SOCKET, SO_REUSEADDR, 0));
    OK(wt_set(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1));
    REFUSED(wt_set(s, SOL_SOCKET, SO_REUSEADDR, 1), WSAEINVAL);
    OK(wt_set(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 0));
    OK(wt_set(s, SOL_SOCKET, SO_REUSEADDR, 1));
}

/* Whoever has bound first: `first` listens before the other, which the system may refuse to listen too (Linux does). */
static void connect_to_two_that_share(unsigned first)
{
    SOCKADDR_IN name;
    SOCKET s[2] = {wt_socket(), wt_socket()};
    int bytes = sizeof(name);

    OK(wt_set(s[0], SOL_SOCKET, SO_REUSEADDR, 1));
    OK(wt_set(s[1], SOL_SOCKET, SO_REUSEADDR, 1));
    OK(bind_to(s[0], &wt_env.here, sizeof(wt_env.here)));
    OK(getsockname(s[0], (struct sockaddr *)&name, &bytes));
    OK(bind_to(s[1], &name, sizeof(name)));
    OK(listen(s[first], 1));
    if (listen(s[1 - first], 1) == SOCKET_ERROR)
        assert_int_equal(WSAGetLastError(), WSAEADDRINUSE);
    OK(wt_connect(wt_socket(), &name));
    (void)wt_accept_one(s[first]);
    assert_false(wt_readable(s[1 - first], 50));
}

static void b030_two_that_reuse_share_an_address(void **state)
{
    (void)state;
    connect_to_two_that_share(0);
    connect_to_two_that_share(1);
}

static void b217_getpeername_looks_at_its_arguments(void **state)
{
    struct wt_pair pair = wt_pair();
    SOCKADDR_STORAGE room;
    int bytes = sizeof(SOCKADDR_IN);

    (void)state;
    REFUSED(getpeername(pair.client, NULL, &bytes), WSAEFAULT);
    assert_int_equal(bytes, sizeof(SOCKADDR_IN));
    REFUSED(getpeername(pair.client, (struct sockaddr *)&room, NULL), WSAEFAULT);
    bytes = sizeof(SOCKADDR_IN) - 1;
    REFUSED(getpeername(pair.client, (struct sockaddr *)&room, &bytes), WSAEFAULT);
    assert_int_equal(bytes, sizeof(SOCKADDR_IN) - 1);
    bytes = sizeof(room);
    OK(getpeername(pair.client, (struct sockaddr *)&room, &bytes));
    assert_int_equal(bytes, sizeof(SOCKADDR_IN));
}

static const struct wt_line lines[] = {
    WT(b019_bind_without_address),
    WT(b020_bind_one_byte_short),
    WT(b022_bind_to_a_foreign_address),
    WT(b024_bind_to_what_is_taken),
    WT(b025_port_0_becomes_a_port),
    WT(b027_getsockname_one_byte_short),
    WT(b028_exclusive_and_shared_exclude_each_other),
    WT(b030_two_that_reuse_share_an_address),
    WT(b217_getpeername_looks_at_its_arguments),
};
WT_GROUP(names, lines);
