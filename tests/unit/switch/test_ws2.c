/* test_ws2.c - the part of Ws2_32 under a base provider: starting and ending one, and the upcalls called as one would call them,
 * rightly and wrongly. The provider is a table of this program's. Rules: contract 10.1, 10.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pal/thread.h"
#include "winsock/ws2.h"

static struct {
    int answer;          /* of WSPStartup */
    unsigned empty_slot; /* 0: none, else slot number + 1 */
    WORD version;
    unsigned startups, cleanups;
    WSPUPCALLTABLE up;
    WSAPROTOCOL_INFOW info;
    LPWPUCOMPLETEOVERLAPPEDREQUEST complete;
    SOCKET complete_in_cleanup; /* 0: none */
    WSAOVERLAPPED *pending;
} fake;

static struct ws2_provider *p;
#define ENTRY (fake.info.dwCatalogEntryId)

static int WSPAPI fake_cleanup(INT *error)
{
    INT ignored;

    *error = 0;
    fake.cleanups++;
    if (fake.complete_in_cleanup != 0) {
        fake.complete(fake.complete_in_cleanup, fake.pending, WSA_OPERATION_ABORTED, 0, &ignored);
        fake.up.lpWPUCloseSocketHandle(fake.complete_in_cleanup, &ignored);
    }
    return 0;
}

static void nothing(void)
{
}

static int WSPAPI fake_startup(WORD version, WSPDATA *data, WSAPROTOCOL_INFOW *info, WSPUPCALLTABLE up,
                               WSPPROC_TABLE *procs)
{
    void (*slots[30])(void);

    assert_int_equal(version, 0x0202);
    _Static_assert(sizeof(slots) == sizeof(*procs), "thirty functions");
    fake.startups++;
    fake.up = up;
    fake.info = *info;
    data->wVersion = fake.version;
    data->wHighVersion = 0x0202;
    for (unsigned i = 0; i < 30; i++)
        slots[i] = fake.empty_slot == i + 1 ? NULL : nothing;
    memcpy(procs, slots, sizeof(slots));
    if (fake.empty_slot != 6)
        procs->lpWSPCleanup = fake_cleanup;
    return fake.answer;
}

static void take_complete(LPWPUCOMPLETEOVERLAPPEDREQUEST fn)
{
    fake.complete = fn;
}

static int setup(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.version = 0x0202;
    assert_int_equal(ws2_start(fake_startup, take_complete, &p, NULL, 0), 0);
    return 0;
}

static int teardown(void **state)
{
    char text[2000];

    (void)state;
    if (ws2_unload(p, text, sizeof(text)) != 0)
        fail_msg("%s", text);
    assert_int_equal(fake.cleanups, fake.startups);
    return 0;
}

/* The one violation so far, with this in its text; forgets it. */
static void expect_violation(const char *part)
{
    char text[2000];
    unsigned count = ws2_violations(text, sizeof(text));

    if (count != 1 || strstr(text, part) == NULL)
        fail_msg("expected one violation with '%s', got %u: %s", part, count, text);
    ws2_violations_clear();
}

static SOCKET make_handle(DWORD_PTR context)
{
    INT error = -1;
    SOCKET s = fake.up.lpWPUCreateSocketHandle(ENTRY, context, &error);

    assert_true(s != INVALID_SOCKET);
    assert_int_equal(error, 0);
    return s;
}

static void drop_handle(SOCKET s)
{
    INT error = -1;

    assert_int_equal(fake.up.lpWPUCloseSocketHandle(s, &error), 0);
    assert_int_equal(error, 0);
}

static WSAOVERLAPPED started(WSAEVENT event)
{
    WSAOVERLAPPED ov = {.Internal = WSS_OPERATION_IN_PROGRESS, .hEvent = (HANDLE)event};

    return ov;
}

/* --- starting and ending --- */

static void a_provider_is_started_with_tcp_and_all_upcalls(void **state)
{
    void (*slots[15])(void);

    (void)state;
    _Static_assert(sizeof(slots) == sizeof(fake.up), "fifteen upcalls");
    memcpy(slots, &fake.up, sizeof(slots));
    for (unsigned i = 0; i < 15; i++)
        assert_non_null(slots[i]);
    assert_non_null(fake.complete);
    assert_int_equal(fake.info.iSocketType, WS_SOCK_STREAM);
    assert_int_equal(fake.info.iAddressFamily, WS_AF_INET);
    assert_int_equal(fake.info.iProtocol, WS_IPPROTO_TCP);
    assert_int_equal(fake.info.ProtocolChain.ChainLen, BASE_PROTOCOL);
    assert_int_equal(fake.info.dwServiceFlags1 & XP1_IFS_HANDLES, 0);
}

