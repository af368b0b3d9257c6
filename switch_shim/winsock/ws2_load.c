/* ws2_load.c - starting a base provider and ending it, as Ws2_32 does with the entries of its catalog.
 * Source: contract 10.1 (WSPStartup, WSPCleanup), 3.3. */
#include "ws2_internal.h"

#include <stdlib.h>
#include <string.h>

static struct ws2_provider providers[WS2_PROVIDERS_MAX];
static struct pal_mutex table_lock; /* guards which slots are in use */
static pal_atomic_u32 init_state;   /* 0 untouched, 1 in progress, 2 done, 3 failed */

static bool init(void)
{
    uint32_t seen = pal_load_acquire(&init_state);

    if (seen == 2)
        return true;
    seen = 0;
    if (pal_cas_acq_rel(&init_state, &seen, 1u)) {
        bool done = sw_global_init() && pal_mutex_init(&table_lock) && ws2_upcall_init();

        for (unsigned i = 0; i < WS2_PROVIDERS_MAX; i++)
            providers[i].index = i;
        pal_store_release(&init_state, done ? 2u : 3u); /* release: publishes locks and tables */
        return done;
    }
    while ((seen = pal_load_acquire(&init_state)) == 1)
        pal_thread_yield();
    return seen == 2;
}

struct ws2_provider *ws2_provider_at(unsigned index)
{
    return index < WS2_PROVIDERS_MAX ? &providers[index] : NULL;
}

bool ws2_is_provider(const void *owner)
{
    for (unsigned i = 0; i < WS2_PROVIDERS_MAX; i++)
        if (owner == &providers[i])
            return true;
    return false;
}

static struct ws2_provider *claim(void)
{
    struct ws2_provider *p = NULL;

    pal_mutex_lock(&table_lock);
    for (unsigned i = 0; p == NULL && i < WS2_PROVIDERS_MAX; i++)
        if (ws2_phase_of(&providers[i]) == WS2_PHASE_FREE)
            p = &providers[i];
    if (p != NULL)
        pal_store_release(&p->phase, (uint32_t)WS2_PHASE_STARTING);
    pal_mutex_unlock(&table_lock);
    return p;
}

static void set_phase(struct ws2_provider *p, enum ws2_phase phase)
{
    pal_mutex_lock(&table_lock);
    pal_store_release(&p->phase, (uint32_t)phase); /* release: publishes what was filled in before */
    pal_mutex_unlock(&table_lock);
}

/* Gives the slot back; the library goes too unless its threads may still need it. */
static void give_back(struct ws2_provider *p, bool may_unload)
{
    if (p->dll != NULL && may_unload)
        pal_dll_close(p->dll);
    free(p->path);
    p->dll = NULL;
    p->path = NULL;
    p->startup = NULL;
    set_phase(p, WS2_PHASE_FREE);
}

static int check_answer(const struct ws2_provider *p, const struct sw_reason *why)
{
    int result = sw_check_procs(p->path, &p->procs, why);

    if (result == 0 && p->data.wVersion != 0x0202)
        return sw_reason_fail(why, WSAVERNOTSUPPORTED, "%s speaks version %u.%u, not 2.2", p->path,
                              p->data.wVersion & 0xFFu, p->data.wVersion >> 8);
    return result;
}

/* p is claimed, path and dll are set. On failure the slot is free again. */
static int start(struct ws2_provider *p, LPWSPSTARTUP startup, ws2_set_complete_upcall_fn set_complete_upcall,
                 const struct sw_reason *why)
{
    WSAPROTOCOL_INFOW info;
    INT error = 0;
    int result;

    p->startup = startup;
    ws2_fill_protocols(p->index, p->protocols);
    pal_store_relaxed(&p->open_handle_count, 0u);
    memset(&p->procs, 0, sizeof(p->procs));
    memset(&p->data, 0, sizeof(p->data));
    if (set_complete_upcall != NULL)
        set_complete_upcall(ws2_complete_upcall());
    info = p->protocols[WS2_TCP];
    result = startup(0x0202, &p->data, &info, *ws2_upcall_table(), &p->procs);
    memset(&info, 0, sizeof(info)); /* valid during the call only: who kept the pointer finds out */
    if (result != 0) {
        sw_reason_fail(why, result, "%s: WSPStartup failed with %s", p->path, sw_error_name(result));
        give_back(p, true);
        return result;
    }
    result = check_answer(p, why);
    if (result == 0) {
        set_phase(p, WS2_PHASE_RUNNING);
        return 0;
    }
    if (p->procs.lpWSPCleanup != NULL) {
        set_phase(p, WS2_PHASE_CLEANING);
        p->procs.lpWSPCleanup(&error);
    }
    give_back(p, p->procs.lpWSPCleanup != NULL);
    return result;
}

static struct ws2_provider *prepare(char *path, const struct sw_reason *why, int *result)
{
    struct ws2_provider *p;

    if (path == NULL) {
        *result = sw_reason_fail(why, WSA_NOT_ENOUGH_MEMORY, "out of memory");
        return NULL;
    }
    p = claim();
    if (p == NULL) {
        *result = sw_reason_fail(why, WSAEPROCLIM, "%s: %u providers are running already", path,
                                 WS2_PROVIDERS_MAX);
        free(path);
        return NULL;
    }
    p->path = path;
    return p;
}

