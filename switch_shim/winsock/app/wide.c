/* wide.c - names and addresses in text of WCHARs: the functions for bytes with the text in the other form, UTF-16 there and UTF-8 here.
 * Linux only: on Windows the system has them, which know no socket.
 * Source: the pages of GetAddrInfoW, GetNameInfoW, InetPtonW, InetNtopW, GetHostNameW; RFC 3629, 3. */
#include "app/app.h"

#include <stdlib.h>

#define NAME_BYTES (NI_MAXHOST * 3) /* a unit of UTF-16 is three bytes of UTF-8 at most */

/* --- text --- */

/* The character there, and how many units it has; 0: half a pair. */
static unsigned take_wide(const WCHAR *at, uint32_t *character)
{
    *character = at[0];
    if ((at[0] & 0xF800u) != 0xD800u)
        return 1;
    if ((at[0] & 0xFC00u) != 0xD800u || (at[1] & 0xFC00u) != 0xDC00u)
        return 0;
    *character = 0x10000u + ((at[0] & 0x3FFu) << 10) + (at[1] & 0x3FFu);
    return 2;
}

static unsigned put_utf8(uint32_t character, char out[4])
{
    static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
    unsigned bytes = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

    for (unsigned i = bytes; i-- > 1; character >>= 6)
        out[i] = (char)(0x80u | (character & 0x3Fu));
    out[0] = (char)(first[bytes == 1 ? 0 : bytes] | character);
    return bytes;
}

/* False: it has no such text, or there is no room. */
static bool narrow(const WCHAR *from, char *to, size_t room)
{
    uint32_t character;
    unsigned units;
    char one[4];

    for (; *from != 0; from += units) {
        unsigned bytes;

        units = take_wide(from, &character);
        if (units == 0)
            return false;
        bytes = put_utf8(character, one);
        if (bytes >= room)
            return false;
        memcpy(to, one, bytes);
        to += bytes;
        room -= bytes;
    }
    *to = '\0';
    return true;
}

/* What comes from the C library; a byte that is no UTF-8 becomes U+FFFD. */
static unsigned take_utf8(const unsigned char *at, uint32_t *character)
{
    unsigned bytes = at[0] < 0x80 ? 1 : at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : at[0] >= 0xC2 ? 2 : 0;

    *character = bytes == 1 ? at[0] : at[0] & (0x7Fu >> bytes);
    for (unsigned i = 1; i < bytes; i++) {
        if ((at[i] & 0xC0u) != 0x80u)
            bytes = 0;
        else
            *character = *character << 6 | (at[i] & 0x3Fu);
    }
    if (bytes != 0 && *character <= 0x10FFFF)
        return bytes;
    *character = 0xFFFD;
    return 1;
}

/* `room` counts units, the end included; more are needed: false. */
static bool widen(const char *from, WCHAR *to, size_t room)
{
    uint32_t character;

    for (const unsigned char *at = (const unsigned char *)from; *at != 0;) {
        at += take_utf8(at, &character);
        if (room <= (character >= 0x10000u ? 2u : 1u))
            return false;
        if (character >= 0x10000u) {
            *to++ = (WCHAR)(0xD800u + ((character - 0x10000u) >> 10));
            character = 0xDC00u + (character & 0x3FFu);
            room--;
        }
        *to++ = (WCHAR)character;
        room--;
    }
    if (room == 0)
        return false;
    *to = 0;
    return true;
}

/* --- addresses --- */

INT WSAAPI InetPtonW(INT af, PCWSTR text, PVOID out)
{
    char narrow_text[INET6_ADDRSTRLEN];

    if (text == NULL)
        return inet_pton(af, NULL, out);
    return narrow(text, narrow_text, sizeof(narrow_text))
               ? inet_pton(af, narrow_text, out)
               : inet_pton(af, "", out); /* of that length there is none */
}

PCWSTR WSAAPI InetNtopW(INT af, const void *address, PWSTR text, size_t units)
{
    char narrow_text[INET6_ADDRSTRLEN];

    if (inet_ntop(af, address, narrow_text, sizeof(narrow_text)) == NULL)
        return NULL;
    if (text != NULL && widen(narrow_text, text, units))
        return text;
    (void)ws2_fail(WSA_INVALID_PARAMETER);
    return NULL;
}

/* --- hosts and services --- */

