#!/usr/bin/env python3
"""Makes seeds for the fuzz targets out of captures of iWARP over TCP: tests/fuzz/seeds_from_capture.py FILE... >captured.txt

Reads with tshark. Each direction of each connection begins with an MPA request or reply (RFC 5044 7.1), FPDUs follow.
One line for each kind of frame that was seen: TARGET NAME HEX, the smallest one of the kind. Payloads are cut to 64 bytes:
the decoders look at headers. Streams with markers become seeds of fuzz_markers: their first 1,300 bytes.
Which captures: siw against rping_peer (tests/interop/rping.sh) in the guest, test_hostile and wsdbench here, on loopback.
"""
import collections
import subprocess
import sys

KEY = {b"MPA ID Req Frame": "request", b"MPA ID Rep Frame": "reply"}
PAYLOAD_MAX = 64
MARKED_MAX = 1300
HEADER = (18, 14)  # bytes of an untagged and of a tagged DDP header (RFC 5041 4)


def streams(path):
    """((capture, connection, port of the sender), bytes) for each direction, in the order of TCP."""
    fields = ["tcp.stream", "tcp.srcport", "tcp.seq", "tcp.payload"]
    command = ["tshark", "-r", path, "-Y", "tcp.len > 0", "-T", "fields"]
    out = subprocess.run(command + [w for f in fields for w in ("-e", f)], stdout=subprocess.PIPE, check=True)
    parts = collections.defaultdict(dict)
    for line in out.stdout.decode().splitlines():
        stream, source, seq, payload = line.split("\t")
        parts[(path, stream, source)][int(seq)] = bytes.fromhex(payload)
    for key, pieces in parts.items():
        whole, at = b"", 1
        for seq in sorted(pieces):
            if seq > at:
                break  # the capture lost a piece: what follows cannot be framed
            whole += pieces[seq][at - seq:]
            at = max(at, seq + len(pieces[seq]))
        yield key, whole


def hello(stream):
    """Bytes of the request or reply at the start of a stream; 0 when there is none."""
    if len(stream) < 20 or stream[:16] not in KEY:
        return 0
    size = 20 + int.from_bytes(stream[18:20], "big")
    return size if size <= len(stream) else 0


def segments(stream):
    """DDP segments of a stream of FPDUs without markers, up to the first that cannot be one."""
    at = 0
    while at + 2 <= len(stream):
        size = int.from_bytes(stream[at:at + 2], "big")
        end = at + 2 + size + (-(2 + size) % 4) + 4
        if size < 14 or end > len(stream):
            return
        yield stream[at + 2:at + 2 + size]
        at = end


def kind_of(segment):
    tagged, last, opcode = segment[0] >> 7, segment[0] >> 6 & 1, segment[1] & 15
    name = f"opcode{opcode}_{'tagged' if tagged else 'untagged'}{'' if last else '_part'}"
    body = segment[HEADER[tagged]:]
    if opcode == 7 and len(body) >= 2:  # which error a Terminate names
        name += f"_{body[0]:02x}{body[1]:02x}"
    if not body:
        name += "_empty"
    return name


def main():
    found = {}

    def keep(target, name, data):
        known = found.get((target, name))
        if known is None or len(data) < len(known):
            found[(target, name)] = data

    for path in sys.argv[1:]:
        both = collections.defaultdict(dict)
        for (file, connection, source), stream in streams(path):
            both[connection][source] = stream
        for ends in both.values():
            sizes = {source: hello(stream) for source, stream in ends.items()}
            for source, stream in ends.items():
                size = sizes[source]
                if not size:
                    continue
                flags, revision = stream[16], stream[17]
                data = "_data" if size > 20 else ""
                keep("fuzz_mpa", f"{KEY[stream[:16]]}_{flags:02x}_rev{revision}{data}", stream[:size])
                # Who asks for markers gets them from the other side (RFC 5044 7.1.1).
                marked = any(ends[other][16] & 0x80 for other in ends if other != source and sizes[other])
                rest = stream[size:]
                if marked and rest:
                    keep("fuzz_markers", f"{KEY[stream[:16]]}_stream", b"\x07" + rest[:MARKED_MAX])
                    continue
                for segment in segments(rest):
                    if len(segment) >= HEADER[segment[0] >> 7]:
                        keep("fuzz_segment", kind_of(segment), segment[:HEADER[segment[0] >> 7] + PAYLOAD_MAX])
    for (target, name), data in sorted(found.items()):
        print(target, name, data.hex())


main()
