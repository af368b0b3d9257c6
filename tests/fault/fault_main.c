/* fault_main.c - wsd_fault: for N = 1, 2, ... the Nth call of an operation of the backend fails, or comes
 * late, or kills its queue pair, until the whole scenario succeeds without having met the fault. Each round
 * must end in time, leave nothing behind, and every call may answer only what the contract has for it.
 *
 *   wsd_fault --provider FILE [--softiwarp] [--plan PLAN] [--iwarp] [--retry] [--verbose] [--stride N]
 *             [--test PATTERN]
 *
 *   --softiwarp   over user-mode iWARP on the loopback interface instead of the loop backend
 *   --plan PLAN   one round with that plan (vb/vb_fault.h) instead of the sweeps: for a failure that was
 *                 reported, with --iwarp and --retry if the report has these words
 *   --verbose     a line for every round
 *   --stride N    each call fails once, but all else (second tries, other statuses, two failures, lateness, dying
 *                 queue pairs) looks at every Nth call, beginning with the first: where a round takes long
 *
 * FILE is the test module wsdprov_loop.
 * Exit: 0; number of failed tests; 2 for bad usage; a hang aborts with stacks. */
#include "scenario.h"
#include "watchdog.h"

#define STALL_MS   60000u
#define ROUNDS_MAX 2000u
#define SHOWN_MAX  12u
#define TIMEOUT_MS 1500u /* those of settings() */

static struct {
    bool is_verbose, is_iwarp, is_softiwarp;
    unsigned files;  /* may be open; 0: any number */
    unsigned stride; /* of all but the first sweep */
    char plan[256];
} run;

/* The loop backend plays two kinds of device; user-mode iWARP is one. */
static unsigned kinds(void)
{
    return run.is_softiwarp ? 1 : 2;
}

static void describe(void)
{
    fprintf(stderr, "plan \"%s\"%s, files %u, step: %s\n", run.plan, run.is_iwarp ? ", iWARP" : "", run.files,
            scenario_step());
}

static void configure(bool is_iwarp)
{
    struct loop_config c;

    ct.loop->reset();
    ct.loop->get_config(&c);
    if (is_iwarp)
        ct.loop->config_iwarp(&c);
    c.aborts_on_violation = false;
    ct.loop->set_config(&c);
    run.is_iwarp = is_iwarp;
}

/* One round. False: the provider did something wrong. */
static bool round_is_fine(const char *plan, bool retries, struct scenario_result *r, bool *has_fired)
{
    char why[256];

    snprintf(run.plan, sizeof run.plan, "%s", plan);
    configure(run.is_iwarp);
    if (ct.loop->fault_set(plan, why, sizeof why) != VB_OK) {
        fprintf(stderr, "plan \"%s\": %s\n", plan, why);
        exit(2);
    }
    watchdog_pat();
    scenario_run(retries, run.files, r);
    *has_fired = r->fired != 0;
    if (run.is_verbose || r->complaint[0] != '\0')
        printf("%s \"%s\"%s%s: hit %s; %s%s%s%s%s\n", r->complaint[0] != '\0' ? "FAIL" : "ok  ", plan,
               run.is_iwarp ? " iwarp" : "", retries ? " retry" : "", *has_fired ? r->fired_op : "nothing",
               r->is_complete ? "complete" : "stopped at ", r->is_complete ? "" : fault_call_name(r->failed),
               r->is_complete ? "" : " with ", r->is_complete ? "" : sw_error_name(r->error),
               r->complaint[0] != '\0' ? "" : ".");
    if (r->complaint[0] != '\0')
        printf("     %s\n", r->complaint);
    return r->complaint[0] == '\0';
}

struct sweep {
    const char *op, *action;
    bool is_iwarp, retries;
    bool must_complete; /* late things are no failures */
    unsigned step;      /* look at every so-manieth call; 0: stride */
};

/* NULL: the round went as it should. Else the sentence that says what did not; empty when round_is_fine() has said it. */
static const char *round_of(const struct sweep *w, const char *plan, struct scenario_result *r,
                            bool *has_fired)
{
    if (!round_is_fine(plan, w->retries, r, has_fired))
        return "";
    if (w->must_complete && !r->is_complete)
        return "nothing failed";
    return *has_fired || r->is_complete ? NULL : "no fault was met";
}

