/* pal/time.h - clocks.
 * Layer:   platform. All deadlines in the project are on this monotonic clock. */
#ifndef PAL_TIME_H
#define PAL_TIME_H

#include <stdint.h>

uint64_t pal_now_ns(void);      /* monotonic, from an arbitrary origin, never 0 */
uint64_t pal_wall_ms(void);     /* milliseconds since 1970-01-01 UTC; comparable between processes */
void pal_sleep_ms(uint32_t ms); /* for tools and bounded back-off outside the data path */

#endif
