"""S9, S10, S12: what inits and upserts cost, as counted by AWS's own emulator; nothing is timed."""

import shutil

from harness.measure import Line, run, within
from harness.servers import dynamodb_local
from harness.tools import Missing, boto3_options

ROWS = {
    "S9": "write units of an init on unchanged data",
    "S10": "write units of an init with changed rows",
    "S12": "requests of a conflicting upsert",
}
FLAGS, CHANGED = 1_000, 10


def measure(bench):
    if shutil.which("mvn") is None or shutil.which("java") is None:
        raise Missing("needs Java and Maven, for AWS's DynamoDB Local")
    with dynamodb_local(bench.tools) as url:
        native, ours = (_costs(bench, which, url) for which in ("native", "flagstore"))
    lines = [
        ("S9", f"init of {FLAGS:,} unchanged flags", "unchanged", "write units", within(0, "write units")),
        ("S10", f"init with {CHANGED} changed of {FLAGS:,}", "changed", "write units", within(CHANGED, "write units")),
        ("S12", "conflicting upsert", "conflict", "requests", within(1, "requests")),
    ]
    for row, what, cost, unit, target in lines:
        yield Line(what, "Python integration", unit, [ours[cost]], [native[cost]], target, row=row)


def _costs(bench, which, url):
    bench.progress(f"init and upsert through {which}")
    command = [bench.tools.python, bench.clients / "units.py", which, boto3_options(url), str(FLAGS), str(CHANGED)]
    return run(command, bench.tools.environment())
