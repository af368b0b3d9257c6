/* waitable.h - private to wait.c and poller.c: what a pal_waitable is on Windows.
 * Layer:   platform, Windows.
 * Idea:    a waitable is a small record; pal_wait() asks each of its parts whether it is ready, and if none is, sleeps on
 *          the handles of all parts at once. Nothing is prepared for a sleep that does not happen, so changing
 *          interests and deadlines costs nothing while nobody sleeps.
 * Parts:   `event` for signals; a deadline (a number: it becomes the time-out of the sleep); the sockets of a poller,
 *          which a request in the kernel watches; `beside`, another waitable.
 * Changes: a sleeper must see what changes: `changed` wakes it, and it asks again. */
#ifndef PAL_WINDOWS_WAITABLE_H
#define PAL_WINDOWS_WAITABLE_H

#include <winsock2.h>

#include "pal/atomic.h"
#include "pal/wait.h"

struct pal_socket_set;

struct pal_os_waitable {
    HANDLE event;                 /* manual reset; NULL: never signalled by software */
    HANDLE changed;               /* manual reset; NULL: nothing of it ever changes */
    pal_waitable beside;          /* const after init; borrowed */
    pal_atomic_bool is_signalled; /* true: event is set, or about to be */

    SRWLOCK lock;         /* guards what follows */
    uint64_t deadline_ns; /* 0: none */
    unsigned waiters;     /* threads between asking and having slept */
    unsigned unaware;     /* of them, those that asked before the last change */
    uint32_t changes;     /* that somebody had to be told of */
    bool is_watching;
    struct pal_socket_set *sockets; /* NULL: none yet */
};

enum { PAL_PART_EVENT = 1, PAL_PART_CHANGES = 2 };

/* false: out of resources, and nothing to give back. */
bool pal_waitable_init(struct pal_os_waitable *w, unsigned parts, pal_waitable beside);
void pal_waitable_fini(struct pal_os_waitable *w);
void pal_waitable_signal(struct pal_os_waitable *w);
void pal_waitable_clear(struct pal_os_waitable *w);
void pal_waitable_drop_stray(struct pal_os_waitable *w); /* by who was woken by its event */
void pal_waitable_set_deadline(struct pal_os_waitable *w, uint64_t deadline_ns);
/* To be called with the lock held after something changed that a sleeper has to know. */
void pal_waitable_changed_locked(struct pal_os_waitable *w);

/* ---- the request that watches the sockets of a set (poller.c); the lock of the waitable is held ---- */

/* Ready now? If not, *wake is a handle that becomes signalled when that may have changed; it stays valid as long as the set. */
bool pal_socket_set_ask_locked(struct pal_socket_set *set, HANDLE *wake);
/* The same after a sleep, without asking the kernel again. */
bool pal_socket_set_woke_locked(struct pal_socket_set *set);

#endif
