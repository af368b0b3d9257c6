/* file.c - files that are appended to.
 * fopen(name, "a") of the C library looks for the end and writes then, as two calls: another process's line may come between and is
 * overwritten. A handle with FILE_APPEND_DATA and without FILE_WRITE_DATA has the system do both at once. */
#include "pal/file.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdint.h>
#include <windows.h>

static FILE *stream_of(HANDLE h)
{
    const int fd = _open_osfhandle((intptr_t)h, _O_APPEND | _O_TEXT);
    if (fd < 0) {
        CloseHandle(h);
        return NULL;
    }
    FILE *f = _fdopen(fd, "a");
    if (!f)
        _close(fd);
    return f;
}

FILE *pal_append_open(const char *path)
{
    char name[1024];
    if (!pal_append_name(path, name, sizeof name)) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    const HANDLE h = CreateFileA(name, FILE_APPEND_DATA | SYNCHRONIZE,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS,
                                 FILE_ATTRIBUTE_NORMAL, NULL);
    if (h == INVALID_HANDLE_VALUE) {
        errno = GetLastError() == ERROR_ACCESS_DENIED ? EACCES : ENOENT;
        return NULL;
    }
    return stream_of(h);
}
