/* wsp_event.c - WSPEventSelect, WSPEnumNetworkEvents. Source: contract 4.6, 4.7. */
#include "spi/wsp.h"

int WSPAPI WSPEventSelect(SOCKET s, WSAEVENT hEventObject, LONG lNetworkEvents, LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_result(lpErrno, WSAENOTSOCK);
    int error = 0;
    /* Only FD_ACCEPT and FD_CONNECT occur at this edge; other events would never be signalled, so they are
     * refused. */
    if ((lNetworkEvents & ~(LONG)(FD_ACCEPT | FD_CONNECT)) || (lNetworkEvents && !hEventObject))
        error = WSAEINVAL;
    else
        wsd_event_select(sock, hEventObject, lNetworkEvents);
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_result(lpErrno, error);
}

int WSPAPI WSPEnumNetworkEvents(SOCKET s, WSAEVENT hEventObject, LPWSANETWORKEVENTS lpNetworkEvents,
                                LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_result(lpErrno, WSAENOTSOCK);
    int error = lpNetworkEvents ? 0 : WSAEINVAL; /* WSAEFAULT is not in this function's list */
    if (!error)
        wsd_event_enum(sock, hEventObject, lpNetworkEvents);
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_result(lpErrno, error);
}
