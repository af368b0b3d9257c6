/* text.c - WSPAddressToString, WSPStringToAddress for IPv4 and IPv6: "1.2.3.4:80", "[fe80::1%3]:80" (Winsock reference).
 * IPv6 text as RFC 5952 has it: lower case, the longest run of zeros (two groups at least) as "::". */
#include <stdio.h>
#include <string.h>

#include "spi/spi.h"

#define TEXT_MAX 80u

/* --- to text --- */

static unsigned swap16(USHORT network)
{
    const unsigned char *b = (const unsigned char *)&network;

    return (unsigned)b[0] << 8 | b[1];
}

static size_t ipv4_text(const unsigned char *a, char *out, size_t room)
{
    return (size_t)snprintf(out, room, "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
}

/* Where the longest run of zero groups begins; *length 0: none worth it. */
static unsigned longest_zeros(const unsigned char *a, unsigned *length)
{
    unsigned best = 0;

    *length = 0;
    for (unsigned i = 0; i < 8; i++) {
        unsigned run = 0;

        while (i + run < 8 && a[2 * (i + run)] == 0 && a[2 * (i + run) + 1] == 0)
            run++;
        if (run > 1 && run > *length) {
            best = i;
            *length = run;
        }
    }
    return best;
}

static size_t ipv6_text(const unsigned char *a, char *out, size_t room)
{
    unsigned zeros, at = longest_zeros(a, &zeros);
    size_t used = 0;

    for (unsigned i = 0; i < 8;) {
        if (zeros > 0 && i == at) {
            used += (size_t)snprintf(out + used, room - used, "::");
            i += zeros;
            continue;
        }
        used += (size_t)snprintf(out + used, room - used, "%s%x",
                                 i > 0 && !(zeros > 0 && i == at + zeros) ? ":" : "",
                                 (unsigned)a[2 * i] << 8 | a[2 * i + 1]);
        i++;
    }
    return used;
}

static int address_text(const WSD_SOCKADDR *address, DWORD bytes, char *out)
{
    size_t used = 0;
    unsigned port;

    if (bytes >= sizeof(WSD_SOCKADDR_IN) && address->sa_family == WS_AF_INET) {
        const WSD_SOCKADDR_IN *in = (const void *)address;

        port = swap16(in->sin_port);
        used = ipv4_text((const unsigned char *)&in->sin_addr, out, TEXT_MAX);
        if (port != 0)
            snprintf(out + used, TEXT_MAX - used, ":%u", port);
        return 0;
    }
    if (bytes >= sizeof(WSD_SOCKADDR_IN6) && address->sa_family == WS_AF_INET6) {
        const WSD_SOCKADDR_IN6 *in6 = (const void *)address;

        port = swap16(in6->sin6_port);
        used = port != 0 ? (size_t)snprintf(out, TEXT_MAX, "[") : 0;
        used += ipv6_text((const unsigned char *)&in6->sin6_addr, out + used, TEXT_MAX - used);
        if (in6->sin6_scope_id != 0)
            used += (size_t)snprintf(out + used, TEXT_MAX - used, "%%%u", (unsigned)in6->sin6_scope_id);
        if (port != 0)
            snprintf(out + used, TEXT_MAX - used, "]:%u", port);
        return 0;
    }
    return address->sa_family == WS_AF_INET || address->sa_family == WS_AF_INET6 ? WSAEFAULT : WSAEINVAL;
}

INT WSPAPI sw_spi_address_to_string(WSD_SOCKADDR *address, DWORD bytes, LPWSAPROTOCOL_INFOW info, LPWSTR text,
                                    LPDWORD length, LPINT error)
{
    char ascii[TEXT_MAX];
    DWORD needed;
    int code;

    (void)info; /* both families are ours */
    if (!sw_spi_is_started())
        return SW_RESULT(error, WSANOTINITIALISED);
    if (address == NULL || length == NULL || bytes < sizeof(address->sa_family))
        return SW_RESULT(error, WSAEFAULT);
    code = address_text(address, bytes, ascii);
    if (code != 0)
        return SW_RESULT(error, code);
    needed = (DWORD)strlen(ascii) + 1;
    if (text == NULL || *length < needed) {
        *length = needed; /* 10.1, 1 */
        return SW_RESULT(error, WSAEFAULT);
    }
    for (DWORD i = 0; i < needed; i++)
        text[i] = (WCHAR)(unsigned char)ascii[i];
    *length = needed;
    return 0;
}

/* --- from text --- */

/* A number up to `most`; the text behind it, NULL: none. */
static const char *number(const char *text, unsigned base, unsigned long most, unsigned long *out)
{
    const char *start = text;

    *out = 0;
    for (;; text++) {
        unsigned digit = *text >= '0' && *text <= '9'   ? (unsigned)(*text - '0')
                         : *text >= 'a' && *text <= 'f' ? (unsigned)(*text - 'a') + 10u
                         : *text >= 'A' && *text <= 'F' ? (unsigned)(*text - 'A') + 10u
                                                        : 99u;

        if (digit >= base)
            break;
        *out = *out * base + digit;
        if (*out > most)
            return NULL;
    }
    return text == start ? NULL : text;
}

static const char *ipv4_from(const char *text, unsigned char out[4])
{
    for (unsigned i = 0; i < 4 && text != NULL; i++) {
        unsigned long part;

        if (i > 0 && *text++ != '.')
            return NULL;
        text = number(text, 10, 255, &part);
        out[i] = (unsigned char)part;
    }
    return text;
}

static const char *ipv6_from(const char *text, unsigned char out[16])
{
    unsigned char groups[16] = {0};
    unsigned count = 0, gap = 9;

    if (text[0] == ':' && text[1] == ':') {
        gap = 0;
        text += 2;
    }
    while (count < 8) {
        unsigned long part;
        const char *behind = number(text, 16, 0xFFFF, &part);

        if (behind != NULL && *behind == '.' && count <= 6) {
            text = ipv4_from(text, &groups[2 * count]);
            count += 2;
            break;
        }
        if (behind == NULL)
            break;
        groups[2 * count] = (unsigned char)(part >> 8);
        groups[2 * count + 1] = (unsigned char)part;
        count++;
        text = behind;
        if (text[0] == ':' && text[1] == ':' && gap == 9) {
            gap = count;
            text += 2;
        } else if (text[0] == ':' && count < 8) {
            text++;
        } else {
            break;
        }
    }
    if (text == NULL || (gap == 9 ? count != 8 : count > 7) || (count > 0 && text[-1] == ':' && gap != count))
        return NULL;
    memset(out, 0, 16);
    if (gap == 9)
        gap = count;
    memcpy(out, groups, 2u * gap);
    memcpy(out + 16 - 2u * (count - gap), groups + 2u * gap, 2u * (count - gap));
    return text;
}

static USHORT network16(unsigned long host)
{
    const unsigned char b[2] = {(unsigned char)(host >> 8), (unsigned char)host};
    USHORT out;

    memcpy(&out, b, sizeof(out));
    return out;
}

static int parse_ipv4(const char *text, WSD_SOCKADDR_IN *out)
{
    unsigned char bytes[4];
    unsigned long port = 0;
    const char *at = ipv4_from(text, bytes);

    if (at != NULL && *at == ':')
        at = number(at + 1, 10, 0xFFFF, &port);
    if (at == NULL || *at != '\0')
        return WSAEINVAL;
    memset(out, 0, sizeof(*out));
    out->sin_family = WS_AF_INET;
    out->sin_port = network16(port);
    memcpy(&out->sin_addr, bytes, sizeof(bytes));
    return 0;
}

static int parse_ipv6(const char *text, WSD_SOCKADDR_IN6 *out)
{
    bool is_bracketed = *text == '[';
    unsigned char bytes[16];
    unsigned long port = 0, scope = 0;
    const char *at = ipv6_from(text + (is_bracketed ? 1 : 0), bytes);

    if (at != NULL && *at == '%')
        at = number(at + 1, 10, 0xFFFFFFFFul, &scope);
    if (at != NULL && is_bracketed) {
        at = *at == ']' ? at + 1 : NULL;
        if (at != NULL && *at == ':')
            at = number(at + 1, 10, 0xFFFF, &port);
    }
    if (at == NULL || *at != '\0')
        return WSAEINVAL;
    memset(out, 0, sizeof(*out));
    out->sin6_family = WS_AF_INET6;
    out->sin6_port = network16(port);
    memcpy(&out->sin6_addr, bytes, sizeof(bytes));
    out->sin6_scope_id = (ULONG)scope;
    return 0;
}

INT WSPAPI sw_spi_string_to_address(LPWSTR text, INT af, LPWSAPROTOCOL_INFOW info, WSD_SOCKADDR *out,
                                    LPINT bytes, LPINT error)
{
    WSD_SOCKADDR_STORAGE parsed;
    INT needed = af == WS_AF_INET ? (INT)sizeof(WSD_SOCKADDR_IN) : (INT)sizeof(WSD_SOCKADDR_IN6);
    char ascii[TEXT_MAX];
    size_t i = 0;
    int code;

    (void)info;
    if (!sw_spi_is_started())
        return SW_RESULT(error, WSANOTINITIALISED);
    if (text == NULL || bytes == NULL)
        return SW_RESULT(error, WSAEFAULT);
    if (af != WS_AF_INET && af != WS_AF_INET6)
        return SW_RESULT(error, WSAEINVAL);
    for (; text[i] != 0; i++) {
        if (i == TEXT_MAX - 1 || text[i] > 127)
            return SW_RESULT(error, WSAEINVAL);
        ascii[i] = (char)text[i];
    }
    ascii[i] = '\0';
    code = af == WS_AF_INET ? parse_ipv4(ascii, (WSD_SOCKADDR_IN *)&parsed)
                            : parse_ipv6(ascii, (WSD_SOCKADDR_IN6 *)&parsed);
    if (code == 0 && (out == NULL || *bytes < needed)) {
        *bytes = needed; /* 10.1, 29 */
        code = WSAEFAULT;
    }
    if (code != 0)
        return SW_RESULT(error, code);
    memcpy(out, &parsed, (size_t)needed);
    *bytes = needed;
    return 0;
}
