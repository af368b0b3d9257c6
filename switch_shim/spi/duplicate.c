/* duplicate.c - sockets for another process (contract 10.1, 8; 8.10); for this one: offer.c.
 * How: only 32 bits travel, dwProviderReserved: the number of a record (records.c) that names the target process and is taken once. In it the
 *      socket is written down (description.h).
 *   tcp  truly shared: both processes use the one socket of the system, and it ends with the last close (a listener's SAN half:
 *        duplicate_listener.c)
 *   san  nothing moves here: the other process gets a handle, and control when it uses it (share.h) */
#include "spi/duplicate.h"

#include <stdlib.h>
#include <string.h>

#include "pal/process.h"
#include "pal/time.h"
#include "spi/description.h"
#include "spi/offer.h"

#define GIVE_MS 10000u /* patience with a carrier that still moves data: our choice */

/* --- here --- */

/* The carrier that has the socket's life: the one with the data, else TCP/IP's. */
static struct sw_carrier *to_give(struct sw_sock *s)
{
    struct sw_carrier *c = pal_load_acquire(&s->data);

    pal_mutex_lock(&s->lock);
    if (c == NULL && s->tcp != NULL && s->state != SW_CONNECTED)
        c = s->tcp->carrier;
    pal_mutex_unlock(&s->lock);
    return c;
}

static void fill(struct sw_sock *s, DWORD process, struct sw_description *d)
{
    pal_mutex_lock(&s->lock);
    sw_description_fill_locked(s, process, d);
    pal_mutex_unlock(&s->lock);
}

static bool is_on_san(struct sw_sock *s, struct sw_carrier *c)
{
    bool yes;

    pal_mutex_lock(&s->lock);
    yes = s->state == SW_CONNECTED && s->san != NULL && s->san->carrier == c;
    pal_mutex_unlock(&s->lock);
    return yes;
}

/* A listener's SAN half stays, until somebody accepts there (share_listener.c). */
static int share_listener(struct sw_sock *s)
{
    WSD_SOCKADDR_STORAGE local;
    struct sw_holder self;
    bool is_wanted, is_first;
    int code;

    pal_mutex_lock(&s->lock);
    is_wanted = s->state == SW_LISTENING && s->af == WS_AF_INET;
    is_first = sw_share_of(s) == NULL;
    pal_mutex_unlock(&s->lock);
    if (!is_wanted || sw_providers_mode() == SW_SWITCH_OFF)
        return 0;
    memset(&local, 0, sizeof(local));
    code = sw_share_make(s, 0, &local, (int)sizeof(local));
    if (code == 0 && is_first) {
        sw_share_self(sw_share_of(s), &self);
        sw_place_put(sw_share_of(s)->identity, &self, 0);
    }
    return code;
}

/* TCP/IP's: the socket of the system, from now on both processes'. */
static int give_system_socket(struct sw_sock *s, struct sw_carrier *c, DWORD process,
                              struct sw_description *d, char *text, uint32_t *id)
{
    size_t bytes = SW_TEXT_ROOM;
    int code = c->ops->give == NULL
                   ? WSAEOPNOTSUPP
                   : c->ops->give(c, process, text, &bytes, pal_now_ns() + GIVE_MS * 1000000ull);

    if (code != 0)
        return code;
    code = share_listener(s);
    if (code != 0)
        return code;
    fill(s, process, d);
    d->carrier_bytes = d->text_bytes = (uint32_t)bytes;
    return sw_description_put(d, text, false, id);
}

/* A SAN's: who shares it is written where control is, so that comes here first when it is elsewhere. */
static int share(struct sw_sock *s, struct sw_carrier *c, DWORD process, struct sw_description *d, char *text,
                 uint32_t *id)
{
    const bool is_first = sw_share_of(s) == NULL;
    struct sw_holder self;
    WSD_SOCKADDR_STORAGE local;
    int local_bytes = sizeof(local);
    int code;

    memset(&local, 0, sizeof(local));
    code = c->ops->local(c, &local, &local_bytes);
    if (code == 0)
        code = sw_share_make(s, 0, &local, local_bytes);
    if (code == 0 && is_first) { /* later control may be leaving right now, and who takes it writes there */
        sw_share_self(sw_share_of(s), &self);
        sw_place_put(sw_share_of(s)->identity, &self, 0);
    }
    if (code == 0)
        code = sw_share_offer(s, process);
    if (code != 0)
        return code;
    fill(s, process, d);
    d->is_san = true;
    code = sw_description_put(d, text, false, id);
    if (code != 0)
        sw_share_take_back(s, process);
    return code;
}

