/* conf_conn.c - connections: listening, connecting, refusing, private data, ending, and that nothing is left
 * behind. */
#include "conf.h"

#include "pal/socket.h"

#include <dirent.h> /* counting open descriptors; skipped where the system has no /proc */

/* ---- listening ---- */

static void listening_with_port_zero_gets_a_port_of_its_own(void **state)
{
    (void)state;
    struct vb_listener *one = NULL, *two = NULL;
    struct vb_addr a1, a2;
    assert_ok(vb_listen(g.cm, &g.addr, 4, NULL, &one));
    assert_ok(vb_listen(g.cm, &g.addr, 4, NULL, &two));
    vb_listener_addr(one, &a1);
    vb_listener_addr(two, &a2);
    assert_true(vb_addr_same_ip(&a1, &g.addr));
    assert_true(a1.port != 0 && a2.port != 0 && a1.port != a2.port);
    vb_listener_destroy(one);
    vb_listener_destroy(two);
}

/* vb.h: an application owns the port of its listener in TCP, so one that is taken there already is never wanted. */
static void a_port_that_the_backend_chose_cannot_be_had_in_tcp(void **state)
{
    (void)state;
    struct vb_listener *l = NULL;
    struct vb_addr at;
    pal_socket s = PAL_SOCKET_NONE;
#ifdef WSD_TEST_LOOP
    print_message("           the loop backend's ports are its own, beyond those of TCP\n");
    skip();
#endif
    assert_ok(vb_listen(g.cm, &g.addr, 4, NULL, &l));
    vb_listener_addr(l, &at);
    struct pal_addr tcp = {.family = at.family == VB_AF_IPV6 ? 6 : 4, .port = at.port, .scope = at.scope};
    memcpy(tcp.ip, at.ip, sizeof tcp.ip);
    assert_int_equal(pal_socket_reserve(&tcp, &s), PAL_NET_INUSE);
    vb_listener_destroy(l);
    assert_int_equal(pal_socket_reserve(&tcp, &s), PAL_NET_OK);
    pal_socket_close(s);
}

static void listening_twice_on_a_port_is_refused_until_the_first_is_gone(void **state)
{
    (void)state;
    struct vb_listener *one = NULL, *two = NULL;
    struct vb_addr at;
    assert_ok(vb_listen(g.cm, &g.addr, 4, NULL, &one));
    vb_listener_addr(one, &at);
    assert_int_equal(vb_listen(g.cm, &at, 4, NULL, &two), VB_E_ADDRINUSE);
    assert_null(two);
    vb_listener_destroy(one);
    assert_ok(vb_listen(g.cm, &at, 4, NULL, &two));
    vb_listener_destroy(two);
}

static void listening_or_connecting_from_a_foreign_address_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.1", "127.0.0.1", "::1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct vb_listener *l = NULL;
        struct vb_conn *conn = NULL;
        struct vb_addr a;
        assert_true(vb_addr_parse(texts[i], &a));
        if (i > 0 && g.serves_loopback)
            continue;
        assert_int_equal(vb_listen(g.cm, &a, 4, NULL, &l), VB_E_ADDRNOTAVAIL);
        assert_int_equal(vb_conn_create(g.cm, &a, NULL, &conn), VB_E_ADDRNOTAVAIL);
        assert_true(l == NULL && conn == NULL);
    }
}

static void a_listener_on_any_address_gets_requests_with_the_real_one(void **state)
{
    struct conf_pair *p = *state;
    struct vb_addr local, remote;
    p->listen_on.family = g.addr.family;
    conf_pair_open(p);
    vb_conn_addrs(p->b.conn, &local, &remote);
    assert_true(vb_addr_same_ip(&local, &g.addr));
    assert_int_equal(local.port, p->at.port);
    assert_true(vb_addr_same_ip(&remote, &g.addr));
    assert_true(vb_dev_owns(g.dev, &local));
    assert_ok(conf_recv(&p->b, 1, 0, 8));
    assert_ok(conf_send(&p->a, 2, 0, 8, VB_WR_SIGNALED));
    conf_expect(&p->b, CONF_RECV, 1, VB_OK);
    conf_expect(&p->a, CONF_SEND, 2, VB_OK);
}

/* ---- connecting ---- */

