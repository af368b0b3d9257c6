/* mswsock.h - Winsock for Linux: Microsoft's extension functions. Their types and GUIDs come with winsock2.h.
 * Layer:   switch_shim/winsock, beside winsock2.h, which see.
 * Use:     ConnectEx and DisconnectEx by GUID through WSAIoctl(), as on Windows; the others by GUID or by name.
 * Files:   the HANDLE of TransmitFile is that of CreateFile; here a file descriptor in its place does as well: (HANDLE)(intptr_t)fd.
 * Source:  the Winsock reference. */
#ifndef WS2_MSWSOCK_H
#define WS2_MSWSOCK_H

#include "winsock2.h"

#ifdef __cplusplus
extern "C" {
#endif

SW_API BOOL WSAAPI AcceptEx(SOCKET listener, SOCKET into, PVOID buffer, DWORD receive_bytes,
                            DWORD local_bytes, DWORD remote_bytes, LPDWORD received, LPOVERLAPPED ov);
SW_API VOID WSAAPI GetAcceptExSockaddrs(PVOID buffer, DWORD receive_bytes, DWORD local_bytes,
                                        DWORD remote_bytes, struct sockaddr **local, LPINT local_used,
                                        struct sockaddr **remote, LPINT remote_used);
SW_API BOOL WSAAPI TransmitFile(SOCKET s, HANDLE file, DWORD bytes, DWORD bytes_per_send, LPOVERLAPPED ov,
                                LPTRANSMIT_FILE_BUFFERS buffers, DWORD flags);

#ifdef __cplusplus
}
#endif

#endif