/* A machine that stands still for as long as a time-out of settings() looks like a peer that does: a round that was so long and went
 * wrong is run again, twice at most. What the provider does wrong it does each time. */
static const char *round_again(const struct sweep *w, const char *plan, struct scenario_result *r,
                               bool *has_fired)
{
    for (unsigned tries = 1;; tries++) {
        const uint64_t start_ns = pal_now_ns();
        const char *wrong = round_of(w, plan, r, has_fired);
        const uint64_t took_ms = (pal_now_ns() - start_ns) / 1000000;

        if (wrong == NULL || tries == 3 || took_ms < TIMEOUT_MS - 100)
            return wrong;
        printf("     \"%s\" took %u ms and answered %s: once more\n", plan, (unsigned)took_ms,
               sw_error_name(r->error));
    }
}

static unsigned sweep(const struct sweep *w)
{
    const unsigned step = w->step ? w->step : run.stride;
    unsigned bad = 0, rounds = 0, complete = 0;

    if (w->is_iwarp && kinds() == 1)
        return 0;
    run.is_iwarp = w->is_iwarp;
    for (unsigned n = 1;; n += step) {
        char plan[64];
        struct scenario_result r;
        bool has_fired;
        snprintf(plan, sizeof plan, "%s:%u:%s", w->op, n, w->action);
        const char *wrong = round_again(w, plan, &r, &has_fired);
        if (wrong != NULL && wrong[0] != '\0')
            printf("FAIL \"%s\": %s, yet %s answered %s\n", plan, wrong, fault_call_name(r.failed),
                   sw_error_name(r.error));
        bad += wrong != NULL;
        rounds++;
        complete += r.is_complete;
        if (!has_fired || n > ROUNDS_MAX || bad >= SHOWN_MAX)
            break;
    }
    printf("     %s:N:%s%s%s: %u rounds, %u of them complete, %u bad\n", w->op, w->action,
           w->is_iwarp ? " iwarp" : "", w->retries ? " retry" : "", rounds, complete, bad);
    return bad;
}

/* ---- the tests ---- */

static const char *const call_ops[] = {
    "open",        "addr_list",   "route",        "dev_open",     "pd_create",  "mr_reg",    "mw_alloc",
    "cq_create",   "cq_arm",      "qp_create",    "post_send",    "post_recv",  "cm_create", "listen",
    "conn_create", "conn_reject", "conn_bind_qp", "conn_connect", "conn_accept"};
#define CALL_OPS (sizeof call_ops / sizeof call_ops[0])

static void the_scenario_succeeds_when_nothing_fails(void **state)
{
    struct scenario_result r;
    bool has_fired;

    (void)state;
    for (unsigned is_iwarp = 0; is_iwarp < kinds(); is_iwarp++) {
        run.is_iwarp = is_iwarp != 0;
        if (round_again(&(struct sweep){.must_complete = true}, "", &r, &has_fired) != NULL)
            ct_fail("%s answered %s", fault_call_name(r.failed), sw_error_name(r.error));
    }
}

static void any_call_that_fails_is_reported_and_cleared_away(void **state)
{
    (void)state;
    assert_int_equal(sweep(&(struct sweep){.op = "any", .action = "fail", .step = 1}), 0);
    assert_int_equal(sweep(&(struct sweep){.op = "any", .action = "fail", .is_iwarp = true, .step = 1}), 0);
}

static void a_call_that_was_refused_succeeds_the_second_time(void **state)
{
    (void)state;
    assert_int_equal(sweep(&(struct sweep){.op = "any", .action = "fail", .retries = true}), 0);
    assert_int_equal(sweep(&(struct sweep){.op = "any", .action = "fail", .retries = true, .is_iwarp = true}),
                     0);
}

