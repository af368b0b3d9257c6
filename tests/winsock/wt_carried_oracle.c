/* wt_carried_oracle.c - Windows' own Winsock: there is but TCP/IP. */
#include "wt.h"

const char *wt_san_address(void)
{
    return NULL;
}

void wt_check_carried(SOCKET s)
{
    (void)s;
}
