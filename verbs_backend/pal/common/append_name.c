/* append_name.c - "%p" in the name of a file is the process's number. */
#include <stdio.h>
#include <string.h>

#include "pal/file.h"
#include "pal/process.h"

bool pal_append_name(const char *path, char *out, size_t room)
{
    size_t used = 0;

    for (const char *mark; (mark = strstr(path, "%p")) != NULL; path = mark + 2) {
        const int n = snprintf(out + used, room - used, "%.*s%u", (int)(mark - path), path, pal_process_id());
        if (n < 0 || (size_t)n >= room - used)
            return false;
        used += (size_t)n;
    }
    const int n = snprintf(out + used, room - used, "%s", path);
    return n >= 0 && (size_t)n < room - used;
}