static void every_operation_may_fail_with_each_of_its_statuses(void **state)
{
    static const struct {
        const char *op, *action;
    } rows[] = {
        {"open", "fail=VB_E_NOMEM"},
        {"open", "fail=VB_E_DENIED"},
        {"dev_open", "fail=VB_E_ADDRNOTAVAIL"},
        {"dev_open", "fail=VB_E_NODEV"},
        {"pd_create", "fail=VB_E_FATAL"},
        {"mr_reg", "fail=VB_E_FAULT"},
        {"mr_reg", "fail=VB_E_INVAL"},
        {"mw_alloc", "fail=VB_E_NOTSUP"},
        {"cq_create", "fail=VB_E_INVAL"},
        {"qp_create", "fail=VB_E_INVAL"},
        {"post_send", "fail=VB_E_AGAIN"},
        {"post_send", "fail=VB_E_STATE"},
        {"post_send", "fail=VB_E_INVAL"},
        {"post_recv", "fail=VB_E_AGAIN"},
        {"post_recv", "fail=VB_E_STATE"},
        {"post_recv", "fail=VB_E_INVAL"},
        {"listen", "fail=VB_E_ADDRINUSE"},
        {"listen", "fail=VB_E_ADDRNOTAVAIL"},
        {"listen", "fail=VB_E_NODEV"},
        {"conn_create", "fail=VB_E_ADDRNOTAVAIL"},
        {"conn_bind_qp", "fail=VB_E_STATE"},
        {"conn_bind_qp", "fail=VB_E_INVAL"},
        {"conn_connect", "fail=VB_E_UNREACH"},
        {"conn_connect", "fail=VB_E_TIMEOUT"},
        {"conn_connect", "fail=VB_E_STATE"},
        {"conn_accept", "fail=VB_E_STATE"},
        {"conn_accept", "fail=VB_E_RESET"},
        {"conn_accept", "fail=VB_E_FATAL"},
        {"cm_create", "fail=VB_E_FATAL"},
        {"cq_arm", "fail"},
    };
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        bad += sweep(&(struct sweep){.op = rows[i].op, .action = rows[i].action});
    assert_int_equal(bad, 0);
}

/* The Nth and all later calls of an operation: error paths inside error paths. */
static void an_operation_that_always_fails_ends_in_documented_errors(void **state)
{
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < CALL_OPS; i++)
        for (unsigned is_iwarp = 0; is_iwarp < kinds(); is_iwarp++) {
            struct scenario_result r;
            bool has_fired;
            char plan[64];
            snprintf(plan, sizeof plan, "%s:0:fail", call_ops[i]);
            run.is_iwarp = is_iwarp != 0;
            bad += !round_is_fine(plan, false, &r, &has_fired);
        }
    assert_int_equal(bad, 0);
}

static void two_calls_in_a_row_may_fail(void **state)
{
    unsigned bad = 0;
    bool has_fired = true;

    (void)state;
    run.is_iwarp = false;
    for (unsigned n = 1; has_fired && n < ROUNDS_MAX && bad < SHOWN_MAX; n += run.stride) {
        struct scenario_result r;
        char plan[64];
        snprintf(plan, sizeof plan, "any:%u:fail,any:%u:fail,any:%u:fail", n, n + 1, n + 3);
        bad += !round_is_fine(plan, n / run.stride % 2 == 0, &r, &has_fired);
    }
    assert_int_equal(bad, 0);
}

static void whatever_comes_late_still_comes(void **state)
{
    unsigned bad = 0;

    (void)state;
    bad += sweep(
        &(struct sweep){.op = "any", .action = "late=25", .must_complete = true, .step = 3 * run.stride});
    bad += sweep(&(struct sweep){.op = "cq_poll", .action = "late=25", .must_complete = true});
    bad += sweep(&(struct sweep){.op = "cm_poll", .action = "late=25", .must_complete = true});
    bad += sweep(
        &(struct sweep){.op = "cm_poll", .action = "late=25", .must_complete = true, .is_iwarp = true});
    assert_int_equal(bad, 0);
}

static void a_queue_pair_that_dies_ends_everything_on_it(void **state)
{
    static const char *const ops[] = {"post_send", "post_recv", "conn_bind_qp", "conn_connect",
                                      "conn_accept"};
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        for (unsigned is_iwarp = 0; is_iwarp < kinds(); is_iwarp++)
            bad += sweep(&(struct sweep){.op = ops[i], .action = "flush", .is_iwarp = is_iwarp != 0});
    assert_int_equal(bad, 0);
}

