/* rules.c - see rules.h. */
#include "rules.h"

struct pair p;
struct pair_op ops[64];
uint8_t out[BIG], in[BIG];

static void failed(const char *what)
{
    fail_msg("%s", what);
}

void prepare(struct sw_session_config c[2])
{
    memset(&p, 0, sizeof(p));
    memset(ops, 0, sizeof(ops));
    memset(in, 0, sizeof(in));
    p.failed = failed;
    for (unsigned i = 0; i < BIG; i++)
        out[i] = (uint8_t)(i * 7 + i / 251);
    pair_settings(&c[0]);
    pair_settings(&c[1]);
}

void open_pair(void)
{
    struct sw_session_config c[2];

    prepare(c);
    pair_open(&p, &c[0], &c[1]);
    pair_start(&p);
}

int end_pair(void **state)
{
    (void)state;
    pair_free(&p);
    return 0;
}

void act(void)
{
    pair_act(&p, 0);
    pair_act(&p, 1);
}

uint64_t receive_now(unsigned side, uint32_t bytes, int expected)
{
    WSABUF b = {bytes, (CHAR *)in};
    uint64_t got = 0;

    assert_int_equal(sw_session_receive_now(p.side[side].s, &b, 1, &got), expected);
    pair_act(&p, side);
    return got;
}

struct sw_session_stats stats(unsigned side)
{
    struct sw_session_stats s;

    sw_session_stats(p.side[side].s, &s);
    return s;
}

unsigned data_messages(unsigned side)
{
    return p.side[side].sent_types[SW_WIRE_DATA];
}
