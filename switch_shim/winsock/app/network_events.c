/* network_events.c - what happens on a socket, told through an event object: the switch does all of it. */
#include "app/app.h"

int WSAAPI WSAEventSelect(SOCKET s, WSAEVENT event, LONG network_events)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    return down == NULL ? SOCKET_ERROR
                        : ws2_answer(down->lpWSPEventSelect(s, event, network_events, &code), &code);
}

int WSAAPI WSAEnumNetworkEvents(SOCKET s, WSAEVENT event, LPWSANETWORKEVENTS out)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    return down == NULL ? SOCKET_ERROR
                        : ws2_answer(down->lpWSPEnumNetworkEvents(s, event, out, &code), &code);
}
