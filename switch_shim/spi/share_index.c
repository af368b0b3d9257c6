/* share_index.c - from the identity of a shared socket to its object in this process. See share.h.
 * Every message between processes names an identity, so a process with many shared sockets must not look at all of them for each. An object
 * is in here from the moment it is shared until its last handle begins to close. Several of one identity are possible, when one is closed
 * that has not said so (sw_sock_abandon): the newest comes first, and what is closing is passed over.
 * Locks: one, below sw_sock.lock. What is found is entered under it, in a way that never has to leave again (closing calls up). */
#include "spi/share.h"

#define BUCKETS 4096u

static struct pal_mutex lock =
    PAL_MUTEX_INIT; /* guards the lists, and share_next and is_indexed of all sockets */
static struct sw_sock *buckets[BUCKETS];
static pal_atomic_u64 looked_at;

static struct sw_sock **bucket_of(uint64_t identity)
{
    return &buckets[identity % BUCKETS]; /* identities are random */
}

void sw_share_index_add(struct sw_sock *s)
{
    struct sw_sock **first = bucket_of(sw_share_of(s)->identity);

    pal_mutex_lock(&lock);
    s->share_next = *first;
    *first = s;
    s->is_indexed = true;
    pal_mutex_unlock(&lock);
}

void sw_share_index_remove(struct sw_sock *s)
{
    struct sw_sock **at = bucket_of(sw_share_of(s)->identity);

    pal_mutex_lock(&lock);
    while (s->is_indexed && *at != s)
        at = &(*at)->share_next;
    if (s->is_indexed)
        *at = s->share_next;
    s->is_indexed = false;
    pal_mutex_unlock(&lock);
}

/* As sw_sock_enter(), but who is refused has not been counted for a moment. */
static bool enter(struct sw_sock *s)
{
    uint32_t use = pal_load_relaxed(&s->use);

    while ((use & (SW_USE_CLOSING | SW_USE_DEAD)) == 0)
        if (pal_cas_acq_rel(&s->use, &use, use + 1u))
            return true;
    return false;
}

struct sw_sock *sw_share_find(uint64_t identity)
{
    struct sw_sock *s;

    pal_mutex_lock(&lock);
    for (s = *bucket_of(identity); s != NULL; s = s->share_next) {
        pal_add_relaxed(&looked_at, 1u);
        if (sw_share_of(s)->identity == identity && enter(s))
            break;
    }
    pal_mutex_unlock(&lock);
    return s;
}

uint64_t sw_share_looked_at(void)
{
    return pal_load_relaxed(&looked_at);
}
