/* status.c - three names for one failure: the switch's Winsock code, the NTSTATUS in OVERLAPPED.Internal, and the Win32 code of
 * GetQueuedCompletionStatus() and GetOverlappedResult(). On Windows the first and the last are made from the middle one.
 * Source: MS-ERREF 2.3.1 (statuses); RtlNtStatusToDosError() for the last column; what is not in the table has a status that
 * this function gives back as the code itself. */
#include "app/app.h"

#include "pal/atomic.h"

#define OTHERS 0xC0010000u /* RtlNtStatusToDosError() takes the lower half of these for the code */
#define NO_SUCH_STATUS                                                                                       \
    317u /* ERROR_MR_MID_NOT_FOUND: what RtlNtStatusToDosError() says of statuses it does not know */
#define IS_FAILURE(status) (((DWORD)(status)&0x80000000u) != 0) /* also warnings, as NT_SUCCESS() has it */
#define IS_PLAIN(status)   ((status) > 0 && (status) < 0x10000u && (status) != (DWORD)STATUS_PENDING)
#define IS_WINSOCK(code)   ((code) >= WSABASEERR && (code) < WSABASEERR + 2000u)
#define STATUS_OVERFLOWED  0x80000005u

static const struct {
    DWORD code, status, win32;
} rows[] = {
    {0, 0, 0},
    {WSA_OPERATION_ABORTED, 0xC0000120u, ERROR_OPERATION_ABORTED},
    {WSAECONNRESET, 0xC000020Du, ERROR_NETNAME_DELETED},
    {WSAECONNABORTED, 0xC0000241u, ERROR_CONNECTION_ABORTED},
    {WSAECONNREFUSED, 0xC0000236u, ERROR_CONNECTION_REFUSED},
    {WSAETIMEDOUT, 0xC00000B5u, ERROR_SEM_TIMEOUT},
    {WSAENETUNREACH, 0xC000023Cu, ERROR_NETWORK_UNREACHABLE},
    {WSAEHOSTUNREACH, 0xC000023Du, ERROR_HOST_UNREACHABLE},
    {WSAEMSGSIZE, STATUS_OVERFLOWED, ERROR_MORE_DATA},
    {WSAEOPNOTSUPP, 0xC00000BBu, ERROR_NOT_SUPPORTED},
    {WSAEINVAL, 0xC000000Du, ERROR_INVALID_PARAMETER},
    {WSAEFAULT, 0xC0000005u, ERROR_NOACCESS},
    {WSAENOBUFS, 0xC000009Au, ERROR_NO_SYSTEM_RESOURCES},
    {WSAESHUTDOWN, 0xC00000B0u, ERROR_PIPE_NOT_CONNECTED},
    {WSAENOTSOCK, 0xC0000008u, ERROR_INVALID_HANDLE},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

ULONG_PTR ws2_status_of(DWORD code)
{
    for (unsigned i = 0; i < ROWS; i++)
        if (rows[i].code == code)
            return rows[i].status;
    return OTHERS | (code & 0xFFFFu);
}

DWORD ws2_win32_of(DWORD code)
{
    for (unsigned i = 0; i < ROWS; i++)
        if (rows[i].code == code)
            return rows[i].win32;
    return code;
}

DWORD ws2_code_of_status(ULONG_PTR internal)
{
    DWORD status = (DWORD)internal;

    /* of an operation that was refused, or that a completion routine ends: the switch stores its own code there */
    if (IS_PLAIN(status) && (IS_WINSOCK(status) || status == WSA_OPERATION_ABORTED))
        return status;
    if (!IS_FAILURE(status))
        return 0;
    for (unsigned i = 0; i < ROWS; i++)
        if (rows[i].status == status)
            return rows[i].code;
    return (status & 0xFFFF0000u) == OTHERS ? status & 0xFFFFu : NO_SUCH_STATUS;
}

/* --- results of overlapped operations --- */

static bool is_pending(const WSAOVERLAPPED *ov)
{
    return (DWORD)pal_word_load_acquire(&ov->Internal) == (DWORD)STATUS_PENDING;
}

BOOL WINAPI ws2_is_completed(const OVERLAPPED *ov)
{
    return !is_pending(ov);
}

/* 0: over. The switch is asked while it is not: a question drives its progress, and it knows how to wait. */
static int ask_below(SOCKET s, LPWSAOVERLAPPED ov, BOOL wait)
{
    const WSPPROC_TABLE *down = ws2_down();
    DWORD bytes, flags;
    INT code = 0;

    if (down == NULL)
        return WSANOTINITIALISED;
    if (is_pending(ov))
        (void)down->lpWSPGetOverlappedResult(s, ov, &bytes, wait, &flags, &code);
    return is_pending(ov) ? (code != 0 ? code : WSA_IO_INCOMPLETE) : 0;
}

/* The handle is looked at first (B008), then the status alone decides (B116). */
BOOL WSAAPI WSAGetOverlappedResult(SOCKET s, LPWSAOVERLAPPED ov, LPDWORD bytes, BOOL wait, LPDWORD flags)
{
    DWORD code;

    if (ws2_down() == NULL)
        return FALSE;
    if (!ws2_handle_is_open(s))
        code = WSAENOTSOCK;
    else if (ov == NULL || bytes == NULL || flags == NULL)
        code = WSAEFAULT;
    else
        code = (DWORD)ask_below(s, ov, wait);
    if (code == 0) {
        *bytes = (DWORD)pal_word_load_relaxed(&ov->InternalHigh);
        *flags = ov->Offset; /* where the switch keeps them (spi/overlapped.c) */
        code = ws2_code_of_status(pal_word_load_relaxed(&ov->Internal));
    }
    if (code != 0)
        WSASetLastError((int)code);
    return code == 0;
}

BOOL WINAPI GetOverlappedResult(HANDLE file, LPOVERLAPPED ov, LPDWORD bytes, BOOL wait)
{
    int code;

    if (ov == NULL || bytes == NULL) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return FALSE;
    }
    code = ask_below((SOCKET)(uintptr_t)file, ov, wait);
    if (code == WSAENOTSOCK)
        code = ERROR_INVALID_HANDLE;
    if (code == 0) {
        *bytes = (DWORD)pal_word_load_relaxed(&ov->InternalHigh);
        code = (int)ws2_win32_of(ws2_code_of_status(pal_word_load_relaxed(&ov->Internal)));
    }
    if (code != 0)
        SetLastError((DWORD)code);
    return code == 0;
}

/* --- calling off --- */

static BOOL cancel(HANDLE file, LPOVERLAPPED ov, bool is_own_only)
{
    int code = ws2_os_cancel_io((SOCKET)(uintptr_t)file, ov, is_own_only);

    if (code == 0 ||
        (is_own_only && code == ERROR_NOT_FOUND)) /* CancelIo asks for what there may be (its page) */
        return TRUE;
    SetLastError(code == WSAENOTSOCK || code == WSANOTINITIALISED ? ERROR_INVALID_HANDLE : (DWORD)code);
    return FALSE;
}

BOOL WINAPI CancelIoEx(HANDLE file, LPOVERLAPPED ov)
{
    return cancel(file, ov, false);
}

BOOL WINAPI CancelIo(HANDLE file)
{
    return cancel(file, NULL, true);
}
