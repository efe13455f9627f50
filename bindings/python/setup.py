"""Puts ``libflagstore.so`` into the wheel, and tags the wheel for the platform it was built for.

Everything else is in pyproject.toml. The library is the file that ``FLAGSTORE_LIBRARY`` names while the wheel is built,
as an absolute path; without the variable the wheel carries none, fits every platform, and looks for the system's. The
script ``package`` in this folder builds what is published.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

LIBRARY = os.environ.get("FLAGSTORE_LIBRARY")


class BuildWithLibrary(build_py):
    """Copies the library beside the package's modules."""

    def run(self) -> None:
        super().run()
        if not LIBRARY or self.editable_mode:
            return
        if not os.path.isfile(LIBRARY):
            raise SystemExit(
                f"FLAGSTORE_LIBRARY is {LIBRARY!r}, and there is no such file: correct it or unset it"
            )
        folder = Path(self.build_lib, "flagstore", "_lib")
        folder.mkdir(exist_ok=True)
        shutil.copy(LIBRARY, folder / "libflagstore.so")


class WithBinary(Distribution):
    """A distribution that is for one platform if it carries the library."""

    def has_ext_modules(self) -> bool:
        return bool(LIBRARY)


class PlatformWheel(bdist_wheel):
    """A wheel for any Python 3, since ctypes does not care which one loads the library."""

    def get_tag(self) -> tuple[str, str, str]:
        _python, _abi, platform = super().get_tag()
        if LIBRARY and platform.startswith("linux_"):
            platform = platform.replace("linux", f"manylinux_{oldest_glibc(Path(LIBRARY))}", 1)
        return "py3", "none", platform

    def write_wheelfile(self, wheelfile_base: str, *arguments: object) -> None:
        """Puts the library's bill of materials where PEP 770 has it, beside the file that this writes."""
        super().write_wheelfile(wheelfile_base, *arguments)
        bill = Path("flagstore.cdx.json")
        if LIBRARY and bill.is_file():
            folder = Path(wheelfile_base, "sboms")
            folder.mkdir(exist_ok=True)
            shutil.copy(bill, folder)


def oldest_glibc(library: Path) -> str:
    """The glibc that a library needs at least, such as ``2_34``: the newest version that one of its symbols asks for."""
    asked = {
        (int(major), int(minor))
        for major, minor in re.findall(rb"\0GLIBC_(\d+)\.(\d+)", library.read_bytes())
    }
    if not asked:
        raise SystemExit(f"{library} is not linked with glibc: there is no wheel for it")
    return "{}_{}".format(*max(asked))


setup(
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel},
    distclass=WithBinary,
)
