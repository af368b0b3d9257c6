/* plan.c - from what is there to what is wanted, as a list of steps. Pure: no call of the system.
 *
 * The order is our choice, from contract 2.4: the switch looks at the registry when the catalog changes, so the value must stand
 * before the entry is made, or the switch passes the new entry over. Removing begins with the value for the same reason. The
 * 32-bit catalog alone cannot be added to from a 64-bit program (WSCInstallProvider64_32 adds to both), so nothing may follow its
 * removal that could fail. */
#include <stdlib.h>
#include <string.h>

#include "wsi.h"

#define REG_BINARY_TYPE 3u

struct wsi_step *wsi_plan_add(struct wsi_plan *plan, enum wsi_step_kind kind, enum wsi_catalog catalog)
{
    struct wsi_step *s = &plan->steps[plan->count++];
    memset(s, 0, sizeof *s);
    s->kind = kind;
    s->catalog = catalog;
    return s;
}

bool wsi_plan_start(struct wsi_plan *plan, struct wsi_error *e)
{
    plan->count = 0;
    plan->steps = calloc(WSI_STEPS_MAX, sizeof *plan->steps);
    return plan->steps || wsi_fail(e, WSI_FAILED, "out of memory; nothing was changed");
}

void wsi_plan_free(struct wsi_plan *plan)
{
    free(plan->steps);
    plan->steps = NULL;
    plan->count = 0;
}

/* Our identifier under another product's name, or our value's name with another identifier: not ours to change. */
static bool refuse_foreign(const struct wsi_state *state, struct wsi_error *e)
{
    char text[WSI_GUID_TEXT], name[128];
    for (int c = 0; c < WSI_CATALOGS; c++) {
        unsigned found = 0;
        for (uint32_t i = 0; i < state->entry_count[c]; i++) {
            const struct wsi_entry *entry = &state->entries[c][i];
            found += wsi_entry_is_ours(entry);
            if (!wsi_entry_looks_foreign(entry) && found < 2)
                continue;
            wsi_wide_text(entry->info.szProtocol, WSAPROTOCOL_LEN + 1, name, sizeof name);
            return wsi_fail(
                e, WSI_FOREIGN,
                "catalog entry %u, '%s' (%s), has the identifier of OpenWSD but is not its one entry; nothing was "
                "changed. Remove it with the installer that made it",
                (unsigned)entry->info.dwCatalogEntryId, name, entry->path);
        }
    }
    for (uint32_t i = 0; i < state->value_count; i++) {
        const struct wsi_value *v = &state->values[i];
        if (!wsi_same_path(v->name, WSI_VALUE_NAME) || wsi_value_is_ours(v))
            continue;
        return wsi_fail(
            e, WSI_FOREIGN,
            "the registry value '%s' of the switch's key holds %u bytes, %s, which is not the identifier of OpenWSD; "
            "nothing was changed. Rename or delete that value if no other provider needs it",
            v->name, (unsigned)v->bytes,
            v->bytes == 16 ? wsi_guid_text(v->data, text) : "no identifier at all");
    }
    return true;
}

static bool room_for(const struct wsi_plan *plan, uint32_t more, struct wsi_error *e)
{
    return plan->count + more <= WSI_STEPS_MAX ||
           wsi_fail(
               e, WSI_FOREIGN,
               "more than %d values of the switch's key name OpenWSD; nothing was changed. Look at them with "
               "wsdinstall list and delete those that are not wanted",
               WSI_STEPS_MAX - 8);
}

/* Leave one value that is right, or none. */
static bool plan_values(const struct wsi_state *state, bool wanted, struct wsi_plan *plan,
                        struct wsi_error *e)
{
    bool have = false;
    for (uint32_t i = 0; wanted && i < state->value_count; i++)
        have = have || wsi_value_is_right(&state->values[i]);
    if (wanted && !have) {
        struct wsi_step *s = wsi_plan_add(plan, WSI_SET_VALUE, WSI_NATIVE);
        s->is_new = true;
        for (uint32_t i = 0; i < state->value_count; i++)
            if (wsi_same_path(state->values[i].name, WSI_VALUE_NAME))
                s->is_new = false; /* ours, of another type: written again */
        snprintf(s->value.name, sizeof s->value.name, "%s", WSI_VALUE_NAME);
        s->value.type = REG_BINARY_TYPE;
        s->value.bytes = sizeof wsi_provider_id;
        memcpy(s->value.data, &wsi_provider_id, sizeof wsi_provider_id);
    }
    for (uint32_t i = 0; i < state->value_count; i++) {
        const struct wsi_value *v = &state->values[i];
        if (!wsi_value_is_ours(v) || (wanted && wsi_same_path(v->name, WSI_VALUE_NAME)))
            continue;
        if (!room_for(plan, 7, e)) /* what the catalogs may need */
            return false;
        wsi_plan_add(plan, WSI_DELETE_VALUE, WSI_NATIVE)->value = *v;
    }
    return true;
}

