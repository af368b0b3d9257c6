/* fake_system.c - see fake_system.h. */
#include "fake_system.h"

#include <stdlib.h>
#include <string.h>

static void note(struct fake *f, const char *word)
{
    size_t at = strlen(f->log);
    snprintf(f->log + at, sizeof f->log - at, "%s%s", at ? " " : "", word);
}

/* Counts a change; false: it is the one that fails. */
static bool allow(struct fake *f, const char *word, struct wsi_error *e)
{
    f->changes++;
    note(f, word);
    if (f->fail_at == 0 || f->changes < f->fail_at || (f->changes > f->fail_at && !f->fail_from_then))
        return true;
    return wsi_fail(e, WSI_FAILED, "change %u, %s, was refused", (unsigned)f->changes, word);
}

static uint32_t driver_start(void *self)
{
    return ((const struct fake *)self)->driver_start;
}

static const char *missing(void *self, enum wsi_call call, enum wsi_catalog c)
{
    struct fake *f = self;
    (void)c;
    return f->missing_name && call == f->missing ? f->missing_name : NULL;
}

static bool enumerate(void *self, enum wsi_catalog c, struct wsi_entry **list, uint32_t *count,
                      struct wsi_error *e)
{
    struct fake *f = self;
    if (f->catalog_unreadable)
        return wsi_fail(e, WSI_UNREADABLE, "the catalog cannot be read");
    *list = calloc(FAKE_ENTRIES, sizeof **list);
    if (!*list)
        abort();
    memcpy(*list, f->entries[c], sizeof f->entries[c]);
    *count = f->entry_count[c];
    return true;
}

int fake_find(const struct fake *f, enum wsi_catalog c, const GUID *id)
{
    for (uint32_t i = 0; i < f->entry_count[c]; i++)
        if (memcmp(&f->entries[c][i].info.ProviderId, id, sizeof *id) == 0)
            return (int)i;
    return -1;
}

int fake_ours(const struct fake *f, enum wsi_catalog c)
{
    return fake_find(f, c, &wsi_provider_id);
}

void fake_add(struct fake *f, enum wsi_catalog c, const struct wsi_entry *entry)
{
    if (f->entry_count[c] == FAKE_ENTRIES)
        abort();
    struct wsi_entry *to = &f->entries[c][f->entry_count[c]++];
    *to = *entry;
    to->info.dwCatalogEntryId = ++f->last_id;
}

static bool install(void *self, bool both, const struct wsi_set *set, struct wsi_error *e)
{
    struct fake *f = self;
    const GUID *id = &set->entries[0].info.ProviderId;
    if (!allow(f, both ? "install-both" : "install", e))
        return false;
    if (f->keeps_nothing)
        return true;
    if (fake_find(f, WSI_NATIVE, id) >= 0 || (both && fake_find(f, WSI_SMALL, id) >= 0))
        return wsi_fail(e, WSI_FAILED, "installed already"); /* as WSANO_RECOVERY */
    for (int c = WSI_NATIVE; c <= (both ? WSI_SMALL : WSI_NATIVE); c++)
        for (uint32_t i = 0; i < set->count; i++)
            fake_add(f, (enum wsi_catalog)c, &set->entries[i]);
    return true;
}

/* The page: entries are changed, none is added. */
static bool update(void *self, enum wsi_catalog c, const struct wsi_set *set, struct wsi_error *e)
{
    struct fake *f = self;
    uint32_t next = 0;
    if (!allow(f, c == WSI_SMALL ? "update-32" : "update", e))
        return false;
    if (f->keeps_nothing)
        return true;
    for (uint32_t i = 0; i < f->entry_count[c]; i++) {
        struct wsi_entry *to = &f->entries[c][i];
        DWORD number = to->info.dwCatalogEntryId;
        if (memcmp(&to->info.ProviderId, &set->entries[0].info.ProviderId, sizeof(GUID)) != 0)
            continue;
        if (next == set->count)
            return wsi_fail(e, WSI_FAILED, "there are more");
        *to = set->entries[next++];
        to->info.dwCatalogEntryId = number;
    }
    return next == set->count || wsi_fail(e, WSI_FAILED, "not installed");
}

