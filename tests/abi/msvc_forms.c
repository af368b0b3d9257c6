/* msvc_forms.c - everything of pal/compiler.h and pal/atomic.h that has a form of its own for MSVC, used once.
 * Layer: tests/abi; compiled by portable.sh with clang's MSVC target, never run. */
#include "pal/atomic.h"
#include "pal/compiler.h"

uintptr_t use_all(uintptr_t *word, pal_atomic_u64 *wide, pal_atomic_bool *flag);

static PAL_THREAD_LOCAL unsigned mine;
static int loads;

PAL_AT_LOAD(at_load)
{
    loads++;
}

PAL_AT_UNLOAD(at_unload)
{
    loads--;
}

PAL_PRINTF(1, 2) static void say(const char *format, ...)
{
    (void)format;
}

PAL_NOINLINE static unsigned slow(void)
{
    return mine;
}

PAL_RACE_BY_DESIGN static unsigned look(const volatile unsigned *at)
{
    return *at;
}

static PAL_ALWAYS_INLINE unsigned quick(void)
{
    return slow() + look(&mine);
}

uintptr_t use_all(uintptr_t *word, pal_atomic_u64 *wide, pal_atomic_bool *flag)
{
    uint64_t expected = 1;
    pal_word_store_relaxed(word, (uintptr_t)1);
    pal_word_store_release(word, (uintptr_t)2);
    pal_store_release(flag, true);
    pal_cpu_relax();
    say("%d", 1);
    (void)pal_cas_acq_rel(wide, &expected, 2);
    return pal_word_load_relaxed(word) + pal_word_load_acquire(word) + (uintptr_t)pal_load_acquire(wide) +
           quick();
}
