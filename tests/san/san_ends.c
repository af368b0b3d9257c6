/* san_ends.c - the ends: what the upper face would do, in its simplest form. */
#include "san_test.h"

struct env env;

static void on_completed(void *owner, struct sw_request *r)
{
    struct end *e = owner;
    struct pending *p = r->context;

    pal_mutex_lock(&e->lock);
    e->completed++;
    if (p != NULL)
        p->times++;
    e->strays += e->closed;
    pal_cond_broadcast(&e->changed);
    pal_mutex_unlock(&e->lock);
}

static void on_events(void *owner, uint32_t events, int error)
{
    struct end *e = owner;

    pal_mutex_lock(&e->lock);
    e->events |= events;
    if ((events & FD_CONNECT) != 0)
        e->connect_error = error;
    if ((events & FD_CLOSE) != 0)
        e->close_error = error;
    e->strays += e->closed;
    pal_cond_broadcast(&e->changed);
    pal_mutex_unlock(&e->lock);
}

static void on_closed(void *owner, int error)
{
    struct end *e = owner;

    pal_mutex_lock(&e->lock);
    e->closed++;
    e->closed_error = error;
    pal_cond_broadcast(&e->changed);
    pal_mutex_unlock(&e->lock);
}

const struct sw_carrier_up end_up = {on_completed, on_events, on_closed};

static uint64_t patience(void)
{
    return pal_now_ns() + WAIT_MS * UINT64_C(1000000);
}

void end_init(struct end *e)
{
    memset(e, 0, sizeof(*e));
    assert_true(pal_mutex_init(&e->lock));
    assert_true(pal_cond_init(&e->changed));
}

void end_fini(struct end *e)
{
    assert_int_equal(e->strays, 0);
    pal_cond_fini(&e->changed);
    pal_mutex_fini(&e->lock);
}

void end_create(struct end *e)
{
    end_init(e);
    assert_int_equal(sw_san_create(env.provider, &env.settings, &end_up, e, &e->carrier), 0);
}

void end_listen(struct end *e, int backlog, WSD_SOCKADDR_IN *to)
{
    WSD_SOCKADDR_STORAGE name;
    int bytes = 0;

    end_create(e);
    assert_int_equal(sw_parse_address(env.address, to), 0);
    assert_int_equal(e->carrier->ops->bind(e->carrier, (const WSD_SOCKADDR *)(const void *)to, sizeof(*to)),
                     0);
    assert_int_equal(e->carrier->ops->listen(e->carrier, backlog), 0);
    assert_int_equal(e->carrier->ops->local(e->carrier, &name, &bytes), 0);
    memcpy(to, &name, sizeof(*to));
    assert_int_not_equal(to->sin_port, 0);
}

static void wait_event(struct end *e, uint32_t events)
{
    uint64_t deadline = patience();
    bool in_time = true;

    pal_mutex_lock(&e->lock);
    while ((e->events & events) == 0 && in_time)
        in_time = pal_cond_timedwait(&e->changed, &e->lock, deadline);
    pal_mutex_unlock(&e->lock);
    assert_true(in_time);
}

int end_connect(struct end *e, const WSD_SOCKADDR_IN *to)
{
    int result;

    end_create(e);
    result = e->carrier->ops->connect(e->carrier, (const WSD_SOCKADDR *)(const void *)to, sizeof(*to));
    if (result != WSA_IO_PENDING)
        return result;
    wait_event(e, FD_CONNECT);
    return e->connect_error;
}

void end_wait_events(struct end *e, uint32_t events)
{
    pal_mutex_lock(&e->lock);
    e->events &= ~events;
    pal_mutex_unlock(&e->lock);
    e->carrier->ops->want(e->carrier, events);
    wait_event(e, events);
}

void end_wait_completed(struct end *e, unsigned count)
{
    uint64_t deadline = patience();
    bool in_time = true;

    pal_mutex_lock(&e->lock);
    while (e->completed < count && in_time)
        in_time = pal_cond_timedwait(&e->changed, &e->lock, deadline);
    pal_mutex_unlock(&e->lock);
    assert_true(in_time);
}

void end_accept(struct end *listener, struct end *out)
{
    WSD_SOCKADDR_STORAGE remote;
    int bytes;

    end_init(out);
    end_wait_events(listener, FD_ACCEPT);
    assert_true((listener->carrier->ops->ready(listener->carrier).events & FD_ACCEPT) != 0);
    assert_int_equal(
        listener->carrier->ops->accept(listener->carrier, &end_up, out, &out->carrier, &remote, &bytes), 0);
    assert_int_equal(bytes, sizeof(WSD_SOCKADDR_IN));
}

