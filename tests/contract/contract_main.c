/* contract_main.c - the contract suite: every group of tests against one provider library on one backend.
 *
 *   contract --loop --provider FILE [--group NAME]... [--test PATTERN] [--list]
 *   contract --device [ADDRESS] --provider FILE ...     ADDRESS defaults to WSD_TEST_ADDR
 *   contract --device [ADDRESS] --provider FILE --peer COPY ...
 *       two instances: what listens comes from COPY, on the backend that WSD_TEST_PEER_BACKEND names
 *
 * Environment: WSD_TEST_ROUNDS, WSD_TEST_WAIT_MS (ct_env.c), and the provider's own settings. Exit: 0;
 *              number of groups with failures (at most 60); 77 with a reason when the backend cannot open;
 *              2 for bad usage. */
#include "ct.h"

#ifdef CT_HAS_SOFTIWARP
#define SOFTIWARP_GROUPS(X) X(hostile_iwarp)
#else
#define SOFTIWARP_GROUPS(X)
#endif

#define GROUPS(X)                                                                                            \
    X(startup_cleanup)                                                                                       \
    X(start_races)                                                                                           \
    X(sockets_options)                                                                                       \
    X(ioctl)                                                                                                 \
    X(bind_listen_accept)                                                                                    \
    X(accept_conditions)                                                                                     \
    X(connect_errors)                                                                                        \
    X(events)                                                                                                \
    X(send_recv)                                                                                             \
    X(patterns)                                                                                              \
    X(completion)                                                                                            \
    X(progress)                                                                                              \
    X(memory)                                                                                                \
    X(memory_cache)                                                                                          \
    X(rdma)                                                                                                  \
    X(rdma_rights)                                                                                           \
    X(first_message)                                                                                         \
    X(closing)                                                                                               \
    X(device_events)                                                                                         \
    X(duplicate)                                                                                             \
    X(bad_input)                                                                                             \
    X(wrong_state)                                                                                           \
    X(peer_death)                                                                                            \
    X(stopped_peer)                                                                                          \
    X(silent_tcp)                                                                                            \
    X(not_required)                                                                                          \
    X(hostile_private_data)                                                                                  \
    SOFTIWARP_GROUPS(X)

#define DECLARE(name) extern const struct ct_group ct_group_##name;
GROUPS(DECLARE)

static const struct ct_group *const groups[] = {
#define ENTRY(name) &ct_group_##name,
    GROUPS(ENTRY)};
#define GROUP_COUNT (sizeof groups / sizeof groups[0])

static int usage(void)
{
    fprintf(stderr, "usage: contract {--loop | --device [ADDRESS]} --provider FILE [--peer COPY] "
                    "[--group NAME]... [--test PATTERN] [--list]\n");
    return 2;
}

static int list(void)
{
    for (size_t i = 0; i < GROUP_COUNT; i++)
        for (size_t t = 0; t < groups[i]->count; t++)
            printf("%s %s\n", groups[i]->name, groups[i]->tests[t].name);
    return 0;
}

int main(int argc, char **argv)
{
    bool is_loop = false, is_device = false, is_role = false, is_wanted[GROUP_COUNT] = {false},
         is_any = false;
    const char *provider = NULL, *peer = NULL, *address = NULL;
    int failed = 0, failed_tests = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--loop") == 0) {
            is_loop = true;
        } else if (strcmp(argv[i], "--device") == 0) {
            is_device = true;
            if (i + 1 < argc && argv[i + 1][0] != '-')
                address = argv[++i];
        } else if (strcmp(argv[i], "--provider") == 0 && i + 1 < argc) {
            provider = argv[++i];
        } else if (strcmp(argv[i], "--peer") == 0 && i + 1 < argc) {
            peer = argv[++i];
        } else if (strcmp(argv[i], "--role") == 0) {
            is_role = true;
        } else if (strcmp(argv[i], "--test") == 0 && i + 1 < argc) {
            cmocka_set_test_filter(argv[++i]);
        } else if (strcmp(argv[i], "--list") == 0) {
            return list();
        } else if (strcmp(argv[i], "--group") == 0 && i + 1 < argc) {
            size_t g = 0;
            while (g < GROUP_COUNT && strcmp(groups[g]->name, argv[i + 1]) != 0)
                g++;
            if (g == GROUP_COUNT)
                return usage();
            is_wanted[g] = is_any = true;
            i++;
        } else {
            return usage();
        }
    }
    if (is_loop == is_device || provider == NULL)
        return usage();
    int result = ct_env_init(is_loop, provider, peer, address);
    if (result != 0)
        return result;
    if (is_role)
        return ct_role_main();
    result = ct_env_probe();
    if (result != 0)
        return result;
    for (size_t g = 0; g < GROUP_COUNT; g++) {
        if (is_any && !is_wanted[g])
            continue;
        int bad = _cmocka_run_group_tests(groups[g]->name, groups[g]->tests, groups[g]->count, NULL, NULL);
        failed += bad != 0;
        failed_tests += bad;
    }
    if (ct_env_is_across())
        printf("%s connects, %s listens: %d passed, %u excepted, %u skipped, %d failed\n", ct.vb_spec,
               ct.peer_spec, (int)(ct.count.run - ct.count.excepted - ct.count.skipped) - failed_tests,
               ct.count.excepted, ct.count.skipped, failed_tests);
    return failed < 60 ? failed : 60;
}
