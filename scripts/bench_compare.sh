#!/bin/bash
# scripts/bench_compare.sh - raw verbs, the SAN provider, perftest, rsockets and TCP side by side in one
# session. It owns the alternation of runs, the servers it starts, and the files in its output directory.
# Figures are judged by bench/compare.awk against bench/targets.tsv. Three places: an RDMA device; user-mode iWARP
# (softiwarp) on this machine beside TCP, where perftest and rsockets have nothing to run on; the same by the program for
# Windows under Wine, beside Winsock TCP. Start it through scripts/bench.sh --compare or --windows.
set -euo pipefail

SELF=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BENCH=$SELF/../bench
WSDBENCH=${WSDBENCH:-$(command -v wsdbench || true)}

usage() {
    cat <<'TEXT'
usage: wsdbench compare [OPTION]...   (scripts/bench.sh --compare [OPTION]... does the set-up too)
  --addr IP       address of the RDMA device (default: $WSD_TEST_RXE_ADDR, $WSD_TEST_SIW_ADDR)
  --softiwarp     no device: user-mode iWARP on this machine beside TCP, with the targets for that; --addr is 127.0.0.1
                  unless given
  --windows       as --softiwarp, with the wsdbench.exe that $WSDBENCH names, under Wine (scripts/bench.sh --windows)
  --pin A,B       softiwarp: all clients on processor A, all servers on B, and there the Wine server (default: two that are
                  no siblings of one core, where there are such); none: where the system puts them, which is noise: see
                  bench/README.md
  --check         exit 1 when a target of bench/targets.tsv is missed
  --quick         one round, few iterations, no sweep over sizes: a smoke test, figures are rough
  --rounds N      alternating rounds (5)
  --budget S      stop starting rounds after this many seconds, three rounds are always run (600);
                  the sweep over sizes gets three minutes more
  --idle N        idle sockets in the latency and memory figures (1000)
  --only REGEX    measure only matching jobs, for example '^lat_poll' or 'bw.write'
  --no-sweep      no plots over message size
  --targets FILE  another list of targets
  --out DIR       where results go (default build/bench-results): samples.tsv, ratios.txt, ratios.csv,
                  ratios.json, environment.json, latency.svg, bandwidth.svg
Latencies are one way and typical (the median of a run), throughput is MB/s of 10^6 bytes; each figure is
the median over the rounds.
TEXT
}

place=device pin=''
addr='' check=0 quick='' rounds=5 budget=600 idle=1000
sweep=yes only=. targets=$BENCH/targets.tsv out=${WSD_GUEST_OUT:-build/bench-results}

parse_options() {
    while (($# > 0)); do
        case $1 in
        -h | --help) usage && exit 0 ;;
        --check) check=1 ;;
        --quick) quick=yes ;;
        --no-sweep) sweep='' ;;
        --softiwarp) place=softiwarp ;;
        --windows) place=windows ;;
        --addr | --pin | --rounds | --budget | --idle | --only | --targets | --out)
            (($# > 1)) || fail "$1 needs a value"
            set_option "$1" "$2"
            shift
            ;;
        *) fail "unknown option $1 (see --help)" ;;
        esac
        shift
    done
    [[ $rounds$budget$idle =~ ^[0-9]+$ ]] || fail "--rounds, --budget and --idle take numbers"
    [[ -z $pin || $pin == none || $pin =~ ^[0-9]+,[0-9]+$ ]] || fail "--pin takes two processors, A,B, or none"
    choose_place
    [[ -n $addr ]] || fail "no RDMA device is known: give --addr, or use scripts/bench.sh --compare"
    [[ -x $WSDBENCH ]] || fail "no wsdbench: start me as 'wsdbench compare'"
}

set_option() {
    case $1 in
    --addr) addr=$2 ;;
    --pin) pin=$2 ;;
    --rounds) rounds=$2 ;;
    --budget) budget=$2 ;;
    --idle) idle=$2 ;;
    --only) only=$2 ;;
    --targets) targets=$2 ;;
    --out) out=$2 ;;
    esac
}

