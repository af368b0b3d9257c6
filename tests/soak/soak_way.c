/* soak_way.c - one direction at one end: sends its stream, or receives and checks it. */
#include <stdio.h>

#include "soak.h"
#include "watchdog.h"

static const WSPPROC_TABLE *procs_of(const struct soak_way *y)
{
    return y->conn->worker->procs;
}

void soak_way_init(struct soak_way *y, struct soak_conn *c, SOCKET s, bool is_send, uint64_t key,
                   uint64_t total, uint8_t *memory)
{
    struct rng *r = &c->worker->random;
    uint32_t largest = c->worker->options->largest, most;

    memset(y, 0, sizeof *y);
    y->conn = c;
    y->s = s;
    y->is_send = is_send;
    y->mode = (enum soak_mode)(rng_percent(r, 10) ? SOAK_BLOCKING : rng_below(r, 2));
    y->key = key;
    y->total = total;
    y->depth = 1 + rng_below(r, SOAK_PIECES);
    /* At most a hundred pieces or so, small or large. */
    most = (uint32_t)(total / 64 + 64 < largest ? total / 64 + 64 : largest);
    y->largest = most / 2 + 1 + rng_below(r, rng_percent(r, 40) ? most : largest);
    y->largest = y->largest > largest ? largest : y->largest;
    y->random.state = rng_next(r);
    for (unsigned i = 0; i < SOAK_PIECES; i++) {
        y->ops[i].way = y;
        y->ops[i].memory = memory + (size_t)i * largest;
    }
}

static uint32_t draw_bytes(struct soak_way *y)
{
    return 1 + rng_below(&y->random, y->largest);
}

/* A code that ends a way. True: it may be, because the connection is being aborted or was closed by the other side. */
static bool ended_with(struct soak_way *y, int code)
{
    y->error = code;
    return true;
}

/* --- one call ------------------------------------------------------------------------------------------- */

static int call(struct soak_way *y, struct soak_op *op, WSAOVERLAPPED *ov, DWORD *done)
{
    WSABUF pieces[3];
    uint32_t first = op->bytes / 3, second = op->bytes / 2;
    DWORD count = op->bytes > 64 && op->bytes % 5 == 0 ? 3 : 1, flags = 0;
    INT code = 0;
    int result;

    pieces[0] = (WSABUF){count == 1 ? op->bytes : first, (CHAR *)op->memory};
    pieces[1] = (WSABUF){second - first, (CHAR *)op->memory + first};
    pieces[2] = (WSABUF){op->bytes - second, (CHAR *)op->memory + second};
    result = y->is_send ? procs_of(y)->lpWSPSend(y->s, pieces, count, done, 0, ov, NULL, NULL, &code)
                        : procs_of(y)->lpWSPRecv(y->s, pieces, count, done, &flags, ov, NULL, NULL, &code);
    return result == SOCKET_ERROR ? code : 0;
}

static bool take(struct soak_way *y, struct soak_op *op, DWORD done)
{
    uint64_t where;

    pal_add_relaxed(&y->conn->worker->bytes, y->is_send ? 0u : done);
    watchdog_pat();
    if (y->is_send) {
        if (done != op->bytes)
            return soak_fail(y->conn->worker, "a send of %u bytes ended with %u", op->bytes, (unsigned)done);
        y->at += done;
        return true;
    }
    if (done > op->bytes || y->at + done > y->total)
        return soak_fail(y->conn->worker, "a receive of %u bytes at %llu of %llu got %u", op->bytes,
                         (unsigned long long)y->at, (unsigned long long)y->total, (unsigned)done);
    if (!soak_check(op->memory, done, y->key, y->at, &where))
        return soak_fail(y->conn->worker, "wrong bytes at %llu of %llu (connection %llu, %u bytes at %llu)",
                         (unsigned long long)where, (unsigned long long)y->total,
                         (unsigned long long)y->conn->number, (unsigned)done, (unsigned long long)y->at);
    y->at += done;
    y->has_end |= done == 0;
    return true;
}

