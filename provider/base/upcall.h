/* upcall.h - every WPU* call goes through here.
 * Layer:   provider/base.
 * Rule:    no lock of ours is held across an upcall (contract 4.0); asserted in debug builds.
 * Slots:   a SAN provider needs six of the sixteen. Four are named by the contract (Q2); WPUSetEvent and
 *          WPUResetEvent stand in for Win32 SetEvent and ResetEvent where there is no Win32 (10.2, slots
 *          11 and 12). */
#ifndef WSD_UPCALL_H
#define WSD_UPCALL_H

#include <stdbool.h>

#include "wsd/ws2_types.h"

bool wsd_upcall_table_usable(const WSPUPCALLTABLEEX *table);
/* Copies; the newest wins (3.4). One caller at a time. False: out of memory, the old one stays. */
bool wsd_upcall_set_table(const WSPUPCALLTABLEEX *table, DWORD catalog_id);

/* Threads of ours may run: from the first start to the end of the last clean-up (set by sock/instance.c). A process that ends in between
 * unloads the library with them in it, so what unloading gives back otherwise then stays, and goes with the process. */
void wsd_set_in_use(bool on);
bool wsd_is_in_use(void);

/* INVALID_SOCKET and *error (a WSA code) when the switch has no handle for us. */
SOCKET wsd_upcall_create_handle(DWORD_PTR context, int *error);
void wsd_upcall_close_handle(SOCKET handle);
void wsd_upcall_complete(SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes);
void wsd_upcall_set_event(WSAEVENT event);
void wsd_upcall_reset_event(WSAEVENT event);

#endif
