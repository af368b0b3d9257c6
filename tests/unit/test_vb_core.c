/* test_vb_core.c - vb.h without a network: argument checks, dispatch, backend texts, addresses, statuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "addr.h"
#include "fake_backend.h"

struct stack {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct vb_cq *cq;
    struct vb_qp *qp;
    struct vb_mr *mr;
    struct vb_mw *mw;
    struct vb_cm *cm;
    struct vb_listener *listener;
    struct vb_conn *conn;
};

static struct vb_backend *open_ok(const char *spec)
{
    struct vb_backend *be = NULL;
    char why[256];
    if (vb_open(spec, &be, why, sizeof why) != VB_OK)
        fail_msg("%s: %s", spec, why);
    return be;
}

static char buffer[64];

static void build(struct stack *s, const char *spec)
{
    struct vb_addr local = addr("192.0.2.1"), port = addr("192.0.2.1:7000");
    struct vb_qp_caps caps = {.send_wr = 4, .recv_wr = 4, .inline_bytes = 64};
    s->be = open_ok(spec);
    assert_int_equal(vb_dev_open(s->be, &local, &s->dev), VB_OK);
    assert_int_equal(vb_pd_create(s->dev, &s->pd), VB_OK);
    assert_int_equal(vb_cq_create(s->dev, 16, &s->cq), VB_OK);
    assert_int_equal(vb_qp_create(s->pd, s->cq, s->cq, &caps, NULL, &s->qp), VB_OK);
    assert_int_equal(caps.inline_bytes, 0);
    assert_int_equal(vb_mr_reg(s->pd, buffer, sizeof buffer, VB_ACCESS_LOCAL_WRITE, &s->mr), VB_OK);
    assert_int_equal(vb_mw_alloc(s->pd, &s->mw), VB_OK);
    assert_int_equal(vb_cm_create(s->be, &s->cm), VB_OK);
    assert_int_equal(vb_listen(s->cm, &port, 5, NULL, &s->listener), VB_OK);
    assert_int_equal(vb_conn_create(s->cm, &local, NULL, &s->conn), VB_OK);
}

static void tear_down(struct stack *s)
{
    vb_conn_destroy(s->conn);
    vb_listener_destroy(s->listener);
    vb_cm_destroy(s->cm);
    vb_mw_free(s->mw);
    vb_mr_dereg(s->mr);
    vb_qp_destroy(s->qp);
    vb_cq_destroy(s->cq);
    vb_pd_destroy(s->pd);
    vb_dev_close(s->dev);
    vb_close(s->be);
}

static int setup(void **state)
{
    static struct stack s;
    fake_reset();
    build(&s, "fake");
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    tear_down(*state);
    return fake.objects_alive == 0 ? 0 : -1;
}

/* Nothing may reach the backend during `call`, and it must answer `wanted`. */
#define REFUSED(wanted, call)                                                                                \
    do {                                                                                                     \
        unsigned before_ = fake.calls;                                                                       \
        assert_int_equal(call, wanted);                                                                      \
        assert_int_equal(fake.calls, before_);                                                               \
    } while (0)

/* ---- dispatch and argument checks ---- */

