/* address.c - byte order, and addresses as text. Text with ports (WSAStringToAddress and its reverse) is the switch's. */
#include "app/app.h"

#include "app/ntoa.h"

#define TEXT_MAX 128 /* units of an address as text, the longest form of IPv6 with scope and port included */

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

INT WSAAPI WSAStringToAddressA(LPSTR text, INT af, LPWSAPROTOCOL_INFOW info, LPSOCKADDR out, LPINT out_bytes)
{
    WCHAR wide[TEXT_MAX];
    size_t i;

    if (text == NULL)
        return WSAStringToAddressW(NULL, af, info, out, out_bytes);
    for (i = 0; text[i] != '\0' && i < TEXT_MAX - 1; i++)
        wide[i] = (WCHAR)(unsigned char)text[i];
    if (text[i] != '\0')
        return ws2_down() == NULL ? SOCKET_ERROR : ws2_fail(WSAEINVAL); /* no address is as long */
    wide[i] = 0;
    return WSAStringToAddressW(wide, af, info, out, out_bytes);
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

INT WSAAPI WSAAddressToStringA(LPSOCKADDR address, DWORD bytes, LPWSAPROTOCOL_INFOW info, LPSTR text,
                               LPDWORD length)
{
    WCHAR wide[TEXT_MAX];
    DWORD room = TEXT_MAX;

    if (length == NULL || text == NULL)
        return ws2_down() == NULL ? SOCKET_ERROR : ws2_fail(WSAEFAULT);
    if (WSAAddressToStringW(address, bytes, info, wide, &room) != 0)
        return SOCKET_ERROR;
    if (*length < room) { /* with the terminator */
        *length = room;
        return ws2_fail(WSAEFAULT);
    }
    for (DWORD i = 0; i < room; i++)
        text[i] = (char)wide[i];
    *length = room;
    return 0;
}
