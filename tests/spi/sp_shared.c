/* sp_shared.c - what a second process is told about a socket that others have, too (sp_process.c has the other commands). */
#include "sp.h"

/* --- the test's side --- */

void sp_lend(SOCKET s, struct second_process *p)
{
    char text[SP_INFO_TEXT];

    sp_ok(sp_give(s, p->pid, text));
    second_process_tell(p, "adopt %s", text);
}

void sp_shared_open(struct sp_shared *x)
{
    x->is_nonblocking = false;
    sp_process_start(&x->p, sp_env.is_san ? "on" : "off");
    sp_pair_open(&x->pair);
    sp_lend(x->pair.a, &x->p);
}

void sp_use_there(struct sp_shared *x)
{
    char byte = 0;

    second_process_tell(&x->p, "%ssendtext t", x->is_nonblocking ? "insist " : "");
    sp_recv_all(x->pair.b, &byte, 1);
    assert_int_equal(byte, 't');
}

void sp_use_here(struct sp_shared *x)
{
    char byte = 0;

    sp_send_all(x->pair.a, "h", 1);
    sp_recv_all(x->pair.b, &byte, 1);
    assert_int_equal(byte, 'h');
}

void sp_shared_close(struct sp_shared *x)
{
    if (x->pair.a != INVALID_SOCKET)
        sp_ok(sp_close(x->pair.a));
    x->pair.a = INVALID_SOCKET;
    second_process_tell(&x->p, "close");
    sp_expect_end(x->pair.b);
    sp_pair_close(&x->pair);
    second_process_end(&x->p);
}

/* --- operations that last from one command to another --- */

static struct sp_traffic mixed;
static struct sp_user user;
static struct {
    SOCKET s;
    char room[100];
    WSAOVERLAPPED ov;
} posted;

static int post(SOCKET s)
{
    WSABUF buffer = {sizeof(posted.room) - 1, posted.room};
    int error;

    memset(&posted, 0, sizeof(posted));
    posted.s = s;
    error = sp_recv_overlapped(s, &buffer, 1, 0, &posted.ov);
    return error == WSA_IO_PENDING ? 0 : error;
}

static int finish_posted(char *answer, size_t bytes)
{
    DWORD got = 0;
    int error = sp_finish(posted.s, &posted.ov, &got);

    posted.room[error == 0 ? got : 0] = '\0';
    snprintf(answer, bytes, "%s", posted.room);
    return error;
}

/* A receive that is over, and whose routine waits for an alertable wait. */
static unsigned routine_calls;

static void CALLBACK count_call(DWORD error, DWORD bytes, WSAOVERLAPPED *ov, DWORD flags)
{
    (void)error, (void)bytes, (void)ov, (void)flags;
    routine_calls++;
}

static int queue_routine(SOCKET s)
{
    const uint64_t end = sp_deadline();
    WSABUF buffer = {sizeof(posted.room) - 1, posted.room};
    int error;

    memset(&posted, 0, sizeof(posted));
    if (sw_thread_open(&sp.thread) != 0) /* for the rest of the process */
        return -1;
    error = sp_recv_routine(s, &buffer, &posted.ov, count_call);
    while ((error == 0 || error == WSA_IO_PENDING) && pal_now_ns() < end &&
           pal_word_load_acquire(&posted.ov.Internal) == WSS_OPERATION_IN_PROGRESS)
        suite_relax();
    return error == WSA_IO_PENDING ? 0 : error;
}

static int run_routines(char *answer, size_t bytes)
{
    (void)sw_alertable_wait(0);
    snprintf(answer, bytes, "%u", routine_calls);
    return 0;
}

static int be_user(const SOCKET slots[SP_SLOTS], const char *line)
{
    memset(&user, 0, sizeof(user));
    if (sscanf(line, "user %u %u %u %u %u", &user.sender, &user.seed, &user.ms, &user.count, &user.largest) !=
            5 ||
        user.count > SP_USED)
        return -3;
    memcpy(user.s, slots, user.count * sizeof(*slots));
    return sp_user_start(&user) ? 0 : -1;
}

static int list_numbers(char *answer, size_t bytes, int error, const uint64_t *a, const uint64_t *b)
{
    int at = 0;

    for (unsigned i = 0; i < user.count; i++)
        at += snprintf(answer + at, bytes - (size_t)at, "%llu %llu ", (unsigned long long)a[i],
                       (unsigned long long)b[i]);
    return error;
}

