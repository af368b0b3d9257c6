/* upcall.c - the calls back into Ws2_32 (or who plays it). Every one goes through here, with no lock held.
 * The newest table counts (contract 10.1); older copies stay until the library goes, because a call may be using one. */
#include "spi/spi.h"

#include <stdlib.h>
#include <string.h>

#include "pal/compiler.h"
#include "spi/spi_os.h"

struct upcalls {
    WSPUPCALLTABLE table;
    DWORD catalog_id;
    LPWPUCOMPLETEOVERLAPPEDREQUEST complete;
    struct upcalls *older;
};

static _Atomic(struct upcalls *) current;
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

int sw_up_install(const WSPUPCALLTABLE *table, DWORD catalog_id)
{
    struct upcalls *old = pal_load_acquire(&current);
    LPWPUCOMPLETEOVERLAPPEDREQUEST complete = pal_load_acquire(&given_complete);
    struct upcalls *fresh;

    if (complete == NULL)
        complete = sw_find_complete_upcall();
    if (complete == NULL)
        return WSASYSNOTREADY;
    if (old != NULL && old->catalog_id == catalog_id && old->complete == complete &&
        memcmp(&old->table, table, sizeof(*table)) == 0)
        return 0;
    fresh = malloc(sizeof(*fresh));
    if (fresh == NULL)
        return WSA_NOT_ENOUGH_MEMORY;
    fresh->table = *table;
    fresh->catalog_id = catalog_id;
    fresh->complete = complete;
    fresh->older = old;
    pal_store_release(&current, fresh); /* publishes the copy; start-up is serialised */
    return 0;
}

/* A program that ends without WSPCleanup has threads of ours in it: then the memory goes with the process. */
PAL_AT_UNLOAD(sw_up_forget)
{
    struct upcalls *u = sw_spi_is_started() ? NULL : pal_load_relaxed(&current);

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

SOCKET sw_up_create_handle(DWORD_PTR context, int *error)
{
    const struct upcalls *u = up();
    INT code = WSAENOBUFS;
    SOCKET handle = u->table.lpWPUCreateSocketHandle(u->catalog_id, context, &code);

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

void sw_up_complete(SOCKET handle, LPWSAOVERLAPPED ov, DWORD error, DWORD bytes)
{
    INT code = 0;

    if (!pal_load_acquire(&is_silent))
        (void)up()->complete(handle, ov, error, bytes, &code);
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
