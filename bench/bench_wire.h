/* bench_wire.h - messages of the control channel as bytes. No I/O here, so that hostile bytes can be tried in
 * a unit test.
 * Format: a frame is a header of 12 bytes {magic, version, type, body bytes} and a body. Numbers are
 *         little-endian, texts have a length in front and no NUL. A frame of another version is refused by
 *         number, never interpreted.
 * Who:    client: HELLO, DESC, RUN, END, BYE. server: READY, DESC, IDLE, GO, DONE. either: ERROR. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench_options.h"
#include "vb/vb.h"

enum { BENCH_WIRE_VERSION = 3, BENCH_HEADER_BYTES = 12, BENCH_BODY_MAX = 4096, BENCH_DESC_MAX = 64 };

enum bench_message_type {
    BENCH_MSG_HELLO = 1, /* client: the test */
    BENCH_MSG_READY,     /* server: listening at this address, on this device */
    BENCH_MSG_DESC,      /* both: window for RDMA, receives posted */
    BENCH_MSG_IDLE, /* server: connections (idle, echo: behind BYE), its resident memory before and after */
    BENCH_MSG_RUN,  /* client: get ready for this many of this size */
    BENCH_MSG_GO,   /* server: ready */
    BENCH_MSG_END,  /* client: finished */
    BENCH_MSG_DONE, /* server: finished, bytes it checked */
    BENCH_MSG_BYE,  /* client: no more runs */
    BENCH_MSG_ERROR /* either: what failed here */
};

struct bench_header {
    uint16_t version;
    uint16_t type;
    uint32_t bytes;
};

struct bench_ready {
    struct vb_addr addr;
    char device[64];
    char transport[16];
    uint32_t mtu_bytes;
};

struct bench_desc {
    uint8_t bytes; /* of data[] in use */
    uint8_t data[BENCH_DESC_MAX];
};

struct bench_window {
    uint32_t receives;     /* posted and kept posted */
    uint32_t window_bytes; /* that desc gives access to */
    uint32_t piece_bytes;  /* the window is made of pieces of this size */
    struct bench_desc desc;
};

struct bench_idle {
    uint32_t count;
    uint64_t rss_before, rss_after; /* bytes */
};

struct bench_run {
    uint32_t size;
    uint32_t count;
};

struct bench_done {
    uint64_t checked_bytes;
};

/* Each encoder writes a body (at most BENCH_BODY_MAX bytes) and returns its length. Each decoder accepts
 * exactly what the encoder
 * writes: right length, every value in range; otherwise false and *out is undefined. */
/* Do the first bytes of a header, as far as they are there, begin ours? */
bool bench_is_ours(const uint8_t *in, size_t bytes);
/* The sentence about a peer that speaks something else, with what it sent. Always returns false. */
bool bench_fail_stranger(struct bench_error *err, const uint8_t *said, size_t bytes);
void bench_header_encode(const struct bench_header *h, uint8_t out[BENCH_HEADER_BYTES]);
bool bench_header_decode(const uint8_t in[BENCH_HEADER_BYTES], struct bench_header *out,
                         struct bench_error *err);

size_t bench_hello_encode(const struct bench_test *t, uint8_t *out);
bool bench_hello_decode(const uint8_t *in, size_t bytes, struct bench_test *out, struct bench_error *err);
size_t bench_ready_encode(const struct bench_ready *r, uint8_t *out);
bool bench_ready_decode(const uint8_t *in, size_t bytes, struct bench_ready *out);
size_t bench_window_encode(const struct bench_window *w, uint8_t *out);
bool bench_window_decode(const uint8_t *in, size_t bytes, struct bench_window *out);
size_t bench_idle_encode(const struct bench_idle *v, uint8_t *out);
bool bench_idle_decode(const uint8_t *in, size_t bytes, struct bench_idle *out);
size_t bench_run_encode(const struct bench_run *r, uint8_t *out);
bool bench_run_decode(const uint8_t *in, size_t bytes, struct bench_run *out);
size_t bench_done_encode(const struct bench_done *d, uint8_t *out);
bool bench_done_decode(const uint8_t *in, size_t bytes, struct bench_done *out);
/* Printable characters only; the rest becomes '?'. Truncated to fit. */
void bench_text_decode(const uint8_t *in, size_t bytes, char *out, size_t room);

#endif
