"""A call that waits for DynamoDB: other threads run meanwhile, and Ctrl-C is not forgotten."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import OpenStore
from endpoint import TABLE, Endpoint, Faults

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
    "doctor": "Store.doctor(**options)",
}
# Longer than the test waits.
LONG_MS = 600_000
TIMEOUTS = {f"{name}timeout_ms": LONG_MS for name in ("", "all_", "init_", "attempt_")}


def interrupted(
    call: str, faults: Faults, prefix: str, before: str, interrupt: Callable[[subprocess.Popen[str]], object]
) -> None:
    """A process whose call waits, and ends as Ctrl-C ends one."""
    faults.script({"do": "hold"})
    options = {"table": TABLE, "prefix": prefix, **faults.options, **TIMEOUTS}
    # As for a program of the foreground: one that is started in the background inherits that SIGINT is ignored.
    handled = "import signal, sys, threading\nsignal.signal(signal.SIGINT, signal.default_int_handler)"
    opened = f"from flagstore import Item, Store\noptions = {options!r}\nstore = Store(**options)"
    sources = str(Path(flagstore.__file__).parent.parent)
    process = subprocess.Popen(
        [sys.executable, "-c", "\n".join((handled, opened, before, CALLS[call]))],
        env={**os.environ, "PYTHONPATH": sources},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        faults.tell("/wait", count=1, action="hold", timeout_ms=SECONDS * 1000)
        interrupt(process)
        _, error = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGINT, error
    assert "KeyboardInterrupt" in error


@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_ends_a_call_that_waits(call: str, faults: Faults, prefix: str) -> None:
    interrupted(call, faults, prefix, "", lambda process: process.send_signal(signal.SIGINT))


# The main thread, which alone runs handlers, sleeps on.
TO_ANOTHER_THREAD = """
def take_it():
    sys.stdin.readline()
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
threading.Thread(target=take_it, daemon=True).start()
"""


@pytest.mark.parametrize("call", CALLS)
def test_a_signal_that_another_thread_is_given_ends_it_too(call: str, faults: Faults, prefix: str) -> None:
    def give(process: subprocess.Popen[str]) -> None:
        assert process.stdin
        process.stdin.write("now\n")
        process.stdin.flush()

    interrupted(call, faults, prefix, TO_ANOTHER_THREAD, give)


class TooLong(Exception):
    """What a signal handler raises, as pytest-timeout and Celery's soft limits do."""


@contextmanager
def given_up_after(seconds: float) -> Iterator[None]:
    def give_up(number: int, frame: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_what_a_signal_handler_raises_ends_an_init_and_the_store_goes_on(
    open_store: OpenStore, faults: Faults
) -> None:
    store = open_store(endpoint=faults.url, **TIMEOUTS)
    data = {"features": {"flag": Item(1, "payload")}}
    store.init(data)
    faults.script({"operation": "Query", "do": "hold"})
    with given_up_after(0.2), pytest.raises(TooLong):
        store.init(data)
    assert store.get("features", "flag") == Item(1, "payload")
    faults.script()
    assert store.init(data).unchanged == 1


def test_an_init_that_is_interrupted_writes_nothing_more(
    open_store: OpenStore, faults: Faults, endpoint: Endpoint
) -> None:
    store = open_store(endpoint=faults.url, write_concurrency=1, **TIMEOUTS)
    data = {"features": {f"flag-{number}": Item(1, "payload") for number in range(10)}}
    faults.script({"operation": "PutItem", "nth": 4, "do": {"do": "hold", "at": "request"}})
    with given_up_after(0.5), pytest.raises(TooLong):
        store.init(data)
    faults.tell("/release")
    # Of what came after it, all is in order: whatever the init had begun is in the table by now, or never will be.
    assert store.available()
    requests = faults.tell("/log")["requests"]
    assert sum(request["operation"] == "PutItem" for request in requests) == 4
    written = open_store(endpoint=endpoint.url).get_all("features")
    assert len(written) <= 4
    assert not open_store(endpoint=endpoint.url).initialized()
    faults.script()
    report = store.init(data)
    assert (report.written, report.unchanged) == (10 - len(written), len(written))


def test_an_interrupted_call_leaves_nothing_behind(open_store: OpenStore, faults: Faults) -> None:
    store = open_store(endpoint=faults.url, **TIMEOUTS)
    store.init({"features": {"big": Item(1, "x" * 390_000)}})
    faults.script({"do": {"do": "delay", "ms": 20, "at": "response"}})

    def interrupted(times: int) -> int:
        met = 0
        for number in range(times):
            try:
                # Before the answer, with it, and after it.
                with given_up_after(0.015 + number % 10 * 0.002):
                    store.get("features", "big")
            except TooLong:
                met += 1
        return met

    interrupted(20)
    before = resident_kib()
    assert interrupted(100) > 20
    # 380 KiB for each of them would be 20 times as much.
    assert resident_kib() - before < 4_000


def resident_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"^VmRSS:\s*(\d+)", status, re.MULTILINE)[0])


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
