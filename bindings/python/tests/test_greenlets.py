"""Programs that gevent and eventlet patched: other greenlets run while a call waits, on no thread of their own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from endpoint import TABLE, Faults

import flagstore

PATCHED = {
    "gevent": """
from gevent import monkey
monkey.patch_all()
import gevent
from gevent.event import Event
spawn, sleep, Timeout = gevent.spawn, gevent.sleep, gevent.Timeout
def result(greenlet): return greenlet.get(timeout=30)
""",
    "eventlet": """
import warnings
warnings.simplefilter("ignore")
import eventlet
eventlet.monkey_patch()
spawn, sleep, Timeout = eventlet.spawn, eventlet.sleep, eventlet.Timeout
def result(greenlet):
    with eventlet.Timeout(30):
        return greenlet.wait()
""",
}
HELD = """
import json, threading, urllib.request
from flagstore import Item, Store, UnavailableError
def tell(path, **body):
    request = urllib.request.Request(control + path, json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)
store = Store(**options)
"""


@pytest.fixture(params=sorted(PATCHED))
def library(request: pytest.FixtureRequest) -> str:
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


def run(library: str, code: str, faults: Faults, prefix: str, **more: object) -> str:
    long = {f"{name}timeout_ms": 600_000 for name in ("", "all_", "init_", "attempt_")}
    options = {"table": TABLE, "prefix": prefix, **faults.options, **long, **more}
    program = f"{PATCHED[library]}\noptions = {options!r}\ncontrol = {faults.control!r}\n{HELD}\n{code}"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(flagstore.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_calls_wait_side_by_side(library: str, faults: Faults, prefix: str) -> None:
    faults.script({"operation": "GetItem", "do": "hold"})
    code = """
threads = threading.active_count()
waiting = [spawn(store.get, "features", f"flag-{number}") for number in range(20)]
# A greenlet among others: it runs, and meets all of them held at the same time.
tell("/wait", count=20, operation="GetItem", action="hold")
assert threading.active_count() <= threads + len(waiting)
tell("/release")
print([result(greenlet) for greenlet in waiting] == [None] * 20)
"""
    assert run(library, code, faults, prefix) == "True\n"


def test_every_call_cooperates_also_on_the_main_greenlet(library: str, faults: Faults, prefix: str) -> None:
    code = """
ticks = 0
def tick():
    global ticks
    while True:
        ticks += 1
        sleep(0)
spawn(tick)
sleep(0)
def cooperates(call):
    before = ticks
    call()
    return ticks > before
data = {"features": {f"flag-{number}": Item(1, "payload") for number in range(10)}}
calls = (
    lambda: store.init(data), lambda: store.get("features", "flag-1"), lambda: store.get_all("features"),
    lambda: store.upsert("features", "flag-1", 2, "payload"), store.available, store.big_segments_metadata,
    lambda: store.big_segments_membership("hash"), lambda: Store(**{**options, "prefix": "none"}).initialized(),
    lambda: Store.doctor(**options),
)
print([cooperates(call) for call in calls])
"""
    assert run(library, code, faults, prefix) == f"{[True] * 9}\n"


def test_a_greenlet_that_is_given_up_drops_its_request(library: str, faults: Faults, prefix: str) -> None:
    faults.script({"operation": "GetItem", "do": "hold"})
    code = """
def given_up():
    try:
        with Timeout(0.2):
            store.get("features", "flag")
    except Timeout:
        return "given up"
print(result(spawn(given_up)))
# A connection that was still wanted would be kept for the next call.
tell("/release")
tell("/wait", connections=0)
tell("/script", rules=[])
print(store.get("features", "flag"))
"""
    assert run(library, code, faults, prefix) == "given up\nNone\n"


def test_errors_reach_the_greenlet(library: str, faults: Faults, prefix: str) -> None:
    faults.script({"do": "reset"})
    code = """
def refused():
    try:
        store.get("features", "flag")
    except UnavailableError as error:
        return error.name
print(result(spawn(refused)))
"""
    assert run(library, code, faults, prefix, timeout_ms=500) == "STORE_ERROR_CONNECTION\n"


def test_a_forked_worker_goes_on(library: str, faults: Faults, prefix: str) -> None:
    code = """
import os, sys
store.upsert("features", "flag", 1, "payload")
assert result(spawn(store.get, "features", "flag")) == Item(1, "payload")
child = os.fork()
if child == 0:
    try:
        assert [result(spawn(store.get, "features", "flag")) for _ in range(5)] == [Item(1, "payload")] * 5
        os._exit(0)
    finally:
        os._exit(1)
status = os.waitpid(child, 0)[1]
assert result(spawn(store.get, "features", "flag")) == Item(1, "payload")
print(status)
"""
    assert run(library, code, faults, prefix) == "0\n"
