/* stress_slot.c - the life of a slot: connect, let the workers in, close somewhere and somehow, check that
 * nothing is left, again. */
#include "stress.h"

#include "pal/memory.h"
#include "watchdog.h"

#define CANCEL_PERCENT 3u
#define REJECT_PERCENT 3u
#define REMAP_PERCENT  10u
#define ALIGN          64u

static const struct profile profiles[] = {
    {"deep", RECEIVES_MAX, 200, 1024, true, 3000},
    {"medium", 32, 16, 65536, true, 300},
    {"large", 4, 3, 1u << 20, true, 40},
    {"mixed", 128, 64, 16384, true, 800},
    {"single", 1, 1, 256, false, 200},
    {"small", 64, 64, 256, false, 2000},
};
#define PROFILE_COUNT (sizeof profiles / sizeof profiles[0])

/* ---- memory ---- */

static uint32_t room_of(const struct profile *p)
{
    uint32_t room = p->room < st.options.max_bytes ? p->room : st.options.max_bytes;

    return room < FIRST_BYTES ? FIRST_BYTES : room;
}

static uint32_t stride_of(const struct profile *p)
{
    return (room_of(p) + GUARD_BYTES + ALIGN - 1) / ALIGN * ALIGN;
}

static bool memory_make(struct end *e)
{
    const struct slot *s = e->slot;

    e->rx = pal_pages_alloc(s->rx_bytes);
    e->tx = pal_pages_alloc(s->tx_bytes);
    e->local = pal_pages_alloc((size_t)s->chunk_bytes * TXNS);
    e->target = pal_pages_alloc((size_t)s->chunk_bytes * TXNS);
    return e->rx != NULL && e->tx != NULL && e->local != NULL && e->target != NULL;
}

static void forget(uint8_t **memory, size_t bytes)
{
    int error = *memory != NULL ? sw_memory_going(*memory, bytes) : 0;

    /* 6.7: in use, because the channel is torn down in the background; it is dropped then */
    if (error != 0 && error != WSAEFAULT) {
        fprintf(stderr, "WSPMemoryRegistrationCacheCallback: %s\n", sw_error_name(error));
        pal_add_relaxed(&st.failures, 1);
    }
    if (*memory != NULL)
        pal_pages_free(*memory, bytes);
    *memory = NULL;
}

static void memory_drop(struct end *e)
{
    const struct slot *s = e->slot;

    forget(&e->rx, s->rx_bytes);
    forget(&e->tx, s->tx_bytes);
    forget(&e->local, (size_t)s->chunk_bytes * TXNS);
    forget(&e->target, (size_t)s->chunk_bytes * TXNS);
}

/* ---- objects of a slot ---- */

static bool end_init(struct slot *s, unsigned index)
{
    struct end *e = &s->end[index];

    e->slot = s;
    e->index = index;
    e->peer = &s->end[1 - index];
    e->recvs = calloc(RECEIVES_MAX, sizeof *e->recvs);
    e->sends = calloc(SENDS_MAX, sizeof *e->sends);
    return e->recvs != NULL && e->sends != NULL && pal_mutex_init(&e->send_lock) &&
           pal_mutex_init(&e->recv_lock) && pal_mutex_init(&e->poll_lock) && memory_make(e);
}

bool slot_init(struct slot *s, unsigned index)
{
    s->index = index;
    for (size_t i = 0; i < PROFILE_COUNT; i++) {
        uint32_t rx = profiles[i].recvs * stride_of(&profiles[i]),
                 tx = profiles[i].sends * stride_of(&profiles[i]);
        s->rx_bytes = rx > s->rx_bytes ? rx : s->rx_bytes;
        s->tx_bytes = tx > s->tx_bytes ? tx : s->tx_bytes;
    }
    s->chunk_bytes = st.options.max_bytes < 65536 ? st.options.max_bytes : 65536;
    return pal_mutex_init(&s->admin) && pal_mutex_init(&s->deferred_lock) && end_init(s, 0) && end_init(s, 1);
}

void slot_fini(struct slot *s)
{
    if (s->listener != NULL)
        sw_listener_close(s->listener);
    for (unsigned i = 0; i < 2; i++) {
        memory_drop(&s->end[i]);
        free(s->end[i].recvs);
        free(s->end[i].sends);
    }
}

