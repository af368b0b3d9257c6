/* ws2_consts.h - Winsock constants: events, flags, options, levels, control codes.
 * Layer:   provider; included through ws2_types.h, never on Windows (there ws2_windows.h names the same set).
 * Owns:    values only. WS_ marks names that the Linux socket headers use for other values or other things.
 * Source:  contract sections 3.7, 3.8, 3.9; options and codes absent there: the Winsock reference. */
#ifndef WSD_WS2_CONSTS_H
#define WSD_WS2_CONSTS_H

#ifdef _WIN32
#error "on Windows include wsd/ws2_types.h"
#endif

/* --- network events: index into WSANETWORKEVENTS.iErrorCode, and mask --- */
#define FD_READ_BIT                     0
#define FD_WRITE_BIT                    1
#define FD_OOB_BIT                      2
#define FD_ACCEPT_BIT                   3
#define FD_CONNECT_BIT                  4
#define FD_CLOSE_BIT                    5
#define FD_QOS_BIT                      6
#define FD_GROUP_QOS_BIT                7
#define FD_ROUTING_INTERFACE_CHANGE_BIT 8
#define FD_ADDRESS_LIST_CHANGE_BIT      9
#define FD_MAX_EVENTS                   10

#define FD_READ                     0x001
#define FD_WRITE                    0x002
#define FD_OOB                      0x004
#define FD_ACCEPT                   0x008
#define FD_CONNECT                  0x010
#define FD_CLOSE                    0x020
#define FD_QOS                      0x040
#define FD_GROUP_QOS                0x080
#define FD_ROUTING_INTERFACE_CHANGE 0x100
#define FD_ADDRESS_LIST_CHANGE      0x200
#define FD_ALL_EVENTS               0x3FF

/* --- results of a condition function --- */
#define CF_ACCEPT 0
#define CF_REJECT 1
#define CF_DEFER  2

/* --- creating, joining and shutting down sockets --- */
#define WSA_FLAG_OVERLAPPED        0x01
#define WSA_FLAG_MULTIPOINT_C_ROOT 0x02
#define WSA_FLAG_MULTIPOINT_C_LEAF 0x04
#define WSA_FLAG_MULTIPOINT_D_ROOT 0x08
#define WSA_FLAG_MULTIPOINT_D_LEAF 0x10
#define WSA_FLAG_NO_HANDLE_INHERIT 0x80

#define SG_UNCONSTRAINED_GROUP 1
#define SG_CONSTRAINED_GROUP   2

#define SD_RECEIVE 0
#define SD_SEND    1
#define SD_BOTH    2

#define JL_SENDER_ONLY   1
#define JL_RECEIVER_ONLY 2
#define JL_BOTH          4

/* --- catalog entries --- */
#define BASE_PROTOCOL      1
#define LAYERED_PROTOCOL   0
#define MAX_PROTOCOL_CHAIN 7
#define FROM_PROTOCOL_INFO (-1)
#define WSAPROTOCOL_LEN    255
#define WSPDESCRIPTION_LEN 255
#define BIGENDIAN          0
#define LITTLEENDIAN       1

#define SECURITY_PROTOCOL_NONE 0

#define PFL_MULTIPLE_PROTO_ENTRIES  0x01u
#define PFL_RECOMMENDED_PROTO_ENTRY 0x02u
#define PFL_HIDDEN                  0x04u
#define PFL_MATCHES_PROTOCOL_ZERO   0x08u
#define PFL_NETWORKDIRECT_PROVIDER  0x10u

/* dwServiceFlags1 */
#define XP1_CONNECTIONLESS           0x00000001u
#define XP1_GUARANTEED_DELIVERY      0x00000002u
#define XP1_GUARANTEED_ORDER         0x00000004u
#define XP1_MESSAGE_ORIENTED         0x00000008u
#define XP1_PSEUDO_STREAM            0x00000010u
#define XP1_GRACEFUL_CLOSE           0x00000020u
#define XP1_EXPEDITED_DATA           0x00000040u
#define XP1_CONNECT_DATA             0x00000080u
#define XP1_DISCONNECT_DATA          0x00000100u
#define XP1_SUPPORT_BROADCAST        0x00000200u
#define XP1_SUPPORT_MULTIPOINT       0x00000400u
#define XP1_MULTIPOINT_CONTROL_PLANE 0x00000800u
#define XP1_MULTIPOINT_DATA_PLANE    0x00001000u
#define XP1_QOS_SUPPORTED            0x00002000u
#define XP1_INTERRUPT                0x00004000u
#define XP1_UNI_SEND                 0x00008000u
#define XP1_UNI_RECV                 0x00010000u
#define XP1_IFS_HANDLES              0x00020000u
#define XP1_PARTIAL_MESSAGE          0x00040000u
#define XP1_SAN_SUPPORT_SDP          0x00080000u

/* --- families, types, protocols --- */
#define WS_AF_UNSPEC   0
#define WS_AF_UNIX     1
#define WS_AF_INET     2
#define WS_AF_INET6    23
#define WS_SOCK_STREAM 1
#define WS_SOCK_DGRAM  2
#define WS_SOCK_RAW    3
#define WS_IPPROTO_TCP 6
#define WS_IPPROTO_UDP 17

/* Host byte order. */
#define WS_INADDR_ANY       0x00000000u
#define WS_INADDR_LOOPBACK  0x7F000001u
#define WS_INADDR_BROADCAST 0xFFFFFFFFu
#define WS_INADDR_NONE      0xFFFFFFFFu

#define WS_SOMAXCONN  0x7FFFFFFF
#define WS_FD_SETSIZE 64

