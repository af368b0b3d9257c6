/* system.c - the catalog, files and the version of the system. */
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "windows/system.h"

#define FILE_BYTES_MAX (256u << 20) /* our choice: no DLL is that large, and reading must end */

/* A function of any type: what GetProcAddress gives has a type of its own. */
#define FIND(member, name)                                                                                   \
    do {                                                                                                     \
        FARPROC found = GetProcAddress(dll, name);                                                           \
        memcpy(&calls->member, &found, sizeof found);                                                        \
    } while (0)

/* By its full path: a file of that name beside the program is not meant. */
static HMODULE load_from_system(const WCHAR *name)
{
    WCHAR path[MAX_PATH];
    UINT n = GetSystemDirectoryW(path, MAX_PATH);
    if (n == 0 || n + 1 + wcslen(name) >= MAX_PATH)
        return NULL;
    path[n] = L'\\';
    memcpy(path + n + 1, name, (wcslen(name) + 1) * sizeof *name);
    return LoadLibraryW(path);
}

void wsi_calls_load(struct wsi_calls *calls)
{
    memset(calls, 0, sizeof *calls);
    HMODULE dll = load_from_system(L"ws2_32.dll"); /* for the program's whole life */
    if (!dll)
        return;
    FIND(enumerate[WSI_NATIVE], "WSCEnumProtocols");
    FIND(enumerate[WSI_SMALL], "WSCEnumProtocols32");
    FIND(path[WSI_NATIVE], "WSCGetProviderPath");
    FIND(path[WSI_SMALL], "WSCGetProviderPath32");
    FIND(install, "WSCInstallProvider");
    FIND(install_both, "WSCInstallProvider64_32");
    FIND(update[WSI_NATIVE], "WSCUpdateProvider");
    FIND(update[WSI_SMALL], "WSCUpdateProvider32");
    FIND(remove[WSI_NATIVE], "WSCDeinstallProvider");
    FIND(remove[WSI_SMALL], "WSCDeinstallProvider32");
    FIND(order[WSI_NATIVE], "WSCWriteProviderOrder");
    FIND(order[WSI_SMALL], "WSCWriteProviderOrder32");
    if (calls->order[WSI_NATIVE])
        return;
    dll = load_from_system(L"sporder.dll"); /* where they were before Vista; stays loaded */
    if (!dll)
        return;
    FIND(order[WSI_NATIVE], "WSCWriteProviderOrder");
    FIND(order[WSI_SMALL], "WSCWriteProviderOrder32");
}

static const char *missing(void *self, enum wsi_call call, enum wsi_catalog c)
{
    const struct wsi_calls *f = &((struct wsi_windows *)self)->calls;
    bool is_small = c == WSI_SMALL;
    switch (call) {
    case WSI_CALL_INSTALL: return f->install ? NULL : "WSCInstallProvider";
    case WSI_CALL_INSTALL_BOTH: return f->install_both ? NULL : "WSCInstallProvider64_32";
    case WSI_CALL_UPDATE: return f->update[c] ? NULL : is_small ? "WSCUpdateProvider32" : "WSCUpdateProvider";
    case WSI_CALL_REMOVE:
        return f->remove[c] ? NULL : is_small ? "WSCDeinstallProvider32" : "WSCDeinstallProvider";
    case WSI_CALL_ORDER:
        return f->order[c] ? NULL : is_small ? "WSCWriteProviderOrder32" : "WSCWriteProviderOrder";
    }
    return NULL;
}

static bool fail(struct wsi_error *e, int code, enum wsi_exit otherwise, const char *what)
{
    char text[512];
    /* The page of WSCInstallProvider: this one code stands for missing rights and for an entry that is there already. */
    const char *hint = code == WSANO_RECOVERY ? "; run wsdinstall as administrator, and see wsdinstall list"
                                              : "";
    return wsi_fail(e, wsi_exit_of((uint32_t)code, otherwise), "%s failed: %s%s", what,
                    wsi_system_text((uint32_t)code, text, sizeof text), hint);
}

/* The catalog may grow between asking for its size and reading it: asked again then. */
static WSAPROTOCOL_INFOW *read_catalog(const struct wsi_calls *f, enum wsi_catalog c, int *count, int *error)
{
    for (int i = 0; i < 8; i++) {
        DWORD bytes = 0;
        *count = f->enumerate[c](NULL, NULL, &bytes, error);
        if (*count == SOCKET_ERROR && *error != WSAENOBUFS)
            return NULL;
        WSAPROTOCOL_INFOW *list = calloc(1, bytes + sizeof *list);
        if (!list) {
            *error = WSAENOBUFS;
            return NULL;
        }
        *count = f->enumerate[c](NULL, list, &bytes, error);
        if (*count != SOCKET_ERROR)
            return list;
        free(list);
        if (*error != WSAENOBUFS)
            return NULL;
    }
    return NULL;
}

