/* mailbox.c - a mailbox is a datagram socket of the local domain, "openwsd-mail-NAME" in the abstract namespace (unix(7)): it has no
 * file that could be left behind, and its name goes with it. Anybody in the network namespace may send to it, so each message
 * brings the credentials of its sender, which the kernel has checked. A box that is full makes its senders wait. */
#include "pal/mailbox.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "name.h"
#include "pal/time.h"
#include "pal/wait.h"

#define NS_PER_MS 1000000u

struct pal_mailbox {
    int fd;
    struct pal_wakeup *stir;
};

/* As the kernel wants it: aligned, and no byte more, so that no descriptor that somebody sends along has room. */
union credentials {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(struct ucred))];
};

static bool address_of(const char *name, struct sockaddr_un *at, socklen_t *bytes)
{
    int n;

    if (!pal_name_is_good(name, PAL_MAILBOX_NAME))
        return false;
    memset(at, 0, sizeof(*at));
    at->sun_family = AF_UNIX;
    n = snprintf(at->sun_path + 1, sizeof(at->sun_path) - 1, "openwsd-mail-%s", name);
    *bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    return true;
}

struct pal_mailbox *pal_mailbox_open(const char *name)
{
    struct sockaddr_un at;
    socklen_t at_bytes;
    const int on = 1;
    struct pal_mailbox *box;

    if (!address_of(name, &at, &at_bytes) || !(box = calloc(1, sizeof(*box))))
        return NULL;
    box->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    box->stir = pal_wakeup_create();
    /* Credentials first: no message without. */
    if (box->fd < 0 || !box->stir || setsockopt(box->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0 ||
        bind(box->fd, (const struct sockaddr *)&at, at_bytes) != 0) {
        pal_mailbox_close(box);
        return NULL;
    }
    return box;
}

void pal_mailbox_close(struct pal_mailbox *box)
{
    if (!box)
        return;
    if (box->fd >= 0)
        close(box->fd);
    pal_wakeup_destroy(box->stir);
    free(box);
}

void pal_mailbox_stir(struct pal_mailbox *box)
{
    pal_wakeup_signal(box->stir);
}

/* ---- receiving ---- */

/* 0: not somebody whose messages count. The kernel translates both numbers into our namespaces; pid 0 is nobody there. */
static uint32_t sender_of(struct msghdr *m)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(m);
    struct ucred who;

    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
        c->cmsg_len != CMSG_LEN(sizeof(who)))
        return 0;
    memcpy(&who, CMSG_DATA(c), sizeof(who));
    return who.pid > 0 && (who.uid == geteuid() || who.uid == 0) ? (uint32_t)who.pid : 0;
}

/* Take one message out; 0: there was none, or none that counts. */
static size_t take(const struct pal_mailbox *box, void *bytes, size_t room, uint32_t *sender)
{
    union credentials from;
    struct iovec place = {bytes, room < PAL_MAIL_MAX ? room : PAL_MAIL_MAX};
    struct msghdr m = {
        .msg_iov = &place, .msg_iovlen = 1, .msg_control = from.bytes, .msg_controllen = sizeof(from.bytes)};
    const ssize_t n = recvmsg(box->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    uint32_t pid;

    if (n <= 0 || (m.msg_flags & MSG_TRUNC) || (pid = sender_of(&m)) == 0)
        return 0;
    if (sender)
        *sender = pid;
    return (size_t)n;
}

/* For pal_wait(); rounded up, so that nobody wakes up before his time only to sleep again. */
static int ms_until(uint64_t deadline_ns, uint64_t now_ns)
{
    uint64_t ms;

    if (deadline_ns == UINT64_MAX)
        return -1;
    if (deadline_ns <= now_ns)
        return 0;
    ms = (deadline_ns - now_ns - 1) / NS_PER_MS + 1;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

size_t pal_mailbox_receive(struct pal_mailbox *box, void *bytes, size_t room, uint32_t *sender,
                           uint64_t deadline_ns)
{
    const pal_waitable waits[] = {pal_wakeup_waitable(box->stir), box->fd};

    if (!bytes || room == 0)
        return 0;
    for (;;) {
        const uint64_t now_ns = pal_now_ns();
        const uint32_t ready = pal_wait(waits, 2, ms_until(deadline_ns, now_ns));
        size_t n;

        if (ready & 1u) {
            pal_wakeup_clear(box->stir);
            return 0;
        }
        if ((ready & 2u) && (n = take(box, bytes, room, sender)) > 0)
            return n;
        if (deadline_ns <= now_ns) /* the time before the look, so that a message that is there is found */
            return 0;
    }
}

/* ---- sending ---- */

/* Our effective user, as with records: the kernel itself would name the real one (unix(7), SCM_CREDENTIALS). */
static void sign(struct msghdr *m, union credentials *mine)
{
    const struct ucred me = {.pid = getpid(), .uid = geteuid(), .gid = getegid()};
    struct cmsghdr *c;

    memset(mine, 0, sizeof(*mine));
    m->msg_control = mine->bytes;
    m->msg_controllen = sizeof(mine->bytes);
    c = CMSG_FIRSTHDR(m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_CREDENTIALS;
    c->cmsg_len = CMSG_LEN(sizeof(me));
    memcpy(CMSG_DATA(c), &me, sizeof(me));
}

/* A time-out of 0 would mean none (socket(7)), so with no time left the call does not wait. */
static bool try_to_send(int fd, const struct msghdr *m, uint64_t left_ns)
{
    const uint64_t left_us = left_ns / 1000u + 1;
    const struct timeval patience = {.tv_sec = (time_t)(left_us / 1000000u),
                                     .tv_usec = (suseconds_t)(left_us % 1000000u)};

    if (left_ns > 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0)
        return false;
    return sendmsg(fd, m, MSG_NOSIGNAL | (left_ns > 0 ? 0 : MSG_DONTWAIT)) >= 0;
}

static enum pal_mail_result send_until(int fd, const struct msghdr *m, uint64_t deadline_ns)
{
    for (;;) {
        const uint64_t now_ns = pal_now_ns();
        const uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;

        if (try_to_send(fd, m, left_ns))
            return PAL_MAIL_SENT;
        switch (errno) {
        case ECONNREFUSED: /* nobody has the name; also when its owner closes it while we wait */
        case EPIPE: return PAL_MAIL_NOBODY;
        case EINTR:
        case EAGAIN:
            if (left_ns > 0)
                continue;
            return PAL_MAIL_FAILED;
        default: return PAL_MAIL_FAILED;
        }
    }
}

enum pal_mail_result pal_mailbox_send(const char *name, const void *bytes, size_t n, uint32_t timeout_ms)
{
    const uint64_t deadline_ns = pal_now_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    struct sockaddr_un to;
    union credentials mine;
    struct iovec what = {(void *)(uintptr_t)bytes, n}; /* sendmsg() does not write there */
    struct msghdr m = {.msg_name = &to, .msg_iov = &what, .msg_iovlen = 1};
    enum pal_mail_result result;
    int fd;

    if (!address_of(name, &to, &m.msg_namelen) || !bytes || n == 0 || n > PAL_MAIL_MAX)
        return PAL_MAIL_FAILED;
    sign(&m, &mine);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return PAL_MAIL_FAILED;
    result = send_until(fd, &m, deadline_ns);
    close(fd);
    return result;
}
