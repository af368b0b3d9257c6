/* ws2/names.h - names that the C library of Linux uses for other things, and what stands for them here.
 * Layer:   switch_shim/winsock; included by winsock2.h.
 * How:     macros. `connect` in a Winsock program becomes ws2_connect, `struct sockaddr` becomes struct WSD_SOCKADDR: so the program and the
 *          C library below it, which has a connect() of its own, can be linked into one process. Object-like, because programs take the
 *          address of send as well as they call it. Our choice; a symbol of the Windows name would replace the library's for the
 *          whole process, the SAN provider's included.
 * Careful: a member or a variable called `send` is renamed too, everywhere the same.
 * C++:     std::bind may have been declared before and be used after, so `bind` is no macro there but an overload of the C library's, told apart
 *          by its arguments (winsock2.h).
 * Numbers: undefined.h takes those of the C library away, values.h and the headers of Windows names give the others. */
#ifndef WS2_NAMES_H
#define WS2_NAMES_H

/* --- functions --- */
#define accept ws2_accept
#ifndef __cplusplus
#define bind ws2_bind
#endif
#define connect          ws2_connect
#define freeaddrinfo     ws2_freeaddrinfo
#define gai_strerror     ws2_gai_strerror
#define getaddrinfo      ws2_getaddrinfo
#define gethostbyaddr    ws2_gethostbyaddr
#define gethostbyname    ws2_gethostbyname
#define gethostname      ws2_gethostname
#define getnameinfo      ws2_getnameinfo
#define getpeername      ws2_getpeername
#define getprotobyname   ws2_getprotobyname
#define getprotobynumber ws2_getprotobynumber
#define getservbyname    ws2_getservbyname
#define getservbyport    ws2_getservbyport
#define getsockname      ws2_getsockname
#define getsockopt       ws2_getsockopt
#define inet_addr        ws2_inet_addr
#define inet_ntoa        ws2_inet_ntoa
#define inet_ntop        ws2_inet_ntop
#define inet_pton        ws2_inet_pton
#define listen           ws2_listen
#define recv             ws2_recv
#define recvfrom         ws2_recvfrom
#define select           ws2_select
#define send             ws2_send
#define sendto           ws2_sendto
#define setsockopt       ws2_setsockopt
#define shutdown         ws2_shutdown
#define socket           ws2_socket

/* --- types --- */
#define addrinfo         ws2_addrinfo
#define fd_set           ws2_fd_set
#define group_req        ws2_group_req
#define group_source_req ws2_group_source_req
#define hostent          ws2_hostent
#define in6_addr         WSD_IN6_ADDR
#define in6_pktinfo      ws2_in6_pktinfo
#define in_addr          ws2_in_addr
#define in_pktinfo       ws2_in_pktinfo
#define ip_mreq          ws2_ip_mreq
#define ip_mreq_source   ws2_ip_mreq_source
#define ipv6_mreq        ws2_ipv6_mreq
#define linger           ws2_linger
#define protoent         ws2_protoent
#define servent          ws2_servent
#define sockaddr         WSD_SOCKADDR
#define sockaddr_in      ws2_sockaddr_in
#define sockaddr_in6     WSD_SOCKADDR_IN6
#define sockaddr_storage WSD_SOCKADDR_STORAGE
#define socklen_t        int /* unsigned in the C library */
#define timeval          ws2_timeval
#define u_long           ULONG /* 32 bits; the C library's has 64 */

/* --- objects --- */
#define in6addr_any      ws2_in6addr_any
#define in6addr_loopback ws2_in6addr_loopback

#endif
