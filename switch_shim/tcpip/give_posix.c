/* give_posix.c - a socket that two processes share: the giver keeps a copy of the descriptor until the process that was named fetches
 * it, once, within GIVEN_MS. It is fetched over a socket of the giver in the abstract namespace, so who asks is known to the
 * kernel, and no right to look into another process is needed.
 * Threads: give() in any; the engine answers (tcp_os_given_serve()).
 * Source:  contract 10.1, 8 (usable once by the target); unix(7): SCM_RIGHTS, SO_PEERCRED, abstract names. */
#include "tcpip/tcp_os.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "pal/memory.h"
#include "pal/mutex.h"
#include "pal/process.h"
#include "pal/time.h"
#include "tcpip/tcp_posix.h"

enum { GIVEN_MAX = 64, GIVEN_MS = 60000, QUESTION_MS = 1000, ANSWER_MS = 5000, MAGIC = 0x57534455 };

/* What give() writes. Both processes run the same code, so it has no byte order of its own. */
struct note {
    uint32_t magic, source_pid, target_pid, name;
    uint64_t token;
    int32_t af, type, protocol;
    uint32_t unused;
};

static struct given {
    int fd;
    uint32_t target_pid;
    uint64_t token, until_ns;
} given[GIVEN_MAX]; /* lock */
static struct pal_mutex lock = PAL_MUTEX_INIT;
static unsigned given_count;
static int listener = -1;
static uint32_t listener_name;

/* --- the copies ----------------------------------------------------------------------------------------- */

static void drop_locked(unsigned i)
{
    close(given[i].fd);
    given[i] = given[--given_count];
}

void tcp_os_given_drop(bool all)
{
    uint64_t now = pal_now_ns();

    pal_mutex_lock(&lock);
    for (unsigned i = 0; i < given_count;) {
        if (all || now >= given[i].until_ns || !pal_process_exists(given[i].target_pid))
            drop_locked(i);
        else
            i++;
    }
    if (all && listener >= 0) {
        close(listener);
        listener = -1;
    }
    pal_mutex_unlock(&lock);
}

/* The copy for this process, which is then the caller's. */
static int take(uint32_t pid, uint64_t token)
{
    int fd = -1;

    pal_mutex_lock(&lock);
    for (unsigned i = 0; i < given_count && fd < 0; i++) {
        if (given[i].target_pid != pid || given[i].token != token)
            continue;
        fd = given[i].fd;
        given[i] = given[--given_count];
    }
    pal_mutex_unlock(&lock);
    return fd;
}

static bool is_expected(uint32_t pid)
{
    bool yes = false;

    pal_mutex_lock(&lock);
    for (unsigned i = 0; i < given_count; i++)
        yes |= given[i].target_pid == pid;
    pal_mutex_unlock(&lock);
    return yes;
}

/* --- between the processes ------------------------------------------------------------------------------ */

static socklen_t address_of(uint32_t pid, uint32_t name, struct sockaddr_un *out)
{
    int n;

    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    n = snprintf(out->sun_path + 1, sizeof out->sun_path - 1, "openwsd-tcp-%lu-%08lx", (unsigned long)pid,
                 (unsigned long)name);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static void set_patience(int s, int ms)
{
    struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    (void)setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    (void)setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
}

static int listen_locked(void)
{
    struct sockaddr_un name;
    socklen_t bytes;
    int s;

    if (listener >= 0)
        return 0;
    if (!pal_random(&listener_name, sizeof listener_name))
        return WSAENOBUFS;
    s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return tcp_posix_error(errno);
    bytes = address_of(pal_process_id(), listener_name, &name);
    if (bind(s, (struct sockaddr *)&name, bytes) < 0 || listen(s, GIVEN_MAX) < 0) {
        int code = tcp_posix_error(errno);

        close(s);
        return code;
    }
    listener = s;
    return 0;
}

/* One byte, and the descriptor beside it. */
static void send_descriptor(int to, int fd)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char byte = 0;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    struct cmsghdr *c;

    memset(&control, 0, sizeof control);
    c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    (void)sendmsg(to, &m, MSG_NOSIGNAL); /* the other one sees that nothing came */
}

static int receive_descriptor(int from)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    struct cmsghdr *c;
    int fd = -1;

    if (recvmsg(from, &m, MSG_CMSG_CLOEXEC) != 1)
        return -1;
    c = CMSG_FIRSTHDR(&m);
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

