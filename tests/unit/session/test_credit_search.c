/* test_credit_search.c - every state that two small credit accounts can reach, with the code of credits.h itself: both
 * sides send data and control messages whenever the rules allow it, messages arrive at any time. Shown for each state:
 *   - no message is without a receive, no account refuses what an honest peer sends, the sum of credits is kept;
 *   - what must happen (messages arrive, CREDIT goes when it is due) never goes round in circles;
 *   - and when it has come to rest, both sides may send data. So nobody waits for ever, in whatever order things happen.
 * The same search without one of the rules has to find the deadlock, else it proves nothing.
 * Source: PROTOCOL.md 5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/credits.h"

#define WAY_MAX   7u
#define STATES    (1u << 21)
#define EMPTY     UINT32_MAX
#define MOVES_MAX 8u

enum rule { ALL_RULES, NO_RESERVE, LAST_WITHOUT_TELLING, NO_DEBT, DEBT_OF_ONE };

struct world {
    struct sw_credits account[2];
    uint8_t way[2][WAY_MAX + 1]; /* told by messages that this side sent and that have not arrived */
    uint8_t way_count[2];
};

struct search {
    enum rule rule;
    unsigned receives[2];
    struct world *world;
    uint32_t count;
    uint32_t *slot; /* hash table of indexes */
    uint8_t *mark;  /* 0 not looked at, 1 on the path, 2 good */
    const char *wrong;
};

static uint64_t key_of(const struct world *w)
{
    uint64_t key = 0;

    for (unsigned i = 0; i < 2; i++) {
        key = key << 3 | w->account[i].have;
        key = key << 3 | w->account[i].owed;
        key = key << 3 | w->way_count[i];
        for (unsigned k = 0; k < WAY_MAX; k++)
            key = key << 3 | (k < w->way_count[i] ? w->way[i][k] : 0);
    }
    return key;
}

/* Index of a state; new ones are appended. */
static uint32_t find(struct search *s, const struct world *w)
{
    uint64_t key = key_of(w);
    uint32_t at = (uint32_t)((key * 0x9E3779B97F4A7C15u) >> 42) & (2 * STATES - 1);

    while (s->slot[at] != EMPTY) {
        if (key_of(&s->world[s->slot[at]]) == key)
            return s->slot[at];
        at = (at + 1) & (2 * STATES - 1);
    }
    assert_true(s->count < STATES);
    s->slot[at] = s->count;
    s->world[s->count] = *w;
    return s->count++;
}

/* --- the rules, or all but one --- */

static bool may_send_data(const struct search *s, const struct sw_credits *c)
{
    return s->rule == NO_RESERVE ? c->have >= 1 : sw_credits_for_data(c);
}

static bool may_send_control(const struct search *s, const struct sw_credits *c)
{
    return s->rule == LAST_WITHOUT_TELLING ? c->have >= 1 : sw_credits_for_control(c);
}

static bool is_due(const struct search *s, const struct sw_credits *c)
{
    return s->rule != NO_DEBT && (s->rule == DEBT_OF_ONE ? c->owed >= 1 : sw_credits_due(c));
}

/* --- moves --- */

static void send(struct search *s, struct world *w, unsigned from)
{
    uint16_t told = sw_credits_send(&w->account[from]);

    if (w->way_count[from] == WAY_MAX) {
        s->wrong = "more messages than the word of a state has room for";
        return;
    }
    w->way[from][w->way_count[from]++] = (uint8_t)told;
}

static void arrive(struct search *s, struct world *w, unsigned to)
{
    unsigned from = !to;
    uint8_t told = w->way[from][0];

    memmove(w->way[from], w->way[from] + 1, --w->way_count[from]);
    if (!sw_credits_receive(&w->account[to], told))
        s->wrong = "an account refused what an honest peer sent";
}

static void check_sums(struct search *s, const struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct sw_credits *me = &w->account[i];
        const struct sw_credits *other = &w->account[!i];
        unsigned told = 0;

        for (unsigned k = 0; k < w->way_count[!i]; k++)
            told += w->way[!i][k];
        if (me->have + w->way_count[i] + other->owed + told != me->have_max)
            s->wrong = "credits got lost or were made";
        if (w->way_count[i] > s->receives[!i])
            s->wrong = "more messages on the way than receives";
        if (other->peer_has + other->owed != other->own)
            s->wrong = "an account does not add up";
    }
}

