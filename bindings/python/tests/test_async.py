"""The store for asyncio, and the SDK's asynchronous client on it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from conftest import OpenStore
from endpoint import TABLE, Endpoint, Faults

from flagstore import AsyncStore, Item, Outcome, Store, UnavailableError, UsageError

SECONDS = 30
LONG = {f"{name}timeout_ms": 600_000 for name in ("", "all_", "init_", "attempt_")}

OpenAsyncStore = Callable[..., AsyncStore]


@pytest.fixture
def open_async_store(endpoint: Endpoint, prefix: str) -> Iterator[OpenAsyncStore]:
    opened = []

    def open_one(**options: Any) -> AsyncStore:
        store = AsyncStore(TABLE, **{"prefix": prefix, **endpoint.options, **options})
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


async def soon(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, SECONDS)


def test_every_method_does_what_the_other_stores_does(
    open_async_store: OpenAsyncStore, open_store: OpenStore
) -> None:
    async def use() -> None:
        async with open_async_store() as store:
            assert await store.available()
            assert not await store.initialized()
            assert await store.get("features", "flag") is None
            report = await store.init({"features": {"flag": Item(2, "two")}, "segments": {}})
            assert report.written == 1
            assert await store.get("features", "flag") == Item(2, "two")
            refused = await store.upsert("features", "flag", 1, "one")
            assert (refused.outcome, refused.stored) == (Outcome.NEWER_EXISTS, Item(2, "two"))
            assert (await store.delete("features", "flag", 3)).written
            assert await store.get_all("features") == await asyncio.to_thread(
                open_store().get_all, "features"
            )
            assert (await store.init_json('{"flags":{"json":{"version":1}}}')).written == 1
            assert await store.initialized()
            assert await store.big_segments_metadata() is None
            assert await store.big_segments_membership("hash") is None
            assert store.statistics()["requests"] > 0
        assert store.closed
        with pytest.raises(UsageError, match="closed"):
            await store.get("features", "flag")

    asyncio.run(use())


def test_methods_are_those_of_the_other_store() -> None:
    public = {name for name in dir(Store) if not name.startswith("_")}
    assert public == {name for name in dir(AsyncStore) if not name.startswith("_")}
    at_once = {"statistics", "clear_cache", "events", "close", "closed"}
    coroutines = {name for name in public if asyncio.iscoroutinefunction(getattr(AsyncStore, name))}
    assert coroutines == public - at_once


def test_calls_wait_side_by_side_without_a_thread(open_async_store: OpenAsyncStore, faults: Faults) -> None:
    async def use() -> None:
        store = open_async_store(endpoint=faults.url, **LONG)
        before = threading.enumerate()
        waiting = [asyncio.create_task(store.get("features", f"flag-{number}")) for number in range(50)]
        # The loop goes on: it gets to ask whether all of them are held.
        held = await soon(
            asyncio.to_thread(faults.tell, "/wait", count=50, operation="GetItem", action="hold")
        )
        assert held
        assert not any(task.done() for task in waiting)
        assert [thread for thread in threading.enumerate() if "flagstore" in thread.name] == []
        assert len(before) <= len(threading.enumerate()) <= len(before) + 1
        await asyncio.to_thread(faults.tell, "/release")
        assert await soon(asyncio.gather(*waiting)) == [None] * 50

    faults.script({"operation": "GetItem", "do": "hold"})
    asyncio.run(use())


def test_a_cancelled_task_drops_its_request(open_async_store: OpenAsyncStore, faults: Faults) -> None:
    async def use() -> None:
        store = open_async_store(endpoint=faults.url, **LONG)
        for call in (store.get, store.big_segments_membership, store.get_all):
            faults.script({"do": "hold"})
            task = asyncio.create_task(call(*("features", "flag")[: 2 if call == store.get else 1]))
            await asyncio.to_thread(faults.tell, "/wait", count=1, action="hold")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # A connection that was still wanted would be kept for the next call.
            await asyncio.to_thread(faults.tell, "/release")
            await asyncio.to_thread(faults.tell, "/wait", connections=0)
        init = asyncio.create_task(store.init({"features": {"flag": Item(1, "payload")}}))
        await asyncio.sleep(0)
        init.cancel()
        with pytest.raises(asyncio.CancelledError):
            await init
        faults.script({"do": "hold"})
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(store.get("features", "flag"), 0.1)
        faults.script()
        # Nothing of that was written, and the store goes on.
        assert await soon(store.get("features", "flag")) is None
        assert not await store.initialized()

    asyncio.run(use())


def test_loops_come_and_go(open_async_store: OpenAsyncStore) -> None:
    store = open_async_store()
    for version in range(1, 6):
        written = asyncio.run(store.upsert("features", "flag", version, "payload"))
        assert written.written
    versions: list[int] = []

    def read_in_a_loop_of_its_own() -> None:
        async def read() -> None:
            for _ in range(20):
                found = await store.get("features", "flag")
                assert found
                versions.append(found.version)

        asyncio.run(read())

    threads = [threading.Thread(target=read_in_a_loop_of_its_own) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert versions == [5] * 160


def test_a_loop_that_ends_while_a_call_waits_gives_it_up(
    open_async_store: OpenAsyncStore, faults: Faults
) -> None:
    store = open_async_store(endpoint=faults.url, **LONG)

    async def leave() -> None:
        task = asyncio.create_task(store.get("features", "flag"))
        await asyncio.to_thread(faults.tell, "/wait", count=1, action="hold")
        assert not task.done()

    faults.script({"do": "hold"})
    asyncio.run(leave())
    faults.tell("/release")
    faults.tell("/wait", connections=0)
    faults.script()
    assert asyncio.run(store.available())


def test_what_is_cached_takes_no_turn_of_the_loop(open_async_store: OpenAsyncStore) -> None:
    async def use() -> None:
        store = open_async_store(cache_ttl_ms=-1)
        await store.upsert("features", "flag", 1, "payload")
        await store.get("features", "flag")
        coroutine = store.get("features", "flag")
        with pytest.raises(StopIteration) as ended:
            coroutine.send(None)
        assert ended.value.value == Item(1, "payload")

    asyncio.run(use())


def test_errors_are_raised_where_they_are_awaited(open_async_store: OpenAsyncStore, faults: Faults) -> None:
    async def use() -> None:
        store = open_async_store(endpoint=faults.url, timeout_ms=500)
        with pytest.raises(UnavailableError):
            await store.get("features", "flag")
        assert not await store.available()
        with pytest.raises(UsageError):
            await store.get("features", "")
        with pytest.raises(TypeError, match="kind"):
            await store.get(None, "flag")  # type: ignore[arg-type]

    faults.script({"do": "reset"})
    asyncio.run(use())


# With the SDK


@pytest.fixture
def dynamodb() -> Any:
    pytest.importorskip("ldclient.async_feature_store_helpers", reason="this SDK has no asynchronous client")
    from flagstore.launchdarkly import DynamoDB

    return DynamoDB


def flag(version: int, **more: Any) -> dict[str, Any]:
    plain = {"on": False, "offVariation": 0, "variations": ["a", "b"], "salt": "", "rules": []}
    return {"key": "flag", "version": version, **plain, **more}


def test_the_sdks_asynchronous_store_reads_and_writes_the_same_rows(
    dynamodb: Any, endpoint: Endpoint, prefix: str, open_store: OpenStore
) -> None:
    from ldclient.feature_store import CacheConfig
    from ldclient.versioned_data_kind import FEATURES, SEGMENTS

    async def use() -> None:
        store = dynamodb.async_feature_store(TABLE, prefix, endpoint.boto3_options, CacheConfig.disabled())
        assert store.describe_configuration(None) == "DynamoDB"
        assert await store.is_available()
        assert not await store.is_initialized()
        await store.init({FEATURES: {"flag": flag(2)}, SEGMENTS: {}})
        assert await store.is_initialized()
        assert (await store.get(FEATURES, "flag")).version == 2
        assert list(await store.all(FEATURES)) == ["flag"]
        assert await store.upsert(FEATURES, flag(3)) is True
        assert await store.upsert(FEATURES, flag(1)) is False
        assert await store.delete(FEATURES, "flag", 4) is True
        assert await store.get(FEATURES, "flag") is None
        found = open_store().get("features", "flag")
        assert found and found.deleted and found.version == 4
        await store.close()

    asyncio.run(use())


def test_the_sdks_asynchronous_client_evaluates(
    dynamodb: Any, endpoint: Endpoint, prefix: str, open_store: OpenStore
) -> None:
    pytest.importorskip("aiohttp", reason="the SDK's asynchronous client needs aiohttp")
    from ldclient import Context
    from ldclient.async_client import AsyncLDClient
    from ldclient.async_config import AsyncConfig

    open_store().init({"features": {"flag": Item(1, json.dumps(flag(1)))}, "segments": {}})

    async def evaluate() -> Any:
        store = dynamodb.async_feature_store(TABLE, prefix, endpoint.boto3_options)
        client = AsyncLDClient(AsyncConfig("sdk-key", feature_store=store, use_ldd=True, send_events=False))
        await client.start()
        try:
            return await client.variation("flag", Context.create("user"), "default")
        finally:
            await client.close()

    assert asyncio.run(evaluate()) == "a"
