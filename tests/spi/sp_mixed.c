/* sp_mixed.c - a stream into which several processes send at once: nothing says how their bytes are mixed, so each byte carries its sender (two
 * bits) and is one of a sequence of his own (six). */
#include "sp.h"

#define PIECE 20000u

static uint8_t byte_of(unsigned sender, uint64_t i)
{
    return (uint8_t)(sender << 6 | ((i * 11u + (i >> 6) * 31u + (i >> 13) * 7u + sender * 13u) & 63u));
}

void sp_mixed_fill(void *data, size_t bytes, unsigned sender, uint64_t at)
{
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)data)[i] = byte_of(sender, at + i);
}

int sp_mixed_send(SOCKET s, unsigned sender, uint64_t at, size_t bytes)
{
    char *data = malloc(bytes);
    DWORD sent = 0;
    int error;

    if (data == NULL)
        return -1;
    sp_mixed_fill(data, bytes, sender, at);
    error = sp_send(s, data, (DWORD)bytes, 0, &sent);
    free(data);
    return error != 0 ? error : sent == bytes ? 0 : -2;
}

static void look(struct sp_mixed *m, const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        const unsigned sender = data[i] >> 6;
        const uint64_t at = pal_load_relaxed(&m->got[sender]);

        m->differs = m->differs || data[i] != byte_of(sender, at);
        pal_store_relaxed(&m->got[sender], at + 1);
    }
}

static void read_mixed(void *context)
{
    struct sp_mixed *m = context;
    uint8_t *piece = malloc(PIECE);
    DWORD got = 1;

    while (piece != NULL && got != 0) {
        m->error = sp_recv(m->s, piece, PIECE, 0, &got);
        if (m->error != 0)
            break;
        look(m, piece, got);
    }
    free(piece);
}

void sp_mixed_read(struct sp_mixed *m, SOCKET s)
{
    m->s = s;
    m->error = -1;
    m->differs = false;
    for (unsigned i = 0; i < SP_SENDERS; i++)
        pal_store_relaxed(&m->got[i], 0u);
    m->thread = pal_thread_start(read_mixed, m, "mixed");
    assert_non_null(m->thread);
}

void sp_mixed_join(struct sp_mixed *m)
{
    pal_thread_join(m->thread);
    sp_ok(m->error);
    assert_false(m->differs);
}
