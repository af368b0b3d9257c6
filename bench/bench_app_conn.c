/* bench_app_conn.c - the app layers: start the switch as Ws2_32 would, listen, connect, accept. */
#include "bench_app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_host.h"
#include "bench_winsock.h"
#include "pal/time.h"
#include "sw/switch.h"

struct bench_layer {
    struct app_layer app;
};

struct app_layer *app_layer_of(struct bench_layer *l)
{
    return &l->app;
}

enum { BACKLOG = 128, LOOK_MS = 200, CLOSE_WAIT_MS = 2000, OPEN_MAX_SERVED = 64 };

/* --- addresses ------------------------------------------------------------------------------------------ */

void app_address(const struct vb_addr *a, WSD_SOCKADDR_IN *out)
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

static bool fail_on(struct app_layer *l, const char *what, const WSD_SOCKADDR_IN *on, int code)
{
    char text[32];

    return bench_fail(l->err, "%s %s through --layer %s failed: %s (%d)", what,
                      sw_format_address(on, text, sizeof text), l->name, sw_error_name(code), code);
}

static SOCKET make_socket(struct app_layer *l)
{
    INT code = 0, one = 1;
    SOCKET s = l->procs->lpWSPSocket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED,
                                     &code);

    if (s == INVALID_SOCKET)
        (void)app_fail_code(l, "WSPSocket", code);
    else /* small messages are not held back: TCP's affair, and harmless above a SAN */
        (void)l->procs->lpWSPSetSockOpt(s, WS_IPPROTO_TCP, WS_TCP_NODELAY, (const char *)&one, sizeof one,
                                        &code);
    return s;
}

static void close_socket(struct app_layer *l, SOCKET s)
{
    INT code = 0;

    (void)l->procs->lpWSPCloseSocket(s, &code);
}

/* The first IPv4 address that the switch lists, which is where its providers are. */
static bool first_address(struct app_layer *l)
{
    union {
        SOCKET_ADDRESS_LIST list;
        uint8_t room[2048];
    } answer;
    SOCKET s = make_socket(l);
    DWORD bytes = 0;
    INT code = 0;
    bool found = false;

    if (s == INVALID_SOCKET)
        return false;
    if (l->procs->lpWSPIoctl(s, SIO_ADDRESS_LIST_QUERY, NULL, 0, &answer, sizeof answer, &bytes, NULL, NULL,
                             NULL, &code) == SOCKET_ERROR)
        (void)app_fail_code(l, "SIO_ADDRESS_LIST_QUERY", code);
    else if (answer.list.iAddressCount < 1)
        (void)bench_fail(l->err, "this host has no address but loopback: name one with --addr");
    else {
        memcpy(&l->local, answer.list.Address[0].lpSockaddr, sizeof l->local);
        found = true;
    }
    close_socket(l, s);
    return found;
}

static bool choose_address(struct app_layer *l, const struct bench_layer_config *c)
{
    struct sw_provider *san;
    WSD_SOCKADDR_IN remote;

    if (c->options->addr[0] != '\0') {
        if (sw_parse_address(c->options->addr, &l->local) != 0)
            return bench_fail(l->err, "--addr %s is no IPv4 address", c->options->addr);
    } else if (c->remote != NULL && c->remote->family == VB_AF_IPV4) {
        app_address(c->remote, &remote);
        san = sw_provider_for(&remote, NULL, &l->local);
        if (san == NULL && !first_address(l))
            return false;
    } else if (!first_address(l)) {
        return false;
    }
    l->local.sin_port = 0;
    return true;
}

/* --- opening -------------------------------------------------------------------------------------------- */

static void app_close(struct bench_layer *layer)
{
    struct app_layer *l = &layer->app;
    char text[1024] = "";

    if (l->listener != INVALID_SOCKET)
        close_socket(l, l->listener);
    if (l->has_winsock)
        bench_winsock_stop();
    if (l->switch_ != NULL && ws2_unload(l->switch_, text, sizeof text) != 0)
        fprintf(stderr, "wsdbench: the switch broke its contract with Ws2_32:\n%s\n", text);
    free(layer);
}

/* The settings are in the environment. */
static bool start_switch(struct app_layer *l, bool by_winsock)
{
    char why[512] = "";
    int code;

    if (by_winsock)
        return l->has_winsock = bench_winsock_start(&l->procs, l->err);
    code = ws2_start(WSPStartup, sw_set_complete_upcall, &l->switch_, why, sizeof why);
    if (code != 0)
        return bench_fail(l->err, "cannot start the switch: %s (%s)", why, sw_error_name(code));
    l->procs = ws2_procs(l->switch_);
    return true;
}

static bool open_layer(const struct bench_layer_config *c, enum bench_layer_kind kind,
                       struct bench_layer **out)
{
    bool is_tcp = kind == BENCH_APPTCP || kind == BENCH_WINSOCKTCP;
    struct bench_layer *layer = calloc(1, sizeof *layer);
    struct app_layer *l;
    char text[VB_ADDR_TEXT_BYTES];
    struct vb_addr local;

