/* sp_record.h - see sp_record.c. */
#ifndef SP_RECORD_H
#define SP_RECORD_H

#include <stdbool.h>

#include "wsd/ws2_types.h"

#define SP_FUNCTIONS 30u

/* A table that calls `procs` and writes down the codes of calls that fail. Any thread. */
const WSPPROC_TABLE *sp_record(const WSPPROC_TABLE *procs);
/* function: its place in the table of contract 10.1. */
bool sp_has_answered(unsigned function, int code);

#endif
