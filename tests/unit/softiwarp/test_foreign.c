/* test_foreign.c - what stands on a port, or comes to one, and is no iWARP peer: the status says that nobody serves there, and
 * the text (vb_conn_text(), vb_listener_text()) names what it sent, as text that a terminal may be given.
 * Plain ports but where a test says mapped; WSD_SOFTIWARP_DEAD_MS is 3000. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alone.h"
#include "pal/memory.h"
#include "pal/time.h"
#include "softiwarp/mpa.h"
#include "softiwarp/ports.h"

static int setup_mapped(void **state)
{
    setenv("WSD_SOFTIWARP_PORTS", "mapped", 1);
    const int failed = setup(state);
    setenv("WSD_SOFTIWARP_PORTS", "plain", 1);
    return failed;
}

static void is_text(const char *text)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
            fail_msg("byte %d in \"%s\"", (unsigned char)*p, text);
}

/* The text of e names its peer and has `part`. */
static void has_text(const struct end *e, const char *part, char text[VB_TEXT_BYTES])
{
    char name[VB_ADDR_TEXT_BYTES];
    struct vb_addr remote;
    const size_t n = vb_conn_text(e->conn, text, VB_TEXT_BYTES);
    assert_int_equal(n, strlen(text));
    assert_true(n < VB_TEXT_BYTES - 1); /* not cut */
    is_text(text);
    vb_conn_addrs(e->conn, NULL, &remote);
    if (!strstr(text, vb_addr_text(&remote, name)) || !strstr(text, part))
        fail_msg("\"%s\" has no \"%s\"", text, part);
}

static void tells(const struct end *e, const char *part)
{
    char text[VB_TEXT_BYTES];
    has_text(e, part, text);
    print_message("           %s\n", text);
}

static void listener_tells(const struct vb_listener *l, const char *first, const char *second)
{
    char text[VB_TEXT_BYTES];
    const size_t n = vb_listener_text(l, text, sizeof text);
    assert_int_equal(n, strlen(text));
    is_text(text);
    if (!strstr(text, first) || !strstr(text, second))
        fail_msg("\"%s\" has no \"%s\" and \"%s\"", text, first, second);
    print_message("           %s\n", text);
}

/* Reads what is there, so that closing does not reset the connection and take the answer with it. */
static void take_request(pal_socket s)
{
    uint8_t waste[MPA_HELLO_MAX];
    const struct pal_iov iov = {waste, sizeof waste};
    const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
    struct vb_cm_event ev;
    size_t got;
    while (pal_socket_recv(s, &iov, 1, &got) != PAL_NET_OK) {
        assert_true(vb_cm_poll(me.cm, &ev) == VB_E_AGAIN);
        assert_true(pal_now_ns() < deadline);
    }
}

/* ---- connecting to it ---- */

struct answer {
    const char *bytes;
    size_t count;
    bool closes;
    const char *told;
};
#define SAYS(text, told)                                                                                     \
    {                                                                                                        \
        text, sizeof(text) - 1, false, told                                                                  \
    }
#define SAYS_CLOSES(text, told)                                                                              \
    {                                                                                                        \
        text, sizeof(text) - 1, true, told                                                                   \
    }

static const struct answer answers[] = {
    SAYS("HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n",
         "is no iWARP peer: it sent \"HTTP/1.1 400 Bad Req\" where an MPA reply belongs"),
    SAYS("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "it sent \"SSH-2.0-OpenSSH_9.2p\" where"),
    SAYS_CLOSES("220 mail\r\n", "it sent \"220 mail\\x0d\\x0a\" where"),
    SAYS("\033[2J\a\"\\ \177\200\377", "it sent \"\\x1b[2J\\x07\\\"\\\\ \\x7f\\x80\\xff\" where"),
    SAYS("\0\0\0\0", "it sent \"\\x00\\x00\\x00\\x00\" where"),
    SAYS("MPA ID Req Frame\x40\x02\0\0", "it sent \"MPA ID Req Frame@\\x02\\x00\\x00\" where an MPA reply"),
    SAYS("MPA ID Rep Frame\0\x03\0\0", "sent an MPA reply of revision 3; 1 and 2"),
    SAYS("MPA ID Rep Frame\0\0\0\0", "sent an MPA reply of revision 0; 1 and 2"),
    SAYS("MPA ID Rep Frame\0\x02\x02\x58", "private data length of 600 (at most 512"),
    SAYS("MPA ID Rep Frame\x10\x02\0\x03", "private data length of 3 (at most 512, enhanced at least 4)"),
    SAYS_CLOSES("", "closed the TCP connection without an MPA reply"),
    SAYS_CLOSES("MPA ID R", "sent \"MPA ID R\" and closed where an MPA reply belongs"),
};

