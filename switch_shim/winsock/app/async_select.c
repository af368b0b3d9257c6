/* async_select.c - network events as messages to a window, of which there are none here. Linux only. */
#include "app/app.h"

int WSAAPI WSAAsyncSelect(SOCKET s, HWND window, u_int message, long events)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    if (down == NULL)
        return SOCKET_ERROR;
    if (events != 0)
        return ws2_fail_behind_handle(s, WSAEINVAL);
    return ws2_answer(down->lpWSPAsyncSelect(s, window, message, 0, &code), &code);
}
