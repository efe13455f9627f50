"""S5: a process that starts: load the library, open, first uncached get. Interpreters have started already."""

import json

from harness.measure import Line, faster, run, within
from harness.servers import delayed, responder, with_tls
from harness.tools import evict, options

ROWS = {"S5": "cold start"}
ROUND_TRIP = 5e-3


def measure(bench):
    tools = bench.tools
    authority = tools.certificate.authority
    with responder(tools, tools.flag_file(1000), 1) as url, with_tls(url, tools.certificate) as tls:
        yield from _lines("HTTP", bench.alternate(_sides(bench, url)), 10e-3)
        yield from _lines("TLS", bench.alternate(_sides(bench, tls, authority)), 25e-3)
        # As in production: no authority is named, and those that the machine trusts are read.
        yield from _lines("TLS, usual authorities", bench.alternate(_sides(bench, tls)), 25e-3)
        with delayed(tools, tls, ROUND_TRIP) as far:
            yield from _lines("TLS, 5 ms away", bench.alternate(_sides(bench, far, authority)), None)
        yield from _lines("HTTP, cold page cache", bench.alternate(_from_disk(bench, _sides(bench, url))), None)


def _sides(bench, url, authority=None):
    """How long each client takes to its first payload, in a process of its own."""
    tools = bench.tools
    usual = tools.usual_authorities
    ours = options(url, **({"ca_bundle": str(authority)} if authority else {}))
    boto3 = {"endpoint_url": url, "region_name": "us-east-1", "verify": str(authority or usual)}
    boto3 |= {"aws_access_key_id": "bench", "aws_secret_access_key": "bench"}
    commands = {
        "C": [tools.program("fresh"), tools.library, ours, "1", "1"],
        "Python": [tools.python, bench.clients / "fresh.py", "flagstore", "1", ours],
        "boto3": [tools.python, bench.clients / "fresh.py", "boto3", "1", json.dumps(boto3)],
        "JS": bench.node("fresh.cjs", url, "1", *([authority] if authority else [])),
    }
    # Node.js has the usual ones inside, and is told of ours.
    environment = tools.environment(SSL_CERT_FILE=str(usual), NODE_EXTRA_CA_CERTS=str(tools.certificate.authority))

    def first_get(command):
        return lambda: run(command, environment)["first"]

    return {name: first_get(command) for name, command in commands.items() if command}


def _from_disk(bench, sides):
    """The same, with none of the files in memory: what a function pays that was just placed on a machine."""
    tools = bench.tools
    files = {
        "C": [tools.library],
        "Python": [tools.library, tools.root / "bindings/python/src"],
        "boto3": [tools.site_packages / name for name in ("boto3", "botocore", "urllib3", "s3transfer")],
    }

    def side(name):
        evict(*files[name])
        return sides[name]()

    return {name: lambda name=name: side(name) for name in files}


def _lines(how, times, most):
    bound = within(most, "s") if most else None
    if bound:
        yield Line(f"cold start, C, {how}", "", "s", times["C"], target=bound, row="S5")
    yield Line(f"cold start, C, {how}", "boto3", "s", times["C"], times["boto3"], faster(15), row="S5")
    if "JS" in times:
        yield Line(f"cold start, C, {how}", "AWS SDK for JavaScript", "s", times["C"], times["JS"], row="S5")
    yield Line(f"cold start, Python, {how}", "boto3", "s", times["Python"], times["boto3"], row="S5")
