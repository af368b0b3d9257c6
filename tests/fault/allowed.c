/* allowed.c - see allowed.h. One row per call. */
#include "allowed.h"

#include <stddef.h>

#define CODES_MAX 12

static const struct {
    const char *name;
    int codes[CODES_MAX]; /* 0 ends the list */
} calls[CALL_COUNT] = {
    /* 4.1; WSAEINVALIDPROVIDER is the shim's own word for an address list that failed */
    [CALL_START] = {"start", {WSASYSNOTREADY, WSAENETDOWN, WSAENOBUFS, WSAEINVALIDPROVIDER}},
    [CALL_REFRESH] = {"SIO_ADDRESS_LIST_QUERY", {WSAENETDOWN, WSAENOBUFS, WSAEMFILE}}, /* 4.16 and 4.3 */
    [CALL_SOCKET] = {"WSPSocket", {WSAENETDOWN, WSAENOBUFS, WSAEMFILE}},               /* 4.3 */
    /* 4.4: not WSAEADDRINUSE */
    [CALL_BIND] = {"WSPBind", {WSAENETDOWN, WSAENOBUFS, WSAEADDRNOTAVAIL}},
    /* 4.5: not WSAEADDRINUSE */
    [CALL_LISTEN] = {"WSPListen", {WSAENETDOWN, WSAENOBUFS, WSAEMFILE}},
    [CALL_EVENT_SELECT] = {"WSPEventSelect", {WSAENETDOWN}},      /* 4.6 */
    [CALL_ENUM_EVENTS] = {"WSPEnumNetworkEvents", {WSAENETDOWN}}, /* 4.7 */
    [CALL_CONNECT] = {"WSPConnect",                               /* 4.8 */
                      {WSAENETDOWN, WSAENOBUFS, WSAETIMEDOUT, WSAEADDRNOTAVAIL, WSAENETUNREACH}},
    [CALL_FD_CONNECT] = {"FD_CONNECT",
                         {WSAENETDOWN, WSAENOBUFS, WSAETIMEDOUT, WSAEADDRNOTAVAIL, WSAENETUNREACH}},
    [CALL_ACCEPT] = {"WSPAccept", /* 4.9 */
                     {WSAENETDOWN, WSAENOBUFS, WSAEMFILE, WSAECONNRESET, WSAEACCES}},
    /* 6.2 */
    [CALL_REGISTER] = {"WSPRegisterMemory", {WSAENETDOWN, WSAENOBUFS, WSAEFAULT, WSAENOTCONN}},
    /* 6.4 */
    [CALL_REGISTER_RDMA] = {"WSPRegisterRdmaMemory", {WSAENETDOWN, WSAENOBUFS, WSAEFAULT, WSAENOTCONN}},
    /* 4.10; Q13: not WSAEWOULDBLOCK; Q14; WSAEINVAL: the device calls it a bad request */
    [CALL_SEND] = {"WSPSend",
                   {WSAENETDOWN, WSAENETRESET, WSAENOBUFS, WSAENOTCONN, WSAECONNABORTED, WSAECONNRESET,
                    WSAEINVAL}},
    [CALL_RECV] = {"WSPRecv", /* 4.11 */
                   {WSAENETDOWN, WSAENETRESET, WSAENOBUFS, WSAENOTCONN, WSAECONNABORTED, WSAECONNRESET,
                    WSAEINVAL}},
    [CALL_RDMA] = {"WSPRdmaWrite or WSPRdmaRead", /* 6.6 */
                   {WSAENETDOWN, WSAENOBUFS, WSAENOTCONN, WSAECONNABORTED, WSAECONNRESET, WSAEINVAL}},
    /* 7.6 */
    [CALL_COMPLETION] = {"a completion", {WSAENETDOWN, WSAENETRESET, WSAECONNABORTED, WSAECONNRESET}},
    /* 6.3: what is known and idle can be given back */
    [CALL_DEREGISTER] = {"WSPDeregisterMemory", {0}},
    [CALL_DEREGISTER_RDMA] = {"WSPDeregisterRdmaMemory", {0}}, /* 6.5 */
    [CALL_DUPLICATE] = {"WSPDuplicateSocket", /* 4.14; WSAEINVAL: not connected any more (8.12) */
                        {WSAENETDOWN, WSAENOBUFS, WSAEMFILE, WSAEINVAL}},
    [CALL_ADOPT] = {"WSPSocket of a duplicate", {WSAENETDOWN, WSAENOBUFS, WSAEMFILE}},
    [CALL_CLOSE] = {"WSPCloseSocket", {0}}, /* 4.13 */
};

const char *fault_call_name(enum fault_call call)
{
    return calls[call].name;
}

bool fault_is_allowed(enum fault_call call, int error)
{
    for (size_t i = 0; i < CODES_MAX && calls[call].codes[i] != 0; i++)
        if (calls[call].codes[i] == error)
            return true;
    return error == 0;
}
