/* main.c - wsdinstall.exe: the command line in UTF-8, the DLL beside the program, and the system. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <shellapi.h>

#include "windows/system.h"

#define ARGUMENTS_MAX 32

static bool to_utf8(const WCHAR *wide, char *text, size_t bytes)
{
    return WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, (int)bytes, NULL, NULL) > 0;
}

/* Relative paths would mean another file for each program that loads the provider: the catalog gets absolute ones. */
static bool make_absolute(const char **path, char text[WSI_PATH_BYTES])
{
    WCHAR wide[WSI_PATH_BYTES], full[WSI_PATH_BYTES];
    if (!*path)
        return true;
    DWORD n = wsi_to_wide(*path, wide, WSI_PATH_BYTES) ? GetFullPathNameW(wide, WSI_PATH_BYTES, full, NULL)
                                                       : 0;
    if (n == 0 || n >= MAX_PATH || !to_utf8(full, text, WSI_PATH_BYTES))
        return false;
    *path = text;
    return true;
}

static void beside_program(const char *file, char text[WSI_PATH_BYTES])
{
    WCHAR wide[MAX_PATH];
    DWORD n = GetModuleFileNameW(NULL, wide, MAX_PATH);
    text[0] = 0;
    if (n == 0 || n >= MAX_PATH || !to_utf8(wide, text, WSI_PATH_BYTES - 16))
        return;
    char *end = strrchr(text, '\\');
    snprintf(end ? end + 1 : text, 16, "%s", file);
}

/* The words of the command line after the program's name; -1 when they are too many or no text. */
static int read_arguments(char storage[ARGUMENTS_MAX][WSI_PATH_BYTES], const char *words[ARGUMENTS_MAX])
{
    int count = 0;
    WCHAR **wide = CommandLineToArgvW(GetCommandLineW(), &count);
    if (!wide || count - 1 > ARGUMENTS_MAX)
        count = 0;
    for (int i = 1; i < count; i++) {
        words[i - 1] = storage[i - 1];
        if (!to_utf8(wide[i], storage[i - 1], WSI_PATH_BYTES))
            count = 0;
    }
    LocalFree((HLOCAL)wide);
    return count - 1;
}

int main(void)
{
    static char storage[ARGUMENTS_MAX][WSI_PATH_BYTES];
    const char *words[ARGUMENTS_MAX];
    char default_dll[WSI_PATH_BYTES], default_switch[WSI_PATH_BYTES], dll[WSI_PATH_BYTES],
        dll32[WSI_PATH_BYTES];
    struct wsi_options options;
    struct wsi_error e = {0};
    struct wsi_windows w = {.key = WSI_SWITCH_KEY};
    struct wsi_system sys;
    SetConsoleOutputCP(CP_UTF8);
    SetErrorMode(SEM_FAILCRITICALERRORS |
                 SEM_NOOPENFILEERRORBOX); /* a DLL that does not load is our message, not a window */
    int count = read_arguments(storage, words);
    beside_program("wsdprov.dll", default_dll);
    beside_program("wsdswitch.dll", default_switch);
    bool ok = count >= 0 ? wsi_options_parse(&options, count, words, default_dll, default_switch, &e)
                         : wsi_fail(&e, WSI_USAGE, "too many or too long arguments; see wsdinstall help");
    if (ok && (!make_absolute(&options.dll, dll) || !make_absolute(&options.dll32, dll32)))
        ok = wsi_fail(&e, WSI_USAGE, "the path of a DLL may have at most %d characters", MAX_PATH - 1);
    if (!ok) {
        fprintf(stderr, "wsdinstall: %s\n", e.text);
        return (int)e.exit;
    }
    wsi_calls_load(&w.calls);
    wsi_windows_system(&sys, &w);
    return (int)wsi_run(&sys, &options, stdout, stderr);
}
