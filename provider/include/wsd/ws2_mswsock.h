/* ws2_mswsock.h - the extension functions that applications fetch by GUID, and the structures of TCP's own control codes.
 * Layer:   provider; included through ws2_types.h, never on Windows (there mswsock.h and ws2_windows.h name the same set).
 * Owns:    types and values; the GUIDs are in ws2_san.h.
 * Source:  the Winsock reference pages of the functions. */
#ifndef WSD_WS2_MSWSOCK_H
#define WSD_WS2_MSWSOCK_H

#include "ws2_structs.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef WSAOVERLAPPED OVERLAPPED;
typedef WSAOVERLAPPED *LPOVERLAPPED;

#define TF_DISCONNECT         0x01
#define TF_REUSE_SOCKET       0x02
#define TF_WRITE_BEHIND       0x04
#define TF_USE_DEFAULT_WORKER 0x00
#define TF_USE_SYSTEM_THREAD  0x10
#define TF_USE_KERNEL_APC     0x20

typedef struct TRANSMIT_FILE_BUFFERS {
    LPVOID Head;
    DWORD HeadLength;
    LPVOID Tail;
    DWORD TailLength;
} TRANSMIT_FILE_BUFFERS, *LPTRANSMIT_FILE_BUFFERS;

/* SIO_KEEPALIVE_VALS */
struct tcp_keepalive {
    ULONG onoff;
    ULONG keepalivetime; /* milliseconds */
    ULONG keepaliveinterval;
};

/* They answer FALSE with a code for WSAGetLastError(); here sw_last_error() of sw/switch.h. */
typedef BOOL(WSPAPI *LPFN_ACCEPTEX)(SOCKET listener, SOCKET into, PVOID buffer, DWORD receive_bytes,
                                    DWORD local_bytes, DWORD remote_bytes, LPDWORD received,
                                    LPOVERLAPPED overlapped);
typedef void(WSPAPI *LPFN_GETACCEPTEXSOCKADDRS)(PVOID buffer, DWORD receive_bytes, DWORD local_bytes,
                                                DWORD remote_bytes, WSD_SOCKADDR **local, LPINT local_used,
                                                WSD_SOCKADDR **remote, LPINT remote_used);
typedef BOOL(WSPAPI *LPFN_CONNECTEX)(SOCKET s, const WSD_SOCKADDR *name, int bytes, PVOID buffer,
                                     DWORD send_bytes, LPDWORD sent, LPOVERLAPPED overlapped);
typedef BOOL(WSPAPI *LPFN_DISCONNECTEX)(SOCKET s, LPOVERLAPPED overlapped, DWORD flags, DWORD reserved);
typedef BOOL(WSPAPI *LPFN_TRANSMITFILE)(SOCKET s, HANDLE file, DWORD bytes, DWORD bytes_per_send,
                                        LPOVERLAPPED overlapped, LPTRANSMIT_FILE_BUFFERS buffers,
                                        DWORD flags);

#ifdef __cplusplus
}
#endif

#endif
