/* wire.h - messages of the session protocol as bytes. No other file knows the layout.
 * Layer:   switch_shim/session. No I/O, no allocation, no state; what comes from the peer is checked here as far as
 *          that is possible without knowing the connection.
 * Source:  PROTOCOL.md sections 2 to 4. */
#ifndef SW_SESSION_WIRE_H
#define SW_SESSION_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SW_WIRE_VERSION        1u
#define SW_WIRE_HELLO_BYTES    28u
#define SW_WIRE_HEADER_BYTES   40u
#define SW_WIRE_DESCRIPTOR_MAX 64u
#define SW_WIRE_CREDITS_MIN    4u  /* fewer and the reserve and the debt rule have no room (section 5) */
#define SW_WIRE_CREDITS_MAX    64u /* our choice: one bit for each in a word */
#define SW_WIRE_TRANSFERS_MAX  8u
#define SW_WIRE_MESSAGE_MIN    256u
#define SW_WIRE_MESSAGE_MAX    65535u
#define SW_WIRE_STORAGE_MAX    (1u << 30)

enum sw_wire_type {
    SW_WIRE_NEGOTIATE = 1,
    SW_WIRE_REPLY = 2,
    SW_WIRE_REFUSE = 3,
    SW_WIRE_DATA = 4,
    SW_WIRE_LARGE_PULL = 5,
    SW_WIRE_LARGE_PUSH = 6,
    SW_WIRE_SINK = 7,
    SW_WIRE_DONE = 8,
    SW_WIRE_CREDIT = 9,
    SW_WIRE_URGENT = 10,
    SW_WIRE_SHUT = 11,
    SW_WIRE_CLOSE = 12,
    SW_WIRE_SUSPEND = 13,
    SW_WIRE_SUSPENDED = 14,
    SW_WIRE_RESUME = 15,
    SW_WIRE_PING = 16,
    SW_WIRE_TYPE_COUNT
};

enum sw_wire_flags {
    SW_WIRE_HAS_READ = 1, /* NEGOTIATE, REPLY */
    SW_WIRE_STOPPED = 1,  /* DONE of a reader: a part */
    SW_WIRE_WRITTEN = 2,  /* DONE of a writer */
    SW_WIRE_ANSWER = 1    /* PING */
};

/* NEGOTIATE, REPLY, REFUSE. */
struct sw_wire_hello {
    uint8_t type;
    uint8_t version_low, version_high;
    uint8_t flags;
    uint16_t receives;
    uint16_t transfers;
    uint32_t message_bytes; /* of each receive */
    uint32_t storage_bytes;
    uint32_t max_rdma_bytes; /* 0: no RDMA */
};

/* Everything else. */
struct sw_wire_message {
    uint8_t type;
    uint8_t flags;
    uint16_t credits;
    uint32_t sequence;
    uint64_t limit;
    uint64_t position;
    uint32_t transfer;
    uint32_t amount;
    uint16_t payload_bytes;
    uint16_t descriptor_bytes;
    const uint8_t *descriptor; /* decoded: inside the message */
    const uint8_t *payload;    /* decoded: inside the message. Encoding does not look at it */
};

/* Writes SW_WIRE_HELLO_BYTES. A REFUSE carries its versions only. */
void sw_wire_hello_encode(const struct sw_wire_hello *h, uint8_t *out);
/* The first message. False: not this protocol, or a field out of range. A hello that speaks other versions only is
 * true with nothing but type and versions filled in: the layout behind them is theirs. */
bool sw_wire_hello_decode(const uint8_t *in, size_t bytes, struct sw_wire_hello *out);

/* Writes header and descriptor; m->payload_bytes of payload are the caller's to put behind. Returns where. */
size_t sw_wire_encode(const struct sw_wire_message *m, uint8_t *out);
/* NULL and *out filled, or what is wrong with these bytes. */
const char *sw_wire_decode(const uint8_t *in, size_t bytes, struct sw_wire_message *out);

/* For logs: "DATA"; "unknown". */
const char *sw_wire_type_name(unsigned type);

#endif
