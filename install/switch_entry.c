/* switch_entry.c - the catalog entries of the switch: how they are made, found and compared.
 * Each is the system's own entry for a protocol, with TCP/IP's characteristics (contract 2.3), but for what is the switch's: the
 * identifier, the name, and no XP1_IFS_HANDLES, since its handles come from WPUCreateSocketHandle (2.1). A base entry (chain of one):
 * wsdswitch.dll makes private sockets of the entry that it was copied from, and no layer of a chain is called.
 * UDP and IPv6 too, although no SAN carries them: select() takes the sockets of one provider only (its page). */
#include <string.h>

#include "wsi.h"

/* {6B7F19C3-2E54-4D0A-917C-4E28D360AF15}: ours, made for this product; never changes. */
const GUID wsi_switch_id = {0x6B7F19C3, 0x2E54, 0x4D0A, {0x91, 0x7C, 0x4E, 0x28, 0xD3, 0x60, 0xAF, 0x15}};

static const WCHAR product[] = WSD_WTEXT("OpenWSD switch over ");
#define PRODUCT_FAMILY 7 /* "OpenWSD" */
#define PRODUCT_CHARS  (sizeof product / sizeof product[0] - 1)

static const struct protocol {
    int family, type, protocol;
} protocols[WSI_SET_MAX] = {{WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP},
                            {WS_AF_INET, WS_SOCK_DGRAM, WS_IPPROTO_UDP},
                            {WS_AF_INET6, WS_SOCK_STREAM, WS_IPPROTO_TCP},
                            {WS_AF_INET6, WS_SOCK_DGRAM, WS_IPPROTO_UDP}};

static bool is_of(const WSAPROTOCOL_INFOW *p, const struct protocol *what)
{
    return p->iAddressFamily == what->family && p->iSocketType == what->type &&
           p->iProtocol == what->protocol;
}

static bool is_switch(const struct wsi_entry *entry)
{
    return memcmp(&entry->info.ProviderId, &wsi_switch_id, sizeof wsi_switch_id) == 0;
}

/* As wsdswitch.dll looks for it (pal/windows/base_provider.c). */
static const struct wsi_entry *find_base(const struct wsi_state *state, enum wsi_catalog c,
                                         const struct protocol *what)
{
    for (uint32_t i = 0; i < state->entry_count[c]; i++) {
        const WSAPROTOCOL_INFOW *p = &state->entries[c][i].info;
        if (is_of(p, what) && !is_switch(&state->entries[c][i]) &&
            p->ProtocolChain.ChainLen == BASE_PROTOCOL && (p->dwServiceFlags1 & XP1_IFS_HANDLES) &&
            !(p->dwServiceFlags1 & XP1_SAN_SUPPORT_SDP) && !(p->dwProviderFlags & PFL_HIDDEN))
            return &state->entries[c][i];
    }
    return NULL;
}

static void make(struct wsi_entry *out, const struct wsi_entry *base, const char *path)
{
    memset(out, 0, sizeof *out);
    out->info = base->info;
    out->info.dwServiceFlags1 &= ~(DWORD)XP1_IFS_HANDLES;
    out->info.ProviderId = wsi_switch_id;
    out->info.dwCatalogEntryId = 0; /* the catalog gives it */
    memset(out->info.szProtocol, 0, sizeof out->info.szProtocol);
    memcpy(out->info.szProtocol, product, PRODUCT_CHARS * sizeof *product);
    for (size_t i = PRODUCT_CHARS; i < WSAPROTOCOL_LEN && base->info.szProtocol[i - PRODUCT_CHARS]; i++)
        out->info.szProtocol[i] = base->info.szProtocol[i - PRODUCT_CHARS];
    snprintf(out->path, sizeof out->path, "%s", path);
}

bool wsi_switch_wanted(const struct wsi_state *state, enum wsi_catalog c, const char *path,
                       struct wsi_set *set, struct wsi_error *e)
{
    memset(set, 0, sizeof *set);
    for (uint32_t i = 0; i < WSI_SET_MAX; i++) {
        const struct wsi_entry *base = find_base(state, c, &protocols[i]);
        if (base)
            make(&set->entries[set->count++], base, path);
        else if (i == 0)
            return wsi_fail(
                e, WSI_FAILED,
                "the system's own entry for TCP/IP is not in the %s, so there is nothing for the switch to "
                "lie over; nothing was changed. netsh winsock reset makes one",
                c == WSI_SMALL ? "32-bit catalog" : "catalog");
    }
    return true;
}

bool wsi_switch_found(const struct wsi_state *state, enum wsi_catalog c, struct wsi_set *set,
                      struct wsi_error *e)
{
    char name[128];
    memset(set, 0, sizeof *set);
    for (uint32_t i = 0; i < state->entry_count[c]; i++) {
        const struct wsi_entry *entry = &state->entries[c][i];
        if (!is_switch(entry))
            continue;
        wsi_wide_text(entry->info.szProtocol, WSAPROTOCOL_LEN + 1, name, sizeof name);
        if (set->count == WSI_SET_MAX ||
            memcmp(entry->info.szProtocol, product, PRODUCT_FAMILY * sizeof *product) != 0)
            return wsi_fail(
                e, WSI_FOREIGN,
                "catalog entry %u, '%s' (%s), has the identifier of OpenWSD's switch but is not one of its entries; "
                "nothing was changed. Remove it with the installer that made it",
                (unsigned)entry->info.dwCatalogEntryId, name, entry->path);
        set->positions[set->count] = i;
        set->entries[set->count++] = *entry;
    }
    return true;
}

static const struct wsi_entry *same_protocol(const struct wsi_set *set, const WSAPROTOCOL_INFOW *p)
{
    const struct protocol what = {p->iAddressFamily, p->iSocketType, p->iProtocol};
    for (uint32_t i = 0; i < set->count; i++)
        if (is_of(&set->entries[i].info, &what))
            return &set->entries[i];
    return NULL;
}

bool wsi_set_equal(const struct wsi_set *have, const struct wsi_set *want, char *text, size_t text_bytes)
{
    char name[128];
    snprintf(text, text_bytes, "%u entries, not %u", (unsigned)have->count, (unsigned)want->count);
    if (have->count != want->count)
        return false;
    for (uint32_t i = 0; i < want->count; i++) {
        const struct wsi_entry *w = &want->entries[i], *h = same_protocol(have, &w->info);
        wsi_wide_text(w->info.szProtocol, WSAPROTOCOL_LEN + 1, name, sizeof name);
        if (!h) {
            snprintf(text, text_bytes, "no '%s'", name);
            return false;
        }
        if (!wsi_same_path(h->path, w->path)) {
            snprintf(text, text_bytes, "'%s' has the path %s", name, h->path);
            return false;
        }
        if (!wsi_entry_equal(h, w, text, text_bytes))
            return false;
    }
    text[0] = 0;
    return true;
}

bool wsi_switch_is_first(const struct wsi_state *state, enum wsi_catalog c, const struct wsi_set *have)
{
    for (uint32_t i = 0; i < have->count; i++) {
        const WSAPROTOCOL_INFOW *ours = &have->entries[i].info;
        const struct protocol what = {ours->iAddressFamily, ours->iSocketType, ours->iProtocol};
        for (uint32_t at = 0; at < have->positions[i]; at++) {
            const struct wsi_entry *other = &state->entries[c][at];
            if (is_of(&other->info, &what) && !(other->info.dwProviderFlags & PFL_HIDDEN) &&
                !is_switch(other))
                return false;
        }
    }
    return true;
}
