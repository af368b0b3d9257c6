/* start_races.c - start-ups that fail, that meet each other, and that find silly settings.
 * Source: contract 4.1, 4.2; peers.md W1, W23. */
#include "ct_mini.h"

static void start_and_stop(struct ct_thread *t)
{
    struct mini *m = t->arg;
    int result = mini_start(m);

    if (result != 0) {
        ct_thread_fails(t, "WSPStartupEx: %s", sw_error_name(result));
        return;
    }
    result = mini_cleanup(m);
    if (result != 0)
        ct_thread_fails(t, "WSPCleanup: %s", sw_error_name(result));
}

static void start_up_on_an_unknown_backend_answers_WSASYSNOTREADY(void **state)
{
    struct fixture *f = *state;
    struct mini m;

    ct_setenv(f, "WSD_BACKEND", "no-such-backend");
    mini_open(&m);
    ct_fails(WSASYSNOTREADY, mini_start(&m));
    mini_close(&m);
}

static void start_up_without_a_device_answers_WSASYSNOTREADY(void **state)
{
    struct mini m;

    (void)state;
    ct_needs_loop();
    ct.loop->set_device_present(false);
    mini_open(&m);
    ct_fails(WSASYSNOTREADY, mini_start(&m));
    ct.loop->set_device_present(true);
    ct_ok(mini_start(&m));
    ct_ok(mini_cleanup(&m));
    mini_close(&m);
}

/* The failed start-up must not keep the lock that the next one, in another thread, needs. */
static void w01_a_failed_start_up_leaves_no_lock_behind(void **state)
{
    struct fixture *f = *state;
    struct mini m;
    const char *good = ct.vb_spec;

    mini_open(&m);
    for (int i = 0; i < 3; i++) {
        ct_setenv(f, "WSD_BACKEND", "no-such-backend");
        ct_fails(WSASYSNOTREADY, mini_start(&m));
        ct_setenv(f, "WSD_BACKEND", good);
        ct_join(ct_start(f, start_and_stop, &m));
    }
    mini_close(&m);
}

struct racer {
    struct mini m;
    unsigned rounds;
};

static void race(struct ct_thread *t)
{
    struct racer *r = t->arg;

    for (unsigned i = 0; i < r->rounds && !pal_load_acquire(&t->f->stop); i++) {
        int code = mini_start(&r->m);
        if (code != 0) {
            ct_thread_fails(t, "WSPStartupEx: %s", sw_error_name(code));
            return;
        }
        /* needs an upcall: the table must be there for whoever was started */
        SOCKET s = mini_socket(&r->m.procs, &code);
        if (s == INVALID_SOCKET) {
            ct_thread_fails(t, "WSPSocket: %s", sw_error_name(code));
            mini_cleanup(&r->m);
            return;
        }
        INT error = 0;
        if (r->m.procs.lpWSPCloseSocket(s, &error) != 0)
            ct_thread_fails(t, "WSPCloseSocket: %s", sw_error_name(error));
        code = mini_cleanup(&r->m);
        if (code != 0)
            ct_thread_fails(t, "WSPCleanup: %s", sw_error_name(code));
    }
}

/* The other half of W1: whoever sees a finished start-up must see a whole upcall table. */
static void w01_start_ups_of_several_threads_find_a_whole_upcall_table(void **state)
{
    struct fixture *f = *state;
    static struct racer racers[4];
    struct ct_thread *threads[4];

    for (int i = 0; i < 4; i++) {
        mini_open(&racers[i].m);
        racers[i].rounds = (unsigned)ct.rounds / 10 + 2;
    }
    for (int i = 0; i < 4; i++)
        threads[i] = ct_start(f, race, &racers[i]);
    for (int i = 0; i < 4; i++)
        ct_join(threads[i]);
    assert_int_equal(mini_open_handles(), 0);
    for (int i = 0; i < 4; i++)
        mini_close(&racers[i].m);
}

static void w23_silly_settings_are_clamped_not_obeyed(void **state)
{
    static const char *const settings[] = {
        "WSD_SEND_DEPTH", "WSD_RECV_DEPTH",         "WSD_SEND_SGE",       "WSD_RECV_SGE",
        "WSD_INLINE",     "WSD_CONNECT_TIMEOUT_MS", "WSD_CLOSE_GRACE_MS", "WSD_PRIVATE_RECEIVES",
        "WSD_QUEUE_CAP",  "WSD_BACKLOG_MAX",        "WSD_CQ_DEPTH",       "WSD_MR_CACHE"};
    static const char *const values[] = {"-1", "0",  "99999999999999999999", "4294967296", "many", "",
                                         "0x", "1e3"};
    struct fixture *f = *state;

    ct_setenv(f, "WSD_LOG", "off");
    for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
        struct ct_pair p;
        for (size_t s = 0; s < sizeof settings / sizeof settings[0]; s++)
            ct_setenv(f, settings[s], values[v]);
        if (strcmp(values[v], "0") == 0) /* the shortest legal time-out is too short to connect in */
            ct_setenv(f, "WSD_CONNECT_TIMEOUT_MS", "20000");
        ct_load(f);
        ct_pair(f, &p, 4096);
        ct_pair_works(&p);
        ct_unload(f);
    }
}

static const struct CMUnitTest start_races_tests[] = {
    ct_test_bare(start_up_on_an_unknown_backend_answers_WSASYSNOTREADY),
    ct_test_bare(start_up_without_a_device_answers_WSASYSNOTREADY),
    ct_test_bare(w01_a_failed_start_up_leaves_no_lock_behind),
    ct_test_bare(w01_start_ups_of_several_threads_find_a_whole_upcall_table),
    ct_test_bare(w23_silly_settings_are_clamped_not_obeyed),
};
CT_GROUP(start_races);
