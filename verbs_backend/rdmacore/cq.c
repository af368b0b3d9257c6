/* cq.c - completion queues, and the shadow queues that repair siw.
 * Layer:   verbs_backend/rdmacore.
 * Waiting: one completion channel per CQ, non-blocking, so that the channel's fd says "this CQ" without any
 *          dispatch.
 * Threads: one polls a CQ, one waits on it, any arms it. Nothing is locked on the way, except for siw (see
 *          rdmacore.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rdmacore.h"

/* Giving notifications back takes a mutex in the library: done in bulk. Any number works. */
#define ACK_BATCH 128

static uint32_t pow2_mask(uint32_t n)
{
    uint32_t size = 1;
    while (size < n && size < (1u << 31))
        size <<= 1;
    return size - 1;
}

static bool open_siw_wait(struct vb_cq *cq)
{
    struct epoll_event ev = {.events = EPOLLIN};

    cq->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    cq->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return cq->event_fd >= 0 && cq->epoll_fd >= 0 &&
           epoll_ctl(cq->epoll_fd, EPOLL_CTL_ADD, cq->event_fd, &ev) == 0 &&
           epoll_ctl(cq->epoll_fd, EPOLL_CTL_ADD, cq->channel->fd, &ev) == 0;
}

static void free_cq(struct vb_cq *cq)
{
    if (cq->ib)
        (void)ibv_destroy_cq(cq->ib);
    if (cq->epoll_fd >= 0)
        (void)close(cq->epoll_fd);
    if (cq->event_fd >= 0)
        (void)close(cq->event_fd);
    if (cq->channel)
        (void)ibv_destroy_comp_channel(cq->channel);
    free(cq->ready);
    pal_mutex_fini(&cq->shadow_lock);
    free(cq);
}

vb_status_t rc_cq_create(struct vb_dev *dev, uint32_t depth, struct vb_cq **out)
{
    if (depth == 0 || depth > dev->caps.max_cqe)
        return VB_E_INVAL;
    struct vb_cq *cq = calloc(1, sizeof *cq);
    if (!cq)
        return VB_E_NOMEM;
    cq->dev = dev;
    cq->event_fd = cq->epoll_fd = -1;
    if (!pal_mutex_init(&cq->shadow_lock)) {
        free(cq);
        return VB_E_NOMEM;
    }

    vb_status_t st = VB_E_NOMEM;
    int vectors = dev->ctx->num_comp_vectors > 0 ? dev->ctx->num_comp_vectors : 1;
    int vector = (int)(pal_add_relaxed(&dev->next_vector, 1) % (uint32_t)vectors);
    errno = 0;
    cq->channel = ibv_create_comp_channel(dev->ctx);
    if (!cq->channel)
        goto err_errno;
    int flags = fcntl(cq->channel->fd, F_GETFL);
    if (flags < 0 || fcntl(cq->channel->fd, F_SETFL, flags | O_NONBLOCK) != 0)
        goto err_errno;
    cq->ib = ibv_create_cq(dev->ctx, (int)(dev->is_siw ? RC_SIW_PER_REQUEST * depth : depth), cq, cq->channel,
                           vector);
    if (!cq->ib)
        goto err_errno;
    if (dev->is_siw) {
        cq->ready_mask = pow2_mask(depth);
        cq->ready = calloc((size_t)cq->ready_mask + 1, sizeof *cq->ready);
        if (!cq->ready || !open_siw_wait(cq))
            goto err;
    }
    *out = cq;
    return VB_OK;
err_errno:
    if (errno)
        st = rc_status_errno(errno);
err:
    free_cq(cq);
    return st;
}

void rc_cq_destroy(struct vb_cq *cq)
{
    rc_bury_wait(cq->dev->be);
    if (cq->unacked_count)
        ibv_ack_cq_events(cq->ib, cq->unacked_count); /* the library's destroy would wait for them for ever */
    free_cq(cq);
}

static uint8_t wc_op(enum ibv_wc_opcode opcode)
{
    switch (opcode) {
    case IBV_WC_SEND: return VB_WC_SEND;
    case IBV_WC_RDMA_WRITE: return VB_WC_WRITE;
    case IBV_WC_RDMA_READ: return VB_WC_READ;
    case IBV_WC_BIND_MW: return VB_WC_BIND;
    case IBV_WC_LOCAL_INV: return VB_WC_INVALIDATE;
    default: return VB_WC_RECV;
    }
}

