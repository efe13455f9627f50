"""BINDINGS: gets through each binding. Cached, against the least that a call into compiled code and a copy of the payload
cost in the language (S1 has Python's through ctypes); uncached, against the AWS SDK of the language, where that is at hand.
"""

from harness.languages import ALL
from harness.measure import Line, at_most
from harness.servers import responder
from harness.tools import Missing

ROWS = {"BINDINGS": "gets from Python, Node.js, Go, Java, Ruby and PHP"}
SIZE = 1000
# Milliseconds; a time that is never reached, since looking at the clock is part of a hit.
HOUR = "3600000"


def measure(bench):
    tools = bench.tools
    with responder(tools, tools.flag_file(SIZE), 1) as url:
        for name, prepare in ALL.items():
            try:
                language = prepare(tools, SIZE)
            except Missing as missing:
                yield Line(f"cached get, {name}", reason=f"not measured: {missing}", row="BINDINGS")
                continue
            yield from _cached(bench, name, language, url)
            if language.sdk:
                yield from _uncached(bench, name, language, url)


def _cached(bench, name, language, url):
    times = bench.times(
        {
            name: [*language.command, "flagstore", url, HOUR],
            "new": [*language.command, "new", url, HOUR] if language.new else None,
            "floor": [*language.command, "floor", *language.floor],
        }
    )
    what, floor = f"cached get, {name}", language.floor_is
    yield Line(what, floor, "s", times[name], times["floor"], at_most(language.most), row="BINDINGS")
    if language.new:
        yield Line(f"{what}, other rows each time", floor, "s", times["new"], times["floor"], row="BINDINGS")


def _uncached(bench, name, language, url):
    times = bench.times(
        {
            name: [*language.command, "flagstore", url, "0"],
            language.sdk: [*language.command, "aws", url, "-"],
        }
    )
    yield Line(f"uncached get, {name}", language.sdk, "s", times[name], times[language.sdk], row="BINDINGS")
