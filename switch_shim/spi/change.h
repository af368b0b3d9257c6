/* change.h - SIO_ADDRESS_LIST_CHANGE and SIO_ROUTING_INTERFACE_CHANGE: tell me when the addresses of this host change.
 * Layer:   switch_shim/spi, private. */
#ifndef SW_SPI_CHANGE_H
#define SW_SPI_CHANGE_H

#include "spi/spi.h"

/* Overlapped: WSA_IO_PENDING. Blocking: 0 after the change (called and left with a call counted, or *is_gone). Non-blocking:
 * WSAEWOULDBLOCK, and the FD_* event may come again. */
int sw_change_wait(struct sw_sock *s, SOCKET handle, DWORD code, LPWSAOVERLAPPED ov,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, const WSATHREADID *thread, bool *is_gone);
/* The addresses have changed. */
void sw_change_happened(void);
/* The socket is closing: its operations end. */
void sw_change_forget(struct sw_sock *s);

#endif
