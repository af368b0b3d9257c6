/* base_provider.h - private to socket.c and netif.c: which of the installed Winsock providers is the system's own.
 * Layer:   platform, Windows.
 * Why:     the switch is a layered provider over TCP/IP and the first that applications get (wsd-contract.md 2.3). A socket that
 *          softiwarp opens must not go through it: the switch would ask our provider, which is what opens the socket. */
#ifndef PAL_WINDOWS_BASE_PROVIDER_H
#define PAL_WINDOWS_BASE_PROVIDER_H

#include <winsock2.h>

#include "pal/socket.h"

/* The first entry of a catalog that is a base provider of the system for family, type and protocol; NULL: there is none. */
const WSAPROTOCOL_INFOW *pal_base_provider_in(const WSAPROTOCOL_INFOW *catalog, int count, int family,
                                              int type, int protocol);
/* A socket of the system's provider: IPPROTO_TCP or IPPROTO_UDP. The catalog is read once per load of this library. */
enum pal_net pal_base_socket(int family, int protocol, SOCKET *out);

#endif
