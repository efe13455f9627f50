"""Where ``libflagstore`` is looked for, and what is said where it cannot be used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from endpoint import REPOSITORY

import flagstore
from flagstore._library import PACKAGED, load

SOURCES = str(Path(flagstore.__file__).parent.parent)
OPEN = "import flagstore; flagstore.Store('flags').close(); print(flagstore._library.load().path)"


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs Python with ``FLAGSTORE_LIBRARY`` as given, or without it."""
    environment = {name: value for name, value in os.environ.items() if name != "FLAGSTORE_LIBRARY"}
    environment.update(PYTHONPATH=SOURCES, **variables)
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_variable_names_the_file() -> None:
    path = load().path
    assert run(OPEN, FLAGSTORE_LIBRARY=path).stdout.strip() == os.path.abspath(path)


def test_the_variable_may_be_relative() -> None:
    path = os.path.relpath(load().path)
    assert run(OPEN, FLAGSTORE_LIBRARY=path).stdout.strip() == os.path.abspath(path)


def test_a_wrong_variable_is_fatal_at_the_first_use_and_not_before() -> None:
    failed = run(OPEN, FLAGSTORE_LIBRARY="/nowhere/libflagstore.so")
    assert failed.returncode == 1
    assert "LibraryError: FLAGSTORE_LIBRARY is '/nowhere/libflagstore.so'" in failed.stderr
    assert "no such file" in failed.stderr
    assert run("import flagstore", FLAGSTORE_LIBRARY="/nowhere/libflagstore.so").returncode == 0


def test_a_file_that_is_no_library_is_fatal(tmp_path: Path) -> None:
    wrong = tmp_path / "libflagstore.so"
    wrong.write_text("not a library")
    failed = run(OPEN, FLAGSTORE_LIBRARY=str(wrong))
    assert failed.returncode == 1
    assert f"LibraryError: {wrong} cannot be used as libflagstore" in failed.stderr


def test_another_library_is_fatal() -> None:
    other = next(
        line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libc.so" in line
    )
    failed = run(OPEN, FLAGSTORE_LIBRARY=other)
    assert failed.returncode == 1
    assert "store_abi_version" in failed.stderr


def test_another_abi_is_fatal() -> None:
    code = "import flagstore._library as library; library.ABI = 77; library.load()"
    failed = run(code, FLAGSTORE_LIBRARY=load().path)
    assert failed.returncode == 1
    assert "has ABI 1, this package needs ABI 77: install versions that match" in failed.stderr


@pytest.mark.skipif(os.path.isfile(PACKAGED), reason="the package under test carries the library")
def test_the_system_comes_last(tmp_path: Path) -> None:
    nowhere = run(OPEN)
    if nowhere.returncode == 0:
        pytest.skip(f"this system has libflagstore installed as {nowhere.stdout.strip()}")
    assert "LibraryError: libflagstore was not found: FLAGSTORE_LIBRARY is not set" in nowhere.stderr
    (tmp_path / "libflagstore.so.1").symlink_to(os.path.abspath(load().path))
    assert run(OPEN, LD_LIBRARY_PATH=str(tmp_path)).stdout.strip() == "libflagstore.so.1"


def test_an_empty_variable_is_none() -> None:
    assert "FLAGSTORE_LIBRARY is ''" not in run(OPEN, FLAGSTORE_LIBRARY="").stderr


def test_importing_loads_neither_the_library_nor_an_sdk() -> None:
    code = """
import sys, flagstore
assert not any(name.split(".")[0] in ("boto3", "botocore", "ldclient") for name in sys.modules)
assert "libflagstore" not in open("/proc/self/maps").read()
"""
    assert run(code, FLAGSTORE_LIBRARY=load().path).returncode == 0


def test_the_version_is_the_projects() -> None:
    project = (REPOSITORY / "bindings/python/pyproject.toml").read_text()
    assert f'version = "{flagstore.__version__}"' in project
