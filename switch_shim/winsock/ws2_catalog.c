/* ws2_catalog.c - the catalog entries of a base TCP/IP provider, as Windows shows those of its own.
 * Two things differ from Windows: no XP1_IFS_HANDLES, since these handles come from WPUCreateSocketHandle and are none of the kernel's;
 * and each started provider has entries (numbers) of its own.
 * Source: contract 3.5, 3.7; WSAPROTOCOL_INFOW. */
#include "ws2_internal.h"

#include <string.h>

#define FIRST_ENTRY        1001u
#define ENTRIES_A_PROVIDER 16u

/* ours, made for this project */
const GUID ws2_provider_id = {0x2E6A91D4, 0x0C5B, 0x4B83, {0xA7, 0x18, 0x6D, 0xF2, 0x39, 0xB0, 0x5E, 0x47}};

struct entry {
    int family, type, protocol, address_bytes;
    DWORD services, provider_flags, message_bytes;
    WCHAR name[32];
};

#define STREAM   (XP1_GUARANTEED_DELIVERY | XP1_GUARANTEED_ORDER | XP1_GRACEFUL_CLOSE | XP1_EXPEDITED_DATA)
#define DATAGRAM (XP1_CONNECTIONLESS | XP1_MESSAGE_ORIENTED | XP1_SUPPORT_BROADCAST | XP1_SUPPORT_MULTIPOINT)

static const struct entry entries[WS2_PROTOCOL_COUNT] = {
    {WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, sizeof(WSD_SOCKADDR_IN), STREAM, PFL_MATCHES_PROTOCOL_ZERO,
     0, WSD_WTEXT("OpenWSD Tcpip [TCP/IP]")},
    {WS_AF_INET, WS_SOCK_DGRAM, WS_IPPROTO_UDP, sizeof(WSD_SOCKADDR_IN), DATAGRAM, PFL_MATCHES_PROTOCOL_ZERO,
     65507, WSD_WTEXT("OpenWSD Tcpip [UDP/IP]")},
    {WS_AF_INET, WS_SOCK_RAW, 0, sizeof(WSD_SOCKADDR_IN), DATAGRAM, PFL_MATCHES_PROTOCOL_ZERO, 65515,
     WSD_WTEXT("OpenWSD Tcpip [RAW/IP]")},
    {WS_AF_INET6, WS_SOCK_STREAM, WS_IPPROTO_TCP, sizeof(WSD_SOCKADDR_IN6), STREAM, PFL_MATCHES_PROTOCOL_ZERO,
     0, WSD_WTEXT("OpenWSD Tcpip [TCP/IPv6]")},
    {WS_AF_INET6, WS_SOCK_DGRAM, WS_IPPROTO_UDP, sizeof(WSD_SOCKADDR_IN6), DATAGRAM,
     PFL_MATCHES_PROTOCOL_ZERO, 65527, WSD_WTEXT("OpenWSD Tcpip [UDP/IPv6]")},
};

void ws2_fill_protocols(unsigned provider_index, WSAPROTOCOL_INFOW out[WS2_PROTOCOL_COUNT])
{
    memset(out, 0, WS2_PROTOCOL_COUNT * sizeof(*out));
    for (unsigned i = 0; i < WS2_PROTOCOL_COUNT; i++) {
        const struct entry *e = &entries[i];
        WSAPROTOCOL_INFOW *info = &out[i];

        info->dwServiceFlags1 = e->services;
        info->dwProviderFlags = e->provider_flags;
        info->ProviderId = ws2_provider_id;
        info->dwCatalogEntryId = FIRST_ENTRY + provider_index * ENTRIES_A_PROVIDER + i;
        info->ProtocolChain.ChainLen = BASE_PROTOCOL;
        info->iVersion = 2;
        info->iAddressFamily = e->family;
        info->iMaxSockAddr = e->address_bytes;
        info->iMinSockAddr = e->address_bytes;
        info->iSocketType = e->type;
        info->iProtocol = e->protocol;
        info->iProtocolMaxOffset = e->type == WS_SOCK_RAW ? 255 : 0;
        info->iNetworkByteOrder = BIGENDIAN;
        info->iSecurityScheme = SECURITY_PROTOCOL_NONE;
        info->dwMessageSize = e->message_bytes;
        memcpy(info->szProtocol, e->name, sizeof(e->name));
    }
}

struct ws2_provider *ws2_provider_of_entry(DWORD catalog_entry_id)
{
    for (unsigned i = 0;; i++) {
        struct ws2_provider *p = ws2_provider_at(i);

        if (p == NULL)
            return NULL;
        if (ws2_phase_of(p) == WS2_PHASE_FREE)
            continue;
        if (catalog_entry_id - FIRST_ENTRY - i * ENTRIES_A_PROVIDER < WS2_PROTOCOL_COUNT)
            return p;
    }
}
