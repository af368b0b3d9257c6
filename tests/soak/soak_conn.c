/* soak_conn.c - one connection: made, loaded both ways, ended in one of three ways. */
#include <stdlib.h>

#include "soak.h"
#include "watchdog.h"

enum { CLIENT_SENDS, CLIENT_RECEIVES, SERVER_SENDS, SERVER_RECEIVES };

static bool code_failed(struct soak_conn *c, const char *what, int code)
{
    return soak_fail(c->worker, "connection %llu: %s failed: %s (%d)", (unsigned long long)c->number, what,
                     sw_error_name(code), code);
}

static void close_one(struct soak_conn *c, SOCKET *s)
{
    INT code = 0;

    if (*s != INVALID_SOCKET && c->worker->procs->lpWSPCloseSocket(*s, &code) == SOCKET_ERROR)
        (void)code_failed(c, "WSPCloseSocket", code);
    *s = INVALID_SOCKET;
}

/* --- opening -------------------------------------------------------------------------------------------- */

static bool check_carrier(struct soak_conn *c, SOCKET s)
{
    const struct soak_options *o = c->worker->options;
    char name[16] = "?";
    int code = sw_carried_by(s, name, sizeof name);

    if (code != 0)
        return code_failed(c, "sw_carried_by", code);
    if ((o->wants_san && strcmp(name, "san") != 0) || (o->wants_tcp && strcmp(name, "tcp") != 0))
        return soak_fail(c->worker, "connection %llu is carried by %s", (unsigned long long)c->number, name);
    return true;
}

static bool make_pair(struct soak_conn *c)
{
    struct soak_worker *w = c->worker;
    INT code = 0;

    c->server = INVALID_SOCKET;
    c->client = w->procs->lpWSPSocket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, NULL, 0,
                                      WSA_FLAG_OVERLAPPED, &code);
    if (c->client == INVALID_SOCKET)
        return code_failed(c, "WSPSocket", code);
    if (w->procs->lpWSPConnect(c->client, (const WSD_SOCKADDR *)&w->address, sizeof w->address, NULL, NULL,
                               NULL, NULL, &code) == SOCKET_ERROR)
        return code_failed(c, "WSPConnect", code);
    c->server = w->procs->lpWSPAccept(w->listener, NULL, NULL, NULL, 0, &code);
    if (c->server == INVALID_SOCKET)
        return code_failed(c, "WSPAccept", code);
    return check_carrier(c, c->client) && check_carrier(c, c->server) &&
           ws2_bind_queue(c->client, w->queue, 0) == 0 && ws2_bind_queue(c->server, w->queue, 0) == 0;
}

static uint64_t draw_total(struct soak_worker *w)
{
    uint32_t most = w->options->largest * 8;

    return rng_percent(&w->random, 50) ? rng_below(&w->random, 4096) : rng_below(&w->random, most);
}

static void plan(struct soak_conn *c)
{
    struct soak_worker *w = c->worker;
    uint64_t there = draw_total(w), back = draw_total(w);
    uint64_t key = rng_next(&w->random);
    size_t share = (size_t)w->options->largest * SOAK_PIECES;

    c->end = (enum soak_end)rng_below(&w->random, SOAK_ENDS);
    if (c->end == SOAK_CLOSE)
        back = 0; /* a close throws away what comes (PROTOCOL.md 9; TCP would answer with a reset) */
    soak_way_init(&c->way[CLIENT_SENDS], c, c->client, true, key, there, c->memory);
    soak_way_init(&c->way[CLIENT_RECEIVES], c, c->client, false, key + 1, back, c->memory + share);
    soak_way_init(&c->way[SERVER_SENDS], c, c->server, true, key + 1, back, c->memory + 2 * share);
    soak_way_init(&c->way[SERVER_RECEIVES], c, c->server, false, key, there, c->memory + 3 * share);
    c->abort_at = there == 0 ? 0 : rng_below(&w->random, (uint32_t)there);
    c->is_aborted = false;
    if (c->end == SOAK_CLOSE) /* nobody reads at the side that closes */
        pal_store_relaxed(&c->way[CLIENT_RECEIVES].is_over, true);
    if (c->end == SOAK_ABORT) /* a thread asleep in a call on a handle that goes would be another test */
        for (unsigned i = 0; i < 4; i++)
            if (c->way[i].mode == SOAK_BLOCKING)
                c->way[i].mode = SOAK_TOLD;
}

