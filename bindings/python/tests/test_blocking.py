"""A call that waits for DynamoDB: other threads run meanwhile, and Ctrl-C is not forgotten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import OpenStore
from endpoint import TABLE, Faults

import flagstore
from flagstore import Item

SECONDS = 30


def test_other_threads_run_while_a_call_waits(open_store: OpenStore, faults: Faults) -> None:
    store = open_store(endpoint=faults.url, timeout_ms=SECONDS * 1000, attempt_timeout_ms=SECONDS * 1000)
    store.upsert("features", "flag", 1, "payload")
    faults.script({"operation": "GetItem", "key": "held", "do": "hold"})
    answers: list[Item | None] = []
    waiting = threading.Thread(target=lambda: answers.append(store.get("features", "held")))
    waiting.start()
    faults.tell("/wait", count=1, operation="GetItem", action="hold")
    # This thread computes and calls as it likes, since the other one has let go of the interpreter's lock.
    assert all(store.get("features", "flag") == Item(1, "payload") for _ in range(100))
    assert sum(range(1_000_000)) == 499_999_500_000
    assert waiting.is_alive()
    assert answers == []
    faults.tell("/release")
    waiting.join(SECONDS)
    assert answers == [None]


CALLS = {
    "init": "store.init({'features': {'held': Item(1, 'payload')}})",
    "init_json": 'store.init_json(\'{"flags":{"held":{"version":1}}}\')',
    "get_all": "store.get_all('features')",
    "get": "store.get('features', 'held')",
    "upsert": "store.upsert('features', 'held', 1, 'payload')",
    "initialized": "store.initialized()",
}
# An init, which may take minutes, is interrupted at once; the others when they end, at the latest at their deadline.
LONG_MS, SHORT_MS = 600_000, 1_000


@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_ends_a_call_that_waits(call: str, faults: Faults, prefix: str) -> None:
    faults.script({"do": "hold"})
    timeouts = {"timeout_ms": SHORT_MS, "all_timeout_ms": SHORT_MS, "init_timeout_ms": LONG_MS}
    timeouts["attempt_timeout_ms"] = LONG_MS
    options = {"table": TABLE, "prefix": prefix, **faults.options, **timeouts}
    # As for a program of the foreground: one that is started in the background inherits that SIGINT is ignored.
    handled = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{handled}\nfrom flagstore import Item, Store\nstore = Store(**{options!r})\n{CALLS[call]}"
    sources = str(Path(flagstore.__file__).parent.parent)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": sources},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        faults.tell("/wait", count=1, action="hold", timeout_ms=SECONDS * 1000)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGINT, error
    assert "KeyboardInterrupt" in error


def test_what_a_signal_handler_raises_ends_an_init_and_the_store_goes_on(
    open_store: OpenStore, faults: Faults
) -> None:
    class TooLong(Exception):
        pass

    def give_up(number: int, frame: object) -> None:
        raise TooLong

    store = open_store(endpoint=faults.url, attempt_timeout_ms=600_000, init_timeout_ms=600_000)
    data = {"features": {"flag": Item(1, "payload")}}
    store.init(data)
    faults.script({"operation": "Query", "do": "hold"})
    before = signal.signal(signal.SIGALRM, give_up)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(TooLong):
            store.init(data)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert store.get("features", "flag") == Item(1, "payload")
    faults.script()
    assert store.init(data).unchanged == 1


def test_an_init_works_while_the_interpreter_exits(faults: Faults, prefix: str) -> None:
    """No thread can be started there any more."""
    options = {"table": TABLE, "prefix": prefix, **faults.options}
    code = f"""
import atexit
from flagstore import Item, Store
store = Store(**{options!r})
atexit.register(lambda: print(store.init({{"features": {{"flag": Item(1, "payload")}}}}).written, len(store.get_all("features"))))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(flagstore.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "1 1\n", "")
