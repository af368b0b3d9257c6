/* tx.c - what goes out: messages cut into FPDUs, gathered from where they lie, as many as fit in one call to TCP.
 * A batch is built of whole FPDUs and sent to its last byte before the next is built, so the stream never holds half a
 * frame of one message and half of another. A request is done when TCP has taken its last byte. */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "pal/crc32c.h"
#include "si.h"

/* Bytes of one batch. With CRCs the payload is read twice, by us and by TCP: keep it in the cache. */
#define BATCH_BYTES     (1u << 20)
#define BATCH_CRC_BYTES (256u << 10)

/* What frames take of the scratch buffer. With inline payload or a read request they have one marker at most. */
#define FRAME_SCRATCH (MPA_LENGTH_BYTES + DDP_HEADER_MAX + MPA_TRAILER_MAX)
_Static_assert((FRAME_SCRATCH + RDMAP_READ_REQUEST_BYTES + MPA_MARKER_BYTES) * SI_TX_FRAMES <=
                       SI_TX_SCRATCH &&
                   (FRAME_SCRATCH + SI_TX_INLINE + MPA_MARKER_BYTES) * SI_TX_FRAMES <= SI_TX_SCRATCH &&
                   (FRAME_SCRATCH + MPA_MARKER_BYTES * SI_MARKERS_MOST) * SI_TX_FRAMES <= SI_TX_SCRATCH,
               "a batch finds room for what is not payload");
_Static_assert(SI_PIECES_MARKED <= PAL_IOV_MAX, "a frame with its markers fits one call");

/* ---- building ---- */

static void add(struct si_tx *t, void *base, size_t bytes)
{
    struct pal_iov *last = t->iov_count ? &t->iov[t->iov_count - 1] : NULL;
    if (last && (uint8_t *)last->base + last->bytes == (uint8_t *)base)
        last->bytes += bytes; /* trailer and next header lie side by side */
    else
        t->iov[t->iov_count++] = (struct pal_iov){base, bytes};
    t->bytes += bytes;
}

static bool has_room(const struct vb_qp *qp)
{
    const struct si_tx *t = &qp->tx;
    return t->frame_count < SI_TX_FRAMES && t->iov_count + t->frame_pieces <= PAL_IOV_MAX &&
           t->bytes < (qp->with_crc ? BATCH_CRC_BYTES : BATCH_BYTES);
}

/* A part of the frame that is being built, and of its CRC. */
static void append(struct vb_qp *qp, void *base, size_t bytes)
{
    add(&qp->tx, base, bytes);
    if (qp->with_crc)
        qp->tx.crc = pal_crc32c(qp->tx.crc, base, bytes);
}

/* Room in the scratch buffer, for what is not payload of a consumer. */
static uint8_t *take_scratch(struct si_tx *t, unsigned bytes)
{
    uint8_t *p = t->scratch + t->scratch_used;
    t->scratch_used += bytes;
    return p;
}

/* Bytes that fit before the next marker, when `more` bytes follow what is there; 0: one is due there. */
static uint32_t until_marker(const struct si_tx *t, uint32_t more)
{
    return mpa_until_marker(t->stream + (uint32_t)t->bytes + more);
}

static void append_marker(struct vb_qp *qp, size_t back)
{
    uint8_t *p = take_scratch(&qp->tx, MPA_MARKER_BYTES);
    mpa_marker_encode((uint16_t)back, p); /* fits: SI_PAYLOAD_MARKED */
    append(qp, p, MPA_MARKER_BYTES);
}

static void put_marked(struct vb_qp *qp, uint8_t *base, uint32_t bytes)
{
    struct si_tx *t = &qp->tx;
    while (bytes > 0) {
        const uint32_t room = until_marker(t, 0), part = room < bytes ? room : bytes;
        if (!room) {
            append_marker(qp, t->bytes - t->frame_at);
            continue;
        }
        append(qp, base, part);
        base += part;
        bytes -= part;
    }
}

