/* log.c - formats one event per line and writes it at once, so that lines of several threads never mix; and hands it to the
 * system's tracing in its own form. */
#include "base/log.h"
#include "base/trace_event.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pal/file.h"
#include "pal/process.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "pal/trace.h"

pal_atomic_u32 wsd_log_threshold = WSD_LOG_LEVEL_WARN;
static pal_atomic_u32 text_level = WSD_LOG_LEVEL_WARN;
static pal_atomic_u32 trace_level = WSD_LOG_OFF; /* of the listener that wants most */
static FILE *sink; /* NULL = stderr; opened once, kept for the life of the process */

static uint32_t most_wanted(void)
{
    uint32_t text = atomic_load(&text_level), trace = atomic_load(&trace_level);
    return text > trace ? text : trace;
}

/* Several threads may come here at once: each looks again after it stored, so the last to store has seen all. */
static void publish(void)
{
    uint32_t wanted;
    do {
        wanted = most_wanted();
        atomic_store(&wsd_log_threshold, wanted);
    } while (wanted != most_wanted());
}

static void on_listener(unsigned level)
{
    /* ETW has one level for what we call notice and info. */
    static const enum wsd_log_level levels[] = {WSD_LOG_OFF,        WSD_LOG_OFF,        WSD_LOG_LEVEL_ERROR,
                                                WSD_LOG_LEVEL_WARN, WSD_LOG_LEVEL_INFO, WSD_LOG_LEVEL_DEBUG};
    atomic_store(&trace_level, levels[level > PAL_TRACE_VERBOSE ? PAL_TRACE_VERBOSE : level]);
    publish();
}

void wsd_log_init(void)
{
    static const char *const names[] = {"off", "error", "warn", "notice", "info", "debug"};
    const char *level = getenv("WSD_LOG");
    for (unsigned i = 0; level && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(level, names[i]) == 0)
            atomic_store(&text_level, i);
    const char *path = getenv("WSD_LOG_FILE");
    if (path && *path && !sink)
        sink = pal_append_open(path);
    publish();
    pal_trace_open(wsd_trace_guid, wsd_trace_traits, sizeof wsd_trace_traits, on_listener);
}

void wsd_log_fini(void)
{
    pal_trace_close();
}

static void write_text(enum wsd_log_level level, const char *format, va_list args)
{
    static const char *const tags[] = {"", "error", "warn", "notice", "info", "debug"};
    char line[512];
    uint64_t now = pal_now_ns();
    int n = snprintf(line, sizeof line, "wsd %llu.%06llu pid=%u thread=%llu level=%s ",
                     (unsigned long long)(now / 1000000000), (unsigned long long)(now / 1000 % 1000000),
                     pal_process_id(), (unsigned long long)pal_thread_id(), tags[level]);
    int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, format, args);
    size_t length = (size_t)n + (m < 0 ? 0 : (size_t)m);
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    line[length++] = '\n';
    fwrite(line, 1, length, sink ? sink : stderr);
    fflush(sink ? sink : stderr);
}

static void write_trace(enum wsd_log_level level, const char *format, va_list args)
{
    static const uint8_t levels[] = {
        0, PAL_TRACE_ERROR, PAL_TRACE_WARNING, PAL_TRACE_INFO, PAL_TRACE_INFO, PAL_TRACE_VERBOSE};
    struct wsd_trace_event event;
    va_list again;
    va_copy(again, args);
    if (!wsd_trace_encode(&event, format, args)) { /* rather as text than not at all */
        char line[512];
        vsnprintf(line, sizeof line, format, again);
        wsd_trace_encode_text(&event, "text", "line", line);
    }
    va_end(again);
    pal_trace_write(levels[level], event.meta, event.meta_bytes, event.data, event.data_bytes);
}

void wsd_log_line(enum wsd_log_level level, const char *format, ...)
{
    int saved = errno;
    va_list args;
    if (pal_load_relaxed(&text_level) >= (uint32_t)level) {
        va_start(args, format);
        write_text(level, format, args);
        va_end(args);
    }
    if (pal_load_relaxed(&trace_level) >= (uint32_t)level) {
        va_start(args, format);
        write_trace(level, format, args);
        va_end(args);
    }
    errno = saved;
}
