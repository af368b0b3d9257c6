/* rx.c - what comes in: FPDUs taken out of the TCP stream wherever they start, each segment checked and put where it
 * belongs. Small ones pass through a buffer of the QP; of a large one, what has not come yet is read by TCP straight into
 * its place, and with it what lies behind: a trailer and a header, or more frames where a call to TCP is dearer than their copy. Every range is checked before its first byte is written, the whole segment at once; memory that a peer names
 * is looked up again for every piece, since its key may die in between.
 * The CRC is known when a segment has been placed (as in hardware that cuts through): a bad one ends the connection
 * before anybody is told that the bytes are there. */
#include <string.h>

#include "bytes.h"
#include "pal/crc32c.h"
#include "si.h"

#define RECVS_PER_RUN 32u /* then somebody else has a turn */
#define BYTES_PER_RUN (2u << 20)
#define DIRECT_BYTES  256u /* of a payload that is still due: read it into its place */

enum step { STEP_ON, STEP_MORE, STEP_STALLED, STEP_ENDED };

/* ---- the ends that the peer causes ---- */

static enum step violation(struct vb_qp *qp, uint16_t error)
{
    si_qp_end(
        qp,
        &(struct si_end){
            .seq = SI_NONE, .sends_terminate = true, .error = error, .with_header = true, .is_event = true});
    return STEP_ENDED;
}

/* What is wrong is the frame: there is no header that could be quoted. */
static enum step bad_frame(struct vb_qp *qp, uint16_t error)
{
    si_qp_end(qp,
              &(struct si_end){.seq = SI_NONE, .sends_terminate = true, .error = error, .is_event = true});
    return STEP_ENDED;
}

/* A receive of ours does not fit: its completion says so. */
static enum step fail_receive(struct vb_qp *qp, vb_status_t st, uint16_t error)
{
    si_recv_done(qp, st, 0);
    si_qp_end(qp,
              &(struct si_end){.seq = SI_NONE, .sends_terminate = true, .error = error, .with_header = true});
    return STEP_ENDED;
}

static enum step fail_read(struct vb_qp *qp, vb_status_t st, uint16_t error)
{
    si_qp_end(qp, &(struct si_end){.cause = st,
                                   .seq = qp->reads[qp->read_first].seq,
                                   .sends_terminate = true,
                                   .error = error,
                                   .with_header = true});
    return STEP_ENDED;
}

/* ---- a segment begins: whose is it? ---- */

static enum step begin_send(struct vb_qp *qp)
{
    struct si_rx *r = &qp->rx;
    const struct si_slot *s = si_slot(&qp->rq, qp->rq.done);
    if (r->h.msn != r->send_msn)
        return violation(qp, TERM_DDP_MSN);
    if (r->h.mo != r->message_at)
        return violation(qp, TERM_DDP_MO);
    r->into = SI_INTO_RECV;
    if (!r->in_message) {
        if (qp->skips_send && !r->payload_left && r->h.is_last) {
            r->into = SI_INTO_NOTHING;
            return STEP_ON;
        }
        qp->skips_send = false;
        if (qp->rq.done == qp->rq.posted)
            return STEP_STALLED;
        r->piece = r->piece_at = 0;
        if (s->status != VB_OK)
            return fail_receive(qp, (vb_status_t)s->status, TERM_LOCAL_CATASTROPHIC);
    }
    if (r->payload_left > s->bytes - r->message_at)
        return fail_receive(qp, VB_E_LENGTH, TERM_DDP_TOO_LONG);
    r->in_message = true;
    return STEP_ON;
}

