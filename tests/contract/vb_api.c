/* vb_api.c - the table of vb_api.h, filled from whatever copy of verbs_backend this file is linked with. */
#include "vb_api.h"

const struct vb_api vb_api_linked = {
#define VB_API_ENTRY(name) .name = vb_##name,
    VB_API_LIST(VB_API_ENTRY)
#undef VB_API_ENTRY
};
