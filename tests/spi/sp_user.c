/* sp_user.c - random use of connections that other processes use at the same time: a thread that sends, in bytes of sp_mixed.c, in all ways, and
 * asks what one can ask; and one for each connection that receives until the stream ends, blocking, overlapped, and after select(). Who of several
 * gets which bytes is open: their sum is not. */
#include "sp.h"

#define ROOM      3000u
#define IN_FLIGHT 4u
#define PAUSE_US  3000u
#define SELECT_MS 5u

uint64_t sp_user_weight(const void *data, size_t bytes)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < bytes; i++) {
        uint64_t x = ((const uint8_t *)data)[i] * UINT64_C(0x9E3779B97F4A7C15) + 1u;

        x ^= x >> 29;
        sum += x * UINT64_C(0xBF58476D1CE4E5B9);
    }
    return sum;
}

static uint32_t draw(uint64_t *random, uint32_t below)
{
    *random += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64 */
    uint64_t x = *random;
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)(((x ^ x >> 31) >> 32) * below >> 32);
}

/* --- receiving --- */

/* -1: it is not over in time */
static int receive_overlapped(SOCKET s, char *room, DWORD *got)
{
    WSABUF buffer = {ROOM, room};
    WSAOVERLAPPED ov = {.hEvent = NULL};
    int error = sp_recv_overlapped(s, &buffer, 1, 0, &ov);

    return error == 0 || error == WSA_IO_PENDING ? sp_finish(s, &ov, got) : error;
}

/* When it says that there is something, another process may still be faster. */
static int receive_after_select(SOCKET s, char *room, DWORD *got)
{
    unsigned ready = 0;
    int error = sp_select(s, SP_READ, sp_env.wait_ms, &ready);

    return error != 0 ? error : sp_recv(s, room, ROOM, 0, got);
}

static void receive_all(void *context)
{
    const struct sp_user_receiver *r = context;
    struct sp_user *u = r->user;
    const SOCKET s = u->s[r->which];
    uint64_t random = u->seed * UINT64_C(31) + r->which + 1u;
    static PAL_THREAD_LOCAL char room[ROOM];
    int error = 0;

    for (DWORD got = 1; error == 0 && got != 0;) {
        switch (draw(&random, 3)) {
        case 0: error = sp_recv(s, room, ROOM, 0, &got); break;
        case 1: error = receive_overlapped(s, room, &got); break;
        default: error = receive_after_select(s, room, &got); break;
        }
        if (error != 0)
            break;
        u->got[r->which] += got;
        u->weight[r->which] += sp_user_weight(room, got);
    }
    u->error[r->which] = error;
}

/* --- sending --- */

struct flight {
    WSAOVERLAPPED ov;
    SOCKET s;
    DWORD bytes;
    char *data; /* NULL: none */
};

static int land(struct flight *f)
{
    DWORD bytes = 0;
    int error = 0;

    if (f->data != NULL)
        error = sp_finish(f->s, &f->ov, &bytes);
    if (f->data != NULL && error == 0 && bytes != f->bytes)
        error = -2;
    free(f->data);
    f->data = NULL;
    return error;
}

static int send_overlapped(struct flight *f, SOCKET s, unsigned sender, uint64_t at, DWORD bytes)
{
    WSABUF buffer = {bytes, NULL};
    int error = land(f);

    if (error != 0)
        return error;
    f->data = buffer.buf = malloc(bytes);
    if (f->data == NULL)
        return -1;
    f->s = s;
    f->bytes = bytes;
    memset(&f->ov, 0, sizeof(f->ov));
    sp_mixed_fill(f->data, bytes, sender, at);
    error = sp_send_overlapped(s, &buffer, 1, &f->ov);
    if (error == 0 || error == WSA_IO_PENDING)
        return 0;
    free(f->data);
    f->data = NULL;
    return error;
}

static int ask(SOCKET s, uint64_t *random)
{
    WSD_SOCKADDR_IN name;
    unsigned ready = 0;
    ULONG readable = 0;

    switch (draw(random, 3)) {
    case 0: return sp_ioctl(s, WS_FIONREAD, NULL, 0, &readable, sizeof(readable), NULL);
    case 1: return sp_peer(s, &name);
    default: return sp_select(s, SP_READ | SP_WRITE, draw(random, SELECT_MS), &ready);
    }
}

static void pause_a_little(uint64_t *random)
{
    const uint64_t end = pal_now_ns() + draw(random, PAUSE_US) * UINT64_C(1000);

    while (pal_now_ns() < end)
        pal_thread_yield();
}

static int do_something(struct sp_user *u, struct flight flights[IN_FLIGHT], uint64_t *random)
{
    const unsigned which = draw(random, u->count);
    const DWORD bytes = 1u + (draw(random, 8) == 0 ? draw(random, u->largest) : draw(random, 300));
    int error;

    switch (draw(random, 4)) {
    case 0: error = sp_mixed_send(u->s[which], u->sender, u->sent[which], bytes); break;
    case 1:
        error = send_overlapped(&flights[draw(random, IN_FLIGHT)], u->s[which], u->sender, u->sent[which],
                                bytes);
        break;
    case 2: return ask(u->s[which], random);
    default: pause_a_little(random); return 0;
    }
    if (error == 0)
        u->sent[which] += bytes;
    return error;
}

static void send_things(void *context)
{
    struct sp_user *u = context;
    const uint64_t end = pal_now_ns() + u->ms * UINT64_C(1000000);
    uint64_t random = u->seed;
    struct flight flights[IN_FLIGHT];
    int error = 0;

    memset(flights, 0, sizeof(flights));
    while (error == 0 && pal_now_ns() < end)
        error = do_something(u, flights, &random);
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        int last = land(&flights[i]);

        error = error == 0 ? last : error;
    }
    u->error[SP_USED] = error;
}

/* --- both --- */

bool sp_user_start(struct sp_user *u)
{
    bool is_all = true;

    for (unsigned i = 0; i < u->count; i++) {
        u->sent[i] = u->got[i] = u->weight[i] = 0;
        u->receivers[i] = (struct sp_user_receiver){u, i};
        u->receiving[i] = pal_thread_start(receive_all, &u->receivers[i], "receives");
        is_all = is_all && u->receiving[i] != NULL;
    }
    u->sending = pal_thread_start(send_things, u, "sends");
    return is_all && u->sending != NULL;
}

int sp_user_sent(struct sp_user *u)
{
    pal_thread_join(u->sending);
    return u->error[SP_USED];
}

int sp_user_received(struct sp_user *u)
{
    int error = 0;

    for (unsigned i = 0; i < u->count; i++) {
        pal_thread_join(u->receiving[i]);
        error = error == 0 ? u->error[i] : error;
    }
    return error;
}
