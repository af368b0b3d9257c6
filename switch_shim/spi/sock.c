/* sock.c - the socket object: memory, references, carriers that come and go, closing.
 * Idea: a call counts itself in `use` and compares the handle afterwards. Carriers are closed by whoever leaves last, so close() never
 *       meets another call inside a carrier. Threads that sleep are not counted; they hold a reference only.
 * Memory: objects live in blocks that stay until the library goes: the cache of handles may point at any of them. */
#include "spi/spi.h"

#include <stdlib.h>
#include <string.h>

#include "pal/compiler.h"
#include "spi/change.h"
#include "spi/offer.h"
#include "spi/share.h"

#define BLOCK_SOCKETS   64u
#define BLOCKS_MAX      4096u
#define CLEANUP_MS      10000u
#define CLEANUP_LOOK_MS 10u /* routines that have been queued wake nobody */

_Atomic(struct sw_sock *) sw_sock_cache[SW_CACHE_SIZE];

static struct pal_mutex table_lock =
    PAL_MUTEX_INIT; /* guards what follows; writers of blocks[] hold it, readers need not */
static _Atomic(struct sw_sock *) blocks[BLOCKS_MAX];
static unsigned block_count, live_count;
static struct sw_sock *free_list;
static bool is_gone_ready;
static struct pal_cond gone;

static bool init_object(struct sw_sock *s, uint32_t index)
{
    s->index = index;
    pal_store_relaxed(&s->use, SW_USE_DEAD);
    pal_store_relaxed(&s->handle, (uintptr_t)INVALID_SOCKET);
    return pal_mutex_init(&s->lock) && pal_cond_init(&s->changed) && pal_lock_init(&s->pool_lock);
}

static bool grow_locked(void)
{
    struct sw_sock *block;

    if (!is_gone_ready && !pal_cond_init(&gone))
        return false;
    is_gone_ready = true;
    block = block_count < BLOCKS_MAX ? calloc(BLOCK_SOCKETS, sizeof(*block)) : NULL;
    if (block == NULL)
        return false;
    for (unsigned i = 0; i < BLOCK_SOCKETS; i++) {
        if (!init_object(&block[i], block_count * BLOCK_SOCKETS + i)) {
            free(block);
            return false;
        }
        block[i].next_free = free_list;
        free_list = &block[i];
    }
    pal_store_release(&blocks[block_count], block); /* publishes the initialised objects */
    block_count++;
    return true;
}

/* A program that ends with sockets open may have threads in them: then the memory goes with the process. */
PAL_AT_UNLOAD(sw_sock_free_blocks)
{
    for (unsigned i = 0; i < block_count && live_count == 0 && !sw_spi_is_started(); i++) {
        struct sw_sock *block = pal_load_relaxed(&blocks[i]);

        for (unsigned at = 0; at < BLOCK_SOCKETS; at++) {
            sw_io_free_pool(&block[at]);
            pal_cond_fini(&block[at].changed);
            pal_mutex_fini(&block[at].lock);
            pal_lock_fini(&block[at].pool_lock);
        }
        free(block);
    }
}

static struct sw_sock *by_index(uintptr_t index)
{
    struct sw_sock *block = index < BLOCKS_MAX * BLOCK_SOCKETS
                                ? pal_load_acquire(&blocks[index / BLOCK_SOCKETS])
                                : NULL;

    return block == NULL ? NULL : &block[index % BLOCK_SOCKETS];
}

struct sw_sock *sw_sock_get_slowly(SOCKET handle, int *error)
{
    DWORD_PTR context = 0;
    struct sw_sock *s;

    *error = sw_spi_is_started() ? sw_up_context(handle, &context) : WSANOTINITIALISED;
    if (*error != 0)
        return NULL;
    s = by_index(context - 1);
    if (s != NULL && sw_sock_enter(s)) {
        if (pal_load_relaxed(&s->handle) == handle || sw_names_has(s, handle)) {
            pal_store_release(&sw_sock_cache[sw_cache_at(handle)], s);
            return s;
        }
        sw_sock_leave(s);
    }
    *error = WSAENOTSOCK;
    return NULL;
}

