/* sockaddr.h - private to socket.c and netif.c: addresses and errors of the BSD interface. */
#ifndef PAL_POSIX_SOCKADDR_H
#define PAL_POSIX_SOCKADDR_H

#include <sys/socket.h>

#include "pal/socket.h"

socklen_t pal_to_sockaddr(const struct pal_addr *a, struct sockaddr_storage *ss);
bool pal_from_sockaddr(const struct sockaddr *sa, struct pal_addr *out); /* false: another family */
enum pal_net pal_net_errno(int err);

#endif
