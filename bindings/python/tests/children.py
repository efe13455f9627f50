"""What the scenarios of forks share: a store to use, what a child does with it, and how it is waited for.

Scenarios run in processes of their own, started by ``test_fork.py``: forking pytest itself would fork its plugins and
captured output with it, and every child would take their modules apart at its exit. Every child has a watchdog, so that
one that hangs says where, ends with a signal and fails its scenario.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import signal
import sys
import threading
import time
import traceback
import urllib.request
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

from flagstore import FlagstoreError, Item, Store

TABLE = "flags"
CHILD_SECONDS = 20
FLAG = Item(1, '{"key":"flag","version":1,"on":false,"offVariation":0,"variations":["yes"],"salt":""}')

# Python 3.12 warns of forks while threads run, which is what is tried here.
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)


class Setting:
    """What a scenario is given: the endpoint, and how many children to try. Crosses to spawned processes."""

    def __init__(self, options: dict[str, Any], rounds: int, control: str) -> None:
        self.options = options
        self.rounds = rounds
        self._control = control

    def open(self, **options: Any) -> Store:
        return Store(TABLE, **{**self.options, **options})

    def used(self, **options: Any) -> Store:
        """A store that has connections and, with a cache, a cached item."""
        store = self.open(**options)
        store.init({"features": {"flag": FLAG}})
        check(store)
        return store

    def tell_endpoint(self, path: str, body: object) -> Any:
        """A control request of ``tests/faults/endpoint``."""
        request = urllib.request.Request(self._control + path, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=CHILD_SECONDS) as answer:
            return json.load(answer)


def run(scenarios: tuple[Callable[[Setting], None], ...]) -> None:
    """Runs the scenario that the command line names, with the setting that it gives as JSON."""
    name, setting = sys.argv[1:]
    # Otherwise every child copies, and at its exit takes apart, all that its parent has.
    if sys.implementation.name == "cpython":
        gc.freeze()
        faulthandler.register(signal.SIGALRM, chain=True)
    {scenario.__name__: scenario for scenario in scenarios}[name](Setting(**json.loads(setting)))


def check(store: Store) -> None:
    """Reads, misses and writes, with the answers that every process must get."""
    # Not the process's number, which comes round again where many threads and processes start.
    own = f"of-{uuid.uuid4()}"
    assert store.get("features", "flag") == FLAG
    assert store.get("features", own) is None
    written = store.upsert("others", own, 1, own)
    assert written.written, (written, store.statistics())
    assert store.get("others", own) == Item(1, own)
    assert store.get_all("features") == {"flag": FLAG}
    assert store.initialized()
    assert store.available()


def fork(child: Callable[[], object]) -> int:
    """Forks; the child runs under a watchdog and ends as Python does, with its finalisers."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(CHILD_SECONDS)
        child()
        sys.exit(0)
    return pid


def fork_and_end(child: Callable[[], object]) -> int:
    """:func:`fork` for threads other than the main one, where the end of a thread is not that of its process."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(CHILD_SECONDS)
        status = 1
        try:
            child()
            status = 0
        except AssertionError:
            traceback.print_exc()
        finally:
            os._exit(status)
    return pid


def reap(*pids: int) -> None:
    for pid in pids:
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0, (
            f"child {pid} ended with {os.waitstatus_to_exitcode(status)}"
        )


def in_threads(count: int, work: Callable[[], object]) -> None:
    """Does it in so many threads at once. Not those of a pool: a child that is forked in one tries to join them at its
    exit, itself among them."""
    failures: list[BaseException] = []

    def attempt() -> None:
        try:
            work()
        except (AssertionError, FlagstoreError, OSError) as error:
            failures.append(error)

    threads = [threading.Thread(target=attempt, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@contextmanager
def busy(setting: Setting, store: Store, threads: int = 8) -> Iterator[Callable[[], None]]:
    """Threads that are inside calls all the time: reads, misses, opening and closing. Gives a function that waits until
    each of them got another right answer."""
    stop = threading.Event()
    turns = [0] * threads

    def use(number: int) -> None:
        while not stop.is_set():
            assert store.get("features", "flag") == FLAG
            assert store.get("features", f"nothing-{number}") is None
            with setting.open(shared=number % 2 == 0) as another:
                assert another.get("features", "flag") == FLAG
            turns[number] += 1

    running = [threading.Thread(target=use, args=(number,), daemon=True) for number in range(threads)]

    def all_go_on() -> None:
        before = list(turns)
        deadline = time.monotonic() + CHILD_SECONDS
        while any(now <= then for now, then in zip(turns, before)):
            assert all(thread.is_alive() for thread in running), "a fork disturbed the parent's threads"
            assert time.monotonic() < deadline, "a thread of the parent hangs after a fork"
            time.sleep(0.001)

    for thread in running:
        thread.start()
    try:
        all_go_on()
        yield all_go_on
        all_go_on()
    finally:
        stop.set()
        for thread in running:
            thread.join()
