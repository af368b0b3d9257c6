/* vb_status.c - names and sentences of the status codes, made from the one list in vb_status.h. */
#include "vb/vb_status.h"

#define STATUS_NAME(name, text) #name,
#define STATUS_TEXT(name, text) text,
static const char *const names[] = {VB_STATUS_LIST(STATUS_NAME)};
static const char *const texts[] = {VB_STATUS_LIST(STATUS_TEXT)};

const char *vb_status_name(vb_status_t st)
{
    return (unsigned)st < VB_STATUS_COUNT ? names[st] : "VB_E_?";
}

const char *vb_status_text(vb_status_t st)
{
    return (unsigned)st < VB_STATUS_COUNT ? texts[st] : "not a status code";
}
