/* offer.c - see offer.h. Both handles mean the same object, so everything is shared: state, options, event selection, and the connection,
 * whichever side carries it.
 * Idea: an offer that nobody has taken counts as an open handle: the page of WSADuplicateSocket lets the first one be closed before. It
 *       ends after EXPIRY_MS, noticed by the next duplication, or with WSPCleanup. Until then it keeps the connection, as the handle does
 *       that Windows makes in the target at once. */
#include "spi/offer.h"

#include <stdlib.h>

#include "pal/memory.h"

#define EXPIRY_MS 60000u /* as the provider's WSD_DUPLICATE_EXPIRY_MS (contract Q26) */

struct offer {
    struct offer *next;
    struct sw_sock *sock; /* holds a reference, and counts in open_count */
    uint64_t due_ns;
    uint32_t id;
};

static struct pal_mutex lock = PAL_MUTEX_INIT; /* guards the list; a leaf */
static struct offer *offers;

static struct offer *take_out(uint32_t id)
{
    struct offer **at = &offers, *found;

    pal_mutex_lock(&lock);
    while (*at != NULL && (*at)->id != id)
        at = &(*at)->next;
    found = *at;
    if (found != NULL)
        *at = found->next;
    pal_mutex_unlock(&lock);
    return found;
}

/* The oldest is the last. */
static struct offer *take_out_due(uint64_t now_ns)
{
    struct offer **at = &offers, *found;

    pal_mutex_lock(&lock);
    while (*at != NULL && (*at)->due_ns > now_ns)
        at = &(*at)->next;
    found = *at;
    if (found != NULL)
        *at = found->next;
    pal_mutex_unlock(&lock);
    return found;
}

/* It does not count any more. The socket is closed when nothing else keeps it open. */
static void end(struct offer *o)
{
    struct sw_sock *s = o->sock;
    bool is_last;

    pal_mutex_lock(&s->lock);
    is_last = --s->open_count == 0;
    pal_mutex_unlock(&s->lock);
    if (is_last && sw_sock_enter(s)) {
        (void)sw_sock_begin_close(s, sw_sock_linger_ms(s));
        sw_sock_leave(s);
    }
    sw_sock_release(s);
    free(o);
}

static void drop_due(uint64_t now_ns)
{
    struct offer *o;

    while ((o = take_out_due(now_ns)) != NULL)
        end(o);
}

void sw_offers_drop(void)
{
    drop_due(UINT64_MAX);
}

static bool put(struct offer *o)
{
    bool is_new = true;

    pal_mutex_lock(&lock);
    for (const struct offer *other = offers; other != NULL; other = other->next)
        is_new = is_new && other->id != o->id;
    if (is_new) {
        o->next = offers;
        offers = o;
    }
    pal_mutex_unlock(&lock);
    return is_new;
}

int sw_offer_make(struct sw_sock *s, uint32_t *id)
{
    struct offer *o = calloc(1, sizeof(*o));

    drop_due(pal_now_ns());
    if (o == NULL)
        return WSAENOBUFS;
    o->sock = s;
    o->due_ns = pal_now_ns() + EXPIRY_MS * UINT64_C(1000000);
    sw_sock_hold(s);
    pal_mutex_lock(&s->lock);
    s->open_count++;
    pal_mutex_unlock(&s->lock);
    do {
        if (!pal_random(&o->id, sizeof(o->id))) {
            end(o);
            return WSAENOBUFS;
        }
        *id = o->id;
    } while (*id == 0 || !put(o));
    return 0;
}

bool sw_offer_take(uint32_t id, SOCKET *out, int *code)
{
    struct offer *o;

    drop_due(pal_now_ns());
    o = take_out(id);
    if (o == NULL)
        return false;
    *code = WSAEINVAL; /* WSPCleanup closed it meanwhile */
    if (sw_sock_enter(o->sock)) {
        *code = sw_names_add(o->sock, out);
        sw_sock_leave(o->sock);
    }
    end(o);
    return true;
}