static void every_call_reaches_its_operation_with_its_object(void **state)
{
    struct stack *s = *state;
    struct vb_addr any = addr("192.0.2.9:5"), out[2], other;
    struct vb_async_event async;
    struct vb_cm_event event;
    struct vb_caps caps;
    struct vb_wc wc[2];
    struct vb_send_wr send = {.id = 1};
    struct vb_recv_wr recv = {.id = 2};
    struct vb_conn_params params = {.data = "hello", .data_bytes = 5};
    uint32_t count = 2;

#define REACHES(op, object, call)                                                                            \
    do {                                                                                                     \
        (void)(call);                                                                                        \
        assert_string_equal(fake.last_op, op);                                                               \
        assert_ptr_equal(fake.last_object, object);                                                          \
    } while (0)
#define REACHES_VOID(op, object, call)                                                                       \
    do {                                                                                                     \
        call;                                                                                                \
        assert_string_equal(fake.last_op, op);                                                               \
        assert_ptr_equal(fake.last_object, object);                                                          \
    } while (0)
    REACHES("addr_list", s->be, vb_addr_list(s->be, out, &count));
    REACHES("route", s->be, vb_route(s->be, &any, &other));
    REACHES("async_poll", s->be, vb_async_poll(s->be, &async));
    REACHES("async_waitable", s->be, vb_async_waitable(s->be));
    REACHES_VOID("dev_caps", s->dev, vb_dev_caps(s->dev, &caps));
    REACHES("dev_owns", s->dev, vb_dev_owns(s->dev, &any));
    REACHES("mr_lkey", s->mr, vb_mr_lkey(s->mr));
    REACHES("mr_rkey", s->mr, vb_mr_rkey(s->mr));
    REACHES("mw_rkey", s->mw, vb_mw_rkey(s->mw));
    REACHES("cq_poll", s->cq, vb_cq_poll(s->cq, wc, 2));
    REACHES("cq_arm", s->cq, vb_cq_arm(s->cq));
    REACHES("cq_waitable", s->cq, vb_cq_waitable(s->cq));
    REACHES("cq_ack", s->cq, vb_cq_ack(s->cq));
    REACHES_VOID("qp_stop", s->qp, vb_qp_stop(s->qp));
    REACHES("qp_number", s->qp, vb_qp_number(s->qp));
    REACHES("post_send", s->qp, vb_post_send(s->qp, &send, NULL));
    REACHES("post_recv", s->qp, vb_post_recv(s->qp, &recv, NULL));
    REACHES("cm_waitable", s->cm, vb_cm_waitable(s->cm));
    REACHES("cm_poll", s->cm, vb_cm_poll(s->cm, &event));
    REACHES_VOID("listener_addr", s->listener, vb_listener_addr(s->listener, &other));
    REACHES_VOID("conn_set_context", s->conn, vb_conn_set_context(s->conn, &params));
    REACHES_VOID("conn_addrs", s->conn, vb_conn_addrs(s->conn, NULL, &other));
    assert_int_equal(other.port, 2000);
    REACHES("conn_bind_qp", s->conn, vb_conn_bind_qp(s->conn, s->qp));
    REACHES("conn_connect", s->conn, vb_conn_connect(s->conn, &any, &params));
    REACHES("conn_accept", s->conn, vb_conn_accept(s->conn, &params));
    REACHES("conn_reject", s->conn, vb_conn_reject(s->conn, NULL, 0));
    REACHES_VOID("conn_disconnect", s->conn, vb_conn_disconnect(s->conn));
    char text[VB_TEXT_BYTES];
    REACHES("conn_text", s->conn, vb_conn_text(s->conn, text, sizeof text));
    REACHES("listener_text", s->listener, vb_listener_text(s->listener, text, sizeof text));
    assert_int_equal(caps.max_sge, 4);
    assert_string_equal(vb_name(s->be), "fake");
}

