"""What ``_native.c`` does, by ctypes: see :class:`flagstore._library.Calls`. What the functions mean is documented in
``flagstore.h``; nothing else in the package touches ctypes."""

from __future__ import annotations

import ctypes
import os
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from ctypes import (
    POINTER,
    byref,
    c_char,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Callable, Protocol, cast

from .results import Item

_OK = 0
_NOT_FOUND = 1
_NEWER_EXISTS = 2

# store_item as one read of memory: key, key_len, item, item_len, version, deleted, stale, owner.
_ITEM = struct.Struct("@PNPNqiiP")
_NEVER = 2**63 - 1
_NANOSECONDS_BETWEEN_LOOKS = 100_000_000


class CError(ctypes.Structure):
    """``store_error``"""

    _fields_ = [("code", c_int32), ("retriable", c_int32), ("message", c_void_p)]


class CItem(ctypes.Structure):
    """``store_item``"""

    _fields_ = [
        ("key", c_void_p),
        ("key_len", c_size_t),
        ("item", c_void_p),
        ("item_len", c_size_t),
        ("version", c_int64),
        ("deleted", c_int32),
        ("stale", c_int32),
        ("owner", c_void_p),
    ]


class CCollection(ctypes.Structure):
    """``store_collection``"""

    _fields_ = [("kind", c_void_p), ("kind_len", c_size_t), ("items", c_void_p), ("items_len", c_size_t)]


_TEXT = (c_char_p, c_size_t)
_ERROR = POINTER(CError)
# done, user_data, call, error
_ASYNC = (c_void_p, c_void_p, POINTER(c_uint64), _ERROR)

# Every function that is used: name, result, arguments. Pointers to opaque things are plain addresses.
FUNCTIONS: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    ("store_abi_version", c_uint32, ()),
    ("store_version", c_char_p, ()),
    ("store_code_name", c_char_p, (c_int32,)),
    ("store_open", c_int32, (*_TEXT, POINTER(c_uint64), _ERROR)),
    ("store_close", c_int32, (c_uint64, _ERROR)),
    ("store_get_cached", c_int32, (c_uint64, *_TEXT, *_TEXT, POINTER(CItem), _ERROR)),
    ("store_get_async", c_int32, (c_uint64, *_TEXT, *_TEXT, *_ASYNC)),
    ("store_get_all_async", c_int32, (c_uint64, *_TEXT, *_ASYNC)),
    ("store_upsert_async", c_int32, (c_uint64, *_TEXT, *_TEXT, c_int64, c_int32, *_TEXT, *_ASYNC)),
    ("store_init_async", c_int32, (c_uint64, c_void_p, c_size_t, *_ASYNC)),
    ("store_init_json_async", c_int32, (c_uint64, *_TEXT, *_ASYNC)),
    ("store_initialized_async", c_int32, (c_uint64, *_ASYNC)),
    ("store_available_async", c_int32, (c_uint64, *_ASYNC)),
    ("store_big_segments_metadata_async", c_int32, (c_uint64, *_ASYNC)),
    ("store_big_segments_membership_async", c_int32, (c_uint64, *_TEXT, *_ASYNC)),
    ("store_cancel", c_int32, (c_uint64, _ERROR)),
    ("store_completions_open", c_int32, (POINTER(c_uint64), _ERROR)),
    ("store_complete_to", c_int32, (c_uint64, c_uint64, _ERROR)),
    ("store_completions_next", c_int32, (c_uint64, c_int64, POINTER(c_void_p), POINTER(c_void_p), _ERROR)),
    ("store_completions_notify", c_int32, (c_uint64, c_int64, _ERROR)),
    ("store_completions_close", c_int32, (c_uint64, _ERROR)),
    ("store_result_code", c_int32, (c_void_p,)),
    ("store_result_error", c_int32, (c_void_p, _ERROR)),
    ("store_result_item", c_int32, (c_void_p, POINTER(CItem), _ERROR)),
    ("store_result_items", c_int32, (c_void_p, POINTER(c_void_p), _ERROR)),
    ("store_result_initialized", c_int32, (c_void_p, POINTER(c_int32), _ERROR)),
    ("store_result_metadata", c_int32, (c_void_p, POINTER(c_int64), _ERROR)),
    ("store_result_membership", c_int32, (c_void_p, POINTER(c_void_p), _ERROR)),
    ("store_result_report", c_int32, (c_void_p, POINTER(c_void_p), _ERROR)),
    ("store_items_view", c_int32, (c_void_p, POINTER(POINTER(CItem)), POINTER(c_size_t), _ERROR)),
    ("store_membership_count", c_size_t, (c_void_p,)),
    (
        "store_membership_entry",
        c_int32,
        (c_void_p, c_size_t, POINTER(c_void_p), POINTER(c_size_t), POINTER(c_int32), _ERROR),
    ),
    ("store_statistics", c_int32, (c_uint64, POINTER(c_void_p), _ERROR)),
    ("store_doctor", c_int32, (*_TEXT, POINTER(c_void_p), _ERROR)),
    ("store_clear_cache", c_int32, (c_uint64, _ERROR)),
    ("store_next_event", c_int32, (c_uint64, POINTER(c_int32), POINTER(c_void_p), _ERROR)),
    ("store_error_free", None, (_ERROR,)),
    ("store_item_free", None, (POINTER(CItem),)),
    ("store_items_free", None, (c_void_p,)),
    ("store_membership_free", None, (c_void_p,)),
    ("store_result_free", None, (c_void_p,)),
    ("store_string_free", None, (c_void_p,)),
)