static unsigned shadow_poll(struct vb_cq *cq, struct vb_wc *wc, unsigned max);

unsigned rc_cq_poll(struct vb_cq *cq, struct vb_wc *wc, unsigned max)
{
    struct ibv_wc batch[RC_POLL_BATCH];
    unsigned done = 0;

    if (cq->dev->is_siw)
        return shadow_poll(cq, wc, max);
    while (done < max) {
        const int want = max - done < RC_POLL_BATCH ? (int)(max - done) : RC_POLL_BATCH;
        const int got = ibv_poll_cq(cq->ib, want, batch);
        for (int i = 0; i < got; i++, done++) {
            wc[done].id = batch[i].wr_id;
            wc[done].status = batch[i].status == IBV_WC_SUCCESS ? VB_OK : rc_status_wc(batch[i].status);
            wc[done].bytes = batch[i].byte_len;
            wc[done].op = wc_op(batch[i].opcode);
        }
        if (got < want) /* empty, or (< 0) broken: an asynchronous CQ error tells */
            break;
    }
    return done;
}

vb_status_t rc_cq_arm(struct vb_cq *cq)
{
    if (cq->dev->is_siw) {
        pal_mutex_lock(&cq->shadow_lock);
        bool is_overrun = cq->is_overrun;
        cq->is_armed = true;
        pal_mutex_unlock(&cq->shadow_lock);
        if (is_overrun)
            return VB_E_FATAL;
    }
    return ibv_req_notify_cq(cq->ib, 0) == 0 ? VB_OK : VB_E_FATAL;
}

pal_waitable rc_cq_waitable(struct vb_cq *cq)
{
    return cq->dev->is_siw ? cq->epoll_fd : cq->channel->fd;
}

unsigned rc_cq_ack(struct vb_cq *cq)
{
    struct ibv_cq *which;
    void *context;
    unsigned count = 0;

    while (ibv_get_cq_event(cq->channel, &which, &context) == 0) {
        count++;
        if (++cq->unacked_count >= ACK_BATCH) {
            ibv_ack_cq_events(cq->ib, cq->unacked_count);
            cq->unacked_count = 0;
        }
    }
    if (cq->dev->is_siw) {
        uint64_t signals;
        if (read(cq->event_fd, &signals, sizeof signals) == (ssize_t)sizeof signals)
            count++;
    }
    return count;
}

/* ---- shadow queues (siw) ---- */

struct rc_shadow *rc_shadow_create(struct vb_cq *cq, uint32_t size)
{
    struct rc_shadow *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->cq = cq;
    s->size = size;
    s->mask = pow2_mask(size);
    s->ring = calloc((size_t)s->mask + 1, sizeof *s->ring);
    if (!s->ring) {
        free(s);
        return NULL;
    }
    pal_mutex_lock(&cq->shadow_lock);
    s->generation = ++cq->last_generation;
    s->next = cq->shadows;
    cq->shadows = s;
    pal_mutex_unlock(&cq->shadow_lock);
    return s;
}

void rc_shadow_destroy(struct rc_shadow *s)
{
    struct vb_cq *cq = s->cq;

    pal_mutex_lock(&cq->shadow_lock);
    struct rc_shadow **p = &cq->shadows;
    while (*p != s)
        p = &(*p)->next;
    *p = s->next;
    pal_mutex_unlock(&cq->shadow_lock);
    free(s->ring);
    free(s);
}

static void ready_push_locked(struct vb_cq *cq, const struct rc_shadow_entry *e)
{
    if (cq->ready_tail - cq->ready_head > cq->ready_mask) {
        cq->is_overrun = true; /* the caller reserved too little; a device would report a CQ error */
        return;
    }
    cq->ready[cq->ready_tail++ & cq->ready_mask] = (struct vb_wc){
        .id = e->id, .status = e->status, .bytes = e->bytes, .op = e->op};
}

/* Move the finished head of the ring to the ready queue. Requests are served in order, reads excepted, so one
 * that the device does not report has been served when anything behind it is finished. */
