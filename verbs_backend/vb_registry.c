/* vb_registry.c - backends by name, the text of vb_open(), and the chain of hook tables around a backend.
 * Owns the tables of all known backends (copies with every operation filled in) for the whole process. */
#include <stdio.h>
#include <string.h>

#include "pal/mutex.h"
#include "vb_ops.h"

#define TABLE_MAX  16
#define SPEC_BYTES 512

static const struct vb_ops *const compiled_in[] = {
#ifdef WSD_BACKEND_RDMACORE
    &vb_rdmacore_ops,
#endif
#ifdef WSD_BACKEND_SOFTIWARP
    &vb_softiwarp_ops,
#endif
    NULL};

static const char *const compiled_in_names[] = {
#ifdef WSD_BACKEND_RDMACORE
    "rdmacore",
#endif
#ifdef WSD_BACKEND_SOFTIWARP
    "softiwarp",
#endif
    NULL};

static const struct vb_hook *const hooks[] = {&vb_hook_trace, &vb_hook_fault};
#define HOOK_COUNT (sizeof hooks / sizeof hooks[0])

struct table {
    struct vb_ops ops;
    const struct vb_ops *source; /* what was registered */
};

/* Guards tables and table_count. An entry that was filled never changes, so its address may be kept. */
static struct pal_mutex lock = PAL_MUTEX_INIT;
static struct table tables[TABLE_MAX];
static unsigned table_count;

static PAL_THREAD_LOCAL const struct vb_ops *opening;

const struct vb_ops *vb_opening_ops(void)
{
    return opening;
}

const char *const *vb_backend_names(void)
{
    return compiled_in_names;
}

/* Copy with defaults. A struct vb_ops is a name and then function pointers only, all of one size, so the
 * defaults can be laid under it pointer by pointer; a member added to the table needs no line here. */
static void fill(struct vb_ops *out, const struct vb_ops *ops)
{
    typedef void (*any_fn)(void);
    size_t first = offsetof(struct vb_ops, open);
    _Static_assert((sizeof(struct vb_ops) - offsetof(struct vb_ops, open)) % sizeof(any_fn) == 0,
                   "only functions follow");

    *out = *ops;
    for (size_t at = first; at < sizeof *out; at += sizeof(any_fn)) {
        any_fn fn;
        memcpy(&fn, (const char *)ops + at, sizeof fn);
        if (!fn)
            memcpy((char *)out + at, (const char *)&vb_unsupported_ops + at, sizeof fn);
    }
}

static struct table *find_locked(const char *name)
{
    for (unsigned i = 0; i < table_count; i++)
        if (strcmp(tables[i].ops.name, name) == 0)
            return &tables[i];
    return NULL;
}

static vb_status_t register_locked(const struct vb_ops *ops)
{
    const struct table *known = find_locked(ops->name);
    if (known)
        return known->source == ops ? VB_OK : VB_E_BUSY;
    if (table_count == TABLE_MAX)
        return VB_E_NOMEM;
    fill(&tables[table_count].ops, ops);
    tables[table_count].source = ops;
    table_count++;
    return VB_OK;
}

static void register_compiled_in_locked(void)
{
    for (unsigned i = 0; compiled_in[i]; i++)
        (void)register_locked(compiled_in[i]); /* first come, so there is room; repeating it is harmless */
}

vb_status_t vb_register_backend(const struct vb_ops *ops)
{
    if (!ops || !ops->name || !ops->name[0] || strpbrk(ops->name, "+=") || !ops->open || !ops->close)
        return VB_E_INVAL;
    pal_mutex_lock(&lock);
    register_compiled_in_locked();
    vb_status_t st = register_locked(ops);
    pal_mutex_unlock(&lock);
    return st;
}

static const struct vb_ops *find_backend(const char *name)
{
    pal_mutex_lock(&lock);
    register_compiled_in_locked();
    struct table *t = find_locked(name);
    pal_mutex_unlock(&lock);
    return t ? &t->ops : NULL;
}

/* "rdmacore, fake" for messages. */
static void list_backends(char *out, size_t out_bytes)
{
    size_t at = 0;
    out[0] = 0;
    pal_mutex_lock(&lock);
    for (unsigned i = 0; i < table_count && at < out_bytes; i++)
        at += (size_t)snprintf(out + at, out_bytes - at, "%s%s", i > 0 ? ", " : "", tables[i].ops.name);
    pal_mutex_unlock(&lock);
    if (at == 0)
        snprintf(out, out_bytes, "none");
}

