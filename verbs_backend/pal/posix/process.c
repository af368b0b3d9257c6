/* process.c - process numbers, and small records that processes of one user share.
 * A record is a file in the shared-memory file system, "openwsd-UID-NAME". Files with a '.' in their name are
 * private to one call: put fills one and links it to the public name (all at once, never over another), take
 * renames the public name to one (of several renames of one name exactly one succeeds). A file that another
 * user planted is not a record. Behind its bytes a record says who put it, so that others can tell when that process has gone. */
#include "pal/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "name.h"
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

/* Stands behind the bytes of a record. Numbers of processes mean something within their namespace only. */
struct owner {
    uint64_t pid_namespace; /* inode of /proc/self/ns/pid; 0: not known, and nobody sweeps such a record */
    uint64_t pid;
};

static struct owner this_process(void)
{
    struct owner me = {0, pal_process_id()};
    struct stat st;

    if (stat("/proc/self/ns/pid", &st) == 0)
        me.pid_namespace = (uint64_t)st.st_ino;
    return me;
}

static bool public_path(const char *name, char out[PATH_BYTES])
{
    if (!pal_name_is_good(name, NAME_MAX_BYTES))
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
        (uint64_t)st.st_size != bytes + sizeof(struct owner)) {
        close(fd);
        return PAL_RECORD_FAILED;
    }
    *out_fd = fd;
    return PAL_RECORD_OK;
}

enum pal_record_status pal_record_put(const char *name, const void *data, size_t bytes)
{
    char final[PATH_BYTES], temp[PATH_BYTES];
    const struct owner me = this_process();
    enum pal_record_status result = PAL_RECORD_FAILED;

    if (!public_path(name, final) || !data || bytes == 0)
        return PAL_RECORD_FAILED;
    private_path(name, "put", temp);
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return PAL_RECORD_FAILED;
    /* fchmod: a strange umask must not take away our own right to read it. */
    bool is_written = fchmod(fd, 0600) == 0 && write_all(fd, data, bytes) && write_all(fd, &me, sizeof(me));
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

/* --- what processes that are gone have left --- */

#define SWEEP_MOST 4096u /* entries looked at in one sweep; our choice */

static bool is_old(const struct stat *st, uint32_t least_age_s)
{
    return time(NULL) - st->st_mtime >= (time_t)least_age_s;
}

/* The process that put it has ended. */
static bool is_orphan(const char *path, struct stat *st)
{
    const struct owner me = this_process();
    struct owner owner = {0, 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool is_known;

    if (fd < 0)
        return false;
    is_known = fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_uid == geteuid() &&
               st->st_size > (off_t)sizeof(owner) &&
               lseek(fd, st->st_size - (off_t)sizeof(owner), SEEK_SET) >= 0 &&
               read_all(fd, &owner, sizeof(owner));
    close(fd);
    return is_known && owner.pid_namespace != 0 && owner.pid_namespace == me.pid_namespace &&
           owner.pid <= UINT32_MAX && !pal_process_exists((uint32_t)owner.pid);
}

/* Taken out of the way first, as a taker does it: should the name have become another record's meanwhile, that one gets it back. */
static bool remove_orphan(const char *name, const char *path, const struct stat *seen)
{
    char mine[PATH_BYTES];
    struct stat st;
    bool is_same;

    private_path(name, "sweep", mine);
    if (rename(path, mine) != 0)
        return false;
    is_same = stat(mine, &st) == 0 && st.st_ino == seen->st_ino && st.st_dev == seen->st_dev;
    if (!is_same)
        (void)link(mine, path);
    (void)unlink(mine);
    return is_same;
}

unsigned pal_record_sweep(uint32_t least_age_s)
{
    char prefix[32], path[PATH_BYTES];
    DIR *directory = opendir(SHM_DIR);
    unsigned removed = 0, looked = 0;
    const struct dirent *entry;
    struct stat st;

    if (directory == NULL)
        return 0;
    snprintf(prefix, sizeof(prefix), "openwsd-%u-", (unsigned)geteuid());
    while (looked < SWEEP_MOST && (entry = readdir(directory)) != NULL) {
        const char *name = entry->d_name + strlen(prefix);

        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
            snprintf(path, sizeof(path), SHM_DIR "/%s", entry->d_name) >= (int)sizeof(path))
            continue;
        looked++;
        if (strchr(name, '.') != NULL) { /* private to a call, which takes no time to speak of */
            if (lstat(path, &st) == 0 && is_old(&st, least_age_s + 60))
                removed += unlink(path) == 0;
        } else if (strlen(name) <= NAME_MAX_BYTES && is_orphan(path, &st) && is_old(&st, least_age_s)) {
            removed += remove_orphan(name, path, &st);
        }
    }
    closedir(directory);
    return removed;
}
