/* op.h - one record per outstanding overlapped operation.
 * Layer:   provider/data. Records live in chunks owned by a channel and are reused; nothing is allocated
 *          per operation in the steady state. Chunks stay until the channel is freed, so a completion
 *          always finds its record.
 * Life:    free -> (queued in software ->) posted -> completed -> (ready list -> upcall ->) free. An
 *          operation completes exactly once: it is on exactly one list at any time, and who takes it off
 *          completes it. */
#ifndef WSD_OP_H
#define WSD_OP_H

#include <stdbool.h>
#include <stdint.h>

#include "vb/vb.h"
#include "wsd/ws2_types.h"

struct wsd_chan;
struct wsd_queue;
struct wsd_region;

enum wsd_op_kind {
    WSD_OP_SEND,
    WSD_OP_WRITE,
    WSD_OP_READ,
    WSD_OP_NOTHING, /* an RDMA call for 0 bytes: takes its turn, touches no wire (Q12) */
    WSD_OP_RECV,
    WSD_OP_BIND,       /* internal: makes a window's key valid */
    WSD_OP_INVALIDATE, /* internal: somebody waits for `internal_done` */
    WSD_OP_IDLE        /* internal: the channel has no operation left; last thing in the ready list */
};

#define WSD_OP_INLINE_SGE 4

/* Room for longer lists. Allocated when a call has more than WSD_OP_INLINE_SGE pieces, then kept with the
 * channel. */
struct wsd_op_ext {
    struct wsd_op_ext *next;
    uint32_t room;
    struct vb_sge *sge;
    struct wsd_region **regions;
};

/* A list longer than the device takes goes through one registered buffer. */
struct wsd_bounce;

struct wsd_op {
    struct wsd_op *next;
    struct wsd_chan *chan;
    struct wsd_queue *queue; /* whose record it is; const */
    WSAOVERLAPPED *ov;       /* the switch's again once the operation is completed */
    uint32_t bytes;          /* requested; receives: arrived */
    uint32_t error;          /* Winsock code, valid when completed */
    uint16_t slots;          /* work requests it occupies */
    uint8_t kind;            /* enum wsd_op_kind */
    uint8_t side;            /* 0: of the send queue, 1: of the receive queue; const */
    uint8_t first_error;     /* vb_status_t of an unsignaled member request that failed, VB_OK = none */
    bool notify;             /* bit 0 of hEvent was clear at submission (7.2) */
    bool internal_done;
    bool is_plain; /* one request, one registered piece, polled, no read: completes the short way */
    uint16_t sge_count;
    uint64_t remote_addr;
    union {
        uint32_t rkey;
        struct vb_mw *mw; /* INVALIDATE */
    } u;
    struct wsd_op_ext *ext;
    struct wsd_bounce *bounce;
    struct vb_sge sge[WSD_OP_INLINE_SGE];
    struct wsd_region *region[WSD_OP_INLINE_SGE]; /* in use by this operation, one per piece */
};

#endif
