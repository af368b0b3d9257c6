/* ws2_types.h - the types, tables and constants of the Winsock service provider interface.
 * Layer:   provider; included by provider/, switch_shim/, bench/ and tests/. Nothing below may include it.
 * Owns:    nothing but the choice of platform: Windows takes the system's headers, Linux takes ours.
 * Source:  contract sections 3.1-3.11 (layout, values), 10.1 and 10.2 (signatures), 3.12 (portability traps).
 *
 * The headers mix freely with <sys/socket.h>, <netinet/in.h>, <sys/select.h> and <sys/ioctl.h>, in any order.
 * Names keep their Windows spelling unless Linux already uses the name for something else; these differ, on
 * both platforms:
 *
 *   WS_x               the Windows value of x for socket options, levels, families, message flags and the
 *                      Unix-style ioctls: WS_SOL_SOCKET, WS_SO_DEBUG, WS_AF_INET6, WS_MSG_OOB, WS_FIONBIO ...
 *   WSD_SOCKADDR ...   the address structures at the edge: WSD_SOCKADDR, WSD_SOCKADDR_IN, WSD_SOCKADDR_IN6,
 *                      WSD_SOCKADDR_STORAGE, WSD_IN_ADDR, WSD_IN6_ADDR (write .s_addr and .u.Byte[16])
 *   WSD_FD_SET, WSD_TIMEVAL, WSD_LINGER, WSD_SELECT_TIMEOUT
 *                      structures whose Linux namesakes have another layout
 *
 * The 32-bit integers are `LONG` and `ULONG` everywhere: never write `long` or `u_long` (64 bits on Linux).
 * printf: cast DWORD, LONG and ULONG to a plain C type, their base type differs between the platforms. */
#ifndef WSD_WS2_TYPES_H
#define WSD_WS2_TYPES_H

#ifdef _WIN32
#include "ws2_windows.h"
#else
#include "ws2_base.h"
#include "ws2_consts.h"
#include "ws2_errors.h"
#include "ws2_mswsock.h"
#include "ws2_san.h"
#include "ws2_spi.h"
#include "ws2_structs.h"
#endif

#endif
