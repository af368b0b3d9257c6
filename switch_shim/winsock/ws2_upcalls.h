/* ws2_upcalls.h - the upcalls by name, between the file of handles, that of the rest, and the table.
 * Layer:   switch_shim, private to winsock/. */
#ifndef SW_WS2_UPCALLS_H
#define SW_WS2_UPCALLS_H

#include "ws2_internal.h"

/* Counts, refuses when no provider is running, and makes a missing lpErrno survivable. False: do not go on. `error` may be NULL for
 * the two upcalls without lpErrno. */
bool ws2_upcall_enter(enum sw_upcall which, const char *name, INT **error, INT *spare);

/* ws2_handle.c */
int WSPAPI ws2_close_socket_handle(SOCKET s, INT *error);
SOCKET WSPAPI ws2_create_socket_handle(DWORD catalog_entry_id, DWORD_PTR context, INT *error);
SOCKET WSPAPI ws2_modify_ifs_handle(DWORD catalog_entry_id, SOCKET proposed, INT *error);
int WSPAPI ws2_query_socket_handle_context(SOCKET s, DWORD_PTR *context, INT *error);
int WSPAPI ws2_complete_overlapped_request(SOCKET s, WSAOVERLAPPED *ov, DWORD op_error, DWORD bytes,
                                           INT *error);

#endif
