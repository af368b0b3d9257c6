/* tcp_posix.h - shared by the files of tcpip/ for POSIX. */
#ifndef SW_TCP_POSIX_H
#define SW_TCP_POSIX_H

#include "pal/compiler.h"

int tcp_posix_error(int error); /* errno to Winsock's code; 0 is 0 */

#endif
