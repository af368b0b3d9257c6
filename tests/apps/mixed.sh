#!/bin/bash
# mixed.sh EMULATOR SERVER CLIENT WINDOWS_DIR LINUX_DIR LINUX_PROVIDER WAY SIDE - apps.sh with programs of Windows over wsdswitch.dll, and of Linux over
# libws2. WAY: dll (both of Windows), to_linux (the server is of Linux), from_linux (the clients are). SIDE: tcp, or san: softiwarp at both
# ends, whose logs must name every connection.
# Exit status: that of apps.sh; 77, with the reason: the build for Linux is not there, or this machine has no address for a SAN.
set -euo pipefail

if (($# != 8)); then
    echo "usage: $0 EMULATOR SERVER CLIENT WINDOWS_DIR LINUX_DIR LINUX_PROVIDER WAY SIDE" >&2
    exit 2
fi
emulator=$1 server=$2 client=$3 windows=$4 linux=$5 provider=$6 way=$7 side=$8

skip() {
    echo "skipped: $*"
    exit 77
}

# The emulator's sockets are in the network of its server, so this machine's own network is used; none but loopback has no SAN (contract Q23).
own_address() {
    ip -4 -o address show scope global up 2>/dev/null | awk '{ sub("/.*", "", $4); print $4; exit }'
}

[[ $way == dll || -x $linux/$server ]] || skip "no $linux/$server: build for Linux first (cmake --build --preset release), or set WSD_LINUX_BUILD"
address=127.0.0.1
unset WSD_PROVIDER # of Windows: the one that wsdswitch.dll finds beside it
export WSD_SWITCH=off
if [[ $side == san ]]; then
    address=$(own_address)
    [[ -n $address ]] || skip "this machine has no address but loopback"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    export WSD_SWITCH=forced WSD_BACKEND=softiwarp WSD_LOG=debug WSD_LOG_FILE=$work/log.%p # each its own: under Wine they would lose lines
fi
of_windows="$emulator" of_linux="env WSD_PROVIDER=$provider"
case $way in
dll) export RUN=$of_windows RUN_CLIENT=$of_windows && programs=("$windows/${server}_dll.exe" "$windows/${client}_dll.exe") ;;
to_linux) export RUN=$of_linux RUN_CLIENT=$of_windows && programs=("$linux/$server" "$windows/${client}_dll.exe") ;;
from_linux) export RUN=$of_windows RUN_CLIENT=$of_linux && programs=("$windows/${server}_dll.exe" "$linux/$client") ;;
*) echo "mixed.sh: $way is no way" >&2 && exit 2 ;;
esac
"$(dirname "$0")/apps.sh" "$server" "${programs[@]}" "$address"
[[ $side == san ]] || exit 0
connected=$(awk '/event=state .*to=CONNECTED/ { n++ } END { print n + 0 }' "$work"/log.*)
((connected >= 6)) || { # three clients, two ends
    echo "FAIL: the SAN providers have seen $connected ends of connections, not 6" >&2
    exit 1
}
