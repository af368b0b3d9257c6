/* test_switch_load.c - loading: contract 8.1, the subnet table, and which library is taken. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "pal/thread.h"

static struct fake_control *control;

static int setup(void **state)
{
    (void)state;
    control = fake_open(FAKE_PROVIDER);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_close();
    return 0;
}

static void assert_refused(int code)
{
    struct sw_provider *p = NULL;
    char why[512];
    const unsigned startups = control->startups;
    const unsigned cleanups = control->cleanups;
    const int result = sw_load(FAKE_PROVIDER, NULL, &p, why, sizeof(why));

    if (result != code)
        fail_msg("expected %s, got %s: %s", sw_error_name(code), sw_error_name(result), why);
    assert_null(p);
    assert_true(strlen(why) > 0);
    if (control->startup_error == 0 && control->empty_slot != 6) /* WSPCleanup is the sixth */
        assert_int_equal(control->cleanups - cleanups, control->startups - startups);
}

static void starting_follows_the_order_of_the_contract(void **state)
{
    struct sw_provider *p = load_fake(FAKE_PROVIDER);

    (void)state;
    assert_string_equal(control->trace,
                        "Socket AddressList AddressList Extension Extension Extension Extension "
                        "Extension Extension Extension CloseSocket");
    assert_int_equal(sw_wspdata(p)->wVersion, 0x0202);
    assert_non_null(sw_procs(p)->lpWSPSocket);
    assert_non_null(sw_extensions(p)->register_memory);
    assert_non_null(sw_extensions(p)->cache_callback);
    assert_int_equal(sw_protocol_info(p)->iAddressFamily, WS_AF_INET);
    assert_int_equal(sw_protocol_info(p)->dwCatalogEntryId, 1001);
    assert_int_equal(sw_open_handles(p), 0);
    unload_clean(p);
    assert_int_equal(control->cleanups, 1);
}

static void loading_the_same_file_again_only_counts(void **state)
{
    struct sw_provider *p = load_fake(FAKE_PROVIDER);

    (void)state;
    assert_ptr_equal(load_fake(FAKE_PROVIDER), p);
    assert_int_equal(control->startups, 1);
    assert_int_equal(sw_unload(p, NULL, 0), 0);
    assert_int_equal(control->cleanups, 0);
    unload_clean(p);
    assert_int_equal(control->cleanups, 1);
}

static void the_environment_names_the_default_provider(void **state)
{
    struct sw_provider *p;

    (void)state;
    setenv("WSD_PROVIDER", FAKE_PROVIDER, 1);
    p = load_fake(NULL);
    unsetenv("WSD_PROVIDER");
    char *canonical = realpath(FAKE_PROVIDER, NULL);
    assert_non_null(canonical);
    assert_string_equal(sw_path(p), canonical);
    free(canonical);
    unload_clean(p);
}

static void a_missing_library_is_refused(void **state)
{
    struct sw_provider *p;
    char why[512];

    (void)state;
    assert_int_equal(sw_load("/nonexistent/provider.so", NULL, &p, why, sizeof(why)), WSAEPROVIDERFAILEDINIT);
    assert_non_null(strstr(why, "/nonexistent/provider.so"));
}

static void a_library_without_the_entry_point_is_refused(void **state)
{
    struct sw_provider *p;
    char why[512];

    (void)state;
    assert_int_equal(sw_load(NO_ENTRY, NULL, &p, why, sizeof(why)), WSAEPROVIDERFAILEDINIT);
    assert_non_null(strstr(why, "WSPStartupEx"));
}

static void an_empty_slot_is_refused(void **state)
{
    (void)state;
    for (int slot = 1; slot <= 30; slot++) {
        control->empty_slot = slot;
        assert_refused(WSAEINVALIDPROCTABLE);
    }
}

static void the_code_of_start_up_is_passed_on(void **state)
{
    (void)state;
    control->startup_error = WSASYSNOTREADY;
    assert_refused(WSASYSNOTREADY);
    assert_int_equal(control->cleanups, 0);
}

static void another_version_is_refused(void **state)
{
    (void)state;
    control->version = 0x0102;
    assert_refused(WSAVERNOTSUPPORTED);
}