/* A connection of the pair's a-end to the listener, up to "connect". */
static void start_connect(struct conf_pair *p, const void *data, uint16_t bytes)
{
    const struct vb_qp_caps want = {.send_wr = 16, .recv_wr = 16, .send_sge = 1, .recv_sge = 1};
    struct vb_conn_params params = conf_params(1, 1, data, bytes);
    struct vb_addr to = g.addr;
    to.port = p->at.port;
    conf_end_open(&p->a, &want, 4096, NULL);
    assert_ok(vb_conn_create(g.cm, &g.addr, &p->a, &p->a.conn));
    assert_ok(vb_conn_bind_qp(p->a.conn, p->a.qp));
    assert_ok(vb_conn_connect(p->a.conn, &to, &params));
}

static void take_request(struct conf_pair *p)
{
    const struct vb_qp_caps want = {.send_wr = 16, .recv_wr = 16, .send_sge = 1, .recv_sge = 1};
    conf_await(NULL, VB_CM_REQUEST, &p->request);
    p->b.conn = p->request.conn;
    vb_conn_set_context(p->b.conn, &p->b);
    conf_end_open(&p->b, &want, 4096, NULL);
    assert_ok(vb_conn_bind_qp(p->b.conn, p->b.qp));
}

/* What is told of an attempt: one line of plain characters that fits, and names the peer; nothing while there is nothing. */
static void check_told(const struct vb_conn *conn, bool has_failed)
{
    char text[VB_TEXT_BYTES], peer[VB_ADDR_TEXT_BYTES];
    struct vb_addr remote;
    const size_t n = vb_conn_text(conn, text, sizeof text);
    assert_int_equal(n, strlen(text));
    for (size_t i = 0; i < n; i++)
        assert_true(text[i] >= 0x20 && text[i] < 0x7f);
    if (!has_failed) {
        assert_int_equal(n, 0);
        return;
    }
#ifndef WSD_TEST_LOOP /* lacks the operation */
    vb_conn_addrs(conn, NULL, &remote);
    if (!strstr(text, vb_addr_text(&remote, peer)))
        fail_msg("\"%s\" does not name %s", text, peer);
    print_message("           %s\n", text);
#else
    (void)remote;
    (void)peer;
    assert_int_equal(n, 0);
#endif
}

static void connecting_where_nobody_listens_is_refused_as_no_service(void **state)
{
    struct conf_pair *p = *state;
    struct vb_cm_event ev;
    conf_listen(p); /* a port that was free a moment ago */
    vb_listener_destroy(p->listener);
    p->listener = NULL;
    start_connect(p, NULL, 0);
    conf_await(p->a.conn, VB_CM_REJECTED, &ev);
    assert_int_equal(ev.status, VB_E_NOSERVICE);
    for (unsigned i = 0; i < ev.data_bytes; i++)
        assert_int_equal(ev.data[i], 0); /* nobody wrote any */
    assert_ptr_equal(ev.context, &p->a);
    check_told(p->a.conn, true);
    conf_no_event(p->a.conn);
}

static void connecting_to_an_address_without_a_host_fails_as_unreachable(void **state)
{
    struct conf_pair *p = *state;
    const struct vb_qp_caps want = {.send_wr = 4, .recv_wr = 4, .send_sge = 1, .recv_sge = 1};
    struct vb_conn_params params = conf_params(1, 1, NULL, 0);
    struct vb_addr to;
    struct vb_cm_event ev;
    if (g.addr.family != VB_AF_IPV4) {
        conf_skip("the test knows no unused address of this family");
        return;
    }
    if (g.addr.ip[0] == 127) {
        conf_skip("all of 127.0.0.0/8 is this host");
        return;
    }
    if (g.is_kernel_iwarp) {
        conf_skip("siw connects TCP while vb_cm_poll() waits, for two minutes when nobody answers");
        return;
    }
    to = g.addr;
    to.ip[3] ^= 0x7c; /* same network */
    to.port = 4711;
    params.timeout_ms = 1000;
    conf_end_open(&p->a, &want, 4096, NULL);
    assert_ok(vb_conn_create(g.cm, &g.addr, &p->a, &p->a.conn));
    assert_ok(vb_conn_bind_qp(p->a.conn, p->a.qp));
    vb_status_t st = vb_conn_connect(p->a.conn, &to, &params);
    if (st == VB_OK) {
        /* A dummy interface answers no ARP and needs none, so the request may get as far as the CM, which
         * tries for minutes. */
        if (!conf_next(p->a.conn, &ev, 5000)) {
            conf_skip("the interface resolves any address; the connection manager is still trying");
            return;
        }
        assert_int_equal(ev.kind, VB_CM_FAILED);
        st = ev.status;
    }
    print_message("           no host: %s\n", vb_status_name(st));
    assert_true(st == VB_E_UNREACH || st == VB_E_TIMEOUT);
    check_told(p->a.conn, true);
}

