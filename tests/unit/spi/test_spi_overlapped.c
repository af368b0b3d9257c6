/* test_spi_overlapped.c - the bookkeeping of overlapped operations: each is told once, by the right way, with its handle still open; what is
 * refused is not told; records are used again (contract 7.3, 10.1, 10.3). */
#include "fake.h"

static SOCKET connected(void)
{
    SOCKET s = fake_socket(WS_SOCK_STREAM, true);

    assert_int_equal(fake_connect(s, 200), WSAEWOULDBLOCK);
    fake_script.submit = WSA_IO_PENDING;
    return s;
}

static int start(void **state)
{
    int result = fake_setup(state);

    fake_start();
    return result;
}
#define overlapped_test(fn) cmocka_unit_test_setup_teardown(fn, start, fake_teardown)

static char room[64];

static int receive_into(SOCKET s, WSABUF *buffers, DWORD count, WSAOVERLAPPED *ov,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    WSATHREADID thread;
    DWORD got = 0, flags = 0;
    INT error = 0;

    memset(&thread, 0, sizeof(thread));
    memset(ov, 0, sizeof(*ov));
    return procs.lpWSPRecv(s, buffers, count, &got, &flags, ov, routine, &thread, &error) == SOCKET_ERROR
               ? error
               : 0;
}

static int receive(SOCKET s, WSAOVERLAPPED *ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    WSABUF buffer = {sizeof(room), room};

    return receive_into(s, &buffer, 1, ov, routine);
}

static struct fake *carrier(void)
{
    return fake_named("t1");
}

static int result_of(SOCKET s, WSAOVERLAPPED *ov, DWORD *bytes)
{
    DWORD flags = 0;
    INT error = 0;

    return procs.lpWSPGetOverlappedResult(s, ov, bytes, FALSE, &flags, &error) ? 0 : error;
}

static void an_operation_is_told_when_it_is_over(void **state)
{
    SOCKET s = connected();
    WSAOVERLAPPED ov;
    DWORD bytes = 0;

    (void)state;
    assert_int_equal(receive(s, &ov, NULL), WSA_IO_PENDING);
    assert_int_equal(result_of(s, &ov, &bytes), WSA_IO_INCOMPLETE);
    assert_int_equal(fake_completions(), 0);
    fake_complete(carrier(), 0, 7);
    assert_int_equal(fake_completions(), 1);
    assert_int_equal(result_of(s, &ov, &bytes), 0);
    assert_int_equal(bytes, 7);
    assert_int_equal(receive(s, &ov, NULL), WSA_IO_PENDING);
    fake_complete(carrier(), WSAECONNRESET, 0);
    assert_int_equal(result_of(s, &ov, &bytes), WSAECONNRESET);
    assert_int_equal(fake_close(s), 0);
}

static void what_is_over_at_once_is_told_all_the_same(void **state)
{
    SOCKET s = connected();
    WSAOVERLAPPED ov;
    DWORD bytes = 0;

    (void)state;
    fake_script.submit = 0;
    assert_int_equal(receive(s, &ov, NULL), 0);
    assert_int_equal(fake_completions(), 1);
    assert_int_equal(result_of(s, &ov, &bytes), 0);
    assert_int_equal(bytes, sizeof(room));
    assert_int_equal(fake_close(s), 0);
}

static void what_is_refused_is_not_told_and_holds_nothing(void **state)
{
    SOCKET s = connected();
    WSAOVERLAPPED ov;
    DWORD bytes = 0;

    (void)state;
    fake_script.submit = WSAENOBUFS;
    assert_int_equal(receive(s, &ov, NULL), WSAENOBUFS);
    assert_int_equal(fake_completions(), 0);
    assert_int_equal(result_of(s, &ov, &bytes), WSAENOBUFS);
    assert_int_equal(pal_load_relaxed(&fake_object(s)->first.pending), 1);
    assert_int_equal(fake_close(s), 0);
    assert_int_equal(fake_open_handles(), 0);
}

static unsigned routines_run;

static void CALLBACK count_routine(DWORD error, DWORD bytes, LPWSAOVERLAPPED ov, DWORD flags)
{
    (void)error;
    (void)bytes;
    (void)ov;
    (void)flags;
    routines_run++;
}

/* Nobody knows whether this thread will ever wait alertably. */
static void cleaning_up_does_not_wait_for_routines(void **state)
{
    SOCKET s = connected();
    WSAOVERLAPPED ov;

    (void)state;
    assert_int_equal(receive(s, &ov, count_routine), WSA_IO_PENDING);
    fake_complete(carrier(), 0, 7);
    assert_int_equal(fake_apcs_waiting(), 1);
    fake_stop();
    assert_int_equal(sw_sock_given_up(), 0);
    routines_run = 0;
    fake_run_apcs(); /* it may come as late as that */
    assert_int_equal(routines_run, 1);
    fake_start();
}

static void the_array_of_buffers_is_copied(void **state)
{
    SOCKET s = connected();
    WSABUF buffers[40];
    WSAOVERLAPPED ov;
    const struct sw_request *r;

    (void)state;
    for (DWORD count = 1; count <= 40; count += 13) { /* within the record, and beyond it */
        for (unsigned i = 0; i < count; i++)
            buffers[i] = (WSABUF){1, room + i};
        assert_int_equal(receive_into(s, buffers, count, &ov, NULL), WSA_IO_PENDING);
        memset(buffers, 0xEE, sizeof(buffers));
        r = carrier()->first;
        assert_int_equal(r->op.buffer_count, count);
        for (unsigned i = 0; i < count; i++)
            assert_true(r->op.buffers[i].len == 1 && r->op.buffers[i].buf == room + i);
        fake_complete(carrier(), 0, count);
    }
    assert_int_equal(fake_close(s), 0);
}

