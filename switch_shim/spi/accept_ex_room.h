/* accept_ex_room.h - writing an address into the buffer of AcceptEx.
 * Layer: switch_shim/spi, private. */
#ifndef SW_SPI_ACCEPT_EX_ROOM_H
#define SW_SPI_ACCEPT_EX_ROOM_H

#include "wsd/ws2_types.h"

/* As much of it as there is room for; nothing in a room of less than 16 bytes. */
void sw_accept_ex_put(char *room, DWORD room_bytes, const WSD_SOCKADDR_STORAGE *address, int bytes);

#endif
