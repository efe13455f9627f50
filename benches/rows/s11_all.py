"""S11: all flags at once, from a canned responder that pages as DynamoDB does: the time, and the memory at its peak."""

from harness.measure import Line, at_most, faster
from harness.servers import responder

from . import data_sets

ROWS = {"S11": "all flags"}
SIZE = 1000


def measure(bench):
    tools = bench.tools
    times = {}
    for count in data_sets.COUNTS:
        with responder(tools, tools.flag_file(SIZE), count) as url:
            rounds = bench.rounds if count <= 10_000 else bench.few
            # "core" is the integration's own work, without what the SDK makes of it.
            times[count] = data_sets.times(bench, url, count, {"C": "all", "native": "core"}, rounds)
            if count == 10_000:
                whole = data_sets.times(bench, url, count, {"Python": "all", "native": "all"}, bench.few)
                peaks = bench.alternate({side: _peak(bench, side, url, count) for side in ("C", "native")}, bench.few)
    against = "Python integration"
    for count, samples in times.items():
        target = faster(4) if count == 10_000 else None
        what = f"all of {count:,} flags, C"
        yield Line(what, against, "s", samples["C"], samples["native"], target, row="S11", flags=count)
    yield Line("all of 10,000 flags, Python SDK on top", against, "s", whole["Python"], whole["native"], row="S11")
    yield data_sets.growth("all, C, per flag at 100,000", times, at_most(1.2), "S11")
    payload = [SIZE * 10_000] * len(peaks["C"])
    yield Line("peak memory of all, C", "payload", "B", peaks["C"], payload, at_most(2.5), row="S11")
    yield Line("peak memory of all, C", against, "B", peaks["C"], peaks["native"], row="S11")


def _peak(bench, side, url, count):
    """In a process of its own, since what one call freed the next one does not have to ask the system for."""

    def peak():
        with bench.client(data_sets.command(bench, side, url, count)) as client:
            return client.ask("all" if side == "C" else "core")["peak"]

    return peak
