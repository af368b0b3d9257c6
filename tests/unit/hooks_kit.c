/* hooks_kit.c - see hooks_kit.h. */
#include "hooks_kit.h"

void plan(const char *text)
{
    char why[200];
    if (vb_fault_set(text, why, sizeof why) != VB_OK)
        fail_msg("%s: %s", text, why);
}

/* Everything from the backend to a bound connection; stops at the first failure. `s` says how far it came. */
vb_status_t try_build(struct stack *s, const char *spec)
{
    struct vb_addr local = addr("192.0.2.1");
    struct vb_qp_caps caps = {.send_wr = 4, .recv_wr = 4};
    vb_status_t st;
    memset(s, 0, sizeof *s);
    if ((st = vb_open(spec, &s->be, NULL, 0)) != VB_OK)
        return st;
    if ((st = vb_dev_open(s->be, &local, &s->dev)) != VB_OK)
        return st;
    if ((st = vb_pd_create(s->dev, &s->pd)) != VB_OK)
        return st;
    if ((st = vb_cq_create(s->dev, 64, &s->cq)) != VB_OK)
        return st;
    if ((st = vb_qp_create(s->pd, s->cq, s->cq, &caps, NULL, &s->qp)) != VB_OK)
        return st;
    if ((st = vb_cm_create(s->be, &s->cm)) != VB_OK)
        return st;
    if ((st = vb_conn_create(s->cm, &local, NULL, &s->conn)) != VB_OK)
        return st;
    return vb_conn_bind_qp(s->conn, s->qp);
}

void tear_down(struct stack *s)
{
    vb_qp_destroy(s->qp);
    vb_conn_destroy(s->conn);
    vb_cm_destroy(s->cm);
    vb_cq_destroy(s->cq);
    vb_pd_destroy(s->pd);
    vb_dev_close(s->dev);
    vb_close(s->be);
}

int setup(void **state)
{
    static struct stack s;
    fake_reset();
    vb_fault_clear();
    *state = &s;
    return try_build(&s, "fake+fault") == VB_OK ? 0 : -1;
}

int teardown(void **state)
{
    tear_down(*state);
    vb_fault_clear();
    return fake.objects_alive == 0 ? 0 : -1;
}
