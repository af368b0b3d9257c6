/* test_spi_events.c - the bookkeeping of events and select: what is asked of carriers, what is recorded, told once, enabled again, and what
 * select leaves behind (contract 10.3, winsock-behaviours B150 to B184). */
#include "fake.h"

#include "pal/thread.h"
#include "pal/time.h"

static SOCKET connected(LONG events)
{
    SOCKET s = fake_socket(WS_SOCK_STREAM, true);

    if (events != 0)
        assert_int_equal(fake_select_events(s, events), 0);
    assert_int_equal(fake_connect(s, 200), WSAEWOULDBLOCK);
    return s;
}

static struct fake *carrier(void)
{
    return fake_named("t1");
}

static int receive(SOCKET s)
{
    char byte;
    WSABUF buffer = {1, &byte};
    DWORD got = 0, flags = 0;
    INT error = 0;

    return procs.lpWSPRecv(s, &buffer, 1, &got, &flags, NULL, NULL, NULL, &error) == SOCKET_ERROR ? error : 0;
}

static int send_byte(SOCKET s)
{
    char byte = 'x';
    WSABUF buffer = {1, &byte};
    DWORD sent = 0;
    INT error = 0;

    return procs.lpWSPSend(s, &buffer, 1, &sent, 0, NULL, NULL, NULL, &error) == SOCKET_ERROR ? error : 0;
}

static int start(void **state)
{
    int result = fake_setup(state);

    fake_start();
    return result;
}
#define events_test(fn) cmocka_unit_test_setup_teardown(fn, start, fake_teardown)

static void carriers_are_asked_for_what_is_wanted(void **state)
{
    SOCKET s = connected(FD_READ | FD_CLOSE);

    (void)state;
    assert_int_equal(carrier()->wanted, FD_READ | FD_CLOSE);
    assert_int_equal(fake_select_events(s, FD_READ | FD_WRITE), 0);
    assert_true((carrier()->wanted & FD_WRITE) != 0);
    assert_int_equal(fake_close(s), 0);
}

static struct pal_thread *reporter;

static void report_reading(void *unused)
{
    (void)unused;
    fake_report(carrier(), FD_READ, 0);
}

static void report_meanwhile(void)
{
    fake_during_reset = NULL;
    reporter = pal_thread_start(report_reading, NULL, "reporter");
    pal_sleep_ms(50); /* it is as far as it gets */
}

/* What happens while the event is being reset is recorded behind that, and sets it. */
static void resetting_and_copying_are_one_step(void **state)
{
    SOCKET s = connected(FD_READ | FD_CLOSE);

    (void)state;
    fake_events_set = 0;
    fake_during_reset = report_meanwhile;
    assert_int_equal(fake_take_events(s, NULL), 0);
    pal_thread_join(reporter);
    assert_int_equal(fake_events_set, 1);
    assert_int_equal(fake_take_events(s, NULL), FD_READ);
    assert_int_equal(fake_close(s), 0);
}

static void what_nobody_asked_for_is_not_recorded(void **state)
{
    SOCKET s = connected(FD_WRITE);

    (void)state;
    fake_report(carrier(), FD_READ | FD_OOB, 0);
    fake_report(carrier(), FD_CLOSE, WSAECONNRESET);
    assert_int_equal(fake_take_events(s, NULL), 0);
    assert_int_equal(fake_events_set, 0);
    /* and it did not count as told: who asks now hears */
    carrier()->ready = FD_READ;
    assert_int_equal(fake_select_events(s, FD_READ), 0);
    assert_int_equal(fake_take_events(s, NULL), FD_READ);
    assert_int_equal(fake_close(s), 0);
}

static void readable_is_told_once_until_a_receive(void **state)
{
    SOCKET s = connected(FD_READ);

    (void)state;
    fake_report(carrier(), FD_READ, 0);
    fake_report(carrier(), FD_READ, 0);
    assert_int_equal(fake_events_set, 1);
    assert_int_equal(fake_take_events(s, NULL), FD_READ);
    fake_report(carrier(), FD_READ, 0);
    assert_int_equal(fake_take_events(s, NULL), 0);
    assert_int_equal(carrier()->wanted, 0);
    assert_int_equal(receive(s), WSAEWOULDBLOCK); /* even one that fails enables it */
    assert_int_equal(carrier()->wanted, FD_READ);
    fake_report_wanted(carrier(), FD_READ, 0);
    assert_int_equal(fake_take_events(s, NULL), FD_READ);
    assert_int_equal(fake_close(s), 0);
}