# two_processors - prints two that this process may use, of two cores if there are two; one twice if there is no other.
two_processors() {
    local allowed cpu first='' second='' siblings=''
    allowed=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
    for cpu in $(numbers_in "$allowed"); do
        if [[ -z $first ]]; then
            first=$cpu
            siblings=" $(numbers_in "$(cat "/sys/devices/system/cpu/cpu$cpu/topology/thread_siblings_list" 2>/dev/null)") "
        elif [[ $siblings != *" $cpu "* ]]; then
            second=$cpu
            break
        else
            second=${second:-$cpu}
        fi
    done
    echo "$first,${second:-$first}"
}

# numbers_in "0-2,5" - prints 0 1 2 5.
numbers_in() {
    local -a part
    local range
    IFS=, read -ra part <<<"$1"
    for range in "${part[@]}"; do
        seq -s ' ' "${range%-*}" "${range#*-}"
    done | tr '\n' ' ' | sed 's/ $//'
}

# Sets what is the same for all runs of wsdbench.
declare -a everywhere=() wsdbench=("$WSDBENCH")
choose_place() {
    if [[ $place == device ]]; then
        addr=${addr:-${WSD_TEST_RXE_ADDR:-${WSD_TEST_SIW_ADDR:-}}}
        return 0
    fi
    addr=${addr:-127.0.0.1}
    everywhere=(--backend softiwarp)
    [[ $place != windows ]] || wsdbench=("$SELF/windows/wine.sh" "$WSDBENCH")
    pin=${pin:-$(two_processors)}
    [[ $pin == none ]] || everywhere+=(--pin "$pin")
    # Beside whom the Wine server runs decides who waits for it: 15 us of a ping-pong, by chance, and not the same for all layers.
    [[ $place != windows || $pin == none ]] || export WSD_WINE_CPU=${pin#*,}
}

fail() {
    echo "error: $*" >&2
    exit 2
}

note() { echo "compare: $*" >&2; }

# --- running one thing -------------------------------------------------------------------------------------
server_pid=''
end_server() {
    [[ -n $server_pid ]] || return 0
    kill "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
    server_pid=''
}
trap end_server EXIT
trap 'exit 130' INT TERM

round=0
# sample NAME VALUE
sample() {
    if [[ $2 =~ ^[0-9]+(\.[0-9]+)?$ ]]; then
        printf '%s\t%s\t%s\n' "$round" "$1" "$2" >>"$out/samples.tsv"
    else
        note "round $round: no figure for $1 ($last_error)"
    fi
}

last_error='' begun=0
# ours WHAT... - runs wsdbench and leaves its table in $answer. Lines of Windows end with a carriage return.
ours() {
    last_error=''
    answer=$(timeout 120 "${wsdbench[@]}" "$1" "${everywhere[@]}" "${@:2}" --addr "$addr" --quiet 2>"$work/stderr" |
        tr -d '\r') ||
        last_error="wsdbench $*: $(tail -n 1 "$work/stderr")"
}

# Columns of the last row of the table in $answer, by number.
column() { awk -v c="$1" '/^ *[0-9]/ { v = $c } END { print v }' <<<"$answer"; }

port=19000
# pair CLIENT_SUFFIX COMMAND... - starts COMMAND as a server, then COMMAND CLIENT_SUFFIX as a client until it
# can connect, and leaves the client's output in $answer. PORT in the words is replaced by a fresh port.
pair() {
    local suffix=$1 try
    shift
    port=$((port + 1))
    local -a command=("${@//PORT/$port}")
    read -ra suffix <<<"$suffix"
    last_error=''
    timeout 120 "${command[@]}" >"$work/server" 2>&1 &
    server_pid=$!
    for try in 1 2 3 4 5 6; do
        sleep 0.3
        if answer=$(timeout 100 "${command[@]}" "${suffix[@]}" 2>"$work/stderr") &&
            [[ $answer =~ [0-9] ]]; then
            wait "$server_pid" 2>/dev/null || true
            server_pid=''
            return 0
        fi
        sleep 0.$try
    done
    last_error="${command[*]}: $(tail -n 1 "$work/stderr" "$work/server" | tr '\n' ' ')"
    end_server
    answer=''
}

# perftest PROGRAM ARGUMENT... - over rdma_cm, as we connect.
perftest() {
    local program=$1
    shift
    pair "$addr" "$program" -R -F -p PORT "$@"
}

# rstream prints: name bytes xfers iters total time Gb/sec usec/xfer (one way).
stream() {
    local kind=$1 size=$2 count=$3 iterations=$4
    local -a plain=()
    [[ $kind == rsockets ]] || plain=(-T s)
    pair "-s $addr" rstream "${plain[@]}" -p PORT -S "$size" -C "$count" -I "$iterations"
}
stream_us() { awk '$2 ~ /^[0-9]/ && NF >= 8 { v = $NF } END { print v }' <<<"$answer"; }

to_mb() { awk -v size="$1" -v us="$2" 'BEGIN { if (us + 0 > 0) printf "%.3f", size / us }'; }

# perftest's MB is 2^20 bytes.
perftest_mb() { awk -v v="$(column 4)" 'BEGIN { if (v != "") printf "%.3f", v * 1.048576 }'; }

# --- the figures -------------------------------------------------------------------------------------------
# Each function measures one figure for one way of doing it: fn WHO [...]. WHO: raw, san, perftest, rsockets,
# tcp; *_as_perftest: with the inline size that perftest really has on this device.
inline=256 lat_iters=3000 upcall_iters=1500 bw_iters=400 reg_iters=500 connect_iters=100 rate_iters=200000 many_iters=4000 echo_iters=150000
depth=16

lat_poll() {
    case $1 in
    raw) ours lat --layer raw --iters "$lat_iters" --warmup 500 && sample lat64.poll.raw "$(column 4)" ;;
    san | app) ours lat --layer "$1" --iters "$lat_iters" --warmup 500 && sample "lat64.poll.$1" "$(column 4)" ;;
    raw_as_perftest)
        ours lat --layer raw --inline "$inline" --iters "$lat_iters" --warmup 500
        sample lat64.poll.raw_as_perftest "$(column 4)"
        ;;
    san_as_perftest)
        WSD_INLINE=$inline ours lat --layer san --iters "$lat_iters" --warmup 500
        sample lat64.poll.san_as_perftest "$(column 4)"
        ;;
    perftest)
        perftest ib_send_lat -s 64 -n "$lat_iters" -I "$inline"
        sample lat64.poll.perftest "$(column 5)"
        ;;
    rsockets | tcp)
        stream "$1" 64 1 "$lat_iters"
        sample "lat64.poll.$1" "$(stream_us)"
        ;;
    esac
}

