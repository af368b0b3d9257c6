/* ready.c - what is true of a connection now, and reporting when it becomes true. Everything is looked up when it is asked
 * for: an event that nobody wanted is not remembered, so select() never spins on one that has passed.
 * Source: carrier.h; contract 10.3; windows.md trap 5. */
#include "san/internal.h"

uint32_t san_true_events(struct san *c)
{
    uint32_t events = 0;

    if (c->phase == SAN_LISTENING)
        return c->ready_first != NULL ? FD_ACCEPT : 0;
    if (c->session == NULL || !c->is_opened || c->is_moved)
        return c->connect_error != 0 ? FD_CONNECT : 0;
    events = FD_CONNECT;
    if (sw_session_readable(c->session) != 0)
        events |= FD_READ;
    if (sw_session_is_writable(c->session))
        events |= FD_WRITE;
    if (c->has_urgent && !c->is_urgent_inline)
        events |= FD_OOB;
    if (c->has_close_event)
        events |= FD_CLOSE;
    return events;
}

/* A transfer of the peer's that waits counts as readable once it is fetched. */
static void fetch(struct san *c)
{
    if (c->phase == SAN_RUNNING && c->is_opened && !c->is_moved && sw_session_readable(c->session) == 0)
        sw_session_want_read(c->session);
}

struct sw_ready san_ready(struct sw_carrier *carrier)
{
    struct san *c = san_of(carrier);
    struct sw_ready ready = {0};

    san_enter(c);
    fetch(c);
    san_act(c);
    ready.events = san_true_events(c);
    ready.connect_error = c->connect_error;
    ready.close_error = c->close_event_error;
    san_leave(c);
    return ready;
}

void san_want(struct sw_carrier *carrier, uint32_t events)
{
    struct san *c = san_of(carrier);

    san_enter(c);
    c->wanted |= events & ~(uint32_t)FD_CONNECT; /* that one comes unasked, once */
    san_hot_cool(c, CALM_AFTER_EVENTS);          /* who waits for events does not come and look */
    if ((events & FD_READ) != 0)
        fetch(c);
    san_leave(c);
}

uint64_t san_readable(struct sw_carrier *carrier)
{
    struct san *c = san_of(carrier);
    uint64_t bytes;

    san_enter(c);
    fetch(c);
    san_act(c);
    bytes = c->session == NULL ? 0 : sw_session_readable(c->session);
    san_leave(c);
    return bytes;
}

bool san_at_mark(struct sw_carrier *carrier)
{
    struct san *c = san_of(carrier);
    bool is_at_mark;

    san_enter(c);
    is_at_mark = c->session == NULL || sw_session_at_mark(c->session);
    san_leave(c);
    return is_at_mark;
}
