"""The platforms that libflagstore is released for: how each is compiled and linked, and what its file has to be like.

A target is compiled by Rust and zig, which has every C library's declarations, and linked out of the static archive, so that
what is exported, and what is needed, is decided here and not by whatever the linker finds. Windows is linked by mingw's gcc.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import ClassVar

from native import Native

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "build" / "platforms"
HEADER = ROOT / "include" / "flagstore.h"
TOOLS = ROOT / "build" / "tools"
ZIG = [str(TOOLS / "bin" / "python"), "-m", "ziglang"]
SONAME = "libflagstore.so." + re.search(r"ABI_MAJOR: u32 = (\d+)", (ROOT / "build.rs").read_text())[1]
FRAMEWORKS = ROOT / "supply-chain" / "macos"
INSTALL = ".ci/install platforms"


@cache
def functions() -> list[str]:
    """What the header declares, which is what is exported."""
    return sorted(set(re.findall(r"^\S.*?\b(store_\w+)\(", HEADER.read_text(), re.MULTILINE)))


@dataclass(frozen=True)
class Target:
    """A platform by its Rust triple. What differs by operating system is a subclass's."""

    triple: str
    zig: str  # the same, as zig calls it, with the oldest C library
    floor: str
    budget: int  # bytes, stripped, of a release
    file: str = "libflagstore.so"
    name: str = SONAME
    needs: str = ""  # the libraries of the system that it may need
    rustflags: list[str] = field(default_factory=list)

    @property
    def machine(self) -> tuple[str, str]:
        return "ELF", self.triple.partition("-")[0]

    def archiver(self) -> str:
        return " ".join([*ZIG, "ar"])

    def holds_floor(self, found: Native) -> bool:
        raise NotImplementedError

    def link(self, archive: Path, file: Path, exports: list[str]) -> list[str]:
        raise NotImplementedError


@dataclass(frozen=True)
class Linux(Target):
    libraries: tuple[str, ...] = ()

    def holds_floor(self, found: Native) -> bool:
        asked = [int(part) for part in (found.glibc or "0").split(".")]
        return asked <= [int(part) for part in (re.search(r"glibc (.*)", self.floor) or ["", "0"])[1].split(".")]

    def link(self, archive: Path, file: Path, exports: list[str]) -> list[str]:
        script = file.parent / "exports.version"
        script.write_text(f"{{ global: {' '.join(f'{name};' for name in exports)} local: *; }};\n")
        options = [
            f"--version-script={script}",
            f"-soname,{self.name}",
            # Its threads live as long as the process.
            "-z,nodelete",
            # What the C library does not have is missed here, and not where it is loaded.
            "-z,defs",
            "-z,relro",
            "-z,now",
            "--gc-sections",
            "--hash-style=gnu",
            "--build-id=sha1",
            *(f"-u,{name}" for name in exports),
        ]
        linked = [f"-Wl,{option}" for option in options]
        return [*compiler(self), "-shared", "-s", "-o", str(file), *linked, str(archive), *self.libraries]


@dataclass(frozen=True)
class MacOS(Target):
    """Linked by Rust's own lld with declarations of what the system's libraries export, zig's of libSystem and ours of two
    frameworks: Apple's files are not needed, and nothing of theirs is inside."""

    file: str = "libflagstore.dylib"
    name: str = "@rpath/libflagstore.dylib"
    needs: str = r"/usr/lib/libSystem\.B\.dylib|/System/Library/Frameworks/(Security|CoreFoundation)\.framework/.*"

    @property
    def machine(self) -> tuple[str, str]:
        return "Mach-O", self.triple.partition("-")[0]

    def holds_floor(self, found: Native) -> bool:
        return found.system == self.floor.removeprefix("macOS ")

    def linker(self, file: Path, name: str) -> list[str]:
        """Of a shared library that finds what the system has."""
        oldest = self.floor.removeprefix("macOS ")
        architecture = {"aarch64": "arm64"}.get(self.machine[1], self.machine[1])
        return [
            str(rust_lld()),
            *("-flavor", "darwin", "-arch", architecture, "-platform_version", "macos", oldest, oldest),
            *("-dylib", "-install_name", name, "-o", str(file)),
            *("-dead_strip", "-dead_strip_dylibs", "-x", "-S", "-adhoc_codesign", str(system_library())),
            *("-F", str(FRAMEWORKS), "-framework", "Security", "-framework", "CoreFoundation"),
        ]

    def link(self, archive: Path, file: Path, exports: list[str]) -> list[str]:
        listed = file.parent / "exports.list"
        listed.write_text("".join(f"_{name}\n" for name in exports))
        kept = [word for name in exports for word in ("-u", f"_{name}")]
        return [*self.linker(file, self.name), "-exported_symbols_list", str(listed), *kept, str(archive)]


