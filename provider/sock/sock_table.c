/* sock_table.c - descriptors, references and the slots behind them.
 * Lookup takes no lock: the slot's word carries generation and reference count, and a slot's memory is never freed
 * while the library is loaded. What a descriptor looks like: sock.h. */
#include "sock/sock.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/upcall.h"
#include "sock/instance.h"

#define CHUNK_SLOTS 64u /* made at a time */

_Atomic(struct wsd_sock *) wsd_sock_slots[WSD_SOCK_MOST];
static pal_atomic_u32 slot_count;   /* slots that exist */
static struct wsd_sock *free_slots; /* guarded by wsd_provider.table_lock */
static pal_atomic_u32 used_slots;

static bool add_chunk_locked(void)
{
    uint32_t count = pal_load_relaxed(&slot_count);
    if (count == WSD_SOCK_MOST)
        return false;
    struct wsd_sock *chunk = calloc(CHUNK_SLOTS, sizeof *chunk);
    if (!chunk)
        return false;
    for (uint32_t i = CHUNK_SLOTS; i-- > 0;) {
        if (!pal_mutex_init(&chunk[i].lock)) {
            while (++i < CHUNK_SLOTS)
                pal_mutex_fini(&chunk[i].lock);
            free(chunk);
            return false;
        }
    }
    for (uint32_t i = CHUNK_SLOTS; i-- > 0;) {
        chunk[i].index = count + i;
        chunk[i].next_free = free_slots;
        free_slots = &chunk[i];
        atomic_store_explicit(&wsd_sock_slots[count + i], &chunk[i],
                              memory_order_release); /* publishes the slot */
    }
    pal_store_release(&slot_count, count + CHUNK_SLOTS); /* publishes the entries */
    return true;
}

/* Everything but the table's own fields and the lock starts at zero. */
static void clear(struct wsd_sock *s)
{
    pal_store_relaxed(&s->state, WSD_ST_CREATED);
    memset(&s->id, 0, sizeof *s - offsetof(struct wsd_sock, id));
    s->handle = INVALID_SOCKET;
    s->queue_tail = &s->queue_head;
    s->id = s->index;
}

struct wsd_sock *wsd_sock_create(enum wsd_sock_ref why)
{
    pal_mutex_lock(&wsd_provider.table_lock);
    struct wsd_sock *s = free_slots || add_chunk_locked() ? free_slots : NULL;
    if (s)
        free_slots = s->next_free;
    pal_mutex_unlock(&wsd_provider.table_lock);
    if (!s)
        return NULL;
    clear(s);
    pal_add_relaxed(&used_slots, 1);
#ifdef PAL_LOCK_DEBUG
    pal_store_relaxed(&s->refs[why], 1);
#else
    (void)why;
#endif
    uint64_t generation = (pal_load_relaxed(&s->word) >> 32) + 1; /* becomes odd: in use */
    pal_store_release(&s->word, generation << 32 | 1);            /* publishes the cleared fields */
    return s;
}

_Static_assert(WSD_SOCK_MOST % CHUNK_SLOTS == 0, "the table grows by whole chunks");
_Static_assert((uint64_t)WSD_SOCK_MOST < (uint64_t)1 << WSD_SOCK_INDEX_BITS, "room for every index + 1");
_Static_assert(WSD_SOCK_GENERATION_BITS + WSD_SOCK_INDEX_BITS + 2 < 8 * sizeof(SOCKET),
               "the highest bit is clear");

SOCKET wsd_sock_descriptor(const struct wsd_sock *s)
{
    uint64_t generation = wsd_sock_generation(pal_load_relaxed(&((struct wsd_sock *)(uintptr_t)s)->word));
    return (SOCKET)((generation << WSD_SOCK_INDEX_BITS | (s->index + 1u)) << 2);
}

