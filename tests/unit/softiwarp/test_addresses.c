/* test_addresses.c - addresses that come and go: softiwarp keeps a list of them (device.c), and nobody who changed them may get
 * an answer from before. In the network of ../../support/own_network.sh, with ip(8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vb/vb.h"

enum { ROUNDS = 5 };
#define assert_ok(e) assert_int_equal((e), VB_OK)

static struct vb_backend *be;
static struct vb_dev *dev;

static struct vb_addr address(const char *text)
{
    struct vb_addr a;
    assert_true(vb_addr_parse(text, &a));
    return a;
}

static int setup(void **state)
{
    char why[256];
    struct vb_addr here = address("127.0.0.1");
    (void)state;
    return vb_open("softiwarp", &be, why, sizeof why) == VB_OK && vb_dev_open(be, &here, &dev) == VB_OK ? 0
                                                                                                        : -1;
}

static int teardown(void **state)
{
    (void)state;
    vb_dev_close(dev);
    vb_close(be);
    return 0;
}

static void run(const char *command)
{
    if (system(command) != 0)
        fail_msg("%s failed", command);
}

static void an_address_counts_as_soon_as_it_is_there_and_no_longer(void **state)
{
    const struct vb_addr fixed = address("10.77.9.1"), added = address("10.77.9.77");
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        assert_true(vb_dev_owns(dev, &fixed));
        assert_false(vb_dev_owns(dev, &added));
        run("ip addr add 10.77.9.77/24 dev hole");
        assert_true(vb_dev_owns(dev, &added));
        assert_true(vb_dev_owns(dev, &added));
        run("ip addr del 10.77.9.77/24 dev hole");
        assert_false(vb_dev_owns(dev, &added));
    }
}

static void the_addresses_of_an_interface_that_is_down_do_not_count(void **state)
{
    const struct vb_addr fixed = address("10.77.9.1");
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        assert_true(vb_dev_owns(dev, &fixed));
        run("ip link set hole down");
        assert_false(vb_dev_owns(dev, &fixed));
        run("ip link set hole up");
        assert_true(vb_dev_owns(dev, &fixed));
    }
}

/* The list is not that of the events: who asks for events still hears of the change. */
static void asking_takes_no_event_away(void **state)
{
    const struct vb_addr added = address("10.77.9.77");
    struct vb_async_event ev;
    bool has_heard = false;
    (void)state;
    while (vb_async_poll(be, &ev) == VB_OK)
        ;
    run("ip addr add 10.77.9.77/24 dev hole");
    assert_true(vb_dev_owns(dev, &added));
    while (vb_async_poll(be, &ev) == VB_OK)
        has_heard |= ev.kind == VB_ASYNC_ADDR_CHANGE;
    assert_true(has_heard);
    run("ip addr del 10.77.9.77/24 dev hole");
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_address_counts_as_soon_as_it_is_there_and_no_longer),
        TEST(the_addresses_of_an_interface_that_is_down_do_not_count),
        TEST(asking_takes_no_event_away),
    };
    (void)argc, (void)argv;
    return cmocka_run_group_tests_name("softiwarp: addresses that come and go", tests, NULL, NULL);
}
