/* bind_listen_accept.c - the passive side: WSPBind, WSPListen, WSPAccept, backlog, addresses, IPv6.
 * Source: contract 4.4, 4.5, 4.9, 9 (peer port), Q33; 14.3; peers.md W15. */
#include <arpa/inet.h>

#include "ct_mini.h"

static int bind_to(struct sw_companion *c, const void *name, int bytes)
{
    INT error = 0;

    return c->procs->lpWSPBind(c->descriptor, name, bytes, &error) == SOCKET_ERROR ? error : 0;
}

static int listen_on(struct sw_companion *c, int backlog)
{
    INT error = 0;

    return c->procs->lpWSPListen(c->descriptor, backlog, &error) == SOCKET_ERROR ? error : 0;
}

/* ---- bind ---- */

static void foreign_addresses_cannot_be_bound(void **state)
{
    static const char *const foreign[] = {"203.0.113.7:5000", "127.0.0.1:5000", "255.255.255.255:5000"};
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++) {
        WSD_SOCKADDR_IN a;
        ct_ok(sw_parse_address(foreign[i], &a));
        if (i == 1 && (strcmp(ct.vb_spec, "softiwarp") == 0 || a.sin_addr.s_addr == f->here.sin_addr.s_addr))
            continue; /* a backend that serves loopback */
        ct_fails(WSAEADDRNOTAVAIL, bind_to(ct_socket(f), &a, sizeof a));
    }
}

static void bad_names_cannot_be_bound(void **state)
{
    struct fixture *f = *state;
    struct sw_companion *c = ct_socket(f);
    WSD_SOCKADDR_IN good = ct_at(f->other, ct_port()), bad = good;

    ct_fails(WSAEFAULT, bind_to(c, NULL, sizeof good));
    for (int n = -1; n < (int)sizeof good; n++)
        ct_fails(WSAEFAULT, bind_to(c, &good, n));
    bad.sin_family = WS_AF_INET6;
    ct_one_of(bind_to(c, &bad, sizeof bad), WSAEFAULT, WSAEAFNOSUPPORT);
    bad.sin_family = 0;
    ct_one_of(bind_to(c, &bad, sizeof bad), WSAEFAULT, WSAEAFNOSUPPORT);
    ct_ok(bind_to(c, &good, sizeof good)); /* nothing of that counted as binding */
}

static void a_socket_is_bound_once(void **state)
{
    struct fixture *f = *state;
    struct sw_companion *c = ct_bound(f);
    WSD_SOCKADDR_IN again = ct_at(f->other, ct_port());

    ct_fails(WSAEINVAL, bind_to(c, &again, sizeof again));
}

/* Accepted connections of one server all have its address and port; so do sockets with SO_REUSEADDR (4.4). */
static void many_sockets_share_an_address_and_port(void **state)
{
    struct fixture *f = *state;
    WSD_SOCKADDR_IN same = ct_at(f->other, ct_port());
    struct sw_listener *l1 = ct_listen(f, 5), *l2 = ct_listen(f, 5);
    struct sw_companion *a[2], *b[2];

    for (int i = 0; i < 2; i++) {
        bool should_fall_back;
        ct_ok(sw_connect_start(f->provider, &same, i == 0 ? &l1->local : &l2->local, NULL, &a[i],
                               &should_fall_back));
        ct_adopt_companion(f, a[i]);
        ct_ok(ct_accept(f, i == 0 ? l1 : l2, ct.wait_ms, &b[i]));
        ct_finish_connect(a[i]);
        assert_int_equal(b[i]->remote.sin_port, same.sin_port);
    }
    struct sw_companion *third = ct_socket(f);
    ct_ok(bind_to(third, &same, sizeof same));
}

static void w15_connecting_from_the_wildcard_address_works(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 5);
    struct sw_companion *c = ct_socket(f), *b;
    WSD_SOCKADDR_IN any = ct_at(f->other, ct_port());
    WSAEVENT e = ct_event(f, true);
    INT error = 0;

    any.sin_addr.s_addr = 0;
    ct_ok(bind_to(c, &any, sizeof any));
    assert_int_equal(c->procs->lpWSPEventSelect(c->descriptor, e, FD_CONNECT, &error), 0);
    assert_int_equal(c->procs->lpWSPConnect(c->descriptor, (const WSD_SOCKADDR *)&l->local, sizeof l->local,
                                            NULL, NULL, NULL, NULL, &error),
                     SOCKET_ERROR);
    ct_fails(WSAEWOULDBLOCK, error);
    ct_ok(ct_accept(f, l, ct.wait_ms, &b));
    assert_int_equal(b->remote.sin_port, any.sin_port);
    ct_ok(sw_event_wait(e, ct.wait_ms));
    WSANETWORKEVENTS events = {0};
    assert_int_equal(c->procs->lpWSPEnumNetworkEvents(c->descriptor, e, &events, &error), 0);
    ct_ok(events.iErrorCode[FD_CONNECT_BIT]);
}

