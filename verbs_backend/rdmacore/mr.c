/* mr.c - protection domains, memory registrations and memory windows.
 * Layer: verbs_backend/rdmacore. Control path: every call here enters the kernel. */
#include <errno.h>
#include <stdlib.h>

#include "rdmacore.h"

vb_status_t rc_pd_create(struct vb_dev *dev, struct vb_pd **out)
{
    struct vb_pd *pd = calloc(1, sizeof *pd);
    if (!pd)
        return VB_E_NOMEM;
    pd->dev = dev;
    pal_store_relaxed(&pd->refs, 1);
    pd->ib = ibv_alloc_pd(dev->ctx);
    if (!pd->ib) {
        vb_status_t st = rc_status_errno(errno ? errno : ENOMEM);
        free(pd);
        return st;
    }
    *out = pd;
    return VB_OK;
}

/* Destroys of the verbs library fail only when something still refers to the object, which vb.h forbids, or
 * when the device is gone, where the kernel has freed it already. Neither can be repaired here, so results
 * are not looked at.
 * A QP that is being buried still needs its PD (bury.c). */
void rc_pd_release(struct vb_pd *pd)
{
    if (pal_sub_acq_rel(&pd->refs, 1) == 1) {
        (void)ibv_dealloc_pd(pd->ib);
        free(pd);
    }
}

void rc_pd_destroy(struct vb_pd *pd)
{
    rc_pd_release(pd);
}

static int access_flags(uint32_t access)
{
    return (access & VB_ACCESS_LOCAL_WRITE ? IBV_ACCESS_LOCAL_WRITE : 0) |
           (access & VB_ACCESS_REMOTE_READ ? IBV_ACCESS_REMOTE_READ : 0) |
           (access & VB_ACCESS_REMOTE_WRITE ? IBV_ACCESS_REMOTE_WRITE : 0) |
           (access & VB_ACCESS_WINDOW ? IBV_ACCESS_MW_BIND : 0);
}

vb_status_t rc_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access, struct vb_mr **out)
{
    const uint32_t known = VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE |
                           VB_ACCESS_WINDOW;

    if (bytes == 0 || bytes > pd->dev->caps.max_mr_bytes || (uintptr_t)addr > UINTPTR_MAX - (bytes - 1))
        return VB_E_INVAL;
    if (access & ~known || ((access & VB_ACCESS_REMOTE_WRITE) && !(access & VB_ACCESS_LOCAL_WRITE)))
        return VB_E_INVAL;
    if ((access & VB_ACCESS_WINDOW) && !(pd->dev->caps.flags & VB_CAP_MW_TYPE2))
        return VB_E_INVAL;

    struct vb_mr *mr = calloc(1, sizeof *mr);
    if (!mr)
        return VB_E_NOMEM;
    mr->ib = ibv_reg_mr(pd->ib, addr, bytes, access_flags(access));
    if (!mr->ib) {
        vb_status_t st = rc_status_errno(errno);
        free(mr);
        return st;
    }
    *out = mr;
    return VB_OK;
}

void rc_mr_dereg(struct vb_mr *mr)
{
    (void)ibv_dereg_mr(mr->ib);
    free(mr);
}

uint32_t rc_mr_lkey(const struct vb_mr *mr)
{
    return mr->ib->lkey;
}

uint32_t rc_mr_rkey(const struct vb_mr *mr)
{
    return mr->ib->rkey;
}

vb_status_t rc_mw_alloc(struct vb_pd *pd, struct vb_mw **out)
{
    if (!(pd->dev->caps.flags & VB_CAP_MW_TYPE2))
        return VB_E_NOTSUP;
    struct vb_mw *mw = calloc(1, sizeof *mw);
    if (!mw)
        return VB_E_NOMEM;
    mw->ib = ibv_alloc_mw(pd->ib, IBV_MW_TYPE_2);
    if (!mw->ib) {
        vb_status_t st = rc_status_errno(errno ? errno : ENOMEM);
        free(mw);
        return st;
    }
    *out = mw;
    return VB_OK;
}

/* Also unbinds. A window whose QP died cannot be invalidated any more, it has to be freed, and before that
 * QP: rxe waits 50 s for windows that are still bound when it destroys a QP (rxe_pool.c, Linux 6.1). */
void rc_mw_free(struct vb_mw *mw)
{
    (void)ibv_dealloc_mw(mw->ib);
    free(mw);
}

uint32_t rc_mw_rkey(const struct vb_mw *mw)
{
    return mw->ib->rkey;
}
