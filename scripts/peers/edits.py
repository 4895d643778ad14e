#!/usr/bin/env python3
"""How long after it is saved is an edited step in force?

A gateway of its own on loopback runs a copy of dialplans/bank-main.yaml. Each round saves an edit the way editors do
(a new file renamed over the old one, or the old one emptied and written again) whose words nobody has rendered yet, and
asks the control socket every two milliseconds until the new version is in force. Prints milliseconds.

    scripts/peers/edits.py [--rounds 40] [--binary target/release/trunkline] [--steps N]
"""
import argparse
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import tempfile
import time

args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
args.add_argument("--rounds", type=int, default=40)
args.add_argument("--binary", default="target/release/trunkline")
args.add_argument("--steps", type=int, default=0, help="further steps, to see what a large plan costs")
args = args.parse_args()


def versions(path):
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(str(path))
        asked.sendall(b'{"do":"plans"}\n')
        return json.loads(asked.makefile().readline())["plans"][0]["version"]


def main():
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        plan, data = home / "plan.yaml", home / "data"
        text = pathlib.Path("dialplans/bank-main.yaml").read_text()
        more = "".join(
            f"  more{number}: {{ say: {{ text: {{ en-US: 'Sentence {number % 10}.', zh-CN: '第{number % 10}句。' }}, "
            f"go: {'welcome' if number == 0 else f'more{number - 1}'} }} }}\n"
            for number in range(args.steps)
        )
        text = text.rstrip("\n") + "\n" + more
        plan.write_text(text)
        settings = home / "trunkline.toml"
        settings.write_text(
            f'data_dir = "{data}"\n[sip]\nlisten = "127.0.0.1:25960"\nmax_calls = 4\n[rtp]\naddress = "127.0.0.1"\nports = "25970-25990"\n'
            f'[[route]]\nnumber = "*"\nplan = "{plan}"\n'
        )
        log = open(home / "log", "w")
        gateway = subprocess.Popen([args.binary, "serve", "-c", settings], stdout=log, stderr=log)
        control = data / "control.sock"
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    known = versions(control)
                    break
                except OSError:
                    assert gateway.poll() is None and time.monotonic() < deadline, (home / "log").read_text()
                    time.sleep(0.05)
            took = []
            for number in range(args.rounds):
                edited = text.replace("Welcome to", f"Round {number} of {os.getpid()}. Welcome to", 1)
                assert edited != text
                time.sleep(0.3)
                if number % 2:
                    plan.write_text(edited)
                else:
                    beside = home / "plan.new"
                    beside.write_text(edited)
                    beside.rename(plan)
                begun = time.monotonic()
                while (now := versions(control)) == known:
                    assert time.monotonic() < begun + 30, (home / "log").read_text()
                    time.sleep(0.002)
                took.append((time.monotonic() - begun) * 1000)
                known = now
            took.sort()
            print(
                f"{len(took)} edits: in force after p50 {statistics.median(took):.0f} ms, "
                f"p95 {took[int(len(took) * 0.95) - 1]:.0f} ms, worst {took[-1]:.0f} ms"
            )
        finally:
            gateway.send_signal(signal.SIGTERM)
            gateway.wait(60)


main()