class _Library:
    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"libflagstore is not loaded, and has no {name} yet")


_library: Any = _Library()
path = ""
_failure: Callable[..., Exception]
_item: Callable[..., Any]
_not_cached: object

# A call goes along with its operation and the number that its caller knows it by, as one number.
_OPERATIONS = 16
_starting = threading.RLock()
# By store, while a call on it begins.
_queues_named: dict[int, int] = {}
_spare_queues: list[int] = []


def _start_over() -> None:
    global _starting
    _starting = threading.RLock()
    _queues_named.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_over)


def load(path: str, failure: Callable[..., Exception], item: Callable[..., Any], not_cached: object) -> int:
    """Loads the library."""
    global _failure, _item, _not_cached
    library = ctypes.CDLL(path)
    for name, result, arguments in FUNCTIONS:
        try:
            function = getattr(library, name)
        except AttributeError as error:
            raise OSError(str(error)) from None
        function.restype = result
        function.argtypes = arguments
        setattr(_library, name, function)
    _failure, _item, _not_cached = failure, item, not_cached
    number: int = _library.store_abi_version()
    return number


def version() -> str:
    """The library's version."""
    text: bytes = _library.store_version()
    return text.decode()


def code_name(code: int) -> str:
    """The name of a number of the C ABI."""
    name: bytes = _library.store_code_name(code)
    return name.decode()


def open(options: bytes) -> int:
    """Opens a store."""
    store = c_uint64()
    _checked(_library.store_open, options, len(options), byref(store))
    return store.value


def close(store: int) -> None:
    """Closes a store."""
    _library.store_close(store, None)


def cached(store: int, kind: str, key: str) -> Any:
    """What the cache has of an item."""
    try:
        kind_text, key_text = kind.encode(), key.encode()
    except (UnicodeEncodeError, AttributeError):
        # Whoever asks DynamoDB next says what is wrong with them.
        return _not_cached
    found = CItem()
    try:
        code = _library.store_get_cached(
            store, kind_text, len(kind_text), key_text, len(key_text), byref(found), None
        )
        return _made_item(found) if code == _OK else None if code == _NOT_FOUND else _not_cached
    finally:
        # Also where a signal handler raised after the call.
        _library.store_item_free(byref(found))


