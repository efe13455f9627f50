"""Draws a figures.json as figures.svg beside it: plot.py FILE. Runs where matplotlib is installed."""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
# The same figures give the same file.
matplotlib.rcParams.update({"svg.hashsalt": "flagstore", "svg.fonttype": "none", "font.size": 10})

import matplotlib.pyplot as plt

OURS, THEIRS = "#0b6e4f", "#9aa5b1"
MEGABYTES = 1 / (1 << 20)


def main():
    path = Path(sys.argv[1])
    figures = json.loads(path.read_text())
    quiet = [sample for sample in figures["samples"] if sample["when"] == "quiet"]
    busy = [sample for sample in figures["samples"] if sample["when"] == "busy"]
    figure, (memory, counts) = plt.subplots(2, sharex=True, figsize=(8, 6), layout="constrained")
    curve(memory, busy, "private_dirty", "private memory", THEIRS, MEGABYTES)
    curve(memory, busy, "allocated", "allocated", "#c9ced6", MEGABYTES)
    curve(memory, quiet, "allocated", "allocated, between calls", OURS, MEGABYTES)
    curve(counts, busy, "descriptors", "descriptors", THEIRS)
    curve(counts, quiet, "descriptors", "descriptors, between calls", OURS)
    curve(counts, quiet, "threads", "threads", "#b5651d")
    memory.set_ylabel("MiB")
    counts.set_xlabel("seconds")
    for axes in (memory, counts):
        axes.set_ylim(bottom=0)
        axes.axvline(figures["warm_after_ms"] / 1000, color="#dddddd", zorder=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8)
    figure.savefig(path.with_name("figures.svg"), metadata={"Date": None})


def curve(axes, samples, name, label, color, unit=1):
    axes.plot(
        [each["ms"] / 1000 for each in samples], [each[name] * unit for each in samples], label=label, color=color
    )


main()
