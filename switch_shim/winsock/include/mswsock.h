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

/* Fetched by GUID (WSAID_WSARECVMSG and so on). Nobody offers them here: WSAIoctl() says WSAEINVAL, as of any GUID that it does not know. */
typedef struct WSAMSG {
    LPSOCKADDR name;
    INT namelen;
    LPWSABUF lpBuffers;
    DWORD dwBufferCount;
    WSABUF Control;
    DWORD dwFlags;
} WSAMSG, *PWSAMSG, *LPWSAMSG;
typedef struct WSACMSGHDR {
    SIZE_T cmsg_len;
    INT cmsg_level;
    INT cmsg_type;
} WSACMSGHDR, *PWSACMSGHDR, *LPWSACMSGHDR;
#define WSA_CMSG_ALIGN(bytes) (((bytes) + sizeof(SIZE_T) - 1) & ~(sizeof(SIZE_T) - 1))
#define WSA_CMSG_SPACE(bytes) (sizeof(WSACMSGHDR) + WSA_CMSG_ALIGN(bytes))
#define WSA_CMSG_LEN(bytes)   (sizeof(WSACMSGHDR) + (bytes))
#define WSA_CMSG_DATA(header) ((UCHAR *)((header) + 1))
#define WSA_CMSG_FIRSTHDR(msg)                                                                               \
    ((msg)->Control.len >= sizeof(WSACMSGHDR) ? (LPWSACMSGHDR)(void *)(msg)->Control.buf : (LPWSACMSGHDR)NULL)
/* The header behind this one, in the same message; NULL: there is none. */
static inline LPWSACMSGHDR WSA_CMSG_NXTHDR(const WSAMSG *message, LPWSACMSGHDR header)
{
    SIZE_T from, left;

    if (header == NULL)
        return WSA_CMSG_FIRSTHDR(message);
    from = (SIZE_T)((CHAR *)header - message->Control.buf);
    left = message->Control.len - from;
    if (header->cmsg_len > left || WSA_CMSG_ALIGN(header->cmsg_len) + sizeof(WSACMSGHDR) > left)
        return NULL;
    return (LPWSACMSGHDR)(void *)((CHAR *)header + WSA_CMSG_ALIGN(header->cmsg_len));
}
typedef INT(WSAAPI *LPFN_WSARECVMSG)(SOCKET s, LPWSAMSG message, LPDWORD got, LPWSAOVERLAPPED ov,
                                     LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
typedef INT(WSAAPI *LPFN_WSASENDMSG)(SOCKET s, LPWSAMSG message, DWORD flags, LPDWORD sent,
                                     LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);

/* recv() whose flags also come back: MSG_PARTIAL when more of a message follows. */
SW_API int WSAAPI WSARecvEx(SOCKET s, char *data, int bytes, int *flags);
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
