"""The stores of the LaunchDarkly SDK, in place of the SDK's own DynamoDB integration::

    from flagstore.launchdarkly import DynamoDB  # instead of: from ldclient.integrations import DynamoDB

    config = Config("sdk-key", feature_store=DynamoDB.new_feature_store("flags", prefix="production"))

Same call shape, same table, same rows: processes with either one share a table. Needs the package
``launchdarkly-server-sdk``, but not boto3.
"""

from __future__ import annotations

import logging
import os
import sys
import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Callable, TypeVar

from ldclient.feature_store import CacheConfig
from ldclient.feature_store_helpers import CachingStoreWrapper
from ldclient.impl.util import log as sdk_log
from ldclient.interfaces import (
    BigSegmentStore,
    BigSegmentStoreMetadata,
    FeatureStore,
    FeatureStoreCore,
)
from ldclient.versioned_data_kind import VersionedDataKind

from ._boto3_options import translated, without_userinfo
from ._library import calls
from ._opened import Opened
from ._sdk_rows import Rows, all_encoded, encoded
from ._typing import Unpack
from .async_store import AsyncStore
from .options import AdapterOptions
from .results import Outcome, Report
from .store import Store

_DEFAULT_CACHING = CacheConfig.default()


def new_feature_store(
    table_name: str,
    prefix: str | None = None,
    dynamodb_opts: Mapping[str, Any] = {},
    caching: CacheConfig = _DEFAULT_CACHING,
    *,
    options: Mapping[str, Any] = {},
    **more: Unpack[AdapterOptions],
) -> CachingStoreWrapper:
    """A feature store for the ``feature_store`` of :class:`ldclient.config.Config`.

    The cache is the SDK's own, as with its own integration. Costs no network I/O and needs no table yet.

    :param table_name: name of an existing table, whose key is ``namespace`` (string) and ``key`` (string)
    :param prefix: put before every namespace; None or empty for none
    :param dynamodb_opts: as for the SDK's integration, parameters of ``boto3.client``; those without a counterpart are
      refused by name
    :param caching: how the SDK caches what it reads
    :param options: options of :class:`flagstore.Store`, which win over ``dynamodb_opts``; they may also be given one by
      one as keyword arguments. ``keep_told`` is on unless it is given
    :raises OptionError: an option is unknown or wrong; it is a ``ValueError`` too
    """
    # Only who writes tells the store anything, so that in daemon mode nothing is kept.
    given = {"keep_told": True, **_options(prefix, dynamodb_opts, {**options, **more})}
    return _CachingStore(_FeatureStore(_announced(Store(table_name, **given), given)), caching)


def new_big_segment_store(
    table_name: str,
    prefix: str | None = None,
    dynamodb_opts: Mapping[str, Any] = {},
    *,
    options: Mapping[str, Any] = {},
    **more: Unpack[AdapterOptions],
) -> BigSegmentStore:
    """A Big Segment store for the ``store`` of :class:`ldclient.config.BigSegmentsConfig`. Parameters and errors as
    for :func:`new_feature_store`."""
    given = _options(prefix, dynamodb_opts, {**options, **more})
    return _BigSegmentStore(_announced(Store(table_name, **given), given))


def async_feature_store(
    table_name: str,
    prefix: str | None = None,
    dynamodb_opts: Mapping[str, Any] = {},
    caching: CacheConfig = _DEFAULT_CACHING,
    *,
    options: Mapping[str, Any] = {},
    **more: Unpack[AdapterOptions],
) -> Any:
    """A feature store for the ``feature_store`` of :class:`ldclient.async_config.AsyncConfig`, whose client, as this, is
    experimental, and may change with a minor version of the SDK. No thread waits for its calls.

    Parameters and errors as for :func:`new_feature_store`.

    :raises ImportError: the SDK is one without an asynchronous client
    """
    from ._async_launchdarkly import AsyncFeatureStore, wrapped

    given = {"keep_told": True, **_options(prefix, dynamodb_opts, {**options, **more})}
    return wrapped(AsyncFeatureStore(_announced(AsyncStore(table_name, **given), given)), caching)


