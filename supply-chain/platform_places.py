"""Where the files of other platforms run here.

A place is a C library that a program finds instead of the machine's own, and maybe an emulator of its processor or of its
system. The libraries lie in build/tools/roots, unpacked from Debian's packages by `.ci/install platforms`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
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
    libraries: tuple[str, ...] = ()  # below the root

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

    def make_ready(self) -> None:
        """Once before anything is run there."""

    def prepare(self, folder: Path, library: Path) -> None:
        """Puts the library where programs of a folder find it."""
        self.make_ready()
        (folder / SONAME).symlink_to(library)

    def compiled(self, target: Target, program: Path, sources: list[Path], options: list[str]) -> list[str]:
        command = compiler(target)
        command[command.index("-target") + 1] = self.zig
        linked = [f"-L{program.parent}", f"-l:{SONAME}", "-Wl,-rpath,$ORIGIN"]
        return [*command, *options, "-pthread", "-o", str(program), *map(str, sources), *linked]

    def command(self, program: Path, *arguments: str) -> list[str]:
        if self.emulator:
            return [self.emulator, "-L", str(self.root), str(program), *arguments]
        if self.root:
            # By its loader, and not by a variable, which would change what the program starts.
            return [
                str(self.root / self.loader),
                "--library-path",
                os.pathsep.join(str(self.root / folder) for folder in self.libraries),
                str(program),
                *arguments,
            ]
        return [str(program), *arguments]

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
        self.make_ready()
        (folder / library.name).symlink_to(library)

    def make_ready(self) -> None:
        wine_made_ready()

    def compiled(self, target: Target, program: Path, sources: list[Path], options: list[str]) -> list[str]:
        linked = [f"-L{program.parent}", "-l:flagstore.dll", "-lws2_32", "-Wl,-Bstatic", "-lpthread"]
        known = ["-D__USE_MINGW_ANSI_STDIO=1", *options]
        return [*compiler(target), *known, "-o", f"{program}.exe", *map(str, sources), *linked]

    def command(self, program: Path, *arguments: str) -> list[str]:
        return [WINE, str(program.with_suffix(".exe")), *arguments]

    @contextmanager
    def environment(self) -> Iterator[dict[str, str]]:
        """With an endpoint that runs beside it, since the tests start none there."""
        with super().environment() as here, endpoint() as url:
            yield {**here, **WINE_SPEAKS, "FLAGSTORE_ENDPOINT": url}


@cache
def wine_made_ready() -> None:
    subprocess.run([WINE, "wineboot", "--init"], env={**os.environ, **WINE_SPEAKS}, check=True, capture_output=True)
    # Where Windows has it: Go's runtime looks nowhere else.
    shim = TOOLS / "wine/drive_c/windows/system32/bcryptprimitives.dll"
    sources = [ROOT / "tests/c/windows/bcryptprimitives.c", "-ladvapi32"]
    subprocess.run(["x86_64-w64-mingw32-gcc", "-shared", "-o", shim, *sources], check=True)


@contextmanager
def endpoint() -> Iterator[str]:
    """DynamoDB for one that starts none itself; gives its URL."""
    command = [os.environ.get("FLAGSTORE_LOCAL") or str(LOCAL), "--exit-with-stdin"]
    if not Path(command[0]).exists():
        raise SystemExit(f"there is no {command[0]}: make local, or name one in FLAGSTORE_LOCAL")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        try:
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.stdin.close()


def ended(
    command: list[str], environment: dict[str, str], seconds: float, folder: Path = ROOT
) -> tuple[int | None, str]:
    """How a program ended, None if not in time, and what it said. What it started ends with it."""
    # Into a file: a pipe would be waited for as long as anything holds it that a program which hangs has started.
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        said.seek(0)
        return status, said.read().decode(errors="replace").replace("\r\n", "\n")


GLIBC_TESTS = "-linux-gnu.2.31"
WINE = "/usr/lib/wine/wine64"
WINE_SPEAKS = {"WINEPREFIX": str(TOOLS / "wine"), "WINEDEBUG": "-all", "DISPLAY": ""}
PLACES: dict[str, list[Place]] = {
    "x86_64-unknown-linux-gnu": [
        Place("glibc of this machine", "x86_64" + GLIBC_TESTS),
        Place(
            "glibc 2.31",
            "x86_64" + GLIBC_TESTS,
            ROOTS / "bullseye-amd64",
            "lib/x86_64-linux-gnu/ld-2.31.so",
            ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"),
        ),
    ],
    "aarch64-unknown-linux-gnu": [
        Place(
            "glibc 2.36",
            "aarch64" + GLIBC_TESTS,
            ROOTS / "bookworm-arm64",
            "lib/ld-linux-aarch64.so.1",
            ("lib/aarch64-linux-gnu",),
        ),
    ],
    "x86_64-unknown-linux-musl": [
        Place(
            "musl 1.2.5",
            "x86_64-linux-musl",
            ROOTS / "trixie-musl-amd64",
            "usr/lib/ld-musl-x86_64.so.1",
            ("usr/lib/x86_64-linux-musl",),
        ),
    ],
    "aarch64-unknown-linux-musl": [
        Place(
            "musl 1.2.5",
            "aarch64-linux-musl",
            ROOTS / "trixie-musl-arm64",
            "usr/lib/ld-musl-aarch64.so.1",
            ("usr/lib/aarch64-linux-musl",),
        ),
    ],
    "x86_64-pc-windows-gnu": [Wine("Wine 8", "")],
}
