"""Reads what another process captured on the wire, and says what a caller had to wait.

A capture is made by tcpdump on the loopback interface; times are the kernel's. Only RTP is looked at: a reply
latency runs from the caller's last packet above -45 dBov to our first packet above it.
"""

import collections
import re
import struct

import sound

SPEECH_DBOV = -45.0
# A shorter pause belongs to the sentence; a longer one ends it.
PAUSE = 0.6

Packet = collections.namedtuple("Packet", "at source target payload_type sequence stamp payload")


def datagrams(path):
    """(seconds, source port, target port, payload) of every UDP datagram over IPv4 in a capture, in order."""
    with open(path, "rb") as file:
        head = file.read(24)
        magic, = struct.unpack("<I", head[:4])
        order = "<" if magic in (0xA1B2C3D4, 0xA1B23C4D) else ">"
        scale = 1e-9 if struct.unpack(order + "I", head[:4])[0] == 0xA1B23C4D else 1e-6
        link, = struct.unpack(order + "I", head[20:24])
        offset = {1: 14, 113: 16, 276: 20}[link & 0xFFFF]
        while len(record := file.read(16)) == 16:
            seconds, fraction, kept, _ = struct.unpack(order + "IIII", record)
            ip = file.read(kept)[offset:]
            if len(ip) < 28 or ip[0] >> 4 != 4 or ip[9] != 17:
                continue
            udp = ip[(ip[0] & 15) * 4:]
            yield (seconds + fraction * scale, *struct.unpack("!HH", udp[:4]), udp[8:])


def read(path):
    """RTP packets of a capture, in order."""
    for at, source, target, rtp in datagrams(path):
        if len(rtp) < 12 or rtp[0] >> 6 != 2 or 72 <= rtp[1] & 0x7F <= 76:
            continue
        sequence, stamp = struct.unpack("!HI", rtp[2:8])
        yield Packet(at, source, target, rtp[1] & 0x7F, sequence, stamp, rtp[12:])


def media_ports(path):
    """{SIP Call-ID: the port its caller receives media on}, from the INVITEs of a capture."""
    ports = {}
    for _, _, _, payload in datagrams(path):
        if payload.startswith(b"INVITE "):
            text = payload.decode("utf-8", "replace")
            call, media = re.search(r"(?im)^(?:call-id|i)\s*:\s*(\S+)", text), re.search(r"(?m)^m=audio (\d+)", text)
            if call and media:
                ports[call[1]] = int(media[1])
    return ports


def streams(packets, is_ours):
    """{(our port, their port): (caller's packets, our packets)}; `is_ours(port)` tells which end we are."""
    calls = collections.defaultdict(lambda: ([], []))
    for packet in packets:
        if is_ours(packet.source):
            calls[packet.source, packet.target][1].append(packet)
        elif is_ours(packet.target):
            calls[packet.target, packet.source][0].append(packet)
    return calls


def loud_spans(packets, pause=PAUSE):
    """Stretches of sound above -45 dBov, joined over pauses of up to `pause` seconds: [(first packet, last packet)]."""
    spans = []
    for packet in packets:
        if packet.payload_type != 0 or sound.level_dbov(packet.payload) <= SPEECH_DBOV:
            continue
        if spans and packet.at - spans[-1][1].at <= pause:
            spans[-1][1] = packet
        else:
            spans.append([packet, packet])
    return spans


def reply_latencies(caller, ours):
    """For each sentence of the caller, the seconds from its last packet to the first packet of our reply. A reply
    begins after silence of ours: a prompt that plays on is none. Below zero, it began within the sentence, at a pause
    that was taken for its end: the caller was cut off. `None` where none came before the caller spoke again."""
    replies = [first.at for first, _ in loud_spans(ours, pause=0.1)]
    prompts = loud_spans(ours)
    waits = []
    sentences = loud_spans(caller)
    for place, (first, last) in enumerate(sentences):
        next_sentence = sentences[place + 1][0].at if place + 1 < len(sentences) else float("inf")
        early = next((begin.at for begin, _ in prompts if first.at < begin.at <= last.at), None)
        reply = next((at for at in replies if at > last.at), None) if early is None else early
        waits.append(reply - last.at if reply is not None and reply < next_sentence else None)
    return waits


def intervals(ours):
    """Seconds between packets with consecutive sequence numbers."""
    return [after.at - before.at for before, after in zip(ours, ours[1:]) if after.sequence - before.sequence & 0xFFFF == 1]


def percentile(values, share):
    """Nearest rank; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
