"""What a native file says of itself: its format and processor; a shared library also what it exports, needs and asks of the
system.

Reads ELF, Mach-O and PE, 64-bit and little-endian, which is all that is shipped; of each only what a release is checked for.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

MACHINES = {
    "ELF": {62: "x86_64", 183: "aarch64"},
    "Mach-O": {0x1000007: "x86_64", 0x100000C: "aarch64"},
    "PE": {0x8664: "x86_64", 0xAA64: "aarch64"},
}


@dataclass
class Native:
    format: str  # "ELF", "Mach-O" or "PE"
    machine: str  # "x86_64" or "aarch64"
    name: str = ""  # by which programs that link to it look for it
    exports: list[str] = field(default_factory=list)
    needed: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)  # of ELF's needed symbols, such as GLIBC_2.17
    system: str = ""  # the oldest macOS that it may be loaded on
    signed: bool = False  # as macOS asks of what runs on Apple's processors, if only by nobody

    @property
    def glibc(self) -> str:
        """The highest version of glibc that a symbol is asked of, or nothing."""
        asked = [version[6:] for version in self.versions if version.startswith("GLIBC_")]
        return max(asked, key=lambda version: [int(part) for part in version.split(".")], default="")


def read(file: Path) -> Native:
    try:
        return parsed(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{file} {error}") from None


def parsed(content: bytes) -> Native:
    if content[:8] == b"!<arch>\n":
        return archive(content)
    if content[:6] == b"\x7fELF\x02\x01":
        return elf(content)
    if content[:4] == b"\xcf\xfa\xed\xfe":
        return mach_o(content)
    if content[:2] == b"MZ":
        return pe(content)
    raise ValueError("is neither an ELF, a Mach-O nor a PE of 64 bits, nor an archive of such")


def archive(content: bytes) -> Native:
    """A static one: the format and processor of what is in it, and nothing else."""
    place = 8
    while place + 60 <= len(content):
        length = int(content[place + 48 : place + 58])
        start = place + 60
        name = content[place : place + 16]
        # BSD's archives have long names before the content.
        if name.startswith(b"#1/"):
            start += int(name[3:])
        head = content[start : start + 20]
        if head[:6] == b"\x7fELF\x02\x01":
            return Native("ELF", MACHINES["ELF"].get(struct.unpack_from("<H", head, 18)[0], "?"))
        if head[:4] == b"\xcf\xfa\xed\xfe":
            return Native("Mach-O", MACHINES["Mach-O"].get(struct.unpack_from("<I", head, 4)[0], "?"))
        # Of Windows there is no word at the beginning but the processor.
        if head[:2] in (b"\x64\x86", b"\x64\xaa"):
            return Native("PE", MACHINES["PE"][struct.unpack_from("<H", head, 0)[0]])
        place += 60 + length + length % 2
    raise ValueError("is an archive of nothing that is known")


def text_at(content: bytes, place: int) -> str:
    return content[place : content.index(b"\0", place)].decode()


def elf(content: bytes) -> Native:
    (machine,) = struct.unpack_from("<H", content, 18)
    found = Native("ELF", MACHINES["ELF"].get(machine, str(machine)))
    (headers,) = struct.unpack_from("<Q", content, 40)
    size, count = struct.unpack_from("<HH", content, 58)
    # Name, type, flags, address, offset, size, link, info, alignment and size of an entry, of each section.
    sections = [struct.unpack_from("<IIQQQQIIQQ", content, headers + place * size) for place in range(count)]
    for _, kind, _, _, offset, length, link, info, _, entry in sections:
        if kind not in (6, 11, 0x6FFFFFFE):
            continue
        strings = sections[link][4]
        if kind == 6:  # SHT_DYNAMIC
            for place in range(offset, offset + length, entry):
                tag, value = struct.unpack_from("<qQ", content, place)
                if tag == 1:
                    found.needed.append(text_at(content, strings + value))
                elif tag == 14:
                    found.name = text_at(content, strings + value)
        elif kind == 11:  # SHT_DYNSYM
            for place in range(offset, offset + length, entry):
                name, bound, _, section = struct.unpack_from("<IBBH", content, place)
                # Defined, and either global or weak.
                if section and bound >> 4 in (1, 2):
                    found.exports.append(text_at(content, strings + name))
        else:  # SHT_GNU_verneed
            place = offset
            for _ in range(info):
                _, versions, _, first, following = struct.unpack_from("<HHIII", content, place)
                version = place + first
                for _ in range(versions):
                    _, _, _, name, another = struct.unpack_from("<IHHII", content, version)
                    found.versions.add(text_at(content, strings + name))
                    version += another
                place += following
    return found


def mach_o(content: bytes) -> Native:
    (machine,) = struct.unpack_from("<I", content, 4)
    found = Native("Mach-O", MACHINES["Mach-O"].get(machine, hex(machine)))
    (commands,) = struct.unpack_from("<I", content, 16)
    place = 32
    for _ in range(commands):
        command, size = struct.unpack_from("<II", content, place)
        if command in (0xC, 0xD, 0x80000018):  # LC_LOAD_DYLIB, LC_ID_DYLIB, LC_LOAD_WEAK_DYLIB
            (name,) = struct.unpack_from("<I", content, place + 8)
            dylib = text_at(content, place + name)
            if command == 0xD:
                found.name = dylib
            else:
                found.needed.append(dylib)
        elif command == 2:  # LC_SYMTAB
            symbols, count, strings, _ = struct.unpack_from("<IIII", content, place + 8)
            for symbol in range(symbols, symbols + count * 16, 16):
                name, kind, _, _, _ = struct.unpack_from("<IBBHQ", content, symbol)
                # Defined in a section, external, and neither private nor a debugger's.
                if kind & 0xE0 == 0 and kind & 0x1F == 0x0F:
                    found.exports.append(text_at(content, strings + name).removeprefix("_"))
        elif command == 0x32:  # LC_BUILD_VERSION
            (oldest,) = struct.unpack_from("<I", content, place + 12)
            found.system = f"{oldest >> 16}.{oldest >> 8 & 255}"
        elif command == 0x1D:  # LC_CODE_SIGNATURE
            found.signed = True
        place += size
    return found


def pe(content: bytes) -> Native:
    (header,) = struct.unpack_from("<I", content, 60)
    machine, sections, optional = struct.unpack_from("<HH12xH", content, header + 4)
    found = Native("PE", MACHINES["PE"].get(machine, hex(machine)))
    table = header + 24 + optional
    spans = [struct.unpack_from("<8xIIII", content, table + place * 40) for place in range(sections)]

    def offset(address: int) -> int:
        for _, start, length, raw in spans:
            if start <= address < start + length:
                return raw + address - start
        raise ValueError(f"no section holds the address {address:#x}")

    exported, _, imported = struct.unpack_from("<III", content, header + 24 + 112)
    if exported:
        name, count, names = struct.unpack_from("<12xI8xI4xI", content, offset(exported))
        found.name = text_at(content, offset(name))
        places = struct.unpack_from(f"<{count}I", content, offset(names))
        found.exports = [text_at(content, offset(address)) for address in places]
    if imported:
        place = offset(imported)
        while (name := struct.unpack_from("<12xI", content, place)[0]) != 0:
            found.needed.append(text_at(content, offset(name)))
            place += 20
    return found
