/* abi_layout.c - the binary interface, checked by the compiler: sizes, offsets, slots, values, signatures.
 * Layer:   tests/abi; needs nothing but the headers of provider/include/wsd.
 * Source:  contract sections 3.1-3.11 and 10.1-10.3. Every table below restates one of its
 *          tables, so that the headers are compared with the contract and not with themselves.
 *
 * The same file is compiled against our Linux headers and, by mingw_compile.sh, the real Windows ones.
 * ABI_SYSTEM_HEADERS=1 includes the Linux headers before ours, =2 after: neither may disturb the other. */
#ifndef ABI_SYSTEM_HEADERS
#define ABI_SYSTEM_HEADERS 0
#endif

#if ABI_SYSTEM_HEADERS == 1
#include "linux_headers.h"
#endif
#include "wsd/provider.h"
#if ABI_SYSTEM_HEADERS == 2
#include "linux_headers.h"
#endif

#include <stdio.h>
#include <string.h>

/* One table for both: the number of 32-bit systems, then that of 64-bit systems (3.12: packing to 4 changes none of them). */
#define W(in32, in64) (sizeof(void *) == 8 ? (in64) : (in32))
_Static_assert(sizeof(void *) == 8 || sizeof(void *) == 4, "the tables below know no other");

/* The tables are laid out by hand. */
/* clang-format off */

/* --- sizes (3.1, 3.5): type, bytes --- */
#define SIZES(X)                                                                                             \
    X(SOCKET, W(4, 8)) X(HANDLE, W(4, 8)) X(WSAEVENT, W(4, 8)) X(HWND, W(4, 8)) X(DWORD, 4) X(LONG, 4)       \
    X(ULONG, 4) X(INT, 4) X(UINT, 4) X(int, 4) X(BOOL, 4) X(GROUP, 4) X(WORD, 2) X(USHORT, 2) X(WCHAR, 2)    \
    X(SHORT, 2) X(CHAR, 1) X(UCHAR, 1) X(BYTE, 1) X(DWORD_PTR, W(4, 8)) X(SIZE_T, W(4, 8))                   \
    X(ULONG_PTR, W(4, 8)) X(LONG_PTR, W(4, 8)) X(UINT_PTR, W(4, 8)) X(WPARAM, W(4, 8)) X(LPARAM, W(4, 8))    \
    X(LONGLONG, 8) X(ULONGLONG, 8) X(PVOID, W(4, 8)) X(LPVOID, W(4, 8)) X(LPINT, W(4, 8))                    \
    X(LPDWORD, W(4, 8)) X(GUID, 16) X(WSD_SOCKADDR, 16) X(WSD_SOCKADDR_IN, 16) X(WSD_SOCKADDR_IN6, 28)       \
    X(WSD_SOCKADDR_STORAGE, 128) X(WSD_IN_ADDR, 4) X(WSD_IN6_ADDR, 16) X(WSD_LINGER, 4) X(WSD_TIMEVAL, 8)    \
    X(WSD_FD_SET, W(260, 520)) X(WSD_SELECT_TIMEOUT, W(4, 8)) X(WSPDATA, 516) X(WSATHREADID, W(8, 16))       \
    X(WSABUF, W(8, 16)) X(WSABUFEX, W(12, 24)) X(WSAOVERLAPPED, W(20, 32)) X(WSAPROTOCOLCHAIN, 32)           \
    X(WSAPROTOCOL_INFOW, 628) X(WSANETWORKEVENTS, 44) X(SOCKET_ADDRESS, W(8, 16))                            \
    X(SOCKET_ADDRESS_LIST, W(12, 24)) X(FLOWSPEC, 32) X(QOS, W(72, 80)) X(WSPPROC_TABLE, W(120, 240))        \
    X(WSPUPCALLTABLE, W(60, 120)) X(WSPUPCALLTABLEEX, W(64, 128))

