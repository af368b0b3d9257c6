/* spi_main.c - the contract suite of the switch's upper face: one lane, one group or all.
 * usage: spi --lane tcp|san --library SWITCH [--provider SAN_PROVIDER] [--address OWN_ADDRESS] [--group NAME]
 * Without --address: WSD_TEST_ADDR, else the first address of the SAN provider that is not loopback (san), 127.0.0.1 (tcp).
 * The san lane takes the backend from WSD_TEST_BACKEND, softiwarp unless it says otherwise.
 * Exit status: 0; 1: tests failed; 2: usage; 77: skipped, with the reason on standard error. */
#include "sp.h"

#include <signal.h>
#include <unistd.h>

static const struct sp_group groups[] = {
    {"address_text", sp_address_text},
    {"startup", sp_startup},
    {"loading", sp_loading},
    {"bad_handles", sp_bad_handles},
    {"creation", sp_creation},
    {"names", sp_names},
    {"connecting", sp_connecting},
    {"connect_ex", sp_connecting_ex},
    {"fallback", sp_fallback},
    {"accepting", sp_accepting},
    {"accept_ex", sp_accepting_ex},
    {"blocking", sp_blocking},
    {"cancelling", sp_cancelling},
    {"cancel_io", sp_cancelling_io},
    {"nonblocking", sp_nonblocking_data},
    {"overlapped", sp_overlapped},
    {"packets", sp_packets},
    {"order", sp_order_of_bytes},
    {"sizes", sp_sizes},
    {"remapping", sp_remapping},
    {"events", sp_events},
    {"events_connection", sp_events_connection},
    {"async_select", sp_async_select},
    {"selecting", sp_selecting},
    {"urgent", sp_urgent},
    {"closing", sp_closing},
    {"options", sp_options},
    {"ioctls", sp_ioctls},
    {"transmit", sp_transmit},
    {"duplicate", sp_duplicate},
    {"sharing", sp_sharing},
    {"moving", sp_moving},
    {"dying", sp_dying},
    {"control", sp_control},
    {"control_waiting", sp_control_waiting},
    {"control_ends", sp_control_ends},
    {"control_storm", sp_control_storm},
    {"storm_blocking", sp_storm_blocking},
    {"datagrams", sp_datagrams},
    {"hostile", sp_hostile},
    {"storm", sp_storm},
    {"errors", sp_error_codes},
    {"shortage", sp_shortage},
    {"device", sp_device},
    {"ends", sp_ends},
    {"many", sp_many},
    {"ipv6", sp_ipv6},
};

static void on_alarm(int signal_number)
{
    static const char text[] = "\nspi test: the watchdog struck: a test hangs\n";

    (void)signal_number;
    if (write(2, text, sizeof text - 1) < 0)
        _exit(99);
    abort();
}

/* An address that the SAN provider has; asks it once through a switch of this program's own. */
static int choose_san_address(const char *wanted)
{
    struct sw_provider *p;
    struct sw_address known[32];
    char why[512];
    WSD_SOCKADDR_IN given = {.sin_family = 0};
    unsigned count;
    bool is_found = false;
    int result = sw_load(sp_env.provider, NULL, &p, why, sizeof why);

    if (result != 0) {
        fprintf(stderr, "%s: %s\n", result == WSASYSNOTREADY ? "skipped" : "failed", why);
        return result == WSASYSNOTREADY ? 77 : 1;
    }
    count = sw_addresses(p, known, 32);
    sw_unload(p, NULL, 0);
    if (wanted != NULL && sw_parse_address(wanted, &given) != 0)
        return 2;
    for (unsigned i = 0; i < count && i < 32 && !is_found; i++) {
        const unsigned char *first = (const unsigned char *)&known[i].address.sin_addr.s_addr;

        is_found = wanted != NULL ? known[i].address.sin_addr.s_addr == given.sin_addr.s_addr : *first != 127;
        if (is_found)
            sp_env.here = known[i].address;
    }
    if (is_found)
        return 0;
    fprintf(stderr, "skipped: %s%s\n", wanted != NULL ? wanted : "there is no address of a SAN provider here",
            wanted != NULL ? " is no address of a SAN provider here" : "");
    return 77;
}

static int prepare(const char *address)
{
    const char *backend = getenv("WSD_TEST_BACKEND");

    sp_env.wait_ms = 20000;
    ssize_t n = readlink("/proc/self/exe", sp_env.program, sizeof sp_env.program - 1);
    sp_env.program[n > 0 ? n : 0] = '\0';
    struct sigaction on = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &on, NULL);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (address == NULL)
        address = getenv("WSD_TEST_ADDR");
    if (!sp_env.is_san) {
        setenv("WSD_SWITCH", "off", 1);
        return sw_parse_address(address != NULL ? address : "127.0.0.1", &sp_env.here) == 0 ? 0 : 2;
    }
    setenv("WSD_SWITCH", "on", 1);
    setenv("WSD_PROVIDER", sp_env.provider, 1);
    setenv("WSD_BACKEND", backend != NULL && *backend != '\0' ? backend : "softiwarp", 1);
    return choose_san_address(address);
}

int main(int argc, char **argv)
{
    const char *address = NULL, *group = NULL;
    bool is_role = false, is_found = false;
    int failed = 0, result;

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--role") == 0) {
            is_role = true;
            continue;
        }
        if (strcmp(argv[i], "--lane") == 0)
            sp_env.lane = value;
        else if (strcmp(argv[i], "--library") == 0)
            snprintf(sp_env.library, sizeof sp_env.library, "%s", value);
        else if (strcmp(argv[i], "--provider") == 0)
            snprintf(sp_env.provider, sizeof sp_env.provider, "%s", value);
        else if (strcmp(argv[i], "--address") == 0)
            address = value;
        else if (strcmp(argv[i], "--group") == 0)
            group = value;
        else
            sp_env.lane = NULL;
        i++;
    }
    if (sp_env.lane == NULL || (strcmp(sp_env.lane, "tcp") != 0 && strcmp(sp_env.lane, "san") != 0)) {
        fprintf(stderr,
                "usage: spi --lane tcp|san --library FILE [--provider FILE] [--address A] [--group G]\n");
        return 2;
    }
    sp_env.is_san = strcmp(sp_env.lane, "san") == 0;
    result = prepare(address);
    if (result != 0)
        return result;
    if (is_role)
        return sp_role();
    for (unsigned i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (group != NULL && strcmp(group, groups[i].name) != 0)
            continue;
        is_found = true;
        failed += groups[i].run();
        failed += sp_documented(groups[i].name);
    }
    if (!is_found)
        fprintf(stderr, "no group %s\n", group);
    return !is_found ? 2 : failed == 0 ? 0 : 1;
}
