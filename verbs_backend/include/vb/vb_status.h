/* vb_status.h - the one list of status codes of the verbs backend.
 * Layer: verbs_backend; seen by provider/ and bench/. WSA codes are made from these in provider/base/error.c
 * only. */
#ifndef VB_STATUS_H
#define VB_STATUS_H

/* name, text. Completions use the ones from VB_E_FLUSHED on; calls and connection events use the ones before
 * it. */
#define VB_STATUS_LIST(X)                                                                                    \
    X(VB_OK, "success")                                                                                      \
    X(VB_E_AGAIN, "nothing there now, or the queue is full; try again")                                      \
    X(VB_E_INVAL, "invalid argument")                                                                        \
    X(VB_E_STATE, "not possible in the object's present state")                                              \
    X(VB_E_NOMEM, "out of memory, pinned memory or device resources")                                        \
    X(VB_E_NOTSUP, "not supported by this backend or device")                                                \
    X(VB_E_NODEV, "no usable device, or the device is gone")                                                 \
    X(VB_E_FAULT, "memory range is not valid for the process")                                               \
    X(VB_E_BUSY, "object is in use")                                                                         \
    X(VB_E_DENIED, "permission denied")                                                                      \
    X(VB_E_ADDRINUSE, "address already in use")                                                              \
    X(VB_E_ADDRNOTAVAIL, "address does not belong to a device of this backend")                              \
    X(VB_E_UNREACH, "no route or no answer to address resolution")                                           \
    X(VB_E_TIMEOUT, "no answer in time")                                                                     \
    X(VB_E_NOSERVICE, "peer's fabric refused: nobody listens there")                                         \
    X(VB_E_REJECTED, "peer's consumer refused, private data may say why")                                    \
    X(VB_E_RESET, "peer ended the connection")                                                               \
    X(VB_E_FLUSHED, "flushed: the queue pair stopped before the request was done")                           \
    X(VB_E_LENGTH, "message longer than the receive buffer")                                                 \
    X(VB_E_PROTECTION, "local key, bounds or rights violation")                                              \
    X(VB_E_REMOTE_ACCESS, "remote key, bounds or rights violation")                                          \
    X(VB_E_REMOTE_OP, "peer could not carry out the operation")                                              \
    X(VB_E_RETRY, "peer did not acknowledge in time")                                                        \
    X(VB_E_RNR, "peer posted no receive in time")                                                            \
    X(VB_E_FATAL, "unexpected failure of the device")

#define VB_STATUS_ENUM(name, text) name,
typedef enum vb_status { VB_STATUS_LIST(VB_STATUS_ENUM) VB_STATUS_COUNT } vb_status_t;
#undef VB_STATUS_ENUM

const char *vb_status_name(vb_status_t st); /* "VB_E_INVAL"; never NULL */
const char *vb_status_text(vb_status_t st); /* the sentence above; never NULL */

#endif
