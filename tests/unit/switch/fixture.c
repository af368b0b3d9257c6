/* fixture.c - see fixture.h. */
#include "fixture.h"

#include <string.h>

#include "pal/dll.h"

#define LIBRARIES_MAX 4

static struct pal_dll *libraries[LIBRARIES_MAX];
static unsigned library_count;

struct fake_control *fake_open(const char *path)
{
    char why[512];
    struct pal_dll *library = pal_dll_open(path, why, sizeof(why));
    fake_control_fn entry;
    struct fake_control *control;

    if (library == NULL)
        fail_msg("%s", why);
    assert_true(library_count < LIBRARIES_MAX);
    libraries[library_count++] = library;
    entry = (fake_control_fn)pal_dll_symbol(library, "fake_control");
    assert_non_null(entry);
    control = entry();
    memset(control, 0, sizeof(*control));
    return control;
}

void fake_close(void)
{
    while (library_count > 0)
        pal_dll_close(libraries[--library_count]);
}

struct sw_provider *load_fake(const char *path)
{
    struct sw_provider *p = NULL;
    char why[512];

    if (sw_load(path, NULL, &p, why, sizeof(why)) != 0)
        fail_msg("%s", why);
    return p;
}

void unload_clean(struct sw_provider *p)
{
    char text[4096];

    if (sw_unload(p, text, sizeof(text)) != 0)
        fail_msg("violations:\n%s", text);
}

void expect_violations(struct sw_provider *p, unsigned count, const char *part)
{
    char text[4096];
    unsigned found = sw_violations(p, text, sizeof(text));

    if (found != count || (count > 0 && strstr(text, part) == NULL))
        fail_msg("expected %u violations with \"%s\", found %u:\n%s", count, part, found, text);
    sw_violations_clear(p);
}

WSD_SOCKADDR_IN address(const char *text)
{
    WSD_SOCKADDR_IN a;

    assert_int_equal(sw_parse_address(text, &a), 0);
    return a;
}