static void what_answers_instead_of_a_peer_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const struct answer *a = &answers[i];
        struct vb_cm_event ev;
        struct end e;
        uint16_t port;
        const pal_socket l = raw_listen(8, &port);
        start_connect(&e, port, 5000);
        const pal_socket s = raw_accept(l);
        take_request(s);
        if (a->count)
            raw_send(s, a->bytes, a->count);
        if (a->closes)
            pal_socket_finish(s);
        expect(&ev, &e, VB_CM_REJECTED, VB_E_NOSERVICE);
        tells(&e, a->told);
        drop(&e);
    }
}

static void random_answers_give_a_text_too(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        uint8_t bytes[40];
        char text[VB_TEXT_BYTES];
        struct vb_cm_event ev;
        struct end e;
        uint16_t port;
        me.raws = 0;
        assert_true(pal_random(bytes, sizeof bytes));
        bytes[0] &= 0x0f; /* no 'M' */
        const pal_socket l = raw_listen(8, &port);
        start_connect(&e, port, 5000);
        const pal_socket s = raw_accept(l);
        take_request(s);
        raw_send(s, bytes, 1 + i % sizeof bytes);
        expect(&ev, &e, VB_CM_REJECTED, VB_E_NOSERVICE);
        has_text(&e, "is no iWARP peer: it sent \"\\x0", text);
        drop(&e);
        pal_socket_close(s);
        pal_socket_close(l);
        me.raws = 0;
    }
}

static void a_port_where_nobody_listens_is_told_from_one_where_somebody_else_does(void **state)
{
    struct vb_cm_event ev;
    struct end e;
    uint16_t port;
    (void)state;
    pal_socket_close(raw_listen(1, &port));
    me.raws = 0;
    start_connect(&e, port, 5000);
    expect(&ev, &e, VB_CM_REJECTED, VB_E_NOSERVICE);
    tells(&e, "refused the TCP connection: nobody listens there");
    drop(&e);
}

/* Asked while it goes on, a tool that gives up first can still say where it stood. */
static void an_attempt_tells_where_it_stands_and_that_time_was_up(void **state)
{
    const struct vb_conn_params p = params(5000);
    struct vb_addr to = me.here;
    char text[VB_TEXT_BYTES];
    struct vb_cm_event ev;
    struct end e;
    uint16_t port;
    (void)state;
    const pal_socket l = raw_listen(8, &port);
    to.port = port;
    assert_ok(vb_conn_create(me.cm, &me.here, &e, &e.conn));
    give_qp(&e);
    assert_int_equal(vb_conn_text(e.conn, text, sizeof text), 0);
    assert_ok(vb_conn_connect(e.conn, &to, &p));
    /* within a host TCP has answered when connect() is back */
    tells(&e, "has taken the TCP connection but sent no MPA reply so far");
    const pal_socket s = raw_accept(l);
    take_request(s);
    tells(&e, "has taken the TCP connection but sent no MPA reply so far");
    raw_send(s, "MPA I", 5);
    expect_silence();
    tells(&e, "has sent no more than \"MPA I\" of its MPA reply so far");
    expect(&ev, &e, VB_CM_FAILED, VB_E_TIMEOUT);
    tells(&e, "sent no more than \"MPA I\" of its MPA reply in time");
    drop(&e);

    start_connect(&e, port, 5000);
    (void)raw_accept(l);
    expect(&ev, &e, VB_CM_FAILED, VB_E_TIMEOUT);
    tells(&e, "took the TCP connection but sent no MPA reply in time");
    drop(&e);
}

