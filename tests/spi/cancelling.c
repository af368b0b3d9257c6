/* cancelling.c - what ends a call that blocks: the blocking hook, WSPCancelBlockingCall, closing. Contract 10.1, function 4; 10.2,
 * upcall 8. */
#include "sp.h"

/* --- the blocking hook: FALSE cancels; WSPCancelBlockingCall from inside it does, too --- */

static struct {
    unsigned calls, stop_at;
    bool by_cancel;
    SOCKET feed; /* gets bytes in the third call */
} hook;

static BOOL CALLBACK blocking_hook(DWORD_PTR context)
{
    INT error = 0;

    if (context != 99)
        return FALSE;
    hook.calls++;
    if (hook.feed != 0 && hook.calls == 3)
        (void)sp_send(hook.feed, "fed", 3, 0, NULL);
    if (hook.stop_at != 0 && hook.calls >= hook.stop_at) {
        if (!hook.by_cancel)
            return FALSE;
        sp.procs->lpWSPCancelBlockingCall(&error);
    }
    return TRUE;
}

static void a_hook_runs_while_a_call_blocks(void **state)
{
    struct sp_pair pair;
    char data[10];
    DWORD got = 0;

    (void)state;
    sp_pair_open(&pair);
    memset(&hook, 0, sizeof(hook));
    hook.feed = pair.b;
    ws2_set_blocking_hook(blocking_hook, 99);
    sp_ok(sp_recv(pair.a, data, sizeof(data), 0, &got));
    assert_int_equal(got, 3);
    assert_true(hook.calls >= 3);
    ws2_set_blocking_hook(NULL, 0);
    sp_pair_close(&pair);
}

static void a_hook_cancels(void **state)
{
    struct sp_pair pair;
    SOCKET b;
    char data[10];

    (void)state;
    sp_pair_open(&pair);
    for (unsigned i = 0; i < 2; i++) {
        memset(&hook, 0, sizeof(hook));
        hook.stop_at = 3;
        hook.by_cancel = i == 1;
        ws2_set_blocking_hook(blocking_hook, 99);
        sp_fails(WSAEINTR, sp_recv(pair.a, data, sizeof(data), 0, NULL));
        assert_true(hook.calls >= 3);
        hook.calls = 0;
        sp_fails(WSAEINTR, sp_accept(pair.listener, &b));
        assert_true(hook.calls >= 3);
        ws2_set_blocking_hook(NULL, 0);
    }
    sp_echo(pair.b, pair.a, 1); /* the connection did not suffer */
    sp_pair_close(&pair);
}

static void closing_ends_a_blocked_receive(void **state)
{
    struct sp_pair pair;
    struct sp_call call;
    struct sp_receiving r = {.got = 0};

    (void)state;
    sp_pair_open(&pair);
    r.s = pair.a;
    sp_call_start(&call, sp_receive_now, &r);
    sp_call_blocks(&call);
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    sp_one_of(sp_call_join(&call), WSAEINTR, WSAENOTSOCK, WSAECONNABORTED, WSA_OPERATION_ABORTED);
    sp_pair_close(&pair);
}

int sp_cancelling(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(a_hook_runs_while_a_call_blocks),
        sp_test(a_hook_cancels),
        sp_test(closing_ends_a_blocked_receive),
    };

    return cmocka_run_group_tests_name("cancelling", tests, NULL, NULL);
}
