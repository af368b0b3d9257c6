/* share_listener.c - a listener that several processes have. See share.h.
 * The TCP/IP half is the system's, and shared truly: its arrivals come to whoever accepts. The SAN half is with one process at a time, and goes to
 * who accepts there while nobody does where it is (8.10: "first waits for all pending accepts"; a selection of FD_ACCEPT or a select counts
 * as one). Connections that wait for an accept go with it, each like any other that moves. Meanwhile peers that find no SAN listener fall back
 * to TCP/IP (8.2), so none is lost.
 * When the process that has it ends, whoever accepts next makes a new one.
 * Text of the record: duplicate_listener.h. */
#include "spi/share.h"

#include <stdlib.h>
#include <string.h>

#include "pal/process.h"
#include "pal/time.h"
#include "spi/accept.h"
#include "spi/description.h"
#include "spi/duplicate_listener.h"

#define RETRY_MS   100u  /* between the first questions; our choices, all of these */
#define PATIENT_MS 1000u /* and later: the other process accepts all the time, so nothing is missing here */
#define FIRST      10u
#define GIVE_MS    2000u
#define NOWHERE    20u /* questions without a place, or an answer: nobody has it */

bool sw_share_is_accepting_locked(const struct sw_sock *s)
{
    return s->accept_waiters > 0 || s->accept_first != NULL || s->selectors != NULL ||
           (pal_load_relaxed(&((struct sw_sock *)(uintptr_t)s)->event_mask) & FD_ACCEPT) != 0;
}

/* --- connections that wait --- */

/* A socket without a handle for the next connection of the SAN half, a call counted in it. NULL: nobody waits. */
static struct sw_sock *next_waiting(struct sw_sock *listener)
{
    struct sw_sock *s = sw_accept_take_deferred(listener);
    struct sw_leg *leg;

    if (s != NULL)
        return s;
    s = sw_sock_new(listener->af, listener->type, listener->protocol, &listener->info,
                    pal_load_relaxed(&listener->mode) & (SW_MODE_OVERLAPPED | SW_MODE_NONBLOCKING));
    if (s == NULL)
        return NULL;
    if (sw_accept_into_san(listener, s, &leg) == 0 && sw_accept_attach(s, leg)) {
        sw_options_inherit(listener, s);
        return s;
    }
    sw_sock_abandon(s);
    return NULL;
}

static int write_down(struct sw_sock *s, const struct sw_holder *to, char *text, uint32_t *record)
{
    struct sw_description *d = calloc(1, sizeof(*d));
    struct sw_carrier *c = pal_load_acquire(&s->data);
    size_t bytes = SW_TEXT_ROOM;
    int code = d == NULL || c == NULL || c->ops->give == NULL
                   ? WSAENOBUFS
                   : c->ops->give(c, to->pid, text, &bytes, pal_now_ns() + GIVE_MS * UINT64_C(1000000));

    if (code == 0) {
        pal_mutex_lock(&s->lock);
        sw_description_fill_locked(s, to->pid, d);
        pal_mutex_unlock(&s->lock);
        d->is_san = true;
        d->carrier_bytes = d->text_bytes = (uint32_t)bytes;
        code = sw_description_put(d, text, true, record);
    }
    free(d);
    return code;
}

static int pass_child(struct sw_sock *listener, struct sw_sock *s, const struct sw_holder *to)
{
    struct sw_note n = sw_note_make(sw_share_of(listener), SW_NOTE_CHILD);
    char *text = malloc(SW_TEXT_ROOM);
    int code = text == NULL ? WSAENOBUFS : write_down(s, to, text, &n.record);

    free(text);
    if (code != 0)
        return code;
    return sw_mail_send(to, &n) == SW_MAIL_SENT ? 0 : WSAECONNRESET;
}

/* A connection that cannot go ends: its peer is told, and may connect again. */
static void pass_children(struct sw_sock *listener, const struct sw_holder *to)
{
    struct sw_sock *s;

    while ((s = next_waiting(listener)) != NULL) {
        const bool has_gone = pass_child(listener, s, to) == 0;

        (void)sw_sock_begin_close(s, has_gone ? SW_SESSION_LINGER_FOREVER : 0);
        sw_sock_leave(s);
    }
}

