/* tcp.c - the carrier over a socket of the system: making, names, connections, options. */
#include <stdlib.h>
#include <string.h>

#include "tcpip/tcp.h"

#ifndef SIO_UDP_CONNRESET /* mswsock.h; _WSAIOW(IOC_VENDOR, 12) */
#define SIO_UDP_CONNRESET 0x9800000Cu
#endif

static struct tcp *new_tcp(pal_socket s, int af, int type, int protocol, const struct sw_carrier_up *up,
                           void *owner);

/* --- names and connections ------------------------------------------------------------------------------ */

static int tcp_bind(struct sw_carrier *c, const WSD_SOCKADDR *name, int bytes)
{
    struct tcp *t = tcp_of(c);
    int code;

    pal_mutex_lock(&t->lock); /* it may be connecting in another thread */
    code = tcp_os_bind(t->s, name, bytes);
    pal_mutex_unlock(&t->lock);
    return code;
}

/* The peer's name stays to be had when both ways have ended (B140). */
void tcp_connected_locked(struct tcp *t)
{
    WSD_SOCKADDR_STORAGE peer;
    int bytes = 0;
    const bool has_peer = tcp_os_name(t->s, true, &peer, &bytes) == 0;

    t->is_connected = has_peer || tcp_is_stream(t); /* a datagram socket may have given up its peer */
    if (has_peer && tcp_is_stream(t)) {
        t->peer = peer;
        t->peer_bytes = bytes;
    }
}

static int begin_connect_locked(struct tcp *t, const WSD_SOCKADDR *name, int bytes)
{
    int code;

    if (t->is_listening)
        return WSAEINVAL; /* connect() page */
    if (t->is_connecting)
        return WSAEALREADY;
    if (t->is_connected && tcp_is_stream(t))
        return WSAEISCONN;
    t->connect_error = 0;
    code = tcp_os_connect(t->s, name, bytes);
    if (code == 0)
        tcp_connected_locked(t);
    if (code != WSAEWOULDBLOCK)
        return code;
    t->is_connecting = true;
    if (tcp_engine_arm_locked(t, PAL_WRITABLE))
        return WSA_IO_PENDING;
    t->is_connecting = false;
    return WSAENOBUFS;
}

static int tcp_connect(struct sw_carrier *c, const WSD_SOCKADDR *name, int bytes)
{
    struct tcp *t = tcp_of(c);
    int code;

    pal_mutex_lock(&t->lock);
    code = begin_connect_locked(t, name, bytes);
    pal_mutex_unlock(&t->lock);
    return code;
}

static int tcp_listen(struct sw_carrier *c, int backlog)
{
    struct tcp *t = tcp_of(c);
    int code;

    pal_mutex_lock(&t->lock);
    code = t->is_connected || t->is_connecting ? WSAEISCONN : tcp_os_listen(t->s, backlog);
    t->is_listening |= code == 0;
    pal_mutex_unlock(&t->lock);
    return code;
}

/* What the system does not hand on by itself is what only this layer knows (B040). */
static struct tcp *new_accepted(struct tcp *listener, pal_socket s, const struct sw_carrier_up *up,
                                void *owner, const WSD_SOCKADDR_STORAGE *remote, int remote_bytes)
{
    struct tcp *t = new_tcp(s, listener->af, listener->type, listener->protocol, up, owner);

    if (t == NULL)
        return NULL;
    t->is_connected = true;
    t->peer = *remote;
    t->peer_bytes = remote_bytes;
    pal_mutex_lock(&listener->lock);
    t->send_buffer = listener->send_buffer;
    t->recv_buffer = listener->recv_buffer;
    t->is_oob_inline = listener->is_oob_inline;
    t->is_address_reused = listener->is_address_reused;
    t->is_address_exclusive = listener->is_address_exclusive;
    t->is_unrouted = listener->is_unrouted;
    pal_mutex_unlock(&listener->lock);
    return t;
}

static int tcp_accept(struct sw_carrier *c, const struct sw_carrier_up *up, void *owner,
                      struct sw_carrier **out, WSD_SOCKADDR_STORAGE *remote, int *remote_bytes)
{
    struct tcp *t = tcp_of(c), *accepted = NULL;
    pal_socket s = PAL_SOCKET_NONE;
    int code = tcp_os_accept(t->s, &s, remote, remote_bytes);

    if (code != 0)
        return code;
    accepted = new_accepted(t, s, up, owner, remote, *remote_bytes);
    if (accepted == NULL) {
        tcp_os_close(s, true);
        return WSAENOBUFS;
    }
    *out = &accepted->pub;
    return 0;
}

static int tcp_local(struct sw_carrier *c, WSD_SOCKADDR_STORAGE *out, int *bytes)
{
    return tcp_os_name(tcp_of(c)->s, false, out, bytes);
}