bool slot_enter(struct slot *s)
{
    /* sequentially consistent: whoever shuts the slot sees us, or we see it shut */
    atomic_fetch_add(&s->users, 1);
    if (atomic_load(&s->phase) == PHASE_LIVE)
        return true;
    slot_leave(s);
    return false;
}

void slot_leave(struct slot *s)
{
    atomic_fetch_sub(&s->users, 1);
}

static void wait_users(struct slot *s, uint32_t left)
{
    while (atomic_load(&s->users) > left) /* each of them leaves after a bounded number of calls */
        pal_thread_yield();
}

/* ---- making a connection ---- */

static void op_reset(struct end *e, struct op *op, enum op_kind kind, uint8_t *memory)
{
    op->end = e;
    op->kind = (uint8_t)kind;
    op->memory = memory;
    op->txn = NULL;
    memset(&op->ov, 0xA5, sizeof op->ov);
    pal_store_relaxed(&op->state, OP_FREE);
}

static void flow_reset(struct flow *f, uint64_t key, uint64_t budget, uint64_t lent)
{
    pal_store_relaxed(&f->posted, lent);
    pal_store_relaxed(&f->sent, 0);
    pal_store_relaxed(&f->sent_ok, 0);
    pal_store_relaxed(&f->received_ok, 0);
    pal_store_relaxed(&f->sent_ok_at_close, 0);
    pal_store_relaxed(&f->room[0], FIRST_BYTES);
    for (unsigned i = 0; i < RING; i++)
        pal_store_relaxed(&f->check[i], NULL);
    f->key = key;
    f->budget = budget;
}

static void end_reset(struct end *e)
{
    const struct profile *p = e->slot->profile;
    struct rng *r = my_rng();
    uint32_t most = p->budget < st.options.budget_limit ? p->budget : st.options.budget_limit;

    /* the acceptor's first receive is lent to the connector in advance: the race of 8.5 */
    flow_reset(&e->out, rng_next(r), 1 + rng_below(r, most), e->index == 0 ? 1 : 0);
    pal_store_relaxed(&e->is_broken, false);
    pal_store_relaxed(&e->is_closing, false);
    pal_store_relaxed(&e->is_closed, false);
    pal_store_relaxed(&e->outstanding, 0);
    pal_store_relaxed(&e->last_send_order, 0);
    pal_store_relaxed(&e->last_recv_order, 0);
    e->send_order = e->recv_order = 0;
    e->unchecked = NULL;
    op_list_init(&e->free_sends);
    op_list_init(&e->polled_sq);
    op_list_init(&e->free_recvs);
    op_list_init(&e->polled_rq);
    for (uint32_t i = 0; i < p->recvs; i++) {
        op_reset(e, &e->recvs[i], OP_RECV, e->rx + (size_t)i * stride_of(p));
        op_push(&e->free_recvs, &e->recvs[i]);
    }
    for (uint32_t i = 0; i < p->sends; i++) {
        op_reset(e, &e->sends[i], OP_SEND, e->tx + (size_t)i * stride_of(p));
        op_push(&e->free_sends, &e->sends[i]);
    }
    for (unsigned i = 0; i < TXNS; i++) {
        struct txn *t = &e->txns[i];
        op_reset(e, &t->op, OP_WRITE, NULL);
        t->op.txn = t;
        t->initiator = e;
        t->target = e->peer;
        t->local = e->local + (size_t)i * e->slot->chunk_bytes;
        t->remote = e->peer->target + (size_t)i * e->slot->chunk_bytes;
        pal_store_relaxed(&t->is_busy, false);
    }
}

static void slot_reset(struct slot *s)
{
    struct rng *r = my_rng();

    s->connection = pal_add_relaxed(&st.next_connection, 1);
    s->profile = &profiles[rng_below(r, PROFILE_COUNT)];
    s->is_wild = rng_percent(r, st.options.wild_percent);
    s->notify_percent = st.options.notify_percent <= 100
                            ? st.options.notify_percent
                            : (const unsigned[]){0, 20, 50, 80, 100}[rng_below(r, 5)];
    s->die_after = rng_percent(r, st.options.die_percent) ? rng_below(r, 400) : UINT64_MAX;
    s->dies_in_upcall = s->notify_percent > 0 && rng_percent(r, 50);
    s->deferred = NULL;
    pal_store_relaxed(&s->ops_done, 0);
    end_reset(&s->end[0]);
    end_reset(&s->end[1]);
}

