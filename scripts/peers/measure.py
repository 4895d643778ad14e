"""The figures of docs/performance.md, taken from outside the gateway. Run by scripts/measure."""

import argparse
import array
import multiprocessing
import random
import shutil
import time
import wave

import capture
import demo
import sound
from gateway import ROOT, Capture, Gateway, sipp
from person import THINK, Person, Together

VOICES = ["kal16", "rms", "awb"]
# Calls before the many, for whom the recognisers make the room they need.
FIRST = 2


def fresh(folder, binary, name, **settings):
    """A gateway on an empty database that keeps the prompt cache of earlier runs."""
    data = folder / name
    for left in ("trunkline.db", "trunkline.db-wal", "trunkline.db-shm", "recordings"):
        path = data / left
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return Gateway(binary, data, demo.PLAN, **settings)


def row(name, values, unit="ms", scale=1000.0):
    values = [value * scale for value in values]
    print(f"  {name:<44} n={len(values):<4} p50 {capture.percentile(values, 0.5):7.1f}  p95 {capture.percentile(values, 0.95):7.1f}  "
          f"p99 {capture.percentile(values, 0.99):7.1f}  max {max(values, default=float('nan')):7.1f} {unit}", flush=True)


def latency(folder, binary, at_once, rounds, seed):
    """Reply latency of spoken menu turns: the capture's figures, and the parts the gateway keeps. A call is four
    turns for a caller who is understood: a lost card, yes, opening hours, no. One who is not says it again."""
    rng = random.Random(seed)
    gateway = fresh(folder, binary, "latency").start()
    try:
        prompts = demo.Prompts(gateway)
        with Capture(folder / "latency.pcap", gateway) as wire:
            for _ in range(rounds):
                together, callers = Together(at_once), []
                for place in range(at_once):
                    voice = VOICES[len(callers) % 3] if at_once > 1 else rng.choice(VOICES)
                    errands = demo.Errands([demo.errand("lost", voice, rng), demo.errand("hours", voice, rng)], voice, rng)
                    callers.append(Person(gateway, prompts.ear, errands, folder / f"latency-{place}", f"load{place}", together=together))
                for caller in callers:
                    caller.start()
                for caller in callers:
                    caller.join()
        records = gateway.calls()
    finally:
        gateway.stop()
    if len(records) != rounds * at_once:
        raise SystemExit(f"{len(records)} records of {rounds * at_once} calls: this run measured nothing")
    streams = wire.streams(records)
    waits = [wait for record in records for wait in capture.reply_latencies(*streams[record["id"]])]
    spoken = [(first.at, last.at) for caller, _ in streams.values() for first, last in capture.loud_spans(caller)]
    at_a_time = [sum(begin <= mine[1] and end >= mine[0] for begin, end in spoken) for mine in spoken]
    print(f"\nReply latency, {at_once} call{'s' if at_once > 1 else ''} speaking at once, {rounds} round{'s' if rounds > 1 else ''}, seed {seed}")
    row("on the wire, every sentence", [wait for wait in waits if wait is not None and wait > 0])
    print(f"  of {len(waits)} sentences, cut off at a pause within: {sum(wait is not None and wait <= 0 for wait in waits)}, "
          f"without a reply before the next one: {waits.count(None)}; "
          f"callers speaking during a sentence: median {capture.percentile(at_a_time, 0.5)}, most {max(at_a_time)}")
    turns = [turn for record in records for turn in record["turns"]]
    parts = [turn["latency"] for turn in turns if turn["latency"] and turn["heard"]]
    for part in ("total", "endpointing", "queue", "recognition", "understanding", "first_packet"):
        row(f"as the record has it: {part.replace('_', ' ')}", [entry[f"{part}_ms"] / 1000 for entry in parts])
    outcomes = [turn["outcome"] for turn in turns]
    served = sum({"lost", "hours", "goodbye"} <= set(record["path"]) for record in records)
    print("  turns:", ", ".join(f"{outcomes.count(kind)} {kind}" for kind in sorted(set(outcomes))),
          f"\n  calls that did both errands: {served} of {len(records)}")


