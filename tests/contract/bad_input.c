/* bad_input.c - every function with arguments it must refuse: foreign descriptors, missing and absurd
 * buffers, flags, lists.
 * Source: issue section 10; contract 4.0, 4.10, 4.11, 6.6, Q8, Q10, Q11. States are in wrong_state.c,
 *         names in bind_listen_accept.c and connect_errors.c, options and control codes in
 *         sockets_options.c and ioctl.c. */
#include "ct.h"

/* ---- descriptors ---- */

/* Every entry point that takes a descriptor, with arguments that would do on a good one. Returns the
 * error. */
struct victims {
    struct fixture *f;
    uint8_t *memory;
    WSAEVENT event;
};

enum { CALLS = 22 };

static const char *const call_names[CALLS] = {"WSPAccept",
                                              "WSPBind",
                                              "WSPCloseSocket",
                                              "WSPConnect",
                                              "WSPDuplicateSocket",
                                              "WSPEnumNetworkEvents",
                                              "WSPEventSelect",
                                              "WSPGetOverlappedResult",
                                              "WSPGetSockOpt",
                                              "WSPGetQOSByName",
                                              "WSPIoctl",
                                              "WSPIoctl list",
                                              "WSPListen",
                                              "WSPRecv",
                                              "WSPSend",
                                              "WSPSetSockOpt",
                                              "WSPRegisterMemory",
                                              "WSPDeregisterMemory",
                                              "WSPRegisterRdmaMemory",
                                              "WSPDeregisterRdmaMemory",
                                              "WSPRdmaWrite",
                                              "WSPRdmaRead"};

static int call(const struct victims *v, int which, SOCKET s, INT *error)
{
    const WSPPROC_TABLE *procs = v->f->procs;
    const struct sw_extensions *ext = v->f->ext;
    WSD_SOCKADDR_IN name = ct_at(v->f->here, 5999);
    WSAOVERLAPPED ov = {.hEvent = (HANDLE)1};
    WSANETWORKEVENTS events;
    WSAPROTOCOL_INFOW info;
    WSABUF piece = {16, (CHAR *)v->memory};
    WSABUFEX ex = {16, (CHAR *)v->memory, (HANDLE)8};
    BYTE descriptor[SW_DESCRIPTOR_MAX] = {1};
    DWORD bytes = 0, flags = 0, length = sizeof descriptor;
    GUID id = WSAID_RDMAWRITE;
    QOS qos;
    _Alignas(16) char room[2048];
    INT room_bytes = 4;
    int on = 1;

    switch (which) {
    case 0:
        return procs->lpWSPAccept(s, NULL, NULL, ct_accept_all, 0, error) == INVALID_SOCKET ? SOCKET_ERROR
                                                                                            : 0;
    case 1: return procs->lpWSPBind(s, (WSD_SOCKADDR *)&name, sizeof name, error);
    case 2: return procs->lpWSPCloseSocket(s, error);
    case 3: return procs->lpWSPConnect(s, (WSD_SOCKADDR *)&name, sizeof name, NULL, NULL, NULL, NULL, error);
    case 4: return procs->lpWSPDuplicateSocket(s, pal_process_id(), &info, error);
    case 5: return procs->lpWSPEnumNetworkEvents(s, v->event, &events, error);
    case 6: return procs->lpWSPEventSelect(s, v->event, FD_ACCEPT, error);
    case 7: return procs->lpWSPGetOverlappedResult(s, &ov, &bytes, FALSE, &flags, error) ? 0 : SOCKET_ERROR;
    case 8: return procs->lpWSPGetSockOpt(s, WS_SOL_SOCKET, WS_SO_MAX_MSG_SIZE, room, &room_bytes, error);
    case 9: return procs->lpWSPGetQOSByName(s, &piece, &qos, error) ? 0 : SOCKET_ERROR;
    case 10:
        return procs->lpWSPIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, room, sizeof room,
                                 &bytes, NULL, NULL, NULL, error);
    case 11:
        return procs->lpWSPIoctl(s, SIO_ADDRESS_LIST_QUERY, NULL, 0, room, sizeof room, &bytes, NULL, NULL,
                                 NULL, error);
    case 12: return procs->lpWSPListen(s, 5, error);
    case 13: return procs->lpWSPRecv(s, &piece, 1, &bytes, &flags, &ov, NULL, NULL, error);
    case 14: return procs->lpWSPSend(s, &piece, 1, &bytes, 0, &ov, NULL, NULL, error);
    case 15: return procs->lpWSPSetSockOpt(s, WS_SOL_SOCKET, WS_SO_KEEPALIVE, (char *)&on, sizeof on, error);
    case 16: return ext->register_memory(s, v->memory, 64, MEM_READ, error) == NULL ? SOCKET_ERROR : 0;
    case 17: return ext->deregister_memory(s, (HANDLE)8, error);
    case 18: return ext->register_rdma_memory(s, v->memory, 64, MEM_READ, descriptor, &length, error);
    case 19: return ext->deregister_rdma_memory(s, descriptor, 24, error);
    case 20: return ext->rdma_write(s, &ex, 1, descriptor, 24, 0, &bytes, 0, &ov, NULL, NULL, error);
    default:
        if (ext->rdma_read == NULL) {
            *error = WSAENOTSOCK;
            return SOCKET_ERROR;
        }
        return ext->rdma_read(s, &ex, 1, descriptor, 24, 0, &bytes, 0, &ov, NULL, NULL, error);
    }
}