static void addresses_and_contexts_are_those_of_the_connection(void **state)
{
    struct conf_pair *p = *state;
    struct vb_addr la, ra, lb, rb;
    vb_conn_addrs(p->a.conn, &la, &ra);
    vb_conn_addrs(p->b.conn, &lb, &rb);
    assert_true(vb_addr_same_ip(&la, &g.addr) && vb_addr_same_ip(&ra, &g.addr));
    assert_true(vb_addr_same_ip(&lb, &g.addr) && vb_addr_same_ip(&rb, &g.addr));
    assert_int_equal(ra.port, p->at.port);
    assert_int_equal(lb.port, p->at.port);
    assert_int_equal(la.port, rb.port);
}

static void private_data_travels_both_ways_up_to_the_limit(void **state)
{
    struct conf_pair *p = *state;
    uint8_t there[VB_PRIVATE_DATA_MAX], back[VB_PRIVATE_DATA_MAX];
    const uint16_t sizes[] = {0, 1, 55, 56, 0xffff};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const uint16_t n = sizes[i] < g.caps.max_request_data ? sizes[i] : g.caps.max_request_data;
        const uint16_t m = sizes[i] < g.caps.max_reply_data ? sizes[i] : g.caps.max_reply_data;
        conf_fill(there, sizeof there, 1);
        conf_fill(back, sizeof back, 2);
        if (i > 0)
            conf_pair_close(p);
        p->data_a = there;
        p->data_a_bytes = n;
        p->data_b = back;
        p->data_b_bytes = m;
        conf_pair_open(p);
        assert_true(p->request.data_bytes >= n);
        assert_memory_equal(p->request.data, there, n);
        for (unsigned j = n; j < p->request.data_bytes; j++)
            assert_int_equal(p->request.data[j], 0);
        assert_true(p->a.established.data_bytes >= m);
        assert_memory_equal(p->a.established.data, back, m);
        for (unsigned j = m; j < p->a.established.data_bytes; j++)
            assert_int_equal(p->a.established.data[j], 0);
        assert_int_equal(p->b.established.data_bytes, 0);
        if (n == g.caps.max_request_data)
            print_message("           sent %u and %u bytes, %u and %u arrived\n", n, m, p->request.data_bytes,
                          p->a.established.data_bytes);
    }
}

static void private_data_beyond_the_limit_is_refused(void **state)
{
    struct conf_pair *p = *state;
    static const uint8_t data[VB_PRIVATE_DATA_MAX];
    const struct vb_qp_caps want = {.send_wr = 16, .recv_wr = 16, .send_sge = 1, .recv_sge = 1};
    struct vb_addr to = g.addr;
    struct vb_conn_params params = conf_params(1, 1, data, (uint16_t)(g.caps.max_request_data + 1));
    conf_listen(p);
    to.port = p->at.port;
    conf_end_open(&p->a, &want, 4096, NULL);
    assert_ok(vb_conn_create(g.cm, &g.addr, &p->a, &p->a.conn));
    assert_ok(vb_conn_bind_qp(p->a.conn, p->a.qp));
    assert_int_equal(vb_conn_connect(p->a.conn, &to, &params), VB_E_INVAL);
    params.data_bytes = 0;
    assert_ok(vb_conn_connect(p->a.conn, &to, &params));
    take_request(p);
    params.data_bytes = (uint16_t)(g.caps.max_reply_data + 1);
    assert_int_equal(vb_conn_accept(p->b.conn, &params), VB_E_INVAL);
    assert_int_equal(vb_conn_reject(p->b.conn, data, (uint16_t)(g.caps.max_reject_data + 1)), VB_E_INVAL);
    params.data_bytes = 0;
    assert_ok(vb_conn_accept(p->b.conn, &params));
    conf_await(p->a.conn, VB_CM_ESTABLISHED, NULL);
    conf_await(p->b.conn, VB_CM_ESTABLISHED, NULL);
}

