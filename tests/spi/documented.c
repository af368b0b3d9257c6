/* documented.c - every code that contract 10.1 lists for each of the thirty functions: the group in which a test makes the function answer
 * it, or why no test does. After a group has run, what the table says of it is compared with what the functions have really answered
 * (sp_record.c): a code that was not met, and one that the table says never comes, fails the run.
 * Lanes: over softiwarp and the system's TCP/IP on Linux; Wine and devices answer some in other words, which the tests allow. */
#include "sp.h"
#include "sp_record.h"

/* In the order of the table of contract 10.1. */
enum function {
    WSPAccept,
    WSPAddressToString,
    WSPAsyncSelect,
    WSPBind,
    WSPCancelBlockingCall,
    WSPCleanup,
    WSPCloseSocket,
    WSPConnect,
    WSPDuplicateSocket,
    WSPEnumNetworkEvents,
    WSPEventSelect,
    WSPGetOverlappedResult,
    WSPGetPeerName,
    WSPGetSockName,
    WSPGetSockOpt,
    WSPGetQOSByName,
    WSPIoctl,
    WSPJoinLeaf,
    WSPListen,
    WSPRecv,
    WSPRecvDisconnect,
    WSPRecvFrom,
    WSPSelect,
    WSPSend,
    WSPSendDisconnect,
    WSPSendTo,
    WSPSetSockOpt,
    WSPShutdown,
    WSPSocket,
    WSPStringToAddress
};

enum lane { TCP = 1, SAN = 2, BOTH = 3 };

enum reason {
    MET_IN_A_GROUP,
    NO_SUBSYSTEM, /* WSAENETDOWN: a network that has failed as a whole. No layer below has that state: the system names what has failed,
                     a device that went away ends its connections with WSAECONNABORTED or WSAECONNRESET (spi_loop_device) */
    NO_HOOK_RULE, /* WSAEINPROGRESS: of Winsock 1.1, whose rule it is that a blocking hook calls nothing. Here it may (cancelling.c) */
    STUB,         /* answers WSAEOPNOTSUPP before it looks at anything (10.1, 15 and 17) */
    MESSAGES,     /* of connections that carry messages; there are none */
    OTHER_WORD,   /* has no case of its own here, see the list below */
    MEMORY, /* WSAENOBUFS: by the played carriers of tests/unit/spi, and by the failing backend of spi_loop_device */
    COMPLETION, /* the code of a completion, never of the call: packets.c, many.c and tests/unit/spi meet it there */
    SAME_PATH /* a stream's SendTo and RecvFrom are its Send and Recv (data.c): met there */
};

/* OTHER_WORD, in short:
 *   WSPAccept WSAECONNRESET     who was reset in the queue is accepted, and the first receive says so
 *   WSPAccept WSAEACCES         nothing is forbidden to somebody who listens already
 *   WSPCleanup WSAEINVAL        it has no argument
 *   WSPConnect WSAEADDRINUSE    Linux: WSAEADDRNOTAVAIL (errors.c)
 *   WSPConnect WSAEPROTONOSUPPORT   WSPSocket has checked that
 *   WSPEnumNetworkEvents WSAEINVAL  a missing record is WSAEFAULT
 *   WSPGetOverlappedResult WSA_INVALID_HANDLE   it waits for no event object
 *   WSPListen WSAEMFILE         it needs no further file; a provider that does is left out (8.2)
 *   WSPRecvDisconnect, WSPSendDisconnect WSAEFAULT   no data is NULL, and data is WSAENOPROTOOPT
 *   WSPRecvFrom WSAEISCONN      a stream receives (10.1, 21 leaves the choice)
 *   WSPSelect WSAEFAULT         the sets are used where they are
 *   WSPSend WSAEACCES           broadcasting is refused when the address is given: WSPConnect, WSPSendTo
 *   WSPSendTo WSAEADDRNOTAVAIL  Linux: WSAEINVAL;  WSAEDESTADDRREQ: WSAENOTCONN (winsock-behaviours)
 *   WSPSetSockOpt WSAENETRESET  options of a connection that keep-alive ended are numbers still
 *   WSPSocket WSAEPROTOTYPE     WSAEPROTONOSUPPORT (B013 to B017) */