static void foreign_and_closed_descriptors_are_WSAENOTSOCK_everywhere(void **state)
{
    struct fixture *f = *state;
    struct victims v = {f, ct_memory(f, 4096), ct_event(f, true)};
    struct sw_companion *c = ct_socket(f);
    SOCKET closed = c->descriptor, handle = ct_socket(f)->handle, near_good = ct_socket(f)->descriptor;
    int local = 0;

    ct_close(f, c);
    const SOCKET bad[] = {0,
                          1,
                          INVALID_SOCKET,
                          closed,
                          handle,
                          (SOCKET)(uintptr_t)&local,
                          (SOCKET)(uintptr_t)v.memory,
                          (SOCKET)0x7FFFFFFF,
                          (SOCKET)0xFFFFFFFF,
                          (SOCKET)0xDEADBEEFDEADBEEF,
                          near_good + 1,
                          near_good ^ (SOCKET)1 << (8 * sizeof(SOCKET) - 1),
                          near_good + 4096 * 4096};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (int which = 0; which < CALLS; which++) {
            INT error = 0;
            int result = call(&v, which, bad[i], &error);
            bool is_qos = which == 9; /* says WSAEOPNOTSUPP whatever it is given */
            if (result != SOCKET_ERROR || (error != WSAENOTSOCK && !(is_qos && error == WSAEOPNOTSUPP)))
                ct_fail("%s on %#llx: %d, %s", call_names[which], (unsigned long long)bad[i], result,
                        sw_error_name(error));
        }
}

/* The error has nowhere to go; the failure must still be one, and no crash. */
static void a_missing_error_pointer_crashes_nothing(void **state)
{
    struct fixture *f = *state;
    struct victims v = {f, ct_memory(f, 4096), ct_event(f, true)};
    INT error = 0;

    for (int which = 0; which < CALLS; which++) {
        assert_int_equal(call(&v, which, (SOCKET)4711, NULL), SOCKET_ERROR); /* fails */
        struct sw_companion *c = ct_socket(f);
        (void)call(&v, which, c->descriptor, NULL); /* fails in another place, or succeeds */
        if (which == 2) {
            SOCKET s = c->descriptor; /* closed by that */
            assert_int_equal(f->procs->lpWSPCloseSocket(s, &error), SOCKET_ERROR);
            ct_forget_companion(f, c);
            (void)sw_close(c);
        }
    }
    WSAPROTOCOL_INFOW info = *sw_protocol_info(f->provider);
    assert_true(f->procs->lpWSPSocket(99, 99, 99, &info, 0, 0, NULL) == INVALID_SOCKET);
    if (f->ext->cache_callback != NULL)
        assert_int_equal(f->ext->cache_callback(&v, sizeof v, NULL), SOCKET_ERROR);
}

/* ---- data calls ---- */

