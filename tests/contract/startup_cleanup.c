/* startup_cleanup.c - WSPStartupEx and WSPCleanup: versions, tables, counting, cancelling, starting again.
 * Source: contract 3.2-3.5, 4.1, 4.2, Q2, Q38, C20; checklist 2, 3, 25. */
#include <dlfcn.h>

#include "ct_mini.h"

static void start_up_answers_version_2_2_and_a_printable_description(void **state)
{
    struct fixture *f = *state;
    const WSPDATA *data = sw_wspdata(f->provider);
    unsigned length = 0;

    assert_int_equal(data->wVersion, 0x0202);
    while (length <= WSPDESCRIPTION_LEN && data->szDescription[length] != 0) {
        assert_true(data->szDescription[length] >= 0x20 && data->szDescription[length] != 0x7F);
        length++;
    }
    assert_true(length > 0 && length <= WSPDESCRIPTION_LEN);
}

static void start_up_refuses_versions_below_2_2_and_writes_nothing(void **state)
{
    static const WORD old[] = {0x0000, 0x0001, 0x0101, 0x0201, 0x0002, 0x0102};
    struct mini m;
    WSPUPCALLTABLEEX table;
    WSAPROTOCOL_INFOW info;

    (void)state;
    mini_open(&m);
    mini_table(&table);
    mini_info(&info);
    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++) {
        WSPDATA data, data_before;
        WSPPROC_TABLE procs, procs_before;
        memset(&data, 0x5A, sizeof data);
        memset(&procs, 0x5A, sizeof procs);
        data_before = data;
        procs_before = procs;
        ct_fails(WSAVERNOTSUPPORTED, m.start(old[i], &data, &info, &table, &procs));
        assert_memory_equal(&data, &data_before, sizeof data);
        assert_memory_equal(&procs, &procs_before, sizeof procs);
    }
    mini_close(&m);
}

static void start_up_serves_callers_that_know_newer_versions_with_2_2(void **state)
{
    static const WORD newer[] = {0x0202, 0x0302, 0x0003, 0xFFFF};
    struct mini m;
    WSPUPCALLTABLEEX table;
    WSAPROTOCOL_INFOW info;

    (void)state;
    mini_open(&m);
    mini_table(&table);
    mini_info(&info);
    for (size_t i = 0; i < sizeof newer / sizeof newer[0]; i++) {
        ct_ok(m.start(newer[i], &m.data, &info, &table, &m.procs));
        assert_int_equal(m.data.wVersion, 0x0202);
        ct_ok(mini_cleanup(&m));
    }
    mini_close(&m);
}

static void start_up_refuses_null_pointers(void **state)
{
    struct mini m;
    WSPUPCALLTABLEEX table;
    WSAPROTOCOL_INFOW info;

    (void)state;
    mini_open(&m);
    mini_table(&table);
    mini_info(&info);
    ct_fails(WSAEFAULT, m.start(0x0202, NULL, &info, &table, &m.procs));
    ct_fails(WSAEFAULT, m.start(0x0202, &m.data, NULL, &table, &m.procs));
    ct_fails(WSAEFAULT, m.start(0x0202, &m.data, &info, NULL, &m.procs));
    ct_fails(WSAEFAULT, m.start(0x0202, &m.data, &info, &table, NULL));
    ct_ok(mini_start(&m)); /* and is not worse for it */
    ct_ok(mini_cleanup(&m));
    mini_close(&m);
}

/* Q2: four upcalls have no substitute. */
static void start_up_refuses_a_table_without_the_upcalls_it_needs(void **state)
{
    static const unsigned needed[] = {1, 3, 9, 15};
    struct mini m;
    WSAPROTOCOL_INFOW info;

    (void)state;
    mini_open(&m);
    mini_info(&info);
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        WSPUPCALLTABLEEX table;
        mini_table(&table);
        memset((char *)&table + needed[i] * sizeof(void *), 0, sizeof(void *));
        ct_fails(WSAEFAULT, m.start(0x0202, &m.data, &info, &table, &m.procs));
    }
    mini_close(&m);
}

static unsigned slot_15_calls;

static LPWPUCOMPLETEOVERLAPPEDREQUEST real_slot_15;

static int WSPAPI counting_slot_15(SOCKET s, WSAOVERLAPPED *ov, DWORD error, DWORD bytes, INT *code)
{
    __atomic_add_fetch(&slot_15_calls, 1, __ATOMIC_RELAXED);
    return real_slot_15(s, ov, error, bytes, code);
}

