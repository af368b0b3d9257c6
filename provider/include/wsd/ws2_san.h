/* ws2_san.h - what Winsock Direct adds to the service provider interface.
 * Layer:   provider; included through ws2_types.h, never on Windows.
 * Owns:    WSABUFEX, WSPUPCALLTABLEEX, the LPFN_WSP* extension types, memory access flags, extension GUIDs.
 * Source:  contract sections 3.4, 3.5, 3.6, 3.7 (MEM_*), 3.11, 10.3 (GUIDs of the Microsoft extensions). */
#ifndef WSD_WS2_SAN_H
#define WSD_WS2_SAN_H

#include "ws2_spi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Direction in which the adapter may touch registered memory. */
#define MEM_READ      1
#define MEM_WRITE     2
#define MEM_READWRITE 3

/* Initialisers for a GUID: `static const GUID id = WSAID_RDMAREAD;`. The first six differ in one digit. */
#define WSD_SAN_GUID(data1)                                                                                  \
    {                                                                                                        \
        (data1), 0xF58C, 0x11D1,                                                                             \
        {                                                                                                    \
            0xAD, 0x6C, 0x00, 0xC0, 0x4F, 0xA3, 0x4A, 0x2D                                                   \
        }                                                                                                    \
    }

#define WSAID_REGISTERMEMORY       WSD_SAN_GUID(0xC0B422F5)
#define WSAID_DEREGISTERMEMORY     WSD_SAN_GUID(0xC0B422F6)
#define WSAID_REGISTERRDMAMEMORY   WSD_SAN_GUID(0xC0B422F7)
#define WSAID_DEREGISTERRDMAMEMORY WSD_SAN_GUID(0xC0B422F8)
#define WSAID_RDMAWRITE            WSD_SAN_GUID(0xC0B422F9)
#define WSAID_RDMAREAD             WSD_SAN_GUID(0xC0B422FA)
#define WSAID_MEMORYREGISTRATIONCACHECALLBACK                                                                \
    {                                                                                                        \
        0xE5DA4AF8, 0xD824, 0x48CD,                                                                          \
        {                                                                                                    \
            0xA7, 0x99, 0x63, 0x37, 0xA9, 0x8E, 0xD2, 0xAF                                                   \
        }                                                                                                    \
    }

/* Microsoft's application extensions: served by the switch, never asked of a SAN provider. */
#define WSD_MSEXT_GUID(data1)                                                                                \
    {                                                                                                        \
        (data1), 0xCBAC, 0x11CF,                                                                             \
        {                                                                                                    \
            0x95, 0xCA, 0x00, 0x80, 0x5F, 0x48, 0xA1, 0x92                                                   \
        }                                                                                                    \
    }

#define WSAID_TRANSMITFILE         WSD_MSEXT_GUID(0xB5367DF0)
#define WSAID_ACCEPTEX             WSD_MSEXT_GUID(0xB5367DF1)
#define WSAID_GETACCEPTEXSOCKADDRS WSD_MSEXT_GUID(0xB5367DF2)
#define WSAID_CONNECTEX                                                                                      \
    {                                                                                                        \
        0x25A207B9, 0xDDF3, 0x4660,                                                                          \
        {                                                                                                    \
            0x8E, 0xE9, 0x76, 0xE5, 0x8C, 0x74, 0x06, 0x3E                                                   \
        }                                                                                                    \
    }
#define WSAID_DISCONNECTEX                                                                                   \
    {                                                                                                        \
        0x7FDA2E11, 0x8630, 0x436F,                                                                          \
        {                                                                                                    \
            0xA0, 0x31, 0xF5, 0x36, 0xA6, 0xEE, 0xC1, 0x57                                                   \
        }                                                                                                    \
    }
#define WSAID_TRANSMITPACKETS                                                                                \
    {                                                                                                        \
        0xD9689DA0, 0x1F90, 0x11D3,                                                                          \
        {                                                                                                    \
            0x99, 0x71, 0x00, 0xC0, 0x4F, 0x68, 0xC8, 0x76                                                   \
        }                                                                                                    \
    }
#define WSAID_WSARECVMSG                                                                                     \
    {                                                                                                        \
        0xF689D7C8, 0x6F1F, 0x436B,                                                                          \
        {                                                                                                    \
            0x8A, 0x53, 0xE5, 0x4F, 0xE3, 0x51, 0xC3, 0x22                                                   \
        }                                                                                                    \
    }
#define WSAID_WSASENDMSG                                                                                     \
    {                                                                                                        \
        0xA441E712, 0x754F, 0x43CA,                                                                          \
        {                                                                                                    \
            0x84, 0xA7, 0x0D, 0xEE, 0x44, 0xCF, 0x60, 0x6D                                                   \
        }                                                                                                    \
    }

