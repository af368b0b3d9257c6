/* change.c - see change.h. Routes follow the addresses here: a change of one counts as a change of the other (our choice: the tcpip
 * folder watches addresses only). */
#include "spi/change.h"

static struct pal_mutex lock = PAL_MUTEX_INIT; /* guards first, asked */
static struct sw_io *first;
static pal_atomic_u32 changes; /* how many there were */

/* Sockets that asked without an OVERLAPPED, by reference; WSPCloseSocket takes them out. */
#define WATCHERS_MAX 64u
static struct sw_sock *watchers[WATCHERS_MAX];

static uint32_t event_of(DWORD code)
{
    return code == SIO_ADDRESS_LIST_CHANGE ? FD_ADDRESS_LIST_CHANGE : FD_ROUTING_INTERFACE_CHANGE;
}

static int add_watcher(struct sw_sock *s)
{
    int code = WSAENOBUFS;

    pal_mutex_lock(&lock);
    for (unsigned i = 0; i < WATCHERS_MAX && code != 0; i++)
        code = watchers[i] == s ? 0 : code;
    for (unsigned i = 0; i < WATCHERS_MAX && code != 0; i++) {
        if (watchers[i] == NULL) {
            watchers[i] = s;
            sw_sock_hold(s);
            code = 0;
        }
    }
    pal_mutex_unlock(&lock);
    return code;
}

static int wait_here(struct sw_sock *s, bool *is_gone)
{
    uint32_t seen = pal_load_acquire(&changes);
    struct sw_blocker b;
    int code = 0;

    sw_block_begin(&b, 0);
    sw_sock_park(s);
    pal_mutex_lock(&s->lock);
    while (code == 0 && pal_load_acquire(&changes) == seen &&
           (pal_load_relaxed(&s->use) & SW_USE_CLOSING) == 0)
        code = sw_block_on_change_locked(s, &b);
    if (code == 0 && pal_load_acquire(&changes) == seen)
        code = WSAEINTR; /* closed */
    pal_mutex_unlock(&s->lock);
    sw_block_end(&b);
    *is_gone = !sw_sock_enter(s);
    sw_sock_release(s);
    return code;
}

static void cancel(struct sw_io *io)
{
    struct sw_io **at = &first;
    bool waits;

    pal_mutex_lock(&lock);
    while (*at != NULL && *at != io)
        at = &(*at)->next;
    waits = *at != NULL;
    if (waits)
        *at = io->next;
    pal_mutex_unlock(&lock);
    if (waits)
        sw_io_deliver(io, WSA_OPERATION_ABORTED, 0);
}

int sw_change_wait(struct sw_sock *s, SOCKET handle, DWORD code, LPWSAOVERLAPPED ov,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, const WSATHREADID *thread, bool *is_gone)
{
    struct sw_io *io;
    int result;

    sw_providers_watch();
    if (ov == NULL) {
        result = add_watcher(s);
        sw_events_enable(s, event_of(code));
        if (result != 0 || (pal_load_relaxed(&s->mode) & SW_MODE_NONBLOCKING) != 0)
            return result != 0 ? result : WSAEWOULDBLOCK;
        return wait_here(s, is_gone);
    }
    io = sw_io_get(s, handle, ov, routine, thread);
    if (io == NULL)
        return WSAENOBUFS;
    io->cancel = cancel;
    sw_io_start(io);
    pal_mutex_lock(&lock);
    io->next = first;
    first = io;
    pal_mutex_unlock(&lock);
    return WSA_IO_PENDING;
}

/* Those of `s`, or all. */
static void finish(const struct sw_sock *s, int error)
{
    struct sw_io *taken = NULL;

    pal_mutex_lock(&lock);
    for (struct sw_io **at = &first; *at != NULL;) {
        struct sw_io *io = *at;

        if (s != NULL && io->sock != s) {
            at = &io->next;
            continue;
        }
        *at = io->next;
        io->next = taken;
        taken = io;
    }
    pal_mutex_unlock(&lock);
    while (taken != NULL) {
        struct sw_io *io = taken;

        taken = io->next;
        sw_io_deliver(io, error, 0);
    }
}

void sw_change_happened(void)
{
    struct sw_sock *told[WATCHERS_MAX];
    unsigned count = 0;

    pal_add_acq_rel(&changes, 1u);
    finish(NULL, 0);
    pal_mutex_lock(&lock);
    for (unsigned i = 0; i < WATCHERS_MAX; i++) {
        if (watchers[i] != NULL) {
            told[count++] = watchers[i];
            sw_sock_hold(watchers[i]);
        }
    }
    pal_mutex_unlock(&lock);
    for (unsigned i = 0; i < count; i++) {
        sw_events_happened(told[i], FD_ADDRESS_LIST_CHANGE | FD_ROUTING_INTERFACE_CHANGE, 0);
        sw_sock_release(told[i]);
    }
}

void sw_change_forget(struct sw_sock *s)
{
    bool was_watcher = false;

    finish(s, WSA_OPERATION_ABORTED);
    pal_mutex_lock(&lock);
    for (unsigned i = 0; i < WATCHERS_MAX; i++) {
        if (watchers[i] == s) {
            watchers[i] = NULL;
            was_watcher = true;
        }
    }
    pal_mutex_unlock(&lock);
    if (was_watcher)
        sw_sock_release(s);
}
