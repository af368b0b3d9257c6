/* hostile.c - a peer whose companion says what it likes, against a listener of the upper face. Whatever comes, only that connection
 * suffers: an application's own connections before, meanwhile and afterwards work. PROTOCOL.md, section 11. */
#include "session/wire.h"
#include "sp.h"

static struct second_process p;
static struct sp_pair bystander;
static WSD_SOCKADDR_IN at;
static SOCKET l;

static bool begin(void)
{
    if (!sp_env.is_san)
        return false;
    sp_process_start(&p, "off"); /* its own upper face is not used */
    sp_pair_open(&bystander);
    l = sp_listener(5, &at);
    return true;
}

static void open_raw(void)
{
    char text[32];

    second_process_tell(&p, "raw open %s", sw_format_address(&at, text, sizeof(text)));
}

/* An honest connection to the same listener is the next that accept hands out. */
static void expect_service(void)
{
    SOCKET s = sp_stream(), b;
    WSD_SOCKADDR_IN own, from;

    sp_ok(sp_connect(s, &at));
    sp_carried(s);
    sp_ok(sp_local(s, &own));
    sp_ok(sp_accept_if(l, NULL, 0, &from, &b));
    assert_memory_equal(&own, &from, sizeof(own));
    sp_echo(s, b, 1);
    sp_echo(bystander.a, bystander.b, 2);
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
}

static void end(void)
{
    expect_service();
    second_process_tell(&p, "raw unload");
    sp_ok(sp_close(l));
    sp_pair_close(&bystander);
    second_process_end(&p);
}

static void first_messages_that_are_none(void **state)
{
    static const char *const firsts[] = {"00", "ff",
                                         /* the magic, and nothing; a type that is not first; receives 0 */
                                         "57534453",
                                         "5753445304010100ffff0000ffffffffffffffffffffffff00000000",
                                         "5753445301010100000004000010000000000100000001000000000000",
                                         /* storage beyond every bound */
                                         "57534453010101000800040000100000ffffffff0000010000000000"};

    (void)state;
    if (!begin())
        sp_skip("there is no SAN in this lane");
    for (unsigned i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        open_raw();
        second_process_tell(&p, "raw bytes %s", firsts[i]);
        second_process_tell(&p, "raw over");
        second_process_tell(&p, "raw close");
        expect_service();
    }
    end();
}

static void who_hangs_up_without_a_word(void **state)
{
    (void)state;
    if (!begin())
        sp_skip("there is no SAN in this lane");
    for (unsigned i = 0; i < 5; i++) {
        open_raw();
        second_process_tell(&p, "raw close");
    }
    end();
}

static void who_says_nothing_blocks_nobody(void **state)
{
    (void)state;
    if (!begin())
        sp_skip("there is no SAN in this lane");
    open_raw();
    expect_service(); /* while it is silent */
    second_process_tell(&p, "raw close");
    end();
}

static void messages_that_break_the_protocol(void **state)
{
    static const struct {
        unsigned type, sequence, payload;
    } wrong[] = {
        {0xEE, 0, 0},               /* no such type */
        {SW_WIRE_DATA, 7, 10},      /* out of sequence */
        {SW_WIRE_DATA, 0, 0},       /* without payload */
        {SW_WIRE_DONE, 0, 0},       /* of no transfer */
        {SW_WIRE_LARGE_PULL, 0, 0}, /* names memory that is not there */
        {SW_WIRE_NEGOTIATE, 0, 0},  /* once more */
        {SW_WIRE_SUSPENDED, 0, 0},  /* nobody asked */
    };

    (void)state;
    if (!begin())
        sp_skip("there is no SAN in this lane");
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        SOCKET victim;
        char data[100];
        int error;

        open_raw();
        second_process_tell(&p, "raw hello");
        sp_ok(sp_accept(l, &victim));
        sp_carried_name(victim, "san");
        second_process_tell(&p, "raw message %u %u %u", wrong[i].type, wrong[i].sequence, wrong[i].payload);
        error = sp_recv(victim, data, sizeof(data), 0, NULL);
        if (error != WSAECONNABORTED)
            sp_fail("wrong message %u: the receive gave %d (%s)", i, error, sw_error_name(error));
        sp_fails(WSAECONNABORTED, sp_send(victim, data, 1, 0, NULL));
        second_process_tell(&p, "raw over");
        second_process_tell(&p, "raw close");
        sp_ok(sp_close(victim));
        expect_service();
    }
    end();
}

static void raw_bytes_behind_a_hello(void **state)
{
    SOCKET victim;
    char byte;

    (void)state;
    if (!begin())
        sp_skip("there is no SAN in this lane");
    open_raw();
    second_process_tell(&p, "raw hello");
    sp_ok(sp_accept(l, &victim));
    second_process_tell(&p, "raw bytes 0102030405");
    sp_fails(WSAECONNABORTED, sp_recv(victim, &byte, 1, 0, NULL));
    second_process_tell(&p, "raw close");
    sp_ok(sp_close(victim));
    end();
}

int sp_hostile(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(first_messages_that_are_none),   sp_test(who_hangs_up_without_a_word),
        sp_test(who_says_nothing_blocks_nobody), sp_test(messages_that_break_the_protocol),
        sp_test(raw_bytes_behind_a_hello),
    };

    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
