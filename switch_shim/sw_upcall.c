/* sw_upcall.c - the sixteen upcalls, checked as strictly as the contract allows.
 * An upcall carries no argument that names the provider, so each of the SW_PROVIDERS_MAX slots has its own
 * sixteen entry points (made by the macros at the end), and every one knows its provider. The memory behind
 * them is never freed: an upcall from a provider that is already gone is recorded, not fatal.
 * Source: contract 3.4, 7.3, 10.2; "exactly once" and the order of closing: 4.13, 7.2. */
#include "sw_internal.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 4096u

struct sw_message_node {
    struct sw_message_node *next;
    struct sw_message message;
};

/* Count, refuse strays, and make a missing lpErrno survivable. NULL: do not go on. */
static struct sw_provider *enter(unsigned index, enum sw_upcall which, const char *name, INT **error,
                                 INT *spare)
{
    struct sw_provider *p = sw_provider_slot(index);
    enum sw_phase phase = sw_phase_of(p);

    if (error != NULL && *error == NULL) {
        if (phase != SW_PHASE_FREE)
            sw_violation(p, "%s: lpErrno is NULL", name);
        *error = spare;
    }
    if (phase == SW_PHASE_FREE || phase == SW_PHASE_UNLOADING) {
        sw_violation(phase == SW_PHASE_FREE ? NULL : p, "%s: called after the last WSPCleanup", name);
        if (error != NULL)
            **error = WSANOTINITIALISED;
        return NULL;
    }
    pal_add_relaxed(&p->upcall_count[which], 1u);
    return p;
}

static const char *lookup_text(enum sw_lookup lookup)
{
    return lookup == SW_LOOKUP_CLOSED ? "was closed already" : "was never made by the switch";
}

/* The locked slot of a socket handle that belongs to p, else NULL after recording the violation. */
static struct sw_slot *lock_handle(struct sw_provider *p, SOCKET s, const char *name)
{
    enum sw_lookup lookup;
    struct sw_slot *slot = sw_slot_lock(s, SW_OBJECT_SOCKET, &lookup);

    if (slot == NULL) {
        sw_violation(p, "%s: socket handle %#llx %s", name, (unsigned long long)s, lookup_text(lookup));
        return NULL;
    }
    if (slot->owner != p) {
        sw_slot_unlock(slot);
        sw_violation(p, "%s: socket handle %#llx belongs to another provider", name, (unsigned long long)s);
        return NULL;
    }
    return slot;
}

static SOCKET create_socket_handle(unsigned index, DWORD catalog_id, DWORD_PTR context, INT *error)
{
    INT spare;
    struct sw_provider *p = enter(index, SW_UPCALL_CREATE_SOCKET_HANDLE, "WPUCreateSocketHandle", &error,
                                  &spare);
    struct sw_notify notify;
    struct sw_slot *slot;
    uintptr_t handle;

    (void)catalog_id; /* Q1: nothing says what a SAN provider must pass, so nothing is checked */
    if (p == NULL)
        return INVALID_SOCKET;
    pal_mutex_lock(&p->lock);
    notify = p->default_notify;
    pal_mutex_unlock(&p->lock);
    slot = sw_slot_create(SW_OBJECT_SOCKET, p, &handle);
    if (slot == NULL) {
        *error = WSAENOBUFS;
        return INVALID_SOCKET;
    }
    slot->u.socket.context = context;
    slot->u.socket.notify = notify;
    sw_slot_unlock(slot);
    pal_add_relaxed(&p->open_handle_count, 1u);
    sw_note_created_handle((SOCKET)handle);
    *error = 0;
    return (SOCKET)handle;
}

