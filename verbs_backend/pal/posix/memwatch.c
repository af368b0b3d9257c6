/* memwatch.c - userfaultfd as a watch on mappings. Ranges are registered for write-protection faults, and nothing is ever protected: so no
 * fault is caught, and what remains are the events. */
#include "pal/memwatch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pal/atomic.h"
#include "pal/memory.h"
#include "pal/thread.h"

#ifndef UFFD_USER_MODE_ONLY /* Linux 5.11: allowed to everybody. We catch no faults, neither of the user nor of the kernel */
#define UFFD_USER_MODE_ONLY 1
#endif

struct pal_memwatch {
    int fd;
    pal_atomic_u32 adds; /* since the mappings were counted */
    pal_atomic_bool is_crowded;
};

/* The fork handler's: a child must not keep the descriptor open, or closing ours would end nothing. */
static struct pal_memwatch the_watch = {.fd = -1};
static pal_atomic_bool is_taken;
static pthread_once_t fork_handler = PTHREAD_ONCE_INIT;

static void leave_it_to_the_parent(void)
{
    if (the_watch.fd >= 0)
        close(the_watch.fd);
    the_watch.fd = -1;
}

static void set_fork_handler(void)
{
    pthread_atfork(NULL, NULL, leave_it_to_the_parent);
}

/* --- ranges --- */

/* A range of what has been registered: is it private anonymous memory? Asked by a request that cannot be meant for any other: there
 * EINVAL; shared memory takes it (EEXIST or 0: a page that is there is mapped, which a read would do too); ENOENT when it is
 * not one mapping. Memory that was touched in parts while parts were watched may stay several: then halves. */
static bool is_private(const struct pal_memwatch *w, uint64_t start, uint64_t end)
{
    struct uffdio_continue page = {{start, end - start}, UFFDIO_CONTINUE_MODE_DONTWAKE, 0};
    uint64_t size = pal_page_size();
    if (ioctl(w->fd, UFFDIO_CONTINUE, &page) == 0)
        return false;
    if (errno != ENOENT || end - start <= size)
        return errno == EINVAL;
    uint64_t middle = start + (end - start) / 2 / size * size;
    return is_private(w, start, middle) && is_private(w, middle, end);
}

/* The system allows 65,530 mappings (vm.max_map_count), and each range watched may make two more. They are counted once in a while. */
enum { MAPPINGS_MAX = 30000, ADDS_BETWEEN_COUNTS = 1024 };

static bool has_many_mappings(void)
{
    char text[4096];
    ssize_t n;
    unsigned lines = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    while ((n = read(fd, text, sizeof text)) > 0)
        for (ssize_t i = 0; i < n; i++)
            lines += text[i] == '\n';
    close(fd);
    return n < 0 || lines > MAPPINGS_MAX;
}

static bool has_room(struct pal_memwatch *w)
{
    if (pal_add_relaxed(&w->adds, 1) % ADDS_BETWEEN_COUNTS == 0)
        pal_store_relaxed(&w->is_crowded, has_many_mappings());
    return !pal_load_relaxed(&w->is_crowded);
}

bool pal_memwatch_add(struct pal_memwatch *w, uint64_t start, uint64_t end)
{
    /* not to be had for huge pages, whose mappings can be told by that (UFFD_API_RANGE_IOCTLS_BASIC) */
    const uint64_t wanted = (uint64_t)1 << _UFFDIO_WRITEPROTECT | (uint64_t)1 << _UFFDIO_ZEROPAGE;
    struct uffdio_register range = {{start, end - start}, UFFDIO_REGISTER_MODE_WP, 0};
    return has_room(w) && ioctl(w->fd, UFFDIO_REGISTER, &range) == 0 && (range.ioctls & wanted) == wanted &&
           is_private(w, start, end);
}

bool pal_memwatch_is_quiet(struct pal_memwatch *w)
{
    struct uffdio_writeprotect nothing = {{0, 0}, 0};
    /* the answer to an empty range, unless the kernel does not get so far */
    return ioctl(w->fd, UFFDIO_WRITEPROTECT, &nothing) != 0 && errno == EINVAL;
}

/* --- events --- */

pal_waitable pal_memwatch_waitable(const struct pal_memwatch *w)
{
    return w->fd;
}