/* The next bytes of the frame, with the markers that fall between them when the peer wants markers. */
static void put(struct vb_qp *qp, void *base, uint32_t bytes)
{
    if (qp->tx.is_marked)
        put_marked(qp, base, bytes);
    else
        append(qp, base, bytes);
}

/* Length and header; the payload follows by the caller. */
static void begin_frame(struct vb_qp *qp, const struct ddp_header *h, uint32_t payload_bytes)
{
    struct si_tx *t = &qp->tx;
    t->crc = 0;
    /* RFC 5044 4.3: a marker between two frames belongs to the second and says 0. */
    if (t->is_marked && !until_marker(t, 0))
        append_marker(qp, 0);
    t->frame_at = t->bytes;
    uint8_t *p = t->scratch + t->scratch_used;
    const unsigned header = ddp_header_encode(h, p + MPA_LENGTH_BYTES);
    put_be16(p, (uint16_t)(header + payload_bytes));
    t->scratch_used += MPA_LENGTH_BYTES + header;
    put(qp, p, MPA_LENGTH_BYTES + header);
}

static void end_frame(struct vb_qp *qp, uint32_t ulpdu)
{
    struct si_tx *t = &qp->tx;
    unsigned pad = mpa_pad(ulpdu);
    /* One in front of the CRC is covered by it; none ever lies in padding. */
    if (t->is_marked && !until_marker(t, pad)) {
        append(qp, memset(take_scratch(t, pad), 0, pad), pad);
        append_marker(qp, t->bytes - t->frame_at);
        pad = 0;
    }
    uint8_t *p = t->scratch + t->scratch_used;
    const unsigned n = mpa_trailer_encode(pad, qp->with_crc, t->crc, p);
    t->scratch_used += n;
    add(t, p, n);
    t->frame_end[t->frame_count++] = t->bytes;
}

static unsigned header_bytes(const struct ddp_header *h)
{
    return h->is_tagged ? DDP_TAGGED_BYTES : DDP_UNTAGGED_BYTES;
}

/* One frame of the request that is being sent. */
static void frame_of_request(struct vb_qp *qp)
{
    struct si_tx *t = &qp->tx;
    struct si_slot *s = si_slot(&qp->sq, t->seq);
    const uint32_t left = s->bytes - t->offset, n = left < qp->payload_max ? left : qp->payload_max;
    struct ddp_header h = {.is_last = n == left};
    if (s->op == VB_WR_WRITE) {
        h.is_tagged = true;
        h.opcode = RDMAP_WRITE;
        h.stag = s->send->rkey;
        h.to = s->send->remote_addr + t->offset;
    } else {
        h.opcode = s->flags & VB_WR_SOLICITED ? RDMAP_SEND_SE : RDMAP_SEND;
        h.qn = DDP_QN_SEND;
        h.msn = t->send_msn;
        h.mo = t->offset;
    }
    begin_frame(qp, &h, n);
    uint32_t rest = n;
    if ((s->flags & VB_WR_INLINE) && s->bytes <= SI_TX_INLINE && n) { /* one piece; it was copied anyway */
        put(qp, memcpy(take_scratch(t, n), s->send->inl + t->offset, n), n);
        rest = 0;
    }
    while (rest > 0) {
        const struct si_piece *p = &s->piece[t->piece];
        const uint32_t part = p->bytes - t->piece_at < rest ? p->bytes - t->piece_at : rest;
        put(qp, p->base + t->piece_at, part);
        rest -= part;
        t->piece_at += part;
        if (t->piece_at == p->bytes) {
            t->piece++;
            t->piece_at = 0;
        }
    }
    end_frame(qp, header_bytes(&h) + n);
    t->offset += n;
    if (!h.is_last)
        return;
    if (s->op == VB_WR_SEND)
        t->send_msn++;
    t->mark[t->mark_count].end = t->bytes;
    t->mark[t->mark_count++].seq = t->seq;
    t->msg = SI_MSG_NONE;
    t->was_response = false;
}

