/* bench_idle.c - makes many bare connections and weighs them. */
#include "bench_idle.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench_host.h"
#include "pal/memory.h"

/* As the switch leaves a socket that nobody uses yet: connected and greeted. */
static const struct bench_ep_config bare = {.says_hello = true};

static bool set_init(struct bench_idle_set *s, uint32_t count, struct bench_error *err)
{
    s->count = 0;
    s->eps = calloc(count, sizeof(struct bench_ep *));
    return s->eps != NULL || bench_fail(err, "out of memory for %u idle connections", count);
}

static void show_count(const struct bench_test *t, uint32_t count, bool is_quiet)
{
    if (is_quiet || !bench_host_stderr_is_terminal() || (count % 50 != 0 && count != t->idle))
        return;
    fprintf(stderr, "\r%u of %u idle connections%s", count, t->idle,
            count == t->idle ? "\r                                   \r" : "");
    (void)fflush(stderr);
}

bool bench_idle_connect(struct bench_idle_set *s, const struct bench_layer_ops *ops, struct bench_layer *l,
                        const struct bench_test *t, const struct vb_addr *remote, struct bench_control *c,
                        struct bench_report *r)
{
    uint64_t before = pal_resident_bytes();
    uint8_t body[BENCH_BODY_MAX];
    size_t bytes;
    struct bench_idle theirs;

    if (t->idle == 0)
        return true;
    if (!set_init(s, t->idle, c->err))
        return false;
    while (s->count < t->idle) {
        if (!ops->connect(l, &bare, remote, t->timeout_s * 1000, &s->eps[s->count]))
            return bench_fail_in(c->err, "idle connection %u of %u", s->count + 1, t->idle);
        s->count++;
        show_count(t, s->count, r->options->quiet);
    }
    if (!bench_control_expect(c, BENCH_MSG_IDLE, body, &bytes))
        return false;
    if (!bench_idle_decode(body, bytes, &theirs) || theirs.count != t->idle)
        return bench_fail(c->err, "the server's IDLE message is malformed");
    if (t->rss) {
        struct bench_memory_row m = {t->idle,
                                     ((double)pal_resident_bytes() - (double)before) / 1024 / t->idle,
                                     ((double)theirs.rss_after - (double)theirs.rss_before) / 1024 / t->idle};

        bench_report_memory(r, &m);
    }
    return true;
}

bool bench_idle_accept(struct bench_idle_set *s, const struct bench_layer_ops *ops, struct bench_layer *l,
                       const struct bench_test *t, struct bench_control *c)
{
    struct bench_idle mine = {t->idle, pal_resident_bytes(), 0};
    uint8_t body[BENCH_BODY_MAX];

    if (t->idle == 0)
        return true;
    if (!set_init(s, t->idle, c->err))
        return false;
    while (s->count < t->idle) {
        if (!ops->accept(l, &bare, t->timeout_s * 1000, &s->eps[s->count]))
            return bench_fail_in(c->err, "accepting idle connection %u of %u", s->count + 1, t->idle);
        s->count++;
    }
    mine.rss_after = pal_resident_bytes();
    return bench_control_send(c, BENCH_MSG_IDLE, body, bench_idle_encode(&mine, body));
}

void bench_idle_close(struct bench_idle_set *s)
{
    while (s->count > 0) {
        struct bench_ep *ep = s->eps[--s->count];

        ep->ops->close(ep);
    }
    free(s->eps);
    s->eps = NULL;
}
