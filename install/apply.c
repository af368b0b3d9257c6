/* apply.c - carries a plan out, and takes it back when a step fails. */
#include <stdlib.h>
#include <string.h>

#include "wsi.h"

static void print_entry(const char *what, const char *where, const struct wsi_entry *entry, FILE *out)
{
    char name[3 * (WSAPROTOCOL_LEN + 1)];
    wsi_wide_text(entry->info.szProtocol, WSAPROTOCOL_LEN + 1, name, sizeof name);
    fprintf(out, "%s %s: '%s', %s\n", what, where, name, entry->path);
}

static void print_update(const struct wsi_system *sys, const struct wsi_step *s, FILE *out)
{
    char text[1024];
    print_entry("change the entry in the", wsi_catalog_name(sys, s->catalog), &s->entry, out);
    if (!wsi_same_path(s->before.path, s->entry.path))
        fprintf(out, "    path is %s\n", s->before.path);
    if (!wsi_entry_equal(&s->before, &s->entry, text, sizeof text))
        fprintf(out, "    %s\n", text);
}

void wsi_print_plan(const struct wsi_system *sys, const struct wsi_plan *plan, FILE *out)
{
    char text[WSI_GUID_TEXT];
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct wsi_step *s = &plan->steps[i];
        const char *where = wsi_catalog_name(sys, s->catalog);
        switch (s->kind) {
        case WSI_SET_VALUE:
            fprintf(out, "write registry value '%s', REG_BINARY, 16 bytes: %s\n", s->value.name,
                    wsi_guid_text(s->value.data, text));
            break;
        case WSI_DELETE_VALUE:
            fprintf(out, "delete registry value '%s': %s\n", s->value.name,
                    wsi_guid_text(s->value.data, text));
            break;
        case WSI_INSTALL: print_entry("add an entry to the", where, &s->entry, out); break;
        case WSI_INSTALL_BOTH: print_entry("add an entry to", "both catalogs", &s->entry, out); break;
        case WSI_UPDATE: print_update(sys, s, out); break;
        case WSI_REMOVE: print_entry("remove the entry from the", where, &s->entry, out); break;
        case WSI_ORDER: fprintf(out, "move the entry in the %s to the end, behind TCP/IP\n", where); break;
        }
    }
}

static bool call_of(enum wsi_step_kind kind, enum wsi_call *call)
{
    switch (kind) {
    case WSI_SET_VALUE:
    case WSI_DELETE_VALUE: return false;
    case WSI_INSTALL: *call = WSI_CALL_INSTALL; return true;
    case WSI_INSTALL_BOTH: *call = WSI_CALL_INSTALL_BOTH; return true;
    case WSI_UPDATE: *call = WSI_CALL_UPDATE; return true;
    case WSI_REMOVE: *call = WSI_CALL_REMOVE; return true;
    case WSI_ORDER: *call = WSI_CALL_ORDER; return true;
    }
    return false;
}

bool wsi_can_apply(const struct wsi_system *sys, const struct wsi_plan *plan, struct wsi_error *e)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        enum wsi_call call;
        if (!call_of(plan->steps[i].kind, &call))
            continue;
        const char *name = sys->missing(sys->self, call, plan->steps[i].catalog);
        if (name)
            return wsi_fail(
                e, WSI_FAILED,
                "this Windows has no function %s, which is needed for the %s; nothing was changed%s", name,
                wsi_catalog_name(sys, plan->steps[i].catalog),
                plan->steps[i].catalog == WSI_SMALL || call == WSI_CALL_INSTALL_BOTH
                    ? ". Without --dll32 the 64-bit catalog can do alone"
                    : "");
    }
    return sys->may_change(sys->self, e);
}

/* The numbers of a catalog's entries in their order, and where ours is (-1: nowhere). NULL: *e. */
static uint32_t *read_order(const struct wsi_system *sys, enum wsi_catalog c, uint32_t *count, int *ours,
                            struct wsi_error *e)
{
    struct wsi_state state = {0};
    if (!sys->enumerate(sys->self, c, &state.entries[c], &state.entry_count[c], e))
        return NULL;
    *ours = wsi_find_entry(&state, c);
    *count = state.entry_count[c];
    uint32_t *ids = calloc(*count + 1u, sizeof *ids);
    for (uint32_t i = 0; ids && i < *count; i++)
        ids[i] = state.entries[c][i].info.dwCatalogEntryId;
    if (!ids)
        wsi_fail(e, WSI_FAILED, "out of memory");
    wsi_state_free(&state);
    return ids;
}

/* Ours to a place; the others keep their order among themselves. */
static bool move_ours(const struct wsi_system *sys, enum wsi_catalog c, uint32_t *ids, uint32_t count,
                      uint32_t from, uint32_t to, struct wsi_error *e)
{
    uint32_t id = ids[from];
    for (; from < to; from++)
        ids[from] = ids[from + 1];
    for (; from > to; from--)
        ids[from] = ids[from - 1];
    ids[to] = id;
    return sys->order(sys->self, c, ids, count, e);
}