static void refuse_response(struct vb_qp *qp, uint16_t error)
{
    /* The memory went away after the request was checked. Frames that name it may have been begun. */
    si_qp_end(qp, &(struct si_end){.cause = VB_OK,
                                   .seq = SI_NONE,
                                   .sends_terminate = true,
                                   .error = error,
                                   .is_event = true,
                                   .drops_stream = qp->tx.sent > 0 && qp->tx.reads_memory});
}

/* One frame of the answer to the peer's oldest read. False: the QP has ended. */
static bool frame_of_response(struct vb_qp *qp)
{
    struct si_tx *t = &qp->tx;
    const struct rdmap_read_request *r = &qp->inreads[qp->in_first].req;
    const uint32_t left = r->bytes - t->offset, n = left < qp->payload_max ? left : qp->payload_max;
    const struct ddp_header h = {.is_tagged = true,
                                 .is_last = n == left,
                                 .opcode = RDMAP_READ_RESPONSE,
                                 .stag = r->sink_stag,
                                 .to = r->sink_to + t->offset};
    uint8_t *from = (uint8_t *)(uintptr_t)(r->source_to + t->offset);
    struct si_key *k = NULL;
    if (n > 0 && qp->with_crc) {
        uint16_t error;
        k = si_key_pin(qp, r->source_stag, r->source_to, r->bytes, VB_ACCESS_REMOTE_READ, &error);
        if (!k) {
            refuse_response(qp, error);
            return false;
        }
    }
    begin_frame(qp, &h, n);
    if (n > 0) {
        put(qp, from, n);
        t->reads_memory = true;
        t->pin_stag = r->source_stag;
        t->pin_addr = r->source_to;
        t->pin_bytes = r->bytes;
    }
    if (k)
        si_key_unpin(k);
    end_frame(qp, DDP_TAGGED_BYTES + n);
    t->offset += n;
    if (h.is_last) {
        t->msg = SI_MSG_NONE;
        t->was_response = true;
        qp->in_first = (qp->in_first + 1) % SI_MAX_READS;
        qp->in_count--;
    }
    return true;
}

static void read_request(struct vb_qp *qp, uint64_t seq, const struct si_slot *s)
{
    struct si_tx *t = &qp->tx;
    struct si_read *r = &qp->reads[(qp->read_first + qp->read_count++) % SI_MAX_READS];
    *r = (struct si_read){.seq = seq, .msn = t->read_msn};
    /* A tag and an offset that were never used and mean nothing else: all that the peer learns of our memory. */
    si_random(qp->be, &r->stag, sizeof r->stag);
    si_random(qp->be, &r->to, sizeof r->to);
    r->to &= UINT64_MAX >> 1; /* plus a length it does not wrap */
    const struct ddp_header h = {
        .is_last = true, .opcode = RDMAP_READ_REQUEST, .qn = DDP_QN_READ_REQUEST, .msn = t->read_msn++};
    const struct rdmap_read_request req = {.sink_stag = r->stag,
                                           .sink_to = r->to,
                                           .bytes = s ? s->bytes : 0,
                                           .source_stag = s ? s->send->rkey : 0,
                                           .source_to = s ? s->send->remote_addr : 0};
    begin_frame(qp, &h, RDMAP_READ_REQUEST_BYTES);
    uint8_t *p = take_scratch(t, RDMAP_READ_REQUEST_BYTES);
    rdmap_read_request_encode(&req, p);
    put(qp, p, RDMAP_READ_REQUEST_BYTES);
    end_frame(qp, DDP_UNTAGGED_BYTES + RDMAP_READ_REQUEST_BYTES);
}

