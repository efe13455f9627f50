"""The store: what the LaunchDarkly SDKs keep in DynamoDB, read and written through ``libflagstore``."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Mapping
from typing import Any

from ._apart import apart
from ._library import (
    AVAILABLE,
    GET,
    GET_ALL,
    INIT,
    INIT_JSON,
    INITIALIZED,
    MEMBERSHIP,
    METADATA,
    UPSERT,
    calls,
)
from ._loops import cooperative
from ._opened import DEBUG, Opened, data_set, examined, report, upserted, utf8, written
from ._typing import Self, Unpack
from .errors import FlagstoreError
from .options import Options
from .results import InitReport, Item, Report, UpsertResult

# How often a call that waits lets signal handlers run: on the main thread, which alone runs them; and on others.
_SLICE_MS, _SLICE_ELSEWHERE_MS = 50, 1_000


class Store(Opened):
    """One table, or one prefix of it.

    Any thread may use it, also several at the same time, and so may a forked child. Every call ends at the deadline
    that the options set for it, and lets other Python threads and, with gevent and eventlet, other greenlets run
    meanwhile. Ctrl-C, and whatever else a signal handler raises, ends a call and its request. Errors are
    :class:`FlagstoreError`.

    ::

        with Store("flags", prefix="production", region="eu-west-1") as store:
            flag = store.get("features", "my-flag")

    :param table: name or ARN of the table, whose key is ``namespace`` (string) and ``key`` (string)
    :param log_events: whether events go to the logger after calls; if false they wait for :meth:`events`
    :param logger: by default ``logging.getLogger("flagstore")``; one that fails changes the result of no call
    :param options: see :class:`flagstore.options.Options`

    Opening does no network I/O and needs no table; a wrong one shows at the first call.

    :raises OptionError: an option is unknown, of the wrong type or out of range
    :raises LibraryError: ``libflagstore`` cannot be loaded
    """

    def get_all(self, kind: str) -> dict[str, Item]:
        """Reads all items of a kind by key, deleted ones included, in no particular order.

        A row that cannot be read is left out, and an event reports it. Blocks for at most ``all_timeout_ms``.

        :raises FlagstoreError: as for :meth:`get`
        """
        items: dict[str, Item] = self._call(GET_ALL, utf8("kind", kind))
        return items

    def upsert(
        self, kind: str, key: str, version: int, item: str | None = None, deleted: bool = False
    ) -> UpsertResult:
        """Writes one item if the table has none of this key, or one with a smaller version, in one request.

        :param item: the payload; a deletion may go without
        :param deleted: whether this is a deletion; see :meth:`delete`

        Blocks for at most ``timeout_ms``. After an :class:`UnavailableError`, and after a signal handler that raised, the
        item may have been written or not; calling again is safe.

        :raises UsageError: kind, key or payload is empty, key or kind is too long, the version is not from 0 to
          2**63 - 1, or the store is closed
        :raises FlagstoreError: otherwise as for :meth:`get`
        """
        return upserted(self._call(UPSERT, *written(kind, key, version, item, deleted)))

    def delete(self, kind: str, key: str, version: int) -> UpsertResult:
        """Marks an item as deleted by an upsert of a tombstone that every SDK reads. Blocking and errors as there."""
        return self.upsert(kind, key, version, deleted=True)

    def init(self, collections: Mapping[str, Mapping[str, Item]]) -> InitReport:
        """Replaces all items of the given kinds, then marks the store as initialised.

        :param collections: items by kind and key; their order is kept where flags do not depend on each other

        Writes only what differs, segments first, then flags after their prerequisites; deletes the rows of these
        kinds that are not given; leaves alone what another writer gave a newer version. Success means that everything
        is stored; after an error, and after a signal handler that raised, calling again goes on where it stopped. Blocks
        for at most ``init_timeout_ms``.

        :raises UsageError: something in the data cannot be right, and nothing was sent
        :raises TypeError: so is its form
        :raises FlagstoreError: otherwise as for :meth:`get`
        """
        return report(self._call(INIT, data_set(collections)))

    def init_json(self, text: str) -> InitReport:
        """:meth:`init` with JSON as a LaunchDarkly SDK has it: ``{"flags": {key: item}, "segments": {key: item}}``,
        also inside the ``{"path": "/", "data": ...}`` of a stream. Each item's text is stored byte for byte; its
        version is its member ``version``, and ``"deleted": true`` makes it a deletion. Blocking and errors as there.
        """
        return report(self._call(INIT_JSON, utf8("text", text)))

    def initialized(self) -> bool:
        """Whether a full data set was ever stored under this prefix. Once true it is answered without I/O, else it
        blocks for at most ``timeout_ms``.

        :raises FlagstoreError: as for :meth:`get`
        """
        return self._call(INITIALIZED) is True

    def available(self) -> bool:
        """Whether the table answers, by one small read that is never cached. Blocks for at most ``timeout_ms``.

        Never raises; why it is not available is logged at debug level, and any other call tells.
        """
        try:
            self._call(AVAILABLE)
            return True
        except FlagstoreError as error:
            self._log(DEBUG, "the table %r is not available: %s", self._table, error)
            return False

    def big_segments_metadata(self) -> int | None:
        """When big segments were last brought up to date, in Unix milliseconds; None if they never were. Blocks for
        at most ``timeout_ms``.

        :raises FlagstoreError: as for :meth:`get`
        """
        milliseconds: int | None = self._call(METADATA)
        return milliseconds

    def big_segments_membership(self, context_hash: str) -> dict[str, bool] | None:
        """The big segments that name one context, by segment reference (``key.g<generation>``): true where it is
        included, false where it is excluded. None if there are none. Blocks for at most ``timeout_ms``.

        :param context_hash: base64 of the SHA-256 of the context's key
        :raises FlagstoreError: as for :meth:`get`
        """
        membership: dict[str, bool] | None = self._call(MEMBERSHIP, utf8("context_hash", context_hash))
        return membership

    @staticmethod
    def doctor(table: str, **options: Unpack[Options]) -> Report:
        """Looks at everything between this process and its flags, says what is wrong and what to do about it.

        Takes what opening a store takes, and opens none: ``Store.doctor("flags", prefix="production")``. It reads all flags
        and segments once, and asks for two writes that cannot succeed; nothing is written or cached. Whatever is wrong with
        table, network or credentials stands in the report. Blocks for at most four times ``timeout_ms`` and twice
        ``all_timeout_ms``; other threads, greenlets and signal handlers run meanwhile. A signal handler that raises ends
        the wait, and what was begun ends by itself.

        :raises OptionError: an option is unknown, of the wrong type or out of range
        :raises UnavailableError: not even that could be found out in time
        :raises LibraryError: ``libflagstore`` cannot be loaded
        """
        return apart(lambda: examined(table, options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _get(self, kind: str, key: str) -> Item | None:
        """:meth:`get` for what is not cached."""
        item: Item | None = self._call(GET, utf8("kind", kind), utf8("key", key))
        return item

    def _call(self, operation: int, *arguments: object) -> Any:
        """Makes a call and waits for its end."""
        cooperate = cooperative()
        try:
            if cooperate is not None:
                return cooperate(self._handle, operation, arguments)
            main = _thread.get_ident() == threading.main_thread().ident
            return calls.call(self._handle, operation, arguments, _SLICE_MS if main else _SLICE_ELSEWHERE_MS)
        except FlagstoreError as error:
            raise self._failed(error) from None
        finally:
            if self._log_events:
                self._deliver_events()