static void read_depths_are_lowered_to_what_both_ends_want(void **state)
{
    struct conf_pair *p = *state;
    p->read_in_a = 3;
    p->read_out_a = 5;
    p->read_in_b = 2;
    p->read_out_b = 7;
    conf_pair_open(p);
    print_message("           a wants 3/5, b 2/7: request %u/%u, a %u/%u, b %u/%u\n", p->request.read_in,
                  p->request.read_out, p->a.established.read_in, p->a.established.read_out,
                  p->b.established.read_in, p->b.established.read_out);
    assert_true(p->a.established.read_out >= 1 && p->a.established.read_out <= 5);
    assert_true(p->a.established.read_in <= 3 && p->a.established.read_in >= p->b.established.read_out);
    assert_true(p->b.established.read_in <= 5 && p->b.established.read_out <= 3);
    if (!g.is_kernel_iwarp) { /* siw raises what the accepting side takes to what the connecting one wants */
        assert_true(p->a.established.read_out <= 2);
        assert_true(p->b.established.read_in >= p->a.established.read_out);
    }
    for (unsigned i = 0; i < 20 && (g.caps.flags & VB_CAP_RDMA_READ); i++) {
        assert_ok(conf_rdma(&p->a, VB_WR_READ, i, i * 64, 64, (uintptr_t)p->b.mem, vb_mr_rkey(p->b.mr),
                            VB_WR_SIGNALED));
        assert_ok(conf_rdma(&p->b, VB_WR_READ, i, i * 64, 64, (uintptr_t)p->a.mem, vb_mr_rkey(p->a.mr),
                            VB_WR_SIGNALED));
    }
    for (unsigned i = 0; i < 20 && (g.caps.flags & VB_CAP_RDMA_READ); i++) {
        conf_expect(&p->a, CONF_SEND, i, VB_OK);
        conf_expect(&p->b, CONF_SEND, i, VB_OK);
    }
}

static void a_rejection_carries_private_data_and_is_told_from_no_service(void **state)
{
    struct conf_pair *p = *state;
    uint8_t data[VB_PRIVATE_DATA_MAX];
    struct vb_cm_event ev;
    conf_fill(data, sizeof data, 9);
    conf_listen(p);
    start_connect(p, NULL, 0);
    conf_await(NULL, VB_CM_REQUEST, &p->request);
    assert_ok(vb_conn_reject(p->request.conn, data, g.caps.max_reject_data));
    vb_conn_destroy(p->request.conn);
    conf_await(p->a.conn, VB_CM_REJECTED, &ev);
    assert_int_equal(ev.status, VB_E_REJECTED);
    assert_true(ev.data_bytes >= g.caps.max_reject_data);
    assert_memory_equal(ev.data, data, g.caps.max_reject_data);
    check_told(p->a.conn, true);
    conf_no_event(p->a.conn);
}

static void a_connection_that_stands_has_no_failure_to_tell(void **state)
{
    struct conf_pair *p = *state;
    char text[VB_TEXT_BYTES];
    check_told(p->a.conn, false);
    check_told(p->b.conn, false);
    assert_int_equal(vb_listener_text(p->listener, text, sizeof text), 0);
}

static void a_request_that_is_destroyed_unanswered_is_rejected(void **state)
{
    struct conf_pair *p = *state;
    struct vb_cm_event ev;
    conf_listen(p);
    start_connect(p, NULL, 0);
    conf_await(NULL, VB_CM_REQUEST, &p->request);
    vb_conn_destroy(p->request.conn);
    conf_await(p->a.conn, VB_CM_REJECTED, &ev);
    assert_int_equal(ev.status, VB_E_REJECTED);
}

struct late_answer {
    struct vb_conn *conn;
    uint32_t after_ms;
};

static void reject_later(void *arg)
{
    struct late_answer *late = arg;
    pal_sleep_ms(late->after_ms);
    (void)vb_conn_reject(late->conn, NULL, 0);
}

