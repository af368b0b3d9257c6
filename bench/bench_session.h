/* bench_session.h - one client and one server, from the first control message to the last.
 * Layer: bench, above the loops, below main. The two run in different processes, or in two threads of a
 *        test. */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include "bench_control.h"
#include "bench_report.h"

/* Measure what o says over an open control channel; rows go to the report. */
bool bench_session_client(const struct bench_options *o, struct bench_control *c, struct bench_report *r);

/* Serve one client. o: what concerns this end (address, backend, provider); the test comes from the client.
 * On failure the client has been told. */
bool bench_session_server(const struct bench_options *o, struct bench_control *c);

#endif
