/* trace_line.c - see trace_line.h; what a line looks like is shown in hook_trace.c. */
#include "hook/trace_line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "pal/thread.h"
#include "pal/time.h"

static const char *const kind_names[KIND_COUNT] = {
    "dev", "pd", "mr", "mw", "cq", "qp", "cm", "listener", "conn",
};

void vb_line_begin(struct line *l, struct trace *t, const char *op)
{
    l->trace = t;
    l->op = op;
    l->at = 0;
    l->text[0] = 0;
    l->start_ns = pal_now_ns();
}

void vb_line_add(struct line *l, const char *format, ...)
{
    va_list args;
    if (l->at >= sizeof l->text - 1)
        return; /* full: the end of a long chain is cut off */
    va_start(args, format);
    /* clang-tidy 14 forgets the va_start when it looked at another file before. */
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
    int length = vsnprintf(l->text + l->at, sizeof l->text - l->at, format, args);
    va_end(args);
    if (length > 0)
        l->at += (size_t)length;
}

void vb_line_object(struct line *l, enum trace_kind kind, const void *object)
{
    struct trace *t = l->trace;
    pal_mutex_lock(&t->lock);
    struct named *n = (struct named *)object_map_find(&t->names, object);
    unsigned number = n && n->kind == kind ? n->number : 0;
    pal_mutex_unlock(&t->lock);
    if (number > 0)
        vb_line_add(l, " %s=%u", kind_names[kind], number);
    else
        vb_line_add(l, " %s=%p", kind_names[kind], object);
}

void vb_line_new(struct line *l, enum trace_kind kind, const void *object)
{
    struct trace *t = l->trace;
    pal_mutex_lock(&t->lock);
    struct named *n = (struct named *)object_map_find(&t->names, object);
    bool is_known = n && n->kind == kind && kind == DEV;
    if (!n) {
        n = calloc(1, sizeof *n);
        if (n)
            object_map_add(&t->names, &n->node, object);
    }
    if (n && !is_known) {
        n->kind = kind;
        n->number = ++t->last_number[kind];
    }
    pal_mutex_unlock(&t->lock);
    vb_line_object(l, kind, object);
}

void vb_line_last(struct line *l, enum trace_kind kind, const void *object)
{
    struct trace *t = l->trace;
    vb_line_object(l, kind, object);
    pal_mutex_lock(&t->lock);
    struct object_node *n = object_map_remove(&t->names, object);
    pal_mutex_unlock(&t->lock);
    free(n);
}

void vb_line_addr(struct line *l, const char *what, const struct vb_addr *a)
{
    char text[VB_ADDR_TEXT_BYTES];
    vb_line_add(l, " %s=%s", what, vb_addr_text(a, text));
}

/* " access=LRWB": local write, remote read, remote write, windows. */
void vb_line_access(struct line *l, uint32_t access)
{
    vb_line_add(l, " access=%s%s%s%s", access & VB_ACCESS_LOCAL_WRITE ? "L" : "",
                access & VB_ACCESS_REMOTE_READ ? "R" : "", access & VB_ACCESS_REMOTE_WRITE ? "W" : "",
                access & VB_ACCESS_WINDOW ? "B" : "");
}

uint64_t vb_line_sge_bytes(const struct vb_sge *sge, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += sge[i].bytes;
    return bytes;
}

void vb_line_send_wr(struct line *l, const struct vb_send_wr *wr)
{
    static const char *const ops[] = {"SEND", "WRITE", "READ", "BIND", "INVALIDATE"};
    vb_line_add(l, " [%s id=0x%llx", wr->op <= VB_WR_INVALIDATE ? ops[wr->op] : "?",
                (unsigned long long)wr->id);
    switch (wr->op) {
    case VB_WR_WRITE:
    case VB_WR_READ:
        vb_line_add(l, " raddr=0x%llx rkey=0x%x", (unsigned long long)wr->u.rdma.remote_addr,
                    wr->u.rdma.rkey);
        break;
    case VB_WR_BIND:
        vb_line_object(l, MW, wr->u.bind.mw);
        vb_line_object(l, MR, wr->u.bind.mr);
        vb_line_add(l, " addr=0x%llx bytes=%llu", (unsigned long long)wr->u.bind.addr,
                    (unsigned long long)wr->u.bind.bytes);
        vb_line_access(l, wr->u.bind.access);
        break;
    case VB_WR_INVALIDATE: vb_line_object(l, MW, wr->u.invalidate); break;
    default: break;
    }
    if (wr->op <= VB_WR_READ)
        vb_line_add(l, " bytes=%llu sge=%u", (unsigned long long)vb_line_sge_bytes(wr->sge, wr->sge_count),
                    wr->sge_count);
    vb_line_add(l, " flags=%s%s%s%s]", wr->flags & VB_WR_SIGNALED ? "S" : "",
                wr->flags & VB_WR_FENCE ? "F" : "", wr->flags & VB_WR_INLINE ? "I" : "",
                wr->flags & VB_WR_SOLICITED ? "E" : "");
}

void vb_line_wc(struct line *l, const struct vb_wc *wc)
{
    static const char *const ops[] = {"SEND", "RECV", "WRITE", "READ", "BIND", "INVALIDATE"};
    vb_line_add(l, " [id=0x%llx %s", (unsigned long long)wc->id, vb_status_name(wc->status));
    if (wc->status == VB_OK) /* op and bytes mean nothing otherwise */
        vb_line_add(l, " %s", wc->op <= VB_WC_INVALIDATE ? ops[wc->op] : "?");
    if (wc->status == VB_OK && wc->op == VB_WC_RECV)
        vb_line_add(l, " bytes=%u", wc->bytes);
    vb_line_add(l, "]");
}

static void print(struct line *l, const char *status)
{
    int saved = errno; /* whoever called the operation may still want it */
    uint64_t now_ns = pal_now_ns();
    /* One call, so that stdio's own lock keeps the line in one piece. */
    fprintf(l->trace->out, "vb t=%llu.%06u thr=%llu op=%s%s%s%s us=%llu\n",
            (unsigned long long)(now_ns / 1000000000u), (unsigned)(now_ns % 1000000000u / 1000u),
            (unsigned long long)pal_thread_id(), l->op, l->text, status ? " status=" : "",
            status ? status : "", (unsigned long long)((now_ns - l->start_ns) / 1000u));
    errno = saved;
}

vb_status_t vb_line_finish(struct line *l, vb_status_t st)
{
    print(l, vb_status_name(st));
    return st;
}

void vb_line_finish_void(struct line *l)
{
    print(l, NULL);
}
