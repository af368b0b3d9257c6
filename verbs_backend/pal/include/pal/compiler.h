/* pal/compiler.h - what C11 has no word for and compilers spell differently. The only place for it outside the platform
 * layer's own files.
 * Layer:   platform; may be included by everything.
 * Known:   gcc and clang (also mingw-w64), and MSVC as of Visual Studio 2022 17.5 with /std:c11 /experimental:c11atomics, the
 *          first that has <stdatomic.h>. tests/abi/portable.sh compiles the second form with clang's MSVC target. */
#ifndef PAL_COMPILER_H
#define PAL_COMPILER_H

#include <stddef.h>
#include <stdint.h>

/* Checks the arguments of a function like printf(): parameter numbers from 1. With mingw-w64 printf means the C runtime
 * of Windows, and ours is the other one (__USE_MINGW_ANSI_STDIO in CMakeLists.txt). */
#if defined(__MINGW32__)
#define PAL_PRINTF(format_at, first_at) __attribute__((format(gnu_printf, format_at, first_at)))
#elif defined(__GNUC__)
#define PAL_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#else
#define PAL_PRINTF(format_at, first_at)
#endif

/* Before `static` and the type: PAL_NOINLINE static int f(void). PAL_ALWAYS_INLINE stands in place of `inline`.
 * PAL_RACE_BY_DESIGN: the function looks at memory that others write, and ThreadSanitizer has nothing to say.
 * PAL_AT_LOAD(f), PAL_AT_UNLOAD(f): the definition of void f(void), called when the module is loaded and when it is
 * unloaded; the body follows. At unloading after what was registered with atexit() later.
 * PAL_THREAD_LOCAL: in place of C11's word, which MSVC lacks.
 * PAL_PREFETCH(at): the cache line at that address will be wanted soon. Any address is good; MSVC goes without. */
#if defined(_MSC_VER) && !defined(__GNUC__)
#define PAL_NOINLINE      __declspec(noinline)
#define PAL_ALWAYS_INLINE __forceinline
#define PAL_RACE_BY_DESIGN
#define PAL_THREAD_LOCAL __declspec(thread)
#define PAL_PREFETCH(at) ((void)(at))

/* The C runtime calls what stands in .CRT$XCU when it starts a module, and what a DLL gave to atexit() when that goes. Nobody
 * names the entry, so the linker is told to keep it. Source: "CRT initialization", "/INCLUDE", "atexit" in the
 * documentation of Visual C++. */
#include <stdlib.h>
#pragma section(".CRT$XCU", read)
#if defined(_M_IX86)
#define PAL_LINK_NAME(name) "_" #name
#else
#define PAL_LINK_NAME(name) #name
#endif
#define PAL_CRT_ENTRY(f)                                                                                     \
    extern void(__cdecl *const pal_crt_##f)(void);                                                           \
    __pragma(comment(linker, "/include:" PAL_LINK_NAME(pal_crt_##f))) __declspec(allocate(".CRT$XCU")) void( \
        __cdecl *const pal_crt_##f)(void) = f;
#define PAL_AT_LOAD(f)                                                                                       \
    static void __cdecl f(void);                                                                             \
    PAL_CRT_ENTRY(f)                                                                                         \
    static void __cdecl f(void)
#define PAL_AT_UNLOAD(f)                                                                                     \
    static void __cdecl f(void);                                                                             \
    static void __cdecl f##_is_for_atexit(void)                                                              \
    {                                                                                                        \
        if (atexit(f) != 0)                                                                                  \
            abort(); /* before anything else exists; the loader has no better answer */                      \
    }                                                                                                        \
    PAL_CRT_ENTRY(f##_is_for_atexit)                                                                         \
    static void __cdecl f(void)
#else
#define PAL_NOINLINE       __attribute__((noinline))
#define PAL_ALWAYS_INLINE  inline __attribute__((always_inline))
#define PAL_RACE_BY_DESIGN __attribute__((no_sanitize("thread")))
#define PAL_THREAD_LOCAL   _Thread_local
/* The statement behind it because gcc takes a function that does nothing but prefetch for one without effect, and drops its calls. */
#define PAL_PREFETCH(at)                                                                                     \
    do {                                                                                                     \
        __builtin_prefetch(at);                                                                              \
        __asm__ volatile("");                                                                                \
    } while (0)
#define PAL_AT_LOAD(f)   __attribute__((constructor)) static void f(void)
#define PAL_AT_UNLOAD(f) __attribute__((destructor)) static void f(void)
#endif

/* Of the processors that RDMA adapters are found beside; elsewhere a hint is worth less, no more. */
#define PAL_CACHE_LINE 64u

/* PAL_PREFETCH for each line of so many bytes. There may be no memory there. */
static inline void pal_prefetch(const void *first, size_t bytes)
{
    const uintptr_t end = (uintptr_t)first + bytes;
    for (uintptr_t at = (uintptr_t)first & ~(uintptr_t)(PAL_CACHE_LINE - 1); at < end; at += PAL_CACHE_LINE)
        PAL_PREFETCH((const void *)at);
}

#endif
