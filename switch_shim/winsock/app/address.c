/* address.c - byte order, and addresses as text. Text with ports (WSAStringToAddress and its reverse) is the
 * switch's. */
#include "app/app.h"

#include "app/ntoa.h"

/* By the bytes in memory, so that the same code is right on machines of either order. */
USHORT WSAAPI ws2_swap16(USHORT value)
{
    const unsigned char bytes[2] = {(unsigned char)(value >> 8), (unsigned char)value};
    USHORT out;

    memcpy(&out, bytes, sizeof(out));
    return out;
}

ULONG WSAAPI ws2_swap32(ULONG value)
{
    const unsigned char bytes[4] = {(unsigned char)(value >> 24), (unsigned char)(value >> 16),
                                    (unsigned char)(value >> 8), (unsigned char)value};
    ULONG out;

    memcpy(&out, bytes, sizeof(out));
    return out;
}

/* winsock2.h has structures of its own where Windows has more names for the same bytes. */
_Static_assert(sizeof(struct in_addr) == sizeof(WSD_IN_ADDR), "one form");
_Static_assert(sizeof(struct sockaddr_in) == sizeof(WSD_SOCKADDR_IN), "one form");
_Static_assert(offsetof(struct sockaddr_in, sin_addr) == offsetof(WSD_SOCKADDR_IN, sin_addr), "one form");
_Static_assert(sizeof(struct linger) == sizeof(WSD_LINGER), "one form");
_Static_assert(sizeof(struct timeval) == sizeof(WSD_TIMEVAL), "one form");

/* Of the network that the socket is in: all protocols here have the order of the Internet. False, and the last error: no socket or no memory. */
static bool may_order(SOCKET s, const void *out)
{
    if (ws2_down() == NULL)
        return false;
    if (ws2_handle_is_open(s) && out != NULL)
        return true;
    (void)ws2_fail_behind_handle(s, WSAEFAULT);
    return false;
}

int WSAAPI WSAHtonl(SOCKET s, u_long value, u_long *out)
{
    if (!may_order(s, out))
        return SOCKET_ERROR;
    *out = ws2_swap32(value);
    return 0;
}

int WSAAPI WSANtohl(SOCKET s, u_long value, u_long *out)
{
    return WSAHtonl(s, value, out);
}

int WSAAPI WSAHtons(SOCKET s, u_short value, u_short *out)
{
    if (!may_order(s, out))
        return SOCKET_ERROR;
    *out = ws2_swap16(value);
    return 0;
}

int WSAAPI WSANtohs(SOCKET s, u_short value, u_short *out)
{
    return WSAHtons(s, value, out);
}

char *WSAAPI inet_ntoa(struct in_addr address)
{
    return ws2_os_ntoa(&address);
}

int WSAAPI gethostname(char *name, int bytes)
{
    int code;

    if (ws2_down() == NULL)
        return SOCKET_ERROR;
    code = name == NULL || bytes <= 0 ? WSAEFAULT : ws2_os_host_name(name, (size_t)bytes);
    return code == 0 ? 0 : ws2_fail(code);
}

/* --- WSAStringToAddress, WSAAddressToString --- */

INT WSAAPI WSAStringToAddressW(LPWSTR text, INT af, LPWSAPROTOCOL_INFOW info, LPSOCKADDR out, LPINT out_bytes)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    if (down == NULL)
        return SOCKET_ERROR;
    if (text == NULL)
        return ws2_fail(WSAEINVAL);
    if (out == NULL || out_bytes == NULL)
        return ws2_fail(WSAEFAULT);
    return ws2_answer(down->lpWSPStringToAddress(text, af, info, out, out_bytes, &code), &code);
}

INT WSAAPI WSAAddressToStringW(LPSOCKADDR address, DWORD bytes, LPWSAPROTOCOL_INFOW info, LPWSTR text,
                               LPDWORD length)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    if (down == NULL)
        return SOCKET_ERROR;
    if (address == NULL || text == NULL || length == NULL)
        return ws2_fail(WSAEFAULT);
    return ws2_answer(down->lpWSPAddressToString(address, bytes, info, text, length, &code), &code);
}
