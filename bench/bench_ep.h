/* bench_ep.h - a connection as the measuring loops see it; raw verbs, the SAN provider and stream sockets stand
 * behind the same table.
 * Layer:   bench. Loops (bench_lat.c, bench_bw.c ...) call the inline functions at the end; bench_raw.c, bench_san.c
 *          and bench_sock.c implement the table. That the loops cannot tell the layers apart is what makes the
 *          ratio san / raw honest.
 * Slots:   operations live in two rings, receives (rx) and everything started here (tx). A slot is posted,
 *          then asked for until it is done, then free. Slots are used in ring order and each ring completes
 *          in order.
 * Memory:  slot i uses piece i % pieces of the rx or tx memory; the peer may touch the window with RDMA.
 * Hot:     post_*, poll_*: no allocation, no formatting except on failure, one indirect call each.
 * Threads: one thread drives an endpoint. With upcalls (upcall_rx, upcall_tx) done() may come from a thread
 *          of the layer while serve_upcalls() runs, one call at a time for each ring; it may post and
 *          poll. */
#ifndef BENCH_EP_H
#define BENCH_EP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench_control.h"
#include "bench_error.h"
#include "bench_options.h"
#include "bench_wire.h"
#include "pal/atomic.h"
#include "pal/event.h"
#include "pal/thread.h"
#include "vb/vb.h"

enum bench_step { BENCH_FAILED = -1, BENCH_PENDING = 0, BENCH_FINISHED = 1 };

/* What a connection is for. All zero: a bare connection that carries nothing (connect, idle). */
struct bench_ep_config {
    uint32_t rx_count, tx_count;   /* slots */
    uint32_t rx_pieces, tx_pieces; /* distinct pieces of memory behind them, at most as many */
    uint32_t piece_bytes;          /* largest message; a multiple of 64 */
    uint32_t window_pieces;        /* 0: no window */
    uint32_t inline_bytes;         /* raw */
    uint32_t cq_mod;               /* raw: ask for a completion of every Nth send */
    bool upcall_rx, upcall_tx;     /* completion by upcall instead of polling */
    enum bench_wake wake;          /* san */
    bool says_hello;               /* san: exchange the first messages (always when there are receives) */
};

struct bench_device {
    char device[64];
    char transport[16];
    uint32_t mtu_bytes;
    char address[VB_ADDR_TEXT_BYTES];
    char backend[256]; /* empty: no verbs below */
    char backend_why[640];
};

struct bench_ep;
typedef void (*bench_done_fn)(void *context, bool is_rx, uint32_t slot, uint32_t bytes);

enum bench_reg_kind { BENCH_REG_LOCAL, BENCH_REG_RDMA, BENCH_REG_WINDOW, BENCH_REG_KINDS };

struct bench_ep_ops {
    /* True: started. False: the sentence is in ep->err. */
    bool (*post_recv)(struct bench_ep *ep, uint32_t slot);
    bool (*post_send)(struct bench_ep *ep, uint32_t slot, uint32_t bytes);
    bool (*post_write)(struct bench_ep *ep, uint32_t slot, uint32_t bytes, uint32_t remote_offset);
    bool (*post_read)(struct bench_ep *ep, uint32_t slot, uint32_t bytes, uint32_t remote_offset);
    /* FINISHED: *bytes is the length of the message, the slot is free. FAILED: the sentence is in ep->err. */
    enum bench_step (*poll_rx)(struct bench_ep *ep, uint32_t slot, uint32_t *bytes);
    enum bench_step (*poll_tx)(struct bench_ep *ep, uint32_t slot);
    /* Deliver completions of the rings that have upcalls to ep->done until ep->is_finished. False:
     * ep->err. */
    bool (*serve_upcalls)(struct bench_ep *ep);
    /* Before data flows: what the peer told about itself. */
    bool (*set_peer)(struct bench_ep *ep, const struct bench_window *peer);
    /* One register + deregister of memory, timed. has_cold: not from a cache. VB-like layers without the
     * kind: *out_ns = 0. */
    bool (*reg_cycle)(struct bench_ep *ep, enum bench_reg_kind kind, bool is_cold, void *memory,
                      uint32_t bytes, uint64_t *out_ns);
    void (*close)(struct bench_ep *ep); /* disconnects, frees */
};

