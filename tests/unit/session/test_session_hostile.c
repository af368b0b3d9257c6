/* test_session_hostile.c - what a hostile or broken switch may say. Each breach ends that connection with
 * WSAECONNABORTED, is counted and reported once with the rule that was broken, and touches nothing else: what waits ends, and
 * no memory of the application is written.
 * Source: PROTOCOL.md 11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pair.h"

static struct pair p;
static struct pair_op ops[8];
static uint8_t in[4096], out[4096];

static void failed(const char *what)
{
    fail_msg("%s", what);
}

static void open_pair(bool can_read)
{
    struct sw_session_config c[2];

    memset(&p, 0, sizeof(p));
    memset(ops, 0, sizeof(ops));
    memset(in, 0xCC, sizeof(in));
    p.failed = failed;
    pair_settings(&c[0]);
    pair_settings(&c[1]);
    c[0].has_rdma_read = c[1].has_rdma_read = can_read;
    pair_open(&p, &c[0], &c[1]);
    pair_start(&p);
}

/* `m` as if the connector had sent it as message number `sequence`. */
static void say(const struct sw_wire_message *m, const char *payload)
{
    uint8_t bytes[256];
    size_t n = sw_wire_encode(m, bytes);

    memcpy(bytes + n, payload, m->payload_bytes);
    pair_forge(&p, 0, bytes, (uint32_t)n + m->payload_bytes);
    assert_true(pair_arrive(&p, 1));
}

static void expect_end(const char *rule)
{
    struct sw_session_stats s;
    uint8_t one = 0;

    if (p.side[1].report == NULL)
        fail_msg("nobody noticed: %s", rule);
    assert_string_equal(p.side[1].report, rule);
    assert_true(p.side[1].is_closed);
    assert_int_equal(p.side[1].close_error, WSAECONNABORTED);
    pair_forge(&p, 0, &one, 1); /* more of the same makes no difference */
    (void)pair_arrive(&p, 1);
    sw_session_stats(p.side[1].s, &s);
    assert_int_equal(p.side[1].reports, 1);
    assert_int_equal(s.violations, 1);
    for (unsigned i = 0; i < 8; i++) {
        assert_false(ops[i].is_pending);
        if (ops[i].is_done && ops[i].op.total != ops[i].op.bytes && ops[i].op.bytes == 0)
            assert_int_equal(ops[i].op.error, WSAECONNABORTED);
    }
    assert_int_equal(p.side[1].registered, 0);
}

static const uint8_t descriptor[8] = {1, 0, 0, 0, 99};

#define HONEST .limit = 1024
#define LARGE                                                                                                \
    .type = SW_WIRE_LARGE_PULL, HONEST, .amount = 1000, .descriptor_bytes = 8, .descriptor = descriptor

