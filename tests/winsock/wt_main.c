/* wt_main.c - one lane, one group or all.
 * usage: winsock --lane wine|tcp|san|dll|dll-san [--address OWN_ADDRESS] [--silent ADDRESS_THAT_ANSWERS_NOBODY] [--group NAME]
 *                [--excepted run] [--watchdog SECONDS]
 * Without --address: WSD_TEST_ADDR over a SAN, else 127.0.0.1. The lane's surroundings (WSD_SWITCH, WSD_PROVIDER, ...) come from the
 * environment. Each test runs between WSAStartup and WSACleanup. With "--excepted run" what a lane is excepted from runs as well, to see
 * whether the reason still holds. The watchdog strikes after that many seconds, 100 by default: ctest has to be more patient.
 * Exit status: 0; 1: tests failed; 2: usage; 77: skipped, with the reason on standard error. */
#include "wt.h"

struct wt_env wt_env;

static const struct wt_group *const groups[] = {
    &wt_group_startup,    &wt_group_creation,   &wt_group_names,     &wt_group_accepting,
    &wt_group_connecting, &wt_group_connect_ex, &wt_group_accept_ex, &wt_group_data,
    &wt_group_overlapped, &wt_group_ports,      &wt_group_closing,   &wt_group_events,
    &wt_group_selecting,  &wt_group_options,    &wt_group_sharing,   &wt_group_text,
    &wt_group_helpers};
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static unsigned passed, excepted, failed;
static bool excepted_run_too;

/* A test that hangs ends the program: somebody looks at the clock. */
static DWORD watchdog_ms = 100000;
static DWORD WINAPI watchdog(LPVOID is_over)
{
    if (WaitForSingleObject(is_over, watchdog_ms) != WAIT_TIMEOUT)
        return 0;
    fprintf(stderr, "\nthe watchdog struck: a test hangs\n");
    abort();
}

static int begin(void **state)
{
    WSADATA data;

    (void)state;
    return WSAStartup(MAKEWORD(2, 2), &data);
}

static int end(void **state)
{
    (void)state;
    wt_drop_all();
    return WSACleanup();
}

static void run_line(const struct wt_line *line)
{
    const struct CMUnitTest test = {line->name, line->run, begin, end, NULL};

    if ((line->excepted_lanes & wt_env.lane) != 0) {
        printf("[ EXCEPTED ] %s: %s\n", line->name, line->reason);
        if (!excepted_run_too) {
            excepted++;
            return;
        }
    }
    if (_cmocka_run_group_tests(line->name, &test, 1, NULL, NULL) == 0)
        passed++;
    else
        failed++;
}

static int usage(void)
{
    fprintf(stderr, "usage: winsock --lane wine|tcp|san|dll|dll-san [--address A] [--silent A] [--group G]\n"
                    "               [--excepted run] [--watchdog SECONDS]\n");
    return 2;
}

static unsigned lane_of(const char *name)
{
    return strcmp(name, "wine") == 0      ? WT_WINE
           : strcmp(name, "tcp") == 0     ? WT_TCP
           : strcmp(name, "san") == 0     ? WT_SAN
           : strcmp(name, "dll") == 0     ? WT_DLL
           : strcmp(name, "dll-san") == 0 ? WT_DLL_SAN
                                          : 0;
}

int main(int argc, char **argv)
{
    const char *address = NULL, *group = NULL, *lane = "";
    HANDLE is_over, guard;

    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--lane") == 0)
            lane = value;
        else if (strcmp(argv[i], "--address") == 0)
            address = value;
        else if (strcmp(argv[i], "--silent") == 0)
            wt_env.silent = inet_addr(value);
        else if (strcmp(argv[i], "--group") == 0)
            group = value;
        else if (strcmp(argv[i], "--excepted") == 0)
            excepted_run_too = strcmp(value, "run") == 0;
        else if (strcmp(argv[i], "--watchdog") == 0)
            watchdog_ms = (DWORD)strtoul(value, NULL, 10) * 1000u;
        else
            return usage();
    }
    wt_env.lane = lane_of(lane);
    if (address == NULL)
        address = (wt_env.lane & WT_SANS) != 0 ? wt_san_address() : "127.0.0.1";
    if (address == NULL) {
        fprintf(stderr, "skipped: no address for a SAN provider (WSD_TEST_ADDR)\n");
        return 77;
    }
    wt_env.here.sin_family = AF_INET;
    wt_env.here.sin_addr.s_addr = inet_addr(address);
    wt_env.wait_ms = 20000;
    wt_env.program = argv[0];
    if (wt_env.lane == 0 || wt_env.here.sin_addr.s_addr == INADDR_NONE || watchdog_ms == 0)
        return usage();
    setvbuf(stdout, NULL, _IOLBF, 1024);
    is_over = CreateEventA(NULL, TRUE, FALSE, NULL);
    guard = CreateThread(NULL, 0, watchdog, is_over, 0, NULL);
    for (unsigned g = 0; g < GROUPS; g++)
        for (unsigned i = 0; (group == NULL || strcmp(group, groups[g]->name) == 0) && i < groups[g]->count;
             i++)
            run_line(&groups[g]->lines[i]);
    SetEvent(is_over);
    WaitForSingleObject(guard, INFINITE);
    CloseHandle(guard);
    CloseHandle(is_over);
    printf("lane %s: %u passed, %u excepted, %u failed\n", lane, passed, excepted, failed);
    return passed + excepted == 0 ? usage() : failed == 0 ? 0 : 1;
}