static enum step begin_untagged(struct vb_qp *qp)
{
    struct si_rx *r = &qp->rx;
    r->into = SI_INTO_CONTROL;
    r->control_bytes = 0;
    if (r->h.qn > DDP_QN_TERMINATE)
        return violation(qp, TERM_DDP_QN);
    switch (r->h.opcode) {
    case RDMAP_SEND:
    case RDMAP_SEND_INVALIDATE:
    case RDMAP_SEND_SE:
    case RDMAP_SEND_SE_INVALIDATE:
        return r->h.qn == DDP_QN_SEND ? begin_send(qp) : violation(qp, TERM_DDP_QN);
    case RDMAP_READ_REQUEST:
        if (r->h.qn != DDP_QN_READ_REQUEST)
            return violation(qp, TERM_DDP_QN);
        if (r->h.msn != r->read_msn)
            return violation(qp, TERM_DDP_MSN);
        if (r->h.mo)
            return violation(qp, TERM_DDP_MO);
        if (r->payload_left > RDMAP_READ_REQUEST_BYTES)
            return violation(qp, TERM_DDP_TOO_LONG);
        if (r->payload_left < RDMAP_READ_REQUEST_BYTES || !r->h.is_last)
            return violation(qp, TERM_RDMAP_UNSPECIFIED);
        return STEP_ON;
    case RDMAP_TERMINATE:
        if (r->h.qn != DDP_QN_TERMINATE)
            return violation(qp, TERM_DDP_QN);
        return STEP_ON;
    default: return violation(qp, TERM_RDMAP_OPCODE);
    }
}

static enum step begin_response(struct vb_qp *qp)
{
    struct si_rx *r = &qp->rx;
    const struct si_read *rd = &qp->reads[qp->read_first];
    const struct si_slot *s = qp->read_count && rd->seq != SI_NONE ? si_slot(&qp->sq, rd->seq) : NULL;
    const uint32_t bytes = s ? s->bytes : 0;
    if (!qp->read_count || r->h.stag != rd->stag)
        return violation(qp, TERM_DDP_INVALID_STAG);
    if (r->h.to != rd->to + rd->got || r->payload_left > bytes - rd->got)
        return violation(qp, TERM_DDP_BOUNDS);
    if (r->h.is_last != (r->payload_left == bytes - rd->got)) /* too short, or without an end */
        return violation(qp, TERM_DDP_BOUNDS);
    r->into = SI_INTO_READ;
    if (rd->got == 0)
        r->piece = r->piece_at = 0;
    return STEP_ON;
}

static enum step begin_tagged(struct vb_qp *qp)
{
    struct si_rx *r = &qp->rx;
    uint16_t error;
    if (r->h.opcode == RDMAP_READ_RESPONSE)
        return begin_response(qp);
    if (r->h.opcode != RDMAP_WRITE)
        return violation(qp, TERM_RDMAP_OPCODE);
    r->into = SI_INTO_MEMORY;
    r->to = r->h.to;
    if (!r->payload_left) /* the key of a transfer of nothing is not looked at */
        return STEP_ON;
    struct si_key *k = si_key_pin(qp, r->h.stag, r->to, r->payload_left, VB_ACCESS_REMOTE_WRITE, &error);
    if (!k)
        return violation(qp, error);
    si_key_unpin(k);
    return STEP_ON;
}

static enum step begin_segment(struct vb_qp *qp)
{
    struct si_rx *r = &qp->rx;
    if (r->h.ddp_version != DDP_VERSION)
        return violation(qp, r->h.is_tagged ? TERM_DDP_TAGGED_VERSION : TERM_DDP_UNTAGGED_VERSION);
    if (r->h.rdmap_version != RDMAP_VERSION)
        return violation(qp, TERM_RDMAP_VERSION);
    return r->h.is_tagged ? begin_tagged(qp) : begin_untagged(qp);
}

/* ---- a segment is complete ---- */

static enum step end_send(struct vb_qp *qp)
{
    struct si_rx *r = &qp->rx;
    if (!r->h.is_last)
        return STEP_ON;
    r->send_msn++;
    if (r->into == SI_INTO_NOTHING) {
        qp->skips_send = false;
        return STEP_ON;
    }
    if ((r->h.opcode == RDMAP_SEND_INVALIDATE || r->h.opcode == RDMAP_SEND_SE_INVALIDATE) &&
        !si_window_invalidate_stag(qp, r->h.stag))
        return fail_receive(qp, VB_E_PROTECTION, TERM_RDMAP_CANNOT_INVALIDATE);
    const uint32_t bytes = r->message_at;
    r->in_message = false;
    r->message_at = 0;
    si_recv_done(qp, VB_OK, bytes);
    return STEP_ON;
}

