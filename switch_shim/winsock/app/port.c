/* port.c - completion ports: handles for the queues of the shim (sw_iocp.c), and what comes out of them as Win32 shows it.
 * A port lives as long as its handle, a socket bound to it, or a thread that waits: closing the handle wakes the waiting ones with
 * ERROR_ABANDONED_WAIT_0, as Windows has done since Vista.
 * Source: the pages of the functions; B065, B085, B124 to B131. */
#include "app/app.h"

#include "sw_internal.h"

static const char port_owner; /* of the slots: its address says that they are ours */

/* The queue with a reference, for the caller to give back with sw_iocp_destroy(). */
static struct sw_iocp *hold(HANDLE port)
{
    struct sw_slot *slot = sw_slot_lock((uintptr_t)port, SW_OBJECT_PORT, NULL);
    struct sw_iocp *queue;

    if (slot == NULL) {
        SetLastError(ERROR_INVALID_HANDLE);
        return NULL;
    }
    queue = slot->u.port;
    sw_iocp_hold(queue);
    sw_slot_unlock(slot);
    return queue;
}

bool ws2_close_port(HANDLE port)
{
    struct sw_slot *slot = sw_slot_lock((uintptr_t)port, SW_OBJECT_PORT, NULL);
    struct sw_iocp *queue;

    if (slot == NULL)
        return false;
    queue = slot->u.port;
    sw_slot_close(slot);
    sw_iocp_abandon(queue);
    sw_iocp_destroy(queue);
    return true;
}

static HANDLE make(void)
{
    struct sw_iocp *queue = sw_iocp_create();
    struct sw_slot *slot = NULL;
    uintptr_t handle;

    if (queue != NULL && sw_global_init())
        slot = sw_slot_create(SW_OBJECT_PORT, &port_owner, &handle);
    if (slot == NULL) {
        sw_iocp_destroy(queue);
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    slot->u.port = queue;
    sw_slot_unlock(slot);
    return (HANDLE)handle;
}

/* 0, ERROR_INVALID_HANDLE, ERROR_INVALID_PARAMETER: bound to a port already. */
static int associate(SOCKET s, HANDLE port, ULONG_PTR key)
{
    struct sw_iocp *queue = hold(port);
    int code;

    if (queue == NULL)
        return ERROR_INVALID_HANDLE;
    code = ws2_bind_queue(s, queue, key);
    sw_iocp_destroy(queue);
    return code == WSAENOTSOCK ? ERROR_INVALID_HANDLE : code == 0 ? 0 : ERROR_INVALID_PARAMETER;
}

HANDLE WINAPI CreateIoCompletionPort(HANDLE file, HANDLE port, ULONG_PTR key, DWORD threads)
{
    HANDLE fresh = NULL;
    int code;

    (void)threads; /* how many may run at once: all that want to */
    if (file == INVALID_HANDLE_VALUE) {
        if (port == NULL)
            return make();
        SetLastError(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (port == NULL)
        port = fresh = make();
    if (port == NULL)
        return NULL;
    code = associate((SOCKET)(uintptr_t)file, port, key);
    if (code == 0)
        return port;
    if (fresh != NULL)
        (void)ws2_close_port(fresh);
    SetLastError((DWORD)code);
    return NULL;
}

static DWORD code_of_wait(int result)
{
    switch (result) {
    case WSAETIMEDOUT: return WAIT_TIMEOUT;
    case SW_WAIT_RAN_CALLS: return WAIT_IO_COMPLETION;
    default: return ERROR_ABANDONED_WAIT_0;
    }
}

BOOL WINAPI GetQueuedCompletionStatus(HANDLE port, LPDWORD bytes, PULONG_PTR key, LPOVERLAPPED *ov, DWORD ms)
{
    struct sw_packet packet;
    struct sw_iocp *queue;
    int result;

    if (bytes == NULL || key == NULL || ov == NULL) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return FALSE;
    }
    *ov = NULL; /* says that no packet was taken */
    queue = hold(port);
    if (queue == NULL)
        return FALSE;
    result = sw_iocp_get(queue, &packet, ms);
    sw_iocp_destroy(queue);
    if (result != 0) {
        SetLastError(code_of_wait(result));
        return FALSE;
    }
    *bytes = packet.bytes;
    *key = packet.key;
    *ov = packet.ov;
    if (packet.error != 0)
        SetLastError(ws2_win32_of(packet.error));
    return packet.error == 0;
}

#define AT_ONCE 64u

BOOL WINAPI GetQueuedCompletionStatusEx(HANDLE port, LPOVERLAPPED_ENTRY entries, ULONG count, PULONG removed,
                                        DWORD ms, BOOL alertable)
{
    struct sw_packet packets[AT_ONCE];
    struct sw_iocp *queue;
    unsigned got = 0;
    int result;

    if (entries == NULL || removed == NULL || count == 0) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return FALSE;
    }
    *removed = 0;
    queue = hold(port);
    if (queue == NULL)
        return FALSE;
    do {
        unsigned most = count - *removed < AT_ONCE ? count - *removed : AT_ONCE;

        result = sw_iocp_get_many(queue, packets, most, &got, *removed == 0 ? ms : 0,
                                  alertable != FALSE && *removed == 0);
        for (unsigned i = 0; i < got; i++)
            entries[(*removed)++] = (OVERLAPPED_ENTRY){packets[i].key, packets[i].ov,
                                                       ws2_status_of(packets[i].error), packets[i].bytes};
    } while (result == 0 && *removed < count);
    sw_iocp_destroy(queue);
    if (*removed == 0)
        SetLastError(code_of_wait(result));
    return *removed > 0;
}

BOOL WINAPI PostQueuedCompletionStatus(HANDLE port, DWORD bytes, ULONG_PTR key, LPOVERLAPPED ov)
{
    const struct sw_packet packet = {key, INVALID_SOCKET, ov, 0, bytes};
    struct sw_iocp *queue = hold(port);
    int code;

    if (queue == NULL)
        return FALSE;
    code = sw_iocp_post(queue, &packet);
    sw_iocp_destroy(queue);
    if (code != 0)
        SetLastError((DWORD)code);
    return code == 0;
}

BOOL WINAPI SetFileCompletionNotificationModes(HANDLE file, UCHAR flags)
{
    int code = ws2_set_completion_modes((SOCKET)(uintptr_t)file, flags);

    if (code != 0)
        SetLastError(code == WSAENOTSOCK ? ERROR_INVALID_HANDLE : ERROR_INVALID_PARAMETER);
    return code == 0;
}
