/* upcall.c - the copied upcall table and the few calls made through it. */
#include "base/upcall.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pal/atomic.h"
#include "pal/mutex.h"

/* A later start-up may bring another table while upcalls run (3.4), so a published one is never changed: it is replaced by a
 * new one, and the old ones stay until the library is unloaded. The same table again changes nothing, so restarts cost
 * nothing. */
struct published {
    struct published *older;
    WSPUPCALLTABLEEX upcalls;
    DWORD catalog_id;
};
static _Atomic(struct published *) current;

bool wsd_upcall_table_usable(const WSPUPCALLTABLEEX *t)
{
    return t->lpWPUCreateSocketHandle && t->lpWPUCloseSocketHandle && t->lpWPUQuerySocketHandleContext &&
           t->lpWPUCompleteOverlappedRequest && t->lpWPUSetEvent && t->lpWPUResetEvent;
}

bool wsd_upcall_set_table(const WSPUPCALLTABLEEX *table, DWORD catalog_id)
{
    struct published *old = atomic_load_explicit(&current, memory_order_acquire);
    if (old && old->catalog_id == catalog_id && memcmp(&old->upcalls, table, sizeof *table) == 0)
        return true;
    struct published *p = calloc(1, sizeof *p);
    if (!p)
        return false;
    p->older = old;
    p->upcalls = *table;
    p->catalog_id = catalog_id;
    atomic_store_explicit(&current, p, memory_order_release); /* publishes the copy */
    return true;
}

static pal_atomic_bool in_use;

void wsd_set_in_use(bool on)
{
    pal_store_release(&in_use, on);
}

bool wsd_is_in_use(void)
{
    return pal_load_acquire(&in_use);
}

PAL_AT_UNLOAD(free_tables)
{
    if (wsd_is_in_use())
        return;
    struct published *p = atomic_load_explicit(&current, memory_order_acquire);
    while (p) {
        struct published *older = p->older;
        free(p);
        p = older;
    }
}

static const WSPUPCALLTABLEEX *table(void)
{
    return &atomic_load_explicit(&current, memory_order_acquire)->upcalls;
}

SOCKET wsd_upcall_create_handle(DWORD_PTR context, int *error)
{
    PAL_ASSERT_NO_LOCKS();
    INT e = 0;
    /* Q1: the only catalog entry we are given is TCP/IP's. */
    SOCKET h = table()->lpWPUCreateSocketHandle(
        atomic_load_explicit(&current, memory_order_acquire)->catalog_id, context, &e);
    if (h == INVALID_SOCKET)
        *error = e ? e : WSAENOBUFS;
    return h;
}

void wsd_upcall_close_handle(SOCKET handle)
{
    PAL_ASSERT_NO_LOCKS();
    INT e = 0;
    if (table()->lpWPUCloseSocketHandle(handle, &e) != 0)
        WSD_LOG_WARN("event=upcall-failed upcall=WPUCloseSocketHandle handle=%llx error=%d",
                     (unsigned long long)handle, e);
}

void wsd_upcall_complete(SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes)
{
    PAL_ASSERT_NO_LOCKS();
    INT e = 0;
    if (table()->lpWPUCompleteOverlappedRequest(handle, ov, error, bytes, &e) != 0)
        WSD_LOG_WARN("event=upcall-failed upcall=WPUCompleteOverlappedRequest handle=%llx error=%d",
                     (unsigned long long)handle, e);
}

void wsd_upcall_set_event(WSAEVENT event)
{
    PAL_ASSERT_NO_LOCKS();
    INT e = 0;
    if (!table()->lpWPUSetEvent(event, &e))
        WSD_LOG_WARN("event=upcall-failed upcall=WPUSetEvent error=%d", e);
}

void wsd_upcall_reset_event(WSAEVENT event)
{
    PAL_ASSERT_NO_LOCKS();
    INT e = 0;
    if (!table()->lpWPUResetEvent(event, &e))
        WSD_LOG_WARN("event=upcall-failed upcall=WPUResetEvent error=%d", e);
}
