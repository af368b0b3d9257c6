/* bench_compare.h - wsdbench compare: hands over to scripts/bench_compare.sh, which runs everything side by
 * side.
 * Layer: bench. */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

/* Does not return when the script was found: it takes this process over. Otherwise an exit status, with the
 *                                            reason on stderr. */
int bench_compare(int argc, char *const argv[]);

#endif
