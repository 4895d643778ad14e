"""Calls placed: how many a second? Run by `scripts/measure setup-out`.

A SIPp answers on loopback. Calls are ordered through the control socket at a given rate, each with a plan that hangs
up as soon as it is answered, and each is followed to its record.
"""

import argparse
import asyncio
import json
import pathlib
import shutil
import subprocess
import time

import capture
from gateway import HERE, ROOT, Gateway, free_port

PLAN = "dialplan: 1\nname: setup-out\nstart: bye\nsteps:\n  bye: { hangup: }\n"
# What the control socket serves at once.
AT_ONCE = 250
PATIENCE_S = 30


async def order(socket, request, seats):
    """One call from order to record: its disposition, and the seconds to the last word."""
    async with seats:
        began = time.monotonic()
        read, write = await asyncio.open_unix_connection(str(socket), limit=1 << 20)
        try:
            write.write((json.dumps(request) + "\n").encode())
            while line := await asyncio.wait_for(read.readline(), PATIENCE_S):
                said = json.loads(line)
                if "record" in said:
                    return said["record"].get("disposition") or "none", time.monotonic() - began
                if "error" in said:
                    return said["error"], time.monotonic() - began
            return "the connection closed", time.monotonic() - began
        except TimeoutError:
            return f"no record within {PATIENCE_S} s", time.monotonic() - began
        finally:
            write.close()


async def at_rate(socket, request, rate, seconds):
    """Orders calls on the beat, and waits for all of them."""
    seats, under_way, due = asyncio.Semaphore(AT_ONCE), [], time.monotonic()
    for _ in range(rate * seconds):
        under_way.append(asyncio.create_task(order(socket, request, seats)))
        due += 1 / rate
        await asyncio.sleep(max(0, due - time.monotonic()))
    behind = time.monotonic() - due
    return await asyncio.gather(*under_way), behind


def main():
    options = argparse.ArgumentParser(prog="scripts/measure setup-out")
    options.add_argument("--rates", default="50,100,150", help="calls a second")
    options.add_argument("--seconds", type=int, default=20)
    options.add_argument("--binary", default="target/release/trunkline")
    chosen = options.parse_args()
    folder = ROOT / "target/measure/setup-out"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bye.yaml").write_text(PLAN)
    shutil.copy(HERE / "answering.xml", folder)
    for left in ("trunkline.db", "trunkline.db-wal", "trunkline.db-shm"):
        (folder / "data" / left).unlink(missing_ok=True)
    answers = free_port(0)
    gateway = Gateway(ROOT / chosen.binary, folder / "data", folder / "bye.yaml", rtp=(14_000, 23_999), recording=False)
    # More at once than the control socket serves, and ports rest five seconds after each call.
    gateway.config.write_text(gateway.config.read_text().replace("[sip]\n", "[sip]\nmax_calls = 1000\n"))
    gateway.start()
    callee = subprocess.Popen(["sipp", "-sf", "answering.xml", "-i", "127.0.0.1", "-p", str(answers), "-nostdin", "-d", "20",
                               "-timeout", "600s", "-trace_err", "-error_file", "errors.log"],
                              cwd=folder, stdout=open(folder / "sipp.log", "w"), stderr=subprocess.STDOUT)
    request = {"do": "call", "to": f"sip:callee@127.0.0.1:{answers}", "plan": str(folder / "bye.yaml"), "ring_s": 10}
    good, ordered = True, 0
    try:
        print("\nCalls placed through the control socket, answered by SIPp after 20 ms, hung up by us at once\n")
        print("| calls/s | calls | answered | order to record p50 / p99 / max ms | our cores |\n| --- | --- | --- | --- | --- |")
        for rate in map(int, chosen.rates.split(",")):
            cpu, began = gateway.cpu_seconds(), time.monotonic()
            done, behind = asyncio.run(at_rate(gateway.data / "control.sock", request, rate, chosen.seconds))
            cores = (gateway.cpu_seconds() - cpu) / (time.monotonic() - began)
            took = [seconds * 1000 for _, seconds in done]
            answered = sum(outcome == "answered" for outcome, _ in done)
            ordered += len(done)
            print(f"| {rate} | {len(done)} | {answered} | {capture.percentile(took, .5):.0f} / {capture.percentile(took, .99):.0f} / {max(took):.0f} | {cores:.2f} |", flush=True)
            others = sorted({outcome for outcome, _ in done} - {"answered"})
            if others:
                print("  others:", "; ".join(others[:5]), flush=True)
            if behind > 1:
                print(f"  the orders themselves were {behind:.1f} s late: the machine is full", flush=True)
            good &= answered == len(done) and behind <= 1
            time.sleep(6)
        stored = len(gateway.call_ids_all())
        print(f"\n{stored} records of {ordered} calls")
    finally:
        gateway.stop()
        callee.terminate()
        callee.wait()
    raise SystemExit(0 if good and stored == ordered else 1)


if __name__ == "__main__":
    main()
