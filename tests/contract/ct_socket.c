/* ct_socket.c - sockets, connections and messages for the tests, through switch_shim. */
#include "ct.h"

#include <arpa/inet.h>

uint16_t ct_port(void)
{
    static pal_atomic_u32 next;

    /* 11000 by the golden ratio: processes with neighbouring ids, which may run side by side, begin far apart */
    return (uint16_t)(21000u + (pal_process_id() % 11000u * 6799u + pal_add_relaxed(&next, 1u)) % 11000u);
}

WSD_SOCKADDR_IN ct_at(WSD_SOCKADDR_IN address, uint16_t port)
{
    address.sin_port = htons(port);
    return address;
}

/* ---- sockets ---- */

void ct_adopt_companion(struct fixture *f, struct sw_companion *c)
{
    assert_true(f->companion_count < sizeof f->companions / sizeof f->companions[0]);
    f->companions[f->companion_count++] = c;
}

void ct_forget_companion(struct fixture *f, struct sw_companion *c)
{
    for (unsigned i = 0; i < f->companion_count; i++)
        if (f->companions[i] == c) {
            memmove(&f->companions[i], &f->companions[i + 1], (f->companion_count - i - 1) * sizeof c);
            f->companion_count--;
            return;
        }
}

void ct_close(struct fixture *f, struct sw_companion *c)
{
    ct_forget_companion(f, c);
    ct_ok(sw_close(c));
}

struct sw_listener *ct_listen(struct fixture *f, int backlog)
{
    struct sw_listener *l = NULL;

    assert_true(f->listener_count < sizeof f->listeners / sizeof f->listeners[0]);
    ct_ok(sw_listen(f->peer, &f->here, backlog, NULL, &l));
    f->listeners[f->listener_count++] = l;
    if (f->listener == NULL)
        f->listener = l;
    return l;
}

void ct_close_listener(struct fixture *f, struct sw_listener *l)
{
    for (unsigned i = 0; i < f->listener_count; i++)
        if (f->listeners[i] == l) {
            memmove(&f->listeners[i], &f->listeners[i + 1], (f->listener_count - i - 1) * sizeof l);
            f->listener_count--;
            break;
        }
    if (f->listener == l)
        f->listener = NULL;
    ct_ok(sw_listener_close(l));
}

struct sw_companion *ct_socket(struct fixture *f)
{
    struct sw_companion *c = NULL;

    ct_ok(sw_socket(f->provider, NULL, &c));
    ct_adopt_companion(f, c);
    return c;
}

struct sw_companion *ct_bound(struct fixture *f)
{
    struct sw_companion *c = ct_socket(f);

    ct_ok(sw_bind(c, &f->other));
    return c;
}

struct sw_companion *ct_start_connect(struct fixture *f, const struct sw_listener *l)
{
    struct sw_companion *c = NULL;
    bool should_fall_back;

    ct_ok(sw_connect_start(f->provider, &f->other, &l->local, NULL, &c, &should_fall_back));
    ct_adopt_companion(f, c);
    return c;
}

unsigned ct_refusals_overlooked;

void ct_was_refused(int error, bool falls_back)
{
    if (error == WSAETIMEDOUT && !ct.is_loop && !ct.has_flow_control) {
        printf("           siw overlooked a refusal\n");
        ct_refusals_overlooked++;
        assert_true(falls_back);
        return;
    }
    ct_fails(WSAECONNREFUSED, error);
    assert_false(falls_back);
}

void ct_finish_connect(struct sw_companion *c)
{
    bool should_fall_back = true;

    ct_ok(sw_connect_finish(c, ct.wait_ms, &should_fall_back));
    assert_false(should_fall_back);
}

int ct_accept(struct fixture *f, struct sw_listener *l, uint32_t timeout_ms, struct sw_companion **out)
{
    int result = sw_accept(l, NULL, 0, timeout_ms, NULL, out);

    if (result == 0)
        ct_adopt_companion(f, *out);
    return result;
}

void ct_connect(struct fixture *f, struct sw_companion **connector, struct sw_companion **acceptor)
{
    if (f->listener == NULL)
        ct_listen(f, 64);
    *connector = ct_start_connect(f, f->listener);
    ct_ok(ct_accept(f, f->listener, ct.wait_ms, acceptor));
    ct_finish_connect(*connector);
}