static bool slot_failed(struct slot *s, const char *what, int error)
{
    stress_fails(&s->end[0], "%s failed with %s", what, sw_error_name(error));
    return false;
}

static bool listen_again(struct slot *s)
{
    int error;

    if (s->listener != NULL && !rng_percent(my_rng(), 10))
        return true;
    if (s->listener != NULL)
        sw_listener_close(s->listener);
    s->listener = NULL;
    error = sw_listen(st.provider, &st.here, 4 + (int)rng_below(my_rng(), 5), NULL, &s->listener);
    return error == 0 || slot_failed(s, "listening", error);
}

/* A connect that the application gives up (8.2); the acceptor may or may not have heard of it. */
static bool cancel_a_connect(struct slot *s)
{
    struct sw_companion *a, *b = NULL;
    int error = sw_connect_start(st.provider, &st.other, &s->listener->local, NULL, &a, NULL);

    if (error != 0)
        return slot_failed(s, "WSPConnect", error);
    if (rng_percent(my_rng(), 50))
        pal_sleep_ms(rng_below(my_rng(), 3));
    sw_close(a);
    error = sw_accept(s->listener, NULL, 0, rng_below(my_rng(), 20), NULL, &b);
    if (error == 0)
        sw_close(b);
    else if (error != WSAETIMEDOUT && error != WSAECONNRESET && error != WSAEACCES)
        return slot_failed(s, "WSPAccept of a cancelled connect", error);
    pal_add_relaxed(&st.stats.cancelled, 1);
    return true;
}

/* ours: the port of the connect that is meant. */
static int CALLBACK reject(LPWSABUF caller, LPWSABUF caller_data, LPQOS sqos, LPQOS gqos, LPWSABUF callee,
                           LPWSABUF callee_data, GROUP *g, DWORD_PTR ours)
{
    WSD_SOCKADDR_IN from;

    (void)caller_data, (void)sqos, (void)gqos, (void)callee, (void)callee_data, (void)g;
    memcpy(&from, caller->buf, sizeof from);
    return from.sin_port == ours ? CF_REJECT : CF_ACCEPT;
}

/* A cancelled connect may still be in the queue, so accept until ours was the one. */
static int accept_ours(struct slot *s, const struct sw_companion *a, LPCONDITIONPROC condition,
                       const struct sw_notify *notify, struct sw_companion **out)
{
    for (;;) {
        int error = sw_accept(s->listener, condition, a->local.sin_port, ct.wait_ms, notify, out);
        if (condition != NULL && error == WSAECONNREFUSED)
            return error;
        if (error == WSAECONNRESET || error == WSAEACCES)
            continue;
        if (error != 0 || (*out)->remote.sin_port == a->local.sin_port)
            return error;
        sw_close(*out);
    }
}

static bool reject_a_connect(struct slot *s)
{
    struct sw_companion *a, *b;
    int error = sw_connect_start(st.provider, &st.other, &s->listener->local, NULL, &a, NULL);

    if (error != 0)
        return slot_failed(s, "WSPConnect", error);
    error = accept_ours(s, a, reject, NULL, &b);
    if (error != WSAECONNREFUSED)
        slot_failed(s, "WSPAccept with CF_REJECT", error);
    error = sw_connect_finish(a, ct.wait_ms, NULL);
    sw_close(a);
    /* once in some hundred refusals siw overlooks the answer until its timer gives up (Linux 6.1) */
    if (error != WSAECONNREFUSED && !(error == WSAETIMEDOUT && ct_env_is_siw()))
        return slot_failed(s, "a rejected connect", error);
    pal_add_relaxed(&st.stats.rejected, 1);
    return true;
}

