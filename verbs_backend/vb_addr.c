/* vb_addr.c - addresses: comparison and text. Knows no socket header; one parser and one formatter serve
 * every platform.
 *
 * Source: text of IPv6 addresses: RFC 4291 section 2.2 (reading), RFC 5952 sections 4 and 5 (writing). */
#include <stdio.h>
#include <string.h>

#include "vb/vb.h"

#define WORDS 8 /* 16-bit pieces of an IPv6 address */

static size_t ip_bytes(uint8_t family)
{
    return family == VB_AF_IPV4 ? 4 : family == VB_AF_IPV6 ? 16 : 0;
}

static bool is_link_local(const struct vb_addr *a)
{
    if (a->family != VB_AF_IPV6)
        return false;
    return (a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80) || (a->ip[0] == 0xff && (a->ip[1] & 0x0f) == 0x02);
}

bool vb_addr_is_any(const struct vb_addr *a)
{
    static const uint8_t zero[16];
    size_t bytes = ip_bytes(a->family);
    return bytes > 0 && memcmp(a->ip, zero, bytes) == 0;
}

bool vb_addr_same_ip(const struct vb_addr *a, const struct vb_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, ip_bytes(a->family)) == 0 && a->scope == b->scope;
}

/* ---- writing ---- */

/* The longest run of at least two zero words, the first of equals; *length 0 when there is none. */
static int longest_zero_run(const unsigned words[WORDS], int *length)
{
    int best = 0;
    *length = 0;
    for (int i = 0; i < WORDS; i++) {
        int run = 0;
        while (i + run < WORDS && words[i + run] == 0)
            run++;
        if (run >= 2 && run > *length) {
            best = i;
            *length = run;
        }
        i += run;
    }
    return best;
}

static size_t write_ip6(const uint8_t ip[16], char *out, size_t room)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    unsigned words[WORDS];
    int run_length;
    size_t at = 0;

    if (memcmp(ip, mapped, sizeof mapped) == 0)
        return (size_t)snprintf(out, room, "::ffff:%u.%u.%u.%u", ip[12], ip[13], ip[14], ip[15]);
    for (int i = 0; i < WORDS; i++)
        words[i] = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
    int run_start = longest_zero_run(words, &run_length);
    for (int i = 0; i < WORDS; i++) {
        if (run_length > 0 && i == run_start) {
            at += (size_t)snprintf(out + at, room - at, "::");
            i += run_length - 1;
            continue;
        }
        bool needs_colon = i > 0 && !(run_length > 0 && i == run_start + run_length);
        at += (size_t)snprintf(out + at, room - at, needs_colon ? ":%x" : "%x", words[i]);
    }
    return at;
}

const char *vb_addr_text(const struct vb_addr *a, char out[VB_ADDR_TEXT_BYTES])
{
    size_t room = VB_ADDR_TEXT_BYTES, at = 0;

    switch (a->family) {
    case VB_AF_IPV4:
        at = (size_t)snprintf(out, room, "%u.%u.%u.%u", a->ip[0], a->ip[1], a->ip[2], a->ip[3]);
        break;
    case VB_AF_IPV6:
        if (a->port != 0)
            out[at++] = '[';
        at += write_ip6(a->ip, out + at, room - at);
        if (a->scope != 0)
            at += (size_t)snprintf(out + at, room - at, "%%%u", (unsigned)a->scope);
        if (a->port != 0)
            at += (size_t)snprintf(out + at, room - at, "]");
        break;
    default: snprintf(out, room, "none"); return out;
    }
    if (a->port != 0)
        snprintf(out + at, room - at, ":%u", (unsigned)a->port);
    return out;
}

/* ---- reading: every function takes what it needs from *at and moves it; false leaves *at anywhere ---- */

/* A decimal number without sign or needless leading zero. */
static bool read_decimal(const char **at, uint32_t max, uint32_t *out)
{
    const char *p = *at;
    uint64_t value = 0;

    if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9'))
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (uint64_t)(*p - '0');
        if (value > max)
            return false;
    }
    *out = (uint32_t)value;
    *at = p;
    return true;
}

static bool read_ip4(const char **at, uint8_t out[4])
{
    for (int i = 0; i < 4; i++) {
        uint32_t octet;
        if (i > 0 && *(*at)++ != '.')
            return false;
        if (!read_decimal(at, 255, &octet))
            return false;
        out[i] = (uint8_t)octet;
    }
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One to four hex digits. */
static bool read_word(const char **at, unsigned *out)
{
    int digits = 0;
    unsigned value = 0;
    while (hex_digit(**at) >= 0) {
        if (++digits > 4)
            return false;
        value = value << 4 | (unsigned)hex_digit(*(*at)++);
    }
    *out = value;
    return digits > 0;
}

static bool read_ip6(const char **at, uint8_t out[16])
{
    uint8_t ip[16] = {0};
    int used = 0, gap = -1; /* bytes so far; where "::" stood */

    if ((*at)[0] == ':') {
        if ((*at)[1] != ':')
            return false;
        gap = 0;
        *at += 2;
    }
    while (used < 16 && hex_digit(**at) >= 0) {
        const char *piece = *at;
        unsigned word;
        bool is_word = read_word(at, &word);
        if (**at == '.') { /* an IPv4 tail */
            *at = piece;
            if (used > 12 || !read_ip4(at, ip + used))
                return false;
            used += 4;
            break;
        }
        if (!is_word)
            return false;
        ip[used++] = (uint8_t)(word >> 8);
        ip[used++] = (uint8_t)word;
        if (**at != ':')
            break;
        if ((*at)[1] == ':') {
            if (gap >= 0)
                return false;
            gap = used;
            *at += 2;
        } else if (hex_digit((*at)[1]) >= 0 && used < 16) {
            (*at)++;
        } else {
            return false; /* a lone colon at the end, or a ninth piece */
        }
    }
    if (gap < 0 ? used != 16 : used > 14)
        return false;
    memset(out, 0, 16);
    if (gap < 0)
        gap = used;
    memcpy(out, ip, (size_t)gap);
    memcpy(out + 16 - (used - gap), ip + gap, (size_t)(used - gap));
    return true;
}

bool vb_addr_parse(const char *text, struct vb_addr *out)
{
    struct vb_addr a = {.family = VB_AF_NONE};
    uint32_t port = 0;

    if (!text || !out)
        return false;
    const char *at = text;
    const char *colon = strchr(text, ':');
    bool has_bracket = *at == '[';
    bool is_ip6 = has_bracket || (colon && strchr(colon + 1, ':'));
    if (has_bracket)
        at++;
    if (is_ip6) {
        a.family = VB_AF_IPV6;
        if (!read_ip6(&at, a.ip))
            return false;
        if (*at == '%') {
            at++;
            /* Only link-local addresses need an interface; elsewhere it would make equal addresses look
             * different. */
            if (!is_link_local(&a) || !read_decimal(&at, UINT32_MAX, &a.scope) || a.scope == 0)
                return false;
        }
    } else {
        a.family = VB_AF_IPV4;
        if (!read_ip4(&at, a.ip))
            return false;
    }
    if (has_bracket && *at++ != ']')
        return false;
    if (*at == ':' && (!is_ip6 || has_bracket)) {
        at++;
        if (!read_decimal(&at, UINT16_MAX, &port))
            return false;
    }
    if (*at != 0)
        return false;
    a.port = (uint16_t)port;
    *out = a;
    return true;
}
