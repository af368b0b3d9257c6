/* grant.h - remote access to a buffer for exactly one peer (WSPRegisterRdmaMemory), and the descriptor
 * that carries it.
 * Layer:   provider/data.
 * Rules:   only the connected peer, only the registered range and direction, only until deregistration
 *          (contract 6.1, 6.4, 6.5; peers.md W2-W5). With windows: a type-2 window bound to this socket's
 *          QP over a cached registration. Without: a registration of its own, exact, in the socket's own
 *          protection domain. */
#ifndef WSD_GRANT_H
#define WSD_GRANT_H

#include "data/chan.h"

/* Wire form, 24 bytes, network order, position independent (6.4):
 *   0 version u8 = 1 | 1 access u8 (MEM_*) | 2 zero u16 | 4 rkey u32 | 8 address u64 | 16 length u32 | 20
 *   nonce u32
 * The nonce names the connection of the registering side, so that a descriptor of another socket is
 * refused before it reaches the wire. It is no protection: the key's binding is. */
#define WSD_DESCRIPTOR_BYTES   24u
#define WSD_DESCRIPTOR_VERSION 1u

struct wsd_descriptor {
    uint8_t access;
    uint32_t rkey;
    uint64_t addr;
    uint32_t bytes;
    uint32_t nonce;
};

void wsd_descriptor_encode(const struct wsd_descriptor *d, uint8_t out[WSD_DESCRIPTOR_BYTES]);
/* Bytes from the peer: false when they are no descriptor of ours. */
bool wsd_descriptor_decode(const void *in, uint32_t in_bytes, struct wsd_descriptor *out);

/* Winsock code or 0. Control. */
int wsd_grant_register(struct wsd_chan *c, void *addr, uint32_t bytes, uint32_t flags,
                       uint8_t out[WSD_DESCRIPTOR_BYTES]);
/* After return the peer cannot reach the memory. WSAEINVAL: not one of this socket's descriptors. Control;
 * waits for the device. */
int wsd_grant_deregister(struct wsd_chan *c, const void *descriptor, uint32_t descriptor_bytes);
void wsd_grant_release_all(struct wsd_chan *c); /* QP stopped and drained, not destroyed yet; control */

#endif
