"""Draws the plots of a results.json, as SVG beside it: plots.py FILE. Runs where matplotlib is installed."""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
# The same result gives the same file.
matplotlib.rcParams.update({"svg.hashsalt": "flagstore", "svg.fonttype": "none", "font.size": 10})

import matplotlib.pyplot as plt  # noqa: E402

OURS, THEIRS = "#0b6e4f", "#9aa5b1"


def main():
    path = Path(sys.argv[1])
    lines = [line for line in json.loads(path.read_text())["lines"] if line["ratio"]]
    targets = [line for line in lines if line["ratio_is"] != "times" and line["target"]]
    draw(path.with_name("ratios.svg"), ratios, targets)
    uncached = [line for line in lines if line["row"] == "S3" and line["unit"] == "s" and line["what"].endswith(" C")]
    draw(path.with_name("uncached.svg"), times, uncached)
    for row, name in (("S8", "init"), ("S11", "all")):
        through_c = [line for line in lines if line["row"] == row and line["flags"] and line["what"].endswith(" C")]
        draw(path.with_name(f"{name}.svg"), growth, through_c)


def draw(path, kind, lines):
    if not lines:
        return
    figure, axes = plt.subplots(layout="constrained")
    kind(figure, axes, lines)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def ratios(figure, axes, lines):
    """How many times faster or smaller, one bar for each target, whether it is met or not."""
    lines = sorted(lines, key=lambda line: line["ratio"]["median"])
    figure.set_size_inches(8, 0.4 * len(lines) + 1)
    labels = [f"{line['row']}  {line['what']}\nagainst {line['against']}" for line in lines]
    bars = axes.barh(labels, [line["ratio"]["median"] for line in lines], xerr=_spread(lines, "ratio"), color=OURS)
    axes.bar_label(bars, [f"{line['ratio']['median']:.3g}x {line['ratio_is']}" for line in lines], padding=6)
    axes.set_xscale("log")
    axes.set_xlim(left=1)
    axes.margins(x=0.25)
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xlabel("median of the ratios, with quartiles; logarithmic")


def times(figure, axes, lines):
    """One uncached get by client."""
    figure.set_size_inches(7, 2.6)
    sides = [("flagstore (C)", lines[0]["ours"], OURS), *((line["against"], line["theirs"], THEIRS) for line in lines)]
    sides.sort(key=lambda side: -side[1]["median"])
    names, summaries, colors = zip(*sides)
    medians = [each["median"] * 1e6 for each in summaries]
    bars = axes.barh(names, medians, color=colors)
    axes.bar_label(bars, [f"{median:,.0f} us" for median in medians], padding=4)
    axes.margins(x=0.15)
    axes.set_xlabel("median of an uncached get on loopback, in microseconds")


def growth(figure, axes, lines):
    """Time by the size of the data set."""
    figure.set_size_inches(6, 4)
    lines = sorted(lines, key=lambda line: line["flags"])
    flags = [line["flags"] for line in lines]
    against = lines[0]["against"]
    for name, side, color in (("flagstore (C)", "ours", OURS), (against, "theirs", THEIRS)):
        axes.plot(flags, [line[side]["median"] for line in lines], "o-", label=name, color=color)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("flags")
    axes.set_ylabel(f"seconds to {'write' if lines[0]['row'] == 'S8' else 'read'} them all")
    axes.legend(frameon=False)


def _spread(lines, side):
    """Error bars from the median to the quartiles."""
    below = [line[side]["median"] - line[side]["low"] for line in lines]
    above = [line[side]["high"] - line[side]["median"] for line in lines]
    return [below, above]


main()
