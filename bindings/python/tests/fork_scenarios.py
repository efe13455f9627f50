"""What the fork tests run, each in a process of its own: ``python fork_scenarios.py NAME URL PREFIX``.

Forking pytest itself would fork its plugins and captured output with it. Every child has a watchdog, so that one that
hangs ends with a signal and fails its scenario.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from typing import Callable, NoReturn

from endpoint import TABLE, Endpoint

from flagstore import Item, Store

CHILD_SECONDS = 20
FLAG = Item(1, '{"key":"flag","version":1}')

# Python 3.12 warns of forks while threads run, which is what is tried here.
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)


def main() -> None:
    name, url, prefix = sys.argv[1:]
    SCENARIOS[name](Opener(url, prefix))


class Opener:
    """Opens the scenario's store; also in processes that were spawned and share nothing."""

    def __init__(self, url: str, prefix: str) -> None:
        self._options = {**Endpoint(url).options, "prefix": prefix}

    def __call__(self, **options: object) -> Store:
        return Store(TABLE, **{**self._options, **options})

    def used(self, **options: object) -> Store:
        """A store that has connections and, with a cache, a cached item."""
        store = self(**options)
        store.init({"features": {"flag": FLAG}})
        check(store)
        return store


def check(store: Store) -> None:
    """Reads, misses and writes."""
    assert store.get("features", "flag") == FLAG
    assert store.get("features", f"nothing-{os.getpid()}") is None
    assert store.upsert("others", f"of-{os.getpid()}", time.monotonic_ns(), "payload").written
    assert store.get_all("features") == {"flag": FLAG}
    assert store.initialized()
    assert store.available()


