/* wsp_unsupported.c - the thirteen table slots that a SAN provider need not serve: real functions, never
 * NULL, each answering WSAEOPNOTSUPP in its own return type (contract section 5; 14.1, 3). */
#include "spi/wsp.h"

static INT WSPAPI address_to_string(WSD_SOCKADDR *address, DWORD length, LPWSAPROTOCOL_INFOW info,
                                    LPWSTR text, LPDWORD text_length, LPINT error)
{
    (void)address, (void)length, (void)info, (void)text, (void)text_length;
    return wsp_result(error, WSAEOPNOTSUPP);
}

static int WSPAPI async_select(SOCKET s, HWND window, UINT message, LONG events, LPINT error)
{
    (void)s, (void)window, (void)message, (void)events;
    return wsp_result(error, WSAEOPNOTSUPP);
}

static int WSPAPI cancel_blocking_call(LPINT error)
{
    return wsp_result(error, WSAEOPNOTSUPP);
}

static int WSPAPI get_name(SOCKET s, WSD_SOCKADDR *name, LPINT length, LPINT error)
{
    (void)s, (void)name, (void)length;
    return wsp_result(error, WSAEOPNOTSUPP);
}

static SOCKET WSPAPI join_leaf(SOCKET s, const WSD_SOCKADDR *name, int length, LPWSABUF caller,
                               LPWSABUF callee, LPQOS sqos, LPQOS gqos, DWORD flags, LPINT error)
{
    (void)s, (void)name, (void)length, (void)caller, (void)callee, (void)sqos, (void)gqos, (void)flags;
    return wsp_no_socket(error, WSAEOPNOTSUPP);
}

static int WSPAPI disconnect(SOCKET s, LPWSABUF data, LPINT error)
{
    (void)s, (void)data;
    return wsp_result(error, WSAEOPNOTSUPP);
}

static int WSPAPI recv_from(SOCKET s, LPWSABUF bufs, DWORD count, LPDWORD received, LPDWORD flags,
                            WSD_SOCKADDR *from, LPINT from_length, LPWSAOVERLAPPED ov,
                            LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
    (void)s, (void)bufs, (void)count, (void)received, (void)flags, (void)from, (void)from_length;
    (void)ov, (void)routine, (void)thread;
    return wsp_result(error, WSAEOPNOTSUPP);
}

static int WSPAPI select_sockets(int nfds, WSD_FD_SET *readfds, WSD_FD_SET *writefds, WSD_FD_SET *exceptfds,
                                 WSD_SELECT_TIMEOUT timeout, LPINT error)
{
    (void)nfds, (void)readfds, (void)writefds, (void)exceptfds, (void)timeout;
    return wsp_result(error, WSAEOPNOTSUPP);
}

static int WSPAPI send_to(SOCKET s, LPWSABUF bufs, DWORD count, LPDWORD sent, DWORD flags,
                          const WSD_SOCKADDR *to, int to_length, LPWSAOVERLAPPED ov,
                          LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
    (void)s, (void)bufs, (void)count, (void)sent, (void)flags, (void)to, (void)to_length, (void)ov,
        (void)routine, (void)thread;
    return wsp_result(error, WSAEOPNOTSUPP);
}

static int WSPAPI shutdown_socket(SOCKET s, int how, LPINT error)
{
    (void)s, (void)how;
    return wsp_result(error, WSAEOPNOTSUPP);
}

static INT WSPAPI string_to_address(LPWSTR text, INT family, LPWSAPROTOCOL_INFOW info, WSD_SOCKADDR *address,
                                    LPINT length, LPINT error)
{
    (void)text, (void)family, (void)info, (void)address, (void)length;
    return wsp_result(error, WSAEOPNOTSUPP);
}

void wsp_fill_unsupported(WSPPROC_TABLE *t)
{
    t->lpWSPAddressToString = address_to_string;
    t->lpWSPAsyncSelect = async_select;
    t->lpWSPCancelBlockingCall = cancel_blocking_call;
    t->lpWSPGetPeerName = get_name;
    t->lpWSPGetSockName = get_name;
    t->lpWSPJoinLeaf = join_leaf;
    t->lpWSPRecvDisconnect = disconnect;
    t->lpWSPRecvFrom = recv_from;
    t->lpWSPSelect = select_sockets;
    t->lpWSPSendDisconnect = disconnect;
    t->lpWSPSendTo = send_to;
    t->lpWSPShutdown = shutdown_socket;
    t->lpWSPStringToAddress = string_to_address;
}
