"""Three calls from peers that are not ours, and what became of them. Run by scripts/demo."""

import argparse
import csv
import os
import pathlib
import random
import sys
import time

import capture
import sound
from gateway import ROOT, Capture, Gateway, baresip, sipp

PLAN = ROOT / "dialplans/bank-main.yaml"
CASES = ROOT / "dialplans/bank-main.cases.tsv"
# Said at "anything else?": not the plan's own phrases.
DECLINING = ["no thank you", "no that's all", "no that was everything", "nope, I'm done"]
# Time a caller takes to begin after a prompt, and what we allow the gateway to begin its reply.
THINK, REPLY = 0.7, 1.0


def wordings(option):
    """Wordings of a wish that no matcher was built on."""
    with open(CASES, newline="") as file:
        return [row["text"] for row in csv.DictReader(file, delimiter="\t") if row["option"] == option]


def human_no(rng):
    """(samples, file name) of a person saying "no", where recordings of people are at hand."""
    folder = os.environ.get("TRUNKLINE_SPEECH")
    manifest = pathlib.Path(folder or "/nonexistent", "en/en.tsv")
    if not manifest.exists():
        return None
    with open(manifest, newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
                if row["transcript"] == "no" and row["category"] == "word"]
    chosen = rng.choice(rows)
    return sound.trim(sound.read_wav(manifest.parent / "8k" / f"{chosen['id']}.wav")), chosen["id"]


class Prompts:
    """How long each prompt of the plan sounds."""

    def __init__(self, gateway):
        self.said = gateway.prompts()

    def seconds(self, *steps):
        total = 0.0
        for step in steps:
            first = next(prompt for prompt in self.said if prompt["step"] == step)
            total += first["duration_ms"] / 1000
        return total


def script_speaking(prompts, rng, wav):
    """Says what is wrong after the prompts, then declines. With a recording of your own the wish is not known: the
    longest reply is waited for, and the call counts as right when it was understood."""
    if wav:
        words, shown = sound.trim(sound.read_wav(wav)), wav.name
        no = sound.speak(rng.choice(DECLINING), "rms")
        longest = max(prompts.seconds(step) for step in ("lost", "hours", "repay"))
        script = sound.Script().wait(prompts.seconds("welcome", "main") + THINK).say(words)
        script.wait(REPLY + longest + prompts.seconds("more") + THINK).say(no).wait(REPLY + prompts.seconds("goodbye") + 25)
        return script, None, f"says what is in {shown}, then declines (rms)"
    shown, wanted = rng.choice(wordings("lost")), "lost"
    words = sound.speak(shown, "rms")
    human = human_no(rng)
    no, who = (human[0], f"a person ({human[1]})") if human else (sound.speak(rng.choice(DECLINING), "rms"), "rms")
    script = sound.Script().wait(prompts.seconds("welcome", "main") + THINK).say(words)
    script.wait(REPLY + prompts.seconds("lost", "more") + THINK).say(no).wait(REPLY + prompts.seconds("goodbye") + 6)
    return script, wanted, f"says “{shown}” (rms), then declines ({who})"


def script_keys(prompts, rng):
    """Balance by key, four digits by key, declines by key."""
    digits = "".join(rng.choice("123456789") for _ in range(4))
    script = sound.Script().wait(prompts.seconds("welcome", "main") + THINK).press("1")
    script.wait(prompts.seconds("balance") + THINK).press(digits)
    script.wait(prompts.seconds("balance_answer", "more") + THINK).press("2").wait(prompts.seconds("goodbye") + 6)
    return script, "balance_answer", f"presses 1, then {digits}, then 2"


def script_interrupting(prompts, rng):
    """Cuts into the menu prompt, then into the question after it."""
    wish, no = rng.choice(wordings("hours")), rng.choice(DECLINING)
    script = sound.Script().wait(prompts.seconds("welcome") + 1.6).say(sound.speak(wish, "kal16"))
    script.wait(REPLY + prompts.seconds("hours") + 0.9).say(sound.speak(no, "awb"))
    script.wait(REPLY + prompts.seconds("goodbye") + 6)
    return script, "hours", f"interrupts with “{wish}” (kal16), then “{no}” (awb)"


def clock(milliseconds):
    return f"{int(milliseconds / 60000):02}:{milliseconds % 60000 / 1000:04.1f}"


def print_timeline(record):
    """One call, in the order it happened."""
    lines = [(-2, "    ringing"), (-1, "    answered")]
    for prompt in record["prompts"]:
        if prompt["at_ms"] is None:
            continue
        proof = f"  [protected, {prompt['played_ms'] / 1000:.1f} of {prompt['total_ms'] / 1000:.1f} s played]" if prompt["protected"] else ""
        cut = f"  [cut at {prompt['played_ms'] / 1000:.1f} s]" if prompt["interrupted"] else ""
        lines.append((prompt["at_ms"], f"{clock(prompt['at_ms'])} bot said: {prompt['text']}{proof}{cut}"))
    for turn in record["turns"]:
        at = turn["at_ms"]
        if turn["outcome"] == "keys":
            what = f"keys: {turn['keys']} → {turn['meaning']}"
        elif turn["heard"]:
            what = f"caller said: “{turn['heard']}” (confidence {turn['confidence'] or 0:.2f}) → {turn['meaning'] or 'not understood'}"
        else:
            what = turn["outcome"].replace("_", " ")
        if turn["barge_in_ms"] is not None:
            what += f", {turn['barge_in_ms'] / 1000:.1f} s into the prompt"
        latency = turn["latency"]
        if latency:
            what += f"; reply after {latency['total_ms']:.0f} ms"
        lines.append((at, f"{clock(at)} {what}"))
    for _, text in sorted(lines, key=lambda line: line[0]):
        print(f"    {text}")
    print(f"    ended: {record['end']['why']}{': ' + record['result'] if record['result'] else ''}, path {' → '.join(record['path'])}")
    recording = record["media"]["recording"]
    print(f"    recording: {recording.get('path', recording['state'])}")