int CALLBACK ct_accept_all(LPWSABUF caller_id, LPWSABUF caller_data, LPQOS sqos, LPQOS gqos,
                           LPWSABUF callee_id, LPWSABUF callee_data, GROUP *g, DWORD_PTR context)
{
    (void)caller_id, (void)caller_data, (void)sqos, (void)gqos, (void)callee_id, (void)callee_data, (void)g;
    (void)context;
    return CF_ACCEPT;
}

/* ---- ends ---- */

void ct_end_init(struct fixture *f, struct ct_end *e, struct sw_companion *c, DWORD bytes)
{
    e->c = c;
    e->bytes = bytes;
    e->tx = ct_memory(f, bytes);
    e->rx = ct_memory(f, bytes);
    ct_ok(sw_register(c, e->tx, bytes, MEM_READWRITE, &e->tx_handle));
    ct_ok(sw_register(c, e->rx, bytes, MEM_READWRITE, &e->rx_handle));
}

void ct_hello_connector(struct ct_end *e)
{
    WSAOVERLAPPED in = {0}, out = {0};

    ct_ok(ct_recv(e, 0, e->bytes, &in, SW_POLL));
    ct_ok(ct_send(e, 0, 16, &out, SW_POLL));
    ct_done(e->c, &out, 0);
    assert_int_equal(ct_done(e->c, &in, 0), 16);
}

void ct_hello_acceptor(struct ct_end *e)
{
    WSAOVERLAPPED in = {0}, out = {0};

    ct_ok(ct_recv(e, 0, e->bytes, &in, SW_POLL));
    assert_int_equal(ct_done(e->c, &in, 0), 16);
    ct_ok(ct_send(e, 0, 16, &out, SW_POLL));
    ct_done(e->c, &out, 0);
}

void ct_pair(struct fixture *f, struct ct_pair *p, DWORD bytes)
{
    struct sw_companion *connector, *acceptor;

    ct_connect(f, &connector, &acceptor);
    ct_end_init(f, &p->a, connector, bytes);
    ct_end_init(f, &p->b, acceptor, bytes);
    ct_transfer(&p->a, &p->b, 16, SW_POLL);
    ct_transfer(&p->b, &p->a, 16, SW_POLL);
}

int ct_send(struct ct_end *e, DWORD offset, DWORD bytes, WSAOVERLAPPED *ov, enum sw_completion how)
{
    WSABUF piece = {bytes, (CHAR *)e->tx + offset};

    return sw_send(e->c, &piece, 1, ov, how);
}

int ct_recv(struct ct_end *e, DWORD offset, DWORD bytes, WSAOVERLAPPED *ov, enum sw_completion how)
{
    WSABUF piece = {bytes, (CHAR *)e->rx + offset};

    return sw_recv(e->c, &piece, 1, ov, how);
}

int ct_write(struct ct_end *e, DWORD offset, DWORD bytes, const struct sw_rdma_descriptor *d, DWORD at,
             WSAOVERLAPPED *ov, enum sw_completion how)
{
    WSABUFEX piece = {bytes, (CHAR *)e->tx + offset, e->tx_handle};

    return sw_rdma_write(e->c, &piece, 1, d, at, ov, how);
}

int ct_read(struct ct_end *e, DWORD offset, DWORD bytes, const struct sw_rdma_descriptor *d, DWORD at,
            WSAOVERLAPPED *ov, enum sw_completion how)
{
    WSABUFEX piece = {bytes, (CHAR *)e->rx + offset, e->rx_handle};

    return sw_rdma_read(e->c, &piece, 1, d, at, ov, how);
}

void ct_expose(struct ct_end *e, void *memory, DWORD bytes, DWORD flags, struct sw_rdma_descriptor *d)
{
    ct_ok(sw_register_rdma(e->c, memory, bytes, flags, d));
}

/* ---- completions ---- */

DWORD ct_done_(const struct sw_companion *c, WSAOVERLAPPED *ov, int error, const char *what, const char *file,
               int line)
{
    DWORD bytes = 0;
    int got = 0;
    int waited = sw_wait(c, ov, ct.wait_ms, &bytes, &got);

    if (waited != 0) {
        print_error("%s did not complete: %s\n", what, sw_error_name(waited));
        _fail(file, line);
    }
    suite_check(got, error, what, file, line);
    return bytes;
}

