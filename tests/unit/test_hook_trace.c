/* test_hook_trace.c - owns the tests of the trace hook: one line for each operation, and what it must not say. */
#include <errno.h>
#include <unistd.h>

#include "hooks_kit.h"

static char trace_path[] = "/tmp/openwsd-trace-XXXXXX";

static int setup_trace(void **state)
{
    (void)state;
    fake_reset();
    vb_fault_clear();
    strcpy(trace_path + strlen(trace_path) - 6, "XXXXXX");
    int fd = mkstemp(trace_path);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int teardown_trace(void **state)
{
    (void)state;
    unlink(trace_path);
    vb_fault_clear();
    return fake.objects_alive == 0 ? 0 : -1;
}

/* The n-th line (from 0) that has `op`, without the parts that change; NULL when there is none. */
static const char *traced(const char *op, int n, char out[700])
{
    char wanted[64], line[700];
    FILE *f = fopen(trace_path, "r");
    assert_non_null(f);
    snprintf(wanted, sizeof wanted, " op=%s ", op);
    const char *found = NULL;
    while (!found && fgets(line, sizeof line, f)) {
        char *at = strstr(line, wanted);
        if (!at || n-- > 0)
            continue;
        assert_int_equal(strncmp(line, "vb t=", 5), 0);
        assert_non_null(strstr(line, " thr="));
        char *us = strstr(line, " us=");
        assert_non_null(us);
        assert_int_equal(us[strlen(us) - 1], '\n');
        *us = 0;
        strcpy(out, at + 1);
        found = out;
    }
    fclose(f);
    return found;
}

static void build_traced(struct stack *s, const char *rest)
{
    char spec[200];
    snprintf(spec, sizeof spec, "fake+trace=%s%s", trace_path, rest);
    assert_int_equal(try_build(s, spec), VB_OK);
}

static void trace_writes_one_line_per_operation_with_object_numbers(void **state)
{
    (void)state;
    struct stack s;
    char line[700];
    static char memory[64];
    struct vb_mr *mr;
    struct vb_mw *mw;
    build_traced(&s, "");
    assert_string_equal(traced("open", 0, line), "op=open backend=fake status=VB_OK");
    assert_string_equal(traced("dev_open", 0, line), "op=dev_open local=192.0.2.1 dev=1 status=VB_OK");
    assert_string_equal(traced("pd_create", 0, line), "op=pd_create dev=1 pd=1 status=VB_OK");
    assert_string_equal(traced("cq_create", 0, line), "op=cq_create dev=1 depth=64 cq=1 status=VB_OK");
    assert_string_equal(traced("conn_bind_qp", 0, line), "op=conn_bind_qp conn=1 qp=1 status=VB_OK");

    assert_int_equal(vb_mr_reg(s.pd, memory, 64, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_WINDOW, &mr), VB_OK);
    assert_int_equal(vb_mw_alloc(s.pd, &mw), VB_OK);
    char wanted[200];
    snprintf(wanted, sizeof wanted, "op=mr_reg pd=1 addr=%p bytes=64 access=LB mr=1 status=VB_OK",
             (void *)memory);
    assert_string_equal(traced("mr_reg", 0, line), wanted);

    struct vb_sge sge[2] = {{.bytes = 10}, {.bytes = 20}};
    struct vb_send_wr invalidate = {.id = 3, .op = VB_WR_INVALIDATE, .u.invalidate = mw};
    struct vb_send_wr bind = {
        .next = &invalidate,
        .id = 2,
        .op = VB_WR_BIND,
        .flags = VB_WR_SIGNALED,
        .u.bind = {.mw = mw, .mr = mr, .addr = 0x1000, .bytes = 8, .access = VB_ACCESS_REMOTE_READ}};
    struct vb_send_wr read = {.next = &bind,
                              .id = 1,
                              .op = VB_WR_READ,
                              .flags = VB_WR_FENCE,
                              .sge = sge,
                              .sge_count = 2,
                              .u.rdma = {.remote_addr = 0xabc, .rkey = 0x77}};
    fake.next_status = VB_E_AGAIN;
    assert_int_equal(vb_post_send(s.qp, &read, NULL), VB_E_AGAIN);
    assert_string_equal(traced("post_send", 0, line),
                        "op=post_send qp=1 [READ id=0x1 raddr=0xabc rkey=0x77 bytes=30 sge=2 flags=F]"
                        " [BIND id=0x2 mw=1 mr=1 addr=0x1000 bytes=8 access=R flags=S]"
                        " [INVALIDATE id=0x3 mw=1 flags=] bad=0x1 status=VB_E_AGAIN");
    vb_mw_free(mw);
    vb_mr_dereg(mr);
    assert_string_equal(traced("mr_dereg", 0, line), "op=mr_dereg mr=1");
    assert_int_equal(vb_mr_reg(s.pd, memory, 64, 0, &mr), VB_OK);
    assert_non_null(strstr(traced("mr_reg", 1, line), " mr=2 ")); /* numbers are not used again */
    vb_mr_dereg(mr);
    tear_down(&s);
    assert_non_null(traced("close", 0, line) ? line : NULL);
}

static void trace_tells_why_an_attempt_failed_and_who_was_turned_away(void **state)
{
    (void)state;
    struct stack s;
    struct vb_cm_event ev;
    struct vb_listener *l;
    struct vb_addr at = addr("192.0.2.1:7000");
    char line[700];
    build_traced(&s, "+fault");
    assert_int_equal(vb_listen(s.cm, &at, 1, NULL, &l), VB_OK);
    strcpy(fake.text, "it sent \"x\"\n");
    fake_event(s.cm, VB_CM_FAILED, s.conn, NULL);
    assert_int_equal(vb_cm_poll(s.cm, &ev), VB_OK);
    assert_non_null(strstr(traced("cm_poll", 0, line), " why=[it sent \"x\"?] status=VB_OK"));
    fake_event(s.cm, VB_CM_DISCONNECTED, s.conn, NULL);
    assert_int_equal(vb_cm_poll(s.cm, &ev), VB_OK);
    assert_null(strstr(traced("cm_poll", 1, line), "why="));
    vb_listener_destroy(l);
    tear_down(&s);
    assert_string_equal(traced("listener_destroy", 0, line),
                        "op=listener_destroy listener=1 turned_away=[it sent \"x\"?]");
}

static void trace_leaves_no_line_for_polls_that_found_nothing(void **state)
{
    (void)state;
    struct stack s;
    char line[700];
    struct vb_wc wc[4];
    struct vb_cm_event ev;
    struct vb_async_event async;
    build_traced(&s, "");
    assert_int_equal(vb_cq_poll(s.cq, wc, 4), 0);
    assert_int_equal(vb_cm_poll(s.cm, &ev), VB_E_AGAIN);
    assert_int_equal(vb_async_poll(s.be, &async), VB_E_AGAIN);
    assert_int_equal(vb_cq_ack(s.cq), 0);
    assert_null(traced("cq_poll", 0, line));
    assert_null(traced("cm_poll", 0, line));
    assert_null(traced("async_poll", 0, line));
    assert_null(traced("cq_ack", 0, line));

    fake_complete(s.cq, 0x99);
    assert_int_equal(vb_cq_poll(s.cq, wc, 4), 1);
    assert_string_equal(traced("cq_poll", 0, line), "op=cq_poll cq=1 n=1 [id=0x99 VB_OK SEND]");
    fake_event(s.cm, VB_CM_REQUEST, NULL, NULL);
    assert_int_equal(vb_cm_poll(s.cm, &ev), VB_OK);
    assert_string_equal(traced("cm_poll", 0, line),
                        "op=cm_poll cm=1 event=REQUEST conn=2 cause=VB_OK data_bytes=0 "
                        "read_in=0 read_out=0 status=VB_OK");
    vb_conn_destroy(ev.conn);
    tear_down(&s);
}

static void trace_outside_of_fault_sees_the_faults_and_inside_it_does_not(void **state)
{
    (void)state;
    struct stack s;
    char line[700], spec[200];
    struct vb_send_wr wr = {.id = 1};
    build_traced(&s, "+fault");
    plan("post_send:1:fail");
    assert_int_equal(vb_post_send(s.qp, &wr, NULL), VB_E_NOMEM);
    assert_null(traced("post_send", 0, line)); /* never got that far down */
    tear_down(&s);

    vb_fault_clear();
    snprintf(spec, sizeof spec, "fake+fault+trace=%s", trace_path);
    assert_int_equal(try_build(&s, spec), VB_OK);
    plan("post_send:1:fail");
    assert_int_equal(vb_post_send(s.qp, &wr, NULL), VB_E_NOMEM);
    assert_non_null(strstr(traced("post_send", 0, line), "status=VB_E_NOMEM"));
    tear_down(&s);
}

static void a_request_that_fault_refuses_passes_through_a_trace_below(void **state)
{
    (void)state;
    struct stack s;
    char line[700];
    struct vb_cm_event ev;
    build_traced(&s, "+fault");
    plan("cm_poll:1:late=100000");
    fake_event(s.cm, VB_CM_REQUEST, NULL, NULL);
    assert_int_equal(vb_cm_poll(s.cm, &ev), VB_E_AGAIN);
    tear_down(&s);
    assert_string_equal(traced("conn_reject", 0, line), "op=conn_reject conn=2 data_bytes=0 status=VB_OK");
}

static void a_trace_line_that_is_too_long_is_cut_but_stays_one_line(void **state)
{
    (void)state;
    struct stack s;
    char line[700];
    struct vb_recv_wr wr[64];
    build_traced(&s, "");
    for (int i = 0; i < 64; i++)
        wr[i] = (struct vb_recv_wr){.next = i < 63 ? &wr[i + 1] : NULL, .id = UINT64_MAX};
    assert_int_equal(vb_post_recv(s.qp, &wr[0], NULL), VB_OK);
    assert_non_null(strstr(traced("post_recv", 0, line), "status=VB_OK"));
    tear_down(&s);
}

static void trace_keeps_errno(void **state)
{
    (void)state;
    struct stack s;
    build_traced(&s, "");
    errno = 4711;
    vb_qp_stop(s.qp);
    assert_int_equal(errno, 4711);
    tear_down(&s);
}

int main(void)
{
#define WITH_TRACE(test) cmocka_unit_test_setup_teardown(test, setup_trace, teardown_trace)
    const struct CMUnitTest trace[] = {
        WITH_TRACE(trace_writes_one_line_per_operation_with_object_numbers),
        WITH_TRACE(trace_tells_why_an_attempt_failed_and_who_was_turned_away),
        WITH_TRACE(trace_leaves_no_line_for_polls_that_found_nothing),
        WITH_TRACE(trace_outside_of_fault_sees_the_faults_and_inside_it_does_not),
        WITH_TRACE(a_request_that_fault_refuses_passes_through_a_trace_below),
        WITH_TRACE(a_trace_line_that_is_too_long_is_cut_but_stays_one_line),
        WITH_TRACE(trace_keeps_errno),
    };
    if (vb_register_backend(&fake_ops) != VB_OK)
        return 1;
    return cmocka_run_group_tests_name("hook trace", trace, NULL, NULL);
}