static bool remove_entry(void *self, enum wsi_catalog c, const GUID *id, struct wsi_error *e)
{
    struct fake *f = self;
    uint32_t removed = 0;
    int at;
    if (!allow(f, c == WSI_SMALL ? "remove-32" : "remove", e))
        return false;
    if (f->keeps_nothing)
        return true;
    for (; (at = fake_find(f, c, id)) >= 0; removed++) {
        memmove(&f->entries[c][at], &f->entries[c][at + 1],
                (f->entry_count[c] - (uint32_t)at - 1) * sizeof **f->entries);
        f->entry_count[c]--;
    }
    return removed > 0 || wsi_fail(e, WSI_FAILED, "not installed");
}

static bool order(void *self, enum wsi_catalog c, const uint32_t *ids, uint32_t count, struct wsi_error *e)
{
    struct fake *f = self;
    struct wsi_entry sorted[FAKE_ENTRIES];
    if (!allow(f, c == WSI_SMALL ? "order-32" : "order", e))
        return false;
    if (count != f->entry_count[c])
        return wsi_fail(e, WSI_FAILED, "not every entry is in the order");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t from = 0;
        while (from < count && f->entries[c][from].info.dwCatalogEntryId != ids[i])
            from++;
        if (from == count)
            return wsi_fail(e, WSI_FAILED, "no such entry in the catalog");
        sorted[i] = f->entries[c][from];
    }
    memcpy(f->entries[c], sorted, count * sizeof *sorted);
    return true;
}

static bool list_values(void *self, struct wsi_value **list, uint32_t *count, struct wsi_error *e)
{
    struct fake *f = self;
    if (f->registry_unreadable)
        return wsi_fail(e, WSI_UNREADABLE, "the registry cannot be read");
    *list = calloc(FAKE_VALUES, sizeof **list);
    if (!*list)
        abort();
    memcpy(*list, f->values, sizeof f->values);
    *count = f->value_count;
    return true;
}

void fake_add_value(struct fake *f, const char *name, uint32_t type, const void *data, uint32_t bytes)
{
    uint32_t at = 0;
    while (at < f->value_count && !wsi_same_path(f->values[at].name, name))
        at++;
    if (at == FAKE_VALUES)
        abort();
    if (at == f->value_count)
        f->value_count++;
    struct wsi_value *v = &f->values[at];
    memset(v, 0, sizeof *v);
    snprintf(v->name, sizeof v->name, "%s", name);
    v->type = type;
    v->bytes = bytes;
    memcpy(v->data, data, bytes < sizeof v->data ? bytes : sizeof v->data);
    f->key_exists = true;
}

static bool set_value(void *self, const char *name, const uint8_t data[16], bool *made_key,
                      struct wsi_error *e)
{
    struct fake *f = self;
    if (!allow(f, "set", e))
        return false;
    *made_key = !f->key_exists;
    fake_add_value(f, name, 3, data, 16);
    return true;
}

static bool delete_value(void *self, const char *name, struct wsi_error *e)
{
    struct fake *f = self;
    if (!allow(f, "delete", e))
        return false;
    for (uint32_t i = 0; i < f->value_count; i++)
        if (wsi_same_path(f->values[i].name, name)) {
            memmove(&f->values[i], &f->values[i + 1], (f->value_count - i - 1) * sizeof *f->values);
            f->value_count--;
            return true;
        }
    return wsi_fail(e, WSI_FAILED, "no such value");
}

static bool delete_key(void *self, struct wsi_error *e)
{
    struct fake *f = self;
    if (!allow(f, "delete-key", e))
        return false;
    f->key_exists = false;
    return f->value_count == 0 || wsi_fail(e, WSI_FAILED, "the key has values");
}

static bool may_change(void *self, struct wsi_error *e)
{
    struct fake *f = self;
    return !f->is_not_admin ||
           wsi_fail(e, WSI_NO_RIGHTS, "access is denied; run wsdinstall as administrator");
}