static void a_rejection_is_told_from_nonsense(void **state)
{
    const struct mpa_hello h = {.is_reply = true, .is_reject = true, .revision = 2};
    uint8_t frame[MPA_HELLO_MAX];
    struct vb_cm_event ev;
    struct end e;
    uint16_t port;
    (void)state;
    const pal_socket l = raw_listen(8, &port);
    start_connect(&e, port, 5000);
    const pal_socket s = raw_accept(l);
    raw_send(s, frame, mpa_hello_encode(&h, NULL, frame));
    expect(&ev, &e, VB_CM_REJECTED, VB_E_REJECTED);
    tells(&e, "rejected the connection in its MPA reply");
    drop(&e);
}

/* ---- being connected to by it ---- */

static void is_served(const struct vb_listener *l)
{
    struct vb_addr at;
    struct vb_cm_event ev;
    struct end a, b = {0};
    char text[VB_TEXT_BYTES];
    const struct vb_conn_params p = params(5000);
    vb_listener_addr(l, &at);
    start_connect(&a, at.port, 5000);
    expect(&ev, NULL, VB_CM_REQUEST, VB_OK);
    b.conn = ev.conn;
    give_qp(&b);
    assert_ok(vb_conn_accept(b.conn, &p));
    expect(&ev, NULL, VB_CM_ESTABLISHED, VB_OK);
    expect(&ev, NULL, VB_CM_ESTABLISHED, VB_OK);
    assert_int_equal(vb_conn_text(a.conn, text, sizeof text), 0);
    assert_int_equal(vb_conn_text(b.conn, text, sizeof text), 0);
    drop(&a);
    drop(&b);
}

static struct vb_listener *listen_here(uint16_t *port)
{
    struct vb_listener *l;
    struct vb_addr at;
    assert_ok(vb_listen(me.cm, &me.here, 64, NULL, &l));
    vb_listener_addr(l, &at);
    *port = at.port;
    return l;
}

/* Until the listener has closed it; nobody above hears of it. */
static void is_turned_away(pal_socket s)
{
    const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
    uint8_t waste[MPA_HELLO_MAX];
    const struct pal_iov iov = {waste, sizeof waste};
    struct vb_cm_event ev;
    enum pal_net st;
    size_t got;
    while ((st = pal_socket_recv(s, &iov, 1, &got)) == PAL_NET_AGAIN || st == PAL_NET_OK) {
        assert_false(next_event(&ev, 1000000));
        assert_true(pal_now_ns() < deadline);
    }
}

static pal_socket client(uint16_t port, const void *bytes, size_t count, bool closes)
{
    const pal_socket s = raw_connect(port);
    assert_true(is_connected_within(s, DEADLINE_NS));
    if (count)
        raw_send(s, bytes, count);
    if (closes)
        pal_socket_finish(s);
    is_turned_away(s);
    return s;
}

static const struct answer clients[] = {
    SAYS("GET / HTTP/1.1\r\nHost: x\r\n\r\n",
         "is no iWARP peer: it sent \"GET / HTTP/1.1\\x0d\\x0aHost\" where an MPA request belongs"),
    SAYS("SSH-2.0-OpenSSH_9.2p1\r\n", "it sent \"SSH-2.0-OpenSSH_9.2p\" where"),
    SAYS("\x16\x03\x01\x02", "it sent \"\\x16\\x03\\x01\\x02\" where"),
    SAYS("MPA ID Rep Frame\0\x02\0\0",
         "it sent \"MPA ID Rep Frame\\x00\\x02\\x00\\x00\" where an MPA request"),
    SAYS("MPA ID Req Frame\0\x07\0\0", "sent an MPA request of revision 7"),
    SAYS("MPA ID Req Frame\0\x01\xff\xff", "sent an MPA request with a private data length of 65535"),
    SAYS_CLOSES("", "closed the TCP connection without an MPA request"),
    SAYS_CLOSES("MPA ID", "sent \"MPA ID\" and closed where an MPA request belongs"),
    SAYS("", "took the TCP connection but sent no MPA request in time"),
    SAYS("MPA ID Re", "sent no more than \"MPA ID Re\" of its MPA request in time"),
};

