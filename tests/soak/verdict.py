"""Whether something grows."""

from __future__ import annotations

import statistics
from dataclasses import dataclass


@dataclass
class Check:
    promise: str
    holds: bool
    seen: str


def after_warming_up(seconds: int) -> int:
    """In milliseconds: a minute, or a quarter of a short run. Until then pools, caches and malloc's arenas fill."""
    return 1000 * min(60, seconds // 4)


def growth_checks(samples: list[dict], seconds: int) -> list[Check]:
    warm = [sample for sample in samples if sample["ms"] >= after_warming_up(seconds)]
    quiet = [sample for sample in warm if sample["when"] == "quiet"]
    busy = [sample for sample in warm if sample["when"] == "busy"]
    return [
        nothing_left([sample["allocated"] for sample in samples if sample["when"] == "closed"]),
        # Connections come and go. What malloc keeps for later follows the highest load so far, in each of its arenas, of
        # which there are sixteen, for a quarter of an hour.
        flat("allocated between calls", quiet, "allocated", 0.05, 1 << 20),
        flat("private memory", busy, "private_dirty", 0.25, 8 << 20),
        flat("descriptors between calls", quiet, "descriptors", 0.1, 8),
        flat("threads between calls", quiet, "threads", 0, 2),
    ]


# A map that is a little larger than before, at most: repeated runs differ by less than 500 bytes.
LEFT_BYTES = 16 << 10


def nothing_left(allocated: list[int]) -> Check:
    """With every store closed, as much is allocated at the end as after warming up."""
    promise = "allocated with every store closed: no growth"
    if len(allocated) != 2:
        return Check(promise, False, f"{len(allocated)} samples")
    seen = f"{allocated[0]:,} after warming up, {allocated[1]:,} at the end; bound {LEFT_BYTES:,}"
    return Check(promise, allocated[1] - allocated[0] <= LEFT_BYTES, seen)


def flat(name: str, samples: list[dict], figure: str, share: float, least: float) -> Check:
    """Between the first and the last third, neither the median nor a line through all samples grows more than this."""
    promise = f"{name}: no growth"
    if len(samples) < 6:
        return Check(promise, False, f"only {len(samples)} samples")
    values = [sample[figure] for sample in samples]
    third = len(values) // 3
    first, last = statistics.median(values[:third]), statistics.median(values[-third:])
    times = [sample["ms"] for sample in samples]
    line = slope(times, values) * (times[-1] - times[0])
    bound = max(share * first, least)
    seen = f"{first:,.0f} in the first third, {last:,.0f} in the last, {line:+,.0f} by a line; bound {bound:,.0f}"
    return Check(promise, last - first <= bound and line <= bound, seen)


def slope(times: list[int], values: list[int]) -> float:
    """By least squares."""
    middle, mean = statistics.fmean(times), statistics.fmean(values)
    spread = sum((time - middle) ** 2 for time in times)
    return sum((time - middle) * (value - mean) for time, value in zip(times, values)) / spread
