/* dll.c - dlopen and friends. A struct pal_dll is the system's handle itself. */
#include "pal/dll.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

struct pal_dll *pal_dll_open(const char *path, char *why, size_t why_bytes)
{
    if (why_bytes > 0)
        why[0] = 0;
    if (!path || !path[0]) {
        snprintf(why, why_bytes, "no file name given");
        return NULL;
    }
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *reason = dlerror();
        snprintf(why, why_bytes, "%s", reason ? reason : "dlopen failed without a reason");
    }
    return handle;
}

pal_dll_fn pal_dll_symbol(struct pal_dll *dll, const char *name)
{
    /* ISO C has no conversion from an object pointer to a function pointer; POSIX promises that the bits are
     * the same. */
    void *symbol = dlsym(dll, name);
    pal_dll_fn fn = NULL;
    memcpy(&fn, &symbol, sizeof fn);
    return fn;
}

static const char here; /* any address inside this library */

/* By the name that the loader knows it by; of a program it knows none. The reference is never given back, and the flag says the same. */
void pal_dll_stay(void)
{
    Dl_info own;
    if (dladdr(&here, &own) != 0 && own.dli_fname)
        (void)dlopen(own.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

void pal_dll_close(struct pal_dll *dll)
{
    if (dll)
        dlclose(dll);
}
