"""S2: hits in the cache from several threads: as many more as there are cores, and no convoy when there are more."""

from harness.measure import Line, at_least
from harness.servers import responder
from harness.tools import options

ROWS = {"S2": "cached gets from several threads"}
KEYS = {"same key": 1, "1,000 keys": 1000}


def measure(bench):
    tools = bench.tools
    with responder(tools, tools.flag_file(1000), 1000) as url:
        cached = options(url, cache_ttl_ms=3_600_000)
        for name, keys in KEYS.items():
            times = bench.times(
                {threads: [tools.program("store_get"), cached, str(threads), str(keys)] for threads in (1, 2, 32)}
            )
            rates = {threads: [1 / each for each in samples] for threads, samples in times.items()}
            yield Line(f"cached, 2 threads, {name}", "1 thread", "/s", rates[2], rates[1], at_least(1.9), row="S2")
            yield Line(f"cached, 32 threads, {name}", "2 threads", "/s", rates[32], rates[2], at_least(0.9), row="S2")
