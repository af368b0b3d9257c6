/* extensions.c - the extension functions that mswsock.h offers by name. Each asks the switch for its own, as mswsock.dll does. */
#include "app/app.h"

#include "spi/extensions.h"

/* The function of that GUID for this socket; false, and the last error: there is none. */
static bool find(SOCKET s, GUID id, void *out, DWORD out_bytes)
{
    DWORD returned = 0;

    return WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof(id), out, out_bytes, &returned, NULL,
                    NULL) == 0;
}

BOOL WSAAPI AcceptEx(SOCKET listener, SOCKET into, PVOID buffer, DWORD receive_bytes, DWORD local_bytes,
                     DWORD remote_bytes, LPDWORD received, LPOVERLAPPED ov)
{
    static const GUID id = WSAID_ACCEPTEX;
    LPFN_ACCEPTEX fn;

    return find(listener, id, &fn, sizeof(fn)) &&
           fn(listener, into, buffer, receive_bytes, local_bytes, remote_bytes, received, ov);
}

BOOL WSAAPI TransmitFile(SOCKET s, HANDLE file, DWORD bytes, DWORD bytes_per_send, LPOVERLAPPED ov,
                         LPTRANSMIT_FILE_BUFFERS buffers, DWORD flags)
{
    static const GUID id = WSAID_TRANSMITFILE;
    LPFN_TRANSMITFILE fn;

    return find(s, id, &fn, sizeof(fn)) && fn(s, file, bytes, bytes_per_send, ov, buffers, flags);
}

/* It is given no socket, so it cannot be asked for; the switch that filled the buffer is linked in. */
VOID WSAAPI GetAcceptExSockaddrs(PVOID buffer, DWORD receive_bytes, DWORD local_bytes, DWORD remote_bytes,
                                 struct sockaddr **local, LPINT local_used, struct sockaddr **remote,
                                 LPINT remote_used)
{
    sw_spi_get_accept_ex_sockaddrs(buffer, receive_bytes, local_bytes, remote_bytes, local, local_used,
                                   remote, remote_used);
}
