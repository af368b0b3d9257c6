/* dll.c - LoadLibrary and friends. A struct pal_dll is the system's handle itself. */
#include "pal/dll.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

static void say(const char *path, DWORD error, char *why, size_t why_bytes)
{
    char text[256];
    DWORD n = FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, error, 0, text,
                             sizeof text, NULL);
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == '.'))
        n--;
    snprintf(why, why_bytes, "%s: %.*s (error %lu)", path, (int)n, text, (unsigned long)error);
}

static bool is_absolute(const char *path)
{
    return path[0] == '\\' || path[0] == '/' || (path[0] && path[1] == ':');
}

struct pal_dll *pal_dll_open(const char *path, char *why, size_t why_bytes)
{
    WCHAR wide[MAX_PATH + 1];
    if (why_bytes > 0)
        why[0] = 0;
    if (!path || !path[0]) {
        snprintf(why, why_bytes, "no file name given");
        return NULL;
    }
    if (!MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, MAX_PATH + 1)) {
        snprintf(why, why_bytes, "the file name is too long, or not UTF-8");
        return NULL;
    }
    for (WCHAR *c = wide; *c; c++) /* LoadLibraryEx takes no other */
        if (*c == L'/')
            *c = L'\\';
    /* Its own directory first, so that what lies beside it is found and nothing in the current directory is. */
    HMODULE m = LoadLibraryExW(wide, NULL, is_absolute(path) ? LOAD_WITH_ALTERED_SEARCH_PATH : 0);
    if (!m)
        say(path, GetLastError(), why, why_bytes);
    return (struct pal_dll *)m;
}

static const char here; /* any address inside this library */

void pal_dll_stay(void)
{
    HMODULE own;
    (void)GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                             (const WCHAR *)(const void *)&here, &own);
}

pal_dll_fn pal_dll_symbol(struct pal_dll *dll, const char *name)
{
    FARPROC symbol = GetProcAddress((HMODULE)dll, name);
    pal_dll_fn fn = NULL;
    memcpy(&fn, &symbol, sizeof fn);
    return fn;
}

void pal_dll_close(struct pal_dll *dll)
{
    if (dll)
        FreeLibrary((HMODULE)dll);
}