DWORD ct_done_asking_(const struct sw_companion *c, WSAOVERLAPPED *ov, int error,
                      const struct sw_companion *asker, WSAOVERLAPPED *asked, const char *what,
                      const char *file, int line)
{
    DWORD bytes;
    int code;

    (void)ct_until((sw_poll(asker, asked, &bytes, &code), sw_wait(c, ov, 0, NULL, NULL)) == 0);
    return ct_done_(c, ov, error, what, file, line);
}

int ct_outcome(const struct sw_companion *c, WSAOVERLAPPED *ov)
{
    int error = 0;

    ct_ok(sw_wait(c, ov, ct.wait_ms, NULL, &error));
    return error;
}

void ct_fill(void *memory, size_t bytes, uint32_t seed)
{
    uint8_t *p = memory;
    uint32_t x = seed * 2654435761u + 1;

    for (size_t i = 0; i < bytes; i++) {
        x = x * 1664525u + 1013904223u;
        p[i] = (uint8_t)(x >> 24);
    }
}

long ct_wrong_byte(const void *memory, size_t bytes, uint32_t seed)
{
    const uint8_t *p = memory;
    uint32_t x = seed * 2654435761u + 1;

    for (size_t i = 0; i < bytes; i++) {
        x = x * 1664525u + 1013904223u;
        if (p[i] != (uint8_t)(x >> 24))
            return (long)i;
    }
    return -1;
}

void ct_transfer_(struct ct_end *from, struct ct_end *to, DWORD bytes, enum sw_completion how,
                  const char *file, int line)
{
    static pal_atomic_u32 counter;
    uint32_t seed = pal_add_relaxed(&counter, 1u);
    WSAOVERLAPPED in = {0}, out = {0};

    ct_fill(from->tx, bytes, seed);
    memset(to->rx, 0, bytes);
    suite_check(ct_recv(to, 0, to->bytes, &in, how), 0, "receive", file, line);
    suite_check(ct_send(from, 0, bytes, &out, how), 0, "send", file, line);
    ct_done_(from->c, &out, 0, "send", file, line);
    DWORD got = ct_done_(to->c, &in, 0, "receive", file, line);
    if (got != bytes) {
        print_error("%u bytes arrived of %u\n", (unsigned)got, (unsigned)bytes);
        _fail(file, line);
    }
    long wrong = ct_wrong_byte(to->rx, bytes, seed);
    if (wrong >= 0) {
        print_error("byte %ld of %u is wrong\n", wrong, (unsigned)bytes);
        _fail(file, line);
    }
}

void ct_pair_works(struct ct_pair *p)
{
    ct_transfer(&p->a, &p->b, 64, SW_POLL);
    ct_transfer(&p->b, &p->a, 64, SW_NOTIFY);
}

void ct_sees_reset(struct ct_end *e)
{
    WSAOVERLAPPED ov = {0};
    int error = ct_recv(e, 0, e->bytes, &ov, SW_POLL);

    if (error == 0)
        error = ct_outcome(e->c, &ov);
    ct_one_of(error, WSAECONNRESET, WSAENOTCONN);
}

void ct_moved_speaks(struct ct_end *moved, struct ct_end *other)
{
    if (ct_env_is_across())
        ct_transfer(moved, other, 16, SW_POLL);
}

/* ---- faults ---- */

void ct_reload_with_faults(struct fixture *f)
{
    ct.loop->fault_clear();
    ct_reload(f, "WSD_BACKEND", "loop+fault", NULL);
}

void ct_fault(const char *plan)
{
    char why[256];

    if (ct.loop->fault_set(plan, why, sizeof why) != VB_OK)
        ct_fail("%s", why);
}

void ct_arrived(struct ct_end *from, struct ct_end *to)
{
    WSAOVERLAPPED in = {0}, out = {0};

    if (!ct.completes_early)
        return;
    ct_ok(ct_recv(to, 0, 0, &in, SW_POLL));
    ct_ok(ct_send(from, 0, 0, &out, SW_POLL));
    ct_done(to->c, &in, 0);
    ct_done(from->c, &out, 0);
}
