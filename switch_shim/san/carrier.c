/* carrier.c - a SAN connection as a carrier: made, named, given options, closed; the table of its functions.
 * Source: carrier.h; contract 8.3, 8.6, 10.3. */
#include "san/internal.h"

#include <stdlib.h>
#include <string.h>

#include "pal/memory.h"

#define RDMA_MAX 0x40000000u /* one part of a transfer, when the provider knows no limit */

void sw_san_settings_init(struct sw_san_settings *s)
{
    /* 36 KiB of receives and send buffers, which are registered and so stay in memory. Storage is touched when an
     * application is slow, and registered with the first transfer into it. Measured (README.md). */
    *s = (struct sw_san_settings){.receives = 6,
                                  .message_bytes = 4096,
                                  .send_buffers = 2,
                                  .storage_bytes = 65536,
                                  .threshold_bytes = 0, /* the provider's */
                                  .transfers = 4,
                                  .negotiate_ms = 5000,
                                  .suspend_ms = 10000,
                                  .close_ms = 5000,
                                  .keepalive_ms = 7200000, /* of Windows: two hours, a second, ten */
                                  .keepalive_step_ms = 1000,
                                  .keepalive_probes = 10,
                                  .connect_ms = 21000,
                                  .control_ms = 15000,
                                  .spin_us = 50};
}

static void name_slots(struct san *c)
{
    const unsigned sends = c->set.send_buffers + SW_SESSION_CONTROL_BUFFERS;

    c->rx = c->slots;
    c->tx = c->rx + c->set.receives;
    c->rdma = c->tx + sends;
    for (unsigned i = 0; i < c->set.receives + sends + SAN_RDMA_MAX; i++) {
        struct san_slot *s = &c->slots[i];

        s->san = c;
        s->kind = s < c->tx ? SAN_RECEIVE : s < c->rdma ? SAN_SEND : SAN_RDMA;
        s->index = (uint8_t)(s - (s < c->tx ? c->rx : s < c->rdma ? c->tx : c->rdma));
    }
}

struct san *san_new(struct sw_provider *p, const struct sw_san_settings *settings)
{
    struct san *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    if (!san_service_reserve(SAN_TIMER_COUNT)) {
        free(c);
        return NULL;
    }
    if (!pal_mutex_init(&c->lock)) {
        (void)san_service_reserve(-(int)SAN_TIMER_COUNT);
        free(c);
        return NULL;
    }
    c->carrier.ops = &sw_san_ops;
    c->provider = p;
    c->set = *settings;
    c->notify = (struct sw_notify){.kind = SW_NOTIFY_CALLBACK, .fn = san_notified, .context = c};
    c->procs = sw_procs(p);
    c->ext = sw_extensions(p);
    c->children.next = c->children.prev = &c->children;
    for (unsigned i = 0; i < SAN_TIMER_COUNT; i++) {
        c->timers[i].san = c;
        c->timers[i].kind = (uint8_t)i;
    }
    return c;
}

