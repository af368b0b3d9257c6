/* test_spi_legs.c - which carriers a socket has, in which order they are asked, which one stays (contract 8.2), and that what a retired one
 * still says changes nothing. And the providers: which are asked, and when their tables are read again (8.1). */
#include "fake.h"

static const int no_delay = 1;

static int set_no_delay(SOCKET s)
{
    INT error = 0;

    return procs.lpWSPSetSockOpt(s, WS_IPPROTO_TCP, WS_TCP_NODELAY, (const char *)&no_delay, sizeof(no_delay),
                                 &error) == SOCKET_ERROR
               ? error
               : 0;
}

static void start_with(unsigned providers, const char *mode)
{
    fake_provider_count = providers;
    fake_switch_mode = mode;
    fake_start();
}

static void expect_calls(const char *expected)
{
    assert_string_equal(fake_log(), expected);
    fake_log_clear();
}

static struct fake *data_of(SOCKET s)
{
    return (struct fake *)(void *)pal_load_acquire(&fake_object(s)->data);
}

static void carried_by(SOCKET s, const char *name)
{
    assert_non_null(data_of(s));
    assert_ptr_equal(data_of(s), fake_named(name));
}

static void both_answer_later(void)
{
    fake_script.connect[0] = fake_script.connect[1] = WSA_IO_PENDING;
}

/* --- connecting --- */

static void tcp_binds_and_the_companion_connects(void **state)
{
    SOCKET s;

    (void)state;
    start_with(1, NULL);
    both_answer_later();
    s = fake_socket(WS_SOCK_STREAM, true);
    assert_int_equal(set_no_delay(s), 0);
    expect_calls("t1.option");
    assert_int_equal(fake_connect(s, 1), WSAEWOULDBLOCK);
    expect_calls("t1.bind s1.bind s1.option s1.connect");
    assert_int_equal(fake_named("s1")->name.sin_port, fake_named("t1")->name.sin_port);
    assert_true(fake_named("t1")->name.sin_addr.s_addr != 0); /* the provider's address (Q32) */
    fake_report(fake_named("s1"), FD_CONNECT, 0);
    carried_by(s, "s1");
    assert_int_equal(fake_close(s), 0);
    expect_calls("s1.close t1.close");
}

static void a_bound_socket_keeps_its_port(void **state)
{
    SOCKET s;

    (void)state;
    start_with(1, NULL);
    s = fake_socket(WS_SOCK_STREAM, true);
    assert_int_equal(fake_bind(s, 1234), 0);
    assert_int_equal(fake_connect(s, 1), WSAEWOULDBLOCK);
    expect_calls("t1.bind s1.bind s1.connect");
    assert_int_equal(fake_named("s1")->name.sin_port, fake_named("t1")->name.sin_port);
    assert_true(fake_named("s1")->name.sin_addr.s_addr !=
                0); /* the wildcard becomes the provider's address */
    assert_int_equal(fake_close(s), 0);
}

static void outside_the_subnets_there_is_no_companion(void **state)
{
    SOCKET s;

    (void)state;
    start_with(1, NULL);
    s = fake_socket(WS_SOCK_STREAM, true);
    assert_int_equal(fake_connect(s, 200), WSAEWOULDBLOCK);
    expect_calls("t1.connect");
    carried_by(s, "t1");
    assert_int_equal(fake_close(s), 0);
}

static void the_provider_of_the_subnet_is_asked(void **state)
{
    SOCKET s;

    (void)state;
    start_with(3, NULL);
    s = fake_socket(WS_SOCK_STREAM, true);
    assert_int_equal(fake_connect(s, 3), WSAEWOULDBLOCK);
    assert_int_equal(((const unsigned char *)&fake_named("s1")->name.sin_addr)[2], 3);
    assert_int_equal(fake_close(s), 0);
}

