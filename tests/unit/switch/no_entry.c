/* no_entry.c - a library that is no provider: it exports no WSPStartupEx. */
#include "wsd/provider.h"

WSD_EXPORT int not_a_provider(void);
int not_a_provider(void)
{
    return 0;
}
