/* poll.c - sw_poll_sockets(), see sw/switch.h. Source: the page of WSAPoll; B144, B185, B187, B188. */
#include <stdlib.h>
#include <string.h>

#include "spi/selector.h"

static bool has_news(const struct sw_polled *p)
{
    return p->is_none || p->has_failed || (p->events & (p->wanted | FD_CLOSE)) != 0;
}

/* The end of a stream beside bytes: FD_READ says nothing of the end, FD_CLOSE nothing of the bytes. */
static int look(struct sw_place *at)
{
    struct sw_polled *p = at->context;
    struct sw_true is = {0, 0, false};

    p->is_none = !sw_sock_enter(at->sock);
    if (!p->is_none) {
        sw_sock_look(at->sock, &is);
        sw_sock_leave(at->sock);
    }
    p->events = is.events;
    p->close_error = is.close_error;
    p->has_failed = is.has_failed;
    at->is_ready = has_news(p);
    return 0;
}

/* Those that are sockets get a place; how many. */
static unsigned collect(struct sw_polled *all, unsigned count, struct sw_place *places)
{
    unsigned used = 0;

    for (unsigned i = 0; i < count; i++) {
        struct sw_place *at = &places[used];
        struct sw_polled *p = &all[i];
        int error = 0;
        struct sw_sock *s = sw_sock_get(p->handle, &error);

        p->events = 0;
        p->close_error = 0;
        p->has_failed = false;
        p->is_none = s == NULL;
        if (s == NULL)
            continue;
        sw_sock_hold(s);
        sw_sock_leave(s);
        memset(at, 0, sizeof(*at));
        at->sock = s;
        at->handle = p->handle;
        at->context = p;
        at->node.events = p->wanted | FD_CLOSE | FD_CONNECT;
        used++;
    }
    return used;
}

static int run(struct sw_place *places, unsigned used, unsigned nones, int timeout_ms, unsigned *ready)
{
    struct sw_blocker b;
    int code = sw_places_look(places, used, look, ready);

    *ready += nones;
    if (code != 0 || *ready > 0 || timeout_ms == 0)
        return code;
    sw_block_begin(&b, timeout_ms > 0 ? (uint32_t)timeout_ms : 0);
    code = sw_places_wait(places, used, look, &b, ready);
    sw_block_end(&b);
    return code;
}

int sw_poll_sockets(struct sw_polled *all, unsigned count, int timeout_ms, unsigned *ready)
{
    struct sw_place few[SW_INLINE_PLACES];
    struct sw_place *places = few;
    unsigned used;
    int code;

    *ready = 0;
    if (!sw_spi_is_started())
        return WSANOTINITIALISED;
    if (count > SW_INLINE_PLACES)
        places = malloc(count * sizeof(*places));
    if (places == NULL)
        return WSAENOBUFS;
    used = collect(all, count, places);
    code = run(places, used, count - used, timeout_ms, ready);
    for (unsigned i = 0; i < used; i++)
        sw_sock_release(places[i].sock);
    if (places != few)
        free(places);
    return code;
}