    if (layer == NULL)
        return bench_fail(c->control->err, "out of memory");
    l = &layer->app;
    l->control = c->control;
    l->err = c->control->err;
    l->is_tcp = is_tcp;
    l->name = bench_layer_name(kind);
    l->listener = INVALID_SOCKET;
    bench_host_setenv("WSD_SWITCH", is_tcp ? "off" : "on", false);
    if (c->options->provider[0] != '\0')
        bench_host_setenv("WSD_PROVIDER", c->options->provider, false);
    if (c->options->backend[0] != '\0')
        bench_host_setenv("WSD_BACKEND", c->options->backend, false);
    if (!start_switch(l, bench_is_winsock(kind)) || !choose_address(l, c)) {
        app_close(layer);
        return false;
    }
    to_vb(&l->local, &local);
    memcpy(l->device.device, "switch", sizeof "switch");
    memcpy(l->device.transport, is_tcp ? "TCP" : "SAN", 4);
    (void)snprintf(l->device.address, sizeof l->device.address, "%s", vb_addr_text(&local, text));
    *out = layer;
    return true;
}

static bool app_open(const struct bench_layer_config *c, struct bench_layer **out)
{
    return open_layer(c, BENCH_APP, out);
}

static bool apptcp_open(const struct bench_layer_config *c, struct bench_layer **out)
{
    return open_layer(c, BENCH_APPTCP, out);
}

static bool winsock_open(const struct bench_layer_config *c, struct bench_layer **out)
{
    return open_layer(c, BENCH_WINSOCK, out);
}

static bool winsocktcp_open(const struct bench_layer_config *c, struct bench_layer **out)
{
    return open_layer(c, BENCH_WINSOCKTCP, out);
}

static void app_describe(struct bench_layer *layer, struct bench_device *out)
{
    *out = layer->app.device;
}

/* --- connections ---------------------------------------------------------------------------------------- */

/* A figure of the SAN that was really one of TCP would be a lie. */
bool app_check_carrier(struct app_layer *l, SOCKET s)
{
    const char *wanted = l->is_tcp ? "tcp" : "san";
    char carrier[16] = "";
    int code = sw_carried_by(s, carrier, sizeof carrier);

    if (code == 0 && strcmp(carrier, wanted) == 0)
        return true;
    return bench_fail(
        l->err,
        "the switch carries the connection over %s, and --layer %s measures %s: is there a SAN provider for "
        "the address of the server?",
        code == 0 ? carrier : sw_error_name(code), l->name, wanted);
}

static bool app_connect(struct bench_layer *layer, const struct bench_ep_config *c,
                        const struct vb_addr *remote, uint32_t timeout_ms, struct bench_ep **out)
{
    struct app_layer *l = &layer->app;
    SOCKET s = make_socket(l);
    WSD_SOCKADDR_IN to;
    INT code = 0;

    (void)timeout_ms; /* WSPConnect has patience of its own */
    if (s == INVALID_SOCKET)
        return false;
    app_address(remote, &to);
    if (l->procs->lpWSPBind(s, (const WSD_SOCKADDR *)&l->local, sizeof l->local, &code) == SOCKET_ERROR ||
        l->procs->lpWSPConnect(s, (const WSD_SOCKADDR *)&to, sizeof to, NULL, NULL, NULL, NULL, &code) ==
            SOCKET_ERROR)
        (void)fail_on(l, "connecting to", &to, code);
    else if (app_check_carrier(l, s))
        return app_ep_create(l, c, s, out);
    close_socket(l, s);
    return false;
}

static bool app_listen(struct bench_layer *layer, struct vb_addr *out)
{
    struct app_layer *l = &layer->app;
    WSD_SOCKADDR_IN at = l->local;
    INT bytes = sizeof at, code = 0;

    l->listener = make_socket(l);
    if (l->listener == INVALID_SOCKET)
        return false;
    if (l->procs->lpWSPBind(l->listener, (const WSD_SOCKADDR *)&at, sizeof at, &code) == SOCKET_ERROR ||
        l->procs->lpWSPListen(l->listener, BACKLOG, &code) == SOCKET_ERROR ||
        l->procs->lpWSPGetSockName(l->listener, (WSD_SOCKADDR *)&at, &bytes, &code) == SOCKET_ERROR)
        return fail_on(l, "listening on", &l->local, code);
    to_vb(&at, out);
    return true;
}

/* Of `count` sockets, those that can be read within LOOK_MS; the first of them is the listener. */
static bool wait_readable(struct app_layer *l, WSD_FD_SET *set)
{
    WSD_TIMEVAL look = {LOOK_MS / 1000, LOOK_MS % 1000 * 1000};
    INT code = 0;

    if (l->procs->lpWSPSelect(0, set, NULL, NULL, &look, &code) != SOCKET_ERROR)
        return true;
    return app_fail_code(l, "WSPSelect", code);
}

static bool take_one(struct app_layer *l, SOCKET *out)
{
    INT code = 0;

    *out = l->procs->lpWSPAccept(l->listener, NULL, NULL, NULL, 0, &code);
    return *out != INVALID_SOCKET || app_fail_code(l, "WSPAccept", code);
}