static void writable_is_told_again_after_a_send_that_would_block(void **state)
{
    SOCKET s = connected(FD_WRITE);

    (void)state;
    fake_report_wanted(carrier(), FD_WRITE, 0);
    assert_int_equal(fake_take_events(s, NULL), FD_WRITE);
    fake_script.now = 0;
    assert_int_equal(send_byte(s), 0);
    assert_int_equal(carrier()->wanted, 0);
    fake_script.now = WSAEWOULDBLOCK;
    assert_int_equal(send_byte(s), WSAEWOULDBLOCK);
    assert_int_equal(carrier()->wanted, FD_WRITE);
    assert_int_equal(fake_close(s), 0);
}

static void the_end_is_told_once_in_a_connection(void **state)
{
    SOCKET s = connected(FD_CLOSE | FD_READ);
    int error = 0;

    (void)state;
    fake_report(carrier(), FD_CLOSE, WSAECONNRESET);
    assert_int_equal(fake_take_events(s, &error), FD_CLOSE);
    assert_int_equal(error, WSAECONNRESET);
    assert_int_equal(receive(s), WSAEWOULDBLOCK);
    assert_int_equal(carrier()->wanted & FD_CLOSE, 0);
    fake_report(carrier(), FD_CLOSE, 0);
    assert_int_equal(fake_take_events(s, NULL), 0);
    assert_int_equal(fake_close(s), 0);
}

/* What the mask leaves out stays recorded (B153), a mask of 0 keeps nothing asked for. */
static void records_and_masks(void **state)
{
    SOCKET s = connected(FD_READ | FD_WRITE);

    (void)state;
    fake_report(carrier(), FD_READ | FD_WRITE, 0);
    assert_int_equal(fake_select_events(s, FD_READ), 0);
    assert_int_equal(fake_take_events(s, NULL), FD_READ);
    assert_int_equal(fake_select_events(s, FD_READ | FD_WRITE), 0);
    assert_int_equal(fake_take_events(s, NULL), FD_WRITE);
    assert_int_equal(fake_select_events(s, 0), 0);
    fake_report(carrier(), FD_READ | FD_WRITE | FD_CLOSE, 0);
    assert_int_equal(fake_take_events(s, NULL), 0);
    assert_int_equal(fake_close(s), 0);
}

static void a_failed_attempt_and_the_next(void **state)
{
    SOCKET s = fake_socket(WS_SOCK_STREAM, true);

    (void)state;
    assert_int_equal(fake_select_events(s, FD_CONNECT), 0);
    fake_script.connect[0] = WSAECONNREFUSED;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(fake_connect(s, 200), WSAEWOULDBLOCK);
        assert_int_equal(fake_take_events(s, NULL), FD_CONNECT);
    }
    fake_script.connect[0] = 0;
    assert_int_equal(fake_connect(s, 200), WSAEWOULDBLOCK);
    assert_int_equal(fake_take_events(s, NULL), FD_CONNECT);
    fake_report(carrier(), FD_CONNECT, 0); /* late, twice: nothing */
    assert_int_equal(fake_take_events(s, NULL), 0);
    assert_int_equal(fake_close(s), 0);
}

static void accepting_enables_accepting(void **state)
{
    SOCKET s = fake_socket(WS_SOCK_STREAM, true), accepted;

    (void)state;
    assert_int_equal(fake_bind(s, 7000), 0);
    assert_int_equal(fake_select_events(s, FD_ACCEPT | FD_READ), 0);
    assert_int_equal(fake_listen(s), 0);
    assert_int_equal(carrier()->wanted, FD_ACCEPT);
    fake_arrive(carrier());
    fake_arrive(carrier());
    assert_int_equal(fake_events_set, 1);
    assert_int_equal(fake_take_events(s, NULL), FD_ACCEPT);
    assert_int_equal(fake_accept(s, &accepted), 0);
    assert_int_equal(fake_take_events(s, NULL), FD_ACCEPT); /* the second, which was there before */
    assert_int_equal(fake_named("t2")->wanted, FD_READ);    /* inherited, asked of its own carrier */
    assert_int_equal(fake_close(accepted), 0);
    assert_int_equal(fake_close(s), 0);
}

/* --- select --- */

