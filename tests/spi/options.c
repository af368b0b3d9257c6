/* options.c - WSPGetSockOpt and WSPSetSockOpt: every option of contract 3.8, with its default, what it takes and refuses; before and
 * during a connection. Contract 10.1, functions 14, 26; B028, B053, B145, B190 to B197. */
#include "sp.h"

/* ws2ipdef.h */
#define LEVEL_IP        0
#define IP_TIME_TO_LIVE 4

/* Options that are a number and can be set and read back. */
static const struct {
    int level, name, first, set;
    bool has_default; /* `first` is what a fresh socket says */
} numbers[] = {
    {WS_SOL_SOCKET, WS_SO_KEEPALIVE, 0, 1, true},   {WS_SOL_SOCKET, WS_SO_REUSEADDR, 0, 1, true},
    {WS_SOL_SOCKET, WS_SO_DONTROUTE, 0, 1, true},   {WS_SOL_SOCKET, WS_SO_OOBINLINE, 0, 1, true},
    {WS_SOL_SOCKET, WS_SO_SNDBUF, 0, 70000, false}, {WS_SOL_SOCKET, WS_SO_RCVBUF, 0, 60000, false},
    {WS_SOL_SOCKET, WS_SO_SNDTIMEO, 0, 1234, true}, {WS_SOL_SOCKET, WS_SO_RCVTIMEO, 0, 2345, true},
    {WS_SOL_SOCKET, WS_SO_DEBUG, 0, 1, true},       {WS_SOL_SOCKET, WS_SO_CONDITIONAL_ACCEPT, 0, 1, true},
    {WS_SOL_SOCKET, WS_SO_DONTLINGER, 1, 1, true},  {WS_IPPROTO_TCP, WS_TCP_NODELAY, 0, 1, true},
};
#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static void expect_number(SOCKET s, unsigned i, int expected)
{
    int value = -77;
    int error = sp_get_int(s, numbers[i].level, numbers[i].name, &value);

    if (error != 0 || value != expected)
        sp_fail("option %#x of level %#x: %s, value %d, expected %d", (unsigned)numbers[i].name,
                (unsigned)numbers[i].level, sw_error_name(error), value, expected);
}

static void set_number(SOCKET s, unsigned i, int value)
{
    int error = sp_set_int(s, numbers[i].level, numbers[i].name, value);

    if (error != 0)
        sp_fail("option %#x of level %#x cannot be set: %s", (unsigned)numbers[i].name,
                (unsigned)numbers[i].level, sw_error_name(error));
}

static void numbers_on_a_fresh_socket(void **state)
{
    SOCKET s = sp_stream();

    (void)state;
    for (unsigned i = 0; i < NUMBERS; i++) {
        if (numbers[i].name == WS_SO_DONTROUTE && POSIX_KILL_KEEPS_SOCKETS)
            continue; /* Wine's socket says 1 from the start */
        if (numbers[i].has_default)
            expect_number(s, i, numbers[i].first);
        set_number(s, i, numbers[i].set);
        expect_number(s, i, numbers[i].set);
    }
    sp_ok(sp_close(s));
}