static void providers_that_do_not_fit_are_refused(void **state)
{
    struct ws2_provider *other = NULL;
    char why[200];

    (void)state;
    fake.answer = WSASYSNOTREADY;
    assert_int_equal(ws2_start(fake_startup, NULL, &other, why, sizeof(why)), WSASYSNOTREADY);
    fake.startups--; /* one that failed wants no WSPCleanup */
    fake.answer = 0;
    fake.version = 0x0101;
    assert_int_equal(ws2_start(fake_startup, NULL, &other, why, sizeof(why)), WSAVERNOTSUPPORTED);
    fake.version = 0x0202;
    fake.empty_slot = 30;
    assert_int_equal(ws2_start(fake_startup, NULL, &other, why, sizeof(why)), WSAEINVALIDPROCTABLE);
    assert_non_null(strstr(why, "slot 29"));
    fake.empty_slot = 6; /* WSPCleanup itself */
    assert_int_equal(ws2_start(fake_startup, NULL, &other, why, sizeof(why)), WSAEINVALIDPROCTABLE);
    fake.startups--;
    assert_int_equal(ws2_load("/nowhere/at/all", &other, why, sizeof(why)), WSAEPROVIDERFAILEDINIT);
    assert_null(other);
}

static void only_so_many_run_at_once(void **state)
{
    struct ws2_provider *more[WS2_PROVIDERS_MAX];

    (void)state;
    for (unsigned i = 1; i < WS2_PROVIDERS_MAX; i++)
        assert_int_equal(ws2_start(fake_startup, NULL, &more[i], NULL, 0), 0);
    assert_int_equal(ws2_start(fake_startup, NULL, &more[0], NULL, 0), WSAEPROCLIM);
    for (unsigned i = 1; i < WS2_PROVIDERS_MAX; i++) {
        assert_int_not_equal(ws2_protocol_info(more[i], WS2_TCP)->dwCatalogEntryId,
                             ws2_protocol_info(p, WS2_TCP)->dwCatalogEntryId);
        assert_int_equal(ws2_unload(more[i], NULL, 0), 0);
    }
}

static void what_is_left_open_is_told(void **state)
{
    struct ws2_provider *other;
    char text[2000];
    INT error;
    WSATHREADID thread;

    (void)state;
    (void)ws2_unload(p, NULL, 0);
    assert_int_equal(ws2_start(fake_startup, take_complete, &other, NULL, 0), 0);
    make_handle(1);
    assert_true(fake.up.lpWPUCreateEvent(&error) != WSA_INVALID_EVENT);
    assert_int_equal(fake.up.lpWPUOpenCurrentThread(&thread, &error), 0);
    assert_int_equal(ws2_unload(other, text, sizeof(text)), 3);
    assert_non_null(strstr(text, "socket handle"));
    assert_non_null(strstr(text, "WPUCreateEvent"));
    assert_non_null(strstr(text, "WPUOpenCurrentThread"));
    assert_int_equal(ws2_start(fake_startup, take_complete, &p, NULL, 0), 0);
}

static void upcalls_after_the_last_cleanup_are_refused(void **state)
{
    INT error = 0;

    (void)state;
    assert_int_equal(ws2_unload(p, NULL, 0), 0);
    assert_true(fake.up.lpWPUCreateSocketHandle(ENTRY, 1, &error) == INVALID_SOCKET);
    assert_int_equal(error, WSANOTINITIALISED);
    expect_violation("after the last WSPCleanup");
    assert_false(fake.up.lpWPUPostMessage(NULL, 1, 2, 3));
    expect_violation("after the last WSPCleanup");
    assert_int_equal(ws2_start(fake_startup, take_complete, &p, NULL, 0), 0);
}

static void cleanup_cancels_without_telling(void **state)
{
    struct ws2_provider *other;
    WSAOVERLAPPED ov = started(NULL);
    char text[2000];

    (void)state;
    assert_int_equal(ws2_start(fake_startup, take_complete, &other, NULL, 0), 0);
    fake.complete_in_cleanup = make_handle(1);
    fake.pending = &ov;
    assert_int_equal(ws2_unload(other, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "cancels without telling"));
    fake.complete_in_cleanup = 0;
    ws2_violations_clear();
}

/* --- handles --- */