static void bad_arguments_are_refused_before_the_backend_sees_them(void **state)
{
    struct stack *s = *state;
    struct vb_addr ip = addr("192.0.2.1"), ip_port = addr("192.0.2.1:80"), none = {.family = VB_AF_NONE};
    struct vb_addr strange = {.family = 9}, any = addr("0.0.0.0"), out;
    struct vb_qp_caps caps = {.send_wr = 1, .recv_wr = 1}, no_caps = {.send_sge = 1};
    struct vb_conn_params ok = {0}, too_long = {.data = buffer, .data_bytes = VB_PRIVATE_DATA_MAX + 1};
    struct vb_conn_params no_data = {.data = NULL, .data_bytes = 1};
    struct vb_async_event async;
    struct vb_cm_event event;
    uint32_t count = 1;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct vb_cq *cq;
    struct vb_qp *qp;
    struct vb_mr *mr;
    struct vb_cm *cm;
    struct vb_listener *l;
    struct vb_conn *conn;

    REFUSED(VB_E_INVAL, vb_addr_list(NULL, &out, &count));
    REFUSED(VB_E_INVAL, vb_addr_list(s->be, &out, NULL));
    REFUSED(VB_E_INVAL, vb_addr_list(s->be, NULL, &count));
    REFUSED(VB_E_INVAL, vb_route(s->be, &any, &out));
    REFUSED(VB_E_INVAL, vb_route(s->be, &none, &out));
    REFUSED(VB_E_INVAL, vb_route(s->be, NULL, &out));
    REFUSED(VB_E_INVAL, vb_route(s->be, &ip, NULL));
    REFUSED(VB_E_INVAL, vb_async_poll(s->be, NULL));
    REFUSED(VB_E_INVAL, vb_async_poll(NULL, &async));
    REFUSED(VB_E_INVAL, vb_dev_open(NULL, &ip, &dev));
    REFUSED(VB_E_INVAL, vb_dev_open(s->be, &none, &dev));
    REFUSED(VB_E_INVAL, vb_dev_open(s->be, &strange, &dev));
    REFUSED(VB_E_INVAL, vb_dev_open(s->be, NULL, &dev));
    REFUSED(VB_E_INVAL, vb_dev_open(s->be, &ip, NULL));
    REFUSED(false, vb_dev_owns(s->dev, &any));
    REFUSED(VB_E_INVAL, vb_pd_create(NULL, &pd));
    REFUSED(VB_E_INVAL, vb_mw_alloc(s->pd, NULL));
    REFUSED(VB_E_INVAL, vb_cq_create(s->dev, 0, &cq));
    REFUSED(VB_E_INVAL, vb_cq_create(NULL, 1, &cq));
    REFUSED(VB_E_INVAL, vb_cq_arm(NULL));
    REFUSED(0, vb_cq_poll(s->cq, NULL, 1));
    REFUSED(0, vb_cq_ack(NULL));
    REFUSED(VB_E_INVAL, vb_qp_create(NULL, s->cq, s->cq, &caps, NULL, &qp));
    REFUSED(VB_E_INVAL, vb_qp_create(s->pd, NULL, s->cq, &caps, NULL, &qp));
    REFUSED(VB_E_INVAL, vb_qp_create(s->pd, s->cq, NULL, &caps, NULL, &qp));
    REFUSED(VB_E_INVAL, vb_qp_create(s->pd, s->cq, s->cq, NULL, NULL, &qp));
    REFUSED(VB_E_INVAL, vb_qp_create(s->pd, s->cq, s->cq, &no_caps, NULL, &qp));
    REFUSED(VB_E_INVAL, vb_cm_create(NULL, &cm));
    REFUSED(VB_E_INVAL, vb_cm_poll(s->cm, NULL));
    REFUSED(VB_E_INVAL, vb_cm_poll(NULL, &event));
    REFUSED(VB_E_INVAL, vb_listen(s->cm, &none, 1, NULL, &l));
    REFUSED(VB_E_INVAL, vb_listen(s->cm, NULL, 1, NULL, &l));
    REFUSED(VB_E_INVAL, vb_conn_create(s->cm, &any, NULL, &conn));
    REFUSED(VB_E_INVAL, vb_conn_create(NULL, &ip, NULL, &conn));
    REFUSED(VB_E_INVAL, vb_conn_bind_qp(s->conn, NULL));
    REFUSED(VB_E_INVAL, vb_conn_bind_qp(NULL, s->qp));
    REFUSED(VB_E_INVAL, vb_conn_connect(s->conn, &ip, &ok)); /* no port */
    REFUSED(VB_E_INVAL, vb_conn_connect(s->conn, &ip_port, NULL));
    REFUSED(VB_E_INVAL, vb_conn_connect(s->conn, &ip_port, &too_long));
    REFUSED(VB_E_INVAL, vb_conn_connect(s->conn, &ip_port, &no_data));
    REFUSED(VB_E_INVAL, vb_conn_accept(s->conn, &no_data));
    REFUSED(VB_E_INVAL, vb_conn_accept(s->conn, NULL));
    REFUSED(VB_E_INVAL, vb_conn_reject(s->conn, NULL, 1));
    REFUSED(VB_E_INVAL, vb_mr_reg(s->pd, buffer, 0, 0, &mr));
    REFUSED(VB_E_INVAL, vb_mr_reg(s->pd, buffer, SIZE_MAX, 0, &mr));
    REFUSED(VB_E_INVAL, vb_mr_reg(s->pd, buffer, 8, 1u << 9, &mr));
    REFUSED(VB_E_INVAL, vb_mr_reg(s->pd, buffer, 8, VB_ACCESS_REMOTE_WRITE, &mr));
    REFUSED(VB_E_FAULT, vb_mr_reg(s->pd, NULL, 8, 0, &mr));
}

static void memory_up_to_the_very_end_of_the_address_space_is_for_the_backend_to_judge(void **state)
{
    struct stack *s = *state;
    struct vb_mr *mr = NULL;
    REFUSED(VB_E_INVAL, vb_mr_reg(s->pd, (void *)(UINTPTR_MAX - 7), 9, 0, &mr));
    assert_int_equal(vb_mr_reg(s->pd, (void *)(UINTPTR_MAX - 7), 8, 0, &mr), VB_OK);
    vb_mr_dereg(mr);
}

