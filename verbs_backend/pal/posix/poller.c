/* poller.c - epoll, twice: one set holds the sockets, the other is the waitable and holds the first set, an eventfd, a
 * timer and whatever lies beside. So looking which sockets are ready does not touch the waitable, and watching all of
 * them is switched on and off by one call. */
#include "pal/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "pal/atomic.h"

struct pal_poller {
    int sockets_fd, outer_fd, event_fd;
    pal_atomic_u64 timer_fd;      /* 0: none yet; else the descriptor plus one */
    pal_atomic_bool is_signalled; /* as in struct pal_wakeup, wait.c */
    pal_atomic_bool is_watching;
};

static bool put(int set_fd, int fd, int op, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data = {.fd = fd}};
    return epoll_ctl(set_fd, op, fd, &ev) == 0;
}

struct pal_poller *pal_poller_create(pal_waitable beside)
{
    struct pal_poller *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->outer_fd = p->event_fd = -1;
    p->sockets_fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->sockets_fd < 0)
        goto err;
    p->outer_fd = epoll_create1(EPOLL_CLOEXEC);
    p->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (p->outer_fd < 0 || p->event_fd < 0 || !put(p->outer_fd, p->sockets_fd, EPOLL_CTL_ADD, EPOLLIN) ||
        !put(p->outer_fd, p->event_fd, EPOLL_CTL_ADD, EPOLLIN) ||
        (beside != PAL_WAITABLE_NONE && !put(p->outer_fd, beside, EPOLL_CTL_ADD, EPOLLIN)))
        goto err;
    p->is_watching = true;
    return p;
err:
    pal_poller_destroy(p);
    return NULL;
}

void pal_poller_destroy(struct pal_poller *p)
{
    if (!p)
        return;
    if (p->timer_fd)
        close((int)p->timer_fd - 1);
    if (p->event_fd >= 0)
        close(p->event_fd);
    if (p->outer_fd >= 0)
        close(p->outer_fd);
    if (p->sockets_fd >= 0)
        close(p->sockets_fd);
    free(p);
}

pal_waitable pal_poller_waitable(const struct pal_poller *p)
{
    return p->outer_fd;
}

static uint32_t events_for(unsigned what)
{
    return (what & PAL_READABLE ? (uint32_t)EPOLLIN : 0) | (what & PAL_WRITABLE ? (uint32_t)EPOLLOUT : 0) |
           (what & (PAL_HANGUP | PAL_READABLE) ? (uint32_t)EPOLLRDHUP : 0) |
           (what & PAL_URGENT ? (uint32_t)EPOLLPRI : 0);
}

bool pal_poller_add(struct pal_poller *p, pal_socket s, unsigned what, void *tag)
{
    struct epoll_event ev = {.events = events_for(what), .data = {.ptr = tag}};
    return epoll_ctl(p->sockets_fd, EPOLL_CTL_ADD, s, &ev) == 0;
}

void pal_poller_change(struct pal_poller *p, pal_socket s, unsigned what, void *tag)
{
    struct epoll_event ev = {.events = events_for(what), .data = {.ptr = tag}};
    (void)epoll_ctl(p->sockets_fd, EPOLL_CTL_MOD, s, &ev); /* ENOENT: removed meanwhile */
}

void pal_poller_remove(struct pal_poller *p, pal_socket s)
{
    struct epoll_event ev = {0}; /* kernels before 2.6.9 want one */
    (void)epoll_ctl(p->sockets_fd, EPOLL_CTL_DEL, s, &ev);
}

#define BATCH 32

unsigned pal_poller_poll(struct pal_poller *p, struct pal_ready *out, unsigned max)
{
    struct epoll_event ev[BATCH];
    int n = epoll_wait(p->sockets_fd, ev, max < BATCH ? (int)max : BATCH, 0);
    if (n <= 0)
        return 0;
    for (int i = 0; i < n; i++) {
        const uint32_t e = ev[i].events;
        out[i].tag = ev[i].data.ptr;
        out[i].what = (e & EPOLLIN ? PAL_READABLE : 0u) | (e & EPOLLOUT ? PAL_WRITABLE : 0u) |
                      (e & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? PAL_HANGUP : 0u) |
                      (e & EPOLLPRI ? PAL_URGENT : 0u);
    }
    return (unsigned)n;
}

void pal_poller_watch(struct pal_poller *p, bool on)
{
    /* Out of the set, not just masked: a masked member is still visited for every packet. */
    if (pal_swap_acq_rel(&p->is_watching, on) != on)
        (void)put(p->outer_fd, p->sockets_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, EPOLLIN);
}

void pal_poller_signal(struct pal_poller *p)
{
    if (pal_swap_acq_rel(&p->is_signalled, true))
        return;
    uint64_t one = 1;
    while (write(p->event_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void pal_poller_clear(struct pal_poller *p)
{
    uint64_t count;
    if (!pal_load_acquire(&p->is_signalled))
        return;
    while (read(p->event_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    (void)pal_swap_acq_rel(&p->is_signalled, false); /* after the drain: see pal_wakeup_clear() */
}

static int timer_of(struct pal_poller *p)
{
    uint64_t have = pal_load_acquire(&p->timer_fd);
    if (have)
        return (int)have - 1;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return -1;
    if (!put(p->outer_fd, fd, EPOLL_CTL_ADD, EPOLLIN)) {
        close(fd);
        return -1;
    }
    if (!pal_cas_acq_rel(&p->timer_fd, &have, (uint64_t)fd + 1)) { /* another thread was faster */
        close(fd);
        fd = (int)have - 1;
    }
    return fd;
}

bool pal_poller_deadline(struct pal_poller *p, uint64_t deadline_ns)
{
    if (!deadline_ns && !pal_load_acquire(&p->timer_fd))
        return true;
    const int fd = timer_of(p);
    /* Setting also takes back an expiry that nobody read; an all-zero time disarms. */
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                                           .tv_nsec = (long)(deadline_ns % 1000000000u)}};
    return fd >= 0 && timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL) == 0;
}