static bool connect_ends(struct slot *s)
{
    struct sw_notify tell[2];
    struct end *a = &s->end[0], *b = &s->end[1];
    int error;

    for (unsigned i = 0; i < 2; i++)
        tell[i] = (struct sw_notify){.kind = SW_NOTIFY_CALLBACK, .fn = op_upcall, .context = &s->end[i]};
    const struct sw_socket_params params = {.notify = &tell[0]};
    error = sw_connect_start(st.provider, &st.other, &s->listener->local, &params, &a->c, NULL);
    if (error != 0)
        return slot_failed(s, "WSPConnect", error);
    error = accept_ours(s, a->c, NULL, &tell[1], &b->c);
    if (error != 0) {
        int other = sw_connect_finish(a->c, 0, NULL); /* which of the two ends has lost the connection */
        sw_close(a->c);
        stress_fails(a, "WSPAccept failed with %s, the connect %s", sw_error_name(error),
                     other == 0 ? "is made" : sw_error_name(other));
        return false;
    }
    error = sw_connect_finish(a->c, ct.wait_ms, NULL);
    if (error != 0) {
        sw_close(a->c);
        sw_close(b->c);
        return slot_failed(s, "connecting", error);
    }
    a->handle = a->c->handle;
    b->handle = b->c->handle;
    return true;
}

static bool register_memory(struct end *e)
{
    int error = sw_register(e->c, e->rx, e->slot->rx_bytes, MEM_WRITE, &e->rx_handle);

    if (error == 0)
        error = sw_register(e->c, e->tx, e->slot->tx_bytes, MEM_READ, &e->tx_handle);
    if (error == 0)
        error = sw_register(e->c, e->local, e->slot->chunk_bytes * TXNS, MEM_READWRITE, &e->local_handle);
    if (error != 0)
        stress_fails(e, "WSPRegisterMemory failed with %s", sw_error_name(error));
    return error == 0;
}

static void slot_start(struct slot *s)
{
    slot_reset(s);
    if (!listen_again(s) || (rng_percent(my_rng(), CANCEL_PERCENT) && !cancel_a_connect(s)) ||
        (rng_percent(my_rng(), REJECT_PERCENT) && !reject_a_connect(s)) || !connect_ends(s))
        return;
    pal_add_relaxed(&st.stats.connections, 1);
    if (register_memory(&s->end[0]) && register_memory(&s->end[1])) {
        atomic_store(&s->phase, PHASE_LIVE);
        return;
    }
    sw_close(s->end[0].c);
    sw_close(s->end[1].c);
}

/* ---- closing ---- */

static void note_close(struct end *e, bool in_upcall)
{
    pal_store_release(&e->out.sent_ok_at_close, pal_load_acquire(&e->out.sent_ok));
    pal_store_release(&e->is_closing, true);
    pal_add_relaxed(&st.stats.closes, 1);
    if (in_upcall)
        pal_add_relaxed(&st.stats.closes_in_upcall, 1);
}

static void close_checked(struct end *e)
{
    int error = sw_close(e->c);

    if (error != 0)
        stress_fails(e, "WSPCloseSocket failed with %s", sw_error_name(error));
    pal_store_release(&e->is_closed, true);
}

/* With the slot to ourselves, as switch_shim wants it. */
static void close_tame(struct slot *s, struct end *e, bool in_upcall)
{
    uint32_t live = PHASE_LIVE;

    if (!atomic_compare_exchange_strong(&s->phase, &live, PHASE_SHUT))
        return;
    if (in_upcall && atomic_load(&s->users) != 1) { /* perhaps this very thread, which polls below us */
        atomic_store(&s->phase, PHASE_LIVE);
        return;
    }
    wait_users(s, 1);
    note_close(e, in_upcall);
    close_checked(e);
    if (rng_percent(my_rng(), 20)) { /* both at once */
        note_close(e->peer, in_upcall);
        close_checked(e->peer);
    }
    atomic_store(&s->phase, PHASE_ENDING);
}

/* In the middle of what other threads do with the socket. Two may close at once: exactly one succeeds. */
static void close_wild(struct slot *s, struct end *e, bool in_upcall)
{
    uint32_t live = PHASE_LIVE;
    INT error = 0;

    if (!pal_load_acquire(&e->is_closing))
        note_close(e, in_upcall);
    if (rng_percent(my_rng(), 50))
        atomic_compare_exchange_strong(&s->phase, &live, PHASE_ENDING);
    if (e->c->procs->lpWSPCloseSocket(e->c->descriptor, &error) == 0) {
        if (pal_swap_acq_rel(&e->is_closed, true))
            stress_fails(e, "WSPCloseSocket succeeded twice");
        pal_add_relaxed(&st.stats.closes_wild, 1);
    } else if (error != WSAENOTSOCK) {
        stress_fails(e, "WSPCloseSocket failed with %s", sw_error_name(error));
    }
    live = PHASE_LIVE;
    atomic_compare_exchange_strong(&s->phase, &live, PHASE_ENDING);
}