/* One that was on its way to be accepted when the rest went. */
static void pass_arrival(void *sock)
{
    struct sw_sock *s = sock;
    struct sw_holder to;
    bool goes;

    pal_mutex_lock(&s->lock);
    goes = s->is_moved && !sw_share_is_accepting_locked(s);
    to = sw_share_of(s)->next;
    pal_mutex_unlock(&s->lock);
    if (goes && sw_sock_enter(s)) {
        pass_children(s, &to);
        sw_listener_want_moved(s);
        sw_sock_leave(s);
    }
    sw_sock_release(s);
}

void sw_share_arrived(struct sw_sock *s)
{
    bool is_elsewhere;

    if (sw_share_of(s) == NULL)
        return;
    pal_mutex_lock(&s->lock);
    is_elsewhere = s->is_moved;
    pal_mutex_unlock(&s->lock);
    if (!is_elsewhere)
        return;
    sw_sock_hold(s); /* the job's */
    if (!sw_job_start(pass_arrival, s))
        sw_sock_release(s); /* it is accepted here, or ends with the handle */
}

/* --- giving --- */

static bool begin(struct sw_sock *s, struct sw_share *share)
{
    bool may;

    pal_mutex_lock(&s->lock);
    may = !s->is_moved && !share->is_granting && s->state == SW_LISTENING &&
          (share->is_leaving || !sw_share_is_accepting_locked(s));
    share->is_granting |= may; /* else it may be another grant's */
    pal_mutex_unlock(&s->lock);
    return may;
}

static int give(struct sw_sock *s, struct sw_share *share, const struct sw_holder *to,
                struct sw_description *d, char *text)
{
    struct sw_note n = sw_note_make(share, SW_NOTE_LISTENER);
    size_t bytes;
    int code;

    if (!begin(s, share))
        return WSAEWOULDBLOCK;
    bytes = sw_listener_give(s, to->pid, text, SW_TEXT_ROOM);
    pal_mutex_lock(&s->lock);
    sw_share_gone_locked(s, share, to, d, (uint32_t)bytes);
    share->is_granting = false;
    pal_cond_broadcast(&s->changed);
    pal_mutex_unlock(&s->lock);
    d->carrier_bytes = 0;
    code = sw_description_put(d, text, true, &n.record);
    if (code == 0 && sw_mail_send(to, &n) != SW_MAIL_SENT)
        code = WSAECONNRESET;
    pass_children(s, to);
    sw_listener_want_moved(s);
    return code;
}

int sw_share_grant_listener(struct sw_sock *s, const struct sw_holder *to)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_description *d = calloc(1, sizeof(*d));
    char *text = malloc(SW_TEXT_ROOM);
    int code = d == NULL || text == NULL ? WSAENOBUFS : give(s, share, to, d, text);

    free(text);
    free(d);
    return code;
}

/* --- taking --- */

static void install(struct sw_sock *s, const struct sw_description *d, struct sw_leg *list)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_holder self;

    pal_mutex_lock(&s->lock);
    sw_listener_replace_locked(s, list);
    if (d != NULL) {
        share->generation = d->generation;
        share->holder_count = d->holder_count;
        memcpy(share->holders, d->holders, d->holder_count * sizeof(*d->holders));
    }
    s->is_moved = false;
    share->is_used = false;
    share->since_ns = pal_now_ns();
    pal_cond_broadcast(&s->changed);
    pal_mutex_unlock(&s->lock);
    sw_share_self(share, &self);
    sw_place_put(share->identity, &self, 0);
    sw_events_arm(s);
}

void sw_share_take_listener(struct sw_sock *s, const struct sw_description *d, const char *text)
{
    struct sw_leg *list = sw_listener_take(s, text, d->text_bytes);

    install(s, d, list);
}

/* Who had it has ended. */
static void listen_again(struct sw_sock *s)
{
    struct sw_share *share = sw_share_of(s);
    bool goes;

    pal_mutex_lock(&s->lock);
    goes = s->is_moved && s->state == SW_LISTENING && !share->is_leaving;
    pal_mutex_unlock(&s->lock);
    if (goes && sw_sock_enter(s)) {
        install(s, NULL, sw_listen_on_providers(s));
        sw_sock_leave(s);
    }
}