int WSAAPI GetHostNameW(PWSTR name, int units)
{
    char narrow_name[NAME_BYTES];

    if (name == NULL || units <= 0)
        return gethostname(NULL, 0);
    if (gethostname(narrow_name, sizeof(narrow_name)) != 0)
        return SOCKET_ERROR;
    return widen(narrow_name, name, (size_t)units) ? 0 : ws2_fail(WSAEFAULT);
}

INT WSAAPI GetNameInfoW(const SOCKADDR *address, socklen_t bytes, PWCHAR host, DWORD host_units,
                        PWCHAR service, DWORD service_units, INT flags)
{
    char narrow_host[NAME_BYTES] = {0}, narrow_service[NI_MAXSERV] = {0};
    bool has_host = host != NULL && host_units > 0, has_service = service != NULL && service_units > 0;
    INT code = getnameinfo(address, bytes, has_host ? narrow_host : NULL, has_host ? sizeof(narrow_host) : 0,
                           has_service ? narrow_service : NULL, has_service ? sizeof(narrow_service) : 0,
                           flags);

    if (code == 0 && ((has_host && !widen(narrow_host, host, host_units)) ||
                      (has_service && !widen(narrow_service, service, service_units))))
        (void)ws2_fail(code = WSAEFAULT);
    return code;
}

/* An entry is one piece of memory, with its address and its name behind it. */
struct wide_entry {
    ADDRINFOW info; /* first */
    SOCKADDR_STORAGE address;
    WCHAR name[];
};

static PADDRINFOW widen_entry(const ADDRINFOA *from)
{
    size_t units = from->ai_canonname != NULL ? strlen(from->ai_canonname) + 1 : 0; /* no fewer than it has */
    struct wide_entry *e = calloc(1, sizeof(*e) + units * sizeof(WCHAR));

    if (e == NULL)
        return NULL;
    e->info.ai_flags = from->ai_flags;
    e->info.ai_family = from->ai_family;
    e->info.ai_socktype = from->ai_socktype;
    e->info.ai_protocol = from->ai_protocol;
    e->info.ai_addrlen = from->ai_addrlen;
    memcpy(&e->address, from->ai_addr, from->ai_addrlen);
    e->info.ai_addr = (SOCKADDR *)&e->address;
    if (units > 0 && widen(from->ai_canonname, e->name, units))
        e->info.ai_canonname = e->name;
    return &e->info;
}

void WSAAPI FreeAddrInfoW(PADDRINFOW list)
{
    while (list != NULL) {
        PADDRINFOW next = list->ai_next;

        free(list);
        list = next;
    }
}

static INT widen_list(const ADDRINFOA *from, PADDRINFOW *out)
{
    PADDRINFOW *at = out;

    for (; from != NULL; from = from->ai_next) {
        *at = widen_entry(from);
        if (*at == NULL) {
            FreeAddrInfoW(*out);
            *out = NULL;
            return WSA_NOT_ENOUGH_MEMORY;
        }
        at = &(*at)->ai_next;
    }
    return 0;
}

INT WSAAPI GetAddrInfoW(PCWSTR node, PCWSTR service, const ADDRINFOW *hints, PADDRINFOW *out)
{
    char narrow_node[NAME_BYTES], narrow_service[NI_MAXSERV];
    ADDRINFOA narrow_hints = {0}, *list = NULL;
    INT code;

    if (out == NULL)
        return getaddrinfo(NULL, NULL, NULL, NULL);
    *out = NULL;
    if (hints != NULL)
        narrow_hints = (ADDRINFOA){.ai_flags = hints->ai_flags,
                                   .ai_family = hints->ai_family,
                                   .ai_socktype = hints->ai_socktype,
                                   .ai_protocol = hints->ai_protocol};
    if ((node != NULL && !narrow(node, narrow_node, sizeof(narrow_node))) ||
        (service != NULL && !narrow(service, narrow_service, sizeof(narrow_service)))) {
        (void)ws2_fail(WSAHOST_NOT_FOUND); /* nobody has a name as long, or with half a character */
        return WSAHOST_NOT_FOUND;
    }
    code = getaddrinfo(node != NULL ? narrow_node : NULL, service != NULL ? narrow_service : NULL,
                       hints != NULL ? &narrow_hints : NULL, &list);
    if (code == 0)
        code = widen_list(list, out);
    freeaddrinfo(list);
    if (code != 0)
        (void)ws2_fail(code);
    return code;
}
