/* bury.c - destroying on a thread of its own what siw keeps for as long as its peer likes.
 * Layer:   verbs_backend/rdmacore; only siw's attempts to connect that are given up come here.
 * Why:     once siw has sent its request, nothing but the answer, or its timer (10 s), makes it let go of the QP and of the
 *          id: ibv_destroy_qp() and rdma_destroy_id() wait in the kernel (siw_destroy_qp, iw_destroy_cm_id). On the thread
 *          that polls the cm that would be the peer's way to hold up all other connections, and a listener in the same
 *          process, whose answer is awaited, could not give it.
 * Until:   what the buried objects stand on (CQ, device, cm, backend) is destroyed by calls that wait for them; a PD goes with
 *          its last QP. */
#include <stdlib.h>

#include "pal/thread.h"
#include "rdmacore.h"

struct rc_burial {
    struct rc_burial *next; /* of the backend; guarded by its lock */
    void (*end)(void *);
    void *arg;
    struct pal_thread *thread;
    pal_atomic_bool is_over;
};

static void bury(void *arg)
{
    struct rc_burial *b = arg;
    b->end(b->arg);
    pal_store_release(&b->is_over, true);
}

/* Unlinks one: any, or one that is over. NULL: none. */
static struct rc_burial *take(struct vb_backend *be, bool any)
{
    pal_mutex_lock(&be->lock);
    struct rc_burial **at = &be->burials;
    while (*at && !any && !pal_load_acquire(&(*at)->is_over))
        at = &(*at)->next;
    struct rc_burial *b = *at;
    if (b)
        *at = b->next;
    pal_mutex_unlock(&be->lock);
    return b;
}

static void join(struct vb_backend *be, bool all)
{
    struct rc_burial *b;
    while ((b = take(be, all)) != NULL) {
        pal_thread_join(b->thread);
        free(b);
    }
}

void rc_bury(struct vb_backend *be, void (*end)(void *), void *arg)
{
    join(be, false);
    struct rc_burial *b = calloc(1, sizeof *b);
    if (!b) {
        end(arg); /* late rather than never */
        return;
    }
    b->end = end;
    b->arg = arg;
    pal_mutex_lock(&be->lock); /* whoever takes it finds its thread */
    b->thread = pal_thread_start(bury, b, "vb-bury");
    if (b->thread) {
        b->next = be->burials;
        be->burials = b;
    }
    pal_mutex_unlock(&be->lock);
    if (!b->thread) {
        free(b);
        end(arg);
    }
}

void rc_bury_wait(struct vb_backend *be)
{
    join(be, true);
}
