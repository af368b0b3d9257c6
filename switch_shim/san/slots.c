/* slots.c - requests at the provider: each send, receive and transfer has a slot of its own with the OVERLAPPED inside.
 * Receives are given to the session in the order in which they were posted, whatever order their ends are learned in.
 * Source: contract 4.10, 4.11, 6.6, 7.2 to 7.5. */
#include "san/internal.h"

#include <string.h>

#include "session/bits.h"

#define LOUD_SENDS 16u /* once one had not gone when the next came; our choice */

/* Bit 0 of hEvent clear: the end comes through WPUCompleteOverlappedRequest; set: it is looked for (7.2). */
static void prepare(struct san *c, struct san_slot *s)
{
    memset(&s->ov, 0, sizeof(s->ov));
    s->is_polled = c->is_hot && (s->kind == SAN_RECEIVE || san_is_looked_at(c));
    s->is_quiet = false;
    s->is_over = false;
    s->ov.hEvent = s->is_polled ? (HANDLE)(ULONG_PTR)1 : NULL;
}

static void count_polled(struct san *c, struct san_slot *s, bool is_posted)
{
    if (s->is_quiet) {
        c->quiet = is_posted ? s : NULL;
        return;
    }
    if (s->kind == SAN_RECEIVE)
        c->polled_receives += is_posted ? 1u : -1u;
    else
        c->polled_others += is_posted ? 1u : -1u;
    if (s->kind == SAN_SEND)
        c->polled_sends ^= UINT64_C(1) << s->index;
}

/* False: refused, and nothing will come. */
static bool is_accepted(struct san *c, struct san_slot *s, int result, INT error)
{
    if (result != SOCKET_ERROR || error == WSA_IO_PENDING) {
        s->is_out = true;
        c->out_count++;
        if (s->is_polled)
            count_polled(c, s, true);
        return true;
    }
    return false;
}

static void post_receive(struct san *c, const struct sw_action *a)
{
    struct san_slot *s = &c->rx[a->buffer];
    WSABUF into = {a->bytes, (CHAR *)a->memory};
    DWORD bytes = 0, flags = 0;
    INT error = 0;
    int result;

    prepare(c, s);
    result = c->procs->lpWSPRecv(c->descriptor, &into, 1, &bytes, &flags, &s->ov, NULL, NULL, &error);
    if (!is_accepted(c, s, result, error)) {
        sw_session_broken(c->session, error);
        return;
    }
    c->rx_order[(c->rx_first + c->rx_count++) % SW_WIRE_CREDITS_MAX] = (uint8_t)a->buffer;
}

/* May the end of this send be seen by the way? An answer to what the peer sent, on a connection that nobody looks at: its end matters when
 * the next one is to be sent, and before that the peer mostly answers, which is notified. So it costs no upcall. Sends that are no answers
 * are a stream: there the end of one sends off what was gathered meanwhile. One at a time, so that whatever has to wait for
 * sends waits behind one that is notified, and sends end in order. Our choice; 7.2 leaves it to the switch for each request. */
static bool may_be_quiet(struct san *c, const struct sw_action *a)
{
    const uint64_t came = sw_session_came(c->session);
    const bool is_answer = came != c->answered;

    if (c->is_hot || c->is_cooling || c->rx_count == 0 || c->set.send_buffers < 2 ||
        a->buffer >= c->set.send_buffers)
        return false;
    c->answered = came;
    if (!is_answer)
        return false;
    san_see_quiet(c, true);
    if (c->quiet != NULL)
        c->loud = LOUD_SENDS;
    if (c->loud == 0)
        return true;
    c->loud--;
    return false;
}

static void post_send(struct san *c, const struct sw_action *a)
{
    struct san_slot *s = &c->tx[a->buffer];
    WSABUF from = {a->bytes, (CHAR *)a->memory};
    DWORD bytes = 0;
    INT error = 0;
    int result;

    prepare(c, s);
    if (!s->is_polled && may_be_quiet(c, a)) {
        s->is_polled = s->is_quiet = true;
        s->ov.hEvent = (HANDLE)(ULONG_PTR)1;
        c->stats.quiet_sends++;
        sw_session_sent_late(c->session, a->buffer);
    }
    result = c->procs->lpWSPSend(c->descriptor, &from, 1, &bytes, 0, &s->ov, NULL, NULL, &error);
    if (!is_accepted(c, s, result, error))
        sw_session_broken(c->session, error);
}

static struct san_slot *free_rdma_slot(struct san *c)
{
    for (unsigned i = 0; i < SAN_RDMA_MAX; i++)
        if (!c->rdma[i].is_out)
            return &c->rdma[i];
    return NULL;
}

