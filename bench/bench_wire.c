/* bench_wire.c - encodes and decodes control messages. The decoders trust nothing. */
#include "bench_wire.h"

#include <string.h>

static const uint8_t magic[4] = {'W', 'S', 'D', 'b'};

/* --- bounded writing and reading ------------------------------------------------------------------------ */

struct writer {
    uint8_t *at;
};

static void put(struct writer *w, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *w->at++ = (uint8_t)(v >> (8 * i));
}

static void put_bytes(struct writer *w, const void *data, size_t bytes)
{
    memcpy(w->at, data, bytes);
    w->at += bytes;
}

static void put_text(struct writer *w, const char *text, size_t room)
{
    size_t length = strnlen(text, room);

    put(w, length, 2);
    put_bytes(w, text, length);
}

struct reader {
    const uint8_t *at;
    size_t left;
    bool is_bad; /* sticky: once something was missing all answers are zero */
};

static uint64_t get(struct reader *r, unsigned bytes)
{
    uint64_t v = 0;

    if (r->left < bytes)
        r->is_bad = true;
    if (r->is_bad)
        return 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)r->at[i] << (8 * i);
    r->at += bytes;
    r->left -= bytes;
    return v;
}

static void get_bytes(struct reader *r, void *out, size_t bytes)
{
    if (r->left < bytes)
        r->is_bad = true;
    if (r->is_bad)
        return;
    memcpy(out, r->at, bytes);
    r->at += bytes;
    r->left -= bytes;
}

static bool get_bool(struct reader *r)
{
    uint64_t v = get(r, 1);

    if (v > 1)
        r->is_bad = true;
    return v == 1;
}

static void get_text(struct reader *r, char *out, size_t room)
{
    size_t length = (size_t)get(r, 2);

    if (length >= room || length > r->left)
        r->is_bad = true;
    out[0] = '\0';
    if (r->is_bad)
        return;
    bench_text_decode(r->at, length, out, room);
    r->at += length;
    r->left -= length;
}

static bool is_complete(const struct reader *r)
{
    return !r->is_bad && r->left == 0;
}

/* --- frames --------------------------------------------------------------------------------------------- */

bool bench_is_ours(const uint8_t *in, size_t bytes)
{
    return memcmp(in, magic, bytes < sizeof magic ? bytes : sizeof magic) == 0;
}

bool bench_fail_stranger(struct bench_error *err, const uint8_t *said, size_t bytes)
{
    char quoted[256];

    (void)vb_quote(said, bytes, quoted, sizeof quoted);
    return bench_fail(
        err, "the other end of the control channel is no wsdbench: it sent %s; check host and port", quoted);
}

void bench_header_encode(const struct bench_header *h, uint8_t out[BENCH_HEADER_BYTES])
{
    struct writer w = {out};

    put_bytes(&w, magic, sizeof magic);
    put(&w, h->version, 2);
    put(&w, h->type, 2);
    put(&w, h->bytes, 4);
}

bool bench_header_decode(const uint8_t in[BENCH_HEADER_BYTES], struct bench_header *out,
                         struct bench_error *err)
{
    struct reader r = {in + sizeof magic, BENCH_HEADER_BYTES - sizeof magic, false};

    if (!bench_is_ours(in, BENCH_HEADER_BYTES))
        return bench_fail_stranger(err, in, BENCH_HEADER_BYTES);
    out->version = (uint16_t)get(&r, 2);
    out->type = (uint16_t)get(&r, 2);
    out->bytes = (uint32_t)get(&r, 4);
    if (out->version != BENCH_WIRE_VERSION)
        return bench_fail(err,
                          "the peer speaks version %u of the control protocol, this wsdbench version %d: "
                          "use the same release at both ends",
                          out->version, BENCH_WIRE_VERSION);
    if (out->type < BENCH_MSG_HELLO || out->type > BENCH_MSG_ERROR || out->bytes > BENCH_BODY_MAX)
        return bench_fail(err, "the peer sent a malformed control message (type %u, %u bytes)", out->type,
                          out->bytes);
    return true;
}