static void clients_that_are_no_peers_are_counted_and_the_last_is_named(void **state)
{
    char text[VB_TEXT_BYTES], count[40];
    uint16_t port;
    (void)state;
    struct vb_listener *l = listen_here(&port);
    is_served(l);
    assert_int_equal(vb_listener_text(l, text, sizeof text), 0);
    for (unsigned i = 0; i < sizeof clients / sizeof *clients; i++) {
        const pal_socket s = client(port, clients[i].bytes, clients[i].count, clients[i].closes);
        struct pal_addr from;
        assert_true(pal_socket_addrs(s, &from, NULL));
        (void)snprintf(count, sizeof count,
                       i ? "%u clients were turned away; the last, " : "a client was turned", i + 1);
        listener_tells(l, count, clients[i].told);
        (void)snprintf(count, sizeof count, "127.0.0.1:%u", from.port);
        listener_tells(l, count, clients[i].told);
    }
    is_served(l);
    listener_tells(l, "10 clients", clients[9].told); /* who is served does not count */
    vb_listener_destroy(l);
}

static void a_request_with_more_data_than_a_consumer_takes_is_named(void **state)
{
    const struct mpa_hello h = {.revision = 1, .data_bytes = 300};
    static const uint8_t data[300];
    uint8_t frame[MPA_HELLO_MAX];
    uint16_t port;
    (void)state;
    struct vb_listener *l = listen_here(&port);
    (void)client(port, frame, mpa_hello_encode(&h, data, frame), true);
    listener_tells(l, "a client was turned away", "sent 300 bytes of private data; consumers take 256");
    vb_listener_destroy(l);
}

static void a_peer_that_never_confirms_is_named(void **state)
{
    const struct mpa_hello h = {
        .revision = 2, .is_enhanced = true, .is_peer_to_peer = true, .rtr_write = true, .ird = 1, .ord = 1};
    const struct vb_conn_params p = params(5000);
    uint8_t frame[MPA_HELLO_MAX];
    struct end e = {0};
    struct vb_cm_event ev;
    uint16_t port;
    (void)state;
    struct vb_listener *l = listen_here(&port);
    const pal_socket s = raw_connect(port);
    assert_true(is_connected_within(s, DEADLINE_NS));
    raw_send(s, frame, mpa_hello_encode(&h, NULL, frame));
    expect(&ev, NULL, VB_CM_REQUEST, VB_OK);
    e.conn = ev.conn;
    give_qp(&e);
    assert_ok(vb_conn_accept(e.conn, &p));
    expect(&ev, &e, VB_CM_FAILED, VB_E_TIMEOUT);
    tells(&e, "did not confirm the connection in time");
    drop(&e);
    vb_listener_destroy(l);
}

/* ---- mapped ports ---- */

/* A raw listener where softiwarp would look for *service at its candidate number i; the service is chosen. */
static pal_socket listen_at_candidate(unsigned i, uint16_t *service)
{
    for (uint16_t p = 20000; p < 21000; p++) {
        struct pal_addr at = {.family = 4, .ip = {127, 0, 0, 1}, .port = si_port_candidate(p, i)};
        pal_socket s;
        if (pal_socket_listen(&at, 8, &(const struct pal_socket_tuning){0}, &s) != PAL_NET_OK)
            continue;
        me.raw[me.raws++] = s;
        *service = p;
        return s;
    }
    fail_msg("no port is free");
    return PAL_SOCKET_NONE;
}

static void of_all_candidates_the_one_that_is_something_else_is_named(void **state)
{
    struct vb_cm_event ev;
    char port[60];
    struct end e;
    uint16_t service;
    (void)state;
    const pal_socket l = listen_at_candidate(2, &service);
    start_connect(&e, service, 5000);
    const pal_socket s = raw_accept(l);
    take_request(s);
    raw_send(s, "HTTP/1.1 400 Bad Request\r\n", 26);
    expect(&ev, &e, VB_CM_REJECTED, VB_E_NOSERVICE);
    (void)snprintf(port, sizeof port, " refused, and port %u is no iWARP peer",
                   si_port_candidate(service, 2));
    tells(&e, port);
    tells(&e, "it sent \"HTTP/1.1 400 Bad Req\" where an MPA reply belongs");
    drop(&e);
}