static const struct vb_hook *find_hook(const char *name)
{
    for (size_t i = 0; i < HOOK_COUNT; i++)
        if (strcmp(hooks[i]->name, name) == 0)
            return hooks[i];
    return NULL;
}

static bool is_backend_table(const struct vb_ops *ops)
{
    for (unsigned i = 0; i < TABLE_MAX; i++)
        if (ops == &tables[i].ops)
            return true;
    return false;
}

/* Take the hooks off, outermost first. */
static void unwrap_all(const struct vb_ops *outermost)
{
    while (!is_backend_table(outermost)) {
        struct vb_hook_table *t = (struct vb_hook_table *)outermost;
        outermost = t->inner;
        t->hook->unwrap(t);
    }
}

static bool is_wrapped_by(const struct vb_ops *outermost, const struct vb_hook *hook)
{
    for (; !is_backend_table(outermost); outermost = ((const struct vb_hook_table *)outermost)->inner)
        if (((const struct vb_hook_table *)outermost)->hook == hook)
            return true;
    return false;
}

/* Put one hook, "NAME" or "NAME=ARG", around *ops. */
static vb_status_t wrap_one(char *text, const struct vb_ops **ops, char *why, size_t why_bytes)
{
    char *arg = strchr(text, '=');
    if (arg)
        *arg++ = 0;
    const struct vb_hook *hook = find_hook(text);
    if (!hook) {
        snprintf(why, why_bytes, "There is no hook \"%s\"; known hooks: %s, %s.", text, hooks[0]->name,
                 hooks[1]->name);
        return VB_E_INVAL;
    }
    if (is_wrapped_by(*ops, hook)) {
        snprintf(why, why_bytes, "Hook \"%s\" is named twice.", text);
        return VB_E_INVAL;
    }
    struct vb_hook_table *table = NULL;
    vb_status_t st = hook->wrap(*ops, arg, &table, why, why_bytes);
    if (st == VB_OK)
        *ops = &table->ops;
    return st;
}

static vb_status_t build_chain(const char *spec, const struct vb_ops **out, char *why, size_t why_bytes)
{
    char text[SPEC_BYTES], known[128];

    if (strlen(spec) >= sizeof text) {
        snprintf(why, why_bytes, "The backend text is longer than %d characters.", SPEC_BYTES - 1);
        return VB_E_INVAL;
    }
    strcpy(text, spec);
    char *rest = strchr(text, '+');
    if (rest)
        *rest++ = 0;
    if (text[0] == 0) {
        snprintf(why, why_bytes, "The backend text \"%s\" does not begin with the name of a backend.", spec);
        return VB_E_INVAL;
    }
    const struct vb_ops *ops = find_backend(text);
    if (!ops) {
        list_backends(known, sizeof known);
        snprintf(why, why_bytes, "There is no backend \"%s\" in this build; known backends: %s.", text,
                 known);
        return VB_E_INVAL;
    }
    while (rest) {
        char *part = rest;
        rest = strchr(part, '+');
        if (rest)
            *rest++ = 0;
        vb_status_t st = wrap_one(part, &ops, why, why_bytes);
        if (st != VB_OK) {
            unwrap_all(ops);
            return st;
        }
    }
    *out = ops;
    return VB_OK;
}

vb_status_t vb_open(const char *spec, struct vb_backend **out, char *why, size_t why_bytes)
{
    const struct vb_ops *ops;
    struct vb_backend *be = NULL;
    char ignored[8];

    if (!why || why_bytes == 0) {
        why = ignored;
        why_bytes = sizeof ignored;
    }
    why[0] = 0;
    if (!spec || !out) {
        snprintf(why, why_bytes, "No backend named.");
        return VB_E_INVAL;
    }
    vb_status_t st = build_chain(spec, &ops, why, why_bytes);
    if (st == VB_OK) {
        opening = ops;
        st = ops->open(&be, why, why_bytes);
        opening = NULL;
        if (st == VB_OK && !be)
            st = VB_E_FATAL;
        if (st != VB_OK)
            unwrap_all(ops);
    }
    if (st != VB_OK) {
        if (!why[0])
            snprintf(why, why_bytes, "Backend \"%s\" could not be opened: %s.", spec, vb_status_text(st));
        return st;
    }
    vb_head_set(be, ops);
    *out = be;
    return VB_OK;
}

void vb_close(struct vb_backend *be)
{
    if (!be)
        return;
    const struct vb_ops *ops = vb_ops_of(be);
    ops->close(be);
    unwrap_all(ops);
}
