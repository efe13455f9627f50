"""Scenarios of ``os.fork``, each in a process of its own: ``python fork_scenarios.py NAME SETTING``."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any, NoReturn

from children import CHILD_SECONDS, TABLE, Setting, busy, check, fork, fork_and_end, in_threads, reap, run

from flagstore import Item, Store


def the_child_uses_and_closes(setting: Setting) -> None:
    kinds: tuple[dict[str, Any], ...] = ({}, {"cache_ttl_ms": -1}, {"persistent": True}, {"shared": False})
    for options in kinds:
        store = setting.used(**options)

        def child(store: Store = store) -> None:
            check(store)
            store.close()
            store.close()

        for _ in range(setting.rounds // len(kinds)):
            reap(fork(child))
        check(store)
        store.close()


def the_child_closes_while_the_parent_goes_on(setting: Setting) -> None:
    store = setting.used()
    with busy(setting, store) as parents_threads_go_on:
        for _ in range(setting.rounds):
            reap(fork(store.close))
            parents_threads_go_on()
    check(store)


def the_child_exits_without_closing(setting: Setting) -> None:
    store = setting.used()
    for _ in range(setting.rounds // 2):
        reap(fork(lambda: check(store)), fork(lambda: None))
    check(store)


def the_child_exits_without_finalisers(setting: Setting) -> None:
    store = setting.used()

    def child() -> NoReturn:
        check(store)
        os._exit(0)

    for _ in range(setting.rounds):
        reap(fork(child))
    check(store)


def the_child_forgets_the_store(setting: Setting) -> None:
    stores = [setting.used()]

    def child() -> None:
        stores.clear()
        with setting.open() as another:
            check(another)

    for _ in range(setting.rounds):
        reap(fork(child))
    check(stores[0])


def the_child_opens_its_own(setting: Setting) -> None:
    store = setting.used()

    def child() -> None:
        with setting.open() as equal, setting.open(shared=False) as own:
            check(equal)
            check(own)
        check(store)

    for _ in range(setting.rounds):
        reap(fork(child))
    check(store)


def the_parent_closes_first(setting: Setting) -> None:
    setting.used().close()
    for _ in range(setting.rounds):
        store = setting.open()
        check(store)
        closed_read, closed_write = os.pipe()

        def child(store: Store = store, pipe: tuple[int, int] = (closed_read, closed_write)) -> None:
            os.close(pipe[1])
            assert os.read(pipe[0], 1) == b"", "the parent has closed its end"
            check(store)
            store.close()

        pid = fork(child)
        store.close()
        os.close(closed_write)
        reap(pid)
        os.close(closed_read)


def a_store_that_was_never_used(setting: Setting) -> None:
    """Opened in a process that made no call yet: the first call ever is the child's, or that of both at once."""
    setting.used().close()

    def parent() -> None:
        with setting.open() as store:
            pid = fork(lambda: check(store))
            check(store)
            reap(pid)

    for _ in range(setting.rounds):
        # A forked process has made no call yet either.
        reap(fork(parent))


