"""What S8 and S11 share: whole data sets at three scales, through C, Python, Go and the SDKs' own integrations."""

import contextlib
import statistics

from harness.languages import go_program
from harness.measure import Line
from harness.tools import boto3_options, options

COUNTS = (1_000, 10_000, 100_000)
GO = {"Go": "flagstore", "native Go": "native"}


def command(bench, side, url, count):
    """The program for a side; C, Python, Go, or the native integration of these languages."""
    data = bench.tools.data_file(count)
    if side in GO:
        return [go_program(bench.tools, "data_set"), GO[side], url, data]
    if side == "C":
        return [bench.tools.program("data_set"), options(url, shared=False), data]
    which = "native" if side == "native" else "flagstore"
    return [bench.tools.python, bench.clients / "data_set.py", which, boto3_options(url), data]


def times(bench, url, count, sides, rounds):
    """Seconds that the sides take, each for its command."""
    with contextlib.ExitStack() as stack:
        clients = {side: stack.enter_context(bench.client(command(bench, side, url, count))) for side in sides}

        def seconds(side):
            answer = clients[side].ask(sides[side])
            if answer["rows"] != count:
                raise RuntimeError(f"{side} handled {answer['rows']} rows of {count}")
            return answer["wall"]

        return bench.alternate({side: lambda side=side: seconds(side) for side in sides}, rounds)


def growth(what, times, target, row):
    """Whether the time per flag stays the same from 10,000 to 100,000."""
    most = [each / 100_000 for each in times[100_000]["C"]]
    usual = statistics.median(times[10_000]["C"]) / 10_000
    return Line(what, "at 10,000", "s", most, [usual] * len(most), target, row=row)
