/* addr.h - addresses as tests write them. Behind cmocka's header.
 * Layer:   tests/unit. */
#ifndef ADDR_H
#define ADDR_H

#include "vb/vb.h"

static inline struct vb_addr addr(const char *text)
{
    struct vb_addr a;
    assert_true(vb_addr_parse(text, &a));
    return a;
}

#endif
