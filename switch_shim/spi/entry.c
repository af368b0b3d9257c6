/* entry.c - WSPStartup, alone in its file: a program that links this library and another provider statically gets only what it names. */
#include "spi/startup.h"
#include "sw/switch.h"

int WSPAPI WSPStartup(WORD version, LPWSPDATA data, LPWSAPROTOCOL_INFOW info, WSPUPCALLTABLE upcalls,
                      LPWSPPROC_TABLE table)
{
    return sw_spi_startup(version, data, info, &upcalls, table);
}
