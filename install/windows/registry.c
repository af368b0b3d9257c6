/* registry.c - the key under which the switch looks for its providers. Source: contract 2.2; Registry Functions of the SDK.
 * HKEY_LOCAL_MACHINE\System is the same for programs of both word sizes. */
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "windows/system.h"

#define WINSOCK2_KEY                                                                                         \
    L"System\\CurrentControlSet\\Services\\WinSock2\\Parameters" /* where the catalog is kept */
#define NAME_CHARS 256

static bool fail(struct wsi_error *e, LONG code, enum wsi_exit otherwise, const WCHAR *key, const char *what)
{
    char text[512], name[512];
    wsi_wide_text(key, 255, name, sizeof name);
    enum wsi_exit exit = wsi_exit_of((uint32_t)code, otherwise);
    return wsi_fail(e, exit, "%s HKEY_LOCAL_MACHINE\\%s: %s%s", what, name,
                    wsi_system_text((uint32_t)code, text, sizeof text),
                    exit == WSI_NO_RIGHTS ? "; run wsdinstall as administrator" : "");
}

static bool read_value(HKEY key, DWORD index, struct wsi_value *v, LONG *code)
{
    WCHAR name[NAME_CHARS];
    BYTE data[4096]; /* more cannot be ours; the length is reported all the same */
    DWORD chars = NAME_CHARS, bytes = sizeof data, type = 0;
    memset(data, 0, 16);
    *code = RegEnumValueW(key, index, name, &chars, NULL, &type, data, &bytes);
    if (*code != ERROR_SUCCESS && *code != ERROR_MORE_DATA)
        return false;
    *code = ERROR_SUCCESS;
    name[NAME_CHARS - 1] = 0;
    wsi_wide_text(name, NAME_CHARS, v->name, sizeof v->name);
    v->type = type;
    v->bytes = bytes;
    memcpy(v->data, data, sizeof v->data);
    return true;
}

bool wsi_registry_values(void *self, struct wsi_value **list, uint32_t *count, struct wsi_error *e)
{
    struct wsi_windows *w = self;
    HKEY key;
    DWORD found = 0;
    *list = NULL;
    *count = 0;
    LONG code = RegOpenKeyExW(HKEY_LOCAL_MACHINE, w->key, 0, KEY_QUERY_VALUE, &key);
    if (code == ERROR_FILE_NOT_FOUND)
        return true; /* no key, no value */
    if (code != ERROR_SUCCESS)
        return fail(e, code, WSI_UNREADABLE, w->key, "cannot open");
    code = RegQueryInfoKeyW(key, NULL, NULL, NULL, NULL, NULL, NULL, &found, NULL, NULL, NULL, NULL);
    if (code == ERROR_SUCCESS) {
        *list = calloc(found + 1u, sizeof **list);
        code = *list ? ERROR_SUCCESS : ERROR_NOT_ENOUGH_MEMORY;
    }
    for (DWORD i = 0; code == ERROR_SUCCESS && i < found; i++)
        if (read_value(key, i, &(*list)[*count], &code))
            ++*count;
    RegCloseKey(key);
    if (code == ERROR_SUCCESS || code == ERROR_NO_MORE_ITEMS) /* somebody deleted one meanwhile */
        return true;
    free(*list);
    *list = NULL;
    return fail(e, code, WSI_UNREADABLE, w->key, "cannot read");
}

/* Length of the key's name without so many of its last parts. */
static size_t shorter(const WCHAR *key, unsigned parts)
{
    size_t n = wcslen(key);
    for (; parts > 0 && n > 0; parts--)
        do
            n--;
        while (n > 0 && key[n] != L'\\');
    return n;
}

/* The key, and those above it that are missing: counted, so that the same ones can be deleted again. */
static LONG make_key(struct wsi_windows *w, HKEY *key, bool *made)
{
    WCHAR name[NAME_CHARS];
    HKEY there;
    unsigned absent = 0;
    LONG code = ERROR_FILE_NOT_FOUND;
    for (; code == ERROR_FILE_NOT_FOUND && shorter(w->key, absent) > 0;
         absent += code == ERROR_FILE_NOT_FOUND) {
        size_t n = shorter(w->key, absent);
        memcpy(name, w->key, n * sizeof *name);
        name[n] = 0;
        code = RegOpenKeyExW(HKEY_LOCAL_MACHINE, name, 0, KEY_QUERY_VALUE, &there);
    }
    if (code == ERROR_SUCCESS)
        RegCloseKey(there);
    code = RegCreateKeyExW(HKEY_LOCAL_MACHINE, w->key, 0, NULL, REG_OPTION_NON_VOLATILE, KEY_SET_VALUE, NULL,
                           key, NULL);
    w->keys_made = code == ERROR_SUCCESS ? absent : 0;
    *made = w->keys_made > 0;
    return code;
}

