/* bench_raw_conn.c - the raw layer: opens the backend, listens, connects, accepts, and ends connections. One
 * thread polls. */
#include "bench_raw.h"

#include <stdlib.h>
#include <string.h>

#include "bench_backend.h"
#include "pal/time.h"

struct bench_layer {
    struct raw_layer raw;
};

static bool fail_status(struct raw_layer *l, const char *what, const struct vb_addr *on, vb_status_t st)
{
    char text[VB_ADDR_TEXT_BYTES];

    return bench_fail(l->err, "%s %s with %s failed: %s (%s)", what, vb_addr_text(on, text),
                      l->caps.device[0] != '\0' ? l->caps.device : vb_name(l->be), vb_status_text(st),
                      vb_status_name(st));
}

static bool fail_local(struct raw_layer *l, const char *what, vb_status_t st)
{
    char why[VB_TEXT_BYTES];

    (void)vb_local_text(l->be, &l->local, st, why, sizeof why);
    return bench_fail(l->err, "%s failed: %s (%s)", what, why, vb_status_name(st));
}

/* What the backend knows of the attempt says more than its status. */
static bool fail_conn(struct raw_ep *r, const char *what, const struct vb_addr *on, vb_status_t st)
{
    char why[VB_TEXT_BYTES];
    char text[VB_ADDR_TEXT_BYTES];

    if (vb_conn_text(r->conn, why, sizeof why) == 0)
        return fail_status(r->layer, what, on, st);
    return bench_fail(r->layer->err, "%s %s with %s failed: %s (%s)", what, vb_addr_text(on, text),
                      r->layer->caps.device, why, vb_status_name(st));
}

/* --- opening -------------------------------------------------------------------------------------------- */

static bool choose_address(struct raw_layer *l, const struct bench_layer_config *c)
{
    struct vb_addr all[16];
    uint32_t count = 16;
    vb_status_t st;

    if (c->options->addr[0] != '\0') {
        if (!vb_addr_parse(c->options->addr, &l->local))
            return bench_fail(l->err, "--addr %s is no IP address", c->options->addr);
        l->local.port = 0;
        return true;
    }
    if (c->remote != NULL && vb_route(l->be, c->remote, &l->local) == VB_OK)
        return true;
    st = vb_addr_list(l->be, all, &count);
    if ((st != VB_OK && st != VB_E_AGAIN) || count == 0)
        return bench_fail(l->err,
                          "the backend %s serves no address: is an RDMA interface up, with an IP address?",
                          vb_name(l->be));
    l->local = all[0];
    l->local.port = 0;
    return true;
}

static bool open_device(struct raw_layer *l)
{
    vb_status_t st = vb_dev_open(l->be, &l->local, &l->dev);

    if (st == VB_OK) {
        vb_dev_caps(l->dev, &l->caps);
        st = vb_pd_create(l->dev, &l->pd);
    }
    if (st == VB_OK)
        st = vb_cm_create(l->be, &l->cm);
    return st == VB_OK || fail_local(l, "opening the device", st);
}

static void raw_close(struct bench_layer *layer)
{
    struct raw_layer *l = &layer->raw;

    for (unsigned i = 0; i < l->request_count; i++)
        vb_conn_destroy(l->requests[i]);
    if (l->listener != NULL)
        vb_listener_destroy(l->listener);
    if (l->cm != NULL)
        vb_cm_destroy(l->cm);
    if (l->bare_cq != NULL)
        vb_cq_destroy(l->bare_cq);
    if (l->pd != NULL)
        vb_pd_destroy(l->pd);
    if (l->dev != NULL)
        vb_dev_close(l->dev);
    if (l->be != NULL)
        vb_close(l->be);
    free(layer);
}

static bool raw_open(const struct bench_layer_config *c, struct bench_layer **out)
{
    struct bench_layer *layer = calloc(1, sizeof *layer);
    struct bench_error *err = c->control->err;
    char why[512] = "";

    if (layer == NULL)
        return bench_fail(err, "out of memory");
    layer->raw.control = c->control;
    layer->raw.err = err;
    if (!bench_backend_open(c->options, &layer->raw.device, &layer->raw.be, why, sizeof why)) {
        (void)bench_fail(err, "cannot open the verbs backend '%s': %s", layer->raw.device.backend, why);
    } else if (choose_address(&layer->raw, c) && open_device(&layer->raw)) {
        *out = layer;
        return true;
    }
    raw_close(layer);
    return false;
}

static void raw_describe(struct bench_layer *layer, struct bench_device *out)
{
    const struct vb_caps *caps = &layer->raw.caps;

    *out = layer->raw.device;
    memcpy(out->device, caps->device, sizeof out->device - 1);
    memcpy(out->transport, caps->transport, sizeof out->transport - 1);
    out->mtu_bytes = caps->mtu_bytes;
    (void)vb_addr_text(&layer->raw.local, out->address);
}

