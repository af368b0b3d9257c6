/* share_note.c - messages that come from the other processes of a socket. See share.h. */
#include "pal/process.h"
#include "pal/time.h"
#include "spi/share.h"

/* Our choices. */
#define HOLD_MS  10u /* so long control stays at least */
#define HOPS_MAX 4u  /* by which a question is passed on; it is asked again */

static void answer(struct sw_sock *s, const struct sw_note *to, struct sw_share *share,
                   enum sw_note_kind kind, int code)
{
    struct sw_note n = sw_note_make(share, kind);
    struct sw_holder h = {.pid = to->pid, .box = to->box};

    n.code = code;
    pal_mutex_lock(&s->lock);
    n.generation = share->generation;
    pal_mutex_unlock(&s->lock);
    (void)sw_mail_send(&h, &n); /* who gets none asks again */
}

static void pass_on(struct sw_sock *s, struct sw_share *share, const struct sw_note *n)
{
    struct sw_note copy = *n;
    struct sw_holder next;

    pal_mutex_lock(&s->lock);
    next = share->next;
    pal_mutex_unlock(&s->lock);
    if (++copy.hops <= HOPS_MAX && next.pid != n->pid && next.pid != pal_process_id())
        (void)sw_mail_send(&next, &copy);
}

/* Who has just got it, uses it first. */
static void hold_on(struct sw_sock *s, struct sw_share *share)
{
    bool in_time = true;

    pal_mutex_lock(&s->lock);
    while (in_time && !s->is_moved && !share->is_leaving)
        in_time = pal_cond_timedwait(&s->changed, &s->lock, share->since_ns + HOLD_MS * UINT64_C(1000000));
    pal_mutex_unlock(&s->lock);
}

static void demanded(struct sw_sock *s, struct sw_share *share, const struct sw_note *n)
{
    struct sw_holder to = {.pid = n->pid, .box = n->box};
    struct sw_holder *h;
    bool is_late, is_connected;
    int code;

    pal_mutex_lock(&s->lock);
    h = sw_share_find_holder_locked(share, n->pid);
    is_late = h != NULL && n->generation < h->generation;
    if (h != NULL) {
        h->box = n->box;
        h->instance = n->instance;
        to = *h;
    }
    is_connected = s->state == SW_CONNECTED;
    pal_mutex_unlock(&s->lock);
    if (is_late)
        return;
    if (h == NULL || !is_connected) { /* nobody of this socket's; or it was disconnected here */
        answer(s, n, share, SW_NOTE_DENY, WSAECONNRESET);
        return;
    }
    hold_on(s, share);
    code = sw_share_grant(s, &to);
    if (code == WSAETIMEDOUT || code == WSAENOTCONN || code == WSAENOBUFS || code == WSAEALREADY)
        return; /* it is asked again, perhaps of another */
    if (code != 0)
        answer(s, n, share, SW_NOTE_DENY, WSAECONNRESET);
}

static void joined(struct sw_sock *s, struct sw_share *share, const struct sw_note *n)
{
    struct sw_holder *h;

    pal_mutex_lock(&s->lock);
    h = sw_share_find_holder_locked(share, n->pid);
    if (h != NULL) {
        if (h->offers > 0 && h->last_offer != n->record)
            h->offers--;
        h->last_offer = n->record;
        h->box = n->box;
        h->instance = n->instance;
    }
    pal_mutex_unlock(&s->lock);
    answer(s, n, share, h != NULL ? SW_NOTE_JOINED : SW_NOTE_DENY, WSAECONNRESET);
}

static void left(struct sw_sock *s, struct sw_share *share, const struct sw_note *n)
{
    struct sw_holder *h;

    pal_mutex_lock(&s->lock);
    h = sw_share_find_holder_locked(share, n->pid);
    if (h != NULL && h->box == n->box && h->instance == n->instance) {
        h->box = 0;
        if (h->offers == 0)
            sw_share_forget_holder_locked(share, h);
    }
    pal_mutex_unlock(&s->lock);
}

/* Whoever knows the name of a listener has a handle of it. */
static void of_listener(struct sw_sock *s, struct sw_share *share, const struct sw_note *n)
{
    struct sw_holder to = {0};
    struct sw_holder *h;
    bool is_late;

    pal_mutex_lock(&s->lock);
    h = sw_share_add_holder_locked(share, n->pid);
    is_late = h == NULL || n->generation < h->generation;
    if (!is_late) {
        h->box = n->box;
        h->instance = n->instance;
        to = *h;
    }
    pal_mutex_unlock(&s->lock);
    if (!is_late && n->kind == SW_NOTE_JOIN)
        answer(s, n, share, SW_NOTE_JOINED, 0);
    if (is_late || n->kind != SW_NOTE_DEMAND)
        return;
    hold_on(s, share);
    (void)sw_share_grant_listener(s, &to); /* while somebody accepts here it stays, and is asked for again */
}

/* Of who shares the socket: for the one in control. */
static void for_the_owner(struct sw_sock *s, struct sw_share *share, const struct sw_note *n)
{
    bool is_away;
    int lost;

    pal_mutex_lock(&s->lock);
    is_away = s->is_moved;
    lost = share->lost;
    pal_mutex_unlock(&s->lock);
    if (lost != 0)
        answer(s, n, share, SW_NOTE_DENY, lost);
    else if (is_away)
        pass_on(s, share, n);
    else if (sw_share_is_listener(s) && n->kind != SW_NOTE_LEAVE)
        of_listener(s, share, n);
    else if (n->kind == SW_NOTE_DEMAND)
        demanded(s, share, n);
    else if (n->kind == SW_NOTE_JOIN)
        joined(s, share, n);
    else
        left(s, share, n);
}

void sw_share_note(const struct sw_note *n)
{
    struct sw_sock *s;
    struct sw_share *share;

    if (n->kind == SW_NOTE_GRANT) {
        sw_share_adopt(n->identity, n->record);
        return;
    }
    if (n->kind == SW_NOTE_LISTENER || n->kind == SW_NOTE_CHILD) {
        sw_share_take_what_came();
        return;
    }
    s = sw_share_find(n->identity);
    if (s == NULL)
        return; /* closed, or never here: who asks looks elsewhere the next time */
    share = sw_share_of(s);
    if (n->kind == SW_NOTE_DENY) {
        sw_share_lose(s, n->code != 0 ? n->code : WSAECONNRESET);
    } else if (n->kind == SW_NOTE_JOINED) {
        pal_mutex_lock(&s->lock);
        share->is_joined = true;
        if (s->is_moved && n->generation > share->generation) /* it moved since the handle was made */
            share->generation = n->generation;
        pal_cond_broadcast(&s->changed);
        pal_mutex_unlock(&s->lock);
    } else if (n->kind == SW_NOTE_DEMAND || n->kind == SW_NOTE_JOIN || n->kind == SW_NOTE_LEAVE) {
        for_the_owner(s, share, n);
    }
    sw_sock_leave(s);
}
