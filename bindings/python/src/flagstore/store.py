"""The store: what the LaunchDarkly SDKs keep in DynamoDB, read and written through ``libflagstore``."""

from __future__ import annotations

import ctypes
import enum
import functools
import json
import logging
import operator
import struct
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ctypes import byref, c_int32, c_int64, c_size_t, c_uint64, c_void_p
from os import fspath
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from ._library import (
    INVALID_HANDLE,
    NEWER_EXISTS,
    NOT_FOUND,
    OK,
    CCollection,
    CItem,
    Library,
    Places,
    bytes_at,
    load,
)
from .errors import INVALID_UTF8, INVALID_VERSION, FlagstoreError, UsageError

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from .options import Options

log = logging.getLogger("flagstore")

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}

# How often reads that go well look for events: a look costs about as much as a read out of the cache.
_SECONDS_BETWEEN_LOOKS = 0.1

# store_item as one read of memory: key, key_len, item, item_len, version, deleted, stale, owner.
_ITEM = struct.Struct("@PNPNqiiP")


class Item(NamedTuple):
    """A flag, segment or other item without its key."""

    version: int
    """Decides which of two writes wins: 0 or more."""
    item: str | None = None
    """The payload, exactly as it was stored; None for a deleted item."""
    deleted: bool = False
    """Whether the item was deleted."""
    stale: bool = False
    """Whether it stands in for one that could not be read: it comes from a cache beyond its time to live, or is what
    this store was told."""


# What Item() does, without the detour through its Python code.
_made_item: Callable[[tuple[int, str | None, bool, bool]], Item] = functools.partial(tuple.__new__, Item)


class Outcome(enum.Enum):
    """What came of an upsert."""

    WRITTEN = "written"
    """The table holds the new item."""
    NEWER_EXISTS = "newer_exists"
    """The table held this version or a newer one, which stays."""
    TOO_LARGE = "too_large"
    """The item is over DynamoDB's 400 KB; the older row, if any, stays."""


class UpsertResult(NamedTuple):
    """What came of an upsert, and the item that stood in its way."""

    outcome: Outcome
    stored: Item | None = None
    """With ``NEWER_EXISTS`` the item in the table, else None."""

    @property
    def written(self) -> bool:
        """Whether the table holds the new item."""
        return self.outcome is Outcome.WRITTEN


class TooLarge(NamedTuple):
    """An item that an init left out because it is over DynamoDB's 400 KB."""

    kind: str
    key: str
    bytes: int


class Reason(NamedTuple):
    """How many rows something happened to for one reason, and the first of them."""

    number: int
    keys: list[tuple[str, str]]
    """Kind and key of the first ten."""


class InitReport(NamedTuple):
    """What an init did, in rows. The last three are by reason, in the words of flagstore.h, and have those that occurred."""

    written: int
    unchanged: int
    deleted: int
    kept_newer: int
    """Rows that stayed because they were newer than the data set."""
    too_large: list[TooLarge]
    replaced: dict[str, Reason]
    """Rows written over what a version alone would have kept, such as ``"other_environment"``."""
    kept: dict[str, Reason]
    """Rows that the data set would not have, such as ``"older_data_set"``."""
    left_out: dict[str, Reason]
    """Items that were not taken, such as ``"empty_key"``."""


class Event(NamedTuple):
    """Something that a store reports besides the results of calls."""

    level: int
    """A level of the ``logging`` module."""
    message: str


