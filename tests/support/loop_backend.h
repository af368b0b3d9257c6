/* loop_backend.h - the "loop" backend: a strict in-process RC device for tests, and its levers.
 * Layer:    tests only; a peer of verbs_backend/rdmacore behind the same table (vb_ops.h).
 * Threads:  every function here from any thread, at any time; one lock inside, never held across user code.
 * What:     one device "loop0" with 10.77.0.1, 10.77.0.2, fd77::1 and fd77::2; anything in this process
 *           connects to anything. It keeps the rules that hardware keeps and mocks forget:
 *           - a queue slot is free again only when the completion of that request, or of a later one of that
 *             queue, was polled; until then its MRs and windows count as in use;
 *           - unsignaled requests come back when they fail; a CQ overflows; flushes come in order;
 *           - arming is one-shot and only for what arrives later;
 *           - the lkey and rkey of an MR differ; undefined fields of a completion hold garbage;
 *           - a receive posted to a stopped QP is flushed by the next stop only;
 *           - a QP whose peer left stays up until its owner stops it, and its sends end with VB_E_RETRY.
 * Misuse:   what the contract in vb.h forbids and hardware would answer with corruption is counted, printed
 *           and ends in abort(). */
#ifndef LOOP_BACKEND_H
#define LOOP_BACKEND_H

#include "vb/vb.h"

/* Make vb_open("loop") work. Call once, before threads start. */
vb_status_t loop_backend_register(void);

struct loop_config {
    uint32_t cap_flags; /* VB_CAP_* */
    uint32_t max_qp_wr, max_sge, max_cqe, max_inline_bytes, max_msg_bytes;
    uint64_t max_mr_bytes;
    uint8_t max_read_in, max_read_out;
    bool pads_private_data;    /* to 56, 196 and 148 bytes, as InfiniBand does */
    bool qp_error_ends_conn;   /* iWARP: a failed or stopped QP ends the connection at both ends */
    bool black_hole;           /* connects get no answer: FAILED, VB_E_TIMEOUT after their timeout_ms */
    bool aborts_on_violation;  /* false: only count, and refuse the forbidden call where that is possible */
    uint32_t delivery_us;      /* a send request starts this long after its post */
    uint32_t read_us;          /* the answer to a read takes this long; later unfenced requests overtake it */
    uint32_t retry_ms;         /* until a request to a silent peer ends with VB_E_RETRY */
    uint32_t connect_delay_ms; /* until a connect request arrives */
    uint32_t disconnect_ms;    /* until our own DISCONNECTED when the peer is silent */
};
void loop_get_config(struct loop_config *out);
void loop_set_config(const struct loop_config *c); /* in force for calls and objects made from now on */
/* Adjust *c: no windows, no flow control, remote read sink, no padding, a QP error ends the connection. */
void loop_config_iwarp(struct loop_config *c);
/* Defaults again, device and addresses back, violations 0. Objects that exist stay as they are. */
void loop_reset(void);

/* Cut the wire of every connection whose local or remote port is `port` (0: of all). silent: nobody is told;
 * requests end with VB_E_RETRY after retry_ms. notify: DISCONNECTED at both ends as well. Returns how many
 * connections. */
enum loop_cut_how { LOOP_CUT_SILENT, LOOP_CUT_NOTIFY };
unsigned loop_cut(uint16_t port, enum loop_cut_how how);

/* The device disappears: QPs die, connections get DEV_GONE, backends VB_ASYNC_DEV_GONE. Or comes back (for
 * new objects), once whoever polls a backend has dealt with that: who deals with it later ends what is new as well. */
void loop_set_device_present(bool present);

/* Take an address (text without port) away or give it back; VB_ASYNC_ADDR_CHANGE if that changes
 * something. */
void loop_set_address_present(const char *ip, bool present);

struct loop_counts {
    /* live objects */
    uint32_t backends, devs, pds, mrs, mws, cqs, qps, cms, conns, listeners;
    /* since the process began */
    uint32_t violations;                               /* since loop_reset() */
    uint64_t sends, writes, reads, binds, invalidates; /* carried out */
    uint64_t recv_waits;                               /* a send found no receive and had to wait */
    uint64_t completions, notifications, cq_overflows;
};
void loop_get_counts(struct loop_counts *out);
/* Prints what is alive to stderr; true when nothing is. For the end of a test. */
bool loop_nothing_alive(void);

#endif