static void start_with_slot_15(struct fixture *f, LPWPUCOMPLETEOVERLAPPEDREQUEST slot_15)
{
    WSPUPCALLTABLEEX *table = malloc(sizeof *table);
    WSAPROTOCOL_INFOW info = *sw_protocol_info(f->provider);
    WSPDATA data;
    WSPPROC_TABLE procs;

    assert_non_null(table);
    *table = *sw_upcall_table(f->provider);
    table->lpWPUCompleteOverlappedRequest = slot_15;
    ct_ok(sw_startup_entry(f->provider)(0x0202, &data, &info, table, &procs));
    memset(table, 0xEE, sizeof *table); /* a provider that kept the pointer crashes from here on */
    free(table);
}

static void clean_up_once(struct fixture *f)
{
    INT error = 0;

    assert_int_equal(f->procs->lpWSPCleanup(&error), 0);
}

static void checklist_02_the_upcall_table_comes_by_pointer_and_completion_from_slot_15(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_needs_one_instance("counts the upcalls of both ends in one table");
    real_slot_15 = sw_upcall_table(f->provider)->lpWPUCompleteOverlappedRequest;
    slot_15_calls = 0;
    ct_pair(f, &p, 4096);
    start_with_slot_15(f, counting_slot_15);
    ct_transfer(&p.a, &p.b, 100, SW_NOTIFY);
    assert_true(ct_until(__atomic_load_n(&slot_15_calls, __ATOMIC_RELAXED) == 2));
    start_with_slot_15(f, real_slot_15); /* the newest table wins (3.4) */
    ct_transfer(&p.b, &p.a, 100, SW_NOTIFY);
    assert_int_equal(__atomic_load_n(&slot_15_calls, __ATOMIC_RELAXED), 2);
    clean_up_once(f);
    clean_up_once(f);
    ct_pair_works(&p);
}

static void checklist_03_all_thirty_slots_are_filled(void **state)
{
    struct fixture *f = *state;
    void *slots[30];

    assert_int_equal(sizeof(WSPPROC_TABLE), sizeof slots);
    memcpy(slots, f->procs, sizeof slots);
    for (size_t i = 0; i < 30; i++)
        assert_non_null(slots[i]);
}

static void checklist_25_only_the_last_clean_up_cleans_up(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_pair(f, &p, 4096);
    for (int i = 0; i < 3; i++)
        start_with_slot_15(f, sw_upcall_table(f->provider)->lpWPUCompleteOverlappedRequest);
    for (int i = 0; i < 3; i++) {
        clean_up_once(f);
        ct_pair_works(&p);
    }
}

static void clean_up_without_start_up_answers_WSANOTINITIALISED(void **state)
{
    struct mini m;

    (void)state;
    mini_open(&m);
    ct_ok(mini_start(&m));
    ct_ok(mini_start(&m));
    ct_ok(mini_cleanup(&m));
    ct_ok(mini_cleanup(&m));
    ct_fails(WSANOTINITIALISED, mini_cleanup(&m));
    ct_fails(WSANOTINITIALISED, mini_cleanup(&m));
    ct_ok(mini_start(&m));
    ct_ok(mini_cleanup(&m));
    mini_close(&m);
}

static void calls_after_the_last_clean_up_fail_and_do_not_crash(void **state)
{
    struct mini m;
    INT error = 0;
    int code;

    (void)state;
    mini_open(&m);
    ct_ok(mini_start(&m));
    SOCKET s = mini_socket(&m.procs, &code);
    ct_ok(code);
    ct_ok(mini_cleanup(&m));
    assert_true(mini_socket(&m.procs, &code) == INVALID_SOCKET);
    ct_one_of(code, WSANOTINITIALISED, WSAENETDOWN);
    assert_int_equal(m.procs.lpWSPListen(s, 1, &error), SOCKET_ERROR);
    ct_one_of(error, WSAENOTSOCK, WSANOTINITIALISED);
    assert_int_equal(m.procs.lpWSPCloseSocket(s, &error), SOCKET_ERROR);
    ct_one_of(error, WSAENOTSOCK, WSANOTINITIALISED);
    mini_close(&m);
}

/* C20: at the final clean-up everything is cancelled without notification; handles are closed all the
 * same. */