/* One message each, to a side that has just opened and has a receive waiting. */
static void messages_that_cannot_be_end_the_connection(void **state)
{
    static const struct {
        const char *rule;
        struct sw_wire_message m;
    } wrong[] = {
        {"a message out of sequence", {.type = SW_WIRE_CREDIT, HONEST, .sequence = 1}},
        {"a message out of sequence", {.type = SW_WIRE_CREDIT, HONEST, .sequence = UINT32_MAX}},
        {"credits from nowhere",
         {.type = SW_WIRE_CREDIT, HONEST, .credits = 2}}, /* one, for REPLY, is owed */
        {"credits from nowhere", {.type = SW_WIRE_CREDIT, HONEST, .credits = 65535}},
        {"a limit that goes back", {.type = SW_WIRE_CREDIT, .limit = 1023}},
        {"a limit beyond what was sent", {.type = SW_WIRE_CREDIT, .limit = 1025}},
        {"a limit beyond what was sent", {.type = SW_WIRE_CREDIT, .limit = UINT64_MAX}},
        {"a position that does not follow",
         {.type = SW_WIRE_DATA, HONEST, .position = 1, .payload_bytes = 1}},
        {"a position that does not follow", {.type = SW_WIRE_SHUT, HONEST, .position = 5}},
        {"CLOSE beyond the stream", {.type = SW_WIRE_CLOSE, HONEST, .position = UINT64_MAX}},
        {"SINK for no transfer of ours",
         {.type = SW_WIRE_SINK, HONEST, .amount = 9, .descriptor_bytes = 8, .descriptor = descriptor}},
        {"DONE for no transfer of ours", {.type = SW_WIRE_DONE, HONEST, .amount = 9}},
        {"DONE for no SINK of ours", {.type = SW_WIRE_DONE, HONEST, .amount = 9, .flags = SW_WIRE_WRITTEN}},
        {"a transfer out of turn", {LARGE, .transfer = 7}},
        {"a transfer of a kind that was not offered", {.type = SW_WIRE_LARGE_PUSH, HONEST, .amount = 5}},
        {"a message that has no place here", {.type = SW_WIRE_SUSPENDED, HONEST}},
        {"a message that has no place here", {.type = SW_WIRE_RESUME, HONEST, .amount = 8}},
        {"unknown type", {.type = 99, HONEST}},
        {"unknown type", {.type = SW_WIRE_NEGOTIATE, HONEST}},
        {"an amount that cannot be", {.type = SW_WIRE_RESUME, HONEST}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        open_pair(true);
        assert_int_equal(pair_receive(&p, 1, &ops[0], in, sizeof(in), 0), 0);
        say(&wrong[i].m, "x");
        expect_end(wrong[i].rule);
        assert_int_equal(in[0], 0xCC);
        pair_free(&p);
    }
}

static void bytes_that_are_no_message_end_the_connection(void **state)
{
    uint8_t bytes[256];

    (void)state;
    for (unsigned n = 1; n < 256; n += 17) {
        open_pair(true);
        for (unsigned i = 0; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)(i * 37 + n);
        pair_forge(&p, 0, bytes, n);
        assert_true(pair_arrive(&p, 1));
        assert_true(p.side[1].is_closed && p.side[1].reports == 1);
        pair_free(&p);
    }
}

static void a_first_message_of_another_kind_ends_the_connection(void **state)
{
    uint8_t hello[SW_WIRE_HELLO_BYTES] = {'W', 'S', 'D', 'S', SW_WIRE_REPLY, 1, 1, 0, 8, 0, 1, 0, 0, 1,
                                          0,   0,   0,   4};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct sw_session_config c[2];

        memset(&p, 0, sizeof(p));
        p.failed = failed;
        pair_settings(&c[0]);
        pair_settings(&c[1]);
        pair_open(&p, &c[0], &c[1]);
        sw_session_start(p.side[1].s);
        pair_act(&p, 1);
        hello[0] = i == 0 ? 'X' : 'W';
        pair_forge(&p, 0, hello, sizeof(hello));
        assert_true(pair_arrive(&p, 1));
        expect_end(i == 0 ? "the first message is not of this protocol"
                          : "the first message is no NEGOTIATE");
        pair_free(&p);
    }
}

static void payload_beyond_the_limit_is_not_stored(void **state)
{
    struct sw_wire_message m = {.type = SW_WIRE_DATA, HONEST, .payload_bytes = 200};
    char payload[200] = {0};

    (void)state;
    open_pair(true);
    for (; m.sequence < 5; m.sequence++, m.position += 200)
        say(&m, payload);
    assert_false(p.side[1].is_closed);
    assert_int_equal(sw_session_readable(p.side[1].s), 1000);
    say(&m, payload);
    expect_end("payload beyond the limit");
    assert_int_equal(sw_session_readable(p.side[1].s), 1000);
}

/* The provider below would hold it back or break; where it does neither we count ourselves. */
static void messages_without_a_credit_end_the_connection(void **state)
{
    struct sw_wire_message m = {.type = SW_WIRE_PING, HONEST, .flags = SW_WIRE_ANSWER};
    bool told = false;

    (void)state;
    open_pair(true);
    while (!p.side[1].is_closed && m.sequence < 100) {
        told = p.side[1].sent_types[SW_WIRE_CREDIT] != 0;
        for (unsigned i = 0; i < p.side[1].way_count; i++)
            free(p.side[1].way[i].data);
        p.side[1].way_count = 0; /* whoever sends this does not listen, and owes everything */
        say(&m, "");
        m.sequence++;
    }
    assert_true(told);
    expect_end("a message without a credit");
    assert_true(m.sequence > 8);
}