/* --- members (3.1, 3.5): type, member, offset, bytes --- */
#define MEMBERS(X)                                                                                           \
    X(GUID, Data1, 0, 4) X(GUID, Data2, 4, 2) X(GUID, Data3, 6, 2) X(GUID, Data4, 8, 8)                      \
    X(WSD_SOCKADDR, sa_family, 0, 2) X(WSD_SOCKADDR, sa_data, 2, 14) X(WSD_SOCKADDR_IN, sin_family, 0, 2)    \
    X(WSD_SOCKADDR_IN, sin_port, 2, 2) X(WSD_SOCKADDR_IN, sin_addr, 4, 4)                                    \
    X(WSD_SOCKADDR_IN, sin_zero, 8, 8) X(WSD_SOCKADDR_IN6, sin6_family, 0, 2)                                \
    X(WSD_SOCKADDR_IN6, sin6_port, 2, 2) X(WSD_SOCKADDR_IN6, sin6_flowinfo, 4, 4)                            \
    X(WSD_SOCKADDR_IN6, sin6_addr, 8, 16) X(WSD_SOCKADDR_IN6, sin6_scope_id, 24, 4)                          \
    X(WSD_SOCKADDR_STORAGE, ss_family, 0, 2) X(WSD_IN_ADDR, s_addr, 0, 4) X(WSD_IN6_ADDR, u.Byte, 0, 16)     \
    X(WSD_IN6_ADDR, u.Word, 0, 16) X(WSD_LINGER, l_onoff, 0, 2) X(WSD_LINGER, l_linger, 2, 2)                \
    X(WSD_TIMEVAL, tv_sec, 0, 4) X(WSD_TIMEVAL, tv_usec, 4, 4) X(WSD_FD_SET, fd_count, 0, 4)                 \
    X(WSD_FD_SET, fd_array, W(4, 8), W(256, 512)) X(WSPDATA, wVersion, 0, 2) X(WSPDATA, wHighVersion, 2, 2)  \
    X(WSPDATA, szDescription, 4, 512) X(WSATHREADID, ThreadHandle, 0, W(4, 8))                               \
    X(WSATHREADID, Reserved, W(4, 8), W(4, 8)) X(WSABUF, len, 0, 4) X(WSABUF, buf, W(4, 8), W(4, 8))         \
    X(WSABUFEX, len, 0, 4) X(WSABUFEX, buf, W(4, 8), W(4, 8)) X(WSABUFEX, handle, W(8, 16), W(4, 8))         \
    X(WSAOVERLAPPED, Internal, 0, W(4, 8)) X(WSAOVERLAPPED, InternalHigh, W(4, 8), W(4, 8))                  \
    X(WSAOVERLAPPED, Offset, W(8, 16), 4) X(WSAOVERLAPPED, OffsetHigh, W(12, 20), 4)                         \
    X(WSAOVERLAPPED, hEvent, W(16, 24), W(4, 8)) X(WSAPROTOCOLCHAIN, ChainLen, 0, 4)                         \
    X(WSAPROTOCOLCHAIN, ChainEntries, 4, 28) X(WSAPROTOCOL_INFOW, dwServiceFlags1, 0, 4)                     \
    X(WSAPROTOCOL_INFOW, dwServiceFlags2, 4, 4) X(WSAPROTOCOL_INFOW, dwServiceFlags3, 8, 4)                  \
    X(WSAPROTOCOL_INFOW, dwServiceFlags4, 12, 4) X(WSAPROTOCOL_INFOW, dwProviderFlags, 16, 4)                \
    X(WSAPROTOCOL_INFOW, ProviderId, 20, 16) X(WSAPROTOCOL_INFOW, dwCatalogEntryId, 36, 4)                   \
    X(WSAPROTOCOL_INFOW, ProtocolChain, 40, 32) X(WSAPROTOCOL_INFOW, iVersion, 72, 4)                        \
    X(WSAPROTOCOL_INFOW, iAddressFamily, 76, 4) X(WSAPROTOCOL_INFOW, iMaxSockAddr, 80, 4)                    \
    X(WSAPROTOCOL_INFOW, iMinSockAddr, 84, 4) X(WSAPROTOCOL_INFOW, iSocketType, 88, 4)                       \
    X(WSAPROTOCOL_INFOW, iProtocol, 92, 4) X(WSAPROTOCOL_INFOW, iProtocolMaxOffset, 96, 4)                   \
    X(WSAPROTOCOL_INFOW, iNetworkByteOrder, 100, 4) X(WSAPROTOCOL_INFOW, iSecurityScheme, 104, 4)            \
    X(WSAPROTOCOL_INFOW, dwMessageSize, 108, 4) X(WSAPROTOCOL_INFOW, dwProviderReserved, 112, 4)             \
    X(WSAPROTOCOL_INFOW, szProtocol, 116, 512) X(WSANETWORKEVENTS, lNetworkEvents, 0, 4)                     \
    X(WSANETWORKEVENTS, iErrorCode, 4, 40) X(SOCKET_ADDRESS, lpSockaddr, 0, W(4, 8))                         \
    X(SOCKET_ADDRESS, iSockaddrLength, W(4, 8), 4) X(SOCKET_ADDRESS_LIST, iAddressCount, 0, 4)               \
    X(SOCKET_ADDRESS_LIST, Address, W(4, 8), W(8, 16)) X(FLOWSPEC, TokenRate, 0, 4)                          \
    X(FLOWSPEC, TokenBucketSize, 4, 4) X(FLOWSPEC, PeakBandwidth, 8, 4) X(FLOWSPEC, Latency, 12, 4)          \
    X(FLOWSPEC, DelayVariation, 16, 4) X(FLOWSPEC, ServiceType, 20, 4) X(FLOWSPEC, MaxSduSize, 24, 4)        \
    X(FLOWSPEC, MinimumPolicedSize, 28, 4) X(QOS, SendingFlowspec, 0, 32) X(QOS, ReceivingFlowspec, 32, 32)  \
    X(QOS, ProviderSpecific, 64, W(8, 16))

