/* test_sock_table.c - descriptors: unique, dead once closed, safe to look up while others close; and the
 * references behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pal/atomic.h"
#include "pal/thread.h"
#include "sock/sock.h"

enum { MANY = 1000 }; /* more than a few chunks of the table */

#define SOCKET_BITS     (8 * (int)sizeof(SOCKET))
#define ONE_GENERATION  ((SOCKET)1 << (WSD_SOCK_INDEX_BITS + 2))
#define LAST_GENERATION ((1u << WSD_SOCK_GENERATION_BITS) - 1u)

static struct wsd_sock *fresh(void)
{
    struct wsd_sock *s = wsd_sock_create(WSD_REF_DESCRIPTOR);
    assert_non_null(s);
    return s;
}

/* What WSPCloseSocket does to the table. */
static void close_and_release(struct wsd_sock *s)
{
    assert_true(wsd_sock_move(s, WSD_EV_CLOSE));
    wsd_sock_release(s, WSD_REF_DESCRIPTOR);
}

static bool is_found(SOCKET descriptor)
{
    struct wsd_sock *s = wsd_sock_lookup(descriptor);
    if (s)
        wsd_sock_release(s, WSD_REF_CALL);
    return s != NULL;
}

static int compare(const void *a, const void *b)
{
    const SOCKET *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static int nothing_is_left(void **state)
{
    (void)state;
    return wsd_sock_count() == 0 ? 0 : -1;
}

/* ---- descriptors ---- */

static void descriptors_are_distinct_multiples_of_four_and_never_a_special_value(void **state)
{
    (void)state;
    static struct wsd_sock *socks[MANY];
    static SOCKET all[MANY];
    for (int i = 0; i < MANY; i++)
        all[i] = wsd_sock_descriptor(socks[i] = fresh());
    assert_int_equal(wsd_sock_count(), MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(all[i] & 3, 0); /* like every Win32 handle */
        assert_true(all[i] != 0 && all[i] != INVALID_SOCKET);
        struct wsd_sock *found = wsd_sock_lookup(all[i]);
        assert_ptr_equal(found, socks[i]);
        wsd_sock_release(found, WSD_REF_CALL);
    }
    qsort(all, MANY, sizeof all[0], compare);
    for (int i = 1; i < MANY; i++)
        assert_true(all[i - 1] != all[i]);
    for (int i = 0; i < MANY; i++)
        close_and_release(socks[i]);
}

static void a_descriptor_stays_dead_when_its_slot_is_used_again(void **state)
{
    (void)state;
    enum { LIVES = 200 };
    SOCKET old[LIVES];
    struct wsd_sock *slot = NULL;
    for (int life = 0; life < LIVES; life++) {
        struct wsd_sock *s = fresh();
        if (slot)
            assert_ptr_equal(s, slot); /* the slot that was given back last comes first: the hard case */
        slot = s;
        old[life] = wsd_sock_descriptor(s);
        assert_true(is_found(old[life]));
        for (int before = 0; before < life; before++) {
            assert_true(old[before] != old[life]);
            assert_false(is_found(old[before]));
        }
        close_and_release(s);
        assert_false(is_found(old[life]));
    }
}

static void wrong_low_bits_generations_and_indices_find_nothing(void **state)
{
    (void)state;
    struct wsd_sock *s = fresh();
    SOCKET d = wsd_sock_descriptor(s);
    for (SOCKET low = 1; low < 4; low++)
        assert_false(is_found(d | low));
    /* every other bit is part of the index or of the generation, or must be clear */
    for (int bit = 2; bit < SOCKET_BITS; bit++)
        assert_false(is_found(d ^ (SOCKET)1 << bit));
    assert_false(is_found(d - 4));
    assert_false(is_found(d + 4)); /* a slot that exists and is free, or none */
    assert_false(is_found(d + 2 * ONE_GENERATION));
    assert_false(is_found(d - 2 * ONE_GENERATION));
    assert_true(is_found(d));
    close_and_release(s);
}

static void values_that_no_provider_made_find_nothing(void **state)
{
    (void)state;
    static const SOCKET foreign[] = {0,
                                     1,
                                     2,
                                     3,
                                     4,
                                     8,
                                     100,
                                     0x7FFFFFFF,
                                     0xFFFFFFFF,
                                     INVALID_SOCKET,
                                     INVALID_SOCKET - 1,
                                     INVALID_SOCKET - 3,
                                     (SOCKET)1 << (SOCKET_BITS - 1),
                                     ONE_GENERATION,
                                     ONE_GENERATION - 4,
                                     (SOCKET)0xDEADBEEFDEADBEECull};
    struct wsd_sock *s = fresh(); /* the table is not empty */
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        assert_false(is_found(foreign[i]));
    assert_false(is_found((SOCKET)(uintptr_t)s)); /* a pointer of ours is no descriptor either */
    close_and_release(s);
}

static void a_slot_whose_generations_are_used_up_still_makes_good_descriptors(void **state)
{
    (void)state;
    struct wsd_sock *s = fresh();
    uint32_t index = s->index;
    pal_store_release(&s->word, (uint64_t)LAST_GENERATION << 32 | 1); /* the last there is room for */
    SOCKET last = wsd_sock_descriptor(s);
    assert_true(last != INVALID_SOCKET && last >> (SOCKET_BITS - 1) == 0);
    assert_true(is_found(last));
    close_and_release(s);
    s = fresh();
    assert_int_equal(s->index, index);
    assert_true(wsd_sock_descriptor(s) != last && wsd_sock_descriptor(s) != 0);
    assert_true(is_found(wsd_sock_descriptor(s)));
    assert_false(is_found(last));
    close_and_release(s);
}

/* ---- who is found ---- */

static void closed_queued_and_half_accepted_sockets_are_not_found_although_they_exist(void **state)
{
    (void)state;
    struct wsd_sock *s = fresh();
    SOCKET d = wsd_sock_descriptor(s);
    for (uint32_t st = 0; st < WSD_ST_COUNT; st++) {
        atomic_store(&s->state, st);
        assert_int_equal(is_found(d), st != WSD_ST_CLOSED && st != WSD_ST_QUEUED && st != WSD_ST_ACCEPTING);
    }
    assert_int_equal((uint32_t)atomic_load(&s->word), 1); /* failed look-ups hold nothing */
    wsd_sock_release(s, WSD_REF_DESCRIPTOR);
}

static void a_socket_lives_until_its_last_reference_of_any_kind_is_released(void **state)
{
    (void)state;
    for (int last = 0; last < WSD_REF_COUNT; last++) {
        struct wsd_sock *s = wsd_sock_create((enum wsd_sock_ref)last);
        assert_non_null(s);
        for (int why = 0; why < WSD_REF_COUNT; why++)
            wsd_sock_hold(s, (enum wsd_sock_ref)why);
        for (int why = 0; why < WSD_REF_COUNT; why++) {
            assert_int_equal(wsd_sock_count(), 1);
            wsd_sock_release(s, (enum wsd_sock_ref)why);
        }
        assert_int_equal(wsd_sock_count(), 1);
        assert_true(is_found(wsd_sock_descriptor(s)));
        wsd_sock_release(s, (enum wsd_sock_ref)last);
        assert_int_equal(wsd_sock_count(), 0);
    }
}

static void a_call_under_way_keeps_a_socket_that_is_closed_meanwhile(void **state)
{
    (void)state;
    struct wsd_sock *s = fresh();
    SOCKET d = wsd_sock_descriptor(s);
    struct wsd_sock *in_call = wsd_sock_lookup(d);
    assert_ptr_equal(in_call, s);
    close_and_release(s);
    assert_int_equal(wsd_sock_count(), 1);
    assert_int_equal(wsd_sock_state(in_call), WSD_ST_CLOSED);
    assert_false(is_found(d));
    struct wsd_sock *other = fresh();
    assert_ptr_not_equal(other, s); /* the slot is not free yet */
    wsd_sock_release(in_call, WSD_REF_CALL);
    assert_int_equal(wsd_sock_count(), 1);
    close_and_release(other);
}

static void a_used_slot_starts_its_next_life_clean(void **state)
{
    (void)state;
    struct wsd_sock *s = fresh();
    s->family = 6;
    s->key = s->peer_key = UINT64_MAX;
    s->option_count = 3;
    s->events.mask = s->events.recorded = FD_ACCEPT;
    s->events.busy = false;
    s->deadline_ns = 1;
    s->peer_moving = s->established = s->disconnected = s->released = true;
    s->handle = 5;
    s->role = WSD_ROLE_NOTICE;
    s->move_token = 9;
    close_and_release(s);
    struct wsd_sock *again = fresh();
    assert_ptr_equal(again, s);
    assert_int_equal(wsd_sock_state(again), WSD_ST_CREATED);
    assert_true(again->handle == INVALID_SOCKET && again->family == 0 && again->option_count == 0);
    assert_true(again->key == 0 && again->peer_key == 0 && again->deadline_ns == 0 && again->move_token == 0);
    assert_true(again->events.mask == 0 && again->events.recorded == 0 && again->events.object == NULL);
    assert_false(again->peer_moving || again->established || again->disconnected || again->released);
    assert_true(again->role == WSD_ROLE_SWITCH && again->chan == NULL && again->conn == NULL);
    assert_ptr_equal(again->queue_tail, &again->queue_head);
    close_and_release(again);
}

static void count_visit(struct wsd_sock *s, void *arg)
{
    unsigned *visits = arg;
    assert_true((uint32_t)atomic_load(&s->word) >= 2); /* held during the visit */
    visits[s->index]++;
}

static void close_visit(struct wsd_sock *s, void *arg)
{
    (void)arg;
    close_and_release(s);
}

static void a_walk_meets_every_socket_in_use_once_and_may_close_what_it_meets(void **state)
{
    (void)state;
    static struct wsd_sock *socks[MANY];
    static unsigned visits[MANY + 64];
    for (int i = 0; i < MANY; i++)
        socks[i] = fresh();
    for (int i = 0; i < MANY; i += 2)
        close_and_release(socks[i]);
    memset(visits, 0, sizeof visits);
    wsd_sock_for_each(count_visit, visits);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(visits[socks[i]->index], i % 2);
    wsd_sock_for_each(close_visit, NULL);
    assert_int_equal(wsd_sock_count(), 0);
    memset(visits, 0, sizeof visits);
    wsd_sock_for_each(count_visit, visits);
    for (unsigned i = 0; i < sizeof visits / sizeof visits[0]; i++)
        assert_int_equal(visits[i], 0);
}

#ifdef PAL_LOCK_DEBUG
static void debug_builds_count_references_by_reason(void **state)
{
    (void)state;
    struct wsd_sock *s = fresh();
    wsd_sock_hold(s, WSD_REF_CONN);
    wsd_sock_hold(s, WSD_REF_CONN);
    struct wsd_sock *in_call = wsd_sock_lookup(wsd_sock_descriptor(s));
    assert_ptr_equal(in_call, s);
    static const uint32_t wanted[WSD_REF_COUNT] = {
        [WSD_REF_DESCRIPTOR] = 1, [WSD_REF_CALL] = 1, [WSD_REF_CONN] = 2};
    for (int why = 0; why < WSD_REF_COUNT; why++)
        assert_int_equal(atomic_load(&s->refs[why]), wanted[why]);
    wsd_sock_release(s, WSD_REF_CALL);
    wsd_sock_release(s, WSD_REF_CONN);
    wsd_sock_release(s, WSD_REF_CONN);
    close_and_release(s);
}
#endif

/* ---- several threads ---- */

enum { PUBLISHED = 8, SEEKERS = 3, LIVES = 5000 };

static struct {
    _Atomic(SOCKET) descriptor[PUBLISHED]; /* 0: none now */
    pal_atomic_bool stop;
    pal_atomic_u64 found, missed, wrong;
} shared;

/* Looks up descriptors that may be dying: finds the socket of exactly that descriptor, or nothing. */
static void seek(void *arg)
{
    uint64_t x = (uintptr_t)arg;
    while (!pal_load_relaxed(&shared.stop)) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        SOCKET d = atomic_load(&shared.descriptor[x >> 33 & (PUBLISHED - 1)]);
        struct wsd_sock *s = d ? wsd_sock_lookup(d) : NULL;
        if (s) {
            pal_mutex_lock(&s->lock);
            if (wsd_sock_descriptor(s) != d || s->key != (uint64_t)d)
                pal_add_relaxed(&shared.wrong, 1);
            pal_mutex_unlock(&s->lock);
            wsd_sock_release(s, WSD_REF_CALL);
        }
        pal_add_relaxed(s ? &shared.found : &shared.missed, 1);
        if (pal_load_relaxed(&shared.found) % 64 == 0)
            pal_thread_yield();
    }
}