/* ---- listen ---- */

static void listening_needs_a_bound_socket(void **state)
{
    struct fixture *f = *state;

    ct_fails(WSAEINVAL, listen_on(ct_socket(f), 5));
}

static void every_backlog_is_clamped_silently(void **state)
{
    static const int backlogs[] = {0, -1, 1, 5, WS_SOMAXCONN, (int)0x80000000};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof backlogs / sizeof backlogs[0]; i++) {
        struct sw_companion *c = ct_bound(f);
        ct_ok(listen_on(c, backlogs[i]));
        ct_ok(listen_on(c, 5)); /* again: a new backlog */
    }
}

static void a_wildcard_listener_serves_every_address_of_the_provider(void **state)
{
    struct fixture *f = *state;
    WSD_SOCKADDR_IN any = {.sin_family = WS_AF_INET};
    struct sw_listener *l = NULL;
    const char *const addresses[] = {ct.address, ct.other_address};

    ct_ok(sw_listen(f->peer, &any, 5, NULL, &l));
    f->listeners[f->listener_count++] = l;
    for (int i = 0; i < 2; i++) {
        WSD_SOCKADDR_IN to;
        struct sw_companion *a, *b;
        bool should_fall_back;
        ct_ok(sw_parse_address(addresses[i], &to));
        to.sin_port = l->local.sin_port;
        ct_ok(sw_connect_start(f->provider, &f->other, &to, NULL, &a, &should_fall_back));
        ct_adopt_companion(f, a);
        ct_ok(ct_accept(f, l, ct.wait_ms, &b));
        ct_finish_connect(a);
        assert_int_equal(b->local.sin_addr.s_addr, to.sin_addr.s_addr);
        assert_int_equal(b->local.sin_port, to.sin_port);
    }
}

static void a_port_can_be_listened_on_again_at_once(void **state)
{
    struct fixture *f = *state;
    WSD_SOCKADDR_IN at = ct_at(f->here, ct_port());

    for (int i = 0; i < 10; i++) {
        struct sw_listener *l = NULL;
        ct_ok(sw_listen(f->peer, &at, 5, NULL, &l));
        f->listeners[f->listener_count++] = l;
        struct sw_companion *a = ct_start_connect(f, l), *b;
        ct_ok(ct_accept(f, l, ct.wait_ms, &b));
        ct_finish_connect(a);
        ct_close_listener(f, l);
        ct_close(f, a);
        ct_close(f, b);
    }
}

/* ---- accept ---- */

static void the_accepting_side_learns_the_connectors_address_and_port(void **state)
{
    struct fixture *f = *state;
    struct sw_companion *a, *b;

    ct_connect(f, &a, &b);
    assert_int_equal(b->remote.sin_family, WS_AF_INET);
    assert_int_equal(b->remote.sin_addr.s_addr, a->local.sin_addr.s_addr);
    assert_int_equal(b->remote.sin_port, a->local.sin_port);
    assert_int_equal(b->local.sin_addr.s_addr, f->listener->local.sin_addr.s_addr);
    assert_int_equal(b->local.sin_port, f->listener->local.sin_port);
}

static SOCKET accept_raw(struct sw_listener *l, void *addr, INT *bytes, int *error)
{
    INT code = 0;
    SOCKET s = l->procs->lpWSPAccept(l->descriptor, addr, bytes, ct_accept_all, 0, &code);

    *error = s == INVALID_SOCKET ? code : 0;
    return s;
}

static void accepting_never_blocks(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 5);
    int error;

    assert_true(accept_raw(l, NULL, NULL, &error) == INVALID_SOCKET);
    ct_fails(WSAEWOULDBLOCK, error);
}

static void a_short_address_buffer_leaves_the_request_in_the_queue(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 5);
    struct sw_companion *a = ct_start_connect(f, l), *b;
    WSD_SOCKADDR_IN peer;
    int error;

    ct_ok(sw_event_wait(l->event, ct.wait_ms));
    for (INT room = -1; room < (INT)sizeof peer; room++) {
        INT bytes = room;
        assert_true(accept_raw(l, &peer, &bytes, &error) == INVALID_SOCKET);
        ct_fails(WSAEFAULT, error);
    }
    ct_ok(ct_accept(f, l, ct.wait_ms, &b));
    ct_finish_connect(a);
}

