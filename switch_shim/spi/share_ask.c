/* share_ask.c - asking for control. See share.h.
 * A question goes to the place, or the way that control went; who has no control passes it on. It is asked again until control comes,
 * so a lost message costs time only; one that is late is known by its generation. Times: our choices. */
#include "pal/process.h"
#include "pal/time.h"
#include "spi/share.h"

#define RETRY_MS    100u  /* between two questions */
#define PATIENCE_MS 100u  /* control that has just left is wanted back because somebody waits */
#define EVENTS_MS   1000u /* because of event selections alone */
#define NOWHERE_MS  2000u /* no place: nobody controls it any more */

static uint64_t in_ms(uint32_t ms)
{
    return pal_now_ns() + ms * UINT64_C(1000000);
}

/* --- where it is --- */

/* Whom to ask. The number of a record: the connection waits there for this process. */
static uint32_t find_owner(struct sw_sock *s, struct sw_holder *out)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_place_note place;

    if (sw_place_find(share->identity, &place) && !sw_mail_is_here(&place.at)) {
        *out = place.at;
        return place.at.pid == pal_process_id() ? place.grant : 0;
    }
    pal_mutex_lock(&s->lock);
    *out = share->next; /* it is on its way there, or was there */
    pal_mutex_unlock(&s->lock);
    return 0;
}

/* 0: asked, or to be asked again. WSAECONNRESET: who had it has ended. */
int sw_share_question(struct sw_sock *s, struct sw_note n)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_holder owner;
    uint32_t grant = find_owner(s, &owner);

    if (grant != 0) {
        sw_share_adopt(share->identity, grant);
        return 0;
    }
    pal_mutex_lock(&s->lock);
    n.generation = share->generation;
    pal_mutex_unlock(&s->lock);
    if (sw_mail_send(&owner, &n) == SW_MAIL_DEAD && !pal_process_exists(owner.pid))
        return WSAECONNRESET;
    return 0;
}

/* --- asking --- */

static bool is_over_locked(struct sw_sock *s, const struct sw_share *share)
{
    return !s->is_moved || share->lost != 0 || share->is_leaving ||
           (pal_load_relaxed(&s->use) & SW_USE_CLOSING) != 0 || !sw_share_has_interest_locked(s);
}

/* Who waits only gives the other process a while; a call does not. */
static void hold_back(struct sw_sock *s, struct sw_share *share)
{
    bool in_time = true;
    uint64_t until;

    pal_mutex_lock(&s->lock);
    until = in_ms(share->waiters > 0 || share->first != NULL || s->selectors != NULL ? PATIENCE_MS
                                                                                     : EVENTS_MS);
    while (in_time && !share->is_used && !is_over_locked(s, share))
        in_time = pal_cond_timedwait(&s->changed, &s->lock, until);
    pal_mutex_unlock(&s->lock);
}

void sw_share_pause_asking(struct sw_sock *s, uint32_t ms)
{
    const struct sw_share *share = sw_share_of(s);
    uint64_t until = in_ms(ms);
    bool in_time = true;

    pal_mutex_lock(&s->lock);
    while (in_time && !is_over_locked(s, share))
        in_time = pal_cond_timedwait(&s->changed, &s->lock, until);
    pal_mutex_unlock(&s->lock);
}

bool sw_share_asking_ends(struct sw_sock *s)
{
    struct sw_share *share = sw_share_of(s);
    bool yes;

    pal_mutex_lock(&s->lock);
    yes = is_over_locked(s, share);
    if (yes)
        share->is_asking = false;
    pal_mutex_unlock(&s->lock);
    return yes;
}

/* For calls and operations. Who selects, or has selected events, is still to be told when it comes, so for those it is asked for on and on. */
static void give_up(struct sw_sock *s, struct sw_share *share)
{
    pal_mutex_lock(&s->lock);
    share->is_used = false;
    share->failed_asks++;
    share->ask_error = WSAETIMEDOUT;
    pal_cond_broadcast(&s->changed);
    pal_mutex_unlock(&s->lock);
    sw_share_end_stranded(s, WSAETIMEDOUT);
}

/* A call, or an operation, which is told when it takes too long. */
static bool somebody_waits(struct sw_sock *s, const struct sw_share *share)
{
    bool yes;

    pal_mutex_lock(&s->lock);
    yes = share->is_used || share->waiters > 0 || share->first != NULL;
    pal_mutex_unlock(&s->lock);
    return yes;
}

bool sw_share_is_listener(struct sw_sock *s)
{
    bool yes;

    pal_mutex_lock(&s->lock);
    yes = s->state == SW_LISTENING;
    pal_mutex_unlock(&s->lock);
    return yes;
}

static void ask(struct sw_sock *s)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_place_note place;
    uint64_t deadline, nowhere;
    bool was_dead = false;

    hold_back(s, share);
    deadline = in_ms(sw_providers_settings()->control_ms);
    nowhere = in_ms(NOWHERE_MS);
    while (!sw_share_asking_ends(s)) {
        const bool is_dead = sw_share_question(s, sw_note_make(share, SW_NOTE_DEMAND)) != 0;

        if (sw_place_find(share->identity, &place))
            nowhere = in_ms(NOWHERE_MS);
        if ((is_dead && was_dead) || pal_now_ns() >= nowhere) {
            sw_share_lose(s, WSAECONNRESET);
            continue;
        }
        was_dead =
            is_dead; /* twice: it may have given control away before it ended, and that is just being taken */
        if (!somebody_waits(s, share)) {
            deadline = in_ms(sw_providers_settings()->control_ms);
        } else if (pal_now_ns() >= deadline) {
            give_up(s, share);
            deadline = in_ms(sw_providers_settings()->control_ms);
        }
        sw_share_pause_asking(s, RETRY_MS);
    }
}

void sw_share_ask(void *sock)
{
    struct sw_sock *s = sock;

    if (sw_share_is_listener(s))
        sw_share_ask_listener(s);
    else
        ask(s);
    sw_sock_release(s);
}