/* Everything in use belongs to a descriptor that was made, also in the eyes of a walk beside. */
static void glance(struct wsd_sock *s, void *arg)
{
    (void)arg;
    if ((uint32_t)atomic_load(&s->word) == 0)
        pal_add_relaxed(&shared.wrong, 1);
}

static void look_ups_beside_closing_and_reuse_find_the_right_socket_or_none(void **state)
{
    (void)state;
    struct pal_thread *threads[SEEKERS];
    struct wsd_sock *socks[PUBLISHED] = {NULL};
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < SEEKERS; i++)
        assert_non_null(threads[i] = pal_thread_start(seek, (void *)(uintptr_t)(i + 1), "seeker"));
    for (int life = 0; life < LIVES; life++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        unsigned at = (unsigned)(x & (PUBLISHED - 1));
        if (socks[at]) {
            if (x & 0x100) /* published while it dies: seekers hit a dying or reused slot */
                atomic_store(&shared.descriptor[at], 0);
            close_and_release(socks[at]);
        }
        struct wsd_sock *s = fresh();
        pal_mutex_lock(&s->lock);
        s->key = (uint64_t)wsd_sock_descriptor(s);
        pal_mutex_unlock(&s->lock);
        socks[at] = s;
        atomic_store(&shared.descriptor[at], wsd_sock_descriptor(s));
        if (life % 256 == 0)
            wsd_sock_for_each(glance, NULL);
    }
    while (pal_load_relaxed(&shared.found) == 0) /* the seekers may not have had their turn yet */
        pal_thread_yield();
    pal_store_relaxed(&shared.stop, true);
    for (int i = 0; i < SEEKERS; i++)
        pal_thread_join(threads[i]);
    for (int i = 0; i < PUBLISHED; i++)
        if (socks[i])
            close_and_release(socks[i]);
    assert_int_equal(pal_load_relaxed(&shared.wrong), 0);
    assert_int_equal(wsd_sock_count(), 0);
}

