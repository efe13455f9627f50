"""Stores 300 data sets in DynamoDB and has the official SDK evaluate them: the Python half of ``make demo``.

::

    python evaluate.py --endpoint http://127.0.0.1:8000 --table flags --data tests/data/evaluations.json

Every data set is written by ``Store.init_json`` under a prefix of its own; the SDK then reads it in daemon mode through
``flagstore.launchdarkly`` and evaluates. At the end all rows are stored once more under one prefix, for other programs
to read. Progress goes to standard error. The last line, on standard output, is one JSON object:

* ``right`` of ``total`` evaluations; if they differ the exit status is 1, and the first wrong ones are explained
* ``cold_start_ms``: loading the library, opening and the first read in a fresh process, the median of a few
* ``get_us_median``, ``init_ms_median``: of single reads without a cache, and of whole data sets
* ``prefix``, ``rows``: where all rows are, and how many flags and segments they hold
* ``write_units``: what all of it cost; running it again on the same table costs nothing
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, Callable, TypeVar

from ldclient import Config, Context, LDClient
from ldclient.feature_store import CacheConfig

from flagstore import Store
from flagstore.launchdarkly import new_feature_store

PREFIX = "demo"
COLD_STARTS = 5
EXPLAINED = 5

T = TypeVar("T")


def main() -> int:
    arguments = parse()
    # A local endpoint takes any credentials, but wants some. Those in the environment come first.
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
    # Some cases are flags that the SDK has to complain about.
    logging.getLogger("ldclient").setLevel(logging.CRITICAL)
    logging.getLogger("flagstore").setLevel(logging.WARNING)

    data_sets = json.loads(arguments.data.read_text())["suites"]
    demo = Demo(arguments.table, {"endpoint": arguments.endpoint, "region": arguments.region})
    for number, data_set in progress("evaluating", data_sets):
        demo.evaluate(f"{PREFIX}-{number:03}", data_set)
    rows = demo.store_together(data_sets)
    for explanation in demo.wrong[:EXPLAINED]:
        print(explanation, file=sys.stderr)
    summary = {
        "right": demo.total - len(demo.wrong),
        "total": demo.total,
        "cold_start_ms": round(demo.cold_start(), 1),
        "get_us_median": round(median(demo.gets) * 1e6, 1),
        "init_ms_median": round(median(demo.inits) * 1e3, 2),
        "prefix": PREFIX,
        "rows": rows,
        "write_units": demo.write_units,
    }
    print(json.dumps(summary), flush=True)
    return 1 if demo.wrong else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Stores data sets and has the official SDK evaluate them.")
    parser.add_argument("--endpoint", required=True, metavar="URL", help="of DynamoDB, or of flagstore-local")
    parser.add_argument("--table", required=True, metavar="T", help="an existing table")
    parser.add_argument("--data", required=True, type=Path, metavar="PATH", help="evaluations.json")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION") or "us-east-1")
    return parser.parse_args()


class Demo:
    """One table, and what was seen on it."""

    def __init__(self, table: str, options: dict[str, Any]) -> None:
        self.table = table
        self.options = options
        self.total = 0
        self.wrong: list[str] = []
        self.inits: list[float] = []
        self.gets: list[float] = []
        self.write_units = 0.0

    def evaluate(self, prefix: str, data_set: dict[str, Any]) -> None:
        """Stores a data set, reads its rows and has the SDK evaluate on them."""
        with Store(self.table, prefix=prefix, **self.options) as store:
            text = json.dumps({"flags": data_set["flags"], "segments": data_set["segments"]})
            self.inits.append(timed(lambda: store.init_json(text)))
            for key in data_set["flags"]:
                self.gets.append(timed(lambda key=key: store.get("features", key)))  # type: ignore[misc]
            with self.client(prefix) as client:
                for evaluation in data_set["evaluations"]:
                    self.compare(client, data_set, evaluation)
            self.write_units += store.statistics()["write_units"]

    def client(self, prefix: str) -> LDClient:
        """The official SDK in daemon mode: it evaluates what is in the table, and talks to nobody else."""
        feature_store = new_feature_store(
            self.table, prefix, caching=CacheConfig.disabled(), options=self.options
        )
        return LDClient(Config("sdk-key", feature_store=feature_store, use_ldd=True, send_events=False))

    def compare(self, client: LDClient, data_set: dict[str, Any], evaluation: dict[str, Any]) -> None:
        context = Context.from_dict(as_context(evaluation["context"]))
        detail = client.variation_detail(evaluation["flagKey"], context, evaluation.get("default"))
        # As JSON, since to Python True and 1 are the same.
        got = as_text(
            {"value": detail.value, "variationIndex": detail.variation_index, "reason": detail.reason}
        )
        expected = as_text({"variationIndex": None, **evaluation["expect"]})
        self.total += 1
        if got != expected:
            case = evaluation.get("name", evaluation["flagKey"])
            self.wrong.append(f"{data_set['name']}, {case}: got {got}, expected {expected}")

    def store_together(self, data_sets: list[dict[str, Any]]) -> int:
        """Stores the rows of all data sets under one prefix, each key with its data set's number before it."""
        together: dict[str, dict[str, Any]] = {"flags": {}, "segments": {}}
        for number, data_set in enumerate(data_sets, 1):
            for kind, items in together.items():
                items.update({f"{number:03}/{key}": item for key, item in data_set[kind].items()})
        with Store(self.table, prefix=PREFIX, **self.options) as store:
            store.init_json(json.dumps(together))
            rows = len(store.get_all("features")) + len(store.get_all("segments"))
            self.write_units += store.statistics()["write_units"]
        return rows

    def cold_start(self) -> float:
        """How long a fresh process takes from there being no library to its first row, in milliseconds: load, open and
        read, without the start of Python and its imports."""
        program = f"""
import time
from flagstore import Store
started = time.perf_counter()
with Store({self.table!r}, prefix={PREFIX!r}, **{self.options!r}) as store:
    store.get("features", "first")
    print((time.perf_counter() - started) * 1000)
"""
        command = [sys.executable, "-c", program]
        return median(
            float(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)
            for _ in range(COLD_STARTS)
        )


def timed(call: Callable[[], object]) -> float:
    """How long a call took, in seconds."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def as_text(answer: dict[str, Any]) -> str:
    return json.dumps(answer, sort_keys=True)


def as_context(given: dict[str, Any]) -> dict[str, Any]:
    """Users of the time before contexts have no kind, and their own attributes apart; the SDK takes contexts only."""
    if "kind" in given:
        return given
    known = {name: value for name, value in given.items() if name != "custom"}
    return {"kind": "user", **given.get("custom", {}), **known}


def progress(doing: str, things: Iterable[T]) -> Iterator[tuple[int, T]]:
    """Numbers things from 1 and tells on standard error how far it is: in place on a terminal, else every tenth."""
    things = list(things)
    terminal = sys.stderr.isatty()
    tenth = max(1, len(things) // 10)
    for number, thing in enumerate(things, 1):
        yield number, thing
        if terminal:
            print(f"\r{doing} {number} of {len(things)}", end="", file=sys.stderr, flush=True)
        elif number % tenth == 0 or number == len(things):
            print(f"{doing} {number} of {len(things)}", file=sys.stderr, flush=True)
    if terminal:
        print(file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
