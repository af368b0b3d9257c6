/* pal/atomic.h - atomics, thread-locals and the spin hint.
 * Layer:   platform; may be included by everything.
 * Choice:  C11 <stdatomic.h>: present in gcc, clang and mingw-w64 (both thread models). 16-byte atomics do
 *          not link there, so nothing here is wider than 8 bytes. Code names the order it needs and says what
 *          it orders; the short names below are the only orders in use. */
#ifndef PAL_ATOMIC_H
#define PAL_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pal/compiler.h" /* PAL_THREAD_LOCAL */

#if defined(_MSC_VER) && !defined(__GNUC__)
#include <intrin.h>
#endif

/* On 32-bit x86 that is cmpxchg8b and the x87's 64-bit moves. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_POINTER_LOCK_FREE == 2, "no atomic hides a lock");

typedef _Atomic uint32_t pal_atomic_u32;
typedef _Atomic uint64_t pal_atomic_u64;
typedef _Atomic bool pal_atomic_bool;
_Static_assert(_Alignof(pal_atomic_u64) == 8, "those moves are atomic within a cache line");

#define pal_load_relaxed(p)     atomic_load_explicit((p), memory_order_relaxed)
#define pal_load_acquire(p)     atomic_load_explicit((p), memory_order_acquire)
#define pal_store_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define pal_store_release(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define pal_add_relaxed(p, v)   atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define pal_add_acq_rel(p, v)   atomic_fetch_add_explicit((p), (v), memory_order_acq_rel)
#define pal_sub_acq_rel(p, v)   atomic_fetch_sub_explicit((p), (v), memory_order_acq_rel)
#define pal_swap_acq_rel(p, v)  atomic_exchange_explicit((p), (v), memory_order_acq_rel)
/* Strong compare-exchange; on failure *expected holds what was found. */
#define pal_cas_acq_rel(p, expected, desired)                                                                \
    atomic_compare_exchange_strong_explicit((p), (expected), (desired), memory_order_acq_rel,                \
                                            memory_order_acquire)

/* Words of the size of a pointer that are not declared atomic, because their type is the system's, and that two threads look at all
 * the same: Internal and InternalHigh of an OVERLAPPED. */
#if defined(_MSC_VER) && !defined(__GNUC__)
#define PAL_WORD(p)                  ((volatile _Atomic(uintptr_t) *)(p)) /* the same layout there */
#define pal_word_load_relaxed(p)     atomic_load_explicit(PAL_WORD(p), memory_order_relaxed)
#define pal_word_load_acquire(p)     atomic_load_explicit(PAL_WORD(p), memory_order_acquire)
#define pal_word_store_relaxed(p, v) atomic_store_explicit(PAL_WORD(p), (v), memory_order_relaxed)
#define pal_word_store_release(p, v) atomic_store_explicit(PAL_WORD(p), (v), memory_order_release)
#else
#define pal_word_load_relaxed(p)     __atomic_load_n((p), __ATOMIC_RELAXED)
#define pal_word_load_acquire(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define pal_word_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define pal_word_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#endif

static inline void pal_cpu_relax(void)
{
#if defined(_MSC_VER) && !defined(__GNUC__) && (defined(_M_X64) || defined(_M_IX86))
    _mm_pause();
#elif defined(_MSC_VER) && !defined(__GNUC__)
    __yield();
#elif defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
