/* sp_process.c - a second process: this very program with --role, told what to do over a pipe. One command a line, one answer a line:
 * "ok ..." or what went wrong. It has one listener and one connection. */
#include "sp.h"
#include "sp_raw.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the test's side --- */

void sp_process_start(struct second_process *p, const char *mode)
{
    char address[32];
    WSD_SOCKADDR_IN here = sp_env.here;
    char *const argv[] = {sp_env.program,
                          (char *)"--role",
                          (char *)"--lane",
                          (char *)(uintptr_t)sp_env.lane,
                          (char *)"--library",
                          sp_env.library,
                          (char *)"--provider",
                          sp_env.provider,
                          (char *)"--address",
                          address,
                          NULL};

    sw_format_address(&here, address, sizeof address);
    *strchr(address, ':') = '\0';
    second_process_start(p, argv, sp_env.wait_ms);
    second_process_tell(p, "start %s", mode);
}

void sp_process_kill(struct second_process *p)
{
    int status = 0;

    assert_int_equal(kill((pid_t)p->pid, SIGKILL), 0);
    second_process_reap(p, &status);
}

/* A protocol info travels as hexadecimal text: it is plain bytes to whoever carries it (page of WSADuplicateSocket). */
int sp_give(SOCKET s, uint32_t process_id, char text[SP_INFO_TEXT])
{
    WSAPROTOCOL_INFOW info;
    INT error = 0;

    if (sp.procs->lpWSPDuplicateSocket(s, process_id, &info, &error) == SOCKET_ERROR)
        return error != 0 ? error : -1;
    for (size_t i = 0; i < sizeof info; i++)
        sprintf(text + 2 * i, "%02x", ((unsigned char *)&info)[i]);
    return 0;
}

int sp_take(const char *text, SOCKET *out)
{
    WSAPROTOCOL_INFOW info;
    INT error = 0;

    for (size_t i = 0; i < sizeof info; i++) {
        unsigned value = 0;
        if (sscanf(text + 2 * i, "%2x", &value) != 1)
            return WSAEINVAL;
        ((unsigned char *)&info)[i] = (unsigned char)value;
    }
    *out = sp.procs->lpWSPSocket(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                                 WSA_FLAG_OVERLAPPED, &error);
    return *out == INVALID_SOCKET ? error : 0;
}

/* --- the other side --- */

/* A process that ends in the middle of everything leaves it all by intention, and LeakSanitizer, which stops the threads that are left and looks
 * at their memory, has crashed over them ("Tracer caught signal 11"). This is how it is told (sanitizer/lsan_interface.h); else nobody asks. */
SW_API int __lsan_is_turned_off(void);
static bool leaves_everything;

int __lsan_is_turned_off(void)
{
    return leaves_everything;
}

static SOCKET listener = INVALID_SOCKET, connection = INVALID_SOCKET;
static SOCKET slots[SP_SLOTS]; /* `connection` is the current one's */
static unsigned current;
static struct sp_traffic load;

static int make_listener(char *answer, size_t bytes)
{
    WSD_SOCKADDR_IN at;
    int error = sp_socket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, WSA_FLAG_OVERLAPPED, &listener);

    if (error == 0)
        error = sp_bind(listener, &sp_env.here);
    if (error == 0)
        error = sp_listen(listener, 5);
    if (error == 0)
        error = sp_local(listener, &at);
    if (error == 0)
        sw_format_address(&at, answer, bytes);
    return error;
}

static int make_connection(const char *to)
{
    WSD_SOCKADDR_IN at;
    int error = sw_parse_address(to, &at);

    if (error == 0)
        error = sp_socket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, WSA_FLAG_OVERLAPPED, &connection);
    return error == 0 ? sp_connect(connection, &at) : error;
}

static int transfer(bool is_send, unsigned seed, unsigned bytes)
{
    char *data = malloc(bytes), *expected = malloc(bytes);
    DWORD done = 0, some = 0;
    int error = 0;

    sp_fill(expected, bytes, seed, 0);
    if (is_send)
        error = sp_send(connection, expected, bytes, 0, &done);
    while (!is_send && error == 0 && done < bytes) {
        error = sp_recv(connection, data + done, bytes - done, 0, &some);
        if (error == 0 && some == 0)
            break;
        done += some;
    }
    if (error == 0 && (done != bytes || (!is_send && memcmp(data, expected, bytes) != 0)))
        error = -2;
    free(data);
    free(expected);
    return error;
}

