"""What happened to each target and to each package, kept beside the target's file and written as tables into documents."""

from __future__ import annotations

import json
from pathlib import Path

from platform_packages import LANGUAGES
from platform_targets import BUILT, TARGETS, Target

COLUMNS = ("built", "size", "floor", "C tests", "fork", "smoke", "bindings")
# In the document: whatever stands between these is written by `table --write`.
PACKAGES_BEGIN, PACKAGES_END = "<!-- packages: supply-chain/platforms table --write -->\n", "<!-- /packages -->\n"


def record(target: Target, cells: dict[str, object]) -> None:
    """For the tables: beside the target's file, so that the one goes with the other."""
    file = BUILT / target.triple / "ran.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**recorded(target), **cells}, indent=2) + "\n")


def recorded(target: Target) -> dict[str, object]:
    file = BUILT / target.triple / "ran.json"
    return json.loads(file.read_text()) if file.exists() else {}


def table() -> str:
    """A row for each target."""
    lines = [f"| target | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    for triple, target in TARGETS.items():
        row = {"floor": target.floor, **recorded(target)}
        lines.append(f"| {triple} | {' | '.join(str(row.get(column, '-')) for column in COLUMNS)} |")
    return "\n".join(lines) + "\n"


def packages_table() -> str:
    """A row for each place that packages were installed in, and below it why some were not."""
    reasons: list[str] = []

    def cell(how: str) -> str:
        if not how.startswith("skipped: "):
            return how.partition(":")[0]
        reason = how.removeprefix("skipped: ")
        if reason not in reasons:
            reasons.append(reason)
        return f"({reasons.index(reason) + 1})"

    lines = [f"| place | {' | '.join(LANGUAGES)} |", f"|---|{'---|' * len(LANGUAGES)}"]
    for triple, target in TARGETS.items():
        for place, ways in dict(recorded(target).get("packages") or {}).items():
            row = " | ".join(cell(ways.get(language, "-")) for language in LANGUAGES)
            lines.append(f"| {triple.partition('-')[0]}, {place} | {row} |")
    notes = [f"({number}) {reason}" for number, reason in enumerate(reasons, 1)]
    return "\n".join([*lines, "", *(f"{note}  " for note in notes)]).rstrip() + "\n"


def write_tables(document: Path) -> None:
    """In the place of those that the document has."""
    text = document.read_text()
    before, begins, rest = text.partition("| target | built | ")
    if begins:
        lines = rest.splitlines(keepends=True)
        after = next((place for place, line in enumerate(lines[1:], 1) if not line.startswith("|")), len(lines))
        text = before + table() + "".join(lines[after:])
    before, begins, rest = text.partition(PACKAGES_BEGIN)
    if begins:
        text = before + begins + packages_table() + PACKAGES_END + rest.partition(PACKAGES_END)[2]
    document.write_text(text)
