/* fault_plan.c - the plan of the fault hook: its grammar, and the counters that decide which call it hits.
 * Owns both for the process: one plan, whatever number of backends is open. */
#include "hook/fault_plan.h"

#include <stdio.h>
#include <string.h>

#include "pal/mutex.h"
#include "pal/time.h"
#include "vb/vb_fault.h"

#define OP_ANY VB_FAULT_OP_COUNT /* only as the subject of a plan entry */

static const struct {
    const char *name;
    unsigned traits;
    vb_status_t status;
} op_info[VB_FAULT_OP_COUNT + 1] = {
#define OP_INFO(name, traits, status) {#name, traits, status},
    VB_FAULT_OPS(OP_INFO){"any", VB_FAULT_CALL, VB_OK}};

enum action { FAIL, LATE, FLUSH };

struct entry {
    uint64_t nth; /* 0 = every */
    unsigned op;  /* enum vb_fault_op or OP_ANY */
    enum action action;
    vb_status_t status; /* FAIL; VB_OK = the operation's own */
    uint32_t late_ms;   /* LATE */
};

static struct pal_mutex plan_lock = PAL_MUTEX_INIT; /* guards everything named plan_ */
static struct entry plan_entries[VB_FAULT_PLAN_MAX];
static unsigned plan_count;
static uint64_t plan_calls[VB_FAULT_OP_COUNT + 1];
static uint64_t plan_fired;
static const char *plan_fired_last;

struct vb_fault_verdict vb_fault_judge(enum vb_fault_op op)
{
    struct vb_fault_verdict v = {.status = VB_OK};
    bool is_hit = false;

    pal_mutex_lock(&plan_lock);
    plan_calls[op]++;
    if (op_info[op].traits & VB_FAULT_CALL)
        plan_calls[OP_ANY]++;
    for (unsigned i = 0; i < plan_count; i++) {
        const struct entry *e = &plan_entries[i];
        bool is_subject = e->op == op || (e->op == OP_ANY && (op_info[op].traits & VB_FAULT_CALL));
        if (!is_subject || (e->nth != 0 && e->nth != plan_calls[e->op]))
            continue;
        is_hit = true;
        switch (e->action) {
        case FAIL:
            if (!v.is_failing)
                v.status = e->status != VB_OK ? e->status : op_info[op].status;
            v.is_failing = true;
            break;
        case LATE: v.late_ms += e->late_ms; break;
        case FLUSH: v.is_flushing = true; break;
        }
    }
    if (is_hit) {
        plan_fired++;
        plan_fired_last = op_info[op].name;
    }
    pal_mutex_unlock(&plan_lock);
    return v;
}

void vb_fault_be_late(const struct vb_fault_verdict *v)
{
    if (v->late_ms > 0)
        pal_sleep_ms(v->late_ms);
}

static unsigned find_op(const char *name)
{
    unsigned op = 0;
    while (op <= OP_ANY && strcmp(op_info[op].name, name) != 0)
        op++;
    return op;
}

static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (!text[0])
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > max)
            return false;
    }
    *out = value;
    return true;
}

static bool parse_status(const char *name, vb_status_t *out)
{
    for (unsigned st = VB_OK + 1; st < VB_STATUS_COUNT; st++) {
        if (strcmp(vb_status_name((vb_status_t)st), name) == 0) {
            *out = (vb_status_t)st;
            return true;
        }
    }
    return false;
}

