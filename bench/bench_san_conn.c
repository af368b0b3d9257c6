/* bench_san_conn.c - the SAN layer: loads the provider through the switch shim, listens, connects,
 * accepts. */
#include "bench_san.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_backend.h"
#include "bench_host.h"
#include "pal/time.h"

struct bench_layer {
    struct san_layer san;
};

enum { CLOSE_LATER = 16, ACCEPT_WAIT_MS = 20, LOOK_MS = 200 };

/* --- addresses ------------------------------------------------------------------------------------------ */

static void from_vb(const struct vb_addr *a, WSD_SOCKADDR_IN *out)
{
    uint8_t port[2] = {(uint8_t)(a->port >> 8), (uint8_t)a->port};

    memset(out, 0, sizeof *out);
    out->sin_family = WS_AF_INET;
    memcpy(&out->sin_port, port, sizeof port);
    memcpy(&out->sin_addr, a->ip, sizeof out->sin_addr);
}

static void to_vb(const WSD_SOCKADDR_IN *a, struct vb_addr *out)
{
    uint8_t port[2];

    memset(out, 0, sizeof *out);
    memcpy(port, &a->sin_port, sizeof port);
    out->family = VB_AF_IPV4;
    out->port = (uint16_t)(port[0] << 8 | port[1]);
    memcpy(out->ip, &a->sin_addr, sizeof a->sin_addr);
}

static bool choose_address(struct san_layer *l, const struct bench_layer_config *c)
{
    struct sw_address first;
    WSD_SOCKADDR_IN remote;
    char text[VB_ADDR_TEXT_BYTES];

    if (c->options->addr[0] != '\0') {
        if (sw_parse_address(c->options->addr, &l->local) != 0)
            return bench_fail(l->err, "--addr %s is no IPv4 address: the switch uses a SAN for IPv4 only",
                              c->options->addr);
        l->local.sin_port = 0;
        return true;
    }
    if (c->remote != NULL) {
        from_vb(c->remote, &remote);
        if (c->remote->family == VB_AF_IPV4 && sw_provider_for(&remote, NULL, &l->local) == l->provider)
            return true;
        return bench_fail(l->err, "the provider serves no address in the subnet of %s: name one with --addr",
                          vb_addr_text(c->remote, text));
    }
    if (sw_addresses(l->provider, &first, 1) == 0)
        return bench_fail(l->err,
                          "the provider serves no address: is an RDMA interface up, with an IPv4 address?");
    l->local = first.address;
    l->local.sin_port = 0;
    return true;
}

/* The WSP functions do not tell what device is below; the verbs backend does. Only for the report. */
static void look_at_device(struct san_layer *l, const struct bench_options *o)
{
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_addr local;
    struct vb_caps caps;
    char why[512];
    vb_status_t st;

    to_vb(&l->local, &local);
    memset(&l->device, 0, sizeof l->device);
    memcpy(l->device.device, "unknown", sizeof "unknown");
    memcpy(l->device.transport, "?", sizeof "?");
    local.port = 0;
    (void)vb_addr_text(&local, l->device.address);
    if (!bench_backend_open(o, &l->device, &be, why, sizeof why))
        return;
    st = vb_dev_open(be, &local, &dev);
    if (st != VB_OK)
        (void)vb_local_text(be, &local, st, l->trouble, sizeof l->trouble);
    if (st == VB_OK) {
        vb_dev_caps(dev, &caps);
        memcpy(l->device.device, caps.device, sizeof l->device.device - 1);
        memcpy(l->device.transport, caps.transport, sizeof l->device.transport - 1);
        l->device.mtu_bytes = caps.mtu_bytes;
        vb_dev_close(dev);
    }
    vb_close(be);
}

/* --- opening -------------------------------------------------------------------------------------------- */

static void san_close(struct bench_layer *layer)
{
    struct san_layer *l = &layer->san;
    char text[1024] = "";

    if (l->listener != NULL)
        (void)sw_listener_close(l->listener);
    if (l->provider != NULL && sw_unload(l->provider, text, sizeof text) != 0)
        fprintf(stderr, "wsdbench: the provider broke its contract with the switch:\n%s\n", text);
    free(layer);
}

/* A provider that cannot start says only that; the verbs backend knows why and what to do. */
static const char *device_trouble(const struct bench_options *o)
{
    static char why[512];
    struct bench_device device;
    struct vb_backend *be;

    memcpy(why, "; ", sizeof "; ");
    if (!bench_backend_open(o, &device, &be, why + 2, sizeof why - 2))
        return why;
    vb_close(be);
    return "";
}

/* With plain ports the service listens on the TCP port itself. A switch that keeps that port would be in its way where two
 * sockets share one only if both ask for it, on Windows. Source: softiwarp/PROTOCOL.md 7; Microsoft, "Using SO_REUSEADDR and
 * SO_EXCLUSIVEADDRUSE". */
static void configure(struct sw_config *config)
{
    const char *ports = getenv("WSD_SOFTIWARP_PORTS");

    sw_config_init(config);
    config->hold_tcp_port = ports == NULL || strcmp(ports, "plain") != 0;
}

