/* overlapped.c - overlapped sends and receives, told by event or routine, or asked for. Contract 10.1 ("Generic
 * base-provider rules"), functions 11, 19, 23; B097 to B128. */
#include "sp.h"

static char data[4][1000];

static void an_event_tells(void **state)
{
    struct sp_pair pair;
    WSAEVENT event = sw_event_create(true, false);
    WSAOVERLAPPED ov = {.InternalHigh = 4711, .hEvent = (HANDLE)event};
    WSABUF buffer = {1000, data[0]};
    DWORD bytes = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_nonblocking(pair.a, true)); /* makes no difference (B108) */
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &buffer, 1, 0, &ov));
    assert_int_equal(ov.Internal, WSS_OPERATION_IN_PROGRESS);
    assert_int_equal(ov.InternalHigh, 4711); /* B110 */
    assert_int_equal(ws2_operations_open(pair.a), 1);
    sp_fails(WSA_IO_INCOMPLETE, sp_result(pair.a, &ov, false, &bytes));
    assert_int_equal(sw_event_wait(event, 20), WSAETIMEDOUT);
    sp_send_all(pair.b, "hello", 5);
    sp_ok(sw_event_wait(event, sp_env.wait_ms));
    sp_ok(sp_result(pair.a, &ov, false, &bytes));
    assert_int_equal(bytes, 5);
    assert_int_equal(ov.Internal, 0);
    assert_int_equal(ov.InternalHigh, 5);
    assert_memory_equal(data[0], "hello", 5);
    assert_int_equal(ws2_operations_open(pair.a), 0);
    sp_pair_close(&pair);
    sp_ok(sw_event_close(event));
}

static int send_soon(void *context)
{
    pal_sleep_ms(30);
    return sp_send(*(SOCKET *)context, "soon", 4, 0, NULL);
}

static void the_result_may_be_waited_for(void **state)
{
    struct sp_pair pair;
    struct sp_call call;
    WSAEVENT event = sw_event_create(true, false);
    WSAOVERLAPPED ov = {.hEvent = (HANDLE)event};
    WSABUF buffer = {1000, data[0]};
    DWORD bytes = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &buffer, 1, 0, &ov));
    sp_call_start(&call, send_soon, &pair.b);
    sp_ok(sp_result(pair.a, &ov, true, &bytes));
    assert_int_equal(bytes, 4);
    sp_ok(sp_call_join(&call));
    sp_pair_close(&pair);
    sp_ok(sw_event_close(event));
}

/* B111 */
static void the_array_of_buffers_is_the_callers_again(void **state)
{
    struct sp_pair pair;
    WSAOVERLAPPED ov = {.hEvent = NULL};
    WSABUF buffers[2] = {{3, data[0]}, {1000, data[1]}};
    DWORD bytes = 0;

    (void)state;
    sp_pair_open(&pair);
    memset(data, 0, sizeof(data));
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, buffers, 2, 0, &ov));
    buffers[0] = buffers[1] = (WSABUF){1, data[3]};
    sp_send_all(pair.b, "abcdefgh", 8);
    sp_ok(sp_finish(pair.a, &ov, &bytes));
    assert_int_equal(bytes, 8);
    assert_memory_equal(data[0], "abc", 4); /* with the zero behind it */
    assert_memory_equal(data[1], "defgh", 5);
    sp_pair_close(&pair);
}