class Store:
    """One table, or one prefix of it.

    Any thread may use it, also several at the same time, and so may a forked child. Every call ends at the deadline
    that the options set for it, and lets other Python threads run meanwhile. Errors are :class:`FlagstoreError`.

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

    def __init__(
        self,
        table: str,
        *,
        log_events: bool = True,
        logger: logging.Logger | None = None,
        **options: Unpack[Options],
    ) -> None:
        self._table = table
        self._logger = log if logger is None else logger
        self._prefix = options.get("prefix") or ""
        self._log_events = log_events
        self._next_look = 0.0
        self._library = load()
        self._handle = _open(self._library, {"table": table, **options})
        # The finaliser knows the number and not the store, or the store would never be collected. It does not run
        # at the exit of the process, which closes everything anyway.
        self._finalizer = weakref.finalize(self, self._library.store_close, self._handle, None)
        self._finalizer.atexit = False

    def get(self, kind: str, key: str) -> Item | None:
        """Reads one item, a deleted one included: look at its ``deleted``.

        None if there is no row, or one that cannot be read, which an event reports. Blocks for at most
        ``timeout_ms``, unless the item is cached.

        :raises UsageError: kind or key is empty or too long, or the store is closed
        :raises UnavailableError: DynamoDB did not answer in time
        :raises ConfigurationError: the table, credentials or region are wrong
        """
        # Every function call in here takes longer than the library does for a cached item.
        try:
            kind_text, key_text = kind.encode(), key.encode()
        except (UnicodeEncodeError, AttributeError):
            kind_text, key_text = _utf8("kind", kind), _utf8("key", key)
        library = self._library
        spare = library.spare
        try:
            places = spare.pop()
        except IndexError:
            places = Places()
        try:
            places.kind_length.value = len(kind_text)
            places.key_length.value = len(key_text)
            code = library.get_unchecked(
                self._handle,
                kind_text,
                places.kind_length,
                key_text,
                places.key_length,
                places.item_ref,
                places.error_ref,
            )
            if code == OK:
                found = _taken(library, places)
            elif code == NOT_FOUND:
                found = None
            else:
                raise self._failed(code, places)
        finally:
            spare.append(places)
        if self._log_events and (found is None or found.stale or time.monotonic() > self._next_look):
            self._deliver_events()
        return found

    def get_all(self, kind: str) -> dict[str, Item]:
        """Reads all items of a kind by key, deleted ones included, in no particular order.

        A row that cannot be read is left out, and an event reports it. Blocks for at most ``all_timeout_ms``.

        :raises FlagstoreError: as for :meth:`get`
        """
        text = _utf8("kind", kind)
        items = c_void_p()
        self._call(self._library.store_get_all, text, len(text), byref(items))
        try:
            return dict(self._view(items))
        finally:
            self._library.store_items_free(items)

    def upsert(
        self, kind: str, key: str, version: int, item: str | None = None, deleted: bool = False
    ) -> UpsertResult:
        """Writes one item if the table has none of this key, or one with a smaller version, in one request.

        :param item: the payload; a deletion may go without
        :param deleted: whether this is a deletion; see :meth:`delete`

        Blocks for at most ``timeout_ms``. After an :class:`UnavailableError` the item may have been written or not;
        calling again is safe.

        :raises UsageError: kind, key or payload is empty, key or kind is too long, the version is not from 0 to
          2**63 - 1, or the store is closed
        :raises FlagstoreError: otherwise as for :meth:`get`
        """
        texts = (_utf8("kind", kind), _utf8("key", key), _utf8("item", item or ""))
        kind_text, key_text, item_text = texts
        places = self._library.borrow()
        try:
            code = self._call(
                self._library.store_upsert,
                kind_text,
                len(kind_text),
                key_text,
                len(key_text),
                _version(version, key),
                int(deleted),
                item_text,
                len(item_text),
                places.item_ref,
            )
            if code == NEWER_EXISTS:
                return UpsertResult(Outcome.NEWER_EXISTS, _taken(self._library, places))
            return UpsertResult(Outcome.WRITTEN if code == OK else Outcome.TOO_LARGE)
        finally:
            self._library.give_back(places)

    def delete(self, kind: str, key: str, version: int) -> UpsertResult:
        """Marks an item as deleted by an upsert of a tombstone that every SDK reads. Blocking and errors as there."""
        return self.upsert(kind, key, version, deleted=True)

    def init(self, collections: Mapping[str, Mapping[str, Item]]) -> InitReport:
        """Replaces all items of the given kinds, then marks the store as initialised.

        :param collections: items by kind and key; their order is kept where flags do not depend on each other

        Writes only what differs, segments first, then flags after their prerequisites; deletes the rows of these
        kinds that are not given; leaves alone what another writer gave a newer version. Success means that everything
        is stored; after an error, calling again goes on where it stopped. Blocks for at most ``init_timeout_ms``.

        :raises UsageError: something in the data cannot be right, and nothing was sent
        :raises FlagstoreError: otherwise as for :meth:`get`
        """
        data = _DataSet(collections)
        return self._init(
            # The whole of it goes with the call, which reads its memory also after the wait was interrupted.
            lambda *places: self._library.store_init(self._handle, data.collections, data.length, *places)
        )

    def init_json(self, text: str) -> InitReport:
        """:meth:`init` with JSON as a LaunchDarkly SDK has it: ``{"flags": {key: item}, "segments": {key: item}}``,
        also inside the ``{"path": "/", "data": ...}`` of a stream. Each item's text is stored byte for byte; its
        version is its member ``version``, and ``"deleted": true`` makes it a deletion. Blocking and errors as there.
        """
        data = _utf8("text", text)
        return self._init(
            lambda *places: self._library.store_init_json(self._handle, data, len(data), *places)
        )

    def initialized(self) -> bool:
        """Whether a full data set was ever stored under this prefix. Once true it is answered without I/O, else it
        blocks for at most ``timeout_ms``.

        :raises FlagstoreError: as for :meth:`get`
        """
        answer = c_int32()
        self._call(self._library.store_initialized, byref(answer))
        return bool(answer.value)

    def available(self) -> bool:
        """Whether the table answers, by one small read that is never cached. Blocks for at most ``timeout_ms``.

        Never raises; why it is not available is logged at debug level, and any other call tells.
        """
        try:
            self._call(self._library.store_available)
            return True
        except FlagstoreError as error:
            self._log(logging.DEBUG, "the table %r is not available: %s", self._table, error)
            return False

    def big_segments_metadata(self) -> int | None:
        """When big segments were last brought up to date, in Unix milliseconds; None if they never were. Blocks for
        at most ``timeout_ms``.

        :raises FlagstoreError: as for :meth:`get`
        """
        milliseconds = c_int64()
        code = self._call(self._library.store_big_segments_metadata, byref(milliseconds))
        return milliseconds.value if code == OK else None

    def big_segments_membership(self, context_hash: str) -> dict[str, bool] | None:
        """The big segments that name one context, by segment reference (``key.g<generation>``): true where it is
        included, false where it is excluded. None if there are none. Blocks for at most ``timeout_ms``.

        :param context_hash: base64 of the SHA-256 of the context's key
        :raises FlagstoreError: as for :meth:`get`
        """
        text = _utf8("context_hash", context_hash)
        membership = c_void_p()
        code = self._call(self._library.store_big_segments_membership, text, len(text), byref(membership))
        if code == NOT_FOUND:
            return None
        try:
            return dict(self._entries(membership))
        finally:
            self._library.store_membership_free(membership)

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
        text = c_void_p()
        self._call(self._library.store_statistics, byref(text))
        statistics: dict[str, float] = json.loads(self._library.take_string(_address(text)))
        return statistics

    def clear_cache(self) -> None:
        """Forgets everything that is cached; the next reads ask DynamoDB. Does not block.

        :raises UsageError: the store is closed
        """
        self._call(self._library.store_clear_cache)

    def events(self) -> Iterator[Event]:
        """Takes the events that were not taken yet, oldest first, until there is none. Does not block.

        With ``log_events``, the default, calls have taken most of them for the logger already.

        :raises UsageError: the store is closed
        """
        while True:
            event = self._next_event()
            if event is None:
                return
            yield event

    def close(self) -> None:
        """Closes the store; calls in flight on other threads finish undisturbed, later ones raise
        :class:`UsageError`. Calling it again does nothing. Does not block. Closing in a forked child leaves the
        parent's store as it is."""
        if self._finalizer.alive and self._log_events:
            self._deliver_events()
        self._finalizer()
        # Zero is never a store, while the number of a closed one comes round again after many thousands.
        self._handle = c_uint64(0)

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return not self._finalizer.alive

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = ", closed" if self.closed else ""
        return f"<flagstore.Store table={self._table!r} prefix={self._prefix!r}{state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a Store cannot be copied or pickled: open one in each process, or share one by fork")

    def _call(self, function: Callable[..., int], *arguments: object) -> int:
        """Calls a function of the library on this store; returns its outcome or raises its error."""
        places = self._library.borrow()
        try:
            code = function(self._handle, *arguments, places.error_ref)
            if code < OK:
                raise self._failed(code, places)
        finally:
            self._library.give_back(places)
        if self._log_events:
            self._deliver_events()
        return code

    def _failed(self, code: int, places: Places) -> FlagstoreError:
        error = self._library.failed(code, places)
        if self._log_events:
            self._deliver_events()
        if code == INVALID_HANDLE and self.closed:
            return UsageError(
                code, error.name, f"the store of table {self._table!r} is closed: open another one"
            )
        return error

    def _init(self, call: Callable[..., int]) -> InitReport:
        report = c_void_p()
        # Never lent to another call: this one writes to them also after the wait was interrupted.
        places = Places()
        code = _interruptibly(lambda: call(byref(report), places.error_ref))
        if code < OK:
            raise self._failed(code, places)
        if self._log_events:
            self._deliver_events()
        did = json.loads(self._library.take_string(_address(report)))
        too_large = [TooLarge(item["kind"], item["key"], item["bytes"]) for item in did["too_large"]]
        numbers = (did["written"], did["unchanged"], did["deleted"], did["kept_newer"])
        return InitReport(
            *numbers, too_large, *(_reasons(did[name]) for name in ("replaced", "kept", "left_out"))
        )

    def _view(self, items: c_void_p) -> Iterator[tuple[str, Item]]:
        """The items of a list of the library. One read of the whole array is several times faster than a ctypes
        object for each of its items."""
        first, count = ctypes.POINTER(CItem)(), c_size_t()
        self._library.store_items_view(items, byref(first), byref(count), None)
        if count.value == 0:
            return
        array = ctypes.string_at(first, count.value * _ITEM.size)
        address = c_size_t()
        at_address = bytes_at(address)
        for key, key_length, item, item_length, version, deleted, stale, _owner in _ITEM.iter_unpack(array):
            address.value = key
            name = at_address[:key_length].decode()
            address.value = item
            payload = None if deleted else at_address[:item_length].decode()
            yield name, _made_item((version, payload, deleted != 0, stale != 0))

    def _entries(self, membership: c_void_p) -> Iterator[tuple[str, bool]]:
        segment, length, included = c_void_p(), c_size_t(), c_int32()
        for place in range(self._library.store_membership_count(membership)):
            self._library.store_membership_entry(
                membership, place, byref(segment), byref(length), byref(included), None
            )
            yield _text(_address(segment), length.value), bool(included.value)

    def _next_event(self) -> Event | None:
        library = self._library
        places = library.borrow()
        try:
            code = library.store_next_event(self._handle, places.level_ref, places.text_ref, places.error_ref)
            if code < OK:
                raise self._failed(code, places)
            if code == NOT_FOUND:
                return None
            level, message = places.level.value, library.take_string(_address(places.text))
        finally:
            library.give_back(places)
        return Event(_LEVELS.get(level, logging.INFO), message)

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
            self._next_look = time.monotonic() + _SECONDS_BETWEEN_LOOKS

    def _log(self, level: int, message: str, *arguments: object) -> None:
        # What a call did is done, whatever a handler or filter makes of the news.
        with suppress(Exception):
            self._logger.log(level, message, *arguments)


