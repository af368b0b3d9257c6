/* pal/file.h - a text file that several processes append lines to.
 * Layer:   platform. Used for the log and the trace of calls. */
#ifndef PAL_FILE_H
#define PAL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Open `path` for appending, made when it is not there; the stream is text and fully buffered. Every "%p" in it stands for this process's
 * number, so that processes with one environment can have a file each.
 * What is flushed goes to the end in one piece, also while other processes append: POSIX O_APPEND, Windows FILE_APPEND_DATA. (Wine 8
 * looks for the end first and writes then: there, of several processes at one file, one's lines take the place of another's. Use %p.)
 * NULL, with errno: ENAMETOOLONG: over 1,023 bytes; otherwise why the system refused. Any thread. */
FILE *pal_append_open(const char *path);

/* The name that pal_append_open() opens: false when it has no room. For the platform's own files. */
bool pal_append_name(const char *path, char *out, size_t room);

#endif
