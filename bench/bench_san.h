/* bench_san.h - private to bench_san*.c: the SAN provider, loaded by the switch shim, behind the endpoint
 * table.
 * Layer:   bench, over sw/switch.h. Split: bench_san.c carries data, bench_san_conn.c makes and ends
 *          connections.
 * Shape:   what the switch does and no more: memory registered once, receives posted ahead, one OVERLAPPED
 *          for each slot; bit 0 of hEvent for polled operations, a callback or a completion port for the
 *          others. */
#ifndef BENCH_SAN_H
#define BENCH_SAN_H

#include "bench_ep.h"
#include "sw/switch.h"

struct san_layer {
    struct bench_error *err;
    struct bench_control *control;
    struct sw_provider *provider;
    struct sw_listener *listener;
    WSD_SOCKADDR_IN local; /* port 0 */
    struct bench_device device;
    char trouble[VB_TEXT_BYTES]; /* with the local address, in the backend's words; empty: none */
};

struct san_tx {
    WSAOVERLAPPED ov;
    WSABUF buffer;
    WSABUFEX buffer_ex;
};

struct san_rx {
    WSAOVERLAPPED ov;
    WSABUF buffer;
};

struct san_ep {
    struct bench_ep ep; /* first: the loops see only this */
    struct san_layer *layer;
    struct sw_companion *companion;
    struct san_tx *tx;
    struct san_rx *rx;
    struct sw_iocp *port; /* --wake port */
    HANDLE tx_registration, rx_registration;
    struct sw_rdma_descriptor window, remote;
    bool has_window;
    pal_atomic_bool is_closing; /* completions are no news any more */
};

extern const struct bench_ep_ops san_ep_ops;

/* Memory and arrays; no socket yet. */
bool san_ep_create(struct san_layer *l, const struct bench_ep_config *c, struct san_ep **out);
/* How completions with upcalls reach this endpoint. */
void san_ep_notify(struct san_ep *s, struct sw_notify *out);
/* On a connected socket: register memory, post the receives, exchange hellos. */
bool san_ep_start(struct san_ep *s, bool is_connector, uint32_t timeout_ms);
void san_ep_close(struct bench_ep *ep); /* also when it never got a socket */

#endif
