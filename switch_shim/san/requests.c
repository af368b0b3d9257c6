/* requests.c - sends and receives of the upper face: handed to the session, or answered at once.
 * Source: carrier.h; contract 8.7, 8.8, 10.1; windows.md trap 1 (a non-blocking send is taken whole). */
#include "san/internal.h"

#include <stdlib.h>
#include <string.h>

#define COPY_MAX             (16u << 20) /* of one non-blocking send; our choice */
#define CANCEL_MS            500u        /* our choice */
#define SUBMITS_AFTER_ASKING 8u          /* until it counts as one that does not ask; our choice */
#define LOOKS_OF_A_POLLER    16u         /* in vain, and without a want() between them; our choice */

static uint64_t total_of(const struct sw_request *r)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < r->op.buffer_count; i++)
        total += r->op.buffers[i].len;
    return total;
}

/* --- lists of requests that are not with the session --- */

static void append(struct sw_request **list, struct sw_request *r)
{
    while (*list != NULL)
        list = &(*list)->next;
    r->next = NULL;
    *list = r;
}

static bool take_out(struct sw_request **list, struct sw_request *r)
{
    while (*list != NULL && *list != r)
        list = &(*list)->next;
    if (*list == NULL)
        return false;
    *list = r->next;
    return true;
}

static void finish_later(struct san *c, struct sw_request *r, int error)
{
    r->op.error = error;
    append(&c->finished, r);
}

/* --- peeks --- */

static int peek(struct san *c, struct sw_request *r)
{
    return sw_session_peek(c->session, r->op.buffers, r->op.buffer_count, &r->op.bytes);
}

bool san_retry_peeks(struct san *c)
{
    struct sw_request *r = c->peeks;
    int error;

    if (r == NULL)
        return false;
    error = peek(c, r);
    if (error == WSAEWOULDBLOCK || error == WSATRY_AGAIN)
        return false;
    c->peeks = r->next;
    finish_later(c, r, error);
    return true;
}

void san_drop_peeks(struct san *c, int error)
{
    while (c->peeks != NULL) {
        struct sw_request *r = c->peeks;

        c->peeks = r->next;
        finish_later(c, r, error);
    }
}

/* --- while the socket moves --- */

static int start(struct san *c, struct sw_request *r)
{
    if (r->kind == SW_REQUEST_SEND)
        san_see_quiet(c, false); /* its buffer may be wanted */
    return r->kind == SW_REQUEST_SEND ? sw_session_send(c->session, &r->op)
                                      : sw_session_receive(c->session, &r->op);
}

void san_resend_held(struct san *c)
{
    struct sw_request *list = c->held;

    c->held = NULL;
    while (list != NULL) {
        struct sw_request *r = list;
        int error;

        list = r->next;
        error = start(c, r);
        if (error == WSATRY_AGAIN)
            append(&c->held, r);
        else if (error != 0)
            finish_later(c, r, error);
    }
}

void san_drop_held(struct san *c, int error)
{
    while (c->held != NULL) {
        struct sw_request *r = c->held;

        c->held = r->next;
        finish_later(c, r, error);
    }
}

/* --- submit --- */

static int receive_urgent(struct san *c, struct sw_request *r)
{
    uint8_t byte = 0;
    int error = sw_session_receive_urgent(c->session, &byte);

    if (error != 0)
        return error;
    c->has_urgent = false;
    for (uint32_t i = 0; i < r->op.buffer_count && r->op.bytes == 0; i++)
        if (r->op.buffers[i].len != 0) {
            r->op.buffers[i].buf[0] = (CHAR)byte;
            r->op.bytes = 1;
        }
    return 0;
}

/* 0: the session (or a list) has it, or it is over (SAN_DONE). */
static int hand_over(struct san *c, struct sw_request *r)
{
    int error;

    if (r->kind == SW_REQUEST_RECEIVE && (r->flags & WS_MSG_OOB) != 0) {
        error = receive_urgent(c, r);
        if (error == 0)
            r->state = SAN_DONE;
        return error == WSAEWOULDBLOCK ? WSAEINVAL : error; /* nobody waits for an urgent byte */
    }
    if (r->kind == SW_REQUEST_RECEIVE && (r->flags & WS_MSG_PEEK) != 0) {
        error = peek(c, r);
        if (error == WSAEWOULDBLOCK || error == WSATRY_AGAIN) { /* the second: while the socket moves */
            append(&c->peeks, r);
            return 0;
        }
        if (error == 0)
            r->state = SAN_DONE;
        return error;
    }
    error = start(c, r);
    if (error == WSATRY_AGAIN) {
        append(&c->held, r);
        return 0;
    }
    return error;
}

