#!/usr/bin/env python3
"""A SIP caller with a password, written from RFC 3261, 7616 and 8760 alone, with Python's own hashes.

    digest_client.py HOST PORT ALGORITHM USER PASSWORD [no-qop | counts]

Calls, answers the challenge for ALGORITHM, hangs up when it is let in, and calls once more with the answer it has used
already. One line for each: the order of the challenges, and the statuses it was given. With `counts` it calls with one
nonce again and again, by counts that skip, overtake each other and come twice.
"""

import hashlib
import re
import secrets
import socket
import sys

HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


class Caller:
    def __init__(self, host, port, user, password):
        self.there, self.user, self.password = (host, port), user, password
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(8)
        self.socket.connect(self.there)
        self.here = "%s:%d" % self.socket.getsockname()
        self.call_id, self.tag, self.cseq = secrets.token_hex(12), secrets.token_hex(6), 0

    def ask(self, method, to_tag="", further=(), cseq=None, branch=None):
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        self.branch = branch or "z9hG4bK" + secrets.token_hex(8)
        body = ""
        if method == "INVITE":
            body = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                    "m=audio 4000 RTP/AVP 0\r\n")
        lines = [
            f"{method} {self.uri()} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.here};branch={self.branch};rport",
            "Max-Forwards: 70",
            f"From: <sip:{self.user}@{self.here}>;tag={self.tag}",
            f"To: <{self.uri()}>{to_tag}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:{self.user}@{self.here}>",
            *further,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self.socket.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def uri(self):
        return "sip:100@%s:%d" % self.there

    def hear(self):
        """The next final response: status, headers, To tag."""
        while True:
            text = self.socket.recv(65536).decode()
            status = int(text.split()[1])
            if status >= 200:
                to = re.search(r"^To:.*?(;tag=[^\s;]+)", text, re.M | re.I)
                return status, text, to.group(1) if to else ""

    def prove(self, challenge, algorithm, qop, nc=1):
        """RFC 7616 §3.4.1."""
        def h(text):
            return hashlib.new(HASHES[algorithm], text.encode()).hexdigest()
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', challenge))
        ha1 = h(f"{self.user}:{fields['realm']}:{self.password}")
        ha2 = h(f"INVITE:{self.uri()}")
        parts = [("username", self.user), ("realm", fields["realm"]), ("nonce", fields["nonce"]), ("uri", self.uri())]
        if qop:
            cnonce, count = secrets.token_hex(8), f"{nc:08x}"
            response = h(f"{ha1}:{fields['nonce']}:{count}:{cnonce}:auth:{ha2}")
            tail = f', qop=auth, nc={count}, cnonce="{cnonce}"'
        else:
            response, tail = h(f"{ha1}:{fields['nonce']}:{ha2}"), ""
        quoted = ", ".join(f'{name}="{value}"' for name, value in parts)
        return f'Authorization: Digest {quoted}, response="{response}", algorithm={algorithm}{tail}'

    def acknowledge(self, to_tag, refused):
        self.ask("ACK", to_tag, cseq=self.cseq, branch=self.branch if refused else None)


def count(caller, challenge, algorithm):
    for nc in (1, 2, 40, 39, 39, 40, 200, 130, 199):
        caller.call_id = secrets.token_hex(12)
        caller.ask("INVITE", further=[caller.prove(challenge, algorithm, True, nc)])
        status, text, tag = caller.hear()
        print(nc, status, *(["stale"] if "stale=true" in text.lower() else []))
        caller.acknowledge(tag, refused=status != 200)
        if status == 200:
            caller.ask("BYE", tag)
            caller.hear()


def main():
    host, port, algorithm, user, password = sys.argv[1:6]
    qop = sys.argv[6:] != ["no-qop"]
    caller = Caller(host, int(port), user, password)
    caller.ask("INVITE")
    status, text, tag = caller.hear()
    challenges = re.findall(r"^WWW-Authenticate:\s*Digest (.*?)\s*$", text, re.M | re.I)
    names = [re.search(r"algorithm=([\w-]+)", challenge).group(1) for challenge in challenges]
    print("asked", status, *names)
    caller.acknowledge(tag, refused=True)
    if algorithm not in names:
        print("cannot", algorithm)
        return
    if sys.argv[6:] == ["counts"]:
        return count(caller, challenges[names.index(algorithm)], algorithm)
    proof = caller.prove(challenges[names.index(algorithm)], algorithm, qop)
    caller.ask("INVITE", further=[proof])
    status, text, tag = caller.hear()
    print("answered", status)
    if status != 200:
        caller.acknowledge(tag, refused=True)
        return
    caller.acknowledge(tag, refused=False)
    caller.ask("BYE", tag)
    print("left", caller.hear()[0])
    caller.call_id = secrets.token_hex(12)
    caller.ask("INVITE", further=[proof])
    status, text, tag = caller.hear()
    print("again", status, "stale" if "stale=true" in text.lower() else "not stale")
    caller.acknowledge(tag, refused=True)


main()
