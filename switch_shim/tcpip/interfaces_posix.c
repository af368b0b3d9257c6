/* interfaces_posix.c - SIO_GET_INTERFACE_LIST: the interfaces of this host that have an address of IPv4.
 * Source: page of WSAIoctl; INTERFACE_INFO of ws2ipdef.h (76 bytes, held to mingw-w64's by tests/winsock/values.sh); getifaddrs(3). */
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "tcpip/tcp_posix.h"
#include "tcpip/tcp.h"
#include "wsd/ws2_types.h"

/* union sockaddr_gen: room for an address of IPv6 as its first draft had it. */
struct place {
    WSD_SOCKADDR_IN in;
    char rest[24 - sizeof(WSD_SOCKADDR_IN)];
};

struct record {
    ULONG flags;
    struct place address, broadcast, mask;
};
_Static_assert(sizeof(struct record) == 76, "INTERFACE_INFO");

enum { UP = 1, BROADCAST = 2, LOOPBACK = 4, POINT_TO_POINT = 8, MULTICAST = 16 }; /* IFF_* of Windows */

static ULONG flags_of(unsigned flags)
{
    return (flags & IFF_UP ? UP : 0u) | (flags & IFF_BROADCAST ? BROADCAST : 0u) |
           (flags & IFF_LOOPBACK ? LOOPBACK : 0u) | (flags & IFF_POINTOPOINT ? POINT_TO_POINT : 0u) |
           (flags & IFF_MULTICAST ? MULTICAST : 0u);
}

static void put(struct place *to, const struct sockaddr *from)
{
    struct sockaddr_in in;

    if (from == NULL || from->sa_family != AF_INET)
        return;
    memcpy(&in, from, sizeof in);
    to->in.sin_family = WS_AF_INET;
    memcpy(&to->in.sin_addr, &in.sin_addr, sizeof in.sin_addr);
}

int tcp_posix_interfaces(void *out, DWORD out_bytes, DWORD *returned)
{
    struct ifaddrs *all;
    DWORD at = 0;

    if (getifaddrs(&all) != 0)
        return WSAENOBUFS;
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        struct record r = {.flags = flags_of(i->ifa_flags)};

        if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET)
            continue;
        put(&r.address, i->ifa_addr);
        put(&r.mask, i->ifa_netmask);
        if (i->ifa_flags & IFF_BROADCAST)
            put(&r.broadcast, i->ifa_broadaddr);
        if (out != NULL && out_bytes - at >= sizeof r) {
            memcpy((char *)out + at, &r, sizeof r);
            at += (DWORD)sizeof r;
        } else {
            freeifaddrs(all);
            return WSAEFAULT; /* all or none */
        }
    }
    freeifaddrs(all);
    *returned = at;
    return 0;
}
