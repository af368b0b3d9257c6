/* bench_app.h - private to bench_app*.c: sockets as an application has them, through the upper face of the switch
 * (WSPStartup), behind the endpoint table.
 * Layer:   bench, over winsock/ws2.h. Split: bench_app.c carries data, bench_app_conn.c makes and ends connections.
 * Shape:   a message is as many bytes as the run's size says (ep->rx_bytes): nothing is framed. Up to SMALL_BYTES a program
 *          that polls sends and receives without blocking, again and again; larger messages go by overlapped calls, as many
 *          at once as are posted. With upcalls a thread sleeps in a blocking receive, and sends block.
 * Layers:  app: whatever the switch chooses, which must be the SAN; apptcp: the same calls with the SAN switched off. winsock,
 *          winsocktcp: likewise, but through the Winsock calls of an application (bench_winsock.h) instead of the table below them. */
#ifndef BENCH_APP_H
#define BENCH_APP_H

#include "bench_ep.h"
#include "winsock/ws2.h"

struct app_layer {
    struct bench_error *err;
    struct bench_control *control;
    struct ws2_provider *switch_; /* app, apptcp */
    bool has_winsock;             /* started; winsock, winsocktcp */
    const WSPPROC_TABLE *procs;
    const char *name;
    bool is_tcp;
    SOCKET listener;
    WSD_SOCKADDR_IN local; /* port 0 */
    struct bench_device device;
};

struct app_op {
    WSAOVERLAPPED ov;
    uint32_t bytes;
    bool is_pending; /* an overlapped call that was not over when it returned */
};

struct app_ep {
    struct bench_ep ep; /* first: the loops see only this */
    struct app_layer *layer;
    SOCKET s;
    struct app_op *tx, *rx;
    uint64_t tx_posted, tx_done; /* small sends: sequence numbers; below tx_done all is with the switch */
    uint32_t tx_part;            /* bytes of small message tx_done that are */
    uint32_t rx_part;            /* bytes of the oldest small receive that are in */
    uint32_t rx_posted;          /* receives that the loop allows */
    uint32_t rx_begun;           /* of which overlapped ones were begun */
    bool blocks;
};

enum { APP_SMALL_BYTES = 4096, APP_AHEAD = 4, APP_LOOK_MS = 500 };

extern const struct bench_ep_ops app_ep_ops;

/* Takes over s, also on failure: then it is closed. */
bool app_ep_create(struct app_layer *l, const struct bench_ep_config *c, SOCKET s, struct bench_ep **out);
/* Of the layers of bench_app_conn.c. */
struct app_layer *app_layer_of(struct bench_layer *l);
/* Is s carried by what the layer measures? */
bool app_check_carrier(struct app_layer *l, SOCKET s);
void app_address(const struct vb_addr *a, WSD_SOCKADDR_IN *out);
bool app_fail_code(struct app_layer *l, const char *what, int code);
void app_ep_close(struct bench_ep *ep); /* bench_app_conn.c */

#endif
