/* bench_sock.h - private to bench_sock*.c: stream sockets of the system behind the endpoint table, what a program
 * has without a SAN.
 * Layer:   bench, over TCP or Unix sockets. Split: bench_sock.c carries data, bench_sock_conn.c makes and ends
 *          connections.
 * Shape:   a message is as many bytes as the run's size says (ep->rx_bytes): nothing is framed, no copy is made, one
 *          system call each way when the kernel takes all of it. Polling never sleeps in a call; with upcalls the
 *          thread that serves them sleeps in a receive. */
#ifndef BENCH_SOCK_H
#define BENCH_SOCK_H

#include "bench_ep.h"
#include "bench_net.h"

struct sock_tx {
    uint64_t seq; /* of the operation in this slot */
    uint32_t bytes;
};

struct sock_layer {
    struct bench_error *err;
    struct bench_control *control;
    const char *name;
    pal_socket listener;
    struct vb_addr local; /* tcp: port 0; unix: 127.0.0.1 stands for this machine */
    struct bench_device device;
    bool is_unix;
};

struct sock_ep {
    struct bench_ep ep; /* first: the loops see only this */
    struct sock_layer *layer;
    struct sock_tx *tx;
    uint64_t tx_posted, tx_done; /* sequence numbers: below tx_done all is with the kernel */
    uint32_t tx_part;            /* bytes of message tx_done that are */
    uint32_t rx_part;            /* bytes of the oldest receive that are in */
    uint32_t rx_posted;
    pal_socket fd;
    struct bench_net_sleeper sleeper;
};

enum { SOCK_LOOK_MS = 100 }; /* a sleeping thread looks up so often */

extern const struct bench_ep_ops sock_ep_ops;

/* Takes over fd, also on failure. The receives are posted. */
bool sock_ep_create(struct sock_layer *l, const struct bench_ep_config *c, pal_socket fd,
                    struct bench_ep **out);
void sock_ep_close(struct bench_ep *ep); /* bench_sock_conn.c */

#endif
