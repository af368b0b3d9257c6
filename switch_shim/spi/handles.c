/* handles.c - the handles of a socket: one from WSPSocket or WSPAccept, more by WSPDuplicateSocket within the process. All mean the same
 * object; the socket ends with the last of them (B213).
 * Idea: an operation names the handle that it was started through, and keeps that one until it is over, also when it is closed while
 *       another one keeps the socket open (B087). WPUCloseSocketHandle is the last upcall of a handle. */
#include <stdlib.h>

#include "spi/spi.h"

int sw_sock_publish(struct sw_sock *s)
{
    int error = 0;
    SOCKET handle = sw_up_create_handle(s->info.dwCatalogEntryId, (DWORD_PTR)s->index + 1, &error);

    if (handle == INVALID_SOCKET)
        return error;
    pal_mutex_lock(&s->lock);
    s->first.handle = handle;
    s->first.is_open = true;
    s->open_count = 1;
    pal_mutex_unlock(&s->lock);
    pal_store_release(&s->handle, (uintptr_t)handle);
    return 0;
}

int sw_names_add(struct sw_sock *s, SOCKET *out)
{
    struct sw_name *name = calloc(1, sizeof(*name));
    bool is_late;
    int error = 0;

    if (name == NULL)
        return WSAENOBUFS;
    name->handle = sw_up_create_handle(s->info.dwCatalogEntryId, (DWORD_PTR)s->index + 1, &error);
    if (name->handle == INVALID_SOCKET) {
        free(name);
        return error;
    }
    *out = name->handle;
    pal_store_relaxed(&name->pending, 1u);
    pal_mutex_lock(&s->lock);
    is_late = s->is_last_going || (pal_load_relaxed(&s->use) & SW_USE_CLOSING) != 0;
    name->is_open = !is_late;
    name->next = s->names;
    s->names = name;
    s->open_count += is_late ? 0 : 1;
    if (!is_late && pal_load_relaxed(&s->handle) == (uintptr_t)INVALID_SOCKET)
        pal_store_release(&s->handle, (uintptr_t)name->handle);
    pal_mutex_unlock(&s->lock);
    if (!is_late)
        return 0;
    sw_names_let(s, name);
    return WSAEINVAL;
}

static struct sw_name *find_locked(struct sw_sock *s, SOCKET handle)
{
    PAL_ASSERT_HELD(&s->lock);
    if (s->first.is_open && s->first.handle == handle)
        return &s->first;
    for (struct sw_name *n = s->names; n != NULL; n = n->next)
        if (n->is_open && n->handle == handle)
            return n;
    return NULL;
}

bool sw_names_has(struct sw_sock *s, SOCKET handle)
{
    bool found;

    pal_mutex_lock(&s->lock);
    found = find_locked(s, handle) != NULL;
    pal_mutex_unlock(&s->lock);
    return found;
}

/* False: nothing keeps it any more, WPUCloseSocketHandle is on its way. */
static bool keep(struct sw_name *name)
{
    uint32_t pending = pal_load_relaxed(&name->pending);

    while (pending != 0)
        if (pal_cas_acq_rel(&name->pending, &pending, pending + 1u))
            return true;
    return false;
}

struct sw_name *sw_names_keep(struct sw_sock *s, SOCKET handle)
{
    struct sw_name *name = &s->first;

    if (name->handle == handle) /* the one that nearly all sockets have: without the lock */
        return keep(name) ? name : NULL;
    pal_mutex_lock(&s->lock);
    name = find_locked(s, handle);
    if (name != NULL && !keep(name))
        name = NULL;
    pal_mutex_unlock(&s->lock);
    return name;
}

static void forget(struct sw_sock *s, struct sw_name *name)
{
    struct sw_name **at = &s->names;

    pal_mutex_lock(&s->lock);
    while (*at != name)
        at = &(*at)->next;
    *at = name->next;
    pal_mutex_unlock(&s->lock);
    free(name);
}

void sw_names_let(struct sw_sock *s, struct sw_name *name)
{
    SOCKET handle = name->handle;

    if (pal_sub_acq_rel(&name->pending, 1u) != 1)
        return;
    if (name != &s->first)
        forget(s, name);
    if (handle != INVALID_SOCKET)
        sw_up_close_handle(handle);
}

/* --- closing --- */

static void shut_locked(struct sw_sock *s, struct sw_name *name)
{
    struct sw_name *other;

    name->is_open = false;
    s->open_count--;
    if (s->message_handle == name->handle &&
        s->window != NULL) { /* no message for a closed handle (page of WSAAsyncSelect) */
        s->window = NULL;
        pal_store_relaxed(&s->event_mask, 0u);
    }
    if (pal_load_relaxed(&s->handle) != (uintptr_t)name->handle)
        return;
    other = s->first.is_open ? &s->first : s->names;
    while (other != NULL && !other->is_open)
        other = other->next;
    pal_store_release(&s->handle, other == NULL ? (uintptr_t)INVALID_SOCKET : (uintptr_t)other->handle);
}

int sw_names_close(struct sw_sock *s, SOCKET handle)
{
    struct sw_name *name;
    int result = 0;

    pal_mutex_lock(&s->lock);
    name = find_locked(s, handle);
    if (name == NULL)
        result = WSAENOTSOCK;
    else if (s->open_count == 1)
        result = SW_NAMES_LAST;
    else
        shut_locked(s, name);
    s->is_last_going |= result == SW_NAMES_LAST;
    pal_mutex_unlock(&s->lock);
    if (result == 0)
        sw_names_let(s, name);
    return result;
}

void sw_names_stay(struct sw_sock *s)
{
    pal_mutex_lock(&s->lock);
    s->is_last_going = false;
    pal_mutex_unlock(&s->lock);
}

/* The open ones one by one: a lock is not held across an upcall. */
static struct sw_name *shut_one(struct sw_sock *s)
{
    struct sw_name *name;

    pal_mutex_lock(&s->lock);
    name = s->names;
    while (name != NULL && !name->is_open)
        name = name->next;
    if (name != NULL)
        name->is_open = false;
    pal_mutex_unlock(&s->lock);
    return name;
}

void sw_names_close_all(struct sw_sock *s)
{
    bool was_first_open;
    struct sw_name *name;

    while ((name = shut_one(s)) != NULL)
        sw_names_let(s, name);
    pal_mutex_lock(&s->lock);
    was_first_open = s->first.is_open || s->first.handle == INVALID_SOCKET;
    s->first.is_open = false;
    pal_mutex_unlock(&s->lock);
    if (was_first_open)
        sw_names_let(s, &s->first);
}