static int close_socket_handle(unsigned index, SOCKET s, INT *error)
{
    INT spare;
    struct sw_provider *p = enter(index, SW_UPCALL_CLOSE_SOCKET_HANDLE, "WPUCloseSocketHandle", &error,
                                  &spare);
    struct sw_slot *slot;
    unsigned unfinished;

    if (p == NULL)
        return SOCKET_ERROR;
    slot = lock_handle(p, s, "WPUCloseSocketHandle");
    if (slot == NULL) {
        *error = WSAENOTSOCK;
        return SOCKET_ERROR;
    }
    unfinished = slot->u.socket.in_flight;
    sw_slot_close(slot);
    pal_sub_acq_rel(&p->open_handle_count, 1u);
    if (unfinished > 0) {
        sw_inflight_purge(s);
        /* the last WSPCleanup cancels without notification (4.2, C20) */
        if (sw_phase_of(p) != SW_PHASE_CLEANING)
            sw_violation(p, "WPUCloseSocketHandle: %u notified operations of handle %#llx never completed",
                         unfinished, (unsigned long long)s);
    }
    *error = 0;
    return 0;
}

static int query_socket_handle_context(unsigned index, SOCKET s, DWORD_PTR *context, INT *error)
{
    INT spare;
    struct sw_provider *p = enter(index, SW_UPCALL_QUERY_SOCKET_HANDLE_CONTEXT, "WPUQuerySocketHandleContext",
                                  &error, &spare);
    struct sw_slot *slot;

    if (p == NULL)
        return SOCKET_ERROR;
    if (context == NULL) {
        sw_violation(p, "WPUQuerySocketHandleContext: lpContext is NULL");
        *error = WSAEFAULT;
        return SOCKET_ERROR;
    }
    slot = lock_handle(p, s, "WPUQuerySocketHandleContext");
    if (slot == NULL) {
        *error = WSAENOTSOCK;
        return SOCKET_ERROR;
    }
    *context = slot->u.socket.context;
    sw_slot_unlock(slot);
    *error = 0;
    return 0;
}

/* Tell whoever wants to know. No lock is held and `ov` may be in use again. */
static void notify_completion(struct sw_provider *p, const struct sw_notify *n, SOCKET s, WSAOVERLAPPED *ov,
                              HANDLE event, DWORD error, DWORD bytes)
{
    const struct sw_packet packet = {n->key, s, ov, error, bytes};
    const char *why;

    if (event != NULL)
        (void)sw_event_do((WSAEVENT)event, SW_EVENT_SET, NULL,
                          &why); /* anything else in hEvent is the caller's affair */
    if (n->kind == SW_NOTIFY_CALLBACK)
        n->fn(n->context, s, ov, error, bytes);
    else if (n->kind == SW_NOTIFY_IOCP && sw_iocp_post(n->iocp, &packet) != 0)
        sw_violation(p, "the switch ran out of memory for a completion packet");
}

