/* poll.c - WSAPoll, over the switch's own question (sw_poll_sockets()): the thirty functions have none that tells enough.
 * Source: the page of WSAPoll; B144, B185, B187, B188. */
#include "app/app.h"

#include <stdlib.h>

#define FEW 64u /* so many sockets need no memory from the heap */

static uint32_t wanted_by(SHORT events)
{
    uint32_t wanted = 0;

    if ((events & POLLRDNORM) != 0)
        wanted |= FD_READ | FD_ACCEPT;
    if ((events & POLLRDBAND) != 0)
        wanted |= FD_OOB;
    if ((events & POLLWRNORM) != 0)
        wanted |= FD_WRITE;
    return wanted;
}

static SHORT seen(const struct sw_polled *p, SHORT events)
{
    int found = 0;

    if (p->is_none)
        return POLLNVAL;
    if ((p->events & (FD_READ | FD_ACCEPT)) != 0)
        found |= POLLRDNORM;
    if ((p->events & FD_OOB) != 0)
        found |= POLLRDBAND;
    if ((p->events & FD_WRITE) != 0)
        found |= POLLWRNORM;
    if ((p->events & FD_CLOSE) != 0)
        found |= p->close_error != 0 ? POLLERR | POLLHUP : POLLHUP;
    if (p->has_failed)
        found |= POLLERR | POLLHUP | POLLWRNORM;
    return (SHORT)(found & (events | POLLERR | POLLHUP | POLLNVAL));
}

int WSAAPI WSAPoll(LPWSAPOLLFD fds, ULONG count, INT timeout_ms)
{
    struct sw_polled few[FEW];
    struct sw_polled *all = few;
    unsigned ready = 0;
    int code;

    if (ws2_down() == NULL)
        return SOCKET_ERROR;
    if (count == 0)
        return ws2_fail(WSAEINVAL); /* B185 */
    if (fds == NULL)
        return ws2_fail(WSAEFAULT);
    if (count > FEW)
        all = calloc(count, sizeof(*all));
    if (all == NULL)
        return ws2_fail(WSAENOBUFS);
    for (ULONG i = 0; i < count; i++)
        all[i] = (struct sw_polled){.handle = fds[i].fd, .wanted = wanted_by(fds[i].events)};
    code = ws2_os_poll_sockets(all, count, timeout_ms, &ready);
    for (ULONG i = 0; i < count && code == 0; i++)
        fds[i].revents = seen(&all[i], fds[i].events);
    if (all != few)
        free(all);
    return code == 0 ? (int)ready : ws2_fail(code);
}
