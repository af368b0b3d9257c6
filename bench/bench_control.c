/* bench_control.c - framed messages with deadlines over a stream socket. */
#include "bench_control.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pal/time.h"

/* --- sockets -------------------------------------------------------------------------------------------- */

/* Binding tells, whoever the device belongs to; what the backend serves of it turns out later. */
bool bench_control_owns(const char *address, struct bench_error *err)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct vb_addr a;

    if (!vb_addr_parse(address, &a))
        return bench_fail(err, "--addr %s is no IP address", address);
    memcpy(&four.sin_addr, a.ip, sizeof four.sin_addr);
    memcpy(&six.sin6_addr, a.ip, sizeof six.sin6_addr);
    six.sin6_scope_id = a.scope;
    bool is_six = a.family == VB_AF_IPV6;
    int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    bool is_foreign = bind(fd, is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four,
                           is_six ? sizeof six : sizeof four) != 0 &&
                      errno == EADDRNOTAVAIL;
    (void)close(fd);
    return !is_foreign ||
           bench_fail(err, "--addr %s is no address of this machine: name one of its own", address);
}

int bench_control_listen(uint16_t port, struct bench_error *err)
{
    struct sockaddr_in6 any = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    int yes = 1;
    int no = 0;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_bound = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no) == 0 &&
                    bind(fd, (struct sockaddr *)&any, sizeof any) == 0;

    if (!is_bound && errno != EADDRINUSE) { /* a machine without IPv6 */
        if (fd >= 0)
            (void)close(fd);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        is_bound = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                   bind(fd, (struct sockaddr *)&any4, sizeof any4) == 0;
    }
    if (is_bound && listen(fd, 4) == 0)
        return fd;
    if (errno == EADDRINUSE)
        (void)bench_fail(
            err,
            "cannot listen on control port %u: it is in use, something on this machine listens there "
            "already; take another --port, or end what has this one",
            port);
    else
        (void)bench_fail(err, "cannot listen on control port %u: %s (another --port?)", port,
                         strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* Keep-alive, because a server waits for a busy client without limit: one whose machine died must not hold
 * it. */
static void set_options(int fd)
{
    int yes = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
}

int bench_control_accept(int listener, char *who, size_t who_bytes, struct bench_error *err)
{
    struct sockaddr_storage peer;
    socklen_t peer_bytes = sizeof peer;
    char host[64] = "?";
    int fd;

    do
        fd = accept4(listener, (struct sockaddr *)&peer, &peer_bytes, SOCK_CLOEXEC);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0) {
        (void)bench_fail(err, "cannot accept a control connection: %s", strerror(errno));
        return -1;
    }
    (void)getnameinfo((struct sockaddr *)&peer, peer_bytes, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    (void)snprintf(who, who_bytes, "%s", host);
    set_options(fd);
    return fd;
}

/* connect() with a deadline: non-blocking, then wait. */
static bool connect_in_time(int fd, const struct addrinfo *to, uint32_t timeout_ms)
{
    struct pollfd waiting = {.fd = fd, .events = POLLOUT};
    int failure = 0;
    socklen_t failure_bytes = sizeof failure;

    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
        return true;
    if (errno != EINPROGRESS)
        return false;
    if (poll(&waiting, 1, (int)timeout_ms) != 1) {
        errno = ETIMEDOUT;
        return false;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &failure_bytes) != 0)
        return false;
    errno = failure;
    return failure == 0;
}

int bench_control_connect(const char *host, uint16_t port, uint32_t timeout_ms, struct bench_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    struct addrinfo *found = NULL;
    char service[8];
    int problem;
    int fd = -1;

    (void)snprintf(service, sizeof service, "%u", port);
    problem = getaddrinfo(host, service, &hints, &found);
    if (problem != 0) {
        (void)bench_fail(err, "cannot find host %s: %s", host, gai_strerror(problem));
        return -1;
    }
    for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && !connect_in_time(fd, a, timeout_ms)) {
            problem = errno;
            (void)close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    if (fd < 0)
        (void)bench_fail(
            err, "cannot reach the server %s, control port %u: %s (is `wsdbench --server` running there?)",
            host, port, strerror(problem != 0 ? problem : errno));
    else
        set_options(fd);
    return fd;
}

void bench_control_init(struct bench_control *c, int fd, uint32_t timeout_ms, struct bench_error *err)
{
    c->fd = fd;
    c->timeout_ms = timeout_ms;
    c->err = err;
    c->has_heard = false;
}

void bench_control_close(struct bench_control *c)
{
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
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
        int ready = poll(&waiting, 1, left_ms);

        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return bench_fail(c->err, "waiting on the control channel: %s", strerror(errno));
        if (ready == 0 && left_ms == 0)
            return bench_fail(c->err, "the peer was silent on the control channel for %u s (--timeout)%s",
                              c->timeout_ms / 1000, doubt(c));
    }
}

static bool is_transient(void)
{
    return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK;
}

static bool send_all(struct bench_control *c, const uint8_t *data, size_t bytes)
{
    uint64_t deadline = pal_now_ns() + (uint64_t)c->timeout_ms * 1000000;

    while (bytes > 0) {
        ssize_t n = send(c->fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            data += n;
            bytes -= (size_t)n;
        } else if (!is_transient()) {
            return bench_fail(c->err, "the peer is gone (control channel: %s)", strerror(errno));
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
        ssize_t n = recv(c->fd, data, bytes, MSG_DONTWAIT);

        if (n > 0)
            return (size_t)n;
        if (n == 0) {
            (void)bench_fail(c->err,
                             "the peer closed the control channel before it was done; see its messages%s",
                             doubt(c));
            return 0;
        }
        if (!is_transient()) {
            (void)bench_fail(c->err, "the peer is gone (control channel: %s)%s", strerror(errno), doubt(c));
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
    ssize_t more;

    memcpy(said, head, bytes);
    more = recv(c->fd, said + bytes, sizeof said - bytes, MSG_DONTWAIT);
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

    if (c->fd >= 0)
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

    return poll(&waiting, 1, timeout_ms) > 0;
}

bool bench_control_alive(struct bench_control *c)
{
    uint8_t head[BENCH_HEADER_BYTES];
    ssize_t n = recv(c->fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT);
    struct bench_header h = {0};

    if (n < 0 && is_transient())
        return true;
    if (n <= 0)
        return bench_fail(c->err,
                          "the peer closed the control channel in the middle of the test; see its messages");
    if (n < (ssize_t)sizeof head)
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
