/* instance.h - the one instance of the provider in a process: settings, backend, devices, locks.
 * Layer:   provider/sock; the public door is include/wsd/provider.h.
 * Threads: start-up and clean-up exclude each other by `phase`, not by a lock that would be held across
 *          backend calls and upcalls. */
#ifndef WSD_INSTANCE_H
#define WSD_INSTANCE_H

#include "base/config.h"
#include "pal/atomic.h"
#include "pal/mutex.h"
#include "vb/vb.h"
#include "wsd/ws2_types.h"

struct wsd_device;

enum wsd_phase { WSD_PHASE_IDLE, WSD_PHASE_CHANGING, WSD_PHASE_RUNNING };

struct wsd_provider_state {
    struct pal_mutex lifecycle; /* guards phase, starts */
    struct pal_cond phase_changed;
    enum wsd_phase phase;
    struct pal_mutex lock;       /* guards devices */
    struct pal_mutex table_lock; /* sock_table.c: free slots */
    uint32_t starts;
    pal_atomic_bool running;
    pal_atomic_u32 callbacks;           /* threads inside WSPMemoryRegistrationCacheCallback */
    pal_atomic_bool keep_registrations; /* the switch fetched the cache callback (8.9) */
    struct wsd_config config;
    struct vb_backend *backend;
    struct vb_cm *cm;
    struct wsd_device *devices;
};

extern struct wsd_provider_state wsd_provider;

/* Count a start; the first one opens the backend and starts the threads. The upcall table becomes the one
 * in force only when the start counts (W1). 0 or WSASYSNOTREADY, WSAEPROCLIM. */
int wsd_provider_start(const WSPUPCALLTABLEEX *table, DWORD catalog_id);
/* Count down; at zero close every socket, join every thread, close the backend. 0, WSANOTINITIALISED,
 * WSAENETDOWN. */
int wsd_provider_stop(void);
/* The device that owns a local address; opened on first use, kept until stop. Control. */
vb_status_t wsd_provider_device(const struct vb_addr *local, struct wsd_device **out);
/* The device has died: its address may come back on another one (W20). */
void wsd_provider_device_gone(const struct vb_dev *dev);
/* Smallest limits over all devices: what the socket options answer in every state (Q4). */
uint32_t wsd_provider_max_message(void);
uint32_t wsd_provider_max_rdma(void);
bool wsd_provider_has_read(void);

#endif
