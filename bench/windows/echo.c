/* echo.c - the layers that it needs do not open here (winsock.c), so none of this is reached. */
#include "bench_echo.h"

bool bench_echo_connect(struct bench_layer *l, const struct bench_test *t, const struct vb_addr *remote,
                        struct bench_control *c, struct bench_echo **out)
{
    (void)l, (void)t, (void)remote, (void)out;
    return bench_fail(c->err, "echo is for Linux");
}

bool bench_echo_accept(struct bench_layer *l, const struct bench_test *t, struct bench_control *c,
                       struct bench_echo **out)
{
    (void)l, (void)t, (void)out;
    return bench_fail(c->err, "echo is for Linux");
}

struct bench_idle bench_echo_memory(const struct bench_echo *e)
{
    struct bench_idle none = {0};

    (void)e;
    return none;
}

bool bench_echo_takes(const struct bench_echo *e, uint32_t size)
{
    (void)e, (void)size;
    return false;
}

bool bench_echo_client(struct bench_run_args *a)
{
    return bench_fail(a->ep->err, "echo is for Linux");
}

bool bench_echo_server(struct bench_run_args *a)
{
    return bench_fail(a->control->err, "echo is for Linux");
}

void bench_echo_close(struct bench_echo *e)
{
    (void)e;
}
