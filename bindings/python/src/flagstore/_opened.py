"""What :class:`flagstore.Store` and :class:`flagstore.AsyncStore` have in common: opening and closing, events, and the
translation of arguments and answers."""

from __future__ import annotations

import json
import math
import operator
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from os import PathLike, fsdecode, fspath
from typing import TYPE_CHECKING, Any

from ._library import INVALID_HANDLE, NEWER_EXISTS, OK, calls, load
from ._typing import Logger, Unpack
from .errors import (
    INVALID_UTF8,
    INVALID_VERSION,
    FlagstoreError,
    UsageError,
)
from .options import Options
from .results import Event, Finding, InitReport, Item, Outcome, Reason, Report, TooLarge, UpsertResult

if TYPE_CHECKING:
    from ._ctypes_calls import Base
else:
    Base = calls.Base

# Those of logging, which is imported when there is something to say.
DEBUG, INFO, WARNING, _ERROR = 10, 20, 30, 40
_LEVELS = {1: _ERROR, 2: WARNING, 3: INFO, 4: DEBUG}
_NEVER = 2**63 - 1

_delivering = threading.local()


class Opened(Base):
    """A store that was opened: its number, what it reports, its end."""

    def __init__(
        self,
        table: str,
        *,
        log_events: bool = True,
        logger: Logger | None = None,
        **options: Unpack[Options],
    ) -> None:
        self._table = table
        self._logger = logger if callable(getattr(logger, "log", None)) else None
        self._prefix = options.get("prefix") or ""
        self._log_events = log_events
        if not log_events:
            self._next_look = _NEVER
        load()
        self._handle = calls.open(_options_text({"table": table, **options}))
        # The finaliser knows the number and not the store, or the store would never be collected. It does not run
        # at the exit of the process, which closes everything anyway.
        self._finalizer = weakref.finalize(self, calls.close, self._handle)
        self._finalizer.atexit = False
        if self._logger is not logger:
            self._log(
                WARNING,
                "logger takes a logging.Logger, and %s is none: this one is used",
                _article(logger),
            )

    def statistics(self) -> dict[str, float]:
        """What the store did since it was opened in this process. Does not block.

        * the cache: ``hits``, ``misses``, ``coalesced``, ``refreshes``, ``uncached`` (answers too large to be kept), and
          what it holds now, ``cached_items``, ``cached_lists``, ``cached_bytes``
        * an outage: ``stale`` (reads that were served an expired value), ``served_while_away`` (those of them that did
          not wait), ``oldest_stale_ms`` (the age of the oldest), ``away`` (1 while DynamoDB does not answer, else 0) and
          ``unwritten`` (items that are to be written again, with the option keep_told)
        * the option cache_dir: ``host_hits`` (values out of it), ``host_trouble`` (what went wrong with its files)
        * DynamoDB: ``requests``, ``retries``, ``throttles``, ``errors``, ``read_units``, ``write_units``
        * ``skipped_rows`` (that could not be read), ``dropped_events``

        :raises UsageError: the store is closed
        """
        with _ClosedIsSaid(self):
            statistics: dict[str, float] = json.loads(calls.statistics(self._handle))
        return statistics

    def clear_cache(self) -> None:
        """Forgets everything that is cached; the next reads ask DynamoDB. Does not block.

        :raises UsageError: the store is closed
        """
        with _ClosedIsSaid(self):
            calls.clear_cache(self._handle)
        self._forget()

    def events(self) -> Iterator[Event]:
        """Takes the events that were not taken yet, oldest first, until there is none. Does not block.

        With ``log_events``, the default, calls have taken most of them for the logger already.

        :raises UsageError: the store is closed
        """
        while True:
            with _ClosedIsSaid(self):
                event = calls.next_event(self._handle)
            if event is None:
                return
            level, message = event
            yield Event(_LEVELS.get(level, INFO), message)

    def close(self) -> None:
        """Closes the store; calls in flight elsewhere finish undisturbed, later ones raise
        :class:`UsageError`. Calling it again does nothing. Does not block. Closing in a forked child leaves the
        parent's store as it is."""
        if self._finalizer.alive and self._log_events:
            self._deliver_events()
        self._finalizer()
        # Zero is never a store.
        self._handle = 0
        self._forget()

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return not self._finalizer.alive

    def __repr__(self) -> str:
        state = ", closed" if self.closed else ""
        return f"<flagstore.{type(self).__name__} table={self._table!r} prefix={self._prefix!r}{state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a Store cannot be copied or pickled: open one in each process, or share one by fork")

    def _failed(self, error: FlagstoreError) -> FlagstoreError:
        """The error of a call, in the words that are right for a closed store."""
        if error.code == INVALID_HANDLE and self.closed:
            return UsageError(
                error.code, error.name, f"the store of table {self._table!r} is closed: open another one"
            )
        return error

    def _deliver_events(self) -> None:
        """Logs the events that were not taken yet. Where a handler of the logger uses the store, what its calls bring
        is logged after a later call, so that the two do not feed each other without end."""
        if getattr(_delivering, "now", False):
            return
        _delivering.now = True
        try:
            for event in list(self.events()):
                self._log(event.level, "%s", event.message)
        except UsageError:
            # Another thread closed the store; its own result is still good.
            pass
        finally:
            _delivering.now = False

    def _log(self, level: int, message: str, *arguments: object) -> None:
        # Looked up when there is something to say: an application configures logging after its imports, and by default
        # logging.config.dictConfig silences the loggers that were there before it.
        logger = self._logger
        if logger is None:
            import logging

            logger = logging.getLogger("flagstore")
        # What a call did is done, whatever a handler or filter makes of the news.
        with suppress(Exception):
            logger.log(level, message, *arguments)


