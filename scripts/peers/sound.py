"""Sound for callers that are not ours: voices, G.711, and packet files that SIPp can replay.

Standard library only. Times are seconds unless a name says otherwise; sound is a list of 16-bit samples at 8 kHz.
"""

import array
import math
import pathlib
import struct
import subprocess
import tempfile
import wave

RATE = 8_000
FRAME = 160


def _mulaw_table():
    """Linear to mu-law (ITU-T G.711), indexed by sample + 32768."""
    table = bytearray(65536)
    for sample in range(-32768, 32768):
        sign = 0x80 if sample < 0 else 0
        magnitude = min(abs(sample), 32635) + 132
        exponent = magnitude.bit_length() - 8
        mantissa = (magnitude >> (exponent + 3)) & 0x0F
        table[sample + 32768] = ~(sign | exponent << 4 | mantissa) & 0xFF
    return bytes(table)


MULAW = _mulaw_table()


def _linear_table():
    """Mu-law to linear (ITU-T G.711)."""
    table = []
    for code in range(256):
        inverted = ~code & 0xFF
        magnitude = (((inverted & 0x0F) << 3) + 132 << ((inverted >> 4) & 7)) - 132
        table.append(-magnitude if inverted & 0x80 else magnitude)
    return table


LINEAR = _linear_table()


def read_wav(path):
    """Any WAV file as 8 kHz mono samples; sox does the converting."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as made:
        made_it = subprocess.run(["sox", "-R", str(path), "-r", str(RATE), "-c", "1", "-b", "16", "-e", "signed", made.name],
                                 stderr=subprocess.PIPE)
        if made_it.returncode != 0:
            raise SystemExit(f"{path} cannot be read as sound: {made_it.stderr.decode().strip()}")
        with wave.open(made.name) as file:
            return array.array("h", file.readframes(file.getnframes())).tolist()


def speak(text, voice):
    """`text` in a flite voice, at a usual telephone level (peak about -6 dBFS)."""
    with tempfile.TemporaryDirectory() as folder:
        words = pathlib.Path(folder, "words.txt")
        words.write_text(text + "\n")
        spoken = pathlib.Path(folder, "spoken.wav")
        subprocess.run(["flite", "-voice", voice, "-f", str(words), "-o", str(spoken)], check=True)
        levelled = pathlib.Path(folder, "levelled.wav")
        subprocess.run(["sox", "-R", str(spoken), str(levelled), "gain", "-n", "-6"], check=True)
        return trim(read_wav(levelled))


def trim(samples, threshold=200):
    """Without the silence at both ends."""
    loud = [index for index, sample in enumerate(samples) if abs(sample) > threshold]
    return samples[max(0, loud[0] - 400):loud[-1] + 400] if loud else samples


class Script:
    """What one caller does, second by second: speech and keys over a line that is otherwise quiet."""

    def __init__(self):
        self.samples = []
        self.keys = []

    def wait(self, seconds):
        # A real line is never digitally silent: about -70 dBFS of hiss, the same every run.
        count = int(seconds * RATE)
        start = len(self.samples)
        self.samples += [(index * 1103515245 + 12345 >> 16) % 19 - 9 for index in range(start, start + count)]
        return self

    def say(self, samples):
        self.samples += samples
        return self

    def press(self, digits, each=0.35):
        for digit in digits:
            self.keys.append((len(self.samples) // FRAME, digit))
            self.wait(each)
        return self

    @property
    def seconds(self):
        return len(self.samples) / RATE

    def save_wav(self, path):
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(array.array("h", self.samples).tobytes())

    def save_pcap(self, path):
        """RTP a packet every 20 ms, telephone-events (RFC 4733, payload type 101) where keys are pressed."""
        pressing = {}
        for begin, digit in self.keys:
            event = "0123456789*#ABCD".index(digit)
            for step in range(8):
                pressing[begin + step] = (event, begin, step)
        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            sequence = 0
            for index in range(len(self.samples) // FRAME):
                stamp = index * FRAME
                if index in pressing:
                    event, begin, step = pressing[index]
                    # Six updates while it is held; then the end, sent three times (RFC 4733 section 2.5.1.4).
                    last = step >= 5
                    body = struct.pack("!BBH", event, (0x80 if last else 0) | 10, min(step + 1, 6) * FRAME)
                    header = struct.pack("!BBHII", 0x80, 101 | (0x80 if step == 0 else 0), sequence, begin * FRAME, 0x7A7A)
                else:
                    chunk = self.samples[stamp:stamp + FRAME]
                    body = bytes(MULAW[max(-32768, min(32767, sample)) + 32768] for sample in chunk)
                    header = struct.pack("!BBHII", 0x80, 0x80 if index == 0 else 0, sequence, stamp, 0x7A7A)
                out.write(_record(index * 0.02, header + body))
                sequence = sequence + 1 & 0xFFFF


def _record(at, payload):
    """One captured Ethernet frame carrying `payload` over UDP on loopback."""
    udp = struct.pack("!HHHH", 6000, 6000, 8 + len(payload), 0) + payload
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\1")
    frame = b"\0" * 12 + b"\x08\0" + ip + udp
    micros = round(at * 1e6)
    return struct.pack("<IIII", micros // 1_000_000, micros % 1_000_000, len(frame), len(frame)) + frame


def level_dbov(payload, law="u"):
    """Root mean square of one mu-law payload against full scale (0 dBov: a square wave at +-32768)."""
    if not payload:
        return -127.0
    power = sum(LINEAR[code] ** 2 for code in payload) / len(payload)
    return 10 * math.log10(power / 32768 ** 2) if power else -127.0
