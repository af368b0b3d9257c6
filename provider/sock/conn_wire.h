/* conn_wire.h - the private data that two providers exchange while connecting. No other file knows the
 * layout.
 * Layer:   provider/sock. No I/O, no allocation; what comes from the peer is checked byte for byte.
 *
 * Wire format, version 1, network order. The transport may append zeros (IB pads to 56).
 *   all      0 magic u16 = 0x5744 ("WD") | 2 version u8 = 1 | 3 kind u8
 *   CONNECT  52 bytes: 4 family u8 (4 or 6) | 5 flags u8 (bit 0: sender offers RDMA read) | 6 source port
 *   u16
 *            | 8 destination port u16 | 10 resume port u16 | 12 source ip 16 bytes | 28 destination ip 16
 *            | 44 key of the sender's end u64
 *   MOVE     24 bytes: 4 family u8 | 5 zero u8 | 6 zero u16 | 8 key of the receiver's end u64
 *            | 16 key of the sender's end u64
 *   RESUME   24 bytes: as MOVE, but 6 resume port u16 of the sender
 *   ACCEPT   16 bytes, answers CONNECT and RESUME: 4 flags u8 | 5 zero u8 | 6 resume port u16
 *            | 8 key of the sender's end u64
 *   ABANDON  24 bytes: as MOVE; takes a MOVE back, the connection is over
 *   REJECT   8 bytes: 4 reason u8 | 5 zero u8[3]
 * CONNECT is sent to the listener's port; MOVE, RESUME and ABANDON to the resume port that the other side
 * named when the connection was made. A key is 64 random bits that name one end of one connection; knowing
 * both proves having been part of it.
 * 52 bytes because RDMA-CM leaves 56 in a request (peers.md 0.4). */
#ifndef WSD_CONN_WIRE_H
#define WSD_CONN_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "vb/vb.h"

enum wsd_wire_kind {
    WSD_WIRE_CONNECT = 1,
    WSD_WIRE_MOVE = 2,
    WSD_WIRE_RESUME = 3,
    WSD_WIRE_ACCEPT = 4,
    WSD_WIRE_REJECT = 5,
    WSD_WIRE_ABANDON = 6
};
enum wsd_wire_flags { WSD_WIRE_HAS_READ = 1 };

enum wsd_reject_reason {
    WSD_REJECT_REFUSED = 1,   /* condition function, or listener closed: TCP would refuse too (4.8) */
    WSD_REJECT_BACKLOG = 2,   /* queue full (4.5, C11) */
    WSD_REJECT_RESOURCES = 3, /* no QP, no memory, no handle */
    WSD_REJECT_MALFORMED = 4, /* request did not make sense */
    WSD_REJECT_UNKNOWN = 5,   /* MOVE or RESUME names no connection of ours */
    WSD_REJECT_NOTED = 6      /* MOVE understood: the connection will be kept for a RESUME */
};

#define WSD_WIRE_MAX_BYTES 52u

struct wsd_wire {
    uint8_t kind; /* enum wsd_wire_kind */
    uint8_t flags;
    uint8_t reason;                     /* REJECT */
    uint8_t family;                     /* CONNECT, MOVE, RESUME: enum vb_family */
    uint16_t resume_port;               /* 0 = this side cannot follow a move */
    struct vb_addr source, destination; /* CONNECT */
    uint64_t key;                       /* CONNECT, ACCEPT: sender's end; MOVE, RESUME: sender's end */
    uint64_t peer_key;                  /* MOVE, RESUME: receiver's end */
};

/* Returns the bytes written, at most WSD_WIRE_MAX_BYTES. */
uint16_t wsd_wire_encode(const struct wsd_wire *w, uint8_t out[WSD_WIRE_MAX_BYTES]);
/* False: not ours, another version, too short, or a field out of range. */
bool wsd_wire_decode(const uint8_t *in, uint32_t in_bytes, struct wsd_wire *out);

#endif
