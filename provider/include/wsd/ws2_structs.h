/* ws2_structs.h - structures that cross the service provider interface.
 * Layer:   provider; included through ws2_types.h, never on Windows.
 * Owns:    layouts. Every size and offset is asserted in tests/abi/abi_layout.c.
 * Source:  contract sections 3.1 (addresses), 3.5 (structures), 3.11 (callbacks), 3.12. */
#ifndef WSD_WS2_STRUCTS_H
#define WSD_WS2_STRUCTS_H

#include "ws2_base.h"
#include "ws2_consts.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- addresses: own structures, since Linux spells the names but not the contents --- */

typedef struct WSD_SOCKADDR {
    USHORT sa_family; /* WS_AF_*, host order */
    CHAR sa_data[14];
} WSD_SOCKADDR;

typedef struct WSD_IN_ADDR {
    ULONG s_addr; /* network order */
} WSD_IN_ADDR;

typedef struct WSD_SOCKADDR_IN {
    USHORT sin_family; /* WS_AF_INET, host order */
    USHORT sin_port;   /* network order */
    WSD_IN_ADDR sin_addr;
    CHAR sin_zero[8];
} WSD_SOCKADDR_IN;

typedef struct WSD_IN6_ADDR {
    union {
        UCHAR Byte[16];
        USHORT Word[8];
    } u; /* not s6_addr: a macro on both platforms, with different expansions */
} WSD_IN6_ADDR;

typedef struct WSD_SOCKADDR_IN6 {
    USHORT sin6_family; /* WS_AF_INET6, host order; mingw declares it signed */
    USHORT sin6_port;   /* network order */
    ULONG sin6_flowinfo;
    WSD_IN6_ADDR sin6_addr;
    ULONG sin6_scope_id;
} WSD_SOCKADDR_IN6;

/* Room for any address, aligned to 8 bytes. */
typedef struct WSD_SOCKADDR_STORAGE {
    USHORT ss_family;
    CHAR wsd_pad[6];
    int64_t wsd_align;
    CHAR wsd_rest[112];
} WSD_SOCKADDR_STORAGE;

typedef struct SOCKET_ADDRESS {
    WSD_SOCKADDR *lpSockaddr;
    INT iSockaddrLength;
} SOCKET_ADDRESS, *LPSOCKET_ADDRESS;

/* iAddressCount entries follow, the first one in place. */
typedef struct SOCKET_ADDRESS_LIST {
    INT iAddressCount;
    SOCKET_ADDRESS Address[1];
} SOCKET_ADDRESS_LIST, *LPSOCKET_ADDRESS_LIST;

/* --- selecting and lingering --- */

/* A counted array, not a bit map. Trust fd_count, not the array's declared length: an application may have
 * compiled a larger one. */
struct wsd_fd_set {
    UINT fd_count;
    SOCKET fd_array[WS_FD_SETSIZE];
};
typedef struct wsd_fd_set WSD_FD_SET;

typedef struct WSD_TIMEVAL {
    LONG tv_sec;
    LONG tv_usec;
} WSD_TIMEVAL;

/* The time-out argument of WSPSelect. A typedef because mingw drops the const that Microsoft has. */
typedef const WSD_TIMEVAL *WSD_SELECT_TIMEOUT;

typedef struct WSD_LINGER {
    USHORT l_onoff;
    USHORT l_linger; /* seconds */
} WSD_LINGER;

/* --- buffers and overlapped operations --- */

typedef struct WSABUF {
    ULONG len; /* bytes */
    CHAR *buf;
} WSABUF, *LPWSABUF;

typedef struct WSAOVERLAPPED {
    ULONG_PTR Internal;     /* WSS_OPERATION_IN_PROGRESS until the completion upcall */
    ULONG_PTR InternalHigh; /* byte count, written by the completion upcall */
    DWORD Offset;           /* provider's own: result flags */
    DWORD OffsetHigh;       /* provider's own: result error */
    HANDLE hEvent;          /* switch's; bit 0 set means: do not notify */
} WSAOVERLAPPED, *LPWSAOVERLAPPED;

typedef void(CALLBACK *LPWSAOVERLAPPED_COMPLETION_ROUTINE)(DWORD dwError, DWORD cbTransferred,
                                                           LPWSAOVERLAPPED lpOverlapped, DWORD dwFlags);

typedef struct WSATHREADID {
    HANDLE ThreadHandle;
    DWORD_PTR Reserved;
} WSATHREADID, *LPWSATHREADID;

/* --- quality of service --- */

typedef ULONG SERVICETYPE;

typedef struct FLOWSPEC {
    ULONG TokenRate;
    ULONG TokenBucketSize;
    ULONG PeakBandwidth;
    ULONG Latency;
    ULONG DelayVariation;
    SERVICETYPE ServiceType;
    ULONG MaxSduSize;
    ULONG MinimumPolicedSize;
} FLOWSPEC, *LPFLOWSPEC;

typedef struct QOS {
    FLOWSPEC SendingFlowspec;
    FLOWSPEC ReceivingFlowspec;
    WSABUF ProviderSpecific;
} QOS, *LPQOS;

typedef int(CALLBACK *LPCONDITIONPROC)(LPWSABUF lpCallerId, LPWSABUF lpCallerData, LPQOS lpSQOS, LPQOS lpGQOS,
                                       LPWSABUF lpCalleeId, LPWSABUF lpCalleeData, GROUP *g,
                                       DWORD_PTR dwCallbackData);

/* --- start-up, catalog, events --- */

typedef struct WSPDATA {
    WORD wVersion; /* low byte major, high byte minor: 2.2 is 0x0202 */
    WORD wHighVersion;
    WCHAR szDescription[WSPDESCRIPTION_LEN + 1];
} WSPDATA, *LPWSPDATA;

typedef struct WSAPROTOCOLCHAIN {
    int ChainLen; /* 1: base provider; 0: layered protocol; more: a chain */
    DWORD ChainEntries[MAX_PROTOCOL_CHAIN];
} WSAPROTOCOLCHAIN, *LPWSAPROTOCOLCHAIN;

typedef struct WSAPROTOCOL_INFOW {
    DWORD dwServiceFlags1; /* XP1_* */
    DWORD dwServiceFlags2;
    DWORD dwServiceFlags3;
    DWORD dwServiceFlags4;
    DWORD dwProviderFlags; /* PFL_* */
    GUID ProviderId;
    DWORD dwCatalogEntryId;
    WSAPROTOCOLCHAIN ProtocolChain;
    int iVersion;
    int iAddressFamily;
    int iMaxSockAddr;
    int iMinSockAddr;
    int iSocketType;
    int iProtocol;
    int iProtocolMaxOffset;
    int iNetworkByteOrder;
    int iSecurityScheme;
    DWORD dwMessageSize;
    DWORD dwProviderReserved; /* 0, or the value that names a duplicated socket */
    WCHAR szProtocol[WSAPROTOCOL_LEN + 1];
} WSAPROTOCOL_INFOW, *LPWSAPROTOCOL_INFOW;

typedef struct WSANETWORKEVENTS {
    LONG lNetworkEvents;           /* FD_* */
    int iErrorCode[FD_MAX_EVENTS]; /* by FD_*_BIT; meaningful only where the event's bit is set */
} WSANETWORKEVENTS, *LPWSANETWORKEVENTS;

#ifdef __cplusplus
}
#endif

#endif
