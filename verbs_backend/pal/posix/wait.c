/* wait.c - poll(2) over file descriptors; owns the eventfd of a wakeup and the epoll + timerfd pair of an
 * alarm. */
#include "pal/wait.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "pal/atomic.h"

struct pal_wakeup {
    int fd;
    pal_atomic_bool is_signalled; /* true: somebody has written, or is about to write, the eventfd */
};

struct pal_wakeup *pal_wakeup_create(void)
{
    struct pal_wakeup *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->fd < 0) {
        free(w);
        return NULL;
    }
    return w;
}

void pal_wakeup_destroy(struct pal_wakeup *w)
{
    if (!w)
        return;
    close(w->fd);
    free(w);
}

void pal_wakeup_signal(struct pal_wakeup *w)
{
    /* Exchange also when it is true already: its release half publishes our work to the exchange in clear. */
    if (pal_swap_acq_rel(&w->is_signalled, true))
        return;
    uint64_t one = 1;
    while (write(w->fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void pal_wakeup_clear(struct pal_wakeup *w)
{
    uint64_t count;
    while (read(w->fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    /* Drain first, then open the gate. The other way round the drain could swallow the write of a new signal
     * and leave the flag true for ever. A signal that came in between wrote nothing, but its work is seen by
     * who called us. */
    (void)pal_swap_acq_rel(&w->is_signalled, false);
}

pal_waitable pal_wakeup_waitable(const struct pal_wakeup *w)
{
    return w->fd;
}

struct pal_alarm {
    int set_fd; /* epoll over both: poll(2) on it says whether one of them is ready */
    int timer_fd;
};

static bool add_readable(int set_fd, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data = {.fd = fd}};
    return epoll_ctl(set_fd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

struct pal_alarm *pal_alarm_create(pal_waitable beside)
{
    struct pal_alarm *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (a->timer_fd < 0)
        goto err_free;
    a->set_fd = epoll_create1(EPOLL_CLOEXEC);
    if (a->set_fd < 0)
        goto err_timer;
    if (!add_readable(a->set_fd, a->timer_fd) ||
        (beside != PAL_WAITABLE_NONE && !add_readable(a->set_fd, beside)))
        goto err_set;
    return a;
err_set:
    close(a->set_fd);
err_timer:
    close(a->timer_fd);
err_free:
    free(a);
    return NULL;
}

void pal_alarm_destroy(struct pal_alarm *a)
{
    if (!a)
        return;
    close(a->set_fd);
    close(a->timer_fd);
    free(a);
}

void pal_alarm_set(struct pal_alarm *a, uint64_t deadline_ns)
{
    /* Setting also takes back an expiry that nobody read; an all-zero time disarms. */
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                                           .tv_nsec = (long)(deadline_ns % 1000000000u)}};
    timerfd_settime(a->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

pal_waitable pal_alarm_waitable(const struct pal_alarm *a)
{
    return a->set_fd;
}

uint32_t pal_wait(const pal_waitable *waits, unsigned n, int timeout_ms)
{
    struct pollfd fds[PAL_WAIT_MAX];
    uint32_t ready = 0;

    if (n > PAL_WAIT_MAX)
        n = PAL_WAIT_MAX;
    for (unsigned i = 0; i < n; i++)
        fds[i] = (struct pollfd){.fd = waits[i], .events = POLLIN}; /* poll ignores negative ones */
    if (poll(fds, n, timeout_ms) <= 0)
        return 0;
    for (unsigned i = 0; i < n; i++)
        if (fds[i].revents != 0)
            ready |= 1u << i;
    return ready;
}

uint32_t pal_wait_alertably(const pal_waitable *waits, unsigned n, int timeout_ms)
{
    return pal_wait(waits, n, timeout_ms);
}
