"""A running gateway and the peers that call it, for the demo and the measurements. Loopback only."""

import contextlib
import getpass
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import capture

# Where the next SIPp keeps its media: two SIPps on one port hear each other's calls. Below the ephemeral ports.
MEDIA_PORTS = itertools.cycle(range(6_000, 14_000, 400))
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def free_port(preferred):
    """`preferred` when nobody has it, else any free UDP port."""
    for port in (preferred, 0):
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return probe.getsockname()[1]
            except OSError:
                continue
    raise SystemExit("no free UDP port on loopback")


class Gateway:
    """`trunkline serve` on loopback, with its own data folder."""

    def __init__(self, binary, data, plan, sip_port=5070, rtp=(24000, 24999), recording=True, workers=None, extra=""):
        self.binary, self.data, self.plan = str(binary), pathlib.Path(data), pathlib.Path(plan).resolve()
        self.sip_port, self.rtp = free_port(sip_port), rtp
        self.data.mkdir(parents=True, exist_ok=True)
        self.log_path = self.data / "serve.log"
        self.config = self.data / "trunkline.toml"
        speech = f"workers = {workers}\n" if workers else ""
        self.config.write_text(
            f'data_dir = "{self.data}"\n\n[sip]\nlisten = "127.0.0.1:{self.sip_port}"\n\n'
            f'[rtp]\naddress = "127.0.0.1"\nports = "{rtp[0]}-{rtp[1]}"\n\n[speech]\n{speech}\n'
            f'[recording]\nenabled = {str(recording).lower()}\n\n'
            f'[[route]]\nnumber = "*"\nplan = "{self.plan}"\n{extra}')
        self.process = None

    def start(self, within=60):
        self.log = open(self.log_path, "w")
        began = time.monotonic()
        self.process = subprocess.Popen([self.binary, "serve", "-c", str(self.config)], cwd=ROOT,
                                        stdout=self.log, stderr=subprocess.STDOUT)
        while time.monotonic() - began < within:
            if self.process.poll() is not None:
                sys.stderr.write(self.log_path.read_text())
                raise SystemExit(f"the gateway ended at once with code {self.process.returncode}; its log is above")
            if self.answers():
                self.ready_after = time.monotonic() - began
                return self
            time.sleep(0.02)
        raise SystemExit(f"the gateway did not answer within {within} s; its log: {self.log_path}")

    def answers(self):
        """Does it answer OPTIONS?"""
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as ping:
            ping.bind(("127.0.0.1", 0))
            ping.settimeout(0.2)
            port = ping.getsockname()[1]
            ping.sendto((f"OPTIONS sip:127.0.0.1:{self.sip_port} SIP/2.0\r\n"
                         f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{time.monotonic_ns()};rport\r\n"
                         f"From: <sip:ping@127.0.0.1>;tag={port}\r\nTo: <sip:127.0.0.1:{self.sip_port}>\r\n"
                         f"Call-ID: {time.monotonic_ns()}@127.0.0.1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
                         f"Contact: <sip:ping@127.0.0.1:{port}>\r\nContent-Length: 0\r\n\r\n").encode(),
                        ("127.0.0.1", self.sip_port))
            try:
                return ping.recv(4096).startswith(b"SIP/2.0 200")
            except OSError:
                return False

    def is_rtp(self, port):
        return self.rtp[0] <= port <= self.rtp[1]

    def run(self, *words):
        """Output of another `trunkline` command on the same data."""
        return subprocess.run([self.binary, *words, "-c", str(self.config)], cwd=ROOT, check=True,
                              stdout=subprocess.PIPE).stdout.decode()

    def call_ids(self):
        """Ids of every call, oldest first."""
        return [call["id"] for call in reversed(json.loads(self.run("calls", "--limit", "1000", "--json")))]

    def call_ids_all(self):
        """Ids of every call, however many."""
        return [call["id"] for call in json.loads(self.run("calls", "--limit", "4000000000", "--json"))]

    def call(self, call_id):
        """One call record, whole."""
        return json.loads(self.run("calls", "show", call_id, "--json"))

    def calls(self):
        """Every call record, oldest first, whole."""
        return [self.call(call_id) for call_id in self.call_ids()]

    def prompts(self):
        """[{step, text, duration_ms, file}] of everything the plan can say, in plan order."""
        out = subprocess.run([self.binary, "prompts", str(self.plan), "--json", "--save", str(self.data / "said"),
                              "-c", str(self.config)], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout.decode()
        return [json.loads(line) for line in out.splitlines() if line.strip()]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.returncode if self.process else None

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


# SIPp replays packets through a raw socket and tcpdump opens the interface: both need an administrator.
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]


class Capture:
    """tcpdump in the background, on the gateway's SIP and RTP ports."""

    def __init__(self, path, gateway):
        self.path, self.gateway = pathlib.Path(path), gateway

    def __enter__(self):
        self.path.unlink(missing_ok=True)
        first, last = self.gateway.rtp
        self.process = subprocess.Popen(
            [*AS_ROOT, "tcpdump", "-i", "lo", "-w", str(self.path), "-B", "16384", "-s", "1600", "-U", "-n", "-Z", getpass.getuser(),
             "--immediate-mode", f"udp portrange {first}-{last} or udp port {self.gateway.sip_port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for line in self.process.stderr:
            if b"listening on" in line:
                return self
        raise SystemExit("tcpdump cannot capture on the loopback interface; run this as root, or with sudo allowed")

    def __exit__(self, *_):
        time.sleep(0.5)
        subprocess.run([*AS_ROOT, "kill", "-INT", str(self.process.pid)], check=False)
        self.process.wait(10)

    def streams(self, records):
        """{call id: (caller's packets, our packets)} of the records whose INVITE was captured."""
        ports = capture.media_ports(self.path)
        by_port = {theirs: both for (_, theirs), both in capture.streams(capture.read(self.path), self.gateway.is_rtp).items()}
        return {record["id"]: by_port[ports[record["sip_call_id"]]] for record in records
                if ports.get(record["sip_call_id"]) in by_port}


def sipp(gateway, script, folder, caller, number="1000", calls=1, rate=1, at_once=None, scenario="caller.xml", hold_ms=None,
         period_ms=1_000, within=180):
    """Places calls with SIPp, `rate` in each `period_ms`; each plays `script`. Returns the process; `wait` on it."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    script.save_pcap(folder / "call.pcap")
    shutil.copy(HERE / scenario, folder / scenario)
    command = [*AS_ROOT, "sipp", f"127.0.0.1:{gateway.sip_port}", "-sf", scenario, "-i", "127.0.0.1", "-mi", "127.0.0.1",
               "-s", number, "-key", "caller", caller, "-m", str(calls), "-r", str(rate), "-rp", str(period_ms), "-l", str(at_once or calls),
               "-p", str(free_port(0)), "-mp", str(next(MEDIA_PORTS)), "-nostdin", "-timeout", f"{within}s", "-trace_err", "-error_file", "errors.log"]
    if hold_ms:
        command += ["-d", str(hold_ms)]
    return subprocess.Popen(command, cwd=folder, stdout=open(folder / "sipp.log", "w"), stderr=subprocess.STDOUT)


def baresip_modules():
    """Where Debian keeps baresip's modules on this machine."""
    places = ["/usr/lib/baresip/modules", *map(str, pathlib.Path("/usr/lib").glob("*/baresip/modules"))]
    return next((place for place in places if pathlib.Path(place).is_dir()), places[0])
