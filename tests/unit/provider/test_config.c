/* test_config.c - settings from the environment: defaults, bounds, what is no number. The table here is
 * written from the one in provider/README.md, so that a change of a default is a decision and not an
 * accident. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/log.h"

#define FIELD(name) offsetof(struct wsd_config, name)

static const struct expected {
    const char *name;
    size_t field;
    uint32_t fallback, low, high;
} settings[] = {
    {"WSD_SEND_DEPTH", FIELD(send_depth), 31, 8, 4095},
    {"WSD_RECV_DEPTH", FIELD(recv_depth), 63, 16, 4095},
    {"WSD_SEND_SGE", FIELD(send_sge), 16, 1, 64},
    {"WSD_RECV_SGE", FIELD(recv_sge), 1, 1, 64},
    {"WSD_INLINE", FIELD(inline_bytes), 256, 0, 1024},
    {"WSD_MAX_MESSAGE", FIELD(max_message_bytes), 16777216, 4096, 2147483647},
    {"WSD_RDMA_THRESHOLD", FIELD(rdma_threshold_bytes), 16384, 0, 2147483647},
    {"WSD_CONNECT_TIMEOUT_MS", FIELD(connect_timeout_ms), 5000, 10, 21000},
    {"WSD_CLOSE_GRACE_MS", FIELD(close_grace_ms), 1000, 0, 10000},
    {"WSD_DUPLICATE_EXPIRY_MS", FIELD(duplicate_expiry_ms), 60000, 100, 600000},
    {"WSD_PRIVATE_RECEIVES", FIELD(private_receives), 1, 0, 8},
    {"WSD_QUEUE_CAP", FIELD(queue_cap), 4096, 16, 1048576},
    {"WSD_BACKLOG_MAX", FIELD(backlog_max), 200, 1, 4096},
    {"WSD_CQ_DEPTH", FIELD(cq_depth), 16383, 255, 4194304},
    {"WSD_MR_CACHE", FIELD(mr_cache_entries), 4096, 0, 65536},
    {"WSD_MR_WATCH", FIELD(mr_watch), 1, 0, 1},
};
#define SETTINGS (sizeof settings / sizeof settings[0])

static uint32_t value_of(const struct wsd_config *c, const struct expected *e)
{
    uint32_t v;
    memcpy(&v, (const char *)c + e->field, sizeof v);
    return v;
}

static uint32_t loaded(const struct expected *e, const char *text)
{
    struct wsd_config c;
    setenv(e->name, text, 1);
    wsd_config_load(&c);
    unsetenv(e->name);
    return value_of(&c, e);
}

static int clear_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETTINGS; i++)
        unsetenv(settings[i].name);
    unsetenv("WSD_BACKEND");
    unsetenv("WSD_MR_CACHE_BYTES");
    wsd_log_threshold = WSD_LOG_OFF; /* the tests for bad values would fill the log */
    return 0;
}

static void without_environment_every_setting_has_its_default(void **state)
{
    (void)state;
    struct wsd_config c;
    memset(&c, 0xEE, sizeof c);
    wsd_config_load(&c);
    assert_string_equal(c.backend, "auto");
    for (size_t i = 0; i < SETTINGS; i++)
        if (value_of(&c, &settings[i]) != settings[i].fallback)
            fail_msg("%s: %u", settings[i].name, value_of(&c, &settings[i]));
    assert_int_equal(c.mr_cache_bytes, 1u << 30);
}

static void a_variable_sets_its_own_field_and_no_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETTINGS; i++) {
        struct wsd_config c;
        char text[16];
        uint32_t wanted = settings[i].low + 1;
        snprintf(text, sizeof text, "%u", wanted);
        setenv(settings[i].name, text, 1);
        wsd_config_load(&c);
        unsetenv(settings[i].name);
        for (size_t other = 0; other < SETTINGS; other++)
            if (value_of(&c, &settings[other]) != (other == i ? wanted : settings[other].fallback))
                fail_msg("%s=%s made %s %u", settings[i].name, text, settings[other].name,
                         value_of(&c, &settings[other]));
    }
}

static void values_at_the_bounds_are_taken_and_beyond_them_clamped(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct expected *e = &settings[i];
        char text[24];
        snprintf(text, sizeof text, "%u", e->low);
        assert_int_equal(loaded(e, text), e->low);
        snprintf(text, sizeof text, "%u", e->high);
        assert_int_equal(loaded(e, text), e->high);
        snprintf(text, sizeof text, "%llu", e->high + 1ull);
        assert_int_equal(loaded(e, text), e->high);
        if (e->low > 0) {
            snprintf(text, sizeof text, "%u", e->low - 1);
            assert_int_equal(loaded(e, text), e->low);
            assert_int_equal(loaded(e, "0"), e->low);
        }
        assert_int_equal(loaded(e, "4294967296"), e->high); /* 0 when cut to 32 bits */
        assert_int_equal(loaded(e, "18446744073709551615"), e->high);
    }
}