static enum step end_read_request(struct vb_qp *qp)
{
    struct si_rx *r = &qp->rx;
    struct rdmap_read_request req;
    uint16_t error;
    r->read_msn++;
    (void)rdmap_read_request_decode(r->control, r->control_bytes, &req); /* its length was checked */
    if (qp->in_count >= qp->max_reads_in)
        return violation(qp, TERM_DDP_NO_BUFFER);
    if (req.bytes) {
        struct si_key *k = si_key_pin(qp, req.source_stag, req.source_to, req.bytes, VB_ACCESS_REMOTE_READ,
                                      &error);
        if (!k) /* the source is RDMAP's business, so the layer is RDMAP (RFC 5040 7.2) */
            return violation(qp, (uint16_t)(TERM_RDMAP_INVALID_STAG |
                                            (error == TERM_DDP_STREAM     ? TERM_RDMAP_STREAM
                                             : error == TERM_DDP_TO_WRAP  ? TERM_RDMAP_TO_WRAP
                                             : error == TERM_DDP_BOUNDS   ? TERM_RDMAP_BOUNDS
                                             : error == TERM_RDMAP_RIGHTS ? TERM_RDMAP_RIGHTS
                                                                          : TERM_RDMAP_INVALID_STAG)));
        si_key_unpin(k);
    }
    qp->inreads[(qp->in_first + qp->in_count++) % SI_MAX_READS].req = req;
    return STEP_ON;
}

static enum step end_response(struct vb_qp *qp)
{
    struct si_rx *r = &qp->rx;
    if (!r->h.is_last)
        return STEP_ON;
    const uint64_t seq = qp->reads[qp->read_first].seq;
    qp->read_first = (qp->read_first + 1) % SI_MAX_READS;
    qp->read_count--;
    if (seq != SI_NONE)
        si_slot(&qp->sq, seq)->state = SI_SLOT_DONE;
    si_qp_complete(qp);
    return STEP_ON;
}

static bool is_access_error(uint16_t error)
{
    return error >> 8 == TERM_RDMAP_INVALID_STAG >> 8 || error >> 8 == TERM_DDP_INVALID_STAG >> 8;
}

/* The peer ended the connection because of something that we sent. */
static enum step end_terminate(struct vb_qp *qp)
{
    struct rdmap_terminate t;
    struct si_end e = {.cause = VB_E_REMOTE_OP, .seq = SI_FIRST, .is_event = true, .saw_eof = false};
    if (rdmap_terminate_decode(qp->rx.control, qp->rx.control_bytes, &t)) {
        struct ddp_header h;
        if (is_access_error(t.error))
            e.cause = VB_E_REMOTE_ACCESS;
        if (t.header_bytes && ddp_header_decode(t.header, t.header_bytes, &h) &&
            h.opcode == RDMAP_READ_REQUEST)
            for (uint32_t i = 0; i < qp->read_count; i++) { /* which one? */
                const struct si_read *rd = &qp->reads[(qp->read_first + i) % SI_MAX_READS];
                if (rd->msn == h.msn && rd->seq != SI_NONE)
                    e.seq = rd->seq;
            }
    }
    si_qp_end(qp, &e);
    return STEP_ENDED;
}

static enum step end_segment(struct vb_qp *qp)
{
    const struct ddp_header *h = &qp->rx.h;
    if (h->is_tagged)
        return h->opcode == RDMAP_READ_RESPONSE ? end_response(qp) : STEP_ON;
    if (h->opcode == RDMAP_READ_REQUEST)
        return end_read_request(qp);
    return h->opcode == RDMAP_TERMINATE ? end_terminate(qp) : end_send(qp);
}

