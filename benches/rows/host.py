"""HOST: the cache that the processes of a host share, `cache_dir`.

Requests are counted by the workers themselves, processes of Python and of Ruby and workers of PHP-FPM: each reads the same
flags at the same time, once, and says how often it asked DynamoDB. A hit out of the directory is measured where the process's own cache has no room, so that every get reads a file. The
script is a PHP process that opens a store, reads one flag and decodes it; what is measured is inside it, by its own clock,
since starting PHP is no matter of a store.
"""

import contextlib
import functools
import json
import tempfile
from pathlib import Path

from harness import languages, php
from harness.measure import Line, faster, run, within
from harness.servers import delayed, responder, with_tls
from harness.tools import Missing, options

ROWS = {"HOST": "processes of a host that share a cache"}
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
        for name, (numbers, requests) in HOSTS.items():
            for workers in numbers:
                what = f"requests a flag and time to live, {workers} {name}"
                try:
                    shared = requests(bench, workers, options(slow, cache_ttl_ms=HOUR, cache_dir=next(directories)))
                    alone = requests(bench, workers, options(slow, cache_ttl_ms=HOUR))
                    yield Line(what, "each alone", "requests", [shared], [alone], within(1, "requests"), row="HOST")
                except Missing as missing:
                    yield Line(what, reason=f"not measured: {missing}", row="HOST")
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


def _of_processes(command, bench, workers, store):
    """Of all together, for one flag. `command` gives what runs a client of processes."""
    with contextlib.ExitStack() as stack:
        words = [*command(bench), store, str(FLAGS)]
        clients = [stack.enter_context(bench.client(words)) for _ in range(workers)]
        return sum(answer["requests"] for answer in _at_once(clients, "all")) / FLAGS


def _of_fpm(bench, workers, store):
    """The same of PHP-FPM's workers, each of which has one request to answer while the others have theirs."""
    with contextlib.ExitStack() as stack:
        socket = stack.enter_context(php.fpm(bench.tools, "extension", workers))
        host = json.dumps({"options": json.loads(store), "flags": FLAGS})
        words = [bench.tools.program("fpm_get"), socket, bench.clients / "fpm_get.php", "host", host, "0"]
        clients = [stack.enter_context(bench.client(words)) for _ in range(workers)]
        # What the script answers with counts as nanoseconds.
        return sum(round(answer["inside"] * 1e9) for answer in _at_once(clients, "1")) / FLAGS


def _at_once(clients, line):
    """All of them are told before any of them is waited for."""
    for client in clients:
        client.tell(line)
    return [client.answer() for client in clients]


def _python(bench):
    return [bench.tools.python, bench.clients / "host_gets.py"]


def _ruby(bench):
    return [languages.ruby_program(), bench.clients / "host_gets.rb"]


# How many, and what gives their requests.
HOSTS = {
    "Python processes": ((1, 10, 50), functools.partial(_of_processes, _python)),
    "Ruby processes": ((50,), functools.partial(_of_processes, _ruby)),
    "PHP-FPM workers": ((50,), _of_fpm),
}


def _script(bench, store):
    settings = php.options(bench.tools, "extension")
    command = [php.program(), "-n", *settings, bench.clients / "fresh.php", store]
    return lambda: run(command, bench.tools.environment())["seconds"]
