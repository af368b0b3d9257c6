/* wsp_duplicate.c - WSPDuplicateSocket: moves a socket out of this process. Source: contract 4.14, 8.10. */
#include <string.h>

#include "sock/handover.h"
#include "spi/wsp.h"

static const WCHAR product[] = WSD_WTEXT("OpenWSD SAN service provider");

/* What the switch passes to WSPSocket in the other process; only dwProviderReserved matters there. */
static void describe(const struct wsd_sock *s, uint32_t token, WSAPROTOCOL_INFOW *out)
{
    memset(out, 0, sizeof *out);
    out->dwServiceFlags1 = XP1_GUARANTEED_DELIVERY | XP1_GUARANTEED_ORDER | XP1_MESSAGE_ORIENTED; /* 2.1 */
    out->dwProviderFlags = PFL_HIDDEN;
    out->ProtocolChain.ChainLen = BASE_PROTOCOL;
    out->iVersion = 2;
    out->iAddressFamily = s->family == VB_AF_IPV6 ? WS_AF_INET6 : WS_AF_INET;
    out->iMaxSockAddr = s->family == VB_AF_IPV6 ? (int)sizeof(WSD_SOCKADDR_IN6)
                                                : (int)sizeof(WSD_SOCKADDR_IN);
    out->iMinSockAddr = out->iMaxSockAddr;
    out->iSocketType = WS_SOCK_STREAM;
    out->iProtocol = WS_IPPROTO_TCP;
    out->dwMessageSize = 0xFFFFFFFF;
    out->dwProviderReserved = token;
    memcpy(out->szProtocol, product, sizeof product);
}

int WSPAPI WSPDuplicateSocket(SOCKET s, DWORD dwProcessId, LPWSAPROTOCOL_INFOW lpProtocolInfo, LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_result(lpErrno, WSAENOTSOCK);
    uint32_t token = 0;
    int error = lpProtocolInfo ? wsd_handover_export(sock, dwProcessId, &token) : WSAEINVAL;
    if (!error)
        describe(sock, token, lpProtocolInfo);
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_result(lpErrno, error);
}