static void switched_off_no_provider_is_loaded(void **state)
{
    SOCKET s;

    (void)state;
    start_with(2, "off");
    s = fake_socket(WS_SOCK_STREAM, true);
    assert_int_equal(fake_connect(s, 1), WSAEWOULDBLOCK);
    expect_calls("t1.connect");
    assert_int_equal(fake_watches, 0);
    assert_int_equal(fake_close(s), 0);
}

/* --- falling back --- */

enum step { STEP_CREATE, STEP_BIND, STEP_OPTION, STEP_CONNECT, STEP_CONNECT_LATER, STEP_COUNT };

static void fail_at(enum step step, int code)
{
    memset(&fake_script, 0, sizeof(fake_script));
    fake_script.may_fall_back = true;
    fake_script.create[1] = step == STEP_CREATE ? code : 0;
    fake_script.bind[1] = step == STEP_BIND ? code : 0;
    fake_script.option[1] = step == STEP_OPTION ? code : 0;
    fake_script.connect[1] = step == STEP_CONNECT ? code : WSA_IO_PENDING;
}

static SOCKET connect_failing_at(enum step step, int code)
{
    SOCKET s = fake_socket(WS_SOCK_STREAM, true);

    assert_int_equal(set_no_delay(s), 0);
    fake_log_clear();
    fail_at(step, code);
    (void)fake_connect(s, 1);
    if (step == STEP_CONNECT_LATER)
        fake_report(data_of(s) != NULL ? data_of(s) : (struct fake *)(void *)fake_object(s)->san->carrier,
                    FD_CONNECT, code);
    return s;
}

static void each_step_that_fails_falls_back(void **state)
{
    static const char *const calls[STEP_COUNT] = {
        "t1.bind t1.connect",
        "t1.bind s1.bind t1.connect s1.close",
        "t1.bind s1.bind s1.option t1.connect s1.close",
        "t1.bind s1.bind s1.option s1.connect t1.connect s1.close",
        "t1.bind s1.bind s1.option s1.connect t1.connect s1.close",
    };

    (void)state;
    start_with(1, NULL);
    for (unsigned step = 0; step < STEP_COUNT; step++) {
        SOCKET s = connect_failing_at((enum step)step, WSAENETDOWN);

        expect_calls(calls[step]);
        carried_by(s, "t1");
        assert_null(fake_object(s)->san);
        assert_int_equal(fake_close(s), 0);
        assert_int_equal(fake_living(), 0);
        fake_log_clear();
    }
}

/* CONNREFUSED and its like: TCP/IP would get the same answer (8.2). */
static void an_answer_of_the_peer_does_not_fall_back(void **state)
{
    (void)state;
    start_with(1, NULL);
    for (unsigned step = STEP_CONNECT; step < STEP_COUNT; step++) {
        SOCKET s = fake_socket(WS_SOCK_STREAM, true);

        assert_int_equal(fake_select_events(s, FD_CONNECT), 0);
        fake_log_clear();
        fail_at((enum step)step, WSAECONNREFUSED);
        fake_script.may_fall_back = false;
        assert_int_equal(fake_connect(s, 1), WSAEWOULDBLOCK);
        if (step == STEP_CONNECT_LATER)
            fake_report(fake_named("s1"), FD_CONNECT, WSAECONNREFUSED);
        expect_calls("t1.bind s1.bind s1.connect s1.close");
        assert_int_equal(fake_state(s), SW_BOUND);
        assert_int_equal(fake_object(s)->error, WSAECONNREFUSED);
        assert_int_equal(fake_take_events(s, NULL), FD_CONNECT);
        assert_int_equal(fake_close(s), 0);
        assert_int_equal(fake_living(), 0);
    }
}

static void forced_no_step_falls_back(void **state)
{
    (void)state;
    start_with(1, "forced");
    for (unsigned step = 0; step < STEP_COUNT; step++) {
        SOCKET s = connect_failing_at((enum step)step, WSAENETDOWN);

        assert_null(strstr(fake_log(), "t1.connect"));
        assert_int_equal(fake_state(s), SW_BOUND);
        assert_int_equal(fake_object(s)->connect_error, WSAENETDOWN);
        assert_int_equal(fake_close(s), 0);
        assert_int_equal(fake_living(), 0);
    }
}

