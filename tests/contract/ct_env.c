/* ct_env.c - what a whole test program shares: which library, which backend, how long to wait; and the
 * checks. */
#include "ct.h"

#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

struct ct_env ct;

static void *module;

static unsigned long number_from(const char *name, unsigned long fallback)
{
    const char *text = getenv(name);
    char *end = NULL;
    unsigned long value = text != NULL && *text != '\0' ? strtoul(text, &end, 10) : 0;

    return end != NULL && *end == '\0' && value > 0 ? value : fallback;
}

void ct_env_hold_module(void)
{
    if (!ct.is_loop || module != NULL)
        return;
    module = dlopen(ct.provider, RTLD_NOW | RTLD_LOCAL);
    if (module == NULL) {
        fprintf(stderr, "cannot load %s: %s\n", ct.provider, dlerror());
        exit(2);
    }
    prov_loop_api_fn *api;
    *(void **)&api = dlsym(module, "prov_loop_api");
    if (api == NULL) {
        fprintf(stderr, "%s is not the test module (no prov_loop_api)\n", ct.provider);
        exit(2);
    }
    ct.loop = api();
    ct.vb = ct.loop->vb;
}

void ct_env_release_module(void)
{
    if (!ct.is_loop)
        return; /* the verbs of a device are linked in: ct.vb stays */
    if (module != NULL)
        dlclose(module);
    module = NULL;
    ct.loop = NULL;
    ct.vb = NULL;
}

static void on_alarm(int signal_number)
{
    static const char text[] = "\ncontract test: the watchdog struck: a test hangs\n";

    (void)signal_number;
    if (write(2, text, sizeof text - 1) < 0)
        _exit(99);
    abort();
}

bool ct_env_is_siw(void)
{
    const char *device = getenv("WSD_TEST_DEVICE");

    return !ct.is_loop && device != NULL && strcmp(device, "siw") == 0;
}

bool ct_env_is_across(void)
{
    return ct.peer_spec[0] != '\0';
}

void ct_env_choose_peer(bool is_peer)
{
    setenv("WSD_BACKEND", is_peer ? ct.peer_spec : ct.vb_spec, 1);
}

static bool choose_peer(const char *library)
{
    const char *spec = getenv("WSD_TEST_PEER_BACKEND");

    if (library == NULL)
        return true;
    if (ct.is_loop || spec == NULL || *spec == '\0') {
        fprintf(stderr,
                "--peer needs a device, and WSD_TEST_PEER_BACKEND: the backend of the ends that listen\n");
        return false;
    }
    snprintf(ct.peer_spec, sizeof ct.peer_spec, "%s", spec);
    snprintf(ct.peer_provider, sizeof ct.peer_provider, "%s", library);
    return true;
}

int ct_env_init(bool is_loop, const char *provider, const char *peer, const char *address)
{
    ct.is_loop = is_loop;
    ct.rounds = number_from("WSD_TEST_ROUNDS", is_loop ? 200 : 20);
    ct.wait_ms = (uint32_t)number_from("WSD_TEST_WAIT_MS", is_loop ? 15000 : 60000);
    const char *backend = getenv("WSD_TEST_BACKEND");
    ct.vb_spec = is_loop ? "loop" : backend != NULL && *backend != '\0' ? backend : "rdmacore";
    snprintf(ct.provider, sizeof ct.provider, "%s", provider);
    if (!choose_peer(peer))
        return 2;
    ssize_t n = readlink("/proc/self/exe", ct.program, sizeof ct.program - 1);
    ct.program[n > 0 ? n : 0] = '\0';
    if (is_loop) {
        snprintf(ct.address, sizeof ct.address, "10.77.0.1");
        snprintf(ct.other_address, sizeof ct.other_address, "10.77.0.2");
        setenv("WSD_BACKEND", "loop", 1);
        ct_env_hold_module();
    } else {
        if (address == NULL || *address == '\0')
            address = getenv("WSD_TEST_ADDR");
        if (address == NULL || *address == '\0') {
            fprintf(stderr, "skipped: WSD_TEST_ADDR is not set (IPv4 address of an RDMA device)\n");
            return 77;
        }
        snprintf(ct.address, sizeof ct.address, "%s", address);
        snprintf(ct.other_address, sizeof ct.other_address, "%s", address);
        setenv("WSD_BACKEND", ct.vb_spec, 1);
        ct.vb = &vb_api_linked;
    }
    struct sigaction on = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &on, NULL);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    return 0;
}

/* How many devices of the kernel's RDMA this process has open. librdmacm keeps them when an instance is gone. */
static unsigned kernel_devices(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 1024; fd++) {
        char name[32], target[64];
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(name, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        count += strncmp(target, "/dev/infiniband/uverbs", 22) == 0;
    }
    return count;
}

/* Load it once and look for the address. 0; 1 or 77 with a reason printed. */
static int probe(const char *library, const char *spec)
{
    struct sw_provider *p;
    char why[512];
    WSD_SOCKADDR_IN wanted;
    struct sw_address known[64];
    unsigned before = kernel_devices();
    int result = sw_load(library, NULL, &p, why, sizeof why);

    if (result != 0) {
        fprintf(stderr, "%s: %s (%s)\n", result == WSASYSNOTREADY ? "skipped" : "failed", why,
                sw_error_name(result));
        return result == WSASYSNOTREADY ? 77 : 1;
    }
    if (ct_env_is_across() && (kernel_devices() > before) != (strncmp(spec, "rdmacore", 8) == 0)) {
        fprintf(stderr, "failed: the instance for %s is on another backend\n", spec);
        sw_unload(p, NULL, 0);
        return 1;
    }
    unsigned count = sw_addresses(p, known, 64);
    bool is_known = false;
    if (sw_parse_address(ct.address, &wanted) == 0)
        for (unsigned i = 0; i < count && i < 64; i++)
            is_known |= known[i].address.sin_addr.s_addr == wanted.sin_addr.s_addr;
    sw_unload(p, NULL, 0);
    if (is_known)
        return 0;
    fprintf(stderr, "skipped: %s is not an address of an RDMA device here\n", ct.address);
    return 77;
}

int ct_env_probe(void)
{
    int result = probe(ct.provider, ct.vb_spec);

    if (result == 0 && ct_env_is_across()) {
        ct_env_choose_peer(true);
        result = probe(ct.peer_provider, ct.peer_spec);
        ct_env_choose_peer(false);
    }
    if (result != 0)
        return result;
    struct ct_raw raw;
    ct_raw_open(&raw);
    const struct vb_caps *a = &raw.connects.caps, *b = &raw.listens.caps;
    ct.has_flow_control = (a->flags & b->flags & VB_CAP_RECV_FLOW_CONTROL) != 0;
    ct.completes_early = strcmp(a->transport, "iWARP") == 0 || strcmp(b->transport, "iWARP") == 0;
    ct_raw_close(&raw);
    return 0;
}