static void the_last_clean_up_cancels_open_sockets_without_notifying(void **state)
{
    struct fixture *f = *state;
    struct mini m;
    struct mini_pair p;
    WSAOVERLAPPED receives[4];
    uint8_t *memory = ct_memory(f, 4096);
    INT error = 0;
    int code;

    mini_open(&m);
    ct_ok(mini_start(&m));
    mini_connect(f, &m, &p);
    LPFN_WSPREGISTERMEMORY reg = mini_extension(&m.procs, p.connector, (GUID)WSAID_REGISTERMEMORY, &code);
    ct_ok(code);
    assert_non_null(reg(p.connector, memory, 4096, MEM_READWRITE, &error));
    for (int i = 0; i < 4; i++) {
        WSABUF piece = {1024, (CHAR *)memory + 1024 * i};
        DWORD bytes, flags = 0;
        memset(&receives[i], 0, sizeof receives[i]);
        receives[i].hEvent = (HANDLE)(ULONG_PTR)(i % 2); /* two polled, two notified */
        assert_int_equal(
            m.procs.lpWSPRecv(p.connector, &piece, 1, &bytes, &flags, &receives[i], NULL, NULL, &error),
            SOCKET_ERROR);
        ct_fails(WSA_IO_PENDING, error);
    }
    ct_ok(mini_socket(&m.procs, &code) == INVALID_SOCKET ? code : 0); /* one that is only open */
    mini_forget();
    ct_ok(mini_cleanup(&m));
    assert_int_equal(mini_count(MINI_COMPLETE), 0);
    assert_int_equal(mini_open_handles(), 0);
    mini_close(&m);
}

static void start_up_right_after_clean_up_works(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 5; i++) {
        struct ct_pair p;
        ct_load(f);
        ct_pair(f, &p, 4096);
        ct_pair_works(&p);
        /* its sockets still open, a receive pending */
        ct_ok(ct_recv(&p.a, 0, 64, &(WSAOVERLAPPED){0}, SW_POLL));
        ct_close_all(f);
        ct_unload(f);
    }
}

/* And can be loaded again, as if for the first time. */
static void after_the_last_clean_up_the_library_unloads(void **state)
{
    struct fixture *f = *state;
    const char *const libraries[] = {ct.provider, ct_env_is_across() ? ct.peer_provider : ct.provider};

    ct_env_release_module();
    f->keeps_module_released = true;
    for (int round = 0; round < 3; round++) {
        struct ct_pair p;
        ct_load(f);
        ct_pair(f, &p, 4096);
        ct_pair_works(&p);
        ct_unload(f);
        for (int i = 0; i < 2; i++) {
            void *still = dlopen(libraries[i], RTLD_NOW | RTLD_NOLOAD);
            if (still != NULL) {
                dlclose(still);
                ct_fail("the library is still mapped, round %d", round);
            }
        }
    }
}

/* Q38: success with stubs is the one wrong answer. */
static void the_plain_start_up_answers_WSASYSNOTREADY(void **state)
{
    struct mini m;
    WSPUPCALLTABLEEX ex;
    WSPUPCALLTABLE table;
    WSAPROTOCOL_INFOW info;

    (void)state;
    mini_open(&m);
    mini_table(&ex);
    memcpy(&table, &ex, sizeof table);
    mini_info(&info);
    ct_fails(WSASYSNOTREADY, m.plain_start(0x0202, &m.data, &info, table, &m.procs));
    mini_close(&m);
}

static const struct CMUnitTest startup_cleanup_tests[] = {
    ct_test(start_up_answers_version_2_2_and_a_printable_description),
    ct_test_bare(start_up_refuses_versions_below_2_2_and_writes_nothing),
    ct_test_bare(start_up_serves_callers_that_know_newer_versions_with_2_2),
    ct_test_bare(start_up_refuses_null_pointers),
    ct_test_bare(start_up_refuses_a_table_without_the_upcalls_it_needs),
    ct_test(checklist_02_the_upcall_table_comes_by_pointer_and_completion_from_slot_15),
    ct_test(checklist_03_all_thirty_slots_are_filled),
    ct_test(checklist_25_only_the_last_clean_up_cleans_up),
    ct_test_bare(clean_up_without_start_up_answers_WSANOTINITIALISED),
    ct_test_bare(calls_after_the_last_clean_up_fail_and_do_not_crash),
    ct_test_bare(the_last_clean_up_cancels_open_sockets_without_notifying),
    ct_test_bare(start_up_right_after_clean_up_works),
    ct_test_bare(after_the_last_clean_up_the_library_unloads),
    ct_test_bare(the_plain_start_up_answers_WSASYSNOTREADY),
};
CT_GROUP(startup_cleanup);
