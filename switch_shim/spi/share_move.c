/* share_move.c - control of a shared connection is given to another process, and taken here. See share.h.
 * Giving: the session is suspended, WSPDuplicateSocket names the SAN socket for the other process, both are written down (8.10). Who has gone
 *         through with it has no control any more, whatever becomes of it: when the other process does not come, the peer ends the connection
 *         (PROTOCOL.md 10), and here it is lost.
 * Taking: a socket of this process that is open; when there is none left (it was closed while control was on its way), one that is made only to pass
 *         it on, or else to close the connection in order. */
#include "spi/share.h"

#include <stdlib.h>
#include <string.h>

#include "pal/process.h"
#include "pal/time.h"
#include "spi/description.h"

/* Patience with who is to take control when this process is about to close: our choice. */
#define TAKE_MS      5000u
#define TAKE_LOOK_MS 1u

/* --- giving --- */

/* Patience with a connection that still moves data; who waits for it waits longer. Our choice. */
static uint32_t give_ms(void)
{
    return sw_providers_settings()->control_ms / 3u * 2u;
}

static struct sw_carrier *begin_grant(struct sw_sock *s, struct sw_share *share)
{
    struct sw_carrier *c;

    pal_mutex_lock(&s->lock);
    c = pal_load_acquire(&s->data);
    if (s->is_moved || share->is_granting || s->state != SW_CONNECTED || s->san == NULL ||
        s->san->carrier != c)
        c = NULL;
    share->is_granting |= c != NULL; /* else it may be another grant's */
    pal_mutex_unlock(&s->lock);
    return c;
}

/* The others as the next owner has to know them: without him, and with this process, unless its last handle is being closed. */
static void others_for(const struct sw_share *share, const struct sw_holder *to, struct sw_description *d)
{
    unsigned n = 0;

    for (unsigned i = 0; i < share->holder_count; i++)
        if (share->holders[i].pid != to->pid)
            d->holders[n++] = share->holders[i];
    if (to->pid != pal_process_id() && (!share->is_leaving || share->own_offers != 0) && n < SW_HOLDERS_MAX) {
        struct sw_holder *self = &d->holders[n++];

        sw_share_self(share, self);
        self->box = share->is_leaving ? 0 : self->box;
        self->generation = share->generation;
        self->offers = share->own_offers;
        self->last_offer = share->own_last_offer;
        self->until_ns = share->own_until_ns;
    }
    d->holder_count = n;
    d->own_offers = to->offers;
    d->own_last_offer = to->last_offer;
    d->own_until_ns = to->until_ns;
}

void sw_share_gone_locked(struct sw_sock *s, struct sw_share *share, const struct sw_holder *to,
                          struct sw_description *d, uint32_t text_bytes)
{
    const struct sw_holder *known = sw_share_find_holder_locked(share, to->pid);

    share->generation++;
    share->next = *to;
    sw_description_fill_locked(s, to->pid, d);
    d->is_san = true;
    d->carrier_bytes = d->text_bytes = text_bytes;
    others_for(share, known != NULL ? known : to, d); /* a handle may have been made for it since it asked */
    s->is_moved = true;
    sw_sock_set_data(s, NULL);
}

/* The record lies there; the other process learns of it. */
static int tell(const struct sw_share *share, const struct sw_holder *to, uint32_t record)
{
    struct sw_note n = sw_note_make(share, SW_NOTE_GRANT);

    if (to->box == 0) { /* it has no handle yet: it finds this when it takes one */
        sw_place_put(share->identity, to, record);
        return 0;
    }
    n.record = record;
    return sw_mail_send(to, &n) == SW_MAIL_SENT ? 0 : WSAECONNRESET;
}

static int grant(struct sw_sock *s, struct sw_share *share, const struct sw_holder *to,
                 struct sw_description *d, char *text)
{
    struct sw_carrier *c = begin_grant(s, share);
    size_t bytes = SW_TEXT_ROOM;
    uint32_t record = 0;
    int code;

