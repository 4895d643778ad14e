"""Hours of calls: does anything grow, does anything stay behind? Run by `scripts/measure soak`.

Calls come and go, so many at once; every minute the process is asked what it holds (memory, files, threads) and how
many calls, SIP legs and media legs it knows. At the end nobody calls any more, and what is left is compared with what
was there before the first call. Prints the table of docs/performance.md; fails when something was left over.
"""

import argparse
import pathlib
import re
import time
import urllib.request

import demo
import sound
from gateway import ROOT, Gateway, free_port, sipp

# Prompts are loaded, arenas have found their size: growth before that is no leak.
SETTLED_MINUTES = 10
# Ports rest five seconds after a call; a client transaction lasts thirty-two.
COOL_DOWN_S = 45
# What counts as flat, in MB an hour: the noise of an allocator over an hour, far below one byte a frame.
FLAT_MB = 2.0


def metrics(port):
    """{name: value} of the samples without labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    return {name: float(value) for name, value in (line.split(" ") for line in lines if re.match(r"^[a-z_]+ ", line))}


def look(gateway, port):
    """What there is now."""
    seen = metrics(port)
    return {
        "memory": gateway.memory_mb(),
        "files": len(list(pathlib.Path(f"/proc/{gateway.process.pid}/fd").iterdir())),
        "threads": len(list(pathlib.Path(f"/proc/{gateway.process.pid}/task").iterdir())),
        "calls": seen["trunkline_calls"],
        "legs": seen["trunkline_legs"],
        "media": seen["trunkline_media_legs"],
    }


def slope(rows):
    """MB an hour, by least squares over (minutes, MB)."""
    if len(rows) < 2:
        return 0.0
    mean_x = sum(x for x, _ in rows) / len(rows)
    mean_y = sum(y for _, y in rows) / len(rows)
    over = sum((x - mean_x) ** 2 for x, _ in rows)
    return 60 * sum((x - mean_x) * (y - mean_y) for x, y in rows) / over if over else 0.0


def show(minute, seen):
    print(f"| {minute:>6} | {seen['memory']:>9.1f} | {seen['files']:>5.0f} | {seen['threads']:>7.0f} | {seen['calls']:>5.0f} | "
          f"{seen['legs']:>4.0f} | {seen['media']:>5.0f} |", flush=True)


def main():
    options = argparse.ArgumentParser(prog="scripts/measure soak")
    options.add_argument("--minutes", type=float, default=120)
    options.add_argument("--calls", type=int, default=50)
    options.add_argument("--hold", type=int, default=24, help="seconds a call lasts")
    options.add_argument("--every", type=float, default=60, help="seconds between looks")
    options.add_argument("--binary", default="target/release/trunkline")
    chosen = options.parse_args()
    folder, port = ROOT / "target/measure", free_port(9061)
    data = folder / "soak"
    data.mkdir(parents=True, exist_ok=True)
    for left in ("trunkline.db", "trunkline.db-wal", "trunkline.db-shm"):
        (data / left).unlink(missing_ok=True)
    gateway = Gateway(ROOT / chosen.binary, data, demo.PLAN, recording=False, extra=f'\n[ops]\nlisten = "127.0.0.1:{port}"\n').start()
    total, rows, left_over = int(chosen.minutes * 60 / chosen.hold * chosen.calls), [], []
    try:
        prompts = demo.Prompts(gateway)
        script = sound.Script().wait(prompts.seconds("welcome", "main") + demo.THINK).say(sound.speak("I lost my card", "rms")).wait(2)
        before = look(gateway, port)
        print(f"\n{chosen.calls} calls at once for {chosen.minutes:g} minutes, each {chosen.hold} s: prompts, speech, keys, no recording\n")
        print("| minute | memory MB | files | threads | calls | legs | media |\n| --- | --- | --- | --- | --- | --- | --- |")
        show(0, before)
        callers = sipp(gateway, script, folder / "soak-peer", "soak", calls=total, rate=chosen.calls, at_once=chosen.calls,
                       scenario="holder.xml", hold_ms=chosen.hold * 1000, period_ms=chosen.hold * 1000,
                       within=int(chosen.minutes * 66 + 2 * chosen.hold + 60))  # a busy machine falls behind
        began = time.monotonic()
        while callers.poll() is None:
            time.sleep(chosen.every)
            minute, seen = (time.monotonic() - began) / 60, look(gateway, port)
            if seen["calls"]:
                rows.append((minute, seen["memory"]))
            if len(rows) % 10 == 1 or chosen.minutes < 20:
                show(round(minute), seen)
        time.sleep(COOL_DOWN_S)
        after = look(gateway, port)
        show("after", after)
        for what in ("calls", "legs", "media"):
            if after[what]:
                left_over.append(f"{after[what]:.0f} {what}")
        if after["files"] > before["files"] + 2:
            left_over.append(f"{after['files'] - before['files']} files or sockets")
        stored = len(gateway.call_ids_all())
    finally:
        gateway.stop()
    growth = slope([row for row in rows if row[0] >= min(SETTLED_MINUTES, chosen.minutes / 3)])
    print(f"\nmemory grows by {growth:+.2f} MB an hour once settled; {stored} records of {total} calls; "
          f"left over: {', '.join(left_over) or 'nothing'}; SIPp ended with {callers.returncode}")
    raise SystemExit(0 if not left_over and abs(growth) <= FLAT_MB and stored == total and callers.returncode == 0 else 1)


if __name__ == "__main__":
    main()
