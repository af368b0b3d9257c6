/* ansi.c - the functions with catalog entries whose name is of bytes: those of WCHARs with the entry in the other form. Names in the catalog are
 * plain letters. */
#include "app/app.h"

_Static_assert(offsetof(WSAPROTOCOL_INFOA, szProtocol) == offsetof(WSAPROTOCOL_INFOW, szProtocol),
               "the names come last");

static LPWSAPROTOCOL_INFOW widen(const WSAPROTOCOL_INFOA *from, LPWSAPROTOCOL_INFOW to)
{
    if (from == NULL)
        return NULL;
    memcpy(to, from, offsetof(WSAPROTOCOL_INFOA, szProtocol));
    for (unsigned i = 0; i <= WSAPROTOCOL_LEN; i++)
        to->szProtocol[i] = (WCHAR)(unsigned char)from->szProtocol[i];
    return to;
}

static void narrow(const WSAPROTOCOL_INFOW *from, LPWSAPROTOCOL_INFOA to)
{
    memcpy(to, from, offsetof(WSAPROTOCOL_INFOA, szProtocol));
    for (unsigned i = 0; i <= WSAPROTOCOL_LEN; i++)
        to->szProtocol[i] = (CHAR)(from->szProtocol[i] < 0x80 ? from->szProtocol[i] : '?');
}

SOCKET WSAAPI WSASocketA(int af, int type, int protocol, LPWSAPROTOCOL_INFOA info, GROUP g, DWORD flags)
{
    WSAPROTOCOL_INFOW wide;

    return WSASocketW(af, type, protocol, widen(info, &wide), g, flags);
}

int WSAAPI WSADuplicateSocketA(SOCKET s, DWORD process, LPWSAPROTOCOL_INFOA info)
{
    WSAPROTOCOL_INFOW wide;
    int result = WSADuplicateSocketW(s, process, info != NULL ? &wide : NULL);

    if (result == 0)
        narrow(&wide, info);
    return result;
}

int WSAAPI WSAEnumProtocolsA(LPINT protocols, LPWSAPROTOCOL_INFOA out, LPDWORD out_bytes)
{
    WSAPROTOCOL_INFOW all[WS2_PROTOCOL_COUNT];
    DWORD room = sizeof(all), needed;
    int count;

    if (out_bytes == NULL)
        return ws2_down() == NULL ? SOCKET_ERROR : ws2_fail(WSAEFAULT);
    count = WSAEnumProtocolsW(protocols, all, &room);
    if (count == SOCKET_ERROR)
        return SOCKET_ERROR;
    needed = (DWORD)((size_t)count * sizeof(*out));
    if (out == NULL || *out_bytes < needed) {
        *out_bytes = needed;
        return ws2_fail(WSAENOBUFS);
    }
    for (int i = 0; i < count; i++)
        narrow(&all[i], &out[i]);
    return count;
}

/* --- addresses as text --- */

#define TEXT_MAX 128 /* units of an address as text, the longest form of IPv6 with scope and port included */

INT WSAAPI WSAStringToAddressA(LPSTR text, INT af, LPWSAPROTOCOL_INFOA info, LPSOCKADDR out, LPINT out_bytes)
{
    WSAPROTOCOL_INFOW wide_info;
    WCHAR wide[TEXT_MAX];
    size_t i;

    if (text == NULL)
        return WSAStringToAddressW(NULL, af, NULL, out, out_bytes);
    for (i = 0; text[i] != '\0' && i < TEXT_MAX - 1; i++)
        wide[i] = (WCHAR)(unsigned char)text[i];
    if (text[i] != '\0')
        return ws2_down() == NULL ? SOCKET_ERROR : ws2_fail(WSAEINVAL); /* no address is as long */
    wide[i] = 0;
    return WSAStringToAddressW(wide, af, widen(info, &wide_info), out, out_bytes);
}

INT WSAAPI WSAAddressToStringA(LPSOCKADDR address, DWORD bytes, LPWSAPROTOCOL_INFOA info, LPSTR text,
                               LPDWORD length)
{
    WSAPROTOCOL_INFOW wide_info;
    WCHAR wide[TEXT_MAX];
    DWORD room = TEXT_MAX;

    if (length == NULL || text == NULL)
        return ws2_down() == NULL ? SOCKET_ERROR : ws2_fail(WSAEFAULT);
    if (WSAAddressToStringW(address, bytes, widen(info, &wide_info), wide, &room) != 0)
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
