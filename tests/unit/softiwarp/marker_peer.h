/* marker_peer.h - the other end of an iWARP connection over TCP, for tests of MPA markers.
 * Written from RFC 5044 4 (FPDU, markers, CRC), RFC 5041 4 and RFC 5040 4 (headers) alone, a byte at a time: it shares
 * no code with softiwarp, so that both must have understood the same.
 * Every rule that a frame breaks fails the test that is running. */
#ifndef MARKER_PEER_H
#define MARKER_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pal/socket.h"

struct marker_peer {
    pal_socket s;
    bool wants_markers; /* what comes must have them */
    bool makes_markers; /* what we send has them */
    bool with_crc;
    bool saw_end;
    uint8_t *in; /* the stream from the first FPDU on, or the opening before it */
    size_t in_bytes, in_room;
    size_t at;         /* what comes before was read */
    size_t out_offset; /* of the next byte that we send */
    unsigned markers;  /* that were seen */
};

struct peer_frame {
    bool is_tagged, is_last;
    unsigned opcode;
    uint32_t stag;        /* tagged */
    uint64_t to;          /* tagged */
    uint32_t qn, msn, mo; /* untagged */
    uint32_t bytes;       /* of payload */
    uint8_t payload[65536];
};

/* Take what TCP has, at most `most` bytes. False: nothing there now. */
bool peer_hear(struct marker_peer *p, size_t most);
/* The next frame of the stream. False: it has not come to its end yet. */
bool peer_read(struct marker_peer *p, struct peer_frame *f);
/* A frame as it goes out next, markers and CRC included; returns its bytes. out: room for bytes + bytes / 64 + 64. */
size_t peer_build(struct marker_peer *p, const struct peer_frame *f, uint8_t *out);
void peer_free(struct marker_peer *p);

#endif
