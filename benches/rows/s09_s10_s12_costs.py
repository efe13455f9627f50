"""S9, S10, S12: what inits and upserts cost, as counted by flagstore-local; nothing is timed.

COST: whether the formula that `benches/cost` computes a month with gives what the emulator counted, for rows of several sizes.
"""

from harness.measure import Line, run, within
from harness.servers import flagstore_local
from harness.tools import boto3_options
from harness.units import FLAGSTORE, PYTHON, query_units, row_bytes

ROWS = {
    "S9": "write units of an init on unchanged data",
    "S10": "write units of an init with changed rows",
    "S12": "requests of a conflicting upsert",
    "COST": "units by the formula, against those that were counted",
}
FLAGS, CHANGED = 1_000, 10
# Bytes of a flag's JSON: rows of one write unit, of two, of five write and two read units.
SIZES = (300, 1_200, 5_000)


def measure(bench):
    # A table for each size: one that is full of larger rows would be read too.
    for size in SIZES:
        with flagstore_local(bench.tools) as url:
            native, ours = (_costs(bench, which, url, size) for which in ("native", "flagstore"))
        if size == SIZES[0]:
            yield from _targets(native, ours)
        yield from _formula(PYTHON, native, size, "native:features")
        yield from _formula(FLAGSTORE, ours, size, "flagstore:features")


def _targets(native, ours):
    lines = [
        ("S9", f"init of {FLAGS:,} unchanged flags", "unchanged", "write", "write units", 0),
        ("S10", f"init with {CHANGED} changed of {FLAGS:,}", "changed", "write", "write units", CHANGED),
        ("S12", "conflicting upsert", "refused", "requests", "requests", 1),
    ]
    for row, what, cost, kind, unit, most in lines:
        yield Line(
            what, "Python integration", unit, [ours[cost][kind]], [native[cost][kind]], within(most, unit), row=row
        )


def _formula(integration, counted, size, namespace):
    """Fails where they differ: then a month is computed wrongly."""
    row = row_bytes(size, namespace=namespace)
    expected = {
        "unchanged": integration.init(FLAGS, row, 0),
        "changed": integration.init(FLAGS, row, CHANGED),
        "get": integration.get(row),
        "applied": integration.upsert(row, True),
        # No answer tells what a write took whose condition failed.
        "refused": integration.upsert(row, False) | {"write": 0},
    }
    # The emulator ends a page before the row that brings it to 1 MB, so that other pages are rounded up.
    pages = query_units(FLAGS, row, True, crossing=False) - query_units(FLAGS, row, True)
    for init in ("unchanged", "changed"):
        expected[init] = expected[init] | {"read": expected[init]["read"] + pages}
    found = {operation: {kind: counted[operation][kind] for kind in units} for operation, units in expected.items()}
    for operation, units in expected.items():
        if found[operation] != units:
            raise RuntimeError(
                f"{operation} through {integration.name}, {size} bytes: {found[operation]}, by the formula {units}"
            )
    what = f"five operations through {integration.name}, flags of {size:,} bytes"
    yield Line(what, "formula", "units", [_sum(found)], [_sum(expected)], row="COST")


def _sum(costs):
    return sum(sum(units.values()) for units in costs.values())


def _costs(bench, which, url, size):
    bench.progress(f"init and upsert through {which}, {size} bytes")
    command = [
        bench.tools.python,
        bench.clients / "units.py",
        which,
        boto3_options(url),
        str(FLAGS),
        str(CHANGED),
        str(size),
    ]
    return run(command, bench.tools.environment())