static void prepare(struct sw_request *r)
{
    r->op.bytes = 0;
    r->op.error = 0;
    r->op.flags = 0;
    r->result_flags = 0;
    r->next = NULL;
    if (r->kind == SW_REQUEST_SEND && (r->flags & WS_MSG_OOB) != 0)
        r->op.flags = SW_OP_URGENT;
    if (r->kind == SW_REQUEST_RECEIVE && (r->flags & WS_MSG_WAITALL) != 0)
        r->op.flags = SW_OP_WAIT_ALL;
}

/* A program that goes round many sockets asks each of them once or twice for each of its operations, and is a poller all the same: its
 * questions add up over the operations. */
static bool was_asked(struct san *c)
{
    if (c->asked == 0)
        return false;
    c->asked--;
    return true;
}

/* The application's thread goes. What it has posted may have taken long (on rxe the whole transfer happens within the call), and the tick, which
 * waits for the lock, must not take that for nobody's having come. */
static void leave(struct san *c)
{
    san_act(c);
    if (c->is_hot)
        san_hot_note(c);
    san_leave(c);
}

int san_submit(struct sw_carrier *carrier, struct sw_request *r)
{
    struct san *c = san_of(carrier);
    int result;

    prepare(r);
    san_enter(c);
    r->state = SAN_SUBMITTING;
    result = c->session == NULL ? WSAENOTCONN : c->is_moved ? SW_E_MOVED : hand_over(c, r);
    if (result == 0) {
        san_act(c);
        if (r->state == SAN_SUBMITTING && !c->is_telling && sw_session_take_done(c->session, &r->op))
            r->state = SAN_DONE; /* another thread acts, and it would have been over late (B124) */
        if (r->state != SAN_DONE) {
            r->state = SAN_PENDING;
            c->request_count++;
            if (!r->is_waited && !c->is_driven && !was_asked(c))
                san_hot_cool(c, CALM_AFTER_EVENTS); /* nobody will come and look */
            result = WSA_IO_PENDING;
        }
    }
    if (result != WSA_IO_PENDING)
        r->state = SAN_NOT_HERE;
    leave(c);
    return result;
}

bool san_call_off(struct san *c, struct sw_request *r)
{
    bool was_taken;

    if (r->state != SAN_PENDING && r->state != SAN_SUBMITTING)
        return false;
    was_taken = take_out(&c->peeks, r) || take_out(&c->held, r);
    if (was_taken)
        finish_later(c, r, WSA_OPERATION_ABORTED);
    else
        was_taken = c->session != NULL && sw_session_cancel(c->session, &r->op);
    if (!was_taken && r->state == SAN_PENDING) {
        /* part of it has gone, or RDMA is at its memory. If that lasts, only closing helps (contract 8.8) */
        r->state = SAN_CANCELLED;
        if (c->cancelled_count++ == 0)
            san_service_arm(c, SAN_TIMER_CANCEL, CANCEL_MS);
    }
    return was_taken;
}

bool san_cancel(struct sw_carrier *carrier, struct sw_request *r)
{
    struct san *c = san_of(carrier);
    bool was_taken;

    san_enter(c);
    was_taken = san_call_off(c, r);
    san_leave(c);
    return was_taken;
}

/* --- now --- */

