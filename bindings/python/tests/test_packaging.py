"""What is published: what is in it, what it is tagged for, and that it works where nothing else is installed."""

from __future__ import annotations

import importlib
import os
import re
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import OpenStore
from endpoint import REPOSITORY, TABLE, Endpoint

from flagstore import __version__
from flagstore._library import load

PROJECT = REPOSITORY / "bindings/python"
PACKAGE = PROJECT / "src/flagstore"
MODULES = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py")} | {"py.typed"}

# What goes with the library, and where a wheel has it (PEP 639 and 770).
PAPERS = {
    "LICENSE": "licenses/LICENSE",
    "THIRD-PARTY-NOTICES": "licenses/THIRD-PARTY-NOTICES",
    "supply-chain/flagstore.cdx.json": "sboms/flagstore.cdx.json",
}


def run(*command: str | Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a program away from the project, with nothing in the environment that leads to it."""
    hidden = ("FLAGSTORE_LIBRARY", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(
        command,
        cwd=folder,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def succeeds(*command: str | Path, folder: Path, **variables: str) -> str:
    ran = run(*command, folder=folder, **variables)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    library = os.path.abspath(load().path)
    command = (sys.executable, PROJECT / "package", "--library", library, "--to", folder)
    printed = succeeds(*command, folder=folder)
    assert {Path(line) for line in printed.splitlines()} == set(folder.iterdir())
    return folder


@pytest.fixture(scope="module")
def wheel(packages: Path) -> Path:
    [wheel] = packages.glob("*.whl")
    return wheel


def test_the_wheel_is_for_any_python_3_on_every_glibc_that_has_what_the_library_needs(wheel: Path) -> None:
    tag = re.fullmatch(
        rf"flagstore-{re.escape(__version__)}-py3-none-(manylinux_2_(\d+)_\w+)\.whl", wheel.name
    )
    assert tag, wheel.name
    # Debian 12, Ubuntu 22.04 and Amazon Linux 2023 have 2.34 or newer: what is built for less must not come to need more.
    assert int(tag[2]) <= 34
    shown = succeeds(sys.executable, "-m", "auditwheel", "show", wheel, folder=wheel.parent)
    assert f'is consistent with the following platform tag: "{tag[1]}"' in " ".join(shown.split())


def test_the_wheel_holds_the_package_its_types_its_license_and_the_library(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        names = {name for name in files.namelist() if name.startswith("flagstore/")}
        # Without a compiler and the headers of Python a wheel is made too, without the compiled module.
        names.discard("flagstore/_native.abi3.so")
        assert names == {f"flagstore/{name}" for name in {*MODULES, "_lib/libflagstore.so"}}
        assert files.getinfo("flagstore/_lib/libflagstore.so").file_size == os.path.getsize(load().path)
        [information] = {name.partition("/")[0] for name in files.namelist() if ".dist-info/" in name}
        for paper, place in PAPERS.items():
            assert files.read(f"{information}/{place}") == (REPOSITORY / paper).read_bytes()


def test_the_source_distribution_holds_what_builds_a_wheel(packages: Path) -> None:
    with tarfile.open(packages / f"flagstore-{__version__}.tar.gz") as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    sources = {f"src/flagstore/{name}" for name in MODULES}
    papers = {Path(paper).name for paper in PAPERS}
    assert sources | papers | {"setup.py", "pyproject.toml", "README.md"} <= names
    assert not any("tests" in name or name.endswith(".so") for name in names)


def test_the_wheel_works_in_an_empty_environment(
    wheel: Path, tmp_path: Path, endpoint: Endpoint, open_store: OpenStore, prefix: str
) -> None:
    open_store().upsert("features", "flag", 1, "payload")
    succeeds(sys.executable, "-m", "venv", tmp_path / "empty", folder=tmp_path)
    python = tmp_path / "empty/bin/python"
    succeeds(python, "-m", "pip", "install", "--quiet", "--no-index", wheel, folder=tmp_path)
    code = f"""
import flagstore
with flagstore.Store({TABLE!r}, prefix={prefix!r}, **{endpoint.options!r}) as store:
    print(store.get("features", "flag"))
print(flagstore._library.load().path)
print(flagstore.library_version())
"""
    printed = succeeds(python, "-I", "-c", code, folder=tmp_path).splitlines()
    assert printed[0] == "Item(version=1, item='payload', deleted=False, stale=False)"
    assert Path(printed[1]).resolve().is_relative_to(tmp_path.resolve() / "empty")
    assert printed[2] == __version__


def test_a_wheel_without_the_library_is_for_every_platform(packages: Path, tmp_path: Path) -> None:
    command = (
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    )
    source = packages / f"flagstore-{__version__}.tar.gz"
    refused = run(*command, source, folder=tmp_path)
    if refused.returncode:
        assert "flagstore has no wheel for this platform" in refused.stdout + refused.stderr
        assert "FLAGSTORE_LIBRARY=/path/to/the/library" in refused.stdout + refused.stderr
    succeeds(*command, source, folder=tmp_path, FLAGSTORE_LIBRARY="system")
    [wheel] = tmp_path.glob("*.whl")
    assert wheel.name == f"flagstore-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as files:
        assert not any(name.endswith(".so") for name in files.namelist())


def test_a_library_that_is_not_there_fails_the_build(tmp_path: Path) -> None:
    ran = run(sys.executable, PROJECT / "package", "--library", "no.so", "--to", tmp_path, folder=tmp_path)
    assert ran.returncode != 0
    assert "no.so', and there is no such file" in ran.stderr
    assert list(tmp_path.glob("*.whl")) == []


def test_a_library_that_no_glibc_can_load_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "other.so").write_bytes(b"\x7fELF, but of another system")
    ran = run(sys.executable, PROJECT / "package", "--library", "other.so", "--to", tmp_path, folder=tmp_path)
    assert ran.returncode != 0
    assert "other.so is no 64-bit library of Linux, macOS or Windows: there is no wheel for it" in ran.stderr


def elf(machine: int, needs: bytes) -> bytes:
    return (
        b"\x7fELF\x02\x01".ljust(18, b"\0") + struct.pack("<H", machine) + b"\0" * 44 + b"\0" + needs + b"\0"
    )


def mach_o(machine: int, oldest: int) -> bytes:
    header = struct.pack("<8I", 0xFEEDFACF, machine, 0, 6, 2, 48, 0, 0)
    return header + struct.pack("<6I", 0x1B, 24, 0, 0, 0, 0) + struct.pack("<6I", 0x32, 24, 1, oldest, 0, 0)


def pe(machine: int) -> bytes:
    return (
        b"MZ".ljust(0x3C, b"\0")
        + struct.pack("<I", 0x80)
        + b"\0" * 0x40
        + b"PE\0\0"
        + struct.pack("<H", machine)
    )


@pytest.mark.parametrize(
    ("content", "platform"),
    [
        (elf(62, b"GLIBC_2.3.4\0GLIBC_2.2.5"), "manylinux_2_17_x86_64"),
        (elf(62, b"GLIBC_2.17\0GLIBC_2.34"), "manylinux_2_34_x86_64"),
        (elf(183, b"GLIBC_2.17"), "manylinux_2_17_aarch64"),
        (elf(62, b"libc.so"), "musllinux_1_2_x86_64"),
        (elf(183, b"libc.musl-aarch64.so.1"), "musllinux_1_2_aarch64"),
        (mach_o(0x100000C, 11 << 16), "macosx_11_0_arm64"),
        (mach_o(0x1000007, 10 << 16 | 15 << 8), "macosx_11_0_x86_64"),
        (mach_o(0x100000C, 13 << 16 | 1 << 8), "macosx_13_1_arm64"),
        (pe(0x8664), "win_amd64"),
        (pe(0xAA64), "win_arm64"),
    ],
)
def test_a_wheel_is_named_for_the_platform_of_the_file_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, platform: str
) -> None:
    monkeypatch.syspath_prepend(str(PROJECT))
    (tmp_path / "library").write_bytes(content)
    assert importlib.import_module("wheel_platform").platform_of(tmp_path / "library") == platform


@pytest.mark.parametrize(
    "content", [b"", b"#!/bin/sh", elf(3, b"GLIBC_2.17"), elf(62, b""), b"MZ", pe(0x14C)]
)
def test_what_is_no_library_of_a_known_platform_has_no_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.syspath_prepend(str(PROJECT))
    (tmp_path / "library").write_bytes(content)
    with pytest.raises(SystemExit, match="there is no wheel for it"):
        importlib.import_module("wheel_platform").platform_of(tmp_path / "library")


def test_wheels_for_other_platforms_are_made_here(tmp_path: Path) -> None:
    libraries = {"win_amd64": pe(0x8664), "macosx_11_0_arm64": mach_o(0x100000C, 11 << 16)}
    for platform, content in libraries.items():
        (tmp_path / platform).write_bytes(content)
    options = [word for platform in libraries for word in ("--library", platform)]
    succeeds(sys.executable, PROJECT / "package", *options, "--to", "packages", folder=tmp_path)
    for platform, carried in (("win_amd64", "flagstore.dll"), ("macosx_11_0_arm64", "libflagstore.dylib")):
        with zipfile.ZipFile(tmp_path / f"packages/flagstore-{__version__}-py3-none-{platform}.whl") as files:
            assert files.read(f"flagstore/_lib/{carried}") == libraries[platform]


def test_pyinstaller_finds_what_a_program_needs(
    wheel: Path, tmp_path: Path, endpoint: Endpoint, open_store: OpenStore, prefix: str
) -> None:
    pytest.importorskip("PyInstaller", reason="PyInstaller is not installed")
    open_store().upsert("features", "flag", 1, "payload")
    environment = tmp_path / "environment"
    succeeds(sys.executable, "-m", "venv", "--system-site-packages", environment, folder=tmp_path)
    # PyInstaller itself is in the environment of the tests, and asks the package for its hook.
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "tests.pth").write_text(f"{next(path for path in sys.path if path.endswith('site-packages'))}\n")
    python = environment / "bin/python"
    succeeds(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel, folder=tmp_path)
    program = tmp_path / "program.py"
    program.write_text(f"""
from flagstore import Store, _library
options = {endpoint.options!r}
with Store({TABLE!r}, prefix={prefix!r}, **options) as store:
    print(store.get("features", "flag").item, Store.doctor({TABLE!r}, **options).problems >= 0, _library.load().path)
""")
    succeeds(python, "-m", "PyInstaller", "--onedir", "--log-level", "WARN", program, folder=tmp_path)
    moved = (tmp_path / "dist/program").rename(tmp_path / "moved")
    item, examined, library = succeeds(moved / "program", folder=tmp_path).split()
    assert (item, examined) == ("payload", "True")
    assert Path(library).is_relative_to(moved)
