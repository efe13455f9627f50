"""Finds ``libflagstore`` and loads it, through the compiled module ``_native``, or through ctypes where there is none."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from ._compiled import native
from .errors import LibraryError, failure
from .results import Item

ABI = 1
VARIABLE = "FLAGSTORE_LIBRARY"

# By sys.platform: the file inside the package, and what the system calls an installed one.
_NAMES = {
    "win32": ("flagstore.dll", "flagstore.dll"),
    "darwin": ("libflagstore.dylib", f"libflagstore.{ABI}.dylib"),
}
_FILE, INSTALLED = _NAMES.get(sys.platform, ("libflagstore.so", f"libflagstore.so.{ABI}"))
PACKAGED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_lib", _FILE)

OK = 0
NEWER_EXISTS = 2
INVALID_HANDLE = -5

GET, GET_ALL, UPSERT, INIT, INIT_JSON, INITIALIZED, AVAILABLE, METADATA, MEMBERSHIP = range(9)
"""What can be asked of a store."""

NOT_CACHED: Any = object()


class Calls(Protocol):
    """The library in Python's terms. Both modules that have it make calls the same way: texts are UTF-8, an operation has
    its own arguments, errors are exceptions out of :func:`flagstore.errors.failure`, and what waits ends in a queue.

    ======================  ==============================================  ===========================================
    operation               arguments                                       value
    ======================  ==============================================  ===========================================
    ``GET``                 kind, key                                       an :class:`Item` or None
    ``GET_ALL``             kind                                            items by key
    ``UPSERT``              kind, key, version, deleted, payload            the outcome's code, the item in the way or None
    ``INIT``                list of (kind, list of (key, payload,           the report, as JSON
                            version, deleted))
    ``INIT_JSON``           text                                            the report, as JSON
    ``INITIALIZED``         none                                            bool
    ``AVAILABLE``           none                                            None
    ``METADATA``            none                                            milliseconds or None
    ``MEMBERSHIP``          hash                                            booleans by segment, or None
    ======================  ==============================================  ===========================================
    """

    path: str
    """Where the library was loaded from."""
    Base: type[Any]
    """Of a store: has ``_handle``, ``_next_look`` (nanoseconds), and the methods ``get``, which serves cached items and leaves
    the others to ``_get``, and ``_forget``, which lets go of what it keeps for that."""

    def load(self, path: str, failure: Any, item: type[Any], not_cached: object) -> int:
        """Loads the library; the number of its ABI. OSError if it cannot be, or lacks a function."""

    def version(self) -> str:
        """The library's version."""

    def code_name(self, code: int) -> str:
        """The name of a number of the C ABI, such as ``"STORE_ERROR_TIMEOUT"``."""

    def open(self, options: bytes) -> int:
        """Opens a store by its options as JSON; its number."""

    def close(self, store: int) -> None:
        """Closes a store."""

    def cached(self, store: int, kind: str, key: str) -> Any:
        """An item, None for a row that is known not to be there, or the ``not_cached`` of :meth:`load`."""

    def call(self, store: int, operation: int, arguments: Sequence[Any], slice_ms: int) -> Any:
        """Makes a call and waits for its end, letting go of the interpreter's lock. Signal handlers get their turn every
        ``slice_ms``; one that raises has the call cancelled."""

    def start(self, store: int, queue: int, operation: int, number: int, arguments: Sequence[Any]) -> int:
        """Begins a call that ends in a queue, under a number; what to cancel it by."""

    def next(self, queue: int, timeout_ms: int) -> tuple[int, Any, BaseException | None] | None:
        """The number, value and exception of a call that has ended."""

    def cancel(self, call: int) -> None:
        """Has a call end soon; one that has ended is fine."""

    def completions_open(self) -> int:
        """A queue."""

    def completions_notify(self, queue: int, descriptor: int) -> None:
        """Has a queue write to a copy of a descriptor when it is no longer empty."""

    def completions_close(self, queue: int) -> None:
        """Closes a queue, and frees what still comes there."""

    def statistics(self, store: int) -> str:
        """JSON."""

    def doctor(self, options: bytes) -> str:
        """JSON. Blocks for long, letting go of the interpreter's lock."""

    def clear_cache(self, store: int) -> None:
        """Forgets what is cached."""

    def next_event(self, store: int) -> tuple[int, str] | None:
        """Level and message."""


def _calls() -> Any:
    if native is not None:
        return native
    from . import _ctypes_calls

    return _ctypes_calls


calls: Calls = _calls()
"""Their functions work once the library is loaded."""
_loaded = False


def load() -> Calls:
    """The library, loaded at the first use and kept.

    Looked for in this order: the file that ``FLAGSTORE_LIBRARY`` names, the copy inside this package, the system.
    The first one that is there is taken; if it cannot be used, the others are not tried.

    :raises LibraryError: it is not there, cannot be loaded, or has another ABI
    """
    global _loaded
    if not _loaded:
        found = _found()
        _use(found)
        calls.path = found
        _loaded = True
    return calls


def _found() -> str:
    named = os.environ.get(VARIABLE)
    if named:
        if not os.path.isfile(named):
            raise LibraryError(f"{VARIABLE} is {named!r}, and there is no such file: correct it or unset it")
        return os.path.abspath(named)
    return PACKAGED if os.path.isfile(PACKAGED) else INSTALLED


def _use(file: str) -> None:
    try:
        number = calls.load(file, failure, Item, NOT_CACHED)
    except OSError as error:
        if file != INSTALLED:
            raise LibraryError(f"{file} cannot be used as libflagstore for {platform()}: {error}") from None
        raise LibraryError(
            f"libflagstore was not found: {VARIABLE} is not set, {PACKAGED} is not there, and the system says: {error}. Install "
            f"the wheel of flagstore for {platform()}, or the library itself"
        ) from None
    if number != ABI:
        raise LibraryError(
            f"{file} has ABI {number}, this package needs ABI {ABI}: install versions that match"
        )


def platform() -> str:
    """The platform that this interpreter runs on, in the words of the wheels' names, such as ``"musllinux_x86_64"``."""
    if sys.platform == "win32":
        return "win_amd64" if "AMD64" in sys.version else "win_arm64" if "ARM64" in sys.version else "win32"
    machine = os.uname().machine
    if sys.platform == "darwin":
        return f"macosx_{machine}"
    if sys.platform != "linux":
        return f"{sys.platform}_{machine}"
    try:
        glibc = os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, OSError, ValueError):
        glibc = None
    return f"manylinux_{machine}" if glibc else f"musllinux_{machine}"
