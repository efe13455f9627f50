"""S8: init of a whole data set into an empty table, 5 ms away.

A canned responder acknowledges every write after 5 ms. It waits by itself, because to forward 10,000 requests through a
delaying network takes CPU that the client needs.
"""

from harness.measure import Line, at_most, faster
from harness.servers import responder
from harness.tools import Missing

from . import data_sets

ROWS = {"S8": "first init"}
ROUND_TRIP = 5e-3


def measure(bench):
    tools = bench.tools
    times = {}
    with responder(tools, tools.flag_file(1000), delay=ROUND_TRIP) as url:
        for count in data_sets.COUNTS:
            sides = {"C": "init", "Python": "init", "native": "init"}
            times[count] = data_sets.times(bench, url, count, sides, bench.few if count <= 10_000 else 1)
    for count, samples in times.items():
        what, against = f"init of {count:,} flags", "Python integration"
        target = faster(5) if count == 10_000 else None
        yield Line(f"{what}, C", against, "s", samples["C"], samples["native"], target, row="S8", flags=count)
        yield Line(f"{what}, Python", against, "s", samples["Python"], samples["native"], target, row="S8", flags=count)
    yield data_sets.growth("init, C, per flag at 100,000", times, at_most(1.2), "S8")
    yield from _go(bench)
    why = "not measured: LaunchDarkly's DynamoDB integration for Java is not on Maven Central"
    yield Line("init of 10,000 flags", "Java integration", reason=why, row="S8")


def _go(bench):
    what, against, count = "init of 10,000 flags, Go", "Go integration", 10_000
    try:
        with responder(bench.tools, bench.tools.flag_file(1000), delay=ROUND_TRIP) as url:
            times = data_sets.times(bench, url, count, {"Go": "init", "native Go": "init"}, bench.few)
    except Missing as missing:
        yield Line(what, against, reason=f"not measured: {missing}", row="S8")
        return
    yield Line(what, against, "s", times["Go"], times["native Go"], faster(5), row="S8", flags=count)