#define MET(function, code, group, lanes)                                                                    \
    {                                                                                                        \
        function, code, #function, group, lanes, MET_IN_A_GROUP                                              \
    }
#define NOT(function, code, reason)                                                                          \
    {                                                                                                        \
        function, code, #function, "", 0, reason                                                             \
    }

/* clang-format off: a table of one line each */
static const struct {
    enum function function;
    int code;
    const char *name, *group;
    unsigned lanes;
    enum reason reason;
} documented[] = {
    MET(WSPAccept, WSAECONNREFUSED, "accepting", BOTH),
    NOT(WSPAccept, WSAECONNRESET, OTHER_WORD),
    NOT(WSPAccept, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPAccept, WSAEFAULT, "accepting", BOTH),
    MET(WSPAccept, WSAEINTR, "cancelling", BOTH),
    NOT(WSPAccept, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPAccept, WSAEINVAL, "accepting", BOTH),
    MET(WSPAccept, WSAEMFILE, "shortage", BOTH),
    NOT(WSPAccept, WSAENOBUFS, MEMORY),
    MET(WSPAccept, WSAENOTSOCK, "bad_handles", BOTH),
    MET(WSPAccept, WSAEOPNOTSUPP, "datagrams", BOTH),
    MET(WSPAccept, WSATRY_AGAIN, "accepting", BOTH),
    MET(WSPAccept, WSAEWOULDBLOCK, "accepting", BOTH),
    NOT(WSPAccept, WSAEACCES, OTHER_WORD),
    MET(WSPAddressToString, WSAEFAULT, "address_text", BOTH),
    MET(WSPAddressToString, WSAEINVAL, "address_text", BOTH),
    NOT(WSPAsyncSelect, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPAsyncSelect, WSAEINVAL, "errors", BOTH),
    NOT(WSPAsyncSelect, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPAsyncSelect, WSAENOTSOCK, "bad_handles", BOTH),
    NOT(WSPBind, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPBind, WSAEADDRINUSE, "names", BOTH),
    MET(WSPBind, WSAEADDRNOTAVAIL, "names", BOTH),
    MET(WSPBind, WSAEFAULT, "names", BOTH),
    NOT(WSPBind, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPBind, WSAEINVAL, "names", BOTH),
    NOT(WSPBind, WSAENOBUFS, MEMORY),
    MET(WSPBind, WSAENOTSOCK, "bad_handles", BOTH),
    NOT(WSPCancelBlockingCall, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPCancelBlockingCall, WSAEINVAL, "startup", BOTH),
    MET(WSPCleanup, WSANOTINITIALISED, "startup", BOTH),
    NOT(WSPCleanup, WSAENETDOWN, NO_SUBSYSTEM),
    NOT(WSPCleanup, WSAEINVAL, OTHER_WORD),
    NOT(WSPCloseSocket, WSAENETDOWN, NO_SUBSYSTEM),
    NOT(WSPCloseSocket, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPCloseSocket, WSAENOTSOCK, "bad_handles", BOTH),
    MET(WSPCloseSocket, WSAEWOULDBLOCK, "closing", BOTH),
    NOT(WSPConnect, WSAENETDOWN, NO_SUBSYSTEM),
    NOT(WSPConnect, WSAEADDRINUSE, OTHER_WORD),
    MET(WSPConnect, WSAEINTR, "errors", BOTH),
    NOT(WSPConnect, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPConnect, WSAEALREADY, "errors", BOTH),
    MET(WSPConnect, WSAEADDRNOTAVAIL, "connecting", BOTH),
    MET(WSPConnect, WSAEAFNOSUPPORT, "errors", BOTH),
    MET(WSPConnect, WSAECONNREFUSED, "connecting", BOTH),
    MET(WSPConnect, WSAEFAULT, "connecting", BOTH),
    MET(WSPConnect, WSAEINVAL, "connecting", BOTH),
    MET(WSPConnect, WSAEISCONN, "connecting", BOTH),
    MET(WSPConnect, WSAENETUNREACH, "errors", BOTH),
    NOT(WSPConnect, WSAENOBUFS, MEMORY),
    MET(WSPConnect, WSAENOTSOCK, "bad_handles", BOTH),
    MET(WSPConnect, WSAEOPNOTSUPP, "connecting", BOTH),
    NOT(WSPConnect, WSAEPROTONOSUPPORT, OTHER_WORD),
    MET(WSPConnect, WSAETIMEDOUT, "fallback", SAN),
    MET(WSPConnect, WSAEWOULDBLOCK, "connecting", BOTH),
    MET(WSPConnect, WSAEACCES, "errors", BOTH),
    NOT(WSPDuplicateSocket, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPDuplicateSocket, WSAEINVAL, "duplicate", BOTH),
    NOT(WSPDuplicateSocket, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPDuplicateSocket, WSAEMFILE, "shortage", TCP),
    NOT(WSPDuplicateSocket, WSAENOBUFS, MEMORY),
    MET(WSPDuplicateSocket, WSAENOTSOCK, "bad_handles", BOTH),
    NOT(WSPEnumNetworkEvents, WSAENETDOWN, NO_SUBSYSTEM),
    NOT(WSPEnumNetworkEvents, WSAEINVAL, OTHER_WORD),
    NOT(WSPEnumNetworkEvents, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPEnumNetworkEvents, WSAENOTSOCK, "bad_handles", BOTH),
    NOT(WSPEventSelect, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPEventSelect, WSAEINVAL, "errors", BOTH),
    NOT(WSPEventSelect, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPEventSelect, WSAENOTSOCK, "bad_handles", BOTH),
    NOT(WSPGetOverlappedResult, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPGetOverlappedResult, WSAENOTSOCK, "bad_handles", BOTH),
    NOT(WSPGetOverlappedResult, WSA_INVALID_HANDLE, OTHER_WORD),
    MET(WSPGetOverlappedResult, WSAEINVAL, "errors", BOTH),
    MET(WSPGetOverlappedResult, WSA_IO_INCOMPLETE, "ioctls", BOTH),
    NOT(WSPGetPeerName, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPGetPeerName, WSAEFAULT, "names", BOTH),
    NOT(WSPGetPeerName, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPGetPeerName, WSAENOTSOCK, "bad_handles", BOTH),
    MET(WSPGetPeerName, WSAENOTCONN, "names", BOTH),
    NOT(WSPGetSockName, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPGetSockName, WSAEFAULT, "names", BOTH),
    NOT(WSPGetSockName, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPGetSockName, WSAENOTSOCK, "bad_handles", BOTH),
    MET(WSPGetSockName, WSAEINVAL, "names", BOTH),
    NOT(WSPGetSockOpt, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPGetSockOpt, WSAEFAULT, "options", BOTH),
    MET(WSPGetSockOpt, WSAEINVAL, "options", BOTH),
    NOT(WSPGetSockOpt, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPGetSockOpt, WSAENOPROTOOPT, "options", BOTH),
    MET(WSPGetSockOpt, WSAENOTSOCK, "bad_handles", BOTH),
    NOT(WSPGetQOSByName, WSAENETDOWN, STUB),
    MET(WSPGetQOSByName, WSAENOTSOCK, "bad_handles", BOTH),
    NOT(WSPGetQOSByName, WSAEFAULT, STUB),
    NOT(WSPGetQOSByName, WSAEINVAL, STUB),
    MET(WSPIoctl, WSA_IO_PENDING, "ioctls", BOTH),
    MET(WSPIoctl, WSAEFAULT, "ioctls", BOTH),
    MET(WSPIoctl, WSAEINVAL, "ioctls", BOTH),
    NOT(WSPIoctl, WSAEINPROGRESS, NO_HOOK_RULE),
    NOT(WSPIoctl, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPIoctl, WSAENOTSOCK, "bad_handles", BOTH),
    MET(WSPIoctl, WSAEOPNOTSUPP, "ioctls", BOTH),
    MET(WSPIoctl, WSAEWOULDBLOCK, "ioctls", BOTH),
    NOT(WSPJoinLeaf, WSAENETDOWN, STUB),
    NOT(WSPJoinLeaf, WSAEADDRINUSE, STUB),
    NOT(WSPJoinLeaf, WSAEINTR, STUB),
    NOT(WSPJoinLeaf, WSAEINPROGRESS, STUB),
    NOT(WSPJoinLeaf, WSAEALREADY, STUB),
    NOT(WSPJoinLeaf, WSAEADDRNOTAVAIL, STUB),
    NOT(WSPJoinLeaf, WSAEAFNOSUPPORT, STUB),
    NOT(WSPJoinLeaf, WSAECONNREFUSED, STUB),
    NOT(WSPJoinLeaf, WSAEFAULT, STUB),
    NOT(WSPJoinLeaf, WSAEISCONN, STUB),
    NOT(WSPJoinLeaf, WSAENETUNREACH, STUB),
    NOT(WSPJoinLeaf, WSAENOBUFS, STUB),
    MET(WSPJoinLeaf, WSAENOTSOCK, "bad_handles", BOTH),
    MET(WSPJoinLeaf, WSAEOPNOTSUPP, "startup", BOTH),
    NOT(WSPJoinLeaf, WSAEPROTONOSUPPORT, STUB),
    NOT(WSPJoinLeaf, WSAETIMEDOUT, STUB),
    NOT(WSPListen, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPListen, WSAEADDRINUSE, "errors", BOTH),
    NOT(WSPListen, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPListen, WSAEINVAL, "accepting", BOTH),
    MET(WSPListen, WSAEISCONN, "connecting", BOTH),
    NOT(WSPListen, WSAEMFILE, OTHER_WORD),
    NOT(WSPListen, WSAENOBUFS, MEMORY),
    MET(WSPListen, WSAENOTSOCK, "bad_handles", BOTH),
    MET(WSPListen, WSAEOPNOTSUPP, "datagrams", BOTH),
    NOT(WSPRecv, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPRecv, WSAENOTCONN, "connecting", BOTH),
    MET(WSPRecv, WSAEINTR, "cancelling", BOTH),
    NOT(WSPRecv, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPRecv, WSAENETRESET, "ends", SAN),
    MET(WSPRecv, WSAEFAULT, "blocking", BOTH),
    MET(WSPRecv, WSAENOTSOCK, "bad_handles", BOTH),
    MET(WSPRecv, WSAEOPNOTSUPP, "blocking", BOTH),
    MET(WSPRecv, WSAESHUTDOWN, "closing", BOTH),
    MET(WSPRecv, WSAEWOULDBLOCK, "nonblocking", BOTH),
    MET(WSPRecv, WSAEMSGSIZE, "errors", BOTH),
    MET(WSPRecv, WSAEINVAL, "errors", BOTH),
    MET(WSPRecv, WSAECONNABORTED, "hostile", SAN),
    MET(WSPRecv, WSAECONNRESET, "accepting", BOTH),
    NOT(WSPRecv, WSAEDISCON, MESSAGES),
    MET(WSPRecv, WSA_IO_PENDING, "startup", BOTH),
    NOT(WSPRecv, WSA_OPERATION_ABORTED, COMPLETION),
    NOT(WSPRecvDisconnect, WSAENETDOWN, NO_SUBSYSTEM),
    NOT(WSPRecvDisconnect, WSAEFAULT, OTHER_WORD),
    MET(WSPRecvDisconnect, WSAENOPROTOOPT, "errors", BOTH),
    NOT(WSPRecvDisconnect, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPRecvDisconnect, WSAENOTCONN, "closing", BOTH),
    MET(WSPRecvDisconnect, WSAENOTSOCK, "bad_handles", BOTH),
    NOT(WSPRecvFrom, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPRecvFrom, WSAEFAULT, "errors", BOTH),
    MET(WSPRecvFrom, WSAEINTR, "errors", BOTH),
    NOT(WSPRecvFrom, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPRecvFrom, WSAEINVAL, "errors", BOTH),
    NOT(WSPRecvFrom, WSAEISCONN, OTHER_WORD),
    NOT(WSPRecvFrom, WSAENETRESET, SAME_PATH),
    MET(WSPRecvFrom, WSAENOTSOCK, "bad_handles", BOTH),
    MET(WSPRecvFrom, WSAEOPNOTSUPP, "errors", BOTH),
    MET(WSPRecvFrom, WSAESHUTDOWN, "errors", BOTH),
    MET(WSPRecvFrom, WSAEWOULDBLOCK, "datagrams", BOTH),
    MET(WSPRecvFrom, WSAEMSGSIZE, "datagrams", BOTH),
    MET(WSPRecvFrom, WSAECONNRESET, "errors", BOTH),
    NOT(WSPRecvFrom, WSAEDISCON, MESSAGES),
    MET(WSPRecvFrom, WSA_IO_PENDING, "datagrams", BOTH),
    NOT(WSPRecvFrom, WSA_OPERATION_ABORTED, COMPLETION),
    NOT(WSPSelect, WSAEFAULT, OTHER_WORD),
    NOT(WSPSelect, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPSelect, WSAEINVAL, "selecting", BOTH),
    MET(WSPSelect, WSAEINTR, "errors", BOTH),
    NOT(WSPSelect, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPSelect, WSAENOTSOCK, "bad_handles", BOTH),
    NOT(WSPSend, WSAENETDOWN, NO_SUBSYSTEM),
    NOT(WSPSend, WSAEACCES, OTHER_WORD),
    NOT(WSPSend, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPSend, WSAEFAULT, "blocking", BOTH),
    MET(WSPSend, WSAENETRESET, "ends", SAN),
    NOT(WSPSend, WSAENOBUFS, MEMORY),
    MET(WSPSend, WSAENOTCONN, "connecting", BOTH),
    MET(WSPSend, WSAENOTSOCK, "bad_handles", BOTH),
    MET(WSPSend, WSAEOPNOTSUPP, "blocking", BOTH),
    MET(WSPSend, WSAESHUTDOWN, "closing", BOTH),
    MET(WSPSend, WSAEWOULDBLOCK, "errors", BOTH),
    MET(WSPSend, WSAEMSGSIZE, "errors", BOTH),
    MET(WSPSend, WSAEINVAL, "errors", BOTH),
    MET(WSPSend, WSAECONNABORTED, "hostile", SAN),
    MET(WSPSend, WSAECONNRESET, "closing", BOTH),
    NOT(WSPSend, WSA_OPERATION_ABORTED, COMPLETION),
    MET(WSPSend, WSA_IO_PENDING, "ends", BOTH),
    NOT(WSPSendDisconnect, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPSendDisconnect, WSAENOPROTOOPT, "errors", BOTH),
    NOT(WSPSendDisconnect, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPSendDisconnect, WSAENOTCONN, "closing", BOTH),
    MET(WSPSendDisconnect, WSAENOTSOCK, "bad_handles", BOTH),
    NOT(WSPSendDisconnect, WSAEFAULT, OTHER_WORD),
    NOT(WSPSendTo, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPSendTo, WSAEACCES, "datagrams", BOTH),
    NOT(WSPSendTo, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPSendTo, WSAEFAULT, "errors", BOTH),
    NOT(WSPSendTo, WSAENETRESET, SAME_PATH),
    NOT(WSPSendTo, WSAENOBUFS, MEMORY),
    MET(WSPSendTo, WSAENOTCONN, "datagrams", BOTH),
    MET(WSPSendTo, WSAENOTSOCK, "bad_handles", BOTH),
    MET(WSPSendTo, WSAEOPNOTSUPP, "errors", BOTH),
    MET(WSPSendTo, WSAESHUTDOWN, "errors", BOTH),
    MET(WSPSendTo, WSAEWOULDBLOCK, "errors", BOTH),
    MET(WSPSendTo, WSAEMSGSIZE, "datagrams", BOTH),
    MET(WSPSendTo, WSAEINVAL, "errors", BOTH),
    NOT(WSPSendTo, WSAECONNABORTED, SAME_PATH),
    MET(WSPSendTo, WSAECONNRESET, "errors", BOTH),
    NOT(WSPSendTo, WSA_OPERATION_ABORTED, COMPLETION),
    MET(WSPSendTo, WSA_IO_PENDING, "errors", BOTH),
    NOT(WSPSendTo, WSAEADDRNOTAVAIL, OTHER_WORD),
    MET(WSPSendTo, WSAEAFNOSUPPORT, "datagrams", BOTH),
    NOT(WSPSendTo, WSAEDESTADDRREQ, OTHER_WORD),
    MET(WSPSendTo, WSAENETUNREACH, "errors", BOTH),
    MET(WSPSendTo, WSAEINTR, "errors", SAN),
    NOT(WSPSetSockOpt, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPSetSockOpt, WSAEFAULT, "options", BOTH),
    NOT(WSPSetSockOpt, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPSetSockOpt, WSAEINVAL, "names", BOTH),
    NOT(WSPSetSockOpt, WSAENETRESET, OTHER_WORD),
    MET(WSPSetSockOpt, WSAENOPROTOOPT, "accepting", BOTH),
    MET(WSPSetSockOpt, WSAENOTCONN, "errors", BOTH),
    MET(WSPSetSockOpt, WSAENOTSOCK, "bad_handles", BOTH),
    NOT(WSPShutdown, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPShutdown, WSAEINVAL, "closing", BOTH),
    NOT(WSPShutdown, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPShutdown, WSAENOTCONN, "connecting", BOTH),
    MET(WSPShutdown, WSAENOTSOCK, "bad_handles", BOTH),
    NOT(WSPSocket, WSAENETDOWN, NO_SUBSYSTEM),
    MET(WSPSocket, WSAEAFNOSUPPORT, "creation", BOTH),
    NOT(WSPSocket, WSAEINPROGRESS, NO_HOOK_RULE),
    MET(WSPSocket, WSAEMFILE, "shortage", BOTH),
    NOT(WSPSocket, WSAENOBUFS, MEMORY),
    MET(WSPSocket, WSAEPROTONOSUPPORT, "creation", BOTH),
    NOT(WSPSocket, WSAEPROTOTYPE, OTHER_WORD),
    MET(WSPSocket, WSAESOCKTNOSUPPORT, "creation", BOTH),
    MET(WSPSocket, WSAEINVAL, "creation", BOTH),
    MET(WSPStringToAddress, WSAEFAULT, "address_text", BOTH),
    MET(WSPStringToAddress, WSAEINVAL, "address_text", BOTH),
};
/* clang-format on */

