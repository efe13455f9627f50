"""Where the files of other platforms run here, and what is run with them.

A place is a C library that a program finds instead of the machine's own, and maybe an emulator of its processor. They lie in
build/tools/roots, unpacked from Debian's packages by `.ci/install platforms`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from platform_targets import BUILT, INSTALL, ROOT, SONAME, TARGETS, TOOLS, Linux, Target, compiler

ROOTS = TOOLS / "roots"
LOCAL = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve() / "release" / "flagstore-local"
TESTS = ROOT / "build" / "platform-tests"
VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
C_PROGRAMS = ["store", "async", "misuse", "matrix", "threads", "fork", "process"]
HARNESS = ["check", "runner", "endpoint", "servers"]
CLOSING = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.MULTILINE)
# Emulated, everything takes this many times as long.
SLOWER_UNDER_EMULATION = 8


@dataclass
class Outcome:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Outcome) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass(frozen=True)
class Place:
    """Somewhere a target's programs run."""

    name: str
    root: Path | None = None  # where its C library lies; None is the machine's own
    loader: str = ""  # below the root
    libraries: str = ""  # below the root
    emulator: str = ""
    # What the tests themselves are compiled for: they use more of the C library than the library does.
    zig: str = ""
    leave_out: dict[str, str] = field(default_factory=dict)

    def reason_not_to_run(self) -> str:
        if self.emulator and not shutil.which(self.emulator):
            return f"{self.emulator} is not installed: {INSTALL}"
        if self.root and not (self.root / self.loader).exists():
            return f"{self.root.relative_to(ROOT)}/{self.loader} is not there: {INSTALL}"
        return ""

    def command(self, program: Path) -> list[str]:
        if self.emulator:
            return [self.emulator, "-L", str(self.root), str(program)]
        if self.root:
            # By its loader, and not by a variable, which would change what the program starts.
            return [str(self.root / self.loader), "--library-path", str(self.root / self.libraries), str(program)]
        return [str(program)]

    def environment(self) -> dict[str, str]:
        slower = str(SLOWER_UNDER_EMULATION) if self.emulator else "1"
        return {"FLAGSTORE_LOCAL": str(LOCAL), **os.environ, "FLAGSTORE_TESTS_SLOWER": slower}


GLIBC_TESTS = "-linux-gnu.2.31"
NOT_GLIBC = {
    "process": "",
}
PLACES: dict[str, list[Place]] = {
    "x86_64-unknown-linux-gnu": [
        Place("glibc of this machine", zig="x86_64" + GLIBC_TESTS),
        Place("glibc 2.31", ROOTS / "bullseye-amd64", "lib/x86_64-linux-gnu/ld-2.31.so", "lib/x86_64-linux-gnu", zig="x86_64" + GLIBC_TESTS),
    ],
    "aarch64-unknown-linux-gnu": [
        Place("glibc 2.36, qemu", ROOTS / "bookworm-arm64", "lib/ld-linux-aarch64.so.1", emulator="qemu-aarch64-static", zig="aarch64" + GLIBC_TESTS),
    ],
    "x86_64-unknown-linux-musl": [
        Place("musl 1.2.5", ROOTS / "trixie-musl-amd64", "usr/lib/ld-musl-x86_64.so.1", "usr/lib/x86_64-linux-musl", zig="x86_64-linux-musl"),
    ],
    "aarch64-unknown-linux-musl": [
        Place("musl 1.2.5, qemu", ROOTS / "trixie-musl-arm64", "usr/lib/ld-musl-aarch64.so.1", emulator="qemu-aarch64-static", zig="aarch64-linux-musl"),
    ],
}


def runs(target: Target, outcome: Outcome, quickly: bool) -> dict[str, str]:
    """Runs what can run of a target; returns its cells of the table."""
    cells: dict[str, str] = {}
    if not (BUILT / target.triple / target.file).exists():
        print(f"skipped {target.triple}: it is not built")
        outcome.skipped += 1
        return cells
    for place in PLACES.get(target.triple, []):
        reason = "only natively, this time" if quickly and place.emulator else place.reason_not_to_run()
        if reason:
            print(f"skipped {target.triple} on {place.name}: {reason}")
            outcome.skipped += 1
            continue
        ran = c_tests(target, place)
        for program, counts in ran.items():
            outcome.add(counts)
        forks = ran.pop("fork", Outcome())
        everything = Outcome()
        for counts in ran.values():
            everything.add(counts)
        add_cell(cells, "C tests", f"{everything} ({place.name})")
        add_cell(cells, "fork", f"{forks} ({place.name})")
    return cells


def add_cell(cells: dict[str, str], column: str, text: str) -> None:
    cells[column] = f"{cells[column]}; {text}" if column in cells else text


def c_tests(target: Target, place: Place) -> dict[str, Outcome]:
    folder = TESTS / target.triple / re.sub(r"[^\w.]+", "-", place.name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / SONAME).symlink_to(BUILT / target.triple / target.file)
    cells = folder / "matrix_cells.c"
    made = subprocess.run(
        [ROOT / "tests/c/misuse_matrix", ROOT / "include/flagstore_cdef.h", ROOT / "include/flagstore.h"],
        check=True,
        stdout=subprocess.PIPE,
    )
    cells.write_bytes(made.stdout)
    outcomes = {}
    for name in C_PROGRAMS:
        print(f"== {target.triple} on {place.name}: {name}", flush=True)
        program = compiled(name, target, place, folder, [cells] if name == "matrix" else [])
        how = ["--together"] if name == "matrix" else []
        outcomes[name] = counted(name, [*place.command(program), *how], place)
    return outcomes


def compiled(name: str, target: Target, place: Place, folder: Path, more: list[Path]) -> Path:
    program = folder / name
    command = compiler(target)
    command[command.index("-target") + 1] = place.zig
    sources = [ROOT / "tests/c" / f"{name}.c", *more, *(ROOT / "tests/c" / f"{file}.c" for file in HARNESS)]
    command += ["-std=c11", "-D_GNU_SOURCE", "-O1", "-pthread", "-Itests/c", "-Iinclude", f'-DPACKAGE_VERSION="{VERSION}"']
    command += ["-o", str(program), *map(str, sources), f"-L{folder}", f"-l:{SONAME}", "-Wl,-rpath,$ORIGIN"]
    subprocess.run(command, cwd=ROOT, check=True)
    return program


def counted(name: str, command: list[str], place: Place) -> Outcome:
    """Runs tests, shows what they say, and returns the sum of their closing lines."""
    ran = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=place.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    print(ran.stdout, end="", flush=True)
    outcome = Outcome()
    for passed, failed, skipped in CLOSING.findall(ran.stdout):
        outcome.add(Outcome(int(passed), int(failed), int(skipped or 0)))
    if not outcome.failed and (ran.returncode or not outcome.passed):
        print(f"FAILED {name}: it ended with status {ran.returncode} and {outcome}")
        outcome.failed += 1
    return outcome
