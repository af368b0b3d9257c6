/* conf_basic.c - opening, addresses, capabilities, registration, completion queues without connections. */
#include "conf.h"

#include <sys/mman.h> /* memory that is mapped read-only or not at all */

static void opening_an_unknown_backend_fails_with_a_sentence(void **state)
{
    (void)state;
    struct vb_backend *be = NULL;
    char why[200] = "";
    assert_int_equal(vb_open("no-such-backend", &be, why, sizeof why), VB_E_INVAL);
    assert_true(strlen(why) > 10);
    assert_null(be);
}

static void opening_twice_gives_two_backends_that_live_apart(void **state)
{
    (void)state;
    struct vb_backend *be = NULL;
    struct vb_dev *dev = NULL;
    char why[200] = "";
    assert_ok(vb_open(g.spec, &be, why, sizeof why));
    assert_ok(vb_dev_open(be, &g.addr, &dev));
    vb_dev_close(dev);
    vb_close(be);
}

static bool is_loopback(const struct vb_addr *a)
{
    static const uint8_t six[16] = {[15] = 1};
    return a->family == VB_AF_IPV4 ? a->ip[0] == 127 : memcmp(a->ip, six, sizeof six) == 0;
}

/* A backend that needs no network lists loopback only when it was told to, or when there is nothing else. */
static void address_list_contains_the_address_under_test_and_no_loopback(void **state)
{
    (void)state;
    struct vb_addr list[64];
    uint32_t count = 64;
    bool found = false;
    assert_ok(vb_addr_list(g.be, list, &count));
    for (uint32_t i = 0; i < count; i++) {
        char text[VB_ADDR_TEXT_BYTES];
        print_message("           address %s\n", vb_addr_text(&list[i], text));
        found |= vb_addr_same_ip(&list[i], &g.addr);
        assert_int_equal(list[i].port, 0);
        assert_false(vb_addr_is_any(&list[i]));
        assert_true(g.serves_loopback || !is_loopback(&list[i]));
        for (uint32_t j = 0; j < i; j++)
            assert_false(vb_addr_same_ip(&list[i], &list[j]));
    }
    assert_true(found);
}

static void address_list_without_room_says_how_many_there_are(void **state)
{
    (void)state;
    struct vb_addr list[64];
    uint32_t all = 64, none = 0;
    assert_ok(vb_addr_list(g.be, list, &all));
    assert_int_equal(vb_addr_list(g.be, NULL, &none), VB_E_AGAIN);
    assert_int_equal(none, all);
}

static void every_listed_address_opens_a_device_that_owns_it(void **state)
{
    (void)state;
    struct vb_addr list[64];
    uint32_t count = 64;
    assert_ok(vb_addr_list(g.be, list, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct vb_dev *dev = NULL;
        assert_ok(vb_dev_open(g.be, &list[i], &dev));
        assert_true(vb_dev_owns(dev, &list[i]));
        vb_dev_close(dev);
    }
}

static void an_address_of_another_host_or_of_loopback_opens_no_device(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.1",   "127.0.0.1", "127.1.2.3", "::1",
                                        "2001:db8::1", "0.0.0.0",   "::"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct vb_addr a;
        struct vb_dev *dev = NULL;
        assert_true(vb_addr_parse(texts[i], &a));
        if (g.serves_loopback && is_loopback(&a))
            continue;
        assert_int_equal(vb_dev_open(g.be, &a, &dev), VB_E_ADDRNOTAVAIL);
        assert_null(dev);
        assert_false(vb_dev_owns(g.dev, &a));
    }
}

static void route_to_the_own_address_starts_at_that_address(void **state)
{
    (void)state;
    struct vb_addr to = g.addr, from;
    to.port = 4711;
    assert_ok(vb_route(g.be, &to, &from));
    assert_true(vb_addr_same_ip(&from, &g.addr));
    assert_int_equal(from.port, 0);
}

static void route_to_loopback_does_not_use_rdma(void **state)
{
    (void)state;
    struct vb_addr to, from, list[64];
    uint32_t count = 64;
    bool is_listed = false;
    assert_true(vb_addr_parse("127.0.0.1:80", &to));
    vb_status_t st = vb_route(g.be, &to, &from);
    assert_ok(vb_addr_list(g.be, list, &count));
    for (uint32_t i = 0; i < count; i++)
        is_listed |= is_loopback(&list[i]);
    if (is_listed) {
        assert_ok(st);
        assert_true(is_loopback(&from));
        return;
    }
    assert_true(st == VB_E_ADDRNOTAVAIL || st == VB_E_UNREACH);
}