static int complete_overlapped_request(unsigned index, SOCKET s, WSAOVERLAPPED *ov, DWORD op_error,
                                       DWORD bytes, INT *error)
{
    static const char name[] = "WPUCompleteOverlappedRequest";
    INT spare;
    struct sw_provider *p = enter(index, SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST, name, &error, &spare);
    struct sw_slot *slot;
    struct sw_notify notify;
    enum sw_inflight_result tracked;
    HANDLE event;
    bool in_progress;

    if (p == NULL)
        return SOCKET_ERROR;
    *error = WSAEINVAL;
    if (ov == NULL) {
        sw_violation(p, "%s: lpOverlapped is NULL", name);
        return SOCKET_ERROR;
    }
    if (op_error == WSS_OPERATION_IN_PROGRESS || op_error == WSA_IO_PENDING ||
        op_error == WSA_IO_INCOMPLETE) {
        sw_violation(p, "%s: error %u says that the operation is not over", name, (unsigned)op_error);
        return SOCKET_ERROR;
    }
    if (sw_submitting() == ov)
        sw_violation(p, "%s: operation %p completed before its submission returned (Q15)", name, (void *)ov);
    if (sw_phase_of(p) == SW_PHASE_CLEANING && op_error == WSA_OPERATION_ABORTED)
        sw_violation(p, "%s: the last WSPCleanup cancels without notification (C20)", name);

    slot = lock_handle(p, s, name);
    if (slot == NULL)
        return SOCKET_ERROR;
    event = ov->hEvent;
    tracked = sw_inflight_remove(ov, s);
    if (((ULONG_PTR)event & 1u) != 0) {
        sw_slot_unlock(slot);
        sw_violation(p, "%s: operation %p was submitted with bit 0 of hEvent set", name, (void *)ov);
        return SOCKET_ERROR;
    }
    in_progress = pal_word_load_acquire(&ov->Internal) == WSS_OPERATION_IN_PROGRESS;
    if (tracked == SW_INFLIGHT_OTHER_HANDLE || (tracked == SW_INFLIGHT_ABSENT && !in_progress)) {
        sw_slot_unlock(slot);
        sw_violation(p,
                     tracked == SW_INFLIGHT_ABSENT ? "%s: operation %p is not in progress: completed twice?"
                                                   : "%s: operation %p belongs to another socket handle",
                     name, (void *)ov);
        return SOCKET_ERROR;
    }
    if (tracked == SW_INFLIGHT_OK)
        slot->u.socket.in_flight--;
    notify = slot->u.socket.notify;
    pal_word_store_relaxed(&ov->InternalHigh, (ULONG_PTR)bytes);
    /* release: publishes InternalHigh, and Offset and OffsetHigh of the provider; the OVERLAPPED is the
     *          caller's from here on */
    pal_word_store_release(&ov->Internal, (ULONG_PTR)op_error);
    if (slot->u.socket.waiters > 0)
        pal_cond_broadcast(&slot->completed);
    sw_slot_unlock(slot);

    if (!in_progress)
        sw_violation(p, "%s: Internal of operation %p was not WSS_OPERATION_IN_PROGRESS", name, (void *)ov);
    notify_completion(p, &notify, s, ov, event, op_error, bytes);
    *error = 0;
    return 0;
}

static WSAEVENT create_event(unsigned index, INT *error)
{
    INT spare;
    struct sw_provider *p = enter(index, SW_UPCALL_CREATE_EVENT, "WPUCreateEvent", &error, &spare);
    WSAEVENT e;

    if (p == NULL)
        return WSA_INVALID_EVENT;
    e = sw_event_create_for(p, true, false);
    *error = e == WSA_INVALID_EVENT ? WSA_NOT_ENOUGH_MEMORY : 0;
    return e;
}

static BOOL do_event(unsigned index, enum sw_upcall which, const char *name, WSAEVENT e,
                     enum sw_event_action action, INT *error)
{
    INT spare;
    struct sw_provider *p = enter(index, which, name, &error, &spare);
    const char *why;

    if (p == NULL)
        return FALSE;
    if (!sw_event_do(e, action, p, &why)) {
        sw_violation(p, "%s: %p is %s", name, (void *)e, why);
        *error = WSA_INVALID_HANDLE;
        return FALSE;
    }
    *error = 0;
    return TRUE;
}

static int fd_is_set(unsigned index, SOCKET s, WSD_FD_SET *set)
{
    struct sw_provider *p = enter(index, SW_UPCALL_FD_IS_SET, "WPUFDIsSet", NULL, NULL);

    if (p == NULL)
        return 0;
    if (set == NULL) {
        sw_violation(p, "WPUFDIsSet: the set is NULL");
        return 0;
    }
    for (UINT i = 0; i < set->fd_count; i++)
        if (set->fd_array[i] == s)
            return 1;
    return 0;
}

static int get_provider_path(unsigned index, GUID *id, WCHAR *path, INT *path_length, INT *error)
{
    INT spare;
    struct sw_provider *p = enter(index, SW_UPCALL_GET_PROVIDER_PATH, "WPUGetProviderPath", &error, &spare);
    struct sw_provider *loaded[SW_PROVIDERS_MAX];
    unsigned count;
    INT needed;

    if (p == NULL)
        return SOCKET_ERROR;
    if (id == NULL || path == NULL || path_length == NULL) {
        *error = WSAEFAULT;
        return SOCKET_ERROR;
    }
    count = sw_loaded_providers(loaded);
    for (unsigned i = 0; i < count; i++) {
        if (memcmp(&loaded[i]->config.provider_id, id, sizeof(*id)) != 0)
            continue;
        needed = (INT)strlen(loaded[i]->path) + 1;
        if (*path_length < needed) {
            *path_length = needed;
            *error = WSAEFAULT;
            return SOCKET_ERROR;
        }
        for (INT c = 0; c < needed; c++)
            path[c] = (WCHAR)(unsigned char)loaded[i]->path[c]; /* exact for ASCII, which is what tests use */
        *path_length = needed;
        *error = 0;
        return 0;
    }
    *error = WSAEINVAL;
    return SOCKET_ERROR;
}