void san_free(struct san *c)
{
    (void)san_service_reserve(-(int)SAN_TIMER_COUNT);
    sw_session_destroy(c->session);
    san_pool_give(c->pool, c->pool_bytes);
    free(c->slots);
    pal_mutex_fini(&c->lock);
    free(c);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void configure(const struct san *c, bool is_connector, struct sw_session_config *out)
{
    const struct sw_limits *limits = &c->limits;
    const struct sw_san_settings *s = &c->set;
    const uint32_t hint = limits->rdma_threshold_bytes != 0 ? limits->rdma_threshold_bytes : 16384u;
    const size_t receives = (size_t)s->receives * s->message_bytes;
    const size_t sends = sw_session_send_bytes(s->send_buffers, s->message_bytes);

    *out = (struct sw_session_config){
        .receives = s->receives,
        .data_buffers = s->send_buffers,
        .message_bytes = s->message_bytes,
        .storage_bytes = s->storage_bytes,
        .transfers = s->transfers,
        .threshold_bytes = s->threshold_bytes != 0 ? s->threshold_bytes : hint,
        .direct_min_bytes = s->message_bytes,
        .max_rdma_bytes = limits->max_rdma_bytes == 0 ? RDMA_MAX : smaller(limits->max_rdma_bytes, RDMA_MAX),
        .first_part_bytes = 0,
        .negotiate_ms = s->negotiate_ms,
        .suspend_ms = s->suspend_ms,
        .close_ms = s->close_ms,
        .keepalive_ms = c->is_keepalive ? s->keepalive_ms : 0,
        .keepalive_step_ms = s->keepalive_step_ms,
        .keepalive_probes = s->keepalive_probes,
        .has_rdma_read = c->ext->rdma_read != NULL && !s->force_push,
        .is_connector = is_connector,
        .receive_memory = c->pool,
        .send_memory = c->pool + receives,
        .storage = c->pool + receives + sends};
}

int san_prepare(struct san *c, bool is_connector)
{
    const unsigned sends = c->set.send_buffers + SW_SESSION_CONTROL_BUFFERS;
    struct sw_session_config config;

    if (c->set.receives > SW_WIRE_CREDITS_MAX || c->set.send_buffers > SW_SESSION_BUFFERS_MAX)
        return WSAEINVAL;
    if (c->limits.max_msg_bytes != 0)
        c->set.message_bytes = smaller(c->set.message_bytes, c->limits.max_msg_bytes);
    c->pool_bytes = (size_t)c->set.receives * c->set.message_bytes +
                    sw_session_send_bytes(c->set.send_buffers, c->set.message_bytes) + c->set.storage_bytes;
    c->pool = san_pool_take(c->pool_bytes);
    c->slots = calloc(c->set.receives + sends + SAN_RDMA_MAX, sizeof(*c->slots));
    if (c->pool == NULL || c->slots == NULL)
        return WSAENOBUFS;
    name_slots(c);
    configure(c, is_connector, &config);
    c->session = sw_session_create(&config);
    if (c->session == NULL)
        return WSAENOBUFS;
    sw_session_urgent_inline(c->session, c->is_urgent_inline);
    return 0;
}

int sw_san_create(struct sw_provider *p, const struct sw_san_settings *settings,
                  const struct sw_carrier_up *up, void *owner, struct sw_carrier **out)
{
    struct san *c = san_new(p, settings);
    int error;

    if (c == NULL)
        return WSA_NOT_ENOUGH_MEMORY;
    error = sw_socket(p, &c->notify, &c->companion);
    if (error == 0)
        error = sw_get_limits(c->companion, &c->limits);
    if (error != 0) {
        if (c->companion != NULL)
            (void)sw_close(c->companion);
        c->companion = NULL;
        san_free(c);
        return error;
    }
    c->descriptor = c->companion->descriptor;
    c->carrier.up = up;
    c->carrier.owner = owner;
    c->is_owned = true;
    *out = &c->carrier;
    return 0;
}

/* --- names --- */

static int san_bind(struct sw_carrier *carrier, const WSD_SOCKADDR *name, int bytes)
{
    struct san *c = san_of(carrier);
    int error = 0;

    if (bytes < (int)sizeof(WSD_SOCKADDR_IN))
        return WSAEFAULT;
    if (name->sa_family != WS_AF_INET)
        return WSAEAFNOSUPPORT;
    san_enter(c);
    if (c->is_bound || c->phase != SAN_IDLE) {
        error = WSAEINVAL;
    } else {
        memcpy(&c->local, name, sizeof(c->local));
        /* the wildcard address waits until it is known whether this is a listener (contract 4.4) */
        if (c->local.sin_addr.s_addr != 0) {
            error = sw_bind(c->companion, &c->local);
            c->local = c->companion->local;
        }
        c->is_bound = error == 0;
    }
    san_leave(c);
    return error;
}

static int copy_name(const WSD_SOCKADDR_IN *from, WSD_SOCKADDR_STORAGE *out, int *bytes)
{
    memset(out, 0, sizeof(*out));
    memcpy(out, from, sizeof(*from));
    *bytes = sizeof(*from);
    return 0;
}

static int san_local(struct sw_carrier *carrier, WSD_SOCKADDR_STORAGE *out, int *bytes)
{
    struct san *c = san_of(carrier);
    WSD_SOCKADDR_IN local;

    pal_mutex_lock(&c->lock);
    local = c->local;
    pal_mutex_unlock(&c->lock);
    return local.sin_family != WS_AF_INET ? WSAEINVAL : copy_name(&local, out, bytes);
}

static int san_peer(struct sw_carrier *carrier, WSD_SOCKADDR_STORAGE *out, int *bytes)
{
    struct san *c = san_of(carrier);
    WSD_SOCKADDR_IN remote;
    bool is_connected;

    pal_mutex_lock(&c->lock);
    remote = c->remote;
    is_connected = c->is_opened;
    pal_mutex_unlock(&c->lock);
    return is_connected ? copy_name(&remote, out, bytes) : WSAENOTCONN;
}

/* --- options --- */

static void keep_alive(struct san *c)
{
    if (c->session != NULL)
        sw_session_keepalive(c->session, c->is_keepalive ? c->set.keepalive_ms : 0, c->set.keepalive_step_ms,
                             c->set.keepalive_probes);
}

static int san_set_option(struct sw_carrier *carrier, int level, int name, const char *value, int bytes)
{
    struct san *c = san_of(carrier);
    int on = 0;

    if (level != WS_SOL_SOCKET || (name != WS_SO_KEEPALIVE && name != WS_SO_OOBINLINE))
        return WSAENOPROTOOPT;
    if (bytes < 1)
        return WSAEFAULT;
    memcpy(&on, value,
           (size_t)bytes < sizeof(on) ? (size_t)bytes : sizeof(on)); /* one byte will do, as Windows has it */
    san_enter(c);
    if (name == WS_SO_KEEPALIVE) {
        c->is_keepalive = on != 0;
        keep_alive(c);
    } else {
        c->is_urgent_inline = on != 0;
        if (c->session != NULL)
            sw_session_urgent_inline(c->session, on != 0);
    }
    san_leave(c);
    return 0;
}

static int san_get_option(struct sw_carrier *carrier, int level, int name, char *value, int *bytes)
{
    (void)carrier;
    (void)level;
    (void)name;
    (void)value;
    (void)bytes;
    return WSAENOPROTOOPT; /* what was set is remembered above */
}

static int san_ioctl(struct sw_carrier *carrier, DWORD code, void *in, DWORD in_bytes, void *out,
                     DWORD out_bytes, DWORD *returned)
{
    struct san *c = san_of(carrier);
    ULONG values[3]; /* struct tcp_keepalive: on or off, idle time, step; milliseconds */

    (void)out;
    (void)out_bytes;
    if (code != SIO_KEEPALIVE_VALS)
        return WSAEOPNOTSUPP;
    if (in == NULL || in_bytes < sizeof(values))
        return WSAEFAULT;
    memcpy(values, in, sizeof(values));
    if (values[0] != 0 && (values[1] == 0 || values[2] == 0))
        return WSAEINVAL;
    san_enter(c);
    c->is_keepalive = values[0] != 0;
    if (c->is_keepalive) {
        c->set.keepalive_ms = values[1];
        c->set.keepalive_step_ms = values[2];
    }
    keep_alive(c);
    san_leave(c);
    *returned = 0;
    return 0;
}

/* --- ends --- */

static int san_shutdown(struct sw_carrier *carrier, int how)
{
    struct san *c = san_of(carrier);
    int error;

    san_enter(c);
    error = c->session == NULL ? WSAENOTCONN : sw_session_shutdown(c->session, how);
    san_leave(c);
    return error;
}

static void san_close(struct sw_carrier *carrier, uint32_t linger_ms)
{
    struct san *c = san_of(carrier);

    san_enter(c);
    c->is_closing = true;
    c->linger_ms = linger_ms;
    c->wanted = 0;
    san_drop_peeks(c, WSA_OPERATION_ABORTED);
    san_drop_held(c, WSA_OPERATION_ABORTED);
    if (c->is_moved)
        c->phase = SAN_FAILED; /* the connection lives elsewhere: only the companion goes */
    else if (c->phase == SAN_RUNNING && sw_session_close(c->session, linger_ms) != 0)
        sw_session_broken(c->session,
                          WSA_OPERATION_ABORTED); /* in the middle of a move that nobody waits for */
    san_wake_all(c);                              /* threads that block in a send take it back */
    if (c->backlog != 0) {
        pal_add_acq_rel(&c->refs, 1u);
        pal_mutex_unlock(&c->lock);
        san_drop_children(c);
        san_release(c);
        return;
    }
    san_leave(c);
}

void sw_san_stats(struct sw_carrier *carrier, struct sw_san_stats *out)
{
    struct san *c = san_of(carrier);

    san_enter(c);
    *out = c->stats;
    if (c->session != NULL)
        sw_session_stats(c->session, &out->session);
    san_leave(c);
}

const struct sw_carrier_ops sw_san_ops = {.name = "san",
                                          .bind = san_bind,
                                          .connect = san_connect,
                                          .listen = san_listen,
                                          .accept = san_accept,
                                          .local = san_local,
                                          .peer = san_peer,
                                          .submit = san_submit,
                                          .now = san_now,
                                          .wait = san_wait,
                                          .drive = san_drive,
                                          .cancel = san_cancel,
                                          .ready = san_ready,
                                          .want = san_want,
                                          .readable = san_readable,
                                          .at_mark = san_at_mark,
                                          .shutdown = san_shutdown,
                                          .set_option = san_set_option,
                                          .get_option = san_get_option,
                                          .ioctl = san_ioctl,
                                          .close = san_close,
                                          .give = san_give};
