/* log.c - formats one event per line and writes it at once, so that lines of several threads never mix. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pal/process.h"
#include "pal/thread.h"
#include "pal/time.h"

enum wsd_log_level wsd_log_threshold = WSD_LOG_LEVEL_WARN;
static FILE *sink; /* NULL = stderr; opened once, kept for the life of the process */

void wsd_log_init(void)
{
    static const char *const names[] = {"off", "error", "warn", "notice", "info", "debug"};
    const char *level = getenv("WSD_LOG");
    for (unsigned i = 0; level && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(level, names[i]) == 0)
            wsd_log_threshold = (enum wsd_log_level)i;
    const char *path = getenv("WSD_LOG_FILE");
    if (path && *path && !sink)
        sink = fopen(path, "a");
}

void wsd_log_line(enum wsd_log_level level, const char *format, ...)
{
    static const char *const tags[] = {"", "error", "warn", "notice", "info", "debug"};
    int saved = errno;
    char line[512];
    uint64_t now = pal_now_ns();
    int n = snprintf(line, sizeof line, "wsd %llu.%06llu pid=%u thread=%llu level=%s ",
                     (unsigned long long)(now / 1000000000), (unsigned long long)(now / 1000 % 1000000),
                     pal_process_id(), (unsigned long long)pal_thread_id(), tags[level]);
    va_list args;
    va_start(args, format);
    int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, format, args);
    va_end(args);
    size_t length = (size_t)n + (m < 0 ? 0 : (size_t)m);
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    line[length++] = '\n';
    fwrite(line, 1, length, sink ? sink : stderr);
    fflush(sink ? sink : stderr);
    errno = saved;
}
