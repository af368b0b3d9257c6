/* ws2/values.h - numbers of Winsock that the C library of Linux has other ones for, or none.
 * Layer:   switch_shim/winsock; included by winsock2.h, when undefined.h has taken the library's away. What the layers below know too has its
 *          name from there instead, in winsock2.h and ws2tcpip.h.
 * Careful: a number here says what a program of Windows means by the name, not that the option is served: that is spi/README.md's.
 * Source:  the Winsock reference; tests/winsock/values.sh holds them to the headers of mingw-w64. */
#ifndef WS2_VALUES_H
#define WS2_VALUES_H

/* --- families --- */
#define AF_UNSPEC    0
#define AF_UNIX      1
#define AF_INET      2
#define AF_IMPLINK   3
#define AF_PUP       4
#define AF_CHAOS     5
#define AF_IPX       6
#define AF_NS        6
#define AF_ISO       7
#define AF_OSI       7
#define AF_ECMA      8
#define AF_DATAKIT   9
#define AF_CCITT     10
#define AF_SNA       11
#define AF_DECnet    12
#define AF_DLI       13
#define AF_LAT       14
#define AF_HYLINK    15
#define AF_APPLETALK 16
#define AF_NETBIOS   17
#define AF_VOICEVIEW 18
#define AF_FIREFOX   19
#define AF_BAN       21
#define AF_ATM       22
#define AF_IRDA      26
#define AF_BTH       32

/* --- the same as protocols --- */
#define PF_UNSPEC    AF_UNSPEC
#define PF_UNIX      AF_UNIX
#define PF_INET      AF_INET
#define PF_IMPLINK   AF_IMPLINK
#define PF_PUP       AF_PUP
#define PF_CHAOS     AF_CHAOS
#define PF_IPX       AF_IPX
#define PF_NS        AF_NS
#define PF_ISO       AF_ISO
#define PF_OSI       AF_OSI
#define PF_ECMA      AF_ECMA
#define PF_DATAKIT   AF_DATAKIT
#define PF_CCITT     AF_CCITT
#define PF_SNA       AF_SNA
#define PF_DECnet    AF_DECnet
#define PF_DLI       AF_DLI
#define PF_LAT       AF_LAT
#define PF_HYLINK    AF_HYLINK
#define PF_APPLETALK AF_APPLETALK
#define PF_VOICEVIEW AF_VOICEVIEW
#define PF_FIREFOX   AF_FIREFOX
#define PF_BAN       AF_BAN
#define PF_ATM       AF_ATM
#define PF_BTH       AF_BTH

/* --- protocols; the others are enumerators of the C library, with the same numbers --- */
#define IPPROTO_IPV4 4
#define IPPROTO_PGM  113
#define IPPROTO_L2TP 115
#define IPPROTO_MAX  256

/* --- ports of services --- */
#define IPPORT_RESERVED    1024 /* the first that anybody may have */
#define IPPORT_ECHO        7
#define IPPORT_DISCARD     9
#define IPPORT_SYSTAT      11
#define IPPORT_DAYTIME     13
#define IPPORT_NETSTAT     15
#define IPPORT_FTP         21
#define IPPORT_TELNET      23
#define IPPORT_SMTP        25
#define IPPORT_TIMESERVER  37
#define IPPORT_NAMESERVER  42
#define IPPORT_WHOIS       43
#define IPPORT_MTP         57
#define IPPORT_TFTP        69
#define IPPORT_RJE         77
#define IPPORT_FINGER      79
#define IPPORT_TTYLINK     87
#define IPPORT_SUPDUP      95
#define IPPORT_BIFFUDP     512
#define IPPORT_EXECSERVER  512
#define IPPORT_LOGINSERVER 513
#define IPPORT_WHOSERVER   513
#define IPPORT_CMDSERVER   514
#define IPPORT_EFSSERVER   520
#define IPPORT_ROUTESERVER 520

/* --- level SOL_SOCKET --- */
#define SO_SYNCHRONOUS_ALERT    0x0010
#define SO_SYNCHRONOUS_NONALERT 0x0020
#define SO_GROUP_ID             0x2001
#define SO_GROUP_PRIORITY       0x2002
#define SO_PROTOCOL_INFO        0x2004
#define SO_PROTOCOL_INFOA       0x2004
#define PVD_CONFIG              0x3001
#define SO_CONNDATA             0x7000
#define SO_CONNOPT              0x7001
#define SO_DISCDATA             0x7002
#define SO_DISCOPT              0x7003
#define SO_CONNDATALEN          0x7004
#define SO_CONNOPTLEN           0x7005
#define SO_DISCDATALEN          0x7006
#define SO_DISCOPTLEN           0x7007
#define SO_OPENTYPE             0x7008
#define SO_MAXDG                0x7009
#define SO_MAXPATHDG            0x700A