static void advance_locked(struct rc_shadow *s)
{
    while (s->head != s->tail) {
        struct rc_shadow_entry *e = &s->ring[s->head & s->mask];
        if (e->is_done) {
            s->done_count--;
            if (e->is_signaled || e->status != VB_OK)
                ready_push_locked(s->cq, e);
        } else if (e->is_awaited || s->done_count == 0) {
            return;
        }
        s->head++;
    }
}

/* Everything that the device has put into the CQ. */
static void harvest_locked(struct vb_cq *cq)
{
    struct ibv_wc batch[RC_POLL_BATCH];
    int got;

    do {
        got = ibv_poll_cq(cq->ib, RC_POLL_BATCH, batch);
        for (int i = 0; i < got; i++) {
            const uint32_t generation = (uint32_t)(batch[i].wr_id >> 32), seq = (uint32_t)batch[i].wr_id;
            struct rc_shadow *s = cq->shadows;
            while (s && s->generation != generation)
                s = s->next;
            if (!s || seq - s->head >= s->tail - s->head)
                continue; /* of a QP that is gone, or settled by a stop and flushed by the device after all */
            struct rc_shadow_entry *e = &s->ring[seq & s->mask];
            if (e->is_done)
                continue;
            e->is_done = true;
            e->status = rc_status_wc(batch[i].status);
            e->bytes = batch[i].byte_len;
            s->done_count++;
            advance_locked(s);
        }
    } while (got == RC_POLL_BATCH);
}

/* The device will complete nothing more of this queue than is in the CQ now. */
static void settle_locked(struct rc_shadow *s)
{
    struct vb_cq *cq = s->cq;

    harvest_locked(cq);
    for (uint32_t i = s->head; i != s->tail; i++) {
        struct rc_shadow_entry *e = &s->ring[i & s->mask];
        if (!e->is_done &&
            (e->is_signaled || e->is_awaited)) { /* awaited: else it would hold up those behind it */
            e->is_done = true;
            e->status = VB_E_FLUSHED;
            s->done_count++;
        }
    }
    advance_locked(s);
    s->head = s->tail; /* what is left was unsignaled: no completion needed */
    if (cq->is_armed && cq->ready_head != cq->ready_tail) {
        const uint64_t one = 1;
        cq->is_armed = false;
        if (write(cq->event_fd, &one, sizeof one) < 0) { /* EAGAIN: is signalled already */
        }
    }
}

uint32_t rc_shadow_push(struct rc_shadow *s, const struct rc_shadow_entry *entries, uint32_t count,
                        uint64_t *ticket, bool *is_stopped)
{
    pal_mutex_lock(&s->cq->shadow_lock);
    const uint32_t room = s->is_stopped ? 0 : s->size - (s->tail - s->head);
    const uint32_t pushed = count < room ? count : room;
    *is_stopped = s->is_stopped;
    *ticket = (uint64_t)s->generation << 32 | s->tail;
    for (uint32_t i = 0; i < pushed; i++)
        s->ring[s->tail++ & s->mask] = entries[i];
    s->is_posting = pushed > 0;
    pal_mutex_unlock(&s->cq->shadow_lock);
    return pushed;
}

void rc_shadow_confirm(struct rc_shadow *s, uint32_t pushed, uint32_t posted)
{
    pal_mutex_lock(&s->cq->shadow_lock);
    s->tail -= pushed - posted;
    s->is_posting = false;
    if (s->is_stopped)
        settle_locked(s);
    pal_mutex_unlock(&s->cq->shadow_lock);
}

void rc_shadow_stop(struct rc_shadow *s)
{
    pal_mutex_lock(&s->cq->shadow_lock);
    s->is_stopped = true;
    if (!s->is_posting) /* else the one who posts settles */
        settle_locked(s);
    pal_mutex_unlock(&s->cq->shadow_lock);
}

static unsigned shadow_poll(struct vb_cq *cq, struct vb_wc *wc, unsigned max)
{
    unsigned done = 0;

    pal_mutex_lock(&cq->shadow_lock);
    if (cq->ready_tail - cq->ready_head < max)
        harvest_locked(cq);
    while (done < max && cq->ready_head != cq->ready_tail)
        wc[done++] = cq->ready[cq->ready_head++ & cq->ready_mask];
    pal_mutex_unlock(&cq->shadow_lock);
    return done;
}
