/* sockaddr.h - private to socket.c and netif.c: addresses and errors of Winsock. */
#ifndef PAL_WINDOWS_SOCKADDR_H
#define PAL_WINDOWS_SOCKADDR_H

#include <winsock2.h>
#include <ws2tcpip.h>

#include "pal/socket.h"

int pal_to_sockaddr(const struct pal_addr *a, struct sockaddr_storage *ss);
bool pal_from_sockaddr(const struct sockaddr *sa, struct pal_addr *out); /* false: another family */
enum pal_net pal_net_wsa(int err);
/* Winsock wants to be started before anything else; false: it cannot. */
bool pal_winsock_start(void);

#endif
