/* description.c - see description.h. */
#include "spi/description.h"

#include <stdlib.h>
#include <string.h>

#include "pal/process.h"
#include "spi/records.h"
#include "tcpip/tcpip.h"

#define MAGIC        0x57534433u
#define MOVING_MODES ((uint32_t)(SW_MODE_NONBLOCKING | SW_MODE_SHUT_SEND | SW_MODE_SHUT_RECV))

/* --- here --- */

static void fill_share(const struct sw_share *share, struct sw_description *d)
{
    d->identity = share->identity;
    d->generation = share->generation;
    d->local = share->local;
    d->local_bytes = share->local_bytes;
    sw_share_self(share, &d->from);
    d->holder_count = share->holder_count;
    memcpy(d->holders, share->holders, share->holder_count * sizeof(*share->holders));
}

void sw_description_fill_locked(struct sw_sock *s, DWORD target, struct sw_description *d)
{
    const struct sw_share *share = sw_share_of(s);

    PAL_ASSERT_HELD(&s->lock);
    d->magic = MAGIC;
    d->target = target;
    d->af = s->af;
    d->type = s->type;
    d->protocol = s->protocol;
    d->state = (int32_t)s->state;
    d->backlog = s->backlog;
    d->is_bound = s->is_bound;
    d->is_peer_set = s->is_peer_set;
    d->to_bytes = s->to_bytes;
    d->to = s->to;
    d->linger = s->linger;
    d->info = s->info;
    d->remembered_count = s->remembered_count;
    memcpy(d->remembered, s->remembered, sizeof(d->remembered));
    d->mode = pal_load_relaxed(&s->mode);
    d->send_ms = pal_load_relaxed(&s->send_ms);
    d->receive_ms = pal_load_relaxed(&s->receive_ms);
    if (share != NULL)
        fill_share(share, d);
}

int sw_description_put(struct sw_description *d, char *text, bool stays, uint32_t *id)
{
    const struct sw_record r = {d, text, sizeof(*d), d->text_bytes};

    return sw_records_put(&r, stays, id) ? 0 : WSAENOBUFS;
}

/* --- there --- */

static bool is_name_size(int32_t bytes)
{
    return bytes >= 0 && (size_t)bytes <= sizeof(WSD_SOCKADDR_STORAGE);
}

static bool is_sound(const struct sw_description *d)
{
    return d->magic == MAGIC && d->target == pal_process_id() && d->text_bytes <= SW_TEXT_ROOM &&
           d->carrier_bytes <= d->text_bytes && d->holder_count <= SW_HOLDERS_MAX &&
           d->remembered_count <= SW_REMEMBERED_MAX && is_name_size(d->to_bytes) &&
           is_name_size(d->local_bytes);
}

int sw_description_fetch(uint32_t id, struct sw_description *d, char **text)
{
    struct sw_record r = {.head = d, .head_bytes = sizeof(*d)};

    *text = NULL;
    if (!sw_records_peek(id, &r) || !is_sound(d))
        return WSAEINVAL; /* not ours, or used already */
    if (!sw_records_take_head(id, &r) || !is_sound(d))
        return WSAEINVAL;
    r.text_bytes = d->text_bytes;
    r.text = malloc(r.text_bytes + 1u);
    if (r.text == NULL || !sw_records_take_text(id, &r)) {
        free(r.text);
        return WSAENOBUFS;
    }
    *text = r.text;
    return 0;
}

struct sw_provider *sw_description_provider(const struct sw_description *d)
{
    return sw_providers_for((const WSD_SOCKADDR_IN *)&d->to, NULL, NULL);
}

int sw_description_carrier(struct sw_sock *s, const struct sw_description *d, const char *text,
                           struct sw_leg **out)
{
    struct sw_leg *leg = sw_leg_new(s, d->is_san != 0);
    struct sw_provider *p = d->is_san != 0 ? sw_description_provider(d) : NULL;
    int code;

    if (leg == NULL)
        return WSAENOBUFS;
    if (d->is_san == 0)
        code = sw_tcp_adopt(text, d->carrier_bytes, &sw_leg_up, leg, &leg->carrier);
    else
        code = p == NULL ? WSAENETDOWN
                         : sw_san_adopt(p, sw_providers_settings(), text, d->carrier_bytes, &sw_leg_up, leg,
                                        &leg->carrier);
    if (code != 0)
        sw_leg_free_unused(leg);
    *out = leg;
    return code;
}

void sw_description_restore_locked(struct sw_sock *s, const struct sw_description *d)
{
    PAL_ASSERT_HELD(&s->lock);
    s->is_bound = d->is_bound != 0;
    s->is_peer_set = d->is_peer_set != 0;
    s->to = d->to;
    s->to_bytes = d->to_bytes;
    s->linger = d->linger;
    s->remembered_count = d->remembered_count;
    memcpy(s->remembered, d->remembered, sizeof(s->remembered));
    pal_store_relaxed(&s->send_ms, d->send_ms);
    pal_store_relaxed(&s->receive_ms, d->receive_ms);
    /* whether calls block is each process's own, as over TCP/IP */
    atomic_fetch_or_explicit(&s->mode, d->mode & (MOVING_MODES & ~SW_MODE_NONBLOCKING), memory_order_relaxed);
}

bool sw_description_move_locked(struct sw_sock *s, const struct sw_description *d)
{
    bool is_right = true;

    if (d->state != SW_CREATED && s->is_bound)
        is_right = sw_sock_move_locked(s, SW_BOUND);
    if (d->state == SW_LISTENING || d->state == SW_CONNECTED)
        is_right = sw_sock_move_locked(s, (enum sw_state)d->state) && is_right;
    return is_right;
}

struct sw_sock *sw_description_socket(const struct sw_description *d, uint32_t more_modes)
{
    return sw_sock_new(d->af, d->type, d->protocol, &d->info, (d->mode & MOVING_MODES) | more_modes);
}