    if (c == NULL)
        return WSAENOTCONN;
    code = c->ops->give(c, to->pid, text, &bytes, pal_now_ns() + give_ms() * UINT64_C(1000000));
    if (code != 0) { /* until the restart is through nobody else gives it away */
        sw_share_restart(s, c);
        return code;
    }
    pal_mutex_lock(&s->lock);
    sw_share_gone_locked(s, share, to, d, (uint32_t)bytes);
    share->is_granting = false;
    pal_cond_broadcast(&s->changed);
    pal_mutex_unlock(&s->lock);
    code = sw_description_put(d, text, true, &record);
    if (code == 0)
        code = tell(share, to, record);
    if (code != 0)
        sw_share_lose(s, WSAECONNRESET);
    return code;
}

int sw_share_grant(struct sw_sock *s, const struct sw_holder *to)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_description *d = calloc(1, sizeof(*d));
    char *text = malloc(SW_TEXT_ROOM);
    bool goes_on = false;
    int code = d == NULL || text == NULL ? WSAENOBUFS : grant(s, share, to, d, text);

    free(text);
    free(d);
    pal_mutex_lock(&s->lock);
    goes_on = code == 0 && sw_share_has_interest_locked(s);
    pal_mutex_unlock(&s->lock);
    if (goes_on)
        sw_share_want(s, false);
    return code;
}

/* --- passing on --- */

static bool is_alive(const struct sw_holder *h)
{
    return pal_process_exists(h->pid) && (h->box != 0 || (h->offers > 0 && pal_now_ns() < h->until_ns));
}

/* The next one: who has a handle before who will have one, which this process may be itself. */
static bool pick(struct sw_sock *s, struct sw_share *share, struct sw_holder *out)
{
    bool found = false;

    pal_mutex_lock(&s->lock);
    for (unsigned i = 0; i < share->holder_count; i++) {
        const struct sw_holder *h = &share->holders[i];

        if (is_alive(h) && (!found || (out->box == 0 && h->box != 0))) {
            *out = *h;
            found = true;
        }
    }
    if (!found && share->own_offers > 0 && pal_now_ns() < share->own_until_ns) {
        sw_share_self(share, out);
        out->box = 0;
        out->offers = share->own_offers;
        out->last_offer = share->own_last_offer;
        out->until_ns = share->own_until_ns;
        found = true;
    }
    pal_mutex_unlock(&s->lock);
    return found;
}

/* He has closed all, and his farewell has not been read yet, or never will be. */
static void forget_box(struct sw_sock *s, struct sw_share *share, const struct sw_holder *gone)
{
    struct sw_holder *h;

    pal_mutex_lock(&s->lock);
    h = sw_share_find_holder_locked(share, gone->pid);
    if (h != NULL && h->box == gone->box)
        h->box = 0;
    pal_mutex_unlock(&s->lock);
}

bool sw_share_pick(struct sw_sock *s, struct sw_share *share, struct sw_holder *out)
{
    struct sw_note n = {.kind = SW_NOTE_NOTHING, .identity = share->identity, .pid = pal_process_id()};

    while (pick(s, share, out)) {
        if (out->box == 0 || sw_mail_send(out, &n) != SW_MAIL_DEAD)
            return true;
        forget_box(s, share, out);
    }
    return false;
}

/* When this process ends before the other one has taken the connection, that is lost: so its handle is not closed before. The place is this
 * process's until the other one writes there; a moment later, when it only closes, there is none. */
void sw_share_wait_until_taken(const struct sw_share *share, const struct sw_holder *to)
{
    uint64_t deadline = pal_now_ns() + TAKE_MS * 1000000ull;
    struct sw_place_note place;

    while (pal_now_ns() < deadline && pal_process_exists(to->pid)) {
        if (!sw_place_find(share->identity, &place) || !sw_mail_is_here(&place.at))
            return;
        pal_sleep_ms(TAKE_LOOK_MS);
    }
}

bool sw_share_goes_on(struct sw_sock *s)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_holder to;

    return share != NULL && pick(s, share, &to);
}