lat_upcall() {
    case $1 in
    raw_as_perftest)
        ours lat --layer raw --notify upcall --inline "$inline" --iters "$upcall_iters"
        sample lat64.upcall.raw_as_perftest "$(column 4)"
        ;;
    san_as_perftest)
        WSD_INLINE=$inline ours lat --layer san --notify upcall --iters "$upcall_iters"
        sample lat64.upcall.san_as_perftest "$(column 4)"
        ;;
    san_port)
        WSD_INLINE=$inline ours lat --layer san --notify upcall --wake port --iters "$upcall_iters"
        sample lat64.upcall.san_port "$(column 4)"
        ;;
    perftest)
        perftest ib_send_lat -e -s 64 -n "$upcall_iters" -I "$inline"
        sample lat64.upcall.perftest "$(column 5)"
        ;;
    esac
}

bw() {
    local op=$1 who=$2
    local -a more=()
    case $who in
    raw | san) # perftest and rstream send everything from, and receive everything in, one buffer
        ours bw --layer "$who" --op "$op" --depth "$depth" --iters "$bw_iters" --inline "$inline" --same-memory
        sample "bw64k.$op.$who" "$(column 4)"
        ;;
    san_pieces) # memory of its own for each outstanding message, as an application has
        ours bw --layer san --op "$op" --depth "$depth" --iters "$bw_iters" --inline "$inline"
        sample "bw64k.$op.san_pieces" "$(column 4)"
        ;;
    perftest)
        case $op in
        send) more=(-r $((2 * depth))) ;;
        read) more=(-o 16) ;;
        esac
        perftest "ib_${op}_bw" -s 65536 -n "$bw_iters" -t "$depth" -Q 1 "${more[@]}"
        sample "bw64k.$op.perftest" "$(perftest_mb)"
        ;;
    rsockets | tcp)
        stream "$who" 65536 $((bw_iters / 8)) 4
        sample "bw64k.stream.$who" "$(to_mb 65536 "$(stream_us)")"
        ;;
    esac
}

