/* poll.c - WSAPoll over the switch's select. The thirty functions have nothing nearer, so what select cannot tell is asked for afterwards:
 * a socket that is readable without data has been closed or reset by its peer.
 *   not seen  a peer that has closed while data is unread: POLLHUP comes once that has been read (B187 in part); a closed peer of a
 *             socket that asks for POLLWRNORM alone
 * Source: the page of WSAPoll; B144, B185, B187, B188. */
#include "app/app.h"

#include <stdlib.h>

#include "pal/time.h"

enum { READ, WRITE, EXCEPT, SETS };
#define FEW 64u /* so many sockets need no memory from the heap */

/* A set of any length, in the form that the switch takes. */
struct sets {
    ULONG room;
    size_t set_bytes;
    void *heap;
    WSD_FD_SET inline_sets[SETS];
};

static WSD_FD_SET *set_at(struct sets *all, int which)
{
    return all->heap == NULL ? &all->inline_sets[which]
                             : (void *)((char *)all->heap + (size_t)which * all->set_bytes);
}

static bool sets_init(struct sets *all, ULONG room)
{
    all->room = room;
    all->set_bytes = offsetof(WSD_FD_SET, fd_array) + room * sizeof(SOCKET);
    all->set_bytes = (all->set_bytes + sizeof(SOCKET) - 1) / sizeof(SOCKET) * sizeof(SOCKET);
    all->heap = room > FEW ? calloc(SETS, all->set_bytes) : NULL;
    return room <= FEW || all->heap != NULL;
}

static void put(WSD_FD_SET *set, SOCKET s)
{
    set->fd_array[set->fd_count++] = s;
}

static bool has(const WSD_FD_SET *set, SOCKET s)
{
    for (UINT i = 0; i < set->fd_count; i++)
        if (set->fd_array[i] == s)
            return true;
    return false;
}

/* 0, or the code; WSAENOTSOCK: one was closed meanwhile. */
static int run_select(struct sets *all, const WSD_TIMEVAL *timeout)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;
    WSD_FD_SET *given[SETS];

    if (down == NULL)
        return WSANOTINITIALISED;
    for (int i = 0; i < SETS; i++)
        given[i] = set_at(all, i)->fd_count > 0 ? set_at(all, i) : NULL;
    return down->lpWSPSelect(0, given[READ], given[WRITE], given[EXCEPT], (WSD_SELECT_TIMEOUT)timeout,
                             &code) == SOCKET_ERROR
               ? code
               : 0;
}

/* Not ws2_handle_is_open(): a socket that is being closed keeps its handle until its operations have ended. */
static bool is_socket(SOCKET s)
{
    int type, bytes = sizeof(type);

    return getsockopt(s, SOL_SOCKET, SO_TYPE, (char *)&type, &bytes) == 0;
}

/* Readable. The questions cost calls, so they are asked only then. */
static SHORT why_readable(SOCKET s)
{
    int is_listening = 0, type = 0, bytes = sizeof(int), type_bytes = sizeof(int);
    u_long there = 0;
    char peeked;

    if (getsockopt(s, SOL_SOCKET, SO_ACCEPTCONN, (char *)&is_listening, &bytes) == 0 && is_listening != 0)
        return POLLRDNORM;
    if (ioctlsocket(s, (LONG)FIONREAD, &there) == 0 && there > 0)
        return POLLRDNORM;
    if (getsockopt(s, SOL_SOCKET, SO_TYPE, (char *)&type, &type_bytes) == 0 && type != SOCK_STREAM)
        return POLLRDNORM;
    /* the end has come and stays, so this does not block */
    return recv(s, &peeked, 1, MSG_PEEK) == 0 ? POLLHUP : POLLERR | POLLHUP;
}

/* An except without urgent data is a connection that failed. */
static SHORT why_exceptional(SOCKET s)
{
    int error = 0, bytes = sizeof(error);

    if (getsockopt(s, SOL_SOCKET, SO_ERROR, (char *)&error, &bytes) == 0 && error != 0)
        return POLLERR | POLLHUP | POLLWRNORM;
    return POLLRDBAND;
}

