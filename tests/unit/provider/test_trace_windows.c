/* test_trace_windows.c - what ETW is given for the events of the log, and when. The functions of ETW are recorded here: those of
 * Wine succeed and do nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/trace_event.h"
#include "windows/trace.h"

static struct {
    GUID id;
    PENABLECALLBACK callback;
    unsigned registered, unregistered, events, traits;
    EVENT_DESCRIPTOR descriptor;
    ULONG pieces;
    ULONG kinds[3], sizes[3];
    uint8_t bytes[3][WSD_TRACE_DATA_BYTES];
    bool enabled_at_once;
} etw;

/* A listener starts or stops. */
static void listen(ULONG enabled, UCHAR level)
{
    etw.callback(&etw.id, enabled, level, 0, 0, NULL, NULL);
}

static ULONG WINAPI rec_register(LPCGUID id, PENABLECALLBACK callback, PVOID context, PREGHANDLE handle)
{
    (void)context;
    etw.registered++;
    etw.id = *id;
    etw.callback = callback;
    *handle = 0x1234;
    if (etw.enabled_at_once)
        listen(1, 5);
    return ERROR_SUCCESS;
}

static ULONG WINAPI rec_unregister(REGHANDLE handle)
{
    assert_int_equal(handle, 0x1234);
    etw.unregistered++;
    return ERROR_SUCCESS;
}

static ULONG WINAPI rec_write(REGHANDLE handle, PCEVENT_DESCRIPTOR d, ULONG count,
                              PEVENT_DATA_DESCRIPTOR pieces)
{
    assert_int_equal(handle, 0x1234);
    etw.events++;
    etw.descriptor = *d;
    etw.pieces = count;
    for (ULONG i = 0; i < count && i < 3; i++) {
        etw.kinds[i] = pieces[i].Reserved;
        etw.sizes[i] = pieces[i].Size;
        memcpy(etw.bytes[i], (const void *)(uintptr_t)pieces[i].Ptr, pieces[i].Size);
    }
    SetLastError(ERROR_INVALID_FUNCTION); /* the caller's must survive */
    errno = EDOM;
    return ERROR_MORE_DATA; /* as when a listener's buffers are full: nothing of it reaches the caller */
}

static ULONG WINAPI rec_set_information(REGHANDLE handle, int what, PVOID bytes, ULONG count)
{
    assert_int_equal(handle, 0x1234);
    assert_int_equal(what, PAL_TRACE_SET_TRAITS);
    assert_int_equal(count, sizeof wsd_trace_traits);
    assert_memory_equal(bytes, wsd_trace_traits, count);
    etw.traits++;
    return ERROR_SUCCESS;
}

