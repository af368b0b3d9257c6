/* ct_raw.c - connections made with the verbs backend alone: what a peer that is no OpenWSD provider could
 * do. */
#include "ct.h"

#include <arpa/inet.h>

#include "pal/wait.h"

static struct vb_addr to_vb(const WSD_SOCKADDR_IN *a)
{
    struct vb_addr out = {.family = VB_AF_IPV4, .port = ntohs(a->sin_port)};

    memcpy(out.ip, &a->sin_addr.s_addr, 4);
    return out;
}

static void check(vb_status_t st, const char *what)
{
    if (st != VB_OK)
        ct_fail("raw %s: status %d", what, (int)st);
}

void ct_raw_open(struct ct_raw *raw)
{
    char why[256];
    WSD_SOCKADDR_IN address;
    struct vb_addr local;

    memset(raw, 0, sizeof *raw);
    ct_ok(sw_parse_address(ct.other_address, &address));
    local = to_vb(&address);
    check(ct.vb->open(ct.vb_spec, &raw->be, why, sizeof why), "open");
    check(ct.vb->dev_open(raw->be, &local, &raw->dev), "dev_open");
    ct.vb->dev_caps(raw->dev, &raw->caps);
    check(ct.vb->pd_create(raw->dev, &raw->pd), "pd_create");
    check(ct.vb->cq_create(raw->dev, 255, &raw->cq), "cq_create");
    check(ct.vb->cm_create(raw->be, &raw->cm), "cm_create");
}

void ct_raw_close(struct ct_raw *raw)
{
    ct.vb->cm_destroy(raw->cm);
    ct.vb->cq_destroy(raw->cq);
    ct.vb->pd_destroy(raw->pd);
    ct.vb->dev_close(raw->dev);
    ct.vb->close(raw->be);
}

bool ct_raw_event(struct ct_raw *raw, struct vb_cm_event *ev, uint32_t timeout_ms)
{
    uint64_t deadline = pal_now_ns() + (uint64_t)timeout_ms * 1000000u;
    pal_waitable waits[1] = {ct.vb->cm_waitable(raw->cm)};

    for (;;) {
        vb_status_t st = ct.vb->cm_poll(raw->cm, ev);
        if (st == VB_OK)
            return true;
        if (st != VB_E_AGAIN)
            ct_fail("raw cm_poll: status %d", (int)st);
        uint64_t now = pal_now_ns();
        if (now >= deadline)
            return false;
        pal_wait(waits, 1, (int)((deadline - now) / 1000000u) + 1);
    }
}

static void give_qp(struct ct_raw *raw, struct ct_raw_conn *c)
{
    struct vb_qp_caps caps = {8, 8, 1, 1, 0};

    check(ct.vb->qp_create(raw->pd, raw->cq, raw->cq, &caps, NULL, &c->qp), "qp_create");
    check(ct.vb->conn_bind_qp(c->conn, c->qp), "conn_bind_qp");
}

vb_status_t ct_raw_connect(struct ct_raw *raw, const WSD_SOCKADDR_IN *remote, const void *data,
                           uint16_t bytes, struct ct_raw_conn *out)
{
    WSD_SOCKADDR_IN own;
    struct vb_addr local, to = to_vb(remote);
    struct vb_conn_params params = {data, bytes, 1, 1, ct.wait_ms};

    *out = (struct ct_raw_conn){raw, NULL, NULL};
    ct_ok(sw_parse_address(ct.other_address, &own));
    local = to_vb(&own);
    vb_status_t st = ct.vb->conn_create(raw->cm, &local, out, &out->conn);
    if (st != VB_OK)
        return st;
    give_qp(raw, out);
    return ct.vb->conn_connect(out->conn, &to, &params);
}

vb_status_t ct_raw_adopt(struct ct_raw *raw, struct vb_conn *conn, struct ct_raw_conn *out)
{
    *out = (struct ct_raw_conn){raw, conn, NULL};
    give_qp(raw, out);
    return VB_OK;
}

void ct_raw_drop(struct ct_raw_conn *c)
{
    struct vb_wc wc[16];

    if (c->qp != NULL) {
        ct.vb->qp_stop(c->qp);
        ct.vb->qp_destroy(c->qp);
        while (ct.vb->cq_poll(c->raw->cq, wc, 16) > 0)
            ;
    }
    if (c->conn != NULL)
        ct.vb->conn_destroy(c->conn);
    c->conn = NULL;
    c->qp = NULL;
}

vb_status_t ct_raw_listen(struct ct_raw *raw, WSD_SOCKADDR_IN *at, struct vb_listener **out)
{
    struct vb_addr local = to_vb(at);
    vb_status_t st = ct.vb->listen(raw->cm, &local, 16, NULL, out);

    if (st == VB_OK) {
        ct.vb->listener_addr(*out, &local);
        at->sin_port = htons(local.port);
    }
    return st;
}
