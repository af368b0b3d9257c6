/* prov_loop.h - what the test-only provider module adds to the product: the levers of the loop backend inside it.
 * Layer:   tests. Found with dlsym("prov_loop_api"); the product exports nothing of the kind. */
#ifndef PROV_LOOP_H
#define PROV_LOOP_H

#include "loop_backend.h"
#include "vb/vb_fault.h"
#include "vb_api.h"

struct prov_loop_api {
    const struct vb_api *vb;
    void (*get_config)(struct loop_config *out);
    void (*set_config)(const struct loop_config *c);
    void (*config_iwarp)(struct loop_config *c);
    void (*reset)(void);
    unsigned (*cut)(uint16_t port, enum loop_cut_how how);
    void (*set_device_present)(bool present);
    void (*set_address_present)(const char *ip, bool present);
    void (*get_counts)(struct loop_counts *out);
    bool (*nothing_alive)(void);
    vb_status_t (*fault_set)(const char *plan, char *why, size_t why_bytes);
    void (*fault_clear)(void);
    uint64_t (*fault_calls)(const char *op);
    uint64_t (*fault_fired)(void);
    const char *(*fault_fired_last)(void);
};

typedef const struct prov_loop_api *prov_loop_api_fn(void);

#endif
