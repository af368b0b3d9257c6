/* wire.c - see wire.h and PROTOCOL.md. One table says which fields a type uses; encoder and decoder follow it, so that
 * a message has one spelling only. */
#include "session/wire.h"

#include <string.h>

#include "sw_bytes.h"

#define MAGIC 0x53445357u

enum uses {
    USES_POSITION = 1,
    USES_TRANSFER = 2,
    USES_AMOUNT = 4,     /* and it is not 0 */
    USES_DESCRIPTOR = 8, /* and there is one */
    USES_PAYLOAD = 16,
    NEEDS_PAYLOAD = 32,
    USES_FLAG = 64,  /* bit 0 */
    USES_FLAGS = 128 /* one of bits 0 and 1 */
};

static const struct {
    const char *name;
    unsigned char uses;
} kinds[SW_WIRE_TYPE_COUNT] = {
    [SW_WIRE_NEGOTIATE] = {"NEGOTIATE", 0},
    [SW_WIRE_REPLY] = {"REPLY", 0},
    [SW_WIRE_REFUSE] = {"REFUSE", 0},
    [SW_WIRE_DATA] = {"DATA", USES_POSITION | USES_PAYLOAD | NEEDS_PAYLOAD},
    [SW_WIRE_LARGE_PULL] = {"LARGE_PULL",
                            USES_POSITION | USES_TRANSFER | USES_AMOUNT | USES_DESCRIPTOR | USES_PAYLOAD},
    [SW_WIRE_LARGE_PUSH] = {"LARGE_PUSH", USES_POSITION | USES_TRANSFER | USES_AMOUNT | USES_PAYLOAD},
    [SW_WIRE_SINK] = {"SINK", USES_TRANSFER | USES_AMOUNT | USES_DESCRIPTOR},
    [SW_WIRE_DONE] = {"DONE", USES_TRANSFER | USES_AMOUNT | USES_FLAGS},
    [SW_WIRE_CREDIT] = {"CREDIT", 0},
    [SW_WIRE_URGENT] = {"URGENT", USES_POSITION | USES_PAYLOAD | NEEDS_PAYLOAD},
    [SW_WIRE_SHUT] = {"SHUT", USES_POSITION},
    [SW_WIRE_CLOSE] = {"CLOSE", USES_POSITION},
    [SW_WIRE_SUSPEND] = {"SUSPEND", 0},
    [SW_WIRE_SUSPENDED] = {"SUSPENDED", 0},
    [SW_WIRE_RESUME] = {"RESUME", USES_AMOUNT},
    [SW_WIRE_PING] = {"PING", USES_FLAG},
};

const char *sw_wire_type_name(unsigned type)
{
    return type < SW_WIRE_TYPE_COUNT && kinds[type].name != NULL ? kinds[type].name : "unknown";
}

void sw_wire_hello_encode(const struct sw_wire_hello *h, uint8_t *out)
{
    memset(out, 0, SW_WIRE_HELLO_BYTES);
    put_le32(out, MAGIC);
    out[4] = h->type;
    out[5] = h->version_low;
    out[6] = h->version_high;
    if (h->type == SW_WIRE_REFUSE)
        return;
    out[7] = h->flags;
    put_le16(out + 8, h->receives);
    put_le16(out + 10, h->transfers);
    put_le32(out + 12, h->message_bytes);
    put_le32(out + 16, h->storage_bytes);
    put_le32(out + 20, h->max_rdma_bytes);
}

static bool hello_in_range(const struct sw_wire_hello *h)
{
    return (h->flags & ~SW_WIRE_HAS_READ) == 0 && h->receives >= SW_WIRE_CREDITS_MIN &&
           h->receives <= SW_WIRE_CREDITS_MAX && h->transfers >= 1 && h->transfers <= SW_WIRE_TRANSFERS_MAX &&
           h->message_bytes >= SW_WIRE_MESSAGE_MIN && h->message_bytes <= SW_WIRE_MESSAGE_MAX &&
           h->storage_bytes >= 2 * (h->message_bytes - SW_WIRE_HEADER_BYTES) &&
           h->storage_bytes <= SW_WIRE_STORAGE_MAX;
}