static void transfers_that_lie_end_the_connection(void **state)
{
    struct sw_wire_message m = {LARGE};

    (void)state;
    open_pair(true);
    for (unsigned i = 0; i < 5; i++) { /* four were announced */
        say(&m, "");
        m.sequence++;
        m.transfer++;
        m.position += m.amount;
    }
    expect_end("more transfers than announced");
    pair_free(&p);

    open_pair(true);
    m = (struct sw_wire_message){LARGE};
    say(&m, "");
    m = (struct sw_wire_message){
        .type = SW_WIRE_DATA, HONEST, .sequence = 1, .position = 1000, .payload_bytes = 1};
    say(&m, "x");
    expect_end("payload behind an unfinished transfer");
    pair_free(&p);

    open_pair(true);
    m = (struct sw_wire_message){LARGE};
    say(&m, "");
    m = (struct sw_wire_message){.type = SW_WIRE_SHUT, HONEST, .sequence = 1, .position = 1000};
    say(&m, "");
    expect_end("SHUT before a transfer is done");
    pair_free(&p);

    open_pair(true);
    m = (struct sw_wire_message){LARGE};
    say(&m, "");
    m = (struct sw_wire_message){.type = SW_WIRE_CLOSE, HONEST, .sequence = 1, .position = 1000};
    say(&m, "");
    expect_end("CLOSE before all is sent");
    pair_free(&p);

    open_pair(true);
    m = (struct sw_wire_message){LARGE};
    say(&m, "");
    m = (struct sw_wire_message){.type = SW_WIRE_SUSPEND, HONEST, .sequence = 1};
    say(&m, "");
    expect_end("SUSPEND before transfers and SINKs are done");
}

/* Descriptors are the provider's to judge; a request that it refuses or that fails ends the connection as well. */
static void a_descriptor_that_points_outside_ends_the_connection(void **state)
{
    struct sw_wire_message m = {LARGE};

    (void)state;
    open_pair(true);
    assert_int_equal(pair_receive(&p, 1, &ops[0], in, sizeof(in), 0), 0);
    say(&m, "");
    assert_int_equal(p.side[1].rdma_count, 1);
    assert_true(pair_rdma(&p, 1, 0));
    assert_true(p.side[1].is_closed);
    assert_int_equal(p.side[1].close_error, WSAECONNABORTED);
    assert_true(ops[0].is_done && ops[0].op.error == WSAECONNABORTED);
    assert_int_equal(in[0], 0xCC);
    assert_int_equal(p.side[1].registered, 0);
}

/* As the reader of what the victim sends by push: room that is not there, SINKs that overlap. */
static void sinks_that_lie_end_the_connection(void **state)
{
    struct sw_wire_message m = {
        .type = SW_WIRE_SINK, HONEST, .descriptor_bytes = 8, .descriptor = descriptor, .amount = 3000};

    (void)state;
    open_pair(false);
    assert_int_equal(pair_send(&p, 1, &ops[0], out, 3000, 0), 0);
    say(&m, ""); /* 64 of the 3,000 were the first part */
    expect_end("SINK with more room than there is to send");
    pair_free(&p);

    open_pair(false);
    assert_int_equal(pair_send(&p, 1, &ops[0], out, 3000, 0), 0);
    m.amount = 100;
    say(&m, "");
    m.sequence = 1;
    assert_int_equal(p.side[1].rdma_count, 1);
    say(&m, "");
    expect_end("SINK while another is open");
}

/* As the writer of a push: bytes that are not those of the room. The memory was lent, the operation ends. */
static void a_writer_that_lies_about_bytes_ends_the_connection(void **state)
{
    struct sw_wire_message m = {.type = SW_WIRE_LARGE_PUSH, HONEST, .amount = 3000};

    (void)state;
    open_pair(false);
    assert_int_equal(pair_receive(&p, 1, &ops[0], in, sizeof(in), 0), 0);
    say(&m, "");
    assert_int_equal(p.side[1].sent_types[SW_WIRE_SINK], 1);
    assert_int_equal(p.side[1].registered, 1);
    m = (struct sw_wire_message){
        .type = SW_WIRE_DONE, HONEST, .flags = SW_WIRE_WRITTEN, .sequence = 1, .amount = 2999};
    say(&m, "");
    expect_end("DONE with other bytes than there was room");
}

static void a_receive_longer_than_its_buffer_ends_the_connection(void **state)
{
    (void)state;
    open_pair(true);
    sw_session_message(p.side[1].s, 0, 257); /* whatever the provider may have come to */
    pair_act(&p, 1);
    expect_end("longer than a receive");
}

