/* vb_text.c - sentences for a person: bytes of a peer as text, and why a local address does not serve. Nothing of a peer
 * gets out of here that a terminal or a log would take for anything but text. */
#include <stdio.h>
#include <string.h>

#include "vb_ops.h"

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f;
}

size_t vb_text_clean(char *text, size_t bytes)
{
    size_t n = 0;
    if (bytes == 0)
        return 0;
    for (; n < bytes - 1 && text[n]; n++)
        if (!is_plain((unsigned char)text[n]))
            text[n] = '?';
    text[n] = 0;
    return n;
}

/* One byte as it stands between quotes; room for "\xNN". Returns its length. */
static size_t escape(unsigned char c, char out[5])
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    if (!is_plain(c)) {
        out[n++] = '\\';
        out[n++] = 'x';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 15];
        return n;
    }
    if (c == '"' || c == '\\')
        out[n++] = '\\';
    out[n++] = (char)c;
    return n;
}

size_t vb_quote(const void *data, size_t data_bytes, char *out, size_t bytes)
{
    static const char cut[] = "\"...";
    const unsigned char *p = data;
    char one[5];
    size_t n = 0;
    if (!out || bytes < sizeof cut + 1) { /* no room to say even that something was cut */
        if (out && bytes)
            out[0] = 0;
        return 0;
    }
    out[n++] = '"';
    for (size_t i = 0; i < data_bytes; i++) {
        const size_t length = escape(p[i], one);
        if (n + length + sizeof cut > bytes) {
            memcpy(out + n, cut, sizeof cut);
            return n + sizeof cut - 1;
        }
        memcpy(out + n, one, length);
        n += length;
    }
    out[n++] = '"';
    out[n] = 0;
    return n;
}

/* "10.0.0.1, 10.0.0.2 ..."; what the backend can serve now. */
static void list_served(struct vb_backend *be, char *out, size_t bytes)
{
    enum { NAMED_MOST = 4 };
    struct vb_addr all[16];
    char text[VB_ADDR_TEXT_BYTES];
    uint32_t count = 16;
    size_t n = 0;
    out[0] = 0;
    const vb_status_t st = vb_addr_list(be, all, &count);
    if (st == VB_E_AGAIN) /* more than fit: none is written */
        (void)snprintf(out, bytes, "%u others", count);
    if (st != VB_OK)
        return;
    for (uint32_t i = 0; i < count && i < NAMED_MOST && n < bytes; i++)
        n += (size_t)snprintf(out + n, bytes - n, "%s%s", i > 0 ? ", " : "", vb_addr_text(&all[i], text));
    if (count > NAMED_MOST && n < bytes)
        (void)snprintf(out + n, bytes - n, " ...");
}

size_t vb_local_text(struct vb_backend *be, const struct vb_addr *local, vb_status_t st, char *out,
                     size_t bytes)
{
    char at[VB_ADDR_TEXT_BYTES], served[180];
    struct vb_addr ip;
    if (!out || bytes == 0)
        return 0;
    out[0] = 0;
    if (!be || !local || st == VB_OK)
        return 0;
    (void)vb_addr_text(local, at);
    switch (st) {
    case VB_E_ADDRINUSE:
        (void)snprintf(
            out, bytes,
            "%s is in use: something on this host listens there already; take another port, or end "
            "what has this one",
            at);
        break;
    case VB_E_ADDRNOTAVAIL:
        ip = *local;
        ip.port = 0;
        list_served(be, served, sizeof served);
        (void)snprintf(out, bytes, "%s is no address of this host that %s serves; it serves %s",
                       vb_addr_text(&ip, at), vb_name(be), served[0] ? served : "none now");
        break;
    case VB_E_DENIED:
        (void)snprintf(out, bytes, "this user may not listen on %s: ports below 1024 are kept for others",
                       at);
        break;
    default: (void)snprintf(out, bytes, "%s: %s", at, vb_status_text(st)); break;
    }
    return vb_text_clean(out, bytes);
}