static int give(struct sw_sock *s, DWORD process, struct sw_description *d, char *text, uint32_t *id)
{
    struct sw_carrier *c = NULL;
    int code = 0;

    if (sw_share_look(s, &c))
        c = sw_share_carrier(s, 0, &code);
    else if (c == NULL && (c = to_give(s)) == NULL)
        code = WSAENOTCONN;
    if (c == NULL)
        return code;
    return is_on_san(s, c) ? share(s, c, process, d, text, id)
                           : give_system_socket(s, c, process, d, text, id);
}

static int give_away(struct sw_sock *s, DWORD process, uint32_t *id)
{
    struct sw_description *d = calloc(1, sizeof(*d));
    char *text = malloc(SW_TEXT_ROOM);
    int code = d == NULL || text == NULL ? WSAENOBUFS : SW_E_MOVED;

    while (code == SW_E_MOVED)
        code = give(s, process, d, text, id);
    free(text);
    free(d);
    return code;
}

/* As the page has it (10.1, 8); what stops a carrier has more names. */
static int documented(int code)
{
    switch (code) {
    case 0:
    case WSAEINVAL:
    case WSAEMFILE:
    case WSAENETDOWN:
    case WSAENOBUFS: return code;
    case WSA_NOT_ENOUGH_MEMORY:
    case WSAEFAULT:                       /* no room for what has to be written down */
    case WSAETIMEDOUT: return WSAENOBUFS; /* the peer takes nothing; later it may */
    case WSAENOTCONN:
    case WSAEALREADY: /* it is with another process, or on its way to one */
    case WSAEOPNOTSUPP: return WSAEINVAL;
    default: return WSAENETDOWN; /* the connection is gone */
    }
}

int WSPAPI sw_spi_duplicate_socket(SOCKET handle, DWORD process, LPWSAPROTOCOL_INFOW info, LPINT error)
{
    struct sw_sock *s = sw_sock_get(handle, error);
    uint32_t id = 0;
    int code = 0;

    if (s == NULL)
        return SOCKET_ERROR;
    if (info == NULL)
        code = WSAEFAULT;
    else if (process == pal_process_id())
        code = sw_offer_make(s, &id);
    else if (!pal_process_exists(process))
        code = WSAEINVAL; /* B211 */
    else
        code = documented(give_away(s, process, &id));
    if (code == 0) {
        *info = s->info;
        info->dwProviderReserved = id;
    }
    sw_sock_leave(s);
    *error = code;
    return code == 0 ? 0 : SOCKET_ERROR;
}

/* --- the other process --- */

/* Without the SAN half; where that is learns of the handle, or does not: then the process there is about to close its own. */
static int join_listener(struct sw_sock *s, const struct sw_description *d, uint32_t id)
{
    int code;

    if (sw_providers_mode() == SW_SWITCH_OFF)
        return 0;
    code = sw_share_make(s, d->identity, &d->local, d->local_bytes);
    if (code != 0)
        return code;
    pal_mutex_lock(&s->lock);
    sw_share_of(s)->next = d->from;
    sw_share_of(s)->generation = d->generation;
    s->backlog = d->backlog;
    s->is_moved = true;
    pal_mutex_unlock(&s->lock);
    (void)sw_share_join(s, id);
    return 0;
}

static int adopt(struct sw_sock *s, const struct sw_description *d, const char *text, uint32_t id)
{
    struct sw_leg *leg;
    bool is_right;
    int code = sw_description_carrier(s, d, text, &leg);

    if (code != 0)
        return code;
    pal_mutex_lock(&s->lock);
    s->tcp = leg;
    sw_description_restore_locked(s, d);
    is_right = sw_description_move_locked(s, d);
    if (d->state == SW_CONNECTED || (s->type != WS_SOCK_STREAM && s->is_bound))
        sw_sock_set_data(s, leg->carrier);
    s->connected_ns = pal_now_ns();
    pal_mutex_unlock(&s->lock);
    if (!is_right)
        return WSAEINVAL; /* no record of ours */
    return d->identity != 0 ? join_listener(s, d, id) : 0;
}