static void after_a_fall_back_tcp_has_the_last_word(void **state)
{
    SOCKET s;

    (void)state;
    start_with(1, NULL);
    s = fake_socket(WS_SOCK_STREAM, true);
    both_answer_later();
    assert_int_equal(fake_connect(s, 1), WSAEWOULDBLOCK);
    fake_report(fake_named("s1"), FD_CONNECT, WSAETIMEDOUT);
    assert_int_equal(fake_state(s), SW_CONNECTING);
    fake_report(fake_named("t1"), FD_CONNECT, WSAEHOSTUNREACH);
    assert_int_equal(fake_state(s), SW_BOUND);
    assert_int_equal(fake_object(s)->error, WSAEHOSTUNREACH);
    assert_int_equal(fake_connect(s, 1), WSAEWOULDBLOCK); /* once more, from the start */
    assert_non_null(fake_named("s2"));
    fake_report(fake_named("s2"), FD_CONNECT, 0);
    carried_by(s, "s2");
    assert_int_equal(fake_close(s), 0);
}

static void options_a_companion_does_not_know_are_no_failure(void **state)
{
    SOCKET s;

    (void)state;
    start_with(1, NULL);
    s = connect_failing_at(STEP_OPTION, WSAENOPROTOOPT);
    fake_report(fake_named("s1"), FD_CONNECT, 0);
    carried_by(s, "s1");
    assert_int_equal(fake_close(s), 0);
}

/* --- late words of retired carriers --- */

static void a_dropped_companion_that_connects_after_all_changes_nothing(void **state)
{
    SOCKET s;

    (void)state;
    start_with(1, NULL);
    s = fake_socket(WS_SOCK_STREAM, true);
    assert_int_equal(fake_select_events(s, FD_CONNECT | FD_READ | FD_CLOSE), 0);
    both_answer_later();
    fake_script.is_close_slow = true;
    assert_int_equal(fake_connect(s, 1), WSAEWOULDBLOCK);
    fake_report(fake_named("s1"), FD_CONNECT, WSAETIMEDOUT);
    assert_true(fake_named("s1")->is_closing);
    fake_report(fake_named("s1"), FD_CONNECT, 0);
    fake_report(fake_named("s1"), FD_READ | FD_CLOSE, WSAECONNRESET);
    assert_int_equal(fake_state(s), SW_CONNECTING);
    assert_int_equal(fake_take_events(s, NULL), 0);
    fake_report(fake_named("t1"), FD_CONNECT, 0);
    carried_by(s, "t1");
    assert_int_equal(fake_take_events(s, NULL), FD_CONNECT);
    fake_end(fake_named("s1"));
    assert_int_equal(fake_close(s), 0);
    fake_end(fake_named("t1"));
}

/* DisconnectEx with TF_REUSE_SOCKET: the end of the old connection is not that of the next. */
static void the_old_connection_of_a_socket_used_again_is_silent(void **state)
{
    SOCKET s;
    int error = 0;

    (void)state;
    start_with(0, NULL);
    s = fake_socket(WS_SOCK_STREAM, true);
    assert_int_equal(fake_select_events(s, FD_READ | FD_CLOSE), 0);
    assert_int_equal(fake_connect(s, 200), WSAEWOULDBLOCK);
    carried_by(s, "t1");
    fake_script.is_close_slow = true;
    assert_int_equal(fake_disconnect_ex(s), 0);
    assert_true(fake_named("t1")->is_closing);
    fake_report(fake_named("t1"), FD_READ | FD_CLOSE, 0);
    assert_int_equal(fake_take_events(s, NULL), 0);
    assert_int_equal(fake_connect(s, 200), WSAEWOULDBLOCK);
    carried_by(s, "t2");
    fake_report(fake_named("t1"), FD_CLOSE, 0);
    assert_int_equal(fake_take_events(s, NULL), 0);
    fake_end(fake_named("t1"));
    fake_report_wanted(fake_named("t2"), FD_CLOSE, WSAECONNRESET);
    assert_int_equal(fake_take_events(s, &error), FD_CLOSE);
    assert_int_equal(error, WSAECONNRESET);
    assert_int_equal(fake_close(s), 0);
    fake_end(fake_named("t2"));
}