/* forced: only what must happen. Returns how many moves there are, their ends in out[]. */
static unsigned moves(struct search *s, uint32_t from, bool forced, uint32_t *out)
{
    const struct world start = s->world[from];
    unsigned n = 0;

    for (unsigned i = 0; i < 2; i++) {
        struct world w = start;

        if (start.way_count[!i] != 0) {
            arrive(s, &w, i);
            check_sums(s, &w);
            out[n++] = find(s, &w);
        }
        bool credit = is_due(s, &start.account[i]) && may_send_control(s, &start.account[i]);
        bool other = may_send_data(s, &start.account[i]) || may_send_control(s, &start.account[i]);
        if (forced ? credit : credit || other) { /* what they carry makes no difference to the accounts */
            w = start;
            send(s, &w, i);
            check_sums(s, &w);
            out[n++] = find(s, &w);
        }
    }
    return n;
}

/* Whether whatever must happen from here comes to rest, with credits for data on both sides. */
static bool comes_to_rest(struct search *s, uint32_t at)
{
    uint32_t next[MOVES_MAX];
    unsigned n;

    if (s->mark[at] == 2)
        return true;
    if (s->mark[at] == 1) {
        s->wrong = "CREDIT messages go round in circles";
        return false;
    }
    s->mark[at] = 1;
    n = moves(s, at, true, next);
    if (n == 0 &&
        (!sw_credits_for_data(&s->world[at].account[0]) || !sw_credits_for_data(&s->world[at].account[1]))) {
        s->wrong = "a side waits for credits for ever";
        return false;
    }
    for (unsigned i = 0; i < n; i++)
        if (!comes_to_rest(s, next[i]))
            return false;
    s->mark[at] = 2;
    return true;
}

static const char *search_all(enum rule rule, unsigned a, unsigned b, uint32_t *states)
{
    struct search s = {.rule = rule, .receives = {a, b}};
    struct world start;
    uint32_t next[MOVES_MAX];

    s.world = malloc(STATES * sizeof(*s.world));
    s.slot = malloc(2 * STATES * sizeof(*s.slot));
    s.mark = calloc(STATES, 1);
    assert_true(s.world != NULL && s.slot != NULL && s.mark != NULL);
    memset(s.slot, 0xFF, 2 * STATES * sizeof(*s.slot));
    memset(&start, 0, sizeof(start));
    sw_credits_open(&start.account[0], (uint16_t)a, (uint16_t)b);
    sw_credits_open(&start.account[1], (uint16_t)b, (uint16_t)a);
    (void)find(&s, &start);
    for (uint32_t i = 0; i < s.count && s.wrong == NULL; i++)
        (void)moves(&s, i, false, next);
    for (uint32_t i = 0; i < s.count && s.wrong == NULL; i++)
        (void)comes_to_rest(&s, i);
    *states = s.count;
    free(s.world);
    free(s.slot);
    free(s.mark);
    return s.wrong;
}

static const unsigned sizes[][2] = {{4, 4}, {4, 5}, {5, 5}, {4, 6}, {6, 6}, {7, 7}};

static void nobody_waits_for_credits_for_ever(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t states = 0;
        const char *wrong = search_all(ALL_RULES, sizes[i][0], sizes[i][1], &states);

        print_message("%u and %u receives: %u states\n", sizes[i][0], sizes[i][1], (unsigned)states);
        if (wrong != NULL)
            fail_msg("%s", wrong);
        assert_true(states > 100);
    }
}

static void without_a_rule_the_search_finds_what_goes_wrong(void **state)
{
    static const struct {
        enum rule rule;
        const char *what;
    } broken[] = {{NO_RESERVE, "a side waits for credits for ever"},
                  {LAST_WITHOUT_TELLING, "a side waits for credits for ever"},
                  {NO_DEBT, "a side waits for credits for ever"},
                  {DEBT_OF_ONE, "CREDIT messages go round in circles"}};

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        uint32_t states = 0;
        const char *wrong = search_all(broken[i].rule, 4, 4, &states);

        assert_non_null(wrong);
        assert_string_equal(wrong, broken[i].what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_waits_for_credits_for_ever),
        cmocka_unit_test(without_a_rule_the_search_finds_what_goes_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