/* What is sent next, or how much is received. False: nothing more. */
static bool prepare(struct soak_way *y, struct soak_op *op)
{
    op->bytes = draw_bytes(y);
    if (!y->is_send)
        return !y->has_end;
    if (y->begun == y->total)
        return false;
    if (op->bytes > y->total - y->begun)
        op->bytes = (uint32_t)(y->total - y->begun);
    soak_fill(op->memory, op->bytes, y->key, y->begun);
    y->begun += op->bytes;
    return true;
}

static void say_end(struct soak_way *y)
{
    INT code = 0;

    if (!y->is_send || y->has_shut || y->error != 0 || y->conn->end != SOAK_SHUTDOWN)
        return;
    y->has_shut = true;
    if (procs_of(y)->lpWSPShutdown(y->s, SD_SEND, &code) == SOCKET_ERROR)
        (void)ended_with(y, code);
}

/* --- blocking ------------------------------------------------------------------------------------------- */

static void blocking_main(void *context)
{
    struct soak_way *y = context;
    struct soak_op *op = &y->ops[0];

    while (y->error == 0 && !y->has_end && prepare(y, op)) {
        DWORD done = 0;
        int code = call(y, op, NULL, &done);

        if (code != 0)
            (void)ended_with(y, code);
        else if (!take(y, op, done))
            break;
    }
    say_end(y);
    pal_store_release(&y->is_over, true);
}

/* --- overlapped ----------------------------------------------------------------------------------------- */

void soak_way_packet(struct soak_op *op, DWORD error, DWORD bytes)
{
    op->way->conn->worker->moves++;
    op->is_over = true;
    op->error = error;
    op->done = bytes;
}

static bool begin_one(struct soak_way *y)
{
    struct soak_op *op = &y->ops[(y->oldest + y->count) % SOAK_PIECES];
    DWORD done = 0;
    int code;

    if (!prepare(y, op))
        return false;
    memset(&op->ov, 0, sizeof op->ov);
    op->is_over = false;
    op->is_pending = true;
    y->count++; /* before the call: its packet may be quicker */
    y->conn->worker->moves++;
    code = call(y, op, &op->ov, &done);
    if (code == WSA_IO_PENDING)
        return true;
    if (code == 0) { /* done at once, and told all the same where somebody is to be told */
        if (y->mode == SOAK_ASK)
            soak_way_packet(op, 0, done);
        return true;
    }
    y->count--;
    op->is_pending = false;
    (void)ended_with(y, code);
    return false;
}

static bool is_over(struct soak_way *y, struct soak_op *op)
{
    DWORD done = 0, flags = 0;
    INT code = 0;

    if (op->is_over || y->mode != SOAK_ASK)
        return op->is_over;
    if (y->conn->is_aborted &&
        y->s == y->conn->client) { /* the handle is closed: what the OVERLAPPED shows */
        int error = 0;

        if (!sw_overlapped_result(&op->ov, &done, &error))
            return false;
        soak_way_packet(op, (DWORD)error, done);
        return true;
    }
    if (procs_of(y)->lpWSPGetOverlappedResult(y->s, &op->ov, &done, FALSE, &flags, &code))
        soak_way_packet(op, 0, done);
    else if (code != WSA_IO_INCOMPLETE)
        soak_way_packet(op, (DWORD)code, 0);
    return op->is_over;
}

bool soak_way_step(struct soak_way *y)
{
    if (y->mode == SOAK_BLOCKING)
        return true;
    while (y->count > 0 && is_over(y, &y->ops[y->oldest])) {
        struct soak_op *op = &y->ops[y->oldest];

        op->is_pending = false;
        y->oldest = (y->oldest + 1) % SOAK_PIECES;
        y->count--;
        if (op->error != 0)
            (void)ended_with(y, (int)op->error);
        else if (y->error == 0 && !take(y, op, op->done))
            return false;
    }
    while (y->error == 0 && !y->has_end && y->count < y->depth && begin_one(y)) {
    }
    if (y->count == 0 && (y->error != 0 || y->has_end || (y->is_send && y->at == y->total))) {
        say_end(y);
        pal_store_release(&y->is_over, true);
    }
    return true;
}

bool soak_way_start(struct soak_way *y)
{
    if (y->mode != SOAK_BLOCKING)
        return soak_way_step(y);
    y->thread = pal_thread_start(blocking_main, y, "soak");
    return y->thread != NULL || soak_fail(y->conn->worker, "out of threads");
}
