/* ioctl.c - WSPIoctl: extension pointers by GUID, the address list, and what is not served.
 * Source: contract 3.6, 3.9, 4.16; checklist 4. */
#include "ct.h"

static int ask(struct fixture *f, SOCKET s, const GUID *id, DWORD id_bytes, void *out, DWORD out_bytes,
               DWORD *got)
{
    INT error = 0;
    GUID copy = id != NULL ? *id : (GUID){0};

    return f->procs->lpWSPIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, id != NULL ? &copy : NULL, id_bytes,
                                out, out_bytes, got, NULL, NULL, NULL, &error) == SOCKET_ERROR
               ? error
               : 0;
}

static int query_addresses(struct fixture *f, SOCKET s, void *out, DWORD room, DWORD *got)
{
    INT error = 0;

    return f->procs->lpWSPIoctl(s, SIO_ADDRESS_LIST_QUERY, NULL, 0, out, room, got, NULL, NULL, NULL,
                                &error) == SOCKET_ERROR
               ? error
               : 0;
}

static void extensions_are_the_same_on_every_socket_in_every_state(void **state)
{
    static const GUID ids[] = {WSAID_REGISTERMEMORY,
                               WSAID_DEREGISTERMEMORY,
                               WSAID_REGISTERRDMAMEMORY,
                               WSAID_DEREGISTERRDMAMEMORY,
                               WSAID_RDMAWRITE,
                               WSAID_RDMAREAD,
                               WSAID_MEMORYREGISTRATIONCACHECALLBACK};
    struct fixture *f = *state;
    struct ct_pair p;
    void *first[7];

    memcpy(first, f->ext, sizeof first);
    ct_pair(f, &p, 4096);
    SOCKET sockets[] = {ct_socket(f)->descriptor, ct_bound(f)->descriptor, f->listener->descriptor,
                        p.a.c->descriptor, p.b.c->descriptor};
    for (size_t s = 0; s < sizeof sockets / sizeof sockets[0]; s++)
        for (size_t i = 0; i < 7; i++) {
            void *fn[2] = {NULL, (void *)0x5A};
            DWORD bytes = 0;
            /* more room is no error */
            ct_ok(ask(f, sockets[s], &ids[i], sizeof(GUID), fn, sizeof fn, &bytes));
            assert_int_equal(bytes, sizeof(void *));
            assert_ptr_equal(fn[0], first[i]);
            assert_ptr_equal(fn[1], (void *)0x5A);
        }
}

static void checklist_04_unknown_extensions_answer_WSAEOPNOTSUPP(void **state)
{
    static const GUID ids[] = {WSAID_TRANSMITFILE,       WSAID_ACCEPTEX,          WSAID_GETACCEPTEXSOCKADDRS,
                               WSAID_CONNECTEX,          WSAID_DISCONNECTEX,      WSAID_TRANSMITPACKETS,
                               WSAID_WSARECVMSG,         WSAID_WSASENDMSG,        {0, 0, 0, {0}},
                               WSD_SAN_GUID(0xC0B422F4), WSD_SAN_GUID(0xC0B422FB)};
    struct fixture *f = *state;
    struct sw_companion *c = ct_socket(f);

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        void *fn = (void *)0x5A;
        DWORD bytes = 0;
        ct_fails(WSAEOPNOTSUPP, ask(f, c->descriptor, &ids[i], sizeof(GUID), &fn, sizeof fn, &bytes));
    }
    /* one wrong byte anywhere is another GUID */
    for (size_t b = 0; b < sizeof(GUID); b++) {
        GUID id = WSAID_RDMAWRITE;
        void *fn;
        DWORD bytes;
        ((uint8_t *)&id)[b] ^= 0x40;
        ct_fails(WSAEOPNOTSUPP, ask(f, c->descriptor, &id, sizeof id, &fn, sizeof fn, &bytes));
    }
}

static void checklist_04_a_device_without_read_refuses_that_extension_only(void **state)
{
    struct fixture *f = *state;
    struct loop_config config;
    struct sw_rdma_descriptor d;
    struct ct_pair p;
    WSAOVERLAPPED ov = {0};

    ct_needs_loop();
    ct.loop->get_config(&config);
    config.cap_flags &= ~(uint32_t)VB_CAP_RDMA_READ;
    ct.loop->set_config(&config);
    ct_reload(f, NULL);
    assert_null(f->ext->rdma_read);
    ct_pair(f, &p, 4096);
    ct_expose(&p.b, p.b.rx, 4096, MEM_WRITE, &d);
    ct_ok(ct_write(&p.a, 0, 4096, &d, 0, &ov, SW_POLL));
    ct_done(p.a.c, &ov, 0);
}

