"""Finds ``libflagstore``, checks its ABI and declares its functions. Nothing else in the package touches ctypes'
declarations; what they mean is documented in ``flagstore.h``.

Functions are called through ``ctypes.CDLL``, which releases the interpreter's lock for the length of a call.
"""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import POINTER, c_char, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from functools import cache
from typing import Any, Protocol, cast

from .errors import FlagstoreError, LibraryError, failure

ABI = 1
VARIABLE = "FLAGSTORE_LIBRARY"
PACKAGED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_lib", "libflagstore.so")
INSTALLED = f"libflagstore.so.{ABI}"

OK = 0
NOT_FOUND = 1
NEWER_EXISTS = 2
TOO_LARGE = 3
INVALID_HANDLE = -5


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

# Every function that the package uses: name, result, arguments. Pointers to opaque lists are plain addresses.
_FUNCTIONS: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    ("store_abi_version", c_uint32, ()),
    ("store_version", c_char_p, ()),
    ("store_code_name", c_char_p, (c_int32,)),
    ("store_open", c_int32, (*_TEXT, POINTER(c_uint64), _ERROR)),
    ("store_close", c_int32, (c_uint64, _ERROR)),
    ("store_init", c_int32, (c_uint64, c_void_p, c_size_t, POINTER(c_void_p), _ERROR)),
    ("store_init_json", c_int32, (c_uint64, *_TEXT, POINTER(c_void_p), _ERROR)),
    ("store_get", c_int32, (c_uint64, *_TEXT, *_TEXT, POINTER(CItem), _ERROR)),
    ("store_get_all", c_int32, (c_uint64, *_TEXT, POINTER(c_void_p), _ERROR)),
    ("store_items_view", c_int32, (c_void_p, POINTER(POINTER(CItem)), POINTER(c_size_t), _ERROR)),
    ("store_upsert", c_int32, (c_uint64, *_TEXT, *_TEXT, c_int64, c_int32, *_TEXT, POINTER(CItem), _ERROR)),
    ("store_initialized", c_int32, (c_uint64, POINTER(c_int32), _ERROR)),
    ("store_available", c_int32, (c_uint64, _ERROR)),
    ("store_big_segments_metadata", c_int32, (c_uint64, POINTER(c_int64), _ERROR)),
    ("store_big_segments_membership", c_int32, (c_uint64, *_TEXT, POINTER(c_void_p), _ERROR)),
    ("store_membership_count", c_size_t, (c_void_p,)),
    (
        "store_membership_entry",
        c_int32,
        (c_void_p, c_size_t, POINTER(c_void_p), POINTER(c_size_t), POINTER(c_int32), _ERROR),
    ),
    ("store_statistics", c_int32, (c_uint64, POINTER(c_void_p), _ERROR)),
    ("store_clear_cache", c_int32, (c_uint64, _ERROR)),
    ("store_next_event", c_int32, (c_uint64, POINTER(c_int32), POINTER(c_void_p), _ERROR)),
    ("store_error_free", None, (_ERROR,)),
    ("store_item_free", None, (POINTER(CItem),)),
    ("store_items_free", None, (c_void_p,)),
    ("store_membership_free", None, (c_void_p,)),
    ("store_string_free", None, (c_void_p,)),
)


class Bytes(Protocol):
    """A pointer to bytes, which are had by slicing it."""

    def __getitem__(self, part: slice, /) -> bytes: ...


def bytes_at(place: Any, offset: int = 0) -> Bytes:
    """The pointer that ``place`` holds, now or later, and lives in it. A slice of it costs a quarter of
    ``ctypes.string_at``."""
    return cast("Bytes", POINTER(c_char).from_buffer(place, offset))


