/* actor.c - one thread at a time carries out what has become due for a connection: first the session's actions in their
 * order, then reports to the upper face. Who finds an actor at work leaves: the actor sees what he brought.
 * Source: session/README.md, "Driving it"; contract 8.3 to 8.8. */
#include "san/internal.h"

#include <stdio.h>
#include <stdlib.h>

static pal_atomic_u64 violations;

uint64_t sw_san_violations(void)
{
    return pal_load_relaxed(&violations);
}

void san_enter(struct san *c)
{
    pal_mutex_lock(&c->lock);
}

/* Nobody can come back to it: no completion, no timer, no child, no thread of the upper face (carrier.h). */
static bool is_free(struct san *c)
{
    if (!c->is_over || c->is_acting || c->out_count != 0 || c->parent_refs != 0 || c->parent != NULL ||
        c->waiters != NULL)
        return false;
    san_service_forget(c);
    return pal_load_acquire(&c->refs) == 0; /* acquire: the service has let go of it */
}

void san_leave(struct san *c)
{
    bool gone;

    san_act(c);
    gone = is_free(c);
    pal_mutex_unlock(&c->lock);
    if (gone)
        san_free(c);
}

void san_release(struct san *c)
{
    san_enter(c);
    /* release: whoever frees it sees all that was done here */
    pal_sub_acq_rel(&c->refs, 1u);
    san_leave(c);
}

/* --- the companion goes --- */

static void close_below(struct san *c)
{
    struct sw_companion *companion = c->companion;
    /* of one that moved, and perhaps has not been taken yet, the companion stays a while */
    const bool is_left = companion != NULL && c->is_moved && c->linger_ms != SW_CLOSE_TAKEN &&
                         san_leave_behind(c);

    c->companion = NULL; /* from here on nobody calls down */
    san_service_link(c, false);
    if (companion == NULL)
        return;
    if (!is_left) {
        pal_mutex_unlock(&c->lock);
        (void)sw_close(companion); /* what the provider still has comes back, most of it now */
        pal_mutex_lock(&c->lock);
    }
    san_forget_polled(c); /* of one that moved, WSPDuplicateSocket has ended them */
    san_hot_leave(c);
}

void san_break(struct san *c)
{
    if (c->phase != SAN_RUNNING)
        c->phase = SAN_FAILED;
    san_service_disarm(c, SAN_TIMER_CONNECT);
    san_service_disarm(c, SAN_TIMER_START);
    close_below(c);
}

static void session_closed(struct san *c, int error)
{
    if (!c->is_opened) {
        if (c->is_owned && !c->is_closing) {
            c->connect_error = error != 0 ? error : WSAECONNABORTED;
            c->connect_due = true;
        }
        if (c->is_child && !c->is_owned)
            c->is_closing = true; /* it never became one that could be accepted */
    }
    if (c->is_closing && error == WSAETIMEDOUT && c->linger_ms != 0 &&
        c->linger_ms != SW_SESSION_LINGER_FOREVER)
        c->close_result = WSAETIMEDOUT;
    if (c->giving != NULL && c->giving->result == WSA_IO_PENDING)
        san_move_failed(c, error != 0 ? error : WSAECONNRESET);
    close_below(c);
}

/* --- memory for RDMA --- */

static DWORD rights_of(enum sw_access access)
{
    return access == SW_ACCESS_LOCAL_READ || access == SW_ACCESS_REMOTE_READ ? MEM_READ : MEM_WRITE;
}

static bool is_remote(const struct sw_range *range)
{
    return range->access == SW_ACCESS_REMOTE_READ || range->access == SW_ACCESS_REMOTE_WRITE;
}

