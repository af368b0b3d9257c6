/* test_sockets.c - pal/socket.h as a contract: what softiwarp relies on, over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pal/memory.h"
#include "pal/socket.h"
#include "pal/time.h"

#define DEADLINE_MS 5000
#define QUIET_MS    50

static const struct pal_socket_tuning plain = {0};

static struct pal_addr loopback(uint8_t family, uint16_t port)
{
    struct pal_addr a = {.family = family, .port = port};
    if (family == 4) {
        a.ip[0] = 127;
        a.ip[3] = 1;
    } else {
        a.ip[15] = 1;
    }
    return a;
}

struct pair {
    pal_socket listener, a, b;
    struct pal_addr at;
};

static bool until(enum pal_net (*what)(pal_socket), pal_socket s, enum pal_net *st)
{
    const uint64_t deadline = pal_now_ns() + DEADLINE_MS * 1000000ull;
    while ((*st = what(s)) == PAL_NET_AGAIN && pal_now_ns() < deadline)
        pal_sleep_ms(1);
    return *st != PAL_NET_AGAIN;
}

static bool open_pair(struct pair *p, uint8_t family)
{
    enum pal_net st;
    p->at = loopback(family, 0);
    if (pal_socket_listen(&p->at, 8, &plain, &p->listener) != PAL_NET_OK)
        return false;
    assert_true(pal_socket_addrs(p->listener, &p->at, NULL));
    const struct pal_addr from = loopback(family, 0);
    assert_int_equal(pal_socket_connect(&from, &p->at, &plain, &p->a), PAL_NET_OK);
    assert_true(until(pal_socket_outcome, p->a, &st));
    assert_int_equal(st, PAL_NET_OK);
    for (unsigned i = 0; pal_socket_accept(p->listener, &plain, NULL, &p->b) == PAL_NET_AGAIN; i++) {
        assert_true(i < DEADLINE_MS);
        pal_sleep_ms(1);
    }
    return true;
}

static void close_pair(struct pair *p)
{
    pal_socket_close(p->a);
    pal_socket_close(p->b);
    pal_socket_close(p->listener);
}

static void bytes_are_gathered_and_scattered_in_order(void **state)
{
    (void)state;
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct pair p;
        char one[3], two[8] = {0}, in[] = "abc", in2[] = "defgh";
        struct pal_iov out_iov[2] = {{in, 3}, {in2, 5}}, in_iov[2] = {{one, 3}, {two, 8}};
        size_t done;
        if (!open_pair(&p, family)) {
            print_message("           no loopback of family %u\n", family);
            continue;
        }
        assert_int_equal(pal_socket_recv(p.b, in_iov, 2, &done), PAL_NET_AGAIN);
        assert_int_equal(pal_socket_send(p.a, out_iov, 2, &done), PAL_NET_OK);
        assert_int_equal(done, 8);
        while (pal_socket_recv(p.b, in_iov, 2, &done) == PAL_NET_AGAIN)
            pal_sleep_ms(1);
        assert_int_equal(done, 8);
        assert_memory_equal(one, "abc", 3);
        assert_memory_equal(two, "defgh", 5);
        struct pal_addr la = {0}, ra = {0}, lb = {0}, rb = {0};
        assert_true(pal_socket_addrs(p.a, &la, &ra) && pal_socket_addrs(p.b, &lb, &rb));
        assert_int_equal(la.port, rb.port);
        assert_int_equal(ra.port, p.at.port);
        assert_int_equal(lb.port, p.at.port);
        const uint32_t segment = pal_socket_segment_bytes(p.a);
        assert_true(segment > 500 || (segment == 0 && !PAL_SEGMENTS_ARE_KNOWN));
        close_pair(&p);
    }
}

static void a_full_connection_says_again_and_an_ended_one_eof_or_reset(void **state)
{
    (void)state;
    struct pair p = {.listener = PAL_SOCKET_NONE, .a = PAL_SOCKET_NONE, .b = PAL_SOCKET_NONE};
    static char block[65536];
    struct pal_iov iov = {block, sizeof block};
    size_t done, sent = 0;
    enum pal_net st;
    assert_true(open_pair(&p, 4));
    while ((st = pal_socket_send(p.a, &iov, 1, &done)) == PAL_NET_OK)
        sent += done;
    assert_int_equal(st, PAL_NET_AGAIN);
    assert_true(sent > 0);
    pal_socket_finish(p.a);
    size_t got = 0;
    const uint64_t deadline = pal_now_ns() + DEADLINE_MS * 1000000ull;
    while ((st = pal_socket_recv(p.b, &iov, 1, &done)) != PAL_NET_EOF && pal_now_ns() < deadline)
        got += done;
    assert_int_equal(st, PAL_NET_EOF);
    assert_int_equal(got, sent);
    pal_socket_close(p.a);
    p.a = PAL_SOCKET_NONE;
    iov.bytes = 1;
    while ((st = pal_socket_send(p.b, &iov, 1, &done)) == PAL_NET_OK && pal_now_ns() < deadline)
        pal_sleep_ms(1); /* no SIGPIPE either */
    assert_int_equal(st, PAL_NET_RESET);
    close_pair(&p);
}

