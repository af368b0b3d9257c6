/* records.h - what a socket is for another process: two records of pal/process.h under one number, the head of a size that both know, and
 * the text, whose size the head tells.
 * Layer:   switch_shim/spi, private.
 * Threads: any; no lock may be held. */
#ifndef SW_SPI_RECORDS_H
#define SW_SPI_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sw_record {
    void *head, *text;
    size_t head_bytes, text_bytes;
};

/* Under a fresh number, never 0. False: no room. `stays`: it does not go with WSPCleanup, for what it describes has been given for good. */
bool sw_records_put(const struct sw_record *r, bool stays, uint32_t *id);
/* A look at the head; then the head, once for all processes; then the text. */
bool sw_records_peek(uint32_t id, const struct sw_record *r);
bool sw_records_take_head(uint32_t id, const struct sw_record *r);
bool sw_records_take_text(uint32_t id, const struct sw_record *r);
void sw_records_drop(void);  /* WSPCleanup */
void sw_records_sweep(void); /* the first WSPStartup: what killed processes have left */

#endif
