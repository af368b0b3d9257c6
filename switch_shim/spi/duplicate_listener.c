/* duplicate_listener.c - see duplicate_listener.h. When it goes, and to whom: share_listener.c.
 * Text: for each provider's listener a head, then what the carrier wrote. */
#include "spi/duplicate_listener.h"

#include <string.h>

struct part {
    uint32_t bytes;
    uint32_t nth; /* among those with the same address: for the wildcard there is one of each provider */
    WSD_SOCKADDR_IN local;
};

size_t sw_listener_give(struct sw_sock *s, DWORD process, char *text, size_t room)
{
    struct part p = {0, 0, {0}};
    size_t used = 0;
    struct sw_leg *leg;

    pal_mutex_lock(&s->lock);
    leg = s->san; /* const while it listens and a call is counted */
    pal_mutex_unlock(&s->lock);
    for (; leg != NULL && room - used > sizeof(p); leg = leg->next) {
        struct sw_carrier *c = leg->carrier;
        size_t bytes = room - used - sizeof(p);
        WSD_SOCKADDR_STORAGE name;
        int name_bytes = sizeof(name);

        if (c->ops->local(c, &name, &name_bytes) != 0)
            continue;
        p.nth = memcmp(&p.local, &name, sizeof(p.local)) == 0 ? p.nth + 1 : 0;
        memcpy(&p.local, &name, sizeof(p.local));
        if (c->ops->give(c, process, text + used + sizeof(p), &bytes, 0) != 0)
            continue; /* it is with another process already */
        p.bytes = (uint32_t)bytes;
        memcpy(text + used, &p, sizeof(p));
        used += sizeof(p) + bytes;
    }
    return used;
}

/* As the source chose it: providers are loaded in the order of WSD_PROVIDER. */
static struct sw_provider *provider_of(const struct part *p)
{
    struct sw_provider *all[SW_PROVIDERS_MAX];
    unsigned count = sw_providers_listening(&p->local, all);

    return p->nth < count ? all[p->nth] : NULL;
}

static struct sw_leg *take_one(struct sw_sock *s, const struct part *p, const char *text)
{
    struct sw_provider *provider = provider_of(p);
    struct sw_leg *leg = provider == NULL ? NULL : sw_leg_new(s, true);

    if (leg == NULL)
        return NULL;
    if (sw_san_adopt(provider, sw_providers_settings(), text, p->bytes, &sw_leg_up, leg, &leg->carrier) == 0)
        return leg;
    sw_leg_free_unused(leg);
    return NULL;
}

struct sw_leg *sw_listener_take(struct sw_sock *s, const char *text, size_t bytes)
{
    struct sw_leg *list = NULL, **end = &list;
    struct part p;

    while (bytes > sizeof(p)) {
        memcpy(&p, text, sizeof(p));
        text += sizeof(p);
        bytes -= sizeof(p);
        if (p.bytes > bytes)
            break;
        *end = take_one(s, &p, text);
        if (*end != NULL)
            end = &(*end)->next;
        text += p.bytes;
        bytes -= p.bytes;
    }
    return list;
}

void sw_listener_replace_locked(struct sw_sock *s, struct sw_leg *list)
{
    struct sw_leg *old = s->san;

    s->san = list;
    while (old != NULL) {
        struct sw_leg *leg = old;

        old = leg->next;
        sw_leg_retire_locked(s, leg, SW_CLOSE_TAKEN);
    }
}

void sw_listener_want_moved(struct sw_sock *s)
{
    struct sw_leg *leg;

    pal_mutex_lock(&s->lock);
    leg = s->san; /* const while it listens and a call is counted, and control is elsewhere */
    pal_mutex_unlock(&s->lock);
    for (; leg != NULL; leg = leg->next)
        leg->carrier->ops->want(leg->carrier, FD_ACCEPT);
}
