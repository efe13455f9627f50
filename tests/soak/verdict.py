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
        # Connections and their buffers come and go, hence not exactly nothing.
        flat("allocated while quiet", quiet, "allocated", 0.01, 64 << 10),
        # What the kernel counts includes what malloc keeps for later, which follows the highest load so far.
        flat("private memory", busy, "private_dirty", 0.05, 1 << 20),
        flat("descriptors while quiet", quiet, "descriptors", 0, 4),
        flat("threads while quiet", quiet, "threads", 0, 2),
    ]


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
