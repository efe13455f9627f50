"""HOST: the cache that the processes of a host share, `cache_dir`.

Requests are counted by the workers themselves: each reads the same flags at the same time, once, and says how often it asked
DynamoDB. A hit out of the directory is measured where the process's own cache has no room, so that every get reads a file. The
script is a PHP process that opens a store, reads one flag and decodes it; what is measured is inside it, by its own clock,
since starting PHP is no matter of a store.
"""

import contextlib
import tempfile
from pathlib import Path

from harness import php
from harness.measure import Line, faster, run, within
from harness.servers import delayed, responder, with_tls
from harness.tools import Missing, options

ROWS = {"HOST": "processes of a host that share a cache"}
WORKERS = (1, 10, 50)
FLAGS = 20
HOUR = 3_600_000
ROUND_TRIP = 5e-3
# Long enough for the workers to meet.
ANSWER = 0.05


def measure(bench):
    tools = bench.tools
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        directories = (str(Path(folder) / str(number)) for number in range(1_000_000))
        slow = stack.enter_context(responder(tools, tools.flag_file(1000), FLAGS, ANSWER))
        for workers in WORKERS:
            shared = _requests(bench, workers, options(slow, cache_ttl_ms=HOUR, cache_dir=next(directories)))
            alone = _requests(bench, workers, options(slow, cache_ttl_ms=HOUR))
            what = f"requests a flag and time to live, {workers} {'process' if workers == 1 else 'processes'}"
            yield Line(what, "each alone", "requests", [shared], [alone], within(1, "requests"), row="HOST")
        url = stack.enter_context(responder(tools, tools.flag_file(1000), 1))
        file = options(url, cache_ttl_ms=HOUR, cache_dir=next(directories), cache_max_bytes=1)
        times = bench.times({"file": [tools.program("store_get"), file, "1", "1"]})
        yield Line("a hit out of cache_dir, C", "", "s", times["file"], target=within(25e-6, "s"), row="HOST")
        tls = stack.enter_context(with_tls(url, tools.certificate))
        far = stack.enter_context(delayed(tools, tls, ROUND_TRIP))
        trusted = {"ca_bundle": str(tools.certificate.authority), "cache_ttl_ms": HOUR}
        what = "PHP script that reads one flag, TLS, 5 ms away"
        try:
            sides = {
                "shared": _script(bench, options(far, **trusted, cache_dir=next(directories))),
                "alone": _script(bench, options(far, **trusted)),
            }
            # Fills the directory, and the system's cache of the files that PHP loads.
            for side in sides.values():
                side()
            times = bench.alternate(sides)
            yield Line(what, "without cache_dir", "s", times["shared"], times["alone"], faster(10), row="HOST")
        except Missing as missing:
            yield Line(what, reason=f"not measured: {missing}", row="HOST")


def _requests(bench, workers, store):
    """Of all workers together, for one flag."""
    with contextlib.ExitStack() as stack:
        command = [bench.tools.python, bench.clients / "host_gets.py", store, str(FLAGS)]
        clients = [stack.enter_context(bench.client(command)) for _ in range(workers)]
        # All of them are told before any of them is waited for.
        for client in clients:
            client.tell("all")
        return sum(client.answer()["requests"] for client in clients) / FLAGS


def _script(bench, store):
    settings = php.options(bench.tools, "extension")
    command = [php.program(), "-n", *settings, bench.clients / "fresh.php", store]
    return lambda: run(command, bench.tools.environment())["seconds"]