/* --- bodies --------------------------------------------------------------------------------------------- */

size_t bench_hello_encode(const struct bench_test *t, uint8_t *out)
{
    struct writer w = {out};

    put(&w, t->command, 1);
    put(&w, t->layer, 1);
    put(&w, t->op, 1);
    put(&w, t->notify, 1);
    put(&w, t->wake, 1);
    put(&w, t->verify, 1);
    put(&w, t->same_memory, 1);
    put(&w, t->rss, 1);
    put(&w, t->steps, 1);
    put(&w, t->iters, 4);
    put(&w, t->seconds, 4);
    put(&w, t->depth, 4);
    put(&w, t->warmup, 4);
    put(&w, t->inline_bytes, 4);
    put(&w, t->cq_mod, 4);
    put(&w, t->idle, 4);
    put(&w, t->connections, 4);
    put(&w, t->timeout_s, 4);
    put(&w, t->size_count, 2);
    for (unsigned i = 0; i < t->size_count; i++)
        put(&w, t->sizes[i], 4);
    return (size_t)(w.at - out);
}

bool bench_hello_decode(const uint8_t *in, size_t bytes, struct bench_test *out, struct bench_error *err)
{
    struct reader r = {in, bytes, false};

    memset(out, 0, sizeof *out);
    out->command = (uint8_t)get(&r, 1);
    out->layer = (uint8_t)get(&r, 1);
    out->op = (uint8_t)get(&r, 1);
    out->notify = (uint8_t)get(&r, 1);
    out->wake = (uint8_t)get(&r, 1);
    out->verify = get_bool(&r);
    out->same_memory = get_bool(&r);
    out->rss = get_bool(&r);
    out->steps = get_bool(&r);
    out->iters = (uint32_t)get(&r, 4);
    out->seconds = (uint32_t)get(&r, 4);
    out->depth = (uint32_t)get(&r, 4);
    out->warmup = (uint32_t)get(&r, 4);
    out->inline_bytes = (uint32_t)get(&r, 4);
    out->cq_mod = (uint32_t)get(&r, 4);
    out->idle = (uint32_t)get(&r, 4);
    out->connections = (uint32_t)get(&r, 4);
    out->timeout_s = (uint32_t)get(&r, 4);
    out->size_count = (uint16_t)get(&r, 2);
    if (out->size_count > BENCH_SIZES_MAX)
        return bench_fail(err, "the client asks for %u sizes, more than %d", out->size_count,
                          BENCH_SIZES_MAX);
    for (unsigned i = 0; i < out->size_count; i++)
        out->sizes[i] = (uint32_t)get(&r, 4);
    if (!is_complete(&r))
        return bench_fail(err, "the client's first message has the wrong length (%zu bytes)", bytes);
    return bench_test_check(out, err);
}

static void put_addr(struct writer *w, const struct vb_addr *a)
{
    put(w, a->family, 1);
    put_bytes(w, a->ip, sizeof a->ip);
    put(w, a->port, 2);
}

static void get_addr(struct reader *r, struct vb_addr *a)
{
    memset(a, 0, sizeof *a);
    a->family = (uint8_t)get(r, 1);
    get_bytes(r, a->ip, sizeof a->ip);
    a->port = (uint16_t)get(r, 2);
    if ((a->family != VB_AF_IPV4 && a->family != VB_AF_IPV6) || a->port == 0)
        r->is_bad = true;
    if (a->family == VB_AF_IPV4)
        memset(a->ip + 4, 0, sizeof a->ip - 4);
}

