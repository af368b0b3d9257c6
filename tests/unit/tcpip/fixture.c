/* fixture.c - see fixture.h. */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#include "pal/time.h"

uint64_t test_deadline(void)
{
    return pal_now_ns() + TEST_MS * 1000000ull;
}

/* --- what comes up -------------------------------------------------------------------------------------- */

static void on_completed(void *owner, struct sw_request *r)
{
    struct end *e = owner;
    struct op *o = (struct op *)(void *)r;

    pal_mutex_lock(&e->lock);
    o->times++;
    e->completions++;
    pal_cond_broadcast(&e->told);
    pal_mutex_unlock(&e->lock);
}

static void on_events(void *owner, uint32_t events, int error)
{
    struct end *e = owner;

    pal_mutex_lock(&e->lock);
    e->events |= events;
    e->event_calls++;
    if ((events & (FD_CONNECT | FD_CLOSE)) != 0)
        e->event_error = error;
    pal_cond_broadcast(&e->told);
    pal_mutex_unlock(&e->lock);
}

static void on_closed(void *owner, int error)
{
    struct end *e = owner;

    pal_mutex_lock(&e->lock);
    assert_false(e->is_closed);
    e->is_closed = true;
    e->closed_error = error;
    pal_cond_broadcast(&e->told);
    pal_mutex_unlock(&e->lock);
}

const struct sw_carrier_up end_up = {on_completed, on_events, on_closed};

/* --- ends ----------------------------------------------------------------------------------------------- */

void end_init(struct end *e)
{
    memset(e, 0, sizeof *e);
    assert_true(pal_mutex_init(&e->lock));
    assert_true(pal_cond_init(&e->told));
}

void end_take_over(struct end *e, struct sw_carrier *c)
{
    e->c = c;
}

void end_open(struct end *e, int family, int type)
{
    end_init(e);
    assert_int_equal(sw_tcp_create(family, type, 0, &end_up, e, &e->c), 0);
}

static int loopback(WSD_SOCKADDR_STORAGE *out, int family)
{
    memset(out, 0, sizeof *out);
    if (family == WS_AF_INET) {
        WSD_SOCKADDR_IN v4;

        memset(&v4, 0, sizeof v4);
        v4.sin_family = WS_AF_INET;
        ((unsigned char *)&v4.sin_addr)[0] = 127;
        ((unsigned char *)&v4.sin_addr)[3] = 1;
        memcpy(out, &v4, sizeof v4);
        return (int)sizeof v4;
    }
    WSD_SOCKADDR_IN6 v6;

    memset(&v6, 0, sizeof v6);
    v6.sin6_family = WS_AF_INET6;
    ((unsigned char *)&v6.sin6_addr)[15] = 1;
    memcpy(out, &v6, sizeof v6);
    return (int)sizeof v6;
}

void end_bind_any(struct end *e, int family)
{
    WSD_SOCKADDR_STORAGE name;
    int bytes = loopback(&name, family);

    assert_int_equal(e->c->ops->bind(e->c, (WSD_SOCKADDR *)&name, bytes), 0);
}

void end_listen(struct end *e, int family)
{
    end_open(e, family, WS_SOCK_STREAM);
    end_bind_any(e, family);
    assert_int_equal(e->c->ops->listen(e->c, 16), 0);
}

void end_connect(struct end *e, struct end *to)
{
    WSD_SOCKADDR_STORAGE name;
    int bytes = 0, code;

    assert_int_equal(to->c->ops->local(to->c, &name, &bytes), 0);
    code = e->c->ops->connect(e->c, (WSD_SOCKADDR *)&name, bytes);
    if (code == WSA_IO_PENDING) {
        end_await_events(e, FD_CONNECT);
        assert_int_equal(e->event_error, 0);
    } else {
        assert_int_equal(code, 0);
    }
}

void end_accept(struct end *listener, struct end *e)
{
    WSD_SOCKADDR_STORAGE remote;
    int bytes = 0, code;

    end_init(e);
    end_await_ready(listener, FD_ACCEPT);
    code = listener->c->ops->accept(listener->c, &end_up, e, &e->c, &remote, &bytes);
    assert_int_equal(code, 0);
}

int end_close(struct end *e, uint32_t linger_ms)
{
    e->c->ops->close(e->c, linger_ms);
    end_await_closed(e);
    return e->closed_error;
}

void end_await_closed(struct end *e)
{
    uint64_t deadline = test_deadline();

    pal_mutex_lock(&e->lock);
    while (!e->is_closed)
        assert_true(pal_cond_timedwait(&e->told, &e->lock, deadline));
    pal_mutex_unlock(&e->lock);
    pal_cond_fini(&e->told);
    pal_mutex_fini(&e->lock);
}

void end_await_events(struct end *e, uint32_t events)
{
    uint64_t deadline = test_deadline();

    pal_mutex_lock(&e->lock);
    while ((e->events & events) != events)
        assert_true(pal_cond_timedwait(&e->told, &e->lock, deadline));
    e->events &= ~events;
    pal_mutex_unlock(&e->lock);
}