/* B113, B114 */
static void the_oldest_gets_the_data_and_all_get_the_end(void **state)
{
    struct sp_pair pair;
    WSAOVERLAPPED ov[4];
    DWORD bytes = 0;

    (void)state;
    sp_pair_open(&pair);
    memset(ov, 0, sizeof(ov));
    for (unsigned i = 0; i < 4; i++) {
        WSABUF buffer = {1000, data[i]};

        sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &buffer, 1, 0, &ov[i]));
    }
    sp_send_all(pair.b, "one", 3);
    sp_ok(sp_finish(pair.a, &ov[0], &bytes));
    assert_int_equal(bytes, 3);
    for (unsigned i = 1; i < 4; i++)
        sp_fails(WSA_IO_INCOMPLETE, sp_result(pair.a, &ov[i], false, &bytes));
    sp_send_all(pair.b, "two", 3);
    sp_ok(sp_finish(pair.a, &ov[1], &bytes));
    assert_memory_equal(data[1], "two", 3);
    sp_ok(sp_close(pair.b));
    pair.b = INVALID_SOCKET;
    for (unsigned i = 2; i < 4; i++) {
        bytes = 9;
        sp_ok(sp_finish(pair.a, &ov[i], &bytes));
        assert_int_equal(bytes, 0);
    }
    sp_expect_end(pair.a);
    sp_pair_close(&pair);
}

/* B100 */
static void a_receive_of_nothing_waits_and_takes_nothing(void **state)
{
    struct sp_pair pair;
    WSAOVERLAPPED ov = {.hEvent = NULL};
    WSABUF nothing = {0, NULL};
    char five[5];
    DWORD bytes = 9;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(pair.a, &nothing, 1, 0, &ov));
    sp_send_all(pair.b, "bytes", 5);
    sp_ok(sp_finish(pair.a, &ov, &bytes));
    assert_int_equal(bytes, 0);
    sp_started(sp_recv_overlapped(pair.a, &nothing, 1, 0, &ov));
    sp_ok(sp_finish(pair.a, &ov, &bytes));
    assert_int_equal(bytes, 0);
    sp_recv_all(pair.a, five, 5);
    assert_memory_equal(five, "bytes", 5);
    sp_pair_close(&pair);
}

/* --- routines --- */

static struct {
    unsigned calls, nested, deepest;
    DWORD error, bytes;
    WSAOVERLAPPED *ov;
    uint64_t thread;
    SOCKET again; /* receive again, so often */
    unsigned more;
    WSABUF buffer;
} told;

static void CALLBACK routine(DWORD error, DWORD bytes, WSAOVERLAPPED *ov, DWORD flags)
{
    (void)flags;
    if (++told.nested > told.deepest)
        told.deepest = told.nested;
    told.calls++;
    told.error = error;
    told.bytes = bytes;
    told.ov = ov;
    told.thread = pal_thread_id();
    if (told.more > 0) {
        told.more--;
        int result = sp_recv_routine(told.again, &told.buffer, ov, routine);
        if (result != 0 && result != WSA_IO_PENDING)
            told.error = (DWORD)result;
    }
    told.nested--;
}

static void alert_until(unsigned calls)
{
    uint64_t end = sp_deadline();

    while (told.calls < calls && pal_now_ns() < end)
        (void)sw_alertable_wait(100);
    assert_int_equal(told.calls, calls);
}

/* B117 */
static void a_routine_is_called_in_its_thread_when_it_waits(void **state)
{
    struct sp_pair pair;
    WSAEVENT event = sw_event_create(true, false);
    WSAOVERLAPPED ov = {.hEvent = (HANDLE)event};
    WSABUF buffer = {1000, data[0]};

    (void)state;
    sp_pair_open(&pair);
    memset(&told, 0, sizeof(told));
    sp_fails(WSA_IO_PENDING, sp_recv_routine(pair.a, &buffer, &ov, routine));
    sp_send_all(pair.b, "hello", 5);
    sp_until(pal_word_load_acquire(&ov.Internal) != WSS_OPERATION_IN_PROGRESS);
    pal_sleep_ms(20);
    assert_int_equal(told.calls, 0); /* not without an alertable wait */
    alert_until(1);
    assert_int_equal(told.error, 0);
    assert_int_equal(told.bytes, 5);
    assert_true(told.ov == &ov);
    assert_true(told.thread == pal_thread_id());
    assert_int_equal(sw_event_wait(event, 0), WSAETIMEDOUT); /* hEvent is the application's */
    assert_int_equal(sw_alertable_wait(20), 0);
    assert_int_equal(told.calls, 1);
    sp_pair_close(&pair);
    sp_ok(sw_event_close(event));
}