static void short_and_missing_buffers_of_an_extension_query_are_refused(void **state)
{
    struct fixture *f = *state;
    SOCKET s = ct_socket(f)->descriptor;
    const GUID id = WSAID_RDMAWRITE;
    void *fn = NULL;
    DWORD bytes = 0;

    for (DWORD n = 0; n < sizeof(GUID); n++)
        ct_fails(WSAEFAULT, ask(f, s, &id, n, &fn, sizeof fn, &bytes));
    for (DWORD n = 0; n < sizeof fn; n++)
        ct_fails(WSAEFAULT, ask(f, s, &id, sizeof id, &fn, n, &bytes));
    ct_fails(WSAEFAULT, ask(f, s, NULL, sizeof id, &fn, sizeof fn, &bytes));
    ct_fails(WSAEFAULT, ask(f, s, &id, sizeof id, NULL, sizeof fn, &bytes));
    ct_fails(WSAEFAULT, ask(f, s, &id, sizeof id, &fn, sizeof fn, NULL));
    assert_null(fn);
}

static void the_address_list_is_whole_and_points_into_the_callers_buffer(void **state)
{
    struct fixture *f = *state;
    SOCKET s = ct_socket(f)->descriptor;
    _Alignas(16) char buffer[4096];
    SOCKET_ADDRESS_LIST *list = (SOCKET_ADDRESS_LIST *)buffer;
    WSD_SOCKADDR_IN wanted;
    DWORD bytes = 0;
    bool is_there = false;

    ct_ok(sw_parse_address(ct.address, &wanted));
    ct_ok(query_addresses(f, s, buffer, sizeof buffer, &bytes));
    assert_true(list->iAddressCount > 0);
    assert_true(bytes <= sizeof buffer);
    for (INT i = 0; i < list->iAddressCount; i++) {
        const SOCKET_ADDRESS *a = &list->Address[i];
        assert_true((char *)a->lpSockaddr >= buffer);
        assert_true((char *)a->lpSockaddr + a->iSockaddrLength <= buffer + bytes);
        assert_int_equal(a->lpSockaddr->sa_family, WS_AF_INET);
        assert_int_equal(a->iSockaddrLength, sizeof(WSD_SOCKADDR_IN));
        const WSD_SOCKADDR_IN *in = (const WSD_SOCKADDR_IN *)(const void *)a->lpSockaddr;
        assert_int_equal(in->sin_port, 0);
        if ((wanted.sin_addr.s_addr & 0xFF) != 127) /* else loopback is served on purpose */
            assert_int_not_equal(in->sin_addr.s_addr & 0xFF, 127);
        is_there |= in->sin_addr.s_addr == wanted.sin_addr.s_addr;
    }
    assert_true(is_there);
}

static void a_short_address_list_buffer_is_told_the_size_it_needs(void **state)
{
    struct fixture *f = *state;
    SOCKET s = ct_socket(f)->descriptor;
    _Alignas(16) char buffer[4096];
    DWORD needed = 0;

    ct_ok(query_addresses(f, s, buffer, sizeof buffer, &needed));
    for (DWORD room = 0; room < needed; room++) {
        DWORD bytes = 0;
        memset(buffer, 0x5A, sizeof buffer);
        ct_fails(WSAEFAULT, query_addresses(f, s, buffer, room, &bytes));
        assert_int_equal(bytes, needed);
        for (size_t i = room; i < sizeof buffer; i++)
            assert_int_equal((uint8_t)buffer[i], 0x5A);
    }
    DWORD bytes = 0;
    ct_fails(WSAEFAULT, query_addresses(f, s, NULL, 0, &bytes));
    assert_int_equal(bytes, needed);
    ct_fails(WSAEFAULT, query_addresses(f, s, NULL, needed, &bytes));
    ct_fails(WSAEFAULT, query_addresses(f, s, buffer, sizeof buffer, NULL));
    ct_ok(query_addresses(f, s, buffer, needed, &bytes));
    assert_int_equal(bytes, needed);
}

