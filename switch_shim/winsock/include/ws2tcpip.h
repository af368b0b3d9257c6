/* ws2tcpip.h - Winsock for Linux: options of IP, addresses of IPv6, names.
 * Layer:   switch_shim/winsock, beside winsock2.h, which see.
 * Source:  the Winsock reference; RFC 3493 for the functions that Winsock has from there. */
#ifndef WS2_WS2TCPIP_H
#define WS2_WS2TCPIP_H

#include "winsock2.h"
#include "ws2/addrinfo.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- level IPPROTO_IP, IPPROTO_IPV6 --- */
#define IP_TOS              3
#define IP_TTL              4
#define IP_MULTICAST_IF     9
#define IP_MULTICAST_TTL    10
#define IP_MULTICAST_LOOP   11
#define IP_ADD_MEMBERSHIP   12
#define IP_DROP_MEMBERSHIP  13
#define IP_DONTFRAGMENT     14
#define IPV6_UNICAST_HOPS   4
#define IPV6_MULTICAST_IF   9
#define IPV6_MULTICAST_HOPS 10
#define IPV6_MULTICAST_LOOP 11
#define IPV6_V6ONLY         27

/* --- addresses --- */
typedef struct sockaddr_in6 SOCKADDR_IN6, *PSOCKADDR_IN6, *LPSOCKADDR_IN6;
typedef struct in6_addr IN6_ADDR, *PIN6_ADDR, *LPIN6_ADDR;
#define s6_addr u.Byte
#define IN6ADDR_ANY_INIT                                                                                     \
    {                                                                                                        \
        {                                                                                                    \
            {                                                                                                \
                0                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }
#define IN6ADDR_LOOPBACK_INIT                                                                                \
    {                                                                                                        \
        {                                                                                                    \
            {                                                                                                \
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1                                               \
            }                                                                                                \
        }                                                                                                    \
    }

/* --- names: values --- */
#define AI_PASSIVE     WS2_AI_PASSIVE
#define AI_CANONNAME   WS2_AI_CANONNAME
#define AI_NUMERICHOST WS2_AI_NUMERICHOST
#define AI_NUMERICSERV WS2_AI_NUMERICSERV
#define AI_ALL         WS2_AI_ALL
#define AI_ADDRCONFIG  WS2_AI_ADDRCONFIG
#define AI_V4MAPPED    WS2_AI_V4MAPPED
#define NI_NOFQDN      WS2_NI_NOFQDN
#define NI_NUMERICHOST WS2_NI_NUMERICHOST
#define NI_NAMEREQD    WS2_NI_NAMEREQD
#define NI_NUMERICSERV WS2_NI_NUMERICSERV
#define NI_DGRAM       WS2_NI_DGRAM
#define NI_MAXHOST     1025
#define NI_MAXSERV     32
#define EAI_AGAIN      WSATRY_AGAIN
#define EAI_BADFLAGS   WSAEINVAL
#define EAI_FAIL       WSANO_RECOVERY
#define EAI_FAMILY     WSAEAFNOSUPPORT
#define EAI_MEMORY     WSA_NOT_ENOUGH_MEMORY
#define EAI_NONAME     WSAHOST_NOT_FOUND
#define EAI_NODATA     EAI_NONAME
#define EAI_SERVICE    WSATYPE_NOT_FOUND
#define EAI_SOCKTYPE   WSAESOCKTNOSUPPORT

/* --- text and names (app/address.c, app/resolve_posix.c) --- */
SW_API INT WSAAPI inet_pton(INT af, LPCSTR text, PVOID out);
SW_API LPCSTR WSAAPI inet_ntop(INT af, const void *address, char *text, size_t bytes);
SW_API INT WSAAPI getaddrinfo(LPCSTR node, LPCSTR service, const struct addrinfo *hints,
                              struct addrinfo **out);
SW_API void WSAAPI freeaddrinfo(struct addrinfo *list);
SW_API INT WSAAPI getnameinfo(const struct sockaddr *address, int bytes, char *host, DWORD host_bytes,
                              char *service, DWORD service_bytes, INT flags);
SW_API const char *WSAAPI gai_strerror(int code); /* English */
#define gai_strerrorA gai_strerror

#ifdef __cplusplus
}
#endif

#endif
