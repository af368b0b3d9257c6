/* ws2_handle.c - Winsock handles: made, asked and retired by upcalls, bound to completion queues, with the operations on them.
 * They live in the shim's table of handles (sw_handle.c), so they carry a generation: a stale one is known as such.
 * Source: contract 10.2 (upcalls 1, 3, 6, 9, 15), 7.3. */
#include "ws2_upcalls.h"

#include <string.h>

static const char *lookup_text(enum sw_lookup lookup)
{
    return lookup == SW_LOOKUP_CLOSED ? "was closed already" : "was never made by WPUCreateSocketHandle";
}

/* The locked slot of a Winsock handle, NULL: none. */
static struct sw_slot *lock_handle(SOCKET s, enum sw_lookup *why)
{
    struct sw_slot *slot = sw_slot_lock(s, SW_OBJECT_SOCKET, why);

    if (slot == NULL || ws2_is_provider(slot->owner))
        return slot;
    sw_slot_unlock(slot); /* of the SAN edge */
    *why = SW_LOOKUP_UNKNOWN;
    return NULL;
}

/* The same for an upcall, which must name an open handle. */
static struct sw_slot *lock_named(SOCKET s, const char *upcall)
{
    enum sw_lookup why;
    struct sw_slot *slot = lock_handle(s, &why);

    if (slot == NULL)
        ws2_violation("%s: socket handle %#llx %s", upcall, (unsigned long long)s, lookup_text(why));
    return slot;
}

SOCKET WSPAPI ws2_create_socket_handle(DWORD catalog_entry_id, DWORD_PTR context, INT *error)
{
    static const char name[] = "WPUCreateSocketHandle";
    INT spare;
    struct ws2_provider *p;
    struct sw_slot *slot;
    uintptr_t handle;

    if (!ws2_upcall_enter(SW_UPCALL_CREATE_SOCKET_HANDLE, name, &error, &spare))
        return INVALID_SOCKET;
    p = ws2_provider_of_entry(catalog_entry_id);
    if (p == NULL) {
        ws2_violation("%s: no running provider has the catalog entry %u", name, (unsigned)catalog_entry_id);
        *error = WSAEINVAL; /* our choice; the page names WSAENOBUFS only */
        return INVALID_SOCKET;
    }
    slot = sw_slot_create(SW_OBJECT_SOCKET, p, &handle);
    if (slot == NULL) {
        *error = WSAENOBUFS;
        return INVALID_SOCKET;
    }
    slot->u.socket.context = context;
    sw_slot_unlock(slot);
    pal_add_relaxed(&p->open_handle_count, 1u);
    *error = 0;
    return (SOCKET)handle;
}

int WSPAPI ws2_close_socket_handle(SOCKET s, INT *error)
{
    static const char name[] = "WPUCloseSocketHandle";
    INT spare;
    struct ws2_provider *p;
    struct sw_slot *slot;
    struct sw_iocp *queue;
    unsigned unfinished;

    if (!ws2_upcall_enter(SW_UPCALL_CLOSE_SOCKET_HANDLE, name, &error, &spare))
        return SOCKET_ERROR;
    slot = lock_named(s, name);
    if (slot == NULL) {
        *error = WSAENOTSOCK;
        return SOCKET_ERROR;
    }
    p = (struct ws2_provider *)(uintptr_t)slot->owner;
    unfinished = slot->u.socket.in_flight;
    queue = slot->u.socket.holds_queue ? slot->u.socket.notify.iocp : NULL;
    sw_slot_close(slot);
    sw_iocp_destroy(queue); /* its reference, if it had one */
    pal_sub_acq_rel(&p->open_handle_count, 1u);
    if (unfinished > 0) {
        sw_inflight_purge(s);
        /* WSPCleanup cancels without telling (10.1, function 5); WSPCloseSocket does tell (6) */
        if (ws2_phase_of(p) != WS2_PHASE_CLEANING)
            ws2_violation("%s: %u operations of handle %#llx never completed", name, unfinished,
                          (unsigned long long)s);
    }
    *error = 0;
    return 0;
}

int WSPAPI ws2_query_socket_handle_context(SOCKET s, DWORD_PTR *context, INT *error)
{
    static const char name[] = "WPUQuerySocketHandleContext";
    INT spare;
    enum sw_lookup why;
    struct sw_slot *slot;

    if (!ws2_upcall_enter(SW_UPCALL_QUERY_SOCKET_HANDLE_CONTEXT, name, &error, &spare))
        return SOCKET_ERROR;
    if (context == NULL) {
        ws2_violation("%s: lpContext is NULL", name);
        *error = WSAEFAULT; /* our choice; the page names WSAENOTSOCK only */
        return SOCKET_ERROR;
    }
    slot = lock_handle(
        s, &why); /* an application's wrong handle is no violation: this is how a provider notices */
    if (slot == NULL) {
        *error = WSAENOTSOCK;
        return SOCKET_ERROR;
    }
    *context = slot->u.socket.context;
    sw_slot_unlock(slot);
    *error = 0;
    return 0;
}

