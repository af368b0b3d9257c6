/* ws2_windows.h - the system's own Winsock headers, in the order they need, and what they lack.
 * Layer:   provider; included through ws2_types.h, on Windows only.
 * Owns:    the WS_ and WSD_ names, each standing for the system's own constant or type.
 * Source:  contract sections 3.7-3.9 for the names; the values are the SDK's,
 *          and tests/abi/abi_layout.c checks them. */
#ifndef WSD_WS2_WINDOWS_H
#define WSD_WS2_WINDOWS_H

#ifndef _WIN32
#error "include wsd/ws2_types.h"
#endif

#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0601
#endif
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif

/* clang-format off: winsock2.h must precede everything, ws2spi.h must precede ws2san.h */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <qos.h>
#include <mswsock.h>
#include <mstcpip.h>
#include <ws2spi.h>
#if defined(__has_include)
#if __has_include(<ddk/ws2san.h>)
#include <ddk/ws2san.h>
#else
#include <ws2san.h>
#endif
#else
#include <ws2san.h>
#endif
/* clang-format on */

#include <stddef.h>
#include <stdint.h>

/* --- types --- */
typedef struct sockaddr WSD_SOCKADDR;
typedef struct sockaddr_in WSD_SOCKADDR_IN;
typedef struct sockaddr_in6 WSD_SOCKADDR_IN6;
typedef struct sockaddr_storage WSD_SOCKADDR_STORAGE;
typedef struct in_addr WSD_IN_ADDR;
typedef struct in6_addr WSD_IN6_ADDR;
typedef struct timeval WSD_TIMEVAL;
typedef struct linger WSD_LINGER;
typedef fd_set WSD_FD_SET;

/* The time-out argument of WSPSelect. mingw spells it `const PTIMEVAL`, a pointer to non-const. */
#ifdef __MINGW32__
typedef WSD_TIMEVAL *WSD_SELECT_TIMEOUT;
#else
typedef const WSD_TIMEVAL *WSD_SELECT_TIMEOUT;
#endif

/* A literal of WCHARs: WSD_WTEXT("text"). */
#define WSD_WTEXT(literal) L##literal

/* --- WS_ names: families, types, protocols, addresses --- */
#define WS_AF_UNSPEC        AF_UNSPEC
#define WS_AF_UNIX          AF_UNIX
#define WS_AF_INET          AF_INET
#define WS_AF_INET6         AF_INET6
#define WS_SOCK_STREAM      SOCK_STREAM
#define WS_SOCK_DGRAM       SOCK_DGRAM
#define WS_SOCK_RAW         SOCK_RAW
#define WS_IPPROTO_TCP      IPPROTO_TCP
#define WS_IPPROTO_UDP      IPPROTO_UDP
#define WS_INADDR_ANY       INADDR_ANY
#define WS_INADDR_LOOPBACK  INADDR_LOOPBACK
#define WS_INADDR_BROADCAST INADDR_BROADCAST
#define WS_INADDR_NONE      INADDR_NONE
#define WS_SOMAXCONN        SOMAXCONN
#define WS_FD_SETSIZE       FD_SETSIZE

/* --- WS_ names: message flags --- */
#define WS_MSG_OOB       MSG_OOB
#define WS_MSG_PEEK      MSG_PEEK
#define WS_MSG_DONTROUTE MSG_DONTROUTE
#define WS_MSG_WAITALL   MSG_WAITALL
#define WS_MSG_TRUNC     MSG_TRUNC
#define WS_MSG_CTRUNC    MSG_CTRUNC
#define WS_MSG_BCAST     MSG_BCAST
#define WS_MSG_MCAST     MSG_MCAST
#define WS_MSG_PARTIAL   MSG_PARTIAL

