/* host.c - addresses and routes of this host, in Winsock's form. */
#include <stdlib.h>
#include <string.h>

#include "pal/socket.h"
#include "tcpip/tcpip.h"

enum { ADDRESSES_MOST = 128 };

static int to_winsock(const struct pal_addr *a, WSD_SOCKADDR_STORAGE *out)
{
    unsigned char port[2] = {(unsigned char)(a->port >> 8), (unsigned char)a->port};

    memset(out, 0, sizeof *out);
    if (a->family == 4) {
        WSD_SOCKADDR_IN v4;

        memset(&v4, 0, sizeof v4);
        v4.sin_family = WS_AF_INET;
        memcpy(&v4.sin_port, port, sizeof port);
        memcpy(&v4.sin_addr, a->ip, 4);
        memcpy(out, &v4, sizeof v4);
        return (int)sizeof v4;
    }
    WSD_SOCKADDR_IN6 v6;

    memset(&v6, 0, sizeof v6);
    v6.sin6_family = WS_AF_INET6;
    memcpy(&v6.sin6_port, port, sizeof port);
    memcpy(&v6.sin6_addr, a->ip, 16);
    v6.sin6_scope_id = a->scope;
    memcpy(out, &v6, sizeof v6);
    return (int)sizeof v6;
}

static bool from_winsock(const WSD_SOCKADDR *in, int bytes, struct pal_addr *out)
{
    unsigned short family;
    unsigned char port[2];

    memset(out, 0, sizeof *out);
    if (in == NULL || bytes < (int)sizeof(WSD_SOCKADDR_IN))
        return false;
    memcpy(&family, in, sizeof family);
    if (family == WS_AF_INET) {
        WSD_SOCKADDR_IN v4;

        memcpy(&v4, in, sizeof v4);
        memcpy(port, &v4.sin_port, sizeof port);
        out->family = 4;
        memcpy(out->ip, &v4.sin_addr, 4);
    } else if (family == WS_AF_INET6 && bytes >= (int)sizeof(WSD_SOCKADDR_IN6)) {
        WSD_SOCKADDR_IN6 v6;

        memcpy(&v6, in, sizeof v6);
        memcpy(port, &v6.sin6_port, sizeof port);
        out->family = 6;
        memcpy(out->ip, &v6.sin6_addr, 16);
        out->scope = v6.sin6_scope_id;
    } else {
        return false;
    }
    out->port = (uint16_t)(port[0] << 8 | port[1]);
    return true;
}

int sw_tcp_route(const WSD_SOCKADDR *to, int to_bytes, WSD_SOCKADDR_STORAGE *local, int *local_bytes)
{
    struct pal_addr remote, own;
    enum pal_net result;

    if (!from_winsock(to, to_bytes, &remote))
        return WSAEFAULT;
    result = pal_route_lookup(&remote, &own);
    if (result != PAL_NET_OK)
        return result == PAL_NET_NOMEM ? WSAENOBUFS : WSAENETUNREACH;
    own.port = 0;
    *local_bytes = to_winsock(&own, local);
    return 0;
}

/* Loopback is left out (contract 10.3). */
unsigned sw_tcp_addresses(int af, WSD_SOCKADDR_STORAGE *out, unsigned max)
{
    struct pal_if_addr list[ADDRESSES_MOST];
    int count = pal_if_addrs(list, ADDRESSES_MOST);
    unsigned found = 0;

    for (int i = 0; i < count && i < ADDRESSES_MOST; i++) {
        if (list[i].is_loopback || list[i].addr.family != (af == WS_AF_INET6 ? 6 : 4))
            continue;
        if (found < max)
            (void)to_winsock(&list[i].addr, &out[found]);
        found++;
    }
    return found;
}
