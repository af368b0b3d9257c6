/* usage_posix.c - the allocator's own count, and the records as files (pal/posix/process.c). */
#include "usage_os.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Present in sanitizer runtimes only. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

size_t usage_heap_bytes(void)
{
    if (__sanitizer_get_current_allocated_bytes != NULL)
        return __sanitizer_get_current_allocated_bytes();
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

unsigned usage_records(void)
{
    char prefix[64];
    DIR *d = opendir("/dev/shm");
    unsigned count = 0;

    if (d == NULL)
        return 0;
    snprintf(prefix, sizeof prefix, "openwsd-%u-socket-", (unsigned)geteuid());
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        count += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    closedir(d);
    return count;
}

bool usage_is_resident_known(void)
{
    return __sanitizer_get_current_allocated_bytes == NULL;
}