static void accepting_a_withdrawn_request_fails_or_ends_soon(void **state)
{
    struct conf_pair *p = *state;
    struct vb_conn_params params = conf_params(1, 1, NULL, 0);
    struct vb_cm_event ev;
    conf_listen(p);
    start_connect(p, NULL, 0);
    take_request(p);
    if (g.is_kernel_iwarp) {
        /* the kernel keeps us in the destroy until the request is answered: so it is, by another thread */
        struct late_answer late = {.conn = p->b.conn, .after_ms = 300};
        struct pal_thread *t = pal_thread_start(reject_later, &late, "late-answer");
        const uint64_t from = pal_now_ns();
        vb_conn_destroy(p->a.conn);
        p->a.conn = NULL;
        print_message(
            "           destroying the waiting connection took %llu ms of the 300 until the answer\n",
            (unsigned long long)((pal_now_ns() - from) / 1000000));
        pal_thread_join(t);
        return;
    }
    vb_conn_destroy(p->a.conn);
    p->a.conn = NULL;
    if (conf_next(p->b.conn, &ev, 500)) {
        assert_int_equal(ev.kind, VB_CM_WITHDRAWN);
        return;
    }
    vb_status_t st = vb_conn_accept(p->b.conn, &params);
    print_message("           accepting a withdrawn request: %s\n", vb_status_name(st));
    if (st != VB_OK)
        return;
    assert_true(conf_next(p->b.conn, &ev, CONF_DEADLINE_MS));
    assert_true(ev.kind == VB_CM_FAILED || ev.kind == VB_CM_DISCONNECTED || ev.kind == VB_CM_WITHDRAWN);
}

static void a_request_outlives_the_listener_it_came_to(void **state)
{
    struct conf_pair *p = *state;
    struct vb_conn_params params = conf_params(1, 1, NULL, 0);
    conf_listen(p);
    start_connect(p, NULL, 0);
    take_request(p);
    vb_listener_destroy(p->listener);
    p->listener = NULL;
    assert_ok(vb_conn_accept(p->b.conn, &params));
    conf_await(p->a.conn, VB_CM_ESTABLISHED, NULL);
    conf_await(p->b.conn, VB_CM_ESTABLISHED, NULL);
}

static void receives_may_be_posted_before_connecting_and_are_kept(void **state)
{
    struct conf_pair *p = *state;
    struct vb_conn_params params = conf_params(1, 1, NULL, 0);
    conf_listen(p);
    start_connect(p, NULL, 0);
    assert_ok(conf_recv(&p->a, 1, 0, 64));
    take_request(p);
    assert_ok(conf_recv(&p->b, 2, 0, 64));
    assert_ok(vb_conn_accept(p->b.conn, &params));
    conf_await(p->a.conn, VB_CM_ESTABLISHED, NULL);
    assert_ok(conf_send(&p->a, 3, 0, 64, VB_WR_SIGNALED)); /* before the other side is confirmed */
    conf_expect(&p->b, CONF_RECV, 2, VB_OK);
    conf_await(p->b.conn, VB_CM_ESTABLISHED, NULL);
    assert_ok(conf_send(&p->b, 4, 0, 64, VB_WR_SIGNALED));
    conf_expect(&p->a, CONF_RECV, 1, VB_OK);
    conf_expect(&p->a, CONF_SEND, 3, VB_OK);
    conf_expect(&p->b, CONF_SEND, 4, VB_OK);
}

static void the_accepting_side_may_send_at_once(void **state)
{
    struct conf_pair *p = *state;
    struct vb_conn_params params = conf_params(1, 1, NULL, 0);
    if (g.is_kernel_iwarp) {
        conf_skip(
            "MPA leaves the first message to the connecting side (RFC 5044, 7.1.3); siw insists at times");
        return;
    }
    conf_listen(p);
    for (unsigned i = 0; i < 8; i++) {
        const uint64_t from = pal_now_ns();
        start_connect(p, NULL, 0);
        assert_ok(conf_recv(&p->a, 1, 0, 64));
        take_request(p);
        assert_ok(vb_conn_accept(p->b.conn, &params));
        assert_ok(conf_send(&p->b, 4, 0, 64, VB_WR_SIGNALED));
        conf_await(p->a.conn, VB_CM_ESTABLISHED, NULL);
        conf_expect(&p->a, CONF_RECV, 1, VB_OK);
        conf_expect(&p->b, CONF_SEND, 4, VB_OK);
        conf_await(p->b.conn, VB_CM_ESTABLISHED, NULL);
        print_message("           connected and first message after %llu ms\n",
                      (unsigned long long)((pal_now_ns() - from) / 1000000));
        conf_end_close(&p->a);
        conf_end_close(&p->b);
    }
}

static void calls_in_the_wrong_state_are_refused(void **state)
{
    struct conf_pair *p = *state;
    struct vb_conn_params params = conf_params(1, 1, NULL, 0);
    struct vb_addr to = g.addr;
    to.port = p->at.port;
    assert_int_equal(vb_conn_connect(p->a.conn, &to, &params), VB_E_STATE);
    assert_int_equal(vb_conn_accept(p->b.conn, &params), VB_E_STATE);
    assert_int_equal(vb_conn_accept(p->a.conn, &params), VB_E_STATE);
    assert_int_equal(vb_conn_reject(p->b.conn, NULL, 0), VB_E_STATE);
    assert_int_equal(vb_conn_bind_qp(p->a.conn, p->a.qp), VB_E_STATE);
}