static bool read_file(void *self, const char *path, uint8_t **bytes, size_t *count, struct wsi_error *e)
{
    struct fake *f = self;
    bool is_switch = strcmp(path, FAKE_SWITCH) == 0 || strcmp(path, FAKE_SWITCH32) == 0;
    bool is_small = strcmp(path, FAKE_DLL32) == 0 || strcmp(path, FAKE_SWITCH32) == 0;
    if (f->dll_is_absent || (!is_small && !is_switch && strcmp(path, FAKE_DLL) != 0))
        return wsi_fail(e, WSI_BAD_DLL, "cannot read %s", path);
    *bytes = malloc(FAKE_PE_BYTES);
    if (!*bytes)
        abort();
    *count = fake_pe(*bytes, is_small ? 32 : f->dll_bits, true, is_switch ? "WSPStartup" : "WSPStartupEx");
    return true;
}

static bool can_load(void *self, const char *path, struct wsi_error *e)
{
    struct fake *f = self;
    return !f->dll_does_not_load || wsi_fail(e, WSI_BAD_DLL, "%s cannot be loaded", path);
}

static void add_other(struct fake *f, const char *name, int family, int type, int protocol)
{
    struct wsi_entry e;
    wsi_entry_make(&e, "%SystemRoot%\\system32\\mswsock.dll");
    memset(&e.info.ProviderId, protocol, sizeof e.info.ProviderId);
    e.info.dwServiceFlags1 |= XP1_IFS_HANDLES;
    e.info.dwProviderFlags = PFL_MATCHES_PROTOCOL_ZERO;
    e.info.iAddressFamily = family;
    e.info.iSocketType = type;
    e.info.iProtocol = protocol;
    for (size_t i = 0; i <= strlen(name); i++)
        e.info.szProtocol[i] = (WCHAR)name[i];
    fake_add(f, WSI_NATIVE, &e);
    fake_add(f, WSI_SMALL, &e);
}

void fake_init(struct fake *f)
{
    memset(f, 0, sizeof *f);
    f->sys = (struct wsi_system){
        f,          64,         false,     true,         5,     2,           driver_start, missing,
        enumerate,  install,    update,    remove_entry, order, list_values, set_value,    delete_value,
        delete_key, may_change, read_file, can_load};
    f->last_id = 1000;
    f->dll_bits = 64;
    f->driver_start = 1; /* by the system */
    add_other(f, "MSAFD Tcpip [TCP/IP]", WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP);
    add_other(f, "MSAFD Tcpip [UDP/IP]", WS_AF_INET, WS_SOCK_DGRAM, WS_IPPROTO_UDP);
}

void fake_windows_7(struct fake *f)
{
    fake_init(f);
    f->sys.os_major = 6;
    f->sys.os_minor = 1;
    add_other(f, "MSAFD Tcpip [TCP/IPv6]", WS_AF_INET6, WS_SOCK_STREAM, WS_IPPROTO_TCP);
    add_other(f, "MSAFD Tcpip [UDP/IPv6]", WS_AF_INET6, WS_SOCK_DGRAM, WS_IPPROTO_UDP);
}

bool fake_equal(const struct fake *a, const struct fake *b)
{
    for (int c = 0; c < WSI_CATALOGS; c++) {
        if (a->entry_count[c] != b->entry_count[c])
            return false;
        for (uint32_t i = 0; i < a->entry_count[c]; i++) {
            struct wsi_entry x = a->entries[c][i], y = b->entries[c][i];
            if (wsi_entry_is_ours(&x) || memcmp(&x.info.ProviderId, &wsi_switch_id, sizeof(GUID)) ==
                                             0) /* made again, it has another number */
                x.info.dwCatalogEntryId = y.info.dwCatalogEntryId;
            if (memcmp(&x.info, &y.info, sizeof x.info) != 0 || strcmp(x.path, y.path) != 0)
                return false;
        }
    }
    if (a->value_count != b->value_count || a->key_exists != b->key_exists)
        return false;
    for (uint32_t i = 0; i < a->value_count; i++) { /* in any order */
        bool found = false;
        for (uint32_t j = 0; j < b->value_count; j++)
            found = found || memcmp(&a->values[i], &b->values[j], sizeof a->values[i]) == 0;
        if (!found)
            return false;
    }
    return true;
}
