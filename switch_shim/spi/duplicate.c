/* duplicate.c - sockets for another process (contract 10.1, 8; 8.10); for this one: offer.c.
 * How: only 32 bits travel, dwProviderReserved: the number of a record (records.c) that names the target process and is taken once. Its head is
 *      the socket's own state, its text what the carrier's give() wrote.
 *   tcp  truly shared: both processes use the one socket of the system, and it ends with the last close (a listener's SAN half:
 *        duplicate_listener.c)
 *   san  moves: the session is suspended and resumes in the other process. Control does not move by itself when this process uses its
 *        handle again: such calls fail with WSAENOTCONN, and closing it disturbs nobody (8.10, 8.12 MOVED). It comes back by being
 *        duplicated back, and then every handle that this process still has works again (4.3: "re-activated"). */
#include "spi/duplicate.h"

#include <stdlib.h>
#include <string.h>

#include "pal/memory.h"
#include "pal/process.h"
#include "spi/duplicate_listener.h"
#include "spi/offer.h"
#include "spi/records.h"
#include "tcpip/tcpip.h"

#define GIVE_MS      10000u     /* patience with a carrier that still moves data: our choice */
#define TEXT_ROOM    (1u << 20) /* a session carries what the application has not fetched */
#define MAGIC        0x57534432u
#define MOVING_MODES ((uint32_t)(SW_MODE_NONBLOCKING | SW_MODE_SHUT_SEND | SW_MODE_SHUT_RECV))

struct head {
    uint32_t magic, target, text_bytes;
    uint32_t carrier_bytes; /* of the text; the rest is the SAN half of a listener */
    int32_t af, type, protocol, state;
    uint32_t mode, is_san, is_bound, is_peer_set, remembered_count, send_ms, receive_ms;
    int32_t to_bytes;
    uint64_t identity;
    WSD_SOCKADDR_STORAGE to;
    WSD_LINGER linger;
    WSAPROTOCOL_INFOW info;
    struct sw_remembered remembered[SW_REMEMBERED_MAX];
};

static void fill_head(struct sw_sock *s, struct head *h)
{
    pal_mutex_lock(&s->lock);
    h->af = s->af;
    h->type = s->type;
    h->protocol = s->protocol;
    h->state = (int32_t)s->state;
    h->is_bound = s->is_bound;
    h->is_peer_set = s->is_peer_set;
    h->to_bytes = s->to_bytes;
    h->identity = s->identity;
    h->to = s->to;
    h->linger = s->linger;
    h->info = s->info;
    h->remembered_count = s->remembered_count;
    memcpy(h->remembered, s->remembered, sizeof(h->remembered));
    pal_mutex_unlock(&s->lock);
    h->mode = pal_load_relaxed(&s->mode);
    h->send_ms = pal_load_relaxed(&s->send_ms);
    h->receive_ms = pal_load_relaxed(&s->receive_ms);
}

/* The carrier that has the socket's life: the one with the data, else TCP/IP's. */
static struct sw_carrier *to_give(struct sw_sock *s, bool *is_san)
{
    struct sw_carrier *c = pal_load_acquire(&s->data);

    pal_mutex_lock(&s->lock);
    if (c == NULL && s->tcp != NULL && s->state != SW_CONNECTED)
        c = s->tcp->carrier;
    *is_san = s->san != NULL && s->san->carrier == c;
    pal_mutex_unlock(&s->lock);
    return c;
}

/* So that it is known when it comes back. Without randomness it is not: then it comes back as a socket of its own. */
static void name_it(struct sw_sock *s)
{
    uint64_t fresh = 0;

    if (!pal_random(&fresh, sizeof(fresh)))
        return;
    pal_mutex_lock(&s->lock);
    if (s->identity == 0)
        s->identity = fresh;
    pal_mutex_unlock(&s->lock);
}

