/* port_windows.c - completion ports are the kernel's: a packet of an operation goes to the port that its socket was bound to, with the status
 * that the kernel would give.
 * NtSetIoCompletion, because PostQueuedCompletionStatus knows no failed operations.
 * Limit: a port that a socket is bound to lives on when its handle is closed, so who waits there is not woken.
 * Source: the pages of the functions; B065, B085, B124 to B131. */
#include "app/app.h"

#include "sw_internal.h"

#undef CreateIoCompletionPort /* the system's own is meant below */

NTSYSAPI LONG NTAPI NtSetIoCompletion(HANDLE port, ULONG_PTR key, ULONG_PTR ov, LONG status, ULONG_PTR bytes);

static int put(void *context, const struct sw_packet *packet)
{
    return NtSetIoCompletion(context, packet->key, (ULONG_PTR)packet->ov, (LONG)ws2_status_of(packet->error),
                             packet->bytes) >= 0
               ? 0
               : WSA_NOT_ENOUGH_MEMORY;
}

static void let(void *context)
{
    (void)CloseHandle(context);
}

/* 0, or the Win32 code. ERROR_INVALID_PARAMETER: bound to a port already. */
static DWORD associate(SOCKET s, HANDLE port, ULONG_PTR key)
{
    const HANDLE process = GetCurrentProcess();
    struct sw_iocp_target target = {NULL, put, let};
    struct sw_iocp *queue;
    int code;

    if (!DuplicateHandle(process, port, process, &target.context, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return ERROR_INVALID_HANDLE;
    queue = sw_iocp_create_for(&target);
    if (queue == NULL) {
        let(target.context);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    code = ws2_bind_queue(s, queue, key);
    sw_iocp_destroy(queue);
    return code == WSAENOTSOCK ? ERROR_INVALID_HANDLE : code == 0 ? 0 : ERROR_INVALID_PARAMETER;
}

HANDLE WINAPI ws2_CreateIoCompletionPort(HANDLE file, HANDLE port, ULONG_PTR key, DWORD threads)
{
    HANDLE fresh = NULL;
    DWORD code;

    if (file == INVALID_HANDLE_VALUE || !ws2_handle_is_open((SOCKET)file))
        return CreateIoCompletionPort(file, port, key, threads);
    if (port == NULL)
        port = fresh = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, threads);
    if (port == NULL)
        return NULL;
    code = associate((SOCKET)file, port, key);
    if (code == 0)
        return port;
    if (fresh != NULL)
        (void)CloseHandle(fresh);
    SetLastError(code);
    return NULL;
}

BOOL WINAPI SetFileCompletionNotificationModes(HANDLE file, UCHAR flags)
{
    int code = ws2_set_completion_modes((SOCKET)file, flags);

    if (code != 0)
        SetLastError(code == WSAENOTSOCK ? ERROR_INVALID_HANDLE : ERROR_INVALID_PARAMETER);
    return code == 0;
}