/* They are remembered across the choice of the carrier (8.2), and can be changed later. */
static void numbers_on_a_connection(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(1, &at), s = sp_stream(), b;

    (void)state;
    for (unsigned i = 0; i < NUMBERS; i++)
        set_number(s, i, numbers[i].set);
    sp_ok(sp_connect(s, &at));
    sp_carried(s); /* no option disables SAN (4.15) */
    for (unsigned i = 0; i < NUMBERS; i++)
        expect_number(s, i, numbers[i].set);
    sp_ok(sp_accept(l, &b));
    for (unsigned i = 0; i < NUMBERS; i++) {
        if (numbers[i].name == WS_SO_REUSEADDR || numbers[i].name == WS_SO_CONDITIONAL_ACCEPT ||
            (numbers[i].level == WS_SOL_SOCKET && numbers[i].name == WS_SO_OOBINLINE))
            continue; /* nothing that makes sense here */
        set_number(b, i, numbers[i].set);
        expect_number(b, i, numbers[i].set);
    }
    sp_ok(sp_set_int(s, WS_SOL_SOCKET, WS_SO_RCVTIMEO, 0)); /* its time-outs were among them */
    sp_ok(sp_set_int(b, WS_SOL_SOCKET, WS_SO_SNDTIMEO, 0));
    sp_echo(b, s, 1);
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

/* B193 */
static void what_does_not_exist(void **state)
{
    SOCKET s = sp_stream();
    int value;

    (void)state;
    sp_fails(WSAEINVAL, sp_get_int(s, 0x7777, 1, &value));
    sp_fails(WSAEINVAL, sp_set_int(s, 0x7777, 1, 1));
    sp_fails(WSAENOPROTOOPT, sp_get_int(s, WS_SOL_SOCKET, 0x5555, &value));
    sp_fails(WSAENOPROTOOPT, sp_set_int(s, WS_SOL_SOCKET, 0x5555, 1));
    sp_fails(WSAENOPROTOOPT, sp_get_int(s, WS_IPPROTO_TCP, 0x5555, &value));
    sp_fails(WSAENOPROTOOPT, sp_set_int(s, WS_IPPROTO_TCP, 0x5555, 1));
    sp_ok(sp_close(s));
}

static void room_for_values(void **state)
{
    SOCKET s = sp_stream();
    int value = 0, bytes = 1;

    (void)state;
    sp_fails(WSAEFAULT, sp_get(s, WS_SOL_SOCKET, WS_SO_ERROR, &value, &bytes)); /* B194 */
    bytes = sizeof(value);
    sp_fails(WSAEFAULT, sp_get(s, WS_SOL_SOCKET, WS_SO_RCVBUF, NULL, &bytes));
    sp_fails(WSAEFAULT, sp_get(s, WS_SOL_SOCKET, WS_SO_RCVBUF, &value, NULL));
    sp_fails(WSAEFAULT, sp_set(s, WS_SOL_SOCKET, WS_SO_RCVBUF, NULL, sizeof(value)));
    sp_fails(WSAEFAULT, sp_set(s, WS_SOL_SOCKET, WS_SO_RCVTIMEO, &value, 1));
    sp_fails(WSAEFAULT, sp_set(s, WS_IPPROTO_TCP, WS_TCP_NODELAY, &value, 0));
    value = 0x100; /* B191: the low byte only */
    sp_ok(sp_set(s, WS_IPPROTO_TCP, WS_TCP_NODELAY, &value, sizeof(value)));
    sp_ok(sp_get_int(s, WS_IPPROTO_TCP, WS_TCP_NODELAY, &value));
    assert_int_equal(value, 0);
    sp_ok(sp_close(s));
}

static void what_can_only_be_read(void **state)
{
    struct sp_pair pair;
    WSAPROTOCOL_INFOW info;
    int bytes = sizeof(info), value = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_get_int(pair.a, WS_SOL_SOCKET, WS_SO_TYPE, &value));
    assert_int_equal(value, WS_SOCK_STREAM);
    sp_fails(WSAENOPROTOOPT, sp_set_int(pair.a, WS_SOL_SOCKET, WS_SO_TYPE, WS_SOCK_DGRAM));
    sp_ok(sp_get_int(pair.a, WS_SOL_SOCKET, WS_SO_ERROR, &value));
    assert_int_equal(value, 0);
    sp_ok(sp_get_int(pair.a, WS_SOL_SOCKET, WS_SO_ACCEPTCONN, &value));
    assert_int_equal(value, 0);
    sp_ok(sp_get(pair.b, WS_SOL_SOCKET, WS_SO_PROTOCOL_INFOW, &info, &bytes));
    assert_int_equal(info.iSocketType, WS_SOCK_STREAM);
    bytes = sizeof(info) - 1;
    sp_fails(WSAEFAULT, sp_get(pair.b, WS_SOL_SOCKET, WS_SO_PROTOCOL_INFOW, &info, &bytes));
    sp_pair_close(&pair);
}

static void which_side_an_accepted_socket_updates(void **state)
{
    struct sp_pair pair;
    SOCKET nothing = 5;

    (void)state;
    sp_pair_open(&pair);
    sp_one_of(sp_set(pair.b, WS_SOL_SOCKET, WS_SO_UPDATE_ACCEPT_CONTEXT, &nothing, sizeof(nothing)),
              WSAENOTSOCK, WSAEINVAL);
    sp_fails(WSAEFAULT, sp_set(pair.b, WS_SOL_SOCKET, WS_SO_UPDATE_ACCEPT_CONTEXT, NULL, 0));
    sp_pair_close(&pair);
}

/* B197, on a stream */
static void options_of_ip(void **state)
{
    SOCKET s = sp_stream();
    int value = 0;

    (void)state;
    sp_ok(sp_set_int(s, LEVEL_IP, IP_TIME_TO_LIVE, 33));
    sp_ok(sp_get_int(s, LEVEL_IP, IP_TIME_TO_LIVE, &value));
    assert_int_equal(value, 33);
    sp_ok(sp_close(s));
}

static void broadcast_is_for_datagrams(void **state)
{
    SOCKET s;
    int value = -1;

    (void)state;
    sp_ok(sp_socket(WS_AF_INET, WS_SOCK_DGRAM, 0, 0, &s));
    sp_ok(sp_get_int(s, WS_SOL_SOCKET, WS_SO_BROADCAST, &value));
    assert_int_equal(value, 0);
    sp_ok(sp_set_int(s, WS_SOL_SOCKET, WS_SO_BROADCAST, 1));
    sp_ok(sp_get_int(s, WS_SOL_SOCKET, WS_SO_BROADCAST, &value));
    assert_int_equal(value, 1);
    sp_ok(sp_get_int(s, WS_SOL_SOCKET, WS_SO_MAX_MSG_SIZE, &value));
    assert_in_range(value, 1024, 65535);
    sp_ok(sp_close(s));
}

int sp_options(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(numbers_on_a_fresh_socket),
        sp_test(numbers_on_a_connection),
        sp_test(what_does_not_exist),
        sp_test(room_for_values),
        sp_test(what_can_only_be_read),
        sp_test(which_side_an_accepted_socket_updates),
        sp_test(options_of_ip),
        sp_test(broadcast_is_for_datagrams),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