static void a_closed_socket_hears_nothing(void **state)
{
    SOCKET s;

    (void)state;
    start_with(1, NULL);
    s = fake_socket(WS_SOCK_STREAM, true);
    assert_int_equal(fake_select_events(s, FD_ALL_EVENTS), 0);
    both_answer_later();
    fake_script.is_close_slow = true;
    assert_int_equal(fake_connect(s, 1), WSAEWOULDBLOCK);
    assert_int_equal(fake_close(s), 0);
    fake_report(fake_named("s1"), FD_CONNECT, 0);
    fake_report(fake_named("t1"), FD_CONNECT, WSAECONNREFUSED);
    fake_end(fake_named("s1"));
    assert_int_equal(fake_living(), 1);
    fake_end(fake_named("t1"));
    assert_int_equal(fake_open_handles(), 0);
}

static void closing_ends_a_connect_ex(void **state)
{
    WSAOVERLAPPED ov;
    SOCKET s;

    (void)state;
    start_with(0, NULL);
    s = fake_socket(WS_SOCK_STREAM, true);
    assert_int_equal(fake_bind(s, 0), 0);
    both_answer_later();
    assert_int_equal(fake_connect_ex(s, 200, &ov), WSA_IO_PENDING);
    assert_int_equal(fake_completions(), 0);
    assert_int_equal(fake_close(s), 0);
    assert_int_equal(fake_completions(), 1);
    assert_int_equal(ov.Internal, WSA_OPERATION_ABORTED);
}

/* --- listening --- */

static SOCKET listener(void)
{
    SOCKET s = fake_socket(WS_SOCK_STREAM, true);

    assert_int_equal(fake_bind(s, 7000), 0);
    assert_int_equal(fake_listen(s), 0);
    return s;
}

static void a_listener_has_all_providers(void **state)
{
    SOCKET s;

    (void)state;
    start_with(2, NULL);
    s = listener();
    expect_calls("t1.bind t1.listen s1.bind s1.listen s2.bind s2.listen");
    assert_int_equal(fake_listen(s), 0); /* again: TCP/IP's backlog only */
    expect_calls("t1.listen");
    assert_int_equal(fake_close(s), 0);
    assert_int_equal(fake_living(), 0);
}

static void a_provider_that_cannot_listen_is_left_out(void **state)
{
    SOCKET s;

    (void)state;
    start_with(2, NULL);
    fake_script.listen[1] = WSAENETDOWN;
    s = listener();
    assert_int_equal(fake_state(s), SW_LISTENING);
    assert_null(fake_object(s)->san);
    assert_int_equal(fake_living(), 1);
    assert_int_equal(fake_close(s), 0);
}

static void a_provider_without_the_wildcard_listens_on_its_addresses(void **state)
{
    SOCKET s;

    (void)state;
    start_with(1, NULL);
    fake_loses_wildcard = true;
    s = listener();
    expect_calls("t1.bind t1.listen s1.bind s2.bind s2.listen s1.close");
    assert_int_equal(fake_close(s), 0);
}

static void tcp_that_cannot_listen_is_the_answer(void **state)
{
    SOCKET s;

    (void)state;
    start_with(1, NULL);
    s = fake_socket(WS_SOCK_STREAM, true);
    assert_int_equal(fake_bind(s, 7000), 0);
    fake_script.listen[0] = WSAEADDRINUSE;
    assert_int_equal(fake_listen(s), WSAEADDRINUSE);
    assert_int_equal(fake_state(s), SW_BOUND);
    expect_calls("t1.bind t1.listen");
    assert_int_equal(fake_close(s), 0);
}

