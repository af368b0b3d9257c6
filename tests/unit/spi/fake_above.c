/* fake_above.c - a Ws2_32 of a few tables, and the calls down with the usual arguments (fake.h). */
#include "fake.h"

#include "spi/extensions.h"
#include "spi/spi_os.h"
#include "spi/startup.h"

#define HANDLES_MAX 4096u
#define APCS_MAX    64u

WSPPROC_TABLE procs;
unsigned fake_events_set;

static struct {
    DWORD_PTR context;
    bool is_open;
} handles[HANDLES_MAX];
static unsigned handle_count, completions;
static struct {
    LPWSAUSERAPC fn;
    DWORD_PTR context;
} apcs[APCS_MAX];
static unsigned apc_count;

/* --- the upcalls --- */

static int fails(LPINT error, int code)
{
    *error = code;
    return SOCKET_ERROR;
}

static unsigned index_of(SOCKET s)
{
    unsigned i = (unsigned)(s >> 2) - 1u;

    return (s & 3u) == 0 && s != 0 && i < handle_count && handles[i].is_open ? i : HANDLES_MAX;
}

DWORD fake_handle_entry;

static SOCKET WSPAPI up_create_handle(DWORD catalog, DWORD_PTR context, LPINT error)
{
    fake_handle_entry = catalog;
    if (handle_count == HANDLES_MAX) {
        *error = WSAENOBUFS;
        return INVALID_SOCKET;
    }
    handles[handle_count].context = context;
    handles[handle_count].is_open = true;
    return (SOCKET)++handle_count << 2;
}

static int WSPAPI up_close_handle(SOCKET s, LPINT error)
{
    unsigned i = index_of(s);

    (void)error;
    assert_int_not_equal(i, HANDLES_MAX); /* once each */
    handles[i].is_open = false;
    return 0;
}

static int WSPAPI up_context(SOCKET s, PDWORD_PTR context, LPINT error)
{
    unsigned i = index_of(s);

    if (i == HANDLES_MAX)
        return fails(error, WSAENOTSOCK);
    *context = handles[i].context;
    return 0;
}

static BOOL WSPAPI up_set_event(WSAEVENT event, LPINT error)
{
    (void)error;
    assert_true(event == FAKE_EVENT);
    fake_events_set++;
    return TRUE;
}

void (*fake_during_reset)(void);

static BOOL WSPAPI up_reset_event(WSAEVENT event, LPINT error)
{
    (void)event;
    (void)error;
    if (fake_during_reset != NULL)
        fake_during_reset();
    return TRUE;
}

static int WSPAPI up_is_in_set(SOCKET s, WSD_FD_SET *set)
{
    for (unsigned i = 0; i < set->fd_count; i++)
        if (set->fd_array[i] == s)
            return 1;
    return 0;
}

static int WSPAPI up_hook(DWORD catalog, LPBLOCKINGCALLBACK *hook, PDWORD_PTR context, LPINT error)
{
    (void)catalog;
    (void)error;
    *hook = NULL;
    *context = 0;
    return 0;
}

static int WSPAPI up_queue_apc(LPWSATHREADID thread, LPWSAUSERAPC fn, DWORD_PTR context, LPINT error)
{
    (void)thread;
    if (apc_count == APCS_MAX)
        return fails(error, WSAEFAULT);
    apcs[apc_count].fn = fn;
    apcs[apc_count++].context = context;
    return 0;
}

/* As Ws2_32's: the count, then the status (contract 7.3). */
static int WSPAPI up_complete(SOCKET s, LPWSAOVERLAPPED ov, DWORD error, DWORD bytes, LPINT code)
{
    (void)code;
    assert_int_not_equal(index_of(s), HANDLES_MAX);            /* the handle outlives its operations */
    assert_int_equal(ov->Internal, WSS_OPERATION_IN_PROGRESS); /* once each */
    ov->InternalHigh = bytes;
    ov->Internal = error;
    completions++;
    return 0;
}

unsigned fake_open_handles(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < handle_count; i++)
        count += handles[i].is_open ? 1 : 0;
    if (count == 0) /* their numbers may come again */
        handle_count = 0;
    return count;
}

unsigned fake_completions(void)
{
    return completions;
}

unsigned fake_apcs_waiting(void)
{
    return apc_count;
}

void fake_run_apcs(void)
{
    while (apc_count > 0) { /* one may queue another, or come here itself */
        LPWSAUSERAPC fn = apcs[0].fn;
        DWORD_PTR context = apcs[0].context;

        apc_count--;
        memmove(&apcs[0], &apcs[1], apc_count * sizeof(apcs[0]));
        fn(context);
    }
}

/* Nobody blocks in these tests. */
void sw_alert_begin(struct sw_alert *a)
{
    a->thread = NULL;
}

void sw_alert_end(struct sw_alert *a)
{
    (void)a;
}

unsigned sw_thread_run_calls(void)
{
    return 0;
}

/* --- from start to stop --- */

void fake_start_as(DWORD entry)
{
    WSPUPCALLTABLE up;
    WSAPROTOCOL_INFOW info;
    WSPDATA data;

    memset(&up, 0, sizeof(up)); /* what is missing here must not be called */
    up.lpWPUCreateSocketHandle = up_create_handle;
    up.lpWPUCloseSocketHandle = up_close_handle;
    up.lpWPUQuerySocketHandleContext = up_context;
    up.lpWPUSetEvent = up_set_event;
    up.lpWPUResetEvent = up_reset_event;
    up.lpWPUFDIsSet = up_is_in_set;
    up.lpWPUQueryBlockingCallback = up_hook;
    up.lpWPUQueueApc = up_queue_apc;
    memset(&info, 0, sizeof(info));
    info.dwCatalogEntryId = entry;
    sw_set_complete_upcall(up_complete);
    assert_int_equal(sw_spi_startup(0x0202, &data, &info, &up, &procs), 0);
}

