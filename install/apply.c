/* apply.c - carries a plan out, and takes it back when a step fails. */
#include <stdlib.h>
#include <string.h>

#include "wsi.h"

static void print_set(const char *what, const char *where, const struct wsi_set *set, FILE *out)
{
    char name[3 * (WSAPROTOCOL_LEN + 1)];
    for (uint32_t i = 0; i < set->count; i++) {
        wsi_wide_text(set->entries[i].info.szProtocol, WSAPROTOCOL_LEN + 1, name, sizeof name);
        fprintf(out, "%s %s: '%s', %s\n", what, where, name, set->entries[i].path);
    }
}

static void print_update(const struct wsi_system *sys, const struct wsi_step *s, FILE *out)
{
    char text[1024];
    print_set("change the entry in the", wsi_catalog_name(sys, s->catalog), &s->set, out);
    if (!wsi_same_path(s->before.entries[0].path, s->set.entries[0].path))
        fprintf(out, "    path is %s\n", s->before.entries[0].path);
    for (uint32_t i = 0; i < s->set.count && i < s->before.count; i++)
        if (!wsi_entry_equal(&s->before.entries[i], &s->set.entries[i], text, sizeof text))
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
        case WSI_INSTALL: print_set("add an entry to the", where, &s->set, out); break;
        case WSI_INSTALL_BOTH: print_set("add an entry to", "both catalogs", &s->set, out); break;
        case WSI_UPDATE: print_update(sys, s, out); break;
        case WSI_REMOVE: print_set("remove the entry from the", where, &s->set, out); break;
        case WSI_ORDER: fprintf(out, "move the entry in the %s to the end, behind TCP/IP\n", where); break;
        case WSI_ORDER_FIRST:
            fprintf(out, "move the entries in the %s to the front, before TCP/IP\n", where);
            break;
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
    case WSI_ORDER:
    case WSI_ORDER_FIRST: *call = WSI_CALL_ORDER; return true;
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

/* A catalog's entries in their order: their numbers, and which are those of one provider. */
struct order {
    uint32_t count;
    struct place {
        uint32_t id;
        bool is_ours;
    } * places;
};

static bool read_order(const struct wsi_system *sys, enum wsi_catalog c, const GUID *provider,
                       struct order *order, struct wsi_error *e)
{
    struct wsi_entry *list = NULL;
    uint32_t count = 0;
    if (!sys->enumerate(sys->self, c, &list, &count, e))
        return false;
    order->count = count;
    order->places = calloc(count + 1u, sizeof *order->places);
    for (uint32_t i = 0; order->places && i < count; i++) {
        order->places[i].id = list[i].info.dwCatalogEntryId;
        order->places[i].is_ours = memcmp(&list[i].info.ProviderId, provider, sizeof *provider) == 0;
    }
    free(list);
    return order->places || wsi_fail(e, WSI_FAILED, "out of memory");
}

static const struct place *next(const struct order *order, uint32_t *at, bool is_ours)
{
    while (*at < order->count && order->places[*at].is_ours != is_ours)
        ++*at;
    return *at < order->count ? &order->places[(*at)++] : NULL;
}

/* The provider's entries to those places (WSI_SET_MAX of them, ascending; behind the end: to the end); all others keep their order. */
static bool move_ours(const struct wsi_system *sys, enum wsi_catalog c, const struct order *order,
                      const uint32_t *positions, struct wsi_error *e)
{
    uint32_t *ids = calloc(order->count + 1u, sizeof *ids);
    uint32_t ours = 0, others = 0, moved = 0;
    if (!ids)
        return wsi_fail(e, WSI_FAILED, "out of memory");
    for (uint32_t i = 0; i < order->count; i++) {
        const struct place *p = NULL;
        if (moved < WSI_SET_MAX && positions[moved] <= i)
            p = next(order, &ours, true);
        moved += p != NULL;
        if (!p)
            p = next(order, &others, false);
        if (!p) /* of the others there are no more */
            p = next(order, &ours, true);
        ids[i] = p ? p->id : 0;
    }
    bool ok = sys->order(sys->self, c, ids, order->count, e);
    free(ids);
    return ok;
}

static bool do_order(const struct wsi_system *sys, enum wsi_catalog c, const GUID *provider,
                     const uint32_t *positions, struct wsi_done *done, struct wsi_error *e)
{
    struct order order = {0};
    if (!read_order(sys, c, provider, &order, e))
        return false;
    uint32_t *before = calloc(order.count + 1u, sizeof *before);
    for (uint32_t i = 0; before && i < order.count; i++)
        before[i] = order.places[i].id;
    bool ok = before ? move_ours(sys, c, &order, positions, e) : wsi_fail(e, WSI_FAILED, "out of memory");
    free(order.places);
    free(done->order[c]);
    done->order[c] = before;
    done->order_count[c] = order.count;
    return ok;
}

static bool do_step(const struct wsi_system *sys, const struct wsi_step *s, struct wsi_done *done,
                    struct wsi_error *e)
{
    static const uint32_t last[WSI_SET_MAX] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    static const uint32_t first[WSI_SET_MAX] = {0, 1, 2, 3};
    switch (s->kind) {
    case WSI_SET_VALUE: return sys->set_value(sys->self, s->value.name, s->value.data, &done->made_key, e);
    case WSI_DELETE_VALUE: return sys->delete_value(sys->self, s->value.name, e);
    case WSI_INSTALL: return sys->install(sys->self, false, &s->set, e);
    case WSI_INSTALL_BOTH: return sys->install(sys->self, true, &s->set, e);
    case WSI_UPDATE: return sys->update(sys->self, s->catalog, &s->set, e);
    case WSI_REMOVE: return sys->remove(sys->self, s->catalog, &s->set.entries[0].info.ProviderId, e);
    case WSI_ORDER: return do_order(sys, s->catalog, &wsi_provider_id, last, done, e);
    case WSI_ORDER_FIRST: return do_order(sys, s->catalog, &wsi_switch_id, first, done, e);
    }
    return false;
}

/* The entries back, and at the places they had: the catalog adds at the end. Their numbers are new ones, which nobody can help. */
static bool add_back(const struct wsi_system *sys, const struct wsi_step *s, struct wsi_error *e)
{
    const GUID *id = &s->set.entries[0].info.ProviderId;
    if (s->catalog == WSI_SMALL) /* see plan.c: only when the outcome is not what the calls said */
        return wsi_fail(e, WSI_HALF_DONE,
                        "the 32-bit catalog cannot be added to alone; run wsdinstall install%s --dll32 %s",
                        memcmp(id, &wsi_switch_id, sizeof *id) == 0 ? " --switch" : "",
                        s->set.entries[0].path);
    if (!sys->install(sys->self, false, &s->set, e))
        return false;
    struct order order = {0};
    if (!read_order(sys, s->catalog, id, &order, e))
        return false;
    uint32_t positions[WSI_SET_MAX];
    bool is_there = true; /* at the end they were: no call needed */
    for (uint32_t i = 0; i < WSI_SET_MAX; i++)
        positions[i] = i < s->set.count ? s->set.positions[i] : UINT32_MAX;
    for (uint32_t i = 0; i < s->set.count; i++)
        is_there = is_there && positions[i] < order.count && order.places[positions[i]].is_ours;
    bool ok = is_there || move_ours(sys, s->catalog, &order, positions, e);
    free(order.places);
    return ok;
}

static bool undo_install(const struct wsi_system *sys, const struct wsi_step *s, struct wsi_error *e)
{
    bool ok = sys->remove(sys->self, WSI_NATIVE, &s->set.entries[0].info.ProviderId, e);
    if (s->kind == WSI_INSTALL_BOTH)
        ok = sys->remove(sys->self, WSI_SMALL, &s->set.entries[0].info.ProviderId, e) && ok;
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
    case WSI_ORDER_FIRST:
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