static unsigned count_now(struct fixture *f)
{
    struct sw_address all[16];

    ct_ok(sw_refresh(f->provider));
    return sw_addresses(f->provider, all, 16);
}

static void the_address_list_is_current_each_time(void **state)
{
    struct fixture *f = *state;

    ct_needs_loop();
    unsigned count = count_now(f);
    ct.loop->set_address_present("10.77.0.2", false);
    assert_true(ct_until(count_now(f) == count - 1));
    ct.loop->set_address_present("10.77.0.2", true);
    assert_true(ct_until(count_now(f) == count));
}

static void an_overlapped_ioctl_finishes_at_once_and_says_so(void **state)
{
    struct fixture *f = *state;
    SOCKET s = ct_socket(f)->descriptor;
    GUID id = WSAID_RDMAWRITE;
    void *fn = NULL;
    DWORD bytes = 0, flags = 0;
    INT error = 0;
    WSAOVERLAPPED ov = {.Internal = WSS_OPERATION_IN_PROGRESS, .hEvent = (HANDLE)1};

    assert_int_equal(f->procs->lpWSPIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &fn,
                                          sizeof fn, &bytes, &ov, NULL, NULL, &error),
                     0);
    assert_ptr_equal(fn, (void *)(uintptr_t)f->ext->rdma_write);
    assert_true(ov.Internal != WSS_OPERATION_IN_PROGRESS);
    bytes = 0;
    assert_int_equal(f->procs->lpWSPGetOverlappedResult(s, &ov, &bytes, FALSE, &flags, &error), TRUE);
    assert_int_equal(bytes, sizeof fn);
}

static void other_control_codes_are_refused(void **state)
{
    static const DWORD qos[] = {SIO_GET_QOS, SIO_SET_QOS, SIO_GET_GROUP_QOS, SIO_SET_GROUP_QOS};
    static const DWORD other[] = {SIO_FLUSH,
                                  SIO_ROUTING_INTERFACE_QUERY,
                                  SIO_ROUTING_INTERFACE_CHANGE,
                                  WS_FIONBIO,
                                  WS_FIONREAD,
                                  WS_SIOCATMARK,
                                  SIO_ADDRESS_LIST_SORT,
                                  SIO_ADDRESS_LIST_CHANGE,
                                  SIO_BASE_HANDLE,
                                  0,
                                  0xFFFFFFFF,
                                  0xC8000000,
                                  SIO_GET_EXTENSION_FUNCTION_POINTER ^ 1};
    struct fixture *f = *state;
    SOCKET s = ct_socket(f)->descriptor;
    uint64_t in[64] = {0}, out[64] = {0};
    DWORD bytes;
    INT error;

    for (size_t i = 0; i < sizeof qos / sizeof qos[0]; i++) {
        assert_int_equal(
            f->procs->lpWSPIoctl(s, qos[i], in, sizeof in, out, sizeof out, &bytes, NULL, NULL, NULL, &error),
            SOCKET_ERROR);
        ct_one_of(error, WSAEOPNOTSUPP, WSAENOPROTOOPT);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        assert_int_equal(f->procs->lpWSPIoctl(s, other[i], in, sizeof in, out, sizeof out, &bytes, NULL, NULL,
                                              NULL, &error),
                         SOCKET_ERROR);
        ct_one_of(error, WSAEINVAL, WSAEOPNOTSUPP);
    }
}

static const struct CMUnitTest ioctl_tests[] = {
    ct_test(extensions_are_the_same_on_every_socket_in_every_state),
    ct_test(checklist_04_unknown_extensions_answer_WSAEOPNOTSUPP),
    ct_test(checklist_04_a_device_without_read_refuses_that_extension_only),
    ct_test(short_and_missing_buffers_of_an_extension_query_are_refused),
    ct_test(the_address_list_is_whole_and_points_into_the_callers_buffer),
    ct_test(a_short_address_list_buffer_is_told_the_size_it_needs),
    ct_test(the_address_list_is_current_each_time),
    ct_test(an_overlapped_ioctl_finishes_at_once_and_says_so),
    ct_test(other_control_codes_are_refused),
};
CT_GROUP(ioctl);
