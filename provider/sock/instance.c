/* instance.c - start, stop, devices. */
#include "sock/instance.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/upcall.h"
#include "data/device.h"
#include "data/mr_watch.h"
#include "pal/process.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "sock/engine.h"
#include "sock/sock.h"

#define STOP_WAIT_MS 15000u
#define WHY_BYTES    512

struct wsd_provider_state wsd_provider;

/* The locks live as long as the library is loaded: a late call must find them. */
PAL_AT_LOAD(init_locks)
{
    if (!pal_mutex_init(&wsd_provider.lifecycle) || !pal_cond_init(&wsd_provider.phase_changed) ||
        !pal_mutex_init(&wsd_provider.lock) || !pal_mutex_init(&wsd_provider.table_lock))
        abort(); /* before anything else exists; the loader has no better answer */
}

/* "auto": the first that has something to serve, best first: an RDMA device, else iWARP in software, which always
 * has. What was passed over, and why, goes to the log once. */
static vb_status_t open_backend(char why[WHY_BYTES])
{
    const char *spec = wsd_provider.config.backend;
    const char *passed_over = "none";
    char reason[WHY_BYTES] = "";
    vb_status_t st = VB_E_NODEV;
    if (strcmp(spec, "auto") != 0) {
        st = vb_open(spec, &wsd_provider.backend, why, WHY_BYTES);
        if (st == VB_OK)
            WSD_LOG_INFO("event=backend chosen=%s why=\"WSD_BACKEND says so\"", spec);
        return st;
    }
    for (const char *const *name = vb_backend_names(); *name; name++) {
        st = vb_open(*name, &wsd_provider.backend, why, WHY_BYTES);
        if (st == VB_OK) {
            WSD_LOG_INFO("event=backend chosen=%s why=\"%s\" passed_over=%s reason=\"%s\"", *name,
                         reason[0] ? "the best that has something to serve"
                                   : "first choice, and it has an address",
                         passed_over, reason);
            return VB_OK;
        }
        if (!reason[0]) { /* of the best one: what the reader may want to change */
            passed_over = *name;
            memcpy(reason, why, sizeof reason);
        }
    }
    return st;
}

static vb_status_t open_devices(void)
{
    struct vb_addr list[64];
    uint32_t count = sizeof list / sizeof list[0];
    vb_status_t st = vb_addr_list(wsd_provider.backend, list, &count);
    if (st != VB_OK && st != VB_E_AGAIN)
        return st;
    if (count > sizeof list / sizeof list[0])
        count = sizeof list / sizeof list[0];
    /* open what is there, so that limits are known before a socket is bound (Q4) */
    for (uint32_t i = 0; i < count; i++) {
        struct wsd_device *dev;
        vb_status_t one = wsd_provider_device(&list[i], &dev);
        if (one != VB_OK)
            WSD_LOG_WARN("event=device-not-usable cause=%s", vb_status_name(one));
    }
    return VB_OK;
}

static void close_devices(void)
{
    while (wsd_provider.devices) {
        struct wsd_device *d = wsd_provider.devices;
        wsd_provider.devices = d->next;
        wsd_device_destroy(d);
    }
    wsd_mr_watch_end();
}

static int first_start(void)
{
    char why[WHY_BYTES] = "";
    wsd_log_init();
    wsd_config_load(&wsd_provider.config);
    vb_status_t st = open_backend(why);
    if (st != VB_OK) {
        WSD_LOG_ERROR("event=start-failed backend=%s cause=%s why=\"%s\"", wsd_provider.config.backend,
                      vb_status_name(st), why);
        wsd_log_fini();
        return WSASYSNOTREADY;
    }
    st = open_devices();
    if (st != VB_OK)
        goto err_backend;
    st = wsd_engine_start();
    if (st != VB_OK)
        goto err_devices;
    pal_store_release(&wsd_provider.running, true);
    (void)pal_record_sweep(wsd_provider.config.duplicate_expiry_ms / 1000u + 1u); /* of killed processes */
    return 0;
err_devices:
    close_devices();
err_backend:
    vb_close(wsd_provider.backend);
    wsd_provider.backend = NULL;
    WSD_LOG_ERROR("event=start-failed cause=%s", vb_status_name(st));
    wsd_log_fini();
    return WSASYSNOTREADY;
}