/* More than the send buffers hold at the moment, in memory of its own: from there it goes as any send. */
static int send_copy(struct san *c, struct sw_request *r, uint64_t total)
{
    struct own {
        struct sw_request request; /* first */
        WSABUF buffer;
    } * own;
    uint64_t room = total < COPY_MAX ? total : COPY_MAX;
    uint64_t at = 0;
    int error;

    own = malloc(sizeof(*own) + (size_t)room);
    if (own == NULL)
        return WSAENOBUFS;
    memset(own, 0, sizeof(*own));
    own->buffer.len = (ULONG)room;
    own->buffer.buf = (CHAR *)(own + 1);
    for (uint32_t i = 0; i < r->op.buffer_count && at < room; i++) {
        uint64_t n = r->op.buffers[i].len < room - at ? r->op.buffers[i].len : room - at;

        memcpy(own->buffer.buf + at, r->op.buffers[i].buf, (size_t)n);
        at += n;
    }
    own->request.op.buffers = &own->buffer;
    own->request.op.buffer_count = 1;
    own->request.op.flags = r->op.flags;
    own->request.state = SAN_OWN; /* freed by the actor */
    error = sw_session_send(c->session, &own->request.op);
    if (error != 0)
        free(own);
    else
        r->op.bytes = room;
    return error;
}

static int send_now(struct san *c, struct sw_request *r)
{
    uint64_t total = total_of(r);
    size_t room;
    int error;

    san_see_quiet(c, false); /* its buffer may be wanted */
    room = sw_session_send_room(c->session);
    if (total <= room || room == 0)
        error = sw_session_send_now(c->session, r->op.buffers, r->op.buffer_count, r->op.flags, &r->op.bytes);
    else
        error = send_copy(c, r, total);
    if (error == WSATRY_AGAIN)
        error = WSAEWOULDBLOCK;
    if (error == WSAEWOULDBLOCK && san_hot_visit(c, LOOKS_OF_A_POLLER))
        (void)san_poll(c); /* a buffer may be free: the next call sees it */
    return error;
}

static int look_now(struct san *c, struct sw_request *r)
{
    int error;

    if ((r->flags & WS_MSG_OOB) != 0)
        return receive_urgent(c, r);
    if ((r->flags & WS_MSG_PEEK) != 0)
        error = peek(c, r);
    else
        error = sw_session_receive_now(c->session, r->op.buffers, r->op.buffer_count, &r->op.bytes);
    return error == WSATRY_AGAIN ? WSAEWOULDBLOCK : error;
}

/* Whoever asks again and again is a poller: it drives the provider itself, and is not disturbed by notifications. */
static int receive_now(struct san *c, struct sw_request *r)
{
    int error = look_now(c, r);

    if (error == WSAEWOULDBLOCK && (r->flags & WS_MSG_OOB) == 0 && san_hot_visit(c, LOOKS_OF_A_POLLER) &&
        san_poll(c))
        error = look_now(c, r);
    return error;
}

/* Most looks of a poller find nothing and leave nothing to be done: for these the shortest way. */
static bool is_vain_look(struct san *c, const struct sw_request *r)
{
    if (r->kind != SW_REQUEST_RECEIVE || (r->flags & (WS_MSG_OOB | WS_MSG_PEEK)) != 0 ||
        r->op.buffer_count == 0 || r->op.buffers[0].len == 0 || !sw_session_receive_vain(c->session))
        return false;
    return !san_hot_visit(c, LOOKS_OF_A_POLLER) || !san_look(c);
}

void san_drive(struct sw_carrier *carrier)
{
    struct san *c = san_of(carrier);

    san_enter(c);
    c->calm = 0; /* overlapped calls came before, but they are asked for */
    c->asked = SUBMITS_AFTER_ASKING;
    if (c->session != NULL && san_hot_visit(c, LOOKS_OF_A_POLLER)) {
        c->is_driven = c->is_hot;
        (void)san_poll(c);
    }
    leave(c);
}

int san_now(struct sw_carrier *carrier, struct sw_request *r)
{
    struct san *c = san_of(carrier);
    int result;

    prepare(r);
    san_enter(c);
    if (c->session == NULL || c->is_moved) {
        result = c->session == NULL ? WSAENOTCONN : SW_E_MOVED;
    } else if (is_vain_look(c, r)) {
        pal_mutex_unlock(&c->lock);
        return WSAEWOULDBLOCK;
    } else {
        result = r->kind == SW_REQUEST_SEND ? send_now(c, r) : receive_now(c, r);
    }
    leave(c);
    return result;
}