/* Chains have no path of their own kind and Wine knows none: then it stays empty. */
static void read_path(const struct wsi_calls *f, enum wsi_catalog c, struct wsi_entry *entry)
{
    WCHAR path[MAX_PATH + 1] = {0};
    INT chars = MAX_PATH, error = 0;
    if (f->path[c] && f->path[c](&entry->info.ProviderId, path, &chars, &error) == 0)
        wsi_wide_text(path, MAX_PATH, entry->path, sizeof entry->path);
}

static bool enumerate(void *self, enum wsi_catalog c, struct wsi_entry **list, uint32_t *count,
                      struct wsi_error *e)
{
    const struct wsi_calls *f = &((struct wsi_windows *)self)->calls;
    const char *name = c == WSI_SMALL ? "WSCEnumProtocols32" : "WSCEnumProtocols";
    int found = 0, error = 0;
    *list = NULL;
    *count = 0;
    if (!f->enumerate[c])
        return wsi_fail(e, WSI_UNREADABLE, "this Windows has no function %s, so the catalog cannot be read",
                        name);
    WSAPROTOCOL_INFOW *infos = read_catalog(f, c, &found, &error);
    if (!infos)
        return fail(e, error, WSI_UNREADABLE, name);
    *list = calloc((size_t)found + 1, sizeof **list);
    for (int i = 0; *list && i < found; i++) {
        (*list)[i].info = infos[i];
        read_path(f, c, &(*list)[i]);
    }
    free(infos);
    *count = *list ? (uint32_t)found : 0;
    return *list || fail(e, WSA_NOT_ENOUGH_MEMORY, WSI_UNREADABLE, name);
}

/* The calls take what they do not change without const. */
struct arguments {
    GUID id;
    WCHAR path[MAX_PATH];
    WSAPROTOCOL_INFOW infos[WSI_SET_MAX];
    DWORD count;
};

static bool prepare(struct arguments *a, const struct wsi_set *set, struct wsi_error *e)
{
    a->id = set->entries[0].info.ProviderId;
    a->count = set->count;
    for (uint32_t i = 0; i < set->count; i++)
        a->infos[i] = set->entries[i].info;
    return wsi_to_wide(set->entries[0].path, a->path, MAX_PATH) ||
           wsi_fail(e, WSI_FAILED, "the path is longer than %d characters, which the catalog cannot hold: %s",
                    MAX_PATH - 1, set->entries[0].path);
}

static bool install(void *self, bool both, const struct wsi_set *set, struct wsi_error *e)
{
    const struct wsi_calls *f = &((struct wsi_windows *)self)->calls;
    struct arguments a;
    int error = 0;
    if (!prepare(&a, set, e))
        return false;
    if ((both ? f->install_both : f->install)(&a.id, a.path, a.infos, a.count, &error) == 0)
        return true;
    return fail(e, error, WSI_FAILED, both ? "WSCInstallProvider64_32" : "WSCInstallProvider");
}

static bool update(void *self, enum wsi_catalog c, const struct wsi_set *set, struct wsi_error *e)
{
    const struct wsi_calls *f = &((struct wsi_windows *)self)->calls;
    struct arguments a;
    int error = 0;
    if (!prepare(&a, set, e))
        return false;
    if (f->update[c](&a.id, a.path, a.infos, a.count, &error) == 0)
        return true;
    return fail(e, error, WSI_FAILED, c == WSI_SMALL ? "WSCUpdateProvider32" : "WSCUpdateProvider");
}

static bool remove_entry(void *self, enum wsi_catalog c, const GUID *id, struct wsi_error *e)
{
    const struct wsi_calls *f = &((struct wsi_windows *)self)->calls;
    GUID copy = *id;
    int error = 0;
    if (f->remove[c](&copy, &error) == 0)
        return true;
    return fail(e, error, WSI_FAILED, c == WSI_SMALL ? "WSCDeinstallProvider32" : "WSCDeinstallProvider");
}

static bool order(void *self, enum wsi_catalog c, const uint32_t *ids, uint32_t count, struct wsi_error *e)
{
    const struct wsi_calls *f = &((struct wsi_windows *)self)->calls;
    DWORD *copy = calloc(count + 1u, sizeof *copy);
    if (!copy)
        return fail(e, WSA_NOT_ENOUGH_MEMORY, WSI_FAILED, "ordering the catalog");
    for (uint32_t i = 0; i < count; i++)
        copy[i] = ids[i];
    int error = f->order[c](copy, count); /* the code itself, unlike the others */
    free(copy);
    return error == 0 ||
           fail(e, error, WSI_FAILED, c == WSI_SMALL ? "WSCWriteProviderOrder32" : "WSCWriteProviderOrder");
}

