"""Draws the plots of a results.json, as SVG beside it: plots.py FILE. Runs where matplotlib is installed.

* ``times.svg``: an uncached get and a cold start, by client
* ``ratios.svg``: how many times faster or smaller, for every target that is set against something else
* ``growth.svg``: what a flag costs by the size of the data set
* ``init.svg``, ``all.svg``: whole data sets, against the Python SDK's own integration

What the file has no lines for is not drawn. They bring their own background, so that they can be read on a dark page too.
"""

import json
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter

matplotlib.use("svg")
# The same result gives the same file; text stays text.
matplotlib.rcParams.update({"svg.hashsalt": "flagstore", "svg.fonttype": "none", "font.size": 10})
matplotlib.rcParams.update({"figure.facecolor": "white", "savefig.facecolor": "white", "text.color": "#1f2937"})

OURS, THEIRS = "#0b6e4f", "#9aa5b1"
SEVERAL = matplotlib.cycler(color=[OURS, "#c2410c", "#1d4ed8"])
PLAIN = FuncFormatter(lambda value, _: f"{value:,g}")


def main():
    path = Path(sys.argv[1])
    lines = json.loads(path.read_text())["lines"]
    draw(
        path.with_name("times.svg"),
        times,
        [sides(lines, "S3", "uncached get"), sides(lines, "S5", "cold start", ", HTTP")],
    )
    compared = [line for line in lines if line["ratio"]]
    targets = [line for line in compared if line["ratio_is"] != "times" and line["target"]]
    # A raw socket is a floor, not something to choose instead.
    draw(path.with_name("ratios.svg"), ratios, [line for line in targets if "raw" not in line["against"]])
    draw(path.with_name("growth.svg"), per_flag, [line for line in lines if line["row"] == "SCALE" and line["flags"]])
    for row, name in (("S8", "init"), ("S11", "all")):
        through_c = [line for line in compared if line["row"] == row and line["flags"] and line["what"].endswith(" C")]
        draw(path.with_name(f"{name}.svg"), growth, through_c)


def draw(path, kind, lines):
    if not lines or not all(lines):
        return
    figure = plt.figure(layout="constrained")
    kind(figure, lines)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def sides(lines, row, what, how=""):
    """Medians of one measurement by client, out of the lines that compare two."""
    found = {}
    for line in lines:
        for language in ("C", "Python"):
            if (
                line["row"] == row
                and line["unit"] == "s"
                and line["what"] == f"{what}, {language}{how}"
                and line["ours"]
            ):
                found.setdefault(f"flagstore, {language}", line["ours"])
                if line["theirs"]:
                    found.setdefault(line["against"], line["theirs"])
    return (what, found) if found else None


def times(figure, measurements):
    """One panel each, the slowest client at the bottom."""
    figure.set_size_inches(9, 2.6)
    for axes, (what, found) in zip(figure.subplots(1, len(measurements)), measurements):
        by_time = sorted(found.items(), key=lambda side: -side[1]["median"])
        unit, name = (1e-3, "ms") if by_time[0][1]["median"] > 10e-3 else (1e-6, "µs")
        medians = [side["median"] / unit for _, side in by_time]
        colors = [OURS if client.startswith("flagstore") else THEIRS for client, _ in by_time]
        bars = axes.barh([client for client, _ in by_time], medians, color=colors)
        axes.bar_label(
            bars,
            [f"{median:,.3g} {name}" if median < 1000 else f"{median:,.0f} {name}" for median in medians],
            padding=4,
        )
        axes.set_title(what, loc="left", weight="bold")
        axes.margins(x=0.3)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)


def ratios(figure, lines):
    """How many times faster or smaller, one bar for each target, whether it is met or not."""
    lines = sorted(lines, key=lambda line: line["ratio"]["median"])
    figure.set_size_inches(9, 0.42 * len(lines) + 0.8)
    axes = figure.subplots()
    labels = [f"{line['what']}\nagainst {line['against']}" for line in lines]
    bars = axes.barh(labels, [line["ratio"]["median"] for line in lines], xerr=_spread(lines, "ratio"), color=OURS)
    axes.bar_label(bars, [f"{line['ratio']['median']:.3g}x {line['ratio_is']}" for line in lines], padding=6)
    axes.set_xscale("log")
    axes.set_xlim(left=1)
    axes.margins(x=0.25)
    axes.tick_params(axis="y", labelsize=8)
    axes.xaxis.set_major_formatter(PLAIN)
    axes.set_xlabel("times better: median of the ratios, with quartiles; logarithmic")


def per_flag(figure, lines):
    """Time and memory of one flag by the size of the data set: where that stays level, cost grows linearly."""
    figure.set_size_inches(9, 3)
    time, memory = figure.subplots(1, 2, subplot_kw={"prop_cycle": SEVERAL})
    for what in dict.fromkeys(line["what"].rpartition(", ")[0] for line in lines):
        points = [line for line in lines if line["what"].rpartition(", ")[0] == what]
        axes, unit = (time, 1e-6) if points[0]["unit"] == "s" else (memory, 1)
        flags = [line["flags"] for line in points]
        axes.plot(flags, [line["ours"]["median"] / line["flags"] / unit for line in points], "o-", label=what)
    for axes, label in ((time, "µs a flag"), (memory, "bytes a flag of 1,000 bytes")):
        axes.set_xscale("log")
        axes.set_ylim(0, 1.15 * axes.get_ylim()[1])
        axes.xaxis.set_major_formatter(PLAIN)
        axes.set_xlabel("flags")
        axes.set_ylabel(label)
        axes.legend(frameon=False)


def growth(figure, lines):
    """Time by the size of the data set."""
    figure.set_size_inches(6, 3.6)
    axes = figure.subplots()
    lines = sorted(lines, key=lambda line: line["flags"])
    flags = [line["flags"] for line in lines]
    against = lines[0]["against"]
    for name, side, color in (("flagstore, C", "ours", OURS), (against, "theirs", THEIRS)):
        axes.plot(flags, [line[side]["median"] for line in lines], "o-", label=name, color=color)
    for axis, scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        scale("log")
        axis.set_major_formatter(PLAIN)
    axes.set_xlabel("flags")
    axes.set_ylabel(f"seconds to {'write' if lines[0]['row'] == 'S8' else 'read'} them all")
    axes.legend(frameon=False)


def _spread(lines, side):
    """Error bars from the median to the quartiles."""
    below = [line[side]["median"] - line[side]["low"] for line in lines]
    above = [line[side]["high"] - line[side]["median"] for line in lines]
    return [below, above]


main()
