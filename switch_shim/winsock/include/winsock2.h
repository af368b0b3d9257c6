/* winsock2.h - Winsock for Linux: the calls of an application, with the names they have on Windows.
 * Layer:   switch_shim/winsock, top: calls down into the switch, which carries streams over TCP/IP or over a SAN provider.
 * Use:     compile with this folder first among the include directories, link libws2; on Windows the same program takes the system's
 *          headers and ws2_32. Include it before, or at least together with, the C library's socket headers (ws2/names.h says why).
 * Threads: any thread may call anything, once WSAStartup() has returned.
 * Errors:  SOCKET_ERROR, INVALID_SOCKET or FALSE, and WSAGetLastError(); a call that succeeds leaves the last error as it was.
 * Source:  the Winsock reference; behaviours of the switch: spi/README.md; what is not here: README.md of winsock/. */
#ifndef WS2_WINSOCK2_H
#define WS2_WINSOCK2_H

#ifdef _WIN32
#error "on Windows the system's own <winsock2.h> is meant"
#endif

/* clang-format off: in this order */
#include "ws2/system_posix.h"
#include "wsd/ws2_types.h"
#include "ws2/undefined.h"
#include "ws2/names.h"
#include "ws2/values.h"
#include "ws2/addrinfo.h"
#include "windows.h"
/* clang-format on */