static void the_address_need_not_be_asked_for(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 5);
    struct sw_companion *a = ct_start_connect(f, l);
    INT code;
    int error;

    ct_ok(sw_event_wait(l->event, ct.wait_ms));
    SOCKET s = accept_raw(l, NULL, NULL, &error);
    ct_ok(error);
    ct_finish_connect(a);
    assert_int_equal(l->procs->lpWSPCloseSocket(s, &code), 0);
}

/* Wait until `wanted` of n connects were refused. Returns which of the others is the first. */
static int wait_refused(struct sw_companion **c, int n, int wanted)
{
    int error[8], refused = 0;
    uint64_t deadline = pal_now_ns() + (uint64_t)ct.wait_ms * 1000000u;

    for (int i = 0; i < n; i++)
        error[i] = WSAEWOULDBLOCK;
    while (refused < wanted && pal_now_ns() < deadline)
        for (int i = 0; i < n; i++) {
            bool should_fall_back = true;
            if (error[i] != WSAEWOULDBLOCK)
                continue;
            error[i] = sw_connect_finish(c[i], 1, &should_fall_back);
            if (error[i] == WSAEWOULDBLOCK)
                continue;
            ct_was_refused(error[i], should_fall_back);
            refused++;
        }
    assert_int_equal(refused, wanted);
    for (int i = 0; i < n; i++)
        if (error[i] == WSAEWOULDBLOCK)
            return i;
    return -1;
}

/* Who was kept has waited as long as who was overlooked, and its time is up as well. */
static void skip_when_overlooked(unsigned before)
{
    if (ct_refusals_overlooked != before)
        ct_skip("siw overlooked a refusal, and the time of the others was up with it");
}

static void a_full_backlog_refuses_at_once_and_keeps_the_others(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 1);
    struct sw_companion *c[3] = {NULL}, *b = NULL, *more;

    for (int i = 0; i < 3; i++)
        c[i] = ct_start_connect(f, l);
    const unsigned overlooked = ct_refusals_overlooked;
    int winner = wait_refused(c, 3, 2);
    skip_when_overlooked(overlooked);
    if (winner < 0)
        ct_fail("all three were refused");
    /* the refused ones gave no signal: one request, then nothing */
    ct_ok(ct_accept(f, l, ct.wait_ms, &b));
    ct_finish_connect(c[winner]);
    ct_fails(WSAETIMEDOUT, ct_accept(f, l, 0, &more));
    /* and the queue has room again */
    struct sw_companion *late = ct_start_connect(f, l);
    ct_ok(ct_accept(f, l, ct.wait_ms, &more));
    ct_finish_connect(late);
}

static void a_smaller_backlog_drops_the_surplus(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 8);
    struct sw_companion *c[4], *b;
    INT error = 0;

    for (int i = 0; i < 4; i++)
        c[i] = ct_start_connect(f, l);
    ct_ok(sw_event_wait(l->event, ct.wait_ms));
    assert_int_equal(l->procs->lpWSPListen(l->descriptor, 1, &error), 0);
    const unsigned overlooked = ct_refusals_overlooked;
    int winner = wait_refused(c, 4, 3); /* whether they were queued already or come now */
    skip_when_overlooked(overlooked);
    ct_ok(ct_accept(f, l, ct.wait_ms, &b));
    ct_finish_connect(c[winner]);
}

static void requests_are_accepted_in_the_order_in_which_they_came(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 32);
    struct sw_companion *c[10], *b;

    ct_needs_loop(); /* elsewhere the wire may swap two requests */
    for (int i = 0; i < 10; i++)
        c[i] = ct_start_connect(f, l);
    for (int i = 0; i < 10; i++) {
        ct_ok(ct_accept(f, l, ct.wait_ms, &b));
        assert_int_equal(b->remote.sin_port, c[i]->local.sin_port);
        ct_finish_connect(c[i]);
    }
}

static void a_withdrawn_request_leaves_the_queue(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 5);
    struct sw_companion *a = ct_start_connect(f, l), *b;
    int error = 0;

    ct_ok(sw_event_wait(l->event, ct.wait_ms));
    ct_close(f, a);
    bool is_gone = ct_until((accept_raw(l, NULL, NULL, &error) == INVALID_SOCKET) && error == WSAEWOULDBLOCK);
    assert_true(is_gone);
    a = ct_start_connect(f, l);
    ct_ok(ct_accept(f, l, ct.wait_ms, &b));
    ct_finish_connect(a);
}