static void a_connector_takes_no_other_answer_than_reply(void **state)
{
    uint8_t hello[SW_WIRE_HELLO_BYTES] = {'W', 'S', 'D', 'S', SW_WIRE_NEGOTIATE, 1, 1, 0, 8, 0, 1, 0, 0, 1,
                                          0,   0,   0,   4};
    struct sw_session_config c[2];

    (void)state;
    memset(&p, 0, sizeof(p));
    p.failed = failed;
    pair_settings(&c[0]);
    pair_settings(&c[1]);
    pair_open(&p, &c[0], &c[1]);
    sw_session_start(p.side[0].s);
    pair_act(&p, 0);
    pair_forge(&p, 1, hello, sizeof(hello));
    assert_true(pair_arrive(&p, 0));
    assert_string_equal(p.side[0].report, "the answer to NEGOTIATE is no REPLY");
    assert_int_equal(p.side[0].close_error, WSAECONNABORTED);
}

static void dones_that_lie_end_the_connection(void **state)
{
    static const struct {
        uint8_t flags;
        uint32_t amount;
    } wrong[] = {{0, 2935}, {0, 2937}, {SW_WIRE_STOPPED, 2936}, {0, 0xFFFFFFFF}};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct sw_wire_message m = {
            .type = SW_WIRE_DONE, HONEST, .flags = wrong[i].flags, .amount = wrong[i].amount};

        open_pair(true);
        assert_int_equal(pair_send(&p, 1, &ops[0], out, 3000, 0), 0);
        say(&m, "");
        expect_end("DONE with other bytes than there were");
        if (i + 1 < sizeof(wrong) / sizeof(wrong[0]))
            pair_free(&p);
    }
}

static void urgent_positions_that_go_back_end_the_connection(void **state)
{
    struct sw_wire_message m = {.type = SW_WIRE_URGENT, HONEST, .position = 10, .payload_bytes = 1};

    (void)state;
    open_pair(true);
    say(&m, "!");
    m.sequence = 1;
    say(&m, "!");
    expect_end("an urgent byte before an earlier one");
    pair_free(&p);

    open_pair(true);
    m = (struct sw_wire_message){.type = SW_WIRE_DATA, HONEST, .payload_bytes = 5};
    say(&m, "hello");
    m = (struct sw_wire_message){
        .type = SW_WIRE_URGENT, HONEST, .sequence = 1, .position = 4, .payload_bytes = 1};
    say(&m, "!");
    expect_end("an urgent byte in what was sent");
    pair_free(&p);

    open_pair(true);
    m = (struct sw_wire_message){.type = SW_WIRE_URGENT, HONEST, .position = 10, .payload_bytes = 1};
    say(&m, "!");
    m = (struct sw_wire_message){LARGE, .sequence = 1};
    say(&m, "");
    expect_end("an urgent byte in a transfer");
}

static void more_behind_the_end_of_the_stream_ends_the_connection(void **state)
{
    struct sw_wire_message m = {.type = SW_WIRE_SHUT, HONEST};

    (void)state;
    open_pair(true);
    say(&m, "");
    assert_false(p.side[1].is_closed);
    m = (struct sw_wire_message){.type = SW_WIRE_DATA, HONEST, .sequence = 1, .payload_bytes = 1};
    say(&m, "x");
    expect_end("more of the stream behind its end");
}

static int end_pair(void **state)
{
    (void)state;
    pair_free(&p);
    return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, end_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_that_cannot_be_end_the_connection),
        cmocka_unit_test(bytes_that_are_no_message_end_the_connection),
        cmocka_unit_test(a_first_message_of_another_kind_ends_the_connection),
        TEST(payload_beyond_the_limit_is_not_stored),
        TEST(messages_without_a_credit_end_the_connection),
        TEST(transfers_that_lie_end_the_connection),
        TEST(a_descriptor_that_points_outside_ends_the_connection),
        TEST(sinks_that_lie_end_the_connection),
        TEST(a_writer_that_lies_about_bytes_ends_the_connection),
        TEST(a_receive_longer_than_its_buffer_ends_the_connection),
        TEST(a_connector_takes_no_other_answer_than_reply),
        TEST(dones_that_lie_end_the_connection),
        TEST(urgent_positions_that_go_back_end_the_connection),
        TEST(more_behind_the_end_of_the_stream_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
