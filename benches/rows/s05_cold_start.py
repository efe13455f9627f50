"""S5: a process that starts: load the library, open, first uncached get. Interpreters have started already."""

from harness.measure import Line, faster, run, within
from harness.page_cache import evict
from harness.servers import delayed, responder, with_tls
from harness.tools import Missing, boto3_options, options

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
            yield from _lines("TLS, 5 ms away", bench.alternate(_sides(bench, far, authority)))
        cold = "HTTP, cold page cache"
        try:
            yield from _lines(cold, bench.alternate(_from_disk(bench, _sides(bench, url))))
        except Missing as missing:
            yield Line(f"cold start, {cold}", reason=f"not measured: {missing}", row="S5")


def _sides(bench, url, authority=None):
    """How long each client takes to its first payload, in a process of its own."""
    tools = bench.tools
    usual = tools.usual_authorities
    ours = options(url, **({"ca_bundle": str(authority)} if authority else {}))
    boto3 = boto3_options(url, verify=str(authority or usual))
    commands = {
        "C": [tools.program("fresh"), tools.library, ours, "1", "1"],
        "Python": [tools.python, bench.clients / "fresh.py", "flagstore", "1", ours],
        "boto3": [tools.python, bench.clients / "fresh.py", "boto3", "1", boto3],
        "JS": bench.node("fresh.cjs", url, "1", *([authority] if authority else [])),
    }
    # Node.js has the usual ones inside, and is told of ours.
    environment = tools.environment(SSL_CERT_FILE=str(usual), NODE_EXTRA_CA_CERTS=str(tools.certificate.authority))

    def first_get(command):
        return lambda: run(command, environment)["first"]

    return {name: first_get(command) for name, command in commands.items() if command}


def _from_disk(bench, sides):
    """The same, with none of the files in memory: what a function pays that was just placed on a machine.

    The files of the library or the AWS SDK, that is: the interpreter's own stay, whoever uses them.
    """
    tools = bench.tools
    files = {
        "C": [tools.library],
        "Python": [tools.library, tools.root / "bindings/python/src"],
        "boto3": [tools.site_packages / name for name in ("boto3", "botocore", "urllib3", "s3transfer")],
        **({"JS": [tools.node_modules]} if "JS" in sides else {}),
    }

    def side(name):
        evict(*files[name])
        return sides[name]()

    return {name: lambda name=name: side(name) for name in files}


def _lines(how, times, most=None):
    """Without a bound there is no target at all: round trips and disks take their time whoever waits."""
    what = f"cold start, C, {how}"
    if most:
        yield Line(what, "", "s", times["C"], target=within(most, "s"), row="S5")
    yield Line(what, "boto3", "s", times["C"], times["boto3"], faster(15) if most else None, row="S5")
    if "JS" in times:
        yield Line(what, "AWS SDK for JavaScript", "s", times["C"], times["JS"], row="S5")
    yield Line(f"cold start, Python, {how}", "boto3", "s", times["Python"], times["boto3"], row="S5")
