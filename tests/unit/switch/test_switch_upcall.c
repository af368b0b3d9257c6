/* test_switch_upcall.c - the sixteen upcalls, called as a provider would call them, rightly and wrongly. */
#include <string.h>

#include "fixture.h"
#include "pal/atomic.h"
#include "pal/thread.h"
#include "pal/time.h"

static struct fake_control *control;
static struct sw_provider *p;
static const WSPUPCALLTABLEEX *up;

static int setup(void **state)
{
    (void)state;
    control = fake_open(FAKE_PROVIDER);
    p = load_fake(FAKE_PROVIDER);
    up = sw_upcall_table(p);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unload_clean(p);
    fake_close();
    return 0;
}

static SOCKET make_handle(void)
{
    INT error = -1;
    SOCKET s = up->lpWPUCreateSocketHandle(1001, 42, &error);

    assert_true(s != INVALID_SOCKET);
    assert_int_equal(error, 0);
    return s;
}

static void drop_handle(SOCKET s)
{
    INT error;

    assert_int_equal(up->lpWPUCloseSocketHandle(s, &error), 0);
}

static WSAOVERLAPPED started(HANDLE event)
{
    WSAOVERLAPPED ov = {.Internal = WSS_OPERATION_IN_PROGRESS, .hEvent = event};

    return ov;
}

