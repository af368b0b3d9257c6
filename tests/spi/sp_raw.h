/* sp_raw.h - a companion without a switch above it, in the second process: it says what it likes.
 * Layer:   tests. One connection. */
#ifndef SP_RAW_H
#define SP_RAW_H

#include <stddef.h>

/* "open ADDRESS", "hello", "bytes HEX", "message TYPE SEQUENCE PAYLOAD", "over" (waits until the peer has ended it), "close".
 * 0 or a code. */
int sp_raw_obey(const char *line);

#endif