/* --- procedure table (3.3, 10.1): slot, member, result, arguments --- */
#define PROCS(X)                                                                                             \
    X(0, lpWSPAccept, SOCKET, (SOCKET, WSD_SOCKADDR *, INT *, LPCONDITIONPROC, DWORD_PTR, INT *))            \
    X(1, lpWSPAddressToString, INT, (WSD_SOCKADDR *, DWORD, WSAPROTOCOL_INFOW *, WCHAR *, DWORD *, INT *))   \
    X(2, lpWSPAsyncSelect, int, (SOCKET, HWND, UINT, LONG, INT *))                                           \
    X(3, lpWSPBind, int, (SOCKET, const WSD_SOCKADDR *, int, INT *))                                         \
    X(4, lpWSPCancelBlockingCall, int, (INT *)) X(5, lpWSPCleanup, int, (INT *))                             \
    X(6, lpWSPCloseSocket, int, (SOCKET, INT *))                                                             \
    X(7, lpWSPConnect, int, (SOCKET, const WSD_SOCKADDR *, int, WSABUF *, WSABUF *, QOS *, QOS *, INT *))    \
    X(8, lpWSPDuplicateSocket, int, (SOCKET, DWORD, WSAPROTOCOL_INFOW *, INT *))                             \
    X(9, lpWSPEnumNetworkEvents, int, (SOCKET, WSAEVENT, WSANETWORKEVENTS *, INT *))                         \
    X(10, lpWSPEventSelect, int, (SOCKET, WSAEVENT, LONG, INT *))                                            \
    X(11, lpWSPGetOverlappedResult, BOOL, (SOCKET, WSAOVERLAPPED *, DWORD *, BOOL, DWORD *, INT *))          \
    X(12, lpWSPGetPeerName, int, (SOCKET, WSD_SOCKADDR *, INT *, INT *))                                     \
    X(13, lpWSPGetSockName, int, (SOCKET, WSD_SOCKADDR *, INT *, INT *))                                     \
    X(14, lpWSPGetSockOpt, int, (SOCKET, int, int, char *, INT *, INT *))                                    \
    X(15, lpWSPGetQOSByName, BOOL, (SOCKET, WSABUF *, QOS *, INT *))                                         \
    X(16, lpWSPIoctl, int, (SOCKET, DWORD, void *, DWORD, void *, DWORD, DWORD *, WSAOVERLAPPED *, LPWSAOVERLAPPED_COMPLETION_ROUTINE, WSATHREADID *, INT *))\
    X(17, lpWSPJoinLeaf, SOCKET, (SOCKET, const WSD_SOCKADDR *, int, WSABUF *, WSABUF *, QOS *, QOS *, DWORD, INT *))\
    X(18, lpWSPListen, int, (SOCKET, int, INT *))                                                            \
    X(19, lpWSPRecv, int, (SOCKET, WSABUF *, DWORD, DWORD *, DWORD *, WSAOVERLAPPED *, LPWSAOVERLAPPED_COMPLETION_ROUTINE, WSATHREADID *, INT *))\
    X(20, lpWSPRecvDisconnect, int, (SOCKET, WSABUF *, INT *))                                               \
    X(21, lpWSPRecvFrom, int, (SOCKET, WSABUF *, DWORD, DWORD *, DWORD *, WSD_SOCKADDR *, INT *, WSAOVERLAPPED *, LPWSAOVERLAPPED_COMPLETION_ROUTINE, WSATHREADID *, INT *))\
    X(22, lpWSPSelect, int, (int, WSD_FD_SET *, WSD_FD_SET *, WSD_FD_SET *, WSD_SELECT_TIMEOUT, INT *))      \
    X(23, lpWSPSend, int, (SOCKET, WSABUF *, DWORD, DWORD *, DWORD, WSAOVERLAPPED *, LPWSAOVERLAPPED_COMPLETION_ROUTINE, WSATHREADID *, INT *))\
    X(24, lpWSPSendDisconnect, int, (SOCKET, WSABUF *, INT *))                                               \
    X(25, lpWSPSendTo, int, (SOCKET, WSABUF *, DWORD, DWORD *, DWORD, const WSD_SOCKADDR *, int, WSAOVERLAPPED *, LPWSAOVERLAPPED_COMPLETION_ROUTINE, WSATHREADID *, INT *))\
    X(26, lpWSPSetSockOpt, int, (SOCKET, int, int, const char *, int, INT *))                                \
    X(27, lpWSPShutdown, int, (SOCKET, int, INT *))                                                          \
    X(28, lpWSPSocket, SOCKET, (int, int, int, WSAPROTOCOL_INFOW *, GROUP, DWORD, INT *))                    \
    X(29, lpWSPStringToAddress, INT, (WCHAR *, INT, WSAPROTOCOL_INFOW *, WSD_SOCKADDR *, INT *, INT *))

/* --- upcalls of both tables (3.4, 10.2): slot, member, result, arguments --- */
#define UPCALLS(X)                                                                                           \
    X(0, lpWPUCloseEvent, BOOL, (WSAEVENT, INT *))                                                           \
    X(1, lpWPUCloseSocketHandle, int, (SOCKET, INT *))                                                       \
    X(2, lpWPUCreateEvent, WSAEVENT, (INT *))                                                                \
    X(3, lpWPUCreateSocketHandle, SOCKET, (DWORD, DWORD_PTR, INT *))                                         \
    X(4, lpWPUFDIsSet, int, (SOCKET, WSD_FD_SET *))                                                          \
    X(5, lpWPUGetProviderPath, int, (GUID *, WCHAR *, INT *, INT *))                                         \
    X(6, lpWPUModifyIFSHandle, SOCKET, (DWORD, SOCKET, INT *))                                               \
    X(7, lpWPUPostMessage, BOOL, (HWND, UINT, WPARAM, LPARAM))                                               \
    X(8, lpWPUQueryBlockingCallback, int, (DWORD, LPBLOCKINGCALLBACK *, DWORD_PTR *, INT *))                 \
    X(9, lpWPUQuerySocketHandleContext, int, (SOCKET, DWORD_PTR *, INT *))                                   \
    X(10, lpWPUQueueApc, int, (WSATHREADID *, LPWSAUSERAPC, DWORD_PTR, INT *))                               \
    X(11, lpWPUResetEvent, BOOL, (WSAEVENT, INT *))                                                          \
    X(12, lpWPUSetEvent, BOOL, (WSAEVENT, INT *))                                                            \
    X(13, lpWPUOpenCurrentThread, int, (WSATHREADID *, INT *))                                               \
    X(14, lpWPUCloseThread, int, (WSATHREADID *, INT *))

