/* fallback.c - which side carries a connection when only one end has SAN. Contract 8.2, checklist 14.3. The other end is a process whose
 * switch is off: a host without SAN. */
#include "sp.h"

static void needs_san(void)
{
    if (!sp_env.is_san)
        sp_skip("there is nothing to fall back from");
}

static void no_san_listener_falls_back_to_tcp(void **state)
{
    struct second_process p;
    WSD_SOCKADDR_IN at;
    SOCKET s;
    char data[1000];

    (void)state;
    needs_san();
    sp_process_start(&p, "off");
    sp_ok(sw_parse_address(second_process_tell(&p, "listen"), &at));
    s = sp_stream();
    sp_ok(sp_connect(s, &at));
    sp_carried_name(s, "tcp");
    second_process_tell(&p, "accept");
    assert_string_equal(second_process_tell(&p, "carried"), "tcp");
    second_process_tell(&p, "send 5 1000");
    sp_recv_all(s, data, sizeof(data));
    sp_expect_pattern(data, sizeof(data), 5, 0);
    sp_ok(sp_close(s));
    second_process_tell(&p, "end");
    second_process_tell(&p, "close");
    second_process_end(&p);
}

static void non_blocking_connect_falls_back_too(void **state)
{
    struct second_process p;
    WSD_SOCKADDR_IN at;
    SOCKET s;
    unsigned ready;

    (void)state;
    needs_san();
    sp_process_start(&p, "off");
    sp_ok(sw_parse_address(second_process_tell(&p, "listen"), &at));
    s = sp_stream();
    sp_ok(sp_nonblocking(s, true));
    sp_fails(WSAEWOULDBLOCK, sp_connect(s, &at));
    sp_ok(sp_select(s, SP_WRITE | SP_EXCEPT, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_WRITE);
    sp_carried_name(s, "tcp");
    second_process_tell(&p, "accept");
    sp_ok(sp_close(s));
    second_process_tell(&p, "end");
    second_process_tell(&p, "close");
    second_process_end(&p);
}

static void forced_never_falls_back(void **state)
{
    struct second_process p;
    WSD_SOCKADDR_IN at;
    SOCKET s;
    int error;

    (void)state;
    needs_san();
    sp_process_start(&p, "off");
    sp_ok(sw_parse_address(second_process_tell(&p, "listen"), &at));
    sp_unload();
    sp_switch_mode("forced");
    sp_load();
    s = sp_stream();
    error = sp_connect(s, &at);
    assert_int_not_equal(error, 0);
    sp_one_of(error, WSAETIMEDOUT, WSAECONNREFUSED, WSAEHOSTUNREACH, WSAECONNRESET);
    sp_ok(sp_close(s));
    struct sp_pair pair;
    sp_pair_open(&pair); /* SAN to SAN works as ever */
    sp_pair_close(&pair);
    second_process_end(&p);
}

/* A client without SAN reaches a listener that has both; a client with SAN reaches it at the same time. */
static void a_listener_takes_from_both_sides(void **state)
{
    struct second_process p;
    WSD_SOCKADDR_IN at;
    SOCKET l, s, first, second;
    char text[32];

    (void)state;
    needs_san();
    l = sp_listener(5, &at);
    sp_process_start(&p, "off");
    second_process_tell(&p, "connect %s", sw_format_address(&at, text, sizeof(text)));
    sp_ok(sp_accept(l, &first));
    sp_carried_name(first, "tcp");
    s = sp_stream();
    sp_ok(sp_connect(s, &at));
    sp_carried_name(s, "san");
    sp_ok(sp_accept(l, &second));
    sp_carried_name(second, "san");
    sp_echo(s, second, 1);
    second_process_tell(&p, "close");
    sp_expect_end(first);
    sp_ok(sp_close(first));
    sp_ok(sp_close(second));
    sp_ok(sp_close(s));
    sp_ok(sp_close(l));
    second_process_end(&p);
}

static void two_processes_over_the_lane(void **state)
{
    struct second_process p;
    WSD_SOCKADDR_IN at;
    SOCKET s;
    static char data[300000];

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    sp_ok(sw_parse_address(second_process_tell(&p, "listen"), &at));
    s = sp_stream();
    sp_ok(sp_connect(s, &at));
    sp_carried(s);
    second_process_tell(&p, "accept");
    assert_string_equal(second_process_tell(&p, "carried"), sp_env.lane);
    second_process_order(&p, "send 5 300000");
    sp_recv_all(s, data, sizeof(data));
    sp_expect_pattern(data, sizeof(data), 5, 0);
    second_process_answer(&p);
    second_process_order(&p, "recv 6 300000");
    sp_fill(data, sizeof(data), 6, 0);
    sp_send_all(s, data, sizeof(data));
    second_process_answer(&p);
    second_process_tell(&p, "close");
    sp_expect_end(s);
    sp_ok(sp_close(s));
    second_process_end(&p);
}

static void loopback_is_never_san(void **state)
{
    WSD_SOCKADDR_IN any = {.sin_family = WS_AF_INET}, at;
    SOCKET l = sp_stream(), s = sp_stream(), b;

    (void)state;
    sp_ok(sp_bind(l, &any));
    sp_ok(sp_listen(l, 1));
    sp_ok(sp_local(l, &any));
    sp_ok(sw_parse_address("127.0.0.1", &at));
    at.sin_port = any.sin_port;
    sp_ok(sp_connect(s, &at));
    sp_carried_name(s, "tcp");
    sp_ok(sp_accept(l, &b));
    sp_carried_name(b, "tcp");
    sp_echo(s, b, 1);
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

/* The wildcard listens on every adapter (8.2). */
static void the_wildcard_listens_on_the_lane(void **state)
{
    WSD_SOCKADDR_IN any = {.sin_family = WS_AF_INET}, at = sp_env.here;
    SOCKET l = sp_stream(), s = sp_stream(), b;

    (void)state;
    sp_ok(sp_bind(l, &any));
    sp_ok(sp_listen(l, 1));
    sp_ok(sp_local(l, &any));
    at.sin_port = any.sin_port;
    sp_ok(sp_connect(s, &at));
    sp_carried(s);
    sp_ok(sp_accept(l, &b));
    sp_carried(b);
    sp_echo(s, b, 1);
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

/* --- addresses that come and go while the switch runs (8.1: the table is read again) --- */

static int ask_for_a_change(SOCKET s, WSAOVERLAPPED *ov)
{
    DWORD returned = 0;
    INT error = ws2_operation_begin(s, ov);
    int result;

    sp_ok(error);
    result = sp.procs->lpWSPIoctl(s, SIO_ADDRESS_LIST_CHANGE, NULL, 0, NULL, 0, &returned, ov, NULL, NULL,
                                  &error);
    ws2_operation_submitted(s, ov, result, error);
    return result == SOCKET_ERROR ? error : 0;
}

/* A connection to a new listener there: is it over the SAN? */
static bool is_san_at(const char *address, struct sp_pair *pair)
{
    WSD_SOCKADDR_IN name;
    char carrier[32] = "";

    sp_ok(sw_parse_address(address, &name));
    pair->listener = sp_stream();
    sp_ok(sp_bind(pair->listener, &name));
    sp_ok(sp_listen(pair->listener, 5));
    sp_ok(sp_local(pair->listener, &pair->at));
    pair->a = sp_stream();
    sp_ok(sp_connect(pair->a, &pair->at));
    sp_ok(sp_accept(pair->listener, &pair->b));
    sp_ok(sp.carried_by(pair->a, carrier, sizeof(carrier)));
    if (strcmp(carrier, "san") == 0)
        return true;
    sp_pair_close(pair);
    return false;
}

static void an_address_that_comes_and_goes(void **state)
{
    SOCKET s, late;
    WSAOVERLAPPED come = {.Internal = 0}, gone = {.Internal = 0};
    struct sp_pair pair;

    (void)state;
    needs_san();
    if (getenv("WSD_TEST_LOST") == NULL || getenv("WSD_TEST_BACKEND") != NULL)
        sp_skip("needs a network of its own, and the provider that follows its addresses");
    s = sp_stream();
    sp_fails(WSA_IO_PENDING, ask_for_a_change(s, &come));
    assert_int_equal(system("ip addr add 10.77.20.1/24 dev hole"), 0);
    sp_ok(sp_finish(s, &come, NULL));
    sp_until(is_san_at("10.77.20.1:0", &pair));
    sp_echo(pair.a, pair.b, 1);
    sp_fails(WSA_IO_PENDING, ask_for_a_change(s, &gone));
    assert_int_equal(system("ip addr del 10.77.20.1/24 dev hole"), 0);
    sp_ok(sp_finish(s, &gone, NULL));
    late = sp_stream();
    sp_one_of(sp_connect(late, &pair.at), WSAENETUNREACH, WSAEHOSTUNREACH, WSAETIMEDOUT, WSAENETDOWN);
    sp_ok(sp_close(late));
    sp_ok(sp_set_linger(pair.a, true, 0)); /* what was connected has no way any more */
    sp_ok(sp_set_linger(pair.b, true, 0));
    sp_pair_close(&pair);
    sp_ok(sp_close(s));
}

int sp_fallback(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(no_san_listener_falls_back_to_tcp), sp_test(non_blocking_connect_falls_back_too),
        sp_test(forced_never_falls_back),           sp_test(a_listener_takes_from_both_sides),
        sp_test(two_processes_over_the_lane),       sp_test(loopback_is_never_san),
        sp_test(the_wildcard_listens_on_the_lane),  sp_test(an_address_that_comes_and_goes),
    };

    return cmocka_run_group_tests_name("fallback", tests, NULL, NULL);
}