/* Wait until no other thread is starting or stopping; lifecycle held on return. */
static enum wsd_phase enter_lifecycle(void)
{
    pal_mutex_lock(&wsd_provider.lifecycle);
    while (wsd_provider.phase == WSD_PHASE_CHANGING)
        pal_cond_wait(&wsd_provider.phase_changed, &wsd_provider.lifecycle);
    return wsd_provider.phase;
}

static void set_phase_locked(enum wsd_phase phase)
{
    wsd_provider.phase = phase;
    wsd_set_in_use(phase != WSD_PHASE_IDLE);
    pal_cond_broadcast(&wsd_provider.phase_changed);
}

static int last_stop(void);

int wsd_provider_start(const WSPUPCALLTABLEEX *table, DWORD catalog_id)
{
    int error = 0;
    if (enter_lifecycle() == WSD_PHASE_IDLE) {
        set_phase_locked(WSD_PHASE_CHANGING);
        pal_mutex_unlock(&wsd_provider.lifecycle);
        error = first_start();
        pal_mutex_lock(&wsd_provider.lifecycle);
        set_phase_locked(error ? WSD_PHASE_IDLE : WSD_PHASE_RUNNING);
    } else if (wsd_provider.starts == UINT32_MAX) {
        error = WSAEPROCLIM;
    }
    /* No socket exists before the caller has our procedure table, so setting it last is early enough. */
    bool first = !error && wsd_provider.starts == 0;
    if (!error && !wsd_upcall_set_table(table, catalog_id))
        error = WSASYSNOTREADY;
    else if (!error)
        wsd_provider.starts++;
    if (error && first) { /* out of memory for the table: take the start back */
        set_phase_locked(WSD_PHASE_CHANGING);
        pal_mutex_unlock(&wsd_provider.lifecycle);
        last_stop();
        pal_mutex_lock(&wsd_provider.lifecycle);
        set_phase_locked(WSD_PHASE_IDLE);
    }
    pal_mutex_unlock(&wsd_provider.lifecycle);
    return error;
}

/* Before the first is closed: its peer may be in this process too, and must neither be told nor see a
 * reset (C20). */
static void silence_one(struct wsd_sock *s, void *arg)
{
    (void)arg;
    pal_mutex_lock(&s->lock);
    struct wsd_chan *c = s->has_descriptor && wsd_sock_state(s) != WSD_ST_CLOSED ? s->chan : NULL;
    pal_mutex_unlock(&s->lock);
    if (c && wsd_sock_state(s) != WSD_ST_MOVED) {
        pal_store_relaxed(&c->silent, true);
        wsd_chan_break(c, WSA_OPERATION_ABORTED);
    }
}

static void close_one(struct wsd_sock *s, void *arg)
{
    (void)arg;
    pal_mutex_lock(&s->lock);
    bool ours = s->has_descriptor; /* others end with their listener or with the call that is making them */
    pal_mutex_unlock(&s->lock);
    if (ours && wsd_sock_state(s) != WSD_ST_CLOSED && wsd_sock_close(s, true))
        wsd_sock_release(s, WSD_REF_DESCRIPTOR);
}

/* Close what is open and end the threads. WSAENETDOWN: something above still uses sockets. */
static int last_stop(void)
{
    atomic_store(&wsd_provider.running, false); /* seq_cst: against the count of cache callbacks */
    uint64_t deadline = pal_now_ns() + STOP_WAIT_MS * 1000000ull;
    wsd_sock_for_each(silence_one, NULL);
    wsd_sock_for_each(close_one, NULL);
    while (wsd_sock_count() && pal_now_ns() < deadline) {
        pal_sleep_ms(1);
        wsd_sock_for_each(close_one, NULL); /* a call that was under way may have made another */
    }
    if (wsd_sock_count()) { /* ending threads under their users would be worse than keeping them */
        WSD_LOG_ERROR("event=stop-incomplete sockets=%u", wsd_sock_count());
        pal_store_release(&wsd_provider.running, true);
        return WSAENETDOWN;
    }
    wsd_engine_stop();
    while (atomic_load(&wsd_provider.callbacks))
        pal_sleep_ms(1); /* a thread that frees memory needs no socket to be in here */
    close_devices();
    vb_close(wsd_provider.backend);
    wsd_provider.backend = NULL;
    wsd_provider.cm = NULL;
    pal_store_relaxed(&wsd_provider.keep_registrations, false);
    wsd_log_fini(); /* last: the end is traced too */
    return 0;
}