/* In the Ex table only. */
#define UPCALLS_EX(X)                                                                                        \
    X(15, lpWPUCompleteOverlappedRequest, int, (SOCKET, WSAOVERLAPPED *, DWORD, DWORD, INT *))

/* --- callbacks, start-up and extension functions (3.11): pointer type, result, arguments --- */
#define RDMA_ARGS                                                                                            \
    (SOCKET, WSABUFEX *, DWORD, void *, DWORD, DWORD, DWORD *, DWORD, WSAOVERLAPPED *,                       \
     LPWSAOVERLAPPED_COMPLETION_ROUTINE, WSATHREADID *, INT *)
#define STARTUP_ARGS    (WORD, WSPDATA *, WSAPROTOCOL_INFOW *, WSPUPCALLTABLE, WSPPROC_TABLE *)
#define STARTUP_EX_ARGS (WORD, WSPDATA *, WSAPROTOCOL_INFOW *, WSPUPCALLTABLEEX *, WSPPROC_TABLE *)

#define POINTERS(X)                                                                                          \
    X(LPCONDITIONPROC, int, (WSABUF *, WSABUF *, QOS *, QOS *, WSABUF *, WSABUF *, GROUP *, DWORD_PTR))      \
    X(LPWSAOVERLAPPED_COMPLETION_ROUTINE, void, (DWORD, DWORD, WSAOVERLAPPED *, DWORD))                      \
    X(LPBLOCKINGCALLBACK, BOOL, (DWORD_PTR))                                                                 \
    X(LPWSAUSERAPC, void, (DWORD_PTR))                                                                       \
    X(LPWSPSTARTUP, int, STARTUP_ARGS)                                                                       \
    X(LPWSPSTARTUPEX, int, STARTUP_EX_ARGS)                                                                  \
    X(LPFN_WSPREGISTERMEMORY, HANDLE, (SOCKET, PVOID, DWORD, DWORD, INT *))                                  \
    X(LPFN_WSPDEREGISTERMEMORY, int, (SOCKET, HANDLE, INT *))                                                \
    X(LPFN_WSPREGISTERRDMAMEMORY, int, (SOCKET, PVOID, DWORD, DWORD, void *, DWORD *, INT *))                \
    X(LPFN_WSPDEREGISTERRDMAMEMORY, int, (SOCKET, void *, DWORD, INT *))                                     \
    X(LPFN_WSPRDMAWRITE, int, RDMA_ARGS)                                                                     \
    X(LPFN_WSPRDMAREAD, int, RDMA_ARGS)                                                                      \
    X(LPFN_WSPMEMORYREGISTRATIONCACHECALLBACK, int, (PVOID, SIZE_T, INT *))

/* --- values: constant, number --- */