bool soak_conn_open(struct soak_conn *c)
{
    if (c->memory == NULL)
        c->memory = malloc((size_t)c->worker->options->largest * SOAK_PIECES * 4);
    if (c->memory == NULL)
        return soak_fail(c->worker, "out of memory");
    c->number++;
    if (!make_pair(c))
        return false;
    plan(c);
    c->state = SOAK_RUNNING;
    for (unsigned i = 0; i < 4; i++)
        if (!pal_load_relaxed(&c->way[i].is_over) && !soak_way_start(&c->way[i]))
            return false;
    return true;
}

/* --- running and ending --------------------------------------------------------------------------------- */

static bool has_ended(struct soak_conn *c, unsigned i)
{
    return pal_load_acquire(&c->way[i].is_over);
}

static void abort_client(struct soak_conn *c)
{
    WSD_LINGER hard = {1, 0};
    INT code = 0;
    SOCKET s = c->client;

    if (c->worker->procs->lpWSPSetSockOpt(s, WS_SOL_SOCKET, WS_SO_LINGER, (const char *)&hard, sizeof hard,
                                          &code) == SOCKET_ERROR)
        (void)code_failed(c, "SO_LINGER", code);
    c->is_aborted = true;
    if (c->worker->procs->lpWSPCloseSocket(s, &code) == SOCKET_ERROR)
        (void)code_failed(c, "WSPCloseSocket", code);
}

static bool is_broken_code(int code)
{
    return code == WSAECONNRESET || code == WSAECONNABORTED || code == WSA_OPERATION_ABORTED ||
           code == ERROR_NETNAME_DELETED || code == WSAESHUTDOWN || code == WSAENOTSOCK;
}

static bool check_whole(struct soak_conn *c, unsigned i)
{
    struct soak_way *y = &c->way[i];

    if (y->error != 0)
        return code_failed(c, y->is_send ? "a send" : "a receive", y->error);
    if (y->at != y->total || (!y->is_send && !y->has_end))
        return soak_fail(c->worker, "connection %llu: way %u ended at %llu of %llu%s",
                         (unsigned long long)c->number, i, (unsigned long long)y->at,
                         (unsigned long long)y->total, y->has_end ? "" : ", without an end of stream");
    return true;
}

/* Aborted: what came was right (soak_way.c looked), and what ended ended for that reason. */
static bool check_aborted(struct soak_conn *c)
{
    for (unsigned i = 0; i < 4; i++)
        if (c->way[i].error != 0 && !is_broken_code(c->way[i].error))
            return code_failed(c, "an operation of an aborted connection", c->way[i].error);
    return true;
}

static bool finish(struct soak_conn *c)
{
    bool is_good = c->end == SOAK_ABORT ? check_aborted(c) : true;

    for (unsigned i = 0; i < 4; i++) {
        if (c->way[i].thread != NULL)
            pal_thread_join(c->way[i].thread);
        c->way[i].thread = NULL;
        if (c->end != SOAK_ABORT && !(c->end == SOAK_CLOSE && i == CLIENT_RECEIVES))
            is_good = is_good && check_whole(c, i);
    }
    if (c->is_aborted)
        c->client = INVALID_SOCKET;
    close_one(c, &c->client);
    close_one(c, &c->server);
    pal_add_relaxed(&c->worker->connections, 1u);
    pal_add_relaxed(&c->worker->ended[c->end], 1u);
    c->state = SOAK_UNUSED;
    return is_good;
}

bool soak_conn_step(struct soak_conn *c)
{
    bool all_over = true;

    for (unsigned i = 0; i < 4; i++) {
        if (!has_ended(c, i) && !soak_way_step(&c->way[i]))
            return false;
        all_over &= has_ended(c, i);
    }
    if (c->end == SOAK_ABORT && !c->is_aborted && c->way[SERVER_RECEIVES].at >= c->abort_at)
        abort_client(c);
    if (c->end == SOAK_CLOSE && has_ended(c, CLIENT_SENDS) && c->way[CLIENT_SENDS].error == 0 &&
        c->client != INVALID_SOCKET)
        close_one(c, &c->client);
    return !all_over || finish(c);
}
