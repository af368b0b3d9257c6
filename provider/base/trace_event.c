/* trace_event.c - see trace_event.h. */
#include "base/trace_event.h"

#include <stdio.h>
#include <string.h>

/* TDH_IN_TYPE and TDH_OUT_TYPE. */
enum type {
    TYPE_TEXT = 2,
    TYPE_INT32 = 7,
    TYPE_UINT32 = 8,
    TYPE_UINT64 = 10,
    TYPE_HEX32 = 20,
    TYPE_HEX64 = 21,
    TYPE_NONE = 0
};
#define SHOWN_AS 0x80
#define UTF8     35

/* {99C5824A-058F-5862-14A8-E903F7FDBF0F}: made from the name as tools do that take "*OpenWSD.Provider" (SHA-1 of a fixed
 * identifier and the name in capitals, UTF-16 big-endian; version 5 of RFC 4122). */
const uint8_t wsd_trace_guid[16] = {0x4A, 0x82, 0xC5, 0x99, 0x8F, 0x05, 0x62, 0x58,
                                    0x14, 0xA8, 0xE9, 0x03, 0xF7, 0xFD, 0xBF, 0x0F};
const uint8_t wsd_trace_traits[19] = {19,  0,   'O', 'p', 'e', 'n', 'W', 'S', 'D', '.',
                                      'P', 'r', 'o', 'v', 'i', 'd', 'e', 'r', 0};

/* One key=value of a format. */
struct token {
    const char *key, *value; /* into the format */
    size_t key_bytes, value_bytes;
};

/* Behind the value; NULL: not of the form. */
static const char *next_token(const char *at, struct token *t)
{
    t->key = at;
    t->key_bytes = strcspn(at, "= ");
    if (t->key_bytes == 0 || at[t->key_bytes] != '=')
        return NULL;
    at += t->key_bytes + 1;
    char close = *at == '"' ? '"' : *at == '[' ? ']' : 0;
    if (close) {
        const char *end = strchr(++at, close);
        if (!end)
            return NULL;
        t->value = at;
        t->value_bytes = (size_t)(end - at);
        at = end + 1;
    } else {
        t->value = at;
        t->value_bytes = strcspn(at, " ");
        at += t->value_bytes;
    }
    if (*at == ' ')
        return at[1] ? at + 1 : NULL;
    return *at ? NULL : at;
}

static bool key_is_event(const struct token *t)
{
    return t->key_bytes == 5 && memcmp(t->key, "event", 5) == 0;
}

static bool put(uint8_t *to, uint32_t *at, uint32_t room, const void *bytes, size_t count)
{
    if (count > room - *at)
        return false;
    memcpy(to + *at, bytes, count);
    *at += (uint32_t)count;
    return true;
}

static bool put_meta(struct wsd_trace_event *e, const void *bytes, size_t count)
{
    return put(e->meta, &e->meta_bytes, sizeof e->meta, bytes, count);
}

static bool put_data(struct wsd_trace_event *e, const void *bytes, size_t count)
{
    return put(e->data, &e->data_bytes, sizeof e->data, bytes, count);
}

/* With its terminator; cut between two characters of UTF-8 when it is too long. */
static bool put_text(struct wsd_trace_event *e, const char *text, size_t bytes)
{
    size_t room = sizeof e->data - e->data_bytes;
    if (room == 0)
        return false;
    if (bytes > room - 1)
        for (bytes = room - 1; bytes > 0 && ((unsigned char)text[bytes] & 0xC0) == 0x80;)
            bytes--;
    return put_data(e, text, bytes) && put_data(e, "", 1);
}

static bool put_field(struct wsd_trace_event *e, const char *name, size_t bytes, enum type type)
{
    uint8_t kind[2] = {(uint8_t)type, UTF8};
    if (type == TYPE_TEXT)
        kind[0] |= SHOWN_AS;
    return put_meta(e, name, bytes) && put_meta(e, "", 1) && put_meta(e, kind, type == TYPE_TEXT ? 2 : 1);
}

