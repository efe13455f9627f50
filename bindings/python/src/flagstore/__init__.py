"""The LaunchDarkly DynamoDB feature store, through ``libflagstore``.

For the LaunchDarkly SDK, change one import::

    from flagstore.launchdarkly import DynamoDB  # instead of: from ldclient.integrations import DynamoDB

Without it, use :class:`Store`.
"""

from __future__ import annotations

from ._library import load as _load
from .errors import (
    ConfigurationError,
    FlagstoreError,
    LibraryError,
    OptionError,
    UnavailableError,
    UsageError,
)
from .store import Event, InitReport, Item, Outcome, Reason, Store, TooLarge, UpsertResult

__version__ = "0.1.0"

__all__ = [
    "ConfigurationError",
    "Event",
    "FlagstoreError",
    "InitReport",
    "Item",
    "LibraryError",
    "OptionError",
    "Outcome",
    "Reason",
    "Store",
    "TooLarge",
    "UnavailableError",
    "UpsertResult",
    "UsageError",
    "library_version",
]


def library_version() -> str:
    """The version of the loaded ``libflagstore``, such as ``"0.1.0"``.

    :raises LibraryError: it cannot be loaded
    """
    version: bytes = _load().store_version()
    return version.decode()