/* --- WS_ names: socket options --- */
#define WS_SOL_SOCKET                SOL_SOCKET
#define WS_TCP_NODELAY               TCP_NODELAY
#define WS_SO_DEBUG                  SO_DEBUG
#define WS_SO_ACCEPTCONN             SO_ACCEPTCONN
#define WS_SO_REUSEADDR              SO_REUSEADDR
#define WS_SO_KEEPALIVE              SO_KEEPALIVE
#define WS_SO_DONTROUTE              SO_DONTROUTE
#define WS_SO_BROADCAST              SO_BROADCAST
#define WS_SO_USELOOPBACK            SO_USELOOPBACK
#define WS_SO_LINGER                 SO_LINGER
#define WS_SO_OOBINLINE              SO_OOBINLINE
#define WS_SO_DONTLINGER             SO_DONTLINGER
#define WS_SO_EXCLUSIVEADDRUSE       SO_EXCLUSIVEADDRUSE
#define WS_SO_SNDBUF                 SO_SNDBUF
#define WS_SO_RCVBUF                 SO_RCVBUF
#define WS_SO_SNDLOWAT               SO_SNDLOWAT
#define WS_SO_RCVLOWAT               SO_RCVLOWAT
#define WS_SO_SNDTIMEO               SO_SNDTIMEO
#define WS_SO_RCVTIMEO               SO_RCVTIMEO
#define WS_SO_ERROR                  SO_ERROR
#define WS_SO_TYPE                   SO_TYPE
#define WS_SO_GROUP_ID               SO_GROUP_ID
#define WS_SO_GROUP_PRIORITY         SO_GROUP_PRIORITY
#define WS_SO_MAX_MSG_SIZE           SO_MAX_MSG_SIZE
#define WS_SO_PROTOCOL_INFOA         SO_PROTOCOL_INFOA
#define WS_SO_PROTOCOL_INFOW         SO_PROTOCOL_INFOW
#define WS_PVD_CONFIG                PVD_CONFIG
#define WS_SO_CONDITIONAL_ACCEPT     SO_CONDITIONAL_ACCEPT
#define WS_SO_OPENTYPE               SO_OPENTYPE
#define WS_SO_UPDATE_ACCEPT_CONTEXT  SO_UPDATE_ACCEPT_CONTEXT
#define WS_SO_CONNECT_TIME           SO_CONNECT_TIME
#define WS_SO_MAX_RDMA_SIZE          SO_MAX_RDMA_SIZE
#define WS_SO_RDMA_THRESHOLD_SIZE    SO_RDMA_THRESHOLD_SIZE
#define WS_SO_UPDATE_CONNECT_CONTEXT SO_UPDATE_CONNECT_CONTEXT

/* --- WS_ names: control codes --- */
#define WS_IOC_VOID     IOC_VOID
#define WS_IOC_OUT      IOC_OUT
#define WS_IOC_IN       IOC_IN
#define WS_IOC_INOUT    IOC_INOUT
#define WS_IOC_UNIX     IOC_UNIX
#define WS_IOC_WS2      IOC_WS2
#define WS_IOC_PROTOCOL IOC_PROTOCOL
#define WS_IOC_VENDOR   IOC_VENDOR
#define WS_FIONBIO      FIONBIO
#define WS_FIONREAD     FIONREAD
#define WS_SIOCATMARK   SIOCATMARK

/* --- WS_ names of options that some SDKs lack: numbers that never change --- */
#define WS_SO_BSP_STATE         0x1009
#define WS_SO_PAUSE_ACCEPT      0x3003
#define WS_SO_COMPARTMENT_ID    0x3004
#define WS_SO_RANDOMIZE_PORT    0x3005
#define WS_SO_PORT_SCALABILITY  0x3006
#define WS_SO_REUSE_UNICASTPORT 0x3007

/* --- as in ws2_san.h --- */
#define WSD_SAN_GUID(data1)                                                                                  \
    {                                                                                                        \
        (data1), 0xF58C, 0x11D1,                                                                             \
        {                                                                                                    \
            0xAD, 0x6C, 0x00, 0xC0, 0x4F, 0xA3, 0x4A, 0x2D                                                   \
        }                                                                                                    \
    }

/* --- control codes that mingw lacks --- */
#ifndef SIO_IDEAL_SEND_BACKLOG_CHANGE
#define SIO_IDEAL_SEND_BACKLOG_CHANGE 0x2000747Au
#endif
#ifndef SIO_IDEAL_SEND_BACKLOG_QUERY
#define SIO_IDEAL_SEND_BACKLOG_QUERY 0x4004747Bu
#endif

#endif
