"""S4: what uncached gets from 16 threads cost the process, in user and system time."""

from harness.callgrind import instructions
from harness.measure import Line, within
from harness.servers import responder
from harness.tools import options

ROWS = {"S4": "CPU of uncached gets from 16 threads"}


def measure(bench):
    tools = bench.tools
    with responder(tools, tools.flag_file(1000), 1000) as url:
        from_c = [tools.program("store_get"), options(url), "16", "1000"]
        raw = [tools.program("raw_get"), url.rpartition(":")[2], "16"]
        times = bench.times({"C": from_c, "raw": raw, "plain": bench.plain_sdk(url, 16)}, of="cpu")
        count = instructions(tools, from_c, 320, 1920)
    what = "CPU per uncached get, 16 threads"
    yield Line(what, "raw sockets", "s", times["C"], times["raw"], within(65e-6, "s"), row="S4")
    yield bench.line_or_reason("plain", what, "plain aws-sdk-dynamodb", times, row="S4")
    yield Line(what, "", "instructions", [count], row="S4")