bool wsi_registry_set(void *self, const char *name, const uint8_t data[16], bool *made_key,
                      struct wsi_error *e)
{
    struct wsi_windows *w = self;
    WCHAR wide[NAME_CHARS];
    HKEY key;
    struct wsi_error ignored;
    LONG code = wsi_to_wide(name, wide, NAME_CHARS) ? ERROR_SUCCESS : ERROR_INVALID_PARAMETER;
    if (code == ERROR_SUCCESS)
        code = make_key(w, &key, made_key);
    if (code != ERROR_SUCCESS)
        return fail(e, code, WSI_FAILED, w->key, "cannot make");
    code = RegSetValueExW(key, wide, 0, REG_BINARY, data, 16);
    RegCloseKey(key);
    if (code == ERROR_SUCCESS)
        return true;
    if (*made_key) /* this step is not counted as done: it leaves nothing */
        wsi_registry_delete_key(self, &ignored);
    return fail(e, code, WSI_FAILED, w->key, "cannot write a value of");
}

bool wsi_registry_delete(void *self, const char *name, struct wsi_error *e)
{
    struct wsi_windows *w = self;
    WCHAR wide[NAME_CHARS];
    HKEY key;
    LONG code = RegOpenKeyExW(HKEY_LOCAL_MACHINE, w->key, 0, KEY_SET_VALUE, &key);
    if (code != ERROR_SUCCESS)
        return fail(e, code, WSI_FAILED, w->key, "cannot open");
    code = wsi_to_wide(name, wide, NAME_CHARS) ? RegDeleteValueW(key, wide) : ERROR_INVALID_PARAMETER;
    RegCloseKey(key);
    return code == ERROR_SUCCESS || fail(e, code, WSI_FAILED, w->key, "cannot delete a value of");
}

bool wsi_registry_delete_key(void *self, struct wsi_error *e)
{
    struct wsi_windows *w = self;
    WCHAR name[NAME_CHARS];
    for (unsigned i = 0; i < w->keys_made; i++) {
        size_t n = shorter(w->key, i);
        memcpy(name, w->key, n * sizeof *name);
        name[n] = 0;
        LONG code = RegDeleteKeyW(HKEY_LOCAL_MACHINE, name); /* refuses one that has keys below it */
        if (code != ERROR_SUCCESS && code != ERROR_FILE_NOT_FOUND)
            return fail(e, code, WSI_FAILED, name, "cannot delete");
    }
    w->keys_made = 0;
    return true;
}

/* Opening for writing changes nothing and is refused to those who may not. A key that is not there is somebody else's answer:
 * the call that makes it will tell. */
static bool may_write(const WCHAR *name, struct wsi_error *e)
{
    HKEY key;
    LONG code = RegOpenKeyExW(HKEY_LOCAL_MACHINE, name, 0, KEY_SET_VALUE | KEY_CREATE_SUB_KEY, &key);
    if (code == ERROR_SUCCESS)
        RegCloseKey(key);
    if (code == ERROR_SUCCESS || code == ERROR_FILE_NOT_FOUND)
        return true;
    return fail(e, code, WSI_NO_RIGHTS, name, "cannot change");
}

bool wsi_registry_may_change(void *self, struct wsi_error *e)
{
    struct wsi_windows *w = self;
    return may_write(w->key, e) && may_write(L"System\\CurrentControlSet\\Services", e) &&
           may_write(WINSOCK2_KEY, e);
}

/* Only told to who may read it, which everybody may. */
uint32_t wsi_registry_driver_start(void *self)
{
    static const WCHAR key[] = L"System\\CurrentControlSet\\Services\\WS2IFSL";
    HKEY service;
    DWORD start = 0, bytes = sizeof start, type = 0;
    (void)self;
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, key, 0, KEY_QUERY_VALUE, &service) != ERROR_SUCCESS)
        return WSI_DRIVER_UNKNOWN;
    LONG code = RegQueryValueExW(service, L"Start", NULL, &type, (BYTE *)&start, &bytes);
    RegCloseKey(service);
    return code == ERROR_SUCCESS && type == REG_DWORD ? start : WSI_DRIVER_UNKNOWN;
}