/* --- calls --- */

static int write_some(SOCKET s, unsigned seed, uint64_t at, unsigned bytes)
{
    char *data = malloc(bytes);
    DWORD sent = 0;
    int error;

    if (data == NULL)
        return -1;
    sp_fill(data, bytes, seed, at);
    error = sp_send(s, data, bytes, 0, &sent);
    free(data);
    return error != 0 ? error : sent == bytes ? 0 : -2;
}

static int names(SOCKET s, char *answer, size_t bytes)
{
    WSD_SOCKADDR_IN local, peer;
    char a[32], b[32];
    int error = sp_local(s, &local);

    if (error == 0)
        error = sp_peer(s, &peer);
    if (error == 0)
        snprintf(answer, bytes, "%s %s", sw_format_address(&local, a, sizeof(a)),
                 sw_format_address(&peer, b, sizeof(b)));
    return error;
}

static int number(char *answer, size_t bytes, int error, long value)
{
    snprintf(answer, bytes, "%ld", value);
    return error;
}

static int readable(SOCKET s, char *answer, size_t bytes)
{
    ULONG value = 0;
    int error = sp_ioctl(s, WS_FIONREAD, NULL, 0, &value, sizeof(value), NULL);

    return number(answer, bytes, error, (long)value);
}

static int get_option(SOCKET s, int level, int name, char *answer, size_t bytes)
{
    int value = 0;
    int error = sp_get_int(s, level, name, &value);

    return number(answer, bytes, error, value);
}

static int select_on(SOCKET s, unsigned which, unsigned ms, char *answer, size_t bytes)
{
    unsigned ready = 0;
    int error = sp_select(s, which, ms, &ready);

    return number(answer, bytes, error, (long)ready);
}

static int clean_up(char *answer, size_t bytes)
{
    unsigned violations = ws2_unload(sp.ws2, answer, bytes);

    sp.ws2 = NULL;
    return violations == 0 ? 0 : -2;
}

int sp_shared_obey(SOCKET slots[SP_SLOTS], SOCKET s, const char *line, char *answer, size_t bytes)
{
    unsigned a = 0, b = 0;
    unsigned long long at = 0;
    int level = 0, name = 0, value = 0;

    if (strncmp(line, "sendtext ", 9) == 0)
        return sp_send(s, line + 9, (DWORD)strlen(line + 9), 0, NULL);
    if (sscanf(line, "write %u %llu %u", &a, &at, &b) == 3)
        return write_some(s, a, at, b);
    if (sscanf(line, "mixed %u %llu %u", &a, &at, &b) == 3)
        return sp_mixed_send(s, a, at, b);
    if (sscanf(line, "mixedload %u %llu", &a, &at) == 2)
        return sp_mixed_start(&mixed, s, a, at);
    if (strcmp(line, "mixedloaded") == 0)
        return sp_traffic_finish(&mixed);
    if (strcmp(line, "post") == 0)
        return post(s);
    if (strcmp(line, "posted") == 0)
        return finish_posted(answer, bytes);
    if (strcmp(line, "routine") == 0)
        return queue_routine(s);
    if (strcmp(line, "alert") == 0)
        return run_routines(answer, bytes);
    if (sscanf(line, "nonblocking %u", &a) == 1)
        return sp_nonblocking(s, a != 0);
    if (strcmp(line, "readable") == 0)
        return readable(s, answer, bytes);
    if (strcmp(line, "names") == 0)
        return names(s, answer, bytes);
    if (sscanf(line, "setint %d %d %d", &level, &name, &value) == 3)
        return sp_set_int(s, level, name, value);
    if (sscanf(line, "getint %d %d", &level, &name) == 2)
        return get_option(s, level, name, answer, bytes);
    if (sscanf(line, "select %u %u", &a, &b) == 2)
        return select_on(s, a, b, answer, bytes);
    if (strcmp(line, "cleanup") == 0)
        return clean_up(answer, bytes);
    if (strncmp(line, "user ", 5) == 0)
        return be_user(slots, line);
    if (strcmp(line, "sent") == 0)
        return list_numbers(answer, bytes, sp_user_sent(&user), user.sent, user.sent);
    if (strcmp(line, "received") == 0)
        return list_numbers(answer, bytes, sp_user_received(&user), user.got, user.weight);
    return -3;
}
