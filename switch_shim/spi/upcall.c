/* upcall.c - the calls back into Ws2_32 (or who plays it). Every one goes through here, with no lock held.
 * The newest table counts (contract 10.1); older copies stay until the library goes, because a call may be using one. Ws2_32 starts a provider
 * once for each of its entries in the catalog, in any order and again, so a table that has been here is used again. A handle is made for the
 * entry of its socket, whichever was started last: Winsock finds the provider of a handle by that number (WPUCreateSocketHandle page). */
#include "spi/spi.h"

#include <stdlib.h>
#include <string.h>

#include "pal/compiler.h"
#include "spi/spi_os.h"

struct upcalls {
    WSPUPCALLTABLE table;
    DWORD catalog_id;
    LPWPUCOMPLETEOVERLAPPEDREQUEST complete;
    struct upcalls *older; /* of all that there have been */
};

static _Atomic(struct upcalls *) current;
static _Atomic(struct upcalls *) kept; /* all of them */
static _Atomic(LPWPUCOMPLETEOVERLAPPEDREQUEST) given_complete;
static pal_atomic_bool is_silent;

void sw_set_complete_upcall(LPWPUCOMPLETEOVERLAPPEDREQUEST fn)
{
    pal_store_release(&given_complete, fn);
}

void sw_up_silence(bool on)
{
    pal_store_release(&is_silent, on);
}

static bool is_same(const struct upcalls *u, const WSPUPCALLTABLE *table, DWORD catalog_id,
                    LPWPUCOMPLETEOVERLAPPEDREQUEST complete)
{
    return u->catalog_id == catalog_id && u->complete == complete &&
           memcmp(&u->table, table, sizeof(*table)) == 0;
}

int sw_up_install(const WSPUPCALLTABLE *table, DWORD catalog_id)
{
    struct upcalls *u = pal_load_acquire(&kept);
    LPWPUCOMPLETEOVERLAPPEDREQUEST complete = pal_load_acquire(&given_complete);

    if (complete == NULL)
        complete = sw_find_complete_upcall();
    if (complete == NULL)
        return WSASYSNOTREADY;
    while (u != NULL && !is_same(u, table, catalog_id, complete))
        u = u->older;
    if (u == NULL) {
        u = malloc(sizeof(*u));
        if (u == NULL)
            return WSA_NOT_ENOUGH_MEMORY;
        u->table = *table;
        u->catalog_id = catalog_id;
        u->complete = complete;
        u->older = pal_load_relaxed(&kept);
        pal_store_release(&kept, u); /* publishes the copy; start-up is serialised */
    }
    pal_store_release(&current, u);
    return 0;
}

unsigned sw_up_kept(void)
{
    unsigned count = 0;

    for (const struct upcalls *u = pal_load_acquire(&kept); u != NULL; u = u->older)
        count++;
    return count;
}

/* A program that ends without WSPCleanup has threads of ours in it: then the memory goes with the process. */
PAL_AT_UNLOAD(sw_up_forget)
{
    struct upcalls *u = sw_spi_is_started() ? NULL : pal_load_relaxed(&kept);

    while (u != NULL) {
        struct upcalls *older = u->older;

        free(u);
        u = older;
    }
}

static const struct upcalls *up(void)
{
    PAL_ASSERT_NO_LOCKS();
    return pal_load_acquire(&current);
}

/* Its own number, when the library was started with that entry. Not so of a socket that names none, or that of a chain over this provider. */
static DWORD entry_for(DWORD wanted)
{
    const struct upcalls *u = pal_load_acquire(&kept);

    while (u != NULL && u->catalog_id != wanted)
        u = u->older;
    return u != NULL ? wanted : up()->catalog_id;
}

SOCKET sw_up_create_handle(DWORD entry, DWORD_PTR context, int *error)
{
    INT code = WSAENOBUFS;
    SOCKET handle = up()->table.lpWPUCreateSocketHandle(entry_for(entry), context, &code);

    *error = code;
    return handle;
}

void sw_up_close_handle(SOCKET handle)
{
    INT code = 0;

    (void)up()->table.lpWPUCloseSocketHandle(handle,
                                             &code); /* an unknown handle is the other side's mistake */
}

int sw_up_context(SOCKET handle, DWORD_PTR *context)
{
    INT code = WSAENOTSOCK;

    return up()->table.lpWPUQuerySocketHandleContext(handle, context, &code) == SOCKET_ERROR ? code : 0;
}

void sw_up_set_event(WSAEVENT event)
{
    INT code = 0;

    (void)up()->table.lpWPUSetEvent(event, &code); /* closed by the application meanwhile: nobody waits */
}

void sw_up_reset_event(WSAEVENT event)
{
    INT code = 0;

    (void)up()->table.lpWPUResetEvent(event, &code);
}

bool sw_up_complete(SOCKET handle, LPWSAOVERLAPPED ov, DWORD error, DWORD bytes)
{
    INT code = 0;

    if (pal_load_acquire(&is_silent))
        return false;
    (void)up()->complete(handle, ov, error, bytes, &code);
    return true;
}

bool sw_up_queue_apc(LPWSATHREADID thread, LPWSAUSERAPC fn, DWORD_PTR context)
{
    INT code = 0;

    return !pal_load_acquire(&is_silent) &&
           up()->table.lpWPUQueueApc(thread, fn, context, &code) != SOCKET_ERROR;
}

void sw_up_post_message(HWND window, UINT message, WPARAM wparam, LPARAM lparam)
{
    (void)up()->table.lpWPUPostMessage(window, message, wparam, lparam);
}

bool sw_up_is_in_set(SOCKET handle, WSD_FD_SET *set)
{
    return up()->table.lpWPUFDIsSet(handle, set) != 0;
}

LPBLOCKINGCALLBACK sw_up_blocking_hook(DWORD_PTR *context)
{
    const struct upcalls *u = up();
    LPBLOCKINGCALLBACK hook = NULL;
    INT code = 0;

    *context = 0;
    if (u->table.lpWPUQueryBlockingCallback(u->catalog_id, &hook, context, &code) == SOCKET_ERROR)
        return NULL;
    return hook;
}