/* A piece of registered memory, for the RDMA calls only. */
typedef struct WSABUFEX {
    ULONG len; /* bytes */
    CHAR *buf;
    HANDLE handle; /* from WSPRegisterMemory */
} WSABUFEX, *LPWSABUFEX;

/* What WSPStartupEx receives, by pointer: WSPUPCALLTABLE and one slot at the end. */
typedef struct WSPUPCALLTABLEEX {
    LPWPUCLOSEEVENT lpWPUCloseEvent;
    LPWPUCLOSESOCKETHANDLE lpWPUCloseSocketHandle;
    LPWPUCREATEEVENT lpWPUCreateEvent;
    LPWPUCREATESOCKETHANDLE lpWPUCreateSocketHandle;
    LPWPUFDISSET lpWPUFDIsSet;
    LPWPUGETPROVIDERPATH lpWPUGetProviderPath;
    LPWPUMODIFYIFSHANDLE lpWPUModifyIFSHandle;
    LPWPUPOSTMESSAGE lpWPUPostMessage;
    LPWPUQUERYBLOCKINGCALLBACK lpWPUQueryBlockingCallback;
    LPWPUQUERYSOCKETHANDLECONTEXT lpWPUQuerySocketHandleContext;
    LPWPUQUEUEAPC lpWPUQueueApc;
    LPWPURESETEVENT lpWPUResetEvent;
    LPWPUSETEVENT lpWPUSetEvent;
    LPWPUOPENCURRENTTHREAD lpWPUOpenCurrentThread;
    LPWPUCLOSETHREAD lpWPUCloseThread;
    LPWPUCOMPLETEOVERLAPPEDREQUEST lpWPUCompleteOverlappedRequest;
} WSPUPCALLTABLEEX, *LPWSPUPCALLTABLEEX;

typedef int(WSPAPI *LPWSPSTARTUPEX)(WORD wVersionRequested, LPWSPDATA lpWSPData,
                                    LPWSAPROTOCOL_INFOW lpProtocolInfo, LPWSPUPCALLTABLEEX lpUpcallTable,
                                    LPWSPPROC_TABLE lpProcTable);

/* --- extensions, fetched with SIO_GET_EXTENSION_FUNCTION_POINTER --- */

typedef HANDLE(WSPAPI *LPFN_WSPREGISTERMEMORY)(SOCKET s, PVOID lpBuffer, DWORD dwBufferLength, DWORD dwFlags,
                                               LPINT lpErrno);
typedef int(WSPAPI *LPFN_WSPDEREGISTERMEMORY)(SOCKET s, HANDLE Handle, LPINT lpErrno);
typedef int(WSPAPI *LPFN_WSPREGISTERRDMAMEMORY)(SOCKET s, PVOID lpBuffer, DWORD dwBufferLength, DWORD dwFlags,
                                                LPVOID lpRdmaBufferDescriptor, LPDWORD lpdwDescriptorLength,
                                                LPINT lpErrno);
typedef int(WSPAPI *LPFN_WSPDEREGISTERRDMAMEMORY)(SOCKET s, LPVOID lpRdmaBufferDescriptor,
                                                  DWORD dwDescriptorLength, LPINT lpErrno);
typedef int(WSPAPI *LPFN_WSPRDMAWRITE)(SOCKET s, LPWSABUFEX lpBuffers, DWORD dwBufferCount,
                                       LPVOID lpTargetBufferDescriptor, DWORD dwTargetDescriptorLength,
                                       DWORD dwTargetBufferOffset, LPDWORD lpdwNumberOfBytesWritten,
                                       DWORD dwFlags, LPWSAOVERLAPPED lpOverlapped,
                                       LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine,
                                       LPWSATHREADID lpThreadId, LPINT lpErrno);
typedef int(WSPAPI *LPFN_WSPRDMAREAD)(SOCKET s, LPWSABUFEX lpBuffers, DWORD dwBufferCount,
                                      LPVOID lpTargetBufferDescriptor, DWORD dwTargetDescriptorLength,
                                      DWORD dwTargetBufferOffset, LPDWORD lpdwNumberOfBytesRead,
                                      DWORD dwFlags, LPWSAOVERLAPPED lpOverlapped,
                                      LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine,
                                      LPWSATHREADID lpThreadId, LPINT lpErrno);
typedef int(WSPAPI *LPFN_WSPMEMORYREGISTRATIONCACHECALLBACK)(PVOID lpvAddress, SIZE_T Size, LPINT lpErrno);

#ifdef __cplusplus
}
#endif

#endif
