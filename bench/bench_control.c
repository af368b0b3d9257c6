/* bench_control.c - framed messages with deadlines over a stream socket. */
#include "bench_control.h"

#include <stdio.h>
#include <string.h>

#include "bench_net.h"
#include "pal/time.h"

/* --- sockets -------------------------------------------------------------------------------------------- */

static const char *last_error_text(void)
{
    return bench_net_error_text(bench_net_error());
}

/* Binding tells, whoever the device belongs to; what the backend serves of it turns out later. */
bool bench_control_owns(const char *address, struct bench_error *err)
{
    struct sockaddr_storage at;
    struct vb_addr a;

    if (!vb_addr_parse(address, &a))
        return bench_fail(err, "--addr %s is no IP address", address);
    a.port = 0;
    socklen_t bytes = bench_net_to_system(&a, &at);
    pal_socket s = bench_net_make(at.ss_family, SOCK_STREAM);
    if (s == PAL_SOCKET_NONE)
        return true;
    bool is_foreign = bind(s, (struct sockaddr *)&at, bytes) != 0 &&
                      bench_net_error() == BENCH_NET_E_NOTAVAIL;
    bench_net_close(s);
    return !is_foreign ||
           bench_fail(err, "--addr %s is no address of this machine: name one of its own", address);
}