/* --- message flags --- */
#define WS_MSG_OOB       0x0001
#define WS_MSG_PEEK      0x0002
#define WS_MSG_DONTROUTE 0x0004
#define WS_MSG_WAITALL   0x0008
#define WS_MSG_TRUNC     0x0100
#define WS_MSG_CTRUNC    0x0200
#define WS_MSG_BCAST     0x0400
#define WS_MSG_MCAST     0x0800
#define WS_MSG_PARTIAL   0x8000

/* --- socket options --- */
#define WS_SOL_SOCKET  0xFFFF
#define WS_TCP_NODELAY 0x0001 /* level WS_IPPROTO_TCP */

#define WS_SO_DEBUG                  0x0001
#define WS_SO_ACCEPTCONN             0x0002
#define WS_SO_REUSEADDR              0x0004
#define WS_SO_KEEPALIVE              0x0008
#define WS_SO_DONTROUTE              0x0010
#define WS_SO_BROADCAST              0x0020
#define WS_SO_USELOOPBACK            0x0040
#define WS_SO_LINGER                 0x0080
#define WS_SO_OOBINLINE              0x0100
#define WS_SO_DONTLINGER             (~WS_SO_LINGER)
#define WS_SO_EXCLUSIVEADDRUSE       (~WS_SO_REUSEADDR)
#define WS_SO_SNDBUF                 0x1001
#define WS_SO_RCVBUF                 0x1002
#define WS_SO_SNDLOWAT               0x1003
#define WS_SO_RCVLOWAT               0x1004
#define WS_SO_SNDTIMEO               0x1005
#define WS_SO_RCVTIMEO               0x1006
#define WS_SO_ERROR                  0x1007
#define WS_SO_TYPE                   0x1008
#define WS_SO_BSP_STATE              0x1009
#define WS_SO_GROUP_ID               0x2001
#define WS_SO_GROUP_PRIORITY         0x2002
#define WS_SO_MAX_MSG_SIZE           0x2003
#define WS_SO_PROTOCOL_INFOA         0x2004
#define WS_SO_PROTOCOL_INFOW         0x2005
#define WS_PVD_CONFIG                0x3001
#define WS_SO_CONDITIONAL_ACCEPT     0x3002
#define WS_SO_PAUSE_ACCEPT           0x3003
#define WS_SO_COMPARTMENT_ID         0x3004
#define WS_SO_RANDOMIZE_PORT         0x3005
#define WS_SO_PORT_SCALABILITY       0x3006
#define WS_SO_REUSE_UNICASTPORT      0x3007
#define WS_SO_OPENTYPE               0x7008
#define WS_SO_UPDATE_ACCEPT_CONTEXT  0x700B
#define WS_SO_CONNECT_TIME           0x700C
#define WS_SO_MAX_RDMA_SIZE          0x700D
#define WS_SO_RDMA_THRESHOLD_SIZE    0x700E
#define WS_SO_UPDATE_CONNECT_CONTEXT 0x7010

/* --- control codes: bit 31 in, 30 out, 29 void; bits 28-27 who defines the code --- */
#define WS_IOC_VOID     0x20000000u
#define WS_IOC_OUT      0x40000000u
#define WS_IOC_IN       0x80000000u
#define WS_IOC_INOUT    0xC0000000u
#define WS_IOC_UNIX     0x00000000u
#define WS_IOC_WS2      0x08000000u
#define WS_IOC_PROTOCOL 0x10000000u
#define WS_IOC_VENDOR   0x18000000u

#define WS_FIONBIO    0x8004667Eu
#define WS_FIONREAD   0x4004667Fu
#define WS_SIOCATMARK 0x40047307u

#define SIO_ASSOCIATE_HANDLE               0x88000001u
#define SIO_ENABLE_CIRCULAR_QUEUEING       0x28000002u
#define SIO_FIND_ROUTE                     0x48000003u
#define SIO_FLUSH                          0x28000004u
#define SIO_GET_BROADCAST_ADDRESS          0x48000005u
#define SIO_GET_EXTENSION_FUNCTION_POINTER 0xC8000006u
#define SIO_GET_QOS                        0xC8000007u
#define SIO_GET_GROUP_QOS                  0xC8000008u
#define SIO_MULTIPOINT_LOOPBACK            0x88000009u
#define SIO_MULTICAST_SCOPE                0x8800000Au
#define SIO_SET_QOS                        0x8800000Bu
#define SIO_SET_GROUP_QOS                  0x8800000Cu
#define SIO_TRANSLATE_HANDLE               0xC800000Du
#define SIO_ROUTING_INTERFACE_QUERY        0xC8000014u
#define SIO_ROUTING_INTERFACE_CHANGE       0x88000015u
#define SIO_ADDRESS_LIST_QUERY             0x48000016u
#define SIO_ADDRESS_LIST_CHANGE            0x28000017u
#define SIO_QUERY_TARGET_PNP_HANDLE        0x48000018u
#define SIO_ADDRESS_LIST_SORT              0xC8000019u
#define SIO_BSP_HANDLE                     0x4800001Bu
#define SIO_BSP_HANDLE_SELECT              0x4800001Cu
#define SIO_BSP_HANDLE_POLL                0x4800001Du
#define SIO_BASE_HANDLE                    0x48000022u
#define SIO_KEEPALIVE_VALS                 0x98000004u
#define SIO_IDEAL_SEND_BACKLOG_CHANGE      0x2000747Au
#define SIO_IDEAL_SEND_BACKLOG_QUERY       0x4004747Bu

#endif
