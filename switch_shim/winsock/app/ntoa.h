/* ntoa.h - an address as text, by the system. Files of either view include it: it names no type of Winsock.
 * Layer: switch_shim/winsock/app, private. */
#ifndef WS2_NTOA_H
#define WS2_NTOA_H

char *ws2_os_ntoa(const void *address); /* of IPv4; this thread's text, until its next call */

#endif
