"""Where the files of other platforms run here.

A place is a C library that a program finds instead of the machine's own, and maybe an emulator of its processor or of its
system. The libraries lie in build/tools/roots, unpacked from Debian's packages by `.ci/install platforms`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from platform_targets import HOST, INSTALL, ROOT, SONAME, TOOLS, Target, compiler

ROOTS = TOOLS / "roots"
LOCAL = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve() / "release" / "flagstore-local"
# Emulated, everything takes this many times as long.
SLOWER_UNDER_EMULATION = 8


@dataclass(frozen=True)
class Place:
    """A Linux that a target's programs run on."""

    name: str
    # What the tests are compiled for: they use more of the C library than the library does.
    zig: str
    root: Path | None = None  # where its C library lies; None is the machine's own
    loader: str = ""  # below the root
    libraries: str = ""  # below the root

    programs = (
        "store",
        "async",
        "completions",
        "misuse",
        "matrix",
        "threads",
        "fork",
        "process",
        "completions_process",
    )
    harness = ("check", "runner", "endpoint", "servers")
    # Natively a test meets the library cold, each in a process of its own.
    together = ("matrix",)

    @property
    def emulator(self) -> str:
        """Of another processor than this machine's."""
        machine = self.zig.partition("-")[0]
        return "" if machine == HOST.partition("-")[0] else f"qemu-{machine}-static"

    @property
    def slower(self) -> int:
        return SLOWER_UNDER_EMULATION if self.emulator else 1

    def __str__(self) -> str:
        return f"{self.name} under {self.emulator.removesuffix('-static')}" if self.emulator else self.name

    def reason_not_to_run(self) -> str:
        if self.emulator and not shutil.which(self.emulator):
            return f"{self.emulator} is not installed: {INSTALL}"
        if not self.root and self.emulator:
            return "this machine has another processor"
        if self.root and not (self.root / self.loader).exists():
            return f"{self.root.relative_to(ROOT)}/{self.loader} is not there: {INSTALL}"
        return ""

    def prepare(self, folder: Path, library: Path) -> None:
        (folder / SONAME).symlink_to(library)

    def compiled(self, target: Target, program: Path, sources: list[Path], options: list[str]) -> list[str]:
        command = compiler(target)
        command[command.index("-target") + 1] = self.zig
        linked = [f"-L{program.parent}", f"-l:{SONAME}", "-Wl,-rpath,$ORIGIN"]
        return [*command, *options, "-pthread", "-o", str(program), *map(str, sources), *linked]

    def command(self, program: Path) -> list[str]:
        if self.emulator:
            return [self.emulator, "-L", str(self.root), str(program)]
        if self.root:
            # By its loader, and not by a variable, which would change what the program starts.
            return [str(self.root / self.loader), "--library-path", str(self.root / self.libraries), str(program)]
        return [str(program)]

    @contextmanager
    def environment(self) -> Iterator[dict[str, str]]:
        # Without the library of this machine: each program has the one that it was linked with, and loads no other.
        here = {name: value for name, value in os.environ.items() if name != "FLAGSTORE_LIBRARY"}
        yield {"FLAGSTORE_LOCAL": str(LOCAL), **here, "FLAGSTORE_TESTS_SLOWER": str(self.slower)}


@dataclass(frozen=True)
class Wine(Place):
    """Windows, as far as Wine knows it: all that forks, and all that is about signals, stays on Linux."""

    programs = ("store", "async", "misuse", "matrix")
    harness = ("check", "endpoint", "windows/harness")
    together = ()

    @property
    def emulator(self) -> str:
        return ""

    def reason_not_to_run(self) -> str:
        return "" if Path(WINE).exists() else f"{WINE} is not installed: {INSTALL}"

    def prepare(self, folder: Path, library: Path) -> None:
        (folder / library.name).symlink_to(library)
        shim = ["x86_64-w64-mingw32-gcc", "-shared", "-o", str(folder / "bcryptprimitives.dll")]
        subprocess.run([*shim, ROOT / "tests/c/windows/bcryptprimitives.c", "-ladvapi32"], check=True)

    def compiled(self, target: Target, program: Path, sources: list[Path], options: list[str]) -> list[str]:
        linked = [f"-L{program.parent}", "-l:flagstore.dll", "-lws2_32", "-Wl,-Bstatic", "-lpthread"]
        known = ["-D__USE_MINGW_ANSI_STDIO=1", *options]
        return [*compiler(target), *known, "-o", f"{program}.exe", *map(str, sources), *linked]

    def command(self, program: Path) -> list[str]:
        return [WINE, f"{program}.exe"]

    @contextmanager
    def environment(self) -> Iterator[dict[str, str]]:
        """With an endpoint that runs beside it, since the tests start none there."""
        wine = {"WINEPREFIX": str(TOOLS / "wine"), "WINEDEBUG": "-all", "DISPLAY": ""}
        with subprocess.Popen(
            [os.environ.get("FLAGSTORE_LOCAL", LOCAL), "--exit-with-stdin"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as server:
            url = json.loads(server.stdout.readline())["url"]
            yield {**os.environ, **wine, "FLAGSTORE_ENDPOINT": url, "FLAGSTORE_TESTS_SLOWER": str(self.slower)}
            server.stdin.close()


GLIBC_TESTS = "-linux-gnu.2.31"
WINE = "/usr/lib/wine/wine64"
PLACES: dict[str, list[Place]] = {
    "x86_64-unknown-linux-gnu": [
        Place("glibc of this machine", "x86_64" + GLIBC_TESTS),
        Place(
            "glibc 2.31",
            "x86_64" + GLIBC_TESTS,
            ROOTS / "bullseye-amd64",
            "lib/x86_64-linux-gnu/ld-2.31.so",
            "lib/x86_64-linux-gnu",
        ),
    ],
    "aarch64-unknown-linux-gnu": [
        Place(
            "glibc 2.36",
            "aarch64" + GLIBC_TESTS,
            ROOTS / "bookworm-arm64",
            "lib/ld-linux-aarch64.so.1",
            "lib/aarch64-linux-gnu",
        ),
    ],
    "x86_64-unknown-linux-musl": [
        Place(
            "musl 1.2.5",
            "x86_64-linux-musl",
            ROOTS / "trixie-musl-amd64",
            "usr/lib/ld-musl-x86_64.so.1",
            "usr/lib/x86_64-linux-musl",
        ),
    ],
    "aarch64-unknown-linux-musl": [
        Place(
            "musl 1.2.5",
            "aarch64-linux-musl",
            ROOTS / "trixie-musl-arm64",
            "usr/lib/ld-musl-aarch64.so.1",
            "usr/lib/aarch64-linux-musl",
        ),
    ],
    "x86_64-pc-windows-gnu": [Wine("Wine 8", "")],
}
