/* error.c - how a failure travels up: an exit code and a sentence for the person at the console. */
#include <stdarg.h>

#include "wsi.h"

bool wsi_fail(struct wsi_error *e, enum wsi_exit exit, const char *format, ...)
{
    va_list args;
    e->exit = exit;
    va_start(args, format);
    /* clang-tidy 14 forgets the va_start when it looked at another file before. */
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    return false;
}
