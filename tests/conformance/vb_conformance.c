/* vb_conformance.c - one program that says whether a backend keeps the contract of vb/vb.h.
 * Usage:  vb_conformance [BACKEND [ADDRESS [TEST-PATTERN]]]; else WSD_TEST_BACKEND (default rdmacore),
 *         WSD_TEST_ADDR (default: the backend's first address) and CMOCKA_TEST_FILTER. Both ends of every
 *         test are in this process, on that one address.
 * Result: 0 passed, 77 nothing to test (says why), else the number of failed tests. */
#include "conf.h"

#ifdef WSD_TEST_LOOP
#include "loop_backend.h"
#endif

static const char *setting(int argc, char **argv, int index, const char *name, const char *otherwise)
{
    const char *value = argc > index && argv[index][0] ? argv[index] : getenv(name);
    return value && value[0] ? value : otherwise;
}

static int cannot_run(const char *why)
{
    printf("skipped: %s\n", why);
    return 77;
}

static bool find_address(const char *text, char *why, size_t why_bytes)
{
    struct vb_addr list[64];
    uint32_t count = 64;

    if (text) {
        (void)snprintf(why, why_bytes, "\"%s\" is not an address", text);
        return vb_addr_parse(text, &g.addr);
    }
    (void)snprintf(why, why_bytes, "%s has no address", g.spec);
    if (vb_addr_list(g.be, list, &count) != VB_OK || count == 0)
        return false;
    g.addr = list[0];
    return true;
}

static bool serves_loopback(void)
{
    struct vb_addr a;
    struct vb_dev *dev = NULL;
    if (!vb_addr_parse("127.0.0.1", &a) || vb_dev_open(g.be, &a, &dev) != VB_OK)
        return false;
    vb_dev_close(dev);
    return true;
}

int main(int argc, char **argv)
{
    static const struct conf_group *const groups[] = {&conf_group_basic,
                                                      &conf_group_data,
                                                      &conf_group_rdma,
                                                      &conf_group_window,
                                                      &conf_group_conn,
                                                      &conf_group_held,
                                                      NULL};
    static struct CMUnitTest all[256];
    char why[512] = "", text[VB_ADDR_TEXT_BYTES];
    size_t count = 0;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
#ifdef WSD_TEST_LOOP
    if (loop_backend_register() != VB_OK)
        return cannot_run("the loop backend cannot be registered");
#endif
    g.spec = setting(argc, argv, 1, "WSD_TEST_BACKEND", "rdmacore");
    if (vb_open(g.spec, &g.be, why, sizeof why) != VB_OK)
        return cannot_run(why);
    if (!find_address(setting(argc, argv, 2, "WSD_TEST_ADDR", NULL), why, sizeof why))
        return cannot_run(why);
    vb_status_t st = vb_dev_open(g.be, &g.addr, &g.dev);
    if (st != VB_OK) {
        (void)snprintf(why, sizeof why, "%s: no device at %s (%s)", g.spec, vb_addr_text(&g.addr, text),
                       vb_status_name(st));
        return cannot_run(why);
    }
    vb_dev_caps(g.dev, &g.caps);
    g.is_iwarp = strcmp(g.caps.transport, "iWARP") == 0;
    g.is_kernel_iwarp = g.is_iwarp && strcmp(vb_name(g.be), "rdmacore") == 0;
    g.serves_loopback = serves_loopback();
    if (vb_cm_create(g.be, &g.cm) != VB_OK)
        return cannot_run("no connection manager");
    printf("%s on %s, %s, %s\n", g.spec, g.caps.device, g.caps.transport, vb_addr_text(&g.addr, text));

    for (size_t i = 0; groups[i]; i++)
        for (size_t j = 0; j < groups[i]->count && count < sizeof all / sizeof *all; j++)
            all[count++] = groups[i]->tests[j];
    const char *pattern = setting(argc, argv, 3, "CMOCKA_TEST_FILTER", NULL);
    if (pattern)
        cmocka_set_test_filter(pattern);
    int failed = _cmocka_run_group_tests("vb_conformance", all, count, NULL, NULL);
    vb_cm_destroy(g.cm);
    vb_dev_close(g.dev);
    vb_close(g.be);
    return failed < 77 ? failed : 76;
}