static void capabilities_make_sense(void **state)
{
    (void)state;
    const struct vb_caps *c = &g.caps;
    print_message(
        "           %s %s flags 0x%x wr %u sge %u cqe %u inline %u msg %u read %u/%u data %u/%u/%u mtu %u\n",
        c->device, c->transport, c->flags, c->max_qp_wr, c->max_sge, c->max_cqe, c->max_inline_bytes,
        c->max_msg_bytes, c->max_read_in, c->max_read_out, c->max_request_data, c->max_reply_data,
        c->max_reject_data, c->mtu_bytes);
    assert_true(c->device[0] != '\0' && c->transport[0] != '\0');
    assert_true(c->max_qp_wr >= 64 && c->max_sge >= 2 && c->max_cqe >= 128);
    assert_true(c->max_msg_bytes >= 1u << 20 && c->max_mr_bytes >= 1u << 20);
    assert_true(c->max_request_data >= 56 && c->max_reply_data >= 56 && c->max_reject_data >= 56);
    assert_true(c->max_request_data <= VB_PRIVATE_DATA_MAX && c->max_reply_data <= VB_PRIVATE_DATA_MAX &&
                c->max_reject_data <= VB_PRIVATE_DATA_MAX);
    if (c->flags & VB_CAP_RDMA_READ)
        assert_true(c->max_read_in > 0 && c->max_read_out > 0);
}

static void the_same_device_opened_twice_stays_open_until_both_are_closed(void **state)
{
    (void)state;
    struct vb_dev *one = NULL, *two = NULL;
    struct vb_pd *pd = NULL;
    assert_ok(vb_dev_open(g.be, &g.addr, &one));
    assert_ok(vb_dev_open(g.be, &g.addr, &two));
    vb_dev_close(one);
    assert_ok(vb_pd_create(two, &pd));
    vb_pd_destroy(pd);
    vb_dev_close(two);
}

static void without_events_the_asynchronous_source_is_silent(void **state)
{
    (void)state;
    struct vb_async_event ev;
    while (vb_async_poll(g.be, &ev) == VB_OK) {
    }
    assert_int_not_equal(vb_async_waitable(g.be), PAL_WAITABLE_NONE);
    assert_int_equal(vb_async_poll(g.be, &ev), VB_E_AGAIN);
}

/* ---- registration ---- */

static void registration_refuses_what_makes_no_sense(void **state)
{
    (void)state;
    struct vb_pd *pd = NULL;
    struct vb_mr *mr = NULL;
    const size_t page = pal_page_size();
    char *mem = pal_pages_alloc(page);
    assert_ok(vb_pd_create(g.dev, &pd));
    assert_int_equal(vb_mr_reg(pd, mem, 0, VB_ACCESS_LOCAL_WRITE, &mr), VB_E_INVAL);
    assert_int_equal(vb_mr_reg(pd, mem, SIZE_MAX, VB_ACCESS_LOCAL_WRITE, &mr), VB_E_INVAL);
    assert_int_equal(vb_mr_reg(pd, mem, page, 1u << 30, &mr), VB_E_INVAL);
    assert_int_equal(vb_mr_reg(pd, mem, page, VB_ACCESS_REMOTE_WRITE, &mr), VB_E_INVAL);
    if (!(g.caps.flags & VB_CAP_MW_TYPE2))
        assert_int_equal(vb_mr_reg(pd, mem, page, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_WINDOW, &mr), VB_E_INVAL);
    assert_null(mr);
    vb_pd_destroy(pd);
    pal_pages_free(mem, page);
}

static void registration_of_memory_that_is_not_mapped_is_a_fault(void **state)
{
    (void)state;
    struct vb_pd *pd = NULL;
    struct vb_mr *mr = NULL;
    const size_t page = pal_page_size();
    char *mem = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(mem, MAP_FAILED);
    assert_int_equal(munmap(mem + 2 * page, 2 * page), 0);
    assert_ok(vb_pd_create(g.dev, &pd));
    assert_int_equal(vb_mr_reg(pd, mem + 2 * page, page, VB_ACCESS_LOCAL_WRITE, &mr), VB_E_FAULT);
    assert_int_equal(vb_mr_reg(pd, mem + page, 2 * page, VB_ACCESS_LOCAL_WRITE, &mr), VB_E_FAULT);
    assert_int_equal(vb_mr_reg(pd, mem + 2 * page, page, 0, &mr), VB_E_FAULT);
    assert_null(mr);
    assert_ok(vb_mr_reg(pd, mem, 2 * page, VB_ACCESS_LOCAL_WRITE, &mr));
    vb_mr_dereg(mr);
    vb_pd_destroy(pd);
    assert_int_equal(munmap(mem, 2 * page), 0);
}