static void churn(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3000; i++) {
        struct wsd_sock *s = wsd_sock_create(WSD_REF_DESCRIPTOR);
        SOCKET d = s ? wsd_sock_descriptor(s) : 0;
        struct wsd_sock *found = s ? wsd_sock_lookup(d) : NULL;
        if (!s || found != s)
            pal_add_relaxed(&shared.wrong, 1);
        if (found)
            wsd_sock_release(found, WSD_REF_CALL);
        if (s && wsd_sock_move(s, WSD_EV_CLOSE))
            wsd_sock_release(s, WSD_REF_DESCRIPTOR);
        if (d && wsd_sock_lookup(d))
            pal_add_relaxed(&shared.wrong, 1);
    }
}

static void threads_that_create_and_close_at_once_never_share_a_slot(void **state)
{
    (void)state;
    struct pal_thread *threads[4];
    pal_store_relaxed(&shared.wrong, 0);
    for (int i = 0; i < 4; i++)
        assert_non_null(threads[i] = pal_thread_start(churn, NULL, "churn"));
    for (int i = 0; i < 4; i++)
        pal_thread_join(threads[i]);
    assert_int_equal(pal_load_relaxed(&shared.wrong), 0);
    assert_int_equal(wsd_sock_count(), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, nothing_is_left)
    const struct CMUnitTest tests[] = {
        TEST(descriptors_are_distinct_multiples_of_four_and_never_a_special_value),
        TEST(a_descriptor_stays_dead_when_its_slot_is_used_again),
        TEST(wrong_low_bits_generations_and_indices_find_nothing),
        TEST(values_that_no_provider_made_find_nothing),
        TEST(a_slot_whose_generations_are_used_up_still_makes_good_descriptors),
        TEST(closed_queued_and_half_accepted_sockets_are_not_found_although_they_exist),
        TEST(a_socket_lives_until_its_last_reference_of_any_kind_is_released),
        TEST(a_call_under_way_keeps_a_socket_that_is_closed_meanwhile),
        TEST(a_used_slot_starts_its_next_life_clean),
        TEST(a_walk_meets_every_socket_in_use_once_and_may_close_what_it_meets),
#ifdef PAL_LOCK_DEBUG
        TEST(debug_builds_count_references_by_reason),
#endif
        TEST(look_ups_beside_closing_and_reuse_find_the_right_socket_or_none),
        TEST(threads_that_create_and_close_at_once_never_share_a_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