/* ---- payload: where its next bytes belong ---- */

static struct si_slot *sink(struct vb_qp *qp)
{
    return qp->rx.into == SI_INTO_RECV ? si_slot(&qp->rq, qp->rq.done)
                                       : si_slot(&qp->sq, qp->reads[qp->read_first].seq);
}

/* n bytes have arrived in their place. */
static void placed(struct vb_qp *qp, uint32_t n)
{
    struct si_rx *r = &qp->rx;
    r->payload_left -= n;
    if (r->into == SI_INTO_RECV)
        r->message_at += n;
    else if (r->into == SI_INTO_READ)
        qp->reads[qp->read_first].got += n;
}

static uint32_t room_in(const struct si_rx *r, const struct si_slot *s, uint32_t most)
{
    const uint32_t room = s->piece[r->piece].bytes - r->piece_at;
    return room < most ? room : most;
}

static void skip_in(struct si_rx *r, const struct si_slot *s, uint32_t n)
{
    r->piece_at += n;
    if (r->piece_at == s->piece[r->piece].bytes) {
        r->piece++;
        r->piece_at = 0;
    }
}

/* Copy n bytes from the buffer. */
static enum step place(struct vb_qp *qp, const uint8_t *from, uint32_t n)
{
    struct si_rx *r = &qp->rx;
    if (r->into == SI_INTO_MEMORY) {
        uint16_t error;
        struct si_key *k = si_key_pin(qp, r->h.stag, r->to, n, VB_ACCESS_REMOTE_WRITE, &error);
        if (!k)
            return violation(qp, error);
        memcpy((void *)(uintptr_t)r->to, from, n);
        si_key_unpin(k);
        r->to += n;
    } else if (r->into == SI_INTO_CONTROL) {
        const uint32_t room = (uint32_t)sizeof r->control - r->control_bytes;
        memcpy(r->control + r->control_bytes, from,
               n < room ? n : room); /* what else a Terminate holds: dropped */
        r->control_bytes += n < room ? n : room;
    } else {
        const struct si_slot *s = sink(qp);
        for (uint32_t left = n; left > 0;) {
            const uint32_t part = room_in(r, s, left);
            memcpy(s->piece[r->piece].base + r->piece_at, from, part);
            skip_in(r, s, part);
            from += part;
            left -= part;
        }
    }
    placed(qp, n);
    return STEP_ON;
}

/* The pieces of memory that the rest of the payload goes to. MEMORY: *k holds the key meanwhile. Returns how many. */
static unsigned direct_pieces(struct vb_qp *qp, struct pal_iov *iov, struct si_key **k, uint16_t *error)
{
    struct si_rx *r = &qp->rx;
    if (r->into == SI_INTO_MEMORY) {
        *k = si_key_pin(qp, r->h.stag, r->to, r->payload_left, VB_ACCESS_REMOTE_WRITE, error);
        iov[0] = (struct pal_iov){(void *)(uintptr_t)r->to, r->payload_left};
        return *k ? 1 : 0;
    }
    const struct si_slot *s = sink(qp);
    unsigned n = 0;
    uint32_t left = r->payload_left, at = r->piece_at;
    for (uint32_t i = r->piece; left > 0; i++, at = 0) {
        const uint32_t room = s->piece[i].bytes - at, part = room < left ? room : left;
        iov[n++] = (struct pal_iov){s->piece[i].base + at, part};
        left -= part;
    }
    return n;
}

static void add_crc(struct si_rx *r, const void *bytes, uint32_t n)
{
    if (r->with_crc)
        r->crc = pal_crc32c(r->crc, bytes, n);
}

