/* rules.h - what the tests of the rules share: one pair of sessions, operations, memory. */
#ifndef SESSION_RULES_H
#define SESSION_RULES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pair.h"

#define BIG     20000u
#define PAYLOAD 216u /* of a message of 256 bytes */

extern struct pair p;
extern struct pair_op ops[64];
extern uint8_t out[BIG], in[BIG];

/* Everything anew, with settings for both sides to be changed; then pair_open() and pair_start(). */
void prepare(struct sw_session_config c[2]);
/* All of it with the usual settings. */
void open_pair(void);
int end_pair(void **state);
void act(void);
uint64_t receive_now(unsigned side, uint32_t bytes, int expected);
struct sw_session_stats stats(unsigned side);
unsigned data_messages(unsigned side);

#endif
