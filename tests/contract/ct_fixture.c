/* ct_fixture.c - set-up and teardown of every test: what is loaded, what must be gone afterwards. */
#include "ct.h"

#include <dirent.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned entries_of(const char *directory)
{
    DIR *d = opendir(directory);
    unsigned count = 0;

    if (d == NULL)
        return 0;
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}

static unsigned thread_count(void)
{
    return entries_of("/proc/self/task");
}

static unsigned fd_count(void)
{
    return entries_of("/proc/self/fd");
}

/* ---- loading ---- */

int ct_try_load(struct fixture *f, char *why, size_t why_bytes)
{
    int result = sw_load(ct.provider, NULL, &f->provider, why, why_bytes);

    f->peer = f->provider;
    if (result == 0 && ct_env_is_across()) {
        ct_env_choose_peer(true);
        result = sw_load(ct.peer_provider, NULL, &f->peer, why, why_bytes);
        ct_env_choose_peer(false);
        if (result != 0)
            sw_unload(f->provider, NULL, 0);
    }
    if (result != 0) {
        f->provider = f->peer = NULL;
        return result;
    }
    f->procs = sw_procs(f->provider);
    f->ext = sw_extensions(f->provider);
    return 0;
}

void ct_load(struct fixture *f)
{
    char why[512];
    int result = ct_try_load(f, why, sizeof why);

    if (result != 0)
        ct_fail("the provider does not start: %s (%s)", why, sw_error_name(result));
}

void ct_close_all(struct fixture *f)
{
    while (f->companion_count > 0)
        sw_close(f->companions[--f->companion_count]);
    while (f->listener_count > 0)
        sw_listener_close(f->listeners[--f->listener_count]);
    f->listener = NULL;
}

uint64_t ct_upcalls(struct fixture *f, enum sw_upcall which)
{
    uint64_t count = sw_upcall_count(f->provider, which);

    return f->peer != f->provider ? count + sw_upcall_count(f->peer, which) : count;
}

static bool unload(struct fixture *f)
{
    char text[4096], of_peer[4096] = "";
    unsigned count;

    if (f->provider == NULL)
        return true;
    ct_close_all(f);
    count = sw_unload(f->provider, text, sizeof text);
    if (f->peer != f->provider)
        count += sw_unload(f->peer, of_peer, sizeof of_peer);
    f->provider = f->peer = NULL;
    if (count == f->expected_violations)
        return true;
    print_error("%u contract violations (%u expected):\n%s%s", count, f->expected_violations, text, of_peer);
    return false;
}

void ct_unload(struct fixture *f)
{
    if (!unload(f))
        ct_fail("the provider broke the contract");
}

void ct_setenv(struct fixture *f, const char *name, const char *value)
{
    unsigned i = 0;

    while (i < f->env_count && strcmp(f->env[i].name, name) != 0)
        i++;
    if (i == f->env_count) {
        const char *old = getenv(name);
        if (i == sizeof f->env / sizeof f->env[0])
            ct_fail("too many settings");
        snprintf(f->env[i].name, sizeof f->env[i].name, "%s", name);
        f->env[i].old = old != NULL ? strdup(old) : NULL;
        f->env_count++;
    }
    setenv(name, value, 1);
}

void ct_reload(struct fixture *f, ...)
{
    va_list arguments;
    const char *name;

    ct_unload(f);
    va_start(arguments, f);
    while ((name = va_arg(arguments, const char *)) != NULL)
        ct_setenv(f, name, va_arg(arguments, const char *));
    va_end(arguments);
    ct_load(f);
}

/* ---- per test ---- */

int ct_setup_bare(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL)
        return -1;
    *state = f;
    ct.count.run++;
    alarm((ct.wait_ms / 1000 + 1) * 6); /* several waits may time out before a test gives up */
    if (sw_parse_address(ct.address, &f->here) != 0 || sw_parse_address(ct.other_address, &f->other) != 0)
        return -1;
    f->here.sin_port = f->other.sin_port = 0;
    f->threads_before = thread_count();
    f->fds_before = fd_count();
    if (ct.loop != NULL) {
        ct.loop->reset();
        ct.loop->fault_clear();
        ct.loop->get_counts(&f->before);
    }
    return 0;
}

int ct_setup(void **state)
{
    int result = ct_setup_bare(state);

    if (result == 0) {
        char why[512];
        result = ct_try_load(*state, why, sizeof why);
        if (result != 0)
            print_error("the provider does not start: %s (%s)\n", why, sw_error_name(result));
    }
    return result == 0 ? 0 : -1;
}

static bool join(struct ct_thread *t)
{
    bool is_done = ct_until(pal_load_acquire(&t->is_done));

    if (!is_done) {
        print_error("a thread of the test hangs\n");
        return false;
    }
    if (t->thread != NULL)
        pal_thread_join(t->thread);
    t->thread = NULL;
    return true;
}

static bool loop_is_clean(const struct fixture *f)
{
    struct loop_counts now;

    ct.loop->get_counts(&now);
    const uint32_t *a = &f->before.backends, *b = &now.backends;
    for (size_t i = 0; i < 10; i++) /* the ten live counters lie side by side */
        if (a[i] != b[i])
            return false;
    return true;
}

