/* suite.c - see suite.h. */
#include "suite/suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pal/atomic.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "sw/switch.h"

static const char *name_of(int code)
{
    return code == 0 ? "0" : sw_error_name(code);
}

void suite_check(int got, int expected, const char *what, const char *file, int line)
{
    if (got == expected)
        return;
    print_error("%s\n  gave %d (%s), expected %d (%s)\n", what, got, name_of(got), expected,
                name_of(expected));
    _fail(file, line);
}

void suite_one_of(int got, const int *set, size_t count, const char *what, const char *file, int line)
{
    for (size_t i = 0; i < count; i++)
        if (got == set[i])
            return;
    print_error("%s\n  is %d (%s), expected one of", what, got, name_of(got));
    for (size_t i = 0; i < count; i++)
        print_error(" %s", name_of(set[i]));
    print_error("\n");
    _fail(file, line);
}

void suite_fail(const char *file, int line, const char *format, ...)
{
    char text[4200];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    print_error("%s\n", text);
    _fail(file, line);
    abort(); /* not reached */
}

void suite_relax(void)
{
    static PAL_THREAD_LOCAL unsigned looks;

    if (++looks % 64 == 0)
        pal_sleep_ms(1);
    else
        pal_thread_yield();
}