static void a_missing_mandatory_extension_is_refused(void **state)
{
    (void)state;
    control->refusal = WSAEOPNOTSUPP;
    for (int extension = 1; extension <= 5; extension++) {
        control->refused_extension = extension;
        assert_refused(WSAEINVALIDPROVIDER);
    }
}

static void a_missing_optional_extension_is_tolerated(void **state)
{
    (void)state;
    control->refusal = WSAEOPNOTSUPP;
    for (int extension = 6; extension <= 7; extension++) {
        struct sw_provider *p;

        control->refused_extension = extension;
        p = load_fake(FAKE_PROVIDER);
        assert_true((sw_extensions(p)->rdma_read == NULL) == (extension == 6));
        assert_true((sw_extensions(p)->cache_callback == NULL) == (extension == 7));
        unload_clean(p);
    }
}

static void an_optional_extension_may_be_missing_with_one_code_only(void **state)
{
    (void)state;
    control->refused_extension = 6;
    control->refusal = WSAEINVAL;
    assert_refused(WSAEINVALIDPROVIDER);
}

static void a_provider_without_address_list_is_refused(void **state)
{
    (void)state;
    control->address_error = WSAENETDOWN;
    assert_refused(WSAEINVALIDPROVIDER);
}

static void a_list_that_grows_is_asked_for_again(void **state)
{
    struct sw_provider *p;

    (void)state;
    control->address_growth = 2;
    p = load_fake(FAKE_PROVIDER);
    assert_int_equal(sw_addresses(p, NULL, 0), 2);
    unload_clean(p);
}

static void an_address_outside_the_buffer_is_a_violation(void **state)
{
    struct sw_provider *p;

    (void)state;
    control->address_stray = 1;
    p = load_fake(FAKE_PROVIDER);
    assert_int_equal(sw_addresses(p, NULL, 0), 1);
    expect_violations(p, 1, "outside the buffer");
    unload_clean(p);
}

static void handles_that_stay_open_are_found_at_the_end(void **state)
{
    struct sw_provider *p;
    char text[1024];

    (void)state;
    control->forget_handle = 1;
    p = load_fake(FAKE_PROVIDER); /* closes its throw-away socket */
    assert_int_equal(sw_open_handles(p), 1);
    assert_int_equal(sw_unload(p, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "never closed"));
}

static void refresh_reads_the_list_again(void **state)
{
    struct sw_provider *p = load_fake(FAKE_PROVIDER);
    struct sw_address a[4];

    (void)state;
    control->trace[0] = '\0';
    assert_int_equal(sw_refresh(p), 0);
    assert_string_equal(control->trace, "Socket AddressList AddressList CloseSocket");
    assert_int_equal(sw_addresses(p, a, 4), 2);
    assert_int_equal(a[0].address.sin_addr.s_addr, address("10.0.0.1").sin_addr.s_addr);
    assert_int_equal(a[1].mask, address("255.0.0.0").sin_addr.s_addr); /* the loopback interface's */
    control->address_error = WSAENETDOWN;
    assert_int_equal(sw_refresh(p), WSAENETDOWN);
    assert_int_equal(sw_addresses(p, NULL, 0), 2);
    unload_clean(p);
}

static void destinations_are_routed_by_subnet(void **state)
{
    struct sw_config config;
    struct sw_provider *p;
    WSD_SOCKADDR_IN own = address("10.0.0.1");
    WSD_SOCKADDR_IN near_loopback = address("127.0.0.77:80");
    WSD_SOCKADDR_IN elsewhere = address("192.0.2.1:80");
    WSD_SOCKADDR_IN wildcard = address("0.0.0.0");
    WSD_SOCKADDR_IN local;

    (void)state;
    p = load_fake(FAKE_PROVIDER);
    assert_ptr_equal(sw_provider_for(&own, NULL, &local), p);
    assert_int_equal(local.sin_addr.s_addr, own.sin_addr.s_addr);
    assert_ptr_equal(sw_provider_for(&own, &own, NULL), p);
    assert_ptr_equal(sw_provider_for(&own, &wildcard, NULL), p);
    assert_null(sw_provider_for(&own, &elsewhere, NULL)); /* bound to another adapter (Q31) */
    assert_null(sw_provider_for(&elsewhere, NULL, NULL));
    assert_null(sw_provider_for(&near_loopback, NULL, NULL)); /* Q23 */
    unload_clean(p);
    assert_null(sw_provider_for(&own, NULL, NULL));

    sw_config_init(&config);
    config.route_loopback = true;
    config.route_own_address = false;
    assert_int_equal(sw_load(FAKE_PROVIDER, &config, &p, NULL, 0), 0);
    assert_ptr_equal(sw_provider_for(&near_loopback, NULL, &local), p);
    assert_int_equal(local.sin_addr.s_addr, address("127.0.0.1").sin_addr.s_addr);
    assert_null(sw_provider_for(&own, NULL, NULL));
    unload_clean(p);
}

