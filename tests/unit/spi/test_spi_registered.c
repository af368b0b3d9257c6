/* test_spi_registered.c - which SAN providers a registry and a catalog name together (contract 2.2). Both are played; on Windows the real ones
 * are asked too, which have nothing of ours. */
#include "fake.h"

#include "spi/registered.h"

static struct registry {
    struct sw_registered_value values[8];
    unsigned value_count;
    GUID known[8]; /* to the catalog */
    unsigned known_count;
} registry;

static bool value(void *self, unsigned index, struct sw_registered_value *out)
{
    const struct registry *r = self;

    if (index >= r->value_count)
        return false;
    *out = r->values[index];
    return true;
}

static bool path_of(void *self, const GUID *id, char *out, size_t bytes)
{
    const struct registry *r = self;

    for (unsigned i = 0; i < r->known_count; i++)
        if (memcmp(&r->known[i], id, sizeof(*id)) == 0)
            return snprintf(out, bytes, "file %lu", (unsigned long)id->Data1) > 0;
    return false;
}

static const struct sw_registered_source source = {&registry, value, path_of};

static GUID id_of(uint32_t number)
{
    const GUID id = {number, 2, 3, {4}};

    return id;
}

static void add(uint32_t number, uint32_t type, uint32_t bytes)
{
    registry.values[registry.value_count++] = (struct sw_registered_value){type, bytes, id_of(number)};
}

static void know(uint32_t number)
{
    registry.known[registry.known_count++] = id_of(number);
}

static int clear(void **state)
{
    (void)state;
    memset(&registry, 0, sizeof(registry));
    return 0;
}

static void nothing_registered_is_no_provider(void **state)
{
    char paths[2][SW_REGISTERED_PATH_BYTES];

    (void)state;
    know(1);
    assert_int_equal(sw_registered_paths(&source, paths, 2), 0);
}

static void value_and_entry_together_make_a_provider(void **state)
{
    char paths[4][SW_REGISTERED_PATH_BYTES];

    (void)state;
    add(3, SW_REGISTERED_BINARY, 16);
    add(1, SW_REGISTERED_BINARY, 16);
    add(2, SW_REGISTERED_BINARY, 16); /* without an entry */
    know(1);
    know(3);
    know(4); /* without a value */
    assert_int_equal(sw_registered_paths(&source, paths, 4), 2);
    assert_string_equal(paths[0], "file 3"); /* in the order of the values */
    assert_string_equal(paths[1], "file 1");
}

static void values_of_another_form_are_passed_over(void **state)
{
    char paths[4][SW_REGISTERED_PATH_BYTES];

    (void)state;
    for (uint32_t i = 1; i <= 4; i++)
        know(i);
    add(1, 1, 16); /* REG_SZ */
    add(2, SW_REGISTERED_BINARY, 15);
    add(3, SW_REGISTERED_BINARY, 17);
    add(4, SW_REGISTERED_BINARY, 16);
    assert_int_equal(sw_registered_paths(&source, paths, 4), 1);
    assert_string_equal(paths[0], "file 4");
}

static void a_provider_is_started_once(void **state)
{
    char paths[4][SW_REGISTERED_PATH_BYTES];

    (void)state;
    know(1);
    know(2);
    add(1, SW_REGISTERED_BINARY, 16);
    add(1, SW_REGISTERED_BINARY, 16);
    add(2, SW_REGISTERED_BINARY, 16);
    assert_int_equal(sw_registered_paths(&source, paths, 4), 2);
    assert_string_equal(paths[1], "file 2");
}

static void no_more_than_there_is_room_for(void **state)
{
    char paths[3][SW_REGISTERED_PATH_BYTES] = {"", "", "untouched"};

    (void)state;
    for (uint32_t i = 1; i <= 5; i++) {
        know(i);
        add(i, SW_REGISTERED_BINARY, 16);
    }
    assert_int_equal(sw_registered_paths(&source, paths, 2), 2);
    assert_string_equal(paths[1], "file 2");
    assert_string_equal(paths[2], "untouched");
}

/* Reads the real places without harm; a machine with a provider of somebody's has some. */
static void this_system_can_be_asked(void **state)
{
    char paths[SW_PROVIDERS_MAX][SW_REGISTERED_PATH_BYTES];
    unsigned found = sw_registered_here(paths, SW_PROVIDERS_MAX);

    (void)state;
    assert_true(found <= SW_PROVIDERS_MAX);
    for (unsigned i = 0; i < found; i++)
        assert_int_not_equal(strlen(paths[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_registered_is_no_provider, clear),
        cmocka_unit_test_setup(value_and_entry_together_make_a_provider, clear),
        cmocka_unit_test_setup(values_of_another_form_are_passed_over, clear),
        cmocka_unit_test_setup(a_provider_is_started_once, clear),
        cmocka_unit_test_setup(no_more_than_there_is_room_for, clear),
        cmocka_unit_test(this_system_can_be_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
