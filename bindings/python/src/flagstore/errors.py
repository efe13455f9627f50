"""What can go wrong. Every class here can be imported from ``flagstore``."""

from __future__ import annotations

# Codes of the C ABI that this package itself raises as well.
INVALID_UTF8 = -3
UNKNOWN_OPTION = -7
OPTION_TYPE = -8
OPTION_VALUE = -9
INVALID_VERSION = -14


class FlagstoreError(Exception):
    """A call that failed.

    The message says what was attempted, what happened and what to do. It never holds a credential or a payload.
    """

    code: int
    """The number of the C ABI: negative, stable, never reused."""
    name: str
    """The name of ``code``, such as ``"STORE_ERROR_TIMEOUT"``."""
    message: str
    """The sentence that ``str()`` gives."""
    retriable: bool
    """Whether the same call may succeed later without anyone changing anything."""

    def __init__(self, code: int, name: str, message: str, retriable: bool = False) -> None:
        # All arguments reach Exception, so that an error survives pickling between processes.
        super().__init__(code, name, message, retriable)
        self.code = code
        self.name = name
        self.message = message
        self.retriable = retriable

    def __str__(self) -> str:
        return self.message


class UsageError(FlagstoreError, ValueError):
    """An argument or a data set cannot be right, or the store is closed. Nothing was sent."""


class ConfigurationError(FlagstoreError):
    """The options, the table, the credentials, the region or the clock must change before a call can succeed."""


class OptionError(ConfigurationError, ValueError):
    """An option is unknown, of the wrong type or out of range; the message names it. Nothing was opened."""


class UnavailableError(FlagstoreError):
    """DynamoDB could not be asked, or not in time: ``retriable`` is true, and trying again later may help."""


class LibraryError(ImportError):
    """The shared library ``libflagstore`` is missing, unreadable or of another ABI; the message says where it was
    looked for."""


_USAGE = (-2, INVALID_UTF8, -4, -5, -11, -12, -13, INVALID_VERSION, -15, -16, -17, -44)
_OPTIONS = (UNKNOWN_OPTION, OPTION_TYPE, OPTION_VALUE, -10)
_CONFIGURATION = (-30, -31, -32, -33, -34, -35, -36, -37)

_CLASSES: dict[int, type[FlagstoreError]] = {
    **dict.fromkeys(_USAGE, UsageError),
    **dict.fromkeys(_OPTIONS, OptionError),
    **dict.fromkeys(_CONFIGURATION, ConfigurationError),
}


def failure(code: int, name: str, message: str, retriable: bool) -> FlagstoreError:
    """The exception for an error of the library. A code that this version does not know is a plain
    :class:`FlagstoreError`, or an :class:`UnavailableError` if it is retriable."""
    kind = _CLASSES.get(code, UnavailableError if retriable else FlagstoreError)
    return kind(code, name, message, retriable)
