"""The store for asyncio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._apart import awaited_apart
from ._library import (
    AVAILABLE,
    GET,
    GET_ALL,
    INIT,
    INIT_JSON,
    INITIALIZED,
    MEMBERSHIP,
    METADATA,
    NOT_CACHED,
    UPSERT,
    calls,
)
from ._loops import awaited
from ._opened import DEBUG, Opened, data_set, examined, report, upserted, utf8, written
from ._typing import Self, Unpack
from .errors import FlagstoreError
from .options import Options
from .results import InitReport, Item, Report, UpsertResult


class AsyncStore(Opened):
    """One table, or one prefix of it, for asyncio: :class:`flagstore.Store` with methods that are awaited.

    No thread waits for a call, of the loop's or of an executor's: the library ends calls on its own threads and wakes the
    loop. Where a task is cancelled, so is its call, with its request: an ``init`` begins no further write. Any loop may use
    it, also several at the same time on threads of their own, and so may a forked child with a loop of its own.

    ::

        async with AsyncStore("flags", prefix="production", region="eu-west-1") as store:
            flag = await store.get("features", "my-flag")

    Parameters, deadlines and errors are those of :class:`flagstore.Store`, also those of each method; it shares a live
    store, and so its cache, with every store of equal options. ``statistics``, ``clear_cache``, ``events`` and ``close`` do
    not block, and are not awaited. On Windows it needs a selector event loop.
    """

    async def get(self, kind: str, key: str) -> Item | None:  # type: ignore[override]
        """:meth:`flagstore.Store.get`. What is cached is there at once, without a turn of the loop."""
        cached: Item | None = calls.cached(self._handle, kind, key)
        if cached is not NOT_CACHED:
            return cached
        item: Item | None = await self._await(GET, utf8("kind", kind), utf8("key", key))
        return item

    async def get_all(self, kind: str) -> dict[str, Item]:
        """:meth:`flagstore.Store.get_all`"""
        items: dict[str, Item] = await self._await(GET_ALL, utf8("kind", kind))
        return items

    async def upsert(
        self, kind: str, key: str, version: int, item: str | None = None, deleted: bool = False
    ) -> UpsertResult:
        """:meth:`flagstore.Store.upsert`. Where it was cancelled, the item may have been written or not."""
        return upserted(await self._await(UPSERT, *written(kind, key, version, item, deleted)))

    async def delete(self, kind: str, key: str, version: int) -> UpsertResult:
        """:meth:`flagstore.Store.delete`"""
        return await self.upsert(kind, key, version, deleted=True)

    async def init(self, collections: Mapping[str, Mapping[str, Item]]) -> InitReport:
        """:meth:`flagstore.Store.init`. Where it was cancelled, calling again goes on where it stopped."""
        return report(await self._await(INIT, data_set(collections)))

    async def init_json(self, text: str) -> InitReport:
        """:meth:`flagstore.Store.init_json`"""
        return report(await self._await(INIT_JSON, utf8("text", text)))

    async def initialized(self) -> bool:
        """:meth:`flagstore.Store.initialized`"""
        return await self._await(INITIALIZED) is True

    async def available(self) -> bool:
        """:meth:`flagstore.Store.available`"""
        try:
            await self._await(AVAILABLE)
            return True
        except FlagstoreError as error:
            self._log(DEBUG, "the table %r is not available: %s", self._table, error)
            return False

    async def big_segments_metadata(self) -> int | None:
        """:meth:`flagstore.Store.big_segments_metadata`"""
        milliseconds: int | None = await self._await(METADATA)
        return milliseconds

    async def big_segments_membership(self, context_hash: str) -> dict[str, bool] | None:
        """:meth:`flagstore.Store.big_segments_membership`"""
        membership: dict[str, bool] | None = await self._await(MEMBERSHIP, utf8("context_hash", context_hash))
        return membership

    @staticmethod
    async def doctor(table: str, **options: Unpack[Options]) -> Report:
        """:meth:`flagstore.Store.doctor`. It waits on a thread of its own, which goes on where the task is cancelled."""
        return await awaited_apart(lambda: examined(table, options))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()

    async def _await(self, operation: int, *arguments: object) -> Any:
        try:
            return await awaited(self._handle, operation, arguments)
        except FlagstoreError as error:
            raise self._failed(error) from None
        finally:
            if self._log_events:
                self._deliver_events()