static void read_only_memory_registers_for_reading_and_faults_for_writing(void **state)
{
    (void)state;
    struct vb_pd *pd = NULL;
    struct vb_mr *mr = NULL;
    const size_t page = pal_page_size();
    char *mem = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(mem, MAP_FAILED);
    assert_ok(vb_pd_create(g.dev, &pd));
    assert_int_equal(vb_mr_reg(pd, mem, page, VB_ACCESS_LOCAL_WRITE, &mr), VB_E_FAULT);
    assert_int_equal(vb_mr_reg(pd, mem, page, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_WRITE, &mr),
                     VB_E_FAULT);
    assert_null(mr);
    assert_ok(vb_mr_reg(pd, mem, page, VB_ACCESS_REMOTE_READ, &mr));
    vb_mr_dereg(mr);
    vb_pd_destroy(pd);
    assert_int_equal(munmap(mem, page), 0);
}

static void registrations_of_any_size_and_offset_have_keys_of_their_own(void **state)
{
    (void)state;
    enum { COUNT = 32 };
    static char mem[COUNT * 4099];
    struct vb_pd *pd = NULL;
    struct vb_mr *mr[COUNT];
    assert_ok(vb_pd_create(g.dev, &pd));
    for (unsigned i = 0; i < COUNT; i++) {
        assert_ok(
            vb_mr_reg(pd, mem + i * 3, 1 + i * 4096, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ, &mr[i]));
        for (unsigned j = 0; j < i; j++) {
            assert_int_not_equal(vb_mr_lkey(mr[i]), vb_mr_lkey(mr[j]));
            assert_int_not_equal(vb_mr_rkey(mr[i]), vb_mr_rkey(mr[j]));
        }
    }
    for (unsigned i = 0; i < COUNT; i++)
        vb_mr_dereg(mr[i]);
    vb_pd_destroy(pd);
}

/* ---- queues ---- */

static void queues_beyond_the_capabilities_are_refused(void **state)
{
    (void)state;
    struct vb_pd *pd = NULL;
    struct vb_cq *cq = NULL;
    struct vb_qp *qp = NULL;
    const struct vb_qp_caps good = {.send_wr = 16, .recv_wr = 16, .send_sge = 1, .recv_sge = 1};
    struct vb_qp_caps caps;
    assert_ok(vb_pd_create(g.dev, &pd));
    assert_int_equal(vb_cq_create(g.dev, 0, &cq), VB_E_INVAL);
    if (g.caps.max_cqe < UINT32_MAX)
        assert_int_equal(vb_cq_create(g.dev, g.caps.max_cqe + 1, &cq), VB_E_INVAL);
    assert_null(cq);
    assert_ok(vb_cq_create(g.dev, 64, &cq));
    caps = good, caps.send_wr = g.caps.max_qp_wr + 1;
    assert_int_equal(vb_qp_create(pd, cq, cq, &caps, NULL, &qp), VB_E_INVAL);
    caps = good, caps.recv_wr = g.caps.max_qp_wr + 1;
    assert_int_equal(vb_qp_create(pd, cq, cq, &caps, NULL, &qp), VB_E_INVAL);
    caps = good, caps.send_sge = g.caps.max_sge + 1;
    assert_int_equal(vb_qp_create(pd, cq, cq, &caps, NULL, &qp), VB_E_INVAL);
    assert_null(qp);
    vb_cq_destroy(cq);
    vb_pd_destroy(pd);
}

static void a_qp_grants_at_least_what_was_asked_and_less_inline_at_most(void **state)
{
    (void)state;
    struct vb_pd *pd = NULL;
    struct vb_cq *cq = NULL;
    struct vb_qp *qp = NULL;
    struct vb_qp_caps caps = {.send_wr = 33,
                              .recv_wr = 17,
                              .send_sge = g.caps.max_sge,
                              .recv_sge = g.caps.max_sge,
                              .inline_bytes = 1u << 20};
    assert_ok(vb_pd_create(g.dev, &pd));
    assert_ok(vb_cq_create(g.dev, 64, &cq));
    assert_ok(vb_qp_create(pd, cq, cq, &caps, NULL, &qp));
    assert_true(caps.send_wr >= 33 && caps.recv_wr >= 17);
    assert_true(caps.send_sge >= g.caps.max_sge && caps.recv_sge >= g.caps.max_sge);
    assert_true(caps.inline_bytes < 1u << 20);
    print_message("           asked 33/17 sge %u, granted %u/%u sge %u/%u inline %u\n", g.caps.max_sge,
                  caps.send_wr, caps.recv_wr, caps.send_sge, caps.recv_sge, caps.inline_bytes);
    vb_qp_destroy(qp);
    vb_cq_destroy(cq);
    vb_pd_destroy(pd);
}