static SOCKET modify_ifs_handle(unsigned index, DWORD catalog_id, SOCKET proposed, INT *error)
{
    INT spare;
    struct sw_provider *p = enter(index, SW_UPCALL_MODIFY_IFS_HANDLE, "WPUModifyIFSHandle", &error, &spare);

    (void)catalog_id;
    if (p == NULL)
        return INVALID_SOCKET;
    /* a SAN provider takes its handles from WPUCreateSocketHandle (4.3) and has no kernel handles to offer
     * (2.1) */
    sw_violation(p,
                 "WPUModifyIFSHandle: handle %#llx from a provider without installable file system handles",
                 (unsigned long long)proposed);
    *error = WSAEINVAL;
    return INVALID_SOCKET;
}

static BOOL post_message(unsigned index, HWND window, UINT message, WPARAM wparam, LPARAM lparam)
{
    struct sw_provider *p = enter(index, SW_UPCALL_POST_MESSAGE, "WPUPostMessage", NULL, NULL);
    struct sw_message_node *node;

    if (p == NULL)
        return FALSE;
    node = calloc(1, sizeof(*node));
    if (node == NULL)
        return FALSE;
    node->message = (struct sw_message){window, message, wparam, lparam};
    pal_mutex_lock(&p->lock);
    if (p->message_count >= MESSAGES_MAX) { /* a full queue refuses, as a window's does */
        pal_mutex_unlock(&p->lock);
        free(node);
        return FALSE;
    }
    if (p->last_message == NULL)
        p->first_message = node;
    else
        p->last_message->next = node;
    p->last_message = node;
    p->message_count++;
    pal_cond_signal(&p->message_queued);
    pal_mutex_unlock(&p->lock);
    return TRUE;
}

static int query_blocking_callback(unsigned index, DWORD catalog_id, LPBLOCKINGCALLBACK *callback,
                                   DWORD_PTR *context, INT *error)
{
    INT spare;
    struct sw_provider *p = enter(index, SW_UPCALL_QUERY_BLOCKING_CALLBACK, "WPUQueryBlockingCallback",
                                  &error, &spare);

    (void)catalog_id;
    if (p == NULL)
        return SOCKET_ERROR;
    if (callback == NULL || context == NULL) {
        sw_violation(p, "WPUQueryBlockingCallback: a result pointer is NULL");
        *error = WSAEFAULT;
        return SOCKET_ERROR;
    }
    pal_mutex_lock(&p->lock);
    *callback = p->blocking_hook;
    *context = p->blocking_context;
    pal_mutex_unlock(&p->lock);
    *error = 0;
    return 0;
}

static int queue_apc(unsigned index, WSATHREADID *thread, LPWSAUSERAPC fn, DWORD_PTR context, INT *error)
{
    INT spare;
    struct sw_provider *p = enter(index, SW_UPCALL_QUEUE_APC, "WPUQueueApc", &error, &spare);
    int result;

    if (p == NULL)
        return SOCKET_ERROR;
    result = thread == NULL || fn == NULL ? WSAEFAULT : sw_thread_queue(thread, fn, context);
    if (result == WSAEFAULT)
        sw_violation(p, "WPUQueueApc: no such thread id, or no function");
    *error = result;
    return result == 0 ? 0 : SOCKET_ERROR;
}

