/* events.c - event objects, and waiting for them. Waits for several events, also those of kernel32, are here. */
#include "app/app.h"

#include "sw_internal.h"

/* --- event objects --- */

HANDLE WINAPI CreateEventA(LPSECURITY_ATTRIBUTES security, BOOL manual_reset, BOOL initial_state, LPCSTR name)
{
    WSAEVENT event;

    (void)security;
    if (name != NULL) {
        SetLastError(ERROR_CALL_NOT_IMPLEMENTED);
        return NULL;
    }
    event = sw_event_create(manual_reset != FALSE, initial_state != FALSE);
    if (event == WSA_INVALID_EVENT)
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return event;
}

HANDLE WINAPI CreateEventW(LPSECURITY_ATTRIBUTES security, BOOL manual_reset, BOOL initial_state,
                           LPCWSTR name)
{
    return CreateEventA(security, manual_reset, initial_state, name != NULL ? "" : NULL);
}

static BOOL done(int code)
{
    if (code != 0)
        SetLastError((DWORD)code);
    return code == 0;
}

BOOL WINAPI SetEvent(HANDLE event)
{
    return done(sw_event_set(event));
}

BOOL WINAPI ResetEvent(HANDLE event)
{
    return done(sw_event_reset(event));
}

void ws2_os_reset_event(WSAEVENT event)
{
    (void)sw_event_reset(event);
}

WSAEVENT WSAAPI WSACreateEvent(void)
{
    return CreateEventA(NULL, TRUE, FALSE, NULL);
}

BOOL WSAAPI WSACloseEvent(WSAEVENT event)
{
    return done(sw_event_close(event));
}

BOOL WSAAPI WSASetEvent(WSAEVENT event)
{
    return SetEvent(event);
}

BOOL WSAAPI WSAResetEvent(WSAEVENT event)
{
    return ResetEvent(event);
}

/* --- waiting --- */

DWORD WINAPI WaitForMultipleObjectsEx(DWORD count, const HANDLE *objects, BOOL all, DWORD ms, BOOL alertable)
{
    const struct sw_wait_many m = {objects, count, all != FALSE, alertable != FALSE, ms};
    unsigned which = 0;
    int result = ERROR_INVALID_PARAMETER;

    if (count > 0 && count <= MAXIMUM_WAIT_OBJECTS && objects != NULL)
        result = sw_wait_many(&m, &which);
    switch (result) {
    case 0: return WAIT_OBJECT_0 + which;
    case SW_WAIT_RAN_CALLS: return WAIT_IO_COMPLETION;
    case WSAETIMEDOUT: return WAIT_TIMEOUT;
    default: SetLastError((DWORD)result); return WAIT_FAILED;
    }
}

DWORD WINAPI WaitForMultipleObjects(DWORD count, const HANDLE *objects, BOOL all, DWORD ms)
{
    return WaitForMultipleObjectsEx(count, objects, all, ms, FALSE);
}

DWORD WINAPI WaitForSingleObjectEx(HANDLE object, DWORD ms, BOOL alertable)
{
    return WaitForMultipleObjectsEx(1, &object, FALSE, ms, alertable);
}

DWORD WINAPI WaitForSingleObject(HANDLE object, DWORD ms)
{
    return WaitForMultipleObjectsEx(1, &object, FALSE, ms, FALSE);
}

DWORD WSAAPI WSAWaitForMultipleEvents(DWORD count, const WSAEVENT *events, BOOL all, DWORD ms, BOOL alertable)
{
    return WaitForMultipleObjectsEx(count, events, all, ms, alertable);
}

DWORD WINAPI SleepEx(DWORD ms, BOOL alertable)
{
    const struct sw_wait_many m = {NULL, 0, false, alertable != FALSE, ms};
    unsigned which;

    return sw_wait_many(&m, &which) == SW_WAIT_RAN_CALLS ? WAIT_IO_COMPLETION : 0;
}

void WINAPI Sleep(DWORD ms)
{
    (void)SleepEx(ms, FALSE);
}