bool sw_wire_hello_decode(const uint8_t *in, size_t bytes, struct sw_wire_hello *out)
{
    static const uint8_t zero[SW_WIRE_HELLO_BYTES - 7];

    memset(out, 0, sizeof(*out));
    if (bytes < 8 || get_le32(in) != MAGIC)
        return false;
    out->type = in[4];
    out->version_low = in[5];
    out->version_high = in[6];
    if (out->type < SW_WIRE_NEGOTIATE || out->type > SW_WIRE_REFUSE || out->version_low == 0 ||
        out->version_low > out->version_high)
        return false;
    if (out->version_low > SW_WIRE_VERSION || out->version_high < SW_WIRE_VERSION)
        return true;
    if (bytes != SW_WIRE_HELLO_BYTES)
        return false;
    if (out->type == SW_WIRE_REFUSE)
        return memcmp(in + 7, zero, sizeof(zero)) == 0;
    out->flags = in[7];
    out->receives = get_le16(in + 8);
    out->transfers = get_le16(in + 10);
    out->message_bytes = get_le32(in + 12);
    out->storage_bytes = get_le32(in + 16);
    out->max_rdma_bytes = get_le32(in + 20);
    return hello_in_range(out) && get_le32(in + 24) == 0;
}

size_t sw_wire_encode(const struct sw_wire_message *m, uint8_t *out)
{
    memset(out, 0, SW_WIRE_HEADER_BYTES);
    out[0] = m->type;
    out[1] = m->flags;
    put_le16(out + 2, m->credits);
    put_le32(out + 4, m->sequence);
    put_le64(out + 8, m->limit);
    put_le64(out + 16, m->position);
    put_le16(out + 24, m->payload_bytes);
    put_le16(out + 26, m->descriptor_bytes);
    put_le32(out + 28, m->transfer);
    put_le32(out + 32, m->amount);
    if (m->descriptor_bytes != 0)
        memcpy(out + SW_WIRE_HEADER_BYTES, m->descriptor, m->descriptor_bytes);
    return SW_WIRE_HEADER_BYTES + (size_t)m->descriptor_bytes;
}

static const char *check_fields(const struct sw_wire_message *m, unsigned uses)
{
    if (m->flags > (uses & USES_FLAGS ? 2u : uses & USES_FLAG ? 1u : 0u))
        return "unknown flags";
    if (!(uses & USES_POSITION) && m->position != 0)
        return "a position where there is none";
    if (!(uses & USES_TRANSFER) && m->transfer != 0)
        return "a transfer where there is none";
    if (!(uses & USES_AMOUNT) ? m->amount != 0 : m->amount == 0)
        return "an amount that cannot be";
    if ((m->descriptor_bytes != 0) != ((uses & USES_DESCRIPTOR) != 0) ||
        m->descriptor_bytes > SW_WIRE_DESCRIPTOR_MAX)
        return "a descriptor missing, too long or out of place";
    if (!(uses & USES_PAYLOAD) ? m->payload_bytes != 0 : m->payload_bytes == 0 && (uses & NEEDS_PAYLOAD))
        return "payload missing or out of place";
    if (m->type == SW_WIRE_URGENT && m->payload_bytes != 1)
        return "more than one urgent byte";
    if (m->type == SW_WIRE_RESUME && (m->amount < SW_WIRE_CREDITS_MIN || m->amount > SW_WIRE_CREDITS_MAX))
        return "a number of receives that cannot be";
    return NULL;
}

const char *sw_wire_decode(const uint8_t *in, size_t bytes, struct sw_wire_message *out)
{
    memset(out, 0, sizeof(*out));
    if (bytes < SW_WIRE_HEADER_BYTES)
        return "shorter than a header";
    out->type = in[0];
    if (out->type < SW_WIRE_DATA || out->type >= SW_WIRE_TYPE_COUNT)
        return "unknown type";
    out->flags = in[1];
    out->credits = get_le16(in + 2);
    out->sequence = get_le32(in + 4);
    out->limit = get_le64(in + 8);
    out->position = get_le64(in + 16);
    out->payload_bytes = get_le16(in + 24);
    out->descriptor_bytes = get_le16(in + 26);
    out->transfer = get_le32(in + 28);
    out->amount = get_le32(in + 32);
    if (get_le32(in + 36) != 0)
        return "reserved field is not zero";
    if (bytes != (size_t)SW_WIRE_HEADER_BYTES + out->descriptor_bytes + out->payload_bytes)
        return "lengths that are not those of the message";
    out->descriptor = in + SW_WIRE_HEADER_BYTES;
    out->payload = out->descriptor + out->descriptor_bytes;
    return check_fields(out, kinds[out->type].uses);
}
