"""A house's own system as the look-ups of a plan meet it, in good and in bad temper. Python's own HTTP server.

Prints its port, then serves until its standard input closes: `far_end.py [CERTIFICATE KEY]`.
"""

import json
import ssl
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ORDER = {
    "order": {
        "items": [{"title": "Blue lamp", "price": 12.5}],
        "placed": "2026-03-02T23:30:00-05:00",
        "due": "2026-03-09",
    },
    "account": "0042 1234",
    "open": True,
}

seen = []  # (method, path, idempotency key) of every request
told = []  # what a webhook heard: (idempotency key, authorization, JSON)
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = {name: values[0] for name, values in urllib.parse.parse_qs(url.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        with lock:
            seen.append((self.command, self.path, self.headers.get("Idempotency-Key")))
            before = sum(1 for _, path, _ in seen if path == self.path)
        name = url.path.strip("/").split("/")[0]
        answer = getattr(self, "answer_" + name, None)
        if answer is None:
            return self.say(404, {"error": "not found"})
        answer(query, body, before)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def say(self, status, value, kind="application/json", **headers):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(data)

    def answer_order(self, query, body, before):
        self.say(200, ORDER)

    def answer_echo(self, query, body, before):
        fields = {name.lower(): text for name, text in self.headers.items()}
        sent = json.loads(body) if body else None
        self.say(200, {"method": self.command, "path": self.path, "headers": fields, "body": sent})

    def answer_empty(self, query, body, before):
        self.send_response(204)
        self.end_headers()

    def answer_status(self, query, body, before):
        self.say(int(query["code"]), {"secret": "of the far end"})

    def answer_flaky(self, query, body, before):
        """503 until it was asked so many times."""
        if before <= int(query["times"]):
            headers = {"Retry_After": query["after"]} if "after" in query else {}
            self.say(503, {}, **headers)
        else:
            self.say(200, {"asked": before})

    def answer_hook(self, query, body, before):
        """Hears events; is out of order for the first so many."""
        if before <= int(query.get("flaky", 0)):
            return self.say(503, {})
        with lock:
            told.append((self.headers.get("Idempotency-Key"), self.headers.get("Authorization"), json.loads(body)))
        self.say(200, b"thanks", kind="text/html")

    def answer_told(self, query, body, before):
        with lock:
            self.say(200, told)

    def answer_hang(self, query, body, before):
        time.sleep(30)

    def answer_drip(self, query, body, before):
        """A byte now and then: each one on time, all of them never."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(300):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.1)

    def answer_flood(self, query, body, before):
        """Valid JSON without end."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"1\r\n[\r\n")
        while True:
            self.wfile.write(b"10000\r\n" + b"1," * 0x8000 + b"\r\n")

    def answer_promise(self, query, body, before):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(10**12))
        self.end_headers()
        time.sleep(30)

    def answer_redirect(self, query, body, before):
        self.say(int(query.get("code", 302)), {}, Location=query["to"])

    def answer_garbage(self, query, body, before):
        self.say(200, b"\xff\xfe<html>{", kind="application/json")

    def answer_page(self, query, body, before):
        self.say(200, b"{}", kind="text/html; charset=utf-8")

    def answer_broken(self, query, body, before):
        """Half an answer, until it was asked so many times."""
        if before > int(query.get("times", 1000)):
            return self.say(200, {"asked": before})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"half":')
        self.close_connection = True

    def answer_nonsense(self, query, body, before):
        self.wfile.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
        self.close_connection = True

    def answer_seen(self, query, body, before):
        with lock:
            self.say(200, [entry for entry in seen if entry[1].startswith(query["path"])])


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # whoever asked has hung up


server = Server(("127.0.0.1", 0), Handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