static bool san_open(const struct bench_layer_config *c, struct bench_layer **out)
{
    const char *path = c->options->provider[0] != '\0' ? c->options->provider : NULL;
    struct bench_layer *layer = calloc(1, sizeof *layer);
    struct sw_config config;
    char why[512] = "";
    int code;

    if (layer == NULL)
        return bench_fail(c->control->err, "out of memory");
    configure(&config);
    layer->san.control = c->control;
    layer->san.err = c->control->err;
    if (c->options->backend[0] != '\0')
        bench_host_setenv("WSD_BACKEND", c->options->backend, false);
    bench_host_setenv("WSD_LOG", "notice", true); /* warnings as ever, and why connecting failed */
    code = sw_load(path, &config, &layer->san.provider, why, sizeof why);
    if (code != 0) {
        (void)bench_fail(c->control->err, "cannot load the provider: %s%s", why, device_trouble(c->options));
    } else if (choose_address(&layer->san, c)) {
        look_at_device(&layer->san, c->options);
        *out = layer;
        return true;
    }
    san_close(layer);
    return false;
}

static void san_describe(struct bench_layer *layer, struct bench_device *out)
{
    *out = layer->san.device;
}

static bool fail_code(struct san_layer *l, const char *what, const WSD_SOCKADDR_IN *on, int code)
{
    char text[32];

    return bench_fail(l->err, "%s %s through the SAN provider failed: %s (%d)%s%s", what,
                      sw_format_address(on, text, sizeof text), sw_error_name(code), code,
                      l->trouble[0] != '\0' ? ": " : "", l->trouble);
}

/* A code is all that the WSP functions give. The reason is an event in the provider's log, which san_open() turned on. */
static bool fail_connect(struct san_layer *l, const WSD_SOCKADDR_IN *to, int code)
{
    const char *level = getenv("WSD_LOG");
    const char *file = getenv("WSD_LOG_FILE");

    (void)fail_code(l, "connecting to", to, code);
    if (l->trouble[0] == '\0' && level != NULL && strcmp(level, "notice") == 0)
        bench_add(l->err, "; event=connect-failed in %s says why",
                  file != NULL && file[0] != '\0' ? file : "the provider's line above");
    return false;
}

/* --- connections ---------------------------------------------------------------------------------------- */

static bool san_connect(struct bench_layer *layer, const struct bench_ep_config *c,
                        const struct vb_addr *remote, uint32_t timeout_ms, struct bench_ep **out)
{
    struct san_layer *l = &layer->san;
    struct sw_socket_params params = {0};
    struct sw_notify notify;
    WSD_SOCKADDR_IN to;
    struct san_ep *s;
    int code;

    if (!san_ep_create(l, c, &s))
        return false;
    from_vb(remote, &to);
    san_ep_notify(s, &notify);
    params.notify = &notify;
    code = sw_connect(l->provider, &l->local, &to, timeout_ms, &params, &s->companion, NULL);
    if (code != 0)
        (void)fail_connect(l, &to, code);
    if (code != 0 || !san_ep_start(s, true, timeout_ms)) {
        san_ep_close(&s->ep);
        return false;
    }
    *out = &s->ep;
    return true;
}

static bool san_listen(struct bench_layer *layer, struct vb_addr *out)
{
    struct san_layer *l = &layer->san;
    int code = sw_listen(l->provider, &l->local, 128, NULL, &l->listener);

    if (code != 0)
        return fail_code(l, "listening on", &l->local, code);
    to_vb(&l->listener->local, out);
    return true;
}

static bool san_accept(struct bench_layer *layer, const struct bench_ep_config *c, uint32_t timeout_ms,
                       struct bench_ep **out)
{
    struct san_layer *l = &layer->san;
    uint64_t deadline = pal_now_ns() + (uint64_t)timeout_ms * 1000000;
    struct sw_notify notify;
    struct san_ep *s;
    int code;

    if (!san_ep_create(l, c, &s))
        return false;
    san_ep_notify(s, &notify);
    do
        code = sw_accept(l->listener, NULL, 0, LOOK_MS, &notify, &s->companion);
    while (code == WSAETIMEDOUT && pal_now_ns() < deadline && bench_control_alive(l->control));
    if (code != 0)
        (void)fail_code(l, "accepting on", &l->listener->local, code);
    if (code != 0 || !san_ep_start(s, false, timeout_ms)) {
        san_ep_close(&s->ep);
        return false;
    }
    *out = &s->ep;
    return true;
}

/* A SAN socket is not told that its peer left unless something is pending on it, so the ones that ended are
 * closed some accepts later. */
static bool san_serve_connects(struct bench_layer *layer, struct bench_control *control)
{
    struct san_layer *l = &layer->san;
    struct sw_companion *open[CLOSE_LATER] = {0};
    unsigned next = 0;
    int code = 0;

    while ((code == 0 || code == WSAETIMEDOUT) && !bench_control_readable(control, 0)) {
        struct sw_companion *c = NULL;

        code = sw_accept(l->listener, NULL, 0, ACCEPT_WAIT_MS, NULL, &c);
        if (code != 0)
            continue;
        if (open[next] != NULL)
            (void)sw_close(open[next]);
        open[next] = c;
        next = (next + 1) % CLOSE_LATER;
    }
    for (unsigned i = 0; i < CLOSE_LATER; i++) {
        if (open[i] != NULL)
            (void)sw_close(open[i]);
    }
    return code == 0 || code == WSAETIMEDOUT || fail_code(l, "accepting on", &l->listener->local, code);
}

const struct bench_layer_ops bench_san_layer = {
    "san", san_open, san_close, san_describe, san_listen, san_accept, san_connect, san_serve_connects,
};
