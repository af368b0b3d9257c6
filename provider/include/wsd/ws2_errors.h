/* ws2_errors.h - Winsock error numbers and the few Win32 codes behind them.
 * Layer:   provider; included through ws2_types.h, never on Windows.
 * Owns:    the numbers only; what a failure means to the switch is decided in provider/base/error.c.
 * Source:  contract section 3.10; the codes it does not list come from the Winsock error reference. */
#ifndef WSD_WS2_ERRORS_H
#define WSD_WS2_ERRORS_H

#ifdef _WIN32
#error "on Windows include wsd/ws2_types.h"
#endif

/* Win32 codes. */
#define ERROR_SUCCESS             0
#define ERROR_ACCESS_DENIED       5
#define ERROR_INVALID_HANDLE      6
#define ERROR_NOT_ENOUGH_MEMORY   8
#define ERROR_NOT_SUPPORTED       50
#define ERROR_NETNAME_DELETED     64
#define ERROR_INVALID_PARAMETER   87
#define ERROR_SEM_TIMEOUT         121
#define ERROR_INSUFFICIENT_BUFFER 122
#define ERROR_MORE_DATA           234
#define ERROR_OPERATION_ABORTED   995
#define ERROR_IO_INCOMPLETE       996
#define ERROR_IO_PENDING          997
#define ERROR_NOT_FOUND           1168
#define ERROR_CONNECTION_REFUSED  1225
#define ERROR_NETWORK_UNREACHABLE 1231
#define ERROR_HOST_UNREACHABLE    1232
#define ERROR_PORT_UNREACHABLE    1234
#define ERROR_CONNECTION_ABORTED  1236

/* Winsock names for Win32 codes. */
#define WSA_INVALID_HANDLE    ERROR_INVALID_HANDLE
#define WSA_NOT_ENOUGH_MEMORY ERROR_NOT_ENOUGH_MEMORY
#define WSA_INVALID_PARAMETER ERROR_INVALID_PARAMETER
#define WSA_OPERATION_ABORTED ERROR_OPERATION_ABORTED
#define WSA_IO_INCOMPLETE     ERROR_IO_INCOMPLETE
#define WSA_IO_PENDING        ERROR_IO_PENDING

#define WSABASEERR 10000

#define WSAEINTR           10004
#define WSAEBADF           10009
#define WSAEACCES          10013
#define WSAEFAULT          10014
#define WSAEINVAL          10022
#define WSAEMFILE          10024
#define WSAEWOULDBLOCK     10035
#define WSAEINPROGRESS     10036
#define WSAEALREADY        10037
#define WSAENOTSOCK        10038
#define WSAEDESTADDRREQ    10039
#define WSAEMSGSIZE        10040
#define WSAEPROTOTYPE      10041
#define WSAENOPROTOOPT     10042
#define WSAEPROTONOSUPPORT 10043
#define WSAESOCKTNOSUPPORT 10044
#define WSAEOPNOTSUPP      10045
#define WSAEPFNOSUPPORT    10046
#define WSAEAFNOSUPPORT    10047
#define WSAEADDRINUSE      10048
#define WSAEADDRNOTAVAIL   10049
#define WSAENETDOWN        10050
#define WSAENETUNREACH     10051
#define WSAENETRESET       10052
#define WSAECONNABORTED    10053
#define WSAECONNRESET      10054
#define WSAENOBUFS         10055
#define WSAEISCONN         10056
#define WSAENOTCONN        10057
#define WSAESHUTDOWN       10058
#define WSAETOOMANYREFS    10059
#define WSAETIMEDOUT       10060
#define WSAECONNREFUSED    10061
#define WSAELOOP           10062
#define WSAENAMETOOLONG    10063
#define WSAEHOSTDOWN       10064
#define WSAEHOSTUNREACH    10065
#define WSAENOTEMPTY       10066
#define WSAEPROCLIM        10067
#define WSAEUSERS          10068
#define WSAEDQUOT          10069
#define WSAESTALE          10070
#define WSAEREMOTE         10071

#define WSASYSNOTREADY         10091
#define WSAVERNOTSUPPORTED     10092
#define WSANOTINITIALISED      10093
#define WSAEDISCON             10101
#define WSAENOMORE             10102
#define WSAECANCELLED          10103
#define WSAEINVALIDPROCTABLE   10104
#define WSAEINVALIDPROVIDER    10105
#define WSAEPROVIDERFAILEDINIT 10106
#define WSASYSCALLFAILURE      10107
#define WSASERVICE_NOT_FOUND   10108
#define WSATYPE_NOT_FOUND      10109
#define WSA_E_NO_MORE          10110
#define WSA_E_CANCELLED        10111
#define WSAEREFUSED            10112

#define WSAHOST_NOT_FOUND 11001
#define WSATRY_AGAIN      11002
#define WSANO_RECOVERY    11003
#define WSANO_DATA        11004

#endif