static bool open_file(const char *path, HANDLE *file, LARGE_INTEGER *size, struct wsi_error *e)
{
    WCHAR wide[WSI_PATH_BYTES], full[MAX_PATH * 4];
    char text[512];
    /* A path from the catalog may have %variables%, as Ws2_32 replaces them (page of WSCInstallProvider). */
    if (!wsi_to_wide(path, wide, WSI_PATH_BYTES) || !ExpandEnvironmentStringsW(wide, full, MAX_PATH * 4))
        return wsi_fail(e, WSI_BAD_DLL, "%s is no path", path);
    *file = CreateFileW(full, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0,
                        NULL);
    if (*file == INVALID_HANDLE_VALUE)
        return wsi_fail(e, WSI_BAD_DLL, "cannot read %s: %s; give the path of the DLL as --dll", path,
                        wsi_system_text(GetLastError(), text, sizeof text));
    if (GetFileSizeEx(*file, size) && size->QuadPart <= FILE_BYTES_MAX)
        return true;
    CloseHandle(*file);
    return wsi_fail(e, WSI_BAD_DLL, "%s is no DLL: too large, or no file", path);
}

static bool read_file(void *self, const char *path, uint8_t **bytes, size_t *count, struct wsi_error *e)
{
    HANDLE file = INVALID_HANDLE_VALUE;
    LARGE_INTEGER size = {.QuadPart = 0};
    DWORD got = 0;
    char text[512];
    (void)self;
    if (!open_file(path, &file, &size, e))
        return false;
    *bytes = malloc((size_t)size.QuadPart + 1);
    BOOL ok = *bytes && ReadFile(file, *bytes, (DWORD)size.QuadPart, &got, NULL);
    DWORD error = *bytes ? GetLastError() : ERROR_NOT_ENOUGH_MEMORY;
    CloseHandle(file);
    *count = got;
    if (ok)
        return true;
    free(*bytes);
    return wsi_fail(e, WSI_BAD_DLL, "cannot read %s: %s", path, wsi_system_text(error, text, sizeof text));
}

static bool can_load(void *self, const char *path, struct wsi_error *e)
{
    WCHAR wide[WSI_PATH_BYTES], full[MAX_PATH * 4];
    char text[512];
    (void)self;
    HMODULE dll = NULL;
    if (wsi_to_wide(path, wide, WSI_PATH_BYTES) && ExpandEnvironmentStringsW(wide, full, MAX_PATH * 4))
        dll = LoadLibraryExW(full, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    if (!dll)
        return wsi_fail(e, WSI_BAD_DLL, "%s cannot be loaded on this Windows: %s", path,
                        wsi_system_text(GetLastError(), text, sizeof text));
    FreeLibrary(dll);
    return true;
}

/* The true version: GetVersionEx() tells a program without a manifest 6.2 for everything later, which would do here, but Windows
 * says not to use it. */
static void read_version(struct wsi_system *sys)
{
    LONG(WINAPI * get)(OSVERSIONINFOW *);
    OSVERSIONINFOW v = {.dwOSVersionInfoSize = sizeof v};
    FARPROC found = GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "RtlGetVersion");
    memcpy(&get, &found, sizeof found);
    if (!get || get(&v) != 0)
        return;
    sys->os_major = v.dwMajorVersion;
    sys->os_minor = v.dwMinorVersion;
}

void wsi_windows_system(struct wsi_system *sys, struct wsi_windows *w)
{
    BOOL emulated = FALSE;
    *sys = (struct wsi_system){
        .self = w,
        .word_bits = sizeof(void *) * 8,
        .driver_start = wsi_registry_driver_start,
        .missing = missing,
        .enumerate = enumerate,
        .install = install,
        .update = update,
        .remove = remove_entry,
        .order = order,
        .values = wsi_registry_values,
        .set_value = wsi_registry_set,
        .delete_value = wsi_registry_delete,
        .delete_key = wsi_registry_delete_key,
        .may_change = wsi_registry_may_change,
        .read_file = read_file,
        .can_load = can_load,
    };
    IsWow64Process(GetCurrentProcess(), &emulated);
    sys->is_emulated = emulated;
    /* A system without the function has no such catalog: Wine. */
    sys->has_small = sys->word_bits == 64 && w->calls.enumerate[WSI_SMALL];
    read_version(sys);
}