#ifdef __cplusplus
extern "C" {
#endif

/* --- values: the Windows ones, under their plain names --- */
#define AF_INET6       WS_AF_INET6
#define PF_INET6       WS_AF_INET6
#define SOCK_STREAM    WS_SOCK_STREAM
#define SOCK_DGRAM     WS_SOCK_DGRAM
#define SOCK_RAW       WS_SOCK_RAW
#define SOCK_RDM       4
#define SOCK_SEQPACKET 5
#define SOMAXCONN      WS_SOMAXCONN
#ifndef INVALID_SOCKET
#error "wsd/ws2_types.h is not ours"
#endif

#define SOL_SOCKET                WS_SOL_SOCKET
#define SO_DEBUG                  WS_SO_DEBUG
#define SO_ACCEPTCONN             WS_SO_ACCEPTCONN
#define SO_REUSEADDR              WS_SO_REUSEADDR
#define SO_KEEPALIVE              WS_SO_KEEPALIVE
#define SO_DONTROUTE              WS_SO_DONTROUTE
#define SO_BROADCAST              WS_SO_BROADCAST
#define SO_USELOOPBACK            WS_SO_USELOOPBACK
#define SO_LINGER                 WS_SO_LINGER
#define SO_OOBINLINE              WS_SO_OOBINLINE
#define SO_DONTLINGER             WS_SO_DONTLINGER
#define SO_EXCLUSIVEADDRUSE       WS_SO_EXCLUSIVEADDRUSE
#define SO_SNDBUF                 WS_SO_SNDBUF
#define SO_RCVBUF                 WS_SO_RCVBUF
#define SO_SNDLOWAT               WS_SO_SNDLOWAT
#define SO_RCVLOWAT               WS_SO_RCVLOWAT
#define SO_SNDTIMEO               WS_SO_SNDTIMEO
#define SO_RCVTIMEO               WS_SO_RCVTIMEO
#define SO_ERROR                  WS_SO_ERROR
#define SO_TYPE                   WS_SO_TYPE
#define SO_MAX_MSG_SIZE           WS_SO_MAX_MSG_SIZE
#define SO_PROTOCOL_INFOW         WS_SO_PROTOCOL_INFOW
#define SO_CONDITIONAL_ACCEPT     WS_SO_CONDITIONAL_ACCEPT
#define SO_UPDATE_ACCEPT_CONTEXT  WS_SO_UPDATE_ACCEPT_CONTEXT
#define SO_CONNECT_TIME           WS_SO_CONNECT_TIME
#define SO_UPDATE_CONNECT_CONTEXT WS_SO_UPDATE_CONNECT_CONTEXT
#define TCP_NODELAY               WS_TCP_NODELAY

#define MSG_OOB       WS_MSG_OOB
#define MSG_PEEK      WS_MSG_PEEK
#define MSG_DONTROUTE WS_MSG_DONTROUTE
#define MSG_WAITALL   WS_MSG_WAITALL
#define MSG_TRUNC     WS_MSG_TRUNC
#define MSG_CTRUNC    WS_MSG_CTRUNC
#define MSG_PARTIAL   WS_MSG_PARTIAL

#define IOC_VOID   WS_IOC_VOID
#define IOC_OUT    WS_IOC_OUT
#define IOC_IN     WS_IOC_IN
#define IOC_INOUT  WS_IOC_INOUT
#define IOC_UNIX   WS_IOC_UNIX
#define IOC_WS2    WS_IOC_WS2
#define IOC_VENDOR WS_IOC_VENDOR
#define FIONBIO    WS_FIONBIO
#define FIONREAD   WS_FIONREAD
#define SIOCATMARK WS_SIOCATMARK

#define POLLERR    0x0001
#define POLLHUP    0x0002
#define POLLNVAL   0x0004
#define POLLWRNORM 0x0010
#define POLLOUT    POLLWRNORM
#define POLLWRBAND 0x0020
#define POLLRDNORM 0x0100
#define POLLRDBAND 0x0200
#define POLLIN     (POLLRDNORM | POLLRDBAND)
#define POLLPRI    0x0400

/* --- types. Where a variable may well have the name of its type (struct linger linger), the tag is no typedef's name too --- */
struct ws2_linger {
    u_short l_onoff;
    u_short l_linger; /* seconds */
};
/* The same four bytes as WSD_IN_ADDR, with all the names that Windows has for them. */
struct ws2_in_addr {
    union {
        struct {
            UCHAR s_b1, s_b2, s_b3, s_b4;
        } S_un_b;
        struct {
            USHORT s_w1, s_w2;
        } S_un_w;
        ULONG S_addr; /* network order */
    } S_un;
};
#define s_addr  S_un.S_addr
#define s_net   S_un.S_un_b.s_b1
#define s_host  S_un.S_un_b.s_b2
#define s_lh    S_un.S_un_b.s_b3
#define s_impno S_un.S_un_b.s_b4
#define s_imp   S_un.S_un_w.s_w2
struct ws2_sockaddr_in {
    SHORT sin_family;
    USHORT sin_port; /* network order */
    struct ws2_in_addr sin_addr;
    CHAR sin_zero[8];
};
struct ws2_timeval {
    LONG tv_sec;
    LONG tv_usec;
};
typedef USHORT ADDRESS_FAMILY;
typedef SOCKET_ADDRESS *PSOCKET_ADDRESS;
typedef SOCKET_ADDRESS_LIST *PSOCKET_ADDRESS_LIST;
typedef WSAEVENT *LPWSAEVENT;
typedef struct sockaddr SOCKADDR, *PSOCKADDR, *LPSOCKADDR;
typedef struct sockaddr_in SOCKADDR_IN, *PSOCKADDR_IN, *LPSOCKADDR_IN;
typedef struct sockaddr_storage SOCKADDR_STORAGE, *PSOCKADDR_STORAGE, *LPSOCKADDR_STORAGE;
typedef struct in_addr IN_ADDR, *PIN_ADDR, *LPIN_ADDR;
typedef struct timeval TIMEVAL, *PTIMEVAL, *LPTIMEVAL;
typedef struct linger LINGER, *PLINGER, *LPLINGER;

#ifdef WS2_HAS_FD_SETSIZE
#pragma pop_macro("FD_SETSIZE")
#else
#define FD_SETSIZE 64
#endif
/* A counted array (B179): its length is this program's own choice, and the switch trusts the count. */
typedef struct ws2_fd_set {
    UINT fd_count;
    SOCKET fd_array[FD_SETSIZE];
} ws2_fd_set;
typedef struct fd_set FD_SET, *PFD_SET, *LPFD_SET;

#define WSADESCRIPTION_LEN 256
#define WSASYS_STATUS_LEN  128
typedef struct WSAData { /* in the order of 64-bit Windows */
    WORD wVersion;
    WORD wHighVersion;
    unsigned short iMaxSockets;
    unsigned short iMaxUdpDg;
    char *lpVendorInfo;
    char szDescription[WSADESCRIPTION_LEN + 1];
    char szSystemStatus[WSASYS_STATUS_LEN + 1];
} WSADATA, *LPWSADATA;

/* WSAPROTOCOL_INFOW with a name of bytes. */
typedef struct WSAPROTOCOL_INFOA {
    DWORD dwServiceFlags1;
    DWORD dwServiceFlags2;
    DWORD dwServiceFlags3;
    DWORD dwServiceFlags4;
    DWORD dwProviderFlags;
    GUID ProviderId;
    DWORD dwCatalogEntryId;
    WSAPROTOCOLCHAIN ProtocolChain;
    int iVersion;
    int iAddressFamily;
    int iMaxSockAddr;
    int iMinSockAddr;
    int iSocketType;
    int iProtocol;
    int iProtocolMaxOffset;
    int iNetworkByteOrder;
    int iSecurityScheme;
    DWORD dwMessageSize;
    DWORD dwProviderReserved;
    CHAR szProtocol[WSAPROTOCOL_LEN + 1];
} WSAPROTOCOL_INFOA, *LPWSAPROTOCOL_INFOA;

typedef struct WSAPOLLFD {
    SOCKET fd;
    SHORT events;
    SHORT revents;
} WSAPOLLFD, *PWSAPOLLFD, *LPWSAPOLLFD;

/* --- start-up (app/startup.c) --- */
SW_API int WSAAPI WSAStartup(WORD version, LPWSADATA data);
SW_API int WSAAPI WSACleanup(void);
SW_API int WSAAPI WSAGetLastError(void);
SW_API void WSAAPI WSASetLastError(int code);

/* --- sockets (app/socket.c) --- */
SW_API SOCKET WSAAPI socket(int af, int type, int protocol);
SW_API SOCKET WSAAPI WSASocketW(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g,
                                DWORD flags);
SW_API SOCKET WSAAPI WSASocketA(int af, int type, int protocol, LPWSAPROTOCOL_INFOA info, GROUP g,
                                DWORD flags);
#define h_errno WSAGetLastError()
SW_API int WSAAPI closesocket(SOCKET s);
SW_API int WSAAPI shutdown(SOCKET s, int how);
SW_API int WSAAPI WSASendDisconnect(SOCKET s, LPWSABUF data);
SW_API int WSAAPI WSARecvDisconnect(SOCKET s, LPWSABUF data);
#ifdef __cplusplus
SW_API int WSAAPI ws2_bind(SOCKET s, const struct sockaddr *name, int name_bytes);
#else
SW_API int WSAAPI bind(SOCKET s, const struct sockaddr *name, int name_bytes);
#endif
SW_API int WSAAPI listen(SOCKET s, int backlog);
SW_API SOCKET WSAAPI accept(SOCKET s, struct sockaddr *addr, int *addr_bytes);
SW_API SOCKET WSAAPI WSAAccept(SOCKET s, struct sockaddr *addr, LPINT addr_bytes, LPCONDITIONPROC condition,
                               DWORD_PTR data);
SW_API int WSAAPI connect(SOCKET s, const struct sockaddr *name, int name_bytes);
SW_API int WSAAPI WSAConnect(SOCKET s, const struct sockaddr *name, int name_bytes, LPWSABUF caller,
                             LPWSABUF callee, LPQOS sqos, LPQOS gqos);
SW_API int WSAAPI getsockname(SOCKET s, struct sockaddr *name, int *name_bytes);
SW_API int WSAAPI getpeername(SOCKET s, struct sockaddr *name, int *name_bytes);
SW_API int WSAAPI getsockopt(SOCKET s, int level, int option, char *value, int *value_bytes);
SW_API int WSAAPI setsockopt(SOCKET s, int level, int option, const char *value, int value_bytes);
SW_API int WSAAPI ioctlsocket(SOCKET s, LONG command, u_long *argument);
SW_API int WSAAPI WSAIoctl(SOCKET s, DWORD code, LPVOID in, DWORD in_bytes, LPVOID out, DWORD out_bytes,
                           LPDWORD returned, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
SW_API int WSAAPI WSADuplicateSocketW(SOCKET s, DWORD process, LPWSAPROTOCOL_INFOW info);
SW_API int WSAAPI WSADuplicateSocketA(SOCKET s, DWORD process, LPWSAPROTOCOL_INFOA info);
/* `protocols`: a list that ends with 0, or NULL for all. */
SW_API int WSAAPI WSAEnumProtocolsW(LPINT protocols, LPWSAPROTOCOL_INFOW out, LPDWORD out_bytes);
SW_API int WSAAPI WSAEnumProtocolsA(LPINT protocols, LPWSAPROTOCOL_INFOA out, LPDWORD out_bytes);
/* Groups and quality of service: no protocol here has them (WSAEOPNOTSUPP). */
SW_API SOCKET WSAAPI WSAJoinLeaf(SOCKET s, const struct sockaddr *name, int name_bytes, LPWSABUF caller,
                                 LPWSABUF callee, LPQOS sqos, LPQOS gqos, DWORD flags);
SW_API BOOL WSAAPI WSAGetQOSByName(SOCKET s, LPWSABUF name, LPQOS qos);

/* --- data (app/data.c) --- */
SW_API int WSAAPI send(SOCKET s, const char *data, int bytes, int flags);
SW_API int WSAAPI sendto(SOCKET s, const char *data, int bytes, int flags, const struct sockaddr *to,
                         int to_bytes);
SW_API int WSAAPI recv(SOCKET s, char *data, int bytes, int flags);
SW_API int WSAAPI recvfrom(SOCKET s, char *data, int bytes, int flags, struct sockaddr *from,
                           int *from_bytes);
SW_API int WSAAPI WSASend(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags,
                          LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
SW_API int WSAAPI WSASendTo(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags,
                            const struct sockaddr *to, int to_bytes, LPWSAOVERLAPPED ov,
                            LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
SW_API int WSAAPI WSARecv(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD got, LPDWORD flags,
                          LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
SW_API int WSAAPI WSARecvFrom(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD got, LPDWORD flags,
                              struct sockaddr *from, LPINT from_bytes, LPWSAOVERLAPPED ov,
                              LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
SW_API BOOL WSAAPI WSAGetOverlappedResult(SOCKET s, LPWSAOVERLAPPED ov, LPDWORD bytes, BOOL wait,
                                          LPDWORD flags);

/* --- readiness (app/select.c, app/poll.c) --- */
SW_API int WSAAPI select(int nfds, fd_set *read, fd_set *write, fd_set *except,
                         const struct timeval *timeout);
SW_API int WSAAPI WSAPoll(LPWSAPOLLFD fds, ULONG count, INT timeout_ms);
SW_API int WSAAPI __WSAFDIsSet(SOCKET s, fd_set *set);
SW_API void WSAAPI ws2_fd_add(SOCKET s, fd_set *set, unsigned room);
SW_API void WSAAPI ws2_fd_remove(SOCKET s, fd_set *set);
#define FD_ISSET(s, set) __WSAFDIsSet((SOCKET)(s), (set))
#define FD_SET(s, set)   ws2_fd_add((SOCKET)(s), (set), FD_SETSIZE)
#define FD_CLR(s, set)   ws2_fd_remove((SOCKET)(s), (set))
#define FD_ZERO(set)     ((set)->fd_count = 0)

/* --- network events (app/events.c). WSAEVENT and the HANDLE of CreateEvent() are the same --- */
SW_API WSAEVENT WSAAPI WSACreateEvent(void);
SW_API BOOL WSAAPI WSACloseEvent(WSAEVENT event);
SW_API BOOL WSAAPI WSASetEvent(WSAEVENT event);
SW_API BOOL WSAAPI WSAResetEvent(WSAEVENT event);
SW_API DWORD WSAAPI WSAWaitForMultipleEvents(DWORD count, const WSAEVENT *events, BOOL all, DWORD ms,
                                             BOOL alertable);
SW_API int WSAAPI WSAEventSelect(SOCKET s, WSAEVENT event, LONG network_events);
SW_API int WSAAPI WSAEnumNetworkEvents(SOCKET s, WSAEVENT event, LPWSANETWORKEVENTS out);
/* Messages to a window: there are none here, so a selection fails as one that names no existing window (WSAEINVAL, its page). Without events
 * it succeeds: every selection of the socket is over, WSAEventSelect's too. */
SW_API int WSAAPI WSAAsyncSelect(SOCKET s, HWND window, u_int message, long events);
#define WSAGETSELECTEVENT(l)             LOWORD(l)
#define WSAGETSELECTERROR(l)             HIWORD(l)
#define WSAMAKESELECTREPLY(event, error) MAKELONG(event, error)

/* --- addresses and byte order (app/address.c) --- */
SW_API USHORT WSAAPI ws2_swap16(USHORT value); /* to and from network order */
SW_API ULONG WSAAPI ws2_swap32(ULONG value);
#define htons(v) ws2_swap16((USHORT)(v))
#define ntohs(v) ws2_swap16((USHORT)(v))
#define htonl(v) ws2_swap32((ULONG)(v))
#define ntohl(v) ws2_swap32((ULONG)(v))
/* The order of the network that the socket belongs to: of every protocol here, the same. */
SW_API int WSAAPI WSAHtonl(SOCKET s, u_long value, u_long *out);
SW_API int WSAAPI WSANtohl(SOCKET s, u_long value, u_long *out);
SW_API int WSAAPI WSAHtons(SOCKET s, u_short value, u_short *out);
SW_API int WSAAPI WSANtohs(SOCKET s, u_short value, u_short *out);
SW_API ULONG WSAAPI inet_addr(const char *text);
SW_API char *WSAAPI inet_ntoa(struct in_addr address); /* of this thread, until its next call */
SW_API INT WSAAPI WSAStringToAddressA(LPSTR text, INT af, LPWSAPROTOCOL_INFOA info, LPSOCKADDR out,
                                      LPINT out_bytes);
SW_API INT WSAAPI WSAStringToAddressW(LPWSTR text, INT af, LPWSAPROTOCOL_INFOW info, LPSOCKADDR out,
                                      LPINT out_bytes);
SW_API INT WSAAPI WSAAddressToStringA(LPSOCKADDR address, DWORD bytes, LPWSAPROTOCOL_INFOA info, LPSTR text,
                                      LPDWORD length);
SW_API INT WSAAPI WSAAddressToStringW(LPSOCKADDR address, DWORD bytes, LPWSAPROTOCOL_INFOW info, LPWSTR text,
                                      LPDWORD length);
SW_API int WSAAPI gethostname(char *name, int bytes);
SW_API int WSAAPI GetHostNameW(PWSTR name, int units);
/* IPv4 addresses of a host, NULL or "" for this one. The result is this thread's, until its next call. NULL: WSANOTINITIALISED,
 * WSAHOST_NOT_FOUND, WSATRY_AGAIN, WSANO_RECOVERY, WSA_NOT_ENOUGH_MEMORY. Dotted numbers are taken too, whatever its page says, as
 * Windows does. For both families: getaddrinfo(). */
typedef struct hostent {
    char *h_name;
    char **h_aliases; /* none are told */
    short h_addrtype; /* AF_INET */
    short h_length;   /* of each address */
    char **h_addr_list;
} HOSTENT, *PHOSTENT, *LPHOSTENT;
#define h_addr h_addr_list[0]
SW_API struct hostent *WSAAPI gethostbyname(const char *name);
/* The host with that IPv4 or IPv6 address; likewise. */
SW_API struct hostent *WSAAPI gethostbyaddr(const char *address, int bytes, int af);
/* Services and protocols, from the tables of the system (/etc/services, /etc/protocols). The result is this thread's, until its next call of the
 * same kind. `protocol` NULL: any. NULL: WSANOTINITIALISED, WSANO_DATA (none of that name), WSAEFAULT. */
typedef struct servent SERVENT, *PSERVENT, *LPSERVENT;
typedef struct protoent PROTOENT, *PPROTOENT, *LPPROTOENT;
SW_API struct servent *WSAAPI getservbyname(const char *name, const char *protocol);
SW_API struct servent *WSAAPI getservbyport(int port, const char *protocol); /* network order */
SW_API struct protoent *WSAAPI getprotobyname(const char *name);
SW_API struct protoent *WSAAPI getprotobynumber(int number);

/* --- names without A and W: those of bytes, or with UNICODE those of WCHARs --- */
#ifdef UNICODE
#define WSASocket          WSASocketW
#define WSADuplicateSocket WSADuplicateSocketW
#define WSAEnumProtocols   WSAEnumProtocolsW
#define WSAStringToAddress WSAStringToAddressW
#define WSAAddressToString WSAAddressToStringW
#define WSAPROTOCOL_INFO   WSAPROTOCOL_INFOW
#define LPWSAPROTOCOL_INFO LPWSAPROTOCOL_INFOW
#else
#define WSASocket          WSASocketA
#define WSADuplicateSocket WSADuplicateSocketA
#define WSAEnumProtocols   WSAEnumProtocolsA
#define WSAStringToAddress WSAStringToAddressA
#define WSAAddressToString WSAAddressToStringA
#define WSAPROTOCOL_INFO   WSAPROTOCOL_INFOA
#define LPWSAPROTOCOL_INFO LPWSAPROTOCOL_INFOA
#endif

#ifdef __cplusplus
}
/* An overload beside the C library's (ws2/names.h). */
inline int bind(SOCKET s, const struct sockaddr *name, int name_bytes)
{
    return ws2_bind(s, name, name_bytes);
}
#endif

#endif
