/* fuzz_session.c - one session whose peer is the fuzzer: it says what it likes, when it likes, mostly in messages that fit
 * where the session stands (else it would never get past the first check), while an application sends and receives. Under
 * the sanitizers nothing may be touched that is not the session's; actions must end; and when it is over, each operation has
 * ended once and nothing is asked of the connection any more. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define MESSAGE  256u
#define RECEIVES 8u
#define OPS      4u
#define BIG      3000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct op {
    struct sw_op op;
    WSABUF buffer;
    int pending;
};

struct peer {
    struct sw_session *s;
    struct sw_session_config c;
    const uint8_t *data;
    size_t left;
    unsigned posted[64], posted_count;
    unsigned sent[64], sent_count;
    struct sw_range *rdma[4];
    unsigned rdma_count;
    struct op ops[OPS];
    int closed;
};

static uint8_t byte(struct peer *p)
{
    if (p->left == 0)
        return 0;
    p->left--;
    return *p->data++;
}

static void act(struct peer *p)
{
    struct sw_action a;

    for (unsigned n = 0; sw_session_next(p->s, &a); n++) {
        if (n > 10000 || (p->closed && a.kind <= SW_DO_WRITE))
            abort();
        switch (a.kind) {
        case SW_DO_POST_RECEIVE:
            if (p->posted_count == RECEIVES)
                abort();
            p->posted[p->posted_count++] = a.buffer;
            break;
        case SW_DO_SEND: p->sent[p->sent_count++] = a.buffer; break;
        case SW_DO_REGISTER:
            a.range->descriptor_bytes = 8;
            sw_session_registered(p->s, a.range, (byte(p) & 15) == 1 ? WSAENOBUFS : 0);
            break;
        case SW_DO_READ: memset(a.memory, 0x5A, a.bytes); /* fall through */
        case SW_DO_WRITE:
            if (p->rdma_count == 4)
                abort();
            p->rdma[p->rdma_count++] = a.range;
            break;
        case SW_DO_COMPLETE:
            if (!((struct op *)a.op->context)->pending)
                abort();
            ((struct op *)a.op->context)->pending = 0;
            break;
        case SW_DO_CLOSE:
            p->closed = 1;
            while (p->rdma_count != 0)
                sw_session_rdma_done(p->s, p->rdma[--p->rdma_count], WSA_OPERATION_ABORTED);
            break;
        default: break;
        }
    }
}

static void deliver(struct peer *p, const uint8_t *message, size_t n)
{
    unsigned buffer;

    if (p->posted_count == 0 || p->closed)
        return;
    buffer = p->posted[0];
    memmove(p->posted, p->posted + 1, --p->posted_count * sizeof(p->posted[0]));
    memcpy(p->c.receive_memory + buffer * MESSAGE, message, n);
    sw_session_message(p->s, buffer, (uint32_t)n);
}

/* A message that fits, with as many fields made wrong as the input says. */
static void say(struct peer *p)
{
    struct sw_wire_message m = {.type = (uint8_t)(SW_WIRE_DATA + byte(p) % 13)};
    uint8_t wrong = byte(p);
    uint8_t out[MESSAGE];
    uint8_t descriptor[8] = {0};

    m.sequence = p->s->rx.sequence + (wrong == 1);
    m.limit = p->s->tx.limit + (wrong & 0x40 ? byte(p) * 8u : 0u);
    m.credits = wrong & 0x20 ? byte(p) & 15 : 0;
    m.flags = byte(p) & 3;
    if (m.type == SW_WIRE_DATA || m.type == SW_WIRE_LARGE_PULL || m.type == SW_WIRE_LARGE_PUSH)
        m.payload_bytes = byte(p) % 200;
    if (m.type <= SW_WIRE_LARGE_PUSH || m.type == SW_WIRE_SHUT || m.type == SW_WIRE_CLOSE ||
        m.type == SW_WIRE_URGENT)
        m.position = p->s->rx.announced + (wrong & 0x10 || m.type == SW_WIRE_URGENT ? byte(p) : 0);
    if (m.type == SW_WIRE_URGENT)
        m.payload_bytes = 1;
    if (m.type == SW_WIRE_LARGE_PULL || m.type == SW_WIRE_SINK) {
        m.descriptor = descriptor;
        m.descriptor_bytes = sizeof(descriptor);
    }
    if (m.type >= SW_WIRE_LARGE_PULL && m.type <= SW_WIRE_DONE) {
        m.transfer = m.type <= SW_WIRE_LARGE_PUSH || m.flags == SW_WIRE_WRITTEN ? p->s->rx.transfer
                                                                                : p->s->tx.transfer - 1;
        if (m.flags == SW_WIRE_WRITTEN && m.type == SW_WIRE_DONE)
            m.transfer -= p->s->rx.in_count;
        m.amount = byte(p) * 16u + byte(p);
        if (m.type == SW_WIRE_DONE && (wrong & 8) == 0) /* the right answer */
            m.amount = m.flags == SW_WIRE_WRITTEN
                           ? p->s->rx.step.bytes
                           : sw_out_at(p->s, 0)->range.bytes - sw_out_at(p->s, 0)->first_part;
        if (m.type != SW_WIRE_DONE)
            m.flags = 0;
    }
    if (m.type == SW_WIRE_RESUME)
        m.amount = 4 + byte(p) % 61;
    size_t n = sw_wire_encode(&m, out);
    memset(out + n, 0x21, sizeof(out) - n);
    deliver(p, out, n + m.payload_bytes <= MESSAGE ? n + m.payload_bytes : MESSAGE);
}

