/* process.c - process numbers, and small records that processes of one user share.
 * A record is a file in the shared-memory file system, "openwsd-UID-NAME". Files with a '.' in their name are
 * private to one call: put fills one and links it to the public name (all at once, never over another), take
 * renames the public name to one (of several renames of one name exactly one succeeds). A file that another
 * user planted is not a record. */
#include "pal/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pal/atomic.h"

#define SHM_DIR        "/dev/shm"
#define NAME_MAX_BYTES 48
#define PATH_BYTES     160

uint32_t pal_process_id(void)
{
    return (uint32_t)getpid();
}

bool pal_process_exists(uint32_t pid)
{
    if (pid == 0 || pid > INT32_MAX)
        return false;
    return kill((pid_t)pid, 0) == 0 || errno == EPERM;
}

static bool public_path(const char *name, char out[PATH_BYTES])
{
    size_t length = name ? strlen(name) : 0;
    if (length == 0 || length > NAME_MAX_BYTES ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != length)
        return false;
    snprintf(out, PATH_BYTES, SHM_DIR "/openwsd-%u-%s", (unsigned)geteuid(), name);
    return true;
}

static void private_path(const char *name, const char *why, char out[PATH_BYTES])
{
    static pal_atomic_u64 serial;
    snprintf(out, PATH_BYTES, SHM_DIR "/openwsd-%u-%s.%s.%u.%llu", (unsigned)geteuid(), name, why,
             pal_process_id(), (unsigned long long)pal_add_relaxed(&serial, 1));
}

static bool write_all(int fd, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        ssize_t done = write(fd, at, bytes);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        bytes -= (size_t)done;
    }
    return true;
}

static bool read_all(int fd, void *data, size_t bytes)
{
    char *at = data;
    while (bytes > 0) {
        ssize_t done = read(fd, at, bytes);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        bytes -= (size_t)done;
    }
    return true;
}

/* Open a record for reading when it is ours, private and of the expected size. */
static enum pal_record_status open_record(const char *path, size_t bytes, int *out_fd)
{
    struct stat st;
    /* O_NONBLOCK: a planted FIFO must not hang us. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? PAL_RECORD_NOT_FOUND : PAL_RECORD_FAILED;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0 ||
        (uint64_t)st.st_size != bytes) {
        close(fd);
        return PAL_RECORD_FAILED;
    }
    *out_fd = fd;
    return PAL_RECORD_OK;
}

enum pal_record_status pal_record_put(const char *name, const void *data, size_t bytes)
{
    char final[PATH_BYTES], temp[PATH_BYTES];
    enum pal_record_status result = PAL_RECORD_FAILED;

    if (!public_path(name, final) || !data || bytes == 0)
        return PAL_RECORD_FAILED;
    private_path(name, "put", temp);
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return PAL_RECORD_FAILED;
    /* fchmod: a strange umask must not take away our own right to read it. */
    bool is_written = fchmod(fd, 0600) == 0 && write_all(fd, data, bytes);
    if (close(fd) == 0 && is_written) {
        if (link(temp, final) == 0)
            result = PAL_RECORD_OK;
        else if (errno == EEXIST)
            result = PAL_RECORD_EXISTS;
    }
    unlink(temp);
    return result;
}

enum pal_record_status pal_record_peek(const char *name, void *data, size_t bytes)
{
    char path[PATH_BYTES];
    int fd;

    if (!public_path(name, path) || !data || bytes == 0)
        return PAL_RECORD_FAILED;
    enum pal_record_status st = open_record(path, bytes, &fd);
    if (st != PAL_RECORD_OK)
        return st;
    bool is_read = read_all(fd, data, bytes);
    close(fd);
    return is_read ? PAL_RECORD_OK : PAL_RECORD_FAILED;
}

enum pal_record_status pal_record_take(const char *name, void *data, size_t bytes)
{
    char path[PATH_BYTES], mine[PATH_BYTES];
    int fd;

    if (!public_path(name, path) || !data || bytes == 0)
        return PAL_RECORD_FAILED;
    /* Look before taking, so that a request of the wrong size leaves the record where it is. */
    enum pal_record_status st = open_record(path, bytes, &fd);
    if (st != PAL_RECORD_OK)
        return st;
    close(fd);
    private_path(name, "take", mine);
    if (rename(path, mine) != 0)
        return errno == ENOENT ? PAL_RECORD_NOT_FOUND : PAL_RECORD_FAILED;
    /* Open again: between the look and the rename another record may have got the name. */
    st = open_record(mine, bytes, &fd);
    if (st == PAL_RECORD_OK) {
        if (!read_all(fd, data, bytes))
            st = PAL_RECORD_FAILED;
        close(fd);
    }
    unlink(mine);
    return st;
}

bool pal_record_drop(const char *name)
{
    char path[PATH_BYTES];
    return public_path(name, path) && unlink(path) == 0;
}
