/* status.c - errno, verbs completion codes and CM reject reasons -> vb_status_t.
 * Layer: verbs_backend/rdmacore. None of those codes leaves this folder. */
#include <errno.h>
#include <string.h>

#include "rdmacore.h"

vb_status_t rc_status_errno(int err)
{
    switch (err < 0 ? -err : err) {
    case 0: return VB_OK;
    case EAGAIN: return VB_E_AGAIN;
    case EINVAL:
    case EAFNOSUPPORT:
    case EMSGSIZE:
    case ERANGE: return VB_E_INVAL;
    case EISCONN:
    case ENOTCONN:
    case EALREADY:
    case EINPROGRESS: return VB_E_STATE;
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
    case EMFILE:
    case ENFILE:
    case EDQUOT: return VB_E_NOMEM;
    case EOPNOTSUPP:
    case ENOSYS:
    case EPROTONOSUPPORT: return VB_E_NOTSUP;
    case ENODEV:
    case ENXIO:
    case ENOENT:
    case EIO: return VB_E_NODEV;
    case EFAULT: return VB_E_FAULT;
    case EBUSY: return VB_E_BUSY;
    case EPERM:
    case EACCES: return VB_E_DENIED;
    case EADDRINUSE: return VB_E_ADDRINUSE;
    case EADDRNOTAVAIL: return VB_E_ADDRNOTAVAIL;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETDOWN: return VB_E_UNREACH;
    case ETIMEDOUT: return VB_E_TIMEOUT;
    case ECONNREFUSED: return VB_E_NOSERVICE;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE: return VB_E_RESET;
    default: return VB_E_FATAL;
    }
}

vb_status_t rc_status_call(int rv)
{
    return rc_status_errno(rv == -1 ? errno
                                    : rv); /* EPERM is 1: a call that returns -EPERM sets errno as well */
}

vb_status_t rc_status_wc(enum ibv_wc_status s)
{
    switch (s) {
    case IBV_WC_SUCCESS: return VB_OK;
    case IBV_WC_WR_FLUSH_ERR: return VB_E_FLUSHED;
    case IBV_WC_LOC_LEN_ERR: return VB_E_LENGTH;
    case IBV_WC_LOC_PROT_ERR:
    case IBV_WC_LOC_ACCESS_ERR:
    case IBV_WC_MW_BIND_ERR:
    case IBV_WC_LOC_QP_OP_ERR: /* rxe: a wrong local key, or a message longer than its receive */
        return VB_E_PROTECTION;
    case IBV_WC_REM_ACCESS_ERR: return VB_E_REMOTE_ACCESS;
    case IBV_WC_REM_INV_REQ_ERR: /* among others: the peer's receive was too small */
    case IBV_WC_REM_OP_ERR:
    case IBV_WC_REM_INV_RD_REQ_ERR:
    case IBV_WC_REM_ABORT_ERR:
    case IBV_WC_BAD_RESP_ERR: return VB_E_REMOTE_OP;
    case IBV_WC_RETRY_EXC_ERR:
    case IBV_WC_RESP_TIMEOUT_ERR: return VB_E_RETRY;
    case IBV_WC_RNR_RETRY_EXC_ERR: return VB_E_RNR;
    default: return VB_E_FATAL;
    }
}

/* Reject reasons of the InfiniBand CM (IBTA volume 1, 12.6.7.2); librdmacm's header does not name them. */
enum {
    REJ_NO_QP = 1,
    REJ_NO_EEC = 2,
    REJ_NO_RESOURCES = 3,
    REJ_TIMEOUT = 4,
    REJ_INVALID_SERVICE_ID = 8, /* nobody listens on that port */
    REJ_STALE_CONNECTION = 10,
    REJ_INSUFFICIENT_RESP_RESOURCES = 27,
    REJ_CONSUMER_DEFINED = 28 /* rdma_reject(), or a request that was destroyed unanswered */
};

enum vb_cm_event_kind rc_status_reject(int status, vb_status_t *out)
{
    switch (status) {
    case REJ_INVALID_SERVICE_ID:
    case -ECONNREFUSED: /* iWARP: TCP refused the connection */ *out = VB_E_NOSERVICE; return VB_CM_REJECTED;
    case REJ_CONSUMER_DEFINED:
    case -ECONNRESET: /* iWARP: MPA reply with the reject bit, or TCP closed instead of an answer */
        *out = VB_E_REJECTED;
        return VB_CM_REJECTED;
    case REJ_NO_QP:
    case REJ_NO_EEC:
    case REJ_NO_RESOURCES:
    case REJ_INSUFFICIENT_RESP_RESOURCES: *out = VB_E_NOMEM; return VB_CM_FAILED;
    case REJ_TIMEOUT:
    case -ETIMEDOUT: *out = VB_E_TIMEOUT; return VB_CM_FAILED;
    default: /* stale connection, path or version: no way to the service, no proof of its absence */
        *out = VB_E_UNREACH;
        return VB_CM_FAILED;
    }
}

const char *rc_status_meaning(int code, bool is_reject)
{
    if (is_reject && code == -ECONNRESET)
        return "the MPA reply refuses, or the peer closed TCP instead";
    if (!is_reject || code < 0)
        return strerror(code < 0 ? -code : code);
    switch (code) {
    case REJ_INVALID_SERVICE_ID: return "nobody listens on that port";
    case REJ_CONSUMER_DEFINED: return "the peer's consumer refused";
    case REJ_NO_QP:
    case REJ_NO_EEC:
    case REJ_NO_RESOURCES:
    case REJ_INSUFFICIENT_RESP_RESOURCES: return "the peer has no resources left";
    case REJ_TIMEOUT: return "the peer waited too long";
    case REJ_STALE_CONNECTION: return "the peer still has an old connection of that number";
    default: return "reason of IBTA volume 1, 12.6.7.2";
    }
}
