/* state.c - what is there now: both catalogs and the key of the switch. Reads only. */
#include <stdlib.h>
#include <string.h>

#include "wsi.h"

#define REG_BINARY_TYPE 3u /* REG_BINARY of winnt.h */

bool wsi_state_read(const struct wsi_system *sys, struct wsi_state *state, struct wsi_error *e)
{
    memset(state, 0, sizeof *state);
    state->has_small = sys->has_small;
    state->os_major = sys->os_major;
    state->os_minor = sys->os_minor;
    for (int c = WSI_NATIVE; c < (sys->has_small ? WSI_CATALOGS : WSI_SMALL); c++)
        if (!sys->enumerate(sys->self, (enum wsi_catalog)c, &state->entries[c], &state->entry_count[c], e))
            goto failed;
    if (!sys->values(sys->self, &state->values, &state->value_count, e))
        goto failed;
    return true;
failed:
    wsi_state_free(state);
    return false;
}

void wsi_state_free(struct wsi_state *state)
{
    for (int c = 0; c < WSI_CATALOGS; c++)
        free(state->entries[c]);
    free(state->values);
    memset(state, 0, sizeof *state);
}

int wsi_find_entry(const struct wsi_state *state, enum wsi_catalog c)
{
    for (uint32_t i = 0; i < state->entry_count[c]; i++)
        if (wsi_entry_is_ours(&state->entries[c][i]))
            return (int)i;
    return -1;
}

int wsi_find_tcp(const struct wsi_state *state, enum wsi_catalog c)
{
    for (uint32_t i = 0; i < state->entry_count[c]; i++) {
        const WSAPROTOCOL_INFOW *p = &state->entries[c][i].info;
        if (!(p->dwProviderFlags & PFL_HIDDEN) && p->iAddressFamily == WS_AF_INET &&
            p->iSocketType == WS_SOCK_STREAM && p->iProtocol == WS_IPPROTO_TCP)
            return (int)i;
    }
    return -1;
}

bool wsi_value_is_ours(const struct wsi_value *v)
{
    return v->bytes == sizeof wsi_provider_id &&
           memcmp(v->data, &wsi_provider_id, sizeof wsi_provider_id) == 0;
}

bool wsi_value_is_right(const struct wsi_value *v)
{
    return wsi_value_is_ours(v) && v->type == REG_BINARY_TYPE && wsi_same_path(v->name, WSI_VALUE_NAME);
}

/* Documented are Windows 2000 and Server 2003 (contract 1.4). Client editions and later systems of the same kind are not told
 * apart here: 5.x has it, from 6.0 on nobody says so, and the pages that mention Vista take things away (C9). */
bool wsi_has_switch(uint32_t os_major, uint32_t os_minor)
{
    (void)os_minor;
    return os_major == 5;
}

bool wsi_state_has_switch(const struct wsi_state *state)
{
    struct wsi_set found;
    struct wsi_error ignored;
    return wsi_has_switch(state->os_major, state->os_minor) ||
           (wsi_switch_found(state, WSI_NATIVE, &found, &ignored) && found.count > 0);
}

const char *wsi_catalog_name(const struct wsi_system *sys, enum wsi_catalog c)
{
    if (c == WSI_SMALL)
        return "32-bit catalog";
    return sys->word_bits == 64 ? "64-bit catalog" : "catalog";
}