SOCKET WSPAPI ws2_modify_ifs_handle(DWORD catalog_entry_id, SOCKET proposed, INT *error)
{
    INT spare;

    (void)catalog_entry_id;
    if (!ws2_upcall_enter(SW_UPCALL_MODIFY_IFS_HANDLE, "WPUModifyIFSHandle", &error, &spare))
        return INVALID_SOCKET;
    /* no entry of the catalog here has XP1_IFS_HANDLES */
    ws2_violation("WPUModifyIFSHandle: handle %#llx from a provider without installable file system handles",
                  (unsigned long long)proposed);
    *error = WSAEINVAL;
    return INVALID_SOCKET;
}

/* --- completion --- */

static _Atomic(ws2_status_fn) status_form;
static PAL_THREAD_LOCAL struct ws2_submission *submissions; /* of this thread, innermost first */

void ws2_set_status_form(ws2_status_fn fn)
{
    pal_store_release(&status_form, fn);
}

static ULONG_PTR status_of(DWORD code)
{
    ws2_status_fn form = pal_load_acquire(&status_form);

    return form != NULL ? form(code) : (ULONG_PTR)code;
}

void ws2_submission_begin(struct ws2_submission *sub, WSAOVERLAPPED *ov)
{
    sub->ov = ov;
    sub->queue = NULL;
    sub->outer = submissions;
    submissions = sub;
}

static void post(struct sw_iocp *queue, const struct sw_packet *packet)
{
    if (sw_iocp_post(queue, packet) != 0)
        ws2_violation("WPUCompleteOverlappedRequest: out of memory for a completion packet");
    sw_iocp_destroy(queue);
}

void ws2_submission_end(struct ws2_submission *sub, bool returned_success)
{
    submissions = sub->outer;
    if (sub->queue == NULL)
        return;
    if (returned_success)
        sw_iocp_destroy(sub->queue);
    else
        post(sub->queue, &sub->packet);
}

/* The submission of `ov` that this thread is inside of. */
static struct ws2_submission *submitting(const WSAOVERLAPPED *ov)
{
    struct ws2_submission *sub = submissions;

    while (sub != NULL && sub->ov != ov)
        sub = sub->outer;
    return sub;
}

/* A reference to the queue is given along. */
static void deliver(struct sw_iocp *queue, const struct sw_packet *packet, bool may_be_skipped)
{
    struct ws2_submission *sub = may_be_skipped ? submitting(packet->ov) : NULL;

    if (sub == NULL) {
        post(queue, packet);
        return;
    }
    sub->queue = queue;
    sub->packet = *packet;
}

static bool is_over(DWORD op_error)
{
    return op_error != WSS_OPERATION_IN_PROGRESS && op_error != WSA_IO_PENDING &&
           op_error != WSA_IO_INCOMPLETE;
}

/* Whether `ov` may complete now. The slot is locked; a refusal is recorded, after unlocking. */
static bool may_complete(struct sw_slot *slot, SOCKET s, WSAOVERLAPPED *ov, const char *name)
{
    enum sw_inflight_result tracked = sw_inflight_remove(ov, s);

    if (tracked == SW_INFLIGHT_OK) {
        slot->u.socket.in_flight--;
        return true;
    }
    if (tracked == SW_INFLIGHT_ABSENT && pal_word_load_acquire(&ov->Internal) == WSS_OPERATION_IN_PROGRESS)
        return true; /* submitted without ws2_operation_begin() */
    sw_slot_unlock(slot);
    ws2_violation(tracked == SW_INFLIGHT_ABSENT
                      ? "%s: operation %p is not in progress: completed twice, or never submitted?"
                      : "%s: operation %p belongs to another socket handle",
                  name, (void *)ov);
    return false;
}