static int receive_text(char *answer, unsigned bytes)
{
    DWORD have = 0, got = 1;
    int error = 0;

    while (error == 0 && have < bytes && got > 0) {
        error = sp_recv(connection, answer + have, bytes - have, 0, &got);
        have += error == 0 ? got : 0;
    }
    answer[have] = '\0';
    return error;
}

static int end_of_stream(void)
{
    char byte;
    DWORD got = 99;
    int error = sp_recv(connection, &byte, 1, 0, &got);

    return error != 0 ? error : got == 0 ? 0 : -2;
}

/* Sends that nobody need take, and a thread that waits for what does not come. */
static int be_busy(void)
{
    static struct sp_receiving receiving;
    static struct sp_call call;

    receiving.s = connection;
    sp_call_start(&call, sp_receive_now, &receiving);
    return sp_traffic_start(&load, connection, 1, 0);
}

static int change_slot(unsigned to)
{
    if (to >= SP_SLOTS)
        return -3;
    slots[current] = connection;
    connection = slots[to];
    current = to;
    return 0;
}

struct taking {
    const char *text;
    pal_atomic_u32 *gate;
    SOCKET s;
};

static int take_with_others(void *context)
{
    struct taking *t = context;

    pal_sub_acq_rel(t->gate, 1u);
    while (pal_load_acquire(t->gate) > 0)
        pal_thread_yield();
    return sp_take(t->text, &t->s);
}

/* As many threads as there are texts, all at the same moment; into the slots from the current one on. */
static int adopt_at_once(char *texts)
{
    struct taking takings[SP_SLOTS];
    struct sp_call calls[SP_SLOTS];
    pal_atomic_u32 gate = 0;
    unsigned count = 0;
    int error = 0;

    memset(calls, 0, sizeof calls);
    for (char *text = strtok(texts, " "); text != NULL && current + count < SP_SLOTS;
         text = strtok(NULL, " "))
        takings[count++] = (struct taking){text, &gate, INVALID_SOCKET};
    pal_store_relaxed(&gate, count);
    for (unsigned i = 0; i < count; i++)
        sp_call_start(&calls[i], take_with_others, &takings[i]);
    for (unsigned i = 0; i < count; i++) {
        const int code = sp_call_join(&calls[i]);

        error = error != 0 ? error : code;
        slots[current + i] = takings[i].s;
    }
    connection = slots[current];
    return error;
}

static int close_with_others(void *context)
{
    struct taking *t = context;

    pal_sub_acq_rel(t->gate, 1u);
    while (pal_load_acquire(t->gate) > 0)
        pal_thread_yield();
    return sp_close(t->s);
}

/* The connection's handle is closed at the moment in which another thread takes one more. */
static int close_and_adopt(const char *text)
{
    pal_atomic_u32 gate = 2;
    struct taking closing = {NULL, &gate, connection}, taking = {text, &gate, INVALID_SOCKET};
    struct sp_call calls[2];
    int error, code;

    memset(calls, 0, sizeof calls);
    sp_call_start(&calls[0], close_with_others, &closing);
    sp_call_start(&calls[1], take_with_others, &taking);
    error = sp_call_join(&calls[0]);
    code = sp_call_join(&calls[1]);
    connection = taking.s;
    return error != 0 ? error : code;
}

static int obey(char *line, char *answer, size_t answer_bytes);

/* What it answers, also when that is an error. */
static int code_of(char *line, char *answer, size_t answer_bytes)
{
    snprintf(answer, answer_bytes, "%d", obey(line, answer, answer_bytes));
    return 0;
}

/* As long as the call would block. */
static int insist(char *line, char *answer, size_t answer_bytes)
{
    const uint64_t end = sp_deadline();
    int error = obey(line, answer, answer_bytes);

    while (error == WSAEWOULDBLOCK && pal_now_ns() < end) {
        suite_relax();
        error = obey(line, answer, answer_bytes);
    }
    return error;
}

