/* wt_carried_dll.c - our Winsock on Windows: the library that it has loaded says who carries a connection. */
#include "wt.h"

typedef int (*carried_by_fn)(SOCKET handle, char *name, size_t bytes);

#define ADDRESSES_MAX 16

/* The first that is not loopback, which no SAN carries (contract Q23). */
static const char *first_address(SOCKET s)
{
    static char text[INET_ADDRSTRLEN];
    union {
        SOCKET_ADDRESS_LIST list;
        char room[ADDRESSES_MAX * (sizeof(SOCKET_ADDRESS) + sizeof(SOCKADDR_STORAGE))];
    } u;
    DWORD bytes = 0;

    if (WSAIoctl(s, SIO_ADDRESS_LIST_QUERY, NULL, 0, &u, sizeof(u), &bytes, NULL, NULL) == SOCKET_ERROR)
        return NULL;
    for (int i = 0; i < u.list.iAddressCount; i++) {
        const SOCKADDR_IN *a = (const void *)u.list.Address[i].lpSockaddr;

        if (a->sin_family != AF_INET || (ntohl(a->sin_addr.s_addr) >> 24) == 127)
            continue;
        snprintf(text, sizeof(text), "%s", inet_ntoa(a->sin_addr));
        return text;
    }
    return NULL;
}

const char *wt_san_address(void)
{
    const char *address = getenv("WSD_TEST_ADDR");
    WSADATA data;
    SOCKET s;

    if (address != NULL || WSAStartup(MAKEWORD(2, 2), &data) != 0)
        return address;
    s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (s != INVALID_SOCKET)
        address = first_address(s);
    (void)closesocket(s);
    (void)WSACleanup();
    return address;
}

void wt_check_carried(SOCKET s)
{
    carried_by_fn carried_by = (carried_by_fn)(void (*)(void))GetProcAddress(
        GetModuleHandleA("wsdswitch.dll"), "sw_carried_by");
    char name[16] = "";

    assert_non_null(carried_by);
    assert_int_equal(carried_by(s, name, sizeof(name)), 0);
    assert_string_equal(name, wt_env.lane == WT_DLL_SAN ? "san" : "tcp");
}