# stream_bw SIZE WHO: a byte stream as fast as it goes.
stream_bw() {
    local bytes=$(($(numfmt --from=iec "$1")))
    case $2 in
    rsockets)
        stream rsockets "$bytes" $((bw_iters * 8192 / bytes + 4)) 4
        sample "bw${1,,}.stream.rsockets" "$(to_mb "$bytes" "$(stream_us)")"
        ;;
    *)
        ours bw --layer "$2" --sizes "$1" --depth "$depth" "${bw_length[@]}"
        sample "bw${1,,}.stream.$2" "$(column 4)"
        ;;
    esac
}

# 1 MiB read by raw verbs: what a pull of the switch cannot beat.
raw_read_1m() {
    ours bw --layer raw --op read --sizes 1M --depth "$depth" "${bw_length[@]}"
    sample bw1m.read.raw "$(column 4)"
}

# rate64 WHO: 64 B messages per second in one direction, many in flight.
rate64() {
    if [[ $1 == rsockets ]]; then
        stream rsockets 64 $((rate_iters / 4)) 4
        sample rate64.rsockets "$(stream_us | awk '$1 > 0 { printf "%.0f", 1000000 / $1 }')"
    else
        WSD_SOFTIWARP_CRC=off ours bw --layer "$1" --sizes 64 --depth 256 --iters "$rate_iters"
        sample "rate64.$1" "$(column 3)"
    fi
}

# many WHO CONNECTIONS: throughput over all of them together.
many() {
    WSD_SOFTIWARP_CRC=off ours bw --layer "$1" --sizes 64K --depth 2 --connections "$2" --iters "$many_iters"
    sample "bw64k.many$2.$1" "$(column 4)"
}

# echo_server WHO: messages per second there and back, one under way in each of 1000 connections, and what a connection takes: once it has gone
# round its queues (143 deep), all that it will.
echo_server() {
    WSD_SOFTIWARP_CRC=off ours echo --layer "$1" --connections 1000 --iters "$echo_iters" --rss
    sample "echo1000.$1" "$(column 3)"
    sample "rss.echo.$1" "$(idle_memory)"
}

# reg prints a row for each kind: bytes iterations what cache min typical ...
reg_row() { awk -v what="$1" -v cache="$2" '$3 == what && $4 == cache { print $6 }' <<<"$answer"; }
reg() {
    ours reg --layer "$1" --iters "$reg_iters"
    if [[ $1 == raw ]]; then
        sample reg64k.rdma.raw "$(reg_row rdma none)"
        sample reg64k.local.raw "$(reg_row local none)"
        sample reg64k.window.raw "$(reg_row window none)"
    else
        sample reg64k.rdma.san "$(reg_row rdma cached)"
        sample reg64k.rdma_cold.san "$(reg_row rdma cold)"
        sample reg64k.local.san "$(reg_row local cached)"
    fi
}

# The larger of "client 1.5 KiB, server 1.6 KiB".
idle_memory() {
    sed -nE 's/^# resident memory.*client ([0-9.]+) KiB, server ([0-9.]+) KiB.*/\1 \2/p' <<<"$answer" |
        awk '{ print ($1 + 0 > $2 + 0 ? $1 : $2) }'
}