static void register_range(struct san *c, struct sw_range *range)
{
    struct sw_companion *companion = c->companion;
    struct sw_rdma_descriptor descriptor = {0};
    HANDLE handle = NULL;
    int error;

    pal_mutex_unlock(&c->lock);
    if (is_remote(range))
        error = sw_register_rdma(companion, range->memory, range->bytes, rights_of(range->access),
                                 &descriptor);
    else
        error = sw_register(companion, range->memory, range->bytes, rights_of(range->access), &handle);
    pal_mutex_lock(&c->lock);
    range->handle = handle;
    range->descriptor_bytes = (uint16_t)descriptor.length;
    for (DWORD i = 0; i < descriptor.length && i < sizeof(range->descriptor); i++)
        range->descriptor[i] = descriptor.bytes[i];
    sw_session_registered(c->session, range, error);
}

/* Storage is registered with the first transfer into it: registering pins memory, and most connections never need it. */
static void read_into(struct san *c, struct sw_action *a)
{
    struct sw_companion *companion = c->companion;
    uint8_t *storage = c->pool + c->pool_bytes - c->set.storage_bytes;
    HANDLE handle = NULL;
    int error = 0;

    if (a->range->access == SW_ACCESS_STORAGE && c->storage_handle == NULL && companion != NULL) {
        pal_mutex_unlock(&c->lock);
        error = sw_register(companion, storage, c->set.storage_bytes, MEM_WRITE, &handle);
        pal_mutex_lock(&c->lock);
        c->storage_handle = handle;
    }
    if (error != 0)
        sw_session_rdma_done(c->session, a->range, error);
    else
        san_post(c, a);
}

static void deregister_range(struct san *c, const struct sw_range *range)
{
    struct sw_companion *companion = c->companion;
    struct sw_rdma_descriptor descriptor = {.length = range->descriptor_bytes};

    if (companion == NULL)
        return; /* it went with the socket */
    for (unsigned i = 0; i < range->descriptor_bytes; i++)
        descriptor.bytes[i] = range->descriptor[i];
    pal_mutex_unlock(&c->lock);
    if (is_remote(range))
        (void)sw_deregister_rdma(
            companion, &descriptor); /* fails only when the connection is gone, and the range with it */
    else
        (void)sw_deregister(companion, range->handle);
    pal_mutex_lock(&c->lock);
}

/* --- upwards --- */

/* Whatever ended it, it was called off: the end of the connection may have been the means (requests.c). */
static void called_off(struct san *c, struct sw_request *r)
{
    if (r->op.error != 0)
        r->op.error = WSA_OPERATION_ABORTED;
    if (--c->cancelled_count == 0)
        san_service_disarm(c, SAN_TIMER_CANCEL);
}

void san_finish(struct san *c, struct sw_request *r)
{
    switch ((enum san_request_state)r->state) {
    case SAN_SUBMITTING: r->state = SAN_DONE; return; /* submit() sees it */
    case SAN_CANCELLED:
    case SAN_PENDING:
        if (r->state == SAN_CANCELLED)
            called_off(c, r);
        if (r->is_waited) {
            r->state = SAN_DONE;
            san_wake(c, r);
            return;
        }
        r->state = SAN_NOT_HERE;
        c->request_count--;
        c->is_telling = true;
        pal_mutex_unlock(&c->lock);
        c->carrier.up->completed(c->carrier.owner, r);
        pal_mutex_lock(&c->lock);
        c->is_telling = false;
        return;
    case SAN_OWN: free(r); return;
    case SAN_NOT_HERE:
    case SAN_DONE: return; /* cannot be */
    }
}

static void opened(struct san *c)
{
    c->is_opened = true;
    if (c->is_owned) {
        c->connect_due = !c->is_closing;
        return;
    }
    pal_mutex_unlock(&c->lock);
    san_child_opened(c);
    pal_mutex_lock(&c->lock);
}

static void report_breach(struct san *c, const char *rule)
{
    char text[256], peer[32];

    pal_add_relaxed(&violations, 1u);
    (void)snprintf(text, sizeof(text), "OpenWSD: %s broke the session protocol: %s",
                   sw_format_address(&c->remote, peer, sizeof(peer)), rule);
    pal_mutex_unlock(&c->lock);
    sw_os_print_error(text);
    pal_mutex_lock(&c->lock);
}