static void every_slot_is_filled(void **state)
{
    void (*slots[sizeof(*up) / sizeof(void (*)(void))])(void);

    (void)state;
    memcpy(slots, up, sizeof(*up));
    for (unsigned i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
        assert_non_null(slots[i]);
    assert_int_equal(sizeof(slots) / sizeof(slots[0]), SW_UPCALL_COUNT);
}

static void a_handle_leads_back_to_its_context(void **state)
{
    DWORD_PTR context = 0;
    INT error = -1;
    SOCKET a = make_handle();
    SOCKET b = make_handle();
    uint64_t before = sw_upcall_count(p, SW_UPCALL_QUERY_SOCKET_HANDLE_CONTEXT);

    (void)state;
    assert_true(a != b);
    assert_int_equal(sw_take_created_handle(), b);
    assert_int_equal(sw_take_created_handle(), INVALID_SOCKET);
    assert_int_equal(up->lpWPUQuerySocketHandleContext(a, &context, &error), 0);
    assert_int_equal(context, 42);
    assert_int_equal(sw_upcall_count(p, SW_UPCALL_QUERY_SOCKET_HANDLE_CONTEXT), before + 1);
    assert_int_equal(sw_open_handles(p), 2);
    drop_handle(a);
    drop_handle(b);
    assert_int_equal(sw_open_handles(p), 0);
}

static void a_closed_handle_is_recognised_for_ever(void **state)
{
    SOCKET s = make_handle();
    DWORD_PTR context;
    INT error;

    (void)state;
    drop_handle(s);
    assert_int_equal(up->lpWPUCloseSocketHandle(s, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAENOTSOCK);
    expect_violations(p, 1, "closed already");
    for (int i = 0; i < 2000; i++) { /* the slot is reused meanwhile */
        SOCKET other = make_handle();

        assert_true(other != s);
        drop_handle(other);
    }
    assert_int_equal(up->lpWPUQuerySocketHandleContext(s, &context, &error), SOCKET_ERROR);
    expect_violations(p, 1, "closed already");
}

static void a_wild_handle_is_recognised(void **state)
{
    DWORD_PTR context;
    INT error;
    SOCKET wild[] = {0, 1, 8, INVALID_SOCKET, (SOCKET)&context};

    (void)state;
    for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        assert_int_equal(up->lpWPUQuerySocketHandleContext(wild[i], &context, &error), SOCKET_ERROR);
        assert_int_equal(error, WSAENOTSOCK);
        expect_violations(p, 1, "never made");
    }
}

static void the_handle_of_another_provider_is_refused(void **state)
{
    struct sw_provider *other;
    SOCKET s = make_handle();
    INT error;

    (void)state;
    fake_open(FAKE_PROVIDER_B);
    other = load_fake(FAKE_PROVIDER_B);
    assert_int_equal(sw_upcall_table(other)->lpWPUCloseSocketHandle(s, &error), SOCKET_ERROR);
    expect_violations(other, 1, "another provider");
    unload_clean(other);
    drop_handle(s);
}

static void a_missing_error_pointer_is_survived(void **state)
{
    SOCKET s = up->lpWPUCreateSocketHandle(1001, 1, NULL);

    (void)state;
    expect_violations(p, 1, "lpErrno");
    drop_handle(s);
}

static void an_upcall_after_the_end_is_recorded(void **state)
{
    const WSPUPCALLTABLEEX old = *up;
    INT error = 0;

    (void)state;
    unload_clean(p);
    sw_violations_clear(NULL);
    assert_int_equal(old.lpWPUCreateSocketHandle(1001, 1, &error), INVALID_SOCKET);
    assert_int_equal(error, WSANOTINITIALISED);
    expect_violations(NULL, 1, "after the last WSPCleanup");
    p = load_fake(FAKE_PROVIDER);
}

/* --- events --- */

static void a_manual_event_stays_set(void **state)
{
    WSAEVENT e = sw_event_create(true, false);
    INT error;

    (void)state;
    assert_int_equal((uintptr_t)e & 1, 0);
    assert_int_equal(sw_event_wait(e, 0), WSAETIMEDOUT);
    assert_true(up->lpWPUSetEvent(e, &error));
    assert_int_equal(sw_event_wait(e, 0), 0);
    assert_int_equal(sw_event_wait(e, SW_FOREVER), 0);
    assert_true(up->lpWPUResetEvent(e, &error));
    assert_int_equal(sw_event_wait(e, 0), WSAETIMEDOUT);
    assert_int_equal(sw_event_close(e), 0);
    assert_int_equal(sw_event_close(e), WSA_INVALID_HANDLE);
    assert_int_equal(sw_event_wait(e, 0), WSA_INVALID_HANDLE);
}

static void an_automatic_event_releases_one_waiter(void **state)
{
    WSAEVENT e = sw_event_create(false, true);
    INT error;

    (void)state;
    assert_int_equal(sw_event_wait(e, 0), 0);
    assert_int_equal(sw_event_wait(e, 0), WSAETIMEDOUT);
    assert_true(up->lpWPUSetEvent(e, &error));
    assert_true(up->lpWPUSetEvent(e, &error)); /* counts once */
    assert_int_equal(sw_event_wait(e, 0), 0);
    assert_int_equal(sw_event_wait(e, 0), WSAETIMEDOUT);
    sw_event_close(e);
}

static void events_of_the_provider_are_manual_and_its_own(void **state)
{
    INT error = -1;
    WSAEVENT e = up->lpWPUCreateEvent(&error);
    WSAEVENT ours = sw_event_create(true, false);

    (void)state;
    assert_true(e != WSA_INVALID_EVENT);
    assert_int_equal(error, 0);
    sw_event_set(e);
    assert_int_equal(sw_event_wait(e, 0), 0);
    assert_int_equal(sw_event_wait(e, 0), 0);
    assert_true(up->lpWPUCloseEvent(e, &error));
    assert_false(up->lpWPUSetEvent(e, &error)); /* Q34 */
    assert_int_equal(error, WSA_INVALID_HANDLE);
    expect_violations(p, 1, "a closed event");
    assert_false(up->lpWPUCloseEvent(ours, &error)); /* belongs to the switch (4.6) */
    expect_violations(p, 1, "another party");
    assert_false(up->lpWPUSetEvent((WSAEVENT)&error, &error));
    assert_int_equal(error, WSA_INVALID_HANDLE);
    expect_violations(p, 1, "no event");
    sw_event_close(ours);
}

static void wait_for_event(void *e)
{
    (void)sw_event_wait((WSAEVENT)e, SOON_MS);
}

static void an_event_may_be_closed_under_a_waiter(void **state)
{
    WSAEVENT e = sw_event_create(true, false);
    struct pal_thread *waiter = pal_thread_start(wait_for_event, e, "waiter");

    (void)state;
    sw_event_set(e);
    sw_event_close(e);
    pal_thread_join(waiter);
}

/* --- threads --- */

static void CALLBACK count_call(DWORD_PTR context)
{
    (*(unsigned *)context)++;
}

static void calls_queued_to_a_thread_run_in_its_alertable_wait(void **state)
{
    WSATHREADID id;
    unsigned calls = 0;
    INT error = -1;

    (void)state;
    assert_int_equal(sw_alertable_wait(SW_FOREVER), 0); /* nobody opened the thread: nothing can come */
    assert_int_equal(up->lpWPUOpenCurrentThread(&id, &error), 0);
    assert_int_equal(sw_alertable_wait(0), 0);
    assert_int_equal(up->lpWPUQueueApc(&id, count_call, (DWORD_PTR)&calls, &error), 0);
    assert_int_equal(up->lpWPUQueueApc(&id, count_call, (DWORD_PTR)&calls, &error), 0);
    assert_int_equal(calls, 0);
    assert_int_equal(sw_alertable_wait(SW_FOREVER), 2);
    assert_int_equal(calls, 2);
    assert_int_equal(up->lpWPUCloseThread(&id, &error), 0);
    assert_int_equal(up->lpWPUQueueApc(&id, count_call, (DWORD_PTR)&calls, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEFAULT);
    expect_violations(p, 1, "WPUQueueApc");
    assert_int_equal(up->lpWPUCloseThread(&id, &error), SOCKET_ERROR);
    expect_violations(p, 1, "WPUCloseThread");
}

static WSATHREADID main_thread;

static void queue_from_afar(void *calls)
{
    INT error;

    pal_sleep_ms(20);
    up->lpWPUQueueApc(&main_thread, count_call, (DWORD_PTR)calls, &error);
}

static void a_call_from_another_thread_ends_the_wait(void **state)
{
    struct pal_thread *other;
    unsigned calls = 0;

    (void)state;
    assert_int_equal(sw_thread_open(&main_thread), 0);
    other = pal_thread_start(queue_from_afar, &calls, "other");
    assert_int_equal(sw_alertable_wait(SOON_MS), 1);
    pal_thread_join(other);
    assert_int_equal(calls, 1);
    assert_int_equal(sw_thread_close(&main_thread), 0);
    assert_int_equal(sw_thread_close(&main_thread), WSA_INVALID_HANDLE);
}

/* --- the others --- */

static BOOL CALLBACK blocking_hook(DWORD_PTR context)
{
    (void)context;
    return TRUE;
}

static void the_rarely_used_upcalls_answer(void **state)
{
    struct sw_config defaults;
    WSD_FD_SET set = {2, {7, 9}};
    struct sw_message message;
    LPBLOCKINGCALLBACK hook = blocking_hook;
    DWORD_PTR context = 0;
    WCHAR path[1024];
    INT length = 4;
    INT error = 0;

    (void)state;
    assert_int_not_equal(up->lpWPUFDIsSet(9, &set), 0);
    assert_int_equal(up->lpWPUFDIsSet(8, &set), 0);

    assert_int_equal(sw_next_message(p, &message, 0), WSAETIMEDOUT);
    assert_true(up->lpWPUPostMessage((HWND)&set, 1024, 5, 6));
    assert_int_equal(sw_next_message(p, &message, 0), 0);
    assert_ptr_equal(message.window, &set);
    assert_int_equal(message.message, 1024);
    assert_int_equal(message.wparam, 5);
    assert_int_equal(message.lparam, 6);

    assert_int_equal(up->lpWPUQueryBlockingCallback(1001, &hook, &context, &error), 0);
    assert_null(hook);
    sw_set_blocking_hook(p, blocking_hook, 3);
    assert_int_equal(up->lpWPUQueryBlockingCallback(1001, &hook, &context, &error), 0);
    assert_ptr_equal(hook, blocking_hook);
    assert_int_equal(context, 3);

    sw_config_init(&defaults);
    assert_int_equal(up->lpWPUGetProviderPath(&defaults.provider_id, path, &length, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEFAULT);
    assert_int_equal(length, strlen(sw_path(p)) + 1);
    assert_int_equal(up->lpWPUGetProviderPath(&defaults.provider_id, path, &length, &error), 0);
    assert_int_equal(path[0], sw_path(p)[0]);
    assert_int_equal(path[length - 1], 0);
    defaults.provider_id.Data1++;
    assert_int_equal(up->lpWPUGetProviderPath(&defaults.provider_id, path, &length, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEINVAL);

    assert_int_equal(up->lpWPUModifyIFSHandle(1001, 5, &error), INVALID_SOCKET);
    assert_int_equal(error, WSAEINVAL);
    expect_violations(p, 1, "WPUModifyIFSHandle");
}

/* --- completion --- */

struct seen {
    unsigned calls;
    SOCKET handle;
    WSAOVERLAPPED *ov;
    DWORD error, bytes;
    ULONG_PTR internal;
};

static void note(void *context, SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes)
{
    struct seen *seen = context;

    seen->calls++;
    seen->handle = handle;
    seen->ov = ov;
    seen->error = error;
    seen->bytes = bytes;
    seen->internal = ov->Internal;
}

static void a_completion_stores_the_result_and_sets_the_event(void **state)
{
    SOCKET s = make_handle();
    WSAEVENT e = sw_event_create(true, false);
    WSAOVERLAPPED ov = started(e);
    DWORD bytes = 0;
    int op_error = -1;
    INT error = -1;

    (void)state;
    assert_false(sw_overlapped_result(&ov, &bytes, &op_error));
    assert_int_equal(up->lpWPUCompleteOverlappedRequest(s, &ov, 0, 1234, &error), 0);
    assert_int_equal(error, 0);
    assert_int_equal(sw_event_wait(e, 0), 0);
    assert_int_equal(ov.Internal, 0);
    assert_int_equal(ov.InternalHigh, 1234);
    assert_true(sw_overlapped_result(&ov, &bytes, &op_error));
    assert_int_equal(bytes, 1234);
    assert_int_equal(op_error, 0);

    ov = started(NULL);
    assert_int_equal(up->lpWPUCompleteOverlappedRequest(s, &ov, WSAECONNRESET, 0, &error), 0);
    assert_true(sw_overlapped_result(&ov, &bytes, &op_error));
    assert_int_equal(op_error, WSAECONNRESET);
    sw_event_close(e);
    drop_handle(s);
}

static void a_completion_calls_the_function_of_its_handle(void **state)
{
    struct seen by_default = {0}, by_handle = {0};
    const struct sw_notify first = {SW_NOTIFY_CALLBACK, note, &by_default, NULL, 0};
    const struct sw_notify second = {SW_NOTIFY_CALLBACK, note, &by_handle, NULL, 0};
    const struct sw_notify broken = {SW_NOTIFY_CALLBACK, NULL, NULL, NULL, 0};
    WSAOVERLAPPED ov = started(NULL);
    SOCKET s;
    INT error;

    (void)state;
    assert_int_equal(sw_set_default_notify(p, &broken), WSAEINVAL);
    assert_int_equal(sw_set_default_notify(p, &first), 0);
    s = make_handle();
    up->lpWPUCompleteOverlappedRequest(s, &ov, 0, 7, &error);
    assert_int_equal(by_default.calls, 1);
    assert_int_equal(by_default.handle, s);
    assert_ptr_equal(by_default.ov, &ov);
    assert_int_equal(by_default.bytes, 7);
    assert_int_equal(by_default.internal, 0); /* the result was there before the notification */

    assert_int_equal(sw_handle_set_notify(s, &second), 0);
    ov = started(NULL);
    up->lpWPUCompleteOverlappedRequest(s, &ov, WSAECONNABORTED, 0, &error);
    assert_int_equal(by_handle.calls, 1);
    assert_int_equal(by_handle.error, WSAECONNABORTED);
    assert_int_equal(by_default.calls, 1);
    assert_int_equal(sw_set_default_notify(p, NULL), 0);
    drop_handle(s);
    assert_int_equal(sw_handle_set_notify(s, &second), WSAENOTSOCK);
}

static void a_completion_goes_into_the_queue_of_its_handle(void **state)
{
    struct sw_iocp *q = sw_iocp_create();
    const struct sw_notify n = {SW_NOTIFY_IOCP, NULL, NULL, q, 99};
    SOCKET s = make_handle();
    WSAOVERLAPPED ov[600];
    struct sw_packet packet;
    INT error;

    (void)state;
    assert_int_equal(sw_handle_set_notify(s, &n), 0);
    assert_int_equal(sw_iocp_get(q, &packet, 0), WSAETIMEDOUT);
    for (unsigned i = 0; i < 600; i++) { /* more than the queue's first size */
        ov[i] = started(NULL);
        up->lpWPUCompleteOverlappedRequest(s, &ov[i], 0, i, &error);
    }
    for (unsigned i = 0; i < 600; i++) {
        assert_int_equal(sw_iocp_get(q, &packet, 0), 0);
        assert_int_equal(packet.key, 99);
        assert_int_equal(packet.handle, s);
        assert_ptr_equal(packet.ov, &ov[i]);
        assert_int_equal(packet.bytes, i);
    }
    assert_int_equal(sw_iocp_get(q, &packet, NEVER_MS), WSAETIMEDOUT);
    drop_handle(s);
    sw_iocp_destroy(q);
}

static void post_later(void *q)
{
    const struct sw_packet packet = {1, 2, NULL, 3, 4};

    pal_sleep_ms(20);
    (void)sw_iocp_post(q, &packet);
}

static void a_queue_wakes_the_thread_that_waits(void **state)
{
    struct sw_iocp *q = sw_iocp_create();
    struct pal_thread *other = pal_thread_start(post_later, q, "poster");
    struct sw_packet packet;

    (void)state;
    assert_int_equal(sw_iocp_get(q, &packet, SW_FOREVER), 0);
    assert_int_equal(packet.bytes, 4);
    pal_thread_join(other);
    sw_iocp_destroy(q);
}

static void wrong_completions_are_refused(void **state)
{
    SOCKET s = make_handle();
    WSAOVERLAPPED ov = started(NULL);
    INT error = 0;

    (void)state;
    assert_int_equal(up->lpWPUCompleteOverlappedRequest(s, NULL, 0, 0, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEINVAL);
    expect_violations(p, 1, "NULL");
    assert_int_equal(up->lpWPUCompleteOverlappedRequest(s, &ov, WSA_IO_PENDING, 0, &error), SOCKET_ERROR);
    expect_violations(p, 1, "not over");
    assert_int_equal(up->lpWPUCompleteOverlappedRequest(s, &ov, 0, 5, &error), 0);
    assert_int_equal(up->lpWPUCompleteOverlappedRequest(s, &ov, 0, 6, &error), SOCKET_ERROR);
    expect_violations(p, 1, "completed twice");
    assert_int_equal(ov.InternalHigh, 5);

    ov = started((HANDLE)1); /* bit 0 */
    assert_int_equal(up->lpWPUCompleteOverlappedRequest(s, &ov, 0, 5, &error), SOCKET_ERROR);
    expect_violations(p, 1, "bit 0");
    assert_int_equal(ov.Internal, WSS_OPERATION_IN_PROGRESS);

    drop_handle(s);
    ov = started(NULL);
    assert_int_equal(up->lpWPUCompleteOverlappedRequest(s, &ov, 0, 5, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEINVAL);
    expect_violations(p, 1, "closed already");
}

/* --- many threads --- */

static pal_atomic_u32 completions;

static void count_completion(void *context, SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes)
{
    (void)context;
    (void)handle;
    (void)ov;
    (void)error;
    (void)bytes;
    pal_add_relaxed(&completions, 1u);
}

static void hammer(void *event)
{
    const struct sw_notify n = {SW_NOTIFY_CALLBACK, count_completion, NULL, NULL, 0};
    INT error;

    for (int i = 0; i < 500; i++) {
        SOCKET s = up->lpWPUCreateSocketHandle(1001, (DWORD_PTR)i, &error);
        WSAOVERLAPPED ov = started((HANDLE)event);
        WSAEVENT own = up->lpWPUCreateEvent(&error);

        (void)sw_handle_set_notify(s, &n);
        up->lpWPUCompleteOverlappedRequest(s, &ov, 0, 1, &error);
        up->lpWPUSetEvent(own, &error);
        up->lpWPUCloseEvent(own, &error);
        up->lpWPUCloseSocketHandle(s, &error);
    }
}

static void upcalls_may_come_from_many_threads(void **state)
{
    WSAEVENT shared = sw_event_create(true, false);
    struct pal_thread *threads[8];

    (void)state;
    pal_store_relaxed(&completions, 0u);
    for (int i = 0; i < 8; i++)
        threads[i] = pal_thread_start(hammer, shared, "hammer");
    for (int i = 0; i < 8; i++)
        pal_thread_join(threads[i]);
    assert_int_equal(pal_load_relaxed(&completions), 8 * 500);
    assert_int_equal(sw_open_handles(p), 0);
    assert_int_equal(sw_event_wait(shared, 0), 0);
    sw_event_close(shared);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_slot_is_filled),
        TEST(a_handle_leads_back_to_its_context),
        TEST(a_closed_handle_is_recognised_for_ever),
        TEST(a_wild_handle_is_recognised),
        TEST(the_handle_of_another_provider_is_refused),
        TEST(a_missing_error_pointer_is_survived),
        TEST(an_upcall_after_the_end_is_recorded),
        TEST(a_manual_event_stays_set),
        TEST(an_automatic_event_releases_one_waiter),
        TEST(events_of_the_provider_are_manual_and_its_own),
        TEST(an_event_may_be_closed_under_a_waiter),
        TEST(calls_queued_to_a_thread_run_in_its_alertable_wait),
        TEST(a_call_from_another_thread_ends_the_wait),
        TEST(the_rarely_used_upcalls_answer),
        TEST(a_completion_stores_the_result_and_sets_the_event),
        TEST(a_completion_calls_the_function_of_its_handle),
        TEST(a_completion_goes_into_the_queue_of_its_handle),
        TEST(a_queue_wakes_the_thread_that_waits),
        TEST(wrong_completions_are_refused),
        TEST(upcalls_may_come_from_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