static bool is_complete(const struct end *e)
{
    const struct flow *f = &e->out;

    return pal_load_acquire(&f->received_ok) == f->budget && pal_load_acquire(&f->sent_ok) == f->budget;
}

void slot_maybe_close(struct slot *s, bool in_upcall)
{
    bool dies = pal_load_relaxed(&s->ops_done) >= s->die_after && s->dies_in_upcall == in_upcall;
    bool ends = is_complete(&s->end[0]) && is_complete(&s->end[1]);
    bool stops = pal_load_relaxed(&st.is_stopping) && rng_percent(my_rng(), 5);
    struct end *e = &s->end[rng_below(my_rng(), 2)];

    if (!dies && !stops && !(ends && (!in_upcall || rng_percent(my_rng(), 50))))
        return;
    if (s->is_wild)
        close_wild(s, e, in_upcall);
    else
        close_tame(s, e, in_upcall);
}

/* ---- clearing away ---- */

static void wait_until_quiet(struct end *e)
{
    uint64_t deadline = pal_now_ns() + (uint64_t)ct.wait_ms * 1000000u;

    while (pal_load_acquire(&e->outstanding) != 0) {
        ends_poll(e, RECEIVES_MAX);
        if (pal_now_ns() > deadline) {
            stress_fails(e, "the peer closed, and %u operations stay pending",
                         pal_load_acquire(&e->outstanding));
            watchdog_bite("operations of a connection whose peer has closed stay pending");
        }
        pal_thread_yield();
    }
}

/* siw closes its TCP socket without reading what crosses the close, and TCP answers that with a reset (RFC 1122,
 * 4.2.2.13), which may overtake the last data of the closing side. A device or backend that closes in two steps does
 * not lose them; on siw, only a survivor that had nothing under way may insist. */
static bool was_reset_by_siw(const struct end *survivor)
{
    return ct_env_is_siw() &&
           pal_load_acquire(&survivor->out.sent) > pal_load_acquire(&survivor->out.received_ok);
}

/* One end closed, the other lives: its operations end by themselves, and what was sent and completed has
 * arrived (4.13, section 9). */
static void check_survivor(struct end *e)
{
    uint64_t sent = pal_load_acquire(&e->peer->out.sent_ok_at_close), got;

    wait_until_quiet(e);
    /* the first message waits in a private buffer for the first receive (8.5) */
    if (sent > 0 && e->recv_order == 0) {
        pal_store_release(&e->is_broken, false);
        post_receives(e, 1);
        wait_until_quiet(e);
    }
    got = pal_load_acquire(&e->peer->out.received_ok);
    if (got < sent && was_reset_by_siw(e))
        pal_add_relaxed(&st.stats.lost_to_reset, 1);
    else if (got < sent)
        stress_fails(e, "%llu messages completed at the sender before its close, %llu arrived",
                     (unsigned long long)sent, (unsigned long long)got);
}

static void wait_handle_closed(struct end *e)
{
    uint64_t deadline = pal_now_ns() + (uint64_t)ct.wait_ms * 1000000u;

    while (sw_handle_is_open(e->handle)) {
        if (pal_now_ns() > deadline)
            watchdog_bite("WPUCloseSocketHandle does not come");
        pal_thread_yield();
    }
}

static void slot_end(struct slot *s)
{
    wait_users(s, 0);
    for (unsigned i = 0; i < 2; i++)
        if (!pal_load_acquire(&s->end[i].is_closing))
            check_survivor(&s->end[i]);
    for (unsigned i = 0; i < 2; i++) {
        struct end *e = &s->end[i];
        if (!pal_load_acquire(&e->is_closing))
            note_close(e, false);
        if (s->is_wild && pal_load_acquire(&e->is_closed))
            sw_close(e->c); /* answers WSAENOTSOCK; frees what the shim has */
        else if (!pal_load_acquire(&e->is_closed))
            close_checked(e);
    }
    for (unsigned i = 0; i < 2; i++) {
        wait_handle_closed(&s->end[i]);
        end_collect(&s->end[i]);
        if (rng_percent(my_rng(), REMAP_PERCENT)) {
            memory_drop(&s->end[i]);
            pal_add_relaxed(&st.stats.remapped, 1);
            if (!memory_make(&s->end[i]))
                watchdog_bite("out of memory");
        }
    }
    s->rounds++;
    atomic_store(&s->phase, PHASE_EMPTY);
}

