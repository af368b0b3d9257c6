/* events.c - the record of network events: WSPEventSelect, WSPEnumNetworkEvents, WSPAsyncSelect (contract 10.3).
 * Idea: an event is wanted when the application asked for it, it is not recorded, and it is not waiting for its re-enabling call. What
 *       is wanted is asked of the carrier with want(), which answers once; what it says of others is dropped here.
 *   recorded  seen and not yet fetched by WSPEnumNetworkEvents
 *   disabled  reported once; cleared by the re-enabling call, or (FD_CONNECT, FD_CLOSE) by the next connection
 * Turns: recording and setting the event object is one step, and so is resetting it and copying the record (10.1, 9). No lock is held across
 *       an upcall, so whoever does either takes the socket's turn before and gives it up behind the upcall. */
#include "spi/share.h"

#include <string.h>

#define CARRIER_EVENTS (FD_READ | FD_WRITE | FD_OOB | FD_CLOSE)

static uint32_t wanted_locked(const struct sw_sock *s)
{
    return pal_load_relaxed(&((struct sw_sock *)s)->event_mask) & ~s->recorded & ~s->disabled;
}

static unsigned bit_of(uint32_t event)
{
    unsigned bit = 0;

    while ((event & 1u << bit) == 0)
        bit++;
    return bit;
}

/* A signal to give when the lock is free again. */
struct signal {
    WSAEVENT event;
    HWND window;
    UINT message;
    SOCKET handle;
    uint32_t events;
    int error;
};

static void give(const struct signal *signal)
{
    if (signal->window != NULL) {
        for (uint32_t event = 1; event <= signal->events; event <<= 1)
            if ((signal->events & event) != 0)
                sw_up_post_message(signal->window, signal->message, (WPARAM)signal->handle,
                                   (LPARAM)((ULONG)event | (ULONG)signal->error << 16));
    } else if (signal->events != 0 && signal->event != WSA_INVALID_EVENT) {
        sw_up_set_event(signal->event);
    }
}

/* The upcall that somebody else's turn lasts for wakes or resets an event and comes back at once. */
static void take_turn_locked(struct sw_sock *s)
{
    while (s->is_signalling)
        pal_cond_wait(&s->changed, &s->lock);
    s->is_signalling = true;
}

static void give_turn(struct sw_sock *s)
{
    pal_mutex_lock(&s->lock);
    s->is_signalling = false;
    pal_cond_broadcast(&s->changed);
    pal_mutex_unlock(&s->lock);
}

static struct signal record_locked(struct sw_sock *s, uint32_t events, int error)
{
    struct signal signal = {s->event, s->window, s->message, s->message_handle, events & wanted_locked(s),
                            error};

    if (s->window == NULL)
        s->recorded |= signal.events;
    s->disabled |= signal.events;
    for (uint32_t left = signal.events; left != 0; left &= left - 1) {
        unsigned bit = bit_of(left);

        s->event_error[bit] = 1u << bit == FD_CONNECT || 1u << bit == FD_CLOSE ? error : 0;
    }
    return signal;
}

static void happened(struct sw_sock *s, const struct sw_leg *leg, uint32_t events, int error)
{
    struct signal signal;
    bool has_turn;

    pal_mutex_lock(&s->lock);
    has_turn = s->event != WSA_INVALID_EVENT && (events & wanted_locked(s)) != 0;
    if (has_turn)
        take_turn_locked(s);
    if (leg == NULL || !leg->is_retired) {
        signal = record_locked(s, events, error);
        sw_events_wake_locked(s, events);
        pal_cond_broadcast(&s->changed);
        pal_mutex_unlock(&s->lock);
        give(&signal);
    } else {
        pal_mutex_unlock(&s->lock);
    }
    if (has_turn)
        give_turn(s);
}

void sw_events_happened(struct sw_sock *s, uint32_t events, int error)
{
    happened(s, NULL, events, error);
}

void sw_events_of_leg(struct sw_leg *leg, uint32_t events, int error)
{
    happened(leg->sock, leg, events, error);
}

void sw_events_forget_locked(struct sw_sock *s)
{
    s->disabled &= ~(uint32_t)(FD_CONNECT | FD_CLOSE | FD_WRITE | FD_READ | FD_OOB);
    s->recorded &= ~(uint32_t)(FD_CONNECT | FD_CLOSE | FD_WRITE | FD_READ | FD_OOB);
}

/* Ask the carriers for `events`; a call is counted, so they stay. */
static void want(struct sw_sock *s, uint32_t events)
{
    struct sw_carrier *data = pal_load_acquire(&s->data);
    struct sw_carrier *listeners[SW_LISTENERS_MAX];
    unsigned count = 0;

    if (data != NULL && (events & CARRIER_EVENTS) != 0)
        data->ops->want(data, events & CARRIER_EVENTS);
    else if ((events & CARRIER_EVENTS) != 0)
        sw_share_want(s, true);
    if ((events & FD_ACCEPT) == 0)
        return;
    sw_share_want(s, true); /* a listener's SAN half */
    pal_mutex_lock(&s->lock);
    if (s->state == SW_LISTENING) {
        if (s->tcp != NULL)
            listeners[count++] = s->tcp->carrier;
        for (struct sw_leg *leg = s->san; leg != NULL && count < SW_LISTENERS_MAX; leg = leg->next)
            listeners[count++] = leg->carrier;
    }
    pal_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < count; i++)
        listeners[i]->ops->want(listeners[i], FD_ACCEPT);
}

