/* sp_file_posix.c - a file for TransmitFile: on Linux its HANDLE is the descriptor. */
#include "sp.h"

#include <sys/resource.h>
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

bool sp_limit_files(bool is_tight)
{
    static struct rlimit before;
    struct rlimit now;
    int free_file;

    if (is_tight) {
        free_file = dup(0);
        if (free_file < 0 || getrlimit(RLIMIT_NOFILE, &before) != 0)
            return false;
        close(free_file);
        now = before;
        now.rlim_cur = (rlim_t)free_file + 40;
        return setrlimit(RLIMIT_NOFILE, &now) == 0;
    }
    return setrlimit(RLIMIT_NOFILE, &before) == 0;
}