static void failures_have_names(void **state)
{
    (void)state;
    struct pair p = {.listener = PAL_SOCKET_NONE, .a = PAL_SOCKET_NONE, .b = PAL_SOCKET_NONE};
    pal_socket s;
    enum pal_net st;
    assert_true(open_pair(&p, 4));
    assert_int_equal(pal_socket_listen(&p.at, 1, &plain, &s), PAL_NET_INUSE);
    struct pal_addr foreign = loopback(4, 0), from = loopback(4, 0);
    foreign.ip[0] = 192;
    foreign.ip[2] = 2; /* 192.0.2.1 */
    foreign.ip[3] = 77;
    assert_int_equal(pal_socket_listen(&foreign, 1, &plain, &s), PAL_NET_NOTAVAIL);
    size_t done;
    struct pal_iov bad = {(void *)(uintptr_t)8, 16};
    assert_int_equal(pal_socket_send(p.a, &bad, 1, &done), PAL_NET_FAULT);
    const struct pal_addr nobody = p.at;
    close_pair(&p);
    st = pal_socket_connect(&from, &nobody, &plain, &s);
    if (st == PAL_NET_OK) {
        assert_true(until(pal_socket_outcome, s, &st));
        pal_socket_close(s);
    }
    assert_int_equal(st, PAL_NET_REFUSED);
}

static void a_reserved_port_keeps_others_away_and_does_not_listen(void **state)
{
    (void)state;
    struct pal_addr at = loopback(4, 0), from = loopback(4, 0);
    pal_socket held, s;
    enum pal_net st;
    assert_int_equal(pal_socket_reserve(&at, &held), PAL_NET_OK);
    assert_int_not_equal(at.port, 0);
    assert_int_equal(pal_socket_listen(&at, 1, &plain, &s), PAL_NET_INUSE);
    st = pal_socket_connect(&from, &at, &plain, &s);
    if (st == PAL_NET_OK) {
        assert_true(until(pal_socket_outcome, s, &st));
        pal_socket_close(s);
    }
    assert_int_equal(st, PAL_NET_REFUSED);
    pal_socket_close(held);
    assert_int_equal(pal_socket_listen(&at, 1, &plain, &s), PAL_NET_OK);
    pal_socket_close(s);
}

/* ---- poller ---- */

/* Windows tells of the end when it comes, as Linux does; Wine 8 when all before it was read. */
#ifdef _WIN32
#define END_MAY_WAIT_FOR_READERS true
#else
#define END_MAY_WAIT_FOR_READERS false
#endif

static bool waits(const struct pal_poller *p, int ms)
{
    const pal_waitable w = pal_poller_waitable(p);
    return pal_wait(&w, 1, ms) != 0;
}

static void what_changes_while_nobody_watches_counts_when_somebody_does(void **state)
{
    (void)state;
    struct pair p = {.listener = PAL_SOCKET_NONE, .a = PAL_SOCKET_NONE, .b = PAL_SOCKET_NONE};
    struct pal_poller *set = pal_poller_create(PAL_WAITABLE_NONE);
    struct pal_ready ready[4];
    assert_non_null(set);
    assert_true(open_pair(&p, 4));
    assert_true(pal_poller_add(set, p.b, PAL_READABLE, &p));
    assert_false(
        waits(set, QUIET_MS)); /* Windows: leaves a question in the kernel, for this and nothing else */
    for (int i = 0; i < 3; i++) {
        pal_poller_watch(set, false);
        pal_poller_change(set, p.b, PAL_READABLE | PAL_WRITABLE, &p);
        assert_false(waits(set, QUIET_MS));
        pal_poller_watch(set, true);
        assert_true(waits(set, DEADLINE_MS));
        assert_int_equal(pal_poller_poll(set, ready, 4), 1);
        assert_int_equal(ready[0].what, PAL_WRITABLE);
        pal_poller_watch(set, false);
        pal_poller_change(set, p.b, PAL_READABLE, &p);
        pal_poller_watch(set, true);
        assert_false(waits(set, QUIET_MS)); /* and the other way round: not for what nobody wants any more */
    }
    pal_poller_destroy(set);
    close_pair(&p);
}

