/* usage.h - what this process holds of the machine, to compare before and after.
 * Layer:   tests; shared by stress/ and fault/. Any thread. */
#ifndef STRESS_USAGE_H
#define STRESS_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prov_loop_api;

struct usage {
    size_t resident_bytes; /* of the process; 0 under sanitizers, whose own memory grows by design */
    size_t heap_bytes;     /* allocated and not freed, exactly */
    unsigned fds, threads;
    unsigned records;      /* of moved sockets, in the shared-memory file system (pal/process.h) */
    unsigned loop_objects; /* alive in the loop backend; 0 on devices */
    unsigned loop_violations;
};

/* Load and unload the provider once: librdmacm opens every device at its first use and keeps it, with its files and
 * memory, until the process ends. What we hold must be gone after every unload. 0, or the program's exit status when
 * it cannot be loaded (77: no device; the reason was printed). */
int usage_warm_libraries(void);
/* loop: NULL on devices. */
void usage_take(const struct prov_loop_api *loop, struct usage *out);
void usage_print(const char *when, const struct usage *u);
/* Loop objects, threads, fds and records are back at `before` (heap and resident set are not looked at);
 * waits, since tear-down goes on in the background. Prints what is left. */
bool usage_back_at(const struct prov_loop_api *loop, const struct usage *before, uint32_t wait_ms);

#endif