static int tcp_peer(struct sw_carrier *c, WSD_SOCKADDR_STORAGE *out, int *bytes)
{
    struct tcp *t = tcp_of(c);
    int code = 0;

    pal_mutex_lock(&t->lock);
    if (t->peer_bytes > 0) {
        *out = t->peer;
        *bytes = t->peer_bytes;
    } else {
        code = t->is_connecting ? WSAENOTCONN : tcp_os_name(t->s, true, out, bytes); /* B050 */
    }
    pal_mutex_unlock(&t->lock);
    return code;
}

static uint64_t tcp_readable(struct sw_carrier *c)
{
    return tcp_os_readable(tcp_of(c)->s);
}

static bool tcp_at_mark(struct sw_carrier *c)
{
    struct tcp *t = tcp_of(c);
    bool is_at;

    pal_mutex_lock(&t->lock);
    is_at = tcp_os_at_mark(t->s, t->is_oob_inline);
    pal_mutex_unlock(&t->lock);
    return is_at;
}

/* --- options -------------------------------------------------------------------------------------------- */

/* Read back as they were set; Linux doubles them (windows.md, trap 2). */
static int *buffer_option(struct tcp *t, int level, int name)
{
    if (level != WS_SOL_SOCKET)
        return NULL;
    return name == WS_SO_SNDBUF ? &t->send_buffer : name == WS_SO_RCVBUF ? &t->recv_buffer : NULL;
}

/* Of these the carrier remembers what was set: the system answers otherwise, or is not told. */
static bool *flag_option(struct tcp *t, int level, int name)
{
    if (level != WS_SOL_SOCKET)
        return NULL;
    switch (name) {
    case WS_SO_REUSEADDR: return &t->is_address_reused;
    case WS_SO_EXCLUSIVEADDRUSE: return &t->is_address_exclusive;
    case WS_SO_OOBINLINE: return &t->is_oob_inline;
    case WS_SO_DONTROUTE: return &t->is_unrouted; /* Wine answers 1 always */
    default: return NULL;
    }
}

static bool contradicts_locked(const struct tcp *t, int level, int name, bool on) /* B028 */
{
    return level == WS_SOL_SOCKET && on &&
           ((name == WS_SO_REUSEADDR && t->is_address_exclusive) ||
            (name == WS_SO_EXCLUSIVEADDRUSE && t->is_address_reused));
}

static int tcp_set_option(struct sw_carrier *c, int level, int name, const char *value, int bytes)
{
    struct tcp *t = tcp_of(c);
    int *number = buffer_option(t, level, name);
    bool *flag = flag_option(t, level, name);
    int code;

    if (value == NULL || bytes < 1)
        return WSAEFAULT;
    pal_mutex_lock(&t->lock);
    code = contradicts_locked(t, level, name, value[0] != 0)
               ? WSAEINVAL
               : tcp_os_set_option(t->s, t->type, level, name, value, bytes);
    if (code == 0 && number != NULL)
        memcpy(number, value, sizeof *number);
    if (code == 0 && flag != NULL)
        *flag = value[0] != 0;
    pal_mutex_unlock(&t->lock);
    return code;
}

static int give_number(int number, char *value, int *bytes)
{
    if (value == NULL || *bytes < (int)sizeof number)
        return WSAEFAULT;
    memcpy(value, &number, sizeof number);
    *bytes = (int)sizeof number;
    return 0;
}

static int tcp_get_option(struct sw_carrier *c, int level, int name, char *value, int *bytes)
{
    struct tcp *t = tcp_of(c);
    const int *number = buffer_option(t, level, name);
    const bool *flag = flag_option(t, level, name);
    int kept, error;

    pal_mutex_lock(&t->lock);
    error = t->connect_error != 0 ? t->connect_error : t->error;
    kept = number != NULL ? *number : flag != NULL ? *flag : -1;
    pal_mutex_unlock(&t->lock);
    if (level == WS_SOL_SOCKET && name == WS_SO_ERROR)
        return give_number(error, value, bytes); /* reading does not clear it (B053) */
    if (flag != NULL && value != NULL && *bytes >= 1 && *bytes < (int)sizeof kept) {
        value[0] = (char)kept;
        *bytes = 1;
        return 0;
    }
    if (kept >= 0)
        return give_number(kept, value, bytes);
    return tcp_os_get_option(t->s, level, name, value, bytes);
}

struct keepalive_values { /* struct tcp_keepalive of mstcpip.h */
    ULONG onoff, time_ms, interval_ms;
};

static int set_keepalive(struct tcp *t, const void *in, DWORD in_bytes)
{
    struct keepalive_values v;

    if (in == NULL || in_bytes < sizeof v)
        return WSAEFAULT; /* B208 */
    memcpy(&v, in, sizeof v);
    return tcp_os_keepalive(t->s, v.onoff != 0, v.time_ms, v.interval_ms);
}

