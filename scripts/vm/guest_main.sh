#!/bin/bash
# scripts/vm/guest_main.sh - process 1 of the guest once the shared root is there: devices, the command, its
# deadline, its status, power off. guest.sh wrote the settings (JOB_*) into the file that started this one.
set -u

job=/run/wsd/job
console() { printf 'wsd-guest: %s\n' "$*" >/dev/console; }

power_off() {
    echo o >/proc/sysrq-trigger
    sleep 60
}

# The status counts only once it is complete, hence the rename.
finish() {
    console "status $1"
    echo "$1" >"$job/status.tmp" && mv "$job/status.tmp" "$job/status"
    power_off
}

# A pipe stands between the command and the port: a port has one opener, a pipe can be opened again by name.
open_output() {
    setsid /run/wsd/busybox cat </run/wsd/output >/dev/vport0p1 &
    cat_pid=$!
    exec >/run/wsd/output 2>&1
}

# What the command was doing when its time was up: processes, and where each sleeps in the kernel.
show_processes() {
    local task
    ps --ppid 2 -p 2 -N -o pid,ppid,stat,time,wchan:24,args
    for task in $(ps -o pid= -s "$command_pid"); do
        echo "--- kernel stack of $task ($(cat "/proc/$task/comm" 2>/dev/null))"
        cat "/proc/$task/stack" 2>/dev/null
    done
}

end_command_group() {
    kill "-$1" -- "-$command_pid" 2>/dev/null
}

run_command() {
    cd "$JOB_CWD" || { echo "guest: no directory $JOB_CWD in the guest" && return 125; }
    setsid "${JOB_ARGV[@]}" </dev/null &
    command_pid=$!
    local left=$((JOB_TIMEOUT - ${SECONDS_UP%.*}))
    setsid bash -c "sleep $((left > 1 ? left : 1)); kill -USR1 1" </dev/null >/dev/null 2>&1 &
    trap 'timed_out=1' USR1
    local status=0
    { wait "$command_pid"; } 2>/dev/null || status=$?
    if [[ -n ${timed_out:-} ]]; then
        console "deadline of $JOB_TIMEOUT s"
        show_processes >/dev/console 2>&1
        status=124
        end_command_group TERM
        sleep 1
    fi
    return "$status"
}

close_output() {
    end_command_group KILL
    exec >/dev/console 2>&1
    for _ in {1..50}; do
        kill -0 "$cat_pid" 2>/dev/null || return
        sleep 0.1
    done
    console "something still holds the output open"
}

open_output
# shellcheck source=scripts/vm/devices.sh
. "$JOB_SCRIPTS/devices.sh"
raise_limits
devices_up "$JOB_DEVICE" || { echo "guest: no RDMA device came up" && close_output && finish 125; }
read -r SECONDS_UP _ </proc/uptime
echo "$SECONDS_UP" >"$job/started"
run_command
status=$?
((status == 0)) || dmesg --level=emerg,alert,crit,err,warn | tail -n 30 >/dev/console
close_output
finish "$status"
