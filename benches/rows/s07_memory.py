"""S7: resident memory that a process gains by open and 1,000 gets, and what cached items take."""

from harness.measure import Line, at_most, run, within
from harness.servers import responder
from harness.tools import boto3_options, options

ROWS = {"S7": "memory"}
ITEMS, ITEM_BYTES = 10_000, 5_000


def measure(bench):
    tools = bench.tools
    with responder(tools, tools.flag_file(1000), 1) as url:
        commands = {
            "C": [tools.program("fresh"), tools.library, options(url), "1000", "1"],
            "boto3": [tools.python, bench.clients / "fresh.py", "boto3", "1000", boto3_options(url)],
            "JS": bench.node("fresh.cjs", url, "1000"),
        }
        added = bench.alternate(
            {name: _added(bench, command, "before") for name, command in commands.items() if command}, bench.few
        )
    what = "memory of open + 1,000 gets"
    yield Line(what, "boto3", "B", added["C"], added["boto3"], within(6e6, "B"), row="S7")
    yield bench.line_or_reason("JS", what, "AWS SDK for JavaScript", added, unit="B", row="S7")

    with responder(tools, tools.flag_file(ITEM_BYTES), ITEMS) as url:
        cached = options(url, cache_ttl_ms=-1, cache_max_bytes=1 << 30)
        command = [tools.program("fresh"), tools.library, cached, str(ITEMS), str(ITEMS)]
        taken = bench.alternate({"cache": _added(bench, command, "first")}, bench.few)["cache"]
    bytes_of_items = [ITEMS * ITEM_BYTES] * len(taken)
    yield Line("memory of 10,000 cached 5 KB items", "their bytes", "B", taken, bytes_of_items, at_most(1.3), row="S7")


def _added(bench, command, since):
    def side():
        memory = run(command, bench.tools.environment())["memory"]
        return memory["all"] - memory[since]

    return side