/* Only a process that something was given to can make the engine wait for its question. */
static void answer(int s)
{
    struct ucred who = {0};
    socklen_t n = sizeof who;
    uint64_t token;
    int fd;

    if (getsockopt(s, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0 || !is_expected((uint32_t)who.pid))
        return;
    set_patience(s, QUESTION_MS);
    if (recv(s, &token, sizeof token, 0) != sizeof token)
        return;
    fd = take((uint32_t)who.pid, token);
    if (fd < 0)
        return;
    send_descriptor(s, fd);
    close(fd);
}

pal_waitable tcp_os_given_waitable(void)
{
    pal_waitable w;

    pal_mutex_lock(&lock);
    w = listener >= 0 ? listener : PAL_WAITABLE_NONE;
    pal_mutex_unlock(&lock);
    return w;
}

void tcp_os_given_serve(void)
{
    pal_waitable w = tcp_os_given_waitable();
    int s;

    while (w != PAL_WAITABLE_NONE && (s = accept4(w, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        answer(s);
        close(s);
    }
    tcp_os_given_drop(false);
}

static int fetch(const struct note *n)
{
    struct sockaddr_un name;
    socklen_t bytes = address_of(n->source_pid, n->name, &name);
    int fd = -1, s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (s < 0)
        return -1;
    set_patience(s, ANSWER_MS);
    if (connect(s, (struct sockaddr *)&name, bytes) == 0 &&
        send(s, &n->token, sizeof n->token, MSG_NOSIGNAL) == sizeof n->token)
        fd = receive_descriptor(s);
    close(s);
    return fd;
}

/* --- give, adopt ---------------------------------------------------------------------------------------- */

static int question(int s, int name)
{
    int value = 0;
    socklen_t n = sizeof value;

    return getsockopt(s, SOL_SOCKET, name, &value, &n) == 0 ? value : -1;
}

static void describe(int s, struct note *n)
{
    int type = question(s, SO_TYPE);

    n->af = question(s, SO_DOMAIN) == AF_INET6 ? WS_AF_INET6 : WS_AF_INET;
    n->type = type == SOCK_STREAM ? WS_SOCK_STREAM : type == SOCK_DGRAM ? WS_SOCK_DGRAM : WS_SOCK_RAW;
    n->protocol = question(s, SO_PROTOCOL);
}

static int keep_locked(int s, struct note *n)
{
    int code = listen_locked();
    struct given *g = &given[given_count];

    if (code != 0)
        return code;
    if (given_count == GIVEN_MAX || !pal_random(&n->token, sizeof n->token))
        return WSAENOBUFS;
    g->fd = fcntl(s, F_DUPFD_CLOEXEC, 0);
    if (g->fd < 0)
        return tcp_posix_error(errno);
    g->target_pid = n->target_pid;
    g->token = n->token;
    g->until_ns = pal_now_ns() + GIVEN_MS * 1000000ull;
    given_count++;
    n->name = listener_name;
    return 0;
}

int tcp_os_give(pal_socket s, uint32_t process_id, void *text, size_t *text_bytes)
{
    struct note n = {.magic = MAGIC, .source_pid = pal_process_id(), .target_pid = process_id};
    int code;

    if (*text_bytes < sizeof n)
        return WSAEFAULT;
    if (!pal_process_exists(process_id))
        return WSAEINVAL; /* B211 */
    describe(s, &n);
    pal_mutex_lock(&lock);
    code = keep_locked(s, &n);
    pal_mutex_unlock(&lock);
    if (code != 0)
        return code;
    memcpy(text, &n, sizeof n);
    *text_bytes = sizeof n;
    return 0;
}

int tcp_os_adopt(const void *text, size_t text_bytes, pal_socket *out, int *af, int *type, int *protocol)
{
    struct note n;
    int fd;

    if (text_bytes != sizeof n)
        return WSAEINVAL;
    memcpy(&n, text, sizeof n);
    if (n.magic != MAGIC || n.target_pid != pal_process_id())
        return WSAEINVAL;
    fd = n.source_pid == n.target_pid ? take(n.target_pid, n.token) : fetch(&n);
    if (fd < 0)
        return WSAEINVAL; /* used already, too late, or the giver has ended */
    *out = fd;
    *af = n.af;
    *type = n.type;
    *protocol = n.protocol;
    return 0;
}
