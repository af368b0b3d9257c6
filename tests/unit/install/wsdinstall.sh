#!/bin/bash
# wsdinstall.sh EMULATOR WSDINSTALL.EXE WSDPROV.DLL WSDSWITCH.DLL - the program itself under Wine: its exit codes, what it prints and what is in
# the registry. Wine's catalog calls report success and keep nothing, so the catalog's side is test_windows_system.c's.
# Layer: tests/unit/install. Changes and puts back one value of the Wine prefix that the emulator uses.
set -euo pipefail

(($# == 4)) || {
    echo "usage: $0 EMULATOR WSDINSTALL.EXE WSDPROV.DLL WSDSWITCH.DLL" >&2
    exit 2
}
emulator=$1 program=$2 dll=$3 switch=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
key='HKLM\System\CurrentControlSet\Services\Winsock\Parameters\TCP on SAN'

# expect STATUS WORDS ARGUMENT... - one run; WORDS must be in what it prints.
expect() {
    local status=0 want=$1 words=$2
    shift 2
    "$emulator" "$program" "$@" >"$work/output" 2>&1 || status=$?
    if ((status != want)) || ! tr -d '\r' <"$work/output" | grep -qF -- "$words"; then
        echo "FAIL: wsdinstall $*: exit $status, not $want, or not '$words' in:" >&2
        cat "$work/output" >&2
        failed=1
    fi
}

registry_value() {
    { "$emulator" reg query "$key" /v OpenWSD 2>/dev/null || true; } | tr -d '\r' | awk '$1 == "OpenWSD" { print $2, $3 }'
}

# expect_value TEXT - type and bytes of the value, or nothing.
expect_value() {
    local found
    found=$(registry_value)
    [[ $found == "$1" ]] || {
        echo "FAIL: the registry has '$found', not '$1'" >&2
        failed=1
    }
}

# as_version VERSION|"" - which Windows Wine is for this program; winxp64 is 5.2, as Server 2003.
as_version() {
    local for_program='HKCU\Software\Wine\AppDefaults\wsdinstall.exe'
    if [[ -n $1 ]]; then
        "$emulator" reg add "$for_program" /v Version /d "$1" /f >/dev/null
    else
        "$emulator" reg delete "$for_program" /f >/dev/null 2>&1 || true # not there in most runs
    fi
}

printf 'MZ, and nothing of a program' >"$work/text.dll"
head -c 300 "$dll" >"$work/cut.dll"
cp "$dll" "$work/32.dll"
printf '\x4c\x01' | dd of="$work/32.dll" bs=1 conv=notrunc status=none \
    seek=$(($(od -An -tu4 -j60 -N4 "$dll") + 4)) # the machine in its header
"$emulator" "$program" remove >/dev/null # what a run that was ended left
as_version ""

expect 2 "a command is missing"
expect 2 "'--force' is no option" install --force
expect 0 "Exit status:" --help
expect 0 "TCP/IP" list
expect 3 "cannot read" install --without-switch --dll "$work/absent.dll"
expect 3 "not a program file" install --without-switch --dll "$work/text.dll"
expect 3 "cannot be used" install --without-switch --dll "$work/cut.dll"
expect 3 "contradict" install --without-switch --dll "$work/32.dll"
expect 3 "does not export WSPStartupEx" install --without-switch --dll 'C:\windows\system32\ws2_32.dll'
expect 5 "--without-switch" install --dll "$dll"
expect 2 "no second catalog" install --without-switch --dll "$dll" --dll32 "$work/32.dll"
expect 0 "add an entry to the 64-bit catalog" install --without-switch --dll "$dll" --dry-run
expect_value ""
expect 7 "read back" install --without-switch --dll "$dll"
expect_value ""
expect 1 "WRONG 64-bit catalog: no entry" verify
expect 0 "installed." install --without-switch --no-read-back --dll "$dll"
expect_value "REG_BINARY DB378A04A05C4148BB60035B3A8961A8"
expect 1 "ok    registry value 'OpenWSD' names the provider" verify
expect 0 "* 'OpenWSD': {048A37DB-5CA0-4841-BB60-035B3A8961A8}" list
expect 0 "delete registry value" remove --dry-run
expect_value "REG_BINARY DB378A04A05C4148BB60035B3A8961A8"
expect 0 "removed." remove
expect 0 "nothing to do" remove
expect_value ""
"$emulator" reg add "$key" /v OpenWSD /t REG_BINARY /d 000102030405060708090a0b0c0d0e0f /f >/dev/null
expect 6 "{03020100-0504-0706-0809-0A0B0C0D0E0F}" install --without-switch --no-read-back --dll "$dll"
expect_value "REG_BINARY 000102030405060708090A0B0C0D0E0F"
"$emulator" reg delete "$key" /v OpenWSD /f >/dev/null

# The switch. What follows a change that the catalog keeps is test_switch_install.c's: Wine's reports success and keeps nothing.
expect 2 "exclude each other" install --switch --without-switch
expect 3 "it exports WSPStartupEx" install --switch --dll "$dll"
expect 3 "does not export WSPStartupEx" install --without-switch --dll "$switch"
expect 0 "add an entry to the 64-bit catalog: 'OpenWSD switch over" install --switch --dll "$switch" --dry-run
expect 0 "move the entries in the 64-bit catalog to the front" install --switch --dll "$switch" --dry-run
expect 7 "read back" install --switch --dll "$switch"
echo "skipped: an entry of the switch that is there, since this catalog keeps none: $(tr -d '\r' <"$work/output" | tail -n 1)"
expect 1 "no entry; run wsdinstall install --switch" verify --switch
expect 1 "note  the service WS2IFSL" verify --switch # Wine has none
expect 0 "nothing to do" remove --switch
expect_value ""
as_version winxp64
expect 5 "of its own" install --switch --dll "$switch"
expect 0 "installed." install --no-read-back --dll "$dll"
expect 1 "ok    Windows 5.2 has the Windows Sockets switch" verify
expect 0 "removed." remove
as_version ""
expect 5 "--without-switch" install --dll "$dll"

((failed != 0)) || echo "ok: wsdinstall.exe"
exit "$failed"
