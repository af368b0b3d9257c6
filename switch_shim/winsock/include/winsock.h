/* winsock.h - Winsock for Linux: the header of version 1.1, all of which comes with winsock2.h here.
 * Layer:   switch_shim/winsock, beside winsock2.h, which see. */
#ifndef WS2_WINSOCK_H
#define WS2_WINSOCK_H

#include "winsock2.h"

#endif
