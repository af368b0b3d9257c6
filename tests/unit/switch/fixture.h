/* fixture.h - what the switch tests share: the fake provider, loaded and steered, and judgements about
 * violations. */
#ifndef SWITCH_FIXTURE_H
#define SWITCH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_provider.h"
#include "sw/switch.h"

#define SOON_MS  5000 /* deadline of what must happen */
#define NEVER_MS 50   /* how long a test waits for what must not happen */

/* The control block of a fake provider library, all zero; the library stays open until fake_close(). */
struct fake_control *fake_open(const char *path);
void fake_close(void);

struct sw_provider *load_fake(const char *path); /* asserts success */
void unload_clean(struct sw_provider *p);        /* asserts that there were no violations */
/* Asserts that exactly `count` violations are recorded and that the text of one contains `part`; then forgets
 * them. */
void expect_violations(struct sw_provider *p, unsigned count, const char *part);

WSD_SOCKADDR_IN address(const char *text);

#endif