static int send_call(struct ct_end *e, WSABUF *pieces, DWORD count, DWORD flags, WSAOVERLAPPED *ov)
{
    DWORD bytes = 0;
    INT error = 0;
    int result = e->c->procs->lpWSPSend(e->c->descriptor, pieces, count, &bytes, flags, ov, NULL, NULL,
                                        &error);

    assert_int_equal(result, SOCKET_ERROR);
    return error;
}

static int recv_call(struct ct_end *e, WSABUF *pieces, DWORD count, DWORD *flags, WSAOVERLAPPED *ov)
{
    DWORD bytes = 0;
    INT error = 0;
    int result = e->c->procs->lpWSPRecv(e->c->descriptor, pieces, count, &bytes, flags, ov, NULL, NULL,
                                        &error);

    assert_int_equal(result, SOCKET_ERROR);
    return error;
}

static void data_calls_without_an_overlapped_are_refused(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    DWORD bytes, flags = 0;
    INT error = 0;

    ct_pair(f, &p, 4096);
    ct_expose(&p.b, p.b.rx, 4096, MEM_READWRITE, &d);
    WSABUF piece = {16, (CHAR *)p.a.tx};
    WSABUFEX ex = {16, (CHAR *)p.a.tx, p.a.tx_handle};
    ct_one_of(send_call(&p.a, &piece, 1, 0, NULL), WSAEINVAL, WSAEFAULT);
    ct_one_of(recv_call(&p.a, &piece, 1, &flags, NULL), WSAEINVAL, WSAEFAULT);
    assert_int_equal(p.a.c->ext->rdma_write(p.a.c->descriptor, &ex, 1, d.bytes, d.length, 0, &bytes, 0, NULL,
                                            NULL, NULL, &error),
                     SOCKET_ERROR);
    ct_one_of(error, WSAEINVAL, WSAEFAULT);
    ct_pair_works(&p);
}

static void unknown_flags_are_refused(void **state)
{
    static const DWORD unknown[] = {WS_MSG_OOB,     WS_MSG_PEEK, WS_MSG_DONTROUTE,
                                    WS_MSG_PARTIAL, 0x80000000,  0xFFFFFFFF};
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED ov = {.hEvent = (HANDLE)1};

    ct_pair(f, &p, 4096);
    ct_expose(&p.b, p.b.rx, 4096, MEM_READWRITE, &d);
    WSABUF piece = {16, (CHAR *)p.a.tx};
    WSABUFEX ex = {16, (CHAR *)p.a.tx, p.a.tx_handle};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        DWORD flags = unknown[i], bytes = 0;
        INT error = 0;
        ct_one_of(send_call(&p.a, &piece, 1, unknown[i], &ov), WSAEINVAL, WSAEOPNOTSUPP);
        ct_one_of(recv_call(&p.a, &piece, 1, &flags, &ov), WSAEINVAL, WSAEOPNOTSUPP);
        assert_int_equal(p.a.c->ext->rdma_write(p.a.c->descriptor, &ex, 1, d.bytes, d.length, 0, &bytes,
                                                unknown[i], &ov, NULL, NULL, &error),
                         SOCKET_ERROR);
        ct_fails(WSAEINVAL, error); /* Q8 */
        if (f->ext->rdma_read == NULL)
            continue;
        assert_int_equal(p.a.c->ext->rdma_read(p.a.c->descriptor, &ex, 1, d.bytes, d.length, 0, &bytes,
                                               unknown[i], &ov, NULL, NULL, &error),
                         SOCKET_ERROR);
        ct_fails(WSAEINVAL, error);
    }
    ct_pair_works(&p);
}

