"""The table, the JSON and the plots."""

import json
import os
import platform
import subprocess

from .measure import quantity, summary

HEAD = ("row", "what", "against", "ours", "theirs", "ratio", "spread", "target", "met")


def table(lines):
    """Plain text. The spread is from the lower to the upper quartile of the ratio, or of ours where there is none."""
    rows = [HEAD, *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows if len(row) == len(HEAD)) for column in range(len(HEAD))]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def _cells(line):
    if not line.ours:
        return (line.row, line.what, line.against, line.reason)
    ours, theirs = summary(line.ours), summary(line.theirs)
    ratio, spread = _ratio(line) if line.ratios() else ("", "")
    if not ratio and len(line.ours) > 1:
        spread = f"{quantity(ours['low'], line.unit)} to {quantity(ours['high'], line.unit)}"
    return (
        line.row,
        line.what,
        line.against,
        quantity(ours["median"], line.unit),
        quantity(theirs["median"], line.unit) if theirs else "",
        ratio,
        spread,
        str(line.target or ""),
        {True: "yes", False: "NO", None: ""}[line.met()],
    )


def _ratio(line):
    """The ratio and its spread, turned around where ours is the worse one."""
    ratios, word = line.ratios(), line.ratio_is()
    if word != "times" and summary(ratios)["median"] < 1:
        ratios, word = [1 / ratio for ratio in ratios], {"faster": "slower", "less": "more"}[word]
    ratio = summary(ratios)
    spread = f"{ratio['low']:.3g} to {ratio['high']:.3g}" if len(ratios) > 1 else ""
    return f"{ratio['median']:.3g}x{'' if word == 'times' else f' {word}'}", spread


def machine():
    """What it was measured on. The load is what others do at the same time."""
    with open("/proc/cpuinfo") as file:
        processor = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    load = round(os.getloadavg()[0], 2)
    return {"processor": processor, "cores": os.cpu_count(), "kernel": platform.release(), "load": load}


def write_json(lines, path, machine, quick):
    result = {"machine": machine, "quick": quick, "lines": [line.to_json() for line in lines]}
    path.write_text(json.dumps(result, indent=1) + "\n")


def draw(tools, path):
    """matplotlib lives in the environment of the clients."""
    subprocess.run([tools.python, tools.root / "benches/harness/plots.py", path], check=True)