/* ---- ending ---- */

static void disconnect_is_reported_once_at_both_ends(void **state)
{
    struct conf_pair *p = *state;
    for (unsigned who = 0; who < 3; who++) {
        if (who > 0) {
            conf_pair_close(p);
            conf_pair_open(p);
        }
        if (who != 1)
            vb_conn_disconnect(p->a.conn);
        if (who != 0)
            vb_conn_disconnect(p->b.conn);
        const uint64_t from = pal_now_ns();
        conf_await(p->a.conn, VB_CM_DISCONNECTED, NULL);
        conf_await(p->b.conn, VB_CM_DISCONNECTED, NULL);
        print_message("           both told after %llu ms\n",
                      (unsigned long long)((pal_now_ns() - from) / 1000000));
        vb_conn_disconnect(p->a.conn);
        vb_conn_disconnect(p->b.conn);
        conf_no_event(p->a.conn);
        conf_no_event(p->b.conn);
    }
}

static void what_was_sent_before_the_disconnect_arrives(void **state)
{
    struct conf_pair *p = *state;
    for (unsigned i = 0; i < 32; i++) {
        conf_fill(p->a.mem + i * 1024, 1024, i);
        assert_ok(conf_recv(&p->b, i, i * 1024, 1024));
        assert_ok(conf_send(&p->a, i, i * 1024, 1024, VB_WR_SIGNALED));
    }
    for (unsigned i = 0; i < 32; i++)
        conf_expect(&p->a, CONF_SEND, i, VB_OK);
    vb_conn_disconnect(p->a.conn);
    conf_await(p->b.conn, VB_CM_DISCONNECTED, NULL);
    for (unsigned i = 0; i < 32; i++) {
        assert_int_equal(conf_expect(&p->b, CONF_RECV, i, VB_OK).bytes, 1024);
        conf_check(p->b.mem + i * 1024, 1024, i);
    }
    conf_await(p->a.conn, VB_CM_DISCONNECTED, NULL);
}

static void a_disconnect_flushes_the_requests_of_both_ends(void **state)
{
    struct conf_pair *p = *state;
    for (unsigned i = 0; i < 4; i++) {
        assert_ok(conf_recv(&p->a, i, 0, 64));
        assert_ok(conf_recv(&p->b, i, 0, 64));
    }
    vb_conn_disconnect(p->a.conn);
    for (unsigned i = 0; i < 4; i++)
        conf_expect(&p->a, CONF_RECV, i, VB_E_FLUSHED);
    conf_await(p->a.conn, VB_CM_DISCONNECTED, NULL);
    conf_await(p->b.conn, VB_CM_DISCONNECTED, NULL);
    vb_qp_stop(p->b.qp);
    for (unsigned i = 0; i < 4; i++)
        conf_expect(&p->b, CONF_RECV, i, VB_E_FLUSHED);
    /* and whatever is posted afterwards comes back as well */
    vb_status_t st = conf_recv(&p->b, 10, 0, 64);
    vb_qp_stop(p->b.qp);
    if (st == VB_OK)
        conf_expect(&p->b, CONF_RECV, 10, VB_E_FLUSHED);
}

static void receives_posted_while_the_peer_leaves_come_back(void **state)
{
    struct conf_pair *p = *state;
    for (unsigned round = 0; round < 5; round++) {
        unsigned posted = 0;
        struct vb_cm_event ev;
        if (round > 0) {
            conf_pair_close(p);
            conf_pair_open(p);
        }
        vb_conn_disconnect(p->a.conn);
        while (posted < 60 && conf_recv(&p->b, posted, 0, 64) == VB_OK) {
            posted++;
            if (posted % 20 == 0)
                (void)conf_next(p->b.conn, &ev, 1);
        }
        vb_qp_stop(p->b.qp);
        for (unsigned i = 0; i < posted; i++)
            conf_expect(&p->b, CONF_RECV, i, VB_E_FLUSHED);
    }
}

