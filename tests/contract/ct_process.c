/* ct_process.c - a second process of this suite: this very program, started with --role. */
#include "ct.h"

#include <signal.h>
#include <sys/wait.h>

struct ct_process *ct_process_start(struct fixture *f)
{
    struct ct_process *p = calloc(1, sizeof *p);
    char *const argv[] = {ct.program,
                          (char *)"--role",
                          (char *)"--device",
                          ct.address,
                          (char *)"--provider",
                          ct.provider,
                          ct_env_is_across() ? (char *)"--peer" : NULL,
                          ct.peer_provider,
                          NULL};

    assert_non_null(p);
    second_process_start(&p->second, argv, ct.wait_ms);
    p->next = f->processes;
    f->processes = p;
    assert_string_equal(second_process_answer(&p->second), "ready");
    return p;
}

struct ct_process *ct_process_connected(struct fixture *f, struct ct_end *mine, DWORD bytes)
{
    struct ct_process *p = ct_process_start(f);
    struct sw_companion *c;
    unsigned port = (unsigned)strtoul(second_process_tell(&p->second, "listen 5"), NULL, 10);
    WSD_SOCKADDR_IN to = ct_at(f->here, (uint16_t)port);

    ct_ok(sw_connect_start(f->provider, &f->other, &to, NULL, &c, NULL));
    ct_adopt_companion(f, c);
    second_process_tell(&p->second, "accept");
    ct_finish_connect(c);
    second_process_tell(&p->second, "open 65536");
    ct_end_init(f, mine, c, bytes);
    second_process_order(&p->second, "hello acceptor");
    ct_hello_connector(mine);
    second_process_answer(&p->second);
    return p;
}

void ct_kill(struct ct_process *p)
{
    int status;

    if (!p->second.is_alive)
        return;
    kill((pid_t)p->second.pid, SIGKILL);
    second_process_reap(&p->second, &status);
}

void ct_stop(struct ct_process *p)
{
    int status;

    assert_int_equal(kill((pid_t)p->second.pid, SIGSTOP), 0);
    assert_int_equal(waitpid((pid_t)p->second.pid, &status, WUNTRACED), (pid_t)p->second.pid);
    assert_true(WIFSTOPPED(status));
}

void ct_continue(struct ct_process *p)
{
    assert_int_equal(kill((pid_t)p->second.pid, SIGCONT), 0);
}
