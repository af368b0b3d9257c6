/* move.c - a connection goes to another process: the session suspends, its state and what nobody has fetched are written
 * down, WSPDuplicateSocket names the socket for the other process, and WSPSocket takes it up there.
 * A listener goes without suspension, after the accept that is under way (8.10). Connections that nobody has accepted yet stay: they are
 * connected with this process, whose listener can still be asked for them.
 * The record is plain data for processes that run the same build; `magic`, sizes and the session's own checks guard it.
 * Source: contract 8.10, 4.14, 4.3; session/PROTOCOL.md 10. */
#include "san/internal.h"

#include <stdlib.h>
#include <string.h>

#include "pal/thread.h"

#define RECORD_MAGIC 0x4D535744u /* "DWSM" */

struct record {
    uint32_t magic, record_bytes, stored_bytes, receives;
    uint32_t is_keepalive, is_urgent_inline, has_urgent, has_close_event, close_event_error;
    uint32_t backlog; /* 0: no listener */
    uint32_t is_over; /* a connection of which only bytes are left, and how it ended */
    WSAPROTOCOL_INFOW info;
    WSD_SOCKADDR_IN local, remote;
    struct sw_session_state state;
    /* then what is stored */
};

/* --- from here --- */

void san_move_failed(struct san *c, int error)
{
    c->giving->result = error;
    pal_cond_signal(&c->giving->changed);
}

/* What both kinds have; the rest is 0. */
static void describe(const struct san *c, struct record *r)
{
    r->magic = RECORD_MAGIC;
    r->record_bytes = sizeof(*r);
    r->receives = c->set.receives;
    r->is_keepalive = c->is_keepalive;
    r->is_urgent_inline = c->is_urgent_inline;
    r->local = c->local;
    r->remote = c->remote;
}

static int duplicate(struct san *c, struct sw_companion *companion, DWORD process_id, WSAPROTOCOL_INFOW *info)
{
    int error;

    pal_mutex_unlock(&c->lock);
    /* of the pool only the receives are still in use; they end with the call, and their registration (4.14) */
    (void)sw_deregister(companion, c->send_handle);
    if (c->storage_handle != NULL)
        (void)sw_deregister(companion, c->storage_handle);
    error = sw_duplicate(companion, process_id, info);
    pal_mutex_lock(&c->lock);
    return error;
}

/* The receives that wait here leave: only one process controls the connection (8.10). What such a one has, it has: those bytes are
 * consumed, and the next owner does not see them again. */
static void end_receives(struct san *c)
{
    struct sw_request **end = &c->finished;

    while (*end != NULL)
        end = &(*end)->next;
    for (struct sw_op *op = sw_session_take_receives(c->session); op != NULL; op = op->next) {
        struct sw_request *r = (struct sw_request *)(void *)op;

        op->error = op->bytes != 0 ? 0 : SW_E_MOVED;
        *end = r;
        end = &r->next;
    }
    *end = NULL;
}

static void write_down(struct san *c, struct san_giving *g, struct record *r)
{
    describe(c, r);
    r->has_urgent = c->has_urgent;
    r->has_close_event = c->has_close_event;
    r->close_event_error = (uint32_t)c->close_event_error;
    r->stored_bytes = (uint32_t)sw_session_export(c->session, &r->state, g->text + sizeof(*r));
    memcpy(g->text, r, sizeof(*r));
    g->text_bytes = sizeof(*r) + r->stored_bytes;
}

void san_move(struct san *c)
{
    struct san_giving *g = c->giving;
    struct record r;
    int error;

    if (g == NULL)
        return; /* give() waits until it is decided, so this is not reached */
    memset(&r, 0, sizeof(r));
    c->is_moved = true; /* before: the receives end with 0 bytes now, and are no messages */
    error = duplicate(c, c->companion, g->process_id, &r.info);
    if (error == 0) {
        end_receives(c);
        write_down(c, g, &r);
    } else {
        c->is_moved = false;
        sw_session_broken(c->session, error);
    }
    g->result = error;
    pal_cond_signal(&g->changed);
}

static void wait_for_move(struct san *c, struct san_giving *g, uint64_t deadline_ns)
{
    bool in_time = true;

    while (g->result == WSA_IO_PENDING && in_time)
        in_time = pal_cond_timedwait(&g->changed, &c->lock, deadline_ns);
    if (g->result != WSA_IO_PENDING)
        return;
    if (sw_session_suspend_off(c->session)) {
        g->result = WSAETIMEDOUT;
        return;
    }
    while (g->result == WSA_IO_PENDING) /* SUSPEND is sent: the answer, or the session's own timer, decides */
        pal_cond_wait(&g->changed, &c->lock);
}

void san_move_may_go_on(struct san *c)
{
    if (c->giving != NULL)
        pal_cond_signal(&c->giving->changed);
}

