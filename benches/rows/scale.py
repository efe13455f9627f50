"""SCALE: whether cost grows linearly: init, all and cached memory at 1,000, 10,000 and 100,000 flags of 1 KB, through C.

A canned responder answers on loopback at once, so that what is seen is this library's own work and the requests it makes.
A flag in the data set of 100,000 may cost at most 1.2 times what one costs in the data set of 10,000. Instructions, which repeat
from run to run, tell whether the work itself grows; time also grows where the processor's caches and the allocator give out.
"""

import contextlib
import statistics

from harness.callgrind import instructions_of
from harness.measure import Line, at_most, run
from harness.servers import responder
from harness.tools import options

from .data_sets import COUNTS, command

ROWS = {"SCALE": "cost by the size of the data set"}
SIZE = 1000
WHAT = {
    "first": ("first init", "s"),
    "unchanged": ("init on unchanged data", "s"),
    "all": ("all", "s"),
    "memory": ("cached, memory", "B"),
}


def measure(bench):
    samples = {count: _samples(bench, count) for count in COUNTS}
    for side, (what, unit) in WHAT.items():
        for count in COUNTS:
            yield Line(f"{what}, {count:,} flags", "", unit, samples[count][side], row="SCALE", flags=count)
        many, few = samples[100_000][side], samples[10_000][side]
        per_flag = [each / 100_000 for each in many]
        usual = [statistics.median(few) / 10_000] * len(many)
        yield Line(f"{what}, a flag among 100,000", "among 10,000", unit, per_flag, usual, at_most(1.2), row="SCALE")
    yield from _instructions(bench)


def _instructions(bench):
    tools = bench.tools
    for side, order in (("unchanged", "init"), ("all", "all")):
        each = {}
        for count in (1_000, 10_000):
            bench.progress(f"counting instructions of {order}, {count:,} flags")
            with responder(tools, tools.flag_file(SIZE), count) as url:
                each[count] = instructions_of(tools, command(bench, "C", url, count), order) / count
        what = f"{WHAT[side][0]}, a flag among 10,000"
        few, many = ([each[count]] for count in (1_000, 10_000))
        yield Line(what, "among 1,000", "instructions", many, few, at_most(1.1), row="SCALE")


def _samples(bench, count):
    """Seconds and bytes by side, each in turn."""
    tools, flag = bench.tools, bench.tools.flag_file(SIZE)
    with contextlib.ExitStack() as stack:
        empty, full = (stack.enter_context(responder(tools, flag, flags)) for flags in (0, count))
        on_empty, on_full = (
            stack.enter_context(bench.client(command(bench, "C", url, count))) for url in (empty, full)
        )
        cached = options(full, cache_ttl_ms=-1, cache_max_bytes=1 << 30)
        fill = [tools.program("fresh"), tools.library, cached, str(count), str(count)]

        def memory():
            stages = run(fill, tools.environment())["memory"]
            return stages["all"] - stages["first"]

        sides = {
            "first": lambda: _seconds(on_empty, "init", count),
            "unchanged": lambda: _seconds(on_full, "init", 0),
            "all": lambda: _seconds(on_full, "all", count),
            "memory": memory,
        }
        # Half a minute a round at the largest.
        return bench.alternate(sides, min(bench.few, 3))


def _seconds(client, command, rows):
    answer = client.ask(command)
    if answer["rows"] != rows:
        raise RuntimeError(f"{command} handled {answer['rows']} rows, not {rows}")
    return answer["wall"]
