"""S1: a hit in the cache through the C ABI: get, look at the payload, free. One thread, 1 KB."""

from harness.callgrind import instructions
from harness.measure import Line, at_most, within
from harness.servers import responder
from harness.tools import options

ROWS = {"S1": "cached get"}
SIZE = 1000
# Milliseconds; a time that is never reached, since looking at the clock is part of a hit.
HOUR = 3_600_000


def measure(bench):
    tools = bench.tools
    with responder(tools, tools.flag_file(SIZE), 1) as url:
        cached = options(url, cache_ttl_ms=HOUR)
        from_c = [tools.program("store_get"), cached, "1", "1"]
        times = bench.times(
            {
                "C": from_c,
                "Python": [tools.python, bench.clients / "flagstore_get.py", cached],
                "ctypes": [tools.python, bench.clients / "ctypes_floor.py", tools.library, str(SIZE)],
                "SDK": [tools.python, bench.clients / "sdk_cache_get.py", tools.flag_file(SIZE)],
            }
        )
        count = instructions(tools, from_c, 1000, 11000)
    sdk = "cache of the Python SDK"
    yield Line("cached get, C", sdk, "s", times["C"], times["SDK"], within(100e-9, "s"), row="S1")
    floor = "emptiest ctypes call + copy"
    yield Line("cached get, Python", floor, "s", times["Python"], times["ctypes"], at_most(1.5), row="S1")
    yield Line("cached get, Python", sdk, "s", times["Python"], times["SDK"], row="S1")
    yield Line("cached get, C", "", "instructions", [count], row="S1")
