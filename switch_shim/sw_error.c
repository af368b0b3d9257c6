/* sw_error.c - Winsock codes by name, and addresses as text. For messages and tests. */
#include "sw_internal.h"

#include <stdio.h>
#include <string.h>

#define CODE(name)                                                                                           \
    {                                                                                                        \
        name, #name                                                                                          \
    }

static const struct {
    int code;
    const char *name;
} codes[] = {
    CODE(WSA_INVALID_HANDLE),
    CODE(WSA_NOT_ENOUGH_MEMORY),
    CODE(WSA_INVALID_PARAMETER),
    CODE(WSA_OPERATION_ABORTED),
    CODE(WSA_IO_INCOMPLETE),
    CODE(WSA_IO_PENDING),
    CODE(WSAEINTR),
    CODE(WSAEBADF),
    CODE(WSAEACCES),
    CODE(WSAEFAULT),
    CODE(WSAEINVAL),
    CODE(WSAEMFILE),
    CODE(WSAEWOULDBLOCK),
    CODE(WSAEINPROGRESS),
    CODE(WSAEALREADY),
    CODE(WSAENOTSOCK),
    CODE(WSAEDESTADDRREQ),
    CODE(WSAEMSGSIZE),
    CODE(WSAEPROTOTYPE),
    CODE(WSAENOPROTOOPT),
    CODE(WSAEPROTONOSUPPORT),
    CODE(WSAESOCKTNOSUPPORT),
    CODE(WSAEOPNOTSUPP),
    CODE(WSAEPFNOSUPPORT),
    CODE(WSAEAFNOSUPPORT),
    CODE(WSAEADDRINUSE),
    CODE(WSAEADDRNOTAVAIL),
    CODE(WSAENETDOWN),
    CODE(WSAENETUNREACH),
    CODE(WSAENETRESET),
    CODE(WSAECONNABORTED),
    CODE(WSAECONNRESET),
    CODE(WSAENOBUFS),
    CODE(WSAEISCONN),
    CODE(WSAENOTCONN),
    CODE(WSAESHUTDOWN),
    CODE(WSAETIMEDOUT),
    CODE(WSAECONNREFUSED),
    CODE(WSAEHOSTDOWN),
    CODE(WSAEHOSTUNREACH),
    CODE(WSAEPROCLIM),
    CODE(WSASYSNOTREADY),
    CODE(WSAVERNOTSUPPORTED),
    CODE(WSANOTINITIALISED),
    CODE(WSAEDISCON),
    CODE(WSAEINVALIDPROCTABLE),
    CODE(WSAEINVALIDPROVIDER),
    CODE(WSAEPROVIDERFAILEDINIT),
    CODE(WSASYSCALLFAILURE),
    CODE(WSATRY_AGAIN),
    CODE(WSANO_RECOVERY),
};

const char *sw_error_name(int wsa_error)
{
    if (wsa_error == 0)
        return "0";
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].code == wsa_error)
            return codes[i].name;
    return "?";
}

int sw_parse_address(const char *text, WSD_SOCKADDR_IN *out)
{
    unsigned byte[4];
    unsigned port = 0;
    int after_address = 0;
    int after_port = 0;
    unsigned char *raw_address = (unsigned char *)&out->sin_addr.s_addr;
    unsigned char *raw_port = (unsigned char *)&out->sin_port;

    if (sscanf(text, "%3u.%3u.%3u.%3u%n", &byte[0], &byte[1], &byte[2], &byte[3], &after_address) != 4)
        return WSAEINVAL;
    text += after_address;
    if (*text == ':') {
        if (sscanf(text + 1, "%5u%n", &port, &after_port) != 1)
            return WSAEINVAL;
        text += 1 + after_port;
    }
    if (*text != '\0' || port > 65535 || byte[0] > 255 || byte[1] > 255 || byte[2] > 255 || byte[3] > 255)
        return WSAEINVAL;
    memset(out, 0, sizeof(*out));
    out->sin_family = WS_AF_INET;
    for (int i = 0; i < 4; i++)
        raw_address[i] = (unsigned char)byte[i];
    raw_port[0] = (unsigned char)(port >> 8);
    raw_port[1] = (unsigned char)port;
    return 0;
}

const char *sw_format_address(const WSD_SOCKADDR_IN *a, char *text, size_t text_bytes)
{
    const unsigned char *b = (const unsigned char *)&a->sin_addr.s_addr;
    const unsigned char *port = (const unsigned char *)&a->sin_port;

    snprintf(text, text_bytes, "%u.%u.%u.%u:%u", b[0], b[1], b[2], b[3], port[0] * 256u + port[1]);
    return text;
}