static int give(struct sw_sock *s, DWORD process, struct head *h, char *text, uint32_t *id)
{
    size_t bytes = TEXT_ROOM;
    bool is_san;
    struct sw_carrier *c = to_give(s, &is_san);
    struct sw_record r;
    int code;

    if (c == NULL)
        return WSAENOTCONN; /* it is with another process already */
    if (c->ops->give == NULL)
        return WSAEOPNOTSUPP;
    code = c->ops->give(c, process, text, &bytes, pal_now_ns() + GIVE_MS * 1000000ull);
    if (code != 0)
        return code;
    name_it(s);
    h->magic = MAGIC;
    h->target = process;
    h->is_san = is_san;
    fill_head(s, h);
    h->carrier_bytes = (uint32_t)bytes;
    if (h->state == SW_LISTENING)
        bytes += sw_listener_give(s, process, text + bytes, TEXT_ROOM - bytes);
    h->text_bytes = (uint32_t)bytes;
    r = (struct sw_record){h, text, sizeof(*h), h->text_bytes};
    code = sw_records_put(&r, id) ? 0 : WSAENOBUFS;
    if (is_san) { /* moved: only closing is left here */
        pal_mutex_lock(&s->lock);
        s->is_moved = true;
        sw_sock_set_data(s, NULL);
        pal_mutex_unlock(&s->lock);
    }
    return code;
}

