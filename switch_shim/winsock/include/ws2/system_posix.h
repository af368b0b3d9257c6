/* ws2/system_posix.h - the system's socket headers, taken in before their names get a Windows meaning.
 * Layer:   switch_shim/winsock; included by winsock2.h, first of all.
 * Why:     a program includes <string.h> or <time.h> after <winsock2.h>, and those bring in pieces of the headers below. Once they have been
 *          read, their include guards keep them out, and winsock2.h may redefine what it has to. */
#ifndef WS2_SYSTEM_POSIX_H
#define WS2_SYSTEM_POSIX_H

/* A program may ask for larger sets before it includes <winsock2.h>, as on Windows; the system's header defines the same name. */
#if defined(FD_SETSIZE) && !defined(_SYS_SELECT_H)
#define WS2_HAS_FD_SETSIZE
#pragma push_macro("FD_SETSIZE")
#undef FD_SETSIZE
#endif

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#endif
