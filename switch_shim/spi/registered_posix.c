/* registered_posix.c - no registry, no catalog: WSD_PROVIDER, or the file beside this library (providers.c). */
#include "spi/registered.h"

unsigned sw_registered_here(char (*out)[SW_REGISTERED_PATH_BYTES], unsigned max)
{
    (void)out;
    (void)max;
    return 0;
}
