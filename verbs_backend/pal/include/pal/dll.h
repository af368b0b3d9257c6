/* pal/dll.h - loading shared libraries.
 * Layer:   platform. */
#ifndef PAL_DLL_H
#define PAL_DLL_H

#include <stddef.h>

struct pal_dll;
typedef void (*pal_dll_fn)(void);

/* NULL on failure, with the system's reason written to why[] (always terminated). */
struct pal_dll *pal_dll_open(const char *path, char *why, size_t why_bytes);
pal_dll_fn pal_dll_symbol(struct pal_dll *dll, const char *name); /* NULL when absent */
void pal_dll_close(struct pal_dll *dll);
/* The library that this code is part of is not unloaded any more, whoever closes it: something that nobody can call off will still come back to
 * its code. Again is nothing, and so it is for a program. */
void pal_dll_stay(void);

#endif