/* The OVERLAPPED is the application's from the store to Internal on; so its event is read before. */
int WSPAPI ws2_complete_overlapped_request(SOCKET s, WSAOVERLAPPED *ov, DWORD op_error, DWORD bytes,
                                           INT *error)
{
    static const char name[] = "WPUCompleteOverlappedRequest";
    INT spare;
    struct sw_slot *slot;
    struct sw_notify notify;
    struct sw_packet packet;
    bool may_be_skipped;
    ULONG_PTR event;

    if (!ws2_upcall_enter(SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST, name, &error, &spare))
        return SOCKET_ERROR;
    *error = WSAEINVAL;
    if (ov == NULL || !is_over(op_error)) {
        if (ov == NULL)
            ws2_violation("%s: lpOverlapped is NULL", name);
        else
            ws2_violation("%s: error %u says that the operation is not over", name, (unsigned)op_error);
        return SOCKET_ERROR;
    }
    slot = lock_named(s, name);
    if (slot == NULL)
        return SOCKET_ERROR;
    if (ws2_phase_of((struct ws2_provider *)(uintptr_t)slot->owner) == WS2_PHASE_CLEANING)
        ws2_violation("%s: WSPCleanup cancels without telling", name);
    if (!may_complete(slot, s, ov, name))
        return SOCKET_ERROR;
    notify = slot->u.socket.notify;
    may_be_skipped = (slot->u.socket.completion_modes & WS2_SKIP_PORT_ON_SUCCESS) != 0;
    event = (ULONG_PTR)ov->hEvent;
    if (notify.kind == SW_NOTIFY_IOCP)
        sw_iocp_hold(notify.iocp);
    pal_word_store_relaxed(&ov->InternalHigh, (ULONG_PTR)bytes);
    /* release: publishes InternalHigh and what the provider wrote to the OVERLAPPED before */
    pal_word_store_release(&ov->Internal, status_of(op_error));
    sw_slot_unlock(slot);

    /* bit 0 of hEvent keeps the packet back, not the event (Winsock behaviour of GetQueuedCompletionStatus) */
    if ((event & ~(ULONG_PTR)1u) != 0)
        ws2_signal((WSAEVENT)(event & ~(ULONG_PTR)1u));
    packet = (struct sw_packet){notify.key, s, ov, op_error, bytes};
    if (notify.kind == SW_NOTIFY_IOCP && (event & 1u) == 0)
        deliver(notify.iocp, &packet, may_be_skipped);
    else if (notify.kind == SW_NOTIFY_IOCP)
        sw_iocp_destroy(notify.iocp);
    *error = 0;
    return 0;
}

int ws2_operation_begin(SOCKET s, WSAOVERLAPPED *ov)
{
    enum sw_lookup why;
    struct sw_slot *slot = lock_handle(s, &why);
    enum sw_inflight_result added;

    if (slot == NULL)
        return WSAENOTSOCK;
    added = sw_inflight_add(ov, s);
    if (added == SW_INFLIGHT_OK)
        slot->u.socket.in_flight++;
    sw_slot_unlock(slot);
    return added == SW_INFLIGHT_OK ? 0 : added == SW_INFLIGHT_NO_MEMORY ? WSA_NOT_ENOUGH_MEMORY : WSAEINVAL;
}

void ws2_operation_submitted(SOCKET s, WSAOVERLAPPED *ov, int result, INT error)
{
    enum sw_lookup why;
    struct sw_slot *slot;
    bool is_removed;

    if (result == 0 || error == WSA_IO_PENDING)
        return;
    slot = lock_handle(s, &why);
    if (slot == NULL)
        return; /* closed meanwhile: WPUCloseSocketHandle has seen to it */
    is_removed = sw_inflight_remove(ov, s) == SW_INFLIGHT_OK;
    if (is_removed)
        slot->u.socket.in_flight--;
    sw_slot_unlock(slot);
    if (!is_removed)
        ws2_violation("operation %p was refused with %s, and completed all the same", (void *)ov,
                      sw_error_name(error));
}

unsigned ws2_operations_open(SOCKET s)
{
    enum sw_lookup why;
    struct sw_slot *slot = lock_handle(s, &why);
    unsigned count;

    if (slot == NULL)
        return 0;
    count = slot->u.socket.in_flight;
    sw_slot_unlock(slot);
    return count;
}

int ws2_bind_queue(SOCKET s, struct sw_iocp *queue, ULONG_PTR key)
{
    enum sw_lookup why;
    struct sw_slot *slot = lock_handle(s, &why);
    int result = WSAEINVAL;

    if (slot == NULL)
        return WSAENOTSOCK;
    if (slot->u.socket.notify.kind != SW_NOTIFY_IOCP) {
        slot->u.socket.notify = (struct sw_notify){SW_NOTIFY_IOCP, NULL, NULL, queue, key};
        slot->u.socket.holds_queue = true;
        sw_iocp_hold(queue);
        result = 0;
    }
    sw_slot_unlock(slot);
    return result;
}

int ws2_set_completion_modes(SOCKET s, unsigned flags)
{
    enum sw_lookup why;
    struct sw_slot *slot;

    if ((flags & ~(WS2_SKIP_PORT_ON_SUCCESS | WS2_SKIP_HANDLE_EVENT)) != 0)
        return WSAEINVAL;
    slot = lock_handle(s, &why);
    if (slot == NULL)
        return WSAENOTSOCK;
    slot->u.socket.completion_modes |= (uint8_t)flags; /* once set they stay (page of the function) */
    sw_slot_unlock(slot);
    return 0;
}

bool ws2_handle_is_open(SOCKET s)
{
    enum sw_lookup why;
    struct sw_slot *slot = lock_handle(s, &why);

    if (slot == NULL)
        return false;
    sw_slot_unlock(slot);
    return true;
}
