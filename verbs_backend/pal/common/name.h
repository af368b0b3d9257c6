/* name.h - the names that processes of one machine call things by: records (pal/process.h) and mailboxes (pal/mailbox.h).
 * Layer:   platform, private. Nothing in such a name means anything to a file system or to an object manager. */
#ifndef PAL_COMMON_NAME_H
#define PAL_COMMON_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* [a-z0-9-], 1 to `most` characters. */
static inline bool pal_name_is_good(const char *name, size_t most)
{
    const size_t length = name ? strlen(name) : 0;
    return length > 0 && length <= most && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

#endif
