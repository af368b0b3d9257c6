/* description.h - a socket written down for another process: plain data for processes that run the same build.
 * Layer:   switch_shim/spi, private. Used by duplicate.c (a handle for another process) and share_move.c (the connection goes there).
 * Shape:   a head, the socket's own state, and a text, what the carrier's give() wrote. Both travel as one record (records.c), whose number
 *          names the target process and is taken once.
 * Source:  our choice; contract 8.10, 10.1 function 8. */
#ifndef SW_SPI_DESCRIPTION_H
#define SW_SPI_DESCRIPTION_H

#include "spi/share.h"
#include "spi/spi.h"

#define SW_TEXT_ROOM (1u << 20) /* a session carries what the application has not fetched */

struct sw_description {
    uint32_t magic, target, text_bytes;
    uint32_t carrier_bytes; /* of the text; the rest is the SAN half of a listener */
    int32_t af, type, protocol, state, backlog;
    uint32_t mode, is_san, is_bound, is_peer_set, remembered_count, send_ms, receive_ms;
    int32_t to_bytes, local_bytes;
    WSD_SOCKADDR_STORAGE to, local; /* local: of a connection over a SAN */
    WSD_LINGER linger;
    WSAPROTOCOL_INFOW info;
    struct sw_remembered remembered[SW_REMEMBERED_MAX];
    /* of a connection over a SAN: who shares it. 0 bytes of text: it stays where it is until somebody uses it there */
    uint64_t identity;
    uint32_t generation, holder_count, own_offers, own_last_offer;
    uint64_t own_until_ns;
    struct sw_holder from;
    struct sw_holder holders[SW_HOLDERS_MAX];
};

/* All but the carrier's part; lock held. */
void sw_description_fill_locked(struct sw_sock *s, DWORD target, struct sw_description *d);
/* 0, *id; WSAENOBUFS. */
int sw_description_put(struct sw_description *d, char *text, bool stays, uint32_t *id);
/* What was written for this process, once; its numbers are in their bounds. 0, and *text for the caller to free. *text is NULL: WSAEINVAL, there is
 * no such record, WSAENOBUFS, no memory or only half of one. */
int sw_description_fetch(uint32_t id, struct sw_description *d, char **text);
/* The carrier, in a leg that is not yet the socket's. 0, *out; or the code. */
int sw_description_carrier(struct sw_sock *s, const struct sw_description *d, const char *text,
                           struct sw_leg **out);
/* The provider that a connection over a SAN is of: as a new one there would go. NULL: none here. */
struct sw_provider *sw_description_provider(const struct sw_description *d);
/* The socket's own state; lock held. `mode`: only what belongs to the connection. */
void sw_description_restore_locked(struct sw_sock *s, const struct sw_description *d);
/* From CREATED to the state that it was in; lock held. False: no record of ours. */
bool sw_description_move_locked(struct sw_sock *s, const struct sw_description *d);
/* A new object with the kind and the modes of the one described, one call counted inside. NULL: no memory. */
struct sw_sock *sw_description_socket(const struct sw_description *d, uint32_t more_modes);

#endif
