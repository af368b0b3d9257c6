/* allowed.h - which Winsock codes each call may answer when the device below fails.
 * Source:  contract sections 4, 6, 7.6 and 13; of the documented lists only what a failure of the backend
 *          can be the reason of. What only bad arguments explain is left out, and so are the three codes
 *          of WSPConnect that forbid the fall-back to TCP/IP (4.8): no failure here proves that TCP would
 *          fail too. */
#ifndef FAULT_ALLOWED_H
#define FAULT_ALLOWED_H

#include <stdbool.h>

#include "wsd/ws2_types.h"

enum fault_call {
    CALL_START,   /* sw_load(): WSPStartupEx, and what switch_shim asks next */
    CALL_REFRESH, /* WSPSocket and SIO_ADDRESS_LIST_QUERY */
    CALL_SOCKET,
    CALL_BIND,
    CALL_LISTEN,
    CALL_EVENT_SELECT,
    CALL_ENUM_EVENTS,
    CALL_CONNECT,
    CALL_FD_CONNECT,
    CALL_ACCEPT,
    CALL_REGISTER,
    CALL_REGISTER_RDMA,
    CALL_SEND,
    CALL_RECV,
    CALL_RDMA,
    CALL_COMPLETION, /* of an operation, while nobody has closed */
    CALL_DEREGISTER,
    CALL_DEREGISTER_RDMA,
    CALL_DUPLICATE,
    CALL_ADOPT, /* WSPSocket with dwProviderReserved */
    CALL_CLOSE,
    CALL_COUNT
};

const char *fault_call_name(enum fault_call call);
bool fault_is_allowed(enum fault_call call, int error);

#endif
