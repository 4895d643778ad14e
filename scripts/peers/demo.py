"""Three calls from peers that are not ours, and what became of them. Run by scripts/demo."""

import argparse
import contextlib
import csv
import os
import pathlib
import random
import subprocess
import sys
import time

import capture
import sound
from gateway import ROOT, Capture, Gateway, sipp
from person import THINK, Act, Ear, Person

PLAN = ROOT / "dialplans/bank-main.yaml"
CASES = ROOT / "dialplans/bank-main.cases.tsv"
# Said at "anything else?": the plan's own phrases and others.
AGREEING = ["yes please", "yes", "yeah", "yes there is", "yes I have another question"]
DECLINING = ["no thank you", "no that's all", "no that was everything", "nope, I'm done"]
# The keys the plan offers to those it does not understand.
KEYS = {"balance": "1", "repay": "2", "lost": "3", "hours": "4", "yes": "1", "no": "2"}
# What we allow the gateway to begin its reply, where a caller cannot hear it.
REPLY = 1.0


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
    """What the plan can say: how long each prompt sounds, and an ear that knows them."""

    def __init__(self, gateway):
        self.said = gateway.prompts()
        names = (pathlib.Path(prompt["file"]).name.split(".")[0] for prompt in self.said)
        self.ear = Ear([(name, sound.read_wav(prompt["file"])) for name, prompt in zip(names, self.said)])

    def seconds(self, *steps):
        total = 0.0
        for step in steps:
            first = next(prompt for prompt in self.said if prompt["step"] == step)
            total += first["duration_ms"] / 1000
        return total


class Errands:
    """What a caller of the bank says to what they hear. Not understood, they put it in other words, and
    take the key where keys are offered. `None` for a step means that any will do."""

    def __init__(self, errands, voice, rng, interrupting=False):
        """`errands`: [(step, ways to say it: [(words, samples)])]."""
        self.left, self.voice, self.interrupting = list(errands), voice, interrupting
        self.agreeing, self.declining = (ways(rng.sample(texts, 2), voice) for texts in (AGREEING, DECLINING))
        self.said = {}

    def __call__(self, heard):
        step, asked = heard.rsplit("-", 1)
        answer = getattr(self, f"at_{step}", self.at_other)
        return answer(step, int(asked))

    def say(self, ways, key, after=THINK, over=False):
        """The next way to say it; the last is repeated."""
        place = self.said[key] = self.said.get(key, -1) + 1
        return Act(after, "say", ways[min(place, len(ways) - 1)], over)

    def at_welcome(self, *_):
        return self.say(self.left[0][1], len(self.left), 1.6, True) if self.interrupting else None

    def at_main(self, _, asked):
        if not self.left:
            return None
        wanted, ways = self.left[0]
        return Act(THINK, "press", KEYS[wanted]) if asked == 3 and wanted else self.say(ways, len(self.left))

    def at_balance(self, *_):
        if self.left and self.left[0][0] in ("balance", None):
            self.left.pop(0)
            return Act(THINK, "press", "4321")
        return self.say(ways(["go back"], self.voice), "back")

    def at_more(self, _, asked):
        want = "yes" if self.left else "no"
        if asked > 1:
            return Act(THINK, "press", KEYS[want])
        return self.say(self.agreeing if self.left else self.declining, want)

    def at_other(self, step, _):
        if self.left and self.left[0][0] in (step, None):
            self.left.pop(0)
        served = not self.left and step not in ("goodbye", "human")
        return self.say(self.declining, "no", 0.9, True) if self.interrupting and served else None


def ways(texts, voice):
    return [(text, sound.speak(text, voice)) for text in texts]


def errand(option, voice, rng):
    """A wish and three ways to say it, drawn from the wordings no matcher was built on."""
    return option, ways(rng.sample(wordings(option), 3), voice)


def speaking(rng, wav):
    """Says what is wrong, then declines; the "no" is a person's, where recordings of people are at hand. With a
    recording of your own the wish is not known: the call counts as right when it was understood."""
    voice = "rms"
    wish = (None, [(wav.name, sound.trim(sound.read_wav(wav)))]) if wav else errand("lost", voice, rng)
    caller = Errands([wish], voice, rng)
    if not wav and (human := human_no(rng)):
        caller.declining.insert(0, (f"no, by a person ({human[1]})", human[0]))
    return caller, wish[0]


def interrupting(rng):
    """Cuts into the menu prompt, then into the question after it."""
    voice = rng.choice(["kal16", "awb"])
    return Errands([errand("hours", voice, rng)], voice, rng, interrupting=True), "hours"


def pressing(prompts, rng):
    """Balance by key, four digits by key, declines by key: what SIPp plays."""
    digits = "".join(rng.choice("123456789") for _ in range(4))
    script = sound.Script().wait(prompts.seconds("welcome", "main") + THINK).press("1")
    script.wait(prompts.seconds("balance") + THINK).press(digits)
    script.wait(prompts.seconds("balance_answer", "more") + THINK).press("2").wait(prompts.seconds("goodbye") + 6)
    return script, ["key 1", f"keys {digits}", "key 2"]


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


class Sipp:
    """A caller who follows a script, in the shape of a `Person`."""

    def __init__(self, gateway, script, did, folder, caller):
        self.start = lambda: setattr(self, "process", sipp(gateway, script, folder, caller))
        self.did, self.longest = did, script.seconds + 30

    def join(self, seconds):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        self.process.terminate()


def place(gateway, callers, folder):
    """Makes the calls, one after the other, and prints each as it becomes history. `callers`: [(title, what calls,
    the step it wants)]."""
    failures = 0
    waits = []
    for number, (title, caller, wanted) in enumerate(callers, 1):
        print(f"\n  Call {number}: {title}", flush=True)
        known = set(gateway.call_ids())
        with Capture(folder / f"call-{number}.pcap", gateway) as wire:
            caller.start()
            caller.join(caller.longest)
            new, deadline = [], time.monotonic() + 10
            while not new and time.monotonic() < deadline:
                new = [gateway.call(call_id) for call_id in gateway.call_ids() if call_id not in known]
                time.sleep(0.2)
        if not new:
            print(f"    ✗ no record of the call appeared; see {folder / f'peer-{number}'} and {gateway.log_path}")
            failures += 1
            continue
        print(f"    the caller's part: {', then '.join(caller.did) or 'nothing'}")
        print_timeline(new[0])
        for heard, said in wire.streams(new).values():
            mine = capture.reply_latencies(heard, said)
            waits += [wait for wait in mine if wait is not None and wait > 0]
            if mine:
                shown = ("never" if wait is None else f"{wait * 1000:.0f} ms" if wait > 0 else "(before its end)" for wait in mine)
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
        script, did = pressing(prompts, rng)
        (talker, wish), (hasty, hurry) = speaking(rng, chosen.wav), interrupting(rng)
        failures = place(gateway, [
            ("speaks (baresip)", Person(gateway, prompts.ear, talker, folder / "peer-1", "alice"), wish),
            ("presses keys (SIPp)", Sipp(gateway, script, did, folder / "peer-2", "bob"), "balance_answer"),
            ("interrupts the prompts (baresip)", Person(gateway, prompts.ear, hasty, folder / "peer-3", "carol"), hurry),
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