_delivering = threading.local()


def _interruptibly(call: Callable[[], int]) -> int:
    """Makes a call that may take minutes. Ctrl-C, and whatever else a signal handler raises, ends the wait for it at once.

    Python handles signals between two steps of the main thread, and a call into the library is one step. So there the
    call is made on a thread of its own; where nobody waits for it any more, it goes on to its end or that of the
    process. A thread costs too much for calls that end in a few seconds anyway.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    outcome: list[int] = []
    finished = threading.Lock()
    finished.acquire()

    def make_call() -> None:
        outcome.append(call())
        finished.release()

    try:
        threading.Thread(target=make_call, name="flagstore-call", daemon=True).start()
    except RuntimeError:
        # The system refuses a thread, or the interpreter is about to exit.
        return call()
    finished.acquire()
    return outcome[0]


class _DataSet:
    """A data set laid out in memory as ``store_init`` reads it. What it points to lives as long as it does."""

    def __init__(self, collections: Mapping[str, Mapping[str, Item]]) -> None:
        self._texts = bytearray()
        rows = [
            (self._place("kind", kind), [self._row(key, item) for key, item in items.items()])
            for kind, items in collections.items()
        ]
        # Addresses are known once the last text is in its place.
        self._memory = (ctypes.c_char * max(len(self._texts), 1)).from_buffer_copy(self._texts or b"\0")
        self._base = ctypes.addressof(self._memory)
        self._texts.clear()
        self._items = [self._array(items) for _, items in rows]
        self.collections = (CCollection * len(rows))(
            *(
                CCollection(self._base + start, length, ctypes.addressof(array), len(items))
                for ((start, length), items), array in zip(rows, self._items)
            )
        )
        self.length = len(rows)

    def _place(self, name: str, text: str) -> tuple[int, int]:
        data = _utf8(name, text)
        start = len(self._texts)
        self._texts += data
        return start, len(data)

    def _row(self, key: str, item: Item) -> tuple[int, ...]:
        return (
            *self._place("key", key),
            *self._place("item", item.item or ""),
            _version(item.version, key),
            int(item.deleted),
        )

    def _array(self, rows: list[tuple[int, ...]]) -> ctypes.Array[ctypes.c_char]:
        base = self._base
        packed = b"".join(
            _ITEM.pack(base + key, key_length, base + item, item_length, version, deleted, 0, 0)
            for key, key_length, item, item_length, version, deleted in rows
        )
        return (ctypes.c_char * max(len(packed), 1)).from_buffer_copy(packed or b"\0")


def _open(library: Library, options: Mapping[str, object]) -> c_uint64:
    text = _options_text(options)
    handle = c_uint64()
    places = library.borrow()
    try:
        code: int = library.store_open(text, len(text), byref(handle), places.error_ref)
        if code < OK:
            raise library.failed(code, places)
        return handle
    finally:
        library.give_back(places)


def _options_text(options: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(options, default=fspath, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise TypeError(f"an option is not a str, int, bool or path: {error}") from None


def _taken(library: Library, places: Places) -> Item:
    """The item that a call wrote to its place; frees it there."""
    try:
        _key, _key_length, _item, length, version, deleted, stale, _owner = _ITEM.unpack_from(places.item)
        payload = None if deleted else places.payload[:length].decode()
        return _made_item((version, payload, deleted != 0, stale != 0))
    finally:
        library.item_free_unchecked(places.item_ref)


def _text(address: int, length: int) -> str:
    return ctypes.string_at(address, length).decode()


def _reasons(found: dict[str, Any]) -> dict[str, Reason]:
    return {
        name: Reason(rows["count"], [(row["kind"], row["key"]) for row in rows["keys"]])
        for name, rows in found.items()
    }


def _address(place: c_void_p) -> int:
    return place.value or 0


def _utf8(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        message = f'the argument "{name}" has a lone surrogate at {error.start}, which UTF-8 cannot hold'
        raise UsageError(INVALID_UTF8, "STORE_ERROR_INVALID_UTF8", message) from None
    except AttributeError:
        raise TypeError(f'the argument "{name}" takes a str, not {type(text).__name__}') from None


def _version(version: int, key: str) -> int:
    """A version that fits the C ABI; ctypes would cut off what does not."""
    number = operator.index(version)
    if not -(2**63) <= number < 2**63:
        message = f"the version {number} of {key!r} is beyond 64 bits"
        raise UsageError(INVALID_VERSION, "STORE_ERROR_INVALID_VERSION", message)
    return number