static unsigned records_of(SOCKET s)
{
    unsigned count = 0;

    for (const struct sw_io *io = fake_object(s)->pool; io != NULL; io = io->next)
        count++;
    return count;
}

static void records_are_used_again(void **state)
{
    SOCKET s = connected();
    WSAOVERLAPPED ov[3];

    (void)state;
    for (unsigned round = 0; round < 1000; round++) {
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(receive(s, &ov[i], NULL), WSA_IO_PENDING);
        for (unsigned i = 0; i < 3; i++)
            fake_complete(carrier(), 0, i);
    }
    assert_int_equal(records_of(s), 3);
    assert_int_equal(fake_completions(), 3000);
    assert_int_equal(fake_close(s), 0);
}

static void closing_ends_all_and_then_the_handle(void **state)
{
    SOCKET s = connected();
    WSAOVERLAPPED ov[50];

    (void)state;
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(receive(s, &ov[i], NULL), WSA_IO_PENDING);
    assert_int_equal(fake_open_handles(), 1);
    assert_int_equal(fake_close(s),
                     0); /* that the handle is open at each completion is checked by who is told */
    assert_int_equal(fake_completions(), 50);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(ov[i].Internal, WSA_OPERATION_ABORTED);
    assert_int_equal(fake_open_handles(), 0);
}

/* --- routines --- */

static struct {
    SOCKET s;
    unsigned calls, depth, deepest;
    DWORD error, bytes;
    bool asks_again, runs_apcs;
    WSAOVERLAPPED ov[2];
} seen;

static void CALLBACK routine(DWORD error, DWORD bytes, LPWSAOVERLAPPED ov, DWORD flags)
{
    (void)flags;
    seen.calls++;
    seen.depth++;
    seen.deepest = seen.depth > seen.deepest ? seen.depth : seen.deepest;
    seen.error = error;
    seen.bytes = bytes;
    if (seen.asks_again) {
        seen.asks_again = false;
        assert_int_equal(receive(seen.s, ov, routine), WSA_IO_PENDING);
        fake_complete(carrier(), 0, 2);
        if (seen.runs_apcs) {
            seen.runs_apcs = false;
            fake_run_apcs();
        }
    }
    seen.depth--;
}

static void a_routine_is_called_in_its_thread_only(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    seen.s = connected();
    assert_int_equal(receive(seen.s, &seen.ov[0], routine), WSA_IO_PENDING);
    fake_complete(carrier(), 0, 5);
    assert_int_equal(seen.calls, 0); /* not before the thread waits */
    assert_int_equal(fake_apcs_waiting(), 1);
    assert_int_equal(seen.ov[0].Internal, 0); /* but the result can be asked for */
    fake_run_apcs();
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.bytes, 5);
    assert_int_equal(fake_completions(), 0); /* one way or the other */
    assert_int_equal(fake_close(seen.s), 0);
}

static void a_routine_that_waits_is_not_entered_again(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    seen.s = connected();
    seen.asks_again = seen.runs_apcs = true;
    assert_int_equal(receive(seen.s, &seen.ov[0], routine), WSA_IO_PENDING);
    assert_int_equal(receive(seen.s, &seen.ov[1], routine), WSA_IO_PENDING);
    fake_complete(carrier(), 0, 1);
    fake_run_apcs();
    assert_int_equal(seen.deepest, 1);
    assert_int_equal(seen.calls, 2);
    assert_int_equal(fake_close(seen.s), 0);
    fake_run_apcs();
}

static void closing_tells_routines_whose_socket_is_gone(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    seen.s = connected();
    assert_int_equal(receive(seen.s, &seen.ov[0], routine), WSA_IO_PENDING);
    assert_int_equal(fake_close(seen.s), 0);
    assert_int_equal(fake_open_handles(), 0); /* a queued routine does not need it */
    fake_run_apcs();
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.error, WSA_OPERATION_ABORTED);
}

/* The last WSPCleanup cancels without telling (10.1, 5), and the next start begins with nothing. */
static void the_last_clean_up_is_silent(void **state)
{
    WSAOVERLAPPED plain, with_routine;
    INT error = 0;
    SOCKET s = connected();

    (void)state;
    assert_int_equal(receive(s, &plain, NULL), WSA_IO_PENDING);
    assert_int_equal(receive(s, &with_routine, routine), WSA_IO_PENDING);
    assert_int_equal(procs.lpWSPCleanup(&error), 0);
    assert_int_equal(fake_completions(), 0);
    assert_int_equal(fake_apcs_waiting(), 0);
    assert_int_equal(fake_living(), 0);
    assert_int_equal(fake_open_handles(), 0);
    fake_start();
    s = connected();
    assert_int_equal(receive(s, &plain, NULL), WSA_IO_PENDING);
    fake_complete(carrier(), 0, 1);
    assert_int_equal(fake_completions(), 1);
    assert_int_equal(fake_close(s), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        overlapped_test(an_operation_is_told_when_it_is_over),
        overlapped_test(what_is_over_at_once_is_told_all_the_same),
        overlapped_test(what_is_refused_is_not_told_and_holds_nothing),
        overlapped_test(cleaning_up_does_not_wait_for_routines),
        overlapped_test(the_array_of_buffers_is_copied),
        overlapped_test(records_are_used_again),
        overlapped_test(closing_ends_all_and_then_the_handle),
        overlapped_test(a_routine_is_called_in_its_thread_only),
        overlapped_test(a_routine_that_waits_is_not_entered_again),
        overlapped_test(closing_tells_routines_whose_socket_is_gone),
        overlapped_test(the_last_clean_up_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