static void missing_buffers_are_refused(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED ov = {.hEvent = (HANDLE)1};
    WSABUF nowhere = {16, NULL}, wild = {16, (CHAR *)(uintptr_t)0x1000};
    WSABUFEX ex = {16, NULL, NULL};
    DWORD flags = 0, bytes = 0;
    INT error = 0;

    ct_pair(f, &p, 4096);
    ct_expose(&p.b, p.b.rx, 4096, MEM_READWRITE, &d);
    ct_fails(WSAEFAULT, send_call(&p.a, NULL, 1, 0, &ov));
    ct_one_of(send_call(&p.a, NULL, 0xFFFFFFFF, 0, &ov), WSAEFAULT, WSAEINVAL);
    ct_fails(WSAEFAULT, send_call(&p.a, &nowhere, 1, 0, &ov));
    ct_fails(WSAEFAULT, send_call(&p.a, &wild, 1, 0, &ov));
    ct_fails(WSAEFAULT, recv_call(&p.a, NULL, 1, &flags, &ov));
    ct_fails(WSAEFAULT, recv_call(&p.a, &nowhere, 1, &flags, &ov));
    ct_fails(WSAEFAULT, recv_call(&p.a, &wild, 1, &flags, &ov));
    assert_int_equal(p.a.c->ext->rdma_write(p.a.c->descriptor, NULL, 1, d.bytes, d.length, 0, &bytes, 0, &ov,
                                            NULL, NULL, &error),
                     SOCKET_ERROR);
    ct_one_of(error, WSAEFAULT, WSAEINVAL);
    assert_int_equal(p.a.c->ext->rdma_write(p.a.c->descriptor, &ex, 1, d.bytes, d.length, 0, &bytes, 0, &ov,
                                            NULL, NULL, &error),
                     SOCKET_ERROR);
    ct_one_of(error, WSAEFAULT, WSAEINVAL);
    ex = (WSABUFEX){16, (CHAR *)p.a.tx, p.a.tx_handle};
    assert_int_equal(p.a.c->ext->rdma_write(p.a.c->descriptor, &ex, 1, NULL, d.length, 0, &bytes, 0, &ov,
                                            NULL, NULL, &error),
                     SOCKET_ERROR);
    ct_one_of(error, WSAEFAULT, WSAEINVAL);
    ct_pair_works(&p);
}

static void sums_that_wrap_are_refused(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED ov = {.hEvent = (HANDLE)1};
    DWORD flags = 0;

    ct_pair(f, &p, 4096);
    WSABUF huge[3] = {{0xFFFFFFFF, (CHAR *)p.a.tx}, {0xFFFFFFFF, (CHAR *)p.a.tx}, {3, (CHAR *)p.a.tx}};
    ct_one_of(send_call(&p.a, huge, 3, 0, &ov), WSAEMSGSIZE, WSAEFAULT, WSAEINVAL);
    ct_one_of(send_call(&p.a, huge, 1, 0, &ov), WSAEMSGSIZE, WSAEFAULT, WSAEINVAL);
    ct_one_of(recv_call(&p.a, huge, 3, &flags, &ov), WSAEMSGSIZE, WSAEFAULT, WSAEINVAL);
    static WSABUF many[4097]; /* 4096 times 1 MiB is 0 in 32 bits */
    for (int i = 0; i < 4096; i++)
        many[i] = (WSABUF){1u << 20, (CHAR *)p.a.tx};
    many[4096] = (WSABUF){16, (CHAR *)p.a.tx};
    ct_one_of(send_call(&p.a, many, 4097, 0, &ov), WSAEMSGSIZE, WSAEFAULT, WSAEINVAL, WSAENOBUFS);
    ct_pair_works(&p);
}

static void overlong_lists_are_served_or_refused_whole(void **state)
{
    enum { N = 5000 };
    struct fixture *f = *state;
    struct ct_pair p;
    static WSABUF out[N], in[N];
    WSAOVERLAPPED send_ov = {.hEvent = (HANDLE)1}, recv_ov = {.hEvent = (HANDLE)1};
    DWORD flags = 0;

    ct_pair(f, &p, 8192);
    ct_fill(p.a.tx, N, 8);
    for (int i = 0; i < N; i++) {
        out[i] = (WSABUF){1, (CHAR *)p.a.tx + i};
        in[i] = (WSABUF){1, (CHAR *)p.b.rx + i};
    }
    int error = recv_call(&p.b, in, N, &flags, &recv_ov);
    ct_one_of(error, WSA_IO_PENDING, WSAEINVAL, WSAENOBUFS, WSAEMSGSIZE);
    if (error != WSA_IO_PENDING)
        ct_ok(ct_recv(&p.b, 0, 8192, &recv_ov, SW_POLL));
    error = send_call(&p.a, out, N, 0, &send_ov);
    ct_one_of(error, WSA_IO_PENDING, WSAEINVAL, WSAENOBUFS, WSAEMSGSIZE);
    if (error != WSA_IO_PENDING)
        ct_ok(ct_send(&p.a, 0, N, &send_ov, SW_POLL));
    ct_done(p.a.c, &send_ov, 0);
    assert_int_equal(ct_done(p.b.c, &recv_ov, 0), N);
    assert_int_equal(ct_wrong_byte(p.b.rx, N, 8), -1);
}