static void post_rdma(struct san *c, const struct sw_action *a)
{
    struct san_slot *s = free_rdma_slot(c);
    HANDLE handle = a->range->access == SW_ACCESS_STORAGE ? c->storage_handle : a->range->handle;
    WSABUFEX local = {a->bytes, (CHAR *)a->memory, handle};
    struct sw_rdma_descriptor remote = {.length = a->remote_bytes};
    DWORD bytes = 0;
    INT error = WSAENOBUFS;
    int result = SOCKET_ERROR;

    if (s != NULL) {
        memcpy(remote.bytes, a->remote, a->remote_bytes);
        prepare(c, s);
        s->range = a->range;
        error = 0;
        if (a->kind == SW_DO_WRITE)
            result = c->ext->rdma_write(c->descriptor, &local, 1, remote.bytes, remote.length,
                                        a->remote_offset, &bytes, 0, &s->ov, NULL, NULL, &error);
        else
            result = c->ext->rdma_read(c->descriptor, &local, 1, remote.bytes, remote.length,
                                       a->remote_offset, &bytes, 0, &s->ov, NULL, NULL, &error);
    }
    if (s == NULL || !is_accepted(c, s, result, error))
        sw_session_rdma_done(c->session, a->range, error);
}

void san_post(struct san *c, const struct sw_action *a)
{
    switch (a->kind) {
    case SW_DO_POST_RECEIVE: post_receive(c, a); return;
    case SW_DO_SEND: post_send(c, a); return;
    default: post_rdma(c, a); return;
    }
}

/* --- ends --- */

static void deliver_receives(struct san *c)
{
    while (c->rx_count != 0) {
        unsigned buffer = c->rx_order[c->rx_first];
        struct san_slot *s = &c->rx[buffer];

        if (!s->is_over)
            return;
        s->is_over = false;
        c->rx_first = (c->rx_first + 1) % SW_WIRE_CREDITS_MAX;
        c->rx_count--;
        if (c->is_moved || c->companion == NULL)
            continue; /* ended by WSPDuplicateSocket or WSPCloseSocket: no message */
        if (s->error != 0)
            sw_session_broken(c->session, s->error);
        else
            sw_session_message(c->session, buffer, s->bytes);
    }
}

static void is_over(struct san *c, struct san_slot *s, int error, uint32_t bytes)
{
    if (!s->is_out)
        return;
    s->is_out = false;
    c->out_count--;
    if (s->is_polled)
        count_polled(c, s, false);
    switch ((enum san_slot_kind)s->kind) {
    case SAN_RECEIVE:
        s->is_over = true;
        s->error = error;
        s->bytes = bytes;
        if (s->is_polled)
            c->stats.polled_receives++;
        else
            c->stats.notified_receives++;
        deliver_receives(c);
        if (!s->is_polled && san_is_looked_at(c))
            san_wake_all(c); /* from here on those who wait have to look */
        return;
    case SAN_SEND:
        if (error != 0)
            sw_session_broken(c->session, error);
        else
            sw_session_sent(c->session, s->index);
        return;
    case SAN_RDMA: sw_session_rdma_done(c->session, s->range, error); return;
    }
}

/* True: its OVERLAPPED shows the end. */
static bool take(struct san *c, struct san_slot *s)
{
    DWORD bytes = 0;
    int error = 0;

    if (!s->is_out || !s->is_polled || !sw_overlapped_result(&s->ov, &bytes, &error))
        return false;
    is_over(c, s, error, bytes);
    return true;
}

/* Mostly the provider has found its end together with something else's, and the OVERLAPPED shows it; to be told for certain, one has to
 * ask (4.12). */
void san_see_quiet(struct san *c, bool must)
{
    struct san_slot *s = c->quiet;
    DWORD bytes = 0, flags = 0;
    INT error = 0;

    if (s == NULL || take(c, s) || !must || c->companion == NULL)
        return;
    (void)c->procs->lpWSPGetOverlappedResult(c->descriptor, &s->ov, &bytes, FALSE, &flags, &error);
    (void)take(c, s);
}

void san_notified(void *context, SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes)
{
    struct san_slot *s = (struct san_slot *)(void *)ov;
    struct san *c = s->san;

    (void)context;
    (void)handle;
    san_enter(c);
    san_see_quiet(c, s->kind == SAN_SEND); /* sends end in order: who waits for all of them is to know */
    is_over(c, s, (int)error, bytes);
    san_leave(c);
}

bool san_take_polled(struct san *c)
{
    uint64_t sends = c->polled_sends;
    bool came = false;

    san_see_quiet(c, false);
    while (c->rx_count != 0 && take(c, &c->rx[c->rx_order[c->rx_first]]))
        came = true;
    for (; sends != 0; sends &= sends - 1)
        came |= take(c, &c->tx[sw_bits_lowest(sends)]);
    for (unsigned i = 0; c->polled_others != 0 && i < SAN_RDMA_MAX; i++)
        came |= take(c, &c->rdma[i]);
    return came;
}

void san_forget_polled(struct san *c)
{
    unsigned all = c->slots == NULL ? 0 : (unsigned)(c->rdma + SAN_RDMA_MAX - c->slots);

    for (unsigned i = 0; i < all; i++)
        if (c->slots[i].is_out && c->slots[i].is_polled)
            is_over(c, &c->slots[i], WSA_OPERATION_ABORTED, 0);
}