/* ---- visiting ---- */

static void use_memory(struct end *e)
{
    struct rng *r = my_rng();
    uint32_t bytes = 1 + rng_below(r, e->slot->tx_bytes), at = rng_below(r, e->slot->tx_bytes - bytes + 1);
    HANDLE handle;
    int error = sw_register(e->c, e->tx + at, bytes, MEM_READ, &handle);

    pal_add_relaxed(&st.stats.registrations, 1);
    if (error == 0)
        error = sw_deregister(e->c, handle);
    if (error != 0 && !refusal_is_allowed(e, error) && !(may_fail(e) && error == WSAEINVAL))
        /* a send may have found this registration for its buffer: then it is in use (6.3), and goes with
         * the socket */
        if (error != WSAEINVAL)
            stress_fails(e, "registering and deregistering %u bytes failed with %s", bytes,
                         sw_error_name(error));
}

static void act(struct slot *s)
{
    struct rng *r = my_rng();
    struct end *e = &s->end[rng_below(r, 2)];

    switch (rng_below(r, 12)) {
    case 0:
    case 1: post_receives(e, 1 + rng_below(r, 8)); break;
    case 2: post_receives(e, RECEIVES_MAX); break;
    case 3:
    case 4:
    case 5: send_messages(e, 1 + rng_below(r, 4)); break;
    case 6: send_messages(e, SENDS_MAX); break;
    case 7:
    case 8:
        if (s->notify_percent < 100) /* else the provider has to find out by itself */
            ends_poll(e, 1 + rng_below(r, 64));
        break;
    case 9: rdma_start(e); break;
    case 10: rdma_deferred(s); break;
    default:
        if (rng_percent(r, 20))
            use_memory(e);
        break;
    }
}

void slot_visit(struct slot *s)
{
    uint32_t phase = atomic_load(&s->phase);

    if (phase == PHASE_LIVE) {
        if (!slot_enter(s))
            return;
        for (unsigned i = 1 + rng_below(my_rng(), 8); i > 0; i--)
            act(s);
        slot_maybe_close(s, false);
        slot_leave(s);
        return;
    }
    if ((phase != PHASE_EMPTY && phase != PHASE_ENDING) || !pal_mutex_trylock(&s->admin))
        return;
    phase = atomic_load(&s->phase);
    if (phase == PHASE_ENDING)
        slot_end(s);
    else if (phase == PHASE_EMPTY && (pal_load_acquire(&st.is_stopping) || s->rounds >= st.options.rounds))
        atomic_store(&s->phase, PHASE_DONE);
    else if (phase == PHASE_EMPTY)
        slot_start(s);
    pal_mutex_unlock(&s->admin);
}

WATCHDOG_LOOKS void slot_describe(const struct slot *s)
{
    static const char *const phases[] = {"empty", "live", "shut", "ending", "done"};

    fprintf(stderr, "slot %u: %s, %s, profile %s, %u%% notified, round %u, users %u, operations %llu\n",
            s->index, phases[pal_load_relaxed(&s->phase)], s->is_wild ? "wild" : "tame",
            s->profile != NULL ? s->profile->name : "-", s->notify_percent, s->rounds,
            pal_load_relaxed(&s->users), (unsigned long long)pal_load_relaxed(&s->ops_done));
    for (unsigned i = 0; i < 2; i++) {
        const struct end *e = &s->end[i];
        const struct flow *f = &e->out;
        fprintf(stderr,
                "  end %u: %s%s%s outstanding %u; sends: budget %llu, posted for %llu, sent %llu, ok %llu, "
                "received %llu\n",
                i, pal_load_relaxed(&e->is_broken) ? "broken " : "",
                pal_load_relaxed(&e->is_closing) ? "closing " : "",
                pal_load_relaxed(&e->is_closed) ? "closed " : "", pal_load_relaxed(&e->outstanding),
                (unsigned long long)f->budget, (unsigned long long)pal_load_relaxed(&f->posted),
                (unsigned long long)pal_load_relaxed(&f->sent),
                (unsigned long long)pal_load_relaxed(&f->sent_ok),
                (unsigned long long)pal_load_relaxed(&f->received_ok));
    }
}
