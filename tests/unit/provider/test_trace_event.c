/* test_trace_event.c - events of the log as self-describing ones: bytes, types, limits. With the argument --formats it reads
 * formats from standard input, one a line, and fails on those that cannot be encoded (trace_formats.sh). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/trace_event.h"
#include "pal/compiler.h"

static bool encode_list(struct wsd_trace_event *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang-tidy 14 forgets the va_start */
    bool ok = wsd_trace_encode(e, format, args);
    va_end(args);
    return ok;
}
/* The compiler checks the arguments. */
PAL_PRINTF(1, 2) static void check_format(const char *format, ...)
{
    (void)format;
}
#define encode(e, ...) (check_format(__VA_ARGS__), encode_list((e), __VA_ARGS__))

static void an_event_is_these_bytes(void **state)
{
    (void)state;
    static const char meta[] = "\x29\0\0state\0sock\0\x08"
                               "by\0\x82\x23"
                               "port\0\x07"
                               "handle\0\x15"
                               "bytes\0\x0A";
    static const char data[] =
        "\x11\0\0\0connect\0\xFF\xFF\xFF\xFF\xEF\xCD\xAB\x89\x67\x45\x23\x01\0\0\0\0\x01\0\0\0";
    struct wsd_trace_event e;
    assert_true(encode(&e, "sock=%u event=state by=%s port=%d handle=%llx bytes=%" PRIu64, 17u, "connect", -1,
                       0x0123456789ABCDEFull, UINT64_C(0x100000000)));
    assert_int_equal(e.meta_bytes, sizeof meta - 1);
    assert_memory_equal(e.meta, meta, sizeof meta - 1);
    assert_int_equal(e.data_bytes, sizeof data - 1);
    assert_memory_equal(e.data, data, sizeof data - 1);
}

static void words_in_quotes_and_brackets_are_one_field(void **state)
{
    (void)state;
    struct wsd_trace_event e;
    assert_true(encode(&e, "event=backend why=\"the first choice\" text=[%s] effect=polling-goes-on null=%s",
                       "a b", (const char *)"" + 0));
    static const char data[] = "the first choice\0a b\0polling-goes-on\0";
    assert_int_equal(e.data_bytes, sizeof data);
    assert_memory_equal(e.data, data, sizeof data);
}

static void what_is_no_event_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "hello",
        "sock=1",
        "event= a=b",
        "event=a event=b",
        "event=a  b=c",
        "event=a ",
        "event=a b=\"c",
        "event=a b=[c",
        "event=a b=[c]d",
        "event=a b=x%u",
        "event=%s",
        "event=a =b",
        "event=a b=%f",
        "event=a b=%5u",
        "event=a b=%hhu",
        "event=a b=%",
        "event=a b=%%",
        "event=a b=%ls",
        "event=a b=%n",
    };
    struct wsd_trace_event e;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (encode_list(&e, bad[i], 1, 2, 3))
            fail_msg("'%s' was taken", bad[i]);
}

static void text_that_is_too_long_is_cut_between_characters(void **state)
{
    (void)state;
    char text[2000];
    struct wsd_trace_event e;
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    text[sizeof text - 2] = 0;
    assert_true(encode(&e, "event=a b=%s", text));
    assert_int_equal(e.data_bytes, WSD_TRACE_DATA_BYTES - 1); /* pairs, and the terminator */
    assert_int_equal(e.data[e.data_bytes - 1], 0);
    assert_int_equal(e.data[e.data_bytes - 2], 0xA9);
    assert_false(encode(&e, "event=a b=%s c=%u", text, 1u)); /* a number is whole or not there */
    wsd_trace_encode_text(&e, "text", "line", text);
    assert_true(e.data_bytes <= sizeof e.data);
    assert_int_equal(e.data[e.data_bytes - 1], 0);
}

static void too_many_fields_are_refused(void **state)
{
    (void)state;
    char format[4096] = "event=a";
    struct wsd_trace_event e;
    for (int i = 0; i < 100; i++)
        strcat(format, " abcdefgh=1");
    assert_false(encode_list(&e, format));
    wsd_trace_encode_text(&e, "text", "line", format);
    assert_int_equal(e.meta[0], e.meta_bytes);
    assert_memory_equal(e.meta + 2, "\0text\0line\0\x82\x23", 13);
}

static void the_provider_names_itself(void **state)
{
    (void)state;
    assert_int_equal(wsd_trace_traits[0], sizeof wsd_trace_traits);
    assert_int_equal(wsd_trace_traits[1], 0);
    assert_string_equal((const char *)wsd_trace_traits + 2, "OpenWSD.Provider");
}

/* Arguments do not matter: text is the only kind that is followed. */
static int check_formats(void)
{
    char line[1024];
    struct wsd_trace_event e;
    unsigned good = 0, bad = 0;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (encode_list(&e, line, "", "", "", "", "", "", "", "", "", "", "", "")) {
            good++;
        } else {
            fprintf(stderr, "no event that can be traced: %s\n", line);
            bad++;
        }
    }
    printf("%u formats can be traced, %u cannot\n", good, bad);
    return bad > 0 || good == 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_these_bytes),
        cmocka_unit_test(words_in_quotes_and_brackets_are_one_field),
        cmocka_unit_test(what_is_no_event_is_refused),
        cmocka_unit_test(text_that_is_too_long_is_cut_between_characters),
        cmocka_unit_test(too_many_fields_are_refused),
        cmocka_unit_test(the_provider_names_itself),
    };
    if (argc > 1 && strcmp(argv[1], "--formats") == 0)
        return check_formats();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