class Places:
    """The places that one call writes to, and reads lengths from. They are made once and lent to call after call,
    since making ctypes objects costs more than a read out of the cache."""

    __slots__ = (
        "error",
        "error_ref",
        "item",
        "item_ref",
        "key_length",
        "kind_length",
        "level",
        "level_ref",
        "payload",
        "text",
        "text_ref",
    )

    def __init__(self) -> None:
        self.error = CError()
        self.error_ref = ctypes.byref(self.error)
        self.item = CItem()
        self.item_ref = ctypes.byref(self.item)
        self.payload = bytes_at(self.item, CItem.item.offset)
        self.kind_length = c_size_t()
        self.key_length = c_size_t()
        self.level = c_int32()
        self.level_ref = ctypes.byref(self.level)
        self.text = c_void_p()
        self.text_ref = ctypes.byref(self.text)


class Library:
    """The loaded library: its functions, under their own names, and what calling them takes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.spare: list[Places] = []
        """Places that no call uses: see :meth:`borrow`."""
        try:
            library = ctypes.CDLL(path)
            for name, result, arguments in _FUNCTIONS:
                function = getattr(library, name)
                function.restype = result
                function.argtypes = arguments
                setattr(self, name, function)
            # Checking arguments takes ctypes longer than the library takes for a cached read, so the functions of
            # that path exist a second time, to be called with objects of exactly the declared types.
            self.get_unchecked = _unchecked(library, "store_get", c_int32)
            self.item_free_unchecked = _unchecked(library, "store_item_free", None)
        except (OSError, AttributeError) as error:
            raise LibraryError(f"{path} cannot be used as libflagstore: {error}") from None
        number = self.store_abi_version()
        if number != ABI:
            raise LibraryError(
                f"{path} has ABI {number}, this package needs ABI {ABI}: install versions that match"
            )

    def __getattr__(self, name: str) -> Any:
        # Only what __init__ did not set gets here.
        raise AttributeError(name)

    def borrow(self) -> Places:
        """Places that no other call uses, also none of a signal handler or a finaliser on this same thread."""
        try:
            return self.spare.pop()
        except IndexError:
            return Places()

    def give_back(self, places: Places) -> None:
        """Ends a loan."""
        self.spare.append(places)

    def failed(self, code: int, places: Places) -> FlagstoreError:
        """The exception for a call that returned ``code``; frees the error that the call filled in."""
        message = ctypes.string_at(places.error.message).decode() if places.error.message else ""
        retriable = bool(places.error.retriable)
        self.store_error_free(places.error_ref)
        return failure(code, self.code_name(code), message, retriable)

    def code_name(self, code: int) -> str:
        """The name of a number, such as ``"STORE_ERROR_TIMEOUT"``."""
        name: bytes = self.store_code_name(code)
        return name.decode()

    def take_string(self, address: int) -> str:
        """The text of a string that the library gave; frees it."""
        try:
            return ctypes.string_at(address).decode()
        finally:
            self.store_string_free(address)


def _unchecked(library: ctypes.CDLL, name: str, result: Any) -> Any:
    if sys.implementation.name != "cpython":
        # PyPy compiles calls whose arguments are declared, and is slow at others.
        return getattr(library, name)
    # Indexing, unlike an attribute, makes a new function object at every use.
    function = library[name]
    function.restype = result
    return function


@cache
def load() -> Library:
    """The library, loaded at the first use and kept.

    Looked for in this order: the file that ``FLAGSTORE_LIBRARY`` names, the copy inside this package, the system.
    The first one that is there is taken; if it cannot be used, the others are not tried.

    :raises LibraryError: it is not there, cannot be loaded, or has another ABI
    """
    named = os.environ.get(VARIABLE)
    if named:
        path = os.path.abspath(named)
        if not os.path.isfile(path):
            raise LibraryError(f"{VARIABLE} is {named!r}, and there is no such file: correct it or unset it")
        return Library(path)
    if os.path.isfile(PACKAGED):
        return Library(PACKAGED)
    try:
        return Library(INSTALLED)
    except LibraryError as error:
        raise LibraryError(
            f"libflagstore was not found: {VARIABLE} is not set, {PACKAGED} is not there, and the system says: {error}"
        ) from None