/* "Ready to receive": the connecting side's first FPDU, of the kind that the reply chose (RFC 6581 5). */
static void ready_to_receive(struct vb_qp *qp)
{
    struct si_tx *t = &qp->tx;
    const uint8_t opcode = (uint8_t)(t->rtr - 1);
    t->rtr = 0;
    if (opcode == RDMAP_READ_REQUEST) {
        read_request(qp, SI_NONE, NULL);
        return;
    }
    struct ddp_header h = {.is_last = true, .is_tagged = opcode == RDMAP_WRITE, .opcode = opcode};
    if (opcode == RDMAP_SEND)
        h.msn = t->send_msn++;
    begin_frame(qp, &h, 0);
    end_frame(qp, header_bytes(&h));
}

/* ---- what comes next ---- */

enum next { NEXT_NOTHING, NEXT_BUILT, NEXT_ENDED };

static enum next fail_request(struct vb_qp *qp, uint64_t seq, vb_status_t cause)
{
    si_qp_end(qp, &(struct si_end){.cause = cause,
                                   .seq = seq,
                                   .sends_terminate = qp->may_send,
                                   .error = TERM_LOCAL_CATASTROPHIC});
    return NEXT_ENDED;
}

static bool is_local(const struct si_slot *s)
{
    return s->op == VB_WR_BIND || s->op == VB_WR_INVALIDATE;
}

/* Start the oldest request that was not started; requests without bytes are carried out on the way. */
static enum next start_request(struct vb_qp *qp)
{
    struct si_queue *q = &qp->sq;
    struct si_tx *t = &qp->tx;
    while (q->exec < q->posted) {
        struct si_slot *s = si_slot(q, q->exec);
        if (!qp->may_send && !is_local(s))
            return NEXT_NOTHING;
        if ((s->flags & VB_WR_FENCE) && qp->read_count)
            return NEXT_NOTHING;
        if (s->op == VB_WR_READ && qp->read_count >= qp->max_reads_out && qp->max_reads_out)
            return NEXT_NOTHING;
        if (s->status != VB_OK)
            return fail_request(qp, q->exec, (vb_status_t)s->status);
        const uint64_t seq = q->exec++;
        s->state = SI_SLOT_STARTED;
        switch ((enum vb_wr_op)s->op) {
        case VB_WR_SEND:
        case VB_WR_WRITE:
            t->msg = SI_MSG_WR;
            t->seq = seq;
            t->offset = t->piece = t->piece_at = 0;
            frame_of_request(qp);
            return NEXT_BUILT;
        case VB_WR_READ:
            if (!qp->max_reads_out) /* agreed on none: the peer has no room to remember it */
                return fail_request(qp, seq, VB_E_REMOTE_OP);
            read_request(qp, seq, s);
            return NEXT_BUILT;
        case VB_WR_BIND:
            if (!s->is_bound_early)
                pal_sub_acq_rel(&s->send->mw->queued, 1);
            if (!s->is_bound_early && !si_window_bind(qp, s))
                return fail_request(qp, seq, VB_E_PROTECTION);
            s->state = SI_SLOT_DONE;
            break;
        case VB_WR_INVALIDATE:
            pal_sub_acq_rel(&s->send->mw->queued, 1);
            if (!si_window_invalidate(qp, s->send->mw, s->send->rkey))
                return fail_request(qp, seq, VB_E_PROTECTION);
            s->state = SI_SLOT_DONE;
            break;
        }
    }
    return NEXT_NOTHING;
}

static enum next start_response(struct vb_qp *qp)
{
    qp->tx.msg = SI_MSG_RESPONSE;
    qp->tx.offset = 0;
    return frame_of_response(qp) ? NEXT_BUILT : NEXT_ENDED;
}

