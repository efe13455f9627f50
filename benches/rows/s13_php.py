"""S13: a PHP-FPM request that reads one flag with a warm worker, against one that makes a raw HTTP request for it.

The raw request, on a new connection and unsigned, is a floor under any client that keeps nothing between PHP requests, the
AWS SDK for PHP among them. Both read the row and decode the flag's JSON; neither evaluates it with the SDK, which is the
same work on both sides. "Request" is the whole request as the web server sees it, PHP-FPM's own share included; "inside"
is what the script takes by its own clock.

The targets are on the request, where DynamoDB is as far away as it may be in production. On loopback a new connection costs
next to nothing and an empty request is a good part of a raw one: these lines show what PHP and this library cost, no more.
"""

import contextlib

from harness import php
from harness.measure import Line, block_size, faster
from harness.servers import delayed, responder, with_tls
from harness.tools import Missing, options

ROWS = {"S13": "PHP-FPM request that reads and decodes one flag"}
ROUND_TRIP = 5e-3
RAW = "raw HTTP on a new connection"
TARGETS = {"uncached": faster(2), "cached": faster(20)}


def measure(bench):
    tools = bench.tools
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(responder(tools, tools.flag_file(1000), 1))
        tls = stack.enter_context(with_tls(url, tools.certificate))
        trusted = {"ca_bundle": str(tools.certificate.authority)}
        far, tls_far = (stack.enter_context(delayed(tools, each, ROUND_TRIP)) for each in (url, tls))
        for transport in ("extension", "FFI"):
            try:
                yield from _lines(f"{transport}, loopback", _times(bench, transport, url), {})
                if transport == "extension":
                    yield from _lines("extension, 5 ms away", _times(bench, transport, far), TARGETS)
                    times = _times(bench, transport, tls_far, **trusted)
                    yield from _lines("extension, 5 ms away, TLS", times, TARGETS)
            except Missing as missing:
                yield Line(f"PHP-FPM request, {transport}", reason=f"not measured: {missing}", row="S13")


def _times(bench, transport, url, **more):
    """Seconds of whole requests, and inside the script, by side."""
    given = {
        "nothing": ("none", "nothing", "{}"),
        "raw": ("none", "raw", options(url, **more)),
        "uncached": (transport, "flagstore", options(url, **more)),
        "cached": (transport, "flagstore", options(url, cache_ttl_ms=3_600_000, **more)),
    }
    inside = {name: [] for name in given}
    with contextlib.ExitStack() as stack:
        sides = {}
        for name, (by, what, store) in given.items():
            socket = stack.enter_context(php.fpm(bench.tools, by))
            command = [bench.tools.program("fpm_get"), socket, bench.clients / "fpm_get.php", what, store]
            client = stack.enter_context(bench.client(command))
            sides[name] = _requests(client, block_size(client, bench.seconds), inside[name])
        return bench.alternate(sides), inside


def _requests(client, calls, inside):
    def side():
        block = client.ask(calls)
        inside.append(block["inside"] / block["calls"])
        return block["wall"] / block["calls"]

    return side


def _lines(how, times, targets):
    whole, inside = times
    for side in ("uncached", "cached"):
        yield Line(f"PHP-FPM request, {side}, {how}", RAW, "s", whole[side], whole["raw"], targets.get(side), row="S13")
        yield Line("… inside the script", RAW, "s", inside[side], inside["raw"], row="S13")
    if not targets:
        yield Line(f"PHP-FPM request, cached, {how}", "an empty one", "s", whole["cached"], whole["nothing"], row="S13")