/* All addresses of a family; with IPv6 those of IPv4 too. */
static bool bind_any(int family, uint16_t port, pal_socket *out)
{
    const struct vb_addr any = {.family = family == AF_INET6 ? VB_AF_IPV6 : VB_AF_IPV4, .port = port};
    struct sockaddr_storage at;
    socklen_t bytes = bench_net_to_system(&any, &at);

    *out = bench_net_make(family, SOCK_STREAM);
    return *out != PAL_SOCKET_NONE && bench_net_come_back(*out) &&
           (family == AF_INET || bench_net_set(*out, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
           bind(*out, (struct sockaddr *)&at, bytes) == 0;
}

pal_socket bench_control_listen(uint16_t port, struct bench_error *err)
{
    pal_socket s;
    bool is_bound = bind_any(AF_INET6, port, &s);
    int code = bench_net_error();

    if (!is_bound && code != BENCH_NET_E_INUSE) { /* a machine without IPv6 */
        if (s != PAL_SOCKET_NONE)
            bench_net_close(s);
        is_bound = bind_any(AF_INET, port, &s);
    }
    if (is_bound && listen(s, 4) == 0)
        return s;
    code = bench_net_error();
    if (code == BENCH_NET_E_INUSE)
        (void)bench_fail(
            err,
            "cannot listen on control port %u: it is in use, something on this machine listens there "
            "already; take another --port, or end what has this one",
            port);
    else
        (void)bench_fail(err, "cannot listen on control port %u: %s (another --port?)", port,
                         bench_net_error_text(code));
    if (s != PAL_SOCKET_NONE)
        bench_net_close(s);
    return PAL_SOCKET_NONE;
}

/* Keep-alive, because a server waits for a busy client without limit: one whose machine died must not hold
 * it. */
static void set_options(pal_socket s)
{
    (void)bench_net_set(s, IPPROTO_TCP, TCP_NODELAY, 1);
    (void)bench_net_set(s, SOL_SOCKET, SO_KEEPALIVE, 1);
}

pal_socket bench_control_accept(pal_socket listener, char *who, size_t who_bytes, struct bench_error *err)
{
    struct sockaddr_storage peer;
    socklen_t peer_bytes = sizeof peer;
    char host[64] = "?";
    pal_socket s;

    do
        s = bench_net_accept(listener, (struct sockaddr *)&peer, &peer_bytes);
    while (s == PAL_SOCKET_NONE && bench_net_error() == BENCH_NET_E_ABORTED);
    if (s == PAL_SOCKET_NONE) {
        (void)bench_fail(err, "cannot accept a control connection: %s", last_error_text());
        return PAL_SOCKET_NONE;
    }
    (void)getnameinfo((struct sockaddr *)&peer, peer_bytes, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    (void)snprintf(who, who_bytes, "%s", host);
    set_options(s);
    return s;
}

pal_socket bench_control_connect(const char *host, uint16_t port, uint32_t timeout_ms,
                                 struct bench_error *err)
{
    struct addrinfo *found = NULL;
    int problem = bench_net_lookup(host, port, &found);
    pal_socket s = PAL_SOCKET_NONE;

    if (problem != 0) {
        (void)bench_fail(err, "cannot find host %s: %s", host, gai_strerror(problem));
        return PAL_SOCKET_NONE;
    }
    for (const struct addrinfo *a = found; a != NULL && s == PAL_SOCKET_NONE; a = a->ai_next) {
        s = bench_net_make(a->ai_family, SOCK_STREAM);
        if (s != PAL_SOCKET_NONE && !bench_net_connect(s, a->ai_addr, (socklen_t)a->ai_addrlen, timeout_ms)) {
            problem = bench_net_error();
            bench_net_close(s);
            s = PAL_SOCKET_NONE;
        } else if (s == PAL_SOCKET_NONE) {
            problem = bench_net_error();
        }
    }
    freeaddrinfo(found);
    if (s == PAL_SOCKET_NONE)
        (void)bench_fail(
            err, "cannot reach the server %s, control port %u: %s (is `wsdbench --server` running there?)",
            host, port, bench_net_error_text(problem));
    else
        set_options(s);
    return s;
}

void bench_control_init(struct bench_control *c, pal_socket fd, uint32_t timeout_ms, struct bench_error *err)
{
    c->fd = fd;
    c->timeout_ms = timeout_ms;
    c->err = err;
    c->has_heard = false;
}

void bench_control_close(struct bench_control *c)
{
    if (c->fd != PAL_SOCKET_NONE)
        bench_net_close(c->fd);
    c->fd = PAL_SOCKET_NONE;
}

/* --- bytes with a deadline ------------------------------------------------------------------------------ */

/* Nothing that came so far proves what it is. */
static const char *doubt(const struct bench_control *c)
{
    return c->has_heard ? "" : ": is it a wsdbench? check host and port";
}

static bool wait_for(const struct bench_control *c, short events, uint64_t deadline_ns)
{
    struct pollfd waiting = {.fd = c->fd, .events = events};

    for (;;) {
        uint64_t now = pal_now_ns();
        int left_ms = now >= deadline_ns ? 0 : (int)((deadline_ns - now) / 1000000) + 1;
        int ready = bench_net_poll(&waiting, 1, left_ms);

        if (ready > 0)
            return true;
        if (ready < 0)
            return bench_fail(c->err, "waiting on the control channel: %s", last_error_text());
        if (ready == 0 && left_ms == 0)
            return bench_fail(c->err, "the peer was silent on the control channel for %u s (--timeout)%s",
                              c->timeout_ms / 1000, doubt(c));
    }
}

static bool send_all(struct bench_control *c, const uint8_t *data, size_t bytes)
{
    uint64_t deadline = pal_now_ns() + (uint64_t)c->timeout_ms * 1000000;

    while (bytes > 0) {
        long long n = bench_net_send(c->fd, data, bytes);

        if (n > 0) {
            data += n;
            bytes -= (size_t)n;
        } else if (n == BENCH_NET_FAILED) {
            return bench_fail(c->err, "the peer is gone (control channel: %s)", last_error_text());
        } else if (!wait_for(c, POLLOUT, deadline)) {
            return false;
        }
    }
    return true;
}

/* At least one byte; 0: none will come, and err says why. */
static size_t receive_some(struct bench_control *c, uint8_t *data, size_t bytes, uint64_t deadline_ns)
{
    for (;;) {
        long long n = bench_net_recv(c->fd, data, bytes);

        if (n > 0)
            return (size_t)n;
        if (n == 0) {
            (void)bench_fail(c->err,
                             "the peer closed the control channel before it was done; see its messages%s",
                             doubt(c));
            return 0;
        }
        if (n == BENCH_NET_FAILED) {
            (void)bench_fail(c->err, "the peer is gone (control channel: %s)%s", last_error_text(), doubt(c));
            return 0;
        }
        if (!wait_for(c, POLLIN, deadline_ns))
            return 0;
    }
}

static bool receive_all(struct bench_control *c, uint8_t *data, size_t bytes, uint64_t deadline_ns)
{
    while (bytes > 0) {
        size_t n = receive_some(c, data, bytes, deadline_ns);

        if (n == 0)
            return false;
        data += n;
        bytes -= n;
    }
    return true;
}

/* It speaks something else. What is there already of it helps to tell what. */
static bool name_stranger(struct bench_control *c, const uint8_t *head, size_t bytes)
{
    uint8_t said[48];
    long long more;

    memcpy(said, head, bytes);
    more = bench_net_recv(c->fd, said + bytes, sizeof said - bytes);
    return bench_fail_stranger(c->err, said, more > 0 ? bytes + (size_t)more : bytes);
}

/* Looked at as it comes: a stranger may never send as much as a header has. */
static bool receive_head(struct bench_control *c, uint8_t head[BENCH_HEADER_BYTES], uint64_t deadline_ns)
{
    size_t got = 0;

    while (got < BENCH_HEADER_BYTES) {
        size_t n = receive_some(c, head + got, BENCH_HEADER_BYTES - got, deadline_ns);

        if (n == 0)
            return false;
        got += n;
        if (!bench_is_ours(head, got))
            return name_stranger(c, head, got);
    }
    c->has_heard = true;
    return true;
}

/* --- messages ------------------------------------------------------------------------------------------- */

bool bench_control_send(struct bench_control *c, enum bench_message_type type, const uint8_t *body,
                        size_t bytes)
{
    struct bench_header h = {BENCH_WIRE_VERSION, (uint16_t)type, (uint32_t)bytes};
    uint8_t frame[BENCH_HEADER_BYTES + BENCH_BODY_MAX];

    if (bytes > BENCH_BODY_MAX)
        return bench_fail(c->err, "control message of %zu bytes is too long", bytes);
    bench_header_encode(&h, frame);
    if (bytes > 0)
        memcpy(frame + BENCH_HEADER_BYTES, body, bytes);
    return send_all(c, frame, BENCH_HEADER_BYTES + bytes);
}

void bench_control_send_error(struct bench_control *c)
{
    struct bench_error ignored = {{0}};
    struct bench_control quiet = {.fd = c->fd, .timeout_ms = 1000, .err = &ignored};

    if (c->fd != PAL_SOCKET_NONE)
        (void)bench_control_send(&quiet, BENCH_MSG_ERROR, (const uint8_t *)c->err->text,
                                 strlen(c->err->text));
}

static bool report_peer_error(struct bench_control *c, const uint8_t *body, size_t bytes)
{
    char text[512];

    bench_text_decode(body, bytes, text, sizeof text);
    return bench_fail(c->err, "the other end failed: %s", text);
}

bool bench_control_receive(struct bench_control *c, enum bench_message_type *type, uint8_t *body,
                           size_t *bytes)
{
    uint64_t deadline = pal_now_ns() + (uint64_t)c->timeout_ms * 1000000;
    uint8_t head[BENCH_HEADER_BYTES];
    struct bench_header h = {0};

    if (!receive_head(c, head, deadline) || !bench_header_decode(head, &h, c->err) ||
        !receive_all(c, body, h.bytes, deadline))
        return false;
    if (h.type == BENCH_MSG_ERROR)
        return report_peer_error(c, body, h.bytes);
    *type = (enum bench_message_type)h.type;
    *bytes = h.bytes;
    return true;
}

bool bench_control_expect(struct bench_control *c, enum bench_message_type type, uint8_t *body, size_t *bytes)
{
    enum bench_message_type got = BENCH_MSG_ERROR;

    if (!bench_control_receive(c, &got, body, bytes))
        return false;
    if (got != type)
        return bench_fail(c->err, "the peer sent control message %d where %d belongs", (int)got, (int)type);
    return true;
}

bool bench_control_readable(const struct bench_control *c, int timeout_ms)
{
    struct pollfd waiting = {.fd = c->fd, .events = POLLIN};

    return bench_net_poll(&waiting, 1, timeout_ms) > 0;
}

bool bench_control_alive(struct bench_control *c)
{
    uint8_t head[BENCH_HEADER_BYTES];
    long long n = bench_net_peek(c->fd, head, sizeof head);
    struct bench_header h = {0};

    if (n == BENCH_NET_LATER)
        return true;
    if (n <= 0)
        return bench_fail(c->err,
                          "the peer closed the control channel in the middle of the test; see its messages");
    if (n < (long long)sizeof head)
        return true;
    if (!bench_header_decode(head, &h, c->err))
        return false;
    if (h.type == BENCH_MSG_ERROR) { /* consume it for its text */
        uint8_t body[BENCH_BODY_MAX];
        enum bench_message_type type;
        size_t bytes;

        return bench_control_receive(c, &type, body, &bytes);
    }
    return true;
}
