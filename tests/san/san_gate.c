/* san_gate.c - a gate before WSPRegisterMemory. Between WSPConnect (or WSPAccept) and the first word of its session a connection is
 * in the hands of a thread that registers its memory and holds no lock; here that lasts as long as a test wants. */
#include "san_test.h"

static struct {
    struct pal_mutex lock; /* guards the rest */
    struct pal_cond changed;
    LPFN_WSPREGISTERMEMORY real;
    bool is_armed, is_inside, is_open, must_fail;
} gate = {.lock = PAL_MUTEX_INIT};

static HANDLE WSPAPI registers(SOCKET s, PVOID memory, DWORD bytes, DWORD flags, LPINT error)
{
    bool must_fail = false;

    pal_mutex_lock(&gate.lock);
    if (gate.is_armed) {
        gate.is_armed = false;
        gate.is_inside = true;
        pal_cond_broadcast(&gate.changed);
        while (!gate.is_open)
            pal_cond_wait(&gate.changed, &gate.lock);
        must_fail = gate.must_fail;
    }
    pal_mutex_unlock(&gate.lock);
    if (must_fail) {
        *error = WSAENOBUFS;
        return NULL;
    }
    return gate.real(s, memory, bytes, flags, error);
}

/* The table is const to those who use the provider, and is not while nobody does. */
static struct sw_extensions *table(void)
{
    return (struct sw_extensions *)(uintptr_t)sw_extensions(env.provider);
}

void gate_build(void)
{
    assert_true(pal_cond_init(&gate.changed));
    gate.real = table()->register_memory;
    table()->register_memory = registers;
}

void gate_remove(void)
{
    table()->register_memory = gate.real;
    pal_cond_fini(&gate.changed);
}

void gate_arm(bool must_fail)
{
    pal_mutex_lock(&gate.lock);
    gate.is_armed = true;
    gate.is_inside = gate.is_open = false;
    gate.must_fail = must_fail;
    pal_mutex_unlock(&gate.lock);
}

void gate_wait(void)
{
    uint64_t deadline = pal_now_ns() + WAIT_MS * UINT64_C(1000000);
    bool in_time = true;

    pal_mutex_lock(&gate.lock);
    while (!gate.is_inside && in_time)
        in_time = pal_cond_timedwait(&gate.changed, &gate.lock, deadline);
    pal_mutex_unlock(&gate.lock);
    assert_true(in_time);
}

void gate_open(void)
{
    pal_mutex_lock(&gate.lock);
    gate.is_open = true;
    pal_cond_broadcast(&gate.changed);
    pal_mutex_unlock(&gate.lock);
}