static void destroying_nothing_is_harmless(void **state)
{
    (void)state;
    unsigned before = fake.calls;
    vb_conn_disconnect(NULL);
    vb_qp_stop(NULL);
    vb_conn_set_context(NULL, NULL);
    struct stack nothing = {0};
    tear_down(&nothing);
    assert_int_equal(fake.calls, before);
    assert_string_equal(vb_name(NULL), "");
    assert_int_equal(vb_async_waitable(NULL), PAL_WAITABLE_NONE);
    assert_int_equal(vb_cq_waitable(NULL), PAL_WAITABLE_NONE);
    assert_int_equal(vb_cm_waitable(NULL), PAL_WAITABLE_NONE);
    assert_int_equal(vb_qp_number(NULL), 0);
}

static void a_failed_call_leaves_its_out_parameter_alone(void **state)
{
    struct stack *s = *state;
    struct vb_pd *pd = (struct vb_pd *)&buffer;
    fake.next_status = VB_E_NOMEM;
    assert_int_equal(vb_pd_create(s->dev, &pd), VB_E_NOMEM);
    assert_ptr_equal(pd, &buffer);
}

static void a_post_that_failed_names_the_first_request_that_was_not_posted(void **state)
{
    struct stack *s = *state;
    struct vb_send_wr wr = {.id = 1};
    const struct vb_send_wr *bad = NULL;
    struct vb_recv_wr rwr = {.id = 1};
    const struct vb_recv_wr *rbad = NULL;
    fake.next_status = VB_E_AGAIN;
    assert_int_equal(vb_post_send(s->qp, &wr, &bad), VB_E_AGAIN);
    assert_ptr_equal(bad, &wr);
    fake.next_status = VB_E_AGAIN;
    assert_int_equal(vb_post_send(s->qp, &wr, NULL), VB_E_AGAIN);
    bad = NULL;
    REFUSED(VB_E_INVAL, vb_post_send(NULL, &wr, &bad));
    assert_ptr_equal(bad, &wr);
    REFUSED(VB_E_INVAL, vb_post_send(s->qp, NULL, &bad));
    REFUSED(VB_E_INVAL, vb_post_recv(NULL, &rwr, &rbad));
    assert_ptr_equal(rbad, &rwr);
    REFUSED(VB_E_INVAL, vb_post_recv(s->qp, NULL, NULL));
}

static void the_connection_of_a_request_can_be_used_at_once(void **state)
{
    struct stack *s = *state;
    struct vb_cm_event ev;
    struct vb_conn *conn = fake_event(s->cm, VB_CM_REQUEST, NULL, NULL);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_OK);
    assert_ptr_equal(ev.conn, conn);
    assert_int_equal(vb_conn_reject(ev.conn, NULL, 0), VB_OK);
    vb_conn_destroy(ev.conn);
    assert_int_equal(vb_cm_poll(s->cm, &ev), VB_E_AGAIN);
}

static void objects_of_two_backends_do_not_mix(void **state)
{
    struct stack *s = *state, other;
    struct vb_qp_caps caps = {.send_wr = 1};
    struct vb_qp *qp;
    static struct vb_ops twin;
    twin = fake_ops;
    twin.name = "twin";
    assert_int_equal(vb_register_backend(&twin), VB_OK);
    build(&other, "twin");
    REFUSED(VB_E_INVAL, vb_qp_create(s->pd, s->cq, other.cq, &caps, NULL, &qp));
    REFUSED(VB_E_INVAL, vb_qp_create(s->pd, other.cq, s->cq, &caps, NULL, &qp));
    REFUSED(VB_E_INVAL, vb_conn_bind_qp(s->conn, other.qp));
    tear_down(&other);
}

static void operations_that_a_backend_lacks_say_not_supported(void **state)
{
    (void)state;
    struct vb_backend *be = open_ok("bare");
    struct vb_addr ip = addr("192.0.2.1"), out;
    struct vb_async_event async;
    struct vb_dev *dev;
    struct vb_cm *cm;
    uint32_t count = 1;
    assert_int_equal(vb_addr_list(be, &out, &count), VB_E_NOTSUP);
    assert_int_equal(vb_route(be, &ip, &out), VB_E_NOTSUP);
    assert_int_equal(vb_dev_open(be, &ip, &dev), VB_E_NOTSUP);
    assert_int_equal(vb_cm_create(be, &cm), VB_E_NOTSUP);
    assert_int_equal(vb_async_poll(be, &async), VB_E_AGAIN);
    assert_int_equal(vb_async_waitable(be), PAL_WAITABLE_NONE);
    vb_close(be);
}