static void CALLBACK never_called(DWORD error, DWORD bytes, WSAOVERLAPPED *ov, DWORD flags)
{
    (void)error, (void)bytes, (void)ov, (void)flags;
    abort();
}

/* 4.11: "the provider ignores them". */
static void completion_routines_and_thread_ids_are_ignored_or_refused(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSATHREADID id = {(HANDLE)(uintptr_t)0x1234, 77};
    WSAOVERLAPPED in = {.hEvent = (HANDLE)1}, out = {.hEvent = (HANDLE)1};
    DWORD bytes, flags = 0;
    INT error = 0;

    ct_pair(f, &p, 4096);
    WSABUF to = {64, (CHAR *)p.b.rx}, from = {64, (CHAR *)p.a.tx};
    assert_int_equal(
        p.b.c->procs->lpWSPRecv(p.b.c->descriptor, &to, 1, &bytes, &flags, &in, never_called, &id, &error),
        SOCKET_ERROR);
    ct_one_of(error, WSA_IO_PENDING, WSAEINVAL, WSAEOPNOTSUPP);
    if (error != WSA_IO_PENDING)
        ct_ok(ct_recv(&p.b, 0, 64, &in, SW_POLL));
    assert_int_equal(
        p.a.c->procs->lpWSPSend(p.a.c->descriptor, &from, 1, &bytes, 0, &out, never_called, &id, &error),
        SOCKET_ERROR);
    ct_one_of(error, WSA_IO_PENDING, WSAEINVAL, WSAEOPNOTSUPP);
    if (error != WSA_IO_PENDING)
        ct_ok(ct_send(&p.a, 0, 64, &out, SW_POLL));
    ct_done(p.a.c, &out, 0);
    ct_done(p.b.c, &in, 0);
}

static void counters_that_nobody_wants_may_be_missing(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {.hEvent = (HANDLE)1}, out = {.hEvent = (HANDLE)1};
    DWORD bytes = 0;
    INT error = 0;

    ct_pair(f, &p, 4096);
    WSABUF to = {64, (CHAR *)p.b.rx}, from = {64, (CHAR *)p.a.tx};
    assert_int_equal(p.b.c->procs->lpWSPRecv(p.b.c->descriptor, &to, 1, NULL, NULL, &in, NULL, NULL, &error),
                     SOCKET_ERROR);
    ct_one_of(error, WSA_IO_PENDING, WSAEFAULT, WSAEINVAL); /* lpFlags is in and out: may be insisted on */
    if (error != WSA_IO_PENDING)
        ct_ok(ct_recv(&p.b, 0, 64, &in, SW_POLL));
    assert_int_equal(p.a.c->procs->lpWSPSend(p.a.c->descriptor, &from, 1, NULL, 0, &out, NULL, NULL, &error),
                     SOCKET_ERROR);
    ct_fails(WSA_IO_PENDING, error);
    ct_done(p.a.c, &out, 0);
    ct_done(p.b.c, &in, 0);
    /* and a result without places for it */
    int result = p.b.c->procs->lpWSPGetOverlappedResult(p.b.c->descriptor, &in, NULL, FALSE, NULL, &error);
    if (!result)
        ct_one_of(error, WSAEFAULT, WSAEINVAL);
    assert_int_equal(
        p.b.c->procs->lpWSPGetOverlappedResult(p.b.c->descriptor, NULL, &bytes, FALSE, NULL, &error), FALSE);
    ct_one_of(error, WSAEFAULT, WSAEINVAL, WSA_INVALID_HANDLE);
}

