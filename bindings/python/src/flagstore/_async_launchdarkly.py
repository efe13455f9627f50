"""The store of the LaunchDarkly SDK's asynchronous client, which is experimental: only who asks for it needs an SDK that has
one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ldclient.async_feature_store_helpers import AsyncCachingStoreWrapper
from ldclient.feature_store import CacheConfig
from ldclient.interfaces import AsyncFeatureStoreCore
from ldclient.versioned_data_kind import VersionedDataKind

from ._sdk_rows import Rows, all_encoded, encoded
from .async_store import AsyncStore
from .results import Outcome


class AsyncFeatureStore(Rows, AsyncFeatureStoreCore):
    """What the SDK's caching wrapper asks for; errors are exceptions."""

    def __init__(self, store: AsyncStore) -> None:
        super().__init__(store)
        self._store = store

    async def get_internal(self, kind: VersionedDataKind, key: str) -> Any:
        found = await self._store.get(kind.namespace, key)
        return None if found is None else self.decoded(kind, key, found)

    async def get_all_internal(self, kind: VersionedDataKind) -> dict[str, Any]:
        return self.all_decoded(kind, await self._store.get_all(kind.namespace))

    async def init_internal(self, all_data: Mapping[VersionedDataKind, Mapping[str, Any]]) -> None:
        await self._store.init(all_encoded(all_data))

    async def upsert_internal(self, kind: VersionedDataKind, item: Any) -> Any:
        model = kind.encode(item)
        key = model["key"]
        new = encoded(model)
        result = await self._store.upsert(kind.namespace, key, new.version, new.item, new.deleted)
        if result.outcome is Outcome.WRITTEN:
            # The very item: by its identity the wrapper knows that it was written.
            return item
        # The SDK caches what is returned, so it has to be what other processes read as well.
        stored = result.stored or await self._store.get(kind.namespace, key)
        return self.in_the_way(kind, key, stored, new.version)

    async def initialized_internal(self) -> bool:
        return await self._store.initialized()

    async def is_available(self) -> bool:
        """Whether the table answers."""
        return await self._store.available()

    async def close(self) -> None:
        """Called by the SDK when its client closes."""
        self._store.close()


def wrapped(core: AsyncFeatureStore, caching: CacheConfig) -> AsyncCachingStoreWrapper:
    """With the SDK's cache above it."""
    return AsyncCachingStoreWrapper(core, caching)