static void arrivals_of_all_sides_are_merged(void **state)
{
    SOCKET s, first, second, third, nobody;

    (void)state;
    start_with(2, NULL);
    s = listener();
    assert_int_equal(fake_select_events(s, FD_ACCEPT), 0);
    fake_arrive(fake_named("s2"));
    assert_int_equal(fake_take_events(s, NULL), FD_ACCEPT);
    fake_arrive(fake_named("s1"));
    fake_arrive(fake_named("t1"));
    assert_int_equal(fake_take_events(s, NULL), 0); /* not before somebody accepts */
    assert_int_equal(fake_accept(s, &first), 0);
    carried_by(first, "t2");
    assert_int_equal(fake_take_events(s, NULL), FD_ACCEPT);
    assert_int_equal(fake_accept(s, &second), 0);
    assert_true(data_of(second)->is_san);
    assert_int_equal(fake_named("s2")->arrivals,
                     0); /* the first provider before the second: it was made last */
    assert_int_equal(fake_accept(s, &third), 0);
    assert_int_equal(fake_accept(s, &nobody), WSAEWOULDBLOCK);
    assert_int_equal(fake_close(s), 0);
    assert_int_equal(fake_close(first), 0);
    assert_int_equal(fake_close(second), 0);
    assert_int_equal(fake_close(third), 0);
}

static void a_socket_accepted_from_a_provider_can_be_used_again(void **state)
{
    SOCKET s, accepted;

    (void)state;
    start_with(1, NULL);
    s = listener();
    fake_arrive(fake_named("s1"));
    assert_int_equal(fake_accept(s, &accepted), 0);
    assert_null(fake_object(accepted)->tcp);
    assert_int_equal(fake_bind(accepted, 0), WSAEINVAL);
    assert_int_equal(fake_disconnect_ex(accepted), 0);
    assert_non_null(fake_object(accepted)->tcp);
    assert_null(fake_object(accepted)->san);
    assert_int_equal(fake_connect(accepted, 200), WSAEWOULDBLOCK);
    assert_int_equal(fake_state(accepted), SW_CONNECTED);
    assert_int_equal(fake_close(accepted), 0);
    assert_int_equal(fake_close(s), 0);
}

/* Whose socket is closed while its connection comes: the connection goes, the operation ends. */
static void the_socket_of_an_accept_ex_may_be_gone(void **state)
{
    WSAOVERLAPPED ov;
    SOCKET s, into;

    (void)state;
    start_with(0, NULL);
    s = listener();
    into = fake_socket(WS_SOCK_STREAM, true);
    assert_int_equal(fake_accept_ex(s, into, &ov), WSA_IO_PENDING);
    assert_int_equal(fake_close(into), 0);
    fake_arrive(fake_named("t1"));
    assert_int_equal(fake_completions(), 1);
    assert_int_equal(ov.Internal, WSAECONNABORTED);
    assert_int_equal(fake_close(s), 0);
}

static void no_memory_for_an_arrival_leaves_it_waiting(void **state)
{
    SOCKET s, accepted;

    (void)state;
    start_with(0, NULL);
    s = listener();
    fake_arrive(fake_named("t1"));
    fake_script.create[0] = WSAEMFILE;
    assert_int_equal(fake_accept(s, &accepted), WSAEMFILE);
    fake_script.create[0] = 0;
    assert_int_equal(fake_accept(s, &accepted), 0);
    assert_int_equal(fake_close(accepted), 0);
    assert_int_equal(fake_close(s), 0);
}

static void a_socket_that_cannot_be_made_leaves_nothing(void **state)
{
    INT error = 0;

    (void)state;
    start_with(0, NULL);
    fake_script.create[0] = WSAEMFILE;
    assert_true(procs.lpWSPSocket(WS_AF_INET, WS_SOCK_STREAM, 0, NULL, 0, 0, &error) == INVALID_SOCKET);
    assert_int_equal(error, WSAEMFILE);
    assert_int_equal(fake_open_handles(), 0);
}

/* --- the tables of the providers --- */