static void a_send_has_a_routine_too(void **state)
{
    struct sp_pair pair;
    WSAOVERLAPPED ov = {.hEvent = NULL};
    WSABUF buffer = {6, (CHAR[]){"a line"}};
    char in[6];

    (void)state;
    sp_pair_open(&pair);
    memset(&told, 0, sizeof(told));
    sp_started(sp_send_routine(pair.a, &buffer, &ov, routine));
    alert_until(1);
    assert_int_equal(told.bytes, 6);
    sp_recv_all(pair.b, in, 6);
    assert_memory_equal(in, "a line", 6);
    sp_pair_close(&pair);
}

static void a_routine_may_receive_again_and_never_nests(void **state)
{
    enum { ROUNDS = 200 };
    struct sp_pair pair;
    WSAOVERLAPPED ov = {.hEvent = NULL};

    (void)state;
    sp_pair_open(&pair);
    memset(&told, 0, sizeof(told));
    told.again = pair.a;
    told.more = ROUNDS - 1;
    told.buffer = (WSABUF){1, data[0]};
    for (unsigned i = 0; i < ROUNDS; i++)
        sp_send_all(pair.b, "x", 1);
    sp_started(sp_recv_routine(pair.a, &told.buffer, &ov, routine));
    alert_until(ROUNDS);
    assert_int_equal(told.error, 0);
    assert_int_equal(told.bytes, 1);
    assert_int_equal(told.deepest, 1);
    sp_pair_close(&pair);
}

static void closing_tells_a_routine(void **state)
{
    struct sp_pair pair;
    WSAOVERLAPPED ov = {.hEvent = NULL};
    WSABUF buffer = {1000, data[0]};

    (void)state;
    sp_pair_open(&pair);
    memset(&told, 0, sizeof(told));
    sp_fails(WSA_IO_PENDING, sp_recv_routine(pair.a, &buffer, &ov, routine));
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    alert_until(1);
    sp_one_of((int)told.error, WSA_OPERATION_ABORTED, WSAECONNABORTED);
    sp_pair_close(&pair);
}

static void large_sends_complete_when_they_have_gone(void **state)
{
    enum { BYTES = 1 << 20, COUNT = 6 };
    struct sp_pair pair;
    struct sp_reader reader = {.seed = 9, .piece_bytes = 100000, .want = (uint64_t)COUNT * BYTES};
    WSAOVERLAPPED ov[COUNT];
    char *out = malloc((size_t)COUNT * BYTES);
    DWORD bytes = 0;

    (void)state;
    sp_pair_open(&pair);
    memset(ov, 0, sizeof(ov));
    sp_fill(out, (size_t)COUNT * BYTES, 9, 0);
    for (unsigned i = 0; i < COUNT; i++) {
        WSABUF buffer = {BYTES, out + (size_t)i * BYTES};

        sp_started(sp_send_overlapped(pair.a, &buffer, 1, &ov[i]));
    }
    reader.s = pair.b;
    sp_reader_start(&reader);
    for (unsigned i = 0; i < COUNT; i++) {
        sp_ok(sp_finish(pair.a, &ov[i], &bytes));
        assert_int_equal(bytes, BYTES);
    }
    sp_reader_join(&reader);
    free(out);
    sp_pair_close(&pair);
}

int sp_overlapped(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(an_event_tells),
        sp_test(the_result_may_be_waited_for),
        sp_test(the_array_of_buffers_is_the_callers_again),
        sp_test(the_oldest_gets_the_data_and_all_get_the_end),
        sp_test(a_receive_of_nothing_waits_and_takes_nothing),
        sp_test(a_routine_is_called_in_its_thread_when_it_waits),
        sp_test(a_send_has_a_routine_too),
        sp_test(a_routine_may_receive_again_and_never_nests),
        sp_test(closing_tells_a_routine),
        sp_test(large_sends_complete_when_they_have_gone),
    };

    return cmocka_run_group_tests_name("overlapped", tests, NULL, NULL);
}