static enum next next_frame(struct vb_qp *qp)
{
    struct si_tx *t = &qp->tx;
    if (t->rtr) {
        ready_to_receive(qp);
        return NEXT_BUILT;
    }
    if (t->msg == SI_MSG_WR) {
        frame_of_request(qp);
        return NEXT_BUILT;
    }
    if (t->msg == SI_MSG_RESPONSE)
        return frame_of_response(qp) ? NEXT_BUILT : NEXT_ENDED;
    if (!qp->may_send) /* nothing goes out yet; keys are made and taken back all the same */
        return start_request(qp);
    /* Answers and requests take turns, message by message. One batch reads the memory of one answer only. */
    const bool may_answer = qp->in_count && !t->reads_memory;
    if (may_answer && !t->was_response)
        return start_response(qp);
    const enum next next = start_request(qp);
    if (next == NEXT_NOTHING && may_answer)
        return start_response(qp);
    return next;
}

/* ---- sending ---- */

static void take_off(struct si_tx *t, size_t done)
{
    t->sent += done;
    while (done > 0) {
        struct pal_iov *v = &t->iov[t->iov_at];
        const size_t part = v->bytes < done ? v->bytes : done;
        v->base = (uint8_t *)v->base + part;
        v->bytes -= part;
        done -= part;
        if (!v->bytes)
            t->iov_at++;
    }
}

static void batch_reset(struct si_tx *t)
{
    t->stream += (uint32_t)t->bytes;
    t->iov_count = t->iov_at = t->mark_count = t->mark_at = t->frame_count = t->scratch_used = 0;
    t->bytes = t->sent = 0;
    t->reads_memory = false;
}

static void set_blocked(struct vb_qp *qp, bool is_blocked)
{
    if (qp->tx.is_blocked == is_blocked)
        return;
    qp->tx.is_blocked = is_blocked;
    si_qp_sync(qp,
               SI_AT_BACKSTOP); /* whoever posted may never poll again; CQs are told when they are armed */
}

/* False: TCP took nothing more, or the QP has ended. */
static bool send_batch(struct vb_qp *qp)
{
    struct si_tx *t = &qp->tx;
    struct si_key *k = NULL;
    size_t done;
    if (t->reads_memory) {
        uint16_t error;
        k = si_key_pin(qp, t->pin_stag, t->pin_addr, t->pin_bytes, VB_ACCESS_REMOTE_READ, &error);
        if (!k) {
            refuse_response(qp, error);
            return false;
        }
    }
    const enum pal_net st = pal_socket_send(qp->sock, t->iov + t->iov_at, t->iov_count - t->iov_at, &done);
    if (k)
        si_key_unpin(k);
    if (st == PAL_NET_FAULT) { /* memory of a request was unmapped under us */
        const uint64_t seq = t->mark_at < t->mark_count ? t->mark[t->mark_at].seq
                             : t->msg == SI_MSG_WR      ? t->seq
                                                        : SI_NONE;
        si_qp_end(qp, &(struct si_end){
                          .cause = VB_E_PROTECTION, .seq = seq, .drops_stream = true, .is_event = true});
        return false;
    }
    if (st != PAL_NET_OK && st != PAL_NET_AGAIN) {
        si_qp_left(qp, st);
        return false;
    }
    take_off(t, done);
    for (; t->mark_at < t->mark_count && t->mark[t->mark_at].end <= t->sent; t->mark_at++)
        si_slot(&qp->sq, t->mark[t->mark_at].seq)->state = SI_SLOT_DONE;
    if (t->sent < t->bytes) {
        set_blocked(qp, true);
        return false;
    }
    set_blocked(qp, false);
    batch_reset(t);
    return true;
}

bool si_tx_run(struct vb_qp *qp)
{
    struct si_tx *t = &qp->tx;
    const uint64_t done_before = qp->sq.done;
    bool moved = false;
    if (!t->bytes && qp->sq.exec == qp->sq.posted && t->msg == SI_MSG_NONE && !qp->in_count && !t->rtr)
        return false; /* the usual case of a poll */
    for (;;) {
        enum next next = NEXT_BUILT;
        if (!t->bytes)
            while (has_room(qp) && (next = next_frame(qp)) == NEXT_BUILT)
                ;
        if (next == NEXT_ENDED)
            return true;
        if (!t->bytes)
            break;
        const size_t sent_before = t->sent;
        const bool is_empty = send_batch(qp);
        if (qp->state != SI_QP_RTS)
            return true;
        moved |= is_empty || t->sent != sent_before;
        si_qp_complete(qp);
        if (!is_empty)
            return moved;
    }
    si_qp_complete(qp); /* binds and invalidates */
    return moved || qp->sq.done != done_before;
}