def fork(child: Callable[[], None]) -> int:
    """Forks; the child runs under a watchdog and ends as Python does, with its finalisers."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(CHILD_SECONDS)
        child()
        sys.exit(0)
    return pid


def reap(*pids: int) -> None:
    for pid in pids:
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0, (
            f"child {pid} ended with {os.waitstatus_to_exitcode(status)}"
        )


def the_child_uses_and_closes(opener: Opener) -> None:
    for options in ({}, {"cache_ttl_ms": -1}, {"persistent": True}, {"shared": False}):
        store = opener.used(**options)

        def child(store: Store = store) -> None:
            check(store)
            store.close()
            store.close()

        reap(fork(child))
        check(store)
        store.close()


def the_child_exits_without_closing(opener: Opener) -> None:
    store = opener.used()
    reap(fork(lambda: check(store)), fork(lambda: None))
    check(store)


def the_child_exits_without_finalisers(opener: Opener) -> None:
    store = opener.used()

    def child() -> NoReturn:
        check(store)
        os._exit(0)

    reap(fork(child))
    check(store)


def the_child_forgets_the_store(opener: Opener) -> None:
    stores = [opener.used()]

    def child() -> None:
        stores.clear()
        with opener() as another:
            check(another)

    reap(fork(child))
    check(stores[0])


def the_child_opens_its_own(opener: Opener) -> None:
    store = opener.used()

    def child() -> None:
        with opener() as equal, opener(shared=False) as own:
            check(equal)
            check(own)
        check(store)

    reap(fork(child))
    check(store)


def the_parent_closes_first(opener: Opener) -> None:
    store = opener.used()
    closed_read, closed_write = os.pipe()

    def child() -> None:
        os.close(closed_write)
        assert os.read(closed_read, 1) == b"", "the parent has closed its end"
        check(store)
        store.close()

    pid = fork(child)
    store.close()
    os.close(closed_write)
    reap(pid)


def a_store_that_was_never_used(opener: Opener) -> None:
    opener.used().close()
    store = opener()
    reap(fork(lambda: check(store)))
    check(store)


def three_deep(opener: Opener) -> None:
    store = opener.used(cache_ttl_ms=-1)

    def descend(depth: int) -> None:
        check(store)
        if depth:
            reap(fork(lambda: descend(depth - 1)))
            check(store)

    descend(3)


def many_children_at_once(opener: Opener) -> None:
    store = opener.used()
    pids = [fork(lambda: check(store)) for _ in range(12)]
    check(store)
    reap(*pids)


def while_eight_threads_are_in_calls(opener: Opener) -> None:
    store = opener.used(cache_ttl_ms=1)
    stop = threading.Event()
    turns = [0] * 8

    def use(number: int) -> None:
        while not stop.is_set():
            assert store.get("features", "flag") == FLAG
            assert store.get("features", f"nothing-{number}") is None
            with opener(shared=number % 2 == 0) as another:
                assert another.get("features", "flag") == FLAG
            turns[number] += 1

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(25):
        before = list(turns)
        reap(fork(lambda: check(store)))
        while any(now <= then for now, then in zip(turns, before)):
            assert all(thread.is_alive() for thread in threads), "a fork disturbed the parent's threads"
            time.sleep(0.001)
    stop.set()
    for thread in threads:
        thread.join()
    check(store)


def with_events_and_a_logger(opener: Opener) -> None:
    store = opener.used(log_events=False)
    store.upsert("features", "huge", 1, "x" * 400_000)

    def child() -> None:
        list(store.events())
        store.upsert("features", "huge", 1, "x" * 400_000)
        assert any("huge" in event.message for event in store.events())
        assert store.statistics()["errors"] == 0

    reap(fork(child))
    assert any("huge" in event.message for event in store.events())


def the_sdk_evaluates_in_the_child(opener: Opener) -> None:
    from ldclient import Config, Context, LDClient

    from flagstore.launchdarkly import DynamoDB

    flag = '{"key":"flag","version":1,"on":false,"offVariation":0,"variations":["yes"],"salt":"","rules":[]}'
    url, prefix = opener._options["endpoint"], opener._options["prefix"]
    opener().init({"features": {"flag": Item(1, flag)}})
    feature_store = DynamoDB.new_feature_store(TABLE, prefix, Endpoint(url).boto3_options)
    config = Config("sdk-key", feature_store=feature_store, use_ldd=True, send_events=False)
    with LDClient(config) as client:

        def evaluate() -> None:
            assert client.variation("flag", Context.create("user"), "no") == "yes"
            assert feature_store.is_available()

        evaluate()
        reap(fork(evaluate), fork(evaluate))
        evaluate()


def _work(opener: Opener, inherited: Store | None) -> None:
    signal.alarm(CHILD_SECONDS)
    if inherited:
        check(inherited)
    with opener() as store:
        check(store)


def multiprocessing_fork(opener: Opener) -> None:
    _multiprocessing("fork", opener, opener.used())


def multiprocessing_spawn(opener: Opener) -> None:
    with opener.used():
        _multiprocessing("spawn", opener, None)


def multiprocessing_pool(opener: Opener) -> None:
    store = opener.used()
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert pool.map(_double, range(100)) == [number * 2 for number in range(100)]
        results = [pool.apply_async(_work, (opener, None)) for _ in range(8)]
        for result in results:
            result.get(timeout=CHILD_SECONDS)
    check(store)


def _double(number: int) -> int:
    return number * 2


def _multiprocessing(method: str, opener: Opener, inherited: Store | None) -> None:
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=_work, args=(opener, inherited)) for _ in range(4)]  # type: ignore[attr-defined]
    for process in processes:
        process.start()
    for process in processes:
        process.join(CHILD_SECONDS)
        assert process.exitcode == 0, f"ended with {process.exitcode}"
    if inherited:
        check(inherited)


SCENARIOS: dict[str, Callable[[Opener], None]] = {
    scenario.__name__: scenario
    for scenario in (
        the_child_uses_and_closes,
        the_child_exits_without_closing,
        the_child_exits_without_finalisers,
        the_child_forgets_the_store,
        the_child_opens_its_own,
        the_parent_closes_first,
        a_store_that_was_never_used,
        three_deep,
        many_children_at_once,
        while_eight_threads_are_in_calls,
        with_events_and_a_logger,
        the_sdk_evaluates_in_the_child,
        multiprocessing_fork,
        multiprocessing_spawn,
        multiprocessing_pool,
    )
}


if __name__ == "__main__":
    main()