static bool begin(struct wsd_trace_event *e, const char *name, size_t bytes)
{
    e->data_bytes = 0;
    e->meta_bytes = 0;
    return put_meta(e, "\0\0\0", 3) && put_meta(e, name, bytes) &&
           put_meta(e, "", 1); /* length: end(); no tags */
}

static void end(struct wsd_trace_event *e)
{
    e->meta[0] = (uint8_t)e->meta_bytes;
    e->meta[1] = (uint8_t)(e->meta_bytes >> 8);
}

/* The type that a value is, when it is one conversion and nothing else. */
static enum type conversion(const struct token *t)
{
    const char *at = t->value + 1;
    size_t n = t->value_bytes - 1, length_bytes = 0; /* of the integer; 0: int */
    if (t->value_bytes < 2 || t->value[0] != '%')
        return TYPE_NONE;
    if (n == 3 && strncmp(at, "ll", 2) == 0)
        length_bytes = sizeof(long long), at += 2;
    else if (n == 4 && strncmp(at, "I64", 3) == 0)
        length_bytes = sizeof(uint64_t), at += 3;
    else if (n == 2 && *at == 'l')
        length_bytes = sizeof(long), at += 1;
    else if (n != 1)
        return TYPE_NONE;
    bool is_long = length_bytes == 8;
    switch (*at) {
    case 's': return length_bytes ? TYPE_NONE : TYPE_TEXT;
    case 'd': return length_bytes ? TYPE_NONE : TYPE_INT32;
    case 'u': return is_long ? TYPE_UINT64 : TYPE_UINT32;
    case 'x': return is_long ? TYPE_HEX64 : TYPE_HEX32;
    }
    return TYPE_NONE;
}

struct arguments {
    va_list list; /* in a structure, because a va_list that is a parameter may be an array */
};

static bool put_argument(struct wsd_trace_event *e, enum type type, struct arguments *a)
{
    if (type == TYPE_TEXT) {
        const char *text = va_arg(a->list, const char *);
        return put_text(e, text ? text : "", text ? strlen(text) : 0);
    }
    if (type == TYPE_UINT64 || type == TYPE_HEX64) {
        uint64_t v = va_arg(a->list, uint64_t);
        return put_data(e, &v, sizeof v);
    }
    uint32_t v = va_arg(a->list, unsigned); /* int is taken the same way */
    return put_data(e, &v, sizeof v);
}

static bool put_value(struct wsd_trace_event *e, const struct token *t, struct arguments *a)
{
    enum type type = conversion(t);
    if (type != TYPE_NONE)
        return put_field(e, t->key, t->key_bytes, type) && put_argument(e, type, a);
    if (memchr(t->value, '%', t->value_bytes))
        return false;
    return put_field(e, t->key, t->key_bytes, TYPE_TEXT) && put_text(e, t->value, t->value_bytes);
}

/* The name comes first in the metadata and may stand anywhere in the format. */
static bool find_name(const char *format, struct token *name)
{
    struct token t;
    bool found = false;
    for (const char *at = format; *at;) {
        at = next_token(at, &t);
        if (!at)
            return false;
        if (!key_is_event(&t))
            continue;
        if (found || t.value_bytes == 0 || memchr(t.value, '%', t.value_bytes))
            return false;
        *name = t;
        found = true;
    }
    return found;
}

bool wsd_trace_encode(struct wsd_trace_event *e, const char *format, va_list args)
{
    struct token name = {NULL, NULL, 0, 0}, t;
    struct arguments a;
    if (!find_name(format, &name) || !begin(e, name.value, name.value_bytes))
        return false;
    va_copy(a.list, args);
    bool ok = true;
    for (const char *at = format; ok && *at;) {
        at = next_token(at, &t);
        ok = at && (key_is_event(&t) || put_value(e, &t, &a));
    }
    va_end(a.list);
    end(e);
    return ok;
}

void wsd_trace_encode_text(struct wsd_trace_event *e, const char *name, const char *field, const char *text)
{
    if (begin(e, name, strlen(name)) && put_field(e, field, strlen(field), TYPE_TEXT))
        (void)put_text(e, text, strlen(text));
    end(e);
}