int wsd_provider_stop(void)
{
    if (wsd_engine_is_me() || wsd_shard_inside_upcall())
        /* a thread cannot wait for its own end (our choice; the contract does not ask for it) */
        return WSAENETDOWN;
    int error = enter_lifecycle() == WSD_PHASE_RUNNING ? 0 : WSANOTINITIALISED;
    if (!error && --wsd_provider.starts == 0) {
        set_phase_locked(WSD_PHASE_CHANGING);
        pal_mutex_unlock(&wsd_provider.lifecycle);
        error = last_stop();
        pal_mutex_lock(&wsd_provider.lifecycle);
        wsd_provider.starts = error ? 1 : 0;
        set_phase_locked(error ? WSD_PHASE_RUNNING : WSD_PHASE_IDLE);
    }
    pal_mutex_unlock(&wsd_provider.lifecycle);
    return error;
}

static struct wsd_device *known_device_locked(const struct vb_dev *dev)
{
    struct wsd_device *d = wsd_provider.devices;
    while (d && (d->dev != dev || pal_load_relaxed(&d->gone)))
        d = d->next;
    return d;
}

vb_status_t wsd_provider_device(const struct vb_addr *local, struct wsd_device **out)
{
    /* Devices are only added while running, so the list can be walked after its head was read under the
     * lock. */
    pal_mutex_lock(&wsd_provider.lock);
    struct wsd_device *first = wsd_provider.devices;
    pal_mutex_unlock(&wsd_provider.lock);
    for (struct wsd_device *d = first; d; d = d->next)
        if (!pal_load_relaxed(&d->gone) && vb_dev_owns(d->dev, local)) {
            *out = d;
            return VB_OK;
        }
    struct vb_dev *dev;
    vb_status_t st = vb_dev_open(wsd_provider.backend, local, &dev);
    if (st != VB_OK)
        return st;
    struct wsd_device *fresh;
    st = wsd_device_create(dev, &wsd_provider.config, pal_load_relaxed(&wsd_provider.keep_registrations),
                           &fresh);
    if (st != VB_OK) {
        vb_dev_close(dev);
        return st;
    }
    pal_mutex_lock(&wsd_provider.lock);
    /* another thread was faster, or it has a new address */
    struct wsd_device *known = known_device_locked(dev);
    if (!known) {
        fresh->next = wsd_provider.devices;
        wsd_provider.devices = fresh;
    }
    pal_mutex_unlock(&wsd_provider.lock);
    if (known)
        wsd_device_destroy(fresh);
    *out = known ? known : fresh;
    return VB_OK;
}

void wsd_provider_device_gone(const struct vb_dev *dev)
{
    pal_mutex_lock(&wsd_provider.lock);
    struct wsd_device *d = known_device_locked(dev);
    if (d)
        pal_store_relaxed(&d->gone, true);
    pal_mutex_unlock(&wsd_provider.lock);
}

static struct wsd_device *first_device(void)
{
    pal_mutex_lock(&wsd_provider.lock);
    struct wsd_device *d = wsd_provider.devices;
    pal_mutex_unlock(&wsd_provider.lock);
    return d;
}

uint32_t wsd_provider_max_message(void)
{
    uint32_t limit = wsd_provider.config.max_message_bytes;
    for (struct wsd_device *d = first_device(); d; d = d->next)
        if (wsd_device_max_message(d) < limit)
            limit = wsd_device_max_message(d);
    return limit;
}

uint32_t wsd_provider_max_rdma(void)
{
    uint32_t limit = 0x7FFFFFFF;
    for (struct wsd_device *d = first_device(); d; d = d->next)
        if (wsd_device_max_rdma(d) < limit)
            limit = wsd_device_max_rdma(d);
    return limit;
}

bool wsd_provider_has_read(void)
{
    for (struct wsd_device *d = first_device(); d; d = d->next)
        if (!(d->caps.flags & VB_CAP_RDMA_READ) || !d->caps.max_read_in || !d->caps.max_read_out)
            return false;
    return true;
}