/* --- events --------------------------------------------------------------------------------------------- */

static void drop_request(struct raw_layer *l, const struct vb_conn *conn)
{
    for (unsigned i = 0; i < l->request_count; i++) {
        if (l->requests[i] != conn)
            continue;
        vb_conn_destroy(l->requests[i]);
        l->request_count--;
        memmove(&l->requests[i], &l->requests[i + 1], (l->request_count - i) * sizeof(struct vb_conn *));
        return;
    }
}

static struct raw_ep *take_event(struct raw_layer *l, const struct vb_cm_event *ev)
{
    struct raw_ep *r = ev->kind == VB_CM_REQUEST ? NULL : ev->context;

    switch (ev->kind) {
    case VB_CM_REQUEST:
        vb_conn_set_context(ev->conn, NULL);
        if (l->request_count < RAW_REQUESTS_MAX) {
            l->requests[l->request_count++] = ev->conn;
        } else {
            (void)vb_conn_reject(ev->conn, NULL, 0);
            vb_conn_destroy(ev->conn);
        }
        break;
    case VB_CM_ESTABLISHED:
        if (r != NULL)
            r->is_established = true;
        break;
    case VB_CM_REJECTED:
    case VB_CM_FAILED:
        if (r != NULL)
            r->is_refused = true, r->why = ev->status;
        break;
    case VB_CM_DISCONNECTED:
    case VB_CM_DEV_GONE:
    case VB_CM_WITHDRAWN:
        if (r != NULL)
            r->is_disconnected = true, r->why = ev->kind == VB_CM_DEV_GONE ? VB_E_NODEV : VB_E_RESET;
        else
            drop_request(l, ev->conn);
        break;
    }
    return r;
}

/* Handle one event, waiting at most timeout_ms for it. *about (may be NULL): the connection concerned. False:
 * the source broke. */
static bool pump(struct raw_layer *l, int timeout_ms, struct raw_ep **about)
{
    struct vb_cm_event ev;
    pal_waitable wait = vb_cm_waitable(l->cm);
    vb_status_t st = vb_cm_poll(l->cm, &ev);
    struct raw_ep *r;

    if (about != NULL)
        *about = NULL;
    if (st == VB_E_AGAIN && timeout_ms > 0) {
        (void)pal_wait(&wait, 1, timeout_ms);
        st = vb_cm_poll(l->cm, &ev);
    }
    if (st == VB_E_AGAIN)
        return true;
    if (st != VB_OK)
        return fail_status(l, "the event source of", &l->local, st);
    r = take_event(l, &ev);
    if (about != NULL)
        *about = r;
    return true;
}

static struct vb_conn_params conn_params(const struct raw_layer *l)
{
    struct vb_conn_params p = {.timeout_ms = 5000};

    p.read_in = (uint8_t)(l->caps.max_read_in < 16 ? l->caps.max_read_in : 16);
    p.read_out = (uint8_t)(l->caps.max_read_out < 16 ? l->caps.max_read_out : 16);
    return p;
}

static bool wait_established(struct raw_ep *r, const struct vb_addr *remote, uint32_t timeout_ms)
{
    uint64_t deadline = pal_now_ns() + (uint64_t)timeout_ms * 1000000;

    while (!r->is_established) {
        if (r->is_refused || r->is_disconnected)
            return fail_conn(r, "connecting to", remote, r->why);
        if (pal_now_ns() >= deadline)
            return fail_conn(r, "connecting to", remote, VB_E_TIMEOUT);
        if (!pump(r->layer, 50, NULL))
            return false;
    }
    return true;
}

/* --- the two halves of connecting ----------------------------------------------------------------------- */

static bool raw_connect(struct bench_layer *layer, const struct bench_ep_config *c,
                        const struct vb_addr *remote, uint32_t timeout_ms, struct bench_ep **out)
{
    struct raw_layer *l = &layer->raw;
    struct vb_conn_params p = conn_params(l);
    struct raw_ep *r;
    vb_status_t st;

    if (!raw_ep_create(l, c, &r))
        return false;
    st = vb_conn_create(l->cm, &l->local, r, &r->conn);
    if (st == VB_OK)
        st = vb_conn_bind_qp(r->conn, r->qp);
    if (st == VB_OK && !raw_post_all_receives(r)) {
        raw_ep_destroy(r);
        return false;
    }
    if (st == VB_OK)
        st = vb_conn_connect(r->conn, remote, &p);
    if (st != VB_OK)
        (void)fail_conn(r, "connecting to", remote, st);
    if (st != VB_OK || !wait_established(r, remote, timeout_ms)) {
        raw_ep_destroy(r);
        return false;
    }
    *out = &r->ep;
    return true;
}

