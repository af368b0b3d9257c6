/* pal/trace.h - events for whoever traces the system: ETW on Windows; elsewhere there is no such listener, and the calls do
 * nothing.
 * Layer:   platform. Threads: open and close do not overlap; write from any thread, also before and after.
 * Source:  EventRegister, EventWrite, EventSetInformation and EnableCallback pages of the Windows SDK. */
#ifndef PAL_TRACE_H
#define PAL_TRACE_H

#include <stdint.h>

/* Levels, as ETW numbers them; 0: nobody listens. */
#define PAL_TRACE_NONE    0u
#define PAL_TRACE_ERROR   2u
#define PAL_TRACE_WARNING 3u
#define PAL_TRACE_INFO    4u
#define PAL_TRACE_VERBOSE 5u

/* The highest level that a listener wants now. Called from pal_trace_open() and, until pal_trace_close(), from a thread of the
 * system, one call at a time or several: must be quick, and take no lock that is held around calls of this header. */
typedef void (*pal_trace_changed)(unsigned level);

/* guid: 16 bytes in memory layout. traits: the self-describing form of the provider's name: 16-bit length of all of it, little
 * endian, then the name in UTF-8 with its terminator. Both must live until pal_trace_close(). */
void pal_trace_open(const uint8_t guid[16], const void *traits, uint16_t traits_bytes,
                    pal_trace_changed changed);
void pal_trace_close(void); /* nobody listens from then on; nothing when not open */
/* One self-describing event. Never fails for the caller: what nobody wants or the system cannot take is dropped. Leaves errno
 * and the system's last error alone. */
void pal_trace_write(unsigned level, const void *metadata, uint32_t metadata_bytes, const void *data,
                     uint32_t data_bytes);

#endif