def doctor(
    table_name: str,
    prefix: str | None = None,
    dynamodb_opts: Mapping[str, Any] = {},
    caching: CacheConfig = _DEFAULT_CACHING,
    *,
    options: Mapping[str, Any] = {},
    **more: Unpack[AdapterOptions],
) -> Report:
    """:meth:`flagstore.Store.doctor` for what :func:`new_feature_store` takes: says what is wrong between this process and its
    flags, and what to do about it. The cache and the logger are not looked at.

    :raises OptionError: an option is unknown or wrong, as for :func:`new_feature_store`
    :raises UnavailableError: not even that could be found out in time
    """
    given = {"keep_told": True, **_options(prefix, dynamodb_opts, {**options, **more})}
    # What has to do with Python's logging is none of the library's options.
    for name in ("logger", "log_events"):
        given.pop(name, None)
    return Store.doctor(table_name, **given)


class DynamoDB:
    """Stands in for ``ldclient.integrations.DynamoDB``."""

    new_feature_store = staticmethod(new_feature_store)
    new_big_segment_store = staticmethod(new_big_segment_store)
    async_feature_store = staticmethod(async_feature_store)
    doctor = staticmethod(doctor)


def _options(
    prefix: str | None, dynamodb_opts: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    # The SDK's logger, so that what is said here goes where the SDK's own words go, and is silenced only with them.
    return {"logger": sdk_log, "prefix": prefix, **translated(dynamodb_opts), **options}


_Opened = TypeVar("_Opened", bound=Opened)


def _announced(store: _Opened, options: Mapping[str, Any]) -> _Opened:
    """Says once which table it is, and by which library: the first question where flags are not what they should be."""
    region = options.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    store._log(
        logging.INFO,
        "using DynamoDB table %r, prefix %r, endpoint %s, region %s, by libflagstore %s (%s)",
        store._table,
        store._prefix,
        without_userinfo(options.get("endpoint") or "of AWS"),
        region or "of the AWS configuration",
        calls.version(),
        calls.path,
    )
    return store


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


class _FeatureStore(Rows, FeatureStoreCore):
    """What the SDK's caching wrapper asks for. Called from several threads; errors are exceptions, which the SDK
    takes as a reason to watch :meth:`is_available`."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._store = store
        self.on_stale: Callable[[], None] = lambda: None
        """Called after a read that was answered by a value that stands in."""

    def get_internal(self, kind: VersionedDataKind, key: str) -> Any:
        found = self._store.get(kind.namespace, key)
        if found is None:
            return None
        if found.stale:
            self.on_stale()
        return self.decoded(kind, key, found)

    def get_all_internal(self, kind: VersionedDataKind) -> dict[str, Any]:
        found = self._store.get_all(kind.namespace)
        if any(item.stale for item in found.values()):
            self.on_stale()
        return self.all_decoded(kind, found)

    def init_internal(self, all_data: Mapping[VersionedDataKind, Mapping[str, Any]]) -> None:
        self._store.init(all_encoded(all_data))

    def upsert_internal(self, kind: VersionedDataKind, item: Any) -> Any:
        item = kind.encode(item)
        key = item["key"]
        new = encoded(item)
        result = self._store.upsert(kind.namespace, key, new.version, new.item, new.deleted)
        if result.outcome is Outcome.WRITTEN:
            return item
        # The SDK caches what is returned, so it has to be what other processes read as well.
        stored = result.stored or self._store.get(kind.namespace, key)
        return self.in_the_way(kind, key, stored, new.version)

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


class _BigSegmentStore(BigSegmentStore):
    def __init__(self, store: Store) -> None:
        self._store = store

    def get_metadata(self) -> BigSegmentStoreMetadata:
        return BigSegmentStoreMetadata(self._store.big_segments_metadata())

    def get_membership(self, context_hash: str) -> dict[str, bool] | None:
        return self._store.big_segments_membership(context_hash)

    def stop(self) -> None:
        self._store.close()
