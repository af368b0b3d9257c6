/* test_error.c - what a status of the backend becomes at the edge of the provider. A wrong code here costs an
 * application its connection, so every function is asked about every status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "wsd/ws2_types.h"

/* Every status there is, and numbers that none has: a backend of tomorrow, a bit that fell over. */
static unsigned status_at(unsigned i)
{
    static const unsigned none[] = {VB_STATUS_COUNT, VB_STATUS_COUNT + 1u, 200u, 0x7FFFFFFFu};
    return i < VB_STATUS_COUNT ? i : none[i - VB_STATUS_COUNT];
}
#define STATUSES (VB_STATUS_COUNT + 4u)
#define EACH_STATUS(st)                                                                                      \
    for (unsigned st##_i = 0, st = 0; st##_i < STATUSES && (st = status_at(st##_i), true); st##_i++)

static void complain(const char *function, unsigned st, int code)
{
    fail_msg("%s(%s) = %d", function, vb_status_name((vb_status_t)st), code);
}

/* 4.8: these three tell the switch that TCP/IP would fail too. Only the word of a peer provider proves that,
 * and that word is judged in sock/conn.c, never by a status (W9). */
static void connect_never_yields_a_code_that_forbids_the_fall_back(void **state)
{
    (void)state;
    EACH_STATUS(st)
    {
        int code = wsd_error_connect((vb_status_t)st);
        if (code == WSAECONNREFUSED || code == WSAECONNRESET || code == WSAEHOSTUNREACH)
            complain("connect", st, code);
    }
}

static void connect_answers_only_codes_that_the_switch_knows(void **state)
{
    (void)state;
    EACH_STATUS(st)
    {
        int code = wsd_error_connect((vb_status_t)st);
        bool is_known = code == WSAETIMEDOUT || code == WSAENOBUFS || code == WSAENETDOWN ||
                        code == WSAEADDRNOTAVAIL || code == WSAENETUNREACH;
        if (st == VB_OK ? code != 0 : !is_known)
            complain("connect", st, code);
    }
    assert_int_equal(wsd_error_connect(VB_E_UNREACH), WSAETIMEDOUT);
    assert_int_equal(wsd_error_connect(VB_E_NOSERVICE), WSAETIMEDOUT);
    assert_int_equal(wsd_error_connect(VB_E_REJECTED), WSAETIMEDOUT);
    assert_int_equal(wsd_error_connect(VB_E_RESET), WSAETIMEDOUT);
    assert_int_equal(wsd_error_connect(VB_E_TIMEOUT), WSAETIMEDOUT);
    assert_int_equal(wsd_error_connect(VB_E_NOMEM), WSAENOBUFS);
}

/* Who owns a port is decided by TCP/IP, and WSPBind has checked the address: the page of WSPListen has codes
 * for neither (4.5). */
static void listen_answers_only_codes_of_its_page(void **state)
{
    (void)state;
    EACH_STATUS(st)
    {
        int code = wsd_error_listen((vb_status_t)st);
        if (st != VB_OK && code != WSAENETDOWN && code != WSAEINVAL && code != WSAENOBUFS)
            complain("listen", st, code);
    }
    assert_int_equal(wsd_error_listen(VB_E_ADDRINUSE), WSAENOBUFS);
}

static int completion_without_cause(vb_status_t st)
{
    return wsd_error_completion(st, 0);
}

/* 4.0: the switch never blocks and never cancels a blocking call here; "not over yet" is no failure. */
static void success_is_zero_failure_is_not_and_neither_is_a_code_that_sans_must_not_use(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int (*fn)(vb_status_t);
    } functions[] = {
        {"connect", wsd_error_connect},          {"listen", wsd_error_listen}, {"setup", wsd_error_setup},
        {"register", wsd_error_register},        {"post", wsd_error_post},     {"cause", wsd_error_cause},
        {"completion", completion_without_cause}};
    for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++)
        EACH_STATUS(st)
        {
            int code = functions[f].fn((vb_status_t)st);
            bool is_barred = code == WSAEINPROGRESS || code == WSAEINTR || code == WSAEWOULDBLOCK ||
                             code == WSA_IO_PENDING || code == WSA_IO_INCOMPLETE;
            bool is_winsock = (code >= WSABASEERR && code < WSABASEERR + 2000) ||
                              code == WSA_OPERATION_ABORTED;
            if ((st == VB_OK) != (code == 0) || is_barred || (code && !is_winsock))
                complain(functions[f].name, st, code);
        }
}

static void registration_errors_are_those_of_the_page(void **state)
{
    (void)state;
    EACH_STATUS(st)
    {
        int code = wsd_error_register((vb_status_t)st);
        if (st != VB_OK && code != WSAENOBUFS && code != WSAEFAULT && code != WSAENETDOWN)
            complain("register", st, code);
    }
    assert_int_equal(wsd_error_register(VB_E_FAULT), WSAEFAULT);
    assert_int_equal(wsd_error_register(VB_E_NOMEM), WSAENOBUFS);
}

/* 7.6: a flush is a symptom; the request that failed says what happened, and the others repeat the first
 * cause. */
static void a_flushed_request_repeats_the_cause_and_a_failed_one_tells_its_own(void **state)
{
    (void)state;
    static const int causes[] = {WSA_OPERATION_ABORTED, WSAECONNRESET, WSAECONNABORTED, WSAENETDOWN};
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        assert_int_equal(wsd_error_completion(VB_E_FLUSHED, causes[i]), causes[i]);
        assert_int_equal(wsd_error_completion(VB_OK, causes[i]), 0); /* it was done before the end */
        assert_int_equal(wsd_error_completion(VB_E_LENGTH, causes[i]), WSAEMSGSIZE);
        int own = causes[i] == WSA_OPERATION_ABORTED ? WSA_OPERATION_ABORTED
                                                     : WSAECONNABORTED; /* 4.13, C14 */
        assert_int_equal(wsd_error_completion(VB_E_REMOTE_ACCESS, causes[i]), own);
    }
    assert_int_equal(wsd_error_completion(VB_E_FLUSHED, 0), WSAECONNRESET); /* not we, so the peer */
    assert_int_equal(wsd_error_completion(VB_E_RETRY, 0), WSAECONNABORTED);
    assert_int_equal(wsd_error_completion(VB_E_RNR, 0), WSAECONNABORTED);
}

static void the_cause_of_a_dead_connection_is_reset_for_a_flush_and_aborted_for_everything_else(void **state)
{
    (void)state;
    EACH_STATUS(st)
    {
        int wanted = st == VB_OK                              ? 0
                     : st == VB_E_FLUSHED || st == VB_E_RESET ? WSAECONNRESET
                                                              : WSAECONNABORTED;
        if (wsd_error_cause((vb_status_t)st) != wanted)
            complain("cause", st, wsd_error_cause((vb_status_t)st));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_never_yields_a_code_that_forbids_the_fall_back),
        cmocka_unit_test(connect_answers_only_codes_that_the_switch_knows),
        cmocka_unit_test(listen_answers_only_codes_of_its_page),
        cmocka_unit_test(success_is_zero_failure_is_not_and_neither_is_a_code_that_sans_must_not_use),
        cmocka_unit_test(registration_errors_are_those_of_the_page),
        cmocka_unit_test(a_flushed_request_repeats_the_cause_and_a_failed_one_tells_its_own),
        cmocka_unit_test(the_cause_of_a_dead_connection_is_reset_for_a_flush_and_aborted_for_everything_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