static void transfers_with_wrong_handles_or_ranges_are_refused(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p, q;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED ov = {0};
    HANDLE read_only;

    ct_pair(f, &p, 4096);
    ct_pair(f, &q, 4096);
    ct_expose(&p.b, p.b.rx, 4096, MEM_READWRITE, &d);
    const WSABUFEX bad[] = {{16, (CHAR *)p.a.tx, NULL},                  /* no handle */
                            {16, (CHAR *)p.a.tx, (HANDLE)(uintptr_t)77}, /* none of ours */
                            {16, (CHAR *)p.a.tx, p.a.rx_handle},         /* another registration */
                            {16, (CHAR *)q.a.tx, q.a.tx_handle},         /* another socket's */
                            {16, (CHAR *)p.a.tx + 4090, p.a.tx_handle},  /* over the end */
                            {16, (CHAR *)p.a.tx - 8, p.a.tx_handle},     /* before the start */
                            {4097, (CHAR *)p.a.tx, p.a.tx_handle},       /* too long */
                            {0xFFFFFFFF, (CHAR *)p.a.tx + 1, p.a.tx_handle}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        WSABUFEX piece[2] = {{16, (CHAR *)p.a.tx, p.a.tx_handle}, bad[i]};
        ct_one_of(sw_rdma_write(p.a.c, &piece[1], 1, &d, 0, &ov, SW_POLL), WSAEINVAL, WSAEFAULT, WSAEMSGSIZE);
        ct_one_of(sw_rdma_write(p.a.c, piece, 2, &d, 0, &ov, SW_NOTIFY), WSAEINVAL, WSAEFAULT, WSAEMSGSIZE);
        if (f->ext->rdma_read != NULL)
            ct_one_of(sw_rdma_read(p.a.c, &piece[1], 1, &d, 0, &ov, SW_POLL), WSAEINVAL, WSAEFAULT,
                      WSAEMSGSIZE);
    }
    uint8_t *source = ct_memory(f, 4096);
    ct_ok(sw_register(p.a.c, source, 4096, MEM_READ, &read_only));
    WSABUFEX target = {16, (CHAR *)source, read_only};
    if (f->ext->rdma_read != NULL)
        ct_one_of(sw_rdma_read(p.a.c, &target, 1, &d, 0, &ov, SW_POLL), WSAEINVAL, WSAEFAULT, WSAEACCES);
    ct_pair_works(&p);
}

static void event_registrations_that_make_no_sense_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 5);
    WSAEVENT e = ct_event(f, true);
    INT error = 0;

    assert_int_equal(l->procs->lpWSPEventSelect(l->descriptor, NULL, FD_ACCEPT, &error), SOCKET_ERROR);
    ct_fails(WSAEINVAL, error);
    assert_int_equal(l->procs->lpWSPEventSelect(l->descriptor, e, 0x400, &error), SOCKET_ERROR);
    ct_fails(WSAEINVAL, error);
    assert_int_equal(l->procs->lpWSPEventSelect(l->descriptor, e, (LONG)0x80000000, &error), SOCKET_ERROR);
    ct_fails(WSAEINVAL, error);
    ct_start_connect(f, l); /* the good registration is still in force */
    ct_ok(sw_event_wait(l->event, ct.wait_ms));
}

static const struct CMUnitTest bad_input_tests[] = {
    ct_test(foreign_and_closed_descriptors_are_WSAENOTSOCK_everywhere),
    ct_test(a_missing_error_pointer_crashes_nothing),
    ct_test(data_calls_without_an_overlapped_are_refused),
    ct_test(unknown_flags_are_refused),
    ct_test(missing_buffers_are_refused),
    ct_test(sums_that_wrap_are_refused),
    ct_test(overlong_lists_are_served_or_refused_whole),
    ct_test(completion_routines_and_thread_ids_are_ignored_or_refused),
    ct_test(counters_that_nobody_wants_may_be_missing),
    ct_test(transfers_with_wrong_handles_or_ranges_are_refused),
    ct_test(event_registrations_that_make_no_sense_are_refused),
};
CT_GROUP(bad_input);
