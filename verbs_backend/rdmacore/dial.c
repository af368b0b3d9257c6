/* dial.c - rdma_connect() on a thread of its own, because siw connects TCP inside it.
 * Layer:   verbs_backend/rdmacore; only siw's connections come here.
 * Why:     a host that does not answer keeps the call in the kernel until TCP gives up (2 minutes). On the thread that
 *          polls the cm it would hold up the events of every other connection, and their end, for as long.
 * Giving up: the kernel's wait ends with a signal, and the one that is ours to send is that of pthread_cancel().
 *          write(2) inside rdma_connect() is the cancellation point; librdmacm holds nothing there.
 *          TCP may be up by then and is closed at once, which a siw at the other end takes badly when it has not accepted
 *          yet (README, "A siw that listens"). Waiting for it here would not help: every TCP client can do the same. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "rdmacore.h"

#define STILL_DIALING (-1)

struct rc_dial {
    struct vb_cm *cm;
    struct rdma_cm_id *id;
    struct rdma_conn_param param;
    pthread_t thread;
    struct pal_mutex lock; /* guards is_joined: the cm's thread and who destroys the QP may both give up */
    bool is_joined;
    bool was_cut;        /* likewise: cancelled; rdma_connect() may have been about to return, with success */
    _Atomic(int) result; /* errno value, 0, or STILL_DIALING */
};

static void *dial(void *arg)
{
    struct rc_dial *d = arg;

    /* No local may have its address taken here: ASan guards those, and cancelling leaves the guards behind. */
    const int result = rdma_connect(d->id, &d->param) == 0 ? 0 : errno;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pal_store_release(&d->result, result);
    if (result != 0) /* success is followed by an event of the kernel's */
        rc_cm_ring(d->cm);
    return NULL;
}

vb_status_t rc_dial_start(struct vb_cm *cm, struct rdma_cm_id *id, const struct rdma_conn_param *param,
                          struct rc_dial **out)
{
    struct rc_dial *d = calloc(1, sizeof *d);
    sigset_t all, before;

    if (!d)
        return VB_E_NOMEM;
    d->cm = cm;
    d->id = id;
    d->param = *param;
    d->result = STILL_DIALING;
    if (!pal_mutex_init(&d->lock))
        goto err;
    sigfillset(&all); /* the application's signals are not for this thread */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int rc = pthread_create(&d->thread, NULL, dial, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0) {
        *out = d;
        return VB_OK;
    }
    pal_mutex_fini(&d->lock);
err:
    free(d);
    return VB_E_NOMEM;
}

bool rc_dial_failed(struct rc_dial *d, int *err)
{
    const int result = pal_load_acquire(&d->result);
    if (result == STILL_DIALING || result == 0)
        return false;
    *err = result;
    return true;
}

void rc_dial_wait(struct rc_dial *d, bool give_up)
{
    pal_mutex_lock(&d->lock);
    if (!d->is_joined) {
        if (give_up && pal_load_acquire(&d->result) == STILL_DIALING)
            (void)pthread_cancel(d->thread);
        (void)pthread_join(d->thread, NULL);
        d->is_joined = true;
        if (pal_load_acquire(&d->result) == STILL_DIALING) { /* should the connection outlive its QP */
            d->was_cut = true;
            pal_store_release(&d->result, ECONNABORTED);
            rc_cm_ring(d->cm);
        }
    }
    pal_mutex_unlock(&d->lock);
}

bool rc_dial_may_stand(const struct rc_dial *d)
{
    return d->was_cut || pal_load_acquire(&d->result) == 0;
}

void rc_dial_free(struct rc_dial *d)
{
    pal_mutex_fini(&d->lock);
    free(d);
}