static int give_away(struct sw_sock *s, DWORD process, uint32_t *id)
{
    struct head *h = calloc(1, sizeof(*h));
    char *text = malloc(TEXT_ROOM);
    int code = h == NULL || text == NULL ? WSAENOBUFS : give(s, process, h, text, id);

    free(text);
    free(h);
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

static int fetch(uint32_t id, struct head *h, char **text)
{
    struct sw_record r = {.head = h, .head_bytes = sizeof(*h)};

    if (!sw_records_peek(id, &r) || h->magic != MAGIC || h->target != pal_process_id() ||
        h->text_bytes > TEXT_ROOM || h->carrier_bytes > h->text_bytes)
        return WSAEINVAL; /* not ours, or used already */
    if (!sw_records_take_head(id, &r))
        return WSAEINVAL;
    r.text_bytes = h->text_bytes;
    r.text = *text = malloc(r.text_bytes + 1u);
    if (r.text == NULL || !sw_records_take_text(id, &r)) {
        free(r.text);
        return WSAENOBUFS;
    }
    return 0;
}

/* The carrier, in a leg that is not yet the socket's. */
static int adopt_carrier(struct sw_sock *s, const struct head *h, const char *text, struct sw_leg **out)
{
    struct sw_leg *leg = sw_leg_new(s, h->is_san != 0);
    struct sw_provider *p = NULL;
    int code;

    if (leg == NULL)
        return WSAENOBUFS;
    if (h->is_san != 0)
        p = sw_providers_for((const WSD_SOCKADDR_IN *)&h->to, NULL,
                             NULL); /* as a new connection there would go */
    if (h->is_san == 0)
        code = sw_tcp_adopt(text, h->carrier_bytes, &sw_leg_up, leg, &leg->carrier);
    else
        code = p == NULL ? WSAENETDOWN
                         : sw_san_adopt(p, sw_providers_settings(), text, h->carrier_bytes, &sw_leg_up, leg,
                                        &leg->carrier);
    if (code != 0)
        sw_leg_free_unused(leg);
    *out = leg;
    return code;
}

static void restore_locked(struct sw_sock *s, const struct head *h)
{
    s->is_bound = h->is_bound != 0;
    s->is_peer_set = h->is_peer_set != 0;
    s->identity = h->identity;
    s->to = h->to;
    s->to_bytes = h->to_bytes;
    s->linger = h->linger;
    s->remembered_count = h->remembered_count <= SW_REMEMBERED_MAX ? h->remembered_count : 0;
    memcpy(s->remembered, h->remembered, sizeof(s->remembered));
    pal_store_relaxed(&s->send_ms, h->send_ms);
    pal_store_relaxed(&s->receive_ms, h->receive_ms);
}

static int adopt(struct sw_sock *s, const struct head *h, const char *text)
{
    struct sw_leg *leg;
    bool is_right = true;
    int code = adopt_carrier(s, h, text, &leg);

    if (code != 0)
        return code;
    pal_mutex_lock(&s->lock);
    if (h->is_san != 0)
        s->san = leg;
    else
        s->tcp = leg;
    restore_locked(s, h);
    if (h->state != SW_CREATED && s->is_bound)
        is_right = sw_sock_move_locked(s, SW_BOUND);
    if (h->state == SW_LISTENING || h->state == SW_CONNECTED)
        is_right = sw_sock_move_locked(s, (enum sw_state)h->state) && is_right;
    if (h->state == SW_CONNECTED || (s->type != WS_SOCK_STREAM && s->is_bound))
        sw_sock_set_data(s, leg->carrier);
    s->connected_ns = pal_now_ns();
    pal_mutex_unlock(&s->lock);
    if (!is_right)
        return WSAEINVAL; /* no record of ours */
    if (h->state == SW_LISTENING)
        sw_listener_take(s, text + h->carrier_bytes, h->text_bytes - h->carrier_bytes);
    return 0;
}

/* A socket that left this process is back, and has not been closed here meanwhile: one more handle of it. */
static int come_home(struct sw_sock *s, const struct head *h, const char *text, SOCKET *out)
{
    struct sw_leg *leg;
    int code = adopt_carrier(s, h, text, &leg);

    if (code != 0)
        return code;
    pal_mutex_lock(&s->lock);
    if (s->san != NULL)
        sw_leg_retire_locked(s, s->san, 0); /* what it left behind */
    s->san = leg;
    restore_locked(s, h);
    atomic_fetch_and_explicit(&s->mode, ~MOVING_MODES, memory_order_relaxed);
    atomic_fetch_or_explicit(&s->mode, h->mode & MOVING_MODES, memory_order_relaxed);
    sw_events_forget_locked(s);
    s->is_moved = false;
    sw_sock_set_data(s, leg->carrier);
    pal_mutex_unlock(&s->lock);
    sw_events_arm(s);
    return sw_names_add(s, out);
}

static int make(const struct head *h, const char *text, DWORD flags, SOCKET *out)
{
    uint32_t overlapped = (flags & WSA_FLAG_OVERLAPPED) != 0 ? SW_MODE_OVERLAPPED : 0u;
    struct sw_sock *s = sw_sock_new(h->af, h->type, h->protocol, &h->info,
                                    (h->mode & MOVING_MODES) | overlapped);
    int code;

    if (s == NULL)
        return WSAENOBUFS;
    code = adopt(s, h, text);
    if (code == 0)
        code = sw_sock_publish(s);
    if (code != 0) {
        sw_sock_abandon(s);
        return code;
    }
    *out = s->first.handle;
    sw_sock_leave(s);
    return 0;
}

static int take(const WSAPROTOCOL_INFOW *info, DWORD flags, struct head *h, SOCKET *out)
{
    struct sw_sock *home;
    char *text = NULL;
    int code = fetch(info->dwProviderReserved, h, &text);

    if (code != 0)
        return code;
    home = h->is_san != 0 && h->identity != 0 ? sw_sock_find_moved(h->identity) : NULL;
    code = home != NULL ? come_home(home, h, text, out) : make(h, text, flags, out);
    if (home != NULL)
        sw_sock_leave(home);
    free(text);
    return code;
}

SOCKET sw_duplicate_take(const WSAPROTOCOL_INFOW *info, DWORD flags, LPINT error)
{
    SOCKET handle = INVALID_SOCKET;
    struct head *h;

    if (sw_offer_take(info->dwProviderReserved, &handle, error))
        return *error == 0 ? handle : INVALID_SOCKET;
    h = calloc(1, sizeof(*h));
    *error = h == NULL ? WSAENOBUFS : take(info, flags, h, &handle);
    free(h);
    return handle;
}