static void note_event(struct san *c, const struct sw_action *a)
{
    /* FD_READ and FD_WRITE are looked up when somebody wants them (ready.c); but what there is to read may be a transfer
     * that has to be fetched first */
    if ((a->events & c->wanted & FD_READ) != 0 && sw_session_readable(c->session) == 0)
        sw_session_want_read(c->session);
    if ((a->events & FD_OOB) != 0)
        c->has_urgent = true;
    if ((a->events & FD_CLOSE) != 0) {
        c->has_close_event = true;
        c->close_event_error = a->error;
    }
}

static void carry_out(struct san *c, struct sw_action *a)
{
    switch (a->kind) {
    case SW_DO_POST_RECEIVE:
    case SW_DO_SEND:
    case SW_DO_WRITE: san_post(c, a); return;
    case SW_DO_READ: read_into(c, a); return;
    case SW_DO_REGISTER: register_range(c, a->range); return;
    case SW_DO_DEREGISTER: deregister_range(c, &a->released); return;
    case SW_DO_COMPLETE: san_finish(c, (struct sw_request *)(void *)a->op); return;
    case SW_DO_OPENED: opened(c); return;
    case SW_DO_EVENT: note_event(c, a); return;
    case SW_DO_ARM: san_service_arm(c, a->timer, a->ms); return;
    case SW_DO_DISARM: san_service_disarm(c, a->timer); return;
    case SW_DO_REPORT: report_breach(c, a->text); return;
    case SW_DO_MOVE: san_move(c); return;
    case SW_DO_CLOSE: session_closed(c, a->error); return;
    }
}

static void tell_events(struct san *c, uint32_t events, int error)
{
    pal_mutex_unlock(&c->lock);
    c->carrier.up->events(c->carrier.owner, events, error);
    pal_mutex_lock(&c->lock);
}

static bool tell_wanted(struct san *c)
{
    uint32_t events = c->wanted == 0 ? 0 : san_true_events(c) & c->wanted;

    if (events == 0)
        return false;
    c->wanted &= ~events;
    if ((events & ~(uint32_t)FD_CLOSE) != 0)
        tell_events(c, events & ~(uint32_t)FD_CLOSE, 0);
    if ((events & FD_CLOSE) != 0)
        tell_events(c, FD_CLOSE, c->close_event_error);
    return true;
}

/* The last step of a close. True: something went up or down. */
static bool end(struct san *c)
{
    if (!c->is_closing || c->is_over)
        return false;
    if (c->phase != SAN_RUNNING && c->companion != NULL) {
        san_break(c);
        return true;
    }
    if (c->companion != NULL || c->request_count != 0 || c->out_count != 0)
        return false; /* what WSPCloseSocket has ended may still be on its way up */
    c->is_over = true;
    pal_mutex_unlock(&c->lock);
    if (c->is_owned)
        c->carrier.up->closed(c->carrier.owner, c->close_result);
    else if (c->is_child)
        san_child_gone(c);
    pal_mutex_lock(&c->lock);
    return true;
}

/* One thing that is due besides the session's. False: nothing. */
static bool report(struct san *c)
{
    struct sw_request *r = c->finished;

    if (r != NULL) {
        c->finished = r->next;
        san_finish(c, r);
        return true;
    }
    if (c->is_owned && c->connect_due && !c->is_closing) {
        c->connect_due = false;
        tell_events(c, FD_CONNECT, c->connect_error);
        return true;
    }
    if (c->is_owned && !c->is_closing && tell_wanted(c))
        return true;
    return end(c);
}

void san_act(struct san *c)
{
    struct sw_action a;

    if (c->is_acting)
        return;
    c->is_acting = true;
    do {
        if (c->phase == SAN_CONNECTED && !c->is_closing)
            san_start(c);
        while (c->phase == SAN_RUNNING && sw_session_next(c->session, &a))
            carry_out(c, &a);
    } while ((c->peeks != NULL && san_retry_peeks(c)) || report(c));
    c->is_acting = false;
}
