/* os_windows.c - what the application's side asks of the system, over Windows: the switch is a library, as for Ws2_32; events, threads and files
 * are the kernel's.
 * Limits: the kernel would hold an event or a thread that an operation names; here a handle that the application closes too early may be
 *          another object's by then. */
#include "app/app.h"

#include "app/ntoa.h"

/* The system's own are meant below. */
#undef ReadFile
#undef WriteFile
#undef WSAStartup
#undef gethostname
#undef inet_ntoa

/* --- events, threads: what the upcalls name --- */

static WSAEVENT create_event(void)
{
    return CreateEventA(NULL, TRUE, FALSE, NULL);
}

static int close_event(WSAEVENT e)
{
    return CloseHandle(e) ? 0 : WSA_INVALID_HANDLE;
}

static int reset_event(WSAEVENT e)
{
    return ResetEvent(e) ? 0 : WSA_INVALID_HANDLE;
}

static int set_event(WSAEVENT e)
{
    return SetEvent(e) ? 0 : WSA_INVALID_HANDLE;
}

static int open_this_thread(WSATHREADID *out)
{
    const HANDLE process = GetCurrentProcess();

    out->Reserved = 0;
    return DuplicateHandle(process, GetCurrentThread(), process, &out->ThreadHandle, 0, FALSE,
                           DUPLICATE_SAME_ACCESS)
               ? 0
               : WSA_NOT_ENOUGH_MEMORY;
}

static int close_thread(const WSATHREADID *id)
{
    return id != NULL && CloseHandle(id->ThreadHandle) ? 0 : WSA_INVALID_HANDLE;
}

static int queue_call(const WSATHREADID *id, LPWSAUSERAPC fn, DWORD_PTR context)
{
    return QueueUserAPC(fn, id->ThreadHandle, context) != 0 ? 0 : WSAEFAULT;
}

static const struct ws2_objects objects = {create_event,     close_event,  reset_event, set_event,
                                           open_this_thread, close_thread, queue_call};

void ws2_os_reset_event(WSAEVENT event)
{
    const DWORD last_error = GetLastError();

    (void)ResetEvent(event);
    SetLastError(last_error);
}

/* --- this thread, for completion routines: its handle is closed when it ends --- */

static DWORD slot = FLS_OUT_OF_INDEXES;
static INIT_ONCE slot_once = INIT_ONCE_STATIC_INIT;

static void CALLBACK thread_ends(void *context)
{
    WSATHREADID *id = context;

    if (id == NULL)
        return;
    (void)close_thread(id);
    HeapFree(GetProcessHeap(), 0, id);
}

static BOOL CALLBACK make_slot(INIT_ONCE *once, void *parameter, void **context)
{
    (void)once;
    (void)parameter;
    (void)context;
    slot = FlsAlloc(thread_ends);
    return slot != FLS_OUT_OF_INDEXES;
}

WSATHREADID *ws2_this_thread(void)
{
    WSATHREADID *id;

    if (!InitOnceExecuteOnce(&slot_once, make_slot, NULL, NULL))
        return NULL;
    id = FlsGetValue(slot);
    if (id != NULL)
        return id;
    id = HeapAlloc(GetProcessHeap(), 0, sizeof(*id));
    if (id != NULL && open_this_thread(id) == 0) {
        if (FlsSetValue(slot, id))
            return id;
        (void)close_thread(id);
    }
    if (id != NULL)
        HeapFree(GetProcessHeap(), 0, id);
    return NULL;
}

/* --- start-up, names, files --- */

/* The system's Winsock too, which answers for names of hosts; it ends with the process. */
static BOOL CALLBACK start_system(INIT_ONCE *once, void *parameter, void **context)
{
    WSADATA data;

    (void)once;
    (void)parameter;
    (void)context;
    return WSAStartup(MAKEWORD(2, 2), &data) == 0;
}

/* The library's, not those of the same name that the part of Ws2_32 is linked with: its sockets are the library's. */
static int (*cancel_io)(SOCKET s, LPOVERLAPPED ov, bool is_own_only);
static int (*poll_sockets)(struct sw_polled *all, unsigned count, int timeout_ms, unsigned *ready);

int ws2_os_start_switch(struct ws2_provider **out)
{
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    int code;

    if (!InitOnceExecuteOnce(&once, start_system, NULL, NULL))
        return WSASYSNOTREADY;
    ws2_set_objects(&objects);
    code = ws2_load(NULL, out, NULL, 0);
    if (code != 0)
        return code;
    cancel_io = (int (*)(SOCKET, LPOVERLAPPED, bool))ws2_symbol(*out, "sw_cancel_io");
    poll_sockets = (int (*)(struct sw_polled *, unsigned, int, unsigned *))ws2_symbol(*out,
                                                                                      "sw_poll_sockets");
    return 0;
}

int ws2_os_cancel_io(SOCKET s, LPOVERLAPPED ov, bool is_own_only)
{
    return cancel_io == NULL ? WSANOTINITIALISED : cancel_io(s, ov, is_own_only);
}

int ws2_os_poll_sockets(struct sw_polled *all, unsigned count, int timeout_ms, unsigned *ready)
{
    return poll_sockets == NULL ? WSANOTINITIALISED : poll_sockets(all, count, timeout_ms, ready);
}

int ws2_os_host_name(char *name, size_t bytes)
{
    return gethostname(name, (int)bytes) == 0 ? 0 : (int)GetLastError();
}

char *ws2_os_ntoa(const void *address)
{
    struct in_addr copy;

    memcpy(&copy, address, sizeof(copy));
    return inet_ntoa(copy);
}

/* What is no socket; the kernel says whether it is a file. */
bool ws2_os_is_file(HANDLE h)
{
    return !ws2_handle_is_open((SOCKET)h);
}

int ws2_os_move_file(HANDLE h, WSABUF *buffer, bool to_write, DWORD *moved)
{
    const BOOL is_done = to_write ? WriteFile(h, buffer->buf, buffer->len, moved, NULL)
                                  : ReadFile(h, buffer->buf, buffer->len, moved, NULL);

    return is_done ? 0 : (int)GetLastError();
}