static SHORT classify(struct sets *all, const WSAPOLLFD *fd)
{
    SHORT found = 0;

    if (has(set_at(all, READ), fd->fd))
        found = (SHORT)(found | why_readable(fd->fd));
    if (has(set_at(all, WRITE), fd->fd))
        found = (SHORT)(found | POLLWRNORM);
    if (has(set_at(all, EXCEPT), fd->fd))
        found = (SHORT)(found | why_exceptional(fd->fd));
    return (SHORT)(found & (fd->events | POLLERR | POLLHUP | POLLNVAL));
}

/* Fill the sets: with what is waited for, or with everything there is to know. False: a socket is none. */
static bool fill(struct sets *all, const WSAPOLLFD *fds, ULONG count, bool wants_everything)
{
    bool are_open = true;

    for (int i = 0; i < SETS; i++)
        set_at(all, i)->fd_count = 0;
    for (ULONG i = 0; i < count; i++) {
        if (!is_socket(fds[i].fd)) {
            are_open = false;
            continue;
        }
        if (wants_everything || (fds[i].events & POLLIN) != 0)
            put(set_at(all, READ), fds[i].fd);
        if (wants_everything || (fds[i].events & POLLWRNORM) != 0)
            put(set_at(all, WRITE), fds[i].fd);
        put(set_at(all, EXCEPT), fds[i].fd);
    }
    return are_open;
}

/* Look at all without waiting; how many have something to tell. *error: 0 or the code. */
static int look(struct sets *all, LPWSAPOLLFD fds, ULONG count, int *error)
{
    static const WSD_TIMEVAL at_once = {0, 0};
    int total = 0;

    do { /* again when one was closed in between */
        (void)fill(all, fds, count, true);
        *error = set_at(all, READ)->fd_count > 0 ? run_select(all, &at_once) : 0;
    } while (*error == WSAENOTSOCK);
    if (*error != 0)
        return 0;
    for (ULONG i = 0; i < count; i++) {
        fds[i].revents = is_socket(fds[i].fd) ? classify(all, &fds[i]) : POLLNVAL;
        total += fds[i].revents != 0 ? 1 : 0;
    }
    return total;
}

static WSD_TIMEVAL remaining(uint64_t deadline_ns)
{
    uint64_t now = pal_now_ns();
    uint64_t us = now >= deadline_ns ? 0 : (deadline_ns - now + 999u) / 1000u;

    return (WSD_TIMEVAL){(LONG)(us / 1000000u), (LONG)(us % 1000000u)};
}

static int poll_all(struct sets *all, LPWSAPOLLFD fds, ULONG count, INT timeout_ms)
{
    uint64_t deadline_ns = pal_now_ns() + (timeout_ms > 0 ? (uint64_t)timeout_ms * 1000000u : 0);

    for (;;) {
        int error = 0;
        int total = look(all, fds, count, &error);
        WSD_TIMEVAL timeout = remaining(deadline_ns);

        if (error != 0)
            return ws2_fail(error);
        if (total > 0 || (timeout_ms >= 0 && timeout.tv_sec == 0 && timeout.tv_usec == 0))
            return total;
        if (!fill(all, fds, count, false))
            continue; /* closed since: that is something to tell (B188) */
        error = run_select(all, timeout_ms < 0 ? NULL : &timeout);
        if (error != 0 && error != WSAENOTSOCK)
            return ws2_fail(error);
    }
}

int WSAAPI WSAPoll(LPWSAPOLLFD fds, ULONG count, INT timeout_ms)
{
    struct sets all;
    int result, last_error = WSAGetLastError();

    if (ws2_down() == NULL)
        return SOCKET_ERROR;
    if (count == 0)
        return ws2_fail(WSAEINVAL); /* B185 */
    if (fds == NULL)
        return ws2_fail(WSAEFAULT);
    if (!sets_init(&all, count))
        return ws2_fail(WSAENOBUFS);
    result = poll_all(&all, fds, count, timeout_ms);
    free(all.heap);
    if (result != SOCKET_ERROR)
        WSASetLastError(last_error); /* the questions above are no calls of the program's */
    return result;
}
