/* chat_server.c - what one client says, all others hear: WSAEventSelect, one thread.
 * usage: chat_server HOST PORT CLIENTS   ends when so many have come and all are gone */
#include "common.h"

#define MOST (WSA_MAXIMUM_WAIT_EVENTS - 1) /* the listener is the first */

static SOCKET sockets[MOST + 1];
static WSAEVENT events[MOST + 1];
static DWORD count;

static void add(SOCKET s, long which)
{
    WSAEVENT e = WSACreateEvent();

    if (e == WSA_INVALID_EVENT || WSAEventSelect(s, e, which) == SOCKET_ERROR)
        die("WSAEventSelect");
    sockets[count] = s;
    events[count++] = e;
}

static void drop(DWORD at)
{
    closesocket(sockets[at]);
    WSACloseEvent(events[at]);
    count--;
    sockets[at] = sockets[count];
    events[at] = events[count];
}

/* To all but the one who says it. A client that does not take it at once misses it: this is chat. */
static void tell_others(DWORD from, const char *text, int bytes)
{
    for (DWORD i = 1; i < count; i++)
        if (i != from && send(sockets[i], text, bytes, 0) != bytes)
            printf("client %lu missed something\n", (unsigned long)i);
}

static void hear(DWORD from)
{
    char text[4096];
    int n;

    while ((n = recv(sockets[from], text, sizeof(text), 0)) > 0)
        tell_others(from, text, n);
}

/* Something happened at one of them. How many came. */
static int handle(DWORD at)
{
    WSANETWORKEVENTS what;

    if (WSAEnumNetworkEvents(sockets[at], events[at], &what) == SOCKET_ERROR)
        die("WSAEnumNetworkEvents");
    if ((what.lNetworkEvents & FD_ACCEPT) != 0) {
        SOCKET s = accept(sockets[0], NULL, NULL);

        if (s == INVALID_SOCKET)
            return 0;
        if (count > MOST) {
            closesocket(s);
            return 0;
        }
        add(s, FD_READ | FD_CLOSE);
        printf("joined\n");
        return 1;
    }
    if ((what.lNetworkEvents & (FD_READ | FD_CLOSE)) != 0)
        hear(at);
    if ((what.lNetworkEvents & FD_CLOSE) != 0) {
        drop(at);
        printf("left\n");
    }
    return 0;
}

int main(int argc, char **argv)
{
    int coming;

    if (argc < 4) {
        fprintf(stderr, "usage: chat_server HOST PORT CLIENTS\n");
        return 2;
    }
    start_winsock();
    coming = atoi(argv[3]);
    add(listen_on(argv[1], argv[2]), FD_ACCEPT);
    while (coming > 0 || count > 1) {
        DWORD which = WSAWaitForMultipleEvents(count, events, FALSE, WSA_INFINITE, FALSE);

        if (which >= WSA_WAIT_EVENT_0 + count)
            die("WSAWaitForMultipleEvents");
        coming -= handle(which - WSA_WAIT_EVENT_0);
    }
    drop(0);
    WSACleanup();
    puts("served all");
    return 0;
}
