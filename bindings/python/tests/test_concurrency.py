"""Many threads on one store: everyone gets what they asked for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import OpenStore

from flagstore import Item, UpsertResult

THREADS = 64
ROUNDS = 25


@pytest.mark.parametrize("cache_ttl_ms", [0, 50, -1], ids=["uncached", "short-lived", "cached"])
def test_every_thread_gets_its_own_answer(open_store: OpenStore, cache_ttl_ms: int) -> None:
    # As patient as any call: on a busy machine a write may get no CPU for longer than the soft wait otherwise is.
    store = open_store(cache_ttl_ms=cache_ttl_ms, soft_wait_ms=5_000)
    start = threading.Barrier(THREADS)

    def echo(number: int) -> int:
        start.wait()
        key = f"flag-{number}"
        for version in range(1, ROUNDS + 1):
            payload = f'{{"owner":{number},"version":{version},"padding":"{chr(97 + number % 26) * number}"}}'
            assert store.upsert("features", key, version, payload).written
            assert store.get("features", key) == Item(version, payload)
            refused = store.upsert("features", key, version - 1, "older")
            assert refused.stored == Item(version, payload)
            assert store.get("features", f"nobody's-{number}") is None
        return number

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(echo, range(THREADS))) == list(range(THREADS))
    assert {key: item.version for key, item in store.get_all("features").items()} == {
        f"flag-{number}": ROUNDS for number in range(THREADS)
    }


def test_of_racing_writers_the_highest_version_wins(open_store: OpenStore) -> None:
    store = open_store()
    versions = range(1, THREADS * 4 + 1)

    def write(version: int) -> UpsertResult:
        return store.upsert("features", "contested", version, str(version))

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(write, versions))
    assert store.get("features", "contested") == Item(versions[-1], str(versions[-1]))
    for version, result in zip(versions, results):
        assert result.written or (result.stored and result.stored.version >= version)


def test_stores_may_be_opened_and_closed_by_many_threads(open_store: OpenStore, prefix: str) -> None:
    open_store().upsert("features", "flag", 1, "payload")

    def use(number: int) -> Item | None:
        with open_store(shared=number % 2 == 0) as store:
            return store.get("features", "flag")

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(use, range(64))) == {Item(1, "payload")}
