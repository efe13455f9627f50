"""What arrived, what was done with it, and in which order."""

from __future__ import annotations

import asyncio
import time


class Log:
    """Moments are numbers that only grow: of two things that happened, the later one has the larger."""

    def __init__(self):
        self._change = asyncio.Event()
        self.clear()

    def clear(self) -> None:
        self.records: list[dict] = []
        self.mishaps: list[str] = []
        self._moment = 0
        self._started = time.monotonic()
        self.changed()

    def moment(self) -> int:
        self._moment += 1
        return self._moment

    def arrived(self, record: dict, rule: int | None, action: str) -> None:
        record.update(arrived=self.moment(), ms=self._now(), rule=rule, action=action)
        self.records.append(record)
        self.changed()

    def ended(self, record: dict) -> None:
        record.update(ended=self.moment(), ended_ms=self._now())
        self.changed()

    def mishap(self, what: str) -> None:
        self.mishaps.append(what)

    def changed(self) -> None:
        """Wakes whoever waits for something to be in the log."""
        self._change.set()
        self._change = asyncio.Event()

    async def change(self) -> None:
        await self._change.wait()

    def matching(self, wanted: dict) -> int:
        """How many requests have these members; an action matches with or without its parameters."""
        return sum(all(matches(name, value, record) for name, value in wanted.items()) for record in self.records)

    def _now(self) -> float:
        return round((time.monotonic() - self._started) * 1000, 3)


def matches(name: str, value: object, record: dict) -> bool:
    found = record.get(name)
    return found == value or (name == "action" and isinstance(found, str) and found.split(" ")[0] == value)
