/* error.c - the only place below spi/ that knows Winsock codes for failures of the backend.
 * wsd_error_connect names every status, because a wrong word there costs the application its TCP
 * connection; a new status must be decided in it. */
#include "base/error.h"

#include "wsd/ws2_types.h"

/* WSAECONNREFUSED, WSAECONNRESET and WSAEHOSTUNREACH promise the switch that TCP would fail too. Only a
 * refusal by our peer provider proves that, and conn_wire.c decides it; everything here reports something
 * the switch falls back on.
 * Source: contract 4.8 [D:initiating-a-connection]. */
int wsd_error_connect(vb_status_t st)
{
    switch (st) {
    case VB_OK: return 0;
    case VB_E_NOMEM: return WSAENOBUFS;
    case VB_E_ADDRNOTAVAIL: return WSAEADDRNOTAVAIL;
    case VB_E_NODEV:
    case VB_E_FATAL: return WSAENETDOWN;
    case VB_E_AGAIN:
    case VB_E_INVAL:
    case VB_E_STATE:
    case VB_E_NOTSUP:
    case VB_E_FAULT:
    case VB_E_BUSY:
    case VB_E_DENIED:
    case VB_E_ADDRINUSE:
    case VB_E_UNREACH:
    case VB_E_TIMEOUT:
    case VB_E_NOSERVICE:
    case VB_E_REJECTED:
    case VB_E_RESET:
    case VB_E_FLUSHED:
    case VB_E_LENGTH:
    case VB_E_PROTECTION:
    case VB_E_REMOTE_ACCESS:
    case VB_E_REMOTE_OP:
    case VB_E_RETRY:
    case VB_E_RNR: return WSAETIMEDOUT;
    case VB_STATUS_COUNT: break;
    }
    return WSAENETDOWN;
}

/* WSAEADDRINUSE is not in the list (4.5): whoever owns the port in TCP/IP decides about reuse. Nor is
 * WSAEADDRNOTAVAIL: WSPBind has checked the address. */
int wsd_error_listen(vb_status_t st)
{
    switch (st) {
    case VB_OK: return 0;
    case VB_E_NOMEM:
    case VB_E_ADDRINUSE:
    case VB_E_AGAIN: return WSAENOBUFS;
    case VB_E_INVAL: return WSAEINVAL;
    default: return WSAENETDOWN;
    }
}

int wsd_error_setup(vb_status_t st)
{
    switch (st) {
    case VB_OK: return 0;
    case VB_E_NOMEM:
    case VB_E_AGAIN:
    case VB_E_INVAL: /* a device that grants less than it announces */ return WSAENOBUFS;
    default: return WSAENETDOWN;
    }
}

int wsd_error_register(vb_status_t st)
{
    switch (st) {
    case VB_OK: return 0;
    case VB_E_FAULT: return WSAEFAULT;
    case VB_E_INVAL: return WSAEFAULT; /* wrapping or oversized range; flags were checked before */
    case VB_E_NODEV:
    case VB_E_FATAL: return WSAENETDOWN;
    default: return WSAENOBUFS;
    }
}

int wsd_error_post(vb_status_t st)
{
    switch (st) {
    case VB_OK: return 0;
    case VB_E_STATE: return WSAECONNRESET;
    case VB_E_NOMEM:
    case VB_E_AGAIN: return WSAENOBUFS;
    case VB_E_INVAL: return WSAEINVAL;
    default: return WSAENETDOWN;
    }
}

int wsd_error_cause(vb_status_t st)
{
    switch (st) {
    case VB_OK: return 0;
    case VB_E_FLUSHED:
    case VB_E_RESET: return WSAECONNRESET;
    /* length, protection, remote and retry errors all kill the connection (7.6) */
    default: return WSAECONNABORTED;
    }
}

int wsd_error_completion(vb_status_t st, int cause)
{
    switch (st) {
    case VB_OK: return 0;
    case VB_E_LENGTH: return WSAEMSGSIZE; /* that receive; the others get the cause (Q37) */
    case VB_E_FLUSHED: return cause ? cause : WSAECONNRESET;
    /* However a closed queue pair gives a request back (siw fails the one that it is sending), it is the close that
     * ended it (4.13, C14). */
    default: return cause == WSA_OPERATION_ABORTED ? cause : WSAECONNABORTED;
    }
}