/* NULL: it did not come. */
static struct sw_sock *make_child(const struct sw_description *d, const char *text)
{
    struct sw_sock *s = sw_description_socket(d, 0);
    struct sw_leg *leg;
    bool is_right;

    if (s == NULL)
        return NULL;
    if (sw_description_carrier(s, d, text, &leg) != 0) {
        sw_sock_abandon(s);
        return NULL;
    }
    pal_mutex_lock(&s->lock);
    s->san = leg;
    sw_description_restore_locked(s, d);
    is_right = sw_description_move_locked(s, d);
    sw_sock_set_data(s, leg->carrier);
    s->connected_ns = pal_now_ns();
    pal_mutex_unlock(&s->lock);
    if (is_right)
        return s;
    sw_sock_abandon(s);
    return NULL;
}

/* Who closed the listener meanwhile: the peer is told that nobody took it. */
static void take_child(uint64_t identity, uint32_t record)
{
    struct sw_description *d = calloc(1, sizeof(*d));
    struct sw_sock *listener, *s = NULL;
    char *text = NULL;

    if (d != NULL && sw_description_fetch(record, d, &text) == 0 && d->state == SW_CONNECTED)
        s = make_child(d, text);
    free(text);
    free(d);
    if (s == NULL)
        return;
    listener = sw_share_find(identity);
    if (listener == NULL) {
        sw_sock_abandon(s);
        return;
    }
    sw_accept_defer(listener, s);
    sw_accept_event(listener);
    sw_sock_leave(listener);
}

/* --- in their order --- */

/* First the SAN half, then the connections, oldest first: so one after the other. */
struct came {
    struct came *next;
    struct sw_note note;
};

static struct {
    struct pal_mutex lock; /* guards the rest; a leaf */
    struct came *first;
    bool is_taking;
} came = {.lock = PAL_MUTEX_INIT};

void sw_share_came(const struct sw_note *n)
{
    struct came *c = calloc(1, sizeof(*c)), **end = &came.first;

    if (c == NULL)
        return; /* peers give up (PROTOCOL.md 10), or fall back */
    c->note = *n;
    pal_mutex_lock(&came.lock);
    while (*end != NULL)
        end = &(*end)->next;
    *end = c;
    pal_mutex_unlock(&came.lock);
}

static struct came *next_that_came(bool is_first)
{
    struct came *c = NULL;

    pal_mutex_lock(&came.lock);
    if (!is_first || !came.is_taking) {
        c = came.first;
        if (c != NULL)
            came.first = c->next;
        came.is_taking = c != NULL;
    }
    pal_mutex_unlock(&came.lock);
    return c;
}

void sw_share_take_what_came(void)
{
    struct came *c = next_that_came(true);

    while (c != NULL) {
        if (c->note.kind == SW_NOTE_CHILD)
            take_child(c->note.identity, c->note.record);
        else
            sw_share_adopt(c->note.identity, c->note.record);
        free(c);
        c = next_that_came(false);
    }
}

/* --- asking --- */

/* A call that has not waited is asked for once. */
static void pause_asking(struct sw_sock *s, struct sw_share *share, uint32_t ms)
{
    sw_share_pause_asking(s, ms);
    pal_mutex_lock(&s->lock);
    share->is_used = false;
    pal_mutex_unlock(&s->lock);
}

void sw_share_ask_listener(struct sw_sock *s)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_place_note place;
    unsigned nowhere = 0;

    for (unsigned i = 0; !sw_share_asking_ends(s); i++) {
        int code = sw_share_question(s, sw_note_make(sw_share_of(s), SW_NOTE_DEMAND));

        nowhere = sw_place_find(share->identity, &place) ? 0 : nowhere + 1;
        if (code != 0 || nowhere == NOWHERE)
            listen_again(s);
        else
            pause_asking(s, share, i < FIRST ? RETRY_MS : PATIENT_MS);
    }
}

void sw_share_pass_on_listener(struct sw_sock *s)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_holder to;

    if (sw_share_pick(s, share, &to) && sw_share_grant_listener(s, &to) == 0)
        sw_share_wait_until_taken(share, &to);
    else
        sw_place_drop(share->identity);
}
