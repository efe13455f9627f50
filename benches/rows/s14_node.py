"""S14: 100 concurrent gets in Node.js at a round trip of 5 ms, and how long they block the event loop."""

from harness.measure import Line

ROWS = {"S14": "100 concurrent gets in Node.js"}


def measure(bench):
    yield Line("100 concurrent gets in Node.js", reason="not measured: binding not there yet", row="S14")
