/* ws2/addrinfo.h - what getaddrinfo(), getservbyname() and their sisters answer with, in a header of its own: their implementations see the C library's too.
 * Layer:   switch_shim/winsock; included by winsock2.h.
 * Source:  the ADDRINFOA page. */
#ifndef WS2_ADDRINFO_H
#define WS2_ADDRINFO_H

#include "wsd/ws2_types.h"

typedef struct ws2_servent {
    char *s_name;
    char **s_aliases;
    char *s_proto; /* before the port: 64-bit Windows */
    short s_port;  /* network order */
} ws2_servent;

typedef struct ws2_protoent {
    char *p_name;
    char **p_aliases;
    short p_proto;
} ws2_protoent;

typedef struct ws2_addrinfo {
    int ai_flags; /* WS2_AI_* */
    int ai_family;
    int ai_socktype;
    int ai_protocol;
    size_t ai_addrlen;
    char *ai_canonname;
    WSD_SOCKADDR *ai_addr;
    struct ws2_addrinfo *ai_next;
} ws2_addrinfo, ADDRINFOA, *PADDRINFOA;

#define WS2_AI_PASSIVE     0x0001
#define WS2_AI_CANONNAME   0x0002
#define WS2_AI_NUMERICHOST 0x0004
#define WS2_AI_NUMERICSERV 0x0008
#define WS2_AI_ALL         0x0100
#define WS2_AI_ADDRCONFIG  0x0400
#define WS2_AI_V4MAPPED    0x0800

#define WS2_NI_NOFQDN      0x01
#define WS2_NI_NUMERICHOST 0x02
#define WS2_NI_NAMEREQD    0x04
#define WS2_NI_NUMERICSERV 0x08
#define WS2_NI_DGRAM       0x10

#endif
