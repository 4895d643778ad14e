#!/usr/bin/env python3
"""A registrar with a password, written from RFC 3261, 7616 and 8760 alone, with Python's own hashes.

    digest_server.py ALGORITHM USER PASSWORD [no-qop]

Says on which port it listens, asks whoever registers, and says what came of each REGISTER, until one takes its address
back. The second nonce is stale at once: the same password must do again, with another.
"""

import hashlib
import re
import socket
import sys

HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def header(text, name):
    found = re.search(rf"^{name}:\s*(.*?)\s*$", text, re.M | re.I)
    return found.group(1) if found else ""


class Registrar:
    def __init__(self, algorithm, user, password, qop):
        self.algorithm, self.user, self.password, self.qop = algorithm, user, password, qop
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(20)
        self.nonces, self.counts = 0, {}

    def h(self, text):
        return hashlib.new(HASHES[self.algorithm], text.encode()).hexdigest()

    def judge(self, text):
        """What is wrong with it; nothing: they know the password."""
        proof = header(text, "Authorization")
        if not proof:
            return "asked"
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', proof))
        ha1 = self.h(f"{self.user}:elsewhere:{self.password}")
        ha2 = self.h(f"REGISTER:{fields['uri']}")
        middle = f":{fields['nc']}:{fields['cnonce']}:{fields['qop']}" if self.qop else ""
        right = self.h(f"{ha1}:{fields['nonce']}{middle}:{ha2}")
        if (fields["username"], fields["realm"], fields["algorithm"]) != (self.user, "elsewhere", self.algorithm):
            return "confused"
        if fields["response"] != right or fields["uri"] != text.split()[1]:
            return "wrong"
        if fields["nonce"] == "n1":
            return "stale"
        count = int(fields.get("nc", "0"), 16)
        if self.qop and count != self.counts.get(fields["nonce"], 0) + 1:
            return "counts wrongly"
        self.counts[fields["nonce"]] = count
        return ""

    def answer(self, text, there, status, further):
        copied = [f"{name}: {header(text, name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
        lines = [f"SIP/2.0 {status}", *copied, f"To: {header(text, 'To')};tag=r", *further, "Content-Length: 0"]
        self.socket.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), there)

    def serve(self):
        while True:
            text, there = self.socket.recvfrom(65536)
            text = text.decode()
            fault = self.judge(text)
            left = header(text, "Expires") == "0"
            print(fault or ("left" if left else "registered"), flush=True)
            if fault:
                self.nonces += 1
                qop, stale = ', qop="auth"' if self.qop else "", ", stale=true" if fault == "stale" else ""
                challenge = f'Digest realm="elsewhere", nonce="n{self.nonces}", algorithm={self.algorithm}{qop}{stale}'
                self.answer(text, there, "401 Unauthorized", [f"WWW-Authenticate: {challenge}"])
                continue
            self.answer(text, there, "200 OK", [] if left else [f"Contact: {header(text, 'Contact')};expires=600"])
            if left:
                return


def main():
    algorithm, user, password = sys.argv[1:4]
    registrar = Registrar(algorithm, user, password, sys.argv[4:] != ["no-qop"])
    print(registrar.socket.getsockname()[1], flush=True)
    registrar.serve()


main()