unsigned pal_memwatch_read(struct pal_memwatch *w, struct pal_memwatch_range *out, unsigned n)
{
    struct uffd_msg messages[16];
    unsigned most = n / 2 < 16 ? n / 2 : 16, count = 0;
    ssize_t got = read(w->fd, messages, most * sizeof messages[0]);
    for (unsigned i = 0; got > 0 && i < (size_t)got / sizeof messages[0]; i++) {
        const struct uffd_msg *m = &messages[i];
        if (m->event == UFFD_EVENT_UNMAP || m->event == UFFD_EVENT_REMOVE) {
            out[count++] = (struct pal_memwatch_range){m->arg.remove.start, m->arg.remove.end};
        } else if (m->event == UFFD_EVENT_REMAP) {
            out[count++] = (struct pal_memwatch_range){m->arg.remap.from,
                                                       m->arg.remap.from + m->arg.remap.len};
            out[count++] = (struct pal_memwatch_range){m->arg.remap.to, m->arg.remap.to + m->arg.remap.len};
        }
    }
    return count;
}

/* --- life --- */

struct scratch {
    void *page;
    size_t bytes;
};

static void unmap(void *arg)
{
    struct scratch *s = arg;
    munmap(s->page, s->bytes);
}

enum { PATIENCE_MS = 5000 };

static bool is_told_of(struct pal_memwatch *w, const struct scratch *s)
{
    struct pollfd events = {w->fd, POLLIN, 0};
    struct pal_memwatch_range gone[4];
    uint64_t start = (uintptr_t)s->page;
    return poll(&events, 1, PATIENCE_MS) == 1 && !pal_memwatch_is_quiet(w) &&
           pal_memwatch_read(w, gone, 4) == 1 && gone[0].start == start && gone[0].end == start + s->bytes;
}

/* Does this kernel do what we rely on? A page is unmapped by another thread. */
static bool does_what_it_should(struct pal_memwatch *w)
{
    struct scratch s = {NULL, pal_page_size()};
    s.page = pal_pages_alloc(s.bytes);
    if (!s.page)
        return false;
    uint64_t start = (uintptr_t)s.page;
    struct pal_thread *t = NULL;
    if (pal_memwatch_add(w, start, start + s.bytes) && pal_memwatch_is_quiet(w))
        t = pal_thread_start(unmap, &s, "wsd-watch-try");
    bool is_good = t && is_told_of(w, &s);
    if (!is_good)
        pal_memwatch_stop(w); /* or unmapping would wait for ever */
    if (t)
        pal_thread_join(t);
    else
        pal_pages_free(s.page, s.bytes);
    return is_good && pal_memwatch_is_quiet(w);
}

static const char *open_it(struct pal_memwatch *w)
{
    /* no EVENT_FORK: it needs a privilege, and a child's memory is none of ours */
    struct uffdio_api api = {
        UFFD_API, UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_REMAP, 0};
    w->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    if (w->fd < 0 && errno == EINVAL)
        w->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (w->fd < 0)
        return errno == ENOSYS  ? "the kernel has no userfaultfd"
               : errno == EPERM ? "userfaultfd is not allowed"
                                : "userfaultfd failed";
    if (ioctl(w->fd, UFFDIO_API, &api) != 0)
        return "userfaultfd has no events of unmapping";
    return NULL;
}

struct pal_memwatch *pal_memwatch_create(const char **why)
{
    bool free_one = false;
    if (!pal_cas_acq_rel(&is_taken, &free_one, true)) {
        *why = "there is one already";
        return NULL;
    }
    struct pal_memwatch *w = &the_watch;
    pthread_once(&fork_handler, set_fork_handler);
    pal_store_relaxed(&w->adds, 0);
    *why = open_it(w);
    if (!*why && !does_what_it_should(w))
        *why = "userfaultfd does not tell of unmapping as it should";
    if (!*why)
        return w;
    pal_memwatch_destroy(w);
    return NULL;
}

void pal_memwatch_stop(struct pal_memwatch *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}

void pal_memwatch_destroy(struct pal_memwatch *w)
{
    if (!w)
        return;
    pal_memwatch_stop(w);
    pal_store_release(&is_taken, false); /* after the descriptor: the next may have it */
}