/* 3.7 and the scalars of 3.1, 3.5 */
#define NUMERIC(X)                                                                                           \
    X(SOCKET_ERROR, -1) X(TRUE, 1) X(FALSE, 0) X(WSS_OPERATION_IN_PROGRESS, 0x103) X(FD_READ_BIT, 0)         \
    X(FD_WRITE_BIT, 1) X(FD_OOB_BIT, 2) X(FD_ACCEPT_BIT, 3) X(FD_CONNECT_BIT, 4) X(FD_CLOSE_BIT, 5)         \
    X(FD_QOS_BIT, 6) X(FD_GROUP_QOS_BIT, 7) X(FD_ROUTING_INTERFACE_CHANGE_BIT, 8)                            \
    X(FD_ADDRESS_LIST_CHANGE_BIT, 9) X(FD_MAX_EVENTS, 10) X(FD_READ, 0x001) X(FD_WRITE, 0x002)              \
    X(FD_OOB, 0x004) X(FD_ACCEPT, 0x008) X(FD_CONNECT, 0x010) X(FD_CLOSE, 0x020) X(FD_QOS, 0x040)            \
    X(FD_GROUP_QOS, 0x080) X(FD_ROUTING_INTERFACE_CHANGE, 0x100) X(FD_ADDRESS_LIST_CHANGE, 0x200)            \
    X(FD_ALL_EVENTS, 0x3FF) X(CF_ACCEPT, 0) X(CF_REJECT, 1) X(CF_DEFER, 2) X(WSA_FLAG_OVERLAPPED, 0x01)     \
    X(WSA_FLAG_MULTIPOINT_C_ROOT, 0x02) X(WSA_FLAG_MULTIPOINT_C_LEAF, 0x04)                                  \
    X(WSA_FLAG_MULTIPOINT_D_ROOT, 0x08) X(WSA_FLAG_MULTIPOINT_D_LEAF, 0x10)                                  \
    X(WSA_FLAG_NO_HANDLE_INHERIT, 0x80) X(MEM_READ, 1) X(MEM_WRITE, 2) X(MEM_READWRITE, 3)                   \
    X(WS_MSG_OOB, 0x1) X(WS_MSG_PEEK, 0x2) X(WS_MSG_DONTROUTE, 0x4) X(WS_MSG_WAITALL, 0x8)                  \
    X(WS_MSG_TRUNC, 0x100) X(WS_MSG_CTRUNC, 0x200) X(WS_MSG_BCAST, 0x400) X(WS_MSG_MCAST, 0x800)            \
    X(WS_MSG_PARTIAL, 0x8000) X(WS_SOMAXCONN, 0x7FFFFFFF) X(WS_FD_SETSIZE, 64) X(BASE_PROTOCOL, 1)          \
    X(LAYERED_PROTOCOL, 0) X(MAX_PROTOCOL_CHAIN, 7) X(FROM_PROTOCOL_INFO, -1) X(WSAPROTOCOL_LEN, 255)        \
    X(WSPDESCRIPTION_LEN, 255) X(SECURITY_PROTOCOL_NONE, 0) X(PFL_MULTIPLE_PROTO_ENTRIES, 1)                \
    X(PFL_RECOMMENDED_PROTO_ENTRY, 2) X(PFL_HIDDEN, 4) X(PFL_MATCHES_PROTOCOL_ZERO, 8)                      \
    X(PFL_NETWORKDIRECT_PROVIDER, 0x10) X(BIGENDIAN, 0) X(LITTLEENDIAN, 1) X(XP1_CONNECTIONLESS, 0x1)        \
    X(XP1_GUARANTEED_DELIVERY, 0x2) X(XP1_GUARANTEED_ORDER, 0x4) X(XP1_MESSAGE_ORIENTED, 0x8)               \
    X(XP1_PSEUDO_STREAM, 0x10) X(XP1_GRACEFUL_CLOSE, 0x20) X(XP1_EXPEDITED_DATA, 0x40)                       \
    X(XP1_CONNECT_DATA, 0x80) X(XP1_DISCONNECT_DATA, 0x100) X(XP1_SUPPORT_BROADCAST, 0x200)                  \
    X(XP1_SUPPORT_MULTIPOINT, 0x400) X(XP1_MULTIPOINT_CONTROL_PLANE, 0x800)                                 \
    X(XP1_MULTIPOINT_DATA_PLANE, 0x1000) X(XP1_QOS_SUPPORTED, 0x2000) X(XP1_INTERRUPT, 0x4000)              \
    X(XP1_UNI_SEND, 0x8000) X(XP1_UNI_RECV, 0x10000) X(XP1_IFS_HANDLES, 0x20000)                             \
    X(XP1_PARTIAL_MESSAGE, 0x40000) X(XP1_SAN_SUPPORT_SDP, 0x80000) X(WS_AF_UNSPEC, 0) X(WS_AF_UNIX, 1)     \
    X(WS_AF_INET, 2) X(WS_AF_INET6, 23) X(WS_SOCK_STREAM, 1) X(WS_SOCK_DGRAM, 2) X(WS_SOCK_RAW, 3)          \
    X(WS_IPPROTO_TCP, 6) X(WS_IPPROTO_UDP, 17) X(WS_INADDR_ANY, 0) X(WS_INADDR_LOOPBACK, 0x7F000001)        \
    X(WS_INADDR_BROADCAST, 0xFFFFFFFFLL) X(WS_INADDR_NONE, 0xFFFFFFFFLL) X(SD_RECEIVE, 0) X(SD_SEND, 1)      \
    X(SD_BOTH, 2) X(SG_UNCONSTRAINED_GROUP, 1) X(SG_CONSTRAINED_GROUP, 2) X(JL_SENDER_ONLY, 1)              \
    X(JL_RECEIVER_ONLY, 2) X(JL_BOTH, 4) X(INFINITE, 0xFFFFFFFFLL) X(MAXIMUM_WAIT_OBJECTS, 64)              \
    X(WAIT_OBJECT_0, 0) X(WAIT_ABANDONED_0, 0x80) X(WAIT_IO_COMPLETION, 0xC0) X(WAIT_TIMEOUT, 258)           \
    X(WAIT_FAILED, 0xFFFFFFFFLL) X(WSA_INFINITE, 0xFFFFFFFFLL) X(WSA_MAXIMUM_WAIT_EVENTS, 64)               \
    X(WSA_WAIT_EVENT_0, 0) X(WSA_WAIT_IO_COMPLETION, 0xC0) X(WSA_WAIT_TIMEOUT, 258)                          \
    X(WSA_WAIT_FAILED, 0xFFFFFFFFLL)

/* 3.8; mingw lacks SO_BSP_STATE and the 0x3003-0x3007 options, WS_ supplies their numbers there */
#define OPTIONS(X)                                                                                           \
    X(WS_SOL_SOCKET, 0xFFFF) X(WS_TCP_NODELAY, 0x0001) X(WS_SO_DEBUG, 0x0001) X(WS_SO_ACCEPTCONN, 0x0002)    \
    X(WS_SO_REUSEADDR, 0x0004) X(WS_SO_KEEPALIVE, 0x0008) X(WS_SO_DONTROUTE, 0x0010)                         \
    X(WS_SO_BROADCAST, 0x0020) X(WS_SO_USELOOPBACK, 0x0040) X(WS_SO_LINGER, 0x0080)                          \
    X(WS_SO_OOBINLINE, 0x0100) X(WS_SO_DONTLINGER, -129) X(WS_SO_EXCLUSIVEADDRUSE, -5)                       \
    X(WS_SO_SNDBUF, 0x1001) X(WS_SO_RCVBUF, 0x1002) X(WS_SO_SNDLOWAT, 0x1003) X(WS_SO_RCVLOWAT, 0x1004)      \
    X(WS_SO_SNDTIMEO, 0x1005) X(WS_SO_RCVTIMEO, 0x1006) X(WS_SO_ERROR, 0x1007) X(WS_SO_TYPE, 0x1008)        \
    X(WS_SO_BSP_STATE, 0x1009) X(WS_SO_GROUP_ID, 0x2001) X(WS_SO_GROUP_PRIORITY, 0x2002)                     \
    X(WS_SO_MAX_MSG_SIZE, 0x2003) X(WS_SO_PROTOCOL_INFOA, 0x2004) X(WS_SO_PROTOCOL_INFOW, 0x2005)            \
    X(WS_PVD_CONFIG, 0x3001) X(WS_SO_CONDITIONAL_ACCEPT, 0x3002) X(WS_SO_PAUSE_ACCEPT, 0x3003)               \
    X(WS_SO_COMPARTMENT_ID, 0x3004) X(WS_SO_RANDOMIZE_PORT, 0x3005) X(WS_SO_PORT_SCALABILITY, 0x3006)        \
    X(WS_SO_REUSE_UNICASTPORT, 0x3007) X(WS_SO_OPENTYPE, 0x7008) X(WS_SO_UPDATE_ACCEPT_CONTEXT, 0x700B)      \
    X(WS_SO_CONNECT_TIME, 0x700C) X(WS_SO_MAX_RDMA_SIZE, 0x700D) X(WS_SO_RDMA_THRESHOLD_SIZE, 0x700E)        \
    X(WS_SO_UPDATE_CONNECT_CONTEXT, 0x7010)

