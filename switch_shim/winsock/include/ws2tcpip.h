/* ws2tcpip.h - Winsock for Linux: options of IP, addresses of IPv6, names.
 * Layer:   switch_shim/winsock, beside winsock2.h, which see.
 * Source:  the Winsock reference; RFC 3493 for the functions that Winsock has from there. */
#ifndef WS2_WS2TCPIP_H
#define WS2_WS2TCPIP_H

#include "winsock2.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- level IPPROTO_IP, IPPROTO_IPV6: the others are in ws2/values.h --- */
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
#define s6_addr          u.Byte
#define s6_bytes         u.Byte
#define s6_words         u.Word
#define SS_PORT(storage) (((struct sockaddr_in *)(storage))->sin_port)
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

SW_API extern const struct in6_addr in6addr_any, in6addr_loopback;

/* Functions, as on Windows: they read an address that is given by its place. */
static inline int ws2_in6_begins(const struct in6_addr *a, const void *bytes, unsigned count)
{
    return memcmp(a, bytes, count) == 0;
}
static inline int IN6_ADDR_EQUAL(const struct in6_addr *a, const struct in6_addr *b)
{
    return ws2_in6_begins(a, b, 16);
}
#define IN6_ARE_ADDR_EQUAL IN6_ADDR_EQUAL
static inline int IN6_IS_ADDR_UNSPECIFIED(const struct in6_addr *a)
{
    return IN6_ADDR_EQUAL(a, &in6addr_any);
}
static inline int IN6_IS_ADDR_LOOPBACK(const struct in6_addr *a)
{
    return IN6_ADDR_EQUAL(a, &in6addr_loopback);
}
static inline int IN6_IS_ADDR_MULTICAST(const struct in6_addr *a)
{
    return a->u.Byte[0] == 0xFF;
}
static inline int IN6_IS_ADDR_LINKLOCAL(const struct in6_addr *a)
{
    return a->u.Byte[0] == 0xFE && (a->u.Byte[1] & 0xC0) == 0x80;
}
static inline int IN6_IS_ADDR_SITELOCAL(const struct in6_addr *a)
{
    return a->u.Byte[0] == 0xFE && (a->u.Byte[1] & 0xC0) == 0xC0;
}
static inline int IN6_IS_ADDR_V4MAPPED(const struct in6_addr *a)
{
    return ws2_in6_begins(a, "\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12);
}

struct ws2_ip_mreq {
    struct in_addr imr_multiaddr;
    struct in_addr imr_interface;
};
struct ws2_ip_mreq_source {
    struct in_addr imr_multiaddr;
    struct in_addr imr_sourceaddr;
    struct in_addr imr_interface;
};
struct ws2_ipv6_mreq {
    struct in6_addr ipv6mr_multiaddr;
    unsigned ipv6mr_interface;
};
/* MCAST_JOIN_GROUP and its sisters, of either family */
struct ws2_group_req {
    ULONG gr_interface; /* index, or for IPv4 the address in network order */
    SOCKADDR_STORAGE gr_group;
};
struct ws2_group_source_req {
    ULONG gsr_interface;
    SOCKADDR_STORAGE gsr_group;
    SOCKADDR_STORAGE gsr_source;
};
struct ws2_in_pktinfo {
    struct in_addr ipi_addr;
    UINT ipi_ifindex;
};
struct ws2_in6_pktinfo {
    struct in6_addr ipi6_addr;
    UINT ipi6_ifindex;
};
typedef struct ip_mreq IP_MREQ, *PIP_MREQ;
typedef struct ip_mreq_source IP_MREQ_SOURCE, *PIP_MREQ_SOURCE;
typedef struct ipv6_mreq IPV6_MREQ, *PIPV6_MREQ;
typedef struct group_req GROUP_REQ, *PGROUP_REQ;
typedef struct group_source_req GROUP_SOURCE_REQ, *PGROUP_SOURCE_REQ;
typedef struct in_pktinfo IN_PKTINFO, *PIN_PKTINFO;
typedef struct in6_pktinfo IN6_PKTINFO, *PIN6_PKTINFO;
/* Room for an address of either family. */
typedef union SOCKADDR_INET {
    SOCKADDR_IN Ipv4;
    SOCKADDR_IN6 Ipv6;
    ADDRESS_FAMILY si_family;
} SOCKADDR_INET, *PSOCKADDR_INET;
/* What SIO_GET_INTERFACE_LIST answers with, for each interface. */
typedef union sockaddr_gen {
    struct sockaddr Address;
    struct sockaddr_in AddressIn;
    CHAR wsd_room[24]; /* an IPv6 address of the first draft */
} sockaddr_gen;
typedef struct INTERFACE_INFO {
    ULONG iiFlags; /* IFF_* */
    sockaddr_gen iiAddress;
    sockaddr_gen iiBroadcastAddress;
    sockaddr_gen iiNetmask;
} INTERFACE_INFO, *LPINTERFACE_INFO;

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
SW_API char *WSAAPI gai_strerror(int code); /* English */
#define gai_strerrorA gai_strerror
#define GetAddrInfoA  getaddrinfo
#define FreeAddrInfoA freeaddrinfo
#define GetNameInfoA  getnameinfo
#define InetPtonA     inet_pton
#define InetNtopA     inet_ntop

/* --- the same in text of WCHARs (app/wide.c) --- */
typedef struct addrinfoW {
    int ai_flags;
    int ai_family;
    int ai_socktype;
    int ai_protocol;
    size_t ai_addrlen;
    PWSTR ai_canonname;
    struct sockaddr *ai_addr;
    struct addrinfoW *ai_next;
} ADDRINFOW, *PADDRINFOW;
SW_API INT WSAAPI GetAddrInfoW(PCWSTR node, PCWSTR service, const ADDRINFOW *hints, PADDRINFOW *out);
SW_API void WSAAPI FreeAddrInfoW(PADDRINFOW list);
SW_API INT WSAAPI GetNameInfoW(const SOCKADDR *address, socklen_t bytes, PWCHAR host, DWORD host_units,
                               PWCHAR service, DWORD service_units, INT flags);
SW_API INT WSAAPI InetPtonW(INT af, PCWSTR text, PVOID out);
SW_API PCWSTR WSAAPI InetNtopW(INT af, const void *address, PWSTR text, size_t units);

/* --- names without A and W --- */
typedef ADDRINFOA ADDRINFO, *LPADDRINFO;
#ifdef UNICODE
typedef ADDRINFOW ADDRINFOT, *PADDRINFOT;
#define GetAddrInfo  GetAddrInfoW
#define FreeAddrInfo FreeAddrInfoW
#define GetNameInfo  GetNameInfoW
#define InetPton     InetPtonW
#define InetNtop     InetNtopW
#else
typedef ADDRINFOA ADDRINFOT, *PADDRINFOT;
#define GetAddrInfo  GetAddrInfoA
#define FreeAddrInfo FreeAddrInfoA
#define GetNameInfo  GetNameInfoA
#define InetPton     InetPtonA
#define InetNtop     InetNtopA
#endif

#ifdef __cplusplus
}
#endif

#endif