void sw_share_pass_on(struct sw_sock *s)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_holder to;

    if (sw_share_pick(s, share, &to) && sw_share_grant(s, &to) == 0) {
        sw_share_wait_until_taken(share, &to);
        return;
    }
    if (!sw_share_is_away(s))
        sw_place_drop(share->identity); /* it ends here */
}

/* --- taking --- */

/* The socket goes on where the other process left it; what waits here begins again. */
static void install(struct sw_sock *s, const struct sw_description *d, struct sw_leg *leg)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_holder self;
    bool is_leaving;

    sw_share_self(share, &self);
    pal_mutex_lock(&s->lock);
    if (s->san != NULL) /* what it left behind when it went: the other process has taken it since */
        sw_leg_retire_locked(s, s->san, SW_CLOSE_TAKEN);
    s->san = leg;
    sw_description_restore_locked(s, d);
    share->generation = d->generation;
    share->holder_count = d->holder_count;
    share->own_offers = d->own_offers;
    share->own_last_offer = d->own_last_offer;
    share->own_until_ns = d->own_until_ns;
    sw_share_count_joined_locked(share);
    memcpy(share->holders, d->holders, d->holder_count * sizeof(*d->holders));
    sw_events_forget_locked(s);
    pal_mutex_unlock(&s->lock);
    sw_place_put(share->identity, &self, 0);
    sw_share_restart(s, leg->carrier);
    sw_events_arm(s);
    pal_mutex_lock(&s->lock);
    is_leaving = share->is_leaving;
    pal_mutex_unlock(&s->lock);
    if (is_leaving)
        sw_share_pass_on(s);
}

/* For as long as it takes to pass the connection on or to close it. NULL: no memory. */
static struct sw_sock *make_orphan(const struct sw_description *d)
{
    struct sw_sock *s = sw_description_socket(d, 0);
    bool is_right;

    if (s == NULL)
        return NULL;
    pal_mutex_lock(&s->lock);
    sw_description_restore_locked(s, d);
    is_right = sw_description_move_locked(s, d);
    s->is_moved = true;
    pal_mutex_unlock(&s->lock);
    if (!is_right || sw_share_make(s, d->identity, &d->local, d->local_bytes) != 0) {
        sw_sock_abandon(s);
        return NULL;
    }
    pal_mutex_lock(&s->lock);
    sw_share_of(s)->is_leaving = true;
    sw_share_index_remove(s); /* nobody takes a handle of it */
    pal_mutex_unlock(&s->lock);
    return s;
}

static void take(uint64_t identity, const struct sw_description *d, const char *text)
{
    struct sw_sock *s = sw_share_find(identity);
    const bool is_orphan = s == NULL;
    struct sw_leg *leg;
    int code;

    if (is_orphan)
        s = make_orphan(d);
    if (s == NULL)
        return;
    if (!sw_share_is_away(s)) { /* nobody can give what is here */
        sw_sock_leave(s);
        return;
    }
    code = sw_description_carrier(s, d, text, &leg);
    if (code == 0)
        install(s, d, leg);
    else
        sw_share_lose(s, WSAECONNRESET);
    if (is_orphan)
        (void)sw_sock_begin_close(s, SW_SESSION_LINGER_FOREVER);
    sw_sock_leave(s);
}

/* None is open here any more: peers fall back to TCP/IP, and who accepts next makes a new one. */
static void take_listener(uint64_t identity, const struct sw_description *d, const char *text)
{
    struct sw_sock *s = sw_share_find(identity);

    if (s == NULL)
        return;
    sw_share_take_listener(s, d, text);
    sw_sock_leave(s);
}

void sw_share_adopt(uint64_t identity, uint32_t record)
{
    struct sw_description *d = calloc(1, sizeof(*d));
    char *text = NULL;

    if (d != NULL && sw_description_fetch(record, d, &text) == 0 && d->identity == identity &&
        d->is_san != 0) {
        if (d->state == SW_CONNECTED)
            take(identity, d, text);
        else if (d->state == SW_LISTENING)
            take_listener(identity, d, text);
    }
    free(text);
    free(d);
}