static int start(void **state)
{
    (void)state;
    memset(&etw, 0, sizeof etw);
    pal_trace_calls = (struct pal_trace_calls){rec_register, rec_unregister, rec_write, rec_set_information};
    setenv("WSD_LOG", "off", 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    wsd_log_fini();
    return 0;
}

static void nothing_is_traced_before_somebody_listens(void **state)
{
    (void)state;
    wsd_log_init();
    assert_int_equal(etw.registered, 1);
    assert_int_equal(etw.traits, 1);
    assert_memory_equal(&etw.id, wsd_trace_guid, 16);
    WSD_LOG_ERROR("event=one");
    assert_int_equal(etw.events, 0);
    assert_int_equal(wsd_log_threshold, WSD_LOG_OFF);
}

static void an_event_reaches_the_listener_with_its_description(void **state)
{
    (void)state;
    static const char meta[] = "\x14\0\0state\0sock\0\x08to\0\x82\x23";
    wsd_log_init();
    listen(1, 5);
    SetLastError(77);
    errno = ERANGE;
    WSD_LOG_DEBUG("sock=%u event=state to=%s", 258u, "OPEN");
    assert_int_equal(GetLastError(), 77);
    assert_int_equal(errno, ERANGE);
    assert_int_equal(etw.events, 1);
    assert_int_equal(etw.descriptor.Channel, 11);
    assert_int_equal(etw.descriptor.Level, 5);
    assert_int_equal(etw.descriptor.Id, 0);
    assert_int_equal(etw.pieces, 3);
    assert_int_equal(etw.kinds[0], 2);
    assert_int_equal(etw.sizes[0], sizeof wsd_trace_traits);
    assert_memory_equal(etw.bytes[0], wsd_trace_traits, sizeof wsd_trace_traits);
    assert_int_equal(etw.kinds[1], 1);
    assert_int_equal(etw.sizes[1], sizeof meta - 1);
    assert_memory_equal(etw.bytes[1], meta, sizeof meta - 1);
    assert_int_equal(etw.kinds[2], 0);
    assert_int_equal(etw.sizes[2], 9);
    assert_memory_equal(etw.bytes[2], "\x02\x01\0\0OPEN\0", 9);
}

static void the_level_of_the_listener_decides(void **state)
{
    (void)state;
    static const struct {
        UCHAR level;
        unsigned events; /* of one of each kind */
    } want[] = {{1, 0}, {2, 1}, {3, 2}, {4, 4}, {5, 5}, {255, 5}, {0, 5}};
    wsd_log_init();
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        etw.events = 0;
        listen(1, want[i].level);
        WSD_LOG_ERROR("event=a");
        WSD_LOG_WARN("event=b");
        WSD_LOG_NOTICE("event=c");
        WSD_LOG_INFO("event=d");
        WSD_LOG_DEBUG("event=e");
        assert_int_equal(etw.events, want[i].events);
    }
    assert_int_equal(etw.pieces, 2); /* an event without fields has no data */
    listen(2, 0);                    /* a question about the state */
    WSD_LOG_DEBUG("event=e");
    assert_int_equal(etw.events, 6);
    listen(0, 0);
    WSD_LOG_ERROR("event=a");
    assert_int_equal(etw.events, 6);
    assert_int_equal(wsd_log_threshold, WSD_LOG_OFF);
}

static void a_listener_that_is_there_already_hears_the_first_event(void **state)
{
    (void)state;
    etw.enabled_at_once = true;
    wsd_log_init();
    WSD_LOG_INFO("event=backend chosen=%s", "softiwarp");
    assert_int_equal(etw.events, 1);
}

static void after_the_end_nothing_of_ours_is_called(void **state)
{
    (void)state;
    wsd_log_init();
    wsd_log_init(); /* a second start registers nothing more */
    assert_int_equal(etw.registered, 1);
    listen(1, 5);
    wsd_log_fini();
    wsd_log_fini();
    assert_int_equal(etw.unregistered, 1);
    WSD_LOG_ERROR("event=a");
    assert_int_equal(etw.events, 0);
    assert_int_equal(wsd_log_threshold, WSD_LOG_OFF);
}

static void what_cannot_be_described_comes_as_text(void **state)
{
    (void)state;
    wsd_log_init();
    listen(1, 5);
    wsd_log_line(WSD_LOG_LEVEL_WARN, "no event: %d%%", 7);
    assert_int_equal(etw.events, 1);
    assert_memory_equal(etw.bytes[1] + 3, "text\0line\0\x82\x23", 12);
    assert_string_equal((const char *)etw.bytes[2], "no event: 7%");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_traced_before_somebody_listens, start, end),
        cmocka_unit_test_setup_teardown(an_event_reaches_the_listener_with_its_description, start, end),
        cmocka_unit_test_setup_teardown(the_level_of_the_listener_decides, start, end),
        cmocka_unit_test_setup_teardown(a_listener_that_is_there_already_hears_the_first_event, start, end),
        cmocka_unit_test_setup_teardown(after_the_end_nothing_of_ours_is_called, start, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_described_comes_as_text, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
