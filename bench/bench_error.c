/* bench_error.c - keeps the first cause of a failure and the context added on the way up. */
#include "bench_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool bench_fail(struct bench_error *err, const char *format, ...)
{
    va_list args;

    if (err->text[0] != '\0')
        return false;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return false;
}

bool bench_fail_in(struct bench_error *err, const char *format, ...)
{
    char cause[sizeof err->text];
    va_list args;
    size_t used;

    memcpy(cause, err->text, sizeof cause);
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof err->text - used, ": %s", cause);
    return false;
}

void bench_add(struct bench_error *err, const char *format, ...)
{
    size_t used = strlen(err->text);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(err->text + used, sizeof err->text - used, format, args);
    va_end(args);
}
