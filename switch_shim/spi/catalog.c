/* catalog.c - which sockets exist: stream, datagram, raw over IPv4 and IPv6, as protocol infos (contract 10.1, 28). */
#include "spi/spi.h"

#include <string.h>

#define RAW_PROTOCOLS 255

static int from_info(int value, int informed)
{
    return value == FROM_PROTOCOL_INFO || value == 0 ? informed : value;
}

static int default_protocol(int type)
{
    return type == WS_SOCK_STREAM ? WS_IPPROTO_TCP : type == WS_SOCK_DGRAM ? WS_IPPROTO_UDP : 0;
}

/* Winsock behaviours B013 to B017: an unknown type wins over everything else, then the family, then the protocol. */
int sw_catalog_choose(int *af, int *type, int *protocol, const WSAPROTOCOL_INFOW *given)
{
    bool is_mine = given != NULL &&
                   (given->iAddressFamily == WS_AF_INET || given->iAddressFamily == WS_AF_INET6);
    int wanted_type = *type;

    if (given == NULL && *af == WS_AF_UNSPEC && *protocol == 0)
        return WSAEINVAL; /* nothing says which family (B014) */
    if (*type == 0 && (*protocol == WS_IPPROTO_TCP || *protocol == WS_IPPROTO_UDP))
        wanted_type = *protocol == WS_IPPROTO_TCP ? WS_SOCK_STREAM : WS_SOCK_DGRAM;
    *type = from_info(wanted_type, is_mine ? given->iSocketType : WS_SOCK_STREAM);
    if (*type != WS_SOCK_STREAM && *type != WS_SOCK_DGRAM && *type != WS_SOCK_RAW)
        return WSAESOCKTNOSUPPORT;
    *af = from_info(*af, is_mine ? given->iAddressFamily : WS_AF_INET);
    if (*af != WS_AF_INET && *af != WS_AF_INET6)
        return WSAEAFNOSUPPORT;
    if (*protocol == FROM_PROTOCOL_INFO)
        *protocol = is_mine && given->iSocketType == *type ? given->iProtocol : 0;
    if (*protocol == 0)
        *protocol = default_protocol(*type);
    if (*type == WS_SOCK_RAW)
        return *protocol < 0 || *protocol > RAW_PROTOCOLS ? WSAEPROTONOSUPPORT : 0;
    return *protocol == default_protocol(*type) ? 0 : WSAEPROTONOSUPPORT;
}

static void put_name(WCHAR *out, const char *text)
{
    size_t i = 0;

    for (; text[i] != '\0' && i < WSAPROTOCOL_LEN; i++)
        out[i] = (WCHAR)(unsigned char)text[i];
    out[i] = 0;
}

void sw_catalog_fill(WSAPROTOCOL_INFOW *out, int af, int type, int protocol, const WSAPROTOCOL_INFOW *given)
{
    static const char *const names[2][3] = {
        {"OpenWSD TCP/IP [TCP/IP]", "OpenWSD TCP/IP [UDP/IP]", "OpenWSD TCP/IP [RAW/IP]"},
        {"OpenWSD TCP/IP [TCP/IPv6]", "OpenWSD TCP/IP [UDP/IPv6]", "OpenWSD TCP/IP [RAW/IPv6]"}};
    int address_bytes = af == WS_AF_INET ? (int)sizeof(WSD_SOCKADDR_IN) : (int)sizeof(WSD_SOCKADDR_IN6);

    if (given != NULL && given->iAddressFamily == af && given->iSocketType == type &&
        (given->iProtocol == protocol || type == WS_SOCK_RAW)) {
        *out = *given;
        out->dwProviderReserved = 0;
        out->dwServiceFlags1 &= ~(
            DWORD)XP1_IFS_HANDLES; /* whatever a layer over us says of its own handles (2.1) */
        return;
    }
    memset(out, 0, sizeof(*out));
    if (given != NULL) {
        out->ProviderId = given->ProviderId;
        out->dwCatalogEntryId = given->dwCatalogEntryId;
    }
    out->dwServiceFlags1 = type == WS_SOCK_STREAM ? XP1_GUARANTEED_DELIVERY | XP1_GUARANTEED_ORDER |
                                                        XP1_GRACEFUL_CLOSE | XP1_EXPEDITED_DATA
                                                  : XP1_CONNECTIONLESS | XP1_MESSAGE_ORIENTED |
                                                        XP1_SUPPORT_BROADCAST | XP1_SUPPORT_MULTIPOINT;
    out->dwProviderFlags = type == WS_SOCK_RAW ? PFL_HIDDEN : PFL_MATCHES_PROTOCOL_ZERO;
    out->ProtocolChain.ChainLen = BASE_PROTOCOL;
    out->iVersion = 2;
    out->iAddressFamily = af;
    out->iMaxSockAddr = out->iMinSockAddr = address_bytes;
    out->iSocketType = type;
    out->iProtocol = type == WS_SOCK_RAW ? 0 : protocol;
    out->iProtocolMaxOffset = type == WS_SOCK_RAW ? RAW_PROTOCOLS : 0;
    out->iNetworkByteOrder = BIGENDIAN;
    out->iSecurityScheme = SECURITY_PROTOCOL_NONE;
    out->dwMessageSize = type == WS_SOCK_STREAM
                             ? 0
                             : 65467; /* of UDP; IPv4 and IPv6 agree in Winsock's catalog */
    put_name(out->szProtocol, names[af == WS_AF_INET6][type - 1]);
}