/* A handle of a connection that is elsewhere, until it is used. */
static int adopt_share(struct sw_sock *s, const struct sw_description *d)
{
    bool is_right;
    int code;

    if (sw_description_provider(d) == NULL)
        return WSAENETDOWN; /* it could never come here */
    pal_mutex_lock(&s->lock);
    sw_description_restore_locked(s, d);
    is_right = sw_description_move_locked(s, d);
    s->is_moved = true;
    s->connected_ns = pal_now_ns();
    pal_mutex_unlock(&s->lock);
    code = is_right && d->local_bytes > 0 && d->local_bytes <= (int)sizeof(d->local)
               ? sw_share_make(s, d->identity, &d->local, d->local_bytes)
               : WSAEINVAL;
    if (code != 0)
        return code;
    pal_mutex_lock(&s->lock);
    sw_share_of(s)->next = d->from;
    sw_share_of(s)->generation = d->generation;
    pal_mutex_unlock(&s->lock);
    return 0;
}

static int make(const struct sw_description *d, const char *text, DWORD flags, uint32_t id, SOCKET *out)
{
    const bool is_shared = d->identity != 0 && d->is_san != 0;
    struct sw_sock *s = sw_description_socket(d,
                                              (flags & WSA_FLAG_OVERLAPPED) != 0 ? SW_MODE_OVERLAPPED : 0u);
    int code;

    if (s == NULL)
        return WSAENOBUFS;
    code = is_shared ? adopt_share(s, d) : adopt(s, d, text, id);
    if (code == 0)
        code = sw_sock_publish(s);
    if (code == 0 && is_shared)
        code = sw_share_join(s, id);
    if (code != 0) {
        sw_sock_abandon(s);
        return code;
    }
    *out = s->first.handle;
    sw_sock_leave(s);
    return 0;
}

/* A listener's that is here already. */
static int drop_system_socket(struct sw_sock *s, const struct sw_description *d, const char *text)
{
    struct sw_leg *leg;
    int code = sw_description_carrier(s, d, text, &leg);

    if (code != 0)
        return code;
    pal_mutex_lock(&s->lock);
    sw_leg_retire_locked(s, leg, SW_SESSION_LINGER_FOREVER);
    pal_mutex_unlock(&s->lock);
    return 0;
}

/* It is this process's already: one more handle, before anything is said of it. SW_E_MOVED: its last one is just being closed. */
static int take_known(struct sw_sock *s, const struct sw_description *d, const char *text, uint32_t id,
                      SOCKET *out)
{
    INT ignored = 0;
    int code = sw_names_add(s, out);

    if (code != 0)
        return code == WSAEINVAL ? SW_E_MOVED : code;
    code = d->is_san != 0 ? sw_share_join(s, id) : drop_system_socket(s, d, text);
    if (code != 0)
        (void)sw_spi_close_socket(*out, &ignored);
    return code;
}

static int take_once(const struct sw_description *d, const char *text, DWORD flags, uint32_t id, SOCKET *out)
{
    struct sw_share_turn turn;
    struct sw_sock *known;
    int code = 0;

    sw_share_turn_begin(&turn, d->identity);
    known = sw_share_find(d->identity);
    if (known == NULL)
        code = make(d, text, flags, id, out);
    sw_share_turn_end(&turn);
    if (known != NULL) {
        code = take_known(known, d, text, id, out);
        sw_sock_leave(known);
    }
    return code;
}

static int take_shared(const struct sw_description *d, const char *text, DWORD flags, uint32_t id,
                       SOCKET *out)
{
    int code = take_once(d, text, flags, id, out);

    while (code == SW_E_MOVED) { /* until it is not found any more: a moment */
        pal_sleep_ms(1);
        code = take_once(d, text, flags, id, out);
    }
    return code;
}

static int take(const WSAPROTOCOL_INFOW *info, DWORD flags, struct sw_description *d, SOCKET *out)
{
    const uint32_t id = info->dwProviderReserved;
    char *text = NULL;
    int code = sw_description_fetch(id, d, &text);

    if (code == 0)
        code = d->identity != 0 ? take_shared(d, text, flags, id, out) : make(d, text, flags, id, out);
    free(text);
    return code;
}

SOCKET sw_duplicate_take(const WSAPROTOCOL_INFOW *info, DWORD flags, LPINT error)
{
    SOCKET handle = INVALID_SOCKET;
    struct sw_description *d;

    if (sw_offer_take(info->dwProviderReserved, &handle, error))
        return *error == 0 ? handle : INVALID_SOCKET;
    d = calloc(1, sizeof(*d));
    *error = d == NULL ? WSAENOBUFS : take(info, flags, d, &handle);
    free(d);
    return handle;
}