/* --- level IPPROTO_IP --- */
#define IP_UNSPECIFIED_HOP_LIMIT       (-1)
#define IP_UNSPECIFIED_TYPE_OF_SERVICE (-1)
#define IP_OPTIONS                     1
#define IP_HDRINCL                     2
#define IP_ADD_SOURCE_MEMBERSHIP       15
#define IP_DROP_SOURCE_MEMBERSHIP      16
#define IP_BLOCK_SOURCE                17
#define IP_UNBLOCK_SOURCE              18
#define IP_PKTINFO                     19
#define IP_HOPLIMIT                    21
#define IP_RECVTTL                     21
#define IP_RECEIVE_BROADCAST           22
#define IP_PROTECTION_LEVEL            23
#define IP_RECVIF                      24
#define IP_RECVDSTADDR                 25
#define IP_IFLIST                      28
#define IP_ADD_IFLIST                  29
#define IP_DEL_IFLIST                  30
#define IP_UNICAST_IF                  31
#define IP_RTHDR                       32
#define IP_GET_IFLIST                  33
#define IP_RECVRTHDR                   38
#define IP_TCLASS                      39
#define IP_RECVTCLASS                  40
#define IP_RECVTOS                     40
#define IP_ORIGINAL_ARRIVAL_IF         47
#define IP_ECN                         50
#define IP_PKTINFO_EX                  51
#define IP_WFP_REDIRECT_RECORDS        60
#define IP_WFP_REDIRECT_CONTEXT        70
#define IP_MTU_DISCOVER                71
#define IP_MTU                         73
#define IP_NRT_INTERFACE               74
#define IP_RECVERR                     75
#define IP_USER_MTU                    76

/* --- level IPPROTO_IPV6 --- */
#define IPV6_HOPOPTS              1
#define IPV6_HDRINCL              2
#define IPV6_ADD_MEMBERSHIP       12
#define IPV6_JOIN_GROUP           12
#define IPV6_DROP_MEMBERSHIP      13
#define IPV6_LEAVE_GROUP          13
#define IPV6_DONTFRAG             14
#define IPV6_PKTINFO              19
#define IPV6_HOPLIMIT             21
#define IPV6_PROTECTION_LEVEL     23
#define IPV6_RECVIF               24
#define IPV6_RECVDSTADDR          25
#define IPV6_CHECKSUM             26
#define IPV6_IFLIST               28
#define IPV6_ADD_IFLIST           29
#define IPV6_DEL_IFLIST           30
#define IPV6_UNICAST_IF           31
#define IPV6_RTHDR                32
#define IPV6_GET_IFLIST           33
#define IPV6_RECVRTHDR            38
#define IPV6_TCLASS               39
#define IPV6_RECVTCLASS           40
#define IPV6_ECN                  50
#define IPV6_PKTINFO_EX           51
#define IPV6_WFP_REDIRECT_RECORDS 60
#define IPV6_WFP_REDIRECT_CONTEXT 70
#define IPV6_MTU_DISCOVER         71
#define IPV6_MTU                  72
#define IPV6_NRT_INTERFACE        74
#define IPV6_RECVERR              75
#define IPV6_USER_MTU             76
#define IPV6_ADDRESS_BITS         128

/* --- both levels --- */
#define MCAST_JOIN_GROUP         41
#define MCAST_LEAVE_GROUP        42
#define MCAST_BLOCK_SOURCE       43
#define MCAST_UNBLOCK_SOURCE     44
#define MCAST_JOIN_SOURCE_GROUP  45
#define MCAST_LEAVE_SOURCE_GROUP 46

/* --- values of IPV6_PROTECTION_LEVEL --- */
#define PROTECTION_LEVEL_UNRESTRICTED   10
#define PROTECTION_LEVEL_EDGERESTRICTED 20
#define PROTECTION_LEVEL_RESTRICTED     30

/* --- level IPPROTO_TCP --- */
#define TCP_EXPEDITED_1122 2
#define TCP_KEEPALIVE      3 /* seconds */
#define TCP_KEEPIDLE       TCP_KEEPALIVE
#define TCP_MAXSEG         4
#define TCP_MAXRT          5
#define TCP_STDURG         6
#define TCP_NOURG          7
#define TCP_ATMARK         8
#define TCP_NOSYNRETRIES   9
#define TCP_TIMESTAMPS     10
#define TCP_FASTOPEN       15
#define TCP_KEEPCNT        16
#define TCP_KEEPINTVL      17 /* seconds */
#define TCP_BSDURGENT      0x7000

