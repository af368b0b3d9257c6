/* pal/annotate.h - lock annotations for clang's thread-safety analysis.
 * Layer:   platform; may be included by everything.
 * Effect:  attributes under clang with WSD_THREAD_SAFETY_ANALYSIS, nothing elsewhere. */
#ifndef PAL_ANNOTATE_H
#define PAL_ANNOTATE_H

#if defined(__clang__) && defined(WSD_THREAD_SAFETY_ANALYSIS)
#define PAL_TSA(x) __attribute__((x))
#else
#define PAL_TSA(x)
#endif

#define PAL_CAPABILITY       PAL_TSA(capability("mutex"))
#define PAL_REQUIRES(m)      PAL_TSA(requires_capability(m))
#define PAL_EXCLUDES(m)      PAL_TSA(locks_excluded(m))
#define PAL_ACQUIRE(...)     PAL_TSA(acquire_capability(__VA_ARGS__))
#define PAL_RELEASE(...)     PAL_TSA(release_capability(__VA_ARGS__))
#define PAL_TRY_ACQUIRE(...) PAL_TSA(try_acquire_capability(__VA_ARGS__))
/* On definitions: for the implementation of the locks themselves, which the analysis cannot follow. */
#define PAL_NO_ANALYSIS PAL_TSA(no_thread_safety_analysis)

#endif
