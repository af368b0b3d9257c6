/* sp_file_posix.c - a file for TransmitFile: on Linux its HANDLE is the descriptor. */
#include "sp.h"

#include <unistd.h>

HANDLE sp_file_create(size_t bytes, uint32_t seed)
{
    char name[] = "/tmp/openwsd-spi-XXXXXX";
    char *data = malloc(bytes);
    int fd = mkstemp(name);

    assert_true(fd >= 0 && data != NULL);
    unlink(name); /* gone with the descriptor */
    sp_fill(data, bytes, seed, 0);
    assert_int_equal(write(fd, data, bytes), bytes);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    free(data);
    return (HANDLE)(intptr_t)fd;
}

void sp_file_close(HANDLE file)
{
    close((int)(intptr_t)file);
}
