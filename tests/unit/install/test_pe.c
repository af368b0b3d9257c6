/* test_pe.c - reading program files, whole, cut off and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_system.h"
#include "pe.h"

static void a_dll_of_either_word_size_is_recognised(void **state)
{
    (void)state;
    uint8_t bytes[FAKE_PE_BYTES];
    struct pe_facts facts;
    const char *why;
    for (uint32_t bits = 32; bits <= 64; bits += 32) {
        size_t n = fake_pe(bytes, bits, bits == 64, "WSPStartupEx");
        assert_true(pe_inspect(bytes, n, "WSPStartupEx", &facts, &why));
        assert_int_equal(facts.machine, bits == 64 ? PE_MACHINE_AMD64 : PE_MACHINE_I386);
        assert_int_equal(facts.is_64, bits == 64);
        assert_int_equal(facts.is_dll, bits == 64);
        assert_true(facts.has_export);
        assert_true(pe_inspect(bytes, n, "WSPStartup", &facts, &why)); /* only a part of the name */
        assert_false(facts.has_export);
    }
}

static void other_files_are_told_apart(void **state)
{
    (void)state;
    struct pe_facts facts;
    const char *why;
    uint8_t bytes[FAKE_PE_BYTES];
    static const uint8_t elf[4] = {0x7F, 'E', 'L', 'F'}, dos[2] = {'M', 'Z'};
    assert_false(pe_inspect((const uint8_t *)"", 0, "x", &facts, &why));
    assert_string_equal(why, "it is not a program file of Windows");
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, elf, sizeof elf);
    assert_false(pe_inspect(bytes, sizeof bytes, "x", &facts, &why));
    memcpy(bytes, dos, sizeof dos); /* a program for DOS */
    assert_false(pe_inspect(bytes, sizeof bytes, "x", &facts, &why));
}

/* From exact allocations, so that a sanitizer sees every read beyond the end. */
static void no_prefix_of_a_file_is_read_beyond_its_end(void **state)
{
    (void)state;
    uint8_t bytes[FAKE_PE_BYTES];
    size_t n = fake_pe(bytes, 64, true, "WSPStartupEx");
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *copy = malloc(cut ? cut : 1);
        struct pe_facts facts;
        const char *why;
        assert_non_null(copy);
        memcpy(copy, bytes, cut);
        if (pe_inspect(copy, cut, "WSPStartupEx", &facts, &why))
            assert_true(!facts.has_export || cut > 512 + 128);
        else
            assert_true(why[0] != 0);
        free(copy);
    }
}

static void no_damage_leads_outside_the_file(void **state)
{
    (void)state;
    static const uint8_t values[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
    uint8_t *bytes = malloc(FAKE_PE_BYTES);
    struct pe_facts facts;
    const char *why;
    unsigned refused = 0;
    assert_non_null(bytes);
    for (size_t at = 0; at < FAKE_PE_BYTES; at++)
        for (size_t v = 0; v < sizeof values; v++) {
            size_t n = fake_pe(bytes, at & 1 ? 64 : 32, true, "WSPStartupEx");
            for (size_t i = at; i < at + 4 && i < n; i++) /* one byte, then whole fields */
                bytes[i] = v & 1 || i == at ? values[v] : bytes[i];
            refused += !pe_inspect(bytes, n, "WSPStartupEx", &facts, &why) || !facts.has_export;
        }
    free(bytes);
    assert_true(refused > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dll_of_either_word_size_is_recognised),
        cmocka_unit_test(other_files_are_told_apart),
        cmocka_unit_test(no_prefix_of_a_file_is_read_beyond_its_end),
        cmocka_unit_test(no_damage_leads_outside_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
