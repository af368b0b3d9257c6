/* extensions.h - the extension functions of Microsoft that the switch serves (contract 10.3).
 * Layer:   switch_shim/spi, private. They answer FALSE with a code for sw_set_last_error(). */
#ifndef SW_SPI_EXTENSIONS_H
#define SW_SPI_EXTENSIONS_H

#include "spi/spi.h"

BOOL WSPAPI sw_spi_accept_ex(SOCKET l, SOCKET s, PVOID out, DWORD receive_bytes, DWORD local_bytes,
                             DWORD remote_bytes, LPDWORD received_bytes, LPOVERLAPPED ov);
void WSPAPI sw_spi_get_accept_ex_sockaddrs(PVOID buffer, DWORD receive_bytes, DWORD local_bytes,
                                           DWORD remote_bytes, WSD_SOCKADDR **local, LPINT local_used,
                                           WSD_SOCKADDR **remote, LPINT remote_used);
BOOL WSPAPI sw_spi_connect_ex(SOCKET h, const WSD_SOCKADDR *name, int bytes, PVOID data, DWORD data_bytes,
                              LPDWORD sent, LPOVERLAPPED ov);
BOOL WSPAPI sw_spi_disconnect_ex(SOCKET h, LPOVERLAPPED ov, DWORD flags, DWORD reserved);
BOOL WSPAPI sw_spi_transmit_file(SOCKET h, HANDLE file, DWORD bytes, DWORD bytes_per_send, LPOVERLAPPED ov,
                                 LPTRANSMIT_FILE_BUFFERS buffers, DWORD flags);

/* DisconnectEx: half close, or, to reuse the socket, a fresh one below the same handle. */
int sw_disconnect(struct sw_sock *s, bool to_reuse);

#endif
