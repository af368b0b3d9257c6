/* entry.c - the catalog entry of the provider: how it is made and compared. Source: contract 2.1, 3.5. */
#include <string.h>

#include "wsi.h"

/* {048A37DB-5CA0-4841-BB60-035B3A8961A8}: ours, made for this product; never changes, or an older version could not be found. */
const GUID wsi_provider_id = {0x048A37DB, 0x5CA0, 0x4841, {0xBB, 0x60, 0x03, 0x5B, 0x3A, 0x89, 0x61, 0xA8}};

static const WCHAR product[] = WSD_WTEXT("OpenWSD SAN service provider");
#define PRODUCT_FAMILY 7 /* "OpenWSD": whatever follows is ours too, in older and newer versions */

void wsi_entry_make(struct wsi_entry *entry, const char *path)
{
    memset(entry, 0, sizeof *entry);
    WSAPROTOCOL_INFOW *i = &entry->info;
    i->dwServiceFlags1 = XP1_GUARANTEED_DELIVERY | XP1_GUARANTEED_ORDER | XP1_MESSAGE_ORIENTED;
    i->dwProviderFlags = PFL_HIDDEN; /* must: applications get it through the switch only */
    i->ProviderId = wsi_provider_id;
    i->ProtocolChain.ChainLen = BASE_PROTOCOL;
    i->iVersion = 2;
    i->iAddressFamily = WS_AF_INET; /* the switch speaks IP addresses only (1.1) */
    i->iMaxSockAddr = (int)sizeof(WSD_SOCKADDR_IN);
    i->iMinSockAddr = (int)sizeof(WSD_SOCKADDR_IN);
    i->iSocketType = WS_SOCK_STREAM;
    i->iProtocol = WS_IPPROTO_TCP;
    i->iNetworkByteOrder = BIGENDIAN;
    i->iSecurityScheme = SECURITY_PROTOCOL_NONE;
    i->dwMessageSize = 0xFFFFFFFFu; /* SO_MAX_MSG_SIZE is a setting and the device's limit: not known here */
    memcpy(i->szProtocol, product, sizeof product);
    snprintf(entry->path, sizeof entry->path, "%s", path);
}

void wsi_set_one(struct wsi_set *set, const struct wsi_entry *entry)
{
    memset(set, 0, sizeof *set);
    set->count = 1;
    set->entries[0] = *entry;
}

bool wsi_entry_is_ours(const struct wsi_entry *entry)
{
    return memcmp(&entry->info.ProviderId, &wsi_provider_id, sizeof wsi_provider_id) == 0;
}

bool wsi_entry_looks_foreign(const struct wsi_entry *entry)
{
    return wsi_entry_is_ours(entry) &&
           memcmp(entry->info.szProtocol, product, PRODUCT_FAMILY * sizeof(WCHAR)) != 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool wsi_same_path(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b))
        a++, b++;
    return *a == *b;
}

const char *wsi_guid_text(const uint8_t id[16], char text[WSI_GUID_TEXT])
{
    /* In memory the first three fields are little-endian (3.1). */
    snprintf(text, WSI_GUID_TEXT, "{%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-%02X%02X%02X%02X%02X%02X}",
             id[3], id[2], id[1], id[0], id[5], id[4], id[7], id[6], id[8], id[9], id[10], id[11], id[12],
             id[13], id[14], id[15]);
    return text;
}

static size_t put_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

void wsi_wide_text(const WCHAR *wide, size_t limit, char *text, size_t text_bytes)
{
    size_t at = 0;
    for (size_t i = 0; i < limit && wide[i]; i++) {
        uint32_t c = wide[i];
        char bytes[4];
        if (c >= 0xD800 && c < 0xDC00 && i + 1 < limit && wide[i + 1] >= 0xDC00 && wide[i + 1] < 0xE000)
            c = 0x10000 + ((c - 0xD800) << 10) + (wide[++i] - 0xDC00u);
        else if (c >= 0xD800 && c < 0xE000)
            c = 0xFFFD; /* half a pair */
        if (c < 0x20 || c == 0x7F)
            c = '?'; /* a name from the registry must not steer the console */
        size_t n = put_utf8(c, bytes);
        if (at + n >= text_bytes)
            break;
        memcpy(text + at, bytes, n);
        at += n;
    }
    text[at] = 0;
}

struct difference {
    char *text;
    size_t bytes, at;
    bool found;
};

static void differs(struct difference *d, const char *field, uint32_t have, uint32_t want)
{
    if (have == want)
        return;
    d->found = true;
    int n = snprintf(d->text + d->at, d->bytes - d->at, "%s%s is 0x%x, not 0x%x", d->at ? "; " : "", field,
                     (unsigned)have, (unsigned)want);
    if (n > 0)
        d->at = d->at + (size_t)n < d->bytes ? d->at + (size_t)n : d->bytes - 1;
}

#define FIELD(name) differs(&d, #name, (uint32_t)have->info.name, (uint32_t)want->info.name)

bool wsi_entry_equal(const struct wsi_entry *have, const struct wsi_entry *want, char *text,
                     size_t text_bytes)
{
    struct difference d = {text, text_bytes, 0, false};
    char a[2][3 * (WSAPROTOCOL_LEN + 1)];
    text[0] = 0;
    FIELD(dwServiceFlags1);
    FIELD(dwServiceFlags2);
    FIELD(dwServiceFlags3);
    FIELD(dwServiceFlags4);
    FIELD(dwProviderFlags);
    FIELD(ProtocolChain.ChainLen);
    FIELD(iVersion);
    FIELD(iAddressFamily);
    FIELD(iMaxSockAddr);
    FIELD(iMinSockAddr);
    FIELD(iSocketType);
    FIELD(iProtocol);
    FIELD(iProtocolMaxOffset);
    FIELD(iNetworkByteOrder);
    FIELD(iSecurityScheme);
    FIELD(dwMessageSize);
    FIELD(dwProviderReserved);
    wsi_wide_text(have->info.szProtocol, WSAPROTOCOL_LEN + 1, a[0], sizeof a[0]);
    wsi_wide_text(want->info.szProtocol, WSAPROTOCOL_LEN + 1, a[1], sizeof a[1]);
    if (strcmp(a[0], a[1]) != 0) {
        snprintf(text + d.at, text_bytes - d.at, "%sszProtocol is '%.60s', not '%.60s'", d.at ? "; " : "",
                 a[0], a[1]);
        d.found = true;
    }
    return !d.found && wsi_entry_is_ours(have) == wsi_entry_is_ours(want);
}