/* Answer the oldest request; does not wait until the peer confirms. */
static bool answer(struct raw_layer *l, const struct bench_ep_config *c, struct raw_ep **out)
{
    struct vb_conn *conn = l->requests[0];
    struct vb_conn_params p = conn_params(l);
    struct vb_addr remote;
    struct raw_ep *r;
    vb_status_t st;

    l->request_count--;
    memmove(&l->requests[0], &l->requests[1], l->request_count * sizeof(struct vb_conn *));
    vb_conn_addrs(conn, NULL, &remote);
    if (!raw_ep_create(l, c, &r)) {
        (void)vb_conn_reject(conn, NULL, 0);
        vb_conn_destroy(conn);
        return false;
    }
    r->conn = conn;
    vb_conn_set_context(conn, r);
    st = vb_conn_bind_qp(conn, r->qp);
    if (st == VB_OK && !raw_post_all_receives(r)) {
        raw_ep_destroy(r);
        return false;
    }
    if (st == VB_OK)
        st = vb_conn_accept(conn, &p);
    if (st != VB_OK) {
        (void)fail_status(l, "accepting", &remote, st);
        raw_ep_destroy(r);
        return false;
    }
    *out = r;
    return true;
}

/* Those who came and were no peers are worth a word: the client may be one of them. */
static bool fail_accept(struct raw_layer *l, uint32_t timeout_ms)
{
    char text[VB_TEXT_BYTES];
    size_t n = vb_listener_text(l->listener, text, sizeof text);

    return bench_fail(l->err,
                      "no connection arrived within %u s: can the client reach this RDMA address?%s%s",
                      timeout_ms / 1000, n > 0 ? " But " : "", text);
}

static bool raw_accept(struct bench_layer *layer, const struct bench_ep_config *c, uint32_t timeout_ms,
                       struct bench_ep **out)
{
    struct raw_layer *l = &layer->raw;
    uint64_t deadline = pal_now_ns() + (uint64_t)timeout_ms * 1000000;
    struct raw_ep *r;

    while (l->request_count == 0) {
        if (pal_now_ns() >= deadline)
            return fail_accept(l, timeout_ms);
        if (!pump(l, 50, NULL) || !bench_control_alive(l->control))
            return false;
    }
    if (!answer(l, c, &r))
        return false;
    if (!wait_established(r, &l->local, timeout_ms)) {
        raw_ep_destroy(r);
        return false;
    }
    *out = &r->ep;
    return true;
}

static bool raw_listen(struct bench_layer *layer, struct vb_addr *out)
{
    struct raw_layer *l = &layer->raw;
    vb_status_t st = vb_listen(l->cm, &l->local, 128, NULL, &l->listener);

    if (st != VB_OK)
        return fail_local(l, "listening", st);
    vb_listener_addr(l->listener, out);
    return true;
}

void raw_ep_close(struct bench_ep *ep)
{
    struct raw_ep *r = (struct raw_ep *)(void *)ep;
    uint64_t deadline = pal_now_ns() + 2000000000u;

    vb_conn_disconnect(r->conn);
    while (!r->is_disconnected && pal_now_ns() < deadline && pump(r->layer, 50, NULL)) {
    }
    raw_ep_destroy(r);
}

/* --- the server of `connect` ---------------------------------------------------------------------------- */

static void unlink_ep(struct raw_ep **list, struct raw_ep *r)
{
    while (*list != NULL && *list != r)
        list = &(*list)->next;
    if (*list == r)
        *list = r->next;
}

static bool raw_serve_connects(struct bench_layer *layer, struct bench_control *control)
{
    struct raw_layer *l = &layer->raw;
    static const struct bench_ep_config bare;
    struct pal_poller *end = pal_poller_create(PAL_WAITABLE_NONE); /* ready when the client says something */
    pal_waitable waits[2] = {vb_cm_waitable(l->cm),
                             end == NULL ? PAL_WAITABLE_NONE : pal_poller_waitable(end)};
    struct raw_ep *list = NULL;
    struct raw_ep *about;
    struct raw_ep *r;
    bool is_good = (end != NULL && pal_poller_add(end, control->fd, PAL_READABLE, NULL)) ||
                   bench_fail(l->err, "out of resources to wait for the client");

    while (is_good && !(pal_wait(waits, 2, 1000) & 2u)) {
        is_good = pump(l, 0, &about);
        if (about != NULL && (about->is_disconnected || about->is_refused)) {
            unlink_ep(&list, about);
            raw_ep_destroy(about);
        }
        while (is_good && l->request_count > 0) {
            is_good = answer(l, &bare, &r);
            if (is_good)
                r->next = list, list = r;
        }
    }
    while (list != NULL) {
        r = list;
        list = r->next;
        raw_ep_destroy(r);
    }
    if (end != NULL) {
        pal_poller_remove(end, control->fd);
        pal_poller_destroy(end);
    }
    return is_good;
}

const struct bench_layer_ops bench_raw_layer = {
    "raw", raw_open, raw_close, raw_describe, raw_listen, raw_accept, raw_connect, raw_serve_connects,
};
