/* chan_pool.c - memory of channels, kept as long as the library is loaded (see struct wsd_chan).
 * Layer: provider/data. Any thread; control. */
#include "data/chan.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/upcall.h"

static struct pal_mutex pool_lock = PAL_MUTEX_INIT; /* guards free_chans; taken alone */
static struct wsd_chan *free_chans;

static struct wsd_chan *make(void)
{
    struct wsd_chan *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->sq.open_for = c->rq.open_for = INVALID_SOCKET;
    if (!pal_lock_init(&c->sq.lock))
        goto err_alloc;
    if (!pal_lock_init(&c->rq.lock))
        goto err_sq;
    if (pal_lock_init(&c->dispose_lock))
        return c;
    pal_lock_fini(&c->rq.lock);
err_sq:
    pal_lock_fini(&c->sq.lock);
err_alloc:
    free(c);
    return NULL;
}

/* All but what late callers may look at; that is closed already. */
static void make_blank(struct wsd_chan *c)
{
    const size_t queue_rest = offsetof(struct wsd_queue, stopped), chan_rest = offsetof(struct wsd_chan, dev);
    memset((char *)&c->sq + queue_rest, 0, sizeof c->sq - queue_rest);
    memset((char *)&c->rq + queue_rest, 0, sizeof c->rq - queue_rest);
    memset((char *)c + chan_rest, 0, sizeof *c - chan_rest);
}

struct wsd_chan *wsd_chan_take(void)
{
    pal_mutex_lock(&pool_lock);
    struct wsd_chan *c = free_chans;
    if (c)
        free_chans = c->next_free;
    pal_mutex_unlock(&pool_lock);
    if (!c)
        return make();
    make_blank(c);
    return c;
}

void wsd_chan_give(struct wsd_chan *c)
{
    pal_mutex_lock(&pool_lock);
    c->next_free = free_chans;
    free_chans = c;
    pal_mutex_unlock(&pool_lock);
}

/* The library is being unloaded: nobody calls any more. */
PAL_AT_UNLOAD(free_pool)
{
    if (wsd_is_in_use())
        return;
    while (free_chans) {
        struct wsd_chan *c = free_chans;
        free_chans = c->next_free;
        pal_lock_fini(&c->dispose_lock);
        pal_lock_fini(&c->rq.lock);
        pal_lock_fini(&c->sq.lock);
        free(c);
    }
}