/* 3.9; mingw lacks the SIO_IDEAL_SEND_BACKLOG pair, ws2_windows.h supplies its numbers there */
#define CONTROLS(X)                                                                                          \
    X(WS_IOC_VOID, 0x20000000) X(WS_IOC_OUT, 0x40000000) X(WS_IOC_IN, 0x80000000LL)                          \
    X(WS_IOC_INOUT, 0xC0000000LL) X(WS_IOC_UNIX, 0) X(WS_IOC_WS2, 0x08000000)                                \
    X(WS_IOC_PROTOCOL, 0x10000000) X(WS_IOC_VENDOR, 0x18000000)                                              \
    X(SIO_GET_EXTENSION_FUNCTION_POINTER, 0xC8000006LL) X(SIO_ADDRESS_LIST_QUERY, 0x48000016)               \
    X(SIO_GET_QOS, 0xC8000007LL) X(SIO_SET_QOS, 0x8800000BLL) X(SIO_GET_GROUP_QOS, 0xC8000008LL)             \
    X(SIO_SET_GROUP_QOS, 0x8800000CLL) X(SIO_ADDRESS_LIST_CHANGE, 0x28000017)                                \
    X(SIO_ADDRESS_LIST_SORT, 0xC8000019LL) X(SIO_ROUTING_INTERFACE_QUERY, 0xC8000014LL)                     \
    X(SIO_ROUTING_INTERFACE_CHANGE, 0x88000015LL) X(SIO_FLUSH, 0x28000004) X(SIO_BASE_HANDLE, 0x48000022)    \
    X(SIO_BSP_HANDLE, 0x4800001B) X(SIO_BSP_HANDLE_SELECT, 0x4800001C) X(SIO_BSP_HANDLE_POLL, 0x4800001D)    \
    X(SIO_QUERY_TARGET_PNP_HANDLE, 0x48000018) X(SIO_ASSOCIATE_HANDLE, 0x88000001LL)                         \
    X(SIO_ENABLE_CIRCULAR_QUEUEING, 0x28000002) X(SIO_FIND_ROUTE, 0x48000003)                                \
    X(SIO_GET_BROADCAST_ADDRESS, 0x48000005) X(SIO_MULTIPOINT_LOOPBACK, 0x88000009LL)                        \
    X(SIO_MULTICAST_SCOPE, 0x8800000ALL) X(SIO_TRANSLATE_HANDLE, 0xC800000DLL)                               \
    X(SIO_KEEPALIVE_VALS, 0x98000004LL) X(SIO_IDEAL_SEND_BACKLOG_CHANGE, 0x2000747A)                         \
    X(SIO_IDEAL_SEND_BACKLOG_QUERY, 0x4004747B) X(WS_FIONBIO, 0x8004667ELL) X(WS_FIONREAD, 0x4004667F)       \
    X(WS_SIOCATMARK, 0x40047307)