/* ---- texts ---- */

/* A backend that forgets itself: what it hands out is made printable and bounded in the one place all texts pass. */
static void texts_are_printable_bounded_and_terminated_whatever_the_backend_says(void **state)
{
    struct stack *s = *state;
    char text[VB_TEXT_BYTES];
    strcpy(fake.text, "a\033[2J\n\177\303 c");
    assert_int_equal(vb_conn_text(s->conn, text, sizeof text), 10);
    assert_string_equal(text, "a?[2J??? c");
    assert_int_equal(vb_listener_text(s->listener, text, sizeof text), 10);
    assert_string_equal(text, "a?[2J??? c");
    memset(text, 'x', sizeof text);
    assert_int_equal(vb_conn_text(s->conn, text, 4), 3);
    assert_string_equal(text, "a?[");
    assert_int_equal(text[4], 'x');
    assert_int_equal(vb_listener_text(s->listener, text, 1), 0);
    assert_string_equal(text, "");
    memset(fake.text, 'y', sizeof fake.text - 1);
    assert_int_equal(vb_conn_text(s->conn, text, sizeof text), sizeof text - 1);
    assert_int_equal(strlen(text), sizeof text - 1);
    REFUSED(0, vb_conn_text(s->conn, NULL, 10));
    REFUSED(0, vb_conn_text(s->conn, text, 0));
    REFUSED(0, vb_listener_text(s->listener, NULL, 10));
    REFUSED(0, vb_conn_text(NULL, text, sizeof text));
    assert_string_equal(text, "");
    REFUSED(0, vb_listener_text(NULL, text, sizeof text));
}

static void a_backend_without_texts_has_nothing_to_tell(void **state)
{
    (void)state;
    static struct vb_ops mute;
    struct stack s;
    char text[VB_TEXT_BYTES] = "before";
    mute = fake_ops;
    mute.name = "mute";
    mute.conn_text = NULL;
    mute.listener_text = NULL;
    assert_int_equal(vb_register_backend(&mute), VB_OK);
    build(&s, "mute+trace=/dev/null+fault");
    assert_int_equal(vb_conn_text(s.conn, text, sizeof text), 0);
    assert_string_equal(text, "");
    assert_int_equal(vb_listener_text(s.listener, text, sizeof text), 0);
    tear_down(&s);
}

static void quoted_bytes_are_printable_and_can_be_told_from_their_surroundings(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *quoted;
    } cases[] = {
        {"", 0, "\"\""},
        {"HTTP/1.1 400", 12, "\"HTTP/1.1 400\""},
        {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
        {"\0\r\n\033\177\200\377~ ", 9, "\"\\x00\\x0d\\x0a\\x1b\\x7f\\x80\\xff~ \""},
    };
    char text[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t n = vb_quote(cases[i].bytes, cases[i].count, text, sizeof text);
        assert_int_equal(n, strlen(cases[i].quoted));
        assert_string_equal(text, cases[i].quoted);
    }
}

/* All rooms and all bytes: never beyond the room, never half an escape. */
static void a_quotation_that_does_not_fit_is_cut_and_says_so(void **state)
{
    (void)state;
    char text[80];
    for (unsigned b = 0; b < 256; b++)
        for (size_t room = 0; room < 30; room++) {
            const uint8_t bytes[8] = {(uint8_t)b, 'x',        (uint8_t)b, (uint8_t)b,
                                      'y',        (uint8_t)b, (uint8_t)b, 'z'};
            memset(text, '#', sizeof text);
            const size_t n = vb_quote(bytes, sizeof bytes, text, room);
            assert_int_equal(text[room], '#');
            if (room == 0)
                continue;
            assert_int_equal(strlen(text), n);
            assert_true(n < room);
            if (n == 0)
                continue;
            const char *end = strstr(text, "\"...");
            if (end)
                assert_int_equal(end[4], 0);
            else
                assert_string_equal(text + n - 2, "z\"");
            const char *slash = end ? strrchr(text, '\\') : NULL;
            if (slash && b != '\\' && slash[1] == 'x')
                assert_true(end - slash >= 4);
        }
    assert_int_equal(vb_quote("abcdefghij", 10, text, 12), 11);
    assert_string_equal(text, "\"abcdef\"...");
}