static int open_current_thread(unsigned index, WSATHREADID *thread, INT *error)
{
    INT spare;
    struct sw_provider *p = enter(index, SW_UPCALL_OPEN_CURRENT_THREAD, "WPUOpenCurrentThread", &error,
                                  &spare);

    if (p == NULL)
        return SOCKET_ERROR;
    *error = sw_thread_open_for(p, thread);
    if (*error == WSAEFAULT)
        sw_violation(p, "WPUOpenCurrentThread: lpThreadId is NULL");
    return *error == 0 ? 0 : SOCKET_ERROR;
}

static int close_thread(unsigned index, WSATHREADID *thread, INT *error)
{
    INT spare;
    struct sw_provider *p = enter(index, SW_UPCALL_CLOSE_THREAD, "WPUCloseThread", &error, &spare);

    if (p == NULL)
        return SOCKET_ERROR;
    *error = sw_thread_close(thread);
    if (*error != 0)
        sw_violation(p, "WPUCloseThread: no such thread id");
    return *error == 0 ? 0 : SOCKET_ERROR;
}

/* --- what tests read --- */

uint64_t sw_upcall_count(const struct sw_provider *p, enum sw_upcall which)
{
    return which < SW_UPCALL_COUNT ? pal_load_relaxed(&((struct sw_provider *)p)->upcall_count[which]) : 0;
}

int sw_next_message(struct sw_provider *p, struct sw_message *out, uint32_t timeout_ms)
{
    uint64_t deadline = sw_deadline(timeout_ms);
    bool in_time = true;
    struct sw_message_node *node;

    pal_mutex_lock(&p->lock);
    while (p->first_message == NULL && in_time) {
        if (deadline == UINT64_MAX)
            pal_cond_wait(&p->message_queued, &p->lock);
        else
            in_time = pal_cond_timedwait(&p->message_queued, &p->lock, deadline);
    }
    node = p->first_message;
    if (node != NULL) {
        p->first_message = node->next;
        if (p->first_message == NULL)
            p->last_message = NULL;
        p->message_count--;
    }
    pal_mutex_unlock(&p->lock);
    if (node == NULL)
        return WSAETIMEDOUT;
    *out = node->message;
    free(node);
    return 0;
}

void sw_messages_drop(struct sw_provider *p)
{
    struct sw_message dropped;

    while (sw_next_message(p, &dropped, 0) == 0)
        ;
}

void sw_set_blocking_hook(struct sw_provider *p, LPBLOCKINGCALLBACK fn, DWORD_PTR context)
{
    pal_mutex_lock(&p->lock);
    p->blocking_hook = fn;
    p->blocking_context = context;
    pal_mutex_unlock(&p->lock);
}

/* --- one set of entry points per provider slot --- */

