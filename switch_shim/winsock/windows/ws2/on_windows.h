/* on_windows.h - our Winsock for programs of Windows: the system's headers, then our names for their functions.
 * Layer:   switch_shim/winsock. To be included first of all (-include), also by the sources of app/: a program is unchanged, and linked
 *          with ws2_static instead of ws2_32 gets the switch of wsdswitch.dll.
 * Who:     tests. An application of Windows gets the switch through the catalog, or uses sw/switch.h.
 * What:    the functions that know a socket, those of kernel32 among them that take one for a HANDLE. What knows none (events, ports, waits,
 *          threads, byte order, names of hosts) is the system's: objects of an application are the kernel's.
 * Source:  the Winsock reference; ws2/names.h does the same on Linux. */
#ifndef WS2_ON_WINDOWS_H
#define WS2_ON_WINDOWS_H

#include "wsd/ws2_types.h" /* winsock2.h, ws2tcpip.h, mswsock.h, windows.h in their order */

#define AcceptEx                           ws2_AcceptEx
#define CancelIo                           ws2_CancelIo
#define CancelIoEx                         ws2_CancelIoEx
#define CreateIoCompletionPort             ws2_CreateIoCompletionPort
#define GetAcceptExSockaddrs               ws2_GetAcceptExSockaddrs
#define GetOverlappedResult                ws2_GetOverlappedResult
#define ReadFile                           ws2_ReadFile
#define SetFileCompletionNotificationModes ws2_SetFileCompletionNotificationModes
#define TransmitFile                       ws2_TransmitFile
#define WSAAccept                          ws2_WSAAccept
#define WSAAddressToStringA                ws2_WSAAddressToStringA
#define WSAAddressToStringW                ws2_WSAAddressToStringW
#define WSACleanup                         ws2_WSACleanup
#define WSAConnect                         ws2_WSAConnect
#define WSADuplicateSocketA                ws2_WSADuplicateSocketA
#define WSADuplicateSocketW                ws2_WSADuplicateSocketW
#define WSAEnumNetworkEvents               ws2_WSAEnumNetworkEvents
#define WSAEnumProtocolsA                  ws2_WSAEnumProtocolsA
#define WSAEnumProtocolsW                  ws2_WSAEnumProtocolsW
#define WSAEventSelect                     ws2_WSAEventSelect
#define WSAGetLastError                    ws2_WSAGetLastError
#define WSAGetOverlappedResult             ws2_WSAGetOverlappedResult
#define WSAGetQOSByName                    ws2_WSAGetQOSByName
#define WSAHtonl                           ws2_WSAHtonl
#define WSAHtons                           ws2_WSAHtons
#define WSAIoctl                           ws2_WSAIoctl
#define WSAJoinLeaf                        ws2_WSAJoinLeaf
#define WSANtohl                           ws2_WSANtohl
#define WSANtohs                           ws2_WSANtohs
#define WSAPoll                            ws2_WSAPoll
#define WSARecv                            ws2_WSARecv
#define WSARecvDisconnect                  ws2_WSARecvDisconnect
#define WSARecvEx                          ws2_WSARecvEx
#define WSARecvFrom                        ws2_WSARecvFrom
#define WSASend                            ws2_WSASend
#define WSASendDisconnect                  ws2_WSASendDisconnect
#define WSASendTo                          ws2_WSASendTo
#define WSASetLastError                    ws2_WSASetLastError
#define WSASocketA                         ws2_WSASocketA
#define WSASocketW                         ws2_WSASocketW
#define WSAStartup                         ws2_WSAStartup
#define WSAStringToAddressA                ws2_WSAStringToAddressA
#define WSAStringToAddressW                ws2_WSAStringToAddressW
#define WriteFile                          ws2_WriteFile
#define accept                             ws2_accept
#define bind                               ws2_bind
#define closesocket                        ws2_closesocket
#define connect                            ws2_connect
#define gethostname                        ws2_gethostname
#define getpeername                        ws2_getpeername
#define getsockname                        ws2_getsockname
#define getsockopt                         ws2_getsockopt
#define inet_ntoa                          ws2_inet_ntoa
#define ioctlsocket                        ws2_ioctlsocket
#define listen                             ws2_listen
#define recv                               ws2_recv
#define recvfrom                           ws2_recvfrom
#define select                             ws2_select
#define send                               ws2_send
#define sendto                             ws2_sendto
#define setsockopt                         ws2_setsockopt
#define shutdown                           ws2_shutdown
#define socket                             ws2_socket
#define __WSAFDIsSet                       ws2___WSAFDIsSet

