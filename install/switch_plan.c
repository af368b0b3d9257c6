/* switch_plan.c - the plan for the switch's entries: made of the system's own (switch_entry.c), placed before them. Pure, as plan.c.
 *
 * A set that is not as it should be is updated in place when it has as many entries, else removed and made again: WSCUpdateProvider
 * changes entries and adds none. As in plan.c, the 32-bit catalog alone cannot be added to, so its removal comes last. */
#include <string.h>

#include "wsi.h"

/* What there is in a catalog, what should be, and what to do about it. */
struct side {
    enum wsi_catalog catalog;
    struct wsi_set have, want;
};

static bool look(const struct wsi_state *state, enum wsi_catalog c, const char *path, struct side *side,
                 struct wsi_error *e)
{
    memset(side, 0, sizeof *side);
    side->catalog = c;
    return wsi_switch_found(state, c, &side->have, e) &&
           (!path || wsi_switch_wanted(state, c, path, &side->want, e));
}

static void plan_remove(const struct side *side, struct wsi_plan *plan)
{
    if (side->have.count > 0)
        wsi_plan_add(plan, WSI_REMOVE, side->catalog)->set = side->have;
}

static void plan_update(const struct side *side, struct wsi_plan *plan)
{
    struct wsi_step *s = wsi_plan_add(plan, WSI_UPDATE, side->catalog);
    s->set = side->want;
    s->before = side->have;
}

static bool is_right(const struct side *side)
{
    char text[512];
    return wsi_set_equal(&side->have, &side->want, text, sizeof text);
}

/* The native catalog alone. True: its entries are new, at the end. */
static bool plan_native(const struct side *native, struct wsi_plan *plan)
{
    if (is_right(native))
        return false;
    if (native->have.count == native->want.count) {
        plan_update(native, plan);
        return false;
    }
    plan_remove(native, plan);
    wsi_plan_add(plan, WSI_INSTALL, WSI_NATIVE)->set = native->want;
    return true;
}

/* Both, when that for 32 bits has none: one call makes them, with one path. */
static void plan_both(const struct side *native, const struct side *small, struct wsi_plan *plan)
{
    plan_remove(native, plan); /* made again, together */
    wsi_plan_add(plan, WSI_INSTALL_BOTH, WSI_NATIVE)->set = native->want;
    struct wsi_step *s = wsi_plan_add(plan, WSI_UPDATE, WSI_SMALL);
    s->set = small->want;
    s->before = native->want;
}

static void plan_order(const struct wsi_state *state, const struct side *side, bool is_new,
                       struct wsi_plan *plan)
{
    if (is_new || !wsi_switch_is_first(state, side->catalog, &side->have))
        wsi_plan_add(plan, WSI_ORDER_FIRST, side->catalog);
}

bool wsi_switch_plan_install(const struct wsi_state *state, const struct wsi_options *o,
                             struct wsi_plan *plan, struct wsi_error *e)
{
    struct side native, small;
    bool is_new = true;
    if (!wsi_plan_start(plan, e) || !look(state, WSI_NATIVE, o->dll, &native, e) ||
        !look(state, WSI_SMALL, o->dll32, &small, e))
        return false;
    if (o->dll32 && small.want.count != native.want.count)
        return wsi_fail(
            e, WSI_FAILED,
            "the two catalogs have entries for different protocols; nothing was changed. Without --dll32 the "
            "64-bit catalog can do alone");
    bool both = o->dll32 && small.have.count == 0;
    if (o->dll32 && !both && small.have.count != small.want.count)
        return wsi_fail(
            e, WSI_FAILED,
            "the 32-bit catalog has %u entries of the switch, not %u; nothing was changed. Run wsdinstall "
            "remove --switch first",
            (unsigned)small.have.count, (unsigned)small.want.count);
    if (both)
        plan_both(&native, &small, plan);
    else
        is_new = plan_native(&native, plan);
    plan_order(state, &native, is_new, plan);
    if (o->dll32 && !both && !is_right(&small))
        plan_update(&small, plan);
    if (o->dll32)
        plan_order(state, &small, both, plan);
    else
        plan_remove(&small, plan);
    return true;
}

bool wsi_switch_plan_remove(const struct wsi_state *state, struct wsi_plan *plan, struct wsi_error *e)
{
    struct side native, small;
    if (!wsi_plan_start(plan, e) || !look(state, WSI_NATIVE, NULL, &native, e) ||
        !look(state, WSI_SMALL, NULL, &small, e))
        return false;
    plan_remove(&native, plan);
    plan_remove(&small, plan);
    return true;
}
