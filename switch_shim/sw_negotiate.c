/* sw_negotiate.c - the first messages of a connection: "I posted N receives".
 * Until the answer is there nobody may send anything else: the acceptor may not have posted receives yet, and
 * the provider's private buffers hold 256 bytes (contract 8.5). Format, little-endian, our choice (the
 * Microsoft format is unpublished):
 *
 *   0 u32 'WSDH'   4 u16 version = 1     6 u16 flags (bit 0: has WSPRdmaRead)   8 u32 receives posted
 *  12 u32 receive bytes   16 u32 max message   20 u32 max RDMA   24 u32 threshold   28 u16 user bytes   30
 *  u16 0 32 user bytes
 *
 * Source: contract 8.3, 8.4, 8.5, appendix A. */
#include "sw_companion.h"

#include <string.h>

#include "pal/memory.h"
#include "sw_bytes.h"

#define HELLO_MAGIC    0x48445357u
#define HELLO_VERSION  1u
#define HELLO_HEADER   32u
#define FLAG_RDMA_READ 0x0001u

_Static_assert(HELLO_HEADER + SW_HELLO_USER_MAX <= SW_HELLO_MAX, "the hello fits a private receive buffer");

static DWORD encode(const struct sw_hello *h, uint8_t *out)
{
    put_le32(out, HELLO_MAGIC);
    put_le16(out + 4, HELLO_VERSION);
    put_le16(out + 6, h->has_rdma_read ? FLAG_RDMA_READ : 0);
    put_le32(out + 8, h->receives_posted);
    put_le32(out + 12, h->receive_bytes);
    put_le32(out + 16, h->max_msg_bytes);
    put_le32(out + 20, h->max_rdma_bytes);
    put_le32(out + 24, h->rdma_threshold_bytes);
    put_le16(out + 28, h->user_bytes);
    put_le16(out + 30, 0);
    memcpy(out + HELLO_HEADER, h->user, h->user_bytes);
    return HELLO_HEADER + h->user_bytes;
}

static bool decode(const uint8_t *in, DWORD bytes, struct sw_hello *h)
{
    if (bytes < HELLO_HEADER || get_le32(in) != HELLO_MAGIC || get_le16(in + 4) != HELLO_VERSION ||
        get_le16(in + 28) > SW_HELLO_USER_MAX || bytes != HELLO_HEADER + get_le16(in + 28))
        return false;
    memset(h, 0, sizeof(*h));
    h->has_rdma_read = (get_le16(in + 6) & FLAG_RDMA_READ) != 0;
    h->receives_posted = get_le32(in + 8);
    h->receive_bytes = get_le32(in + 12);
    h->max_msg_bytes = get_le32(in + 16);
    h->max_rdma_bytes = get_le32(in + 20);
    h->rdma_threshold_bytes = get_le32(in + 24);
    h->user_bytes = (uint16_t)get_le16(in + 28);
    memcpy(h->user, in + HELLO_HEADER, h->user_bytes);
    return true;
}

void sw_hello_free(struct companion *c)
{
    if (c->hello_page != NULL) {
        /* best effort: nothing here can be undone */
        (void)sw_memory_going(c->hello_page, c->hello_page_bytes);
        pal_pages_free(c->hello_page, c->hello_page_bytes);
    }
    c->hello_page = NULL;
}

/* One side of the exchange. The OVERLAPPEDs live in the page too: after a failure they must outlive this
 * call. */
struct exchange {
    WSAOVERLAPPED rx_ov, tx_ov;
    uint8_t rx[SW_HELLO_MAX];
    uint8_t tx[SW_HELLO_MAX];
};

static int wait_for(struct sw_companion *c, WSAOVERLAPPED *ov, uint64_t deadline, DWORD *bytes)
{
    int error = 0;
    int result = sw_wait(c, ov, sw_remaining_ms(deadline), bytes, &error);

    return result != 0 ? result : error;
}

static int post_all(struct sw_companion *c, struct exchange *x, sw_post_receives_fn post, void *post_context)
{
    WSABUF into = {sizeof(x->rx), (CHAR *)x->rx};
    int result = sw_recv(c, &into, 1, &x->rx_ov, SW_POLL); /* first: it takes the first message */

    if (result == 0 && post != NULL)
        result = post(c, post_context);
    return result;
}

static int send_hello(struct sw_companion *c, struct exchange *x, const struct sw_hello *mine,
                      uint64_t deadline)
{
    WSABUF from = {encode(mine, x->tx), (CHAR *)x->tx};
    DWORD bytes;
    int result = sw_send(c, &from, 1, &x->tx_ov, SW_POLL);

    return result != 0 ? result : wait_for(c, &x->tx_ov, deadline, &bytes);
}

static int receive_hello(struct sw_companion *c, struct exchange *x, struct sw_hello *peer, uint64_t deadline)
{
    DWORD bytes = 0;
    int result = wait_for(c, &x->rx_ov, deadline, &bytes);

    if (result != 0)
        return result;
    return decode(x->rx, bytes, peer) ? 0 : WSAEPROTONOSUPPORT;
}

int sw_negotiate(struct sw_companion *c, bool is_connector, struct sw_hello *mine, sw_post_receives_fn post,
                 void *post_context, uint32_t timeout_ms, struct sw_hello *peer)
{
    struct companion *priv = companion_of(c);
    uint64_t deadline = sw_deadline(timeout_ms);
    struct exchange *x;
    struct sw_limits limits;
    struct sw_hello theirs;
    HANDLE rx_registration;
    HANDLE tx_registration;
    int result;

    if (mine->user_bytes > SW_HELLO_USER_MAX || priv->hello_page != NULL)
        return WSAEINVAL;
    result = sw_get_limits(c, &limits);
    if (result != 0)
        return result;
    mine->max_msg_bytes = limits.max_msg_bytes;
    mine->max_rdma_bytes = limits.max_rdma_bytes;
    mine->rdma_threshold_bytes = limits.rdma_threshold_bytes;
    mine->has_rdma_read = c->ext->rdma_read != NULL;

    priv->hello_page_bytes = pal_page_size();
    priv->hello_page = pal_pages_alloc(priv->hello_page_bytes);
    if (priv->hello_page == NULL)
        return WSA_NOT_ENOUGH_MEMORY;
    x = priv->hello_page;
    /* from here on a failure leaves the page to sw_close(): the provider may still write to it */
    result = sw_register(c, x->rx, sizeof(x->rx), MEM_WRITE, &rx_registration);
    if (result == 0)
        result = sw_register(c, x->tx, sizeof(x->tx), MEM_READ, &tx_registration);
    if (result != 0)
        return result;

    result = post_all(c, x, post, post_context); /* both sides: receives before the first word */
    if (result == 0 && is_connector)
        result = send_hello(c, x, mine, deadline);
    if (result == 0)
        result = receive_hello(c, x, &theirs, deadline);
    if (result == 0 && !is_connector)
        result = send_hello(c, x, mine, deadline);
    if (result != 0)
        return result;

    result = sw_deregister(c, rx_registration);
    if (result == 0)
        result = sw_deregister(c, tx_registration);
    if (result != 0)
        return result;
    sw_hello_free(priv);
    *peer = theirs;
    return 0;
}
