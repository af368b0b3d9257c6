/* ws2_internal.h - what the files of winsock/ share.
 * Layer:   switch_shim, private.
 * Locks:   provider table, messages, violation log: each alone. A handle's slot (sw_internal.h) -> shard of the in-flight set. None
 *          is held while a provider runs. */
#ifndef SW_WS2_INTERNAL_H
#define SW_WS2_INTERNAL_H

#include "sw_internal.h"
#include "winsock/ws2.h"

enum ws2_phase {
    WS2_PHASE_FREE,
    WS2_PHASE_STARTING, /* inside WSPStartup */
    WS2_PHASE_RUNNING,
    WS2_PHASE_CLEANING, /* inside WSPCleanup, which cancels without telling (contract 10.1, function 5) */
    WS2_PHASE_ENDED     /* WSPCleanup has returned: nothing may come up */
};

/* One of a static table: a late upcall finds memory. */
struct ws2_provider {
    pal_atomic_u32 phase; /* enum ws2_phase; written under the table's lock */
    unsigned index;       /* const */
    char *path;
    struct pal_dll *dll; /* NULL: linked in */
    LPWSPSTARTUP startup;
    WSPDATA data;
    WSPPROC_TABLE procs;
    WSAPROTOCOL_INFOW protocols[WS2_PROTOCOL_COUNT];
    pal_atomic_u32 open_handle_count;
};

/* Whose catalog entry it is, among providers that are not FREE. NULL: nobody's. */
struct ws2_provider *ws2_provider_of_entry(DWORD catalog_entry_id);
struct ws2_provider *ws2_provider_at(unsigned index); /* any phase; NULL behind the last */
static inline enum ws2_phase ws2_phase_of(struct ws2_provider *p)
{
    return (enum ws2_phase)pal_load_acquire(
        &p->phase); /* acquire: whoever sees RUNNING sees the filled slot */
}
bool ws2_is_provider(const void *owner);

/* catalog (ws2_catalog.c) */
void ws2_fill_protocols(unsigned provider_index, WSAPROTOCOL_INFOW out[WS2_PROTOCOL_COUNT]);
extern const GUID ws2_provider_id; /* of all providers started here */

/* upcalls (ws2_upcall.c) */
void ws2_violation(const char *format, ...) PAL_PRINTF(1, 2);
void ws2_signal(WSAEVENT e); /* what is no event nobody waits for */
extern struct sw_violation_log ws2_log;
bool ws2_upcall_init(void);
void ws2_messages_drop(void);

#endif