def three_deep(setting: Setting) -> None:
    store = setting.used(cache_ttl_ms=-1)

    def descend(depth: int) -> None:
        check(store)
        if depth:
            reap(fork(lambda: descend(depth - 1)))
            check(store)

    for _ in range(setting.rounds // 4):
        descend(3)


def many_children_at_once(setting: Setting) -> None:
    store = setting.used()
    for _ in range(setting.rounds // 10):
        pids = [fork(lambda: check(store)) for _ in range(10)]
        check(store)
        reap(*pids)


def while_eight_threads_are_in_calls(setting: Setting) -> None:
    # As patient as any call: on a busy machine the threads may get no CPU for longer than the soft wait otherwise is.
    store = setting.used(cache_ttl_ms=1, soft_wait_ms=5_000)
    with busy(setting, store) as parents_threads_go_on:
        for _ in range(setting.rounds):
            reap(fork(lambda: check(store)))
            parents_threads_go_on()
    check(store)


def three_deep_while_threads_are_in_calls(setting: Setting) -> None:
    """Every ancestor has threads of its own inside calls when it forks."""
    store = setting.used()

    def descend(depth: int) -> None:
        if depth:
            with busy(setting, store, threads=3):
                reap(fork(lambda: descend(depth - 1)))
        check(store)

    for _ in range(setting.rounds // 4):
        descend(3)


def while_eight_calls_are_held(setting: Setting) -> None:
    """The threads wait for answers that do not come: every fork finds every one of them in the middle of its call."""
    store = setting.used(timeout_ms=120_000, attempt_timeout_ms=120_000)
    setting.tell_endpoint("/script", {"rules": [{"operation": "GetItem", "key": ["held"], "do": "hold"}]})
    answers: list[Item | None] = []
    # Without a cache nothing is coalesced: eight requests.
    threads = [
        threading.Thread(target=lambda: answers.append(store.get("features", "held")), daemon=True)
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    setting.tell_endpoint("/wait", {"count": 8, "operation": "GetItem", "action": "hold"})
    for _ in range(setting.rounds):
        reap(fork(lambda: check(store)))
    assert answers == []
    setting.tell_endpoint("/release", {})
    for thread in threads:
        thread.join(CHILD_SECONDS)
    assert answers == [None] * 8
    check(store)


def from_threads_that_use_the_store(setting: Setting) -> None:
    """Eight threads fork, while the seven others are inside calls or fork as well."""
    store = setting.used()

    def use_and_fork() -> None:
        for _ in range(setting.rounds // 8):
            check(store)
            reap(fork_and_end(lambda: check(store)))

    in_threads(8, use_and_fork)
    check(store)


def other_programs_started_meanwhile(setting: Setting) -> None:
    """``subprocess`` and ``posix_spawn`` while threads are inside calls: nothing of the library is handed down."""
    store = setting.used()
    # Its own descriptors are the three of every program and the listing of the folder.
    program = (
        'set -- /proc/self/fd/*; for fd; do case $(readlink "$fd") in socket:*) exit 9;; esac; done; exit 7'
    )
    command = ["/bin/sh", "-c", program]
    with busy(setting, store) as parents_threads_go_on:
        for number in range(setting.rounds):
            if number % 2 or not hasattr(os, "posix_spawn"):
                ended = subprocess.run(command, timeout=CHILD_SECONDS, check=False).returncode
            else:
                pid = os.posix_spawn(command[0], command, os.environ)
                ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            assert ended == 7, "a program inherited a socket" if ended == 9 else f"it ended with {ended}"
            parents_threads_go_on()
    check(store)


def with_events_and_a_logger(setting: Setting) -> None:
    store = setting.used(log_events=False)

    def child() -> None:
        list(store.events())
        store.upsert("features", "huge", 1, "x" * 400_000)
        assert any("huge" in event.message for event in store.events())
        assert store.statistics()["errors"] == 0

    for _ in range(setting.rounds):
        store.upsert("features", "huge", 1, "x" * 400_000)
        reap(fork(child))
        assert any("huge" in event.message for event in store.events())


def a_preloaded_sdk_client_evaluates_in_the_child(setting: Setting) -> None:
    """In daemon mode the SDK needs no thread: a client whose parent does nothing meanwhile is used as it is."""
    from ldclient import Config, Context, LDClient

    from flagstore.launchdarkly import DynamoDB

    setting.used().close()
    feature_store = DynamoDB.new_feature_store(TABLE, options=setting.options)
    client = LDClient(Config("sdk-key", feature_store=feature_store, use_ldd=True, send_events=False))

    def evaluate() -> None:
        assert client.variation("flag", Context.create("user"), "no") == "yes"
        assert feature_store.is_available()

    evaluate()
    for _ in range(setting.rounds):
        reap(fork(evaluate))
        evaluate()
    client.close()


def an_sdk_client_is_restarted_in_the_child_of_busy_threads(setting: Setting) -> None:
    """While threads evaluate, the client's locks may be taken at the fork: ``postfork`` makes new ones, as the SDK
    documents, and the feature store sees to its own."""
    from ldclient import Config, Context, LDClient
    from ldclient.feature_store import CacheConfig

    from flagstore.launchdarkly import DynamoDB

    # Threads change places often, and so are found in the middle of more.
    sys.setswitchinterval(1e-5)
    setting.used().close()
    feature_store = DynamoDB.new_feature_store(TABLE, caching=CacheConfig(30), options=setting.options)
    client = LDClient(Config("sdk-key", feature_store=feature_store, use_ldd=True, send_events=False))
    stop = threading.Event()

    def evaluate() -> None:
        assert client.variation("flag", Context.create("user"), "no") == "yes"

    def evaluate_on() -> None:
        while not stop.is_set():
            evaluate()

    def child() -> None:
        client.postfork(0)
        evaluate()
        assert feature_store.is_available()
        client.close()

    threads = [threading.Thread(target=evaluate_on, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(setting.rounds // 4):
        reap(fork(child))
        assert all(thread.is_alive() for thread in threads)
    stop.set()
    for thread in threads:
        thread.join()
    evaluate()
    client.close()


SCENARIOS = (
    the_child_uses_and_closes,
    the_child_closes_while_the_parent_goes_on,
    the_child_exits_without_closing,
    the_child_exits_without_finalisers,
    the_child_forgets_the_store,
    the_child_opens_its_own,
    the_parent_closes_first,
    a_store_that_was_never_used,
    three_deep,
    many_children_at_once,
    while_eight_threads_are_in_calls,
    three_deep_while_threads_are_in_calls,
    while_eight_calls_are_held,
    from_threads_that_use_the_store,
    other_programs_started_meanwhile,
    with_events_and_a_logger,
    a_preloaded_sdk_client_evaluates_in_the_child,
    an_sdk_client_is_restarted_in_the_child_of_busy_threads,
)

if __name__ == "__main__":
    run(SCENARIOS)