static void destroying_a_connection_tells_the_peer(void **state)
{
    struct conf_pair *p = *state;
    assert_ok(conf_recv(&p->b, 1, 0, 64));
    vb_conn_destroy(p->a.conn);
    p->a.conn = NULL;
    conf_await(p->b.conn, VB_CM_DISCONNECTED, NULL);
    vb_qp_stop(p->b.qp);
    conf_expect(&p->b, CONF_RECV, 1, VB_E_FLUSHED);
}

static void the_qp_may_be_destroyed_before_its_connection(void **state)
{
    struct conf_pair *p = *state;
    conf_drain(&p->a);
    vb_qp_destroy(p->a.qp);
    p->a.qp = NULL;
    vb_conn_disconnect(p->a.conn);
    conf_await(p->b.conn, VB_CM_DISCONNECTED, NULL);
}

static void a_connection_accepted_and_dropped_at_once_ends_at_both_ends(void **state)
{
    struct conf_pair *p = *state;
    struct vb_conn_params params = conf_params(1, 1, NULL, 0);
    struct vb_cm_event ev;
    conf_listen(p);
    start_connect(p, NULL, 0);
    take_request(p);
    assert_ok(vb_conn_accept(p->b.conn, &params));
    vb_conn_disconnect(p->b.conn);
    unsigned ended = 0;
    for (unsigned i = 0; i < 4 && ended < 2; i++) { /* each end: perhaps ESTABLISHED, then its end */
        struct vb_conn *conn = i % 2 ? p->b.conn : p->a.conn;
        if (!conf_next(conn, &ev, CONF_DEADLINE_MS))
            fail_msg("no event");
        if (ev.kind == VB_CM_ESTABLISHED && !conf_next(conn, &ev, CONF_DEADLINE_MS))
            fail_msg("established, but no end");
        assert_true(ev.kind == VB_CM_DISCONNECTED || ev.kind == VB_CM_FAILED || ev.kind == VB_CM_REJECTED);
        ended++;
    }
    assert_int_equal(ended, 2);
}

/* ---- many ---- */

static int open_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return -1;
    while (readdir(dir))
        count++;
    (void)closedir(dir);
    return count;
}

static void two_hundred_connections_in_turn_leave_nothing_behind(void **state)
{
    struct conf_pair *p = *state;
    int fds = 0;
    size_t resident = 0;
    const uint64_t from = pal_now_ns();
    for (unsigned i = 0; i < 200; i++) {
        conf_pair_open(p);
        assert_ok(conf_recv(&p->b, 1, 0, 64));
        assert_ok(conf_send(&p->a, 2, 0, 64, VB_WR_SIGNALED));
        conf_expect(&p->b, CONF_RECV, 1, VB_OK);
        conf_expect(&p->a, CONF_SEND, 2, VB_OK);
        if (i % 2) {
            vb_conn_disconnect(p->a.conn);
            conf_await(p->a.conn, VB_CM_DISCONNECTED, NULL);
        }
        conf_pair_close(p);
        if (i == 20) {
            fds = open_descriptors();
            resident = pal_resident_bytes();
        }
    }
    print_message("           %llu us per cycle; resident memory +%lld KiB over 179 cycles\n",
                  (unsigned long long)((pal_now_ns() - from) / 200 / 1000),
                  (long long)(pal_resident_bytes() - resident) / 1024);
    assert_int_equal(open_descriptors(), fds);
}

/* A port for an active connection is not one that TCP lacks: iWARP's connections are TCP's, and rdma_cm does not ask it.
 * Ephemeral ports are some 28,000 (ip_local_port_range), so a port drawn blindly is one of these once in 47 connects. */
static void ports_that_sockets_own_do_not_get_in_the_way_of_connecting(void **state)
{
    enum { HELD = 600, CONNECTS = 200 };
    struct conf_pair *p = *state;
#ifdef WSD_TEST_LOOP
    conf_skip("the loop backend's addresses are no interface's");
#endif
    pal_socket *held = calloc(HELD, sizeof *held);
    assert_non_null(held);
    for (unsigned i = 0; i < HELD; i++) {
        struct pal_addr at = {.family = g.addr.family == VB_AF_IPV6 ? 6 : 4, .scope = g.addr.scope};
        memcpy(at.ip, g.addr.ip, sizeof at.ip);
        assert_int_equal(pal_socket_reserve(&at, &held[i]), PAL_NET_OK);
    }
    for (unsigned i = 0; i < CONNECTS; i++) {
        conf_pair_open(p);
        conf_pair_close(p);
    }
    for (unsigned i = 0; i < HELD; i++)
        pal_socket_close(held[i]);
    free(held);
}

