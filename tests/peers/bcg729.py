"""Somebody else's G.729: libbcg729 (Belledonne Communications), as Debian ships it, in its own process.

usage: bcg729.py encode|encode-silence|decode

From standard input to standard output. Sound is 16-bit little-endian at 8 kHz; frames are written as their length in one
byte and then themselves: 10 bytes of sound, 2 that describe silence, 0 for nothing sent. Leaves with 3 where there is no
such library.
"""

import ctypes
import sys

FRAME = 80


def library():
    try:
        lib = ctypes.CDLL("libbcg729.so.0")
    except OSError:
        sys.exit(3)
    lib.initBcg729EncoderChannel.restype = ctypes.c_void_p
    lib.initBcg729EncoderChannel.argtypes = [ctypes.c_uint8]
    lib.bcg729Encoder.argtypes = [ctypes.c_void_p] * 4
    lib.initBcg729DecoderChannel.restype = ctypes.c_void_p
    lib.bcg729Decoder.argtypes = [ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_uint8] * 4 + [ctypes.c_void_p]
    return lib


def encode(lib, sound, silence):
    state = lib.initBcg729EncoderChannel(1 if silence else 0)
    frame, length = ctypes.create_string_buffer(16), ctypes.c_uint8()
    out = bytearray()
    for at in range(0, len(sound) - len(sound) % (2 * FRAME), 2 * FRAME):
        pcm = ctypes.create_string_buffer(sound[at : at + 2 * FRAME], 2 * FRAME)
        lib.bcg729Encoder(state, pcm, frame, ctypes.byref(length))
        out += bytes([length.value]) + frame.raw[: length.value]
    return bytes(out)


def decode(lib, frames):
    state = lib.initBcg729DecoderChannel()
    pcm = ctypes.create_string_buffer(2 * FRAME)
    out, at = bytearray(), 0
    while at < len(frames):
        length = frames[at]
        frame = ctypes.create_string_buffer(frames[at + 1 : at + 1 + length], 16)
        at += 1 + length
        lib.bcg729Decoder(state, frame, length, length == 0, length == 2, 0, pcm)
        out += pcm.raw
    return bytes(out)


def main():
    what, lib, given = sys.argv[1], library(), sys.stdin.buffer.read()
    made = decode(lib, given) if what == "decode" else encode(lib, given, what == "encode-silence")
    sys.stdout.buffer.write(made)


main()
