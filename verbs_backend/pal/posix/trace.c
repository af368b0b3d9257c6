/* trace.c - no listener of the system's kind here: the text of the log is what there is. */
#include "pal/trace.h"

void pal_trace_open(const uint8_t guid[16], const void *traits, uint16_t traits_bytes,
                    pal_trace_changed changed)
{
    (void)guid, (void)traits, (void)traits_bytes, (void)changed;
}

void pal_trace_close(void)
{
}

void pal_trace_write(unsigned level, const void *metadata, uint32_t metadata_bytes, const void *data,
                     uint32_t data_bytes)
{
    (void)level, (void)metadata, (void)metadata_bytes, (void)data, (void)data_bytes;
}