bool ct_is_clean(struct fixture *f, bool says_why)
{
    bool is_fine = true;

    if (ct.loop != NULL) {
        struct loop_counts now;
        if (!ct_until(loop_is_clean(f))) {
            if (says_why) {
                print_error("objects of the loop backend are left:\n");
                (void)ct.loop->nothing_alive();
            }
            is_fine = false;
        }
        ct.loop->get_counts(&now);
        if (now.violations != 0) {
            print_error("the provider broke the rules of the verbs backend %u times\n",
                        (unsigned)now.violations);
            is_fine = false;
        }
    }
    if (is_fine && !ct_until(thread_count() <= f->threads_before)) {
        print_error("%u threads, %u before\n", thread_count(), f->threads_before);
        is_fine = false;
    }
    if (is_fine && !ct_until(fd_count() <= f->fds_before)) {
        print_error("%u open files, %u before\n", fd_count(), f->fds_before);
        is_fine = false;
    }
    return is_fine;
}

int ct_teardown(void **state)
{
    struct fixture *f = *state;
    bool is_fine = true, is_quiet = true;

    if (ct.loop != NULL)
        ct.loop->fault_clear();
    pal_store_release(&f->stop, true);
    for (struct ct_thread *t = f->threads; t != NULL; t = t->next)
        is_quiet &= join(t);
    if (!is_quiet)
        abort(); /* it still uses what would be freed now */
    for (struct ct_process *p = f->processes; p != NULL; p = p->next)
        ct_kill(p);
    is_fine &= unload(f);
    for (unsigned i = 0; i < f->env_count; i++) {
        if (f->env[i].old != NULL)
            setenv(f->env[i].name, f->env[i].old, 1);
        else
            unsetenv(f->env[i].name);
        free(f->env[i].old);
    }
    if (f->keeps_module_released)
        ct_env_hold_module();
    for (unsigned i = 0; i < f->event_count; i++)
        sw_event_close(f->events[i]);
    for (unsigned i = 0; i < f->iocp_count; i++)
        sw_iocp_destroy(f->iocps[i]);
    while (f->kept != NULL) {
        struct ct_kept *k = f->kept;
        f->kept = k->next;
        munmap(k->memory, k->mapped_bytes);
        free(k);
    }
    while (f->threads != NULL) {
        struct ct_thread *t = f->threads;
        f->threads = t->next;
        free(t);
    }
    while (f->processes != NULL) {
        struct ct_process *p = f->processes;
        f->processes = p->next;
        free(p);
    }
    is_fine &= ct_is_clean(f, true);
    if (ct.loop != NULL)
        ct.loop->reset();
    alarm(0);
    free(f);
    *state = NULL;
    return is_fine ? 0 : -1;
}

/* ---- things that live as long as a test ---- */

void *ct_memory(struct fixture *f, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t whole = (bytes + page - 1) / page * page;
    struct ct_kept *k = calloc(1, sizeof *k);

    assert_non_null(k);
    whole = whole == 0 ? page : whole;
    k->memory = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(k->memory != MAP_FAILED);
    k->mapped_bytes = whole;
    k->next = f->kept;
    f->kept = k;
    return k->memory;
}

WSAEVENT ct_event(struct fixture *f, bool manual_reset)
{
    WSAEVENT e = sw_event_create(manual_reset, false);

    assert_true(e != WSA_INVALID_EVENT);
    assert_true(f->event_count < sizeof f->events / sizeof f->events[0]);
    f->events[f->event_count++] = e;
    return e;
}

struct sw_iocp *ct_iocp(struct fixture *f)
{
    struct sw_iocp *q = sw_iocp_create();

    assert_non_null(q);
    assert_true(f->iocp_count < sizeof f->iocps / sizeof f->iocps[0]);
    f->iocps[f->iocp_count++] = q;
    return q;
}

static void thread_main(void *arg)
{
    struct ct_thread *t = arg;

    t->fn(t);
    pal_store_release(&t->is_done, true);
}

struct ct_thread *ct_start(struct fixture *f, void (*fn)(struct ct_thread *), void *arg)
{
    struct ct_thread *t = calloc(1, sizeof *t);

    assert_non_null(t);
    t->fn = fn;
    t->f = f;
    t->arg = arg;
    t->next = f->threads;
    f->threads = t;
    t->thread = pal_thread_start(thread_main, t, "ct-test");
    if (t->thread == NULL)
        pal_store_release(&t->is_done, true);
    assert_non_null(t->thread);
    return t;
}

void ct_join(struct ct_thread *t)
{
    if (!join(t))
        ct_fail("a thread does not come back");
    if (t->failure[0] != '\0')
        ct_fail("in a thread: %s", t->failure);
}

void ct_thread_fails(struct ct_thread *t, const char *format, ...)
{
    va_list arguments;

    if (t->failure[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(t->failure, sizeof t->failure, format, arguments);
    va_end(arguments);
}