static void plan_update(const struct wsi_state *state, enum wsi_catalog c, const struct wsi_entry *want,
                        struct wsi_plan *plan)
{
    char text[512];
    int at = wsi_find_entry(state, c);
    if (at < 0)
        return;
    const struct wsi_entry *have = &state->entries[c][at];
    if (wsi_entry_equal(have, want, text, sizeof text) && wsi_same_path(have->path, want->path))
        return;
    struct wsi_step *s = wsi_plan_add(plan, WSI_UPDATE, c);
    wsi_set_one(&s->set, want);
    wsi_set_one(&s->before, have);
}

static void plan_remove(const struct wsi_state *state, enum wsi_catalog c, struct wsi_plan *plan)
{
    int at = wsi_find_entry(state, c);
    if (at < 0)
        return;
    struct wsi_step *s = wsi_plan_add(plan, WSI_REMOVE, c);
    wsi_set_one(&s->set, &state->entries[c][at]);
    s->set.positions[0] = (uint32_t)at;
}

/* An entry that stands before TCP/IP's goes to the end. One that is made now is at the end already. */
static void plan_order(const struct wsi_state *state, enum wsi_catalog c, struct wsi_plan *plan)
{
    int ours = wsi_find_entry(state, c), tcp = wsi_find_tcp(state, c);
    if (ours >= 0 && tcp >= 0 && ours < tcp)
        wsi_plan_add(plan, WSI_ORDER, c);
}

static void plan_entries(const struct wsi_state *state, const struct wsi_options *o, struct wsi_plan *plan)
{
    struct wsi_entry native, small;
    wsi_entry_make(&native, o->dll);
    wsi_entry_make(&small, o->dll32 ? o->dll32 : "");
    bool have = wsi_find_entry(state, WSI_NATIVE) >= 0, have_small = wsi_find_entry(state, WSI_SMALL) >= 0;
    bool both = o->dll32 && !have_small;
    if (both)
        plan_remove(state, WSI_NATIVE, plan); /* made again, together */
    else
        plan_update(state, WSI_NATIVE, &native, plan);
    if (both || !have)
        wsi_set_one(&wsi_plan_add(plan, both ? WSI_INSTALL_BOTH : WSI_INSTALL, WSI_NATIVE)->set, &native);
    if (both) { /* that call knows one path only */
        struct wsi_step *s = wsi_plan_add(plan, WSI_UPDATE, WSI_SMALL);
        wsi_set_one(&s->set, &small);
        wsi_set_one(&s->before, &native);
    } else if (o->dll32) {
        plan_update(state, WSI_SMALL, &small, plan);
    }
    if (have && !both)
        plan_order(state, WSI_NATIVE, plan);
    if (o->dll32 && have_small)
        plan_order(state, WSI_SMALL, plan);
    if (!o->dll32 && have_small) /* of an installation that had a DLL for it */
        plan_remove(state, WSI_SMALL, plan);
}

bool wsi_plan_install(const struct wsi_state *state, const struct wsi_options *o, struct wsi_plan *plan,
                      struct wsi_error *e)
{
    if (!wsi_plan_start(plan, e) || !refuse_foreign(state, e))
        return false;
    if (!plan_values(state, true, plan, e))
        return false;
    plan_entries(state, o, plan);
    return true;
}

bool wsi_plan_remove(const struct wsi_state *state, struct wsi_plan *plan, struct wsi_error *e)
{
    if (!wsi_plan_start(plan, e))
        return false;
    /* A value of our name with another identifier stays, as do other products' entries; only ours may not be mistaken. */
    for (int c = 0; c < WSI_CATALOGS; c++)
        for (uint32_t i = 0; i < state->entry_count[c]; i++)
            if (wsi_entry_looks_foreign(&state->entries[c][i]))
                return refuse_foreign(state, e);
    if (!plan_values(state, false, plan, e))
        return false;
    plan_remove(state, WSI_NATIVE, plan);
    plan_remove(state, WSI_SMALL, plan);
    return true;
}
