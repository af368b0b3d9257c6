/* handover.h - moving a socket to another process (WSPDuplicateSocket, and WSPSocket with
 * dwProviderReserved).
 * Layer:   provider/sock. Source: contract 4.14, 8.10, Q25-Q27.
 * How:     only 32 bits travel through the switch, so they name a record that the source process publishes
 *          for the same user (pal/process.h): addresses, keys, options, an unread first message. It names
 *          its target process, is taken once, and expires. A queue pair cannot change its process.
 *          Connected sockets: the source announces the move to the peer's resume port (MOVE), waits for
 *          "noted", hangs up; the target connects to the same port with both keys (RESUME), and the peer
 *          splices the new connection under the old socket with its receives in order. No data travels
 *          meanwhile: the switches have suspended the session. ABANDON ends the wait when the source
 *          closes its descriptor before anybody came. Listening sockets: the source stops listening, the
 *          target starts. */
#ifndef WSD_HANDOVER_H
#define WSD_HANDOVER_H

#include "sock/sock.h"

/* Give s to process `pid`. On success *token is what goes into dwProviderReserved, never 0. Winsock code
 * or 0. Control; waits for the peer. */
int wsd_handover_export(struct wsd_sock *s, uint32_t pid, uint32_t *token);
/* Take over what `token` names into a fresh socket (its family is set from the record; its handle is
 * open). Winsock code or 0. */
int wsd_handover_import(struct wsd_sock *s, uint32_t token);
/* The source closed its descriptor while nobody had taken the record: nobody will, and the peer is told
 * not to wait (Q26). Does not wait for the peer. */
void wsd_handover_give_up(struct wsd_sock *s, uint32_t token);

#endif