struct bench_ep {
    const struct bench_ep_ops *ops;
    struct bench_ep_config config;
    struct bench_error *err;
    uint8_t *rx_memory, *tx_memory, *window;
    struct bench_window mine; /* for the peer */
    struct bench_window peer;

    /* The loops' places in the rings; they survive from run to run. */
    uint32_t rx_next;   /* slot of the oldest posted receive */
    uint32_t tx_next;   /* slot that is used next */
    uint32_t tx_oldest; /* slot of the oldest operation that may be pending */
    uint64_t tx_begun;  /* operations started so far */
    uint64_t tx_ended;  /* and found done */
    uint64_t tx_goal;   /* raw with cq_mod > 1: the operation that ends the run always gives a completion */
    uint8_t write_seq;  /* last byte of the latest write, lat */
    uint32_t rx_bytes;  /* of each message that comes in this run: streams do not tell where one ends */
    uint32_t
        rx_due; /* messages that are sure to come in this run and for which no receive was begun yet; 0: unknown */

    /* Upcalls. */
    bench_done_fn done;
    void *done_context;
    pal_atomic_u32 is_finished;
    struct pal_event *finished;

    /* Patience of waiting loops; see bench_patient(). */
    struct bench_control *control;
    uint64_t timeout_ns;
    uint64_t give_up_ns, look_ns;
    uint64_t seen_progress;
    pal_atomic_u64 progress; /* messages so far in this run: for patience and for the progress display */
    uint32_t spins;
    bool
        shares_cpu; /* while there is nothing, let others run: bandwidth, where a soft device has work of its own */
};

/* A layer: raw, san, tcp, unix, app, apptcp, winsock or winsocktcp. One per process side; connections are made of it. */
struct bench_layer;
struct bench_layer_config {
    const struct bench_options *options;
    const struct vb_addr *remote; /* client: where it will connect; NULL: server */
    struct bench_control
        *control; /* looked at while waiting for a connection, and where failures go (control->err) */
};
struct bench_layer_ops {
    const char *name;
    bool (*open)(const struct bench_layer_config *c, struct bench_layer **out);
    void (*close)(struct bench_layer *l);
    void (*describe)(struct bench_layer *l, struct bench_device *out);
    /* Server: listen on the layer's address, any port; *out says where. */
    bool (*listen)(struct bench_layer *l, struct vb_addr *out);
    /* One connection, complete with memory and posted receives. */
    bool (*accept)(struct bench_layer *l, const struct bench_ep_config *c, uint32_t timeout_ms,
                   struct bench_ep **out);
    bool (*connect)(struct bench_layer *l, const struct bench_ep_config *c, const struct vb_addr *remote,
                    uint32_t timeout_ms, struct bench_ep **out);
    /* Server of `connect`: accept bare connections and drop the ones that ended, until the control channel is
     * readable. */
    bool (*serve_connects)(struct bench_layer *l, struct bench_control *control);
};
extern const struct bench_layer_ops bench_raw_layer, bench_san_layer, bench_tcp_layer, bench_unix_layer,
    bench_app_layer, bench_apptcp_layer, bench_winsock_layer, bench_winsocktcp_layer;
const struct bench_layer_ops *bench_layer_of(unsigned kind);

/* --- common parts of all layers (bench_ep.c) ----------------------------------------------------------- */

bool bench_ep_init(struct bench_ep *ep, const struct bench_ep_ops *ops, const struct bench_ep_config *c,
                   struct bench_error *err); /* allocates memory */
void bench_ep_fini(struct bench_ep *ep);     /* frees it */

/* pal_pages_free() for memory that was registered: a provider may have kept the registration and must know
 * before the pages go (contract 6.7). */
void bench_pages_free(void *pages, size_t bytes);

/* Slow part of bench_patient(). */
bool bench_patience_check(struct bench_ep *ep);

/* Call before a loop that waits. */
void bench_patience_start(struct bench_ep *ep, struct bench_control *control, uint32_t timeout_s);

/* Wait until every started operation is done. */
bool bench_drain(struct bench_ep *ep);