size_t bench_ready_encode(const struct bench_ready *v, uint8_t *out)
{
    struct writer w = {out};

    put_addr(&w, &v->addr);
    put_text(&w, v->device, sizeof v->device - 1);
    put_text(&w, v->transport, sizeof v->transport - 1);
    put(&w, v->mtu_bytes, 4);
    return (size_t)(w.at - out);
}

bool bench_ready_decode(const uint8_t *in, size_t bytes, struct bench_ready *out)
{
    struct reader r = {in, bytes, false};

    memset(out, 0, sizeof *out);
    get_addr(&r, &out->addr);
    get_text(&r, out->device, sizeof out->device);
    get_text(&r, out->transport, sizeof out->transport);
    out->mtu_bytes = (uint32_t)get(&r, 4);
    return is_complete(&r);
}

size_t bench_window_encode(const struct bench_window *v, uint8_t *out)
{
    struct writer w = {out};

    put(&w, v->receives, 4);
    put(&w, v->window_bytes, 4);
    put(&w, v->piece_bytes, 4);
    put(&w, v->desc.bytes, 1);
    put_bytes(&w, v->desc.data, v->desc.bytes);
    return (size_t)(w.at - out);
}

bool bench_window_decode(const uint8_t *in, size_t bytes, struct bench_window *out)
{
    struct reader r = {in, bytes, false};

    memset(out, 0, sizeof *out);
    out->receives = (uint32_t)get(&r, 4);
    out->window_bytes = (uint32_t)get(&r, 4);
    out->piece_bytes = (uint32_t)get(&r, 4);
    out->desc.bytes = (uint8_t)get(&r, 1);
    if (out->desc.bytes > BENCH_DESC_MAX || out->receives == 0 || out->receives > 2 * BENCH_DEPTH_MAX)
        return false;
    if (out->window_bytes != 0 && (out->piece_bytes == 0 || out->piece_bytes > out->window_bytes))
        return false;
    get_bytes(&r, out->desc.data, out->desc.bytes);
    return is_complete(&r);
}

size_t bench_idle_encode(const struct bench_idle *v, uint8_t *out)
{
    struct writer w = {out};

    put(&w, v->count, 4);
    put(&w, v->rss_before, 8);
    put(&w, v->rss_after, 8);
    return (size_t)(w.at - out);
}

bool bench_idle_decode(const uint8_t *in, size_t bytes, struct bench_idle *out)
{
    struct reader r = {in, bytes, false};

    out->count = (uint32_t)get(&r, 4);
    out->rss_before = get(&r, 8);
    out->rss_after = get(&r, 8);
    return is_complete(&r) && out->count <= BENCH_IDLE_MAX;
}

size_t bench_run_encode(const struct bench_run *v, uint8_t *out)
{
    struct writer w = {out};

    put(&w, v->size, 4);
    put(&w, v->count, 4);
    return (size_t)(w.at - out);
}

bool bench_run_decode(const uint8_t *in, size_t bytes, struct bench_run *out)
{
    struct reader r = {in, bytes, false};

    out->size = (uint32_t)get(&r, 4);
    out->count = (uint32_t)get(&r, 4);
    return is_complete(&r) && out->size <= BENCH_SIZE_MAX && out->count >= 1 && out->count <= BENCH_ITERS_MAX;
}

size_t bench_done_encode(const struct bench_done *v, uint8_t *out)
{
    struct writer w = {out};

    put(&w, v->checked_bytes, 8);
    return (size_t)(w.at - out);
}

bool bench_done_decode(const uint8_t *in, size_t bytes, struct bench_done *out)
{
    struct reader r = {in, bytes, false};

    out->checked_bytes = get(&r, 8);
    return is_complete(&r);
}

void bench_text_decode(const uint8_t *in, size_t bytes, char *out, size_t room)
{
    size_t n = bytes < room - 1 ? bytes : room - 1;

    for (size_t i = 0; i < n; i++)
        out[i] = in[i] >= 0x20 && in[i] < 0x7f ? (char)in[i] : '?';
    out[n] = '\0';
}
