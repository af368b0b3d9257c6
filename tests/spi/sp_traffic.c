/* sp_traffic.c - a load that two processes can share: overlapped sends of all sizes that need not be over yet, and receives that check
 * every byte. Whoever owns the socket goes on where the one before stopped. */
#include "sp.h"

/* Small ones that gather, ones around the size of a message, ones that go by RDMA. */
static const uint32_t sizes[SP_TRAFFIC_PIECES] = {1,  100, 3000,   70000, 5000, 300000, 17,   9,
                                                  16, 4,   250000, 1000,  4056, 40000,  2000, 90000};

uint64_t sp_traffic_bytes(void)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < SP_TRAFFIC_PIECES; i++)
        total += sizes[i];
    return total;
}

static bool prepare(struct sp_traffic *t, SOCKET s)
{
    memset(t, 0, sizeof(*t));
    t->s = s;
    t->data = malloc((size_t)sp_traffic_bytes());
    return t->data != NULL;
}

static int start(struct sp_traffic *t, SOCKET s)
{
    for (char *piece = t->data; t->count < SP_TRAFFIC_PIECES; t->count++) {
        WSABUF buffer = {sizes[t->count], piece};
        int error = sp_send_overlapped(s, &buffer, 1, &t->ov[t->count]);

        if (error != 0 && error != WSA_IO_PENDING)
            return error;
        piece += sizes[t->count];
    }
    return 0;
}

int sp_traffic_start(struct sp_traffic *t, SOCKET s, uint32_t seed, uint64_t at)
{
    if (!prepare(t, s))
        return -1;
    sp_fill(t->data, (size_t)sp_traffic_bytes(), seed, at);
    return start(t, s);
}

int sp_mixed_start(struct sp_traffic *t, SOCKET s, unsigned sender, uint64_t at)
{
    if (!prepare(t, s))
        return -1;
    sp_mixed_fill(t->data, (size_t)sp_traffic_bytes(), sender, at);
    return start(t, s);
}

/* 0, the code of one that failed, or -2: not all of it went. */
int sp_traffic_finish(struct sp_traffic *t)
{
    int result = 0;

    for (unsigned i = 0; i < t->count; i++) {
        DWORD bytes = 0;
        int error = sp_finish(t->s, &t->ov[i], &bytes);

        if (error == 0 && bytes != sizes[i])
            error = -2;
        if (result == 0)
            result = error;
    }
    free(t->data);
    t->data = NULL;
    return result;
}

/* 0, a code, or -2: other bytes, or fewer. */
int sp_traffic_take(SOCKET s, uint32_t seed, uint64_t at, uint64_t bytes)
{
    static char piece[60000], expected[60000];

    while (bytes > 0) {
        DWORD want = bytes < sizeof(piece) ? (DWORD)bytes : (DWORD)sizeof(piece), got = 0;
        int error = sp_recv(s, piece, want, 0, &got);

        if (error != 0)
            return error;
        sp_fill(expected, got, seed, at);
        if (got == 0 || memcmp(piece, expected, got) != 0)
            return -2;
        at += got;
        bytes -= got;
    }
    return 0;
}