static void what_is_wrong_with_a_local_address_is_said_with_what_to_do(void **state)
{
    struct stack *s = *state;
    struct vb_addr at = addr("192.0.2.77:8080");
    static const struct {
        vb_status_t st;
        const char *first, *second;
    } cases[] = {
        {VB_E_ADDRINUSE, "192.0.2.77:8080 is in use", "another port"},
        {VB_E_ADDRNOTAVAIL, "192.0.2.77 is no address", "it serves 192.0.2.1"},
        {VB_E_DENIED, "192.0.2.77:8080", "1024"},
        {VB_E_NOMEM, "192.0.2.77:8080", "out of memory"},
    };
    char text[VB_TEXT_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t n = vb_local_text(s->be, &at, cases[i].st, text, sizeof text);
        assert_int_equal(n, strlen(text));
        if (!strstr(text, cases[i].first) || !strstr(text, cases[i].second))
            fail_msg("%s: \"%s\"", vb_status_name(cases[i].st), text);
    }
    fake.next_status = VB_E_NOMEM; /* the list cannot be had */
    assert_true(vb_local_text(s->be, &at, VB_E_ADDRNOTAVAIL, text, sizeof text) > 0);
    assert_non_null(strstr(text, "none now"));
    assert_int_equal(vb_local_text(s->be, &at, VB_E_ADDRINUSE, text, 8), 7);
    assert_int_equal(vb_local_text(s->be, &at, VB_OK, text, sizeof text), 0);
    assert_int_equal(vb_local_text(s->be, NULL, VB_E_INVAL, text, sizeof text), 0);
    assert_int_equal(vb_local_text(NULL, &at, VB_E_INVAL, text, sizeof text), 0);
    assert_int_equal(vb_local_text(s->be, &at, VB_E_INVAL, NULL, 1), 0);
}

/* ---- the registry ---- */

static void only_complete_tables_can_be_registered_and_a_name_once(void **state)
{
    (void)state;
    static struct vb_ops broken, second;
    assert_int_equal(vb_register_backend(NULL), VB_E_INVAL);
    broken = fake_ops;
    broken.name = NULL;
    assert_int_equal(vb_register_backend(&broken), VB_E_INVAL);
    broken.name = "";
    assert_int_equal(vb_register_backend(&broken), VB_E_INVAL);
    broken.name = "a+b";
    assert_int_equal(vb_register_backend(&broken), VB_E_INVAL);
    broken.name = "broken";
    broken.open = NULL;
    assert_int_equal(vb_register_backend(&broken), VB_E_INVAL);
    broken.open = fake_ops.open;
    broken.close = NULL;
    assert_int_equal(vb_register_backend(&broken), VB_E_INVAL);
    assert_int_equal(vb_register_backend(&fake_ops), VB_OK); /* again: harmless */
    second = fake_ops;
    assert_int_equal(vb_register_backend(&second), VB_E_BUSY);
}

static void the_names_of_the_compiled_in_backends_end_with_null(void **state)
{
    (void)state;
    const char *const *names = vb_backend_names();
    unsigned count = 0;
    assert_non_null(names);
    while (names[count]) {
        assert_true(names[count][0] != 0);
        assert_string_not_equal(names[count], "fake");
        assert_true(++count < 10);
    }
}