/* Everything of the last life goes; what strays may look at (use, locks, pool) stays. */
static void reset_object(struct sw_sock *s)
{
    s->state = s->fall_back = SW_CREATED;
    s->first.handle = INVALID_SOCKET;
    s->first.is_open = false;
    s->names = NULL;
    s->open_count = 0;
    s->is_last_going = false;
    s->is_moved = false;
    s->is_closing = s->is_bound = s->is_peer_set = false;
    s->closed_error = s->error = s->connect_error = 0;
    s->tcp = s->san = s->retired = NULL;
    s->legs_left = 0;
    s->connected_ns = 0;
    s->linger_ms = SW_SESSION_LINGER_FOREVER;
    s->is_connect_over = false;
    s->connect_io = NULL;
    s->backlog = 0;
    s->accept_waiters = s->accept_events = 0;
    s->deferred = s->deferred_next = NULL;
    s->accept_first = s->accept_last = NULL;
    s->is_pumping = s->pump_again = false;
    s->is_signalling = false;
    s->event = WSA_INVALID_EVENT;
    s->window = NULL;
    s->message = 0;
    s->message_handle = INVALID_SOCKET;
    s->recorded = s->disabled = 0;
    memset(s->event_error, 0, sizeof(s->event_error));
    s->selectors = NULL;
    pal_store_relaxed(&s->data, NULL);
    pal_store_relaxed(&s->share, NULL);
    pal_store_relaxed(&s->event_mask, 0u);
    pal_store_relaxed(&s->send_ms, 0u);
    pal_store_relaxed(&s->receive_ms, 0u);
    sw_options_init(s);
}

struct sw_sock *sw_sock_new(int af, int type, int protocol, const WSAPROTOCOL_INFOW *info, uint32_t mode)
{
    struct sw_sock *s;

    pal_mutex_lock(&table_lock);
    if (free_list == NULL && !grow_locked()) {
        pal_mutex_unlock(&table_lock);
        return NULL;
    }
    s = free_list;
    free_list = s->next_free;
    live_count++;
    pal_mutex_unlock(&table_lock);

    pal_mutex_lock(&s->lock);
    reset_object(s);
    s->af = af;
    s->type = type;
    s->protocol = protocol;
    s->info = *info;
    pal_mutex_unlock(&s->lock);
    pal_store_relaxed(&s->mode, mode | (type == WS_SOCK_STREAM ? SW_MODE_STREAM : 0u));
    pal_store_relaxed(&s->refs, 1u);
    pal_store_relaxed(&s->first.pending, 1u);
    pal_add_relaxed(&s->use, 1u);
    atomic_fetch_and_explicit(&s->use, ~SW_USE_DEAD, memory_order_release); /* publishes the fields above */
    return s;
}

void sw_sock_release(struct sw_sock *s)
{
    if (pal_sub_acq_rel(&s->refs, 1u) != 1)
        return;
    atomic_fetch_or_explicit(&s->use, SW_USE_DEAD, memory_order_acq_rel);
    atomic_fetch_and_explicit(&s->use, ~(SW_USE_CLOSING | SW_USE_RETIRE), memory_order_acq_rel);
    pal_store_relaxed(&s->handle, (uintptr_t)INVALID_SOCKET);
    sw_share_free(s);
    pal_mutex_lock(&s->lock);
    s->state = SW_FREE;
    pal_mutex_unlock(&s->lock);
    pal_mutex_lock(&table_lock);
    s->next_free = free_list;
    free_list = s;
    live_count--;
    pal_cond_broadcast(&gone);
    pal_mutex_unlock(&table_lock);
}

void sw_sock_abandon(struct sw_sock *s)
{
    sw_sock_begin_close(s, 0);
    sw_sock_leave(s);
}

/* --- states --- */

static pal_atomic_u32 refused_moves;

/* The only writer of `state`, apart from birth and death. A refusal would be a mistake in here, not one of the application's; it
 * costs the call that noticed, never the process. */
bool sw_sock_move_locked(struct sw_sock *s, enum sw_state to)
{
    PAL_ASSERT_HELD(&s->lock);
    if (!sw_state_may_follow(s->state, to)) {
        pal_add_relaxed(&refused_moves, 1u);
        return false;
    }
    if (to == SW_CONNECTING || to == SW_ACCEPTING)
        s->fall_back = s->state == SW_DISCONNECTED ? SW_DISCONNECTED : SW_CREATED;
    s->state = to;
    pal_cond_broadcast(&s->changed);
    return true;
}

void sw_sock_move_back_locked(struct sw_sock *s)
{
    (void)sw_sock_move_locked(s, s->is_bound ? SW_BOUND : s->fall_back);
}

uint32_t sw_sock_refused_moves(void)
{
    return pal_load_relaxed(&refused_moves);
}

/* --- closing --- */

bool sw_sock_begin_close(struct sw_sock *s, uint32_t linger_ms)
{
    bool is_first;

    pal_mutex_lock(&s->lock);
    is_first = (pal_load_relaxed(&s->use) & SW_USE_CLOSING) == 0;
    if (is_first) {
        s->linger_ms = linger_ms;
        atomic_fetch_or_explicit(&s->use, SW_USE_CLOSING, memory_order_acq_rel);
        pal_cond_broadcast(&s->changed);
        sw_events_wake_locked(s, SW_EVENT_GONE);
    }
    pal_mutex_unlock(&s->lock);
    return is_first;
}