def call(store: int, operation: int, arguments: Sequence[Any], slice_ms: int) -> Any:
    """Makes a call and waits for its end."""
    try:
        queue = _spare_queues.pop()
    except IndexError:
        queue = completions_open()
    number = ended = None
    try:
        number = start(store, queue, operation, 0, arguments)
        while ended is None:
            ended = next(queue, slice_ms)
    finally:
        if ended is None:
            # Refused, or a signal handler raised, perhaps before the number was here: this queue may still get something.
            if number is not None:
                cancel(number)
            completions_close(queue)
        else:
            _spare_queues.append(queue)
    _, value, error = ended
    if error is not None:
        raise error
    return value


def start(store: int, queue: int, operation: int, number: int, arguments: Sequence[Any]) -> int:
    """Begins a call."""
    function, given, _kept = _BEGINNINGS[operation](*arguments)
    cancels = c_uint64()
    # Two threads may begin calls of one store that end in different queues; and a signal's handler may begin one while this
    # thread is in here, after which the queue has to be this call's again.
    with _starting:
        interrupted = _queues_named.get(store)
        _queues_named[store] = queue
        try:
            _checked(_library.store_complete_to, store, queue)
            _checked(function, store, *given, None, number * _OPERATIONS + operation, byref(cancels))
        finally:
            if interrupted is None:
                _queues_named.pop(store, None)
            else:
                _queues_named[store] = interrupted
                _checked(_library.store_complete_to, store, interrupted)
    return cancels.value


def next(queue: int, timeout_ms: int) -> tuple[int, Any, BaseException | None] | None:
    """Takes a call that has ended."""
    label, result = c_void_p(), c_void_p()
    try:
        if (
            _checked(_library.store_completions_next, queue, timeout_ms, byref(label), byref(result))
            == _NOT_FOUND
        ):
            return None
        number, operation = divmod(label.value or 0, _OPERATIONS)
        try:
            return number, _answer(operation, result), None
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for the call
            return number, None, error
    finally:
        _library.store_result_free(result)


def cancel(call: int) -> None:
    """Has a call end soon."""
    _library.store_cancel(call, None)


def completions_open() -> int:
    """A queue."""
    queue = c_uint64()
    _checked(_library.store_completions_open, byref(queue))
    return queue.value


def completions_notify(queue: int, descriptor: int) -> None:
    """Has a queue write to a copy of a descriptor."""
    _checked(_library.store_completions_notify, queue, descriptor)


def completions_close(queue: int) -> None:
    """Closes a queue."""
    _library.store_completions_close(queue, None)


def statistics(store: int) -> str:
    """JSON."""
    text = c_void_p()
    _checked(_library.store_statistics, store, byref(text))
    return _taken_string(text)


def doctor(options: bytes) -> str:
    """JSON."""
    text = c_void_p()
    _checked(_library.store_doctor, options, len(options), byref(text))
    return _taken_string(text)


def clear_cache(store: int) -> None:
    """Forgets what is cached."""
    _checked(_library.store_clear_cache, store)


def next_event(store: int) -> tuple[int, str] | None:
    """Level and message."""
    level, text = c_int32(), c_void_p()
    if _checked(_library.store_next_event, store, byref(level), byref(text)) == _NOT_FOUND:
        return None
    return level.value, _taken_string(text)


class Base:
    """The base of a store."""

    _handle = 0
    _next_look = 0

    def get(self, kind: str, key: str) -> Item | None:
        """Reads one item, a deleted one included: look at its ``deleted``.

        None if there is no row, or one that cannot be read, which an event reports. Blocks for at most
        ``timeout_ms``, unless the item is cached.

        :raises UsageError: kind or key is empty or too long, or the store is closed
        :raises UnavailableError: DynamoDB did not answer in time
        :raises ConfigurationError: the table, credentials or region are wrong
        """
        found: Item | None = cached(self._handle, kind, key)
        if found is _not_cached:
            return self._get(kind, key)
        if self._next_look != _NEVER:
            now = time.monotonic_ns()
            if now >= self._next_look or (found is not None and found.stale):
                self._next_look = now + _NANOSECONDS_BETWEEN_LOOKS
                self._deliver_events()
        return found

    def _forget(self) -> None:
        """Lets go of the items that cached reads gave: here none."""

    def _get(self, kind: str, key: str) -> Item | None:
        raise NotImplementedError

    def _deliver_events(self) -> None:
        raise NotImplementedError