static void many_connections_stand_at_once_and_do_not_mix(void **state)
{
    enum { COUNT = 24 };
    struct conf_pair *p = *state;
    struct conf_pair *all = calloc(COUNT, sizeof *all);
    (void)p;
    for (unsigned i = 0; i < COUNT; i++)
        conf_pair_open(&all[i]);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_ok(conf_recv(&all[i].b, i, 0, 64));
        conf_fill(all[i].a.mem + 64, 64, i);
        assert_ok(conf_send(&all[i].a, i, 64, 64, VB_WR_SIGNALED));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        conf_expect(&all[i].a, CONF_SEND, i, VB_OK);
        conf_expect(&all[i].b, CONF_RECV, i, VB_OK);
        conf_check(all[i].b.mem, 64, i);
    }
    vb_conn_disconnect(all[3].a.conn);
    conf_await(all[3].b.conn, VB_CM_DISCONNECTED, NULL);
    conf_no_event(all[4].b.conn);
    for (unsigned i = 0; i < COUNT; i++)
        conf_pair_close(&all[i]);
    free(all);
}

static void queued_requests_of_a_destroyed_listener_are_refused(void **state)
{
    struct conf_pair *p = *state;
    struct vb_cm_event ev;
    conf_listen(p);
    start_connect(p, NULL, 0);
    conf_no_event(p->a.conn); /* drives the connect; the request may be delivered to the stash */
    while (conf_next(NULL, &ev, 0))
        vb_conn_destroy(ev.conn);
    vb_listener_destroy(p->listener);
    p->listener = NULL;
    conf_await(p->a.conn, VB_CM_REJECTED, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(listening_with_port_zero_gets_a_port_of_its_own),
    cmocka_unit_test(a_port_that_the_backend_chose_cannot_be_had_in_tcp),
    cmocka_unit_test(listening_twice_on_a_port_is_refused_until_the_first_is_gone),
    cmocka_unit_test(listening_or_connecting_from_a_foreign_address_is_refused),
    CONF_TEST_BARE(a_listener_on_any_address_gets_requests_with_the_real_one),
    CONF_TEST_BARE(connecting_where_nobody_listens_is_refused_as_no_service),
    CONF_TEST_BARE(connecting_to_an_address_without_a_host_fails_as_unreachable),
    CONF_TEST(addresses_and_contexts_are_those_of_the_connection),
    CONF_TEST_BARE(private_data_travels_both_ways_up_to_the_limit),
    CONF_TEST_BARE(private_data_beyond_the_limit_is_refused),
    CONF_TEST_BARE(read_depths_are_lowered_to_what_both_ends_want),
    CONF_TEST_BARE(a_rejection_carries_private_data_and_is_told_from_no_service),
    CONF_TEST(a_connection_that_stands_has_no_failure_to_tell),
    CONF_TEST_BARE(a_request_that_is_destroyed_unanswered_is_rejected),
    CONF_TEST_BARE(accepting_a_withdrawn_request_fails_or_ends_soon),
    CONF_TEST_BARE(a_request_outlives_the_listener_it_came_to),
    CONF_TEST_BARE(receives_may_be_posted_before_connecting_and_are_kept),
    CONF_TEST_BARE(the_accepting_side_may_send_at_once),
    CONF_TEST(calls_in_the_wrong_state_are_refused),
    CONF_TEST(disconnect_is_reported_once_at_both_ends),
    CONF_TEST(what_was_sent_before_the_disconnect_arrives),
    CONF_TEST(a_disconnect_flushes_the_requests_of_both_ends),
    CONF_TEST(receives_posted_while_the_peer_leaves_come_back),
    CONF_TEST(destroying_a_connection_tells_the_peer),
    CONF_TEST(the_qp_may_be_destroyed_before_its_connection),
    CONF_TEST_BARE(a_connection_accepted_and_dropped_at_once_ends_at_both_ends),
    CONF_TEST_BARE(two_hundred_connections_in_turn_leave_nothing_behind),
    CONF_TEST_BARE(ports_that_sockets_own_do_not_get_in_the_way_of_connecting),
    CONF_TEST_BARE(many_connections_stand_at_once_and_do_not_mix),
    CONF_TEST_BARE(queued_requests_of_a_destroyed_listener_are_refused),
};
const struct conf_group conf_group_conn = {tests, sizeof tests / sizeof *tests};