/* Another test that runs now may listen for its own service at one of them; not for several services in a row. */
static void a_service_that_nobody_offers_is_refused_at_all_candidates(void **state)
{
    char text[VB_TEXT_BYTES] = "";
    (void)state;
    for (uint16_t service = 20100; service < 20110 && !strstr(text, "all 8 TCP ports it may be behind");
         service++) {
        struct vb_cm_event ev;
        struct end e;
        start_connect(&e, service, 5000);
        expect(&ev, &e, VB_CM_REJECTED, VB_E_NOSERVICE);
        has_text(&e, "nobody serves", text);
        drop(&e);
    }
    assert_non_null(strstr(text, "all 8 TCP ports it may be behind"));
}

static void a_foreign_iwarp_peer_is_told_to_use_plain_ports(void **state)
{
    const struct mpa_hello request = {.revision = 1}, reply = {.is_reply = true, .revision = 2};
    uint8_t frame[MPA_HELLO_MAX];
    struct vb_cm_event ev;
    struct end e;
    uint16_t service;
    (void)state;
    const pal_socket raw = listen_at_candidate(0, &service);
    start_connect(&e, service, 5000);
    const pal_socket s = raw_accept(raw);
    take_request(s);
    raw_send(s, frame, mpa_hello_encode(&reply, NULL, frame));
    expect(&ev, &e, VB_CM_REJECTED, VB_E_NOSERVICE);
    tells(&e, "speaks MPA but maps no ports: for foreign peers set WSD_SOFTIWARP_PORTS=plain");
    drop(&e);

    uint16_t port;
    struct vb_listener *l = listen_here(&port);
    (void)client(si_port_candidate(port, 0), frame, mpa_hello_encode(&request, NULL, frame), true);
    listener_tells(l, "a client was turned away", "speaks MPA but maps no ports");
    vb_listener_destroy(l);
}

/* Of our own kind, but of another service: that is how ports are mapped, and nothing to tell. */
static void a_client_of_another_service_is_not_counted(void **state)
{
    char text[VB_TEXT_BYTES];
    struct vb_cm_event ev;
    struct vb_listener *l;
    struct vb_addr at = me.here;
    struct end e;
    uint16_t one = 20000, other = 20001;
    (void)state;
    for (unsigned i = 0; i < 65536; i++, other++) /* another service with the same first candidate */
        if (other && other != one && si_port_candidate(other, 0) == si_port_candidate(one, 0))
            break;
    assert_int_equal(si_port_candidate(other, 0), si_port_candidate(one, 0));
    at.port = one;
    assert_ok(vb_listen(me.cm, &at, 8, NULL, &l));
    start_connect(&e, other, 5000);
    expect(&ev, &e, VB_CM_REJECTED, VB_E_NOSERVICE);
    tells(&e, " refused, and port ");
    tells(&e, "serves another port");
    assert_int_equal(vb_listener_text(l, text, sizeof text), 0);
    drop(&e);
    vb_listener_destroy(l);
}

#define PLAIN(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)
#define MAPPED(f) cmocka_unit_test_setup_teardown(f, setup_mapped, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(what_answers_instead_of_a_peer_is_named),
        PLAIN(random_answers_give_a_text_too),
        PLAIN(a_port_where_nobody_listens_is_told_from_one_where_somebody_else_does),
        PLAIN(an_attempt_tells_where_it_stands_and_that_time_was_up),
        PLAIN(a_rejection_is_told_from_nonsense),
        PLAIN(clients_that_are_no_peers_are_counted_and_the_last_is_named),
        PLAIN(a_request_with_more_data_than_a_consumer_takes_is_named),
        PLAIN(a_peer_that_never_confirms_is_named),
        MAPPED(of_all_candidates_the_one_that_is_something_else_is_named),
        MAPPED(a_service_that_nobody_offers_is_refused_at_all_candidates),
        MAPPED(a_foreign_iwarp_peer_is_told_to_use_plain_ports),
        MAPPED(a_client_of_another_service_is_not_counted),
    };
    setenv("WSD_SOFTIWARP_PORTS", "plain", 1);
    setenv("WSD_SOFTIWARP_DEAD_MS", "3000", 1);
    return cmocka_run_group_tests_name("foreign", tests, NULL, NULL);
}