#define ENTRY_POINTS(n)                                                                                      \
    static BOOL WSPAPI close_event_##n(WSAEVENT e, INT *error)                                               \
    {                                                                                                        \
        return do_event(n, SW_UPCALL_CLOSE_EVENT, "WPUCloseEvent", e, SW_EVENT_CLOSE, error);                \
    }                                                                                                        \
    static int WSPAPI close_socket_handle_##n(SOCKET s, INT *error)                                          \
    {                                                                                                        \
        return close_socket_handle(n, s, error);                                                             \
    }                                                                                                        \
    static WSAEVENT WSPAPI create_event_##n(INT *error)                                                      \
    {                                                                                                        \
        return create_event(n, error);                                                                       \
    }                                                                                                        \
    static SOCKET WSPAPI create_socket_handle_##n(DWORD id, DWORD_PTR context, INT *error)                   \
    {                                                                                                        \
        return create_socket_handle(n, id, context, error);                                                  \
    }                                                                                                        \
    static int WSPAPI fd_is_set_##n(SOCKET s, WSD_FD_SET *set)                                               \
    {                                                                                                        \
        return fd_is_set(n, s, set);                                                                         \
    }                                                                                                        \
    static int WSPAPI get_provider_path_##n(GUID *id, WCHAR *path, INT *length, INT *error)                  \
    {                                                                                                        \
        return get_provider_path(n, id, path, length, error);                                                \
    }                                                                                                        \
    static SOCKET WSPAPI modify_ifs_handle_##n(DWORD id, SOCKET proposed, INT *error)                        \
    {                                                                                                        \
        return modify_ifs_handle(n, id, proposed, error);                                                    \
    }                                                                                                        \
    static BOOL WSPAPI post_message_##n(HWND window, UINT message, WPARAM wparam, LPARAM lparam)             \
    {                                                                                                        \
        return post_message(n, window, message, wparam, lparam);                                             \
    }                                                                                                        \
    static int WSPAPI query_blocking_callback_##n(DWORD id, LPBLOCKINGCALLBACK *fn, DWORD_PTR *context,      \
                                                  INT *error)                                                \
    {                                                                                                        \
        return query_blocking_callback(n, id, fn, context, error);                                           \
    }                                                                                                        \
    static int WSPAPI query_socket_handle_context_##n(SOCKET s, DWORD_PTR *context, INT *error)              \
    {                                                                                                        \
        return query_socket_handle_context(n, s, context, error);                                            \
    }                                                                                                        \
    static int WSPAPI queue_apc_##n(WSATHREADID *thread, LPWSAUSERAPC fn, DWORD_PTR context, INT *error)     \
    {                                                                                                        \
        return queue_apc(n, thread, fn, context, error);                                                     \
    }                                                                                                        \
    static BOOL WSPAPI reset_event_##n(WSAEVENT e, INT *error)                                               \
    {                                                                                                        \
        return do_event(n, SW_UPCALL_RESET_EVENT, "WPUResetEvent", e, SW_EVENT_RESET, error);                \
    }                                                                                                        \
    static BOOL WSPAPI set_event_##n(WSAEVENT e, INT *error)                                                 \
    {                                                                                                        \
        return do_event(n, SW_UPCALL_SET_EVENT, "WPUSetEvent", e, SW_EVENT_SET, error);                      \
    }                                                                                                        \
    static int WSPAPI open_current_thread_##n(WSATHREADID *thread, INT *error)                               \
    {                                                                                                        \
        return open_current_thread(n, thread, error);                                                        \
    }                                                                                                        \
    static int WSPAPI close_thread_##n(WSATHREADID *thread, INT *error)                                      \
    {                                                                                                        \
        return close_thread(n, thread, error);                                                               \
    }                                                                                                        \
    static int WSPAPI complete_overlapped_request_##n(SOCKET s, WSAOVERLAPPED *ov, DWORD op_error,           \
                                                      DWORD bytes, INT *error)                               \
    {                                                                                                        \
        return complete_overlapped_request(n, s, ov, op_error, bytes, error);                                \
    }

/* in the order of WSPUPCALLTABLEEX */
#define TABLE(n)                                                                                             \
    {                                                                                                        \
        close_event_##n, close_socket_handle_##n, create_event_##n, create_socket_handle_##n, fd_is_set_##n, \
            get_provider_path_##n, modify_ifs_handle_##n, post_message_##n, query_blocking_callback_##n,     \
            query_socket_handle_context_##n, queue_apc_##n, reset_event_##n, set_event_##n,                  \
            open_current_thread_##n, close_thread_##n, complete_overlapped_request_##n                       \
    }

ENTRY_POINTS(0)
ENTRY_POINTS(1)
ENTRY_POINTS(2)
ENTRY_POINTS(3)
ENTRY_POINTS(4)
ENTRY_POINTS(5)
ENTRY_POINTS(6)
ENTRY_POINTS(7)

static const WSPUPCALLTABLEEX tables[] = {TABLE(0), TABLE(1), TABLE(2), TABLE(3),
                                          TABLE(4), TABLE(5), TABLE(6), TABLE(7)};
_Static_assert(sizeof(tables) / sizeof(tables[0]) == SW_PROVIDERS_MAX, "one table per provider slot");

void sw_upcall_fill(unsigned provider_index, WSPUPCALLTABLEEX *out)
{
    *out = tables[provider_index];
}