/* Failures that no plan can make: inside a backend, wherever it opens a file or a socket. */
static void running_out_of_files_is_reported_and_cleared_away(void **state)
{
    struct scenario_result r = {0};
    bool has_fired;
    unsigned bad = 0, rounds = 0;

    (void)state;
    run.is_iwarp = false;
    for (run.files = scenario_files() + 1; !r.is_complete && rounds < ROUNDS_MAX && bad < SHOWN_MAX;
         run.files++) {
        bad += !round_is_fine("", rounds % 2 != 0, &r, &has_fired);
        rounds++;
    }
    printf("     files: %u rounds, the last with %u, %u bad\n", rounds, run.files - 1, bad);
    run.files = 0;
    assert_int_equal(bad, 0);
    assert_true(r.is_complete);
}

/* ---- program ---- */

static void settings(void)
{
    static const char *const values[][2] = {
        {"WSD_CONNECT_TIMEOUT_MS", "1500"},
        {"WSD_CLOSE_GRACE_MS", "200"},
        {"WSD_DUPLICATE_EXPIRY_MS", "1500"},
        {"WSD_SEND_DEPTH", "8"},
        {"WSD_RECV_DEPTH", "4"},
        {"WSD_LOG", "error"},
        {"WSD_SOFTIWARP_LOOPBACK", "on"},
    };

    setenv("WSD_BACKEND", run.is_softiwarp ? "softiwarp+fault" : "loop+fault", 1);
    if (run.is_softiwarp) {
        snprintf(ct.address, sizeof ct.address, "127.0.0.1");
        snprintf(ct.other_address, sizeof ct.other_address, "127.0.0.1");
    }

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        setenv(values[i][0], values[i][1], 1);
}

static int one_plan(const char *plan, bool retries)
{
    struct scenario_result r;
    bool has_fired;

    run.is_verbose = true;
    return round_is_fine(plan, retries, &r, &has_fired) ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scenario_succeeds_when_nothing_fails),
        cmocka_unit_test(any_call_that_fails_is_reported_and_cleared_away),
        cmocka_unit_test(a_call_that_was_refused_succeeds_the_second_time),
        cmocka_unit_test(every_operation_may_fail_with_each_of_its_statuses),
        cmocka_unit_test(an_operation_that_always_fails_ends_in_documented_errors),
        cmocka_unit_test(two_calls_in_a_row_may_fail),
        cmocka_unit_test(whatever_comes_late_still_comes),
        cmocka_unit_test(a_queue_pair_that_dies_ends_everything_on_it),
        cmocka_unit_test(running_out_of_files_is_reported_and_cleared_away),
    };
    const char *provider = NULL, *plan = NULL;
    bool is_iwarp = false, retries = false;
    int result;

    run.stride = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--provider") == 0 && i + 1 < argc) {
            provider = argv[++i];
        } else if (strcmp(argv[i], "--plan") == 0 && i + 1 < argc) {
            plan = argv[++i];
        } else if (strcmp(argv[i], "--test") == 0 && i + 1 < argc) {
            cmocka_set_test_filter(argv[++i]);
        } else if (strcmp(argv[i], "--stride") == 0 && i + 1 < argc) {
            run.stride = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--softiwarp") == 0) {
            run.is_softiwarp = true;
        } else if (strcmp(argv[i], "--iwarp") == 0) {
            is_iwarp = true;
        } else if (strcmp(argv[i], "--retry") == 0) {
            retries = true;
        } else if (strcmp(argv[i], "--verbose") == 0) {
            run.is_verbose = true;
        } else {
            provider = NULL;
            break;
        }
    }
    if (provider == NULL || run.stride == 0) {
        fprintf(stderr, "usage: wsd_fault --provider FILE [--softiwarp] [--plan PLAN] [--iwarp] [--retry] "
                        "[--verbose] [--stride N] [--test PATTERN]\n");
        return 2;
    }
    result = ct_env_init(true, provider, NULL, NULL);
    if (result != 0)
        return result;
    settings();
    if (run.stride > 1)
        printf("stride %u: each call fails once, all else is tried at every %uth call only\n", run.stride,
               run.stride);
    watchdog_start(STALL_MS, describe);
    scenario_init();
    run.is_iwarp = is_iwarp;
    result = plan != NULL ? one_plan(plan, retries) : cmocka_run_group_tests_name("fault", tests, NULL, NULL);
    watchdog_stop();
    return result;
}
