/* bench_control.h - the channel over which both ends agree on options, keys, starts and results: TCP, or a
 * connection within this machine to the server that the client started.
 * Layer:   bench. Never used between the start and the end of a timed loop.
 * Trust:   the peer is hostile until proven otherwise: every length is bounded before it is believed, every
 *          wait has a deadline, bodies are decoded by bench_wire.c. There is no authentication (see
 *          --help). */
#ifndef BENCH_CONTROL_H
#define BENCH_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench_error.h"
#include "bench_wire.h"
#include "pal/socket.h"

struct bench_control {
    pal_socket fd;
    uint32_t timeout_ms;     /* for each message */
    struct bench_error *err; /* borrowed; where failures of this end go */
    bool has_heard;          /* the peer has proved to be a wsdbench */
};

/* Is it an address of this machine, as --addr must be? False and a sentence only when the system says that it is none. */
bool bench_control_owns(const char *address, struct bench_error *err);
/* Server: a listening TCP socket on all addresses. Returns PAL_SOCKET_NONE and a sentence on failure. */
pal_socket bench_control_listen(uint16_t port, struct bench_error *err);
/* Waits for a client without limit. Returns the connection or PAL_SOCKET_NONE. */
pal_socket bench_control_accept(pal_socket listener, char *who, size_t who_bytes, struct bench_error *err);
pal_socket bench_control_connect(const char *host, uint16_t port, uint32_t timeout_ms,
                                 struct bench_error *err);

void bench_control_init(struct bench_control *c, pal_socket fd, uint32_t timeout_ms, struct bench_error *err);
void bench_control_close(struct bench_control *c);

/* Send one message. False: the peer is gone or does not read. */
bool bench_control_send(struct bench_control *c, enum bench_message_type type, const uint8_t *body,
                        size_t bytes);
/* Tell the peer that and why this end gives up; best effort. */
void bench_control_send_error(struct bench_control *c);

/* Receive the next message into body[BENCH_BODY_MAX]. False: end of file, time-out, malformed, or the peer's
 * ERROR, whose text becomes the sentence. *type and *bytes are written on success only. */
bool bench_control_receive(struct bench_control *c, enum bench_message_type *type, uint8_t *body,
                           size_t *bytes);
/* Receive and insist on a type. */
bool bench_control_expect(struct bench_control *c, enum bench_message_type type, uint8_t *body,
                          size_t *bytes);

/* Is something to be read (a message, or the end)? Waits at most timeout_ms. */
bool bench_control_readable(const struct bench_control *c, int timeout_ms);
/* For loops that wait for data: is the peer still with us? Looks without consuming; false and a sentence when
 *                               it hung up or reported
 * an error. */
bool bench_control_alive(struct bench_control *c);

#endif
