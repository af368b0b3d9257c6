/* ws2/names.h - names that the C library of Linux uses for other things, and what stands for them here.
 * Layer:   switch_shim/winsock; included by winsock2.h.
 * How:     macros. `connect` in a Winsock program becomes ws2_connect, `struct sockaddr` becomes struct WSD_SOCKADDR: so the program and the C
 *          library below it, which has a connect() of its own, can be linked into one process. Object-like, because programs take the
 *          address of send as well as they call it. Our choice; a symbol of the Windows name would replace the library's for the
 *          whole process, the SAN provider's included.
 * Careful: a member or a variable called `send` is renamed too, everywhere the same.
 * C++:     std::bind may have been declared before and be used after, so `bind` is no macro there but an overload of the C library's, told apart
 *          by its arguments (winsock2.h). */
#ifndef WS2_NAMES_H
#define WS2_NAMES_H

/* --- functions --- */
#define accept ws2_accept
#ifndef __cplusplus
#define bind ws2_bind
#endif
#define connect       ws2_connect
#define freeaddrinfo  ws2_freeaddrinfo
#define gai_strerror  ws2_gai_strerror
#define getaddrinfo   ws2_getaddrinfo
#define gethostbyname ws2_gethostbyname
#define gethostname   ws2_gethostname
#define getnameinfo   ws2_getnameinfo
#define getpeername   ws2_getpeername
#define getsockname   ws2_getsockname
#define getsockopt    ws2_getsockopt
#define inet_addr     ws2_inet_addr
#define inet_ntoa     ws2_inet_ntoa
#define inet_ntop     ws2_inet_ntop
#define inet_pton     ws2_inet_pton
#define listen        ws2_listen
#define recv          ws2_recv
#define recvfrom      ws2_recvfrom
#define select        ws2_select
#define send          ws2_send
#define sendto        ws2_sendto
#define setsockopt    ws2_setsockopt
#define shutdown      ws2_shutdown
#define socket        ws2_socket

/* --- types --- */
#define addrinfo         ws2_addrinfo
#define fd_set           ws2_fd_set
#define hostent          ws2_hostent
#define in6_addr         WSD_IN6_ADDR
#define in_addr          ws2_in_addr
#define linger           ws2_linger
#define sockaddr         WSD_SOCKADDR
#define sockaddr_in      ws2_sockaddr_in
#define sockaddr_in6     WSD_SOCKADDR_IN6
#define sockaddr_storage WSD_SOCKADDR_STORAGE
#define timeval          ws2_timeval
#define u_long           ULONG /* 32 bits; the C library's has 64 */

/* --- values --- */
#undef AF_INET6
#undef AI_ADDRCONFIG
#undef AI_ALL
#undef AI_CANONNAME
#undef AI_NUMERICHOST
#undef AI_NUMERICSERV
#undef AI_PASSIVE
#undef AI_V4MAPPED
#undef EAI_AGAIN
#undef EAI_BADFLAGS
#undef EAI_FAIL
#undef EAI_FAMILY
#undef EAI_MEMORY
#undef EAI_NODATA
#undef EAI_NONAME
#undef EAI_SERVICE
#undef EAI_SOCKTYPE
#undef FD_CLR
#undef FD_ISSET
#undef FD_SET
#undef FD_SETSIZE
#undef FD_ZERO
#undef FIONBIO
#undef FIONREAD
#undef IN6ADDR_ANY_INIT
#undef IN6ADDR_LOOPBACK_INIT
#undef IOC_IN
#undef IOC_INOUT
#undef IOC_OUT
#undef IPV6_MULTICAST_HOPS
#undef IPV6_MULTICAST_IF
#undef IPV6_MULTICAST_LOOP
#undef IPV6_UNICAST_HOPS
#undef IPV6_V6ONLY
#undef IP_ADD_MEMBERSHIP
#undef IP_DROP_MEMBERSHIP
#undef IP_MULTICAST_IF
#undef IP_MULTICAST_LOOP
#undef IP_MULTICAST_TTL
#undef IP_TOS
#undef IP_TTL
#undef MSG_CTRUNC
#undef MSG_DONTROUTE
#undef MSG_OOB
#undef MSG_PEEK
#undef MSG_TRUNC
#undef MSG_WAITALL
#undef NI_DGRAM
#undef NI_MAXHOST
#undef NI_MAXSERV
#undef NI_NAMEREQD
#undef NI_NOFQDN
#undef NI_NUMERICHOST
#undef NI_NUMERICSERV
#undef PF_INET6
#undef POLLERR
#undef POLLHUP
#undef POLLIN
#undef POLLNVAL
#undef POLLOUT
#undef POLLPRI
#undef POLLRDBAND
#undef POLLRDNORM
#undef POLLWRBAND
#undef POLLWRNORM
#undef SIOCATMARK
#undef SOL_SOCKET
#undef SOMAXCONN
#undef SO_ACCEPTCONN
#undef SO_BROADCAST
#undef SO_DEBUG
#undef SO_DONTROUTE
#undef SO_ERROR
#undef SO_KEEPALIVE
#undef SO_LINGER
#undef SO_OOBINLINE
#undef SO_RCVBUF
#undef SO_RCVLOWAT
#undef SO_RCVTIMEO
#undef SO_REUSEADDR
#undef SO_SNDBUF
#undef SO_SNDLOWAT
#undef SO_SNDTIMEO
#undef SO_TYPE
#undef TCP_NODELAY
#undef ntohl
#undef ntohs
#undef htonl
#undef htons
#undef h_addr
#undef s6_addr
#undef s_addr

#endif
