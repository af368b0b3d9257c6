/* stopped_peer.c - the other side is there and does nothing: it posts no receive, or its process is stopped, for a while or for good,
 * or killed while it is stopped, so that everything is in the middle for sure.
 * Source: contract 4.8, 4.13, 7.6, 8.12; 14.3. The time after which a peer that takes nothing is given up is softiwarp's
 * (verbs_backend/softiwarp/PROTOCOL.md 9); an adapter serves its memory while the process is stopped. */
#include <arpa/inet.h>

#include "ct.h"

enum { MESSAGES = 48, BYTES = 65536 };

static WSAOVERLAPPED out[MESSAGES];

/* Small buffers of TCP: the first messages fill them. */
static struct ct_process *peer_with(struct fixture *f, struct ct_end *mine, const char *dead_ms)
{
    ct_needs_processes();
    ct_needs_flow_control();
    ct_reload(f, "WSD_SOFTIWARP_SNDBUF", "65536", "WSD_SOFTIWARP_RCVBUF", "65536", "WSD_SOFTIWARP_DEAD_MS",
              dead_ms, NULL);
    return ct_process_connected(f, mine, MESSAGES * BYTES);
}

static uint64_t milliseconds(void)
{
    return pal_now_ns() / 1000000u;
}

/* Message i has seed i. The last one is still waiting when this returns. */
static void send_all(struct ct_end *mine)
{
    memset(out, 0, sizeof out);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        ct_fill(mine->tx + (size_t)i * BYTES, BYTES, i);
        ct_ok(ct_send(mine, i * BYTES, BYTES, &out[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    }
    ct_fails(WSAETIMEDOUT, sw_wait(mine->c, &out[MESSAGES - 1], 300, NULL, NULL));
}

static void peer_takes(struct ct_process *q, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        second_process_tell(&q->second, "ready");
        second_process_tell(&q->second, "expect %u %u", (unsigned)BYTES, (unsigned)i);
    }
}

/* How many succeeded: those in front. The rest failed with one of two codes. */
static uint32_t succeeded(const struct sw_companion *c, WSAOVERLAPPED *ov, uint32_t count, int one, int other)
{
    uint32_t good = 0;
    for (uint32_t i = 0; i < count; i++) {
        int error = 0;
        if (c != NULL)
            error = ct_outcome(c, &ov[i]);
        else /* closed: all is over but for the last upcalls, which another thread may be in the middle of */
            assert_true(ct_until(sw_overlapped_result(&ov[i], NULL, &error)));
        ct_one_of(error, 0, one, other);
        assert_true(error != 0 || good == i);
        good += error == 0;
    }
    return good;
}

static void exposed_by(struct ct_process *q, struct sw_rdma_descriptor *d)
{
    const char *hex = second_process_tell(&q->second, "expose %u", (unsigned)BYTES);
    unsigned byte;

    for (d->length = 0; sscanf(hex + 2 * d->length, "%2x", &byte) == 1; d->length++)
        d->bytes[d->length] = (BYTE)byte;
}

/* ---- no receive ---- */

static void a_receiver_that_posts_late_gets_everything_in_order(void **state)
{
    struct fixture *f = *state;
    struct ct_end mine;
    struct ct_process *q = peer_with(f, &mine, "");

    send_all(&mine);
    peer_takes(q, MESSAGES);
    assert_int_equal(succeeded(mine.c, out, MESSAGES, 0, 0), MESSAGES);
    second_process_end(&q->second);
}

/* What had completed still arrives (Q18: in the background). */
static void closing_does_not_wait_for_a_receiver_that_takes_nothing(void **state)
{
    struct fixture *f = *state;
    struct ct_end mine;
    struct ct_process *q = peer_with(f, &mine, "");

    send_all(&mine);
    uint64_t start = milliseconds();
    ct_close(f, mine.c);
    assert_true(milliseconds() - start < 5000);
    uint32_t good = succeeded(NULL, out, MESSAGES, WSA_OPERATION_ABORTED, WSA_OPERATION_ABORTED);
    assert_true(good < MESSAGES);
    peer_takes(q, good);
    second_process_end(&q->second);
}

static void the_receiver_may_close_too(void **state)
{
    struct fixture *f = *state;
    struct ct_end mine;
    struct ct_process *q = peer_with(f, &mine, "");

    send_all(&mine);
    second_process_tell(&q->second, "close");
    assert_true(succeeded(mine.c, out, MESSAGES, WSAECONNRESET, WSAECONNABORTED) < MESSAGES);
    second_process_end(&q->second);
}

/* ---- stopped ---- */

static void a_peer_that_was_stopped_for_a_while_has_lost_nothing(void **state)
{
    struct fixture *f = *state;
    struct ct_end mine;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED in[2] = {{0}}, read = {0};
    struct ct_process *q = peer_with(f, &mine, "");

    exposed_by(q, &d);
    second_process_tell(&q->second, "receive 1");
    ct_stop(q);
    for (int i = 0; i < 2; i++)
        ct_ok(ct_recv(&mine, (DWORD)i * BYTES, BYTES, &in[i], i == 0 ? SW_POLL : SW_NOTIFY));
    ct_ok(ct_read(&mine, 2 * BYTES, BYTES, &d, 0, &read, SW_POLL));
    ct_fails(WSAETIMEDOUT, sw_wait(mine.c, &in[0], 300, NULL, NULL));
    ct_continue(q);
    ct_done(mine.c, &read, 0);
    for (unsigned i = 0; i < 2; i++) {
        second_process_tell(&q->second, "send %u %u", (unsigned)BYTES, 100 + i);
        assert_int_equal(ct_done(mine.c, &in[i], 0), BYTES);
        assert_int_equal(ct_wrong_byte(mine.rx + (size_t)i * BYTES, BYTES, 100 + i), -1);
    }
    second_process_end(&q->second);
}

static void sends_to_a_peer_that_was_stopped_for_a_while_arrive(void **state)
{
    struct fixture *f = *state;
    struct ct_end mine;
    struct ct_process *q = peer_with(f, &mine, "");

    ct_stop(q);
    send_all(&mine);
    ct_continue(q);
    peer_takes(q, MESSAGES);
    assert_int_equal(succeeded(mine.c, out, MESSAGES, 0, 0), MESSAGES);
    second_process_end(&q->second);
}

#define ct_needs_softiwarp()                                                                                 \
    do {                                                                                                     \
        if (strcmp(ct.vb_spec, "softiwarp") != 0)                                                            \
            ct_skip("an adapter goes on serving a process that is stopped");                                 \
    } while (0)

/* Receives, sends, and whatever comes later; the first cause is the same for all. */
static void everything_failed(struct ct_end *mine, WSAOVERLAPPED *in)
{
    for (int i = 0; i < 2; i++)
        ct_one_of(ct_outcome(mine->c, &in[i]), WSAECONNABORTED);
    WSAOVERLAPPED later = {0};
    int error = ct_send(mine, 0, 64, &later, SW_POLL);
    if (error == 0)
        error = ct_outcome(mine->c, &later);
    ct_one_of(error, WSAECONNABORTED);
}

static void sends_to_a_peer_that_is_stopped_for_too_long_fail(void **state)
{
    struct fixture *f = *state;
    struct ct_end mine;
    WSAOVERLAPPED in[2] = {{0}};

    ct_needs_softiwarp();
    struct ct_process *q = peer_with(f, &mine, "3000");
    for (int i = 0; i < 2; i++)
        ct_ok(ct_recv(&mine, 0, 64, &in[i], i == 0 ? SW_POLL : SW_NOTIFY));
    ct_stop(q);
    send_all(&mine);
    assert_true(succeeded(mine.c, out, MESSAGES, WSAECONNABORTED, WSAECONNABORTED) < MESSAGES);
    everything_failed(&mine, in);
}

static void a_transfer_that_a_stopped_peer_does_not_answer_fails(void **state)
{
    struct fixture *f = *state;
    struct ct_end mine;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED in[2] = {{0}}, transfers[4] = {{0}};

    ct_needs_softiwarp();
    struct ct_process *q = peer_with(f, &mine, "3000");
    exposed_by(q, &d);
    for (int i = 0; i < 2; i++)
        ct_ok(ct_recv(&mine, 0, 64, &in[i], i == 0 ? SW_POLL : SW_NOTIFY));
    ct_stop(q);
    for (int i = 0; i < 4; i++) /* nothing more than their requests leaves */
        ct_ok(
            ct_read(&mine, (DWORD)i * BYTES, BYTES, &d, 0, &transfers[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    assert_int_equal(succeeded(mine.c, transfers, 4, WSAECONNABORTED, WSAECONNABORTED), 0);
    everything_failed(&mine, in);
}

static void a_process_that_is_stopped_answers_no_connect(void **state)
{
    struct fixture *f = *state;
    struct sw_companion *a;
    bool should_fall_back = false;

    ct_needs_processes();
    ct_reload(f, "WSD_CONNECT_TIMEOUT_MS", "500", NULL);
    struct ct_process *q = ct_process_start(f);
    unsigned port = (unsigned)strtoul(second_process_tell(&q->second, "listen 5"), NULL, 10);
    WSD_SOCKADDR_IN to = ct_at(f->here, (uint16_t)port);
    ct_stop(q);
    ct_ok(sw_connect_start(f->provider, &f->other, &to, NULL, &a, NULL));
    ct_adopt_companion(f, a);
    ct_fails(WSAETIMEDOUT, sw_connect_finish(a, ct.wait_ms, &should_fall_back));
    assert_true(should_fall_back);
    ct_ok(
        sw_connect_start(f->provider, &f->other, &to, NULL, &a, NULL)); /* closed under way by the teardown */
    ct_adopt_companion(f, a);
}

/* ---- killed while it is stopped ---- */

static void a_peer_killed_in_the_middle_fails_sends_transfers_and_receives(void **state)
{
    struct fixture *f = *state;

    for (int kind = 0; kind < 3; kind++) { /* sends, writes, reads */
        struct ct_end mine;
        struct sw_rdma_descriptor d;
        WSAOVERLAPPED in[2] = {{0}};
        struct ct_process *q = peer_with(f, &mine, POSIX_KILL_KEEPS_SOCKETS ? "3000" : "");
        exposed_by(q, &d);
        for (int i = 0; i < 2; i++)
            ct_ok(ct_recv(&mine, 0, 64, &in[i], i == 0 ? SW_POLL : SW_NOTIFY));
        ct_stop(q);
        memset(out, 0, sizeof out);
        for (uint32_t i = 0; i < MESSAGES; i++) {
            enum sw_completion how = i % 2 == 0 ? SW_POLL : SW_NOTIFY;
            ct_ok(kind == 0   ? ct_send(&mine, i * BYTES, BYTES, &out[i], how)
                  : kind == 1 ? ct_write(&mine, i * BYTES, BYTES, &d, 0, &out[i], how)
                              : ct_read(&mine, i * BYTES, BYTES, &d, 0, &out[i], how));
        }
        int waited = sw_wait(mine.c, &out[MESSAGES - 1], 300, NULL, NULL);
        ct_one_of(waited, WSAETIMEDOUT, kind == 0 || ct.completes_early ? WSAETIMEDOUT : 0);
        ct_kill(q);
        (void)succeeded(mine.c, out, MESSAGES, WSAECONNRESET, WSAECONNABORTED);
        for (int i = 0; i < 2; i++)
            ct_one_of(ct_outcome(mine.c, &in[i]), WSAECONNRESET, WSAECONNABORTED);
        if (kind != 0) /* what was registered can be given back */
            ct_ok(sw_deregister(mine.c, mine.rx_handle));
        ct_close(f, mine.c);
    }
}

static const struct CMUnitTest stopped_peer_tests[] = {
    ct_test(a_receiver_that_posts_late_gets_everything_in_order),
    ct_test(closing_does_not_wait_for_a_receiver_that_takes_nothing),
    ct_test(the_receiver_may_close_too),
    ct_test(a_peer_that_was_stopped_for_a_while_has_lost_nothing),
    ct_test(sends_to_a_peer_that_was_stopped_for_a_while_arrive),
    ct_test(sends_to_a_peer_that_is_stopped_for_too_long_fail),
    ct_test(a_transfer_that_a_stopped_peer_does_not_answer_fails),
    ct_test(a_process_that_is_stopped_answers_no_connect),
    ct_test(a_peer_killed_in_the_middle_fails_sends_transfers_and_receives),
};
CT_GROUP(stopped_peer);
