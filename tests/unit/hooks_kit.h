/* hooks_kit.h - what the tests of the hooks share: everything from a backend with hooks to a bound connection.
 * Layer:   tests/unit. */
#ifndef HOOKS_KIT_H
#define HOOKS_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "addr.h"
#include "fake_backend.h"
#include "pal/atomic.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "vb/vb_fault.h"

#define MS       1000000u
#define PATIENCE 20000 /* ms */

struct stack {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct vb_cq *cq;
    struct vb_qp *qp;
    struct vb_cm *cm;
    struct vb_conn *conn;
};

void plan(const char *text);
vb_status_t try_build(struct stack *s, const char *spec);
void tear_down(struct stack *s);
int setup(void **state);
int teardown(void **state);

#endif