class _Bytes(Protocol):
    """A pointer to bytes, which are had by slicing it."""

    def __getitem__(self, part: slice, /) -> bytes: ...


def _checked(function: Callable[..., int], *arguments: object) -> int:
    """Calls a function of the library; returns its outcome or raises its error."""
    error = CError()
    code = function(*arguments, byref(error))
    if code < _OK:
        raise _error(error)
    return code


def _error(error: CError) -> Exception:
    try:
        message = ctypes.string_at(error.message).decode() if error.message else ""
        return _failure(error.code, code_name(error.code), message, bool(error.retriable))
    finally:
        _library.store_error_free(byref(error))


def _text(text: bytes) -> tuple[Any, ...]:
    return text, len(text)


# How an operation begins: the function, its own arguments, and what must live until it returns.
_Beginning = tuple[Any, tuple[Any, ...], object]


def _get(kind: bytes, key: bytes) -> _Beginning:
    return _library.store_get_async, (*_text(kind), *_text(key)), None


def _get_all(kind: bytes) -> _Beginning:
    return _library.store_get_all_async, _text(kind), None


def _upsert(kind: bytes, key: bytes, version: int, deleted: bool, payload: bytes) -> _Beginning:
    given = (*_text(kind), *_text(key), version, int(deleted), *_text(payload))
    return _library.store_upsert_async, given, None


def _init(kinds: list[tuple[bytes, list[tuple[bytes, bytes, int, bool]]]]) -> _Beginning:
    data = _DataSet(kinds)
    return _library.store_init_async, (data.collections, data.length), data


def _init_json(text: bytes) -> _Beginning:
    return _library.store_init_json_async, _text(text), None


def _initialized() -> _Beginning:
    return _library.store_initialized_async, (), None


def _available() -> _Beginning:
    return _library.store_available_async, (), None


def _metadata() -> _Beginning:
    return _library.store_big_segments_metadata_async, (), None


def _membership(context_hash: bytes) -> _Beginning:
    return _library.store_big_segments_membership_async, _text(context_hash), None


# In the order of the operations' numbers.
_BEGINNINGS: tuple[Callable[..., _Beginning], ...] = (
    _get,
    _get_all,
    _upsert,
    _init,
    _init_json,
    _initialized,
    _available,
    _metadata,
    _membership,
)


def _answer(operation: int, result: c_void_p) -> Any:
    """The value of a call, or its error."""
    code = _library.store_result_code(result)
    if code < _OK:
        error = CError()
        _library.store_result_error(result, byref(error))
        raise _error(error)
    return _ANSWERS[operation](result, code)


def _item_of(result: c_void_p, _code: int) -> Any:
    found = CItem()
    try:
        if _library.store_result_item(result, byref(found), None) != _OK:
            return None
        return _made_item(found)
    finally:
        _library.store_item_free(byref(found))


def _upserted(result: c_void_p, code: int) -> tuple[int, Any]:
    return code, _item_of(result, code) if code == _NEWER_EXISTS else None


def _items_of(result: c_void_p, _code: int) -> dict[str, Any]:
    items = c_void_p()
    try:
        _library.store_result_items(result, byref(items), None)
        return dict(_view(items))
    finally:
        _library.store_items_free(items)


def _report_of(result: c_void_p, _code: int) -> str:
    text = c_void_p()
    _library.store_result_report(result, byref(text), None)
    return _taken_string(text)


def _initialized_of(result: c_void_p, _code: int) -> bool:
    answer = c_int32()
    _library.store_result_initialized(result, byref(answer), None)
    return bool(answer.value)


def _nothing_of(_result: c_void_p, _code: int) -> None:
    return None