/* Q33 */
static void closing_a_listener_refuses_what_is_queued(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 3);
    struct sw_companion *c[4];

    for (int i = 0; i < 4; i++)
        c[i] = ct_start_connect(f, l);
    int queued[3], n = 0, error[4];
    uint64_t deadline = pal_now_ns() + (uint64_t)ct.wait_ms * 1000000u;
    int refused = -1;
    while (refused < 0 && pal_now_ns() < deadline) /* one is refused: the other three are in the queue */
        for (int i = 0; i < 4 && refused < 0; i++) {
            error[i] = sw_connect_finish(c[i], 1, NULL);
            refused = error[i] == WSAEWOULDBLOCK ? -1 : i;
        }
    assert_true(refused >= 0);
    for (int i = 0; i < 4; i++)
        if (i != refused)
            queued[n++] = i;
    ct_close_listener(f, l);
    for (int i = 0; i < 3; i++) {
        bool should_fall_back = true;
        int result = sw_connect_finish(c[queued[i]], ct.wait_ms, &should_fall_back);
        ct_was_refused(result, should_fall_back);
    }
}

static void many_connections_between_the_same_two_hosts_and_port(void **state)
{
    struct fixture *f = *state;
    unsigned count = ct.is_loop ? 200 : 40;
    static struct sw_companion *a[200], *b[200];

    for (unsigned i = 0; i < count; i++)
        ct_connect(f, &a[i], &b[i]);
    for (unsigned i = 0; i < count; i++) /* each accepted socket belongs to its own connector */
        assert_int_equal(b[i]->remote.sin_port, a[i]->local.sin_port);
}

static void an_accept_that_gets_no_handle_refuses_the_peer(void **state)
{
    struct fixture *f = *state;
    WSD_SOCKADDR_IN here = ct_at(f->here, ct_port()), other = ct_at(f->other, ct_port());
    WSAEVENT e = ct_event(f, true), ec = ct_event(f, true);
    WSANETWORKEVENTS events = {0};
    struct mini m;
    INT error = 0;
    int code;

    mini_open(&m);
    ct_ok(mini_start(&m));
    const WSPPROC_TABLE *there = mini_peer(&m);
    SOCKET l = mini_socket(there, &code), c = mini_socket(&m.procs, &code);
    assert_int_equal(there->lpWSPBind(l, (WSD_SOCKADDR *)&here, sizeof here, &error), 0);
    assert_int_equal(there->lpWSPListen(l, 5, &error), 0);
    assert_int_equal(there->lpWSPEventSelect(l, e, FD_ACCEPT, &error), 0);
    assert_int_equal(m.procs.lpWSPBind(c, (WSD_SOCKADDR *)&other, sizeof other, &error), 0);
    assert_int_equal(m.procs.lpWSPEventSelect(c, ec, FD_CONNECT, &error), 0);
    m.procs.lpWSPConnect(c, (WSD_SOCKADDR *)&here, sizeof here, NULL, NULL, NULL, NULL, &error);
    ct_fails(WSAEWOULDBLOCK, error);
    ct_ok(sw_event_wait(e, ct.wait_ms));
    mini_refuse_handles(true);
    assert_true(there->lpWSPAccept(l, NULL, NULL, ct_accept_all, 0, &error) == INVALID_SOCKET);
    ct_one_of(error, WSAENOBUFS, WSAEMFILE);
    mini_refuse_handles(false);
    ct_ok(sw_event_wait(ec, ct.wait_ms));
    assert_int_equal(m.procs.lpWSPEnumNetworkEvents(c, ec, &events, &error), 0);
    assert_true(events.iErrorCode[FD_CONNECT_BIT] != 0);
    assert_int_equal(m.procs.lpWSPCloseSocket(c, &error), 0);
    assert_int_equal(there->lpWSPCloseSocket(l, &error), 0);
    assert_int_equal(mini_open_handles(), 0);
    ct_ok(mini_cleanup(&m));
    mini_close(&m);
}

