/* mstcpip.h - Winsock for Linux: control codes of TCP/IP, all of which come with winsock2.h here.
 * Layer:   switch_shim/winsock, beside winsock2.h, which see. */
#ifndef WS2_MSTCPIP_H
#define WS2_MSTCPIP_H

#include "winsock2.h"

#endif
