/* provider_headers.c - the interface headers alone, as the author of another provider uses them. */
#include <wsd/provider.h>

int main(void)
{
    const LPWSPSTARTUPEX entry = NULL;

    return entry == NULL && sizeof(WSPPROC_TABLE) == 30 * sizeof(void *) ? 0 : 1;
}