/* TCP has put n bytes of payload in their place. */
static void arrived(struct vb_qp *qp, uint32_t n)
{
    struct si_rx *r = &qp->rx;
    if (r->into == SI_INTO_MEMORY) {
        add_crc(r, (const void *)(uintptr_t)r->to, n);
        r->to += n;
    } else {
        const struct si_slot *s = sink(qp);
        for (uint32_t left = n; left > 0;) {
            const uint32_t part = room_in(r, s, left);
            add_crc(r, s->piece[r->piece].base + r->piece_at, part);
            skip_in(r, s, part);
            left -= part;
        }
    }
    placed(qp, n);
}

/* ---- the stream ---- */

static enum step take_header(struct vb_qp *qp)
{
    struct si_rx *r = &qp->rx;
    const uint8_t *p = r->buf + r->start;
    const uint32_t have = r->end - r->start;
    if (have < MPA_LENGTH_BYTES + 1)
        return STEP_MORE;
    const unsigned header = ddp_header_bytes(p[MPA_LENGTH_BYTES]);
    r->ulpdu = get_be16(p);
    if (r->ulpdu < header)
        return bad_frame(qp, TERM_MPA_MARKER);
    if (have < MPA_LENGTH_BYTES + header)
        return STEP_MORE;
    (void)ddp_header_decode(p + MPA_LENGTH_BYTES, header, &r->h);
    memcpy(r->raw, p + MPA_LENGTH_BYTES, header);
    r->payload_left = r->ulpdu - header;
    const enum step step = begin_segment(qp);
    if (!r->has_seen_frame && step != STEP_ENDED) { /* also when it must wait for a receive */
        r->has_seen_frame = true;
        qp->may_send = true;
        si_conn_signal(qp->conn, SI_SIG_FIRST);
    }
    if (step != STEP_ON)
        return step; /* stalled: the header stays in the buffer and is looked at again */
    r->crc = 0;
    add_crc(r, p, MPA_LENGTH_BYTES + header);
    r->start += MPA_LENGTH_BYTES + header;
    r->phase = r->payload_left ? SI_RX_PAYLOAD : SI_RX_TRAILER;
    return STEP_ON;
}

static enum step take_payload(struct vb_qp *qp)
{
    struct si_rx *r = &qp->rx;
    const uint32_t have = r->end - r->start, n = have < r->payload_left ? have : r->payload_left;
    if (!n)
        return STEP_MORE;
    const uint8_t *from = r->buf + r->start;
    add_crc(r, from, n);
    r->start += n;
    if (place(qp, from, n) == STEP_ENDED)
        return STEP_ENDED;
    if (!r->payload_left)
        r->phase = SI_RX_TRAILER;
    return STEP_ON;
}

static enum step take_trailer(struct vb_qp *qp)
{
    struct si_rx *r = &qp->rx;
    const unsigned pad = mpa_pad(r->ulpdu);
    if (r->end - r->start < pad + MPA_CRC_BYTES)
        return STEP_MORE;
    if (!mpa_trailer_check(pad, r->with_crc, r->crc, r->buf + r->start))
        return bad_frame(qp, TERM_MPA_CRC);
    r->start += pad + MPA_CRC_BYTES;
    r->phase = SI_RX_HEADER;
    return end_segment(qp);
}

/* Use up what is in the buffer. */
static enum step consume(struct vb_qp *qp)
{
    struct si_rx *r = &qp->rx;
    enum step step = STEP_ON;
    while (step == STEP_ON)
        switch (r->phase) {
        case SI_RX_HEADER: step = take_header(qp); break;
        case SI_RX_PAYLOAD: step = take_payload(qp); break;
        case SI_RX_TRAILER: step = take_trailer(qp); break;
        }
    if (step ==
        STEP_MORE) { /* less than a header or a trailer is left: to the front, with all room behind it */
        memmove(r->buf, r->buf + r->start, r->end - r->start);
        r->end -= r->start;
        r->start = 0;
    }
    return step;
}

