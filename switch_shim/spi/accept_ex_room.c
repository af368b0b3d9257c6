/* accept_ex_room.c - the addresses in the buffer of AcceptEx, behind the received data: room for the local and the remote one, each behind a
 * head of 16 bytes that says how long it is. Only GetAcceptExSockaddrs reads that, so the form is our choice.
 * Alone in its file: who plays Ws2_32 over the switch as a library links this and no second switch. */
#include <string.h>

#include "spi/accept_ex_room.h"
#include "spi/extensions.h"

#define HEAD 16u

void sw_accept_ex_put(char *room, DWORD room_bytes, const WSD_SOCKADDR_STORAGE *address, int bytes)
{
    INT fits = room_bytes < HEAD ? 0 : (INT)(room_bytes - HEAD);

    if (room_bytes < HEAD)
        return;
    fits = bytes < fits ? bytes : fits;
    memset(room, 0, HEAD);
    memcpy(room, &fits, sizeof(fits));
    memcpy(room + HEAD, address, (size_t)fits);
}

/* The caller's lengths may be others than those of AcceptEx: then it is no head that is read here. */
static void get_address(char *room, DWORD room_bytes, WSD_SOCKADDR **out, LPINT bytes)
{
    const bool has_room = room != NULL && room_bytes >= HEAD;
    INT used = 0;

    if (has_room)
        memcpy(&used, room, sizeof(used));
    if (used < 0 || (has_room && (DWORD)used > room_bytes - HEAD))
        used = 0;
    if (out != NULL)
        *out = has_room ? (void *)(room + HEAD) : NULL;
    if (bytes != NULL)
        *bytes = used;
}

void WSPAPI sw_spi_get_accept_ex_sockaddrs(PVOID buffer, DWORD receive_bytes, DWORD local_bytes,
                                           DWORD remote_bytes, WSD_SOCKADDR **local, LPINT local_used,
                                           WSD_SOCKADDR **remote, LPINT remote_used)
{
    char *room = buffer;

    get_address(room != NULL ? room + receive_bytes : NULL, local_bytes, local, local_used);
    get_address(room != NULL ? room + receive_bytes + local_bytes : NULL, remote_bytes, remote, remote_used);
}