static bool is_applicable(void)
{
    const char *backend = getenv("WSD_TEST_BACKEND");

    return !POSIX_KILL_KEEPS_SOCKETS &&
           (backend == NULL || *backend == '\0' || strcmp(backend, "softiwarp") == 0);
}

int sp_documented(const char *group)
{
    unsigned lane = sp_env.is_san ? SAN : TCP;
    int wrong = 0;

    if (!is_applicable() || (strcmp(group, "errors") == 0 && getenv("WSD_TEST_LOST") == NULL))
        return 0;
    for (unsigned i = 0; i < sizeof(documented) / sizeof(documented[0]); i++) {
        bool was_seen = sp_has_answered(documented[i].function, documented[i].code);
        bool is_promised = strcmp(documented[i].group, group) == 0 && (documented[i].lanes & lane) != 0;
        bool is_ruled_out = documented[i].reason != MET_IN_A_GROUP && documented[i].reason < MEMORY;

        if (is_promised && !was_seen)
            fprintf(stderr, "%s was to answer %s in group %s, and did not\n", documented[i].name,
                    sw_error_name(documented[i].code), group);
        if (is_ruled_out && was_seen)
            fprintf(stderr, "%s answered %s, which documented.c says it never does\n", documented[i].name,
                    sw_error_name(documented[i].code));
        wrong += (is_promised && !was_seen) || (is_ruled_out && was_seen) ? 1 : 0;
    }
    return wrong;
}