/* As in include/, which has their comments; without the import of the system's declarations. */
int WSAAPI __WSAFDIsSet(SOCKET s, fd_set *set);
SOCKET WSAAPI accept(SOCKET s, struct sockaddr *addr, int *addr_bytes);
BOOL WSAAPI AcceptEx(SOCKET listener, SOCKET into, PVOID buffer, DWORD receive_bytes, DWORD local_bytes,
                     DWORD remote_bytes, LPDWORD received, LPOVERLAPPED ov);
int WSAAPI bind(SOCKET s, const struct sockaddr *name, int name_bytes);
BOOL WINAPI CancelIo(HANDLE file);
BOOL WINAPI CancelIoEx(HANDLE file, LPOVERLAPPED ov);
int WSAAPI closesocket(SOCKET s);
int WSAAPI connect(SOCKET s, const struct sockaddr *name, int name_bytes);
HANDLE WINAPI CreateIoCompletionPort(HANDLE file, HANDLE port, ULONG_PTR key, DWORD threads);
VOID WSAAPI GetAcceptExSockaddrs(PVOID buffer, DWORD receive_bytes, DWORD local_bytes, DWORD remote_bytes,
                                 struct sockaddr **local, LPINT local_used, struct sockaddr **remote,
                                 LPINT remote_used);
int WSAAPI gethostname(char *name, int bytes);
BOOL WINAPI GetOverlappedResult(HANDLE file, LPOVERLAPPED ov, LPDWORD bytes, BOOL wait);
int WSAAPI getpeername(SOCKET s, struct sockaddr *name, int *name_bytes);
int WSAAPI getsockname(SOCKET s, struct sockaddr *name, int *name_bytes);
int WSAAPI getsockopt(SOCKET s, int level, int option, char *value, int *value_bytes);
char *WSAAPI inet_ntoa(struct in_addr address);
int WSAAPI ioctlsocket(SOCKET s, LONG command, u_long *argument);
int WSAAPI listen(SOCKET s, int backlog);
BOOL WINAPI ReadFile(HANDLE file, LPVOID data, DWORD bytes, LPDWORD got, LPOVERLAPPED ov);
int WSAAPI recv(SOCKET s, char *data, int bytes, int flags);
int WSAAPI recvfrom(SOCKET s, char *data, int bytes, int flags, struct sockaddr *from, int *from_bytes);
int WSAAPI select(int nfds, fd_set *read, fd_set *write, fd_set *except, const struct timeval *timeout);
int WSAAPI send(SOCKET s, const char *data, int bytes, int flags);
int WSAAPI sendto(SOCKET s, const char *data, int bytes, int flags, const struct sockaddr *to, int to_bytes);
BOOL WINAPI SetFileCompletionNotificationModes(HANDLE file, UCHAR flags);
int WSAAPI setsockopt(SOCKET s, int level, int option, const char *value, int value_bytes);
int WSAAPI shutdown(SOCKET s, int how);
SOCKET WSAAPI socket(int af, int type, int protocol);
BOOL WSAAPI TransmitFile(SOCKET s, HANDLE file, DWORD bytes, DWORD bytes_per_send, LPOVERLAPPED ov,
                         LPTRANSMIT_FILE_BUFFERS buffers, DWORD flags);
BOOL WINAPI WriteFile(HANDLE file, LPCVOID data, DWORD bytes, LPDWORD written, LPOVERLAPPED ov);
SOCKET WSAAPI WSAAccept(SOCKET s, struct sockaddr *addr, LPINT addr_bytes, LPCONDITIONPROC condition,
                        DWORD_PTR data);
INT WSAAPI WSAAddressToStringA(LPSOCKADDR address, DWORD bytes, LPWSAPROTOCOL_INFOA info, LPSTR text,
                               LPDWORD length);
INT WSAAPI WSAAddressToStringW(LPSOCKADDR address, DWORD bytes, LPWSAPROTOCOL_INFOW info, LPWSTR text,
                               LPDWORD length);
