"""AWAY: what a get takes while DynamoDB is away, where values that were read before stand in.

Sixteen threads read twenty flags whose time to live is short, so that nearly every get meets an expired value. The connection is
cut in the middle: "silent" takes requests and never answers, "refusing" takes no connection. A get that fails would end
the measurement.
"""

from harness.measure import Line, within
from harness.servers import cuttable, responder
from harness.tools import options

ROWS = {"AWAY": "gets while DynamoDB is away"}
FLAGS = 20
THREADS = 16
TTL = 100
# How long an outage is watched, and shorter where it is only to be seen that it works.
SECONDS, SECONDS_QUICK = 15, 3
# For the 99.9th percentile: a thousandth of gets may wait as long as the soft wait lets them.
TARGET = within(0.3, "s")


def measure(bench):
    tools = bench.tools
    seconds = SECONDS if bench.rounds > 3 else SECONDS_QUICK
    with responder(tools, tools.flag_file(1000), FLAGS) as url:
        for outage in ("silent", "refusing"):
            with cuttable(url) as relay:
                store = options(relay.url, cache_ttl_ms=TTL, attempt_timeout_ms=2_000, timeout_ms=5_000)
                command = [tools.python, bench.clients / "away_gets.py", store, str(FLAGS), str(THREADS)]
                with bench.client(command) as client:
                    there = client.ask(seconds)
                    relay.cut(outage)
                    away = client.ask(seconds)
                for what, name in (("99.9th percentile", "p999"), ("longest", "longest"), ("median", "median")):
                    target = TARGET if name == "p999" else None
                    what = f"get while DynamoDB is {outage}, {what}"
                    yield Line(what, "before", "s", [away[name]], [there[name]], target, row="AWAY")
