/* resolve.h - the functions of winsock2.h and ws2tcpip.h that are over the C library's of nearly the same name.
 * Layer:   switch_shim/winsock/app, private. resolve_posix.c sees the C library's headers, everybody else the application's;
 *          both see this one, so that the two agree.
 * Source:  their pages; RFC 3493. */
#ifndef WS2_RESOLVE_H
#define WS2_RESOLVE_H

#include "app/ntoa.h"
#include "ws2/addrinfo.h"

#ifndef SW_API
#define SW_API __attribute__((visibility("default")))
#endif

SW_API ULONG WSAAPI ws2_inet_addr(const char *text);
SW_API INT WSAAPI ws2_inet_pton(INT af, LPCSTR text, PVOID out);
SW_API LPCSTR WSAAPI ws2_inet_ntop(INT af, const void *address, char *text, size_t bytes);
SW_API INT WSAAPI ws2_getaddrinfo(LPCSTR node, LPCSTR service, const struct ws2_addrinfo *hints,
                                  struct ws2_addrinfo **out);
SW_API void WSAAPI ws2_freeaddrinfo(struct ws2_addrinfo *list);
SW_API INT WSAAPI ws2_getnameinfo(const WSD_SOCKADDR *address, int bytes, char *host, DWORD host_bytes,
                                  char *service, DWORD service_bytes, INT flags);
SW_API char *WSAAPI ws2_gai_strerror(int code);

/* The tables of the system (services_posix.c). NULL and the last error: no such entry. */
struct ws2_servent *ws2_os_service_by_name(const char *name, const char *protocol);
struct ws2_servent *ws2_os_service_by_port(int port, const char *protocol);
struct ws2_protoent *ws2_os_protocol_by_name(const char *name);
struct ws2_protoent *ws2_os_protocol_by_number(int number);

#endif
