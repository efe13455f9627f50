"""Rows as the LaunchDarkly SDK has them: models, and the JSON that they come from."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from typing import Any

from ldclient.interfaces import DiagnosticDescription
from ldclient.versioned_data_kind import VersionedDataKind

from ._opened import Opened
from .results import Item

# Of a row that cannot be read, each version is reported once. This many are remembered.
_REPORTS_REMEMBERED = 10_000


class Rows(DiagnosticDescription):
    """The rows of a store, which gives the SDK only those that it can read."""

    def __init__(self, store: Opened) -> None:
        self._rows_of = store
        self._reported: dict[tuple[str, str, int], object] = {}

    def describe_configuration(self, config: Any) -> str:
        """What the SDK's diagnostic events call it."""
        return "DynamoDB"

    def decoded(self, kind: VersionedDataKind, key: str, item: Item) -> Any:
        """The SDK's model of an item, or None for a payload that is not one: it must not take the others down with it.

        The wrapper would decode a dictionary itself, and fail for all items at the first that it cannot decode.
        """
        if item.deleted:
            return kind.decode(_tombstone(key, item.version))
        try:
            return kind.decode(_json_object(item.item or ""))
        except Exception as error:  # noqa: BLE001 - also RecursionError, and whatever the SDK's decoder thinks of
            self._report(kind, key, item.version, error)
            return None

    def all_decoded(self, kind: VersionedDataKind, items: Mapping[str, Item]) -> dict[str, Any]:
        """The models of all items that are some."""
        decoded = {key: self.decoded(kind, key, item) for key, item in items.items()}
        return {key: model for key, model in decoded.items() if model is not None}

    def in_the_way(self, kind: VersionedDataKind, key: str, stored: Item | None, version: int) -> Any:
        """What the SDK is to cache after an upsert of this version that met another item."""
        model = None if stored is None else self.decoded(kind, key, stored)
        return _tombstone(key, version) if model is None else model

    def _report(self, kind: VersionedDataKind, key: str, version: int, error: Exception) -> None:
        """Says that a row is left out, unless it was said of this version of it."""
        row = (kind.namespace, key, version)
        mine = object()
        if self._reported.setdefault(row, mine) is not mine:
            return
        if len(self._reported) > _REPORTS_REMEMBERED:
            self._reported = {row: mine}
        # Not the text of the exception, which may quote the payload.
        self._rows_of._log(
            logging.WARNING,
            "the item %r in %r is left out: the SDK cannot read its version %d (%s)",
            key,
            kind.namespace,
            version,
            type(error).__name__,
        )


def encoded(item: Mapping[str, Any]) -> Item:
    """An item as the store takes it."""
    return Item(item["version"], json.dumps(item), item.get("deleted") is True)


def all_encoded(all_data: Mapping[VersionedDataKind, Mapping[str, Any]]) -> dict[str, dict[str, Item]]:
    """A data set as the store takes it."""
    return {
        kind.namespace: {key: encoded(kind.encode(item)) for key, item in items.items()}
        for kind, items in all_data.items()
    }


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


# NaN and infinity are no JSON: an application that writes all flags out would write what no other program reads.
_JSON = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def _json_object(text: str) -> dict[str, Any]:
    value = _JSON.decode(text)
    if not isinstance(value, dict):
        # Of a kind that it has no model for, the SDK takes anything, and fails later.
        raise TypeError
    return value


def _tombstone(key: str, version: int) -> dict[str, Any]:
    return {"key": key, "version": version, "deleted": True}
