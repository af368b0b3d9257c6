/* posix_on_windows.h - the POSIX calls that tests make, as far as Windows can do what they mean.
 * Layer:   tests; put before every source file of a test by the compiler (cmocka.cmake), on Windows only, so that one test
 *          source serves both systems. The product has its platform layer (verbs_backend/pal) and none of this.
 * Names:   the headers beside this one stand for the system headers that mingw-w64 lacks; each includes this file.
 * Missing: fork, which fails here: a test that needs it says so in CMake and is left out. Limits of resources: who asks
 * for one is skipped. */
#ifndef POSIX_ON_WINDOWS_H
#define POSIX_ON_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

/* ---- environment, files, time ---- */

int setenv(const char *name, const char *value, int overwrite);
int unsetenv(const char *name);
char *posix_getenv(const char *name); /* what it returns lasts when another variable is set, as in POSIX */
#define getenv posix_getenv
ssize_t readlink(const char *path, char *out, size_t out_bytes); /* "/proc/self/exe" alone */
char *realpath(const char *path, char *out);                     /* out is NULL */
enum { _SC_PAGESIZE = 1 };
long sysconf(int name);
int pipe(int fds[2]);
int posix_mkstemp(char *path);
int posix_clock_gettime(int clock,
                        struct timespec *out); /* processor time of the process or the thread, and no other */
#define clock_gettime posix_clock_gettime
#define mkstemp       posix_mkstemp /* that of mingw-w64 keeps others from opening the file */

/* Counting what a process has: /proc/self/fd (its handles) and /proc/self/task (its threads) look like directories. */
#include <dirent.h>
struct posix_dir;
struct posix_dir *posix_opendir(const char *path);
struct dirent *posix_readdir(struct posix_dir *d);
int posix_closedir(struct posix_dir *d);
#define DIR      struct posix_dir
#define opendir  posix_opendir
#define readdir  posix_readdir
#define closedir posix_closedir

typedef unsigned long rlim_t;
struct rlimit {
    rlim_t rlim_cur, rlim_max;
};
enum { RLIMIT_NOFILE = 7 };
int getrlimit(int what, struct rlimit *out); /* skips the test */
int setrlimit(int what, const struct rlimit *limit);

/* ---- memory ---- */

enum { PROT_NONE = 0, PROT_READ = 1, PROT_WRITE = 2 };
enum { MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_FIXED = 16, MAP_ANONYMOUS = 32 };
#define MAP_FAILED ((void *)-1)
void *mmap(void *at, size_t bytes, int prot, int flags, int fd, long long offset);
int munmap(void *at, size_t bytes);
int mprotect(void *at, size_t bytes, int prot);

/* ---- libraries ---- */

enum { RTLD_LOCAL = 0, RTLD_NOW = 2, RTLD_NOLOAD = 4 };
void *dlopen(const char *path, int flags);
void *dlsym(void *library, const char *name);
int dlclose(void *library);
const char *dlerror(void);

/* ---- signals, as far as tests use them: an alarm that ends the test, and ending or stopping a process ---- */

enum { SIGKILL = 9, SIGPIPE = 13, SIGALRM = 14, SIGCONT = 18, SIGSTOP = 19 };
struct sigaction {
    void (*sa_handler)(int);
};
int sigaction(int signal_number, const struct sigaction *action,
              struct sigaction *before); /* SIGALRM alone */
unsigned alarm(unsigned seconds);        /* the handler runs in a thread of its own */
int kill(pid_t pid, int signal_number);
/* Wine 8: when a process was killed, its server mostly closes what it had, but may keep a socket that then nobody has, for as long
 * as it lives; whichever way it was killed. Windows closes them all. */
bool posix_is_wine(void);
#define POSIX_KILL_KEEPS_SOCKETS posix_is_wine()
pid_t fork(void);
enum { PR_SET_PDEATHSIG = 1, PR_SET_PTRACER = 0x59616d61, PR_SET_PTRACER_ANY = -1 };
int prctl(int what, ...); /* PR_SET_PDEATHSIG: a child is in its parent's job, which ends with it */

/* ---- processes ---- */

typedef struct {
    int from[3]; /* descriptors of ours that become 0, 1, 2; -1: its own */
} posix_spawn_file_actions_t;
int posix_spawn_file_actions_init(posix_spawn_file_actions_t *a);
int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *a, int fd, int as);
int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *a, int fd); /* nothing else is inherited */
int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *a);
int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *a, const void *attributes,
                char *const argv[], char *const environment[]);

enum { WNOHANG = 1, WUNTRACED = 2 };
pid_t waitpid(pid_t pid, int *status, int options);
/* a status is 0x100 times the exit code, or 9 when it was killed, or 0x7f when it was stopped */
#define WIFEXITED(status)   (((status)&0xff) == 0)
#define WEXITSTATUS(status) (((status) >> 8) & 0xff)
#define WIFSIGNALED(status) (((status)&0xff) == 9)
#define WTERMSIG(status)    ((status)&0xff)
#define WIFSTOPPED(status)  ((status) == 0x7f)

#endif
