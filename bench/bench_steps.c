/* bench_steps.c - lat --steps: a ping-pong whose operations begin and end within two functions, for whoever counts what
 * is executed in them (scripts/count_instructions.sh). The server answers when the client is out of the first and says
 * so over the control channel, and says when it has answered: so nothing else happens meanwhile, and the first question
 * finds the result. A run where it does not fails, because its counts would not be exact. */
#include "bench_run.h"
#include "pal/time.h"

/* Names and calls must survive the compiler: a counter looks for them. */
PAL_NOINLINE enum bench_step bench_step_send(struct bench_ep *ep, uint32_t bytes);
PAL_NOINLINE enum bench_step bench_step_recv(struct bench_ep *ep, uint32_t *bytes);

/* One message sent, its completion polled. */
enum bench_step bench_step_send(struct bench_ep *ep, uint32_t bytes)
{
    return bench_send(ep, bytes) ? bench_take_tx(ep) : BENCH_FAILED;
}

/* The completion of one receive polled, and the next posted. */
enum bench_step bench_step_recv(struct bench_ep *ep, uint32_t *bytes)
{
    uint32_t slot;
    enum bench_step step = bench_take_rx(ep, &slot, bytes);

    return step == BENCH_FINISHED && !bench_post_rx(ep, slot) ? BENCH_FAILED : step;
}

static bool must_be_finished(struct bench_run_args *a, enum bench_step step, const char *what)
{
    return step == BENCH_FINISHED ||
           (step == BENCH_PENDING &&
            bench_fail(a->ep->err,
                       "%s was not over at the first question: its instructions cannot be counted", what));
}

bool bench_steps_client(struct bench_run_args *a)
{
    uint8_t body[BENCH_BODY_MAX];
    size_t body_bytes;
    uint32_t bytes;

    for (uint32_t i = 0; i < a->count; i++) {
        a->times[i] = pal_now_ns();
        if (!must_be_finished(a, bench_step_send(a->ep, a->size), "a send") ||
            !bench_control_send(a->control, BENCH_MSG_GO, NULL, 0) ||
            !bench_control_expect(a->control, BENCH_MSG_GO, body, &body_bytes))
            return false;
        pal_sleep_ms(1); /* the answer is on its way */
        if (!must_be_finished(a, bench_step_recv(a->ep, &bytes), "a receive"))
            return false;
        pal_store_relaxed(&a->ep->progress, i + 1u);
    }
    a->times[a->count] = pal_now_ns();
    return true;
}

bool bench_steps_server(struct bench_run_args *a)
{
    struct bench_ep *ep = a->ep;
    uint8_t body[BENCH_BODY_MAX];
    size_t body_bytes;

    if (!a->go(a->go_context))
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        uint32_t slot;
        uint32_t bytes;

        if (!bench_wait_rx(ep, &slot, &bytes) ||
            !bench_control_expect(a->control, BENCH_MSG_GO, body, &body_bytes) || !bench_send(ep, a->size) ||
            !bench_drain(ep) || !bench_post_rx(ep, slot) || !a->go(a->go_context))
            return false;
        pal_store_relaxed(&ep->progress, i + 1u);
    }
    return true;
}