static void the_first_of_two_providers_gets_the_subnet(void **state)
{
    WSD_SOCKADDR_IN own = address("10.0.0.1");
    struct sw_provider *b;
    struct sw_provider *a;

    (void)state;
    fake_open(FAKE_PROVIDER_B);
    b = load_fake(FAKE_PROVIDER_B);
    a = load_fake(FAKE_PROVIDER);
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(sw_provider_for(&own, NULL, NULL), b); /* Q30 */
    unload_clean(b);
    assert_ptr_equal(sw_provider_for(&own, NULL, NULL), a);
    unload_clean(a);
}

static void load_and_unload(void *unused)
{
    (void)unused;
    for (int i = 0; i < 50; i++) {
        struct sw_provider *p;

        if (sw_load(FAKE_PROVIDER, NULL, &p, NULL, 0) == 0)
            (void)sw_unload(p, NULL, 0);
    }
}

static void threads_may_load_and_unload_at_once(void **state)
{
    struct pal_thread *threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        threads[i] = pal_thread_start(load_and_unload, NULL, "loader");
    for (int i = 0; i < 4; i++)
        pal_thread_join(threads[i]);
    assert_int_equal(control->startups, control->cleanups);
    assert_true(control->startups >= 1);
}

static void addresses_are_read_and_written(void **state)
{
    WSD_SOCKADDR_IN a;
    char text[32];

    (void)state;
    assert_string_equal(sw_format_address(&(WSD_SOCKADDR_IN){0}, text, sizeof(text)), "0.0.0.0:0");
    a = address("192.0.2.7:44510");
    assert_string_equal(sw_format_address(&a, text, sizeof(text)), "192.0.2.7:44510");
    assert_int_equal(sw_parse_address("192.0.2", &a), WSAEINVAL);
    assert_int_equal(sw_parse_address("192.0.2.256", &a), WSAEINVAL);
    assert_int_equal(sw_parse_address("192.0.2.7:65536", &a), WSAEINVAL);
    assert_int_equal(sw_parse_address("192.0.2.7:", &a), WSAEINVAL);
    assert_int_equal(sw_parse_address("192.0.2.7:80x", &a), WSAEINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(starting_follows_the_order_of_the_contract),
        TEST(loading_the_same_file_again_only_counts),
        TEST(the_environment_names_the_default_provider),
        TEST(a_missing_library_is_refused),
        TEST(a_library_without_the_entry_point_is_refused),
        TEST(an_empty_slot_is_refused),
        TEST(the_code_of_start_up_is_passed_on),
        TEST(another_version_is_refused),
        TEST(a_missing_mandatory_extension_is_refused),
        TEST(a_missing_optional_extension_is_tolerated),
        TEST(an_optional_extension_may_be_missing_with_one_code_only),
        TEST(a_provider_without_address_list_is_refused),
        TEST(a_list_that_grows_is_asked_for_again),
        TEST(an_address_outside_the_buffer_is_a_violation),
        TEST(handles_that_stay_open_are_found_at_the_end),
        TEST(refresh_reads_the_list_again),
        TEST(destinations_are_routed_by_subnet),
        TEST(the_first_of_two_providers_gets_the_subnet),
        TEST(threads_may_load_and_unload_at_once),
        TEST(addresses_are_read_and_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
