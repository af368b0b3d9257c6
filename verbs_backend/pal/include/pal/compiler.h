/* pal/compiler.h - what C11 has no word for and compilers spell differently. The only place for it outside the platform
 * layer's own files.
 * Layer:   platform; may be included by everything. */
#ifndef PAL_COMPILER_H
#define PAL_COMPILER_H

/* Checks the arguments of a function like printf(): parameter numbers from 1. With mingw-w64 printf means the C runtime
 * of Windows, and ours is the other one (__USE_MINGW_ANSI_STDIO in CMakeLists.txt). */
#if defined(__MINGW32__)
#define PAL_PRINTF(format_at, first_at) __attribute__((format(gnu_printf, format_at, first_at)))
#elif defined(__GNUC__)
#define PAL_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#else
#define PAL_PRINTF(format_at, first_at)
#endif

#endif