void fake_start(void)
{
    fake_start_as(0);
}

void fake_stop(void)
{
    INT error = 0;

    assert_int_equal(procs.lpWSPCleanup(&error), 0);
    assert_int_equal(fake_living(), 0);
    assert_int_equal(fake_open_handles(), 0);
    assert_int_equal(sw_sock_refused_moves(), 0);
    handle_count = completions = 0;
}

int fake_setup(void **state)
{
    (void)state;
    memset(&fake_script, 0, sizeof(fake_script));
    fake_script.may_fall_back = true;
    fake_script.now = WSAEWOULDBLOCK;
    fake_provider_count = 0;
    fake_switch_mode = NULL;
    fake_loses_wildcard = false;
    fake_refresh_answer = 0;
    fake_during_refresh = fake_during_load = fake_during_unload = fake_during_close = NULL;
    fake_during_reset = NULL;
    fake_refreshes = fake_watches = fake_events_set = 0;
    fake_log_clear();
    return 0;
}

int fake_teardown(void **state)
{
    (void)state;
    fake_stop();
    return 0;
}

/* --- sockets --- */

/* By pointer: the call that writes the code is another argument. */
static int code_of(bool has_failed, const INT *error)
{
    return !has_failed ? 0 : *error != 0 ? *error : -1;
}

static int last_code(bool has_failed)
{
    return !has_failed ? 0 : sw_last_error() != 0 ? sw_last_error() : -1;
}

SOCKET fake_socket(int type, bool is_nonblocking)
{
    INT error = 0;
    ULONG on = 1;
    DWORD returned = 0;
    SOCKET s = procs.lpWSPSocket(WS_AF_INET, type, 0, NULL, 0, WSA_FLAG_OVERLAPPED, &error);

    assert_true(s != INVALID_SOCKET);
    if (is_nonblocking)
        assert_int_equal(
            procs.lpWSPIoctl(s, WS_FIONBIO, &on, sizeof(on), NULL, 0, &returned, NULL, NULL, NULL, &error),
            0);
    return s;
}

struct sw_sock *fake_object(SOCKET h)
{
    int error = 0;
    struct sw_sock *s = sw_sock_get(h, &error);

    assert_non_null(s);
    sw_sock_leave(s);
    return s;
}

enum sw_state fake_state(SOCKET h)
{
    return fake_object(h)->state;
}

int fake_bind(SOCKET s, unsigned port)
{
    WSD_SOCKADDR_IN name;
    INT error = 0;

    fake_address(&name, 0, port);
    name.sin_addr.s_addr = 0;
    return code_of(procs.lpWSPBind(s, (WSD_SOCKADDR *)&name, sizeof(name), &error) == SOCKET_ERROR, &error);
}

int fake_connect(SOCKET s, unsigned network)
{
    WSD_SOCKADDR_IN name;
    INT error = 0;

    fake_address(&name, network, 7000);
    return code_of(procs.lpWSPConnect(s, (WSD_SOCKADDR *)&name, sizeof(name), NULL, NULL, NULL, NULL,
                                      &error) == SOCKET_ERROR,
                   &error);
}

int fake_listen(SOCKET s)
{
    INT error = 0;

    return code_of(procs.lpWSPListen(s, 5, &error) == SOCKET_ERROR, &error);
}

int fake_close(SOCKET s)
{
    INT error = 0;

    return code_of(procs.lpWSPCloseSocket(s, &error) == SOCKET_ERROR, &error);
}

int fake_disconnect_ex(SOCKET s)
{
    sw_set_last_error(0);
    return last_code(!sw_spi_disconnect_ex(s, NULL, TF_REUSE_SOCKET, 0));
}

int fake_connect_ex(SOCKET s, unsigned network, WSAOVERLAPPED *ov)
{
    WSD_SOCKADDR_IN name;
    DWORD sent = 0;

    fake_address(&name, network, 7000);
    memset(ov, 0, sizeof(*ov));
    sw_set_last_error(0);
    return last_code(
        !sw_spi_connect_ex(s, (WSD_SOCKADDR *)&name, sizeof(name), NULL, 0, &sent, (LPOVERLAPPED)ov));
}

int fake_accept(SOCKET s, SOCKET *out)
{
    INT error = 0;

    *out = procs.lpWSPAccept(s, NULL, NULL, NULL, 0, &error);
    return code_of(*out == INVALID_SOCKET, &error);
}

int fake_accept_ex(SOCKET listener, SOCKET into, WSAOVERLAPPED *ov)
{
    static char room[2 * (sizeof(WSD_SOCKADDR_IN) + 16)];
    DWORD got = 0;

    memset(ov, 0, sizeof(*ov));
    sw_set_last_error(0);
    return last_code(!sw_spi_accept_ex(listener, into, room, 0, sizeof(room) / 2, sizeof(room) / 2, &got,
                                       (LPOVERLAPPED)ov));
}

int fake_select_events(SOCKET s, LONG events)
{
    INT error = 0;

    return code_of(procs.lpWSPEventSelect(s, FAKE_EVENT, events, &error) == SOCKET_ERROR, &error);
}

LONG fake_take_events(SOCKET s, int *close_error)
{
    WSANETWORKEVENTS events;
    INT error = 0;

    memset(&events, 0, sizeof(events));
    assert_int_equal(procs.lpWSPEnumNetworkEvents(s, FAKE_EVENT, &events, &error), 0);
    if (close_error != NULL)
        *close_error = events.iErrorCode[FD_CLOSE_BIT];
    return events.lNetworkEvents;
}
