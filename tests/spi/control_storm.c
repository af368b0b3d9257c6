/* control_storm.c - several processes use a few connections at random and at the same time, for a while: every byte arrives once, those of each
 * sender in his order; what the peer sends goes to somebody; and the last close ends each connection in order. Sources: contract 8.10; the
 * first lines of control.c. The seed is printed; WSD_TEST_SEED repeats one, as far as processes repeat themselves. */
#include "sp.h"

enum { STORM_MS = 1000, CONNECTIONS = 3, PROCESSES = 2, PEER = 3 };

static uint32_t seed;

/* --- the peers, in this process --- */

struct peer {
    SOCKET s;
    struct sp_mixed reader;
    struct sp_call writer;
    pal_atomic_u32 *is_over;
    uint64_t sent, weight;
};

/* Little by little, until the storm is over; then the stream ends, which wakes all who wait. */
static int write_little(void *context)
{
    struct peer *p = context;
    char data[400];
    int error = 0;

    while (error == 0 && pal_load_acquire(p->is_over) == 0) {
        const DWORD n = 1u + (DWORD)(p->sent * 7u % sizeof(data));

        sp_mixed_fill(data, n, PEER, p->sent);
        error = sp_send(p->s, data, n, 0, NULL);
        p->sent += n;
        p->weight += sp_user_weight(data, n);
        suite_relax();
    }
    return error != 0 ? error : sp_shutdown(p->s, SD_SEND);
}

static void peer_start(struct peer *p, SOCKET s, pal_atomic_u32 *is_over)
{
    memset(p, 0, sizeof(*p));
    p->s = s;
    p->is_over = is_over;
    sp_mixed_read(&p->reader, s);
    sp_call_start(&p->writer, write_little, p);
}

/* --- the users --- */

struct storm {
    struct sp_pair pairs[CONNECTIONS];
    struct peer peers[CONNECTIONS];
    struct second_process p[PROCESSES];
    struct sp_user here; /* sender 0; the processes are 1 and 2 */
    pal_atomic_u32 is_over;
    uint64_t sent[CONNECTIONS][SP_SENDERS], got[CONNECTIONS], weight[CONNECTIONS]; /* by all */
};

static void add(const char *numbers, uint64_t first[CONNECTIONS], uint64_t second[CONNECTIONS])
{
    char *at = (char *)(uintptr_t)numbers;

    for (unsigned i = 0; i < CONNECTIONS; i++) {
        first[i] += strtoull(at, &at, 10);
        second[i] += strtoull(at, &at, 10);
    }
}

static void storm_open(struct storm *storm)
{
    memset(storm, 0, sizeof(*storm));
    for (unsigned k = 0; k < PROCESSES; k++)
        sp_process_start(&storm->p[k], sp_env.is_san ? "on" : "off");
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        sp_pair_open(&storm->pairs[i]);
        for (unsigned k = 0; k < PROCESSES; k++) {
            second_process_tell(&storm->p[k], "slot %u", i);
            sp_lend(storm->pairs[i].a, &storm->p[k]);
        }
        storm->here.s[i] = storm->pairs[i].a;
    }
    storm->here.count = CONNECTIONS;
    storm->here.seed = seed;
    storm->here.ms = STORM_MS;
}

static void storm_start(struct storm *storm, uint32_t largest)
{
    storm->here.largest = largest;
    for (unsigned i = 0; i < CONNECTIONS; i++)
        peer_start(&storm->peers[i], storm->pairs[i].b, &storm->is_over);
    for (unsigned k = 0; k < PROCESSES; k++)
        second_process_tell(&storm->p[k], "user %u %u %u %u %u", k + 1, (unsigned)(seed + k + 1), STORM_MS,
                            CONNECTIONS, (unsigned)largest);
    assert_true(sp_user_start(&storm->here));
}

/* The senders first, then the peers, then who receives. */
static void storm_join(struct storm *storm)
{
    uint64_t sent[CONNECTIONS], same[CONNECTIONS];

    sp_ok(sp_user_sent(&storm->here));
    for (unsigned i = 0; i < CONNECTIONS; i++)
        storm->sent[i][0] = storm->here.sent[i];
    for (unsigned k = 0; k < PROCESSES; k++) {
        memset(sent, 0, sizeof(sent));
        memset(same, 0, sizeof(same));
        add(second_process_tell(&storm->p[k], "sent"), sent, same);
        for (unsigned i = 0; i < CONNECTIONS; i++)
            storm->sent[i][k + 1] = sent[i];
    }
    pal_store_release(&storm->is_over, 1u);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        sp_ok(sp_call_join(&storm->peers[i].writer));
    sp_ok(sp_user_received(&storm->here));
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        storm->got[i] = storm->here.got[i];
        storm->weight[i] = storm->here.weight[i];
    }
    for (unsigned k = 0; k < PROCESSES; k++)
        add(second_process_tell(&storm->p[k], "received"), storm->got, storm->weight);
}

/* In an order of its own for each connection. */
static void storm_close(struct storm *storm)
{
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        for (unsigned step = 0; step <= PROCESSES; step++) {
            const unsigned who = (seed + i + step) % (PROCESSES + 1);

            if (who == PROCESSES) {
                sp_ok(sp_close(storm->pairs[i].a));
                storm->pairs[i].a = INVALID_SOCKET;
                continue;
            }
            second_process_tell(&storm->p[who], "slot %u", i);
            second_process_tell(&storm->p[who], "close");
        }
    }
}

static void storm_check(struct storm *storm)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct peer *p = &storm->peers[i];

        sp_mixed_join(&p->reader);
        for (unsigned k = 0; k < SP_SENDERS; k++) {
            assert_int_equal(pal_load_relaxed(&p->reader.got[k]), storm->sent[i][k]);
            total += storm->sent[i][k];
        }
        assert_int_equal(storm->got[i], p->sent);
        assert_true(storm->weight[i] == p->weight);
        total += p->sent;
        sp_pair_close(&storm->pairs[i]);
    }
    assert_true(total > 0);
    for (unsigned k = 0; k < PROCESSES; k++)
        second_process_end(&storm->p[k]);
}

static void run(uint32_t largest)
{
    static struct storm storm;

    printf("seed %u\n", (unsigned)seed);
    storm_open(&storm);
    storm_start(&storm, largest);
    storm_join(&storm);
    storm_close(&storm);
    storm_check(&storm);
    seed++;
}

static void small_messages(void **state)
{
    (void)state;
    run(3000);
}

static void large_ones_too(void **state)
{
    (void)state;
    run(150000);
}

int sp_control_storm(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(small_messages),
        sp_test(large_ones_too),
    };
    const char *given = getenv("WSD_TEST_SEED");

    seed = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : (uint32_t)(pal_now_ns() >> 10);
    return cmocka_run_group_tests_name("control_storm", tests, NULL, NULL);
}