static bool app_accept(struct bench_layer *layer, const struct bench_ep_config *c, uint32_t timeout_ms,
                       struct bench_ep **out)
{
    struct app_layer *l = &layer->app;
    uint64_t deadline = pal_now_ns() + (uint64_t)timeout_ms * 1000000;
    WSD_FD_SET set;
    SOCKET s;

    do {
        if (pal_now_ns() >= deadline)
            return bench_fail(l->err, "no connection of --layer %s arrived within %u s", l->name,
                              timeout_ms / 1000);
        if (!bench_control_alive(l->control))
            return false;
        set.fd_count = 1;
        set.fd_array[0] = l->listener;
        if (!wait_readable(l, &set))
            return false;
    } while (set.fd_count == 0);
    if (!take_one(l, &s))
        return false;
    if (app_check_carrier(l, s))
        return app_ep_create(l, c, s, out);
    close_socket(l, s);
    return false;
}

/* Until the peer closed too, so that what `connect` times has an accept and both closes in it. Bounded, should the peer
 * hang. */
static void say_goodbye(struct app_ep *s)
{
    const WSPPROC_TABLE *procs = s->layer->procs;
    INT wait = CLOSE_WAIT_MS, code = 0;
    ULONG blocking = 0;
    DWORD done = 0, flags = 0;
    char rest;
    WSABUF buffer = {1, &rest};

    (void)procs->lpWSPIoctl(s->s, WS_FIONBIO, &blocking, sizeof blocking, NULL, 0, &done, NULL, NULL, NULL,
                            &code);
    (void)procs->lpWSPSetSockOpt(s->s, WS_SOL_SOCKET, WS_SO_RCVTIMEO, (const char *)&wait, sizeof wait,
                                 &code);
    if (procs->lpWSPShutdown(s->s, SD_SEND, &code) == 0)
        (void)procs->lpWSPRecv(s->s, &buffer, 1, &done, &flags, NULL, NULL, NULL, &code);
}

/* The memory behind pending receives is the switch's until it has reported them. */
static void wait_for_pending(struct app_ep *s)
{
    uint64_t give_up = pal_now_ns() + 5000000000u;

    for (uint32_t i = 0; i < s->ep.config.rx_count; i++)
        while (s->rx[i].is_pending && pal_now_ns() < give_up &&
               !sw_overlapped_result(&s->rx[i].ov, NULL, NULL))
            pal_thread_yield();
}

void app_ep_close(struct bench_ep *ep)
{
    struct app_ep *s = (struct app_ep *)(void *)ep;

    if (ep->config.rx_count == 0)
        say_goodbye(s);
    close_socket(s->layer, s->s);
    wait_for_pending(s);
    free(s->tx);
    free(s->rx);
    bench_ep_fini(ep);
    free(s);
}

/* --- the server of `connect` ---------------------------------------------------------------------------- */

/* Connections that say nothing are open until the peer closes them, which makes them readable. */
static unsigned drop_ended(struct app_layer *l, SOCKET *open, unsigned count, const WSD_FD_SET *readable)
{
    for (unsigned i = 0; i < count;) {
        bool ended = false;

        for (unsigned k = 0; k < readable->fd_count; k++)
            ended |= readable->fd_array[k] == open[i];
        if (ended) {
            close_socket(l, open[i]);
            open[i] = open[--count];
        } else {
            i++;
        }
    }
    return count;
}

static bool app_serve_connects(struct bench_layer *layer, struct bench_control *control)
{
    struct app_layer *l = &layer->app;
    SOCKET open[OPEN_MAX_SERVED - 1];
    unsigned count = 0;
    bool is_good = true;

    while (is_good && !bench_control_readable(control, 0)) {
        WSD_FD_SET set = {0};
        bool is_called = false;

        for (unsigned i = 0; i < count; i++)
            set.fd_array[set.fd_count++] = open[i];
        if (count < OPEN_MAX_SERVED - 1) /* the client makes one at a time: full means it forgot some */
            set.fd_array[set.fd_count++] = l->listener;
        is_good = wait_readable(l, &set);
        for (unsigned k = 0; is_good && k < set.fd_count; k++)
            is_called |= set.fd_array[k] == l->listener;
        if (!is_good)
            break;
        count = drop_ended(l, open, count, &set);
        if (is_called && (is_good = take_one(l, &open[count])))
            count++;
    }
    while (count > 0)
        close_socket(l, open[--count]);
    return is_good;
}

const struct bench_layer_ops bench_app_layer = {
    "app", app_open, app_close, app_describe, app_listen, app_accept, app_connect, app_serve_connects,
};

const struct bench_layer_ops bench_apptcp_layer = {
    "apptcp", apptcp_open, app_close, app_describe, app_listen, app_accept, app_connect, app_serve_connects,
};

const struct bench_layer_ops bench_winsock_layer = {
    "winsock", winsock_open, app_close, app_describe, app_listen, app_accept, app_connect, app_serve_connects,
};

const struct bench_layer_ops bench_winsocktcp_layer = {
    "winsocktcp", winsocktcp_open, app_close,   app_describe,
    app_listen,   app_accept,      app_connect, app_serve_connects,
};
