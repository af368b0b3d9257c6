/* san_main.c - test_san --provider FILE --address ADDRESS --group NAME
 * The backend is chosen by the environment, as for any program (WSD_BACKEND). */
#include "san_test.h"

static int run(const char *group)
{
    if (strcmp(group, "basic") == 0)
        return _cmocka_run_group_tests("basic", basic_tests, basic_test_count, NULL, NULL);
    if (strcmp(group, "data") == 0)
        return _cmocka_run_group_tests("data", data_tests, data_test_count, NULL, NULL);
    if (strcmp(group, "hot") == 0)
        return _cmocka_run_group_tests("hot", hot_tests, hot_test_count, NULL, NULL);
    if (strcmp(group, "quiet") == 0)
        return _cmocka_run_group_tests("quiet", quiet_tests, quiet_test_count, NULL, NULL);
    if (strcmp(group, "move") == 0)
        return _cmocka_run_group_tests("move", move_tests, move_test_count, NULL, NULL);
    if (strcmp(group, "taker") == 0)
        return move_main();
    if (strcmp(group, "ends") == 0)
        return _cmocka_run_group_tests("ends", end_tests, end_test_count, NULL, NULL);
    fprintf(stderr, "no such group: %s\n", group);
    return 2;
}

int main(int argc, char **argv)
{
    const char *group = "";

    setvbuf(stdout, NULL, _IOLBF, 0);
    env.program = argv[0];
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--provider") == 0)
            env.provider_path = argv[i + 1];
        else if (strcmp(argv[i], "--address") == 0)
            env.address = argv[i + 1];
        else if (strcmp(argv[i], "--group") == 0)
            group = argv[i + 1];
    }
    return run(group) == 0 ? 0 : 1;
}
