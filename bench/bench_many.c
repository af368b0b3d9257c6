/* bench_many.c - see bench_many.h. */
#include "bench_many.h"

#include <stdlib.h>

static bool set_init(struct bench_idle_set *s, const struct bench_test *t, struct bench_error *err)
{
    s->count = 0;
    s->eps = calloc(t->connections, sizeof(struct bench_ep *));
    return s->eps != NULL || bench_fail(err, "out of memory for %u connections", t->connections);
}

bool bench_many_connect(struct bench_idle_set *s, const struct bench_layer_ops *ops, struct bench_layer *l,
                        const struct bench_test *t, const struct bench_ep *first,
                        const struct vb_addr *remote, struct bench_control *c)
{
    if (t->connections <= 1)
        return true;
    if (!set_init(s, t, c->err))
        return false;
    while (s->count + 1 < t->connections) {
        struct bench_ep **ep = &s->eps[s->count];

        if (!ops->connect(l, &first->config, remote, t->timeout_s * 1000, ep))
            return bench_fail_in(c->err, "connection %u of %u", s->count + 2, t->connections);
        s->count++;
        if (!(*ep)->ops->set_peer(*ep, &first->peer))
            return false;
    }
    return true;
}

bool bench_many_accept(struct bench_idle_set *s, const struct bench_layer_ops *ops, struct bench_layer *l,
                       const struct bench_test *t, const struct bench_ep *first, struct bench_control *c)
{
    if (t->connections <= 1)
        return true;
    if (!set_init(s, t, c->err))
        return false;
    while (s->count + 1 < t->connections) {
        if (!ops->accept(l, &first->config, t->timeout_s * 1000, &s->eps[s->count]))
            return bench_fail_in(c->err, "accepting connection %u of %u", s->count + 2, t->connections);
        s->count++;
    }
    return true;
}