static void use(struct peer *p)
{
    struct op *o = &p->ops[byte(p) % OPS];
    uint8_t how = byte(p);

    if (o->pending)
        return;
    o->buffer.len = (ULONG)(byte(p) * 12u % BIG);
    o->op.buffers = &o->buffer;
    o->op.buffer_count = 1;
    o->op.flags = how >> 1 & 3;
    o->op.context = o;
    o->pending = 1;
    if ((how & 1 ? sw_session_send(p->s, &o->op) : sw_session_receive(p->s, &o->op)) != 0)
        o->pending = 0;
}

static void step(struct peer *p)
{
    uint8_t what = byte(p);
    uint8_t urgent;
    uint64_t got;

    switch (what % 12) {
    case 0:
    case 1:
    case 2:
    case 3: say(p); break;
    case 4:
    case 5: use(p); break;
    case 6:
        if (p->sent_count != 0 && !p->closed)
            sw_session_sent(p->s, p->sent[--p->sent_count]);
        break;
    case 7:
        if (p->rdma_count != 0)
            sw_session_rdma_done(p->s, p->rdma[--p->rdma_count], what > 200 ? WSAECONNABORTED : 0);
        break;
    case 8: (void)(what > 128 ? sw_session_suspend(p->s) : sw_session_suspend_off(p->s)); break;
    case 9: sw_session_timer(p->s, (enum sw_timer)(what / 12 % SW_TIMER_COUNT)); break;
    case 10:
        (void)sw_session_receive_urgent(p->s, &urgent);
        sw_session_urgent_inline(p->s, what > 128);
        (void)sw_session_receive_now(p->s, &p->ops[0].buffer, p->ops[0].pending ? 0 : 1, &got);
        break;
    default:
        if (what > 240)
            (void)sw_session_close(p->s, what & 1 ? 0 : SW_SESSION_LINGER_FOREVER);
        else if (what > 200)
            (void)sw_session_shutdown(p->s, what % 3);
        else
            (void)sw_session_cancel(p->s, &p->ops[what % OPS].op);
        break;
    }
    act(p);
}

static void open_it(struct peer *p)
{
    struct sw_wire_hello h = {.type = SW_WIRE_NEGOTIATE,
                              .version_low = 1,
                              .version_high = 1,
                              .flags = byte(p) & 1,
                              .receives = 8,
                              .transfers = 3,
                              .message_bytes = MESSAGE,
                              .storage_bytes = 600,
                              .max_rdma_bytes = 2000};
    uint8_t out[SW_WIRE_HELLO_BYTES];

    p->c = (struct sw_session_config){.receives = RECEIVES,
                                      .data_buffers = 2,
                                      .message_bytes = MESSAGE,
                                      .storage_bytes = 600,
                                      .transfers = 3,
                                      .threshold_bytes = 300,
                                      .direct_min_bytes = 100,
                                      .max_rdma_bytes = 2000,
                                      .first_part_bytes = 50,
                                      .suspend_ms = 1,
                                      .keepalive_ms = 1,
                                      .keepalive_step_ms = 1,
                                      .keepalive_probes = 2,
                                      .has_rdma_read = byte(p) & 1};
    p->c.receive_memory = calloc(RECEIVES, MESSAGE);
    p->c.send_memory = calloc(1, sw_session_send_bytes(2, MESSAGE));
    p->c.storage = calloc(1, 600);
    p->s = sw_session_create(&p->c);
    for (unsigned i = 0; i < OPS; i++)
        p->ops[i].buffer.buf = calloc(1, BIG);
    if (p->s == NULL)
        abort();
    sw_session_start(p->s);
    act(p);
    sw_wire_hello_encode(&h, out);
    deliver(p, out, sizeof(out));
    act(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct peer *p = calloc(1, sizeof(*p));

    if (p == NULL)
        abort();
    p->data = data;
    p->left = bytes;
    open_it(p);
    while (p->left != 0)
        step(p);
    if (p->s->state != SW_ST_MOVED) { /* the connection breaks: everything ends */
        sw_session_broken(p->s, WSAECONNRESET);
        act(p);
        if (!p->closed)
            abort();
        for (unsigned i = 0; i < OPS; i++)
            if (p->ops[i].pending)
                abort();
    }
    sw_session_destroy(p->s);
    free(p->c.receive_memory);
    free(p->c.send_memory);
    free(p->c.storage);
    for (unsigned i = 0; i < OPS; i++)
        free(p->ops[i].buffer.buf);
    free(p);
    return 0;
}
