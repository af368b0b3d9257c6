/* select.c - select() and the sets. The switch looks at the handles, at the sets and at the time; Ws2_32 passes them down. */
#include "app/app.h"

int WSAAPI select(int nfds, fd_set *read, fd_set *write, fd_set *except, const struct timeval *timeout)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    if (down == NULL)
        return SOCKET_ERROR;
    /* the same form, however long a program made its array */
    return ws2_answer(down->lpWSPSelect(nfds, (WSD_FD_SET *)read, (WSD_FD_SET *)write, (WSD_FD_SET *)except,
                                        (WSD_SELECT_TIMEOUT)timeout, &code),
                      &code);
}

int WSAAPI __WSAFDIsSet(SOCKET s, fd_set *set)
{
    for (UINT i = 0; set != NULL && i < set->fd_count; i++)
        if (set->fd_array[i] == s)
            return 1;
    return 0;
}

/* A full set takes no more, silently: so do the macros of winsock2.h on Windows. `room` is the length in the program's translation
 * unit, which may have chosen another one than this library's. */
void WSAAPI ws2_fd_add(SOCKET s, fd_set *set, unsigned room)
{
    if (!__WSAFDIsSet(s, set) && set->fd_count < room)
        set->fd_array[set->fd_count++] = s;
}

void WSAAPI ws2_fd_remove(SOCKET s, fd_set *set)
{
    for (UINT i = 0; i < set->fd_count; i++) {
        if (set->fd_array[i] != s)
            continue;
        set->fd_count--;
        for (; i < set->fd_count; i++)
            set->fd_array[i] = set->fd_array[i + 1];
        return;
    }
}
