/* sw_violation.c - what a provider did against the contract, kept as text so that a test can print it. */
#include "sw_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sw_violation_log sw_stray_violations;

void sw_violation_add(struct sw_violation_log *log, const char *line)
{
    pal_mutex_lock(&log->lock);
    if (log->count < SW_VIOLATION_LINES)
        snprintf(log->line[log->count], sizeof(log->line[0]), "%s", line);
    log->count++;
    pal_mutex_unlock(&log->lock);
}

void sw_violation(struct sw_provider *p, const char *format, ...)
{
    struct sw_violation_log *log = p == NULL ? &sw_stray_violations : &p->violations;
    char line[SW_VIOLATION_BYTES];
    va_list arguments;

    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): false alarm of clang 14 */
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);

    sw_violation_add(log, line);
    if (p != NULL && p->config.abort_on_violation) {
        sw_os_print_error(line);
        abort();
    }
}

int sw_call_failed(struct sw_provider *p, const char *name, INT error)
{
    if (error == 0) {
        sw_violation(p, "%s failed without a code", name);
        return WSASYSCALLFAILURE;
    }
    if (error == WSAEINPROGRESS || error == WSAEINTR)
        sw_violation(p, "%s failed with %s, which no SAN provider may return", name, sw_error_name(error));
    return error;
}

unsigned sw_violation_text(struct sw_violation_log *log, char *text, size_t text_bytes)
{
    size_t used = 0;
    unsigned count;

    if (text != NULL && text_bytes > 0)
        text[0] = '\0';
    pal_mutex_lock(&log->lock);
    count = log->count;
    for (unsigned i = 0; text != NULL && i < count && i < SW_VIOLATION_LINES && used + 1 < text_bytes; i++) {
        int n = snprintf(text + used, text_bytes - used, "%s\n", log->line[i]);

        used += n > 0 ? (size_t)n : 0; /* past the end when cut: the loop stops there */
    }
    pal_mutex_unlock(&log->lock);
    return count;
}

unsigned sw_violations(struct sw_provider *p, char *text, size_t text_bytes)
{
    if (!sw_global_init()) {
        if (text != NULL && text_bytes > 0)
            text[0] = '\0';
        return 0;
    }
    return sw_violation_text(p == NULL ? &sw_stray_violations : &p->violations, text, text_bytes);
}

void sw_violations_clear(struct sw_provider *p)
{
    struct sw_violation_log *log = p == NULL ? &sw_stray_violations : &p->violations;

    if (!sw_global_init())
        return;
    pal_mutex_lock(&log->lock);
    log->count = 0;
    pal_mutex_unlock(&log->lock);
}