class _ClosedIsSaid:
    """Around what the library refuses for a closed store."""

    def __init__(self, store: Opened) -> None:
        self._store = store

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, FlagstoreError):
            raised = self._store._failed(error)
            if raised is not error:
                raise raised from None


def utf8(name: str, text: str) -> bytes:
    """An argument as the library takes it."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        message = f'the argument "{name}" has a lone surrogate at {error.start}, which UTF-8 cannot hold'
        raise UsageError(INVALID_UTF8, "STORE_ERROR_INVALID_UTF8", message) from None
    except AttributeError:
        raise TypeError(f'the argument "{name}" takes a str, not {type(text).__name__}') from None


def written(kind: str, key: str, version: int, item: str | None, deleted: bool) -> tuple[Any, ...]:
    """The arguments of an upsert."""
    _checked_deleted(deleted)
    return (
        utf8("kind", kind),
        utf8("key", key),
        _version(version, key),
        deleted,
        utf8("item", "" if item is None else item),
    )


def upserted(answer: tuple[int, Item | None]) -> UpsertResult:
    """What came of an upsert."""
    code, stored = answer
    if code == NEWER_EXISTS:
        return UpsertResult(Outcome.NEWER_EXISTS, stored)
    return UpsertResult(Outcome.WRITTEN if code == OK else Outcome.TOO_LARGE)


def data_set(collections: Mapping[str, Mapping[str, Item]]) -> list[tuple[bytes, list[tuple[Any, ...]]]]:
    """The argument of an init. Says what is wrong with it in the words of whoever gave it."""
    return [
        (utf8("kind", kind), [_row(kind, key, item) for key, item in _mapping(items, kind).items()])
        for kind, items in _mapping(collections, None).items()
    ]


def report(text: str) -> InitReport:
    """What an init did."""
    did = json.loads(text)
    too_large = [TooLarge(item["kind"], item["key"], item["bytes"]) for item in did["too_large"]]
    numbers = (did["written"], did["unchanged"], did["deleted"], did["kept_newer"])
    return InitReport(
        *numbers, too_large, *(_reasons(did[name]) for name in ("replaced", "kept", "left_out"))
    )


def examined(table: str, options: Mapping[str, object]) -> Report:
    """What a doctor finds who is given these options. Blocks for long."""
    found = json.loads(load().doctor(_options_text({"table": table, **options})))
    findings = [Finding(one["check"], one["level"], one["found"], one["remedy"]) for one in found["findings"]]
    return Report(found["problems"], found["warnings"], findings)


def _mapping(given: Any, kind: str | None) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    of = "" if kind is None else f" in {kind!r}"
    raise TypeError(
        f"init takes items by kind and key, {{kind: {{key: Item}}}}: there is {_article(given)}{of}"
    )


def _row(kind: str, key: str, item: Any) -> tuple[bytes, bytes, int, bool]:
    if not isinstance(item, Item):
        raise TypeError(
            f"init takes items by kind and key, {{kind: {{key: Item}}}}: {key!r} in {kind!r} is {_article(item)}. Make it an "
            "Item(version, text), or give JSON to init_json"
        )
    _checked_deleted(item.deleted)
    payload = utf8("item", "" if item.item is None else item.item)
    return utf8("key", key), payload, _version(item.version, key), item.deleted


def _checked_deleted(deleted: object) -> None:
    # Whatever is true otherwise, such as "no", would delete.
    if not isinstance(deleted, bool):
        raise TypeError(f'"deleted" takes True or False, not {_article(deleted)}')


def _article(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _version(version: int, key: str) -> int:
    """A version that fits the C ABI, rather than one that it would cut off."""
    number = operator.index(version)
    if not -(2**63) <= number < 2**63:
        message = f"the version {number} of {key!r} is beyond 64 bits"
        raise UsageError(INVALID_VERSION, "STORE_ERROR_INVALID_VERSION", message)
    return number


def _reasons(found: dict[str, Any]) -> dict[str, Reason]:
    return {
        name: Reason(rows["count"], [(row["kind"], row["key"]) for row in rows["keys"]])
        for name, rows in found.items()
    }


def _options_text(options: Mapping[str, object]) -> bytes:
    return json.dumps({name: _option(name, value) for name, value in options.items()}).encode()


def _option(name: str, value: object) -> object:
    if value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, PathLike):
        return fsdecode(fspath(value))
    # Never the value: it may be a credential.
    if isinstance(value, (bytes, bytearray)):
        raise TypeError(f'the option "{name}" takes a str, and is bytes: decode them')
    raise TypeError(f'the option "{name}" takes a str, int, bool or path, and is {_article(value)}')
