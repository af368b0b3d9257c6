/* pal_os/base_os.h - for Windows alone: the system's own Winsock provider, past whatever lies over it (base_provider.c).
 * Users: pal/windows, and the switch's base TCP/IP provider, which is what lies over it. */
#ifndef PAL_OS_BASE_OS_H
#define PAL_OS_BASE_OS_H

#include <winsock2.h>

/* The catalog's entry for TCP or UDP over IPv4 or IPv6, const from then on. NULL: there is none, or no catalog now. The catalog is read
 * once per load of this library; Winsock is started. */
const WSAPROTOCOL_INFOW *pal_base_entry(int family, int type, int protocol);

#endif
