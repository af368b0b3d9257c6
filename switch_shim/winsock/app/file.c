/* file.c - ReadFile and WriteFile on sockets: stream data for programs that treat a socket like a file (B107); and for files themselves, which
 * a program with TransmitFile has. Overlapped operations on files are not there.
 * Without an OVERLAPPED they wait for the data even on a socket that does not block, as a handle of Windows that is opened for
 * synchronous use does; here on every socket, since the switch does not tell which kind it is. */
#include "app/app.h"

/* Until the socket is ready for it. False, and the last error: it was closed, or is none. */
static bool wait_ready(SOCKET s, bool to_write)
{
    fd_set set;

    FD_ZERO(&set);
    FD_SET(s, &set);
    return select(0, to_write ? NULL : &set, to_write ? &set : NULL, NULL, NULL) != SOCKET_ERROR;
}

static BOOL fail(int code)
{
    SetLastError(code == WSA_IO_PENDING ? ERROR_IO_PENDING
                 : code == WSAENOTSOCK  ? ERROR_INVALID_HANDLE
                                        : ws2_win32_of((DWORD)code));
    return FALSE;
}

static BOOL transfer(HANDLE file, WSABUF *buffer, LPDWORD moved, LPOVERLAPPED ov, bool to_write)
{
    SOCKET s = (SOCKET)(uintptr_t)file;
    DWORD bytes = 0, flags = 0;

    if (moved == NULL && ov == NULL)
        return fail(WSAEINVAL);
    if (buffer->buf == NULL && buffer->len > 0)
        return fail(WSAEFAULT);
    if (ws2_os_is_file(file)) {
        int code = moved == NULL || ov != NULL ? ERROR_INVALID_PARAMETER
                                               : ws2_os_move_file(file, buffer, to_write, moved);

        if (code != 0)
            SetLastError((DWORD)code);
        return code == 0;
    }
    for (;;) {
        int result = to_write ? WSASend(s, buffer, 1, &bytes, 0, ov, NULL)
                              : WSARecv(s, buffer, 1, &bytes, &flags, ov, NULL);

        if (result == 0) {
            if (moved != NULL)
                *moved = bytes;
            return TRUE;
        }
        if (WSAGetLastError() != WSAEWOULDBLOCK || ov != NULL || !wait_ready(s, to_write))
            return fail(WSAGetLastError());
    }
}

BOOL WINAPI ReadFile(HANDLE file, LPVOID data, DWORD bytes, LPDWORD got, LPOVERLAPPED ov)
{
    WSABUF buffer = {bytes, data};

    return transfer(file, &buffer, got, ov, false);
}

BOOL WINAPI WriteFile(HANDLE file, LPCVOID data, DWORD bytes, LPDWORD written, LPOVERLAPPED ov)
{
    WSABUF buffer = {bytes, (char *)(uintptr_t)data};

    return transfer(file, &buffer, written, ov, true);
}
