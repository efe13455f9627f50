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


# Below this many seconds a run has not yet opened all the connections it will need, nor malloc filled its arenas, and what
# is held between calls shows nothing. What is left when every store is closed shows it at once.
LONG = 300


def growth_checks(samples: list[dict], seconds: int) -> list[Check]:
    warm = [sample for sample in samples if sample["ms"] >= after_warming_up(seconds)]
    quiet = [sample for sample in warm if sample["when"] == "quiet"]
    busy = [sample for sample in warm if sample["when"] == "busy"]
    closed = [sample for sample in samples if sample["when"] == "closed"]
    checks = [
        # A map that is a little larger than before, at most: repeated runs differ by less than 700 bytes.
        nothing_left(closed, "allocated", 16 << 10),
        nothing_left(closed, "descriptors", 0),
        # The runtime starts up to four threads for what would block it, and ends them when they are idle.
        nothing_left(closed, "threads", 4),
    ]
    if seconds >= LONG:
        checks += [
            flat("allocated", quiet, 0.05, 1 << 20),
            # What malloc keeps for later follows the highest load so far, in each of its arenas.
            flat("private_dirty", busy, 0.25, 8 << 20),
            flat("descriptors", quiet, 0.1, 8),
            flat("threads", quiet, 0, 4),
        ]
    return checks


def nothing_left(samples: list[dict], figure: str, bound: int) -> Check:
    """With every store closed, as much is held at the end as after warming up."""
    promise = f"{figure}, with every store closed, is what it was"
    if len(samples) != 2:
        return Check(promise, False, f"{len(samples)} samples")
    first, last = (sample[figure] for sample in samples)
    return Check(promise, last - first <= bound, f"{first:,} after warming up, {last:,} at the end; bound {bound:,}")


def flat(figure: str, samples: list[dict], share: float, least: float) -> Check:
    """Between the first and the last third, neither the median nor a line through all samples grows more than this."""
    promise = f"{figure}, with stores in use, does not grow"
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
