/* message.c - FormatMessageA: a text for the codes of Winsock, in our own words. Linux only.
 * Source: its page; the list of Winsock's codes. */
#include "app/app.h"

#include <stdio.h>

static const struct text {
    int code;
    const char *text;
} texts[] = {
    {0, "The operation succeeded."},
    {ERROR_FILE_NOT_FOUND, "There is no such file."},
    {ERROR_PATH_NOT_FOUND, "There is no such folder."},
    {ERROR_ACCESS_DENIED, "That is not allowed."},
    {ERROR_INVALID_HANDLE, "The handle is not valid."},
    {ERROR_NOT_ENOUGH_MEMORY, "There is not enough memory."},
    {ERROR_NETNAME_DELETED, "The other side has reset the connection."},
    {ERROR_INVALID_PARAMETER, "A parameter is not valid."},
    {WAIT_TIMEOUT, "The time for waiting is over."},
    {ERROR_OPERATION_ABORTED, "The operation was called off."},
    {ERROR_IO_INCOMPLETE, "The operation is still under way."},
    {ERROR_IO_PENDING, "The operation is under way."},
    {ERROR_NOT_FOUND, "There is no such thing."},
    {ERROR_CONNECTION_REFUSED, "The other side refused the connection."},
    {ERROR_CONNECTION_ABORTED, "The connection was ended on this side."},
    {WSAEINTR, "The call was interrupted."},
    {WSAEBADF, "The handle of a file is not valid."},
    {WSAEACCES, "The socket may not do that."},
    {WSAEFAULT, "An address is not in the memory of the program, or a length is too small."},
    {WSAEINVAL, "An argument, or the state of the socket, is not valid."},
    {WSAEMFILE, "Too many sockets are open."},
    {WSAEWOULDBLOCK, "The operation would have to wait."},
    {WSAEINPROGRESS, "A blocking call is under way."},
    {WSAEALREADY, "The operation is under way already."},
    {WSAENOTSOCK, "The handle is no socket."},
    {WSAEDESTADDRREQ, "An address to send to is needed."},
    {WSAEMSGSIZE, "The message is larger than the buffer or what can be sent."},
    {WSAEPROTOTYPE, "The protocol is not one of this type of socket."},
    {WSAENOPROTOOPT, "The option is unknown at this level."},
    {WSAEPROTONOSUPPORT, "The protocol is not known."},
    {WSAESOCKTNOSUPPORT, "The type of socket is not known in this family."},
    {WSAEOPNOTSUPP, "The socket does not have this operation."},
    {WSAEAFNOSUPPORT, "The family of addresses does not go with the protocol."},
    {WSAEADDRINUSE, "The address is in use."},
    {WSAEADDRNOTAVAIL, "The address is not one of this machine, or not valid."},
    {WSAENETDOWN, "The network is down."},
    {WSAENETUNREACH, "There is no way to the network."},
    {WSAENETRESET, "The connection was lost while it was kept alive."},
    {WSAECONNABORTED, "The connection was ended on this side."},
    {WSAECONNRESET, "The other side has reset the connection."},
    {WSAENOBUFS, "There is no memory for buffers."},
    {WSAEISCONN, "The socket is connected already."},
    {WSAENOTCONN, "The socket is not connected."},
    {WSAESHUTDOWN, "The socket was shut down in this direction."},
    {WSAETIMEDOUT, "The other side did not answer in time."},
    {WSAECONNREFUSED, "The other side refused the connection."},
    {WSAEHOSTDOWN, "The host is down."},
    {WSAEHOSTUNREACH, "There is no way to the host."},
    {WSASYSNOTREADY, "The network is not ready."},
    {WSAVERNOTSUPPORTED, "This version of Winsock is not there."},
    {WSANOTINITIALISED, "WSAStartup has not been called."},
    {WSAEDISCON, "The other side has begun to shut down."},
    {WSAENOMORE, "There is no more."},
    {WSAECANCELLED, "The call was called off."},
    {WSATYPE_NOT_FOUND, "The service or the class is not known."},
    {WSAHOST_NOT_FOUND, "There is no host of that name."},
    {WSATRY_AGAIN, "The name could not be looked up now."},
    {WSANO_RECOVERY, "The name could not be looked up."},
    {WSANO_DATA, "The name is valid and has no data of this kind."},
};

static const char *find_text(DWORD code)
{
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if ((DWORD)texts[i].code == code)
            return texts[i].text;
    return NULL;
}

static DWORD fail(DWORD code)
{
    SetLastError(code);
    return 0;
}

/* Into memory of the caller's or, where `buffer` is the place for a pointer, of LocalAlloc(). */
static DWORD give(const char *text, DWORD flags, LPSTR buffer, DWORD bytes)
{
    DWORD length = (DWORD)strlen(text);

    if ((flags & FORMAT_MESSAGE_ALLOCATE_BUFFER) != 0) {
        LPSTR own = LocalAlloc(LPTR, length + 1 > bytes ? length + 1 : bytes);

        if (own == NULL)
            return 0; /* LocalAlloc() has said why */
        memcpy(buffer, &own, sizeof(own));
        buffer = own;
    } else if (bytes <= length) {
        return fail(ERROR_INSUFFICIENT_BUFFER);
    }
    memcpy(buffer, text, length + 1);
    return length;
}

DWORD WINAPI FormatMessageA(DWORD flags, LPCVOID source, DWORD code, DWORD language, LPSTR buffer,
                            DWORD bytes, va_list *arguments)
{
    char line[128];
    const char *text = find_text(code);

    (void)source;
    (void)language;
    (void)arguments;
    if (buffer == NULL || (flags & FORMAT_MESSAGE_FROM_SYSTEM) == 0)
        return fail(ERROR_INVALID_PARAMETER);
    if (text == NULL)
        return fail(ERROR_MR_MID_NOT_FOUND);
    (void)snprintf(line, sizeof(line), "%s%s", text,
                   (flags & FORMAT_MESSAGE_MAX_WIDTH_MASK) == 0 ? "\r\n" : " "); /* lines end so there */
    return give(line, flags, buffer, bytes);
}