static void qps_alive_at_the_same_time_have_different_numbers(void **state)
{
    (void)state;
    enum { COUNT = 16 };
    struct vb_pd *pd = NULL;
    struct vb_cq *cq = NULL;
    struct vb_qp *qp[COUNT];
    assert_ok(vb_pd_create(g.dev, &pd));
    assert_ok(vb_cq_create(g.dev, 64, &cq));
    for (unsigned i = 0; i < COUNT; i++) {
        struct vb_qp_caps caps = {.send_wr = 4, .recv_wr = 4, .send_sge = 1, .recv_sge = 1};
        assert_ok(vb_qp_create(pd, cq, cq, &caps, NULL, &qp[i]));
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(vb_qp_number(qp[i]), vb_qp_number(qp[j]));
    }
    for (unsigned i = 0; i < COUNT; i++)
        vb_qp_destroy(qp[i]);
    vb_cq_destroy(cq);
    vb_pd_destroy(pd);
}

static void an_unconnected_qp_takes_no_requests_and_can_be_stopped(void **state)
{
    struct conf_pair *p = *state;
    const struct vb_qp_caps want = {.send_wr = 8, .recv_wr = 8, .send_sge = 1, .recv_sge = 1};
    conf_end_open(&p->a, &want, 4096, NULL);
    assert_int_equal(conf_send(&p->a, 1, 0, 8, VB_WR_SIGNALED), VB_E_STATE);
    assert_int_equal(conf_recv(&p->a, 1, 0, 8), VB_E_STATE);
    vb_qp_stop(p->a.qp);
    vb_qp_stop(p->a.qp);
    conf_quiet(&p->a, CONF_SEND);
    conf_quiet(&p->a, CONF_RECV);
}

static void an_empty_queue_has_nothing_and_its_waitable_is_not_ready(void **state)
{
    (void)state;
    struct vb_cq *cq = NULL;
    struct vb_wc wc;
    assert_ok(vb_cq_create(g.dev, 16, &cq));
    const pal_waitable w = vb_cq_waitable(cq);
    assert_int_equal(vb_cq_poll(cq, &wc, 1), 0);
    assert_ok(vb_cq_arm(cq));
    assert_ok(vb_cq_arm(cq));
    assert_int_equal(pal_wait(&w, 1, CONF_QUIET_MS), 0);
    assert_int_equal(vb_cq_ack(cq), 0);
    vb_cq_destroy(cq);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(opening_an_unknown_backend_fails_with_a_sentence),
    cmocka_unit_test(opening_twice_gives_two_backends_that_live_apart),
    cmocka_unit_test(address_list_contains_the_address_under_test_and_no_loopback),
    cmocka_unit_test(address_list_without_room_says_how_many_there_are),
    cmocka_unit_test(every_listed_address_opens_a_device_that_owns_it),
    cmocka_unit_test(an_address_of_another_host_or_of_loopback_opens_no_device),
    cmocka_unit_test(route_to_the_own_address_starts_at_that_address),
    cmocka_unit_test(route_to_loopback_does_not_use_rdma),
    cmocka_unit_test(capabilities_make_sense),
    cmocka_unit_test(the_same_device_opened_twice_stays_open_until_both_are_closed),
    cmocka_unit_test(without_events_the_asynchronous_source_is_silent),
    cmocka_unit_test(registration_refuses_what_makes_no_sense),
    cmocka_unit_test(registration_of_memory_that_is_not_mapped_is_a_fault),
    cmocka_unit_test(read_only_memory_registers_for_reading_and_faults_for_writing),
    cmocka_unit_test(registrations_of_any_size_and_offset_have_keys_of_their_own),
    cmocka_unit_test(queues_beyond_the_capabilities_are_refused),
    cmocka_unit_test(a_qp_grants_at_least_what_was_asked_and_less_inline_at_most),
    cmocka_unit_test(qps_alive_at_the_same_time_have_different_numbers),
    CONF_TEST_BARE(an_unconnected_qp_takes_no_requests_and_can_be_stopped),
    cmocka_unit_test(an_empty_queue_has_nothing_and_its_waitable_is_not_ready),
};
const struct conf_group conf_group_basic = {tests, sizeof tests / sizeof *tests};
