/* listen.c - WSPListen: TCP/IP always listens; beside it each provider whose address is bound, or every one for the wildcard
 * (contract 8.2). */
#include "spi/spi.h"

#include <string.h>

#include "spi/accept.h"
#include "spi/share.h"

/* --- listening --- */

/* False: the provider does not. TCP/IP listens all the same. */
static bool listen_on(struct sw_sock *s, struct sw_provider *p, const WSD_SOCKADDR_IN *local, int backlog,
                      struct sw_leg **list)
{
    struct sw_leg *leg = sw_leg_new(s, true);
    struct sw_carrier *c;

    if (leg == NULL)
        return false;
    if (sw_san_create(p, sw_providers_settings(), &sw_leg_up, leg, &leg->carrier) != 0) {
        sw_leg_free_unused(leg);
        return false;
    }
    c = leg->carrier;
    if (c->ops->bind(c, (const WSD_SOCKADDR *)local, sizeof(*local)) == 0 && sw_options_replay(s, c) == 0 &&
        c->ops->listen(c, backlog) == 0) {
        leg->next = *list;
        *list = leg;
        return true;
    }
    pal_mutex_lock(&s->lock);
    sw_leg_retire_locked(s, leg, 0);
    pal_mutex_unlock(&s->lock);
    return false;
}

/* The wildcard is all of a provider's addresses. Where one of its devices cannot have the port, as kernel iWARP cannot that TCP/IP owns
 * already, the others still can: one by one then. */
static void listen_on_provider(struct sw_sock *s, struct sw_provider *p, const WSD_SOCKADDR_IN *local,
                               int backlog, struct sw_leg **list)
{
    struct sw_address own[SW_LISTEN_ADDRESSES];
    unsigned count;

    if (listen_on(s, p, local, backlog, list) || local->sin_addr.s_addr != 0)
        return;
    count = sw_addresses(p, own, SW_LISTEN_ADDRESSES);
    for (unsigned i = 0; i < count && i < SW_LISTEN_ADDRESSES; i++) {
        WSD_SOCKADDR_IN one = own[i].address;

        one.sin_port = local->sin_port;
        (void)listen_on(s, p, &one, backlog, list);
    }
}

static struct sw_leg *listen_on_providers(struct sw_sock *s, struct sw_carrier *tcp, int backlog)
{
    struct sw_provider *providers[SW_PROVIDERS_MAX];
    struct sw_leg *list = NULL;
    WSD_SOCKADDR_STORAGE name;
    WSD_SOCKADDR_IN local;
    int bytes = sizeof(name);
    unsigned count;

    if (s->af != WS_AF_INET || sw_providers_mode() == SW_SWITCH_OFF ||
        tcp->ops->local(tcp, &name, &bytes) != 0)
        return NULL;
    memcpy(&local, &name, sizeof(local));
    count = sw_providers_listening(&local, providers);
    while (count > 0) /* the first stands at the head of the list */
        listen_on_provider(s, providers[--count], &local, backlog, &list);
    return list;
}

struct sw_leg *sw_listen_on_providers(struct sw_sock *s)
{
    struct sw_carrier *tcp;
    int backlog;

    pal_mutex_lock(&s->lock);
    tcp = s->tcp != NULL ? s->tcp->carrier : NULL;
    backlog = s->backlog;
    pal_mutex_unlock(&s->lock);
    return tcp == NULL ? NULL : listen_on_providers(s, tcp, backlog);
}

static int start_listening(struct sw_sock *s, int backlog)
{
    struct sw_leg *san = NULL, *tcp;
    enum sw_state state;
    int code;

    pal_mutex_lock(&s->lock);
    state = s->state;
    tcp = s->tcp;
    pal_mutex_unlock(&s->lock);
    if (s->type != WS_SOCK_STREAM)
        return WSAEOPNOTSUPP;
    if (state == SW_CONNECTED)
        return WSAEISCONN;
    if ((state != SW_BOUND && state != SW_LISTENING) || tcp == NULL)
        return WSAEINVAL; /* B031: not bound, connecting */
    code = tcp->carrier->ops->listen(tcp->carrier, backlog);
    if (code != 0 ||
        state == SW_LISTENING) /* again: TCP/IP's backlog changes (10.3), the providers keep theirs */
        return code;
    san = listen_on_providers(s, tcp->carrier, backlog);
    pal_mutex_lock(&s->lock);
    if (s->state == SW_BOUND && sw_sock_move_locked(s, SW_LISTENING)) {
        s->san = san;
        s->backlog = backlog;
        san = NULL;
    }
    while (san != NULL) { /* another thread was faster: it listens already, or it connects */
        struct sw_leg *leg = san;

        san = leg->next;
        sw_leg_retire_locked(s, leg, 0);
    }
    code = s->state == SW_LISTENING ? 0 : WSAEINVAL;
    pal_mutex_unlock(&s->lock);
    sw_events_arm(s);
    return code;
}

int WSPAPI sw_spi_listen(SOCKET h, int backlog, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    int code;

    if (s == NULL)
        return SOCKET_ERROR;
    code = start_listening(s, backlog);
    sw_sock_leave(s);
    *error = code;
    return code == 0 ? 0 : SOCKET_ERROR;
}
