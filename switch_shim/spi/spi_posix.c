/* spi_posix.c - spi_os.h over POSIX. */
#include "spi/spi_os.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "pal/compiler.h"
#include "sw/switch.h"

LPWPUCOMPLETEOVERLAPPEDREQUEST sw_find_complete_upcall(void)
{
    void *symbol = dlsym(RTLD_DEFAULT, "WPUCompleteOverlappedRequest");
    LPWPUCOMPLETEOVERLAPPEDREQUEST fn;

    memcpy(&fn, &symbol, sizeof(fn)); /* POSIX promises that the bits fit */
    return fn;
}

static PAL_THREAD_LOCAL int last_error;

void sw_set_last_error(int code)
{
    last_error = code;
}

int sw_last_error(void)
{
    return last_error;
}

int64_t sw_file_position(HANDLE file)
{
    return lseek((int)(intptr_t)file, 0, SEEK_CUR);
}

int64_t sw_file_read(HANDLE file, int64_t offset, void *out, size_t bytes)
{
    ssize_t got;

    do
        got = pread((int)(intptr_t)file, out, bytes, offset);
    while (got < 0 && errno == EINTR);
    return got;
}
