/* file.c - files that are appended to. */
#include "pal/file.h"

#include <errno.h>

FILE *pal_append_open(const char *path)
{
    char name[1024];
    if (!pal_append_name(path, name, sizeof name)) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    return fopen(name, "ae"); /* "a" is O_APPEND (fopen(3)) */
}