static vb_status_t parse_action(char *text, struct entry *e, char *why, size_t why_bytes)
{
    const char *op = op_info[e->op].name;
    unsigned traits = op_info[e->op].traits;
    uint64_t number;
    char *value = strchr(text, '=');

    if (value)
        *value++ = 0;
    if (strcmp(text, "fail") == 0) {
        e->action = FAIL;
        if (!(traits & VB_FAULT_CALL))
            snprintf(why, why_bytes, "Fault plan: \"%s\" can only be late.", op);
        else if (value && !parse_status(value, &e->status))
            snprintf(why, why_bytes, "Fault plan: \"%s\" is not the name of a failure like VB_E_NOMEM.",
                     value);
        else
            return VB_OK;
    } else if (strcmp(text, "late") == 0) {
        e->action = LATE;
        if (value && parse_number(value, UINT32_MAX / VB_FAULT_PLAN_MAX, &number)) {
            e->late_ms = (uint32_t)number;
            return VB_OK;
        }
        snprintf(why, why_bytes, "Fault plan: \"late\" needs a number of milliseconds, as in late=20.");
    } else if (strcmp(text, "flush") == 0 && !value) {
        e->action = FLUSH;
        if (traits & VB_FAULT_QP)
            return VB_OK;
        snprintf(why, why_bytes, "Fault plan: \"flush\" needs an operation on a queue pair, not \"%s\".", op);
    } else {
        snprintf(why, why_bytes, "Fault plan: unknown action \"%s\"; use fail[=STATUS], late=MS or flush.",
                 text);
    }
    return VB_E_INVAL;
}

static vb_status_t parse_entry(char *text, struct entry *e, char *why, size_t why_bytes)
{
    char *nth = strchr(text, ':');
    char *action = nth ? strchr(nth + 1, ':') : NULL;

    memset(e, 0, sizeof *e);
    if (!action) {
        snprintf(why, why_bytes, "Fault plan: \"%s\" is not of the form OP:N:ACTION.", text);
        return VB_E_INVAL;
    }
    *nth++ = 0;
    *action++ = 0;
    e->op = find_op(text);
    if (e->op > OP_ANY) {
        snprintf(why, why_bytes, "Fault plan: \"%s\" is not an operation that can be disturbed.", text);
        return VB_E_INVAL;
    }
    if (!parse_number(nth, UINT32_MAX, &e->nth)) {
        snprintf(why, why_bytes,
                 "Fault plan: \"%s\" is not a count; 1 is the first call, 0 means every call.", nth);
        return VB_E_INVAL;
    }
    return parse_action(action, e, why, why_bytes);
}

vb_status_t vb_fault_set(const char *plan, char *why, size_t why_bytes)
{
    struct entry entries[VB_FAULT_PLAN_MAX];
    char text[512], ignored[8];
    unsigned count = 0;

    if (!why || why_bytes == 0) {
        why = ignored;
        why_bytes = sizeof ignored;
    }
    if (!plan)
        plan = "";
    if (strlen(plan) >= sizeof text) {
        snprintf(why, why_bytes, "Fault plan: longer than %zu characters.", sizeof text - 1);
        return VB_E_INVAL;
    }
    strcpy(text, plan);
    for (char *at = text[0] ? text : NULL; at;) {
        char *next = strchr(at, ',');
        if (next)
            *next++ = 0;
        if (count == VB_FAULT_PLAN_MAX) {
            snprintf(why, why_bytes, "Fault plan: more than %d entries.", VB_FAULT_PLAN_MAX);
            return VB_E_INVAL;
        }
        if (parse_entry(at, &entries[count], why, why_bytes) != VB_OK)
            return VB_E_INVAL;
        count++;
        at = next;
    }
    pal_mutex_lock(&plan_lock);
    memcpy(plan_entries, entries, count * sizeof entries[0]);
    plan_count = count;
    memset(plan_calls, 0, sizeof plan_calls);
    plan_fired = 0;
    plan_fired_last = NULL;
    pal_mutex_unlock(&plan_lock);
    return VB_OK;
}

void vb_fault_clear(void)
{
    (void)vb_fault_set(NULL, NULL, 0);
}

uint64_t vb_fault_calls(const char *op)
{
    unsigned which = op ? find_op(op) : VB_FAULT_OP_COUNT + 1;
    if (which > OP_ANY)
        return 0;
    pal_mutex_lock(&plan_lock);
    uint64_t calls = plan_calls[which];
    pal_mutex_unlock(&plan_lock);
    return calls;
}

uint64_t vb_fault_fired(void)
{
    pal_mutex_lock(&plan_lock);
    uint64_t fired = plan_fired;
    pal_mutex_unlock(&plan_lock);
    return fired;
}

const char *vb_fault_fired_last(void)
{
    pal_mutex_lock(&plan_lock);
    const char *name = plan_fired_last;
    pal_mutex_unlock(&plan_lock);
    return name;
}
