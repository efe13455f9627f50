"""The platform that a shared library was built for, in the words of wheels' names: read out of the file, since the machine
that packs a wheel may be another."""

from __future__ import annotations

import re
import struct
from pathlib import Path

_ELF_MACHINES = {62: "x86_64", 183: "aarch64"}
_MACH_MACHINES = {0x0100_0007: "x86_64", 0x0100_000C: "arm64"}
_PE_MACHINES = {0x8664: "amd64", 0xAA64: "arm64"}

# The oldest that wheels are named for, whatever less a library asks for.
_OLDEST_GLIBC = (2, 17)
_OLDEST_MACOS = (11, 0)
_MUSL = "musllinux_1_2"

_BUILD_VERSION = 0x32


def platform_of(library: Path) -> str:
    """The platform tag of a wheel with this library, such as ``manylinux_2_17_x86_64``.

    :raises SystemExit: it is a library of no platform that there are wheels for
    """
    data = library.read_bytes()
    read = {b"\x7fELF": _elf, b"\xcf\xfa\xed\xfe": _mach_o, b"MZ": _pe}
    for magic, kind in read.items():
        if data.startswith(magic):
            try:
                return kind(library, data)
            except (struct.error, KeyError):
                break
    raise SystemExit(f"{library} is no 64-bit library of Linux, macOS or Windows: there is no wheel for it")


def _elf(library: Path, data: bytes) -> str:
    machine = _ELF_MACHINES[struct.unpack_from("<H", data, 18)[0]]
    if data[4:6] != b"\x02\x01":
        raise KeyError(data[4:6])
    # The newest version that one of its symbols asks for is what it needs at least.
    asked = {(int(major), int(minor)) for major, minor in re.findall(rb"\0GLIBC_(\d+)\.(\d+)", data)}
    if asked:
        return "manylinux_{}_{}_{}".format(*max(asked | {_OLDEST_GLIBC}), machine)
    if re.search(rb"\0libc(\.musl-\w+)?\.so(\.1)?\0", data):
        return f"{_MUSL}_{machine}"
    raise SystemExit(f"{library} is not linked with glibc or musl: there is no wheel for it")


def _mach_o(_library: Path, data: bytes) -> str:
    machine, _subtype, _kind, commands = struct.unpack_from("<4I", data, 4)
    version, place = _OLDEST_MACOS, 32
    for _ in range(commands):
        command, size = struct.unpack_from("<2I", data, place)
        if command == _BUILD_VERSION:
            (oldest,) = struct.unpack_from("<I", data, place + 12)
            version = max(version, (oldest >> 16, oldest >> 8 & 0xFF))
        place += size
    return "macosx_{}_{}_{}".format(*version, _MACH_MACHINES[machine])


def _pe(_library: Path, data: bytes) -> str:
    (header,) = struct.unpack_from("<I", data, 0x3C)
    if data[header : header + 4] != b"PE\0\0":
        raise KeyError(header)
    return f"win_{_PE_MACHINES[struct.unpack_from('<H', data, header + 4)[0]]}"


def file_name(platform: str) -> str:
    """What the package calls its library on a platform."""
    if platform.startswith("win"):
        return "flagstore.dll"
    return "libflagstore.dylib" if platform.startswith("macosx") else "libflagstore.so"
