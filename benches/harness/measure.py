"""Taking turns, and what comes of it: samples, ratios, lines of the table."""

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass, field


class Client:
    """A program that is measured; it speaks the protocol of c/blocks.h, or any other of one line per line."""

    def __init__(self, command, environment):
        self._process = subprocess.Popen(
            command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._line()

    def ask(self, line):
        """The JSON that the program prints for a line."""
        self.tell(line)
        return self.answer()

    def tell(self, line):
        """The first half of asking, where several programs are asked at once."""
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def answer(self):
        """The other half."""
        return json.loads(self._line())

    def _line(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"{' '.join(map(str, self._process.args))[:200]} ended with status {self._process.wait()}"
            )
        return line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def run(command, environment):
    """The JSON that a program prints last."""
    done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def alternate(sides, rounds, progress):
    """Samples of each side, a dictionary of functions; in every round each has its turn, the first one moves on."""
    samples = {name: [] for name in sides}
    names = list(sides)
    for number in range(rounds):
        progress(number, rounds)
        for name in names:
            samples[name].append(sides[name]())
        names.append(names.pop(0))
    return samples


def block_size(client, seconds):
    """How many calls fill a block of this time. Finding out warms the client up, its compiler included."""
    # The first call sets things up, and says nothing about the next ones.
    client.ask(1)
    calls = 1
    while (wall := client.ask(calls)["wall"]) < seconds:
        calls *= 2
    return max(1, round(calls * seconds / wall))


@dataclass
class Target:
    """A bound, and what it is a bound of: "faster" = theirs/ours, "times" = ours/theirs, or the unit of ours alone."""

    sign: str
    bound: float
    of: str

    def met(self, value):
        return value >= self.bound if self.sign == "≥" else value <= self.bound

    def __str__(self):
        if self.of == "faster":
            return f"{self.sign} {self.bound:g}x faster"
        if self.of == "times":
            return f"{self.sign} {self.bound:g}x"
        return f"{self.sign} {quantity(self.bound, self.of)}"


def faster(bound):
    return Target("≥", bound, "faster")


def at_most(bound):
    return Target("≤", bound, "times")


def at_least(bound):
    return Target("≥", bound, "times")


def within(bound, unit):
    return Target("≤", bound, unit)


@dataclass
class Line:
    """One line of the table. Samples of both sides belong together by place: their ratios are taken pair by pair."""

    what: str
    against: str = ""
    unit: str = "s"
    ours: list = field(default_factory=list)
    theirs: list = field(default_factory=list)
    target: Target | None = None
    reason: str = ""  # why there is nothing, if there is not
    row: str = ""
    flags: int = 0  # how large the data set is, where lines differ by it

    def ratio_is(self):
        """ "times": ours/theirs, where the target says so; else "faster" or "less": theirs/ours."""
        if self.target and self.target.of == "times":
            return "times"
        return "faster" if self.unit == "s" else "less"

    def ratios(self):
        turned = self.ratio_is() == "times"
        pairs = [(ours, theirs) if turned else (theirs, ours) for ours, theirs in zip(self.ours, self.theirs)]
        return [above / below for above, below in pairs if below]

    def value(self):
        """What the target is a bound of."""
        if self.target and self.target.of not in ("faster", "times"):
            return statistics.median(self.ours)
        return statistics.median(self.ratios())

    def met(self):
        if self.target is None or not self.ours:
            return None
        return self.target.met(self.value())

    def to_json(self):
        return {
            "row": self.row,
            "what": self.what,
            "against": self.against,
            "unit": self.unit,
            "ours": summary(self.ours),
            "theirs": summary(self.theirs),
            "ratio": summary(self.ratios()),
            "ratio_is": self.ratio_is(),
            "target": str(self.target) if self.target else None,
            "met": self.met(),
            "reason": self.reason or None,
            "flags": self.flags or None,
        }


def summary(samples):
    """Median, quartiles and the samples themselves; None if there are none."""
    if not samples:
        return None
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive") if len(samples) > 1 else samples * 3
    return {"median": statistics.median(samples), "low": low, "high": high, "samples": samples}


_STEPS = {
    "s": [(1e-9, "ns"), (1e-6, "us"), (1e-3, "ms"), (1, "s")],
    "B": [(1, "B"), (1e3, "KB"), (1e6, "MB"), (1e9, "GB")],
    "/s": [(1, "/s"), (1e3, "k/s"), (1e6, "M/s")],
}


def quantity(value, unit):
    """Three digits and a unit of the right size."""
    if unit not in _STEPS:
        return f"{value:,.0f} {unit}".strip()
    size, name = next((step for step in reversed(_STEPS[unit]) if abs(value) >= step[0]), _STEPS[unit][0])
    return f"{value / size:.3g} {name}" if value / size < 1000 else f"{value / size:,.0f} {name}"


def progress_to(stream=sys.stderr):
    """Shows one changing line on a terminal, and lines elsewhere."""
    terminal = stream.isatty()

    def show(text):
        stream.write(f"\r\033[K{text}" if terminal else f"{text}\n")
        stream.flush()

    return show