/* ---- the end ---- */

#define TERMINATE_FRAME_MAX 128u
_Static_assert(FRAME_SCRATCH + RDMAP_TERMINATE_MAX + MPA_MARKER_BYTES <= TERMINATE_FRAME_MAX &&
                   TERMINATE_FRAME_MAX <= SI_TX_SCRATCH,
               "a Terminate fits");

static void terminate_frame(struct vb_qp *qp, const struct si_end *e)
{
    struct rdmap_terminate t = {.error = e->error};
    if (e->with_header) {
        t.has_segment = true;
        t.segment_bytes = (uint16_t)qp->rx.ulpdu;
        t.header_bytes = (uint8_t)ddp_header_bytes(qp->rx.raw[0]);
        memcpy(t.header, qp->rx.raw, t.header_bytes);
        if (qp->rx.into == SI_INTO_CONTROL && qp->rx.h.opcode == RDMAP_READ_REQUEST &&
            qp->rx.control_bytes >= RDMAP_READ_REQUEST_BYTES) {
            t.has_read_request = true;
            memcpy(t.read_request, qp->rx.control, RDMAP_READ_REQUEST_BYTES);
        }
    }
    const struct ddp_header h = {
        .is_last = true, .opcode = RDMAP_TERMINATE, .qn = DDP_QN_TERMINATE, .msn = 1 /* there is only one */};
    uint8_t payload[RDMAP_TERMINATE_MAX];
    const unsigned n = rdmap_terminate_encode(&t, payload);
    begin_frame(qp, &h, n);
    put(qp, memcpy(take_scratch(&qp->tx, n), payload, n), n);
    end_frame(qp, DDP_UNTAGGED_BYTES + n);
}

/* The next bytes of the batch, in one piece. */
static void gather(const struct si_tx *t, size_t bytes, uint8_t *out)
{
    for (unsigned i = t->iov_at; bytes > 0; i++) {
        const size_t part = t->iov[i].bytes < bytes ? t->iov[i].bytes : bytes;
        memcpy(out, t->iov[i].base, part);
        out += part;
        bytes -= part;
    }
}

uint8_t *si_tx_tail(struct vb_qp *qp, const struct si_end *e, size_t *bytes)
{
    struct si_tx *t = &qp->tx;
    size_t cut = 0;
    *bytes = 0;
    if (t->sent > 0) /* to the end of the frame that was begun */
        for (unsigned i = 0; i < t->frame_count; i++)
            if (t->sent <= t->frame_end[i]) {
                cut = t->frame_end[i] - t->sent;
                break;
            }
    if (!cut && !e->sends_terminate)
        return NULL;
    struct si_key *k = NULL;
    uint16_t error;
    if (cut && t->reads_memory &&
        !(k = si_key_pin(qp, t->pin_stag, t->pin_addr, t->pin_bytes, VB_ACCESS_REMOTE_READ, &error)))
        return NULL; /* the stream ends in the middle of a frame: so be it */
    uint8_t *tail = malloc(cut + TERMINATE_FRAME_MAX); /* error path */
    if (tail) {
        gather(t, cut, tail);
        *bytes = cut;
    }
    if (k)
        si_key_unpin(k);
    if (tail && e->sends_terminate) {
        t->bytes = t->sent + cut; /* the stream goes on behind the frame that was begun */
        batch_reset(t);
        terminate_frame(qp, e);
        gather(t, t->bytes, tail + cut);
        *bytes += t->bytes;
    }
    return tail;
}