# The same run without and with idle sockets, one after the other; the second also weighs them.
idle_sockets() {
    ours lat --layer san --iters "$lat_iters" --warmup 500
    sample lat64.noidle.san "$(column 4)"
    ours lat --layer san --iters "$lat_iters" --warmup 500 --idle "$idle" --rss
    sample lat64.idle.san "$(column 4)"
    sample rss.idle.san "$(idle_memory)"
}

connects() {
    ours connect --layer "$1" --iters "$connect_iters"
    sample "connect.rate.$1" "$(column 2)"
    sample "connect.typical_us.$1" "$(column 4)"
}

# --- on this machine ---
# own_lat NOTIFY WHO - TCP too is measured by the loop of wsdbench: poll spins on non-blocking sockets, upcall blocks.
own_lat() {
    local iters=$lat_iters
    [[ $1 == poll ]] || iters=$upcall_iters
    ours lat --layer "$2" --notify "$1" --iters "$iters" --warmup 500
    sample "lat64.$1.$2" "$(column 4)"
}

# Both ends on one processor: no message travels between cores, and what is left is the instructions of both.
own_lat_shared() {
    [[ $pin != none ]] || return 0
    ours lat --pin "${pin%,*},${pin%,*}" --layer "$1" --notify upcall --iters "$upcall_iters" --warmup 500
    sample "lat64.upcall_shared.$1" "$(column 4)"
}

# own_bw SIZE OP CRC WHO
own_bw() {
    WSD_SOFTIWARP_CRC=$3 ours bw --layer "$4" --op "$2" --sizes "$1" --depth "$depth" "${bw_length[@]}"
    if [[ $4 =~ ^(tcp|app|apptcp)$ ]]; then
        sample "bw${1,,}.stream.$4" "$(column 4)"
    else
        sample "bw${1,,}.$2.crc_$3.$4" "$(column 4)"
    fi
}

# What it takes is counted, not timed: once.
own_instructions() {
    local build=${WSDBENCH%/bench/wsdbench}
    if [[ ! -x $SELF/count_instructions.sh ]]; then
        note "no figures for the instructions of a message: count_instructions.sh is in the source tree only"
    elif ! timeout 300 "$SELF/count_instructions.sh" --samples "$out/samples.tsv" "$build" 2>"$work/stderr"; then
        note "no figures for the instructions of a message: $(tail -n 1 "$work/stderr")"
    fi
}

# One name for each figure of a round, in the order of odd rounds; even rounds go backwards.
round_jobs() {
    case $place in
    softiwarp) own_jobs ;;
    windows) windows_jobs ;;
    *) device_jobs ;;
    esac
}

own_jobs() {
    cat <<'JOBS'
own_lat poll raw
own_lat poll san
own_lat poll app
own_lat poll winsock
own_lat poll apptcp
own_lat poll tcp
own_lat upcall raw
own_lat upcall san
own_lat upcall app
own_lat upcall apptcp
own_lat upcall tcp
own_lat_shared raw
own_lat_shared san
own_lat_shared tcp
own_bw 1M write off raw
own_bw 1M write off san
own_bw 1M write on raw
own_bw 1M write on san
own_bw 1M send off app
own_bw 1M send off apptcp
own_bw 1M send off tcp
rate64 app
rate64 tcp
many app 1
many app 10
many app 100
many app 1000
many tcp 1
many tcp 1000
echo_server winsock
echo_server winsocktcp
own_bw 64K send off raw
own_bw 64K send off san
own_bw 64K read off raw
own_bw 64K read off san
own_bw 64K send off tcp
connects raw
connects san
connects tcp
idle_sockets
JOBS
}

# A poll of a socket is a question to the Wine server here, and where the system lets that one run decides over a run: of
# the same program 62 to 95 us. So the latencies are taken three times in a round, alternating.
windows_jobs() {
    cat <<'JOBS'
own_lat poll raw
own_lat poll san
own_lat poll tcp
own_lat poll san
own_lat poll raw
own_lat poll tcp
own_lat poll raw
own_lat poll san
own_lat poll tcp
own_lat upcall raw
own_lat upcall san
own_lat upcall tcp
own_bw 1M write off raw
own_bw 1M write off san
own_bw 1M write on san
own_bw 1M send off san
own_bw 1M send off tcp
JOBS
}

