/* share_join.c - which processes have handles of a socket: made for one, taken, closed. See share.h. Who has control keeps the list. */
#include <string.h>

#include "pal/process.h"
#include "pal/time.h"
#include "spi/share.h"

/* Our choices. */
#define RETRY_MS 100u /* between two questions */
#define TURN_MS  1u
#define JOIN_MS  5000u        /* until a handle is not given because nobody knows of it */
#define OFFER_NS 60000000000u /* a handle that nobody takes, as the provider's WSD_DUPLICATE_EXPIRY_MS */

static uint64_t in_ms(uint32_t ms)
{
    return pal_now_ns() + ms * UINT64_C(1000000);
}

struct sw_holder *sw_share_find_holder_locked(struct sw_share *share, uint32_t pid)
{
    for (unsigned i = 0; i < share->holder_count; i++)
        if (share->holders[i].pid == pid)
            return &share->holders[i];
    return NULL;
}

void sw_share_forget_holder_locked(struct sw_share *share, struct sw_holder *h)
{
    *h = share->holders[--share->holder_count];
}

/* Those that have ended make room. */
static void forget_dead_locked(struct sw_share *share)
{
    for (unsigned i = share->holder_count; i-- > 0;)
        if (!pal_process_exists(share->holders[i].pid))
            sw_share_forget_holder_locked(share, &share->holders[i]);
}

struct sw_holder *sw_share_add_holder_locked(struct sw_share *share, uint32_t pid)
{
    struct sw_holder *h = sw_share_find_holder_locked(share, pid);

    if (h != NULL)
        return h;
    if (share->holder_count == SW_HOLDERS_MAX)
        forget_dead_locked(share);
    if (share->holder_count == SW_HOLDERS_MAX)
        return NULL;
    h = &share->holders[share->holder_count++];
    memset(h, 0, sizeof(*h));
    h->pid = pid;
    return h;
}

int sw_share_offer(struct sw_sock *s, uint32_t pid)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_holder *h;

    pal_mutex_lock(&s->lock);
    if (s->is_moved) {
        pal_mutex_unlock(&s->lock);
        return SW_E_MOVED;
    }
    h = sw_share_add_holder_locked(share, pid);
    if (h != NULL) {
        h->offers++;
        h->until_ns = pal_now_ns() + OFFER_NS;
    }
    pal_mutex_unlock(&s->lock);
    return h == NULL ? WSAENOBUFS : 0;
}

void sw_share_take_back(struct sw_sock *s, uint32_t pid)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_holder *h;

    pal_mutex_lock(&s->lock);
    h = sw_share_find_holder_locked(share, pid);
    if (h != NULL && h->offers > 0 && --h->offers == 0 && h->box == 0)
        sw_share_forget_holder_locked(share, h);
    pal_mutex_unlock(&s->lock);
}

void sw_share_count_joined_locked(struct sw_share *share)
{
    if (share->joining == 0)
        return;
    if (share->own_last_offer != share->joining && share->own_offers > 0)
        share->own_offers--;
    share->own_last_offer = share->joining;
    share->is_joined = true;
}

/* --- taking --- */

/* Who makes an object of a connection: another thread that takes a handle of the same one meanwhile waits, and finds that object. Else there would be
 * two in this process, of which the others know only the last. */
static struct sw_share_turn *turns; /* guarded by turn_lock, a leaf */
static struct pal_mutex turn_lock = PAL_MUTEX_INIT;

static bool try_turn(struct sw_share_turn *turn)
{
    bool is_free = true;

    pal_mutex_lock(&turn_lock);
    for (const struct sw_share_turn *t = turns; t != NULL; t = t->next)
        is_free = is_free && t->identity != turn->identity;
    if (is_free) {
        turn->next = turns;
        turns = turn;
    }
    pal_mutex_unlock(&turn_lock);
    return is_free;
}

void sw_share_turn_begin(struct sw_share_turn *turn, uint64_t identity)
{
    turn->identity = identity;
    while (!try_turn(turn)) /* rare, and a question to another process long: nobody is woken for it */
        pal_sleep_ms(TURN_MS);
}

void sw_share_turn_end(struct sw_share_turn *turn)
{
    struct sw_share_turn **at = &turns;

    pal_mutex_lock(&turn_lock);
    while (*at != turn)
        at = &(*at)->next;
    *at = turn->next;
    pal_mutex_unlock(&turn_lock);
}

/* Handles are taken one after the other. */
static bool begin_join(struct sw_sock *s, struct sw_share *share, uint32_t offer)
{
    bool is_known;

    pal_mutex_lock(&s->lock);
    while (share->joining != 0)
        pal_cond_wait(&s->changed, &s->lock);
    share->joining = offer;
    share->is_joined = false;
    is_known = !s->is_moved;
    if (is_known)
        sw_share_count_joined_locked(share);
    pal_mutex_unlock(&s->lock);
    return is_known;
}

static void end_join(struct sw_sock *s, struct sw_share *share)
{
    pal_mutex_lock(&s->lock);
    share->joining = 0;
    pal_cond_broadcast(&s->changed);
    pal_mutex_unlock(&s->lock);
}

static bool ask_to_join(struct sw_sock *s, struct sw_share *share, const struct sw_note *n)
{
    uint64_t deadline = in_ms(JOIN_MS);
    bool is_known = false;

    while (!is_known && pal_now_ns() < deadline) {
        bool in_time = true;
        uint64_t until = in_ms(RETRY_MS);

        if (sw_share_question(s, *n) != 0)
            return false;
        pal_mutex_lock(&s->lock);
        while (in_time && !share->is_joined)
            in_time = pal_cond_timedwait(&s->changed, &s->lock, until);
        is_known = share->is_joined;
        pal_mutex_unlock(&s->lock);
    }
    return is_known;
}

int sw_share_join(struct sw_sock *s, uint32_t offer)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_note n = sw_note_make(share, SW_NOTE_JOIN);
    bool is_known = begin_join(s, share, offer);

    n.record = offer;
    if (!is_known)
        is_known = ask_to_join(s, share, &n);
    end_join(s, share);
    return is_known ? 0 : WSAENETDOWN;
}

void sw_share_leave_all(void)
{
    sw_sock_for_each(sw_share_leave);
}

void sw_share_leave(struct sw_sock *s)
{
    struct sw_share *share = sw_share_of(s);
    bool is_here, is_lost, is_listening;

    if (share == NULL)
        return;
    pal_mutex_lock(&s->lock);
    if (share->is_leaving) {
        pal_mutex_unlock(&s->lock);
        return;
    }
    share->is_leaving = true;
    sw_share_index_remove(s);
    pal_cond_broadcast(&s->changed);
    while (share->is_granting)
        pal_cond_wait(&s->changed, &s->lock);
    is_listening = s->state == SW_LISTENING;
    is_here = !s->is_moved && (s->state == SW_CONNECTED || is_listening);
    is_lost = share->lost != 0;
    pal_mutex_unlock(&s->lock);
    if (is_here && is_listening)
        sw_share_pass_on_listener(s);
    else if (is_here)
        sw_share_pass_on(s);
    else if (!is_lost)
        (void)sw_share_question(s, sw_note_make(share, SW_NOTE_LEAVE));
}