static int give_listener(struct san *c, struct san_giving *g, struct record *r)
{
    struct sw_companion *companion = c->companion;
    int error;

    if (c->phase != SAN_LISTENING || c->is_moved || c->giving != NULL)
        return WSAEINVAL;
    c->giving = g;
    c->is_moved = true; /* from here on the service leaves it alone */
    while (c->is_looking)
        pal_cond_wait(&g->changed, &c->lock);
    c->giving = NULL;
    san_service_link(c, false);
    describe(c, r);
    r->backlog = c->backlog;
    pal_mutex_unlock(&c->lock);
    error = sw_duplicate(companion, g->process_id, &r->info);
    pal_mutex_lock(&c->lock);
    if (error != 0) {
        c->is_moved = false;
        c->has_requests = true;
        san_service_link(c, true);
        san_service_wake();
    }
    return error;
}

static int give_whole_listener(struct san *c, struct san_giving *g, void *text, size_t *text_bytes)
{
    struct record r;
    int error;

    if (*text_bytes < sizeof(r))
        return WSAEFAULT;
    memset(&r, 0, sizeof(r));
    san_enter(c);
    error = give_listener(c, g, &r);
    san_leave(c);
    memcpy(text, &r, sizeof(r));
    *text_bytes = sizeof(r);
    return error;
}

/* What began here and has no byte begins elsewhere, in its order: so it has to be known up there when this is over (carrier.h). Whoever acts
 * does not stop for long: nothing new comes. */
static void wait_until_told(struct san *c)
{
    san_act(c);
    while (c->is_acting || c->finished != NULL) {
        pal_mutex_unlock(&c->lock);
        pal_thread_yield();
        pal_mutex_lock(&c->lock);
        san_act(c);
    }
}

/* The peer has closed, or the connection broke: no companion goes, but what nobody has fetched must not be lost with this process. */
static int give_rest(struct san *c, struct san_giving *g)
{
    struct record r;

    memset(&r, 0, sizeof(r));
    r.is_over = 1;
    wait_until_told(c); /* the end is reported here */
    write_down(c, g, &r);
    c->is_moved = true;
    return 0;
}

static int give_connection(struct san *c, struct san_giving *g, size_t *text_bytes, uint64_t deadline_ns)
{
    int result;

    san_enter(c);
    if (c->giving != NULL || c->session == NULL)
        result = c->session == NULL ? WSAENOTCONN : WSAEALREADY;
    else if (*text_bytes < sizeof(struct record) + c->set.storage_bytes)
        result = WSAEFAULT;
    else if (c->is_moved)
        result = WSAENOTCONN;
    else if (sw_session_is_ending(c->session))
        result = 0;
    else
        result = sw_session_suspend(c->session);
    if (result == 0) {
        c->giving = g;
        san_act(c);
        if (!sw_session_is_over(c->session))
            wait_for_move(c, g, deadline_ns);
        c->giving = NULL;
        result = sw_session_is_over(c->session) ? give_rest(c, g) : g->result;
        if (result != 0) {
            san_resend_held(c);
        } else {
            *text_bytes = g->text_bytes;
            san_drop_peeks(c, SW_E_MOVED);
            san_drop_held(c, SW_E_MOVED);
            wait_until_told(c);
        }
    }
    san_leave(c);
    return result;
}

int san_give(struct sw_carrier *carrier, DWORD process_id, void *text, size_t *text_bytes,
             uint64_t deadline_ns)
{
    struct san *c = san_of(carrier);
    struct san_giving g = {.process_id = process_id, .text = text, .result = WSA_IO_PENDING};
    int result;

    if (!pal_cond_init(&g.changed))
        return WSAENOBUFS;
    result = c->backlog != 0 ? give_whole_listener(c, &g, text, text_bytes)
                             : give_connection(c, &g, text_bytes, deadline_ns);
    pal_cond_fini(&g.changed);
    return result;
}

/* --- companions that are left behind --- */

/* WSPCloseSocket before the other process has taken the connection would end it (the provider withdraws what nobody took),
 * and nothing tells whether it has. So the companion stays as long as a record is good for. */
#define LEFT_MS 60000u /* the provider's WSD_DUPLICATE_EXPIRY_MS */

struct left {
    struct left *next;
    struct sw_companion *companion;
    uint64_t due_ns;
};

static struct {
    struct pal_mutex lock; /* guards the list; a leaf */
    struct left *first, **last;
} left_behind = {.lock = PAL_MUTEX_INIT};

bool san_leave_behind(struct san *c)
{
    struct left *l = malloc(sizeof(*l));

    if (l == NULL)
        return false;
    l->next = NULL;
    l->companion = c->companion;
    l->due_ns = pal_now_ns() + LEFT_MS * UINT64_C(1000000);
    pal_mutex_lock(&left_behind.lock);
    if (left_behind.first == NULL)
        left_behind.last = &left_behind.first;
    *left_behind.last = l;
    left_behind.last = &l->next;
    pal_mutex_unlock(&left_behind.lock);
    san_service_wake();
    return true;
}

static struct left *next_left(bool all, uint64_t *look_ns)
{
    struct left *l;