/* 3.10, then the codes it does not list */
#define ERRORS(X)                                                                                            \
    X(WSA_INVALID_HANDLE, 6) X(WSA_NOT_ENOUGH_MEMORY, 8) X(WSA_INVALID_PARAMETER, 87)                        \
    X(WSA_OPERATION_ABORTED, 995) X(WSA_IO_INCOMPLETE, 996) X(WSA_IO_PENDING, 997) X(WSAEINTR, 10004)        \
    X(WSAEACCES, 10013) X(WSAEFAULT, 10014) X(WSAEINVAL, 10022) X(WSAEMFILE, 10024)                         \
    X(WSAEWOULDBLOCK, 10035) X(WSAEINPROGRESS, 10036) X(WSAEALREADY, 10037) X(WSAENOTSOCK, 10038)            \
    X(WSAEMSGSIZE, 10040) X(WSAEPROTOTYPE, 10041) X(WSAENOPROTOOPT, 10042) X(WSAEPROTONOSUPPORT, 10043)     \
    X(WSAESOCKTNOSUPPORT, 10044) X(WSAEOPNOTSUPP, 10045) X(WSAEAFNOSUPPORT, 10047)                          \
    X(WSAEADDRINUSE, 10048) X(WSAEADDRNOTAVAIL, 10049) X(WSAENETDOWN, 10050) X(WSAENETUNREACH, 10051)        \
    X(WSAENETRESET, 10052) X(WSAECONNABORTED, 10053) X(WSAECONNRESET, 10054) X(WSAENOBUFS, 10055)           \
    X(WSAEISCONN, 10056) X(WSAENOTCONN, 10057) X(WSAESHUTDOWN, 10058) X(WSAETIMEDOUT, 10060)                 \
    X(WSAECONNREFUSED, 10061) X(WSAEHOSTDOWN, 10064) X(WSAEHOSTUNREACH, 10065) X(WSAEPROCLIM, 10067)        \
    X(WSASYSNOTREADY, 10091) X(WSAVERNOTSUPPORTED, 10092) X(WSANOTINITIALISED, 10093) X(WSAEDISCON, 10101)   \
    X(WSAEINVALIDPROCTABLE, 10104) X(WSAEINVALIDPROVIDER, 10105) X(WSAEPROVIDERFAILEDINIT, 10106)           \
    X(WSASYSCALLFAILURE, 10107) X(WSATRY_AGAIN, 11002) X(WSANO_RECOVERY, 11003) X(WSABASEERR, 10000)         \
    X(WSAEBADF, 10009) X(WSAEDESTADDRREQ, 10039) X(WSAEPFNOSUPPORT, 10046) X(WSAETOOMANYREFS, 10059)        \
    X(WSAELOOP, 10062) X(WSAENAMETOOLONG, 10063) X(WSAENOTEMPTY, 10066) X(WSAEUSERS, 10068)                  \
    X(WSAEDQUOT, 10069) X(WSAESTALE, 10070) X(WSAEREMOTE, 10071) X(WSAENOMORE, 10102)                       \
    X(WSAECANCELLED, 10103) X(WSASERVICE_NOT_FOUND, 10108) X(WSATYPE_NOT_FOUND, 10109)                      \
    X(WSA_E_NO_MORE, 10110) X(WSA_E_CANCELLED, 10111) X(WSAEREFUSED, 10112) X(WSAHOST_NOT_FOUND, 11001)     \
    X(WSANO_DATA, 11004) X(ERROR_SUCCESS, 0) X(ERROR_ACCESS_DENIED, 5) X(ERROR_INVALID_HANDLE, 6)            \
    X(ERROR_NOT_ENOUGH_MEMORY, 8) X(ERROR_NOT_SUPPORTED, 50) X(ERROR_NETNAME_DELETED, 64)                    \
    X(ERROR_INVALID_PARAMETER, 87) X(ERROR_SEM_TIMEOUT, 121) X(ERROR_INSUFFICIENT_BUFFER, 122)               \
    X(ERROR_MORE_DATA, 234) X(ERROR_OPERATION_ABORTED, 995) X(ERROR_IO_INCOMPLETE, 996)                     \
    X(ERROR_IO_PENDING, 997) X(ERROR_NOT_FOUND, 1168) X(ERROR_CONNECTION_REFUSED, 1225)                      \
    X(ERROR_NETWORK_UNREACHABLE, 1231) X(ERROR_HOST_UNREACHABLE, 1232) X(ERROR_PORT_UNREACHABLE, 1234)      \
    X(ERROR_CONNECTION_ABORTED, 1236)

/* clang-format on */

/* --- the assertions --- */