device_jobs() {
    cat <<'JOBS'
lat_poll raw
lat_poll san
lat_poll raw_as_perftest
lat_poll san_as_perftest
lat_poll perftest
lat_poll rsockets
lat_poll app
lat_poll tcp
lat_upcall raw_as_perftest
lat_upcall san_as_perftest
lat_upcall san_port
lat_upcall perftest
bw send raw
bw send san
bw send san_pieces
bw send perftest
bw send rsockets
bw send tcp
bw write raw
bw write san
bw write perftest
bw read raw
bw read san
bw read perftest
stream_bw 64K app
stream_bw 1M app
stream_bw 1M rsockets
raw_read_1m
rate64 app
rate64 rsockets
many app 1
many app 1000
reg raw
reg san
connects raw
connects san
idle_sockets
JOBS
}

# The heavy ones do not need every round of a device.
is_due() {
    [[ $place == device ]] || return 0
    case $1 in
    idle_sockets) ((round <= 3)) ;;
    connects | many) ((round <= 3)) ;;
    *) true ;;
    esac
}

run_round() {
    local -a jobs=() words=()
    local job start=$SECONDS
    mapfile -t jobs < <(round_jobs | if ((round % 2)); then cat; else tac; fi)
    for job in "${jobs[@]}"; do
        [[ ${job// /.} =~ $only ]] || continue
        read -ra words <<<"$job"
        is_due "${words[0]}" || continue
        [[ ! -t 2 ]] || printf '\rcompare: round %s of %s: %-40s' "$round" "$rounds" "$job" >&2
        "${words[@]}"
    done
    [[ ! -t 2 ]] || printf '\r%70s\r' '' >&2
    note "round $round of $rounds took $((SECONDS - start)) s"
}

# --- over sizes --------------------------------------------------------------------------------------------
sizes=(64 256 1024 4096 16384 65536 262144 1048576)

# Fewer iterations for larger messages: about as many bytes each.
lat_count() { echo $(($1 <= 4096 ? 400 : $1 <= 65536 ? 60 : 12)); }
bw_count() { echo $(($1 <= 4096 ? 2000 : $1 <= 65536 ? 300 : 30)); }

sweep_size() {
    local size=$1 who
    local -a layers=(raw san)
    [[ $place == device ]] || layers+=(tcp)
    for who in "${layers[@]}"; do
        ours lat --layer "$who" --sizes "$size" --iters "$(lat_count "$size")" --warmup 20
        sample "sweep.lat.$size.$who" "$(column 4)"
        ours bw --layer "$who" --sizes "$size" --iters "$(bw_count "$size")" --depth "$depth"
        sample "sweep.bw.$size.$who" "$(column 4)"
    done
    [[ $place == device ]] || return 0
    perftest ib_send_lat -s "$size" -n "$(lat_count "$size")"
    sample "sweep.lat.$size.perftest" "$(column 5)"
    perftest ib_send_bw -s "$size" -n "$(bw_count "$size")" -t "$depth" -r $((2 * depth)) -Q 1
    sample "sweep.bw.$size.perftest" "$(perftest_mb)"
    for who in rsockets tcp; do
        stream "$who" "$size" 1 "$(lat_count "$size")"
        sample "sweep.lat.$size.$who" "$(stream_us)"
        stream "$who" "$size" $(($(bw_count "$size") / 6)) 3
        sample "sweep.bw.$size.$who" "$(to_mb "$size" "$(stream_us)")"
    done
}

# sweep_table lat|bw - size and one column for each way, "nan" where there is nothing.
sweep_table() {
    awk -F '\t' -v what="$1" '
        BEGIN { n = split("raw san perftest rsockets tcp", who, " ") }
        { split($2, part, ".") }
        part[1] == "sweep" && part[2] == what {
            v[part[3], part[4]] = $3
            if (!(part[3] in seen)) order[++m] = part[3]
            seen[part[3]] = 1
        }
        END {
            for (i = 1; i <= m; i++) {
                line = order[i]
                for (j = 1; j <= n; j++)
                    line = line " " ((order[i], who[j]) in v ? v[order[i], who[j]] : "nan")
                print line
            }
        }' "$out/samples.tsv" | sort -n
}

run_sweep() {
    local start=$SECONDS size
    round=1
    for size in "${sizes[@]}"; do
        if ((SECONDS - begun > budget + 180)); then
            note "no time is left: the sweep ends before $size bytes"
            break
        fi
        [[ ! -t 2 ]] || printf '\rcompare: sweep, %s bytes%30s' "$size" '' >&2
        sweep_size "$size"
    done
    [[ ! -t 2 ]] || printf '\r%70s\r' '' >&2
    note "the sweep over sizes took $((SECONDS - start)) s"
    draw
}

draw() {
    sweep_table lat >"$out/lat.dat"
    sweep_table bw >"$out/bw.dat"
    if command -v gnuplot >/dev/null; then
        gnuplot -e "dir='$out'; where='$addr'" "$BENCH/compare.gp" 2>"$work/gnuplot" ||
            note "gnuplot failed: $(tail -n 1 "$work/gnuplot")"
    else
        note "no gnuplot: no plots (apt-get install gnuplot-nox)"
    fi
}

# --- all of it ---------------------------------------------------------------------------------------------
# What perftest calls "Max inline data" on this device: some it does not know and runs without inline.
find_inline() {
    perftest ib_send_lat -s 64 -n 10 -I 256
    inline=$(sed -nE 's/.*Max inline data *: *([0-9]+).*/\1/p' <<<"$answer" | head -n 1)
    if [[ -z $inline ]]; then
        note "perftest does not run on $addr ($last_error): its figures will be missing"
        inline=256
    fi
    note "inline size of perftest here: $inline bytes; *_as_perftest use the same"
}

set_lengths() {
    bw_length=(--seconds 1)
    [[ $place == device ]] || lat_iters=10000 upcall_iters=5000 connect_iters=1000
    [[ $place != windows ]] || sweep=''
    if [[ -n $quick ]]; then
        rounds=1 sweep='' lat_iters=500 upcall_iters=200 bw_iters=100 reg_iters=50 connect_iters=20
        rate_iters=2000 many_iters=1000 echo_iters=2000
        bw_length=(--iters 100)
        ((idle <= 100)) || idle=100
    fi
}

main() {
    parse_options "$@"
    set_lengths
    mkdir -p "$out"
    work=$(mktemp -d)
    trap 'end_server; rm -rf "$work"' EXIT
    if [[ $place == softiwarp ]]; then # on 127.0.0.1, which neither would offer by itself
        export WSD_SOFTIWARP_LOOPBACK=on WSD_SWITCH_LOOPBACK=on
    fi
    : >"$out/samples.tsv"
    begun=$SECONDS
    ours lat --layer san --iters 50 --json "$out/environment.json"
    [[ -z $last_error ]] || note "$last_error"
    if [[ $place == device ]]; then
        find_inline
    elif [[ $pin == none ]]; then
        note "clients and servers run where the system puts them"
    else
        note "all clients on processor ${pin%,*}, all servers on ${pin#*,}"
    fi
    for ((round = 1; round <= rounds; round++)); do
        if ((round > 3 && SECONDS - begun > budget)); then
            note "the budget of $budget s is used up: stopping after $((round - 1)) rounds"
            break
        fi
        run_round
    done
    [[ -z $sweep ]] || run_sweep
    [[ $place != softiwarp || -n $quick || ! instructions =~ $only ]] || own_instructions
    local status=0
    awk -v csv="$out/ratios.csv" -v json="$out/ratios.json" -v check="$check" -v where="$place" \
        -f "$BENCH/compare.awk" "$targets" "$out/samples.tsv" | tee "$out/ratios.txt" || status=$?
    note "took $((SECONDS - begun)) s; samples and ratios are in $out"
    return "$status"
}

main "$@"
