/* sw_handle.c - the table behind every handle the switch gives out: sockets, events, thread ids, completion ports.
 * A handle names slot and generation, so it is never reused while anybody may still hold it, never looks like
 * a pointer or a small number (hence never equals a provider's descriptor), and a stale one is recognised as
 * such: that is how upcalls after WPUCloseSocketHandle are caught. The low three bits are clear: bit 0 of
 *       hEvent has a meaning (contract 7.2). */
#include "sw_internal.h"

#include <stdlib.h>

#define CHUNK_SLOTS 256u
#define CHUNKS_MAX  4096u
#define NO_SLOT     UINT32_MAX

/* handle = type tag | generation | slot index | 000 */
#define INDEX_SHIFT 3u
#if UINTPTR_MAX > 0xFFFFFFFFu
#define INDEX_BITS      21u
#define GENERATION_BITS 24u
#define TAG_SHIFT       48u
static const uintptr_t type_tag[] = {0, 0x5357u, 0x5745u, 0x5754u, 0x5750u};
#else
#define INDEX_BITS      16u
#define GENERATION_BITS 10u
#define TAG_SHIFT       29u
static const uintptr_t type_tag[] = {0, 5u, 6u, 7u, 4u};
#endif
#define GENERATION_SHIFT (INDEX_SHIFT + INDEX_BITS)
#define GENERATION_MASK  ((1u << GENERATION_BITS) - 1u)

static struct {
    struct pal_mutex lock; /* guards growing and the free list */
    struct sw_slot *_Atomic chunk[CHUNKS_MAX];
    pal_atomic_u32 slot_count;
    uint32_t first_free, last_free; /* first in, first out: reuse as late as possible */
} table;

static pal_atomic_u32 init_state; /* 0 untouched, 1 in progress, 2 done, 3 failed */

bool sw_global_init(void)
{
    uint32_t seen = pal_load_acquire(&init_state);

    if (seen == 2)
        return true;
    seen = 0;
    if (pal_cas_acq_rel(&init_state, &seen, 1u)) {
        bool done = pal_mutex_init(&table.lock) && pal_mutex_init(&sw_stray_violations.lock) &&
                    sw_thread_init() && sw_inflight_init() && sw_load_init();

        table.first_free = table.last_free = NO_SLOT;
        pal_store_release(&init_state, done ? 2u : 3u); /* release: publishes the tables */
        return done;
    }
    while ((seen = pal_load_acquire(&init_state)) == 1)
        pal_thread_yield();
    return seen == 2;
}

static uintptr_t handle_of(const struct sw_slot *slot)
{
    return type_tag[slot->type] << TAG_SHIFT | (uintptr_t)slot->generation << GENERATION_SHIFT |
           (uintptr_t)slot->index << INDEX_SHIFT;
}

static struct sw_slot *slot_at(uint32_t index)
{
    struct sw_slot *chunk;

    if (index >= pal_load_acquire(&table.slot_count)) /* acquire: the chunk pointer is there */
        return NULL;
    chunk = pal_load_acquire(&table.chunk[index / CHUNK_SLOTS]);
    return chunk + index % CHUNK_SLOTS;
}

static void push_free_locked(uint32_t index)
{
    PAL_ASSERT_HELD(&table.lock);
    slot_at(index)->next_free = NO_SLOT;
    if (table.last_free == NO_SLOT)
        table.first_free = index;
    else
        slot_at(table.last_free)->next_free = index;
    table.last_free = index;
}

static bool grow_locked(void)
{
    uint32_t first = pal_load_relaxed(&table.slot_count);
    struct sw_slot *chunk;

    PAL_ASSERT_HELD(&table.lock);
    if (first / CHUNK_SLOTS >= CHUNKS_MAX || first + CHUNK_SLOTS > 1u << INDEX_BITS)
        return false;
    chunk = calloc(CHUNK_SLOTS, sizeof(*chunk));
    if (chunk == NULL)
        return false;
    for (uint32_t i = 0; i < CHUNK_SLOTS; i++) {
        if (!pal_mutex_init(&chunk[i].lock) || !pal_cond_init(&chunk[i].completed)) {
            free(chunk); /* out of system resources; the few initialised locks hold none on our platforms */
            return false;
        }
        chunk[i].index = first + i;
        chunk[i].generation = 1;
    }
    pal_store_release(&table.chunk[first / CHUNK_SLOTS], chunk); /* release: publishes the slots */
    pal_store_release(&table.slot_count, first + CHUNK_SLOTS);   /* release: publishes the chunk pointer */
    for (uint32_t i = 0; i < CHUNK_SLOTS; i++)
        push_free_locked(first + i);
    return true;
}

static pal_atomic_u32 open_slots; /* written under table.lock; read when the library goes */

struct sw_slot *sw_slot_create(enum sw_object_type type, const void *owner, uintptr_t *handle)
{
    struct sw_slot *slot;

    pal_mutex_lock(&table.lock);
    if (table.first_free == NO_SLOT && !grow_locked()) {
        pal_mutex_unlock(&table.lock);
        return NULL;
    }
    slot = slot_at(table.first_free);
    table.first_free = slot->next_free;
    if (table.first_free == NO_SLOT)
        table.last_free = NO_SLOT;
    pal_add_acq_rel(&open_slots, 1u);
    pal_mutex_unlock(&table.lock);

