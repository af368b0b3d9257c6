/* trace_line.h - one line of the tracing hook in the making, and the small numbers under which objects appear in it.
 * Layer:   verbs_backend/hook. Threads: a line belongs to the operation that writes it; the names are shared and locked. */
#ifndef VB_TRACE_LINE_H
#define VB_TRACE_LINE_H

#include <stdio.h>

#include "hook/object_map.h"
#include "pal/compiler.h"
#include "pal/mutex.h"
#include "vb_ops.h"

#define LINE_BYTES 640

enum trace_kind { DEV, PD, MR, MW, CQ, QP, CM, LISTENER, CONN, KIND_COUNT };

struct named {
    struct object_node node;
    enum trace_kind kind;
    unsigned number;
};

struct trace {
    struct vb_hook_table table;
    FILE *out;
    struct pal_mutex lock; /* guards names and last_number */
    struct object_map names;
    unsigned last_number[KIND_COUNT];
};

/* A line in the making; lives on the stack of the operation. */
struct line {
    struct trace *trace;
    const char *op;
    uint64_t start_ns;
    size_t at;
    char text[LINE_BYTES];
};

void vb_line_begin(struct line *l, struct trace *t, const char *op);
PAL_PRINTF(2, 3) void vb_line_add(struct line *l, const char *format, ...); /* what is too long is cut off */
void vb_line_object(struct line *l, enum trace_kind kind, const void *object);
/* Number a new object. A device that is opened again keeps its number. */
void vb_line_new(struct line *l, enum trace_kind kind, const void *object);
/* Name an object for the last time; before the inner destroy. */
void vb_line_last(struct line *l, enum trace_kind kind, const void *object);
void vb_line_addr(struct line *l, const char *what, const struct vb_addr *a);
void vb_line_access(struct line *l, uint32_t access);
uint64_t vb_line_sge_bytes(const struct vb_sge *sge, uint32_t count); /* all of it together */
void vb_line_send_wr(struct line *l, const struct vb_send_wr *wr);
void vb_line_wc(struct line *l, const struct vb_wc *wc);
/* Print it; answers st. errno stays. */
vb_status_t vb_line_finish(struct line *l, vb_status_t st);
void vb_line_finish_void(struct line *l);

#endif