static void a_change_of_addresses_reads_all_tables_again(void **state)
{
    (void)state;
    start_with(2, NULL);
    assert_int_equal(fake_watches, 1);
    fake_addresses_change();
    assert_int_equal(fake_refreshes, 2);
    assert_int_equal(fake_watches, 2);
    fake_refresh_answer = WSAENETDOWN; /* the old table stays, and the next change counts */
    fake_addresses_change();
    assert_int_equal(fake_refreshes, 4);
    assert_int_equal(fake_watches, 3);
}

static void change_once_more(void)
{
    fake_during_refresh = NULL;
    fake_addresses_change();
}

static void a_change_during_the_reading_is_not_missed(void **state)
{
    (void)state;
    start_with(1, NULL);
    fake_during_refresh = change_once_more;
    fake_addresses_change();
    assert_int_equal(fake_refreshes, 2);
}

static void sockets_that_asked_hear_of_a_change(void **state)
{
    WSAOVERLAPPED ov;
    DWORD returned = 0;
    INT error = 0;
    SOCKET s, other;

    (void)state;
    start_with(0, NULL);
    s = fake_socket(WS_SOCK_STREAM, true);
    other = fake_socket(WS_SOCK_STREAM, true);
    memset(&ov, 0, sizeof(ov));
    assert_int_equal(
        procs.lpWSPIoctl(s, SIO_ADDRESS_LIST_CHANGE, NULL, 0, NULL, 0, &returned, &ov, NULL, NULL, &error),
        SOCKET_ERROR);
    assert_int_equal(error, WSA_IO_PENDING);
    assert_int_equal(fake_select_events(other, FD_ADDRESS_LIST_CHANGE), 0);
    assert_int_equal(procs.lpWSPIoctl(other, SIO_ADDRESS_LIST_CHANGE, NULL, 0, NULL, 0, &returned, NULL, NULL,
                                      NULL, &error),
                     SOCKET_ERROR);
    assert_int_equal(error, WSAEWOULDBLOCK);
    fake_addresses_change();
    assert_int_equal(fake_completions(), 1);
    assert_int_equal(ov.Internal, 0);
    assert_int_equal(fake_take_events(other, NULL), FD_ADDRESS_LIST_CHANGE);
    fake_addresses_change(); /* nobody has asked again */
    assert_int_equal(fake_take_events(other, NULL), 0);
    assert_int_equal(fake_close(s), 0);
    assert_int_equal(fake_close(other), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fake_test(tcp_binds_and_the_companion_connects),
        fake_test(a_bound_socket_keeps_its_port),
        fake_test(outside_the_subnets_there_is_no_companion),
        fake_test(the_provider_of_the_subnet_is_asked),
        fake_test(switched_off_no_provider_is_loaded),
        fake_test(each_step_that_fails_falls_back),
        fake_test(an_answer_of_the_peer_does_not_fall_back),
        fake_test(forced_no_step_falls_back),
        fake_test(after_a_fall_back_tcp_has_the_last_word),
        fake_test(options_a_companion_does_not_know_are_no_failure),
        fake_test(a_dropped_companion_that_connects_after_all_changes_nothing),
        fake_test(the_old_connection_of_a_socket_used_again_is_silent),
        fake_test(a_closed_socket_hears_nothing),
        fake_test(closing_ends_a_connect_ex),
        fake_test(a_listener_has_all_providers),
        fake_test(a_provider_that_cannot_listen_is_left_out),
        fake_test(a_provider_without_the_wildcard_listens_on_its_addresses),
        fake_test(tcp_that_cannot_listen_is_the_answer),
        fake_test(arrivals_of_all_sides_are_merged),
        fake_test(a_socket_accepted_from_a_provider_can_be_used_again),
        fake_test(the_socket_of_an_accept_ex_may_be_gone),
        fake_test(no_memory_for_an_arrival_leaves_it_waiting),
        fake_test(a_socket_that_cannot_be_made_leaves_nothing),
        fake_test(a_change_of_addresses_reads_all_tables_again),
        fake_test(a_change_during_the_reading_is_not_missed),
        fake_test(sockets_that_asked_hear_of_a_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
