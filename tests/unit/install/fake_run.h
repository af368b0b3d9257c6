/* fake_run.h - one run of wsdinstall over a fake_system: words in, exit code and text out. For the tests of the program.
 * Include <setjmp.h>, <stdarg.h>, <stddef.h> and <cmocka.h> before. */
#ifndef FAKE_RUN_H
#define FAKE_RUN_H

#include <string.h>

#include "fake_system.h"

struct run {
    enum wsi_exit exit;
    char out[16384], err[4096];
};

static inline void read_back(FILE *f, char *text, size_t bytes)
{
    rewind(f);
    text[fread(text, 1, bytes - 1, f)] = 0;
    fclose(f);
}

/* Wine's tmpfile() picks a name that is free and then opens it; when another process was faster it fails. */
static inline FILE *temporary(void)
{
    FILE *f = tmpfile();
    for (unsigned i = 0; !f && i < 100; i++)
        f = tmpfile();
    return f;
}

/* One run of the program with these words, separated by spaces. */
static inline struct run run(struct fake *f, const char *line)
{
    static struct run r;
    char copy[512];
    const char *words[16];
    int count = 0;
    struct wsi_options o;
    struct wsi_error e = {0};
    memset(&r, 0, sizeof r);
    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
        words[count++] = w;
    FILE *out = temporary(), *err = temporary();
    assert_true(out && err);
    if (wsi_options_parse(&o, count, words, FAKE_DLL, FAKE_SWITCH, &e)) {
        r.exit = wsi_run(&f->sys, &o, out, err);
    } else {
        r.exit = e.exit;
        fputs(e.text, err);
    }
    read_back(out, r.out, sizeof r.out);
    read_back(err, r.err, sizeof r.err);
    return r;
}

static inline void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in:\n%s", part, text);
}

#endif
