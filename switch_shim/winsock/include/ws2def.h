/* ws2def.h - Winsock for Linux: addresses and families, all of which come with winsock2.h here.
 * Layer:   switch_shim/winsock, beside winsock2.h, which see. */
#ifndef WS2_WS2DEF_H
#define WS2_WS2DEF_H

#include "winsock2.h"

#endif