    pal_mutex_lock(&left_behind.lock);
    l = left_behind.first;
    *look_ns = l == NULL ? UINT64_MAX : l->due_ns;
    if (l != NULL && (all || l->due_ns <= pal_now_ns()))
        left_behind.first = l->next;
    else
        l = NULL;
    pal_mutex_unlock(&left_behind.lock);
    return l;
}

uint64_t san_left_tick(bool all)
{
    uint64_t look_ns;
    struct left *l;

    while ((l = next_left(all, &look_ns)) != NULL) {
        (void)sw_close(l->companion);
        free(l);
    }
    return look_ns;
}

/* --- to here --- */

static int revive_listener(struct san *c, const struct record *r, WSAEVENT event)
{
    INT error = 0;

    c->is_keepalive = r->is_keepalive != 0;
    c->is_urgent_inline = r->is_urgent_inline != 0;
    c->backlog = r->backlog;
    error = sw_get_limits(c->companion, &c->limits); /* of its children */
    if (error == 0 && c->procs->lpWSPEventSelect(c->descriptor, event, FD_ACCEPT, &error) == SOCKET_ERROR)
        return sw_call_failed(c->provider, "WSPEventSelect", error);
    return error;
}

static void listen_on(struct san *c)
{
    c->is_owned = c->is_bound = true;
    san_enter(c);
    c->phase = SAN_LISTENING;
    c->has_requests = true;
    san_service_link(c, true);
    san_leave(c);
    san_service_wake();
}

static void restore(struct san *c, const struct record *r)
{
    c->set.receives = r->receives;
    c->set.message_bytes = r->state.message_bytes;
    c->set.storage_bytes = r->state.storage_bytes;
    c->is_keepalive = r->is_keepalive != 0;
    c->is_urgent_inline = r->is_urgent_inline != 0;
    c->has_urgent = r->has_urgent != 0;
    c->has_close_event = r->has_close_event != 0;
    c->close_event_error = (int)r->close_event_error;
}

static int revive(struct san *c, const struct record *r, const uint8_t *stored)
{
    int error;

    restore(c, r);
    error = sw_get_limits(c->companion, &c->limits);
    if (error == 0)
        error = san_prepare(c, r->state.is_connector != 0);
    if (error != 0)
        return error;
    if (c->set.message_bytes != r->state.message_bytes || !san_register_pool(c))
        return WSAENOBUFS;
    return sw_session_import(c->session, &r->state, stored, r->stored_bytes);
}

static int revive_rest(struct san *c, const struct record *r, const uint8_t *stored)
{
    int error;

    restore(c, r);
    c->local = r->local;
    c->remote = r->remote;
    error = san_prepare(c, r->state.is_connector != 0);
    return error != 0 ? error : sw_session_import(c->session, &r->state, stored, r->stored_bytes);
}

/* The companion, by the provider's half of the record, and what runs over it. */
static int take_up(struct san *c, const struct record *r, const uint8_t *stored, WSAEVENT event)
{
    int error = sw_adopt(c->provider, (WSAPROTOCOL_INFOW *)(uintptr_t)&r->info, &c->notify, NULL,
                         &c->companion);

    if (error != 0)
        return error;
    c->descriptor = c->companion->descriptor;
    c->local = c->companion->local = r->local;
    c->remote = c->companion->remote = r->remote;
    error = r->backlog != 0 ? revive_listener(c, r, event) : revive(c, r, stored);
    if (error != 0)
        (void)sw_close(c->companion);
    return error;
}

int sw_san_adopt(struct sw_provider *p, const struct sw_san_settings *settings, const void *text,
                 size_t text_bytes, const struct sw_carrier_up *up, void *owner, struct sw_carrier **out)
{
    const uint8_t *stored = (const uint8_t *)text + sizeof(struct record);
    struct record r;
    struct san *c;
    WSAEVENT event;
    int error;

    if (text_bytes < sizeof(r))
        return WSAEINVAL;
    memcpy(&r, text, sizeof(r));
    if (r.magic != RECORD_MAGIC || r.record_bytes != sizeof(r) || text_bytes != sizeof(r) + r.stored_bytes ||
        r.state.message_bytes > SW_WIRE_MESSAGE_MAX || r.state.storage_bytes > SW_WIRE_STORAGE_MAX)
        return WSAEINVAL;
    c = san_new(p, settings);
    if (c == NULL)
        return WSA_NOT_ENOUGH_MEMORY;
    error = san_service_start(&event);
    if (error == 0 && r.is_over != 0)
        error = revive_rest(c, &r, stored);
    else if (error == 0)
        error = take_up(c, &r, stored, event);
    if (error != 0) {
        c->companion = NULL;
        san_free(c);
        return error;
    }
    c->carrier.up = up;
    c->carrier.owner = owner;
    *out = &c->carrier;
    if (r.backlog != 0) {
        listen_on(c);
        return 0;
    }
    c->is_owned = c->is_bound = c->was_connected = c->is_opened = true;
    san_enter(c);
    c->phase = SAN_RUNNING;
    san_leave(c);
    return 0;
}
