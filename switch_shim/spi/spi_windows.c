/* spi_windows.c - spi_os.h over Win32. */
#include "spi/spi_os.h"

#include <string.h>

#include "sw/switch.h"

LPWPUCOMPLETEOVERLAPPEDREQUEST sw_find_complete_upcall(void)
{
    HMODULE module = GetModuleHandleA("ws2_32.dll");

    return module == NULL ? NULL
                          : (LPWPUCOMPLETEOVERLAPPEDREQUEST)(void (*)(void))GetProcAddress(
                                module, "WPUCompleteOverlappedRequest");
}

void sw_set_last_error(int code)
{
    SetLastError((DWORD)code); /* WSAGetLastError() is GetLastError() */
}

int sw_last_error(void)
{
    return (int)GetLastError();
}

int64_t sw_file_position(HANDLE file)
{
    LARGE_INTEGER nothing = {0}, at;

    return SetFilePointerEx(file, nothing, &at, FILE_CURRENT) ? at.QuadPart : -1;
}

int64_t sw_file_read(HANDLE file, int64_t offset, void *out, size_t bytes)
{
    OVERLAPPED at;
    DWORD got = 0;

    memset(&at, 0, sizeof(at));
    at.Offset = (DWORD)offset;
    at.OffsetHigh = (DWORD)((uint64_t)offset >> 32);
    if (ReadFile(file, out, (DWORD)bytes, &got, &at))
        return got;
    if (GetLastError() == ERROR_IO_PENDING) /* the file was opened for overlapped reading */
        return GetOverlappedResult(file, &at, &got, TRUE) ? (int64_t)got
               : GetLastError() == ERROR_HANDLE_EOF       ? 0
                                                          : -1;
    return GetLastError() == ERROR_HANDLE_EOF ? 0 : -1;
}
