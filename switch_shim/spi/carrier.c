/* carrier.c - the wait that others can end (carrier.h). */
#include "spi/carrier.h"

#include "pal/atomic.h"
#include "pal/thread.h"

void sw_interrupt_raise(struct sw_interrupt *i)
{
    pal_store_release(&i->raised, 1u); /* before the poke: who is about to sleep looks at it once more */
    while (pal_swap_acq_rel(&i->lock_word, 1u) != 0)
        pal_thread_yield(); /* a few instructions long, in another thread */
    if (i->poke != NULL)
        i->poke(i);
    pal_store_release(&i->lock_word, 0u);
}
