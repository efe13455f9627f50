"""What a row measures with: the tools, how often, and the few ways in which all rows measure."""

import contextlib
import shutil
import time

from .measure import Client, Line, alternate, block_size
from .tools import BENCHES, Tools


class Bench:
    clients = BENCHES / "clients"

    def __init__(self, show, quick):
        self._show = show
        self._row = ""
        self._began = time.monotonic()
        self.rounds = 3 if quick else 15
        self.few = 2 if quick else 5
        self.seconds = 0.1 if quick else 0.3
        self.tools = Tools(self.progress)
        self.has_node = shutil.which("npm") is not None

    def start(self, row):
        self._row = row

    def progress(self, text):
        self._show(f"{time.monotonic() - self._began:6.0f} s  {self._row:<4} {text}")

    def client(self, command):
        """A program that is measured, ready; it ends with the block."""
        return Client(command, self.tools.environment())

    def node(self, script, *arguments):
        """The command of a JavaScript client; None without Node.js."""
        return ["node", self.clients / script, *arguments] if self.has_node else None

    def plain_sdk(self, url, threads):
        """The command of clients/plain_sdk.rs; None where it is not built."""
        return [self.tools.plain_sdk, url, str(threads)] if self.tools.plain_sdk else None

    def alternate(self, sides, rounds=None):
        return alternate(sides, rounds or self.rounds, lambda done, of: self.progress(f"round {done + 1} of {of}"))

    def times(self, commands, of="wall"):
        """Seconds per call of programs that take turns, in blocks of about the same time."""
        with contextlib.ExitStack() as stack:
            sides = {}
            for name, command in commands.items():
                if command:
                    self.progress(f"warming up {name}")
                    client = stack.enter_context(self.client(command))
                    sides[name] = self.per_call(client, block_size(client, self.seconds), of)
            return self.alternate(sides)

    @staticmethod
    def per_call(client, calls, of):
        """A side of its own: seconds per call of a block of so many."""

        def side():
            block = client.ask(calls)
            return block[of] / block["calls"]

        return side

    @staticmethod
    def line_or_reason(side, what, against, samples, unit="s", row=""):
        """A comparison with a side that may be missing on this machine."""
        if side in samples:
            return Line(what, against, unit, samples["C"], samples[side], row=row)
        missing = {"JS": "needs Node.js and npm", "plain": "needs cargo build --release --example plain_sdk"}
        return Line(what, against, unit, reason=f"not measured: {missing[side]}", row=row)