void sw_events_arm(struct sw_sock *s)
{
    uint32_t events;

    pal_mutex_lock(&s->lock);
    events = wanted_locked(s);
    for (struct sw_select_node *node = s->selectors; node != NULL; node = node->next)
        events |= node->events;
    if (s->accept_waiters > 0 || s->accept_first != NULL)
        events |= FD_ACCEPT;
    pal_mutex_unlock(&s->lock);
    if (events != 0)
        want(s, events);
}

void sw_events_enable_slowly(struct sw_sock *s, uint32_t events)
{
    pal_mutex_lock(&s->lock);
    s->disabled &= ~events;
    events &= wanted_locked(s);
    pal_mutex_unlock(&s->lock);
    if (events != 0)
        want(s, events);
}

void sw_events_inherit(struct sw_sock *listener, struct sw_sock *s)
{
    WSAEVENT event;
    HWND window;
    UINT message;
    uint32_t mask;

    pal_mutex_lock(&listener->lock);
    event = listener->event;
    window = listener->window;
    message = listener->message;
    mask = pal_load_relaxed(&listener->event_mask);
    pal_mutex_unlock(&listener->lock);
    pal_mutex_lock(&s->lock);
    s->event = event;
    s->window = window;
    s->message = message;
    s->message_handle = s->first.handle;
    pal_store_relaxed(&s->event_mask, mask);
    pal_mutex_unlock(&s->lock);
    if (mask != 0)
        sw_events_arm(s);
}

/* --- the three functions --- */

static int select_events(SOCKET h, WSAEVENT event, HWND window, UINT message, LONG events, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    struct signal signal = {event, NULL, 0, h, 0, 0};

    if (s == NULL)
        return SOCKET_ERROR;
    if (events != 0 && ((events & ~FD_ALL_EVENTS) != 0 || (event == WSA_INVALID_EVENT && window == NULL))) {
        sw_sock_leave(s);
        return SW_RESULT(error, WSAEINVAL);
    }
    pal_mutex_lock(&s->lock);
    take_turn_locked(s);
    s->event = events == 0 ? WSA_INVALID_EVENT : event;
    s->window = events == 0 ? NULL : window;
    s->message = message;
    s->message_handle = h;
    pal_store_relaxed(&s->event_mask, (uint32_t)events);
    if (window !=
        NULL) { /* unlike WSPEventSelect it tells again what still holds (winsock-behaviours, scope) */
        s->disabled &= (uint32_t)(FD_CONNECT | FD_CLOSE) & ~s->recorded;
        s->recorded = 0;
    }
    signal.events = s->recorded & (uint32_t)events;
    pal_mutex_unlock(&s->lock);
    if (events != 0)
        atomic_fetch_or_explicit(&s->mode, SW_MODE_NONBLOCKING, memory_order_relaxed);
    give(&signal);
    give_turn(s);
    sw_events_arm(s);
    sw_sock_leave(s);
    return 0;
}

int WSPAPI sw_spi_event_select(SOCKET h, WSAEVENT event, LONG events, LPINT error)
{
    return select_events(h, event, NULL, 0, events, error);
}

int WSPAPI sw_spi_async_select(SOCKET h, HWND window, UINT message, LONG events, LPINT error)
{
    return select_events(h, WSA_INVALID_EVENT, window, message, events, error);
}

/* Atomic, as the page has it: what is recorded later sets the event later. */
int WSPAPI sw_spi_enum_network_events(SOCKET h, WSAEVENT event, LPWSANETWORKEVENTS out, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    uint32_t events;

    if (s == NULL)
        return SOCKET_ERROR;
    if (out == NULL) {
        sw_sock_leave(s);
        return SW_RESULT(error, WSAEFAULT);
    }
    pal_mutex_lock(&s->lock);
    if (event != WSA_INVALID_EVENT) {
        take_turn_locked(s);
        pal_mutex_unlock(&s->lock);
        sw_up_reset_event(event);
        pal_mutex_lock(&s->lock);
    }
    events = s->recorded & pal_load_relaxed(&s->event_mask); /* the others stay (B153) */
    s->recorded &= ~events;
    out->lNetworkEvents = (LONG)events;
    for (uint32_t left = events; left != 0; left &= left - 1)
        out->iErrorCode[bit_of(left)] = s->event_error[bit_of(left)];
    pal_mutex_unlock(&s->lock);
    if (event != WSA_INVALID_EVENT)
        give_turn(s);
    sw_sock_leave(s);
    return 0;
}