uint32_t end_take_events(struct end *e)
{
    uint32_t events;

    pal_mutex_lock(&e->lock);
    events = e->events;
    e->events = 0;
    pal_mutex_unlock(&e->lock);
    return events;
}

uint32_t end_ready(struct end *e)
{
    return e->c->ops->ready(e->c).events;
}

void end_await_ready(struct end *e, uint32_t events)
{
    uint64_t deadline = test_deadline();

    while ((end_ready(e) & events) != events) {
        assert_true(pal_now_ns() < deadline);
        pal_sleep_ms(1);
    }
}

void pair_open(struct end *a, struct end *b, int family)
{
    struct end listener;

    end_listen(&listener, family);
    end_open(a, family, WS_SOCK_STREAM);
    end_connect(a, &listener);
    end_accept(&listener, b);
    assert_int_equal(end_close(&listener, 0), 0);
}

void pair_close(struct end *a, struct end *b)
{
    assert_int_equal(end_close(a, SW_SESSION_LINGER_FOREVER), 0);
    assert_int_equal(end_close(b, SW_SESSION_LINGER_FOREVER), 0);
}

/* --- operations ----------------------------------------------------------------------------------------- */

void op_init(struct op *o, struct end *e, enum sw_request_kind kind, void *memory, size_t bytes,
             uint32_t flags)
{
    memset(o, 0, sizeof *o);
    o->end = e;
    o->buffer.buf = memory;
    o->buffer.len = (ULONG)bytes;
    o->r.op.buffers = &o->buffer;
    o->r.op.buffer_count = 1;
    o->r.kind = kind;
    o->r.flags = flags;
}

int op_submit(struct op *o)
{
    return o->end->c->ops->submit(o->end->c, &o->r);
}

int op_now(struct op *o)
{
    return o->end->c->ops->now(o->end->c, &o->r);
}

bool op_is_over(struct op *o)
{
    bool yes;

    pal_mutex_lock(&o->end->lock);
    yes = o->times > 0;
    pal_mutex_unlock(&o->end->lock);
    return yes;
}

void op_await(struct op *o)
{
    uint64_t deadline = test_deadline();

    pal_mutex_lock(&o->end->lock);
    while (o->times == 0)
        assert_true(pal_cond_timedwait(&o->end->told, &o->end->lock, deadline));
    assert_int_equal(o->times, 1);
    pal_mutex_unlock(&o->end->lock);
}

int op_block(struct op *o)
{
    int code;

    o->r.is_waited = true;
    code = op_submit(o);
    if (code == WSA_IO_PENDING) {
        assert_int_equal(o->end->c->ops->wait(o->end->c, &o->r, test_deadline(), NULL), 0);
        code = 0;
    }
    return code == 0 ? o->r.op.error : code;
}

void end_send(struct end *e, const void *data, size_t bytes)
{
    struct op o;

    op_init(&o, e, SW_REQUEST_SEND, (void *)(uintptr_t)data, bytes, 0);
    assert_int_equal(op_block(&o), 0);
    assert_int_equal(o.r.op.bytes, bytes);
}

void end_receive(struct end *e, void *data, size_t bytes)
{
    struct op o;

    op_init(&o, e, SW_REQUEST_RECEIVE, data, bytes, WS_MSG_WAITALL);
    assert_int_equal(op_block(&o), 0);
    assert_int_equal(o.r.op.bytes, bytes);
}

int end_receive_some(struct end *e, void *data, size_t bytes, size_t *got)
{
    struct op o;
    int code;

    op_init(&o, e, SW_REQUEST_RECEIVE, data, bytes, 0);
    code = op_block(&o);
    *got = (size_t)o.r.op.bytes;
    return code;
}

static uint8_t pattern(size_t at)
{
    return (uint8_t)(at * 31u + at / 251u);
}

size_t end_fill(struct end *e, size_t piece)
{
    uint8_t *data = malloc(piece);
    size_t sent = 0;
    struct op o;
    int code;

    assert_non_null(data);
    do {
        for (size_t i = 0; i < piece; i++)
            data[i] = pattern(sent + i);
        op_init(&o, e, SW_REQUEST_SEND, data, piece, 0);
        code = op_now(&o);
        if (code == 0)
            assert_int_equal(o.r.op.bytes, piece); /* all or nothing */
        sent += code == 0 ? piece : 0;
    } while (code == 0);
    assert_int_equal(code, WSAEWOULDBLOCK);
    free(data);
    return sent;
}

size_t end_drain(struct end *e, size_t bytes)
{
    static uint8_t data[65536];
    size_t at = 0;

    while (at < bytes) {
        size_t got = 0, most = bytes - at < sizeof data ? bytes - at : sizeof data;

        assert_int_equal(end_receive_some(e, data, most, &got), 0);
        assert_true(got > 0);
        for (size_t i = 0; i < got; i++)
            assert_int_equal(data[i], pattern(at + i));
        at += got;
    }
    return at;
}
