/* tcpip.h - the base TCP/IP provider of the switch: sockets of the system as carriers.
 * Layer:    switch_shim; used by spi/. On Linux kernel sockets and epoll; on Windows private sockets of Ws2_32, because Wine's
 *           own base provider cannot be loaded (windows.md).
 * Threads:  one thread of its own, started with the first socket that needs it, ended by sw_tcp_stop().
 * Source:   contract 8.2, 10.3. */
#ifndef SW_TCPIP_H
#define SW_TCPIP_H

#include "spi/carrier.h"

/* A socket of the system for an application's socket(af, type, protocol): streams, datagrams, raw. 0; WSAEAFNOSUPPORT,
 * WSAEPROTONOSUPPORT, WSAEPROTOTYPE, WSAESOCKTNOSUPPORT, WSAEACCES, WSAEMFILE, WSAENOBUFS. */
int sw_tcp_create(int af, int type, int protocol, const struct sw_carrier_up *up, void *owner,
                  struct sw_carrier **out);
/* What give() of another process wrote: the same socket, shared by both from then on. */
int sw_tcp_adopt(const void *text, size_t text_bytes, const struct sw_carrier_up *up, void *owner,
                 struct sw_carrier **out);
/* The local address that the system would use towards `to` (SIO_ROUTING_INTERFACE_QUERY). */
int sw_tcp_route(const WSD_SOCKADDR *to, int to_bytes, WSD_SOCKADDR_STORAGE *local, int *local_bytes);
/* Addresses of this host as SIO_ADDRESS_LIST_QUERY tells them (contract 10.3): how many there are; at most max are stored. */
unsigned sw_tcp_addresses(int af, WSD_SOCKADDR_STORAGE *out, unsigned max);
/* Ask once: call fn when addresses may have changed since (SIO_ADDRESS_LIST_CHANGE). */
int sw_tcp_watch_addresses(void (*fn)(void *context), void *context);
/* Ends the thread; no carrier may be left. The next sw_tcp_create() starts anew. */
void sw_tcp_stop(void);

#endif