/* A call to TCP brought no bytes. */
static enum step receive_nothing(struct vb_qp *qp, enum pal_net st, bool *moved)
{
    if (st == PAL_NET_AGAIN)
        return STEP_MORE;
    *moved = true;
    if (st != PAL_NET_FAULT) {
        si_qp_left(qp, st);
        return STEP_ENDED;
    }
    /* memory of ours was unmapped under us */
    if (qp->rx.into == SI_INTO_RECV)
        return fail_receive(qp, VB_E_PROTECTION, TERM_LOCAL_CATASTROPHIC);
    return qp->rx.into == SI_INTO_READ ? fail_read(qp, VB_E_PROTECTION, TERM_LOCAL_CATASTROPHIC)
                                       : violation(qp, TERM_DDP_INVALID_STAG);
}

/* The rest of a large payload into its place. The buffer is empty: what was in it went to the payload. */
static enum step receive_direct(struct vb_qp *qp, bool *moved)
{
    struct si_rx *r = &qp->rx;
    struct pal_iov iov[SI_MAX_SGE + 1];
    struct si_key *k = NULL;
    const uint32_t direct = r->payload_left;
    uint16_t error = 0;
    size_t got;
    unsigned n = direct_pieces(qp, iov, &k, &error);
    if (!n)
        return violation(qp, error);
    iov[n++] = (struct pal_iov){r->buf, r->along};
    const enum pal_net st = pal_socket_recv(qp->sock, iov, n, &got);
    if (st == PAL_NET_OK)
        arrived(qp, got < direct ? (uint32_t)got : direct);
    if (k)
        si_key_unpin(k); /* not before: the CRC reads what has arrived */
    if (st != PAL_NET_OK)
        return receive_nothing(qp, st, moved);
    *moved = true;
    r->received += got;
    if (got >= direct) {
        r->end = (uint32_t)got - direct;
        r->phase = SI_RX_TRAILER;
    }
    return got < (size_t)direct + r->along ? STEP_MORE : STEP_ON;
}

/* One call to TCP. STEP_ON: bytes came and there may be more; STEP_MORE: that was all for now. */
static enum step receive(struct vb_qp *qp, bool *moved)
{
    struct si_rx *r = &qp->rx;
    const struct pal_iov iov = {r->buf + r->end, r->buf_bytes - r->end};
    size_t got;
    if (r->phase == SI_RX_PAYLOAD && r->payload_left >= DIRECT_BYTES && r->into != SI_INTO_CONTROL &&
        !r->is_marked)
        return receive_direct(qp, moved);
    const enum pal_net st = pal_socket_recv(qp->sock, &iov, 1, &got);
    if (st != PAL_NET_OK)
        return receive_nothing(qp, st, moved);
    *moved = true;
    r->received += got;
    r->end += (uint32_t)(r->is_marked ? mpa_unmark(&r->marks, iov.base, got) : got);
    return got < iov.bytes ? STEP_MORE : STEP_ON;
}

/* What can be done with what is in the buffer; then with what was found wrong behind it, which waits for the rest. */
static enum step use_up(struct vb_qp *qp)
{
    const enum step step = consume(qp);
    if (step == STEP_STALLED)
        qp->rx.is_stalled = true;
    if (step != STEP_MORE || qp->rx.marks.fault == MPA_NO_FAULT)
        return step;
    return bad_frame(qp, qp->rx.marks.fault == MPA_FAULT_CRC ? TERM_MPA_CRC : TERM_MPA_MARKER);
}

bool si_rx_run(struct vb_qp *qp)
{
    struct si_rx *r = &qp->rx;
    bool moved = false;
    if (r->is_stalled) {
        if (qp->rq.done == qp->rq.posted)
            return false;
        r->is_stalled = false;
        moved = true;
    }
    enum step more = STEP_ON;
    const uint64_t until = r->received + BYTES_PER_RUN;
    for (unsigned i = 0; i < RECVS_PER_RUN && r->received < until; i++) {
        if (use_up(qp) != STEP_MORE || more != STEP_ON)
            return moved;
        more = receive(qp, &moved);
        if (more == STEP_ENDED)
            return true;
    }
    (void)use_up(qp);
    return moved;
}