static int set_reset_told(struct tcp *t, const void *in, DWORD in_bytes)
{
    unsigned char on;

    if (in == NULL || in_bytes < sizeof on)
        return WSAEFAULT;
    memcpy(&on, in, sizeof on);
    pal_mutex_lock(&t->lock);
    t->is_reset_hidden = on == 0;
    pal_mutex_unlock(&t->lock);
    return 0;
}

static int tcp_ioctl(struct sw_carrier *c, DWORD code, void *in, DWORD in_bytes, void *out, DWORD out_bytes,
                     DWORD *returned)
{
    struct tcp *t = tcp_of(c);

    *returned = 0;
    if (code == SIO_KEEPALIVE_VALS && tcp_is_stream(t))
        return set_keepalive(t, in, in_bytes);
    if (code == SIO_UDP_CONNRESET && t->type == WS_SOCK_DGRAM)
        return set_reset_told(t, in, in_bytes);
    return tcp_os_ioctl(t->s, code, in, in_bytes, out, out_bytes, returned);
}

static int tcp_give(struct sw_carrier *c, DWORD process_id, void *text, size_t *text_bytes,
                    uint64_t deadline_ns)
{
    struct tcp *t = tcp_of(c);
    int code = tcp_os_give(t->s, process_id, text, text_bytes);

    (void)deadline_ns; /* it never waits */
    pal_mutex_lock(&t->lock);
    t->is_shared |= code == 0;
    pal_mutex_unlock(&t->lock);
    return code == 0 && !tcp_engine_start() ? WSAENOBUFS : code;
}

/* --- making --------------------------------------------------------------------------------------------- */

static const struct sw_carrier_ops tcp_ops = {
    .name = "tcp",
    .bind = tcp_bind,
    .connect = tcp_connect,
    .listen = tcp_listen,
    .accept = tcp_accept,
    .local = tcp_local,
    .peer = tcp_peer,
    .submit = tcp_submit,
    .now = tcp_now,
    .wait = tcp_wait,
    .drive = tcp_drive,
    .cancel = tcp_cancel,
    .ready = tcp_ready,
    .want = tcp_want,
    .readable = tcp_readable,
    .at_mark = tcp_at_mark,
    .shutdown = tcp_shutdown,
    .set_option = tcp_set_option,
    .get_option = tcp_get_option,
    .ioctl = tcp_ioctl,
    .close = tcp_close,
    .give = tcp_give,
};

static struct tcp *new_tcp(pal_socket s, int af, int type, int protocol, const struct sw_carrier_up *up,
                           void *owner)
{
    struct tcp *t = calloc(1, sizeof *t);

    if (t == NULL)
        return NULL;
    if (!pal_mutex_init(&t->lock)) {
        free(t);
        return NULL;
    }
    t->pub.ops = &tcp_ops;
    t->pub.up = up;
    t->pub.owner = owner;
    t->refs = 1;
    t->s = s;
    t->af = af;
    t->type = type;
    t->protocol = protocol;
    t->send_buffer = t->recv_buffer = -1;
    tcp_queue_init(&t->send);
    tcp_queue_init(&t->recv);
    return t;
}

int sw_tcp_create(int af, int type, int protocol, const struct sw_carrier_up *up, void *owner,
                  struct sw_carrier **out)
{
    pal_socket s = PAL_SOCKET_NONE;
    struct tcp *t;
    int code = tcp_os_make(af, type, protocol, &s);

    if (code != 0)
        return code;
    t = new_tcp(s, af, type, protocol, up, owner);
    if (t == NULL) {
        tcp_os_close(s, false);
        return WSAENOBUFS;
    }
    *out = &t->pub;
    return 0;
}

static bool has_flag(pal_socket s, int name)
{
    char value[4] = {0};
    int bytes = (int)sizeof value;

    return tcp_os_get_option(s, WS_SOL_SOCKET, name, value, &bytes) == 0 && value[0] != 0;
}

int sw_tcp_adopt(const void *text, size_t text_bytes, const struct sw_carrier_up *up, void *owner,
                 struct sw_carrier **out)
{
    int af = 0, type = 0, protocol = 0;
    pal_socket s = PAL_SOCKET_NONE;
    struct tcp *t;
    int code = tcp_os_adopt(text, text_bytes, &s, &af, &type, &protocol);

    if (code != 0)
        return code;
    t = new_tcp(s, af, type, protocol, up, owner);
    if (t == NULL) {
        tcp_os_close(s, false);
        return WSAENOBUFS;
    }
    t->is_shared = true;
    t->peer_bytes = (int)sizeof t->peer;
    if (tcp_os_name(s, true, &t->peer, &t->peer_bytes) != 0)
        t->peer_bytes = 0;
    t->is_connected = t->peer_bytes > 0;
    t->is_listening = has_flag(s, WS_SO_ACCEPTCONN);
    t->is_oob_inline = has_flag(s, WS_SO_OOBINLINE);
    if (!tcp_is_stream(t))
        t->peer_bytes = 0; /* may change */
    *out = &t->pub;
    return 0;
}
