/* net.c - stream sockets of POSIX. Sockets block, so that a receive can sleep; what must not sleep says so in its call. */
#include "bench_net.h"

#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

int bench_net_error(void)
{
    return errno;
}

const char *bench_net_error_text(int code)
{
    return strerror(code);
}

pal_socket bench_net_make(int family, int type)
{
    return socket(family, type | SOCK_CLOEXEC, 0);
}

void bench_net_close(pal_socket s)
{
    int code = errno; /* the caller may still be about to say what failed */

    (void)close(s);
    errno = code;
}

bool bench_net_set(pal_socket s, int level, int name, int value)
{
    return setsockopt(s, level, name, &value, sizeof value) == 0;
}

bool bench_net_come_back(pal_socket s)
{
    return bench_net_set(s, SOL_SOCKET, SO_REUSEADDR, 1);
}

bool bench_net_bind_address(pal_socket s, const struct sockaddr *at, socklen_t bytes)
{
    return bench_net_set(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1) && bind(s, at, bytes) == 0;
}

/* connect() gives up after the send time-out; sends never sleep. */
bool bench_net_connect(pal_socket s, const struct sockaddr *to, socklen_t bytes, uint32_t timeout_ms)
{
    struct timeval patience = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

    if (setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
        return false;
    if (connect(s, to, bytes) == 0)
        return true;
    if (errno == EINPROGRESS)
        errno = ETIMEDOUT;
    return false;
}

pal_socket bench_net_accept(pal_socket listener, struct sockaddr *from, socklen_t *bytes)
{
    int fd;

    do
        fd = accept4(listener, from, bytes, SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd;
}

bool bench_net_pair(pal_socket out[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) == 0;
}

int bench_net_lookup(const char *host, uint16_t port, struct addrinfo **out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    char service[8];

    (void)snprintf(service, sizeof service, "%u", port);
    return getaddrinfo(host, service, &hints, out);
}

static long long outcome(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK ? BENCH_NET_LATER : BENCH_NET_FAILED;
}

long long bench_net_send(pal_socket s, const void *data, size_t bytes)
{
    return outcome(send(s, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL));
}

long long bench_net_recv(pal_socket s, void *data, size_t bytes)
{
    return outcome(recv(s, data, bytes, MSG_DONTWAIT));
}

long long bench_net_peek(pal_socket s, void *data, size_t bytes)
{
    return outcome(recv(s, data, bytes, MSG_PEEK | MSG_DONTWAIT));
}

bool bench_net_finish(pal_socket s)
{
    return shutdown(s, SHUT_WR) == 0;
}

int bench_net_poll(struct pollfd *fds, unsigned count, int timeout_ms)
{
    int n = poll(fds, count, timeout_ms);

    if (n < 0 && errno == EINTR) { /* as if the time were up: callers look at their deadlines */
        for (unsigned i = 0; i < count; i++)
            fds[i].revents = 0;
        return 0;
    }
    return n;
}

/* A socket that cannot be given a time-out would sleep through the end of the peer, and through nothing else. */
void bench_net_sleeper_init(struct bench_net_sleeper *z, pal_socket s, unsigned look_ms)
{
    struct timeval look = {.tv_sec = look_ms / 1000, .tv_usec = look_ms % 1000 * 1000};

    z->fd = s;
    (void)setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof look);
}

long long bench_net_sleeper_recv(struct bench_net_sleeper *z, void *data, size_t bytes)
{
    return outcome(recv(z->fd, data, bytes, MSG_WAITALL));
}

void bench_net_sleeper_fini(struct bench_net_sleeper *z)
{
    z->fd = -1; /* a call that slept is over */
}