static void handles_lead_to_their_context(void **state)
{
    SOCKET a = make_handle(11), b = make_handle(22);
    DWORD_PTR context = 0;
    INT error = -1;

    (void)state;
    assert_true(a != b);
    assert_int_equal(ws2_open_handles(p), 2);
    assert_true(ws2_handle_is_open(a));
    assert_int_equal(fake.up.lpWPUQuerySocketHandleContext(a, &context, &error), 0);
    assert_int_equal(context, 11);
    assert_int_equal(fake.up.lpWPUQuerySocketHandleContext(b, &context, &error), 0);
    assert_int_equal(context, 22);
    drop_handle(a);
    assert_false(ws2_handle_is_open(a));
    assert_int_equal(fake.up.lpWPUQuerySocketHandleContext(a, &context, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAENOTSOCK);
    SOCKET again = make_handle(33);
    assert_true(again != a); /* a generation of its own */
    drop_handle(again);
    drop_handle(b);
    assert_int_equal(fake.up.lpWPUQuerySocketHandleContext(1, &context, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAENOTSOCK);
}

static void wrong_handles_are_violations(void **state)
{
    SOCKET s = make_handle(1);
    INT error = 0;

    (void)state;
    drop_handle(s);
    assert_int_equal(fake.up.lpWPUCloseSocketHandle(s, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAENOTSOCK);
    expect_violation("was closed already");
    assert_int_equal(fake.up.lpWPUCloseSocketHandle(77, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAENOTSOCK);
    expect_violation("was never made");
    assert_true(fake.up.lpWPUCreateSocketHandle(5, 1, &error) == INVALID_SOCKET);
    expect_violation("catalog entry 5");
    s = make_handle(1);
    assert_int_equal(fake.up.lpWPUQuerySocketHandleContext(s, NULL, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEFAULT);
    expect_violation("lpContext is NULL");
    assert_int_equal(fake.up.lpWPUCloseSocketHandle(s, NULL), 0);
    expect_violation("lpErrno is NULL");
    assert_true(fake.up.lpWPUModifyIFSHandle(ENTRY, 5, &error) == INVALID_SOCKET);
    assert_int_equal(error, WSAEINVAL);
    expect_violation("file system handles");
}

/* --- completion --- */

static void completion_stores_sets_and_posts(void **state)
{
    SOCKET s = make_handle(1);
    WSAEVENT event = sw_event_create(true, false);
    struct sw_iocp *queue = sw_iocp_create();
    WSAOVERLAPPED ov = started(event);
    struct sw_packet packet;
    INT error = -1;

    (void)state;
    assert_int_equal(ws2_bind_queue(s, queue, 99), 0);
    assert_int_equal(ws2_bind_queue(s, queue, 98), WSAEINVAL);
    assert_int_equal(ws2_operation_begin(s, &ov), 0);
    assert_int_equal(ws2_operation_begin(s, &ov), WSAEINVAL);
    assert_int_equal(ws2_operations_open(s), 1);
    ws2_operation_submitted(s, &ov, SOCKET_ERROR, WSA_IO_PENDING);
    assert_int_equal(fake.complete(s, &ov, 0, 123, &error), 0);
    assert_int_equal(error, 0);
    assert_int_equal(ov.Internal, 0);
    assert_int_equal(ov.InternalHigh, 123);
    assert_int_equal(sw_event_wait(event, 0), 0);
    assert_int_equal(sw_iocp_get(queue, &packet, 0), 0);
    assert_int_equal(packet.key, 99);
    assert_true(packet.handle == s && packet.ov == &ov && packet.bytes == 123 && packet.error == 0);
    assert_int_equal(ws2_operations_open(s), 0);

    /* bit 0 of hEvent keeps the packet back, the event is set all the same */
    assert_int_equal(sw_event_reset(event), 0);
    ov = started((WSAEVENT)((ULONG_PTR)event | 1u));
    assert_int_equal(fake.complete(s, &ov, WSAECONNRESET, 0, &error), 0);
    assert_int_equal(ov.Internal, WSAECONNRESET);
    assert_int_equal(sw_event_wait(event, 0), 0);
    assert_int_equal(sw_iocp_get(queue, &packet, 0), WSAETIMEDOUT);
    drop_handle(s);
    assert_int_equal(ws2_bind_queue(s, queue, 1), WSAENOTSOCK);
    assert_int_equal(sw_event_close(event), 0);
    sw_iocp_destroy(queue);
}

static void wrong_completions_are_violations(void **state)
{
    SOCKET s = make_handle(1), other = make_handle(2);
    WSAOVERLAPPED ov = started(NULL);
    INT error = 0;

    (void)state;
    assert_int_equal(fake.complete(s, &ov, 0, 0, &error), 0);
    assert_int_equal(fake.complete(s, &ov, 0, 0, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEINVAL);
    expect_violation("completed twice");
    ov = started(NULL);
    assert_int_equal(ws2_operation_begin(s, &ov), 0);
    assert_int_equal(fake.complete(other, &ov, 0, 0, &error), SOCKET_ERROR);
    expect_violation("another socket handle");
    assert_int_equal(fake.complete(s, &ov, WSA_IO_PENDING, 0, &error), SOCKET_ERROR);
    expect_violation("not over");
    assert_int_equal(fake.complete(s, NULL, 0, 0, &error), SOCKET_ERROR);
    expect_violation("lpOverlapped is NULL");
    assert_int_equal(fake.complete(4711, &ov, 0, 0, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEINVAL);
    expect_violation("was never made");
    assert_int_equal(fake.complete(s, &ov, 0, 0, &error), 0);
    ws2_operation_submitted(s, &ov, SOCKET_ERROR, WSAENOTCONN);
    expect_violation("refused with WSAENOTCONN");
    ov = started(NULL);
    assert_int_equal(ws2_operation_begin(s, &ov), 0);
    drop_handle(s);
    expect_violation("1 operations");
    drop_handle(other);
}

static void a_refused_operation_leaves_nothing(void **state)
{
    SOCKET s = make_handle(1);
    WSAOVERLAPPED ov = {.Internal = 0};
    INT error;

    (void)state;
    assert_int_equal(ws2_operation_begin(s, &ov), 0);
    ws2_operation_submitted(s, &ov, SOCKET_ERROR, WSAENOTCONN);
    assert_int_equal(ws2_operations_open(s), 0);
    assert_int_equal(ws2_operation_begin(s, &ov), 0);
    assert_int_equal(fake.complete(s, &ov, 0, 1, &error), 0); /* at once, from inside the call */
    ws2_operation_submitted(s, &ov, 0, 0);
    drop_handle(s);
    assert_int_equal(ws2_operation_begin(s, &ov), WSAENOTSOCK);
}

/* --- the others --- */

static void events(void **state)
{
    WSAEVENT mine = sw_event_create(true, false), made;
    INT error = -1;

    (void)state;
    made = fake.up.lpWPUCreateEvent(&error);
    assert_true(made != WSA_INVALID_EVENT);
    assert_int_equal(sw_event_wait(made, 0), WSAETIMEDOUT);
    assert_true(fake.up.lpWPUSetEvent(made, &error));
    assert_int_equal(sw_event_wait(made, 0), 0);
    assert_int_equal(sw_event_wait(made, 0), 0); /* manual reset */
    assert_true(fake.up.lpWPUResetEvent(made, &error));
    assert_int_equal(sw_event_wait(made, 0), WSAETIMEDOUT);
    assert_true(fake.up.lpWPUSetEvent(mine, &error));
    assert_int_equal(sw_event_wait(mine, 0), 0);
    assert_false(fake.up.lpWPUCloseEvent(mine, &error));
    assert_int_equal(error, WSA_INVALID_HANDLE);
    expect_violation("another party");
    assert_true(fake.up.lpWPUCloseEvent(made, &error));
    assert_false(fake.up.lpWPUCloseEvent(made, &error));
    expect_violation("a closed event");
    assert_false(fake.up.lpWPUSetEvent(made, &error));
    assert_int_equal(error, WSA_INVALID_HANDLE);
    expect_violation("a closed event");
    assert_false(fake.up.lpWPUResetEvent(NULL, &error));
    expect_violation("no event");
    assert_int_equal(sw_event_close(mine), 0);
}

static void sets_and_paths(void **state)
{
    WSD_FD_SET set = {.fd_count = 2, .fd_array = {5, 9}};
    WCHAR path[200];
    GUID id = fake.info.ProviderId;
    INT length = 200, error = 0;

    (void)state;
    assert_true(fake.up.lpWPUFDIsSet(9, &set));
    assert_false(fake.up.lpWPUFDIsSet(6, &set));
    assert_false(fake.up.lpWPUFDIsSet(6, NULL));
    expect_violation("the set is NULL");
    assert_int_equal(fake.up.lpWPUGetProviderPath(&id, path, &length, &error), 0);
    assert_true(length > 1 && path[length - 1] == 0);
    length = 1;
    assert_int_equal(fake.up.lpWPUGetProviderPath(&id, path, &length, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEFAULT);
    assert_true(length > 1);
    assert_int_equal(fake.up.lpWPUGetProviderPath(&id, NULL, &length, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEFAULT);
    id.Data1 ^= 1;
    assert_int_equal(fake.up.lpWPUGetProviderPath(&id, path, &length, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEINVAL);
}

static void messages_come_in_order(void **state)
{
    struct sw_message m;

    (void)state;
    assert_true(fake.up.lpWPUPostMessage((HWND)(uintptr_t)7, 1, 2, 3));
    assert_true(fake.up.lpWPUPostMessage((HWND)(uintptr_t)8, 4, 5, 6));
    assert_int_equal(ws2_next_message(&m, 0), 0);
    assert_true(m.window == (HWND)(uintptr_t)7 && m.message == 1 && m.wparam == 2 && m.lparam == 3);
    assert_int_equal(ws2_next_message(&m, 0), 0);
    assert_int_equal(m.message, 4);
    assert_int_equal(ws2_next_message(&m, 1), WSAETIMEDOUT);
}

static BOOL CALLBACK some_hook(DWORD_PTR context)
{
    (void)context;
    return TRUE;
}

static void ask_hook(void *context)
{
    LPBLOCKINGCALLBACK fn = some_hook;
    DWORD_PTR value;
    INT error;

    fake.up.lpWPUQueryBlockingCallback(ENTRY, &fn, &value, &error);
    *(bool *)context = fn == NULL;
}

static void a_blocking_hook_belongs_to_its_thread(void **state)
{
    LPBLOCKINGCALLBACK fn = some_hook;
    DWORD_PTR context = 0;
    INT error = -1;
    bool other_has_none = false;
    struct pal_thread *thread;

    (void)state;
    assert_int_equal(fake.up.lpWPUQueryBlockingCallback(ENTRY, &fn, &context, &error), 0);
    assert_null(fn);
    ws2_set_blocking_hook(some_hook, 5);
    assert_int_equal(fake.up.lpWPUQueryBlockingCallback(ENTRY, &fn, &context, &error), 0);
    assert_true(fn == some_hook && context == 5);
    thread = pal_thread_start(ask_hook, &other_has_none, "hook");
    assert_non_null(thread);
    pal_thread_join(thread);
    assert_true(other_has_none);
    ws2_set_blocking_hook(NULL, 0);
    assert_int_equal(fake.up.lpWPUQueryBlockingCallback(ENTRY, NULL, &context, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEFAULT);
    expect_violation("result pointer");
    assert_int_equal(fake.up.lpWPUQueryBlockingCallback(3, &fn, &context, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEINVAL);
    expect_violation("catalog entry 3");
}

static void CALLBACK count_up(DWORD_PTR context)
{
    ++*(unsigned *)context;
}

static void calls_are_queued_to_threads(void **state)
{
    WSATHREADID mine, theirs = {.ThreadHandle = NULL};
    unsigned calls = 0;
    INT error = -1;

    (void)state;
    assert_int_equal(sw_thread_open(&mine), 0);
    assert_int_equal(fake.up.lpWPUQueueApc(&mine, count_up, (DWORD_PTR)&calls, &error), 0);
    assert_int_equal(calls, 0);
    assert_int_equal(sw_alertable_wait(0), 1);
    assert_int_equal(calls, 1);
    assert_int_equal(fake.up.lpWPUQueueApc(&theirs, count_up, 0, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEFAULT);
    expect_violation("no such thread");
    assert_int_equal(fake.up.lpWPUQueueApc(&mine, NULL, 0, &error), SOCKET_ERROR);
    assert_int_equal(error, WSAEFAULT);
    expect_violation("no function");
    assert_int_equal(sw_thread_close(&mine), 0);
    assert_int_equal(fake.up.lpWPUOpenCurrentThread(&theirs, &error), 0);
    assert_int_equal(fake.up.lpWPUCloseThread(&theirs, &error), 0);
    assert_int_equal(fake.up.lpWPUCloseThread(&theirs, &error), SOCKET_ERROR);
    expect_violation("WPUCloseThread");
    assert_int_equal(fake.up.lpWPUOpenCurrentThread(NULL, &error), SOCKET_ERROR);
    expect_violation("lpThreadId is NULL");
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_provider_is_started_with_tcp_and_all_upcalls),
        test(providers_that_do_not_fit_are_refused),
        test(only_so_many_run_at_once),
        test(what_is_left_open_is_told),
        test(upcalls_after_the_last_cleanup_are_refused),
        test(cleanup_cancels_without_telling),
        test(handles_lead_to_their_context),
        test(wrong_handles_are_violations),
        test(completion_stores_sets_and_posts),
        test(wrong_completions_are_violations),
        test(a_refused_operation_leaves_nothing),
        test(events),
        test(sets_and_paths),
        test(messages_come_in_order),
        test(a_blocking_hook_belongs_to_its_thread),
        test(calls_are_queued_to_threads),
    };

    return cmocka_run_group_tests_name("ws2", tests, NULL, NULL);
}
