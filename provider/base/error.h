/* error.h - status of the verbs backend -> Winsock code, one function per context.
 * Layer:   provider/base. The same failure means different things to the switch in different calls, so
 *          there is no single table. */
#ifndef WSD_ERROR_H
#define WSD_ERROR_H

#include "vb/vb_status.h"

int wsd_error_connect(vb_status_t st);  /* what FD_CONNECT reports; decides the fall-back to TCP/IP (4.8) */
int wsd_error_listen(vb_status_t st);   /* WSPListen (4.5) */
int wsd_error_setup(vb_status_t st);    /* creating QPs, CQs, handles */
int wsd_error_register(vb_status_t st); /* memory registration (6.2) */
int wsd_error_post(vb_status_t st);     /* a work request was not taken: nothing was started */
/* What a failed work request says about its connection: the first cause, for everything that is flushed
 * later (7.6). For VB_E_FLUSHED without a known cause: the peer went away. */
int wsd_error_cause(vb_status_t st);
/* What the failed request itself completes with; cause = first cause of its connection, 0 if none is
 * known. */
int wsd_error_completion(vb_status_t st, int cause);

#endif