/* End serve_upcalls(), from done(). */
void bench_finish_upcalls(struct bench_ep *ep);
/* Prepare for and run upcalls; start() posts the first operations (may be NULL). */
bool bench_run_upcalls(struct bench_ep *ep, bench_done_fn done, void *context, bool (*start)(void *context));

/* --- what the loops use --------------------------------------------------------------------------------- */

static inline uint8_t *bench_rx_piece(const struct bench_ep *ep, uint32_t slot)
{
    return ep->rx_memory + (size_t)(slot % ep->config.rx_pieces) * ep->config.piece_bytes;
}

static inline uint8_t *bench_tx_piece(const struct bench_ep *ep, uint32_t slot)
{
    return ep->tx_memory + (size_t)(slot % ep->config.tx_pieces) * ep->config.piece_bytes;
}

/* In waiting loops, on every empty round: false when it is time to give up. Reads the clock once in 4096
 * rounds. */
static inline bool bench_patient(struct bench_ep *ep)
{
    if ((++ep->spins & 63u) == 0 && ep->shares_cpu)
        pal_thread_yield();
    return (ep->spins & 4095u) != 0 || bench_patience_check(ep);
}

/* Take the oldest receive when it is done and tell slot and length; the caller posts it again. */
static inline enum bench_step bench_take_rx(struct bench_ep *ep, uint32_t *slot, uint32_t *bytes)
{
    enum bench_step step = ep->ops->poll_rx(ep, ep->rx_next, bytes);

    if (step == BENCH_FINISHED) {
        *slot = ep->rx_next;
        ep->rx_next = ep->rx_next + 1 == ep->config.rx_count ? 0 : ep->rx_next + 1;
    }
    return step;
}

static inline bool bench_wait_rx(struct bench_ep *ep, uint32_t *slot, uint32_t *bytes)
{
    enum bench_step step;

    while ((step = bench_take_rx(ep, slot, bytes)) == BENCH_PENDING) {
        if (!bench_patient(ep))
            return false;
    }
    return step == BENCH_FINISHED;
}

static inline bool bench_post_rx(struct bench_ep *ep, uint32_t slot)
{
    return ep->ops->post_recv(ep, slot);
}

static inline void bench_tx_finished(struct bench_ep *ep)
{
    ep->tx_ended++;
    ep->tx_oldest = ep->tx_oldest + 1 == ep->config.tx_count ? 0 : ep->tx_oldest + 1;
}

/* Has the oldest started operation ended? */
static inline enum bench_step bench_take_tx(struct bench_ep *ep)
{
    enum bench_step step = ep->ops->poll_tx(ep, ep->tx_oldest);

    if (step == BENCH_FINISHED)
        bench_tx_finished(ep);
    return step;
}

static inline bool bench_wait_tx(struct bench_ep *ep)
{
    enum bench_step step;

    while ((step = bench_take_tx(ep)) == BENCH_PENDING) {
        if (!bench_patient(ep))
            return false;
    }
    return step == BENCH_FINISHED;
}

/* Make sure that slot tx_next is free. In a ping-pong its old operation ended long ago: one question. */
static inline bool bench_claim_tx(struct bench_ep *ep)
{
    return ep->tx_begun - ep->tx_ended < ep->config.tx_count || bench_wait_tx(ep);
}

/* Takes slot tx_next. Before the post: an upcall may come before the post returns, and uses the ring too. */
static inline uint32_t bench_tx_start(struct bench_ep *ep)
{
    uint32_t slot = ep->tx_next;

    ep->tx_begun++;
    ep->tx_next = slot + 1 == ep->config.tx_count ? 0 : slot + 1;
    return slot;
}

static inline bool bench_send(struct bench_ep *ep, uint32_t bytes)
{
    uint32_t slot = bench_tx_start(ep);

    return ep->ops->post_send(ep, slot, bytes);
}

static inline bool bench_write(struct bench_ep *ep, uint32_t bytes, uint32_t remote_offset)
{
    uint32_t slot = bench_tx_start(ep);

    return ep->ops->post_write(ep, slot, bytes, remote_offset);
}

static inline bool bench_read(struct bench_ep *ep, uint32_t bytes, uint32_t remote_offset)
{
    uint32_t slot = bench_tx_start(ep);

    return ep->ops->post_read(ep, slot, bytes, remote_offset);
}

#endif
