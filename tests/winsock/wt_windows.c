/* wt_windows.c - wt.h on Windows: there is but TCP/IP. */
#include "wt.h"

void wt_check_carried(SOCKET s)
{
    (void)s;
}