void end_pair(struct end *a, struct end *b)
{
    struct end listener;
    WSD_SOCKADDR_IN to;

    end_listen(&listener, 5, &to);
    assert_int_equal(end_connect(a, &to), 0);
    end_accept(&listener, b);
    end_close(&listener, 0);
}

int end_submit(struct end *e, struct pending *p, enum sw_request_kind kind, void *bytes, size_t n)
{
    int result;

    memset(p, 0, sizeof(*p));
    p->buffer.len = (ULONG)n;
    p->buffer.buf = bytes;
    p->request.kind = kind;
    p->request.op.buffers = &p->buffer;
    p->request.op.buffer_count = 1;
    p->request.context = p;
    result = e->carrier->ops->submit(e->carrier, &p->request);
    if (result == 0) { /* no completed() follows */
        pal_mutex_lock(&e->lock);
        p->times++;
        pal_mutex_unlock(&e->lock);
    }
    return result == WSA_IO_PENDING ? 0 : result;
}

void end_wait_pending(struct end *e, struct pending *p)
{
    uint64_t deadline = patience();
    bool in_time = true;

    pal_mutex_lock(&e->lock);
    while (p->times == 0 && in_time)
        in_time = pal_cond_timedwait(&e->changed, &e->lock, deadline);
    pal_mutex_unlock(&e->lock);
    assert_true(in_time);
    assert_int_equal(p->times, 1);
}

void end_wait_closed(struct end *e)
{
    uint64_t deadline = patience();
    bool in_time = true;

    pal_mutex_lock(&e->lock);
    while (e->closed == 0 && in_time)
        in_time = pal_cond_timedwait(&e->changed, &e->lock, deadline);
    pal_mutex_unlock(&e->lock);
    assert_true(in_time);
    assert_int_equal(e->closed, 1);
    end_fini(e);
}

void end_close(struct end *e, uint32_t linger_ms)
{
    e->carrier->ops->close(e->carrier, linger_ms);
    end_wait_closed(e);
}

int end_run(struct end *e, struct sw_request *r, enum sw_request_kind kind, uint32_t flags, WSABUF *buffers,
            uint32_t count, uint64_t timeout_ms)
{
    int result;

    memset(r, 0, sizeof(*r));
    r->kind = kind;
    r->flags = flags;
    r->op.buffers = buffers;
    r->op.buffer_count = count;
    r->is_waited = true;
    result = e->carrier->ops->submit(e->carrier, r);
    if (result == WSA_IO_PENDING)
        result = e->carrier->ops->wait(e->carrier, r, pal_now_ns() + timeout_ms * 1000000u, NULL);
    return result != 0 ? result : r->op.error;
}

int end_send(struct end *e, const void *bytes, size_t n)
{
    WSABUF buffer = {(ULONG)n, (CHAR *)(uintptr_t)bytes};
    struct sw_request r;
    int result = end_run(e, &r, SW_REQUEST_SEND, 0, &buffer, 1, WAIT_MS);

    if (result == 0)
        assert_int_equal(r.op.bytes, n);
    return result;
}

int end_receive(struct end *e, void *bytes, size_t room, size_t *n)
{
    WSABUF buffer = {(ULONG)room, bytes};
    struct sw_request r;
    int result = end_run(e, &r, SW_REQUEST_RECEIVE, 0, &buffer, 1, WAIT_MS);

    *n = (size_t)r.op.bytes;
    return result;
}

void end_receive_all(struct end *e, void *bytes, size_t n)
{
    size_t got = 0;

    while (got < n) {
        size_t part;

        assert_int_equal(end_receive(e, (uint8_t *)bytes + got, n - got, &part), 0);
        assert_int_not_equal(part, 0);
        got += part;
    }
}

int end_now(struct end *e, enum sw_request_kind kind, uint32_t flags, void *bytes, size_t n, size_t *done)
{
    WSABUF buffer = {(ULONG)n, bytes};
    struct sw_request r;
    int result;

    memset(&r, 0, sizeof(r));
    r.kind = kind;
    r.flags = flags;
    r.op.buffers = &buffer;
    r.op.buffer_count = 1;
    result = e->carrier->ops->now(e->carrier, &r);
    *done = (size_t)r.op.bytes;
    return result;
}

int san_setup(void **state)
{
    char why[512];

    (void)state;
    sw_san_settings_init(&env.settings);
    if (sw_load(env.provider_path, NULL, &env.provider, why, sizeof(why)) != 0) {
        print_error("%s\n", why);
        return -1;
    }
    return 0;
}

int san_teardown(void **state)
{
    char text[4096];

    (void)state;
    sw_san_stop();
    if (sw_unload(env.provider, text, sizeof(text)) != 0) {
        print_error("%s\n", text);
        return -1;
    }
    return 0;
}
