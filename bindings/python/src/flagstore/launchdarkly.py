"""The stores of the LaunchDarkly SDK, in place of the SDK's own DynamoDB integration::

    from flagstore.launchdarkly import DynamoDB  # instead of: from ldclient.integrations import DynamoDB

    config = Config("sdk-key", feature_store=DynamoDB.new_feature_store("flags", prefix="production"))

Same call shape, same table, same rows: processes with either one share a table. Needs the package
``launchdarkly-server-sdk``, but not boto3.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Callable

from ldclient.feature_store import CacheConfig
from ldclient.feature_store_helpers import CachingStoreWrapper
from ldclient.impl.util import log as sdk_log
from ldclient.interfaces import (
    BigSegmentStore,
    BigSegmentStoreMetadata,
    DiagnosticDescription,
    FeatureStore,
    FeatureStoreCore,
)
from ldclient.versioned_data_kind import VersionedDataKind

from ._boto3_options import translated
from .store import Item, Outcome, Store

# Of a row that cannot be read, each version is reported once. This many are remembered.
_REPORTS_REMEMBERED = 10_000

_DEFAULT_CACHING = CacheConfig.default()


def new_feature_store(
    table_name: str,
    prefix: str | None = None,
    dynamodb_opts: Mapping[str, Any] = {},
    caching: CacheConfig = _DEFAULT_CACHING,
    *,
    options: Mapping[str, Any] = {},
) -> CachingStoreWrapper:
    """A feature store for the ``feature_store`` of :class:`ldclient.config.Config`.

    The cache is the SDK's own, as with its own integration. Costs no network I/O and needs no table yet.

    :param table_name: name of an existing table, whose key is ``namespace`` (string) and ``key`` (string)
    :param prefix: put before every namespace; None or empty for none
    :param dynamodb_opts: as for the SDK's integration, parameters of ``boto3.client``; those without a counterpart are
      refused by name
    :param caching: how the SDK caches what it reads
    :param options: options of :class:`flagstore.Store`, which win over ``dynamodb_opts``
    :raises OptionError: an option is unknown or wrong; it is a ``ValueError`` too
    """
    # Only who writes tells the store anything, so that in daemon mode nothing is kept.
    options = {"keep_told": True, **options}
    return _CachingStore(_FeatureStore(_open(table_name, prefix, dynamodb_opts, options)), caching)


def new_big_segment_store(
    table_name: str,
    prefix: str | None = None,
    dynamodb_opts: Mapping[str, Any] = {},
    *,
    options: Mapping[str, Any] = {},
) -> BigSegmentStore:
    """A Big Segment store for the ``store`` of :class:`ldclient.config.BigSegmentsConfig`. Parameters and errors as
    for :func:`new_feature_store`."""
    return _BigSegmentStore(_open(table_name, prefix, dynamodb_opts, options))


class DynamoDB:
    """Stands in for ``ldclient.integrations.DynamoDB``."""

    new_feature_store = staticmethod(new_feature_store)
    new_big_segment_store = staticmethod(new_big_segment_store)


def _open(
    table_name: str, prefix: str | None, dynamodb_opts: Mapping[str, Any], options: Mapping[str, Any]
) -> Store:
    # The SDK's logger, so that what is said here goes where the SDK's own words go, and is silenced only with them.
    given = {"logger": sdk_log, "prefix": prefix, **translated(dynamodb_opts), **options}
    return Store(table_name, **given)


class _Outage(Exception):
    """What the SDK is told where DynamoDB does not answer and older values stand in."""


# In place of a kind: whoever reads all of it is told of an outage.
_OUTAGE: Any = object()


class _CachingStore(CachingStoreWrapper):
    """The SDK's caching wrapper, which a forked child starts over with an empty cache, and which lets the SDK know of an
    outage that no read fails in.

    The cache has a lock. Where another thread of the parent held it at the moment of the fork, the child would wait
    for that thread, which it does not have.

    The SDK's data store status has one source: an exception out of an operation makes the store unavailable, and
    :meth:`is_available`, asked twice a second from then on, makes it available again. A read that was answered by a
    value that stands in raises nothing. So then one operation more is made through the SDK, whose only purpose is to fail.
    """

    def __init__(self, core: _FeatureStore, caching: CacheConfig) -> None:
        super().__init__(core, caching)
        self._core: _FeatureStore = core
        self._caching = caching
        self._watchers: weakref.WeakSet[FeatureStore] = weakref.WeakSet()
        self._reports_outage = True
        core.on_stale = self._report_outage
        _caching_stores.add(self)

    def start_over(self) -> None:
        """Called in a forked child, before anything else runs there."""
        super().__init__(self._core, self._caching)

    def is_monitoring_enabled(self) -> bool:
        # Asked by what the SDK puts around a store to watch its operations, and by nothing else that is a store. It
        # passes no reference to itself, nor does any other call.
        asker = sys._getframe(1).f_locals.get("self")
        if isinstance(asker, FeatureStore):
            self._watchers.add(asker)
        return True

    def is_available(self) -> bool:
        available: bool = super().is_available()
        if available:
            self._reports_outage = True
        return available

    def all(self, kind: VersionedDataKind, callback: Callable[[Any], Any] = lambda items: items) -> Any:
        if kind is _OUTAGE:
            raise _Outage("DynamoDB does not answer, and older values stand in")
        read: Callable[..., Any] = super().all
        return read(kind, callback)

    def _report_outage(self) -> None:
        if not (self._reports_outage and self._core.is_away()):
            return
        self._reports_outage = False
        for watcher in list(self._watchers):
            with suppress(_Outage):
                ask: Callable[..., Any] = watcher.all
                ask(_OUTAGE, lambda nothing: nothing)


_caching_stores: weakref.WeakSet[_CachingStore] = weakref.WeakSet()


def _in_a_forked_child() -> None:
    for store in list(_caching_stores):
        store.start_over()


os.register_at_fork(after_in_child=_in_a_forked_child)


class _FeatureStore(DiagnosticDescription, FeatureStoreCore):
    """What the SDK's caching wrapper asks for. Called from several threads; errors are exceptions, which the SDK
    takes as a reason to watch :meth:`is_available`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.on_stale: Callable[[], None] = lambda: None
        """Called after a read that was answered by a value that stands in."""
        self._reported: dict[tuple[str, str, int], object] = {}

    def get_internal(self, kind: VersionedDataKind, key: str) -> Any:
        found = self._store.get(kind.namespace, key)
        if found is None:
            return None
        if found.stale:
            self.on_stale()
        return self._decoded(kind, key, found)

    def get_all_internal(self, kind: VersionedDataKind) -> dict[str, Any]:
        found = self._store.get_all(kind.namespace)
        if any(item.stale for item in found.values()):
            self.on_stale()
        decoded = {key: self._decoded(kind, key, item) for key, item in found.items()}
        return {key: item for key, item in decoded.items() if item is not None}

    def init_internal(self, all_data: Mapping[VersionedDataKind, Mapping[str, Any]]) -> None:
        self._store.init(
            {
                kind.namespace: {key: _encoded(kind.encode(item)) for key, item in items.items()}
                for kind, items in all_data.items()
            }
        )

    def upsert_internal(self, kind: VersionedDataKind, item: Any) -> Any:
        item = kind.encode(item)
        key = item["key"]
        new = _encoded(item)
        result = self._store.upsert(kind.namespace, key, new.version, new.item, new.deleted)
        if result.outcome is Outcome.WRITTEN:
            return item
        # The SDK caches what is returned, so it has to be what other processes read as well.
        stored = result.stored or self._store.get(kind.namespace, key)
        decoded = None if stored is None else self._decoded(kind, key, stored)
        return _tombstone(key, new.version) if decoded is None else decoded

    def initialized_internal(self) -> bool:
        return self._store.initialized()

    def is_available(self) -> bool:
        """Whether the table answers; the SDK asks twice a second after an error."""
        return self._store.available()

    def is_away(self) -> bool:
        """Whether DynamoDB does not answer, rather than just not yet."""
        return self._store.statistics()["away"] == 1

    def close(self) -> None:
        """Called by the SDK when its client closes."""
        self._store.close()

    def describe_configuration(self, config: Any) -> str:
        return "DynamoDB"

    def _decoded(self, kind: VersionedDataKind, key: str, item: Item) -> Any:
        """The SDK's model of an item, or None for a payload that is not one: it must not take the others down with it.

        The wrapper would decode a dictionary itself, and fail for all items at the first that it cannot decode.
        """
        if item.deleted:
            return kind.decode(_tombstone(key, item.version))
        try:
            return kind.decode(_json_object(item.item or ""))
        except Exception as error:  # noqa: BLE001 - also RecursionError, and whatever the SDK's decoder thinks of
            self._report(kind, key, item.version, error)
            return None

    def _report(self, kind: VersionedDataKind, key: str, version: int, error: Exception) -> None:
        """Says that a row is left out, unless it was said of this version of it."""
        row = (kind.namespace, key, version)
        mine = object()
        if self._reported.setdefault(row, mine) is not mine:
            return
        if len(self._reported) > _REPORTS_REMEMBERED:
            self._reported = {row: mine}
        # Not the text of the exception, which may quote the payload.
        self._store._log(
            logging.WARNING,
            "the item %r in %r is left out: the SDK cannot read its version %d (%s)",
            key,
            kind.namespace,
            version,
            type(error).__name__,
        )


class _BigSegmentStore(BigSegmentStore):
    def __init__(self, store: Store) -> None:
        self._store = store

    def get_metadata(self) -> BigSegmentStoreMetadata:
        return BigSegmentStoreMetadata(self._store.big_segments_metadata())

    def get_membership(self, context_hash: str) -> dict[str, bool] | None:
        return self._store.big_segments_membership(context_hash)

    def stop(self) -> None:
        self._store.close()


def _encoded(item: Mapping[str, Any]) -> Item:
    return Item(item["version"], json.dumps(item), item.get("deleted") is True)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


# NaN and infinity are no JSON: an application that writes all flags out would write what no other program reads.
_JSON = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def _json_object(text: str) -> dict[str, Any]:
    value = _JSON.decode(text)
    if not isinstance(value, dict):
        # Of a kind that it has no model for, the SDK takes anything, and fails later.
        raise TypeError
    return value


def _tombstone(key: str, version: int) -> dict[str, Any]:
    return {"key": key, "version": version, "deleted": True}