int ws2_load(const char *path, struct ws2_provider **out, char *why_text, size_t why_bytes)
{
    const struct sw_reason why = {why_text, why_bytes};
    struct ws2_provider *p;
    ws2_set_complete_upcall_fn set_complete_upcall;
    LPWSPSTARTUP startup;
    char dll_why[512];
    int result;

    if (!init())
        return sw_reason_fail(&why, WSA_NOT_ENOUGH_MEMORY, "out of memory");
    p = prepare(path != NULL ? strdup(path) : sw_find_library("switch_shim", sw_os_switch_file()), &why,
                &result);
    if (p == NULL)
        return result;
    p->dll = pal_dll_open(p->path, dll_why, sizeof(dll_why));
    if (p->dll == NULL) {
        result = sw_reason_fail(&why, WSAEPROVIDERFAILEDINIT, "cannot load %s: %s", p->path, dll_why);
        give_back(p, true);
        return result;
    }
    startup = (LPWSPSTARTUP)pal_dll_symbol(p->dll, "WSPStartup");
    if (startup == NULL) {
        result = sw_reason_fail(&why, WSAEPROVIDERFAILEDINIT, "%s does not export WSPStartup", p->path);
        give_back(p, true);
        return result;
    }
    set_complete_upcall = (ws2_set_complete_upcall_fn)(void (*)(void))pal_dll_symbol(
        p->dll, "sw_set_complete_upcall");
    result = start(p, startup, set_complete_upcall, &why);
    if (result == 0)
        *out = p;
    return result;
}

int ws2_start(LPWSPSTARTUP startup, ws2_set_complete_upcall_fn set_complete_upcall, struct ws2_provider **out,
              char *why_text, size_t why_bytes)
{
    const struct sw_reason why = {why_text, why_bytes};
    struct ws2_provider *p;
    int result;

    if (!init())
        return sw_reason_fail(&why, WSA_NOT_ENOUGH_MEMORY, "out of memory");
    p = prepare(strdup("the program's own switch"), &why, &result);
    if (p == NULL)
        return result;
    result = start(p, startup, set_complete_upcall, &why);
    if (result == 0)
        *out = p;
    return result;
}

/* --- leaving --- */

static void drop_object(struct sw_slot *slot, uintptr_t handle, void *context)
{
    enum sw_object_type type = slot->type;
    struct sw_event_object *event = slot->u.event;
    struct sw_thread_object *thread = slot->u.thread;
    struct sw_iocp *queue = type == SW_OBJECT_SOCKET && slot->u.socket.holds_queue
                                ? slot->u.socket.notify.iocp
                                : NULL;

    (void)context;
    sw_slot_close(slot);
    switch (type) {
    case SW_OBJECT_SOCKET:
        sw_inflight_purge((SOCKET)handle);
        sw_iocp_destroy(queue);
        ws2_violation("socket handle %#llx was never closed", (unsigned long long)handle);
        break;
    case SW_OBJECT_EVENT:
        sw_event_drop(event);
        ws2_violation("event %#llx of WPUCreateEvent was never closed", (unsigned long long)handle);
        break;
    case SW_OBJECT_THREAD:
        sw_thread_drop(thread);
        ws2_violation("thread id %#llx of WPUOpenCurrentThread was never closed", (unsigned long long)handle);
        break;
    case SW_OBJECT_PORT: /* an application's, never a provider's */
    case SW_OBJECT_FREE: break;
    }
}

unsigned ws2_unload(struct ws2_provider *p, char *text, size_t text_bytes)
{
    INT error = 0;
    unsigned count;
    bool is_last = true;

    set_phase(p, WS2_PHASE_CLEANING);
    if (p->procs.lpWSPCleanup(&error) == SOCKET_ERROR)
        ws2_violation("WSPCleanup failed with %s", sw_error_name(error));
    set_phase(p, WS2_PHASE_ENDED);
    sw_slot_each(p, drop_object, NULL);
    for (unsigned i = 0; i < WS2_PROVIDERS_MAX; i++)
        is_last = is_last && (&providers[i] == p || ws2_phase_of(&providers[i]) == WS2_PHASE_FREE);
    if (is_last) {
        /* an upcall does not say whose event or thread id it makes, so these belong to all together */
        sw_slot_each(&ws2_log, drop_object, NULL);
        ws2_messages_drop();
    }
    count = ws2_violations(text, text_bytes);
    if (is_last)
        ws2_violations_clear();
    give_back(p, true);
    return count;
}

const WSPPROC_TABLE *ws2_procs(const struct ws2_provider *p)
{
    return &p->procs;
}

const WSPDATA *ws2_wspdata(const struct ws2_provider *p)
{
    return &p->data;
}

LPWSPSTARTUP ws2_startup_entry(const struct ws2_provider *p)
{
    return p->startup;
}

void (*ws2_symbol(const struct ws2_provider *p, const char *name))(void)
{
    return p->dll == NULL ? NULL : pal_dll_symbol(p->dll, name);
}

const WSAPROTOCOL_INFOW *ws2_protocol_info(const struct ws2_provider *p, enum ws2_protocol which)
{
    return &p->protocols[which];
}

unsigned ws2_open_handles(const struct ws2_provider *p)
{
    return pal_load_relaxed(&((struct ws2_provider *)p)->open_handle_count);
}
