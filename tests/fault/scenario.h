/* scenario.h - everything a switch does with a provider, once: start, listen,
 * connect, accept, talk, move memory, move sockets, close, clean up. Stops at the first call that fails,
 * and then clears away as a switch would.
 * Layer:   tests, above switch_shim; one at a time. */
#ifndef FAULT_SCENARIO_H
#define FAULT_SCENARIO_H

#include "allowed.h"
#include "ct.h"
#include "usage.h"

struct scenario_result {
    bool is_complete;       /* every step succeeded */
    unsigned retried;       /* calls that failed and succeeded when made again */
    enum fault_call failed; /* the first call that failed for good, CALL_COUNT: none */
    int error;              /* and what it answered */
    uint64_t fired;         /* calls and deliveries that the plan hit */
    char fired_op[32];      /* the last of them */
    char complaint[1024];   /* what is wrong with the provider; empty: nothing */
};

/* retries: make a call that was refused a second time, since a failure must leave things as they were.
 * files: the process may have so many open; 0: as many as it may have anyway. */
void scenario_run(bool retries, unsigned files, struct scenario_result *out);
unsigned scenario_files(void); /* open before the first */
/* For the watchdog: which step is on. */
const char *scenario_step(void);
/* Once, before the first. */
void scenario_init(void);

#endif
