/* text.c - text and error codes of the system. */
#include <stdio.h>
#include <windows.h>

#include "windows/system.h"

const char *wsi_system_text(uint32_t code, char *text, size_t bytes)
{
    WCHAR wide[256];
    DWORD n = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, code, 0, wide,
                             sizeof wide / sizeof wide[0], NULL);
    while (n && (wide[n - 1] <= L' ' || wide[n - 1] == L'.'))
        n--;
    char utf8[512] = "";
    wsi_wide_text(wide, n, utf8, sizeof utf8);
    snprintf(text, bytes, "%s%s%u%s", utf8, n ? " (error " : "error ", (unsigned)code, n ? ")" : "");
    return text;
}

enum wsi_exit wsi_exit_of(uint32_t code, enum wsi_exit otherwise)
{
    return code == ERROR_ACCESS_DENIED || code == WSAEACCES ? WSI_NO_RIGHTS : otherwise;
}

bool wsi_to_wide(const char *text, WCHAR *wide, size_t count)
{
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, (int)count) > 0;
}
