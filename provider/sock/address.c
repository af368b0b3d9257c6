/* address.c - see address.h. */
#include "sock/address.h"

#include <string.h>

int wsd_address_from_edge(const WSD_SOCKADDR *name, int namelen, uint8_t family, struct vb_addr *out)
{
    memset(out, 0, sizeof *out);
    if (!name || namelen < (int)sizeof(USHORT))
        return WSAEFAULT;
    const uint8_t *port;
    if (family == VB_AF_IPV4) {
        WSD_SOCKADDR_IN in;
        if (name->sa_family != WS_AF_INET || namelen < (int)sizeof in)
            return WSAEFAULT;
        memcpy(&in, name, sizeof in);
        memcpy(out->ip, &in.sin_addr, 4);
        port = (const uint8_t *)&in.sin_port;
        out->port = (uint16_t)(port[0] << 8 | port[1]);
    } else {
        WSD_SOCKADDR_IN6 in;
        if (name->sa_family != WS_AF_INET6 || namelen < (int)sizeof in)
            return WSAEFAULT;
        memcpy(&in, name, sizeof in);
        memcpy(out->ip, &in.sin6_addr, 16);
        out->scope = in.sin6_scope_id;
        port = (const uint8_t *)&in.sin6_port;
        out->port = (uint16_t)(port[0] << 8 | port[1]);
    }
    out->family = family;
    return 0;
}

int wsd_address_to_edge(const struct vb_addr *a, void *out)
{
    uint8_t port[2] = {(uint8_t)(a->port >> 8), (uint8_t)a->port};
    if (a->family == VB_AF_IPV4) {
        WSD_SOCKADDR_IN in;
        memset(&in, 0, sizeof in);
        in.sin_family = WS_AF_INET;
        memcpy(&in.sin_port, port, 2);
        memcpy(&in.sin_addr, a->ip, 4);
        if (out)
            memcpy(out, &in, sizeof in);
        return (int)sizeof in;
    }
    WSD_SOCKADDR_IN6 in;
    memset(&in, 0, sizeof in);
    in.sin6_family = WS_AF_INET6;
    memcpy(&in.sin6_port, port, 2);
    memcpy(&in.sin6_addr, a->ip, 16);
    in.sin6_scope_id = a->scope;
    if (out)
        memcpy(out, &in, sizeof in);
    return (int)sizeof in;
}