static void the_waitable_follows_sockets_signals_deadlines_and_what_lies_beside(void **state)
{
    (void)state;
    struct pair p = {.listener = PAL_SOCKET_NONE, .a = PAL_SOCKET_NONE, .b = PAL_SOCKET_NONE};
    struct pal_wakeup *beside = pal_wakeup_create();
    struct pal_poller *set = pal_poller_create(pal_wakeup_waitable(beside));
    struct pal_ready ready[4];
    char byte = 'x';
    struct pal_iov iov = {&byte, 1};
    size_t done;
    assert_non_null(set);
    assert_true(open_pair(&p, 4));
    assert_true(pal_poller_add(set, p.b, PAL_READABLE, &p));
    assert_false(waits(set, QUIET_MS));
    assert_int_equal(pal_poller_poll(set, ready, 4), 0);
    assert_int_equal(pal_socket_send(p.a, &iov, 1, &done), PAL_NET_OK);
    assert_true(waits(set, DEADLINE_MS));
    assert_int_equal(pal_poller_poll(set, ready, 4), 1);
    assert_ptr_equal(ready[0].tag, &p);
    assert_int_equal(ready[0].what, PAL_READABLE);
    assert_true(waits(set, 0)); /* still: nobody read it */
    pal_poller_watch(set, false);
    assert_false(waits(set, QUIET_MS));
    assert_int_equal(pal_poller_poll(set, ready, 4), 1); /* not watched, but there */
    pal_poller_watch(set, true);
    assert_true(waits(set, DEADLINE_MS));
    pal_poller_change(set, p.b, PAL_HANGUP, &p);
    assert_false(waits(set, QUIET_MS));
    pal_socket_finish(p.a);
    if (END_MAY_WAIT_FOR_READERS && !waits(set, QUIET_MS)) {
        assert_int_equal(pal_socket_recv(p.b, &iov, 1, &done), PAL_NET_OK);
    }
    assert_true(waits(set, DEADLINE_MS));
    assert_int_equal(pal_poller_poll(set, ready, 4), 1);
    assert_int_equal(ready[0].what, PAL_HANGUP);
    pal_poller_change(set, p.b, PAL_WRITABLE, &p);
    assert_int_equal(pal_poller_poll(set, ready, 4), 1);
    assert_true(ready[0].what & PAL_WRITABLE);
    pal_poller_remove(set, p.b);
    assert_false(waits(set, QUIET_MS));

    pal_poller_signal(set);
    pal_poller_signal(set);
    assert_true(waits(set, 0));
    pal_poller_clear(set);
    assert_false(waits(set, 0));
    pal_wakeup_signal(beside);
    assert_true(waits(set, 0));
    pal_wakeup_clear(beside);

    const uint64_t from = pal_now_ns();
    assert_true(pal_poller_deadline(set, from + 30000000));
    assert_true(waits(set, DEADLINE_MS));
    assert_true(pal_now_ns() - from >= 30000000);
    assert_true(pal_poller_deadline(set, 0));
    assert_false(waits(set, QUIET_MS));
    close_pair(&p);
    pal_poller_destroy(set);
    pal_wakeup_destroy(beside);
}

/* ---- interfaces and memory ---- */

static void the_host_knows_its_loopback_address_and_the_way_to_it(void **state)
{
    (void)state;
    struct pal_if_addr list[64];
    const struct pal_addr to = loopback(4, 80);
    struct pal_addr from;
    int n = pal_if_addrs(list, 64);
    bool found = false;
    assert_true(n > 0 && n <= 64);
    assert_int_equal(pal_if_addrs(NULL, 0), n);
    for (int i = 0; i < n; i++) {
        assert_int_equal(list[i].addr.port, 0);
        if (list[i].addr.family == 4 && list[i].addr.ip[0] == 127)
            found = list[i].is_loopback;
    }
    assert_true(found);
    assert_int_equal(pal_route_lookup(&to, &from), PAL_NET_OK);
    assert_int_equal(from.ip[0], 127);
    assert_int_equal(from.port, 0);
    struct pal_if_watch *w = pal_if_watch_create();
    if (w) {
        assert_int_not_equal(pal_if_watch_waitable(w), PAL_WAITABLE_NONE);
        (void)pal_if_watch_take(w);
        assert_false(pal_if_watch_take(w));
    }
    pal_if_watch_destroy(w);
}

static void pages_are_usable_while_they_are_there(void **state)
{
    (void)state;
    const size_t page = pal_page_size();
    char *mem = pal_pages_alloc(2 * page);
    static const char constant[] = "cannot be written";
    assert_true(pal_pages_usable(mem + 1, 2 * page - 2, true));
    assert_true(pal_pages_usable(constant, sizeof constant, false));
    assert_false(pal_pages_usable((void *)8, 16, false));
    assert_false(pal_pages_usable(mem, 0, false));
    pal_pages_free(mem, 2 * page);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_gathered_and_scattered_in_order),
        cmocka_unit_test(a_full_connection_says_again_and_an_ended_one_eof_or_reset),
        cmocka_unit_test(failures_have_names),
        cmocka_unit_test(a_reserved_port_keeps_others_away_and_does_not_listen),
        cmocka_unit_test(what_changes_while_nobody_watches_counts_when_somebody_does),
        cmocka_unit_test(the_waitable_follows_sockets_signals_deadlines_and_what_lies_beside),
        cmocka_unit_test(the_host_knows_its_loopback_address_and_the_way_to_it),
        cmocka_unit_test(pages_are_usable_while_they_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
