/* tcp_posix.h - shared by the files of tcpip/ for POSIX. */
#ifndef SW_TCP_POSIX_H
#define SW_TCP_POSIX_H

#include <stdint.h>

#include "pal/compiler.h"

int tcp_posix_error(int error); /* errno to Winsock's code; 0 is 0 */
/* SIO_GET_INTERFACE_LIST (interfaces_posix.c). 0 and *returned; WSAEFAULT: not enough room; WSAENOBUFS. */
int tcp_posix_interfaces(void *out, uint32_t out_bytes, uint32_t *returned);

#endif
