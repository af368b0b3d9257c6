/* sw_data.c - around the data path: bookkeeping of notified operations, waiting, memory, limits.
 * The operations themselves are inline in sw/switch.h; nothing in this file runs for a polled one.
 * Source: contract 6 (memory), 7 (completion). */
#include "sw_internal.h"

#include <string.h>

#define SPINS_BEFORE_YIELD 4096u
#define POLLS_PER_CLOCK    64u
#define BUSY_NS            200000000u /* after this long a polled wait sleeps between questions */

static PAL_THREAD_LOCAL WSAOVERLAPPED *submitting;

WSAOVERLAPPED *sw_submitting(void)
{
    return submitting;
}

int sw_op_begin(const struct sw_companion *c, WSAOVERLAPPED *ov)
{
    struct sw_slot *slot = sw_slot_lock(c->handle, SW_OBJECT_SOCKET, NULL);
    int result = 0;

    submitting = ov;
    if (slot == NULL)
        return 0; /* the call down will say what is wrong */
    switch (sw_inflight_add(ov, c->handle)) {
    case SW_INFLIGHT_OK: slot->u.socket.in_flight++; break;
    case SW_INFLIGHT_NO_MEMORY: result = WSA_NOT_ENOUGH_MEMORY; break;
    case SW_INFLIGHT_ABSENT:
    case SW_INFLIGHT_OTHER_HANDLE:
        result = WSAEINVAL; /* in use */
        break;
    }
    sw_slot_unlock(slot);
    if (result != 0)
        submitting = NULL;
    return result;
}

void sw_op_end(void)
{
    submitting = NULL;
}

int sw_op_refused(const struct sw_companion *c, WSAOVERLAPPED *ov, enum sw_completion how, int result,
                  int error)
{
    if (result != SOCKET_ERROR) {
        /* 7.4: legal in general Winsock, where a completion follows as well; here it leaves the switch
         * guessing */
        sw_violation(c->provider, "a data call answered %d instead of WSA_IO_PENDING", result);
        return 0;
    }
    if (how == SW_NOTIFY) {
        struct sw_slot *slot = sw_slot_lock(c->handle, SW_OBJECT_SOCKET, NULL);

        if (slot != NULL) {
            bool was_in_flight = sw_inflight_remove(ov, c->handle) == SW_INFLIGHT_OK;

            if (was_in_flight)
                slot->u.socket.in_flight--;
            sw_slot_unlock(slot);
            if (!was_in_flight)
                sw_violation(c->provider, "operation %p was refused and completed as well", (void *)ov);
        }
    }
    return sw_call_failed(c->provider, "a data call", error);
}

/* --- results --- */

static bool is_in_progress(const WSAOVERLAPPED *ov)
{
    return pal_word_load_acquire(&ov->Internal) == WSS_OPERATION_IN_PROGRESS;
}

bool sw_overlapped_result(const WSAOVERLAPPED *ov, DWORD *bytes, int *error)
{
    /* acquire: the other fields are final */
    ULONG_PTR status = pal_word_load_acquire(&ov->Internal);
    int code = 0;

    if (status == WSS_OPERATION_IN_PROGRESS)
        return false;
    /* the provider keeps its Winsock code in OffsetHigh (7.3); Internal may hold another kind of status */
    if (status != 0)
        code = ov->OffsetHigh != 0 ? (int)ov->OffsetHigh : (int)status;
    if (bytes != NULL)
        *bytes = code == 0 ? (DWORD)pal_word_load_relaxed(&ov->InternalHigh) : 0;
    if (error != NULL)
        *error = code;
    return true;
}

static int wait_polled(const struct sw_companion *c, WSAOVERLAPPED *ov, uint32_t timeout_ms, DWORD *bytes,
                       int *error)
{
    uint64_t start = pal_now_ns();
    uint64_t deadline = sw_deadline(timeout_ms);

    for (uint32_t i = 0;; i++) {
        if (sw_poll(c, ov, bytes, error))
            return 0;
        if (i % POLLS_PER_CLOCK == 0) {
            uint64_t now = pal_now_ns();

            if (now >= deadline)
                return WSAETIMEDOUT;
            if (now - start > BUSY_NS)
                pal_sleep_ms(1);
        }
        if (i < SPINS_BEFORE_YIELD)
            pal_cpu_relax();
        else
            pal_thread_yield();
    }
}

static int wait_notified(const struct sw_companion *c, WSAOVERLAPPED *ov, uint32_t timeout_ms, DWORD *bytes,
                         int *error)
{
    uint64_t deadline = sw_deadline(timeout_ms);
    struct sw_slot *slot = sw_slot_lock(c->handle, SW_OBJECT_SOCKET, NULL);
    bool in_time = true;

    if (slot != NULL) {
        const uint32_t generation = slot->generation;

        while (is_in_progress(ov) && in_time && slot->generation == generation) {
            slot->u.socket.waiters++;
            if (deadline == UINT64_MAX)
                pal_cond_wait(&slot->completed, &slot->lock);
            else
                in_time = pal_cond_timedwait(&slot->completed, &slot->lock, deadline);
            if (slot->generation == generation)
                slot->u.socket.waiters--;
        }
        sw_slot_unlock(slot);
    }
    if (sw_overlapped_result(ov, bytes, error))
        return 0;
    return sw_handle_is_open(c->handle) ? WSAETIMEDOUT : WSAENOTSOCK;
}