struct wsd_sock *wsd_sock_lookup(SOCKET descriptor)
{
    uint32_t generation = (uint32_t)((uint64_t)descriptor >> (WSD_SOCK_INDEX_BITS + 2));
    struct wsd_sock *s = (uint64_t)descriptor & 3 ? NULL : wsd_sock_slot(descriptor);
    if (!s)
        return NULL;
    uint64_t word = pal_load_relaxed(&s->word);
    do {
        if (wsd_sock_generation(word) != generation || !WSD_SOCK_IN_USE(generation) || (uint32_t)word == 0)
            return NULL;
    } while (!atomic_compare_exchange_weak_explicit(&s->word, &word, word + 1, memory_order_acquire,
                                                    memory_order_relaxed));
#ifdef PAL_LOCK_DEBUG
    pal_add_relaxed(&s->refs[WSD_REF_CALL], 1);
#endif
    if (!(1u << wsd_sock_state(s) & WSD_SOCK_NOBODYS))
        return s;
    wsd_sock_release(s, WSD_REF_CALL);
    return NULL;
}

void wsd_sock_hold(struct wsd_sock *s, enum wsd_sock_ref why)
{
    pal_add_relaxed(&s->word, 1);
#ifdef PAL_LOCK_DEBUG
    pal_add_relaxed(&s->refs[why], 1);
#else
    (void)why;
#endif
}

static void recycle(struct wsd_sock *s)
{
    struct wsd_chan *chan = s->chan;
    s->chan = NULL;
    if (chan)
        wsd_chan_free(chan);
#ifdef PAL_LOCK_DEBUG
    for (int i = 0; i < WSD_REF_COUNT; i++)
        assert(pal_load_relaxed(&s->refs[i]) == 0);
#endif
    uint64_t generation = (pal_load_relaxed(&s->word) >> 32) + 1; /* even: free */
    pal_store_release(&s->word, generation << 32);
    pal_mutex_lock(&wsd_provider.table_lock);
    s->next_free = free_slots;
    free_slots = s;
    pal_mutex_unlock(&wsd_provider.table_lock);
    pal_sub_acq_rel(&used_slots, 1);
}

void wsd_sock_release(struct wsd_sock *s, enum wsd_sock_ref why)
{
#ifdef PAL_LOCK_DEBUG
    uint32_t had = pal_sub_acq_rel(&s->refs[why], 1);
    assert(had != 0);
    (void)had;
#else
    (void)why;
#endif
    if ((uint32_t)pal_sub_acq_rel(&s->word, 1) == 1)
        recycle(s);
}

void wsd_sock_for_each(void (*visit)(struct wsd_sock *s, void *arg), void *arg)
{
    uint32_t count = pal_load_acquire(&slot_count);
    for (uint32_t i = 0; i < count; i++) {
        struct wsd_sock *s = wsd_sock_at(i);
        uint64_t word = pal_load_relaxed(&s->word);
        bool taken = false;
        while (!taken && (uint32_t)word != 0 && WSD_SOCK_IN_USE(word >> 32))
            taken = atomic_compare_exchange_weak_explicit(&s->word, &word, word + 1, memory_order_acquire,
                                                          memory_order_relaxed);
        if (!taken)
            continue;
#ifdef PAL_LOCK_DEBUG
        pal_add_relaxed(&s->refs[WSD_REF_CALL], 1);
#endif
        visit(s, arg);
        wsd_sock_release(s, WSD_REF_CALL);
    }
}

uint32_t wsd_sock_count(void)
{
    return pal_load_acquire(&used_slots);
}

/* The library is being unloaded: no descriptor can be used any more. */
PAL_AT_UNLOAD(free_table)
{
    if (wsd_is_in_use() || pal_load_acquire(&used_slots))
        return; /* not cleaned up: threads may still look at them */
    uint32_t count = pal_load_acquire(&slot_count);
    for (uint32_t i = 0; i < count; i++)
        pal_mutex_fini(&wsd_sock_at(i)->lock);
    for (uint32_t i = 0; i < count; i += CHUNK_SLOTS)
        free(wsd_sock_at(i)); /* the first of its chunk */
    pal_store_release(&slot_count, 0);
}
