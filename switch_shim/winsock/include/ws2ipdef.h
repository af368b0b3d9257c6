/* ws2ipdef.h - Winsock for Linux: options and addresses of IP, all of which come with ws2tcpip.h here.
 * Layer:   switch_shim/winsock, beside winsock2.h, which see. */
#ifndef WS2_WS2IPDEF_H
#define WS2_WS2IPDEF_H

#include "ws2tcpip.h"

#endif