def judge(record, wanted):
    """Why this call did not go where its caller wanted; None when it did."""
    if record["end"]["why"] != "completed":
        return f"it ended {record['end']['why']}, not completed"
    if wanted and wanted not in record["path"]:
        return f"the caller wanted {wanted}, the call went {' → '.join(record['path'])}"
    if wanted and "goodbye" not in record["path"]:
        return "it never reached goodbye"
    if not wanted and not any(turn["outcome"] == "speech" for turn in record["turns"]):
        return "nothing the caller said was understood"
    for prompt in record["prompts"]:
        if prompt["protected"] and prompt["played_ms"] != prompt["total_ms"]:
            return f"the protected prompt of {prompt['step']} was played for {prompt['played_ms']} of {prompt['total_ms']} ms"
    if record["media"]["recording"]["state"] != "saved":
        return "it has no recording"
    return None


def place(gateway, callers, folder):
    """Makes the calls, one after the other, and prints each as it becomes history."""
    failures = 0
    waits = []
    for number, (title, peer, caller, (script, wanted, plan)) in enumerate(callers, 1):
        print(f"\n  Call {number}: {title}, by {peer.__name__}\n    {plan}", flush=True)
        known = set(gateway.call_ids())
        with Capture(folder / f"call-{number}.pcap", gateway) as wire:
            process = peer(gateway, script, folder / f"peer-{number}", caller)
            deadline = time.monotonic() + script.seconds + 30
            new = []
            while not new and time.monotonic() < deadline:
                time.sleep(0.5)
                new = [gateway.call(call_id) for call_id in gateway.call_ids() if call_id not in known]
            process.terminate()
            process.wait(10)
        if not new:
            print(f"    ✗ no record of the call appeared; see {folder / f'peer-{number}'} and {gateway.log_path}")
            failures += 1
            continue
        print_timeline(new[0])
        for heard, said in wire.streams(new).values():
            mine = capture.reply_latencies(heard, said)
            waits += [wait for wait in mine if wait is not None]
            if mine:
                shown = (f"{wait * 1000:.0f} ms" if wait is not None else "never" for wait in mine)
                print("    on the wire, the reply to each sentence began after", ", ".join(shown))
        problem = judge(new[0], wanted)
        print(f"    ✗ {problem}" if problem else "    ✓ it went where its caller wanted")
        failures += problem is not None
    if waits:
        print(f"\n  Reply latency on the wire, {len(waits)} spoken turns: median {capture.percentile(waits, 0.5) * 1000:.0f} ms, "
              f"slowest {max(waits) * 1000:.0f} ms")
    return failures


def main():
    options = argparse.ArgumentParser(prog="scripts/demo")
    options.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    options.add_argument("--seed", type=int, help="draw the same wordings again")
    options.add_argument("--wav", type=pathlib.Path, help="the first caller says what is in this file")
    options.add_argument("--serve", action="store_true", help="leave the gateway running for a softphone")
    options.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.wav and not chosen.wav.is_file():
        options.error(f"there is no file {chosen.wav}")
    if chosen.check:
        return
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(10_000)
    rng = random.Random(seed)
    folder = ROOT / "target/demo"
    gateway = Gateway(ROOT / chosen.binary, folder / "data", PLAN, sip_port=5060 if chosen.serve else 5070)
    print("\n\033[1m▸ Gateway\033[0m", flush=True)
    gateway.start()
    print(f"  answering on 127.0.0.1:{gateway.sip_port}, {gateway.ready_after:.1f} s after it was started; log: {gateway.log_path}")
    try:
        if chosen.serve:
            print(f"  Softphone settings: dial sip:1000@127.0.0.1:{gateway.sip_port} from this machine; UDP, no registration,\n"
                  "  codec PCMU or PCMA, DTMF by RFC 4733 (also called RFC 2833). Press Ctrl-C here to stop.")
            sys.exit(gateway.process.wait())
        print(f"\n\033[1m▸ Three calls (seed {seed})\033[0m", flush=True)
        prompts = Prompts(gateway)
        failures = place(gateway, [
            ("speaks", baresip, "alice", script_speaking(prompts, rng, chosen.wav)),
            ("presses keys", sipp, "bob", script_keys(prompts, rng)),
            ("interrupts a prompt", sipp, "carol", script_interrupting(prompts, rng)),
        ], folder)
        print(f"\n  Recordings (caller left, bot right): {gateway.data / 'recordings'}")
        print(f"  Every call again: target/debug/trunkline calls -c {gateway.config.relative_to(ROOT)}")
    except KeyboardInterrupt:
        print()
        sys.exit(0 if chosen.serve else 130)
    finally:
        gateway.stop()
    if failures:
        sys.exit(f"\n\033[1m✗ {failures} of 3 calls did not go where the caller wanted (scripts/demo --seed {seed} repeats this)\033[0m")
    print("\n\033[1m✓ three calls, each went where its caller wanted\033[0m")


if __name__ == "__main__":
    main()
