#!/bin/bash
# tests/winsock/lines.sh SOURCE_FILE... - every line of the list of Winsock behaviours has a test that carries its number, and no test another number.
# The numbers are the list's (it has gaps); what is called p... proves a page of the documentation.
set -euo pipefail

numbers='
001 002 004 005 007 008 010 011 013 014 016 017 019 020 022 024 025 027 028 030 031 033 034 036 037 039 040 042 044 045
047 048 050 051 053 054 056 057 059 060 062 064 065 067 068 070 071 073 074 076 077 079 080 082 084 085 087 088 090 091
093 094 096 097 099 100 102 104 105 107 108 110 111 113 114 116 117 119 120 122 124 125 127 128 130 131 133 134 136 137
139 140 142 144 145 147 148 150 151 153 154 156 157 159 160 162 164 165 167 168 170 171 173 174 176 177 179 180 182 184
185 187 188 190 191 193 194 196 197 199 200 202 204 205 207 208 210 211 213 214 216 217
'
in_list=$(tr -s ' \n' '\n' <<<"$numbers" | sed '/^$/d' | sort -u)
tests=$(cat "$@" | tr -s ' \n' ' ' | grep -oE '\bWT(_EXCEPT)?\( ?[bp][0-9]{3}[a-z0-9_]*' | sed 's/.*( \{0,1\}//')
in_tests=$(grep -oE '^b[0-9]{3}(_b[0-9]{3})*' <<<"$tests" | grep -oE '[0-9]{3}' | sort -u)
if [[ $in_list != "$in_tests" ]]; then
    echo "lines without a test (<), tests without a line (>):"
    diff <(echo "$in_list") <(echo "$in_tests") | grep '^[<>]'
    exit 1
fi
echo "$(wc -l <<<"$in_list") lines, $(grep -c '^b' <<<"$tests") tests of them, $(grep -c '^p' <<<"$tests") of pages"
