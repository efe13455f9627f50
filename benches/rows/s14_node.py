"""S14: 100 concurrent gets in Node.js at a round trip of 5 ms, and how long they block the event loop."""

from harness.measure import Line, at_most, within
from harness.servers import delayed, responder
from harness.tools import Missing

ROWS = {"S14": "100 concurrent gets in Node.js"}
ROUND_TRIP = 0.005


def measure(bench):
    tools = bench.tools
    if not (tools.root / "bindings/node/dist").is_dir():
        raise Missing("needs the Node.js binding: make node")
    with (
        responder(tools, tools.flag_file(1000), 1) as url,
        delayed(tools, url, ROUND_TRIP) as far,
        bench.client(bench.node("flagstore_gets.cjs", far)) as node,
    ):
        samples = [node.ask("") for _ in range(bench.rounds)]
    what = "100 gets at once, Node.js"
    of = {name: [sample[name] for sample in samples] for name in ("one", "all", "blocked")}
    trips = [ROUND_TRIP] * len(samples)
    yield Line(what, "round trips of 5 ms", "s", of["all"], trips, at_most(3), row="S14")
    yield Line(what, "one get", "s", of["all"], of["one"], row="S14")
    yield Line("… longest wait of the event loop", "", "s", of["blocked"], [], within(ROUND_TRIP, "s"), row="S14")