/* --- level IPPROTO_UDP --- */
#define UDP_NOCHECKSUM        1
#define UDP_CHECKSUM_COVERAGE 20

/* --- flags of calls and messages --- */
#define MSG_INTERRUPT      0x0010
#define MSG_MAXIOVLEN      0x0010
#define MSG_PUSH_IMMEDIATE 0x0020
#define MSG_BCAST          0x0400
#define MSG_MCAST          0x0800

/* --- addresses in host order --- */
#define ADDR_ANY INADDR_ANY

/* --- control codes --- */
#define FIOASYNC     0x8004667Du
#define IOCPARM_MASK 0x7F
#define IOC_PROTOCOL 0x10000000u
#define SIOCGHIWAT   0x40047301u
#define SIOCGLOWAT   0x40047303u
#define SIOCSHIWAT   0x80047300u
#define SIOCSLOWAT   0x80047302u

/* --- control codes of Winsock --- */
#define SIO_GET_INTERFACE_LIST_EX 0x4004747Eu
#define SIO_GET_INTERFACE_LIST    0x4004747Fu
#define SIO_GET_MULTICAST_FILTER  0x8004747Cu
#define SIO_SET_MULTICAST_FILTER  0x8004747Du
#define SIO_RCVALL                0x98000001u
#define SIO_RCVALL_MCAST          0x98000002u
#define SIO_RCVALL_IGMPMCAST      0x98000003u
#define SIO_ABSORB_RTRALERT       0x98000005u
#define SIO_UCAST_IF              0x98000006u
#define SIO_LIMIT_BROADCASTS      0x98000007u
#define SIO_INDEX_BIND            0x98000008u
#define SIO_INDEX_MCASTIF         0x98000009u
#define SIO_INDEX_ADD_MCAST       0x9800000Au
#define SIO_INDEX_DEL_MCAST       0x9800000Bu
#define SIO_UDP_CONNRESET         0x9800000Cu
#define SIO_RCVALL_MCAST_IF       0x9800000Du
#define SIO_RCVALL_IF             0x9800000Eu
#define SIO_LOOPBACK_FAST_PATH    0x98000010u
#define SIO_TCP_INITIAL_RTO       0x98000011u
#define SIO_TCP_SET_ICW           0x98000016u
#define SIO_TCP_SET_ACK_FREQUENCY 0x98000017u

/* --- flags of an interface (SIO_GET_INTERFACE_LIST) --- */
#define IFF_UP           0x01
#define IFF_BROADCAST    0x02
#define IFF_LOOPBACK     0x04
#define IFF_POINTTOPOINT 0x08
#define IFF_MULTICAST    0x10

/* --- text of addresses: with port, brackets and scope --- */
#define INET_ADDRSTRLEN  22
#define INET6_ADDRSTRLEN 65

/* --- names of hosts and services --- */
#define MAXGETHOSTSTRUCT          1024
#define GAI_STRERROR_BUFFER_SIZE  1024
#define AI_NON_AUTHORITATIVE      0x04000
#define AI_SECURE                 0x08000
#define AI_RETURN_PREFERRED_NAMES 0x10000
#define AI_FQDN                   0x20000
#define AI_FILESERVER             0x40000
#define HOST_NOT_FOUND            WSAHOST_NOT_FOUND
#define TRY_AGAIN                 WSATRY_AGAIN
#define NO_RECOVERY               WSANO_RECOVERY
#define NO_DATA                   WSANO_DATA
#define WSANO_ADDRESS             WSANO_DATA
#define NO_ADDRESS                WSANO_ADDRESS

/* --- creating sockets --- */
#define WSA_FLAG_ACCESS_SYSTEM_SECURITY 0x40
#define WSA_FLAG_REGISTERED_IO          0x100
#define WINSOCK_VERSION                 MAKEWORD(2, 2)

/* --- elements and flags of TransmitPackets, DisconnectEx --- */
#define TP_ELEMENT_MEMORY     1
#define TP_ELEMENT_FILE       2
#define TP_ELEMENT_EOP        4
#define TP_DISCONNECT         TF_DISCONNECT
#define TP_REUSE_SOCKET       TF_REUSE_SOCKET
#define TP_USE_DEFAULT_WORKER TF_USE_DEFAULT_WORKER
#define TP_USE_SYSTEM_THREAD  TF_USE_SYSTEM_THREAD
#define TP_USE_KERNEL_APC     TF_USE_KERNEL_APC
#define DE_REUSE_SOCKET       TF_REUSE_SOCKET

#endif
