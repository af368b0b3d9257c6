/* pool.c - memory of connections: receives, send buffers and storage in one piece. A few are kept when connections end, and
 * with them what the provider knows of their registrations (contract 8.9); the rest is unmapped after the provider was told.
 * Limit: our choice. */
#include "san/internal.h"

#include "pal/memory.h"

#define KEPT_MAX 64u

static struct {
    struct pal_mutex lock;
    unsigned count;
    struct {
        uint8_t *memory;
        size_t bytes;
    } kept[KEPT_MAX];
} pools = {.lock = PAL_MUTEX_INIT};

uint8_t *san_pool_take(size_t bytes)
{
    uint8_t *found = NULL;

    pal_mutex_lock(&pools.lock);
    for (unsigned i = pools.count; found == NULL && i-- > 0;)
        if (pools.kept[i].bytes == bytes) {
            found = pools.kept[i].memory;
            pools.kept[i] = pools.kept[--pools.count];
        }
    pal_mutex_unlock(&pools.lock);
    return found != NULL ? found : pal_pages_alloc(bytes);
}

static void unmap(uint8_t *pool, size_t bytes)
{
    (void)sw_memory_going(pool, bytes); /* what is still registered there goes with its connection */
    pal_pages_free(pool, bytes);
}

void san_pool_give(uint8_t *pool, size_t bytes)
{
    bool is_kept = false;

    if (pool == NULL)
        return;
    pal_mutex_lock(&pools.lock);
    if (pools.count < KEPT_MAX) {
        pools.kept[pools.count].memory = pool;
        pools.kept[pools.count++].bytes = bytes;
        is_kept = true;
    }
    pal_mutex_unlock(&pools.lock);
    if (!is_kept)
        unmap(pool, bytes);
}

void san_pool_drop(void)
{
    for (;;) {
        uint8_t *pool = NULL;
        size_t bytes = 0;

        pal_mutex_lock(&pools.lock);
        if (pools.count > 0) {
            pool = pools.kept[--pools.count].memory;
            bytes = pools.kept[pools.count].bytes;
        }
        pal_mutex_unlock(&pools.lock);
        if (pool == NULL)
            return;
        unmap(pool, bytes);
    }
}
