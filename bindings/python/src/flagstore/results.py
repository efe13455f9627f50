"""What a store gives and takes: items, and what came of writing them."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn

from ._compiled import native
from ._typing import Self

if TYPE_CHECKING or native is None:

    class Values:
        """The four values of an item."""

        __slots__ = ("deleted", "item", "stale", "version")

        def __new__(
            cls, version: int, item: str | None = None, deleted: bool = False, stale: bool = False
        ) -> Self:
            self = super().__new__(cls)
            for name, value in zip(("version", "item", "deleted", "stale"), (version, item, deleted, stale)):
                object.__setattr__(self, name, value)
            return self

else:
    Values = native.Values


class _Fields:
    """``Item.__dataclass_fields__``, made when somebody asks for it: the module ``dataclasses`` takes as long to import as
    this whole package."""

    def __get__(self, instance: object, owner: type[Item]) -> dict[str, Any]:
        from dataclasses import make_dataclass

        members = [(name, owner.__annotations__[name]) for name in owner.__match_args__]
        fields: dict[str, Any] = vars(make_dataclass(owner.__name__, members))["__dataclass_fields__"]
        return fields


class Item(Values):
    """A flag, segment or other item without its key.

    To ``dataclasses.asdict``, and to all else that looks for dataclasses, it is a frozen one.
    """

    __slots__ = ()

    version: int
    """Decides which of two writes wins: 0 or more."""
    item: str | None
    """The payload, exactly as it was stored; None for a deleted item."""
    deleted: bool
    """Whether the item was deleted."""
    stale: bool
    """Whether it stands in for one that could not be read: it comes from a cache beyond its time to live, or is what
    this store was told."""

    __match_args__ = ("version", "item", "deleted", "stale")
    __dataclass_fields__: ClassVar[dict[str, Any]] = _Fields()  # type: ignore[assignment]

    if TYPE_CHECKING:

        def __init__(
            self, version: int, item: str | None = None, deleted: bool = False, stale: bool = False
        ) -> None: ...

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"an Item cannot be changed: use dataclasses.replace(item, {name}=...)")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("an Item cannot be changed")

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Item) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return "Item(version={!r}, item={!r}, deleted={!r}, stale={!r})".format(*self._values())

    def __reduce__(self) -> tuple[Any, ...]:
        return Item, self._values()

    def _values(self) -> tuple[int, str | None, bool, bool]:
        return self.version, self.item, self.deleted, self.stale


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


class Finding(NamedTuple):
    """One thing that a doctor looked at."""

    check: str
    """What was looked at, such as ``"credentials"``; the page ``docs/doctor.md`` has them all."""
    level: str
    """``"ok"``, ``"note"``, ``"warning"`` or ``"problem"``."""
    found: str
    """What was seen, as a sentence that holds no secret."""
    remedy: str | None
    """What to do about it; None where there is nothing to do."""


class Report(NamedTuple):
    """What a doctor found between this process and its flags."""

    problems: int
    """How many findings have the level ``"problem"``: 0 where flags arrive."""
    warnings: int
    """How many have the level ``"warning"``."""
    findings: list[Finding]


class Event(NamedTuple):
    """Something that a store reports besides the results of calls."""

    level: int
    """A level of the ``logging`` module."""
    message: str