def place_all(callers):
    """Waits for every caller; a peer that failed makes the figures worthless."""
    for caller in list(callers):
        if caller.wait(180) != 0:
            raise SystemExit("a SIPp failed; its errors.log and sipp.log under target/measure say why")


def correlate(left, right, reach=4000):
    """Best normalised correlation of two sounds over shifts of up to `reach` samples, and that shift."""
    def envelope(samples):
        return [sum(abs(sample) for sample in samples[start:start + 80]) for start in range(0, len(samples) - 80, 80)]

    coarse_left, coarse_right = envelope(left), envelope(right)

    def score(a, b, shift):
        least = min(len(a), len(b)) // 2
        if shift >= 0:
            a, b = a[shift:], b
        else:
            a, b = a, b[-shift:]
        size = min(len(a), len(b))
        if size < least:
            return -1.0  # any two scraps are alike
        a, b = a[:size], b[:size]
        top = sum(x * y for x, y in zip(a, b))
        bottom = (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
        return top / bottom if bottom else 0.0

    best = max(range(-reach // 80, reach // 80 + 1), key=lambda shift: score(coarse_left, coarse_right, shift)) * 80
    start = max(range(len(coarse_left)), key=lambda index: coarse_left[index], default=0) * 80
    start = max(0, min(start - 4000, len(left) - 8000))

    def fine(shift):
        begin = start - shift
        return score(left[start:start + 8000], right[max(0, begin):begin + 8000], 0) if begin >= 0 else -1.0

    exact = max(range(best - 120, best + 121), key=fine)
    return score(left, right, exact), exact


def sentences(samples, pause=4800):
    """[(begin, end)] of what stands between pauses, a quarter of a second of quiet around it. baresip starts its
    stream anew with every sentence, so each is compared by itself."""
    spans = []
    for index in (index for index, sample in enumerate(samples) if abs(sample) > 200):
        if spans and index - spans[-1][1] < pause:
            spans[-1][1] = index
        else:
            spans.append([index, index])
    return [(max(0, begin - 2000), end + 2000) for begin, end in spans if end - begin > 800]


def channels(path):
    with wave.open(str(path)) as file:
        data = array.array("h", file.readframes(file.getnframes())).tolist()
    return data[0::2], data[1::2]


def intact(folder, binary, seed):
    """What was played against what the far end kept, both ways; protected prompts to the millisecond."""
    gateway = fresh(folder, binary, "intact").start()
    try:
        prompts = demo.Prompts(gateway)
        caller = Person(gateway, prompts.ear, demo.speaking(random.Random(seed), None)[0], folder / "intact-peer", "alice")
        caller.start()
        caller.join()
        time.sleep(1)
        record = gateway.calls()[-1]
    finally:
        gateway.stop()
    caller, bot = channels(record["media"]["recording"]["path"])
    heard, said = (sound.read_wav(next((folder / "intact-peer").glob(f"dump-*-{side}.wav"))) for side in ("dec", "enc"))
    print("\nAudio intact (baresip, G.711 mu-law)")
    ratio, shift = correlate(bot, heard, reach=16000)
    print(f"  ours → theirs: what we recorded as said against baresip's own recording: correlation {ratio:.4f} (shift {shift / 8:.0f} ms)")
    for begin, end in sentences(said):
        ratio, shift = correlate(said[begin:end], caller[max(0, begin - 8000):end + 8000], reach=9000)
        print(f"  theirs → ours: a sentence as baresip kept it against our recording: correlation {ratio:.4f}")
    for prompt in record["prompts"]:
        if prompt["protected"]:
            print(f"  protected prompt of {prompt['step']}: {prompt['played_ms']} of {prompt['total_ms']} ms handed to the socket")


def sleeper(seconds, queue):
    """A process that only sleeps 20 ms at a time: what this machine's timers are worth."""
    due = time.monotonic()
    wakes = []
    while len(wakes) < seconds * 50:
        due += 0.02
        time.sleep(max(0.0, due - time.monotonic()))
        wakes.append(time.monotonic())
    queue.put([after - before for before, after in zip(wakes, wakes[1:])])


def load(folder, binary, calls, seconds, seed):
    """Many calls at once: prompt, RTP both ways, VAD, recording."""
    gateway = fresh(folder, binary, "load").start()
    try:
        prompts = demo.Prompts(gateway)
        listens_s, wish = prompts.seconds("welcome", "main") + THINK, random.Random(seed).choice(demo.wordings("lost"))

        def script(stays_s):
            return sound.Script().wait(listens_s).say(sound.speak(wish, "rms")).wait(stays_s)

        # What the recognisers take when they first hear somebody they keep, and is not the price of a call.
        first = sipp(gateway, script(5), folder / "load-first", "first", calls=FIRST, rate=25, scenario="holder.xml",
                     hold_ms=int((listens_s + 8) * 1000))
        place_all([first])
        time.sleep(1)
        idle = gateway.memory_mb()
        queue = multiprocessing.Queue()
        with Capture(folder / "load.pcap", gateway) as wire:
            caller = sipp(gateway, script(seconds), folder / "load-peer", "load", calls=calls, rate=25, scenario="holder.xml", hold_ms=(seconds + 4) * 1000)
            time.sleep(calls / 25 + 1)
            beside = multiprocessing.Process(target=sleeper, args=(seconds, queue))
            beside.start()
            before, began = gateway.cpu_seconds(), time.monotonic()
            time.sleep(seconds)
            cpu = (gateway.cpu_seconds() - before) / (time.monotonic() - began)
            busy = gateway.memory_mb()
            idle_gaps = queue.get(timeout=30)
            place_all([caller])
        gaps = [gap for _, said in capture.streams(capture.read(wire.path), gateway.is_rtp).values() for gap in capture.intervals(said)]
        records = gateway.calls()[FIRST:]
    finally:
        gateway.stop()
    print(f"\n{calls} calls at once for {seconds} s: prompt, RTP both ways, VAD, recording")
    row("interval between our packets on the wire", gaps)
    row("interval of an idle 20 ms sleeper beside it", idle_gaps)
    print(f"  CPU {cpu:.2f} cores, {cpu / calls * 100:.2f} % of a core a call; memory {busy:.0f} MB, {(busy - idle) / calls:.2f} MB a call over {idle:.0f} MB after the first {FIRST}")
    print(f"  {len(records)} records, lost packets {sum(record['media']['lost'] for record in records)}, late ticks "
          f"{max((record['media']['late_ticks'] for record in records), default=0)} at most in a call, "
          f"recordings saved {sum(record['media']['recording']['state'] == 'saved' for record in records)}")


def cold(folder, binary):
    """Start of `serve` to its first answered call, prompts cached."""
    fresh(folder, binary, "cold").start().stop()
    took = []
    for _ in range(5):
        gateway = fresh(folder, binary, "cold")
        began = time.monotonic()
        gateway.start()
        script = sound.Script().wait(1)
        caller = sipp(gateway, script, folder / "cold-peer", "cold", scenario="holder.xml", hold_ms=200)
        place_all([caller])
        took.append(time.monotonic() - began - 0.2)
        gateway.stop()
    print("\nCold start: `serve` begins → first call answered and over (SIPp's own start included), prompts cached")
    row("five starts", took)


def main():
    options = argparse.ArgumentParser(prog="scripts/measure")
    options.add_argument("what", nargs="?", default="all", choices=["all", "latency", "intact", "load", "cold"])
    options.add_argument("--binary", default="target/release/trunkline")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--calls", type=int, default=50)
    options.add_argument("--seconds", type=int, default=20)
    chosen = options.parse_args()
    folder, binary = ROOT / "target/measure", ROOT / chosen.binary
    folder.mkdir(parents=True, exist_ok=True)
    if chosen.what in ("all", "latency"):
        latency(folder, binary, 1, chosen.rounds, chosen.seed)
        latency(folder, binary, 5, chosen.rounds, chosen.seed)
    if chosen.what in ("all", "intact"):
        intact(folder, binary, chosen.seed)
    if chosen.what in ("all", "load"):
        load(folder, binary, chosen.calls, chosen.seconds, chosen.seed)
    if chosen.what in ("all", "cold"):
        cold(folder, binary)


if __name__ == "__main__":
    main()
