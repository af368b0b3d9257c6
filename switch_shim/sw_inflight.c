/* sw_inflight.c - which OVERLAPPEDs of notified operations are with a provider right now.
 * A hash set of address and socket handle, in shards so that the submitters and the completers of different
 * operations seldom meet. Open addressing with linear probing; removal moves followers back, so there are no
 * tombstones. Polled operations (bit 0 of hEvent) never come here. */
#include "sw_internal.h"

#include <stdlib.h>

#define SHARDS        64u
#define FIRST_ENTRIES 64u /* power of two */

struct entry {
    WSAOVERLAPPED *ov; /* NULL: free */
    SOCKET handle;
};

static struct shard {
    struct pal_mutex lock; /* guards the rest */
    struct entry *entries;
    size_t capacity; /* power of two */
    size_t count;
} shards[SHARDS];

bool sw_inflight_init(void)
{
    for (unsigned i = 0; i < SHARDS; i++)
        if (!pal_mutex_init(&shards[i].lock))
            return false;
    return true;
}

static uint64_t hash_of(const WSAOVERLAPPED *ov)
{
    uint64_t h = (uint64_t)(uintptr_t)ov * 0x9E3779B97F4A7C15u; /* 2^64 / golden ratio */

    return h ^ h >> 29;
}

static struct shard *shard_of(const WSAOVERLAPPED *ov)
{
    return &shards[hash_of(ov) >> 58]; /* top six bits; the slot inside comes from the low ones */
}

static size_t home_of(const struct shard *s, const WSAOVERLAPPED *ov)
{
    return (size_t)hash_of(ov) & (s->capacity - 1);
}

/* Where ov is, or the free entry where it would be. */
static size_t find_locked(const struct shard *s, const WSAOVERLAPPED *ov)
{
    size_t i = home_of(s, ov);

    while (s->entries[i].ov != NULL && s->entries[i].ov != ov)
        i = (i + 1) & (s->capacity - 1);
    return i;
}

static bool grow_locked(struct shard *s)
{
    struct shard bigger = *s;

    bigger.capacity = s->capacity == 0 ? FIRST_ENTRIES : 2 * s->capacity;
    bigger.entries = calloc(bigger.capacity, sizeof(struct entry));
    if (bigger.entries == NULL)
        return false;
    for (size_t i = 0; i < s->capacity; i++)
        if (s->entries[i].ov != NULL)
            bigger.entries[find_locked(&bigger, s->entries[i].ov)] = s->entries[i];
    free(s->entries);
    s->entries = bigger.entries;
    s->capacity = bigger.capacity;
    return true;
}

static void erase_locked(struct shard *s, size_t hole)
{
    size_t mask = s->capacity - 1;

    for (size_t i = (hole + 1) & mask; s->entries[i].ov != NULL; i = (i + 1) & mask) {
        /* the follower may move into the hole unless its home lies behind the hole */
        if (((i - home_of(s, s->entries[i].ov)) & mask) >= ((i - hole) & mask)) {
            s->entries[hole] = s->entries[i];
            hole = i;
        }
    }
    s->entries[hole].ov = NULL;
    s->count--;
}

enum sw_inflight_result sw_inflight_add(WSAOVERLAPPED *ov, SOCKET handle)
{
    struct shard *s = shard_of(ov);
    enum sw_inflight_result result = SW_INFLIGHT_OK;
    size_t at;

    pal_mutex_lock(&s->lock);
    if (4 * (s->count + 1) > 3 * s->capacity && !grow_locked(s)) {
        result = SW_INFLIGHT_NO_MEMORY;
    } else {
        at = find_locked(s, ov);
        if (s->entries[at].ov != NULL) {
            result = SW_INFLIGHT_OTHER_HANDLE;
        } else {
            s->entries[at] = (struct entry){ov, handle};
            s->count++;
        }
    }
    pal_mutex_unlock(&s->lock);
    return result;
}

enum sw_inflight_result sw_inflight_remove(WSAOVERLAPPED *ov, SOCKET handle)
{
    struct shard *s = shard_of(ov);
    enum sw_inflight_result result = SW_INFLIGHT_ABSENT;

    pal_mutex_lock(&s->lock);
    if (s->count > 0) {
        size_t at = find_locked(s, ov);

        if (s->entries[at].ov != NULL) {
            result = s->entries[at].handle == handle ? SW_INFLIGHT_OK : SW_INFLIGHT_OTHER_HANDLE;
            if (result == SW_INFLIGHT_OK)
                erase_locked(s, at);
        }
    }
    pal_mutex_unlock(&s->lock);
    return result;
}

void sw_inflight_purge(SOCKET handle)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *s = &shards[i];

        pal_mutex_lock(&s->lock);
        for (size_t at = 0; at < s->capacity;) {
            if (s->entries[at].ov != NULL && s->entries[at].handle == handle)
                erase_locked(s, at); /* a follower may have moved here: look at this place again */
            else
                at++;
        }
        pal_mutex_unlock(&s->lock);
    }
}

/* The library is being unloaded, or the process ends: see sw_handle.c. */
PAL_AT_UNLOAD(free_entries)
{
    for (unsigned i = 0; i < SHARDS && sw_slots_all_free(); i++) {
        if (shards[i].count != 0)
            continue;
        free(shards[i].entries);
        shards[i].entries = NULL;
        shards[i].capacity = 0;
    }
}
