/* marker_peer.c - see marker_peer.h. */
#include "marker_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- CRC32C, low bit first (RFC 3720 12.1); one bit at a time into a table ---- */

static uint32_t crc_step(uint32_t state, uint8_t byte)
{
    static uint32_t table[256];
    if (!table[255])
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t v = i;
            for (unsigned bit = 0; bit < 8; bit++)
                v = v & 1 ? v >> 1 ^ 0x82f63b78u : v >> 1;
            table[i] = v;
        }
    return table[(state ^ byte) & 0xff] ^ state >> 8;
}

/* ---- reading ---- */

bool peer_hear(struct marker_peer *p, size_t most)
{
    size_t got;
    if (p->in_room - p->in_bytes < most) {
        p->in_room = 2 * p->in_room + most;
        p->in = realloc(p->in, p->in_room);
        assert_non_null(p->in);
    }
    const struct pal_iov iov = {p->in + p->in_bytes, most};
    const enum pal_net st = pal_socket_recv(p->s, &iov, 1, &got);
    if (st == PAL_NET_OK)
        p->in_bytes += got;
    else if (st != PAL_NET_AGAIN)
        p->saw_end = true;
    return st == PAL_NET_OK;
}

struct reader {
    struct marker_peer *p;
    size_t at, start; /* start: of the length field */
    bool is_begun, is_short;
    uint32_t crc;
    unsigned markers;
};

static uint8_t raw_byte(struct reader *r)
{
    if (r->at >= r->p->in_bytes) {
        r->is_short = true;
        return 0;
    }
    const uint8_t byte = r->p->in[r->at++];
    r->crc = crc_step(r->crc, byte);
    return byte;
}

/* RFC 5044 4.3: at every multiple of 512 from the first FPDU on. */
static void read_marker_if_due(struct reader *r)
{
    if (!r->p->wants_markers || r->at % 512 != 0)
        return;
    const size_t expected = r->is_begun ? r->at - r->start : 0, at = r->at;
    uint8_t m[4];
    for (unsigned i = 0; i < 4; i++)
        m[i] = raw_byte(r);
    if (r->is_short)
        return;
    r->markers++;
    if (m[0] != 0 || m[1] != 0 || (size_t)(m[2] << 8 | m[3]) != expected)
        fail_msg("marker at %zu is %02x%02x %02x%02x, must point back %zu", at, m[0], m[1], m[2], m[3],
                 expected);
}

static uint8_t read_byte(struct reader *r)
{
    read_marker_if_due(r);
    if (!r->is_begun) {
        r->is_begun = true;
        r->start = r->at;
    }
    return raw_byte(r);
}

static uint64_t read_number(struct reader *r, unsigned bytes)
{
    uint64_t v = 0;
    while (bytes-- > 0)
        v = v << 8 | read_byte(r);
    return v;
}

static uint32_t read_header(struct reader *r, struct peer_frame *f)
{
    f->bytes = 0;
    const uint32_t length = (uint32_t)read_number(r, 2);
    const uint8_t ddp = read_byte(r), rdmap = read_byte(r);
    f->is_tagged = (ddp & 0x80) != 0;
    f->is_last = (ddp & 0x40) != 0;
    f->opcode = rdmap & 0x0f;
    f->stag = (uint32_t)read_number(r, 4);
    if (f->is_tagged) {
        f->to = read_number(r, 8);
    } else {
        f->qn = (uint32_t)read_number(r, 4);
        f->msn = (uint32_t)read_number(r, 4);
        f->mo = (uint32_t)read_number(r, 4);
    }
    if (r->is_short)
        return 0;
    assert_int_equal(ddp & 0x03, 1);
    assert_int_equal(rdmap >> 6, 1);
    assert_true(length >= (f->is_tagged ? 14 : 18));
    f->bytes = length - (f->is_tagged ? 14 : 18);
    return length;
}

bool peer_read(struct marker_peer *p, struct peer_frame *f)
{
    struct reader r = {.p = p, .at = p->at, .crc = ~0u};
    const uint32_t length = read_header(&r, f);
    for (uint32_t i = 0; i < f->bytes && !r.is_short; i++)
        f->payload[i] = read_byte(&r);
    for (uint32_t n = length + 2; n % 4 != 0 && !r.is_short; n++)
        if (read_byte(&r) != 0 && !r.is_short)
            fail_msg("padding before %zu is not zero", r.at);
    read_marker_if_due(&r);
    const uint32_t crc = ~r.crc;
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t byte = raw_byte(&r);
        if (!r.is_short && byte != (p->with_crc ? (uint8_t)(crc >> 8 * i) : 0))
            fail_msg("the CRC before %zu is wrong", r.at);
    }
    if (r.is_short)
        return false;
    assert_true(r.at - r.start <= 65536); /* a marker must reach back to the start */
    p->at = r.at;
    p->markers += r.markers;
    return true;
}

/* ---- writing ---- */

struct writer {
    struct marker_peer *p;
    uint8_t *out;
    size_t bytes, start; /* start: offset in the stream of the length field */
    bool is_begun;
    uint32_t crc;
};

static void raw_put(struct writer *w, uint8_t byte)
{
    w->out[w->bytes++] = byte;
    w->crc = crc_step(w->crc, byte);
}

static void write_marker_if_due(struct writer *w)
{
    const size_t at = w->p->out_offset + w->bytes;
    if (!w->p->makes_markers || at % 512 != 0)
        return;
    const size_t back = w->is_begun ? at - w->start : 0;
    raw_put(w, 0);
    raw_put(w, 0);
    raw_put(w, (uint8_t)(back >> 8));
    raw_put(w, (uint8_t)back);
}

static void write_number(struct writer *w, uint64_t value, unsigned bytes)
{
    while (bytes-- > 0) {
        write_marker_if_due(w);
        if (!w->is_begun) {
            w->is_begun = true;
            w->start = w->p->out_offset + w->bytes;
        }
        raw_put(w, (uint8_t)(value >> 8 * bytes));
    }
}

size_t peer_build(struct marker_peer *p, const struct peer_frame *f, uint8_t *out)
{
    struct writer w = {.p = p, .out = out, .crc = ~0u};
    const uint32_t length = f->bytes + (f->is_tagged ? 14 : 18);
    write_number(&w, length, 2);
    write_number(&w, (f->is_tagged ? 0x80 : 0) | (f->is_last ? 0x40 : 0) | 1u, 1);
    write_number(&w, 0x40u | f->opcode, 1);
    write_number(&w, f->stag, 4);
    if (f->is_tagged) {
        write_number(&w, f->to, 8);
    } else {
        write_number(&w, f->qn, 4);
        write_number(&w, f->msn, 4);
        write_number(&w, f->mo, 4);
    }
    for (uint32_t i = 0; i < f->bytes; i++)
        write_number(&w, f->payload[i], 1);
    for (uint32_t n = length + 2; n % 4 != 0; n++)
        write_number(&w, 0, 1);
    write_marker_if_due(&w);
    const uint32_t crc = p->with_crc ? ~w.crc : 0;
    for (unsigned i = 0; i < 4; i++)
        raw_put(&w, (uint8_t)(crc >> 8 * i));
    p->out_offset += w.bytes;
    return w.bytes;
}

void peer_free(struct marker_peer *p)
{
    if (p->s != PAL_SOCKET_NONE)
        pal_socket_close(p->s);
    free(p->in);
}
