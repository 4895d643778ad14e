"""A caller who listens: baresip on the line, and behind it someone who knows what they want.

What baresip hears is compared with what the plan can say, so that the caller answers the question that was asked, says
it again in other words when not understood, and uses a key when a key is offered. Nothing comes from the gateway but
its sound.
"""

import array
import collections
import contextlib
import json
import pathlib
import socket
import subprocess
import threading
import time

import sound
from gateway import baresip_modules, free_port

# What a caller does `after` seconds: "say" (words, samples) or "press" a key. `over`: even while the bot is speaking;
# otherwise they hold back when it goes on.
Act = collections.namedtuple("Act", "after how what over", defaults=[False])

CHUNK = sound.FRAME
LOUD = 200
# How much of the end of a prompt tells it from all others, and how finely it is compared.
TAIL, STRIDE = 4_000, 37
# Time a caller takes to begin after a prompt.
THINK = 0.7
# A line that is open, and never digitally silent, for longer than any call here.
IDLE = 240


class Ear:
    """Knows the sound of everything the plan says; tells which of it has just come to its end."""

    def __init__(self, prompts):
        """`prompts`: [(name, samples)]."""
        self.known = []
        for name, samples in prompts:
            line = [sound.LINEAR[sound.MULAW[sample + 32768]] for sample in samples]
            loud = [index for index, sample in enumerate(line) if abs(sample) > LOUD]
            if loud:
                self.known.append((name, line[max(0, loud[-1] + 1 - TAIL):loud[-1] + 1]))

    def ended(self, heard):
        """The name of the prompt whose end `heard` ends in, or `None`."""
        last = next((index for index in range(len(heard) - 1, max(-1, len(heard) - 1 - 2 * CHUNK), -1)
                     if abs(heard[index]) > LOUD), None)
        if last is None:
            return None
        for name, tail in self.known:
            start = last + 1 - len(tail)
            if start < 0:
                continue
            points = range(0, len(tail), STRIDE)
            apart = sum(abs(tail[at] - heard[start + at]) for at in points)
            if apart < 0.1 * sum(abs(tail[at]) for at in points):
                return name
        return None


class Person(threading.Thread):
    """One call. `react(name)` is asked whenever a prompt called `name` has been heard to its end, and gives an `Act` or
    `None`. What was done is kept in `did`, as a reader would write it."""

    def __init__(self, gateway, ear, react, folder, caller, number="1000", longest=150, together=None):
        super().__init__(daemon=True)
        self.ear, self.react, self.longest, self.together = ear, react, longest, together
        self.folder = pathlib.Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in (*self.folder.glob("dump-*.wav"), *self.folder.glob("words-*.wav")):
            left.unlink()
        sound.Script().wait(IDLE).save_wav(self.folder / "idle.wav")
        self.control = free_port(0)
        (self.folder / "config").write_text(
            f"sip_listen 127.0.0.1:{free_port(0)}\nmodule_path {baresip_modules()}\nmodule g711.so\nmodule aufile.so\n"
            f"module sndfile.so\nsnd_path {self.folder}\nmodule_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n"
            f"ctrl_tcp_listen 127.0.0.1:{self.control}\nstatmode_default off\n"
            f"audio_source aufile,{self.folder}/idle.wav\naudio_player aufile,{self.folder}/unused.wav\n"
            "audio_alert aufile,/dev/null\nausrc_srate 8000\nauplay_srate 8000\nrtp_ports 16000-16400\nrtp_timeout 0\n"
            "call_max_calls 1\naudio_buffer 20-160\n")
        (self.folder / "accounts").write_text(f"<sip:{caller}@127.0.0.1>;regint=0;audio_codecs=PCMU/8000/1\n")
        (self.folder / "contacts").write_text("")
        self.dial = f"/dial sip:{number}@127.0.0.1:{gateway.sip_port}"
        self.did = []
        self.over = False

    def run(self):
        log = open(self.folder / "baresip.log", "w")
        process = subprocess.Popen(["baresip", "-f", str(self.folder), "-e", self.dial, "-t", str(self.longest)],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            with contextlib.closing(self.connect(process)) as line:
                self.line = line
                threading.Thread(target=self.watch, args=(line,), daemon=True).start()
                self.listen(process)
        finally:
            self.over = True
            if self.together:
                self.together.leave()
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)

    def connect(self, process):
        """baresip's control connection."""
        for _ in range(250):
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", self.control), timeout=None)
            if process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"baresip did not start; see {self.folder / 'baresip.log'}")

    def watch(self, line):
        """Takes baresip's news until the call is over."""
        with contextlib.suppress(OSError):
            news = b""
            while not self.over and (more := line.recv(4096)):
                news = news[-200:] + more
                self.over = self.over or b"CALL_CLOSED" in news

    def command(self, name, params):
        words = json.dumps({"command": name, "params": params}).encode()
        with contextlib.suppress(OSError):
            self.line.sendall(b"%d:%s," % (len(words), words))

    def listen(self, process):
        """Follows what baresip hears, as it hears it, and acts."""
        dump, heard, quiet, due = None, array.array("h"), True, None
        while not self.over and process.poll() is None:
            time.sleep(0.01)
            dump = dump or next(iter(self.folder.glob("dump-*-dec.wav")), None)
            if dump is None:
                continue
            with open(dump, "rb") as file:
                file.seek(44 + 2 * len(heard))
                fresh = file.read()
            whole = len(fresh) // (2 * CHUNK) * CHUNK
            heard.frombytes(fresh[:2 * whole])
            for end in range(len(heard) - whole + CHUNK, len(heard) + 1, CHUNK):
                was_quiet, quiet = quiet, max(map(abs, heard[end - CHUNK:end])) <= LOUD
                if due and not quiet and not due[1].over:
                    due = None
                if quiet and not was_quiet and (name := self.ear.ended(heard[max(0, end - TAIL - 4 * CHUNK):end])):
                    if act := self.react(name):
                        due = (end + int(act.after * sound.RATE), act)
                if due and end >= due[0]:
                    self.act(due[1].how, due[1].what)
                    due = None

    def act(self, kind, what):
        if self.together:
            self.together.wait()
        if kind == "press":
            self.did.append(f"key {what}")
            self.command("sndcode", what)
            return
        words, samples = what
        path = self.folder / f"words-{len(self.did)}.wav"
        sound.Script().say(samples).wait(IDLE).save_wav(path)
        self.did.append(f"“{words}”")
        self.command("ausrc", f"aufile,{path}")


class Together:
    """Lets callers speak at the same moment: each waits until all are ready, but not so long that it looks like silence."""

    def __init__(self, callers, patience=2.0):
        self.callers, self.patience = callers, patience
        self.waiting, self.round = 0, 0
        self.change = threading.Condition()

    def wait(self):
        with self.change:
            mine = self.round
            self.waiting += 1
            if self.waiting >= self.callers:
                self.go()
            elif not self.change.wait_for(lambda: self.round != mine, self.patience):
                self.go()

    def leave(self):
        with self.change:
            self.callers -= 1
            if self.callers and self.waiting >= self.callers:
                self.go()

    def go(self):
        self.waiting = 0
        self.round += 1
        self.change.notify_all()