static int select_now(SOCKET s, unsigned *ready, LONG milliseconds)
{
    WSD_FD_SET set[3];
    WSD_TIMEVAL timeout = {0, milliseconds * 1000};
    INT error = 0;
    int total;

    for (unsigned i = 0; i < 3; i++) {
        memset(&set[i], 0, sizeof(set[i]));
        set[i].fd_count = 1;
        set[i].fd_array[0] = s;
    }
    total = procs.lpWSPSelect(0, &set[0], &set[1], &set[2], &timeout, &error);
    *ready = 0;
    for (unsigned i = 0; i < 3 && total != SOCKET_ERROR; i++)
        *ready |= set[i].fd_count << i;
    return total == SOCKET_ERROR ? error : 0;
}

static void select_looks_and_leaves_nothing_behind(void **state)
{
    static const struct {
        uint32_t events;
        unsigned ready;
    } cases[] = {{0, 0},        {FD_READ, 1}, {FD_CLOSE, 1},
                 {FD_WRITE, 2}, {FD_OOB, 4},  {FD_READ | FD_WRITE | FD_OOB, 7}};
    SOCKET s = connected(0);
    unsigned ready;

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        carrier()->ready = cases[i].events;
        assert_int_equal(select_now(s, &ready, 0), 0);
        assert_int_equal(ready, cases[i].ready);
        assert_int_equal(select_now(s, &ready, 1), 0); /* the same, by way of the list of waiters */
        assert_int_equal(ready, cases[i].ready);
        assert_null(fake_object(s)->selectors);
    }
    assert_int_equal(fake_take_events(s, NULL), 0); /* it records nothing */
    assert_int_equal(fake_close(s), 0);
}

static void select_between_the_states(void **state)
{
    SOCKET s = fake_socket(WS_SOCK_STREAM, true);
    unsigned ready;

    (void)state;
    assert_int_equal(select_now(s, &ready, 0), 0);
    assert_int_equal(ready, 0);
    fake_script.connect[0] = WSA_IO_PENDING;
    assert_int_equal(fake_connect(s, 200), WSAEWOULDBLOCK);
    assert_int_equal(select_now(s, &ready, 0), 0);
    assert_int_equal(ready, 0);
    fake_report(carrier(), FD_CONNECT, WSAECONNREFUSED);
    assert_int_equal(select_now(s, &ready, 0), 0);
    assert_int_equal(ready, 4);
    assert_int_equal(fake_connect(s, 200), WSAEWOULDBLOCK);
    assert_int_equal(select_now(s, &ready, 0), 0); /* the next attempt has not failed */
    assert_int_equal(ready, 0);
    fake_report(carrier(), FD_CONNECT, 0);
    carrier()->ready = FD_WRITE;
    assert_int_equal(select_now(s, &ready, 0), 0);
    assert_int_equal(ready, 2);
    assert_int_equal(fake_disconnect_ex(s), 0);
    fake_script.connect[0] = WSAECONNREFUSED; /* used again, and refused */
    assert_int_equal(fake_connect(s, 200), WSAEWOULDBLOCK);
    assert_int_equal(select_now(s, &ready, 0), 0);
    assert_int_equal(ready, 4);
    assert_int_equal(fake_close(s), 0);
    assert_int_equal(select_now(s, &ready, 0), WSAENOTSOCK);
}

static void a_set_with_a_bad_handle_touches_nothing(void **state)
{
    SOCKET s = connected(0);
    WSD_FD_SET set;
    WSD_TIMEVAL none = {0, 0};
    INT error = 0;

    (void)state;
    memset(&set, 0, sizeof(set));
    set.fd_count = 2;
    set.fd_array[0] = s;
    set.fd_array[1] = (SOCKET)3;
    assert_int_equal(procs.lpWSPSelect(0, &set, NULL, NULL, &none, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAENOTSOCK);
    assert_int_equal(set.fd_count, 2);
    assert_null(fake_object(s)->selectors);
    assert_int_equal(pal_load_relaxed(&fake_object(s)->use) & SW_USE_COUNT, 0);
    assert_int_equal(fake_close(s), 0); /* the reference was given back: the teardown would wait for it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        events_test(carriers_are_asked_for_what_is_wanted),
        events_test(resetting_and_copying_are_one_step),
        events_test(what_nobody_asked_for_is_not_recorded),
        events_test(readable_is_told_once_until_a_receive),
        events_test(writable_is_told_again_after_a_send_that_would_block),
        events_test(the_end_is_told_once_in_a_connection),
        events_test(records_and_masks),
        events_test(a_failed_attempt_and_the_next),
        events_test(accepting_enables_accepting),
        events_test(select_looks_and_leaves_nothing_behind),
        events_test(select_between_the_states),
        events_test(a_set_with_a_bad_handle_touches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