    pal_mutex_lock(&slot->lock);
    slot->type = type;
    slot->owner = owner;
    slot->u.socket.context = 0;
    slot->u.socket.notify = (struct sw_notify){SW_NOTIFY_EVENT, NULL, NULL, NULL, 0};
    slot->u.socket.holds_queue = false;
    slot->u.socket.completion_modes = 0;
    slot->u.socket.in_flight = 0;
    slot->u.socket.waiters = 0;
    *handle = handle_of(slot);
    return slot;
}

struct sw_slot *sw_slot_lock(uintptr_t handle, enum sw_object_type type, enum sw_lookup *why)
{
    uint32_t index = (uint32_t)(handle >> INDEX_SHIFT) & ((1u << INDEX_BITS) - 1u);
    uint32_t generation = (uint32_t)(handle >> GENERATION_SHIFT) & GENERATION_MASK;
    struct sw_slot *slot = NULL;
    enum sw_lookup result = SW_LOOKUP_UNKNOWN;

    if (handle >> TAG_SHIFT == type_tag[type] && (handle & ((1u << INDEX_SHIFT) - 1u)) == 0)
        slot = slot_at(index);
    if (slot != NULL) {
        pal_mutex_lock(&slot->lock);
        if (slot->type == type && slot->generation == generation) {
            if (why != NULL)
                *why = SW_LOOKUP_OK;
            return slot;
        }
        if (slot->generation > generation)
            result = SW_LOOKUP_CLOSED;
        pal_mutex_unlock(&slot->lock);
    }
    if (why != NULL)
        *why = result;
    return NULL;
}

void sw_slot_unlock(struct sw_slot *slot)
{
    pal_mutex_unlock(&slot->lock);
}

void sw_slot_close(struct sw_slot *slot)
{
    uint32_t index = slot->index;

    PAL_ASSERT_HELD(&slot->lock);
    slot->type = SW_OBJECT_FREE;
    slot->owner = NULL;
    slot->generation = (slot->generation + 1) & GENERATION_MASK;
    pal_cond_broadcast(&slot->completed);
    pal_mutex_unlock(&slot->lock);

    pal_mutex_lock(&table.lock);
    push_free_locked(index);
    pal_sub_acq_rel(&open_slots, 1u);
    pal_mutex_unlock(&table.lock);
}

void sw_slot_each(const void *owner, void (*fn)(struct sw_slot *slot, uintptr_t handle, void *context),
                  void *context)
{
    uint32_t count = pal_load_acquire(&table.slot_count);

    for (uint32_t i = 0; i < count; i++) {
        struct sw_slot *slot = slot_at(i);

        pal_mutex_lock(&slot->lock);
        if (slot->type != SW_OBJECT_FREE && slot->owner == owner)
            fn(slot, handle_of(slot), context);
        else
            pal_mutex_unlock(&slot->lock);
    }
}

int sw_handle_set_notify(SOCKET handle, const struct sw_notify *n)
{
    static const struct sw_notify only_event = {SW_NOTIFY_EVENT, NULL, NULL, NULL, 0};
    struct sw_slot *slot;

    if (n == NULL)
        n = &only_event;
    if ((n->kind == SW_NOTIFY_CALLBACK && n->fn == NULL) || (n->kind == SW_NOTIFY_IOCP && n->iocp == NULL))
        return WSAEINVAL;
    slot = sw_slot_lock(handle, SW_OBJECT_SOCKET, NULL);
    if (slot == NULL)
        return WSAENOTSOCK;
    slot->u.socket.notify = *n;
    sw_slot_unlock(slot);
    return 0;
}

bool sw_handle_is_open(SOCKET handle)
{
    struct sw_slot *slot = sw_slot_lock(handle, SW_OBJECT_SOCKET, NULL);

    if (slot == NULL)
        return false;
    sw_slot_unlock(slot);
    return true;
}

unsigned sw_open_handles(struct sw_provider *p)
{
    return pal_load_relaxed(&p->open_handle_count);
}

/* Which handle did the provider just make? Asked right after WSPSocket and WSPAccept, in the thread that
 * called them. */
static PAL_THREAD_LOCAL bool has_created_handle;
static PAL_THREAD_LOCAL SOCKET created_handle;

void sw_note_created_handle(SOCKET handle)
{
    created_handle = handle;
    has_created_handle = true;
}

SOCKET sw_peek_created_handle(void)
{
    return has_created_handle ? created_handle : INVALID_SOCKET;
}

SOCKET sw_take_created_handle(void)
{
    SOCKET handle = sw_peek_created_handle();

    has_created_handle = false;
    return handle;
}

/* The library is being unloaded, or the process ends. What is still open somebody may still use: it stays then. */
bool sw_slots_all_free(void)
{
    return pal_load_acquire(&open_slots) == 0;
}

PAL_AT_UNLOAD(free_chunks)
{
    if (!sw_slots_all_free())
        return;
    pal_store_release(&table.slot_count, 0u);
    for (unsigned i = 0; i < CHUNKS_MAX; i++)
        free(pal_swap_acq_rel(&table.chunk[i], NULL));
}
