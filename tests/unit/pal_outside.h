/* pal_outside.h - the part of test_pal that looks at the platform layer from outside, in each system's own way. */
#ifndef PAL_OUTSIDE_H
#define PAL_OUTSIDE_H

const char *fresh_name(char out[49]); /* a record name of this run */

extern const char *const pal_library_with_cos;
int pal_outside_run(void);                    /* number of failed tests */
int pal_outside_child(int argc, char **argv); /* the program was started by one of these tests */

#endif
