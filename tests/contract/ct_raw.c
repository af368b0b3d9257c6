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

static void open_side(struct ct_raw_side *s, const char *spec)
{
    char why[256];
    WSD_SOCKADDR_IN address;
    struct vb_addr local;

    ct_ok(sw_parse_address(ct.other_address, &address));
    local = to_vb(&address);
    check(ct.vb->open(spec, &s->be, why, sizeof why), "open");
    check(ct.vb->dev_open(s->be, &local, &s->dev), "dev_open");
    ct.vb->dev_caps(s->dev, &s->caps);
    check(ct.vb->pd_create(s->dev, &s->pd), "pd_create");
    check(ct.vb->cq_create(s->dev, 255, &s->cq), "cq_create");
    check(ct.vb->cm_create(s->be, &s->cm), "cm_create");
}

static void close_side(struct ct_raw_side *s)
{
    ct.vb->cm_destroy(s->cm);
    ct.vb->cq_destroy(s->cq);
    ct.vb->pd_destroy(s->pd);
    ct.vb->dev_close(s->dev);
    ct.vb->close(s->be);
}

void ct_raw_open(struct ct_raw *raw)
{
    memset(raw, 0, sizeof *raw);
    open_side(&raw->connects, ct.vb_spec);
    if (ct_env_is_across())
        open_side(&raw->listens, ct.peer_spec);
    else
        raw->listens = raw->connects;
}

void ct_raw_close(struct ct_raw *raw)
{
    if (raw->listens.be != raw->connects.be)
        close_side(&raw->listens);
    close_side(&raw->connects);
}

static bool poll_side(struct ct_raw_side *s, struct vb_cm_event *ev)
{
    vb_status_t st = ct.vb->cm_poll(s->cm, ev);

    if (st != VB_OK && st != VB_E_AGAIN)
        ct_fail("raw cm_poll: status %d", (int)st);
    return st == VB_OK;
}

bool ct_raw_event(struct ct_raw *raw, struct vb_cm_event *ev, uint32_t timeout_ms)
{
    uint64_t deadline = pal_now_ns() + (uint64_t)timeout_ms * 1000000u;
    bool is_across = raw->listens.cm != raw->connects.cm;
    pal_waitable waits[2] = {ct.vb->cm_waitable(raw->connects.cm), ct.vb->cm_waitable(raw->listens.cm)};

    for (;;) {
        if (poll_side(&raw->connects, ev) || (is_across && poll_side(&raw->listens, ev)))
            return true;
        uint64_t now = pal_now_ns();
        if (now >= deadline)
            return false;
        pal_wait(waits, is_across ? 2 : 1, (int)((deadline - now) / 1000000u) + 1);
    }
}

static void give_qp(struct ct_raw_conn *c)
{
    struct vb_qp_caps caps = {8, 8, 1, 1, 0};

    check(ct.vb->qp_create(c->side->pd, c->side->cq, c->side->cq, &caps, NULL, &c->qp), "qp_create");
    check(ct.vb->conn_bind_qp(c->conn, c->qp), "conn_bind_qp");
}

vb_status_t ct_raw_connect(struct ct_raw *raw, const WSD_SOCKADDR_IN *remote, const void *data,
                           uint16_t bytes, struct ct_raw_conn *out)
{
    WSD_SOCKADDR_IN own;
    struct vb_addr local, to = to_vb(remote);
    struct vb_conn_params params = {data, bytes, 1, 1, ct.wait_ms};

    *out = (struct ct_raw_conn){&raw->connects, NULL, NULL};
    ct_ok(sw_parse_address(ct.other_address, &own));
    local = to_vb(&own);
    vb_status_t st = ct.vb->conn_create(raw->connects.cm, &local, out, &out->conn);
    if (st != VB_OK)
        return st;
    give_qp(out);
    return ct.vb->conn_connect(out->conn, &to, &params);
}

vb_status_t ct_raw_adopt(struct ct_raw *raw, struct vb_conn *conn, struct ct_raw_conn *out)
{
    *out = (struct ct_raw_conn){&raw->listens, conn, NULL};
    give_qp(out);
    return VB_OK;
}

void ct_raw_drop(struct ct_raw_conn *c)
{
    struct vb_wc wc[16];

    if (c->qp != NULL) {
        ct.vb->qp_stop(c->qp);
        ct.vb->qp_destroy(c->qp);
        while (ct.vb->cq_poll(c->side->cq, wc, 16) > 0)
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
    vb_status_t st = ct.vb->listen(raw->listens.cm, &local, 16, NULL, out);

    if (st == VB_OK) {
        ct.vb->listener_addr(*out, &local);
        at->sin_port = htons(local.port);
    }
    return st;
}
