"""The LaunchDarkly DynamoDB feature store, through ``libflagstore``.

For the LaunchDarkly SDK, change one import::

    from flagstore.launchdarkly import DynamoDB  # instead of: from ldclient.integrations import DynamoDB

Without it, use :class:`Store`, or :class:`AsyncStore` with asyncio.
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from .async_store import AsyncStore
    from .errors import (
        ConfigurationError,
        FlagstoreError,
        LibraryError,
        OptionError,
        UnavailableError,
        UsageError,
    )
    from .options import Options
    from .results import (
        Event,
        Finding,
        InitReport,
        Item,
        Outcome,
        Reason,
        Report,
        TooLarge,
        UpsertResult,
    )
    from .store import Store

__version__ = "0.1.0"

__all__ = [
    "AsyncStore",
    "ConfigurationError",
    "Event",
    "Finding",
    "FlagstoreError",
    "InitReport",
    "Item",
    "LibraryError",
    "OptionError",
    "Options",
    "Outcome",
    "Reason",
    "Report",
    "Store",
    "TooLarge",
    "UnavailableError",
    "UpsertResult",
    "UsageError",
    "library_version",
]

_ERRORS = (
    "ConfigurationError",
    "FlagstoreError",
    "LibraryError",
    "OptionError",
    "UnavailableError",
    "UsageError",
)
_RESULTS = (
    "Event",
    "Finding",
    "InitReport",
    "Item",
    "Outcome",
    "Reason",
    "Report",
    "TooLarge",
    "UpsertResult",
)
_MODULES = {
    "AsyncStore": "async_store",
    "Options": "options",
    "Store": "store",
    **dict.fromkeys(_ERRORS, "errors"),
    **dict.fromkeys(_RESULTS, "results"),
}


def __getattr__(name: str) -> object:
    # Imported when it is asked for: what a program does not use costs its start nothing.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def library_version() -> str:
    """The version of the loaded ``libflagstore``, such as ``"0.1.0"``.

    :raises LibraryError: it cannot be loaded
    """
    from ._library import load

    return load().version()
