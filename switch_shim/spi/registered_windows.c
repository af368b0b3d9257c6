/* registered_windows.c - the registry key of the switch, and the catalog.
 * WSCGetProviderPath is found at run time, as wsdinstall does: a Winsock without it has no providers to name. Wine's reports success and
 * writes nothing.
 * Source: contract 2.2; pages of WSCGetProviderPath, RegEnumValueW. */
#include "spi/registered.h"

#include <string.h>
#include <ws2spi.h>

#define KEY          L"System\\CurrentControlSet\\Services\\Winsock\\Parameters\\TCP on SAN"
#define NAME_CHARS   16384 /* the longest name that a value can have, with its terminator */
#define WINSOCK_FILE L"ws2_32.dll"

typedef int(WSPAPI *get_path_fn)(LPGUID id, WCHAR *path, LPINT chars, LPINT error);

struct source {
    HKEY key;
    get_path_fn get_path;
    WCHAR name[NAME_CHARS];
};

static bool value(void *self, unsigned index, struct sw_registered_value *out)
{
    struct source *s = self;
    BYTE data[64]; /* more is none of ours; the length is told all the same */
    DWORD chars = NAME_CHARS, bytes = sizeof(data), type = 0;
    LONG code;

    memset(data, 0, sizeof(data));
    code = RegEnumValueW(s->key, index, s->name, &chars, NULL, &type, data, &bytes);
    if (code != ERROR_SUCCESS && code != ERROR_MORE_DATA)
        return false;
    out->type = type;
    out->bytes = bytes;
    memcpy(&out->id, data, sizeof(out->id));
    return true;
}

static bool path_of(void *self, const GUID *id, char *out, size_t bytes)
{
    const struct source *s = self;
    WCHAR path[MAX_PATH + 1] = {0}, full[MAX_PATH * 4];
    GUID copy = *id;
    INT chars = MAX_PATH, error = 0;
    DWORD n;

    if (s->get_path == NULL || s->get_path(&copy, path, &chars, &error) != 0)
        return false;
    if (path[0] == 0)
        return false;
    path[MAX_PATH] = 0;
    n = ExpandEnvironmentStringsW(path, full, MAX_PATH * 4);
    return n > 0 && n <= MAX_PATH * 4 &&
           WideCharToMultiByte(CP_UTF8, 0, full, -1, out, (int)bytes, NULL, NULL) != 0;
}

unsigned sw_registered_here(char (*out)[SW_REGISTERED_PATH_BYTES], unsigned max)
{
    HMODULE winsock = GetModuleHandleW(WINSOCK_FILE);
    struct source *s = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*s));
    unsigned count = 0;

    if (s == NULL)
        return 0;
    if (winsock != NULL)
        s->get_path = (get_path_fn)(void (*)(void))GetProcAddress(winsock, "WSCGetProviderPath");
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, KEY, 0, KEY_QUERY_VALUE, &s->key) == ERROR_SUCCESS) {
        const struct sw_registered_source from = {s, value, path_of};

        count = sw_registered_paths(&from, out, max);
        RegCloseKey(s->key);
    }
    HeapFree(GetProcessHeap(), 0, s);
    return count;
}