#define ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "sizeof " #type);
#define ASSERT_MEMBER(type, member, offset, bytes)                                                           \
    _Static_assert(offsetof(type, member) == (offset), "offset of " #type "." #member);                      \
    _Static_assert(sizeof(((type *)0)->member) == (bytes), "size of " #type "." #member);
#define ASSERT_VALUE(name, value) _Static_assert((long long)(name) == (value), #name);

/* A slot sits at its number times the size of a pointer and has exactly this function type. */
#define ASSERT_SLOT(table, slot, member, result, args)                                                       \
    _Static_assert(offsetof(table, member) == sizeof(void *) * (slot), "slot of " #table "." #member);       \
    _Static_assert(_Generic(((table *)0)->member, result(WSPAPI *) args : 1, default : 0),                   \
                   "signature of " #table "." #member);
#define ASSERT_PROC(slot, member, result, args)      ASSERT_SLOT(WSPPROC_TABLE, slot, member, result, args)
#define ASSERT_UPCALL(slot, member, result, args)    ASSERT_SLOT(WSPUPCALLTABLE, slot, member, result, args)
#define ASSERT_UPCALL_EX(slot, member, result, args) ASSERT_SLOT(WSPUPCALLTABLEEX, slot, member, result, args)
#define ASSERT_POINTER(type, result, args)                                                                   \
    _Static_assert(_Generic((type)0, result(WSPAPI *) args : 1, default : 0), "signature of " #type);

SIZES(ASSERT_SIZE)
MEMBERS(ASSERT_MEMBER)
PROCS(ASSERT_PROC)
UPCALLS(ASSERT_UPCALL)
UPCALLS(ASSERT_UPCALL_EX)
UPCALLS_EX(ASSERT_UPCALL_EX)
POINTERS(ASSERT_POINTER)
NUMERIC(ASSERT_VALUE)
OPTIONS(ASSERT_VALUE)
CONTROLS(ASSERT_VALUE)
ERRORS(ASSERT_VALUE)

_Static_assert(_Generic(&WSPStartup, int(WSPAPI *) STARTUP_ARGS : 1, default : 0), "WSPStartup");
_Static_assert(_Generic(&WSPStartupEx, int(WSPAPI *) STARTUP_EX_ARGS : 1, default : 0), "WSPStartupEx");
_Static_assert((SOCKET)-1 > 0 && INVALID_SOCKET == (SOCKET)-1, "SOCKET is unsigned, INVALID_SOCKET all ones");
_Static_assert((DWORD)-1 > 0 && (ULONG)-1 > 0 && (WCHAR)-1 > 0 && (LONG)-1 < 0 && (BOOL)-1 < 0, "signedness");
_Static_assert(sizeof(WSD_WTEXT("ab")) == 3 * sizeof(WCHAR), "WSD_WTEXT makes WCHARs");

/* The Windows numbers, even where the Linux socket headers have spoken first. */
#if ABI_SYSTEM_HEADERS
_Static_assert(SOL_SOCKET == 1 && AF_INET6 == 10 && MSG_WAITALL == 0x100, "Linux names keep Linux values");
_Static_assert(sizeof(struct sockaddr_in6) == 28 && sizeof(struct timeval) == 16, "Linux layouts stay");
#endif

/* --- at run time: GUIDs as the 16 bytes that cross the interface --- */

struct guid_case {
    const char *name;
    GUID guid;
    unsigned char bytes[16];
};

#define SAN_TAIL   0x8C, 0xF5, 0xD1, 0x11, 0xAD, 0x6C, 0x00, 0xC0, 0x4F, 0xA3, 0x4A, 0x2D
#define MSEXT_TAIL 0xAC, 0xCB, 0xCF, 0x11, 0x95, 0xCA, 0x00, 0x80, 0x5F, 0x48, 0xA1, 0x92
#define CASE(id, ...)                                                                                        \
    {                                                                                                        \
#id, id,                                                                                             \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }

static const struct guid_case guid_cases[] = {
    CASE(WSAID_REGISTERMEMORY, 0xF5, 0x22, 0xB4, 0xC0, SAN_TAIL),
    CASE(WSAID_DEREGISTERMEMORY, 0xF6, 0x22, 0xB4, 0xC0, SAN_TAIL),
    CASE(WSAID_REGISTERRDMAMEMORY, 0xF7, 0x22, 0xB4, 0xC0, SAN_TAIL),
    CASE(WSAID_DEREGISTERRDMAMEMORY, 0xF8, 0x22, 0xB4, 0xC0, SAN_TAIL),
    CASE(WSAID_RDMAWRITE, 0xF9, 0x22, 0xB4, 0xC0, SAN_TAIL),
    CASE(WSAID_RDMAREAD, 0xFA, 0x22, 0xB4, 0xC0, SAN_TAIL),
    CASE(WSAID_MEMORYREGISTRATIONCACHECALLBACK, 0xF8, 0x4A, 0xDA, 0xE5, 0x24, 0xD8, 0xCD, 0x48, 0xA7, 0x99,
         0x63, 0x37, 0xA9, 0x8E, 0xD2, 0xAF),
    CASE(WSAID_TRANSMITFILE, 0xF0, 0x7D, 0x36, 0xB5, MSEXT_TAIL),
    CASE(WSAID_ACCEPTEX, 0xF1, 0x7D, 0x36, 0xB5, MSEXT_TAIL),
    CASE(WSAID_GETACCEPTEXSOCKADDRS, 0xF2, 0x7D, 0x36, 0xB5, MSEXT_TAIL),
    CASE(WSAID_CONNECTEX, 0xB9, 0x07, 0xA2, 0x25, 0xF3, 0xDD, 0x60, 0x46, 0x8E, 0xE9, 0x76, 0xE5, 0x8C, 0x74,
         0x06, 0x3E),
    CASE(WSAID_DISCONNECTEX, 0x11, 0x2E, 0xDA, 0x7F, 0x30, 0x86, 0x6F, 0x43, 0xA0, 0x31, 0xF5, 0x36, 0xA6,
         0xEE, 0xC1, 0x57),
    CASE(WSAID_TRANSMITPACKETS, 0xA0, 0x9D, 0x68, 0xD9, 0x90, 0x1F, 0xD3, 0x11, 0x99, 0x71, 0x00, 0xC0, 0x4F,
         0x68, 0xC8, 0x76),
    CASE(WSAID_WSARECVMSG, 0xC8, 0xD7, 0x89, 0xF6, 0x1F, 0x6F, 0x6B, 0x43, 0x8A, 0x53, 0xE5, 0x4F, 0xE3, 0x51,
         0xC3, 0x22),
    CASE(WSAID_WSASENDMSG, 0x12, 0xE7, 0x41, 0xA4, 0x4F, 0x75, 0xCA, 0x43, 0x84, 0xA7, 0x0D, 0xEE, 0x44, 0xCF,
         0x60, 0x6D),
};

#define COUNT_2(a, b)       +1
#define COUNT_3(a, b, c)    +1
#define COUNT_4(a, b, c, d) +1

int main(void)
{
    const unsigned compiled = 0 SIZES(COUNT_2) + 2 * (0 MEMBERS(COUNT_4)) + 2 * (0 PROCS(COUNT_4)) +
                              4 * (0 UPCALLS(COUNT_4)) +
                              2 * (0 UPCALLS_EX(COUNT_4))POINTERS(COUNT_3) NUMERIC(COUNT_2) OPTIONS(COUNT_2)
                                      CONTROLS(COUNT_2) ERRORS(COUNT_2);
    const unsigned guids = sizeof guid_cases / sizeof guid_cases[0];
    unsigned failed = 0;

    for (unsigned i = 0; i < guids; i++) {
        if (memcmp(&guid_cases[i].guid, guid_cases[i].bytes, sizeof guid_cases[i].bytes) != 0) {
            printf("FAIL %s: bytes differ from the contract\n", guid_cases[i].name);
            failed++;
        }
    }
    printf("abi_layout: %u checks at compile time, %u GUIDs at run time, %u failed\n", compiled, guids,
           failed);
    return failed != 0;
}
