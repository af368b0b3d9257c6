/* conn_wire.c - see conn_wire.h. */
#include "sock/conn_wire.h"

#include <string.h>

#define MAGIC   0x5744u
#define VERSION 1u

static const uint8_t size_of_kind[] = {
    [WSD_WIRE_CONNECT] = 52, [WSD_WIRE_MOVE] = 24,  [WSD_WIRE_RESUME] = 24,
    [WSD_WIRE_ACCEPT] = 16,  [WSD_WIRE_REJECT] = 8, [WSD_WIRE_ABANDON] = 24};

static void put16(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put64(uint8_t *at, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(v >> (56 - 8 * i));
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | at[i];
    return v;
}

uint16_t wsd_wire_encode(const struct wsd_wire *w, uint8_t out[WSD_WIRE_MAX_BYTES])
{
    memset(out, 0, WSD_WIRE_MAX_BYTES);
    put16(out, MAGIC);
    out[2] = VERSION;
    out[3] = w->kind;
    switch (w->kind) {
    case WSD_WIRE_CONNECT:
        out[4] = w->family;
        out[5] = w->flags;
        put16(out + 6, w->source.port);
        put16(out + 8, w->destination.port);
        put16(out + 10, w->resume_port);
        memcpy(out + 12, w->source.ip, 16);
        memcpy(out + 28, w->destination.ip, 16);
        put64(out + 44, w->key);
        break;
    case WSD_WIRE_MOVE:
    case WSD_WIRE_RESUME:
    case WSD_WIRE_ABANDON:
        out[4] = w->family;
        put16(out + 6, w->kind == WSD_WIRE_RESUME ? w->resume_port : 0);
        put64(out + 8, w->peer_key);
        put64(out + 16, w->key);
        break;
    case WSD_WIRE_ACCEPT:
        out[4] = w->flags;
        put16(out + 6, w->resume_port);
        put64(out + 8, w->key);
        break;
    default: out[4] = w->reason; break;
    }
    return size_of_kind[w->kind];
}

static bool family_ok(uint8_t family)
{
    return family == VB_AF_IPV4 || family == VB_AF_IPV6;
}

static bool decode_connect(const uint8_t *in, struct wsd_wire *out)
{
    out->family = in[4];
    out->flags = in[5];
    if (!family_ok(out->family) || (out->flags & ~WSD_WIRE_HAS_READ))
        return false;
    out->source.family = out->destination.family = out->family;
    out->source.port = get16(in + 6);
    out->destination.port = get16(in + 8);
    out->resume_port = get16(in + 10);
    memcpy(out->source.ip, in + 12, 16);
    memcpy(out->destination.ip, in + 28, 16);
    out->key = get64(in + 44);
    static const uint8_t zero[12];
    bool tail_ok = out->family == VB_AF_IPV6 || (memcmp(out->source.ip + 4, zero, 12) == 0 &&
                                                 memcmp(out->destination.ip + 4, zero, 12) == 0);
    return tail_ok && out->destination.port != 0 && out->key != 0;
}

bool wsd_wire_decode(const uint8_t *in, uint32_t in_bytes, struct wsd_wire *out)
{
    memset(out, 0, sizeof *out);
    if (in_bytes < 4 || get16(in) != MAGIC || in[2] != VERSION)
        return false;
    out->kind = in[3];
    if (out->kind < WSD_WIRE_CONNECT || out->kind > WSD_WIRE_ABANDON || in_bytes < size_of_kind[out->kind])
        return false;
    switch (out->kind) {
    case WSD_WIRE_CONNECT: return decode_connect(in, out);
    case WSD_WIRE_MOVE:
    case WSD_WIRE_RESUME:
    case WSD_WIRE_ABANDON:
        out->family = in[4];
        out->resume_port = get16(in + 6);
        out->peer_key = get64(in + 8);
        out->key = get64(in + 16);
        return family_ok(out->family) && in[5] == 0 && out->key && out->peer_key &&
               (out->kind == WSD_WIRE_RESUME || out->resume_port == 0);
    case WSD_WIRE_ACCEPT:
        out->flags = in[4];
        out->resume_port = get16(in + 6);
        out->key = get64(in + 8);
        return !(out->flags & ~WSD_WIRE_HAS_READ) && in[5] == 0 && out->key;
    default:
        out->reason = in[4];
        return out->reason >= WSD_REJECT_REFUSED && out->reason <= WSD_REJECT_NOTED && !in[5] && !in[6] &&
               !in[7];
    }
}
