/* prov_loop.c - makes the test-only provider module: the whole provider, the loop backend inside it, and one more export. */
#include "prov_loop.h"

#include <stdio.h>
#include <stdlib.h>

#include "wsd/provider.h"

static const struct prov_loop_api api = {
    .vb = &vb_api_linked,
    .get_config = loop_get_config,
    .set_config = loop_set_config,
    .config_iwarp = loop_config_iwarp,
    .reset = loop_reset,
    .cut = loop_cut,
    .set_device_present = loop_set_device_present,
    .set_address_present = loop_set_address_present,
    .get_counts = loop_get_counts,
    .nothing_alive = loop_nothing_alive,
    .fault_set = vb_fault_set,
    .fault_clear = vb_fault_clear,
    .fault_calls = vb_fault_calls,
    .fault_fired = vb_fault_fired,
    .fault_fired_last = vb_fault_fired_last,
};

WSD_EXPORT prov_loop_api_fn prov_loop_api;

const struct prov_loop_api *prov_loop_api(void)
{
    return &api;
}

__attribute__((constructor)) static void make_loop_known(void)
{
    if (loop_backend_register() != VB_OK) {
        fprintf(stderr, "prov_loop: the loop backend cannot be registered\n");
        abort();
    }
}