static struct sw_leg *legs_to_close_locked(struct sw_sock *s, bool *is_last)
{
    uint32_t use = pal_load_acquire(&s->use);
    struct sw_leg *list = NULL;
    struct sw_leg **end = &list;

    *is_last = false;
    if ((use & SW_USE_COUNT) != 0)
        return NULL; /* somebody is inside again and comes here when he leaves */
    if ((use & SW_USE_RETIRE) != 0) {
        atomic_fetch_and_explicit(&s->use, ~SW_USE_RETIRE, memory_order_acq_rel);
        list = s->retired;
        s->retired = NULL;
    }
    if ((use & SW_USE_CLOSING) == 0 || (use & SW_USE_DEAD) != 0 || s->is_closing)
        return list;
    s->is_closing = *is_last = true;
    while (*end != NULL)
        end = &(*end)->next;
    for (struct sw_leg *leg = s->san; leg != NULL; leg = leg->next)
        leg->linger_ms = s->linger_ms == SW_CLOSE_ALL ? 0
                                                      : s->linger_ms; /* what others share has gone to them */
    *end = s->san;
    while (*end != NULL)
        end = &(*end)->next;
    if (s->tcp != NULL)
        s->tcp->linger_ms = s->linger_ms;
    *end = s->tcp;
    s->san = s->tcp = NULL;
    return list;
}

void sw_sock_idle(struct sw_sock *s)
{
    struct sw_leg *list;
    bool is_last;

    pal_mutex_lock(&s->lock);
    list = legs_to_close_locked(s, &is_last);
    pal_mutex_unlock(&s->lock);
    while (list != NULL) {
        struct sw_leg *leg = list;

        list = leg->next;
        leg->carrier->ops->close(leg->carrier,
                                 leg->linger_ms); /* closed() may come at once and free the leg */
    }
    if (is_last) {
        sw_accept_closed(s);
        sw_share_closed(s);
        sw_change_forget(s);
        sw_names_close_all(s);
        sw_sock_release(s);
    }
}

static unsigned count_blocks(void)
{
    unsigned count;

    pal_mutex_lock(&table_lock);
    count = block_count;
    pal_mutex_unlock(&table_lock);
    return count;
}

void sw_sock_for_each(void (*visit)(struct sw_sock *s))
{
    unsigned count = count_blocks();

    for (unsigned i = 0; i < count * BLOCK_SOCKETS; i++) {
        struct sw_sock *s = by_index(i);

        if (sw_sock_enter(s)) {
            visit(s);
            sw_sock_leave(s);
        }
    }
}

/* Only routines keep it: whether a thread ever lets those run is its own affair, and WSPCleanup does not wait for that (it cancels,
 * contract 10.1, 5). The object stays until then, memory of the library as it is. */
static bool is_kept_by_routines(struct sw_sock *s)
{
    uint32_t routines = pal_load_acquire(&s->routines);
    uint32_t refs = pal_load_acquire(&s->refs);

    return refs != 0 && refs <= routines;
}

/* All others, also one whose last reference is being given back: the thread that does so is still in the library, which goes next. */
static unsigned count_waited_for_locked(unsigned blocks_there)
{
    unsigned found = live_count;

    PAL_ASSERT_HELD(&table_lock);
    for (unsigned i = 0; found > 0 && i < blocks_there * BLOCK_SOCKETS; i++)
        found -= is_kept_by_routines(by_index(i)) ? 1 : 0;
    return found;
}

static unsigned given_up; /* start-up is serialised */

unsigned sw_sock_given_up(void)
{
    return given_up;
}

/* False: none is waited for any more. */
static bool wait_a_while(unsigned blocks_there)
{
    pal_mutex_lock(&table_lock);
    given_up = count_waited_for_locked(blocks_there);
    if (given_up > 0)
        (void)pal_cond_timedwait(&gone, &table_lock, pal_now_ns() + CLEANUP_LOOK_MS * 1000000ull);
    pal_mutex_unlock(&table_lock);
    return given_up > 0;
}

static void close_abortively(struct sw_sock *s)
{
    if (pal_load_acquire(&s->handle) != (uintptr_t)INVALID_SOCKET)
        sw_sock_begin_close(s, SW_CLOSE_ALL);
}

/* Calls that were inside when it began may have made one more socket, or offered theirs: so again, until nothing is left. */
void sw_sock_close_all(void)
{
    uint64_t deadline = pal_now_ns() + CLEANUP_MS * 1000000ull;

    do {
        sw_sock_for_each(close_abortively);
        sw_offers_drop();
    } while (wait_a_while(count_blocks()) && pal_now_ns() < deadline);
}