int WSAAPI WSACleanup(void);
int WSAAPI WSAConnect(SOCKET s, const struct sockaddr *name, int name_bytes, LPWSABUF caller, LPWSABUF callee,
                      LPQOS sqos, LPQOS gqos);
int WSAAPI WSADuplicateSocketA(SOCKET s, DWORD process, LPWSAPROTOCOL_INFOA info);
int WSAAPI WSADuplicateSocketW(SOCKET s, DWORD process, LPWSAPROTOCOL_INFOW info);
int WSAAPI WSAEnumNetworkEvents(SOCKET s, WSAEVENT event, LPWSANETWORKEVENTS out);
int WSAAPI WSAEnumProtocolsA(LPINT protocols, LPWSAPROTOCOL_INFOA out, LPDWORD out_bytes);
int WSAAPI WSAEnumProtocolsW(LPINT protocols, LPWSAPROTOCOL_INFOW out, LPDWORD out_bytes);
int WSAAPI WSAEventSelect(SOCKET s, WSAEVENT event, LONG network_events);
int WSAAPI WSAGetLastError(void);
BOOL WSAAPI WSAGetOverlappedResult(SOCKET s, LPWSAOVERLAPPED ov, LPDWORD bytes, BOOL wait, LPDWORD flags);
BOOL WSAAPI WSAGetQOSByName(SOCKET s, LPWSABUF name, LPQOS qos);
int WSAAPI WSAHtonl(SOCKET s, u_long value, u_long *out);
int WSAAPI WSAHtons(SOCKET s, u_short value, u_short *out);
int WSAAPI WSAIoctl(SOCKET s, DWORD code, LPVOID in, DWORD in_bytes, LPVOID out, DWORD out_bytes,
                    LPDWORD returned, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
SOCKET WSAAPI WSAJoinLeaf(SOCKET s, const struct sockaddr *name, int name_bytes, LPWSABUF caller,
                          LPWSABUF callee, LPQOS sqos, LPQOS gqos, DWORD flags);
int WSAAPI WSANtohl(SOCKET s, u_long value, u_long *out);
int WSAAPI WSANtohs(SOCKET s, u_short value, u_short *out);
int WSAAPI WSAPoll(LPWSAPOLLFD fds, ULONG count, INT timeout_ms);
int WSAAPI WSARecv(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD got, LPDWORD flags, LPWSAOVERLAPPED ov,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
int WSAAPI WSARecvDisconnect(SOCKET s, LPWSABUF data);
int WSAAPI WSARecvEx(SOCKET s, char *data, int bytes, int *flags);
int WSAAPI WSARecvFrom(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD got, LPDWORD flags,
                       struct sockaddr *from, LPINT from_bytes, LPWSAOVERLAPPED ov,
                       LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
int WSAAPI WSASend(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags, LPWSAOVERLAPPED ov,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
int WSAAPI WSASendDisconnect(SOCKET s, LPWSABUF data);
int WSAAPI WSASendTo(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags,
                     const struct sockaddr *to, int to_bytes, LPWSAOVERLAPPED ov,
                     LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
void WSAAPI WSASetLastError(int code);
SOCKET WSAAPI WSASocketA(int af, int type, int protocol, LPWSAPROTOCOL_INFOA info, GROUP g, DWORD flags);
SOCKET WSAAPI WSASocketW(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags);
int WSAAPI WSAStartup(WORD version, LPWSADATA data);
INT WSAAPI WSAStringToAddressA(LPSTR text, INT af, LPWSAPROTOCOL_INFOA info, LPSOCKADDR out, LPINT out_bytes);
INT WSAAPI WSAStringToAddressW(LPWSTR text, INT af, LPWSAPROTOCOL_INFOW info, LPSOCKADDR out,
                               LPINT out_bytes);

/* What the headers of Linux have beside these, for the sources of app/. */
BOOL WINAPI ws2_is_completed(const OVERLAPPED *ov);
void WSAAPI ws2_fd_add(SOCKET s, fd_set *set, unsigned room);
void WSAAPI ws2_fd_remove(SOCKET s, fd_set *set);
USHORT WSAAPI ws2_swap16(USHORT value);
ULONG WSAAPI ws2_swap32(ULONG value);

#endif