/* A little later than it is told. */
static int after(char *line, char *answer, size_t answer_bytes)
{
    const uint64_t end = pal_now_ns() + strtoull(line, &line, 10) * 1000u;

    while (pal_now_ns() < end)
        pal_thread_yield();
    return obey(line + 1, answer, answer_bytes);
}

static int obey(char *line, char *answer, size_t answer_bytes)
{
    unsigned a = 0, b = 0;
    unsigned long long at = 0;
    char text[32] = "";

    if (sscanf(line, "start %15s", text) == 1) {
        sp_switch_mode(text);
        sp_load();
        return 0;
    }
    if (strcmp(line, "listen") == 0)
        return make_listener(answer, answer_bytes);
    if (strcmp(line, "accept") == 0)
        return sp_accept(listener, &connection);
    if (strncmp(line, "connect ", 8) == 0)
        return make_connection(line + 8);
    if (sscanf(line, "send %u %u", &a, &b) == 2)
        return transfer(true, a, b);
    if (sscanf(line, "recv %u %u", &a, &b) == 2)
        return transfer(false, a, b);
    if (strcmp(line, "end") == 0)
        return end_of_stream();
    if (strncmp(line, "adopt ", 6) == 0)
        return sp_take(line + 6, &connection);
    if (strncmp(line, "adoptall ", 9) == 0)
        return adopt_at_once(line + 9);
    if (strncmp(line, "closeadopt ", 11) == 0)
        return close_and_adopt(line + 11);
    if (strncmp(line, "adoptlistener ", 14) == 0)
        return sp_take(line + 14, &listener);
    if (sscanf(line, "recvtext %u", &a) == 1)
        return receive_text(answer, a);
    if (strncmp(line, "raw ", 4) == 0)
        return sp_raw_obey(line + 4);
    if (sscanf(line, "give %u", &a) == 1)
        return sp_give(connection, a, answer);
    if (sscanf(line, "givelistener %u", &a) == 1)
        return sp_give(listener, a, answer);
    if (sscanf(line, "load %u %llu", &a, &at) == 2)
        return sp_traffic_start(&load, connection, a, at);
    if (sscanf(line, "rest %u %llu %u", &a, &at, &b) == 3)
        return sp_traffic_take(connection, a, at, b);
    if (strcmp(line, "loaded") == 0)
        return sp_traffic_finish(&load);
    if (sscanf(line, "take %u %llu", &a, &at) == 2)
        return sp_traffic_take(connection, a, at, sp_traffic_bytes());
    if (strcmp(line, "carried") == 0)
        return sp.carried_by(connection, answer, answer_bytes);
    if (sscanf(line, "shutdown %u", &a) == 1)
        return sp_shutdown(connection, (int)a);
    if (strcmp(line, "close") == 0)
        return sp_close(connection);
    if (strcmp(line, "busy") == 0)
        return be_busy();
    if (sscanf(line, "slot %u", &a) == 1)
        return change_slot(a);
    if (strncmp(line, "code ", 5) == 0)
        return code_of(line + 5, answer, answer_bytes);
    if (strncmp(line, "insist ", 7) == 0)
        return insist(line + 7, answer, answer_bytes);
    if (strncmp(line, "after ", 6) == 0)
        return after(line + 6, answer, answer_bytes);
    slots[current] = connection;
    return sp_shared_obey(slots, connection, line, answer, answer_bytes);
}

int sp_role(void)
{
    char line[4096], answer[4000], text[4000];
    unsigned violations;

    while (fgets(line, sizeof line, stdin) != NULL) {
        int error;

        line[strcspn(line, "\r\n")] = '\0';
        answer[0] = '\0';
        if (strcmp(line, "exit") == 0)
            break;
        if (strcmp(line, "return") == 0) {
            leaves_everything = true;
            return 0;
        }
        if (strcmp(line, "quit") == 0)
            _exit(0);
        error = obey(line, answer, sizeof answer);
        if (error == 0)
            printf("ok %s\n", answer);
        else
            printf("%.60s: %d %s\n", line, error, sw_error_name(error));
        fflush(stdout);
    }
    if (listener != INVALID_SOCKET)
        sp_close(listener);
    violations = sp.ws2 != NULL ? ws2_unload(sp.ws2, text, sizeof text) : 0;
    printf(violations == 0 ? "ok\n" : "violations: %s\n", text);
    return violations == 0 ? 0 : 1;
}
