"""Puts the library into the wheel, and tags the wheel for the platform that the library was built for.

Everything else is in pyproject.toml. The library is the file that ``FLAGSTORE_LIBRARY`` names while the wheel is built,
as an absolute path; ``FLAGSTORE_NATIVE`` names the compiled module for the same platform, if there is one. Where the
variable says ``system``, the wheel carries no library, fits every platform, and looks for the system's; so does one that is
built without the variable, where the system has one. The script ``package`` in this folder builds what is published.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import sysconfig
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wheel_platform import file_name, platform_of

SYSTEM = "system"
LIBRARY = os.environ.get("FLAGSTORE_LIBRARY")
NATIVE = os.environ.get("FLAGSTORE_NATIVE")
CARRIED = LIBRARY if LIBRARY != SYSTEM else None


class BuildWithLibrary(build_py):
    """Copies the library and the compiled module beside the package's modules."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        if not LIBRARY:
            refuse_without_library()
        if not CARRIED:
            return
        if not os.path.isfile(CARRIED):
            raise SystemExit(
                f"FLAGSTORE_LIBRARY is {CARRIED!r}, and there is no such file: correct it or unset it"
            )
        package = Path(self.build_lib, "flagstore")
        folder = package / "_lib"
        folder.mkdir(exist_ok=True)
        platform = platform_of(Path(CARRIED))
        shutil.copy(CARRIED, folder / file_name(platform))
        if NATIVE:
            name = "_native.pyd" if platform.startswith("win") else "_native.abi3.so"
            shutil.copy(NATIVE, package / name)


def refuse_without_library() -> None:
    """Says what is missing where a wheel would be built that cannot work here."""
    suffixes = {"win32": "flagstore.dll", "darwin": "libflagstore.1.dylib"}
    name = suffixes.get(sys.platform, "libflagstore.so.1")
    try:
        ctypes.CDLL(name)
    except OSError as error:
        raise SystemExit(
            f"flagstore has no wheel for this platform ({sysconfig.get_platform()}, Python {sys.version.split()[0]}), its source "
            f"carries no library, and the system has none: {error}. Build libflagstore for it and install again with "
            f"FLAGSTORE_LIBRARY=/path/to/the/library, or install it on the system first; FLAGSTORE_LIBRARY={SYSTEM} installs "
            "without looking"
        ) from None


class WithBinary(Distribution):
    """A distribution that is for one platform if it carries the library."""

    def has_ext_modules(self) -> bool:
        return bool(CARRIED)


class PlatformWheel(bdist_wheel):
    """A wheel for any Python 3: what the compiled module does not fit goes through ctypes."""

    def get_tag(self) -> tuple[str, str, str]:
        _python, _abi, platform = super().get_tag()
        return "py3", "none", platform_of(Path(CARRIED)) if CARRIED and os.path.isfile(CARRIED) else platform

    def write_wheelfile(self, wheelfile_base: str, *arguments: object) -> None:
        """Puts the library's bill of materials where PEP 770 has it, beside the file that this writes."""
        super().write_wheelfile(wheelfile_base, *arguments)
        bill = Path("flagstore.cdx.json")
        if CARRIED and bill.is_file():
            folder = Path(wheelfile_base, "sboms")
            folder.mkdir(exist_ok=True)
            shutil.copy(bill, folder)


setup(
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel},
    distclass=WithBinary,
)
