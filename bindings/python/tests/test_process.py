"""The library as a guest: the process's signals, output and exit stay its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from conftest import OpenStore
from endpoint import TABLE, Endpoint

import flagstore
from flagstore import Item


def run(code: str, endpoint: Endpoint, prefix: str) -> subprocess.CompletedProcess[str]:
    """Runs Python with a function ``opened()`` that opens a store on the test's prefix."""
    options = {"table": TABLE, "prefix": prefix, **endpoint.options}
    program = f"from flagstore import Item, Store\n\ndef opened():\n    return Store(**{options!r})\n{code}"
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(flagstore.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_signals_run_the_hosts_handlers_on_its_main_thread_and_disturb_no_call(open_store: OpenStore) -> None:
    store = open_store()
    store.upsert("features", "flag", 1, "payload")
    handled_by = set()
    handled = 0

    def handle(number: int, frame: object) -> None:
        nonlocal handled
        handled += 1
        handled_by.add(threading.current_thread())
        # A handler may use the store that it interrupts.
        assert store.get("features", "flag") == Item(1, "payload")
        # Only now, or handlers would interrupt each other without end where a read takes longer.
        signal.setitimer(signal.ITIMER_REAL, 0.002)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.002)
    try:
        deadline = time.monotonic() + 30
        while handled < 100 and time.monotonic() < deadline:
            assert store.get("features", "flag") == Item(1, "payload")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert handled >= 100
    assert handled_by == {threading.main_thread()}


def test_the_exit_waits_for_nobody(endpoint: Endpoint, prefix: str) -> None:
    code = """
import threading
store = opened()
store.upsert("features", "flag", 1, "payload")
started = threading.Barrier(17)

def read_for_ever():
    started.wait()
    while True:
        store.get("features", "flag")

for _ in range(16):
    threading.Thread(target=read_for_ever, daemon=True).start()
started.wait()
"""
    for _ in range(5):
        ran = run(code, endpoint, prefix)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_nothing_is_printed(endpoint: Endpoint, prefix: str) -> None:
    code = """
import logging
logging.getLogger("flagstore").addHandler(logging.NullHandler())
store = opened()
store.upsert("features", "huge", 1, "x" * 400_000)
store.init({"features": {"flag": Item(1, "payload")}})
assert store.get_all("features")
Store("no-such-table", endpoint="http://127.0.0.1:1", region="a", timeout_ms=100).available()
"""
    ran = run(code, endpoint, prefix)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