static void ipv6_sockets_connect_and_report_ipv6_addresses(void **state)
{
    struct fixture *f = *state;
    WSAPROTOCOL_INFOW info = *sw_protocol_info(f->provider);
    WSD_SOCKADDR_IN6 here = {.sin6_family = WS_AF_INET6, .sin6_port = htons(ct_port())}, other = here,
                     peer = {0};
    WSAEVENT e = ct_event(f, true), ec = ct_event(f, true);
    WSANETWORKEVENTS events = {0};
    SOCKET s[3];
    INT error = 0, bytes = sizeof peer;

    ct_needs_loop();
    inet_pton(AF_INET6, "fd77::1", here.sin6_addr.u.Byte);
    inet_pton(AF_INET6, "fd77::2", other.sin6_addr.u.Byte);
    other.sin6_port = htons(ct_port());
    for (int i = 0; i < 2; i++) {
        s[i] = f->procs->lpWSPSocket(WS_AF_INET6, WS_SOCK_STREAM, WS_IPPROTO_TCP, &info, 0,
                                     WSA_FLAG_OVERLAPPED, &error);
        assert_true(s[i] != INVALID_SOCKET);
    }
    assert_int_equal(f->procs->lpWSPBind(s[0], (WSD_SOCKADDR *)&here, 16, &error), SOCKET_ERROR);
    ct_fails(WSAEFAULT, error); /* an IPv6 name is longer */
    ct_ok(f->procs->lpWSPBind(s[0], (WSD_SOCKADDR *)&here, sizeof here, &error) == 0 ? 0 : error);
    ct_ok(f->procs->lpWSPListen(s[0], 5, &error) == 0 ? 0 : error);
    ct_ok(f->procs->lpWSPEventSelect(s[0], e, FD_ACCEPT, &error) == 0 ? 0 : error);
    ct_ok(f->procs->lpWSPBind(s[1], (WSD_SOCKADDR *)&other, sizeof other, &error) == 0 ? 0 : error);
    ct_ok(f->procs->lpWSPEventSelect(s[1], ec, FD_CONNECT, &error) == 0 ? 0 : error);
    f->procs->lpWSPConnect(s[1], (WSD_SOCKADDR *)&here, sizeof here, NULL, NULL, NULL, NULL, &error);
    ct_fails(WSAEWOULDBLOCK, error);
    ct_ok(sw_event_wait(e, ct.wait_ms));
    s[2] = f->procs->lpWSPAccept(s[0], (WSD_SOCKADDR *)&peer, &bytes, ct_accept_all, 0, &error);
    assert_true(s[2] != INVALID_SOCKET);
    assert_int_equal(bytes, sizeof peer);
    assert_int_equal(peer.sin6_family, WS_AF_INET6);
    assert_int_equal(peer.sin6_port, other.sin6_port);
    assert_memory_equal(&peer.sin6_addr, &other.sin6_addr, 16);
    ct_ok(sw_event_wait(ec, ct.wait_ms));
    assert_int_equal(f->procs->lpWSPEnumNetworkEvents(s[1], ec, &events, &error), 0);
    ct_ok(events.iErrorCode[FD_CONNECT_BIT]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(f->procs->lpWSPCloseSocket(s[i], &error), 0);
}

static const struct CMUnitTest bind_listen_accept_tests[] = {
    ct_test(foreign_addresses_cannot_be_bound),
    ct_test(bad_names_cannot_be_bound),
    ct_test(a_socket_is_bound_once),
    ct_test(many_sockets_share_an_address_and_port),
    ct_test(w15_connecting_from_the_wildcard_address_works),
    ct_test(listening_needs_a_bound_socket),
    ct_test(every_backlog_is_clamped_silently),
    ct_test(a_wildcard_listener_serves_every_address_of_the_provider),
    ct_test(a_port_can_be_listened_on_again_at_once),
    ct_test(the_accepting_side_learns_the_connectors_address_and_port),
    ct_test(accepting_never_blocks),
    ct_test(a_short_address_buffer_leaves_the_request_in_the_queue),
    ct_test(the_address_need_not_be_asked_for),
    ct_test(a_full_backlog_refuses_at_once_and_keeps_the_others),
    ct_test(a_smaller_backlog_drops_the_surplus),
    ct_test(requests_are_accepted_in_the_order_in_which_they_came),
    ct_test(a_withdrawn_request_leaves_the_queue),
    ct_test(closing_a_listener_refuses_what_is_queued),
    ct_test(many_connections_between_the_same_two_hosts_and_port),
    ct_test_bare(an_accept_that_gets_no_handle_refuses_the_peer),
    ct_test(ipv6_sockets_connect_and_report_ipv6_addresses),
};
CT_GROUP(bind_listen_accept);