def _metadata_of(result: c_void_p, code: int) -> int | None:
    milliseconds = c_int64()
    if code != _OK or _library.store_result_metadata(result, byref(milliseconds), None) != _OK:
        return None
    return milliseconds.value


def _membership_of(result: c_void_p, _code: int) -> dict[str, bool] | None:
    membership = c_void_p()
    try:
        if _library.store_result_membership(result, byref(membership), None) != _OK:
            return None
        return dict(_entries(membership))
    finally:
        _library.store_membership_free(membership)


_ANSWERS: tuple[Callable[[c_void_p, int], Any], ...] = (
    _item_of,
    _items_of,
    _upserted,
    _report_of,
    _report_of,
    _initialized_of,
    _nothing_of,
    _metadata_of,
    _membership_of,
)


def _made_item(found: CItem) -> Any:
    payload = None if found.deleted else ctypes.string_at(found.item, found.item_len).decode()
    return _item(found.version, payload, found.deleted != 0, found.stale != 0)


def _view(items: c_void_p) -> Iterator[tuple[str, Any]]:
    """The items of a list of the library. One read of the whole array is several times faster than a ctypes
    object for each of its items."""
    first, count = POINTER(CItem)(), c_size_t()
    _library.store_items_view(items, byref(first), byref(count), None)
    if count.value == 0:
        return
    array = ctypes.string_at(first, count.value * _ITEM.size)
    address = c_size_t()
    # A slice of a pointer costs a quarter of ctypes.string_at.
    at_address = cast("_Bytes", POINTER(c_char).from_buffer(address))
    for key, key_length, item, item_length, version, deleted, stale, _owner in _ITEM.iter_unpack(array):
        address.value = key
        name = at_address[:key_length].decode()
        address.value = item
        payload = None if deleted else at_address[:item_length].decode()
        yield name, _item(version, payload, deleted != 0, stale != 0)


def _entries(membership: c_void_p) -> Iterator[tuple[str, bool]]:
    segment, length, included = c_void_p(), c_size_t(), c_int32()
    for place in range(_library.store_membership_count(membership)):
        _library.store_membership_entry(
            membership, place, byref(segment), byref(length), byref(included), None
        )
        yield ctypes.string_at(segment.value or 0, length.value).decode(), bool(included.value)


def _taken_string(text: c_void_p) -> str:
    try:
        return ctypes.string_at(text.value or 0).decode()
    finally:
        _library.store_string_free(text)


class _DataSet:
    """A data set laid out in memory as ``store_init`` reads it. What it points to lives as long as it does."""

    def __init__(self, kinds: list[tuple[bytes, list[tuple[bytes, bytes, int, bool]]]]) -> None:
        self._texts = bytearray()
        placed = [(self._place(kind), [self._row(*row) for row in rows]) for kind, rows in kinds]
        # Addresses are known once the last text is in its place.
        self._memory = (c_char * max(len(self._texts), 1)).from_buffer_copy(self._texts or b"\0")
        self._base = ctypes.addressof(self._memory)
        self._texts.clear()
        self._items = [self._array(rows) for _, rows in placed]
        self.collections = (CCollection * len(placed))(
            *(
                CCollection(self._base + start, length, ctypes.addressof(array), len(rows))
                for ((start, length), rows), array in zip(placed, self._items)
            )
        )
        self.length = len(placed)

    def _place(self, text: bytes) -> tuple[int, int]:
        start = len(self._texts)
        self._texts += text
        return start, len(text)

    def _row(self, key: bytes, payload: bytes, version: int, deleted: bool) -> tuple[int, ...]:
        return (*self._place(key), *self._place(payload), version, int(deleted))

    def _array(self, rows: list[tuple[int, ...]]) -> ctypes.Array[c_char]:
        base = self._base
        packed = b"".join(
            _ITEM.pack(base + key, key_length, base + item, item_length, version, deleted, 0, 0)
            for key, key_length, item, item_length, version, deleted in rows
        )
        return (c_char * max(len(packed), 1)).from_buffer_copy(packed or b"\0")