int sw_wait(const struct sw_companion *c, WSAOVERLAPPED *ov, uint32_t timeout_ms, DWORD *bytes, int *error)
{
    DWORD ignored_bytes;
    int ignored_error;

    if (bytes == NULL)
        bytes = &ignored_bytes;
    if (error == NULL)
        error = &ignored_error;
    if (((ULONG_PTR)ov->hEvent & 1u) != 0)
        return wait_polled(c, ov, timeout_ms, bytes, error);
    return wait_notified(c, ov, timeout_ms, bytes, error);
}

int sw_wait_in_provider(const struct sw_companion *c, WSAOVERLAPPED *ov, DWORD *bytes)
{
    DWORD done = 0;
    DWORD flags = 0;
    INT error = 0;

    if (c->procs->lpWSPGetOverlappedResult(c->descriptor, ov, &done, TRUE, &flags, &error)) {
        if (bytes != NULL)
            *bytes = done;
        return 0;
    }
    if (bytes != NULL)
        *bytes = 0;
    if (error == WSA_IO_INCOMPLETE)
        sw_violation(c->provider, "WSPGetOverlappedResult did not wait though fWait was TRUE");
    return sw_call_failed(c->provider, "WSPGetOverlappedResult", error);
}

/* --- memory --- */

int sw_register(struct sw_companion *c, void *memory, DWORD bytes, DWORD flags, HANDLE *out)
{
    INT error = 0;

    *out = c->ext->register_memory(c->descriptor, memory, bytes, flags, &error);
    return *out != NULL ? 0 : sw_call_failed(c->provider, "WSPRegisterMemory", error);
}

int sw_deregister(struct sw_companion *c, HANDLE registration)
{
    INT error = 0;

    if (c->ext->deregister_memory(c->descriptor, registration, &error) != SOCKET_ERROR)
        return 0;
    return sw_call_failed(c->provider, "WSPDeregisterMemory", error);
}

int sw_register_rdma(struct sw_companion *c, void *memory, DWORD bytes, DWORD flags,
                     struct sw_rdma_descriptor *out)
{
    INT error = 0;

    out->length = sizeof(out->bytes);
    if (c->ext->register_rdma_memory(c->descriptor, memory, bytes, flags, out->bytes, &out->length, &error) !=
        SOCKET_ERROR) { /* C25: not a BOOL */
        if (out->length == 0 || out->length > sizeof(out->bytes)) {
            sw_violation(c->provider, "WSPRegisterRdmaMemory: descriptor of %u bytes in a block of %u",
                         (unsigned)out->length, (unsigned)sizeof(out->bytes));
            return WSAEMSGSIZE;
        }
        return 0;
    }
    /* 6.4: two meanings of WSAEFAULT, told apart by the length */
    if (error == WSAEFAULT && out->length > sizeof(out->bytes))
        return WSAEMSGSIZE;
    return sw_call_failed(c->provider, "WSPRegisterRdmaMemory", error);
}

int sw_deregister_rdma(struct sw_companion *c, const struct sw_rdma_descriptor *d)
{
    struct sw_rdma_descriptor copy = *d; /* by content, not by address (6.5) */
    INT error = 0;

    if (c->ext->deregister_rdma_memory(c->descriptor, copy.bytes, copy.length, &error) != SOCKET_ERROR)
        return 0;
    return sw_call_failed(c->provider, "WSPDeregisterRdmaMemory", error);
}

static int get_limit(struct sw_companion *c, int option, DWORD *out)
{
    INT bytes = sizeof(*out);
    INT error = 0;

    *out = 0;
    if (c->procs->lpWSPGetSockOpt(c->descriptor, WS_SOL_SOCKET, option, (char *)out, &bytes, &error) ==
        SOCKET_ERROR) {
        *out = 0;
        return error == WSAENOPROTOOPT ? 0 : sw_call_failed(c->provider, "WSPGetSockOpt", error);
    }
    if (bytes != sizeof(*out)) /* Q5 */
        sw_violation(c->provider, "WSPGetSockOpt: option %#x has %d bytes", (unsigned)option, bytes);
    return 0;
}

int sw_get_limits(struct sw_companion *c, struct sw_limits *out)
{
    int result = get_limit(c, WS_SO_MAX_MSG_SIZE, &out->max_msg_bytes);

    if (result == 0)
        result = get_limit(c, WS_SO_MAX_RDMA_SIZE, &out->max_rdma_bytes);
    if (result == 0)
        result = get_limit(c, WS_SO_RDMA_THRESHOLD_SIZE, &out->rdma_threshold_bytes);
    return result;
}

int sw_memory_going(void *memory, size_t bytes)
{
    struct sw_provider *loaded[SW_PROVIDERS_MAX];
    unsigned count = sw_loaded_providers(loaded);
    int worst = 0;

    for (unsigned i = 0; i < count; i++) {
        const struct sw_extensions *ext = sw_extensions(loaded[i]);
        INT error = 0;

        if (ext->cache_callback == NULL)
            continue;
        if (ext->cache_callback(memory, bytes, &error) != 0 && error != WSAEINVAL)
            worst = error;
    }
    return worst;
}