static bool order_last(const struct wsi_system *sys, enum wsi_catalog c, struct wsi_done *done,
                       struct wsi_error *e)
{
    int ours;
    uint32_t count;
    uint32_t *ids = read_order(sys, c, &count, &ours, e);
    if (!ids)
        return false;
    uint32_t *before = calloc(count + 1u, sizeof *before);
    bool ok = before != NULL;
    if (ok)
        memcpy(before, ids, count * sizeof *ids);
    else
        wsi_fail(e, WSI_FAILED, "out of memory");
    ok = ok && (ours < 0 || move_ours(sys, c, ids, count, (uint32_t)ours, count - 1, e));
    free(ids);
    free(done->order[c]);
    done->order[c] = before;
    done->order_count[c] = count;
    return ok;
}

static bool do_step(const struct wsi_system *sys, const struct wsi_step *s, struct wsi_done *done,
                    struct wsi_error *e)
{
    switch (s->kind) {
    case WSI_SET_VALUE: return sys->set_value(sys->self, s->value.name, s->value.data, &done->made_key, e);
    case WSI_DELETE_VALUE: return sys->delete_value(sys->self, s->value.name, e);
    case WSI_INSTALL: return sys->install(sys->self, false, &s->entry, e);
    case WSI_INSTALL_BOTH: return sys->install(sys->self, true, &s->entry, e);
    case WSI_UPDATE: return sys->update(sys->self, s->catalog, &s->entry, e);
    case WSI_REMOVE: return sys->remove(sys->self, s->catalog, &s->entry.info.ProviderId, e);
    case WSI_ORDER: return order_last(sys, s->catalog, done, e);
    }
    return false;
}

/* The entry back, and at the place it had: the catalog adds at the end. Its number is a new one, which nobody can help. */
static bool add_back(const struct wsi_system *sys, const struct wsi_step *s, struct wsi_error *e)
{
    if (s->catalog == WSI_SMALL) /* see plan.c: only when the outcome is not what the calls said */
        return wsi_fail(e, WSI_HALF_DONE,
                        "the 32-bit catalog cannot be added to alone; run wsdinstall install --dll32 %s",
                        s->entry.path);
    if (!sys->install(sys->self, false, &s->entry, e))
        return false;
    int ours;
    uint32_t count;
    uint32_t *ids = read_order(sys, s->catalog, &count, &ours, e);
    if (!ids)
        return false;
    bool ok = true;
    if (ours >= 0 && s->position < count && (uint32_t)ours != s->position)
        ok = move_ours(sys, s->catalog, ids, count, (uint32_t)ours, s->position, e);
    free(ids);
    return ok;
}

static bool undo_install(const struct wsi_system *sys, const struct wsi_step *s, struct wsi_error *e)
{
    bool ok = sys->remove(sys->self, WSI_NATIVE, &s->entry.info.ProviderId, e);
    if (s->kind == WSI_INSTALL_BOTH)
        ok = sys->remove(sys->self, WSI_SMALL, &s->entry.info.ProviderId, e) && ok;
    return ok;
}

static bool undo_step(const struct wsi_system *sys, const struct wsi_step *s, const struct wsi_done *done,
                      struct wsi_error *e)
{
    bool ignored;
    switch (s->kind) {
    case WSI_SET_VALUE: /* one that was ours already and is now of the right type stays */
        return !s->is_new || (sys->delete_value(sys->self, s->value.name, e) &&
                              (!done->made_key || sys->delete_key(sys->self, e)));
    case WSI_DELETE_VALUE: return sys->set_value(sys->self, s->value.name, s->value.data, &ignored, e);
    case WSI_INSTALL:
    case WSI_INSTALL_BOTH: return undo_install(sys, s, e);
    case WSI_UPDATE: return sys->update(sys->self, s->catalog, &s->before, e);
    case WSI_REMOVE: return add_back(sys, s, e);
    case WSI_ORDER:
        return sys->order(sys->self, s->catalog, done->order[s->catalog], done->order_count[s->catalog], e);
    }
    return false;
}

void wsi_take_back(const struct wsi_system *sys, const struct wsi_plan *plan, struct wsi_done *done,
                   struct wsi_error *e)
{
    struct wsi_error inner = {0};
    const char *sentence = ". What had been changed was changed back";
    bool any = done->count > 0;
    while (done->count > 0) {
        size_t at = strlen(e->text);
        if (undo_step(sys, &plan->steps[--done->count], done, &inner))
            continue;
        /* The others are tried all the same: the less is left, the better. */
        snprintf(e->text + at, sizeof e->text - at, ". Changing back failed too: %.300s", inner.text);
        e->exit = WSI_HALF_DONE;
        sentence = ". Run wsdinstall verify to see what is left, and wsdinstall remove to take it away";
    }
    if (any) {
        size_t at = strlen(e->text);
        snprintf(e->text + at, sizeof e->text - at, "%s", sentence);
    }
}

bool wsi_apply(const struct wsi_system *sys, const struct wsi_plan *plan, struct wsi_done *done,
               struct wsi_error *e)
{
    for (; done->count < plan->count; done->count++) {
        if (do_step(sys, &plan->steps[done->count], done, e))
            continue;
        wsi_take_back(sys, plan, done, e);
        return false;
    }
    return true;
}

void wsi_done_free(struct wsi_done *done)
{
    for (int c = 0; c < WSI_CATALOGS; c++)
        free(done->order[c]);
    memset(done, 0, sizeof *done);
}