static void what_is_no_number_is_ignored(void **state)
{
    (void)state;
    static const char *const bad[] = {"",   " ",        "x",  "x7",  "7x",
                                      "7 ", "1.5",      "-1", "-99", "--",
                                      "+-", "infinity", "0x", " -1", "99999999999999999999999"};
    for (size_t i = 0; i < SETTINGS; i++)
        for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++)
            if (loaded(&settings[i], bad[b]) != settings[i].fallback)
                fail_msg("%s=\"%s\" was taken as %u", settings[i].name, bad[b], loaded(&settings[i], bad[b]));
}

static void numbers_may_be_hexadecimal(void **state)
{
    (void)state;
    assert_int_equal(loaded(&settings[0], "0x40"), 64);
    assert_int_equal(loaded(&settings[0], "0X1f"), 31);
}

static void the_cache_size_has_64_bits_and_no_upper_bound(void **state)
{
    (void)state;
    struct wsd_config c;
    setenv("WSD_MR_CACHE_BYTES", "1099511627776", 1);
    wsd_config_load(&c);
    assert_int_equal(c.mr_cache_bytes, 1ull << 40);
    setenv("WSD_MR_CACHE_BYTES", "0", 1);
    wsd_config_load(&c);
    assert_int_equal(c.mr_cache_bytes, 0);
    setenv("WSD_MR_CACHE_BYTES", "much", 1);
    wsd_config_load(&c);
    assert_int_equal(c.mr_cache_bytes, 1ull << 30);
    unsetenv("WSD_MR_CACHE_BYTES");
}

static void the_backend_is_taken_as_written_and_an_overlong_one_is_cut_not_overrun(void **state)
{
    (void)state;
    struct wsd_config c;
    char text[1000];
    setenv("WSD_BACKEND", "rdmacore+fault=post_send:3:fail+trace", 1);
    wsd_config_load(&c);
    assert_string_equal(c.backend, "rdmacore+fault=post_send:3:fail+trace");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    setenv("WSD_BACKEND", text, 1);
    wsd_config_load(&c);
    assert_int_equal(strlen(c.backend), sizeof c.backend - 1);
    assert_int_equal(c.send_depth, 31);
    setenv("WSD_BACKEND", "", 1);
    wsd_config_load(&c);
    assert_string_equal(c.backend, "auto");
    unsetenv("WSD_BACKEND");
}

/* Last: the log keeps the file it has opened for the rest of the process. */
static void ignored_and_clamped_values_are_named_in_the_log(void **state)
{
    (void)state;
    char path[] = "/tmp/wsd-config-XXXXXX", log[2048];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    setenv("WSD_LOG_FILE", path, 1);
    setenv("WSD_LOG", "warn", 1);
    wsd_log_init();
    unsetenv("WSD_LOG_FILE");
    unsetenv("WSD_LOG");
    (void)loaded(&settings[0], "many");
    (void)loaded(&settings[1], "70000");
    (void)loaded(&settings[2], "16");
    ssize_t bytes = read(fd, log, sizeof log - 1);
    close(fd);
    unlink(path);
    assert_true(bytes > 0);
    log[bytes] = '\0';
    assert_non_null(strstr(log, "setting=WSD_SEND_DEPTH value=many event=ignored"));
    assert_non_null(strstr(log, "default=31"));
    assert_non_null(strstr(log, "setting=WSD_RECV_DEPTH value=70000 event=clamped to=4095"));
    assert_null(strstr(log, "WSD_SEND_SGE"));
    wsd_log_threshold = WSD_LOG_OFF;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_environment_every_setting_has_its_default),
        cmocka_unit_test(a_variable_sets_its_own_field_and_no_other),
        cmocka_unit_test(values_at_the_bounds_are_taken_and_beyond_them_clamped),
        cmocka_unit_test(what_is_no_number_is_ignored),
        cmocka_unit_test(numbers_may_be_hexadecimal),
        cmocka_unit_test(the_cache_size_has_64_bits_and_no_upper_bound),
        cmocka_unit_test(the_backend_is_taken_as_written_and_an_overlong_one_is_cut_not_overrun),
        cmocka_unit_test(ignored_and_clamped_values_are_named_in_the_log),
    };
    return cmocka_run_group_tests(tests, clear_environment, NULL);
}
