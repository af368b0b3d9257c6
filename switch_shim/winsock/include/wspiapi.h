/* wspiapi.h - Winsock for Linux: getaddrinfo() for systems without it; here it comes with ws2tcpip.h.
 * Layer:   switch_shim/winsock, beside winsock2.h, which see. */
#ifndef WS2_WSPIAPI_H
#define WS2_WSPIAPI_H

#include "ws2tcpip.h"

#endif