static void bad_backend_texts_are_refused_with_a_readable_reason(void **state)
{
    (void)state;
    static char longer_than_any[2000];
    memset(longer_than_any, 'x', sizeof longer_than_any - 1);
    static const struct {
        const char *spec, *reason;
    } cases[] = {
        {"", "does not begin with the name"},
        {"+trace", "does not begin with the name"},
        {"no-such", "There is no backend \"no-such\" in this build; known backends:"},
        {"Fake", "no backend \"Fake\""},
        {"fake ", "no backend \"fake \""},
        {"fake=1", "no backend \"fake=1\""},
        {"fake+", "There is no hook \"\"; known hooks: trace, fault."},
        {"fake+tracer", "no hook \"tracer\""},
        {"fake+trace+", "no hook \"\""},
        {"fake+=x", "no hook \"\""},
        {"fake+trace+fault+trace", "\"trace\" is named twice"},
        {"fake+trace=/no/such/directory/file", "cannot write to \"/no/such/directory/file\""},
        {"fake+fault=nonsense", "not of the form OP:N:ACTION"},
        {"fake+trace+fault=post_send:1:explode", "unknown action \"explode\""},
        {longer_than_any, "longer than"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vb_backend *be = (struct vb_backend *)&buffer;
        char why[256] = "unset";
        assert_int_equal(vb_open(cases[i].spec, &be, why, sizeof why), VB_E_INVAL);
        if (!strstr(why, cases[i].reason))
            fail_msg("\"%s\" gave \"%s\"", cases[i].spec, why);
        assert_ptr_equal(be, &buffer);
        assert_int_equal(vb_open(cases[i].spec, &be, why, 5), VB_E_INVAL);
        assert_true(strlen(why) < 5);
        assert_int_equal(vb_open(cases[i].spec, &be, NULL, 0), VB_E_INVAL);
    }
    struct vb_backend *be;
    assert_int_equal(vb_open(NULL, &be, NULL, 0), VB_E_INVAL);
    assert_int_equal(vb_open("fake", NULL, NULL, 0), VB_E_INVAL);
}

static void a_backend_that_does_not_open_says_why_even_if_it_gave_no_reason(void **state)
{
    (void)state;
    struct vb_backend *be;
    char why[256];
    fake.next_status = VB_E_NODEV;
    assert_int_equal(vb_open("fake+fault", &be, why, sizeof why), VB_E_NODEV);
    assert_non_null(strstr(why, vb_status_text(VB_E_NODEV)));
    assert_non_null(strstr(why, "fake"));
}

static void hooks_do_not_change_the_name_of_the_backend(void **state)
{
    (void)state;
    struct stack s;
    build(&s, "fake+fault+trace=/dev/null");
    assert_string_equal(vb_name(s.be), "fake");
    tear_down(&s);
    build(&s, "fake+trace=/dev/null+fault=");
    assert_string_equal(vb_name(s.be), "fake");
    tear_down(&s);
}

/* Last of its group: the table stays full. */
static void a_full_table_refuses_more_backends(void **state)
{
    (void)state;
    static struct vb_ops many[64];
    static char names[64][8];
    vb_status_t st = VB_OK;
    int i = 0;
    for (; i < 64 && st == VB_OK; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        many[i] = fake_ops;
        many[i].name = names[i];
        st = vb_register_backend(&many[i]);
    }
    assert_int_equal(st, VB_E_NOMEM);
    assert_true(i > 4);
    struct vb_backend *be = open_ok("n0");
    vb_close(be);
}

int main(void)
{
    const struct CMUnitTest calls[] = {
        cmocka_unit_test_setup_teardown(every_call_reaches_its_operation_with_its_object, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_arguments_are_refused_before_the_backend_sees_them, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            memory_up_to_the_very_end_of_the_address_space_is_for_the_backend_to_judge, setup, teardown),
        cmocka_unit_test_setup_teardown(destroying_nothing_is_harmless, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_call_leaves_its_out_parameter_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_post_that_failed_names_the_first_request_that_was_not_posted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_connection_of_a_request_can_be_used_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(objects_of_two_backends_do_not_mix, setup, teardown),
        cmocka_unit_test_setup_teardown(operations_that_a_backend_lacks_say_not_supported, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_are_printable_bounded_and_terminated_whatever_the_backend_says,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_backend_without_texts_has_nothing_to_tell, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_with_a_local_address_is_said_with_what_to_do, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(only_complete_tables_can_be_registered_and_a_name_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_names_of_the_compiled_in_backends_end_with_null, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_backend_texts_are_refused_with_a_readable_reason, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_backend_that_does_not_open_says_why_even_if_it_gave_no_reason,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(hooks_do_not_change_the_name_of_the_backend, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_table_refuses_more_backends, setup, teardown),
    };
    const struct CMUnitTest texts[] = {
        cmocka_unit_test(quoted_bytes_are_printable_and_can_be_told_from_their_surroundings),
        cmocka_unit_test(a_quotation_that_does_not_fit_is_cut_and_says_so),
    };
    if (vb_register_backend(&fake_ops) != VB_OK || vb_register_backend(&fake_bare_ops) != VB_OK)
        return 1;
    int failed = cmocka_run_group_tests_name("vb_core: calls and registry", calls, NULL, NULL);
    return failed + cmocka_run_group_tests_name("vb_core: texts", texts, NULL, NULL);
}