@dataclass(frozen=True)
class Windows(Target):
    file: str = "flagstore.dll"
    name: str = "flagstore.dll"
    # What programs are linked with, instead of the DLL.
    imports: ClassVar[str] = "libflagstore.dll.a"
    needs: str = r"(kernel32|ntdll|user32|userenv|ws2_32|bcrypt|bcryptprimitives|crypt32|secur32|ncrypt|advapi32|msvcrt)\.dll|api-ms-win-.*\.dll"

    @property
    def machine(self) -> tuple[str, str]:
        return "PE", self.triple.partition("-")[0]

    def archiver(self) -> str:
        return f"{self.machine[1]}-w64-mingw32-ar"

    def holds_floor(self, found: Native) -> bool:
        # A DLL does not say which Windows its functions came with.
        return True

    def link(self, archive: Path, file: Path, exports: list[str]) -> list[str]:
        definitions = file.parent / "exports.def"
        definitions.write_text(f"LIBRARY {self.file}\nEXPORTS\n" + "".join(f"  {name}\n" for name in exports))
        needed = [
            "kernel32",
            "ntdll",
            "userenv",
            "ws2_32",
            "dbghelp",
            "bcrypt",
            "crypt32",
            "secur32",
            "ncrypt",
            "advapi32",
        ]
        return [
            *(*compiler(self), "-shared", "-s", "-o", str(file), str(definitions), str(archive)),
            f"-Wl,--out-implib,{file.parent / self.imports}",
            *("-Wl,--gc-sections", "-Wl,--nxcompat", "-Wl,--dynamicbase", "-Wl,--high-entropy-va"),
            *(f"-l{library}" for library in needed),
        ]


GLIBC = {
    "needs": r"lib(c|m|dl|pthread)\.so\.\d|ld-linux-.*\.so\.\d",
    "floor": "glibc 2.17",
    "libraries": ("-lunwind", "-lc", "-lm", "-ldl", "-lpthread"),
}
MUSL = {
    "needs": r"libc\.so",
    "floor": "musl 1.2",
    "libraries": ("-lunwind", "-lc"),
    "rustflags": ["-Ctarget-feature=-crt-static"],
}

TARGETS: dict[str, Target] = {
    target.triple: target
    for target in (
        Linux("x86_64-unknown-linux-gnu", "x86_64-linux-gnu.2.17", budget=7_000_000, **GLIBC),
        Linux("aarch64-unknown-linux-gnu", "aarch64-linux-gnu.2.17", budget=7_000_000, **GLIBC),
        Linux("x86_64-unknown-linux-musl", "x86_64-linux-musl", budget=7_000_000, **MUSL),
        Linux("aarch64-unknown-linux-musl", "aarch64-linux-musl", budget=7_000_000, **MUSL),
        Windows("x86_64-pc-windows-gnu", "x86_64-windows-gnu", floor="Windows 10", budget=7_000_000),
        MacOS("aarch64-apple-darwin", "aarch64-macos.11.0", floor="macOS 11.0", budget=7_000_000),
        MacOS("x86_64-apple-darwin", "x86_64-macos.11.0", floor="macOS 11.0", budget=7_000_000),
    )
}


def compiler(target: Target) -> list[str]:
    if isinstance(target, Windows):
        return [f"{target.machine[1]}-w64-mingw32-gcc", "-static-libgcc"]
    # Without it zig checks what is compiled without optimisation at run time.
    command = [*ZIG, "cc", "-target", target.zig, "-fno-sanitize=undefined"]
    return [*command, "-dynamic"] if target.rustflags else command


def said(*command: str) -> str:
    """What a program prints; nothing where it is not there or fails."""
    try:
        ran = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError:
        return ""
    return ran.stdout.strip() if ran.returncode == 0 else ""


HOST = (re.search(r"^host: (\S+)", said("rustc", "-vV"), re.MULTILINE) or ["", ""])[1]


@cache
def sysroot() -> Path:
    return Path(said("rustc", "--print", "sysroot"))


def rust_lld() -> Path:
    return sysroot() / "lib" / "rustlib" / HOST / "bin" / "rust-lld"


def system_library() -> Path:
    """What macOS's libSystem exports, of zig; for processors as they are called where libraries are not Apple's own."""
    of_zig = next(TOOLS.glob("lib/python3*/site-packages/ziglang/lib/libc/darwin/libSystem.tbd"))
    text = re.sub(r",\s*arm64e\.x1-\w+", "", of_zig.read_text())
    file = TOOLS / "libSystem.tbd"
    file.write_text(text.replace("arm64e-", "arm64-"))
    return file


def reason_not_to_build(target: Target) -> str:
    """Nothing, if it can be built here."""
    if not (sysroot() / "lib" / "rustlib" / target.triple / "lib").is_dir():
        return f"Rust has no standard library for it: rustup target add {target.triple}"
    if isinstance(target, Windows):
        return "" if shutil.which(compiler(target)[0]) else f"{compiler(target)[0]} is not installed: {INSTALL}"
    if not said(*ZIG, "version"):
        return f"zig is not installed: {INSTALL}"
    if isinstance(target, MacOS) and not rust_lld().exists():
        return "Rust's toolchain has no rust-lld"
    return ""
